"""Torch's own recurrent operators, where they compute what the reference does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import _VF, Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from memorycell.kernels.reference import State

# Operators over whole sequences and over one step, by mode. Torch ships no types for them.
SEQUENCE: dict[str, Callable[..., Any]] = {
    "LSTM": _VF.lstm,
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
