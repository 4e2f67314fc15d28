"""Memory: what each unit keeps, for how long, and which units never move or count, from traces of real data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.figures import Figures, shortened
from memorycell.insight.arguments import real, traces_of
from memorycell.insight.spans import checked_span, say_steps
from memorycell.insight.tracing import ModelTrace
from memorycell.layers.traces import Trace

Units = NDArray[np.float64]  # (H,)
_DIMS = ("layer", "direction", "batch", "time", "unit")
_UNNAMED = "layer"  # of which a trace is that came without a model
_KEEPS = ("forget", "update")
_LOGISTIC = ("input", "forget", "output", "reset", "update")
_CHUNK = 2**19  # values of a gate that are in hand at once: 4 MB in float64
_SHORTEST = 8  # steps of a sequence through which a line says something
_OFTEN = 0.8  # of the sequences: a unit that counts in so many of them is a counter


class GateUse(NamedTuple):
    """How a gate is used, by unit: its mean, and the shares of steps in which it is shut and open."""

    mean: Units
    shut: Units
    open: Units


@dataclass(frozen=True, eq=False, repr=False)
class LayerMemory(Figures):
    """What the units of one layer, in one direction, did with what they held. Arrays are (H,): by unit.

    Attributes
    ----------
    name : str
        Of the module in the network.
    layer, direction : int
        Within the module; direction 1 reads backwards.
    trunk : bool
        Whether it is one of the layers that read the sequence; a decoder is not.
    gate : "forget", "update" or None
        The gate that keeps: f of an LSTM, z of a GRU. An RNN has none.
    rows, steps : int
        Sequences, and steps of all of them together, that were looked at.
    kept : share of what was held that a step leaves, over many steps: the geometric mean of the gate; NaN without one
    gates : dict of str to GateUse
    deviation : standard deviation of the hidden state over all steps; with a projection, whose units are others, of
        the cell
    counting : share of the sequences in which the cell (without cell: the hidden state) goes along a line
    slope : change a step, in the direction of reading, in those sequences; NaN where there is none
    dead, counts : bool; units that never move, and units that count in most sequences
    """

    name: str
    layer: int
    direction: int
    trunk: bool
    gate: str | None
    rows: int
    steps: int
    kept: Units
    gates: dict[str, GateUse]
    deviation: Units
    counting: Units
    slope: Units
    dead: NDArray[np.bool_]
    counts: NDArray[np.bool_]

    @property
    def half_life(self) -> Units:
        """Steps until half of what was held is left, ln ½ / mean ln f: inf where all is kept, NaN without a gate."""
        with np.errstate(divide="ignore"):
            return math.log(2) / np.abs(np.log(self.kept))

    @property
    def label(self) -> str:
        """What the layer is called in a table: "rnn", "rnn, layer 2, backward"; "layer 2" where it has no name."""
        level = f"layer {self.layer + 1}"
        named = level if self.name == _UNNAMED else f"{self.name}, {level}"
        return (named if self.layer else self.name) + ", backward" * (self.direction == 1)

    def _said(self) -> tuple[str, str]:
        half = f"; half-life {np.median(self.half_life):.3g} steps in the middle" if self.gate else ""
        return f"{self.label}, {len(self.dead):,} units on {self.steps:,} steps of {self.rows:,} sequences{half}", ""

    def table(self) -> list[dict[str, Any]]:
        """A row per unit."""
        columns = {
            "half_life": self.half_life, "kept": self.kept, "deviation": self.deviation, "dead": self.dead,
            "counts": self.counts, "slope": self.slope,
            **{f"{gate}_{part}": values for gate, use in self.gates.items() for part, values in use._asdict().items()},
        }  # fmt: skip
        return [
            {"layer": self.label, "unit": unit, **{name: values[unit] for name, values in columns.items()}}
            for unit in range(len(self.dead))
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; what is not a finite number is None."""
        return {
            "name": self.name,
            "layer": self.layer,
            "direction": self.direction,
            "trunk": self.trunk,
            "gate": self.gate,
            "sequences": self.rows,
            "steps": self.steps,
            "kept": _plain(self.kept),
            "half_life": _plain(self.half_life),
            "gates": {
                name: {part: _plain(values) for part, values in use._asdict().items()}
                for name, use in self.gates.items()
            },
            "deviation": _plain(self.deviation),
            "dead": self.dead.tolist(),
            "counting": _plain(self.counting),
            "slope": _plain(self.slope),
            "counts": self.counts.tolist(),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Memory(Figures):
    """What the units of a model remember: a `LayerMemory` for each layer and direction, from the input up.

    Attributes
    ----------
    layers : tuple of LayerMemory
    thresholds : dict of str to float
        "shut", "open", "dead", "straight", "rise", as given to `memory`.
    """

    layers: tuple[LayerMemory, ...]
    thresholds: dict[str, float]

    @property
    def longest(self) -> tuple[LayerMemory, int] | None:
        """The unit with the longest half-life among the layers that read the sequence; None where no gate keeps."""
        gated = [each for each in self.layers if each.trunk and each.gate and each.steps]
        if not gated:
            return None
        best = max(gated, key=lambda each: float(each.kept.max()))
        return best, int(best.kept.argmax())

    def sentence(self, span: float | None = None) -> str:
        """How long the units remember, in words; `span` is the time of a step in seconds, above 0."""
        span = checked_span(span)
        trunk = [each for each in self.layers if each.trunk]
        units = sum(len(each.dead) for each in trunk)
        dead, counts = sum(int(each.dead.sum()) for each in trunk), sum(int(each.counts.sum()) for each in trunk)
        said = [f"{dead:,} never move{'s' * (dead == 1)}"] * bool(dead)
        said += [f"{counts:,} count{'s' * (counts == 1)}"] * bool(counts)
        told = f"Of {units:,} units {' and '.join(said)}." if said else ""
        if self.longest is None:
            return f"No gate of this network keeps: its units tell nothing of how long they remember. {told}".rstrip()
        layer, unit = self.longest
        lives = np.concatenate([each.half_life for each in trunk if each.gate])
        half, most = (say_steps(float(each), span) for each in (np.median(lives), layer.half_life[unit]))
        return (
            f"Half of the units forget half of what they hold within {half}; the one with the longest memory, "
            f"unit {unit} ({layer.label}), takes {most}. {told}".rstrip()
        )

    def _said(self) -> tuple[str, str]:
        units = sum(len(each.dead) for each in self.layers)
        return f"{units:,} units, {shortened((each.label for each in self.layers), 4)}", self.sentence()

    def table(self) -> list[dict[str, Any]]:
        """A row per unit, from the input up; what a layer has no gate for is NaN."""
        rows = [row for each in self.layers for row in each.table()]
        empty = dict.fromkeys((name for row in rows for name in row), math.nan)
        return [{**empty, **row} for row in rows]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        longest = self.longest
        return {
            "sentence": self.sentence(),
            "longest": None
            if longest is None
            else {
                "name": longest[0].name,
                "layer": longest[0].layer,
                "direction": longest[0].direction,
                "unit": longest[1],
                "half_life": _plain(longest[0].half_life)[longest[1]],
            },
            "thresholds": dict(self.thresholds),
            "layers": [each.to_dict() for each in self.layers],
        }

    def __str__(self) -> str:
        low, high = self.thresholds["shut"], self.thresholds["open"]
        lives = [["layer", "units", "steps", "half-life", "longest", "dead", "counting"]]
        uses = [["layer", "gate", "mean", f"below {low:g}", f"above {high:g}"]]
        for each in self.layers:
            half, unit = each.half_life, int(np.nan_to_num(each.kept, nan=-1).argmax())
            told = (
                [f"{np.median(half):.3g}", f"{half[unit]:.3g} (unit {unit})"] if each.gate else ["–", "no gate keeps"]
            )
            counts = [f"{len(half):,}", f"{each.steps:,}", *told, str(each.dead.sum()), str(each.counts.sum())]
            lives.append([each.label, *counts])
            for name, use in each.gates.items():
                uses.append([each.label, name, f"{use.mean.mean():.2f}", *(f"{100 * v.mean():.0f} %" for v in use[1:])])
        return "\n\n".join([_table(lives, 1), *([_table(uses, 2)] if len(uses) > 1 else []), self.sentence()])


def memory(
    traces: ModelTrace | Trace | Iterable[ModelTrace | Trace],
    *,
    shut: float = 0.1,
    open: float = 0.9,
    dead: float = 1e-3,
    straight: float = 0.95,
    rise: float = 1.0,
) -> Memory:
    """How long each unit remembers along real data, and which units never move or count.

    The half-life is that of the product of the forget gates over all steps, ln ½ / mean ln f; of a GRU z takes the
    place of f. It says how long the cell keeps what was written to it; what the network makes of it, `lookback` says.
    How often gates are shut or open is told as by Karpathy, Johnson & Li (2015, arXiv:1506.02078). A counter's cell
    goes along a line (Weiss, Goldberg & Yahav 2018, arXiv:1805.04908); one that counts up and down again within a
    sequence is not found. What zoneout keeps beside the gates is not in the half-life.

    Traces are read one by one, and each in pieces along time, so that one on disk is never in memory as a whole. Steps
    beyond a row's length do not count.

    Parameters
    ----------
    traces : of a model or of a layer, one or any number of them, of the same network
    shut, open : a gate below the one is shut, above the other open
    dead : a unit whose hidden state has a smaller standard deviation over all steps never moves
    straight, rise : a unit counts in a sequence, of 8 steps at least, where a line explains this share of the variance
        of its cell and rises or falls by this much

    Raises
    ------
    TypeError
        For what is no trace, or a threshold that is no number.
    ValueError
        Without traces or steps, if two traces have layers of one name and different units, or for NaN or infinity in a
        trace or as a threshold.

    Example
    -------
    >>> from memorycell.layers import LSTM
    >>> layer = LSTM(3, 8, batch_first=True)
    >>> _ = torch.nn.init.zeros_(layer.weight_ih_l0), torch.nn.init.zeros_(layer.weight_hh_l0)
    >>> _ = torch.nn.init.zeros_(layer.bias_ih_l0), torch.nn.init.zeros_(layer.bias_hh_l0)
    >>> print(f"{memory(layer.trace(torch.zeros(2, 20, 3))).layers[0].half_life[0]:.2f}")  # f = σ(0) = ½
    1.00
    """
    tallies: dict[tuple[str, int, int], _Tally] = {}
    limits = {"shut": shut, "open": open, "dead": dead, "straight": straight, "rise": rise}
    limits = {name: real(f"{name} as a finite number", value, math.isfinite) for name, value in limits.items()}
    for one in traces_of(traces):
        layers = one.layers if isinstance(one, ModelTrace) else {_UNNAMED: one}
        for name, trace in layers.items():
            in_trunk = not isinstance(one, ModelTrace) or name in one.trunk
            sizes = dict(zip(trace.dims, next(iter(trace.values())).shape, strict=True))
            for layer in range(sizes.get("layer", 1)):
                for direction in range(sizes.get("direction", 1)):
                    tally = tallies.setdefault((name, layer, direction), _Tally(in_trunk, limits))
                    tally.add(name, trace, layer, direction)
    if not any(tally.steps for tally in tallies.values()):
        raise ValueError("expected traces of at least one step, got none: pass model.trace(X), or a list of them")
    found = [tally.result(*where) for where, tally in tallies.items() if tally.steps]
    return Memory(tuple(found), limits)


class _Tally:
    """Sums over the steps of one layer and direction. They are of differences from the first value, so that little is
    lost where a state hardly moves."""

    def __init__(self, trunk: bool, limits: dict[str, float]) -> None:
        self.trunk, self.limits = trunk, limits
        self.gate: str | None = None
        self.steps = self.rows = self.lines = 0
        self.sums: dict[str, Tensor] = {}
        self.first: Tensor | None = None

    def add(self, name: str, trace: Trace, layer: int, direction: int) -> None:
        values = {key: _whole(trace, key)[layer, direction] for key in trace}
        batch, time, _ = values["hidden"].shape
        lengths = torch.full((batch,), time) if trace.lengths is None else trace.lengths.cpu().reshape(-1)
        if not int(lengths.sum()):
            return
        moves = "cell" if "cell" in values else "hidden"
        self.gate = next((key for key in _KEEPS if key in values), None)
        width = values[moves].shape[-1]
        known = self.sums.get("line")
        if known is not None and len(known) != width:
            raise ValueError(f"expected traces of one network, got {len(known)} and {width} units in layer {name!r}")
        # A projection has units of its own, fewer than the gates.
        shown = "hidden" if values["hidden"].shape[-1] == width else moves
        line = _Line(values[moves], lengths)
        for start, stop in _chunks(batch, time, width):
            piece = {key: _loaded(value[:, start:stop]) for key, value in values.items()}
            valid = torch.arange(start, stop) < lengths.unsqueeze(1)
            line.add(piece[moves], valid, start)
            everywhere = bool(valid.all())
            flat = {key: v.reshape(-1, v.shape[-1]) if everywhere else v[valid] for key, v in piece.items()}
            _check_finite(flat, name)
            if len(flat[moves]):
                self._add_steps(flat, shown)
        self.steps, self.rows = self.steps + int(lengths.sum()), self.rows + int((lengths > 0).sum())
        self._add_line(line, -1.0 if direction else 1.0)

    def _add_steps(self, flat: dict[str, Tensor], shown: str) -> None:
        """(N, H) of each gate and state."""
        for key in _LOGISTIC:
            if key in flat:
                value = flat[key]
                self._sum(f"{key} mean", value.sum(0, dtype=torch.float64))
                self._sum(f"{key} shut", (value < self.limits["shut"]).sum(0).double())
                self._sum(f"{key} open", (value > self.limits["open"]).sum(0).double())
        if self.gate is not None:
            # A gate that is shut to the last bit leaves the smallest number there is, not a logarithm of nothing.
            kept = flat[self.gate].clamp_min(torch.finfo(torch.float32).tiny)
            self._sum("log kept", kept.log().sum(0, dtype=torch.float64))
        state = flat[shown].double()
        self.first = state[0].clone() if self.first is None else self.first
        state = state - self.first
        self._sum("state", state.sum(0))
        self._sum("state²", state.square().sum(0))

    def _add_line(self, line: _Line, sign: float) -> None:
        share, slope, long = line.fit()
        counting = (share >= self.limits["straight"]) & (
            slope.abs() * (line.lengths - 1).unsqueeze(1) >= self.limits["rise"]
        )
        counting &= long.unsqueeze(1)
        self.lines += int(long.sum())
        self._sum("line", counting.sum(0).double())
        self._sum("slope", (sign * slope * counting).sum(0))

    def _sum(self, name: str, value: Tensor) -> None:
        self.sums[name] = self.sums[name] + value if name in self.sums else value

    def result(self, name: str, layer: int, direction: int) -> LayerMemory:
        sums = {key: value.numpy() for key, value in self.sums.items()}
        uses = [key.removesuffix(" mean") for key in sums if key.endswith(" mean")]
        gates = {key: GateUse(*(sums[f"{key} {part}"] / self.steps for part in GateUse._fields)) for key in uses}
        mean = sums["state"] / self.steps
        deviation = np.sqrt(np.maximum(sums["state²"] / self.steps - mean**2, 0.0))
        kept = np.exp(sums["log kept"] / self.steps) if self.gate else np.full(len(sums["line"]), math.nan)
        counting = sums["line"] / max(1, self.lines)
        with np.errstate(invalid="ignore"):
            slope = sums["slope"] / np.where(sums["line"] > 0, sums["line"], math.nan)
        return LayerMemory(
            name,
            layer,
            direction,
            self.trunk,
            self.gate,
            self.rows,
            self.steps,
            kept,
            gates,
            deviation,
            counting,
            slope,
            dead=deviation < self.limits["dead"],
            counts=counting >= _OFTEN,
        )


class _Line:
    """Least squares of a state (B, T, H) on the step, row by row, from sums over pieces of time."""

    def __init__(self, state: Any, lengths: Tensor) -> None:
        self.lengths = lengths
        self.start = _loaded(state[:, :1]).double()
        self.middle = ((lengths - 1) / 2).double().unsqueeze(1)
        self.sums = torch.zeros(3, *self.start[:, 0].shape, dtype=torch.float64)

    def add(self, piece: Tensor, valid: Tensor, start: int) -> None:
        away = (piece.double() - self.start).masked_fill(~valid.unsqueeze(-1), 0.0)
        time = torch.arange(start, start + piece.shape[1], dtype=torch.float64) - self.middle
        self.sums[0] += away.sum(1)
        self.sums[1] += away.square().sum(1)
        self.sums[2] += torch.einsum("bt,btu->bu", time, away)

    def fit(self) -> tuple[Tensor, Tensor, Tensor]:
        """Share of the variance that the line explains, slope, both (B, H), and rows that are long enough (B,)."""
        n = self.lengths.double().unsqueeze(1)
        spread = (n * (n**2 - 1) / 12).clamp_min(1.0)
        total = self.sums[1] - self.sums[0] ** 2 / n.clamp_min(1.0)
        slope = self.sums[2] / spread
        moved = total > 1e-12 * n
        share = torch.where(moved, slope**2 * spread / torch.where(moved, total, 1.0), 0.0)
        return share, slope, self.lengths >= _SHORTEST


def _whole(trace: Trace, key: str) -> Any:
    """A gate with all five dimensions, those that were selected away with one entry."""
    value = trace[key]
    return value[tuple(slice(None) if dim in trace.dims else None for dim in _DIMS)]


def _check_finite(flat: dict[str, Tensor], name: str) -> None:
    for key, value in flat.items():
        # A finite sum, which takes less time, is one of finite values; that of huge ones may be infinite, too.
        if not bool(value.sum().isfinite()) and not bool(value.isfinite().all()):
            raise ValueError(
                f"expected traces of finite numbers, got NaN or infinity in {key!r} of layer {name!r}: fill the gaps "
                "of the data, or train the model again"
            )


def _loaded(piece: Any) -> Tensor:
    """A piece of a trace, in memory and off the graph."""
    return piece.detach().cpu() if isinstance(piece, Tensor) else torch.from_numpy(np.array(piece))


def _chunks(batch: int, time: int, width: int) -> Iterator[tuple[int, int]]:
    size = max(1, _CHUNK // max(1, batch * width))
    return ((start, min(start + size, time)) for start in range(0, time, size))


def _plain(values: NDArray[Any]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _table(rows: Sequence[Sequence[str]], texts: int) -> str:
    """Rows below each other: the first columns, of texts, to the left, those of numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    places = [f"{{:{'<' if number < texts else '>'}{width}}}" for number, width in enumerate(widths)]
    return "\n".join("  ".join(places).format(*row).rstrip() for row in rows)
