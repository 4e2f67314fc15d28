"""One step through a stack of layers; and Stream, which owns weights and state and is fed step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from memorycell.kernels import reference, torch_ops
from memorycell.kernels.reference import Cell, Noise, State, Weights
from memorycell.layers.inputs import check_parts


def step_cell(
    cell: Cell, x: Tensor, state: State, w: Weights, noise: Noise = reference.QUIET, fused: bool = False
) -> State:
    """The next state of one cell from x (B, I); `fused`: by torch's operator, which knows no noise."""
    if not fused:
        return reference.STEPS[cell.mode](reference.project(x, w, cell), state, w, cell, noise)[0]
    operator = torch_ops.STEP[cell.mode]
    if cell.mode == "LSTM":
        return operator(x, state, *w[:4])
    return (operator(x, state[0], *w[:4]),)


def step_stack(
    cell: Cell,
    x: Tensor,
    states: Sequence[State],
    weights: Sequence[Weights],
    noise: Sequence[Noise],
    between: Sequence[Tensor | None],
    fused: bool,
) -> tuple[Tensor, list[State]]:
    """The last layer's output (B, P) and every layer's next state from x (B, I)."""
    nexts = []
    for layer, (state, w) in enumerate(zip(states, weights, strict=True)):
        state = step_cell(cell, x, state, w, noise[layer], fused)
        nexts.append(state)
        x = state[0]
        if layer < len(between) and (mask := between[layer]) is not None:
            x = x * mask
    return x, nexts


def _copy(value: Any) -> Any:
    """The tensors of nested tuples, cloned and cut from the graph."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return None if value is None else type(value)(*map(_copy, value))


class Stream:
    """A recurrent layer in use: its own copy of the weights, and a state that each step moves on.

    Made by `layer.stream(batch_size)`. Computes as in evaluation and records no graph.

    Example
    -------
    >>> from memorycell.layers import GRU
    >>> layer = GRU(3, 8).eval()
    >>> x = torch.randn(5, 1, 3)
    >>> stream = layer.stream()
    >>> outputs = [stream.step(step) for step in x]
    >>> torch.allclose(torch.stack(outputs), layer(x)[0], atol=1e-6)
    True
    """

    def __init__(
        self,
        cell: Cell,
        weights: Sequence[Weights],
        widths: tuple[int, ...],
        batch_size: int,
        noise: Noise,
        fused: bool,
    ) -> None:
        self.batch_size = batch_size
        self._cell, self._fused = cell, fused
        self._weights = [_copy(w) for w in weights]
        self._widths = widths
        self._noise = [noise] * len(weights)
        self._input_size = weights[0].w_ih.shape[1]
        self._states: list[State] = []
        self.reset()

    @torch.no_grad()
    def step(self, x: Tensor) -> Tensor:
        """Feed one step x (B, I), or (I,) if the batch is one row; returns the output (B, P), or (P,).

        Raises ValueError for another shape.
        """
        one = x.ndim == 1 and self.batch_size == 1
        if one:
            x = x.unsqueeze(0)
        if x.shape != (self.batch_size, self._input_size):
            raise ValueError(
                f"expected x of shape ({self.batch_size}, {self._input_size}), got {tuple(x.shape)}: "
                f"this stream was made with batch_size={self.batch_size}"
            )
        y, self._states = step_stack(self._cell, x, self._states, self._weights, self._noise, (), self._fused)
        return y.squeeze(0) if one else y

    def reset(self) -> None:
        """Back to a state of zeros."""
        w = self._weights[0].w_ih
        self._states = [tuple(w.new_zeros(self.batch_size, width) for width in self._widths) for _ in self._weights]

    @property
    def state(self) -> Any:
        """The state in the layer's own form, a copy: h (L, B, P), of an LSTM (h, c). Can be set."""
        parts = tuple(torch.stack(layers) for layers in zip(*self._states, strict=True))
        return parts if len(parts) == 2 else parts[0]

    @state.setter
    def state(self, state: Any) -> None:
        parts = check_parts(state, ("h", "c")[: len(self._widths)], "stream")
        for name, part, width in zip("hc", parts, self._widths, strict=False):
            expected = (len(self._weights), self.batch_size, width)
            if part.shape != expected:
                raise ValueError(
                    f"expected state {name} of shape {expected} (layers, batch, units), got {tuple(part.shape)}"
                )
        w = self._weights[0].w_ih
        copies = [part.detach().to(w, copy=True).unbind(0) for part in parts]
        self._states = list(zip(*copies, strict=True))
