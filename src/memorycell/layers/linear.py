"""A linear layer whose inference output for a row does not depend on the rows beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from memorycell.kernels import fused, native, onlookers
from memorycell.kernels.spec import MODES, Spec

_FEW = 8  # outputs up to which products are written out and summed: less than the kernels' preparations
_BLOCK = 128  # outputs that the kernels compute at once
_ROOM = 1 << 22  # numbers that written out products may take


class Linear(nn.Linear):
    """`torch.nn.Linear` with one order of summation for every output, where no gradients are recorded.

    A matrix product sums in another order for one row than for many, so that a prediction's last bits would depend on
    the batch it came in. Parameters, initial values and state_dict are `torch.nn.Linear`'s, and so is the training.

    Example
    -------
    >>> layer = Linear(300, 20)
    >>> x = torch.randn(64, 300)
    >>> with torch.no_grad():
    ...     print(torch.equal(layer(x)[:1], layer(x[:1])))
    True
    """

    def forward(self, x: Tensor) -> Tensor:
        """x (..., in_features) to (..., out_features)."""
        watched = torch.is_grad_enabled() or not onlookers.none((x,), ())
        if watched or not x.is_cpu or x.dtype is not self.weight.dtype:
            return functional.linear(x, self.weight, self.bias)
        product = row_stable_product(x, self.weight)
        return product if self.bias is None else product + self.bias


def row_stable_product(x: Tensor, weight: Tensor) -> Tensor:
    """x Wᵀ, (..., K), whose bits depend on the row of x (..., I) and on W (K, I) alone. Records no gradients.

    Example
    -------
    >>> row_stable_product(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[11.,  2.]])
    """
    rows = x.detach().reshape(-1, x.shape[-1])
    by_kernels = len(weight) > _FEW and x.is_cpu and x.dtype in (torch.float32, torch.float64) and native.available()
    product = _by_kernels if by_kernels else _written_out
    blocks = [product(rows, block) for block in weight.detach().split(_BLOCK if by_kernels else _FEW)]
    return (blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=1)).view(*x.shape[:-1], len(weight))


def _written_out(x: Tensor, weight: Tensor) -> Tensor:
    parts = x.split(max(1, _ROOM // weight.numel()))
    return torch.cat([(part.unsqueeze(1) * weight).sum(-1) for part in parts])


def _by_kernels(x: Tensor, weight: Tensor) -> Tensor:
    """x Wᵀ by the fused kernels: the first step of a network of rectified units, for W and -W, since z = z⁺ - (-z)⁺."""
    if not len(x):
        return x.new_empty(0, len(weight))
    both = torch.cat([weight, -weight])
    spec = Spec(MODES.index("RNN_RELU"), 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, len(x), len(x))
    output, _ = fused.run(spec, (0.0, 0.0), x.unsqueeze(0), (), (), [both, both.new_zeros(len(both), len(both))])
    positive, negative = output[0].chunk(2, dim=1)
    return positive - negative
