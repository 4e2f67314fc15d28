"""A linear layer and the cross-entropy of its softmax as one operator, which never holds all the scores."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Scores held at a time, and classes whose weights' gradient is summed at a time: so many that the products are
# efficient, so few that what one of them leaves behind is still in the cache for the next.
_SCORES = 4_000_000
_BLOCK = 512

PRECISIONS = ("float32", "bfloat16")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether products of bfloat16 are faster than those of float32 there."""
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


def linear_cross_entropy(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    precision: str = "float32",
) -> Tensor:
    """Σ weights · −log softmax(x Wᵀ + b)[targets], in nats: a scalar.

    The scores are made a few hundred rows at a time, turned into their own gradient where they stand (p − 1 at the
    target, p elsewhere) and multiplied into the gradients of x, weight and bias at once, so that backward has
    nothing left to compute and each score is written twice. Differentiable once.

    Parameters
    ----------
    x : Tensor
        (N, H).
    weight, bias : Tensor
        (V, H) and (V,) or None.
    targets : Tensor
        int64 (N,), from 0 to V - 1.
    weights : Tensor, optional
        (N,): how much each row counts; default: 1.
    precision : "float32" or "bfloat16"
        "bfloat16" rounds the factors of the three products, and their results, to 8 bits of mantissa; softmax and
        sums stay as they are. Twice as fast where the processor multiplies bfloat16, for training.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, or for an unknown precision.

    Example
    -------
    >>> x, weight = torch.zeros(2, 3), torch.zeros(8, 3)
    >>> linear_cross_entropy(x, weight, None, torch.tensor([0, 5])) / 2  # log 8
    tensor(2.0794)
    """
    rows = x.shape[:1]
    if x.ndim != 2 or weight.ndim != 2 or x.shape[1] != weight.shape[1] or targets.shape != rows:
        raise ValueError(
            "expected x (N, H), weight (V, H) and targets (N,), "
            f"got {tuple(x.shape)}, {tuple(weight.shape)} and {tuple(targets.shape)}"
        )
    if weights is not None and weights.shape != rows:
        raise ValueError(f"expected weights of shape {tuple(rows)} like the targets, got {tuple(weights.shape)}")
    if precision not in PRECISIONS:
        raise ValueError(f"expected precision to be {' or '.join(PRECISIONS)}, got {precision!r}")
    return _LinearCrossEntropy.apply(x, weight, bias, targets, weights, precision == "bfloat16")


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        weights: Tensor | None,
        narrow: bool,
    ) -> Tensor:
        wanted = ctx.needs_input_grad[:3]
        grads = [
            torch.empty_like(value) if want and value is not None else None
            for value, want in zip((x, weight, bias), wanted, strict=True)
        ]
        kind = torch.bfloat16 if narrow else x.dtype
        inputs, classes = x.contiguous().to(kind), weight.to(kind)
        total = x.new_zeros((), dtype=torch.float64 if x.device.type == "cpu" else x.dtype)
        size = max(1, min(len(x), _SCORES // len(weight)))
        buffer = x.new_empty(size, len(weight))
        for first in range(0, len(x), size):
            part = slice(first, first + size)
            w = None if weights is None else weights[part]
            rows = inputs[part]
            scores = _scores(rows, classes, bias, buffer[: len(rows)])
            losses = _losses(scores, targets[part], any(wanted))
            total += (losses if w is None else losses * w).sum(dtype=total.dtype)
            if any(wanted):
                _to_gradient(scores, targets[part], w)
                _multiply(scores, rows, classes, grads, part)
        for grad in grads:
            if grad is not None and not len(x):
                grad.zero_()
        ctx.grads = grads
        return total.to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        # Training asks for the gradient of the sum itself: nothing to scale then.
        alone = grad.device.type == "cpu" and float(grad) == 1.0
        return (*(g if g is None or alone else g * grad for g in ctx.grads), None, None, None)


def _scores(x: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> Tensor:
    if x.dtype is not out.dtype:
        scores = torch.mm(x, weight.t())
        return out.copy_(scores) if bias is None else torch.add(scores, bias, out=out)
    if bias is None:
        return torch.mm(x, weight.t(), out=out)
    return torch.addmm(bias, x, weight.t(), out=out)


def _losses(scores: Tensor, targets: Tensor, softmax: bool) -> Tensor:
    """−log softmax at the targets, (n,); with `softmax` the scores become probabilities, in place."""
    chosen = scores.gather(1, targets.unsqueeze(1)).squeeze(1)
    if not softmax:
        return scores.logsumexp(1) - chosen
    highest = scores.amax(1)
    torch.softmax(scores, 1, out=scores)
    # The most likely class has the probability e^highest / Σ e^score: never 0, as the target's may be.
    return highest - scores.amax(1).log_() - chosen


def _to_gradient(probabilities: Tensor, targets: Tensor, weights: Tensor | None) -> None:
    """Probabilities to the gradient of the weighted sum of losses with respect to the scores, in place."""
    index = targets.unsqueeze(1)
    if weights is None:
        probabilities.scatter_add_(1, index, probabilities.new_full((), -1.0).expand(index.shape))
    else:
        probabilities.mul_(weights.unsqueeze(1))
        probabilities.scatter_add_(1, index, -weights.unsqueeze(1))


def _multiply(gradient: Tensor, x: Tensor, weight: Tensor, grads: list[Tensor | None], part: slice) -> None:
    """The rows of x's gradient, and what they add to those of weight and bias."""
    d_x, d_weight, d_bias = grads
    first = part.start == 0
    if d_bias is not None:
        if first:
            torch.sum(gradient, 0, out=d_bias)
        else:
            d_bias += gradient.sum(0)
    narrow = x.dtype is not gradient.dtype
    if narrow:
        gradient = gradient.to(x.dtype)
    if d_x is not None:
        if narrow:
            d_x[part] = torch.mm(gradient, weight)
        else:
            torch.mm(gradient, weight, out=d_x[part])
    if d_weight is None:
        return
    if narrow:
        product = torch.mm(gradient.t(), x)
        d_weight.copy_(product) if first else d_weight.add_(product)
        return
    for start in range(0, len(weight), _BLOCK):
        block = d_weight[start : start + _BLOCK]
        torch.addmm(block, gradient[:, start : start + _BLOCK].t(), x, beta=0.0 if first else 1.0, out=block)


def linear_log_softmax(x: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """log softmax(x Wᵀ + b)[targets] of each row, (N,), without gradients and without holding all the scores."""
    with torch.no_grad():
        size = max(1, _SCORES // len(weight))
        parts = zip(x.split(size), targets.split(size), strict=True)
        return torch.cat([-_losses(functional.linear(rows, weight, bias), wanted, False) for rows, wanted in parts])
