"""The random masks of one call of a recurrent layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from memorycell.kernels.random import bernoulli, keep_mask
from memorycell.kernels.reference import Noise, Weights
from memorycell.layers.stack import Stack


class Draws(NamedTuple):
    """The masks of one call, drawn before it, so that every backend sees the same."""

    noise: list[Noise]  # by layer and direction
    weight: list[Tensor | None]  # by layer and direction, of w_hh's shape
    between: list[Tensor | None]  # after each layer but the last: (T, B, D·P)

    def masked(self, weights: list[Weights]) -> list[Weights]:
        """The weights, with DropConnect's mask on w_hh (Merity et al. 2017)."""
        return [
            w if mask is None else w._replace(w_hh=w.w_hh * mask) for w, mask in zip(weights, self.weight, strict=True)
        ]


def draw(layer: Stack, steps: int, batch: int, like: Tensor) -> Draws:
    """Draw the masks of a call over `steps` steps of `batch` rows, with the dtype and device of `like`.

    Element (t, unit) of a row is the column t · width + unit of its mask: the padding of a batch has no say.
    """
    cells = layer.num_layers * (2 if layer.bidirectional else 1)
    zone_c, zone_h = layer.zone
    if not layer.training:
        noise = Noise(None, zone_h or None, zone_c or None)
        return Draws([noise] * cells, [None] * cells, [None] * (layer.num_layers - 1))
    kind: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
    hidden = layer.proj_size or layer.hidden_size
    rows = layer.cell.rows * layer.hidden_size

    def rowwise(width: int, p: float) -> Tensor | None:
        return keep_mask(batch, width, p, **kind) if p else None

    def over_time(source: Callable[..., Tensor], width: int, p: float) -> Tensor | None:
        if not p:
            return None
        return source(batch, steps * width, p, **kind).view(batch, steps, width).transpose(0, 1)

    noises: list[Noise] = []
    weight: list[Tensor | None] = []
    for _ in range(cells):
        keep_h = rowwise(hidden, layer.recurrent_dropout)
        zoned_h = over_time(bernoulli, hidden, zone_h)
        noises.append(Noise(keep_h, zoned_h, over_time(bernoulli, layer.hidden_size, zone_c)))
        p = layer.weight_dropout
        weight.append(keep_mask(rows, hidden, p, shared=True, **kind) if p else None)
    width = hidden * (2 if layer.bidirectional else 1)
    return Draws(noises, weight, [over_time(keep_mask, width, layer.dropout) for _ in range(layer.num_layers - 1)])
