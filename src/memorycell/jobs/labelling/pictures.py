"""The pictures that one wants first of a classifier and of a regressor: their answers beside the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from memorycell.jobs.labelling.judged import Judged, judge, noun_of
from memorycell.jobs.labelling.reading import SequenceSamples
from memorycell.pages.drawing import WIDE, titled
from memorycell.pages.plots.classes import class_scores, confusion, in_order, predicted_and_true
from memorycell.pages.wording import counted, percent, significant, trained_on


def classes(
    model: Any, samples: SequenceSamples, *, seen: bool | None = None, unit: str | None = None, width: float = WIDE
) -> Figure:
    """See `Job.plot`: the confusion matrix; of several labels each, which has none, precision and recall of each label.

    Raises
    ------
    ValueError
        For samples without their classes.
    """
    judged = _judged(model, samples, "classes")
    measures, these = judged.measures, counted(len(samples), noun_of(samples))
    if measures.confusion is None:
        said = f"micro-F1 {percent(measures.values['micro_f1'], 1)} on {these}{trained_on(seen)}"
        return titled(class_scores(measures.per_class, noun_of(samples), width=width), said)
    said = f"{percent(measures.values['accuracy'], 1)} of {these} right{trained_on(seen)}"
    return titled(
        confusion(measures.confusion, measures.classes, width=width), said, _how_to_read(len(measures.classes), width)
    )


def numbers(
    model: Any, samples: SequenceSamples, *, seen: bool | None = None, unit: str | None = None, width: float = WIDE
) -> Figure:
    """See `Job.plot`: predicted numbers against true ones, and what is left.

    Raises
    ------
    ValueError
        For samples without their numbers.
    """
    judged = _judged(model, samples, "numbers")
    values, after = judged.measures.values, f" {unit}" if unit else ""
    share = f", R² {significant(values['r2'])}" if np.isfinite(values["r2"]) else ""
    said = f"RMSE {significant(values['rmse'])}{after}{share} on {counted(len(samples), noun_of(samples))}"
    true, predicted = np.asarray(judged.true, float), np.asarray(judged.answers["numbers"], float)
    return titled(predicted_and_true(true, predicted, width=width), said + trained_on(seen))


def _how_to_read(count: int, width: float) -> str:
    how = "A row is a true class: where its samples went, in\N{NO-BREAK SPACE}%; blue is right."
    return how + in_order(count, width)


def _judged(model: Any, samples: SequenceSamples, what: str) -> Judged:
    found = judge(model, samples, None, None)
    if found is None:
        raise ValueError(
            f"expected samples with their {what}, to set the answers beside them, got samples alone: "
            "give (X, y), or a file that holds both"
        )
    return found
