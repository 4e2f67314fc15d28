"""plot_network: how a network learned, what its gates did and what it can remember, as figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from memorycell.evaluation.result import say_date
from memorycell.interfaces.drawing import (
    DASHES,
    PALETTE,
    SERIES,
    WIDE,
    canvas,
    end_labels,
    heading,
    label,
    tint,
    x_label,
)
from memorycell.interfaces.wording import significant

if TYPE_CHECKING:
    from memorycell.evaluation.adding_problem import AddingProblem

CHANCE = 1 / 6  # MSE of always answering 1 in the adding problem: the variance of the sum of two uniform numbers

_GATES = {
    "forget": "forget gate: share of the cell kept",
    "input": "input gate: share of the new content written",
    "output": "output gate: share of the cell shown",
    "reset": "reset gate: share of the past let into the new content",
    "update": "update gate: share of the past kept",
}
_STATES = {"cell": "cell: what is remembered", "hidden": "hidden state: what the layer says"}


def learning_curve(
    history: Sequence[Mapping[str, Any]], best_epoch: int | None = None, *, width: float = WIDE
) -> Figure:
    """Training and validation loss by epoch, with the epoch whose weights were kept.

    Parameters
    ----------
    history : one mapping an epoch with "epoch", "loss" and, where there was a validation set, "val_loss"
    best_epoch : its "epoch"

    Example
    -------
    >>> figure = learning_curve([{"epoch": 1, "loss": 2.0, "val_loss": 2.5}], best_epoch=1)
    >>> figure.axes[0].get_title(loc="left")
    'loss'
    """
    figure, (ax,) = canvas(width, 230)
    epochs = np.array([entry["epoch"] for entry in history])
    curves = [("validation", "val_loss", PALETTE["vermilion"]), ("training", "loss", PALETTE["blue"])]
    ends, everything = [], [np.empty(0)]
    for name, key, colour in curves:
        values = np.array([entry.get(key) if entry.get(key) is not None else math.nan for entry in history], float)
        known = np.isfinite(values)
        if not known.any():
            continue
        ax.plot(epochs, values, color=colour, linewidth=1.8, marker="o" if known.sum() == 1 else None)
        ends.append((float(values[known][-1]), name, colour))
        everything.append(values[known])
        if key == "val_loss" and best_epoch is not None and (epochs == best_epoch).any():
            best = float(values[epochs == best_epoch][0])
            ax.plot(best_epoch, best, "o", color=colour, markersize=8)
            ax.annotate(
                f"kept: epoch {best_epoch}",
                (best_epoch, best),
                xytext=(0, -13),
                textcoords="offset points",
                ha="right" if best_epoch > epochs.mean() else "left",
                va="top",
                color=colour,
                fontsize=11,
            )
    found = np.concatenate(everything)
    wide = len(found) > 0 and found.min() > 0 and found.max() / found.min() > 20
    if wide:
        ax.set_yscale("log")
    heading(ax, "loss, logarithmic" if wide else "loss")
    x_label(ax, "epoch")
    ax.margins(x=0.02, y=0.12)
    end_labels(ax, ends, 170)
    return figure


def gates(
    trace: Mapping[str, Any],
    *,
    dates: NDArray | None = None,
    values: NDArray[np.float64] | None = None,
    name: str = "",
    width: float = WIDE,
) -> Figure:
    """What every unit of the last recurrent layer did at each step: one row a unit, one column a step.

    Gates run from their least value (faint) to their greatest (strong), both in the heading; states are blue
    above and vermilion below zero. Rows are ordered by the mean of the gate that keeps (forget, or update),
    the longest memory on top.

    Parameters
    ----------
    trace : a `memorycell.Trace`; its first sequence and forward direction are drawn
    dates : (T,) of the steps, or None
    values : (N,) what the layer saw, spread evenly over the same time; drawn above
    name : of `values`

    Example
    -------
    >>> import torch
    >>> from memorycell.layers import GRU
    >>> figure = gates(GRU(1, 4, batch_first=True).trace(torch.zeros(1, 9, 1)))
    >>> [ax.get_title(loc="left").split(":")[0] for ax in figure.axes]
    ['update gate', 'reset gate', 'hidden state']
    """
    arrays = {key: _last_layer(trace[key]) for key in trace}
    keeps = next((key for key in ("forget", "update") if key in arrays), None)
    order = np.argsort(-arrays[keeps].mean(0), kind="stable") if keeps else np.arange(arrays["hidden"].shape[1])
    wanted = ("forget", "input", "output", "update", "reset", "cell") + (() if "cell" in arrays else ("hidden",))
    shown = [key for key in wanted if key in arrays]
    steps = len(arrays["hidden"])
    heights = [0.75] * (values is not None) + [1.0] * len(shown)
    figure, axes = canvas(width, 40 + 120 * sum(heights), len(heights), height_ratios=heights)
    if values is not None:
        _draw_values(axes[0], values, steps, name)
    for ax, key in zip(axes[len(axes) - len(shown) :], shown, strict=True):
        _draw_units(ax, key, arrays[key][:, order], width)
    figure.get_layout_engine().set(h_pad=6 / 72)  # type: ignore[union-attr, call-arg]
    for ax in axes:
        ax.set_xlim(-0.5, steps - 0.5)
        ax.set_xticks([])
    _step_ticks(axes[-1], steps, dates, width)
    return figure


def _last_layer(value: Any) -> NDArray[np.float64]:
    """(T, H) of (layers, directions, [batch,] T, H)."""
    last = value[-1, 0].detach().cpu().double().numpy()
    return last[0] if last.ndim == 3 else last


def _draw_values(ax: Axes, values: NDArray[np.float64], steps: int, name: str) -> None:
    heading(ax, f"{label(name)}, as it was" if name else "what the layer saw")
    inner = (np.arange(len(values)) + 0.5) * steps / len(values) - 0.5
    ax.plot(
        inner,
        values,
        color=PALETTE["ink"],
        linewidth=1.3,
        marker="o" if len(values) <= 40 else None,
        markersize=3,
    )
    ax.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))


def _draw_units(ax: Axes, key: str, array: NDArray[np.float64], width: float) -> None:
    if key in _GATES:
        low, high = float(array.min()), float(array.max())
        picture = tint(array.T - low, PALETTE["blue"], high - low)
        title = _GATES[key] if width > 500 else _GATES[key].split(":")[0]
        title = f"{title}, from {low:.2f} to {high:.2f}"
    else:
        most = float(np.abs(array).max(initial=0))
        colour = (array.T < 0)[..., None]
        picture = np.where(colour, tint(-array.T, PALETTE["vermilion"], most), tint(array.T, PALETTE["blue"], most))
        title = _STATES[key] if width > 500 else _STATES[key].split(":")[0]
        title = f"{title}, from −{significant(most, 2)} to {significant(most, 2)}"
    heading(ax, title)
    ax.grid(visible=False)
    steps, units = array.shape
    ax.imshow(picture, aspect="auto", interpolation="none", extent=(-0.5, steps - 0.5, units - 0.5, -0.5))
    ax.set_yticks([0, units - 1] if units > 1 else [0], ["1", f"{units}"] if units > 1 else ["1"])


def _step_ticks(ax: Axes, steps: int, dates: NDArray | None, width: float) -> None:
    count = min(steps, 5 if width > 500 else 3)
    stride = max(1, -(-(steps - 1) // max(1, count - 1)))
    places = np.arange(steps - 1, -1, -stride)[::-1]
    if dates is not None and len(dates) == steps:
        names = [say_date(np.asarray(dates)[i]) for i in places]
    else:
        names = [f"{i - steps + 1}".replace("-", "−") if i < steps - 1 else "last" for i in places]
        x_label(ax, "steps of the layer")
    ax.set_xticks(places, names)
    ticks = ax.get_xticklabels()
    if len(ticks) > 1:
        ticks[0].set(ha="left")
        ticks[-1].set(ha="right")


def adding_problem(problem: AddingProblem, *, width: float = WIDE) -> Figure:
    """The adding problem (Hochreiter & Schmidhuber 1997, section 5.4): error by batches, a panel a lag.

    Parameters
    ----------
    problem : what `memorycell.adding_problem` returned

    Example
    -------
    >>> from memorycell.evaluation.adding_problem import AddingProblem, AddingResult
    >>> run = AddingResult("LSTM", 50, 0.004, 100, 1.0, 99, [(50, 0.2), (100, 0.004)])
    >>> adding_problem(AddingProblem([run])).axes[0].get_title(loc="left")
    'lag 50: mean squared error'
    """
    lags = sorted({run.lag for run in problem.results})
    cells = list(dict.fromkeys(run.cell for run in problem.results))
    figure, axes = canvas(width, 30 + 165 * len(lags), len(lags))
    for ax, lag in zip(axes, lags, strict=True):
        heading(ax, f"lag {lag}: mean squared error")
        ax.set_yscale("log")
        ax.yaxis.set_minor_locator(NullLocator())
        ax.axhline(problem.chance, color=PALETTE["muted"], linewidth=1, linestyle=(0, (2, 3)))
        ends, last = [(problem.chance, "chance", PALETTE["muted"])], 1
        for run in (run for run in problem.results if run.lag == lag and run.curve):
            place = cells.index(run.cell)
            colour = SERIES[place % len(SERIES)]
            batches, errors = zip(*run.curve, strict=True)
            ax.plot(batches, errors, color=colour, linestyle=DASHES[place % len(DASHES)], linewidth=1.8)
            ends.append((errors[-1], run.cell, colour))
            last = max(last, batches[-1])
        ax.set_xlim(0, last)
        end_labels(ax, ends, 120)
    x_label(axes[-1], "batches of training")
    return figure
