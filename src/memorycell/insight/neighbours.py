"""Neighbours: the places in the data where a state is most like a given one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from memorycell.data.figures import Figures
from memorycell.insight.arguments import whole
from memorycell.insight.states import States
from memorycell.layers.parameters import flag

_AROUND = 4  # labels before a step that are printed with it


@dataclass(frozen=True)
class Neighbour:
    """A step, how far its state is away, and the labels that lead up to it (its own the last)."""

    row: int
    step: int
    distance: float
    labels: list[str]


@dataclass(frozen=True, repr=False)
class Neighbours(Figures):
    """The states nearest to that of a step, the nearest first.

    Attributes
    ----------
    row, step : int
    labels : list of str
        Those that lead up to the step, its own the last.
    metric : "cosine" or "euclidean"
    neighbours : list of Neighbour
    """

    row: int
    step: int
    labels: list[str]
    metric: str
    neighbours: list[Neighbour]

    def _said(self) -> tuple[str, str]:
        first = self.neighbours[0] if self.neighbours else None
        nearest = "" if first is None else f"Nearest: '{' '.join(first.labels)}', {self.metric} {first.distance:.4g}."
        said = f"{len(self.neighbours)} nearest to '{' '.join(self.labels)}', row {self.row}, step {self.step}"
        return said, nearest

    def table(self) -> list[dict[str, Any]]:
        """A row per state, the nearest first."""
        return [
            {"labels": " ".join(each.labels), "row": each.row, "step": each.step, "distance": each.distance}
            for each in self.neighbours
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"nearest to row {self.row}, step {self.step}: '{' '.join(self.labels)}' ({self.metric} distance)"]
        for each in self.neighbours:
            lines.append(f"  {each.distance:8.4g}  row {each.row}, step {each.step}: '{' '.join(each.labels)}'")
        return "\n".join(lines)


def nearest_states(
    states: States,
    row: int,
    step: int,
    k: int = 10,
    metric: Literal["cosine", "euclidean"] = "cosine",
    *,
    exclude_same_row: bool = True,
    apart: int = 1,
) -> Neighbours:
    """The k states nearest to that of a step: an exact search through all, a few megabytes at a time.

    Parameters
    ----------
    states : States
    row, step : int
        Where the state stands.
    k : int, default 10
        Fewer are returned where there are not so many.
    metric : "cosine" (default) or "euclidean"
        Cosine: 1 less the cosine of the angle between them, from 0 to 2; to a state that is all zeros it is 1.
    exclude_same_row : bool, default True
        Only steps of other rows. States change little from step to step, so that the nearest are often next door.
    apart : int, default 1
        Where the same row is not excluded: how many steps away a neighbour must be.

    Raises
    ------
    TypeError
        For a row, step, `k` or `apart` that is no whole number.
    ValueError
        For a row or step that is not there, an unknown metric, a `k` or `apart` below 1, states that are NaN or
        infinite, or where no step is left.

    Example
    -------
    >>> values = np.array([[1, 0], [0, 1], [2, 0.1], [-1, 0]], np.float32)
    >>> states = States(values, np.array([0, 2, 4]), ["cat", "the", "dog", "a"])
    >>> print(nearest_states(states, 0, 0))
    nearest to row 0, step 0: 'cat' (cosine distance)
      0.001248  row 1, step 0: 'dog'
             2  row 1, step 1: 'dog a'
    """
    if metric not in ("cosine", "euclidean"):
        raise ValueError(f'expected metric "cosine" or "euclidean", got {metric!r}')
    row, step, k, apart = whole("row", row), whole("step", step), whole("k", k, 1), whole("apart", apart, 1)
    exclude_same_row = flag("exclude_same_row", exclude_same_row)
    own = states.index(row, step)
    states.check_finite()
    first, last = int(states.offsets[row]), int(states.offsets[row + 1])
    distances = _distances(states, states.values[own].astype(np.float64), metric)
    if exclude_same_row:
        distances[first:last] = np.inf
    else:
        distances[max(first, own - apart + 1) : min(last, own + apart)] = np.inf
    order = np.argsort(distances, kind="stable")[:k]
    order = order[np.isfinite(distances[order])]
    if not len(order):
        other = f"outside row {row}: give more rows, or exclude_same_row=False"
        near = f"{apart} steps away or more: take a smaller apart, or more rows"
        raise ValueError(f"expected other steps to compare with, got none {other if exclude_same_row else near}")
    places = [(*states.place(int(i))[:2], float(distances[i])) for i in order]
    found = [Neighbour(at, when, distance, _led(states, at, when)) for at, when, distance in places]
    return Neighbours(row, step, _led(states, row, step), metric, found)


def _distances(states: States, query: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """(N,): how far each state is from the query."""
    distances = np.empty(len(states))
    for here, block in states.blocks():
        if metric == "euclidean":
            apart = block - query
            distances[here] = np.sqrt(np.einsum("nh,nh->n", apart, apart))
            continue
        norms = np.sqrt(np.einsum("nh,nh->n", block, block, dtype=np.float64)) * np.linalg.norm(query)
        cosines = np.divide(block @ query, norms, out=np.zeros(len(block)), where=norms > 0)
        distances[here] = 1 - np.clip(cosines, -1, 1)
    return distances


def _led(states: States, row: int, step: int) -> list[str]:
    return states.called(row, max(0, step - _AROUND), step + 1)
