"""QuantileHead: a point forecast, and quantiles that never cross."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.networks.heads.base import Head

POINT_LOSSES = ("squared", "absolute")


class QuantileHead(Head):
    """A point forecast and Q quantiles that never cross.

    The middle quantile is the point plus a free offset; the others lie above and below it by sums of positive
    increments, so that they are ordered by construction. The loss of an element is the point's (squared: the mean;
    absolute: the median) plus twice the pinball loss averaged over the levels, an approximation of the continuous
    ranked probability score (Koenker & Bassett 1978; Gneiting & Raftery 2007, sec. 4.2).

    Parameters
    ----------
    levels : increasing floats in (0, 1)
    point : "squared" or "absolute"

    Example
    -------
    >>> head = QuantileHead((0.1, 0.5, 0.9))
    >>> point, quantiles = head.predict(torch.randn(2, 24, 1, head.n_outputs))
    >>> point.shape, quantiles.shape, bool((quantiles.diff(dim=-1) >= 0).all())
    (torch.Size([2, 24, 1]), torch.Size([2, 24, 1, 3]), True)
    """

    # Constants of the levels, rebuilt with the module: not part of the weights.
    levels: Tensor
    mixing: Tensor
    increments: Tensor

    def __init__(self, levels: Sequence[float], point: str = "squared") -> None:
        super().__init__()
        if point not in POINT_LOSSES:
            raise ValueError(f"expected a point loss of {POINT_LOSSES}, got {point!r}")
        if not levels or any(not 0 < level < 1 for level in levels) or list(levels) != sorted(set(levels)):
            raise ValueError(f"expected increasing quantile levels between 0 and 1, got {tuple(levels)}")
        self.point = point
        self.n_outputs = 1 + len(levels)
        count = len(levels)
        middle = min(range(count), key=lambda j: abs(levels[j] - 0.5))
        # quantile_j = point + Σ_k mixing[k, j] · s_k with s_middle = its raw output, every other s_k positive: the
        # increments between the middle and j, added above it and subtracted below.
        mixing = torch.zeros(count, count)
        mixing[middle, :] = 1
        for j in range(count):
            for k in range(count):
                if middle < k <= j:
                    mixing[k, j] = 1
                elif j <= k < middle:
                    mixing[k, j] = -1
        increments = torch.ones(count, dtype=torch.bool)
        increments[middle] = False
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("mixing", mixing, persistent=False)
        self.register_buffer("increments", increments, persistent=False)

    def initial_bias(self) -> Tensor:
        """Raw outputs (n_outputs,) at which the quantiles are those of a normal with half the targets' deviation."""
        normal = torch.special.ndtri(self.levels.double()) * 0.5
        gaps = torch.linalg.solve(self.mixing.double().T, normal)
        raw = torch.where(self.increments, gaps - 1 / gaps, gaps)
        return torch.cat([raw.new_zeros(1), raw]).float()

    def predict(self, raw: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Point (...) and quantiles (..., Q) of raw (..., 1 + Q)."""
        point = raw[..., 0]
        return point, point.unsqueeze(-1) + self._spread(raw[..., 1:]) @ self.mixing

    def loss(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor | float]:
        targets, weights = batch.truth, batch.step_weights()
        total = _QuantileLoss.apply(raw, targets, weights, self)
        return total, float(targets.numel()) if weights is None else batch.count(weights)

    def plain_loss(self, raw: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss of each element as the docstring states it: the reference of the fused `loss`."""
        point, quantiles = self.predict(raw)
        error = point - targets
        miss = targets.unsqueeze(-1) - quantiles
        pinball = torch.maximum(self.levels * miss, (self.levels - 1) * miss).mean(-1)
        each = (error * error if self.point == "squared" else error.abs()) + 2 * pinball
        return each if weights is None else each * weights

    def _spread(self, raw: Tensor) -> Tensor:
        return torch.where(self.increments, _squareplus(raw)[0], raw)


def _squareplus(x: Tensor) -> tuple[Tensor, Tensor]:
    """(x + √(x² + 4)) / 2 and the root; its slope is their quotient (Barron 2021, arXiv 2112.11687).

    As smooth and positive as softplus, at a fifth of its price: no exponential and no logarithm.
    """
    root = torch.sqrt(x * x + 4)
    return (x + root) / 2, root


class _QuantileLoss(torch.autograd.Function):
    """`QuantileHead.plain_loss(...).sum()` as one node: on a small model autograd's bookkeeping is most of the time."""

    @staticmethod
    def forward(ctx: Any, raw: Tensor, targets: Tensor, weights: Tensor | None, head: QuantileHead) -> Tensor:
        free = raw[..., 1:]
        error = raw[..., 0] - targets
        # above = quantile − target; the pinball loss is (1[above > 0] − level) · above.
        positive, root = _squareplus(free)
        above = error.unsqueeze(-1) + torch.where(head.increments, positive, free) @ head.mixing
        slope = ((above > 0).to(raw.dtype) - head.levels) * (2 / len(head.levels))
        each = (error * error if head.point == "squared" else error.abs()) + (slope * above).sum(-1)
        if raw.requires_grad:
            gradient = torch.empty_like(raw)
            gradient[..., 0] = (2 * error if head.point == "squared" else error.sign()) + slope.sum(-1)
            chain = slope @ head.mixing.T
            gradient[..., 1:] = torch.where(head.increments, chain * (positive / root), chain)
            if weights is not None:
                gradient *= weights.unsqueeze(-1)
            ctx.save_for_backward(gradient)
        return (each if weights is None else each * weights).sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad, None, None, None
