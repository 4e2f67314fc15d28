"""What the pointer reads of forecasts, errors and models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from memorycell.data.tables.encoded import Forecasts
from memorycell.jobs.forecasting.measures.metrics import central_levels
from memorycell.jobs.forecasting.measures.result import Evaluation
from memorycell.pages.drawing import PALETTE, thin
from memorycell.pages.pointer import Line, tell_lines
from memorycell.pages.wording import percent, significant


def tell_fan(ax: Axes, forecasts: Forecasts, row: int, k: int, dates: NDArray, seen: NDArray[np.float64]) -> None:
    """What the pointer reads of the past, the forecast, its intervals and what came."""
    past, horizon = len(seen), forecasts.point.shape[1]
    gap = np.full(past, np.nan)
    lines = {"seen": Line("ink", np.concatenate([seen, np.full(horizon, np.nan)]))} if past else {}
    lines["forecast"] = Line("blue", np.concatenate([gap, forecasts.point[row, :, k]]))
    for share, low, high in central_levels(forecasts.levels)[:3]:
        least, most = (np.concatenate([gap, forecasts.quantiles[row, :, k, level]]) for level in (low, high))
        lines[f"{percent(share)} interval"] = Line("blue", least, most)
    if np.isfinite(forecasts.actual[row, :, k]).any():
        lines["what came"] = Line("ink", np.concatenate([gap, forecasts.actual[row, :, k]]))
    tell_lines(ax, dates, lines, called="step")


def thinned(x: NDArray, values: NDArray[np.float64], name: str) -> tuple[NDArray, dict[str, Line]]:
    """The points of a thinned line, for the pointer."""
    x, values = thin(x, values)
    return x, {name: Line("ink", values)}


def colour_name(colour: str) -> str:
    """The name of a colour of `PALETTE`."""
    return next(name for name, each in PALETTE.items() if each == colour)


def at_places(when: NDArray, places: NDArray, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values by place, NaN at places of `when` that have none."""
    found = np.full(len(when), np.nan)
    found[np.searchsorted(when, places)] = values
    return found


def note(model: Any, evaluation: Evaluation) -> str:
    """What the pointer reads of a model."""
    unit = "" if not evaluation.unit or evaluation.unit.startswith("units of ") else f" {evaluation.unit}"
    folds = [error for error in model.fold_errors if math.isfinite(error)]
    of_folds = f"\n{significant(min(folds))} to {significant(max(folds))} over the folds" if len(folds) > 1 else ""
    return f"{model.name}\n{evaluation.measure} {significant(model.error, 4)}{unit}{of_folds}"
