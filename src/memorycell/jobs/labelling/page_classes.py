"""The page on a classifier: how good it is, what it takes for what, and which words spoke for its worst mistakes."""

from __future__ import annotations

from typing import Any

from memorycell.evaluation.result import CrossValidation
from memorycell.jobs.labelling.judged import READS, Judged, caveat, data_section, judge, noun_of
from memorycell.jobs.labelling.mistakes import mistakes
from memorycell.jobs.labelling.reading import SequenceSamples
from memorycell.pages.page import Page, Section, paragraph
from memorycell.pages.sections.learner import cards, learning, network_section, reproduction, validation_loss
from memorycell.pages.sections.memory import AT_MOST, remembering
from memorycell.pages.sections.scores import (
    FOOTER,
    MEASURE,
    OLD,
    UNKNOWN,
    accuracy,
    confusions,
    headline,
    is_new,
    measured,
    per_class,
    probabilities,
)
from memorycell.pages.wording import listing, significant

_FEW = 3  # classes that a heading names


def page(
    model: Any,
    samples: SequenceSamples,
    *,
    evaluation: CrossValidation | None = None,
    seen: bool | None = None,
    unit: str | None = None,
    command: str | None = None,
) -> Page:
    """See `memorycell.write_report`."""
    judged = judge(model, samples, evaluation, seen)
    new = is_new(evaluation, seen)
    honest = judged.measures if judged is not None and judged.honest and evaluation is None else None
    setting = "" if honest is None or judged is None else caveat(judged, samples, seen)
    sections = [
        accuracy(evaluation, MEASURE, honest, setting, new), _classes(model, samples, judged, evaluation, seen),
        mistakes(model, samples, judged), data_section(model, samples),
        learning(model, ": cross-entropy", evaluation),
        remembering(model, samples.take(range(min(len(samples), AT_MOST))), "This classifier"),
        network_section(model),
        reproduction(model, "classifier", command, samples.source, seen),
    ]  # fmt: skip
    shown = _cards(model, None if new is False else evaluation, honest)
    return Page(_title(model), _lead(model, samples, evaluation, honest, new), shown, sections, FOOTER)


def _names(model: Any) -> list[str]:
    return [str(label) if len(str(label)) <= 40 else f"{str(label)[:39]}…" for label in model.classes_.tolist()]


def _title(model: Any) -> str:
    names = _names(model)
    what = READS[model.input_["kind"]]
    which = f": {listing(names)}" if len(names) <= _FEW else ""
    noun = "labels" if model.several else "classes"
    return f"{len(names):,} {noun} of {what}{which}"


def _lead(
    model: Any, samples: SequenceSamples, evaluation: CrossValidation | None, honest: Any, new: bool | None
) -> str:
    found = headline(evaluation, honest, noun_of(samples), new)
    if evaluation is not None and new is not False:
        if len(evaluation.models) == 1:
            return found
        return f"{found} {evaluation.outcome}"
    if found:
        return f"{found} It was not compared with anything simpler."
    loss = validation_loss(model)
    watched = (
        "" if loss is None else f" Its loss on the samples held out from training came down to {significant(loss)}."
    )
    return f"How often it is right about new {READS[samples.given.kind]} was not measured here.{watched}"


def _cards(model: Any, evaluation: CrossValidation | None, honest: Any) -> dict[str, str]:
    """The few numbers that people look for first."""
    values = evaluation.models[0].measures.values if evaluation is not None else honest.values if honest else {}
    shown = measured(values, ("accuracy" if "accuracy" in values else "micro_f1", "macro_f1"))
    loss = validation_loss(model)
    if not shown:
        shown = {"classes": f"{len(model.classes_):,}"} | (
            {} if loss is None else {"validation loss": significant(loss)}
        )
    return cards(model, shown)


def _classes(
    model: Any, samples: SequenceSamples, judged: Judged | None, evaluation: CrossValidation | None, seen: bool | None
) -> Section:
    """Class by class: of the evaluation, else of the samples, with what that is worth."""
    section = Section("classes", "Class by class")
    if evaluation is not None:
        measures = evaluation.models[0].measures
        said = {True: "", False: OLD, None: UNKNOWN}[is_new(evaluation, seen)]
    elif judged is not None:
        measures, said = judged.measures, caveat(judged, samples, seen)
    else:
        return section
    section.add(paragraph(said), per_class(measures, "class"))
    section.add(*confusions(measures))
    if (evaluation is not None and seen is not True) or (judged is not None and judged.honest):
        note = next((note["text"] for note in model.notes_ if note.get("kind") == "calibration"), "")
        section.add(*probabilities(measures, note))
    else:
        section.add(paragraph(f"How far its probabilities can be believed shows on new {READS[samples.given.kind]}."))
    return section
