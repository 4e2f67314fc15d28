"""What survives: how much of an output comes from what each step wrote into the last recurrent layer of a chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from memorycell.insight.linear import deviation, double_weights, product
from memorycell.insight.trunk import Call
from memorycell.kernels.reference import Norm

_BLOCK = 2**20  # numbers that one stretch of the past holds at once
_GONE = 1e-12  # what survives of a memory that counts as forgotten
_GROWN = 10.0  # times that a state may count for more than all that is read of what follows


class Shares(NamedTuple):
    """What the steps of a chain of calls add, the state before them, and the layer's own biases."""

    steps: list[Tensor]  # of each call (T,), in the order of reading
    initial: float
    bias: float
    cut: bool = False  # whether some of the far past was left out


def shares(chain: list[Call], direction: int, weights: Tensor) -> Shares:
    """What the steps of a chain add in one direction; `weights` (R, T, D·P) read the output of its last call."""
    top = chain[-1]
    width = weights.shape[2] // top.layer.directions
    weights = weights[..., direction * width : (direction + 1) * width]
    weights = weights.flip(1) if direction else weights
    rows = torch.nonzero(weights.flatten(1).any(1)).flatten()
    if not len(rows):  # nothing of this direction is read
        return Shares([torch.zeros(call.output.shape[1], dtype=torch.float64) for call in chain], 0.0, 0.0)
    reads = [torch.zeros(len(rows), call.output.shape[1], width, dtype=torch.float64) for call in chain[:-1]]
    cells = [_Part(call, direction, rows * len(call.x) // len(top.x)) for call in chain]
    kind: Callable[..., Shares] = {"LSTM": _lstm, "GRU": _gru}.get(top.layer.mode, _rnn)
    return kind(cells, [*reads, weights[rows]])


class _Part:
    """One call of a chain: its last layer in one direction, the rows that matter, in the order of reading."""

    def __init__(self, call: Call, direction: int, rows: Tensor) -> None:
        layer = call.layer
        self._call, self._where, self._rows = call, (layer.num_layers - 1, direction), rows
        self.weights = double_weights(layer)[(layer.num_layers - 1) * layer.directions + direction]
        self.zone_c, self.zone_h = layer.zone
        self.relu = layer.mode == "RNN_RELU"
        self.initial = [part[rows] for part in call.initial(*self._where)]

    def gates(self, name: str) -> Tensor:
        return self._call.gates(name, *self._where)[self._rows]

    def read(self) -> Tensor:
        return self._call.read(*self._where)[self._rows]


def _carried(reads: Tensor, keep: Tensor, carry: Tensor) -> tuple[Tensor, Tensor]:
    """How much each state counts that is kept by factors: w_t = read_t + keep_{t+1} w_{t+1}; and the state before them.

    reads and keep (R, T, H); carry (R, H): how much the last state counts for what follows.
    """
    counts = torch.empty_like(reads)
    for t in reversed(range(reads.shape[1])):
        counts[:, t] = reads[:, t] + carry
        carry = counts[:, t] * keep[:, t]
    return counts, carry


def _gru(chain: list[_Part], reads: list[Tensor]) -> Shares:
    """h_t = (1 - z) n + z h_{t-1} is linear in what was written: no step is hidden in another."""
    carry = torch.zeros_like(reads[-1][:, 0])
    steps: list[Tensor] = []
    for part, read in zip(reversed(chain), reversed(reads), strict=True):
        update, zone = part.gates("update"), part.zone_h
        counts, carry = _carried(read, zone + (1 - zone) * update, carry)
        steps.insert(0, (counts * (1 - zone) * (1 - update) * part.gates("new")).sum((0, 2)))
    return Shares(steps, float((carry * chain[0].initial[0]).sum()), 0.0)


def _rnn(chain: list[_Part], reads: list[Tensor]) -> Shares:
    """h_t = s_t (W_ih x + W_hh h_{t-1} + b), with the secant s_t = φ(a) / a of what a was.

    Without gates nothing keeps the products of W_hh and secants from growing without bound, the further back the more;
    where they have, the past is cut off.
    """
    carry, bias = torch.zeros_like(reads[-1][:, 0]), 0.0
    steps: list[Tensor] = []
    cut, limit = False, _GROWN * reads[-1].abs().sum(1, keepdim=True).amax((1, 2))
    for part, read in zip(reversed(chain), reversed(reads), strict=True):
        w, zone, x = part.weights, part.zone_h, part.read()
        hidden = torch.cat([part.initial[0].unsqueeze(1), part.gates("hidden")], dim=1)[:, :-1]
        from_x = product(x, w.w_ih, w.norm_ih)
        from_h = product(hidden, w.w_hh, w.norm_hh)
        constant = sum(b for b in (w.b_ih, w.b_hh, *(n.bias for n in (w.norm_ih, w.norm_hh) if n)) if b is not None)
        total = from_x + from_h + constant
        secant = (total > 0).double() if part.relu else torch.where(total == 0, 1.0, total.tanh() / total)
        secant = (1 - zone) * secant
        back = _transposed(hidden, w.w_hh, w.norm_hh)
        score = torch.empty(read.shape[1], dtype=torch.float64)
        for t in reversed(range(read.shape[1])):
            counts = read[:, t] + carry
            slope = counts * secant[:, t]
            score[t] = (slope * from_x[:, t]).sum()
            bias += float((slope * constant).sum())
            carry = zone * counts + back(slope, t)
            grown = carry.abs().amax(1) > limit
            if grown.any():
                carry, cut = carry.masked_fill(grown.unsqueeze(1), 0.0), True
        steps.insert(0, score)
    return Shares(steps, float((carry * chain[0].initial[0]).sum()), bias, cut)


def _transposed(hidden: Tensor, weight: Tensor, norm: Norm | None) -> Callable[[Tensor, int], Tensor]:
    """`product` turned round: from how much it counts at step t, (R, H), to how much what it is taken of counts."""
    if norm is None:
        return lambda slope, t: slope @ weight
    divisor = deviation(hidden @ weight.T)

    def back(slope: Tensor, t: int) -> Tensor:
        scaled = slope * norm.gain / divisor[:, t]
        return (scaled - scaled.mean(-1, keepdim=True)) @ weight

    return back


def _lstm(chain: list[_Part], reads: list[Tensor]) -> Shares:
    """What counts of h is what o_t tanh(c_t) counts; the cells of the whole chain are one line of memory."""
    carry = torch.zeros_like(reads[-1][:, 0])
    counts: list[Tensor] = []
    for part, read in zip(reversed(chain), reversed(reads), strict=True):
        count = read
        if part.zone_h:
            count, carry = _carried(read, torch.full_like(read, part.zone_h), carry)
        w_hr = part.weights.w_hr
        counts.insert(0, (1 - part.zone_h) * (count if w_hr is None else count @ w_hr))
    initial = float((carry * chain[0].initial[0]).sum())
    memory = [_Memory.of(part, count) for part, count in zip(chain, counts, strict=True)]
    scores, bias = _survived(
        _Memory(*(torch.cat(each, dim=1) for each in zip(*memory, strict=True))), chain[0].initial[1]
    )
    steps = list(scores[1:].split([read.shape[1] for read in reads]))
    return Shares(steps, initial + float(scores[0]), bias)


class _Memory(NamedTuple):
    """A line of cells, each (R, T, H): h_t counts by Σ counts · tanh(gain (c - mean(c) · centre) + shift)."""

    counts: Tensor  # what tanh(c_t) counts
    forget: Tensor
    keep: Tensor  # what is kept of c_{t-1} in c_t; with zoneout it is not the forget gate alone
    written: Tensor  # c_t before it was zoned out
    cell: Tensor
    gain: Tensor
    shift: Tensor
    centre: Tensor  # (R, T, 1)

    @classmethod
    def of(cls, part: _Part, counts: Tensor) -> _Memory:
        forget, cell = part.gates("forget"), part.gates("cell")
        before = torch.cat([part.initial[1].unsqueeze(1), cell], dim=1)[:, :-1]
        written = forget * before + part.gates("input") * part.gates("candidate")
        norm, gain, shift = part.weights.norm_ch, torch.ones_like(cell), torch.zeros_like(cell)
        if norm is not None:
            gain, shift = norm.gain / deviation(written), norm.bias.expand_as(cell)
        keep = part.zone_c + (1 - part.zone_c) * forget
        centre = torch.full_like(cell[..., :1], float(norm is not None))
        return cls(counts * part.gates("output"), forget, keep, written, cell, gain, shift, centre)


def _survived(memory: _Memory, initial: Tensor) -> tuple[Tensor, float]:
    """What the initial state and each step add, (1 + T,), and what the norm's bias adds.

    For all places t that are read at once, from each back into the past, a stretch of it at a time, until nothing of
    what was written there is left: the work is the number of places times how far they look back.
    """
    cells = torch.cat([initial.unsqueeze(1), memory.cell], dim=1)
    read = torch.nonzero(memory.counts.abs().amax((0, 2))).flatten()
    counts, gain, shift, centre = (part[:, read].unsqueeze(2) for part in (memory.counts, *memory[5:]))

    def heard(cell: Tensor) -> Tensor:
        """What of the number comes from cells (R, N, K, H) at the places: (R, N, K)."""
        return (counts * torch.tanh(gain * (cell - centre * cell.mean(-1, keepdim=True)) + shift)).sum(-1)

    scores = torch.zeros(cells.shape[1], dtype=torch.float64)
    upto = heard(memory.written[:, read].unsqueeze(2))
    survives = memory.forget[:, read].unsqueeze(2)
    stretch = max(1, _BLOCK // max(1, survives.numel()))
    place = read.unsqueeze(1)  # of the state, among `cells`, that is looked at next
    empty = (counts * torch.tanh(shift)).sum(-1)
    while len(read) and int(place[-1, 0]) >= -1 and float(survives.max()) > _GONE:
        places = place - torch.arange(min(stretch, int(place[-1, 0]) + 2))
        kept = memory.keep[:, (places - 1).clamp(min=0)] * (places >= 1).unsqueeze(-1)
        survival = torch.cat([survives, survives * kept.cumprod(2)], dim=2)
        survives = survival[:, :, -1:]
        here = heard(survival[:, :, :-1] * cells[:, places.clamp(min=0)] * (places >= 0).unsqueeze(-1))
        added = torch.cat([upto, here], dim=2)
        scores.index_add_(0, (places + 1).clamp(min=0).flatten(), -added.diff(dim=2).sum(0).flatten())
        upto, place = here[:, :, -1:], places[:, -1:] - 1
    # Beyond it nothing is left: what is heard of it came with the step after.
    scores.index_add_(0, (place + 1).clamp(min=0).flatten(), (upto - empty).sum(0).flatten())
    return scores, float(empty.sum())
