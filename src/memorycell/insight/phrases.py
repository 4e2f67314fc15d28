"""Phrases: the share of every state that comes of some steps alone, through all recurrent layers on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from memorycell.insight.linear import double_weights, normalised
from memorycell.insight.trunk import Call, ReadOut
from memorycell.kernels.reference import Norm, State, Weights


def shares(read: ReadOut, phrases: Tensor) -> Tensor:
    """What phrases, bool (N, T), say by themselves of the number that `read` reads: (N,).

    Raises
    ------
    ValueError
        If the layers read another number of steps than T.
    """
    outputs: list[Tensor] = []
    finals: list[list[State]] = []
    for call in read.calls:
        before = call.before
        x = call.x.double().cpu()
        if before is None and call.below is None and outputs:
            raise ValueError(
                "expected recurrent layers of which each reads the output of the one below, got something between "
                "them that a phrase cannot be followed through: use 'decomposition' or 'occlusion'"
            )
        if before is None and phrases.shape[1] != x.shape[1]:
            raise ValueError(
                f"expected recurrent layers that read {phrases.shape[1]} steps, got layers that read {x.shape[1]}"
            )
        # A decoder reads nothing of the phrase: that reaches it by its initial state.
        own = x * phrases[:, None, :, None] if before is None else x.new_zeros(len(phrases), *x.shape)
        if call.below is not None:
            own[..., : outputs[call.below].shape[-1]] = outputs[call.below]
        if before is None:
            zeros = tuple(x.new_zeros(len(phrases), len(x), part.shape[-1]) for part in call.state)
            starts = [zeros] * call.layer.cells
        else:
            times = len(x) // len(read.calls[before].x)
            starts = [tuple(part.repeat_interleave(times, dim=1) for part in final) for final in finals[before]]
        output, final = _through(call, own, starts)
        outputs.append(output)
        finals.append(final)
    return (outputs[-1] * read.weights).flatten(1).sum(1)


def _through(call: Call, x: Tensor, starts: list[State]) -> tuple[Tensor, list[State]]:
    """From the phrases' shares of what a call reads and starts from to those of its output and its final states."""
    directions, weights, finals = call.layer.directions, double_weights(call.layer), []
    for layer in range(call.layer.num_layers):
        outputs = []
        for direction in range(directions):
            number = layer * directions + direction
            cell = _Cell(call, layer, direction, weights[number])
            output, final = cell.run(x.flip(2) if direction else x, starts[number])
            outputs.append(output.flip(2) if direction else output)
            finals.append(final)
        x = torch.cat(outputs, dim=-1)
    return x, finals


class _Part(NamedTuple):
    """What the phrase has of a number, and what biases have; the rest has the rest."""

    own: Tensor
    bias: Tensor | float

    def times(self, other: _Part) -> Tensor:
        """The phrase's share of a product: what holds nothing of the rest, and is not of biases alone."""
        return self.own * (other.own + other.bias) + self.bias * other.own

    def complement(self) -> _Part:
        """Of one less the number."""
        return _Part(-self.own, 1 - self.bias)


def _of(function: Callable[[Tensor], Tensor], own: Tensor, whole: Tensor, bias: Tensor) -> _Part:
    """function(whole), where own and the rest are added to the bias in either order, on the average.

    Murdoch, Liu & Yu 2018, sec. 3.2.2.
    """
    at_bias = function(bias)
    return _Part(0.5 * (function(own + bias) - at_bias + function(whole) - function(whole - own)), at_bias)


def _biases(bias: Tensor | None, norm: Norm | None, like: Tensor) -> Tensor:
    found = [part for part in (bias, None if norm is None else norm.bias) if part is not None]
    return sum(found, torch.zeros_like(like[:, 0]))


class _Cell:
    """One layer in one direction: what it did, and from that the phrases' share of each state."""

    def __init__(self, call: Call, layer: int, direction: int, weights: Weights) -> None:
        self.w, self.mode, self.cell, self.zone = weights, call.layer.mode, call.layer.cell, call.layer.zone
        hidden = call.layer.hidden_size
        self.groups = [2 * hidden, hidden] if self.mode == "GRU" else [self.cell.rows * hidden]
        names = ("hidden", "cell") if self.mode == "LSTM" else ("hidden",)
        self.gates = {name: call.gates(name, layer, direction) for name in call.trace if name not in names}
        # What each state was before every step.
        self.before = [
            torch.cat([first.unsqueeze(1), call.gates(name, layer, direction)], dim=1)[:, :-1]
            for name, first in zip(names, call.initial(layer, direction), strict=True)
        ]
        self.x_product = call.read(layer, direction) @ weights.w_ih.T
        self.h_product = self.before[0] @ weights.w_hh.T
        self.x_bias = _biases(weights.b_ih, weights.norm_ih, weights.w_ih)
        self.h_bias = _biases(weights.b_hh, weights.norm_hh, weights.w_hh)
        self.x_whole = self._normalised(self.x_product, self.x_product, weights.norm_ih) + self.x_bias
        self.h_whole = self._normalised(self.h_product, self.h_product, weights.norm_hh) + self.h_bias

    def run(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Shares of x (N, R, T, I) and of the state before the first step, to those of output and last state."""
        advance = {"LSTM": self._lstm, "GRU": self._gru}.get(self.mode, self._rnn)
        from_x = self._normalised(x @ self.w.w_ih.T, self.x_product, self.w.norm_ih)
        heard = x.ne(0).any(-1).any(0).any(0).tolist()
        silent = not any(part.any() for part in state)  # before the first of the phrases all shares are zero
        outputs = []
        for t in range(x.shape[2]):
            silent = silent and not heard[t]
            state = state if silent else advance(t, from_x[:, :, t], state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=2), state

    def _normalised(self, part: Tensor, whole: Tensor, norm: Norm | None) -> Tensor:
        return part if norm is None else normalised(part, whole, norm, self.groups)

    def _from_h(self, t: int, h: Tensor) -> Tensor:
        return self._normalised(h @ self.w.w_hh.T, self.h_product[:, t], self.w.norm_hh)

    def _zoned(self, new: Tensor, old: Tensor, zone: float) -> Tensor:
        return torch.lerp(new, old, zone) if zone else new

    def _lstm(self, t: int, from_x: Tensor, state: State) -> State:
        (h, c), w, rows = state, self.w, self.cell.rows
        before, gates = self.before[1][:, t], {name: gate[:, t] for name, gate in self.gates.items()}
        own = (from_x + self._from_h(t, h)).chunk(rows, -1)
        whole = (self.x_whole[:, t] + self.h_whole[:, t]).chunk(rows, -1)
        bias = (self.x_bias + self.h_bias).chunk(rows, -1)
        # Peepholes; o needs none, as it counts as given.
        peepholes = [0.0, 0.0] if w.w_ch is None else w.w_ch.chunk(2 if self.cell.coupled else 3)
        i = _of(torch.sigmoid, own[0] + peepholes[0] * c, whole[0] + peepholes[0] * before, bias[0])
        if self.cell.coupled:
            f = i.complement()
        else:
            f = _of(torch.sigmoid, own[1] + peepholes[1] * c, whole[1] + peepholes[1] * before, bias[1])
        g = _of(torch.tanh, own[-2], whole[-2], bias[-2])
        c_new = i.times(g) + f.times(_Part(c, 0.0))
        c_whole = gates["forget"] * before + gates["input"] * gates["candidate"]
        shift = torch.zeros_like(c_whole) if w.norm_ch is None else w.norm_ch.bias
        seen = [part if w.norm_ch is None else normalised(part, c_whole, w.norm_ch) for part in (c_new, c_whole)]
        h_new = gates["output"] * _of(torch.tanh, seen[0], seen[1] + shift, shift).own
        h_new = h_new if w.w_hr is None else h_new @ w.w_hr.T
        return self._zoned(h_new, h, self.zone[1]), self._zoned(c_new, c, self.zone[0])

    def _gru(self, t: int, from_x: Tensor, state: State) -> State:
        (h,), before = state, self.before[0][:, t]
        from_h = self._from_h(t, h)
        own, h_n = (from_x + from_h).chunk(3, -1), from_h.chunk(3, -1)[2]
        h_whole = self.h_whole[:, t].chunk(3, -1)[2]
        x_n, x_whole = from_x.chunk(3, -1)[2], self.x_whole[:, t].chunk(3, -1)[2]
        x_bias, h_bias = self.x_bias.chunk(3)[2], self.h_bias.chunk(3)[2]
        whole = (self.x_whole[:, t] + self.h_whole[:, t]).chunk(3, -1)
        bias = (self.x_bias + self.h_bias).chunk(3)
        r, z = (_of(torch.sigmoid, own[k], whole[k], bias[k]) for k in (0, 1))
        reset = self.gates["reset"][:, t]
        if self.cell.reset_after:
            inner = _of(
                torch.tanh, x_n + r.times(_Part(h_n, h_bias)), x_whole + reset * h_whole, x_bias + r.bias * h_bias
            )
        else:
            weight, norm = self.w.w_hh.chunk(3)[2], self.w.norm_hh
            norm = norm and Norm(norm.gain.chunk(3)[2], norm.bias.chunk(3)[2])
            parts = [part @ weight.T for part in (r.times(_Part(h, 0.0)), reset * before)]
            parts = parts if norm is None else [normalised(part, parts[1], norm) for part in parts]
            inner = _of(torch.tanh, x_n + parts[0], x_whole + parts[1] + h_bias, x_bias + h_bias)
        h_new = z.complement().times(inner) + z.times(_Part(h, 0.0))
        return (self._zoned(h_new, h, self.zone[1]),)

    def _rnn(self, t: int, from_x: Tensor, state: State) -> State:
        (h,) = state
        function = torch.relu if self.mode == "RNN_RELU" else torch.tanh
        whole = self.x_whole[:, t] + self.h_whole[:, t]
        h_new = _of(function, from_x + self._from_h(t, h), whole, self.x_bias + self.h_bias).own
        return (self._zoned(h_new, h, self.zone[1]),)
