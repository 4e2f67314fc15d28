"""The products of a cell, of a part of what they are taken of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from memorycell.kernels.reference import Norm, Weights
from memorycell.layers.base import Recurrent

_EPSILON = 1e-5  # of layer normalisation


def deviation(y: Tensor) -> Tensor:
    """What layer normalisation divides y (..., H) by: (..., 1)."""
    return y.var(-1, keepdim=True, unbiased=False).add(_EPSILON).sqrt()


def normalised(part: Tensor, whole: Tensor, norm: Norm, groups: Sequence[int] = ()) -> Tensor:
    """What a part of `whole` (..., H) is in its layer normalisation, without the norm's bias.

    The standard deviation is that of the whole, and counts as given: parts that sum to the whole stay such parts. Of
    several groups of the units each is normalised for itself.
    """
    found = []
    sizes = list(groups) or [whole.shape[-1]]
    for own, all_, gain in zip(part.split(sizes, -1), whole.split(sizes, -1), norm.gain.split(sizes), strict=True):
        found.append((own - own.mean(-1, keepdim=True)) / deviation(all_) * gain)
    return found[0] if len(found) == 1 else torch.cat(found, -1)


def product(x: Tensor, weight: Tensor, norm: Norm | None) -> Tensor:
    """x · Wᵀ, or LN(x · Wᵀ) but for the norm's bias."""
    y = x @ weight.T
    return y if norm is None else normalised(y, y, norm)


def double_weights(layer: Recurrent) -> list[Weights]:
    """The weights of each layer and direction in float64, on the CPU."""

    def double(value: Tensor | Norm | None) -> Any:
        if isinstance(value, Norm):
            return Norm(double(value.gain), double(value.bias))
        return None if value is None else value.detach().double().cpu()

    return [Weights(*(double(part) for part in weights)) for weights in layer.weights()]
