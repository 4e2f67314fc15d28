"""What the pages on classifiers and regressors are made of: the samples, and how they were answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.evaluation.class_metrics import Measures
from memorycell.evaluation.kinds import Answers, Kind
from memorycell.evaluation.result import CrossValidation
from memorycell.jobs.labelling.reading import SequenceSamples
from memorycell.pages.page import Html, Section, bullets, facts, figure, paragraph
from memorycell.pages.plots.classes import class_counts, histogram
from memorycell.pages.sections.data import own_notes, span_of
from memorycell.pages.sections.scores import is_new, trained_on
from memorycell.pages.wording import counted, percent, significant

READS = {"text": "texts", "numbers": "series", "symbols": "sequences of symbols"}
_NOUNS = {"text": "text", "numbers": "series", "symbols": "sequence"}
_UNKNOWN = 1  # the id of what a codec does not know


@dataclass
class Judged:
    """Answers to samples beside the truth.

    Attributes
    ----------
    kind : what there is to be answered
    rows : int64 (n,), the sample of each answer
    true : as `Kind` keeps targets: places of classes, booleans or numbers, a row a sample
    answers : of a `Kind`
    measures : Measures
    own : whether they are this very model's answers; else those of models that were fitted without the sample
    honest : whether the answers are known to be of models that were not trained on the sample
    samples : that were asked about
    """

    kind: Kind
    rows: NDArray[np.int64]
    true: Any
    answers: Answers
    measures: Measures
    own: bool
    honest: bool
    samples: SequenceSamples

    def where(self, i: int) -> str:
        """What the user calls the place of the sample of an answer."""
        return self.samples.where(int(self.rows[i]))


def judge(model: Any, samples: SequenceSamples, evaluation: CrossValidation | None, seen: bool | None) -> Judged | None:
    """The answers to the samples: those of the evaluation where it is of these samples, else the model's own.

    None where there are no labels to judge by.
    """
    if samples.targets is None:
        return None
    kind: Any = model.kind_of(samples)
    if evaluation is not None and _is_of(evaluation, kind):
        ours = evaluation.models[0]
        own = evaluation.split == "held out"
        new = is_new(evaluation, seen) is True
        return Judged(kind, evaluation.rows, evaluation.targets, ours.answers, ours.measures, own, new, samples)
    rows = np.arange(len(samples))
    answers = kind.answers_to(rows, model, samples)
    return Judged(kind, rows, kind.y, answers, kind.measures(rows, answers), True, seen is False, samples)


def _is_of(evaluation: CrossValidation, kind: Any) -> bool:
    rows = evaluation.rows
    if evaluation.kind != kind.name or not len(rows) or rows.max() >= len(kind.y) or rows.min() < 0:
        return False
    return list(evaluation.classes) == list(kind.classes) and bool(np.array_equal(kind.y[rows], evaluation.targets))


def noun_of(samples: SequenceSamples) -> str:
    """What one of them is called."""
    return _NOUNS[samples.given.kind]


def caveat(judged: Judged, samples: SequenceSamples, seen: bool | None) -> str:
    """Whose answers to which samples these are, and what they are worth."""
    these = counted(len(judged.rows), noun_of(samples))
    if judged.honest and judged.own:
        return f"What this model answered to {these} that it was not trained on."
    if judged.honest:
        return f"What models answered to {these}, each asked only about those that it was not trained on."
    return trained_on(these, seen)


def data_section(model: Any, samples: SequenceSamples) -> Section:
    """The samples: how many, how long, of which classes, how much of them is unknown; and what was done to them."""
    section = Section("data", "The data, and what was done to it")
    given = samples.given
    dataset = model.dataset(samples)
    lengths = dataset.lengths.numpy()
    tokens = given.kind != "numbers"
    unknown = float((dataset.inputs["tokens"].values == _UNKNOWN).float().mean()) if tokens and lengths.sum() else None
    unit = "step" if not tokens else {"text": model.unit}.get(given.kind, "symbol")
    section.add(
        facts(
            {
                "data": samples.source.name,
                READS[given.kind]: f"{len(samples):,}",
                "length": span_of(lengths, unit),
                "numbers a step": str(given.features) if given.features and given.features > 1 else None,
                f"unknown {unit}s": None if unknown is None else percent(unknown),
                "vocabulary": f"{model.codec_.size:,} {unit}s" if tokens else None,
            }
        )
    )
    section.add(_outcomes(model, samples))
    if lengths.min() != lengths.max():
        heavy = lengths.max() > 20 * max(np.median(lengths), 1)
        section.add(
            figure(
                lambda width: histogram(lengths, f"{unit}s", width=width, log=bool(heavy)),
                "lengths",
                f"How long the {READS[given.kind]} are.",
            )
        )
    section.add(bullets(dict.fromkeys(note["text"] for note in [*samples.notes, *own_notes(model)])))
    return section


def _outcomes(model: Any, samples: SequenceSamples) -> Html:
    if samples.targets is None:
        return paragraph("They came without labels.")
    kind: Any = model.kind_of(samples)
    if kind.name == "numbers":
        values = kind.y
        if len(np.unique(values[:, 0])) < 2:
            return paragraph(f"All numbers to be predicted are {significant(float(values[0, 0]))}.")
        return figure(
            lambda width: histogram(values[:, 0], "target" if values.shape[1] == 1 else "first target", width=width),
            "targets",
            "The numbers to be predicted.",
        )
    counts = kind.y.sum(0) if kind.name == "labels" else np.bincount(kind.y, minlength=len(kind.classes))
    more = len(kind.classes) - 30
    if (counts > 0).sum() == 1:
        return paragraph(f"All are of one class, {kind.classes[int(counts.argmax())]}.")
    return figure(
        lambda width: class_counts(kind.classes, counts.tolist(), width=width),
        "classes-counted",
        "How many there are of each class." + (f" {more:,} rarer ones are not drawn." if more > 0 else ""),
    )
