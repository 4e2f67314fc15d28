"""Torch's own recurrent operators, where they compute what the reference does."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import _VF, Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from memorycell.kernels.quiet import quiet
from memorycell.kernels.reference import State


def _onednn_dtypes() -> frozenset[torch.dtype]:
    """The dtypes in which oneDNN has an LSTM on this processor."""
    if not torch.backends.mkldnn.is_available():
        return frozenset()
    known = torch.ops.mkldnn
    asked = ((torch.bfloat16, known._is_mkldnn_bf16_supported), (torch.float16, known._is_mkldnn_fp16_supported))
    return frozenset([torch.float32, *(dtype for dtype, supported in asked if supported())])


_ONEDNN_DTYPES = _onednn_dtypes()  # a constant: torch.compile cannot trace the questions


def _lstm(x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    """`torch.lstm`, whatever the processor.

    Under autocast torch asks whether oneDNN has an LSTM in x's dtype, and then wants one in autocast's, which there is
    not without AVX-512 (bfloat16) or AVX-512-FP16 (float16): it raises. Such a call is computed in float32, its results
    alone are in autocast's dtype: nearer the truth, and quicker than torch's other operators in that dtype.
    """
    narrow = _out_of_onednn_s_reach(x, *arguments)
    if narrow is None:
        if x.is_cpu and _projected(arguments[0]) and not torch.compiler.is_compiling():
            _told_of_projections()
        return _VF.lstm(x, *arguments)
    if not torch.compiler.is_compiling():
        warnings.warn(
            f"oneDNN has no LSTM in {narrow} on this processor, and torch.nn.LSTM raises under this autocast: "
            f"computing in float32 instead, with results in {narrow}",
            stacklevel=2,
        )
    state, weights, *flags = arguments
    with torch.autocast("cpu", enabled=False):
        results = _VF.lstm(x.float(), [part.float() for part in state], [w.float() for w in weights], *flags)
    return tuple(result.to(narrow) for result in results)


def _out_of_onednn_s_reach(x: Tensor, state: Any, *_: Any) -> torch.dtype | None:
    """The dtype in which torch would ask oneDNN for this LSTM in vain; None: it would not ask, or get it."""
    if not (x.is_cpu and torch.is_autocast_enabled("cpu")):
        return None
    packed = isinstance(state, Tensor)  # the numbers of rows: then torch computes step by step, as with projections
    if packed or _projected(state) or not x.numel():
        return None
    # Somebody may have switched oneDNN off, which torch.compile cannot ask.
    if not torch.compiler.is_compiling() and not torch._C._get_mkldnn_enabled():
        return None
    narrow = torch.get_autocast_dtype("cpu")
    return narrow if _onednn_has(x.dtype) and not _onednn_has(narrow) else None


def _projected(state: Any) -> bool:
    """Whether h is of another width than c; of packed sequences, which oneDNN is not asked for, it is not known."""
    return not isinstance(state, Tensor) and state[0].shape[-1] != state[1].shape[-1]


@functools.cache
def _told_of_projections() -> None:
    """Have torch say now, unheard, what it says once in a process: that oneDNN has no LSTM with projections.

    It then takes its other implementation, and that is all: users can do nothing about it, and have called no oneDNN.
    """
    weights = [torch.zeros(8, 1), torch.zeros(8, 1), torch.zeros(1, 2)]
    state = [torch.zeros(1, 1, 1), torch.zeros(1, 1, 2)]
    with quiet(), torch.no_grad():
        _VF.lstm(torch.zeros(1, 1, 1), state, weights, False, 1, 0.0, False, False, False)


def _onednn_has(dtype: torch.dtype) -> bool:
    """Whether oneDNN has an LSTM in `dtype`; in float16 without gradients alone."""
    return dtype in _ONEDNN_DTYPES and not (dtype is torch.float16 and torch.is_grad_enabled())


# Operators over whole sequences and over one step, by mode. Torch ships no types for them.
SEQUENCE: dict[str, Callable[..., Any]] = {
    "LSTM": _lstm,
    "GRU": _VF.gru,
    "RNN_TANH": _VF.rnn_tanh,
    "RNN_RELU": _VF.rnn_relu,
}
STEP: dict[str, Callable[..., Any]] = {
    "LSTM": _VF.lstm_cell,
    "GRU": _VF.gru_cell,
    "RNN_TANH": _VF.rnn_tanh_cell,
    "RNN_RELU": _VF.rnn_relu_cell,
}


def run(
    mode: str,
    x: Tensor,
    state: State,
    weights: Sequence[Tensor],
    *,
    bias: bool,
    num_layers: int,
    bidirectional: bool,
    batch_sizes: Tensor | None = None,
    between: Sequence[Tensor | None] | None = None,
) -> tuple[Tensor, State]:
    """A stack of layers over a batch of sequences of equal length, or over packed ones.

    Parameters
    ----------
    mode : str
        ``"LSTM"``, ``"GRU"``, ``"RNN_TANH"`` or ``"RNN_RELU"``.
    x : Tensor
        (T, B, I), or with `batch_sizes` the data of a PackedSequence, (Σ lengths, I).
    state : tuple of Tensor
        h (L·D, B, P) and of an LSTM c (L·D, B, H), rows in the order of the data.
    weights : sequence of Tensor
        By layer, then direction: w_ih, w_hh, then b_ih, b_hh with `bias`, then w_hr if projected.
    between : sequence of Tensor, optional
        What multiplies the output of each layer but the last, of its shape (None: nothing does). Layers then
        run one by one.

    Returns
    -------
    output (T, B, D·P) or packed (Σ lengths, D·P), and the final state.
    """
    operator = SEQUENCE[mode]

    def call(x: Tensor, state: State, weights: Sequence[Tensor], num_layers: int) -> tuple[Tensor, State]:
        initial = state if mode == "LSTM" else state[0]
        # The flag `train` decides whether cuDNN and oneDNN keep what a backward pass needs.
        common = (list(weights), bias, num_layers, 0.0, torch.is_grad_enabled(), bidirectional)
        if batch_sizes is None:
            output, *final = operator(x, initial, *common, False)
        else:
            output, *final = operator(x, batch_sizes, initial, *common)
        return output, tuple(final)

    if between is None:
        return call(x, state, weights, num_layers)
    directions = 2 if bidirectional else 1
    per_layer = len(weights) // num_layers
    finals = []
    for layer in range(num_layers):
        rows = slice(layer * directions, (layer + 1) * directions)
        block = weights[layer * per_layer : (layer + 1) * per_layer]
        x, final = call(x, tuple(part[rows] for part in state), block, 1)
        finals.append(final)
        if layer < num_layers - 1 and (mask := between[layer]) is not None:
            x = x * mask
    return x, tuple(torch.cat(parts) for parts in zip(*finals, strict=True))


def run_packed(
    mode: str,
    packed: PackedSequence,
    state: State,
    weights: Sequence[Tensor],
    *,
    bias: bool,
    num_layers: int,
    bidirectional: bool,
    between: Sequence[Tensor | None] | None = None,
) -> tuple[PackedSequence, State]:
    """`run` on a PackedSequence; `state` and `between` (T, B, D·P) have their rows in the caller's order."""
    data, batch_sizes, order, inverse = packed
    if order is not None:
        state = tuple(part.index_select(1, order) for part in state)
    if between is not None:
        lengths = lengths_of(packed)
        between = [None if mask is None else _packed_like(mask, packed, lengths) for mask in between]
    output, state = run(
        mode,
        data,
        state,
        weights,
        bias=bias,
        num_layers=num_layers,
        bidirectional=bidirectional,
        batch_sizes=batch_sizes,
        between=between,
    )
    if inverse is not None:
        state = tuple(part.index_select(1, inverse) for part in state)
    return PackedSequence(output, batch_sizes, order, inverse), state


def run_ragged(
    mode: str,
    x: Tensor,
    lengths: Tensor,
    state: State,
    weights: Sequence[Tensor],
    *,
    bias: bool,
    num_layers: int,
    bidirectional: bool,
    between: Sequence[Tensor | None] | None = None,
) -> tuple[Tensor, State]:
    """`run` on padded rows x (T, B, I) with int64 `lengths` (B,) on the CPU, 0 to T.

    Torch cannot pack rows without steps: they are left out and put back, with zeros and their initial state.
    """
    steps, batch = x.shape[:2]
    rows: Tensor | None = None
    initial = state
    if not bool((lengths > 0).all()):
        rows = lengths.nonzero().squeeze(1)
        lengths, rows = lengths[rows], rows.to(x.device)
        x = x.index_select(1, rows)
        state = tuple(part.index_select(1, rows) for part in state)
        if between is not None:
            between = [None if mask is None else mask.index_select(1, rows) for mask in between]
    if not lengths.numel():
        width = initial[0].shape[-1] * (2 if bidirectional else 1)
        return x.new_zeros(steps, batch, width), initial
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    done, state = run_packed(
        mode,
        packed,
        state,
        weights,
        bias=bias,
        num_layers=num_layers,
        bidirectional=bidirectional,
        between=between,
    )
    output, _ = pad_packed_sequence(done, total_length=steps)
    if rows is None:
        return output, state
    output = output.new_zeros(steps, batch, output.shape[-1]).index_copy(1, rows, output)
    return output, tuple(a.to(b.dtype).index_copy(1, rows, b) for a, b in zip(initial, state, strict=True))


def lengths_of(packed: PackedSequence) -> Tensor:
    """int64 lengths (B,) on the CPU of the rows of a PackedSequence, in the caller's order.

    Example
    -------
    >>> from torch.nn.utils.rnn import pack_sequence
    >>> lengths_of(pack_sequence([torch.zeros(1, 2), torch.zeros(3, 2)], enforce_sorted=False)).tolist()
    [1, 3]
    """
    sizes = packed.batch_sizes
    lengths = (sizes.unsqueeze(0) > torch.arange(int(sizes[0])).unsqueeze(1)).sum(1)
    return lengths if packed.unsorted_indices is None else lengths[packed.unsorted_indices.cpu()]


def repack(output: Tensor, packed: PackedSequence) -> PackedSequence:
    """Padded rows (T, B, F), in the caller's order, packed just as `packed` is."""
    data = _packed_like(output, packed, lengths_of(packed))
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


def _packed_like(padded: Tensor, packed: PackedSequence, lengths: Tensor) -> Tensor:
    order = packed.sorted_indices
    if order is not None:
        padded, lengths = padded.index_select(1, order), lengths[order.cpu()]
    return pack_padded_sequence(padded, lengths).data
