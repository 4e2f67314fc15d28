"""Attribution: how much each step of a sequence speaks for an output, by integrated gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import gcd
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from memorycell.insight.evaluating import check, chunks, value_of
from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.line import mean_gradient

_PANEL = 8  # points of a Gauss-Legendre rule; more points are more such rules, end to end
_MOST = 1024  # points
_SMALL = 1e-4  # of the output: a smaller difference is not measured against itself


class Attribution(NamedTuple):
    """What each step adds to an output.

    Attributes
    ----------
    steps : Tensor
        (B, T): the part of each step, zero beyond a row's length; a row sums to about ``output - baseline``.
    output, baseline : Tensor
        (B,): the output explained, of the sequence and of the baseline.
    values : Tensor
        (B, T, F): the part of each value, of which `steps` are the sums.
    points : int
        Points of the integral.
    complete : bool
        Whether the parts of every row sum to ``output - baseline`` within the tolerance.
    """

    steps: Tensor
    output: Tensor
    baseline: Tensor
    values: Tensor
    points: int
    complete: bool

    @property
    def error(self) -> Tensor:
        """(B,): how far the parts are from summing to ``output - baseline``; more points make it smaller."""
        return (self.steps.sum(1) - (self.output - self.baseline)).abs()


def integrated_gradients(
    function: Callable[[Tensor, Tensor], Tensor],
    values: Tensor,
    lengths: Tensor,
    outputs: Tensor,
    *,
    baseline: Tensor | None = None,
    points: int | None = None,
    tolerance: float = 0.01,
) -> Attribution:
    """Integrated gradients (Sundararajan, Taly & Yan 2017, eq. 1) along the straight line from a baseline.

    The integral is taken by Gauss-Legendre rules of 8 points end to end: 8 points, then 16, 32 … until the parts of
    every row sum to ``output - baseline`` within the tolerance, at most 1024.

    Parameters
    ----------
    function : from values (B, T, F) and lengths (B,) to scores (B, K)
        For example ``network.forward_embedded`` in evaluation mode; always called with all B rows.
    values : Tensor
        (B, T, F): embedded tokens, or readings.
    lengths : Tensor
        int64 (B,).
    outputs : Tensor
        int64 (B,): which of the K scores to explain.
    baseline : Tensor, optional
        Of a shape that broadcasts to that of `values`; default zeros, which for standardised readings is their mean.
    points : int, optional
        So many points, complete or not. Default: as many as it takes.
    tolerance : float, default 0.01
        Error allowed, as a share of ``|output - baseline|``.

    Raises
    ------
    ValueError
        If `points` is below 1, or `tolerance` not above 0.

    Example
    -------
    >>> weights = torch.tensor([1.0, -2.0])
    >>> linear = lambda values, lengths: (values @ weights).sum(1, keepdim=True)
    >>> x = torch.tensor([[[1.0, 1.0], [3.0, 0.0]]])
    >>> found = integrated_gradients(linear, x, torch.tensor([2]), torch.tensor([0]))
    >>> found.steps.round(decimals=4), found.points, found.complete
    (tensor([[-1.,  3.]]), 8, True)
    """
    if points is not None and points < 1:
        raise ValueError(f"expected points of at least 1, got {points}")
    _check_tolerance(tolerance)
    start = torch.zeros_like(values) if baseline is None else baseline.expand_as(values)
    line, picked = values - start, outputs.unsqueeze(1)
    inside = (torch.arange(values.shape[1], device=values.device) < lengths.unsqueeze(1)).unsqueeze(-1)
    with torch.no_grad():
        output, empty = (function(end, lengths).gather(1, picked).squeeze(1) for end in (values, start))
    scale = torch.maximum((output - empty).abs(), _SMALL * torch.maximum(output.abs(), empty.abs()))
    count = points or _PANEL
    while True:
        total = torch.zeros_like(values)
        # Point by point: `function` may know things of these rows, and takes them all or none.
        for place, weight in _rule(count):
            with torch.enable_grad():
                here = (start + line * place).requires_grad_()
                (gradient,) = torch.autograd.grad(function(here, lengths).gather(1, picked).sum(), here)
            total += gradient * weight
        parts = line * total * inside
        found = Attribution(parts.sum(-1), output, empty, parts, count, False)
        complete = bool((found.error <= tolerance * scale).all())
        if complete or points is not None or count >= _MOST:
            return found._replace(complete=complete)
        count *= 2


def integrated_gradients_of(explained: Explained, tolerance: float = 0.01) -> Explanation:
    """Integrated gradients of one number: what each step and each feature adds to the output of the baseline.

    As `integrated_gradients`, but with points where they are needed: a stretch of the line whose gradients do not sum
    to what the number gains there is halved, until the whole is complete, or 1024 points are reached. (With layer
    normalisation nearly all happens next to a baseline of zeros.)

    Parameters
    ----------
    explained : Explained
    tolerance : float, default 0.01
        How far the scores may be from summing to ``value - baseline``, as a share of it; what is left is "residual".

    Raises
    ------
    ValueError
        For a sequence without steps, values that are no numbers, or a tolerance not above 0.

    Example
    -------
    >>> x = torch.tensor([[1.0], [2.0]])
    >>> square = Explained(lambda v: v.sum((1, 2)) ** 2, x, 0 * x, (), "square", ["a", "b"], "numbers")
    >>> {name: round(score, 3) for name, score in integrated_gradients_of(square).top()}  # the square of 3
    {'b': 6.0, 'a': 3.0}
    """
    check(explained)
    _check_tolerance(tolerance)
    start, line = explained.baseline, explained.values - explained.baseline

    def run(places: Tensor, gradient: bool) -> tuple[Tensor, Tensor]:
        numbers, slopes = [], []
        for rows in chunks(len(places), len(line)):
            here = (start + line * places[rows].to(line).view(-1, 1, 1)).requires_grad_(gradient)
            with torch.set_grad_enabled(gradient):
                found = explained.function(here)
            slope = torch.autograd.grad(found.sum(), here)[0] if gradient else here
            numbers.append(found.detach().double().cpu())
            slopes.append(slope.double().cpu())
        return torch.cat(numbers), torch.cat(slopes)

    value = value_of(explained)
    baseline = float(run(torch.zeros(1), False)[0][0])
    allowed = tolerance * max(abs(value - baseline), _SMALL * max(abs(value), abs(baseline)))
    mean, points = mean_gradient(run, line.double().cpu(), allowed / 2, len(line), _MOST)
    by_feature = (line.double().cpu() * mean).numpy()
    scores = by_feature.sum(1)
    rest = value - baseline - float(scores.sum())
    how = f"complete within {tolerance:.3g} of it" if abs(rest) <= allowed else f"not complete: {rest:.3g} is left"
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


def _check_tolerance(tolerance: float) -> None:
    if not tolerance > 0:
        raise ValueError(f"expected a tolerance above 0, got {tolerance}")


def _rule(points: int) -> Iterator[tuple[float, float]]:
    """Points of [0, 1] with their weights: Gauss-Legendre rules of up to 8 points, end to end."""
    order = gcd(points, _PANEL)
    panels = points // order
    nodes, weights = np.polynomial.legendre.leggauss(order)
    for panel in range(panels):
        yield from zip((panel + (nodes + 1) / 2) / panels, weights / 2 / panels, strict=True)
