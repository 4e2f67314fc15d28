"""The numbers in a cell: what each gate of each unit was made of at every step, for a drawing of it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memorycell.kernels.reference import Cell

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
        >>> import torch
        >>> from memorycell.pages.explaining.runs import cell_runs
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
