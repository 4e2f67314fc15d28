"""Forecasts as columns, and as a frame of the kind that the user works with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.encoded import Forecasts
from memorycell.data.tables.series import series_columns, series_rows
from memorycell.data.tables.table import Table
from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.times.zones import as_utc, aware, tzinfo_of, zone_of


def quantile_name(target: str, level: float) -> str:
    """The column of a quantile: ``temp_q05``, ``temp_q95``, ``temp_q2.5``.

    Example
    -------
    >>> quantile_name("temp", 0.05), quantile_name("temp", 0.975)
    ('temp_q05', 'temp_q97.5')
    """
    percent = round(level * 100, 6)
    return f"{target}_q{int(percent):02d}" if percent == int(percent) else f"{target}_q{percent:g}"


def forecast_columns(forecasts: Forecasts, codec: TableCodec, table: Table) -> dict[str, NDArray]:
    """Columns of n · H rows: series (where there are many, as `table` writes them), time, and each target with its
    quantiles; where not all forecasts are the network's, "note" says why."""
    horizon = forecasts.point.shape[1]
    columns: dict[str, NDArray] = {}
    if codec.series_:
        keys = series_columns(table, codec.series_, key_rows(forecasts, codec, table), text=codec.series_text_)
        columns |= {name: np.repeat(values, horizon) for name, values in keys.items()}
    columns[codec.time_name] = as_written(forecasts.dates.reshape(-1), codec)
    for k, target in enumerate(forecasts.target_names):
        columns[target] = forecasts.point[:, :, k].reshape(-1)
        for j, level in enumerate(forecasts.levels):
            columns[quantile_name(target, level)] = forecasts.quantiles[:, :, k, j].reshape(-1)
    if any(forecasts.reasons):
        name = "note"
        while name in columns:
            name += "_"
        columns[name] = np.repeat(np.array(forecasts.reasons, object), horizon)
    return columns


def key_rows(forecasts: Forecasts, codec: TableCodec, table: Table) -> NDArray[np.int64]:
    """int64 (n,): of each forecast's series the first row of `table`."""
    return series_rows(table, codec.series_, [forecasts.ids[s] for s in forecasts.series])


def own_keys(forecasts: Forecasts, codec: TableCodec, table: Table) -> dict[str, Any]:
    """What names the series of n · H rows, as the user's own frame has it; of other sources nothing."""
    if table.own is None or not codec.series_:
        return {}
    rows = np.repeat(key_rows(forecasts, codec, table), forecasts.point.shape[1])
    return {name: table.own.values(name, rows) for name in codec.series_}


def as_written(dates: NDArray, codec: TableCodec) -> NDArray:
    """Dates as the user's table has them: with their zone where there is one, steps in its own units."""
    if dates.dtype.kind == "M":
        zone = codec.frequency_.zone
        return dates if zone is None else aware(dates, zone)
    return codec.in_units(dates)


def to_frame(columns: dict[str, NDArray], table: Table, keys: Mapping[str, Any]) -> Any:
    """`columns` as a polars or pyarrow table where `table` came from one; else as a pandas frame.

    `keys` are columns that take the place of those of `columns`: what names the series, as the user's own frame has it.
    """
    if table.kind == "polars":
        import polars

        times = {name: zone for name, values in columns.items() if name not in keys and (zone := zone_of(values))}
        plain = {name: as_utc(values) if name in times else values for name, values in columns.items()}
        frame = polars.DataFrame(plain | dict(keys))
        for name, zone in times.items():
            # Polars knows names of zones, no mere offsets: such times stay in UTC.
            utc = polars.col(name).dt.replace_time_zone("UTC")
            frame = frame.with_columns(utc if zone[0] in "+-" else utc.dt.convert_time_zone(zone))
        return frame
    if table.kind == "pyarrow":
        import pyarrow

        return pyarrow.table({name: keys.get(name, values) for name, values in columns.items()})
    import pandas

    frame = pandas.DataFrame(columns | dict(keys))
    for name, values in columns.items():
        zone = None if name in keys else zone_of(values)
        if zone is not None:
            frame[name] = pandas.to_datetime(frame[name], utc=True).dt.tz_convert(tzinfo_of(zone))
    return frame
