"""The recurrent layers on the way to a number: what each of them did, and how the number reads the last one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.insight.evaluating import finite, slope_of, value_of
from memorycell.insight.explained import Explained
from memorycell.insight.line import mean_gradient
from memorycell.insight.tracing import replaced_forward
from memorycell.kernels.reference import State
from memorycell.layers.base import Recurrent
from memorycell.layers.traces import Trace

_TOLERANCE = 2e-5  # of the read-out's integral, as a share of the number or of 1
_POINTS = 4096  # of that integral, at most


@dataclass(frozen=True, eq=False)
class Call:
    """One run of a recurrent layer over one sequence, which the network may hold in several rows (R).

    Attributes
    ----------
    layer : Recurrent
    x : Tensor
        (R, T, I): what it read.
    state : tuple of Tensor
        (L·D, R, ·): h, of an LSTM h and c, before the first step.
    trace : Trace
    output : Tensor
        (R, T, D·P).
    before : int or None
        Which call's final state this one starts from: its rows, each repeated.
    below : int or None
        Which call's output its input begins with.
    """

    layer: Recurrent
    x: Tensor
    state: State
    trace: Trace
    output: Tensor
    before: int | None
    below: int | None

    def gates(self, name: str, layer: int, direction: int) -> Tensor:
        """A gate or state, float64 (R, T, ·) in the order in which the steps were read."""
        values = self.trace[name][layer, direction].detach().double().cpu()
        return values.flip(1) if direction else values

    def read(self, layer: int, direction: int) -> Tensor:
        """What one of its layers read, float64 (R, T, ·), in the order of reading."""
        if layer:
            below = [self.trace["hidden"][layer - 1, d] for d in range(self.layer.directions)]
            x = torch.cat(below, dim=-1).double().cpu()
        else:
            x = self.x.double().cpu()
        return x.flip(1) if direction else x

    def initial(self, layer: int, direction: int) -> State:
        """The state that one of its layers starts from, float64 (R, ·)."""
        return tuple(part[layer * self.layer.directions + direction].double().cpu() for part in self.state)


@dataclass(frozen=True, eq=False)
class ReadOut:
    """How a number y reads the output h of the last layer: ``y = at_zero + Σ weights · h``, but for the error.

    Attributes
    ----------
    calls : list of Call
        In the order in which they ran; the last one is the top.
    weights : Tensor
        float64 (R, T, D·P): the mean gradient of y along α h, α from 0 to 1.
    value, at_zero : float
        y, and y for h = 0, all else as it was.
    past : float
        What of `at_zero` is read of the sequence in other ways than as h: final cells, layers below, values; 0 if none
        is. What reads values and has a name in `Explained.parts` and `constants` is not in it.
    """

    calls: list[Call]
    weights: Tensor
    value: float
    at_zero: float
    past: float

    def chain(self) -> list[int]:
        """The calls whose states run into the last one, and it: encoder and decoder."""
        chain = [len(self.calls) - 1]
        while (before := self.calls[chain[0]].before) is not None:
            chain.insert(0, before)
        return chain


def read_out(explained: Explained) -> ReadOut:
    """Run the network once, then take its read-out apart.

    The weights are the integrated gradient (Sundararajan, Taly & Yan 2017) of the number by the output of the last
    layer, from zero: exact where the read-out is linear, and taken the closer where it bends (`mean_gradient`).

    Raises
    ------
    ValueError
        For a sequence of which the last layer reads only a part, or a number that is not finite or has no gradient.
    """
    value, calls = value_of(explained), _recorded(explained)
    allowed = _TOLERANCE * max(1.0, abs(value))
    at_zero = float(_numbers(explained, calls, torch.zeros(1, dtype=torch.float32), False)[0][0])
    alone = float(
        _numbers(explained, calls, torch.zeros(1, dtype=torch.float32), False, _Held(explained.values, 0.0))[0][0]
    )
    past = at_zero - alone
    if not explained.parts and not explained.constants:
        empty = _numbers(explained, calls, torch.zeros(1, dtype=torch.float32), False, _Held(explained.baseline, 0.0))[
            0
        ]
        past = at_zero - float(empty[0])
    weights, _ = mean_gradient(
        lambda places, gradient: _numbers(explained, calls, places, gradient),
        calls[-1].output.double().cpu(),
        allowed,
        len(explained),
        _POINTS,
    )
    return ReadOut(calls, weights, value, at_zero, past if abs(past) > allowed else 0.0)


def spread(explained: Explained, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of the steps of the layers as scores of the rows of `values`: those of a stretch share its score.

    Raises
    ------
    ValueError
        If the layers read another number of steps than there are.
    """
    rows = explained.rows_of_step or (1,) * len(explained)
    before = len(explained) - sum(rows)  # rows that no stretch takes: the oldest
    if len(rows) != len(scores) or before < 0:
        raise ValueError(
            f"expected recurrent layers that read {len(rows)} steps, got layers that read {len(scores)}: "
            "rows_of_step tells how many rows of the values a step of theirs takes"
        )
    return np.concatenate([np.zeros(before), np.repeat(scores / np.maximum(rows, 1), rows)])


def _recorded(explained: Explained) -> list[Call]:
    """What the layers of the trunk did, call by call."""
    calls: list[Call] = []
    finals: list[State] = []

    def recorder(layer: Recurrent) -> Callable[..., Any]:
        def forward(
            x: Tensor, state: Any = None, *, lengths: Any = None, embedding: Any = None, hx: Any = None
        ) -> tuple[Tensor, Any]:
            if embedding is not None or not isinstance(x, Tensor) or x.ndim != 3:
                raise ValueError("expected layers that are given values (batch, time, features) to explain, got others")
            state = hx if state is None else state
            trace = layer.trace(x, state, lengths)
            given: Any = trace.output
            x, output = (x, given) if layer.batch_first else (x.transpose(0, 1), given.transpose(0, 1))
            if lengths is not None and int(torch.as_tensor(lengths).min()) < x.shape[1]:
                raise ValueError(f"expected one sequence that is read to its end, {x.shape[1]} steps, got {lengths}")
            start, below = _parts(layer, state, x), _below(x, calls)
            source = None if state is None else _source(start, finals, below is not None)
            calls.append(Call(layer, x.detach(), start, trace, output, source, below))
            finals.append(trace.state if isinstance(trace.state, tuple) else (trace.state,))
            return given, trace.state

        return forward

    with torch.no_grad(), replaced_forward({layer: recorder(layer) for layer in explained.trunk}):
        explained.function(explained.values.unsqueeze(0))
    if not calls:
        raise ValueError("expected a trunk of recurrent layers that the function runs, got none that ran")
    return calls


def _parts(layer: Recurrent, state: Any, x: Tensor) -> State:
    if state is None:
        return tuple(x.new_zeros(layer.cells, len(x), width) for width in layer.state_widths())
    return tuple(state) if isinstance(state, tuple) else (state,)


def _source(state: State, finals: Sequence[State], stacked: bool) -> int | None:
    """Whose final state, with each row repeated, a state that a layer was given is; None: nobody's.

    The tensors themselves tell; of copies their values, which tell nothing where they are zeros: a layer that reads no
    other one's output (is not `stacked`) then starts from the final state of the last that it could.
    """
    newest = list(reversed(range(len(finals))))
    for number in newest:
        if len(finals[number]) == len(state) and all(map(_same, state, finals[number])):
            return number
    telling = any(part.any() for part in state)
    for number in newest if telling or not stacked else ():
        final = finals[number]
        times, odd = divmod(state[0].shape[1], final[0].shape[1])
        if (
            len(final) == len(state)
            and not odd
            and all(
                part.shape[::2] == other.shape[::2] and torch.equal(part, other.repeat_interleave(times, dim=1))
                for part, other in zip(state, final, strict=True)
            )
        ):
            return number
    return None


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether both are the same place in memory."""
    return one.data_ptr() == other.data_ptr() and one.shape == other.shape and one.stride() == other.stride()


def _below(x: Tensor, calls: Sequence[Call]) -> int | None:
    """Whose output the features of x begin with: the tensor itself, or a copy of its values."""
    newest = list(reversed(range(len(calls))))
    for number in newest:
        if _same(x, calls[number].output):
            return number
    for number in newest:
        output = calls[number].output
        if x.shape[:2] == output.shape[:2] and torch.equal(x[..., : output.shape[2]], output):
            return number
    return None


class _Held(NamedTuple):
    """What the function reads beside the last layer's output: values (T, F), and how much of all other states."""

    values: Tensor
    states: float = 1.0


def _numbers(
    explained: Explained, calls: list[Call], places: Tensor, want_gradient: bool, held: _Held | None = None
) -> tuple[Tensor, Tensor]:
    """The number (N,) where the last layer's output is `places` (N,) times what it was; its gradient (N, R, T, D·P).

    The layers do not run again: what they said is said again, N times.
    """
    count, top, held = len(places), calls[-1].output, held or _Held(explained.values)
    scaled = (places.to(top).view(-1, 1, 1, 1) * top).flatten(0, 1).requires_grad_(want_gradient)
    variants = held.values.detach().expand(count, -1, -1).requires_grad_(want_gradient)
    with torch.set_grad_enabled(want_gradient), replaced_forward(_players(calls, count, scaled, held.states)):
        numbers = explained.function(variants)
    found = finite(explained, numbers, "with less in the last layer's memory")
    if not want_gradient:
        return found, torch.zeros(count, *top.shape, dtype=torch.float64)
    return found, slope_of(explained, numbers, scaled).view(count, *top.shape)


def _players(calls: list[Call], count: int, scaled: Tensor, share: float) -> dict[Recurrent, Callable[..., Any]]:
    """What says again, `count` times, what the layers said: of the last call `scaled`, of all else a share of it."""
    left: dict[Recurrent, list[int]] = {}
    for number, call in enumerate(calls):
        left.setdefault(call.layer, []).append(number)

    def player(layer: Recurrent) -> Callable[..., Any]:
        def forward(x: Tensor, state: Any = None, **_: Any) -> tuple[Tensor, Any]:
            number = left[layer].pop(0)
            last = number == len(calls) - 1
            output = scaled if last else share * calls[number].output.repeat(count, 1, 1)
            final = calls[number].trace.state
            parts = [share * part.repeat(1, count, 1) for part in (final if isinstance(final, tuple) else (final,))]
            for held in (*parts, *(() if last else (output,))):  # what reads these alone has a gradient, too
                held.requires_grad_(scaled.requires_grad)
            if last:
                parts[0] = _ends(layer, output, parts[0])
            return output if layer.batch_first else output.transpose(0, 1), (
                tuple(parts) if isinstance(final, tuple) else parts[0]
            )

        return forward

    return {layer: player(layer) for layer in left}


def _ends(layer: Recurrent, output: Tensor, final: Tensor) -> Tensor:
    """The final h with the last layer's taken from its output, for read-outs that look there."""
    width = output.shape[2] // layer.directions
    ends = [output[:, -1, :width], output[:, 0, width:]][: layer.directions]
    return torch.cat([final[: -layer.directions], torch.stack(ends)])
