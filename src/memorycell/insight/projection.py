"""Projection: states in two dimensions, the ones in which they differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.figures import Figures
from memorycell.insight.arguments import check_array, whole
from memorycell.insight.states import States

_BLOCK = 8192  # steps


@dataclass(frozen=True, eq=False, repr=False)
class Projection(Figures):
    """States along their principal components; see `project`.

    Attributes
    ----------
    points : float32 (n, K)
        The n states shown along the K components.
    index : int64 (n,)
        Which of all steps these are, in their order.
    row, step : int64 (n,)
        Where they stand.
    labels : list or None
        What they are called.
    explained : float64 (K,)
        The share of the variance of all units that lies along each component.
    components : float64 (K, H)
        Of length 1 each; the largest weight of each is positive.
    mean : float64 (H,)
    total : int
        How many steps there were, of which the n are all, or a sample.

    Example
    -------
    >>> states = States(np.array([[1, 2], [2, 4], [3, 6]], np.float32), np.array([0, 3]))
    >>> print(project(states, 1))
    3 states on 1 component of 2 units: 100.0% of the variance
    """

    points: NDArray[np.float32]
    index: NDArray[np.int64]
    row: NDArray[np.int64]
    step: NDArray[np.int64]
    labels: Sequence[Any] | None
    explained: NDArray[np.float64]
    components: NDArray[np.float64]
    mean: NDArray[np.float64]
    total: int

    def transform(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Other states (…, H) along the same components, (…, K).

        Raises
        ------
        TypeError
            If they are no array of numbers.
        ValueError
            If they have another number of units.
        """
        check_array(values)
        if values.shape[-1:] != self.mean.shape:
            raise ValueError(f"expected states of {len(self.mean)} units, got {values.shape[-1] if values.ndim else 0}")
        return _along(values, self.mean, self.components)

    def _said(self) -> tuple[str, str]:
        return str(self), ""

    def table(self) -> list[dict[str, Any]]:
        """A row per state: where it stands, what it is called, and how far along each component."""
        called = [None] * len(self.points) if self.labels is None else self.labels
        return [
            {"row": row, "step": step, "label": label, **{f"component_{k + 1}": x for k, x in enumerate(point)}}
            for row, step, label, point in zip(
                self.row.tolist(), self.step.tolist(), called, self.points.tolist(), strict=True
            )
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        return {
            "points": self.points.tolist(),
            "row": self.row.tolist(),
            "step": self.step.tolist(),
            "labels": None if self.labels is None else [str(label) for label in self.labels],
            "explained": self.explained.tolist(),
            "components": self.components.tolist(),
            "mean": self.mean.tolist(),
            "total": self.total,
        }

    def __str__(self) -> str:
        count = f"{len(self.points):,} states" + (f" of {self.total:,}" if self.total > len(self.points) else "")
        shares = " + ".join(f"{share:.1%}" for share in self.explained)
        components = f"{len(self.explained)} component{'s' if len(self.explained) > 1 else ''}"
        return f"{count} on {components} of {len(self.mean)} units: {shares} of the variance"


def project(states: States, components: int = 2, *, limit: int = 100_000, seed: int = 0) -> Projection:
    """Principal component analysis of states (Pearson 1901): the directions of largest variance, units not rescaled.

    Parameters
    ----------
    states : States
    components : int, default 2
        How many directions.
    limit : int, default 100 000
        Of more steps than that, a random sample of so many is learned from and shown; `Projection.transform` gives the
        points of others.
    seed : int, default 0
        Of that sample.

    Raises
    ------
    TypeError
        For components, a limit or a seed that is no whole number.
    ValueError
        For fewer than two steps, a limit below 2, more components than units or than steps less one, or states that are
        all the same, NaN or infinite.

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> states = States((rng.normal(size=(500, 8)) * [5, 2, 0, 0, 0, 0, 0, 0]).astype(np.float32), np.array([0, 500]))
    >>> projection = project(states)
    >>> projection.points.shape, projection.explained.round(2).tolist()
    ((500, 2), [0.86, 0.14])
    """
    components, limit, seed = (
        whole("components", components),
        whole("limit (steps to learn from)", limit, 2),
        whole("seed", seed, 0),
    )
    if len(states) < 2:
        raise ValueError(f"expected at least 2 states to project, got {len(states)}: give more steps")
    states.check_finite()
    count = min(len(states), limit)
    most = min(states.units, count - 1)
    if not 1 <= components <= most:
        raise ValueError(
            f"expected components from 1 to {most}, the fewer of units and of steps less one, got {components} for "
            f"{states.units} units and {count} steps"
        )
    index = np.arange(len(states))
    if count < len(states):
        index = np.sort(np.random.default_rng(seed).choice(len(states), count, replace=False))
    values = states.values[index]
    if (values == values[0]).all():
        raise ValueError(f"expected states that differ, got {count} that are all the same")
    mean = values.mean(0, dtype=np.float64)
    parts = [values[start : start + _BLOCK] for start in range(0, count, _BLOCK)]  # float64 of all would be large
    covariance = sum((part - mean).T @ (part - mean) for part in parts) / (count - 1)
    directions, variances, _ = np.linalg.svd(covariance, hermitian=True)
    chosen = directions.T[:components]
    chosen = chosen * np.sign(np.take_along_axis(chosen, np.abs(chosen).argmax(1, keepdims=True), 1))
    return Projection(
        points=np.concatenate([_along(part, mean, chosen) for part in parts]),
        index=index,
        row=states.row[index],
        step=states.step[index],
        labels=None if states.labels is None else [states.labels[int(i)] for i in index],
        explained=variances[:components] / variances.sum(),
        components=chosen,
        mean=mean,
        total=len(states),
    )


def _along(values: NDArray[Any], mean: NDArray[np.float64], components: NDArray[np.float64]) -> NDArray[np.float32]:
    points: NDArray[np.float32] = ((values - mean) @ components.T).astype(np.float32)
    return points
