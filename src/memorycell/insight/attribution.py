"""Attribution: how much each step of a sequence speaks for an output, by integrated gradients."""

from __future__ import annotations

from numbers import Real

import torch
from torch import Tensor

from memorycell.insight.evaluating import chunks, finite, method, slope_of, value_of
from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.line import mean_gradient

_MOST = 1024  # points
_SMALL = 1e-4  # of the output: a smaller difference is not measured against itself


@method
def integrated_gradients(explained: Explained, tolerance: float = 0.01) -> Explanation:
    """Integrated gradients of one number: what each step and each feature adds to the output of the baseline.

    Sundararajan, Taly & Yan 2017, eq. 1 (arXiv 1703.01365), along the straight line from the baseline, with points
    where they are needed: a stretch of the line whose gradients do not sum to what the number gains there is halved,
    until the whole is complete, or 1024 points are reached.

    Parameters
    ----------
    explained : Explained
    tolerance : float, default 0.01
        How far the scores may be from summing to ``value - baseline``, as a share of it; what is left is "residual".
        Where 1024 points are not enough for it, the note says that the scores are not complete.

    Raises
    ------
    ValueError
        For a sequence without steps, values that are no numbers, a tolerance not above 0, a number without a gradient,
        or scores that miss ``value - baseline`` by more than itself: next to a baseline at which layer normalisation
        has nothing to divide by, gradients are too steep for any rule.

    Example
    -------
    >>> x = torch.tensor([[1.0], [2.0]])
    >>> square = Explained(lambda v: v.sum((1, 2)) ** 2, x, 0 * x, (), "square", ["a", "b"], "numbers")
    >>> {name: round(score, 3) for name, score in integrated_gradients(square).top()}  # the square of 3
    {'b': 6.0, 'a': 3.0}
    """
    if isinstance(tolerance, bool) or not isinstance(tolerance, Real) or not tolerance > 0:
        raise ValueError(f"expected a tolerance above 0, got {tolerance!r}")
    start, line = explained.baseline, explained.values - explained.baseline

    def run(places: Tensor, gradient: bool) -> tuple[Tensor, Tensor]:
        numbers, slopes = [], []
        for rows in chunks(len(places), len(line)):
            here = (start + line * places[rows].to(line).view(-1, 1, 1)).requires_grad_(gradient)
            with torch.set_grad_enabled(gradient):
                found = explained.function(here)
            numbers.append(finite(explained, found, "between the baseline and the values"))
            slopes.append(slope_of(explained, found, here) if gradient else here)
        return torch.cat(numbers), torch.cat(slopes)

    value = value_of(explained)
    baseline = float(run(torch.zeros(1, dtype=torch.float32), False)[0][0])
    change = max(abs(value - baseline), _SMALL * max(abs(value), abs(baseline)))
    mean, points = mean_gradient(run, line.double().cpu(), tolerance * change / 2, len(line), _MOST)
    by_feature = (line.double().cpu() * mean).numpy()
    scores = by_feature.sum(1)
    rest = value - baseline - float(scores.sum())
    if not abs(rest) <= change:
        raise ValueError(
            f"expected integrated gradients that sum to {value - baseline:.3g}, what {explained.output!r} gains on its "
            f"baseline, got {float(scores.sum()):.3g} at {points} points: take another baseline, or 'occlusion' or "
            "'decomposition'"
        )
    done = abs(rest) <= tolerance * change
    how = f"complete within {tolerance:.3g} of it" if done else f"not complete: {rest:.3g} is left"
    return Explanation(
        method="integrated gradients",
        output=explained.output,
        value=value,
        labels=explained.labels,
        scores=scores,
        terms={"baseline": baseline, "residual": rest},
        by_feature=None if explained.features is None else by_feature,
        features=explained.features,
        note=f"The difference from the output of the baseline, at {points} points between the two; {how}.",
        unit=explained.unit,
    )
