"""One step through a stack of layers; and Stream, which owns weights and state and is fed step by step."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.kernels import fused, fused_stream, native, onlookers, reference, torch_ops
from memorycell.kernels.fused_stream import PRECISIONS, FusedStream
from memorycell.kernels.reference import Cell, Noise, State, Weights
from memorycell.layers.inputs import check_dtype, check_parts

Values = TypeVar("Values", Tensor, NDArray[Any])
_MEMORY = ctypes.c_char * 1  # of an array, as an argument
_NUMPY = {getattr(torch, name): np.dtype(name) for name in ("float16", "float32", "float64")}


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
    """The tensors of nested tuples: contiguous copies, cut from the graph."""
    if isinstance(value, Tensor):
        return value.detach().clone(memory_format=torch.contiguous_format)
    return None if value is None else type(value)(*map(_copy, value))


class Stream:
    """A recurrent layer in use: its own copy of the weights, and a state that each step moves on.

    Made by `layer.stream(batch_size)`. Computes as in evaluation and records no graph. With the fused kernels a
    step runs on the calling thread and has the bits of `forward`. A stream can be copied and pickled, its state
    with it; several threads may each use their own, not share one.

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
        by_torch: bool,
        by_kernels: bool,
        precision: str | None = None,
    ) -> None:
        self.batch_size = batch_size
        self._cell, self._noise, self._widths, self._precision = cell, noise, widths, precision
        self._by_torch, self._by_kernels = by_torch, by_kernels
        self._weights = [_copy(w) for w in weights]
        first = self._weights[0].w_ih
        self._dtype, input_size = first.dtype, first.shape[1]
        # What an output looks like, by the shape of its input.
        self._like: dict[tuple[int, ...], Tensor] = {(batch_size, input_size): first.new_empty(batch_size, widths[0])}
        if batch_size == 1:
            self._like[(input_size,)] = first.new_empty(widths[0])
        self._states: list[State] = []
        self._kernels: FusedStream | None = None
        possible = native.available() and fused_stream.lacks(cell, self._weights[0]) is None
        if precision is not None or (by_kernels and possible):
            self._check_precision()
            self._kernels = FusedStream(cell, self._weights, batch_size, noise, precision)
            self._advance, self._pointer = self._kernels.step, self._kernels.pointer
        self.reset()

    def _check_precision(self) -> None:
        """Raise unless the kernels can keep the weights in the precision asked for."""
        if self._precision is None:
            return
        if self._precision not in PRECISIONS:
            raise ValueError(f'expected weights to be None, "bfloat16" or "int8", got {self._precision!r}')
        lacks, w = fused_stream.lacks(self._cell, self._weights[0]), self._weights[0].w_ih
        if lacks is None and (w.dtype is not torch.float32 or not w.is_cpu):
            lacks = f"they need float32 weights on the CPU, these are {w.dtype} on {w.device}"
        lacks = lacks or native.why_missing()
        if lacks is None and not self._by_kernels:
            lacks = "the layer has another backend"
        if lacks:
            raise ValueError(f"weights={self._precision!r} needs the fused kernels: {lacks}; leave weights=None")

    def step(self, x: Values, out: Values | None = None) -> Values:
        """Feed one step.

        Parameters
        ----------
        x : Tensor or ndarray
            (B, I), or (I,) if the batch is one row; of the layer's dtype and on its device (an array: on the CPU).
        out : Tensor or ndarray, optional
            Written to and returned: shaped like the output, contiguous, of the layer's dtype. Default: a new one.

        Returns
        -------
        The output (B, P), or (P,): a Tensor for a Tensor, an array for an array.

        Raises
        ------
        TypeError, ValueError
            If x or out are of another type, shape, dtype or device.
        """
        if self._kernels is None or type(x) is not Tensor:
            return self._step_otherwise(x, out)
        # The microsecond path: each attribute of a tensor costs some 50 ns.
        like = self._like.get(x.shape)
        if like is None or x.dtype is not self._dtype or not x.is_cpu or not x.is_contiguous() or x.is_neg():
            return self._step_otherwise(x, out)
        if out is None:
            out = torch.empty_like(like)
        else:
            self._check_out(out, like)
        try:
            source, target = x.data_ptr(), out.data_ptr()
        except RuntimeError:  # what a transform has put in a tensor's place
            source = target = 0
        if not (source and target):
            return self._step_otherwise(x, out)
        self._advance(self._pointer, source, target)
        return out

    def _step_otherwise(self, x: Any, out: Any) -> Any:
        """`step` of whatever else can come, and the errors."""
        if not isinstance(x, (Tensor, np.ndarray)):
            raise TypeError(f"expected x to be a Tensor or a numpy array, got {type(x).__name__}")
        if not onlookers.none((), ()):
            raise ValueError(
                "expected a call of a stream's step as it is, got one under a trace, a transform or a mode of torch, "
                "which would miss that its state moves on: use layer.step, which is a function"
            )
        like = self._like.get(x.shape)
        if like is None:
            raise ValueError(
                f"expected x of shape {next(iter(self._like))}, got {tuple(x.shape)}: "
                f"this stream was made with batch_size={self.batch_size}"
            )
        if isinstance(x, np.ndarray):
            return self._step_array(x, out)
        check_dtype(x, self._weights[0].w_ih, "stream")
        if out is None:
            out = torch.empty_like(like)
        else:
            self._check_out(out, like)
        if self._kernels is None:
            return out.copy_(self._step_by_torch(x))
        # The kernels read memory as it stands: no strides, no negation put off; under autocast x may be narrower.
        x = onlookers.plain(x.detach().to(self._dtype)).contiguous()
        self._advance(self._pointer, fused.address(x), fused.address(out))
        return out

    def _step_array(self, x: Any, out: Any) -> NDArray[Any]:
        dtype = _NUMPY.get(self._dtype)
        if dtype is None:
            raise TypeError(f"expected x to be a Tensor of {self._dtype}, which numpy does not have, got an array")
        if x.dtype != dtype:
            raise ValueError(f"expected x of {dtype} like the weights of this stream, got {x.dtype}: use x.astype")
        shape = (*x.shape[:-1], self._widths[0])
        if out is None:
            out = np.empty(shape, dtype)
        elif not (isinstance(out, np.ndarray) and out.shape == shape and out.dtype == dtype and out.flags.carray):
            raise ValueError(f"expected out to be a contiguous, writable array of {dtype} and shape {shape}")
        if self._kernels is None:
            given = torch.tensor(x)
            check_dtype(given, self._weights[0].w_ih, "stream")
            out[...] = self._step_by_torch(given).to(self._dtype).numpy()
            return out
        if not x.flags.carray:  # ctypes takes the address of nothing else
            x = x.copy()
        self._advance(self._pointer, _MEMORY.from_buffer(x), _MEMORY.from_buffer(out))
        return out

    @staticmethod
    def _check_out(out: Any, like: Tensor) -> None:
        """Raise unless an output like `like` can be written to `out` as it stands."""
        if not isinstance(out, Tensor):
            raise TypeError(f"expected out to be a Tensor like x, got {type(out).__name__}")
        if out.shape != like.shape or out.dtype is not like.dtype or out.device != like.device:
            raise ValueError(
                f"expected out of shape {tuple(like.shape)} and {like.dtype} on {like.device}, "
                f"got {tuple(out.shape)} and {out.dtype} on {out.device}"
            )
        if not out.is_contiguous() or out.is_neg():
            raise ValueError(f"expected a contiguous out, got strides {out.stride()}")

    @torch.no_grad()
    def _step_by_torch(self, x: Tensor) -> Tensor:
        one = x.ndim == 1
        noise = [self._noise] * len(self._weights)
        x = x.unsqueeze(0) if one else x
        y, self._states = step_stack(self._cell, x, self._states, self._weights, noise, (), self._by_torch)
        return y.squeeze(0) if one else y

    def reset(self) -> None:
        """Back to a state of zeros."""
        if self._kernels is not None:
            self._kernels.set_state(())
            return
        w = self._weights[0].w_ih
        self._states = [tuple(w.new_zeros(self.batch_size, width) for width in self._widths) for _ in self._weights]

    @property
    def state(self) -> Any:
        """The state in the layer's own form, a copy: h (L, B, P), of an LSTM (h, c). Can be set."""
        if self._kernels is not None:
            parts = self._kernels.get_state()
        else:
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
        if self._kernels is not None:
            self._kernels.set_state(parts)
            return
        w = self._weights[0].w_ih
        copies = [part.detach().to(w, copy=True).unbind(0) for part in parts]
        self._states = list(zip(*copies, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy is a new stream of the same weights, in the same state."""
        kind = (self._noise, self._by_torch, self._by_kernels, self._precision)
        return _made_again, (self._cell, self._weights, self._widths, self.batch_size, *kind, self.state)


def _made_again(*arguments: Any) -> Stream:
    *given, state = arguments
    stream = Stream(*given)
    stream.state = state
    return stream
