"""A stack of layers in the native library, fed one step at a time: packed weights and a state in place."""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from memorycell.kernels import fused, native
from memorycell.kernels.fused_check import check
from memorycell.kernels.reference import Cell, Noise, Weights

PRECISIONS = (None, "bfloat16", "int8")  # of the weight matrices; the numbers of csrc/memorycell.h


def lacks(cell: Cell, w: Weights) -> str | None:
    """What streams lack for a cell, or None if they can compute it."""
    if w.w_hr is not None:
        return "streams of the fused kernels have no projection (proj_size)"
    if not cell.reset_after:
        return "streams of the fused kernels have no reset before the product (reset_after=False)"
    return None


class _Functions(NamedTuple):
    open: Any
    step: Any
    get_state: Any
    set_state: Any
    close: Any


@functools.cache
def _functions() -> _Functions:
    library = native.library()
    if library is None:
        raise ValueError(f"expected the native library for a stream, got none: {native.why_missing()}")
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    functions = _Functions(*(getattr(library, f"mc_stream_{name}") for name in _Functions._fields))
    functions.open.argtypes, functions.open.restype = [ctypes.c_char_p, number, number], pointer
    for function in (functions.step, functions.get_state, functions.set_state):
        function.argtypes, function.restype = [pointer, pointer, pointer], None
    functions.close.argtypes, functions.close.restype = [pointer], None
    return functions


def _parameters(w: Weights) -> list[Tensor | None]:
    """In the order of mc_run."""
    norms = [part for norm in (w.norm_ih, w.norm_hh, w.norm_ch) for part in (norm or (None, None))]
    return [w.w_ih, w.w_hh, w.b_ih, w.b_hh, None, w.w_ch, *norms]


def _check(cell: Cell, weights: Sequence[Weights], batch_size: int) -> None:
    """Raise ValueError for weights of the wrong shape, dtype or device."""
    w = weights[0]
    kinds = fused.MODES.index(cell.mode), int(cell.coupled), len(weights), 1
    flags = int(w.b_ih is not None), int(w.w_ch is not None), int(w.norm_ih is not None)
    spec = fused.Spec(*kinds, *flags, 0, 0, 0, 1, batch_size, batch_size)
    x = w.w_ih.new_empty(1, batch_size, w.w_ih.shape[-1])
    check(spec, x, (), (), [part for w in weights for part in _parameters(w) if part is not None], ())


def _described(cell: Cell, w: Weights, batch_size: int, noise: Noise) -> bytes:
    """The part of mc_run that a stream reads."""
    fields: list[Any] = [0] * 53
    fields[:4] = native.level(), w.w_ih.element_size(), fused.MODES.index(cell.mode), int(cell.coupled)
    fields[6:10] = 1, batch_size, w.w_ih.shape[1], w.w_hh.shape[1]
    fields[26:38] = [0 if part is None else part.data_ptr() for part in _parameters(w)]
    fields[45:47] = noise.zone_h or 0.0, noise.zone_c or 0.0
    return fused._RUN.pack(*fields)


class FusedStream:
    """Packed weights and the state of a stack of layers; freed with this object.

    `step(pointer, x, out)` takes one step from x (B, I) to out (B, H), both addresses of contiguous numbers of the
    weights' dtype. Steps of different streams may run at once, those of one stream may not.

    Parameters
    ----------
    cell, noise
        The same for all layers; zoneout's rates are the only noise that a stream knows.
    weights : sequence of Weights
        By layer, float32 or float64 on the CPU, contiguous; copied.
    precision : str or None
        How w_ih and w_hh are kept: None as they are, "bfloat16" or "int8" (float32 only).

    Raises
    ------
    ValueError
        Without the native library, and for weights of another shape, dtype or device.
    MemoryError
        If there is no memory for the packed weights.
    """

    def __init__(
        self, cell: Cell, weights: Sequence[Weights], batch_size: int, noise: Noise, precision: str | None
    ) -> None:
        functions = _functions()
        _check(cell, weights, batch_size)
        runs = b"".join(_described(cell, w, batch_size, noise) for w in weights)
        self.pointer: int | None = functions.open(runs, len(weights), PRECISIONS.index(precision))
        if self.pointer is None:
            raise MemoryError("the stream could not get memory for its packed weights")
        self.step = functions.step
        weakref.finalize(self, functions.close, self.pointer)
        self._parts = 2 if cell.mode == "LSTM" else 1
        w = weights[0]
        self._like = w.w_ih.new_empty(len(weights), batch_size, w.w_hh.shape[1])

    def get_state(self) -> tuple[Tensor, ...]:
        """A copy of the state: h, and of an LSTM c, (L, B, H) each."""
        parts = tuple(torch.empty_like(self._like) for _ in range(self._parts))
        _functions().get_state(self.pointer, *self._addresses(parts))
        return parts

    def set_state(self, parts: Sequence[Tensor]) -> None:
        """Copies the state from tensors as `get_state` returns them, of any dtype and strides; nothing: zeros."""
        kept = [part.detach().to(self._like).contiguous() for part in parts]
        _functions().set_state(self.pointer, *self._addresses(kept))

    @staticmethod
    def _addresses(parts: Sequence[Tensor]) -> list[int | None]:
        return [part.data_ptr() for part in parts] + [None] * (2 - len(parts))
