"""Forecasts as columns, and as a frame of the kind that the user works with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.encoded import Forecasts
from memorycell.data.tables.table_codec import TableCodec


def quantile_name(target: str, level: float) -> str:
    """The column of a quantile: ``temp_q05``, ``temp_q95``, ``temp_q2.5``.

    Example
    -------
    >>> quantile_name("temp", 0.05), quantile_name("temp", 0.975)
    ('temp_q05', 'temp_q97.5')
    """
    percent = round(level * 100, 6)
    return f"{target}_q{int(percent):02d}" if percent == int(percent) else f"{target}_q{percent:g}"


def forecast_columns(forecasts: Forecasts, codec: TableCodec) -> dict[str, NDArray]:
    """Columns of n · H rows: series (where there are many), time, and each target with its quantiles."""
    horizon = forecasts.point.shape[1]
    columns: dict[str, NDArray] = {}
    if codec.series_ is not None:
        columns[codec.series_] = np.repeat(np.array(forecasts.ids, dtype=object)[forecasts.series], horizon)
    columns[codec.time_name] = forecasts.dates.reshape(-1)
    for k, target in enumerate(forecasts.target_names):
        columns[target] = forecasts.point[:, :, k].reshape(-1)
        for j, level in enumerate(forecasts.levels):
            columns[quantile_name(target, level)] = forecasts.quantiles[:, :, k, j].reshape(-1)
    return columns


def to_frame(columns: dict[str, NDArray], kind: str) -> Any:
    """`columns` as a polars or pyarrow table where `kind` says so, as `Table.kind` does; else as a pandas frame."""
    if kind == "polars":
        import polars

        return polars.DataFrame(columns)
    if kind == "pyarrow":
        import pyarrow

        return pyarrow.table(columns)
    import pandas

    return pandas.DataFrame(columns)
