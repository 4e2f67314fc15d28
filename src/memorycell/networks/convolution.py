"""The convolutional front of the LSTM-FCN, which stands beside the recurrent layers (Karim et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from memorycell.layers.linear import row_stable_product
from memorycell.networks.base import State
from memorycell.networks.pooling import ordered_sum, steps_inside

BLOCKS = ((128, 8), (256, 5), (128, 3))  # channels and width of each convolution (Karim et al. 2018, sec. III-B)
_ROOM = 1 << 23  # numbers that the windows of a part of a batch may take


class ConvolutionalFront(nn.Module):
    """Three convolutions with batch normalisation and rectification, then the mean over the steps.

    Sequences are padded with zeros on both sides, or in front alone with `causal`; what stands beyond the end of a
    row counts nowhere, not in the statistics of the normalisation either.

    Parameters
    ----------
    features : int
        Numbers a step.
    blocks : sequence of (int, int)
        Channels and width of each convolution.
    causal : bool
        A step sees only steps before it; `step` then runs along with them.
    squeeze_excite : bool
        Between blocks, channels are weighted by what the whole sequence holds (Hu et al. 2018; in the MLSTM-FCN of
        Karim et al. 2019).

    Raises
    ------
    ValueError
        If it should be causal and squeeze: that looks at the whole sequence.

    Example
    -------
    >>> front = ConvolutionalFront(features=3)
    >>> front(torch.randn(4, 20, 3), torch.tensor([20, 12, 5, 1])).shape
    torch.Size([4, 128])
    """

    blocks: Any  # a ModuleList of _Block

    def __init__(
        self,
        features: int,
        blocks: Sequence[tuple[int, int]] = BLOCKS,
        *,
        causal: bool = False,
        squeeze_excite: bool = False,
    ) -> None:
        super().__init__()
        if causal and squeeze_excite:
            raise ValueError("expected causal=False with squeeze_excite=True, which looks at the whole sequence")
        layers = []
        for number, (channels, width) in enumerate(blocks):
            squeeze = squeeze_excite and number < len(blocks) - 1
            layers.append(_Block(features, channels, width, causal=causal, squeeze=squeeze))
            features = channels
        self.blocks = nn.ModuleList(layers)
        self.causal, self.width = causal, features

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """x (B, T, features), lengths int64 (B,) to (B, width); a row of length 0 gives zeros."""
        inside = None if lengths is None else steps_inside(x, lengths)
        for block in self.blocks:
            x = block(x, inside)
        return _mean(x, inside)

    def init_state(self, batch_size: int, like: Tensor) -> State:
        """The inputs that each convolution still sees, (width - 1, B, channels), then sum and count of the steps."""
        seen = tuple(like.new_zeros(b.weight.shape[2] - 1, batch_size, b.weight.shape[1]) for b in self.blocks)
        return seen, like.new_zeros(batch_size, self.width), like.new_zeros(batch_size, 1)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One more step, x (B, features): what `forward` gives of all steps so far, and the next state."""
        if not self.causal:
            raise ValueError("expected a causal front to run step by step, got causal=False, which looks ahead")
        seen, total, count = state
        windows = []
        for block, before in zip(self.blocks, seen, strict=True):
            window = torch.cat([before, x.unsqueeze(0)])
            windows.append(window[1:])
            x = block.step(window)
        total, count = total + x, count + 1
        return total / count, (tuple(windows), total, count)


class _Block(nn.Module):
    """Convolution, batch normalisation, rectification, and squeeze-and-excitation if asked for."""

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, features: int, channels: int, width: int, *, causal: bool, squeeze: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, features, width))  # no bias: the normalisation has one
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        self.gain, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))
        before = width - 1 if causal else (width - 1) // 2
        self.padding = (before, width - 1 - before)
        self.squeeze = nn.Linear(channels, max(1, channels // 16), bias=False) if squeeze else None
        self.excite = nn.Linear(max(1, channels // 16), channels, bias=False) if squeeze else None

    def forward(self, x: Tensor, inside: Tensor | None) -> Tensor:
        """x (B, T, features) and which of its steps count (B, T), to (B, T, channels), zero beyond the end."""
        x = x if inside is None else x * inside.unsqueeze(-1)
        x = self._convolve(functional.pad(x, (0, 0, *self.padding)))
        if inside is None:
            x = torch.relu(self._normalise(x.flatten(0, 1))).view(x.shape)
        else:
            values = torch.relu(self._normalise(x[inside]))
            x = torch.zeros_like(x).masked_scatter(inside.unsqueeze(-1), values)
        if self.squeeze is None or self.excite is None:
            return x
        weights = self.excite(torch.relu(self.squeeze(_mean(x, inside)))).sigmoid()
        return x * weights.unsqueeze(1)

    def step(self, window: Tensor) -> Tensor:
        """The output (B, channels) at the last step of window (width, B, features)."""
        x = row_stable_product(window.permute(1, 2, 0).flatten(1), self.weight.flatten(1))
        return torch.relu(self._normalise(x))

    def _convolve(self, x: Tensor) -> Tensor:
        """Padded x (B, T + width - 1, features) to (B, T, channels)."""
        if torch.is_grad_enabled():
            return functional.conv1d(x.transpose(1, 2), self.weight).transpose(1, 2)
        # torch's convolution sums in another order for another batch; a product that does not is fed with windows.
        windows = x.unfold(1, self.weight.shape[2], 1)
        weight = self.weight.flatten(1)
        rows = max(1, _ROOM // max(1, windows.shape[1] * weight.shape[1]))
        return torch.cat([row_stable_product(part.flatten(2), weight) for part in windows.split(rows)])

    def _normalise(self, x: Tensor) -> Tensor:
        """Batch normalisation (Ioffe & Szegedy 2015) of x (N, channels), by running statistics in evaluation."""
        if self.training and len(x) > 1:
            return functional.batch_norm(
                x, self.running_mean, self.running_variance, self.gain, self.bias, training=True, momentum=0.1, eps=1e-3
            )
        scale = self.gain / torch.sqrt(self.running_variance + 1e-3)
        return (x - self.running_mean) * scale + self.bias


def _mean(x: Tensor, inside: Tensor | None) -> Tensor:
    """The mean (B, channels) of x (B, T, channels), which is zero beyond the end of a row."""
    weights = x.new_ones(x.shape[:2]) if inside is None else inside.to(x.dtype)
    if torch.is_grad_enabled():
        return x.sum(1) / weights.sum(1, keepdim=True).clamp(min=1)
    total, count = ordered_sum(x, weights)
    return total / count.clamp(min=1)
