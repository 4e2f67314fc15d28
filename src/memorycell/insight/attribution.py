"""Attribution: how much each step of a sequence speaks for an output."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Attribution(NamedTuple):
    """What each step adds to an output.

    Attributes
    ----------
    steps : Tensor
        (B, T): the part of each step, zero beyond a row's length; a row sums to about ``output - baseline``.
    output, baseline : Tensor
        (B,): the output explained, of the sequence and of the baseline.
    """

    steps: Tensor
    output: Tensor
    baseline: Tensor

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
    points: int = 32,
) -> Attribution:
    """Integrated gradients (Sundararajan, Taly & Yan 2017, eq. 1) along the straight line from a baseline.

    Parameters
    ----------
    function : from values (B, T, F) and lengths (B,) to scores (B, K)
        For example ``network.forward_embedded`` in evaluation mode.
    values : Tensor
        (B, T, F): embedded tokens, or readings.
    lengths : Tensor
        int64 (B,).
    outputs : Tensor
        int64 (B,): which of the K scores to explain.
    baseline : Tensor, optional
        Of a shape that broadcasts to that of `values`; default zeros, which for standardised readings is their mean.
    points : int, default 32
        Points of the integral (the midpoint rule).

    Raises
    ------
    ValueError
        If `points` is below 1.

    Example
    -------
    >>> weights = torch.tensor([1.0, -2.0])
    >>> linear = lambda values, lengths: (values @ weights).sum(1, keepdim=True)
    >>> x = torch.tensor([[[1.0, 1.0], [3.0, 0.0]]])
    >>> integrated_gradients(linear, x, torch.tensor([2]), torch.tensor([0])).steps
    tensor([[-1.,  3.]])
    """
    if points < 1:
        raise ValueError(f"expected points of at least 1, got {points}")
    start = torch.zeros_like(values) if baseline is None else baseline.expand_as(values)
    line = values - start
    picked = outputs.unsqueeze(1)
    total = torch.zeros_like(values)
    for point in range(points):
        with torch.enable_grad():
            here = (start + line * ((point + 0.5) / points)).requires_grad_()
            chosen = function(here, lengths).gather(1, picked).sum()
            (gradient,) = torch.autograd.grad(chosen, here)
        total += gradient
    with torch.no_grad():
        ends = [function(end, lengths).gather(1, picked).squeeze(1) for end in (values, start)]
    steps = (line * total / points).sum(-1)
    inside = torch.arange(values.shape[1], device=values.device) < lengths.unsqueeze(1)
    return Attribution(steps * inside, ends[0], ends[1])
