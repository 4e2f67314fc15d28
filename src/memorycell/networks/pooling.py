"""Pooling: the features of all steps of a sequence as one vector, whole or running along with the steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from memorycell.layers.linear import Linear
from memorycell.networks.base import State

KINDS = ("last", "mean", "max", "attention")
_LARGEST_SCORE = 40.0  # e^40 · 10^9 steps and their sums stay well within float32


class Pooling(nn.Module):
    """The last, the mean, the greatest and the attended features of each sequence, side by side.

    Attention weighs step t by exp(s_t) / Σ exp(s), s = uᵀ tanh(W h + b) (Yang et al. 2016, eq. 5–7). Scores are held
    within ±40 instead of taken relative to the greatest, which running pooling could not know yet. Sums follow the
    steps in evaluation, so that a row's bits depend neither on the batch nor on whether its steps came one by one.

    Parameters
    ----------
    width : int
        Features of a step.
    kinds : sequence of {"last", "mean", "max", "attention"}
    bidirectional : bool
        The second half of the features was read backwards: its last step is step 0.

    Raises
    ------
    ValueError
        For no, unknown or repeated kinds.

    Example
    -------
    >>> pooling = Pooling(8, ("last", "mean"))
    >>> features = torch.arange(16.0).view(1, 2, 8)
    >>> pooling(features, torch.tensor([1]))[0, [0, 8]].tolist(), pooling(features)[0, [0, 8]].tolist()
    ([0.0, 0.0], [8.0, 4.0])
    """

    def __init__(self, width: int, kinds: Sequence[str] = KINDS, bidirectional: bool = False) -> None:
        super().__init__()
        if not kinds or any(kind not in KINDS for kind in kinds) or len(set(kinds)) < len(kinds):
            raise ValueError(f"expected pooling of one or more of {', '.join(KINDS)}, got {tuple(kinds)}")
        self.kinds, self.bidirectional, self.features = tuple(kinds), bidirectional, width
        self.width = width * len(self.kinds)
        if "attention" in self.kinds:
            size = min(width, 32)
            self.project = Linear(width, size)
            self.context = nn.Parameter(torch.empty(size))
            nn.init.uniform_(self.context, -(size**-0.5), size**-0.5)

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """features (B, T, width), lengths int64 (B,) to (B, width · kinds); a row of length 0 gives zeros."""
        if lengths is None:
            lengths = torch.full((len(features),), features.shape[1], device=features.device)
        lengths = lengths.to(features.device)
        attention = (self.project.weight, self.project.bias, self.context) if "attention" in self.kinds else (None,) * 3
        if torch.is_grad_enabled():
            return _Pooled.apply(features, lengths, self.kinds, self._forward_half, *attention)
        return self.plain(features, lengths)

    def plain(self, features: Tensor, lengths: Tensor) -> Tensor:
        """`forward` as the docstring states it: what evaluation computes, and the reference of the training's."""
        inside = steps_inside(features, lengths)
        nonempty = (lengths > 0).unsqueeze(1)
        found: dict[str, Tensor] = {}
        if "last" in self.kinds:
            half = self._forward_half
            ends = features[torch.arange(len(features), device=features.device), (lengths - 1).clamp(min=0), :half]
            found["last"] = torch.cat([ends, features[:, 0, half:]], dim=-1) * nonempty
        if "mean" in self.kinds:
            found["mean"] = _average(features, inside.to(features.dtype))
        if "max" in self.kinds:
            greatest = features.masked_fill(~inside.unsqueeze(-1), -torch.inf).amax(1)
            found["max"] = greatest.masked_fill(~nonempty, 0.0)
        if "attention" in self.kinds:
            found["attention"] = _average(features, self._relevance(features) * inside)
        return torch.cat([found[kind] for kind in self.kinds], dim=-1)

    def attention(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """How much each step counts: (B, T), which sums to 1 over a row that has steps."""
        weights = self._relevance(features)
        if lengths is not None:
            weights = weights * steps_inside(features, lengths)
        return weights / _divisor(weights.sum(1, keepdim=True))

    def init_state(self, batch_size: int, like: Tensor) -> State:
        """What running pooling remembers before the first step: sums, their weights, and the greatest."""
        zeros = like.new_zeros(batch_size, self.features)
        weights = like.new_zeros(batch_size, 1)
        return zeros, weights, zeros.clone(), weights.clone(), torch.full_like(zeros, -torch.inf)

    def step(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """One more step, features (B, width): what `forward` gives of all steps so far, and the next state."""
        if self.bidirectional:
            raise ValueError("expected pooling of one direction to run step by step, got bidirectional=True")
        total, count, attended, relevance, greatest = state
        found = {"last": features}
        if "mean" in self.kinds:
            total, count = total + features, count + 1
            found["mean"] = total / count
        if "attention" in self.kinds:
            weight = self._relevance(features).unsqueeze(1)
            attended, relevance = attended + features * weight, relevance + weight
            found["attention"] = attended / relevance
        if "max" in self.kinds:
            greatest = torch.maximum(greatest, features)
            found["max"] = greatest
        state = total, count, attended, relevance, greatest
        return torch.cat([found[kind] for kind in self.kinds], dim=-1), state

    @property
    def _forward_half(self) -> int:
        """Features that were read forwards."""
        return self.features // 2 if self.bidirectional else self.features

    def _relevance(self, features: Tensor) -> Tensor:
        """exp(s) of features (..., width)."""
        scores = (torch.tanh(self.project(features)) * self.context).sum(-1)
        return scores.clamp(-_LARGEST_SCORE, _LARGEST_SCORE).exp()


def steps_inside(x: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of x (B, T, ...) lie before the end of their row: bool (B, T)."""
    return torch.arange(x.shape[1], device=x.device) < lengths.to(x.device).unsqueeze(1)


def ordered_sum(features: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_t weights (B, T) · features (B, T, F): (B, F), and Σ_t weights: (B, 1), step by step.

    A sum of torch's takes the steps in an order that depends on how many there are, padding included.
    """
    total, weight = features[:, 0] * weights[:, :1], weights[:, :1]
    for step in range(1, features.shape[1]):
        now = weights[:, step : step + 1]
        total, weight = total + features[:, step] * now, weight + now
    return total, weight


def _average(features: Tensor, weights: Tensor) -> Tensor:
    total, weight = ordered_sum(features, weights)
    return total / _divisor(weight)


def _divisor(weight: Tensor) -> Tensor:
    """The weight itself, but 1 where a row is empty."""
    return weight + (weight == 0)


def _greatest(features: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """The greatest features (B, F) and the steps where they are.

    As pooling of a picture T high and 1 wide, whose channels come last: `max(1)` takes ten times as long.
    """
    beyond = torch.zeros(inside.shape, dtype=features.dtype, device=features.device).masked_fill_(~inside, -torch.inf)
    picture = (features + beyond.unsqueeze(-1)).unsqueeze(2).permute(0, 3, 1, 2)
    greatest, places = functional.max_pool2d(picture, (features.shape[1], 1), return_indices=True)
    return greatest.flatten(1), places.flatten(1)


class _Pooled(torch.autograd.Function):
    """`Pooling.plain` as one node of the graph, in a few operators: autograd's own way takes four times as long."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        lengths: Tensor,
        kinds: tuple[str, ...],
        half: int,
        weight: Any,
        bias: Any,
        context: Any,
    ) -> Tensor:
        inside = steps_inside(features, lengths)
        rows = torch.arange(len(features), device=features.device)
        ends, nonempty = (lengths - 1).clamp(min=0), (lengths > 0).unsqueeze(1)
        pooled = features.new_empty(len(features), len(kinds), features.shape[2])
        shares, hidden, scores, places = [], None, None, None
        if "mean" in kinds:
            shares.append(inside.to(features.dtype) / _divisor(lengths).unsqueeze(1))
        if weight is not None:
            hidden = torch.addmm(bias, features.flatten(0, 1), weight.T).tanh_()
            scores = (hidden @ context).view(inside.shape)
            relevance = scores.clamp(-_LARGEST_SCORE, _LARGEST_SCORE).exp_() * inside
            shares.append(relevance / _divisor(relevance.sum(1, keepdim=True)))
        shared = torch.stack(shares, dim=1) if shares else None
        averages = iter(() if shared is None else (shared @ features).unbind(1))
        for place, kind in enumerate(kinds):
            if kind == "last":
                pooled[:, place, :half] = features[rows, ends, :half] * nonempty
                pooled[:, place, half:] = features[:, 0, half:] * nonempty
            elif kind == "max":
                greatest, places = _greatest(features, inside)
                pooled[:, place] = greatest.masked_fill_(~nonempty, 0.0)
        for kind in ("mean", "attention"):
            if kind in kinds:
                pooled[:, kinds.index(kind)] = next(averages)
        ctx.save_for_backward(features, ends, nonempty, shared, hidden, scores, places, weight, context)
        ctx.kinds, ctx.half = kinds, half
        return pooled.flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, ends, nonempty, shared, hidden, scores, places, weight, context = ctx.saved_tensors
        gradients = dict(zip(ctx.kinds, gradient.chunk(len(ctx.kinds), dim=1), strict=True))
        found: list[Tensor | None] = [None, None, None]
        if shared is None:
            dx = torch.zeros_like(features)
        else:
            wanted = torch.stack([gradients[kind] for kind in ("mean", "attention") if kind in gradients], dim=1)
            dx = shared.transpose(1, 2) @ wanted
        if hidden is not None:
            share = shared[:, -1]
            each = (features * gradients["attention"].unsqueeze(1)).sum(-1)
            dscores = share * (each - (share * each).sum(1, keepdim=True)) * (scores.abs() < _LARGEST_SCORE)
            flat = dscores.view(-1, 1)
            dhidden = torch.addcmul(flat, flat, hidden * hidden, value=-1) * context
            dx.view(-1, dx.shape[2]).addmm_(dhidden, weight)
            found = [dhidden.T @ features.flatten(0, 1), dhidden.sum(0), hidden.T @ dscores.flatten()]
        if "last" in gradients:
            last = gradients["last"] * nonempty
            rows = torch.arange(len(features), device=features.device)
            dx[rows, ends, : ctx.half] += last[:, : ctx.half]
            dx[:, 0, ctx.half :] += last[:, ctx.half :]
        if "max" in gradients:
            dx.scatter_add_(1, places.unsqueeze(1), (gradients["max"] * nonempty).unsqueeze(1))
        return dx, None, None, None, *found
