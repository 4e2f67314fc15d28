"""From a network to what its cells did: every layer and direction on the way to a number, taken apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.insight.explained import Explained
from memorycell.insight.tracing import replaced_forward
from memorycell.kernels.reference import Cell, Weights, project
from memorycell.layers.base import Recurrent
from memorycell.pages.explaining.cell import LETTERS, CellRun


@dataclass(frozen=True, eq=False)
class _Call:
    layer: Recurrent
    x: Tensor  # (T, I)
    state: Any
    trace: Any
    gradient: Tensor | None  # of the output, (T, D·P)


def runs_of(explained: Explained) -> list[CellRun]:
    """Every layer and direction on the way to the number explained, from the input up."""
    return cell_runs(explained.function, explained.trunk, explained.values)


def cell_runs(function: Callable[[Tensor], Tensor], trunk: Sequence[Recurrent], values: Tensor) -> list[CellRun]:
    """Run the layers of `trunk` through ``function(values[None])`` and take apart what each of them did.

    Parameters
    ----------
    function : from values (B, T, F) to numbers (B,), differentiable
    trunk : the layers that it calls
    values : (T, F)
    """
    calls = _calls(function, trunk, values)
    several = sum(call.layer.num_layers for call in calls if len(call.x) == len(calls[0].x)) > 1
    runs, number = [], 0
    for call in calls:
        for layer in range(call.layer.num_layers):
            number += 1
            for direction in range(call.layer.directions):
                ahead = len(call.x) != len(calls[0].x)  # a decoder's steps are others than those that were read
                parts = ["the steps ahead"] if ahead else [f"layer {number}"] if several else []
                parts += [("forwards", "backwards")[direction]] if call.layer.bidirectional else []
                runs.append(_run(call, layer, direction, ", ".join(parts) or "the layer"))
    return runs


def _calls(function: Callable[[Tensor], Tensor], trunk: Sequence[Recurrent], values: Tensor) -> list[_Call]:
    """What each layer was given, what it did, and the gradient of the number by its output."""
    given: list[tuple[Recurrent, Tensor, Any, Tensor]] = []

    def record(layer: Recurrent) -> Callable[..., Any]:
        forward = layer.forward

        def recorded(x: Any, state: Any = None, *, lengths: Any = None, embedding: Any = None, hx: Any = None) -> Any:
            state = hx if state is None else state
            output, final = forward(x, state, lengths=lengths, embedding=embedding)
            given.append((layer, x, state, output))
            return output, final

        return recorded

    with torch.enable_grad(), replaced_forward({layer: record(layer) for layer in trunk}):
        number = function(values[None].detach().clone().requires_grad_()).sum()
    outputs = [output for *_, output in given]
    if number.requires_grad:
        gradients: Sequence[Tensor | None] = torch.autograd.grad(number, outputs, allow_unused=True)
    else:
        gradients = [None] * len(outputs)
    calls = []
    with torch.no_grad():
        for (layer, x, state, _), gradient in zip(given, gradients, strict=True):
            trace = layer.trace(x.detach(), _detached(state))
            time = 1 if layer.batch_first else 0
            first = None if gradient is None else gradient.select(1 - time, 0)
            calls.append(_Call(layer, x.detach().select(1 - time, 0), _detached(state), trace, first))
    return calls


def _detached(state: Any) -> Any:
    if isinstance(state, tuple):
        return tuple(part.detach() for part in state)
    return None if state is None else state.detach()


@torch.no_grad()
def _run(call: _Call, layer: int, direction: int, name: str) -> CellRun:
    module, trace = call.layer, call.trace
    number = layer * module.directions + direction
    w, cell = module.weights()[number], module.cell
    gates = {key: value[layer, direction, 0].detach() for key, value in trace.items()}
    hidden = gates["hidden"]
    x = call.x if layer == 0 else torch.cat(list(trace["hidden"][layer - 1, :, 0].detach()), -1)
    initial = call.state if call.state is None or isinstance(call.state, tuple) else (call.state,)
    zeros = [hidden.new_zeros(width) for width in module.state_widths()]
    before = zeros if initial is None else [part[number, 0] for part in initial]
    previous = _shifted(hidden, before[0], direction == 1)
    parts = _pre_activations(cell, x, previous, w, gates)
    constants = _biases(cell, w, module.hidden_size) | {"h0": before[0]}
    projected = bool(module.proj_size)
    if cell.mode == "LSTM":
        parts["c"] = gates["cell"]
        constants["c0"] = before[1]
        if w.norm_ch is not None:
            written = (
                gates["forget"] * _shifted(parts["c"], before[1], direction == 1) + gates["input"] * gates["candidate"]
            )
            parts["cl"] = torch.nn.functional.layer_norm(written, written.shape[-1:], *w.norm_ch)
    if projected:
        shown = torch.tanh(parts.get("cl", parts["c"])) * gates["output"]
        parts["h"], constants["h0"] = shown, shown.new_zeros(shown.shape[-1])
    else:
        parts["h"] = hidden
    return CellRun(
        name,
        cell,
        direction == 1,
        {key: value.float().cpu().numpy() for key, value in parts.items()},
        {key: value.float().cpu().numpy() for key, value in constants.items()},
        module.zone,
        projected,
        w.norm_ih is not None,
        _importance(call, layer, direction, parts),
    )


def _shifted(hidden: Tensor, initial: Tensor, backwards: bool) -> Tensor:
    """h_{t-1} of every step."""
    if backwards:
        return torch.cat([hidden[1:], initial[None]])
    return torch.cat([initial[None], hidden[:-1]])


def _pre_activations(
    cell: Cell, x: Tensor, previous: Tensor, w: Weights, gates: dict[str, Tensor]
) -> dict[str, Tensor]:
    """What input and memory each add to the pre-activation of each gate, without biases: (T, H) each."""
    letters = "igo" if cell.coupled else LETTERS[cell.mode]
    # The same product, or the same normalised product, reads x and h.
    of_memory = w._replace(w_ih=w.w_hh, b_ih=None, norm_ih=w.norm_hh)
    given = project(x, w._replace(b_ih=None), cell).chunk(len(letters), -1)
    kept = list(project(previous, of_memory, cell).chunk(len(letters), -1))
    if cell.mode == "GRU" and not cell.reset_after:
        kept[2] = project(gates["reset"] * previous, of_memory, cell).chunk(3, -1)[2]
    parts = {}
    for letter, of_x, of_h in zip(letters, given, kept, strict=True):
        parts[letter + "x"], parts[letter + "h"] = of_x, of_h
    return parts


def _biases(cell: Cell, w: Weights, hidden: int) -> dict[str, Tensor]:
    letters = "igo" if cell.coupled else LETTERS[cell.mode]
    none = w.w_ih.new_zeros(len(letters) * hidden)
    b_ih, b_hh = (none if b is None else b for b in (w.b_ih, w.b_hh))
    constants = {f"{x}b": b for x, b in zip(letters, (b_ih + b_hh).chunk(len(letters)), strict=True)}
    if cell.mode == "GRU":
        constants["nb"], constants["nm"] = b_ih.chunk(3)[2], b_hh.chunk(3)[2]
    if w.w_ch is not None:
        seen = "io" if cell.coupled else "ifo"
        constants |= {f"{x}p": p for x, p in zip(seen, w.w_ch.chunk(len(seen)), strict=True)}
    return constants


def _importance(call: _Call, layer: int, direction: int, parts: dict[str, Tensor]) -> NDArray[np.float64]:
    """|Σ gradient · h| of the layer that is read, and how much a unit moves of those beneath it."""
    moves = parts["h"].std(0, correction=0).double().cpu().numpy()
    if call.gradient is None or layer < call.layer.num_layers - 1 or call.layer.proj_size:
        return moves
    own = call.gradient.chunk(call.layer.directions, -1)[direction]
    matters = (own * parts["h"]).abs().sum(0).double().cpu().numpy()
    return matters if matters.any() else moves
