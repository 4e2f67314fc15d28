"""What a caller gave to a recurrent layer, checked and brought to one form; and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from memorycell.kernels import onlookers, torch_ops
from memorycell.kernels.reference import State
from memorycell.layers.stack import Stack
from memorycell.layers.tokens import check_ids, look_up

Lengths = Tensor | Sequence[int] | None


@dataclass(slots=True)
class Given:
    """Sequences, time first, and the state before them, rows in the caller's order."""

    x: Tensor  # (T, B, I); of a PackedSequence its data; with tokens (vocabulary, I)
    tokens: Tensor | None  # (T, B), or packed: the row of x that a step takes
    packed: PackedSequence | None
    lengths: Tensor | None  # int64 (B,) on the CPU; None: all rows have T steps
    state: State | None  # h (L·D, B, P), of an LSTM also c (L·D, B, H); None: zeros
    widths: tuple[int, ...]  # P, or P and H
    cells: int  # L·D
    steps: int
    batch: int
    unbatched: bool
    batch_first: bool

    def initial(self) -> State:
        """The state, zeros if none was given."""
        if self.state is not None:
            return self.state
        return tuple(self.x.new_zeros(self.cells, self.batch, width) for width in self.widths)

    def ragged(self) -> list[Tensor]:
        """Rows that have a step t (T,), and where the rows, sorted by falling length, stand; empty: all have all.

        int64 on the CPU. The second is missing where rows are sorted as they come.
        """
        if self.packed is not None:
            order = self.packed.sorted_indices
            return [each.cpu().contiguous() for each in (self.packed.batch_sizes, order) if each is not None]
        if self.lengths is None:
            return []
        ended = torch.bincount(self.lengths, minlength=self.steps + 1).cumsum(0)[: self.steps]
        return [self.batch - ended, self.lengths.argsort(descending=True, stable=True)]

    def looked_up(self) -> Given:
        """The same with a row of x for every step, for those who know no tokens."""
        if self.tokens is None:
            return self
        x = F.embedding(self.tokens, self.x)
        return replace(self, x=x, tokens=None, packed=None if self.packed is None else self.packed._replace(data=x))

    def padded(self) -> Tensor:
        """x of shape (T, B, I), whatever was given."""
        return self.x if self.packed is None else pad_packed_sequence(self.packed)[0]

    def give_back(self, output: Tensor) -> Tensor | PackedSequence:
        """An output (T, B, F) in the form of the input."""
        if self.packed is not None:
            return torch_ops.repack(output, self.packed)
        if self.unbatched:
            return output.squeeze(1)
        return output.transpose(0, 1) if self.batch_first else output

    def give_back_state(self, state: State) -> Any:
        """The state as torch returns it: (h, c) or h, without a batch if none was given."""
        if self.unbatched:
            state = tuple(part.squeeze(1) for part in state)
        return state if len(state) == 2 else state[0]


def read(layer: Stack, x: Any, state: Any, lengths: Any, embedding: Any = None) -> Given:
    """Check x, state and lengths against `layer` and bring them to one form; with `embedding`, x holds token ids.

    Raises TypeError or ValueError with what was expected, what came and what to do.
    """
    kind = layer.state_widths(), layer.cells
    if isinstance(x, PackedSequence):
        if lengths is not None:
            raise ValueError("expected no lengths beside a PackedSequence, which has its own, got both")
        _check_batch_sizes(x)
        values, tokens = _read_values(layer, x.data, ("Σ lengths",), embedding)
        steps, batch = len(x.batch_sizes), int(x.batch_sizes[0])
        initial = _read_state(layer, state, batch, values)
        return Given(values, tokens, x, torch_ops.lengths_of(x), initial, *kind, steps, batch, False, layer.batch_first)
    if not isinstance(x, Tensor):
        raise TypeError(f"expected x to be a Tensor or a PackedSequence, got {type(x).__name__}")
    unbatched = x.ndim == (2 if embedding is None else 1)
    axes = ("time",) if unbatched else ("batch", "time") if layer.batch_first else ("time", "batch")
    if unbatched and lengths is not None:
        raise ValueError(f"expected a batch with lengths, got one sequence of shape {tuple(x.shape)}")
    _check_rank(layer, x, axes, embedding)
    steps = x.shape[axes.index("time")]
    batch = 1 if unbatched else x.shape[axes.index("batch")]
    if lengths is None and not steps:
        raise ValueError(
            f"expected at least one step, got x of shape {tuple(x.shape)} ({', '.join(axes)}, …): "
            "pass lengths= if rows may be empty"
        )
    ends = None if lengths is None else read_lengths(lengths, batch, steps)
    if embedding is not None and ends is not None:
        x = _without_padding(x, ends, layer.batch_first)
    values, tokens = _read_values(layer, x, axes, embedding)
    initial = _read_state(layer, state, None if unbatched else batch, values)

    def time_first(tensor: Tensor) -> Tensor:
        return tensor.unsqueeze(1) if unbatched else tensor.transpose(0, 1) if layer.batch_first else tensor

    if tokens is None:
        values = time_first(values)
    else:
        tokens = time_first(tokens)
    return Given(values, tokens, None, ends, initial, *kind, steps, batch, unbatched, layer.batch_first)


def _without_padding(ids: Tensor, ends: Tensor, batch_first: bool) -> Tensor:
    """Token ids with whatever stands beyond a row's length set to 0: nobody has said that those are ids."""
    beyond = torch.arange(ids.shape[1 if batch_first else 0]).unsqueeze(0) >= ends.unsqueeze(1)
    return ids.masked_fill((beyond if batch_first else beyond.T).to(ids.device), 0)


def _read_values(layer: Stack, x: Tensor, axes: tuple[str, ...], embedding: Any) -> tuple[Tensor, Tensor | None]:
    """x itself; or with an embedding the rows that the ids x take, and which of them."""
    _check_rank(layer, x, axes, embedding)
    if embedding is None:
        check_dtype(x, layer.weight_ih_l0, type(layer).__name__)
        return x, None
    check_ids(layer, x, embedding)
    rows, tokens = look_up(x, embedding)
    check_dtype(rows, layer.weight_ih_l0, type(layer).__name__)
    return rows, tokens


def _check_rank(layer: Stack, x: Tensor, axes: tuple[str, ...], embedding: Any) -> None:
    name = type(layer).__name__
    if embedding is not None:
        if x.ndim != len(axes):
            raise ValueError(f"expected token ids of shape ({', '.join(axes)}), got {tuple(x.shape)}")
    elif x.ndim != len(axes) + 1 or x.shape[-1] != layer.input_size:
        raise ValueError(
            f"expected x of shape ({', '.join(axes)}, {layer.input_size}), got {tuple(x.shape)}: "
            f"this {name} was built with input_size={layer.input_size}"
        )


def _check_batch_sizes(x: PackedSequence) -> None:
    sizes, rows = x.batch_sizes, x.data.shape[0]
    for name, tensor in zip(("batch_sizes", "sorted_indices", "unsorted_indices"), x[1:], strict=True):
        if tensor is not None and (tensor.dtype is not torch.int64 or tensor.ndim != 1):
            raise TypeError(f"expected {name} as one row of int64, got {tuple(tensor.shape)} of {tensor.dtype}")
    if not len(sizes):
        raise ValueError("expected a PackedSequence of at least one step, got one without any")
    if int(sizes.sum()) != rows or bool((sizes < 1).any()) or bool((sizes[1:] > sizes[:-1]).any()):
        raise ValueError(
            f"expected batch_sizes that never rise and add up to the {rows} rows of the PackedSequence, "
            f"got {sizes.tolist()}: build it with torch.nn.utils.rnn.pack_sequence"
        )
    order, back = x.sorted_indices, x.unsorted_indices
    if order is not None and not _undoes(order.argsort() if back is None else back, order, int(sizes[0])):
        raise ValueError(
            f"expected sorted_indices to hold each of the {int(sizes[0])} rows once, and unsorted_indices the way "
            f"back, got {order.tolist()} and {back if back is None else back.tolist()}: build the PackedSequence with "
            "torch.nn.utils.rnn.pack_sequence"
        )


def _undoes(back: Tensor, order: Tensor, rows: int) -> bool:
    """Whether `back` takes each of the rows from where `order` has put it."""
    if not len(order) == len(back) == rows:
        return False
    try:
        return torch.equal(back[order], torch.arange(rows, device=order.device))
    except IndexError:
        return False


def check_dtype(x: Tensor, weight: Any, name: str) -> None:
    """Raise unless x can meet the weights: same device, same dtype (or autocast)."""
    if x.device != weight.device:
        raise ValueError(f"expected x on {weight.device} like the weights of this {name}, got {x.device}: move one")
    if x.dtype is not weight.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ValueError(
            f"expected x of {weight.dtype} like the weights of this {name}, got {x.dtype}: "
            f"convert x with x.to({weight.dtype}) or the layer with .to({x.dtype})"
        )


def read_lengths(lengths: Any, batch: int, steps: int) -> Tensor | None:
    """Lengths as int64 (batch,) on the CPU, None if all rows have all steps; raise TypeError or ValueError."""
    if onlookers.traced():
        raise ValueError(
            "expected no lengths while torch.jit.trace records, which would keep these for good, got some: "
            "use torch.export, or trace a call on a PackedSequence"
        )
    try:
        ends = torch.as_tensor(lengths).detach().cpu()
    except RuntimeError:
        raise TypeError(f"expected lengths to be integers, got {lengths!r:.80}") from None
    if ends.numel() == 0 and not isinstance(lengths, Tensor):
        ends = ends.to(torch.int64)  # torch makes floats of an empty list
    if ends.dtype in (torch.bool, torch.complex64) or ends.is_floating_point():
        raise TypeError(f"expected lengths to be integers, got {ends.dtype}")
    ends = ends.to(torch.int64)
    if ends.shape != (batch,):
        raise ValueError(f"expected lengths of shape ({batch},), one for each row of x, got {tuple(ends.shape)}")
    wrong = ((ends < 0) | (ends > steps)).nonzero()
    if wrong.numel():
        row = int(wrong[0])
        raise ValueError(f"expected lengths from 0 to {steps}, the steps of x, got {int(ends[row])} in row {row}")
    return None if steps and bool((ends == steps).all()) else ends


def _read_state(layer: Stack, state: Any, batch: int | None, x: Tensor) -> State | None:
    """The state as a tuple of (L·D, B, ·), None if there is none; batch None: x is one sequence."""
    if state is None:
        return None
    rows, widths = layer.cells, layer.state_widths()
    names = ("h", "c")[: len(widths)]
    parts = check_parts(state, names, type(layer).__name__)
    for name, part, width in zip(names, parts, widths, strict=True):
        expected = (rows, width) if batch is None else (rows, batch, width)
        if part.shape != expected:
            axes = "layers × directions" + ("" if batch is None else ", batch") + ", units"
            raise ValueError(
                f"expected state {name} of shape {expected} ({axes}), got {tuple(part.shape)}: "
                f"this {type(layer).__name__} has num_layers={layer.num_layers}, "
                f"bidirectional={layer.bidirectional}"
            )
        check_state_dtype(name, part, x)
    return tuple(part.unsqueeze(1) for part in parts) if batch is None else parts


def check_state_dtype(name: str, part: Tensor, x: Tensor) -> None:
    """Raise unless part `name` of the state has x's device and dtype (or autocast makes them the same)."""
    if part.device != x.device:
        raise ValueError(f"expected state {name} on {x.device} like x, got {part.device}: move one")
    if part.dtype is not x.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ValueError(f"expected state {name} of {x.dtype} like x, got {part.dtype}: convert one")


def check_parts(state: Any, names: Sequence[str], layer: str) -> State:
    """The state as a tuple: (h, c) as it is, h alone as (h,)."""
    if len(names) == 1:
        if not isinstance(state, Tensor):
            raise TypeError(f"expected the state of this {layer} to be a Tensor h, got {_described(state)}")
        return (state,)
    pair = isinstance(state, (tuple, list)) and len(state) == 2
    if not pair or not all(isinstance(part, Tensor) for part in state):
        raise TypeError(f"expected the state of this {layer} to be Tensors (h, c), got {_described(state)}")
    return tuple(state)


def _described(state: Any) -> str:
    kind = type(state).__name__
    return f"a {kind} of {len(state)}" if isinstance(state, (tuple, list)) else kind
