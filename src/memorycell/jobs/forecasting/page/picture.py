"""The picture that one wants first of a forecaster: what comes next, behind what was."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from memorycell.insight.asking import class_index
from memorycell.jobs.forecasting.explained import located, series_index
from memorycell.jobs.forecasting.page.plots import forecast_fan
from memorycell.jobs.forecasting.reading import TableSamples
from memorycell.pages.drawing import WIDE


def fan(
    model: Any,
    samples: TableSamples,
    *,
    seen: bool | None = None,
    unit: str | None = None,
    width: float = WIDE,
    at: Any = None,
    series: Any = None,
    target: str | None = None,
) -> Figure:
    """See `Job.plot`: the last part of the history, the forecast with its intervals, and what came, where it is known.

    `seen` is not asked for: a forecast says nothing of its own accuracy.

    Parameters
    ----------
    at : date or row of the last step seen (default: the end of each series)
    series, target : which of them (default: all of them at the end, with `at` the first series; six are drawn)

    Raises
    ------
    ValueError
        For dates and names that are not there, and where the rows to come have no values of known-future columns.
    """
    why_not = samples.lacking(model.codec_, model.horizon) if at is None else ""
    if why_not:
        raise ValueError(f"{why_not}; or draw a forecast from a date within the table with at=")
    rows = None
    if at is None:
        encoded, forecasts = samples.ahead(model.codec_, model.horizon), model.forecast_end(samples)
        rows = None if series is None else [series_index(encoded, series)]
    else:
        encoded, origin = located(model, samples, at, series)
        forecasts = model.forecast_at(encoded, np.array([origin]))
    targets = None if target is None else [class_index(encoded.target_names, target, "targets")]
    return forecast_fan(forecasts, encoded, rows=rows, targets=targets, unit=unit, width=width)
