"""Explanation: a number taken apart: what each step adds to it, and what does not come from any step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.figures import Figures
from memorycell.data.tables.times.calendar import say_date

_SHOWN = 10  # steps that a printed explanation names


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Figures):
    """What each step adds to one output. ``scores.sum() + sum(terms.values())`` is `value`, by every method.

    Attributes
    ----------
    method : str
        "integrated gradients", "occlusion", "decomposition" or "contextual decomposition".
    output : str
        What the number is.
    value : float
        The number explained.
    labels : sequence
        (T,): what the steps are called.
    scores : float64 (T,)
        What each step adds.
    terms : dict of str to float
        All that no step adds: the bias or the output of the baseline, the initial state, what stands beside the
        recurrent layers, and always "residual": what the method leaves unexplained.
    by_feature : float64 (T, F) or None
        `scores` by feature, where features have names.
    features : sequence of str or None
    note : str
        What is exact here, and what is linearised or left out.
    unit : str

    Example
    -------
    >>> explanation = Explanation("occlusion", "score", 3.0, ["a", "b"], np.array([2.0, 0.5]), {"residual": 0.5})
    >>> explanation.total, explanation.top(1)
    (3.0, [('a', 2.0)])
    """

    method: str
    output: str
    value: float
    labels: Sequence[Any]
    scores: NDArray[np.float64]
    terms: dict[str, float]
    by_feature: NDArray[np.float64] | None = None
    features: Sequence[str] | None = None
    note: str = ""
    unit: str = ""

    @property
    def total(self) -> float:
        """All parts together: `value`, but for rounding."""
        return float(self.scores.sum() + sum(self.terms.values()))

    def top(self, count: int = _SHOWN) -> list[tuple[Any, float]]:
        """The steps that add or take away most, with what they add."""
        order = np.argsort(-np.abs(self.scores), kind="stable")[:count]
        return [(self.labels[int(step)], float(self.scores[step])) for step in order]

    def _said(self) -> tuple[str, str]:
        value = f"{self.value:.4g} {self.unit}".rstrip()
        strongest = "; ".join(f"{_said(label)} {score:+.3g}" for label, score in self.top(3))
        return f"{self.output} = {value}, by {self.method}, of {len(self.labels):,} steps", f"Most: {strongest}."

    def table(self) -> list[dict[str, Any]]:
        """A row per step, and one per term: they sum to `value`. Features are columns, where they have names."""
        names = [] if self.by_feature is None else list(self.features or [])
        rows = []
        for place, (label, score) in enumerate(zip(self.labels, self.scores, strict=True)):
            apart = {} if self.by_feature is None else dict(zip(names, self.by_feature[place].tolist(), strict=True))
            rows.append({"step": label, "kind": "step", "score": float(score), **apart})
        empty = dict.fromkeys(names, math.nan)
        return [*rows, *({"step": name, "kind": "term", "score": term, **empty} for name, term in self.terms.items())]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON: lists, texts and numbers."""
        return {
            "method": self.method,
            "output": self.output,
            "unit": self.unit,
            "value": self.value,
            "terms": dict(self.terms),
            "steps": [
                {"step": say_date(label), "score": float(score)}
                for label, score in zip(self.labels, self.scores, strict=True)
            ],
            "features": None if self.features is None else list(self.features),
            "by_feature": None if self.by_feature is None else self.by_feature.tolist(),
            "note": self.note,
        }

    def __str__(self) -> str:
        lines = [f"{self.output} = {self.value:.4g} {self.unit}".rstrip() + f", by {self.method}"]
        lines += [f"  {score:+10.4g}  {_said(label)}" for label, score in self.top()]
        if len(self.labels) > _SHOWN:
            rest = self.scores.sum() - sum(score for _, score in self.top())
            lines.append(f"  {rest:+10.4g}  (the other {len(self.labels) - _SHOWN:,} steps)")
        lines += [f"  {term:+10.4g}  {name}" for name, term in self.terms.items()]
        return "\n".join([*lines, *([self.note] if self.note else [])])


def _said(label: Any) -> str:
    """A label on one line: spaces and line breaks by their names in Python."""
    text = say_date(label)
    return text if text.strip() and text.isprintable() else repr(text)
