"""Occlusion: what an output loses when a stretch of the sequence is wiped out."""

from __future__ import annotations

import numpy as np
import torch

from memorycell.insight.evaluating import chunks, finite, method, value_of
from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation

_MOST = 500  # runs of the network


@method
def occlusion(explained: Explained, width: int = 1) -> Explanation:
    """What the number loses when steps are replaced by the baseline, one window after the other.

    Zeiler & Fergus 2014 (arXiv 1311.2901), sec. 4.2, for steps instead of patches; Li, Monroe & Jurafsky 2016
    (arXiv 1612.08220). The steps of a window share its score equally. Of more than 500 windows, wider ones are taken.

    Parameters
    ----------
    explained : Explained
    width : int, default 1
        Steps of a window.

    Returns
    -------
    Explanation
        Its terms: "baseline", the number with every step wiped out, and "residual", what steps do only together.

    Raises
    ------
    ValueError
        For a width that is no whole number from 1 on, a number that is not finite without a window, a sequence without
        steps, or values that are no numbers.

    Example
    -------
    >>> x = torch.tensor([[1.0], [2.0]])
    >>> square = Explained(lambda v: v.sum((1, 2)) ** 2, x, 0 * x, (), "square", ["a", "b"], "numbers")
    >>> found = occlusion(square)
    >>> found.scores, found.terms
    (array([5., 8.]), {'baseline': 0.0, 'residual': -4.0})
    """
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
        raise ValueError(f"expected a width of at least 1 step, a whole number, got {width!r}")
    values, steps = explained.values, len(explained)
    size = max(width, -(-steps // _MOST))
    starts = torch.arange(0, steps, size, device=values.device)
    places = torch.arange(steps, device=values.device)
    lost = torch.empty(len(starts), dtype=torch.float64)
    value = value_of(explained)
    with torch.no_grad():
        for rows in chunks(len(starts), steps):
            inside = (places // size).unsqueeze(0) == (starts[rows] // size).unsqueeze(1)
            variants = torch.where(inside.unsqueeze(-1), explained.baseline, values)
            lost[rows] = value - finite(explained, explained.function(variants), "where steps are replaced")
        empty = explained.function(explained.baseline.unsqueeze(0))
        baseline = float(finite(explained, empty, "of the baseline")[0])
    window = np.arange(steps) // size
    scores = (lost.numpy() / np.bincount(window))[window]
    note = "Each step replaced by the baseline, the others as they are"
    if size > 1:
        why = "" if size == width else f", so that there are at most {_MOST}"
        note = f"Windows of {size} steps{why} replaced by the baseline, whose steps share what that changes"
    return Explanation(
        method="occlusion",
        output=explained.output,
        value=value,
        labels=explained.labels,
        scores=scores,
        terms={"baseline": baseline, "residual": value - baseline - float(scores.sum())},
        note=f"{note}; the residual is what steps do only together.",
        unit=explained.unit,
    )
