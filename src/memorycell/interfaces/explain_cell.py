"""The numbers in a cell: what each gate of each unit was made of at every step, for a drawing of it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.insight.explained import Explained
from memorycell.insight.tracing import replaced_forward
from memorycell.kernels.reference import Cell, Weights, project
from memorycell.layers.base import Recurrent

Values = NDArray[np.float32]
MOST_BYTES = 3_000_000  # of all runs, before base64 makes four of three
MOST_UNITS = 32  # of a run: a longer list to choose from helps nobody
LETTERS = {"LSTM": "ifgo", "GRU": "rzn", "RNN_TANH": "n", "RNN_RELU": "n"}


@dataclass(frozen=True, eq=False)
class CellRun:
    """One layer in one direction over one sequence, taken apart unit by unit.

    Attributes
    ----------
    name : str
        What people call it: "layer 2, backwards".
    cell : Cell
    backwards : bool
    parts : dict of str to float32 (T, H)
        By letter of the gate (i, f, g, o; r, z, n) what comes from the input ("ix") and from the memory ("ih"), both
        normalised where the layer is; "c" and "h" after the step; "cl", the normalised cell.
    constants : dict of str to float32 (H,)
        Biases "ib", …, that of a GRU's product "nm", peepholes "ip", "fp", "op"; before the first step "c0" and "h0".
    zone : (float, float)
        The shares of c and h that stay as they were (zoneout).
    projected : bool
        Whether h is a mixture of all units, so that none has an h of its own; "h" is then o · tanh(c).
    normalised : bool
        Whether input and memory are normalised before they meet (layer normalisation).
    importance : float64 (H,)
        How much each unit matters for the output explained.
    first : int
        The step of the sequence at which `parts` begin.
    whole : int or None
        Steps of the sequence where `parts` are a stretch of it.
    """

    name: str
    cell: Cell
    backwards: bool
    parts: dict[str, Values]
    constants: dict[str, Values]
    zone: tuple[float, float]
    projected: bool
    normalised: bool
    importance: NDArray[np.float64]
    first: int = 0
    whole: int | None = None

    @property
    def steps(self) -> int:
        return len(self.parts["h"])

    @property
    def kind(self) -> tuple[str, bool, bool, bool, bool, bool]:
        """What decides which drawing and which equations are right."""
        return (
            self.cell.mode,
            self.cell.coupled,
            self.cell.reset_after,
            "ip" in self.constants,
            self.normalised,
            self.projected,
        )

    def frame(self, unit: int, step: int) -> dict[str, float]:
        """Every number of one unit at one step, by the names that drawing and equations use.

        Example
        -------
        >>> from memorycell.layers import LSTM
        >>> layer = LSTM(2, 3, batch_first=True)
        >>> (run,) = cell_runs(lambda x: layer(x)[0].sum((1, 2)), (layer,), torch.ones(4, 2))
        >>> numbers = run.frame(unit=1, step=2)
        >>> abs(numbers["f"] * numbers["cp"] + numbers["i"] * numbers["g"] - numbers["c"]) < 1e-6
        True
        """
        before = step + (1 if self.backwards else -1)
        known = {name: float(values[step, unit]) for name, values in self.parts.items()}
        known |= {name: float(values[unit]) for name, values in self.constants.items()}
        for state in ("c", "h"):
            if state in known:
                inside = 0 <= before < self.steps
                known[state + "p"] = float(self.parts[state][before, unit]) if inside else known[state + "0"]
        return _FRAMES[self.cell.mode[:3]](known, self)

    def unit_scales(self, unit: int) -> dict[str, float]:
        """The largest state, hidden state and pre-activation of a unit: what lengths and widths are measured by."""
        state = self.parts.get("c", self.parts["h"])[:, unit]
        names = [name for name in self.parts if len(name) == 2]
        reach = max((float(np.abs(self.parts[name][:, unit]).max()) for name in names), default=1.0)
        return {
            "c": float(np.abs(state).max()) or 1.0,
            "h": float(np.abs(self.parts["h"][:, unit]).max()) or 1.0,
            "a": reach or 1.0,
        }

    def order(self) -> list[int]:
        """Units, the most important first."""
        return [int(unit) for unit in np.argsort(-self.importance, kind="stable")]

    def cropped(self, first: int, stop: int) -> CellRun:
        """Only steps from `first` to `stop`; the state before them becomes the initial state."""
        edge = stop if self.backwards else first - 1
        constants = dict(self.constants)
        if 0 <= edge < self.steps:
            constants |= {state + "0": self.parts[state][edge] for state in ("c", "h") if state in self.parts}
        parts = {name: values[first:stop] for name, values in self.parts.items()}
        return replace(self, parts=parts, constants=constants, first=self.first + first, whole=self.whole or self.steps)

    def packed(self, unit: int) -> str:
        """The parts of a unit, one after the other in their order, as base64 of little-endian float32."""
        lines = np.stack([values[:, unit] for values in self.parts.values()]).astype("<f4")
        return base64.b64encode(lines.tobytes()).decode()


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def _lstm(k: dict[str, float], run: CellRun) -> dict[str, float]:
    for letter in "ifg":
        if letter + "x" in k:
            k[letter + "a"] = k[letter + "x"] + k[letter + "h"] + k[letter + "b"]
    for letter in "if":
        if letter + "p" in k:
            k[letter + "w"] = k[letter + "p"] * k["cp"]
            k[letter + "a"] += k[letter + "w"]
    k["i"], k["g"] = _sigmoid(k["ia"]), math.tanh(k["ga"])
    k["f"] = 1 - k["i"] if run.cell.coupled else _sigmoid(k["fa"])
    k["fc"], k["ig"] = k["f"] * k["cp"], k["i"] * k["g"]
    k["cn"] = k["fc"] + k["ig"]
    k["oa"] = k["ox"] + k["oh"] + k["ob"]
    if "op" in k:
        k["ow"] = k["op"] * k["cn"]
        k["oa"] += k["ow"]
    k["o"] = _sigmoid(k["oa"])
    k["tc"] = math.tanh(k.get("cl", k["cn"]))
    k["m"] = k["o"] * k["tc"]
    return k


def _gru(k: dict[str, float], run: CellRun) -> dict[str, float]:
    for letter in "rz":
        k[letter + "a"] = k[letter + "x"] + k[letter + "h"] + k[letter + "b"]
        k[letter] = _sigmoid(k[letter + "a"])
    # Reset after the product: r (W h + b); before it the product is of r h already.
    k["nr"] = k["r"] * (k["nh"] + k["nm"]) if run.cell.reset_after else k["nh"] + k["nm"]
    k["na"] = k["nx"] + k["nr"] + k["nb"]
    k["n"] = math.tanh(k["na"])
    k["u"] = 1 - k["z"]
    k["kh"], k["un"] = k["z"] * k["hp"], k["u"] * k["n"]
    k["m"] = k["kh"] + k["un"]
    return k


def _rnn(k: dict[str, float], run: CellRun) -> dict[str, float]:
    k["na"] = k["nx"] + k["nh"] + k["nb"]
    k["n"] = k["m"] = math.tanh(k["na"]) if run.cell.mode == "RNN_TANH" else max(0.0, k["na"])
    return k


_FRAMES: dict[str, Callable[[dict[str, float], CellRun], dict[str, float]]] = {"LST": _lstm, "GRU": _gru, "RNN": _rnn}


# ---------------------------------------------------------------------- from a network to its runs


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
    trunk : the layers, each of which `function` calls once
    values : (T, F)
    """
    calls = _calls(function, trunk, values)
    several = sum(call.layer.num_layers for call in calls) > 1
    runs, number = [], 0
    for call in calls:
        for layer in range(call.layer.num_layers):
            number += 1
            for direction in range(call.layer.directions):
                parts = [f"layer {number}"] if several else []
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


def fitted_to_page(runs: Sequence[CellRun], around: Sequence[int]) -> list[tuple[CellRun, list[int]]]:
    """Runs and the units of each that fit a page: fewer units for longer series, and of millions of steps a stretch.

    Parameters
    ----------
    around : a step of each run that must be there
    """
    budget, chosen = MOST_BYTES // max(1, len(runs)), []
    for run, centre in zip(runs, around, strict=True):
        unit_step = 4 * len(run.parts)
        most = max(1, budget // unit_step)
        if run.steps > most:
            first = min(max(0, centre - most // 2), run.steps - most)
            run = run.cropped(first, first + most)
        count = max(1, min(MOST_UNITS, budget // (unit_step * run.steps)))
        chosen.append((run, run.order()[:count]))
    return chosen
