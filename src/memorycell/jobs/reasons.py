"""Reasons: why answers came out, a row each: the words or steps that counted most, with their sign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from memorycell.data.bars import tracked
from memorycell.data.figures import Figures
from memorycell.data.lines import counted, listing, one_line
from memorycell.data.tables.times.calendar import say_date
from memorycell.insight.explanation import Explanation
from memorycell.insight.methods import explain_by

MOST = 5  # words or steps that a reason names
_AT_ONCE = 256  # rows whose answers are computed at once


@dataclass(repr=False)
class Reasons(Figures):
    """Rows with their answers and what spoke for them, of ``model.why``.

    Attributes
    ----------
    rows : list of dict
        "row", as the user counts it; what stands beside it; "output", the number that is explained, and its "value";
        and "why", such as ``good +1.2; not -0.4``.
    notes : list of str
        Rows that could not be explained, and why.
    """

    rows: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def _said(self) -> tuple[str, str]:
        return f"why {counted(len(self), 'answer')} came out", " ".join(self.notes)

    def table(self) -> list[dict[str, Any]]:
        """A row per answer."""
        return self.rows


def reasons(
    model: Any,
    samples: Any,
    places: Sequence[int],
    *,
    method: str = "integrated gradients",
    most: int = MOST,
    keep: Any = None,
    notes: list[str] | None = None,
    **where: Any,
) -> Iterator[dict[str, Any]]:
    """The rows of `Reasons`, one after the other, with a bar where the model shows bars.

    Parameters
    ----------
    places : of samples, from 0; of forecasts the rows that are the last ones seen
    notes : gets a sentence for each row that cannot be explained, whose "why" is empty
    where : what else `explained` is told
    """

    def each() -> Iterator[dict[str, Any]]:
        for start in range(0, len(places), _AT_ONCE):
            part = places[start : start + _AT_ONCE]
            for place, beside in zip(part, model.beside(samples, part, keep), strict=True):
                yield {**beside, **_one(model, samples, place, method, most, notes, where)}

    return tracked(each(), "explaining", len(places), show=model.verbose)


def _one(
    model: Any, samples: Any, place: int, method: str, most: int, notes: list[str] | None, where: dict[str, Any]
) -> dict[str, Any]:
    try:
        asked = model.explained(samples, row=place, **where)
        with model.at_work():
            found = explain_by(asked, method)
    except ValueError as error:
        if notes is not None:
            called = samples.where(place) if hasattr(samples, "where") else f"row {place:,}"
            notes.append(f"{called} is not explained: {one_line(str(error))}")
        return {"output": "", "value": float("nan"), "why": ""}
    return {"output": found.output, "value": found.value, "why": said(found, most)}


def said(found: Explanation, most: int = MOST) -> str:
    """The steps that added or took away most, with what they did.

    Example
    -------
    >>> said(Explanation("occlusion", "score", 3.0, ["so", "good", "not"], np.array([0.1, 2.0, -0.5]), {}), 2)
    'good +2; not -0.5'
    """
    if found.by_feature is not None and len(found.features or ()) > 1:
        scores = found.by_feature
        order = np.argsort(-np.abs(scores), axis=None, kind="stable")[:most]
        steps, inputs = np.unravel_index(order, scores.shape)
        named = [
            (f"{(found.features or ())[k]} at {say_date(found.labels[t])}", scores[t, k])
            for t, k in zip(steps.tolist(), inputs.tolist(), strict=True)
        ]
    else:
        steps_too = not all(isinstance(label, str) for label in found.labels)
        named = [(f"step {label}" if steps_too and isinstance(label, int) else say_date(label), score)
                 for label, score in found.top(most)]  # fmt: skip
    return "; ".join(f"{one_line(name)} {score:+.3g}" for name, score in named if score)


def worst(model: Any, samples: Any, count: int) -> list[int]:
    """The places of the samples whose answers are furthest from the truth, the worst first.

    Raises
    ------
    ValueError
        Without a truth to judge by.
    """
    if getattr(samples, "targets", None) is None:
        raise ValueError("expected data with what is to be answered, to find the worst answers by: name rows instead")
    kind, rows = model.kind_of(samples), np.arange(len(samples))
    losses = kind.losses(rows, kind.answers_to(rows, model, samples))
    return np.argsort(-losses, kind="stable")[:count].tolist()


def checked_places(samples: Any, rows: Iterable[int]) -> list[int]:
    """Places from 0 that are there.

    Raises
    ------
    ValueError
        For one that is not.
    """
    places, count = [int(row) for row in rows], samples.explainable
    wrong = [row for row in places if not -count <= row < count]
    if wrong:
        raise ValueError(f"expected rows from 0 to {count - 1:,}, got {listing(wrong, 5)}")
    return [row % count for row in places]
