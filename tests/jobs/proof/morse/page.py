"""The report on a reader of Morse code, and what the page that explains it says of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from memorycell.data.samples import Samples
from memorycell.evaluation.result import CrossValidation
from memorycell.insight.explained import Explained
from memorycell.pages.drawing import titled
from memorycell.pages.explaining.answers import Answer
from memorycell.pages.page import Page, Section, table
from memorycell.pages.plots.classes import histogram
from memorycell.pages.sections.learner import learning, network_section, reproduction
from memorycell.pages.sections.memory import AT_MOST, remembering
from memorycell.pages.sections.scores import FOOTER, MEASURE, accuracy, headline, is_new
from memorycell.pages.wording import trained_on
from morse.kind import edits


def page(
    model: Any,
    samples: Samples,
    *,
    evaluation: CrossValidation | None = None,
    seen: bool | None = None,
    unit: str | None = None,
    command: str | None = None,
) -> Page:
    """See `Job.page`."""
    new = is_new(evaluation, seen)
    sections = [
        accuracy(evaluation, MEASURE, new=new), _read(model, samples), learning(model, "", evaluation),
        remembering(model, samples.take(range(min(len(samples), AT_MOST))), "This reader"), network_section(model),
        reproduction(model, "reader", command, samples.source, seen),
    ]  # fmt: skip
    lead = headline(evaluation, None, "signal", new) or "How well it reads new signals was not measured here."
    return Page("Morse code, read", lead, {"parameters": f"{model.n_parameters_:,}"}, sections, FOOTER)


def _read(model: Any, samples: Samples) -> Section:
    section = Section("texts", "What it reads")
    rows = list(zip(samples.given, samples.targets, model.predict(samples), strict=True))
    section.add(table(["signal", "is", "read as"], rows[:20], words=3))
    return section


def picture(
    model: Any, samples: Samples, *, seen: bool | None = None, unit: str | None = None, width: float = 720
) -> Figure:
    """See `Job.plot`."""
    if samples.targets is None:
        raise ValueError("expected signals with their texts, to compare what is read with, got signals alone")
    wrong = [edits(text, true) for text, true in zip(model.predict(samples), samples.targets, strict=True)]
    figure = histogram(wrong, "characters to mend in a text", width=width)
    return titled(figure, f"{wrong.count(0)} of {len(wrong)} texts right{trained_on(seen)}")


def answer(model: Any, samples: Samples, explained: Explained, where: Mapping[str, Any]) -> Answer:
    """See `Job.answer`."""
    row = where.get("row") or 0
    text = model.predict(samples.take([row]))[0]
    return Answer(f"Why “{text}”?", f"The model reads “{text}” in signal {row}.", {"read": text})
