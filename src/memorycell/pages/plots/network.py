"""plot_network: how a network learned, and what it can remember, as figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from memorycell.pages.drawing import (
    DASHES,
    PALETTE,
    SERIES,
    WIDE,
    canvas,
    end_labels,
    heading,
    x_label,
)
from memorycell.pages.pointer import Line, tell_lines

if TYPE_CHECKING:
    from memorycell.evaluation.adding_problem import AddingProblem

CHANCE = 1 / 6  # MSE of always answering 1 in the adding problem: the variance of the sum of two uniform numbers


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
    told = {
        name: Line(colour, np.array([math.nan if entry.get(key) is None else entry[key] for entry in history], float))
        for name, key, colour in (("training", "loss", "blue"), ("validation", "val_loss", "vermilion"))
        if any(entry.get(key) is not None for entry in history)
    }
    tell_lines(ax, epochs, told, called="epoch", zoom=False)
    found = np.concatenate(everything)
    wide = len(found) > 0 and found.min() > 0 and found.max() / found.min() > 20
    if wide:
        ax.set_yscale("log")
    heading(ax, "loss, logarithmic" if wide else "loss")
    x_label(ax, "epoch")
    ax.margins(x=0.02, y=0.12)
    end_labels(ax, ends, 170)
    return figure


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
