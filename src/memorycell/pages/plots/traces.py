"""plot_traces: what gates and states did while a layer read a sequence, as figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from memorycell.pages.drawing import (
    COLOURS,
    DASHES,
    PALETTE,
    SERIES,
    TICKS,
    WIDE,
    canvas,
    end_labels,
    heading,
    label,
    thin,
    tint,
)
from memorycell.pages.plots.steps import MARGINS, bands, one_dimensional, say_bands, say_step, step_ticks
from memorycell.pages.pointer import Line, tell_lines, tell_map
from memorycell.pages.wording import significant

MOST_UNITS = 6  # lines of one panel
_MOST_READ = 2000  # steps that the pointer reads
_ALIKE = 0.9  # correlation of two units of which one is enough to see
_GATES = {
    "forget": "forget gate: share of the cell kept",
    "input": "input gate: share of the new content written",
    "output": "output gate: share of the cell shown",
    "reset": "reset gate: share of the past let into the new content",
    "update": "update gate: share of the past kept",
}
_STATES = {
    "cell": "cell: what is remembered",
    "hidden": "hidden state: what the layer says",
    "candidate": "candidate: new content that could be written",
    "new": "new content: what could take the place of the past",
}
_DIMS = ("layer", "direction", "batch", "time", "unit")
_NO_BATCH = ("layer", "direction", "time", "unit")
_ORDERS = ("kept", "clustered", "given")


@dataclass(frozen=True)
class Run:
    """One layer, in one direction, on one sequence: gates and states (T, H) by name, and what its steps are called."""

    arrays: dict[str, NDArray[np.float64]]
    labels: Any

    @property
    def steps(self) -> int:
        return len(self.arrays["hidden"])

    @property
    def units(self) -> int:
        return self.arrays["cell" if "cell" in self.arrays else "hidden"].shape[1]

    @property
    def projected(self) -> bool:
        """Whether the hidden state has units of its own, other than the gates'."""
        return self.arrays["hidden"].shape[1] != self.units


def gates(
    trace: Mapping[str, Any],
    *,
    layer: int | str = -1,
    direction: int = 0,
    row: int = 0,
    units: Sequence[int] | None = None,
    order: str = "kept",
    labels: Sequence[Any] | NDArray | None = None,
    dates: NDArray | None = None,
    values: ArrayLike | None = None,
    name: str = "",
    width: float = WIDE,
) -> Figure:
    """What the units of a recurrent layer did at each step: one row a unit, one column a step.

    Gates run from their least value (faint) to their greatest (strong), both in the heading; states are blue
    above and vermilion below zero. Where there are more steps than pixels a column is a band of steps, and the
    heading says of how many: of gates their mean, of states the value farthest from zero.

    Parameters
    ----------
    trace : a `memorycell.Trace`, or what ``model.trace(X)`` returns
    layer : its number, from the input up, or the name of one of ``trace.layers`` (then its last); default: the last
    direction, row : 1 is the layer that reads backwards; which sequence
    units : which to draw, by number from 0, in that order; None: all, in the order of `order`
    order : "kept" puts the greatest mean of the gate that keeps (forget, or update) on top: the longest memory;
        "clustered" puts units side by side whose hidden states move together (average linkage of correlations);
        "given" leaves them as they are
    labels : (T,) tokens or dates of the steps; None: those of the trace
    dates : (T,) another name of `labels`
    values : (N,) what the layer saw, spread evenly over the same time; drawn above
    name : of `values`

    Raises
    ------
    ValueError
        For a layer, direction, row, unit or order that does not exist, and for a row without steps.

    Example
    -------
    >>> import torch
    >>> from memorycell.layers import GRU
    >>> figure = gates(GRU(1, 4, batch_first=True).trace(torch.zeros(1, 9, 1)))
    >>> [ax.get_title(loc="left").split(":")[0] for ax in figure.axes]
    ['update gate', 'reset gate', 'hidden state']
    """
    run = one_run(trace, layer, direction, row)
    rows = _ordered(run, order) if units is None else _chosen(units, run.units)
    wanted = ("forget", "input", "output", "update", "reset", "cell") + (() if "cell" in run.arrays else ("hidden",))
    shown = [key for key in wanted if key in run.arrays]
    heights = [0.75] * (values is not None) + [1.0] * len(shown)
    figure, axes = canvas(width, 40 + 120 * sum(heights), len(heights), height_ratios=heights)
    if values is not None:
        _draw_values(axes[0], values, run.steps, name)
    given = labels if labels is not None else dates
    called = run.labels if given is None else given
    for ax, key in zip(axes[len(axes) - len(shown) :], shown, strict=True):
        array, size = _draw_units(ax, key, run.arrays[key][:, rows], width)
        names = [f"unit {row}" for row in rows]
        tell_map(ax, array.T, names, say_bands(called, run.steps, size), size=size)
        if units is not None and len(rows) <= 12:
            ax.set_yticks(range(len(rows)), [str(unit) for unit in rows])
    _finish(figure, axes, run, given, width)
    return figure


def cell_traces(
    trace: Mapping[str, Any],
    units: Sequence[int] | None = None,
    *,
    states: Sequence[str] | None = None,
    layer: int | str = -1,
    direction: int = 0,
    row: int = 0,
    labels: Sequence[Any] | NDArray | None = None,
    values: ArrayLike | None = None,
    name: str = "",
    width: float = WIDE,
) -> Figure:
    """Cell and hidden state of some units as lines, below what the layer saw.

    Long lines keep the least and the greatest value of each stretch.

    Parameters
    ----------
    trace, layer, direction, row, labels, values, name : as of `gates`
    units : up to 6, by number from 0; None: the four that move most and not alike
    states : names in `trace`, a panel each; None: cell and hidden state, where there are both and of the same units

    Raises
    ------
    ValueError
        As `gates`, and for more than 6 units or a state that is not in the trace.

    Example
    -------
    >>> import torch
    >>> from memorycell.layers import LSTM
    >>> figure = cell_traces(LSTM(1, 4, batch_first=True).trace(torch.zeros(1, 9, 1)), [0, 3])
    >>> [ax.get_title(loc="left").split(":")[0] for ax in figure.axes]
    ['cell', 'hidden state']
    """
    run = one_run(trace, layer, direction, row)
    both = [key for key in ("cell", "hidden") if key in run.arrays][: 1 if run.projected else 2]
    keys = both if states is None else list(states)
    missing = [key for key in keys if key not in run.arrays]
    if missing or not keys:
        raise ValueError(f"expected states among {', '.join(run.arrays)}, got {missing[0] if missing else 'none'!r}")
    count = run.arrays[keys[0]].shape[1]
    if any(run.arrays[key].shape[1] != count for key in keys):
        raise ValueError(f"expected states of the same units, got {', '.join(keys)} of a projection: one at a time")
    chosen = _liveliest(run.arrays[keys[0]]) if units is None else _chosen(units, count)
    if len(chosen) > MOST_UNITS:
        raise ValueError(f"expected at most {MOST_UNITS} units in one picture, got {len(chosen)}: draw them in parts")
    heights = [0.75] * (values is not None) + [1.0] * len(keys)
    figure, axes = canvas(width, 40 + 150 * sum(heights), len(heights), height_ratios=heights)
    if values is not None:
        _draw_values(axes[0], values, run.steps, name)
    for ax, key in zip(axes[len(axes) - len(keys) :], keys, strict=True):
        heading(ax, _title(key, width))
        _draw_lines(ax, run.arrays[key], chosen)
        if run.steps <= _MOST_READ:
            told = {f"unit {unit}": Line(COLOURS[n], run.arrays[key][:, unit]) for n, unit in enumerate(chosen)}
            known = labels if labels is not None else run.labels
            named = None if known is None or len(known) != run.steps else [say_step(each) for each in known]
            tell_lines(ax, np.arange(run.steps), told, called="step", labels=named)
    _finish(figure, axes, run, labels, width)
    return figure


# ---------------------------------------------------------------------- which


def one_run(trace: Mapping[str, Any], layer: int | str, direction: int, row: int) -> Run:
    """The arrays of one layer, direction and row of a trace, cut to the row's length."""
    if not isinstance(trace, Mapping):
        raise TypeError(f"expected a Trace or what model.trace(X) returns, got {type(trace).__name__}")
    named = getattr(trace, "layers", None)
    if isinstance(layer, str):
        if not isinstance(named, Mapping) or layer not in named:
            known = ", ".join(map(str, named)) if isinstance(named, Mapping) else "numbers: this trace has no names"
            raise ValueError(f"expected a layer among {known}, got {layer!r}")
        places = [(named[layer], inner) for inner in range(_sizes(named[layer])[0])][-1:]
        layer = 0
    else:
        parts = [named[key] for key in trace.trunk] if isinstance(named, Mapping) else [trace]  # type: ignore[attr-defined]
        places = [(part, inner) for part in parts for inner in range(_sizes(part)[0])]
    part, inner = places[_within(layer, len(places), "layer")]
    _, directions, rows = _sizes(part)
    direction, row = _within(direction, directions, "direction"), _within(row, rows, "row")
    lengths = getattr(part, "lengths", None)
    steps = _whole(part, "hidden").shape[3] if lengths is None else int(lengths.reshape(-1)[row])
    if steps < 1:
        raise ValueError(f"expected a sequence of at least one step, got row {row} with none")
    arrays = {key: _array(_whole(part, key)[inner, direction, row, :steps]) for key in part}
    every = getattr(trace, "labels", None)
    names = getattr(part, "coords", {}).get("time") if every is None else every[row]
    return Run(arrays, None if names is None else names[:steps])


def _whole(trace: Mapping[str, Any], key: str) -> Any:
    """(layers, directions, batch, T, H), also where a selection has dropped some of them."""
    value = trace[key]
    dims = getattr(trace, "dims", _NO_BATCH if value.ndim == 4 else _DIMS[-value.ndim :])
    if len(dims) != value.ndim or dims[-2:] != _DIMS[-2:]:
        raise ValueError(f"expected gates (layer, direction, batch, time, unit), got {tuple(value.shape)}")
    return value[tuple(slice(None) if dim in dims else None for dim in _DIMS)]


def _array(value: Any) -> NDArray[np.float64]:
    return value.detach().cpu().double().numpy() if hasattr(value, "detach") else np.asarray(value, float)


def _sizes(trace: Mapping[str, Any]) -> tuple[int, int, int]:
    if "hidden" not in trace:
        raise ValueError(f"expected a trace with a hidden state, got {', '.join(map(str, trace)) or 'an empty one'}")
    layers, directions, rows = _whole(trace, "hidden").shape[:3]
    return layers, directions, rows


def _within(number: int, count: int, what: str) -> int:
    if not -count <= number < count:
        known = f"{what} 0" if count == 1 else f"a {what} from 0 to {count - 1}"
        raise ValueError(f"expected {known}, got {number}")
    return number % count


def _chosen(units: Sequence[int], count: int) -> NDArray[np.int64]:
    if len(units) == 0:
        raise ValueError("expected the number of at least one unit, got none")
    return np.array([_within(int(unit), count, "unit") for unit in units])


def _ordered(run: Run, order: str) -> NDArray[np.int64]:
    if order not in _ORDERS:
        raise ValueError(f"expected order to be one of {', '.join(_ORDERS)}, got {order!r}")
    keeps = next((key for key in ("forget", "update") if key in run.arrays), None)
    if order == "clustered" and run.units > 2:
        return _clustered(run.arrays["cell" if run.projected else "hidden"])
    if order == "kept" and keeps is not None:
        return np.argsort(-np.nan_to_num(run.arrays[keeps]).mean(0), kind="stable")
    return np.arange(run.units)


def _clustered(states: NDArray[np.float64]) -> NDArray[np.int64]:
    """Units (columns) in an order in which those that move together stand together."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    moved = np.nan_to_num(states - states.mean(0))
    moved /= np.maximum(np.linalg.norm(moved, axis=0), 1e-12)
    apart = np.clip(1 - moved.T @ moved, 0, 2)
    return leaves_list(linkage(apart[np.triu_indices(len(apart), 1)], "average"))


def _liveliest(states: NDArray[np.float64], most: int = 4) -> NDArray[np.int64]:
    """Units that move most, none of them nearly like another."""
    moved = np.nan_to_num(states - np.nan_to_num(states).mean(0))
    size = np.linalg.norm(moved, axis=0)
    unit = moved / np.maximum(size, 1e-12)
    found: list[int] = []
    for place in np.argsort(-size, kind="stable"):
        if len(found) < most and all(abs(unit[:, place] @ unit[:, other]) < _ALIKE for other in found):
            found.append(int(place))
    return np.array(found)


# ---------------------------------------------------------------------- drawing


def _title(key: str, width: float) -> str:
    title = _GATES.get(key) or _STATES.get(key) or key
    return title if width > 500 else title.split(":")[0]


def _draw_values(ax: Axes, values: ArrayLike, steps: int, name: str) -> None:
    heading(ax, f"{label(name)}, as it was" if name else "what the layer saw")
    seen = one_dimensional(values, "values")
    inner = (np.arange(len(seen)) + 0.5) * steps / len(seen) - 0.5
    x, y = thin(inner, seen)
    ax.plot(x, y, color=PALETTE["ink"], linewidth=1.3, marker="o" if len(seen) <= 40 else None, markersize=3)
    ax.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2, steps=TICKS))


def _draw_units(ax: Axes, key: str, array: NDArray[np.float64], width: float) -> tuple[NDArray[np.float64], int]:
    """Draw (T, H) in colours; returns the bands of steps that are drawn, and their size."""
    steps, units = array.shape
    array, size = bands(array, int(width - MARGINS), strongest=key not in _GATES)
    finite = array[np.isfinite(array)]
    title = _title(key, width)
    if key in _GATES:
        low, high = float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
        low, high = (low, high) if len(finite) else (0.0, 0.0)
        picture = tint(array.T - low, PALETTE["blue"], high - low)
        title = f"{title}, from {low:.2f} to {high:.2f}" + (f", means of {size} steps" if size > 1 else "")
    else:
        most = float(np.abs(finite).max(initial=0))
        colour = (array.T < 0)[..., None]
        picture = np.where(colour, tint(-array.T, PALETTE["vermilion"], most), tint(array.T, PALETTE["blue"], most))
        title = f"{title}, from −{significant(most, 2)} to {significant(most, 2)}"
        title += f", strongest of {size} steps" if size > 1 else ""
    heading(ax, title)
    ax.grid(visible=False)
    end = len(array) * size - 0.5
    ax.imshow(picture, aspect="auto", interpolation="none", extent=(-0.5, end, units - 0.5, -0.5))
    ax.set_xlim(-0.5, steps - 0.5)
    ax.set_yticks([0, units - 1] if units > 1 else [0], ["1", f"{units}"] if units > 1 else ["1"])
    return array, size


def _draw_lines(ax: Axes, states: NDArray[np.float64], units: NDArray[np.int64]) -> None:
    steps, ends = np.arange(len(states)), []
    for place, unit in enumerate(units):
        x, y = thin(steps, states[:, unit])
        colour = SERIES[place % len(SERIES)]
        ax.plot(
            x, y, color=colour, linestyle=DASHES[place % len(DASHES)], linewidth=1.6,
            marker="o" if len(states) == 1 else None, markersize=4,
        )  # fmt: skip
        known = states[np.isfinite(states[:, unit]), unit]
        ends.append((float(known[-1]) if len(known) else np.nan, f"unit {unit}", colour))
    ax.axhline(0, color=PALETTE["muted"], linewidth=0.8)
    ax.margins(y=0.08)
    end_labels(ax, ends, 115)


def _finish(figure: Figure, axes: list[Axes], run: Run, labels: Any, width: float) -> None:
    figure.get_layout_engine().set(h_pad=6 / 72)  # type: ignore[union-attr, call-arg]
    for ax in axes:
        ax.set_xlim(-0.5, run.steps - 0.5)
        ax.set_xticks([])
    step_ticks(axes[-1], run.steps, run.labels if labels is None else labels, width)
