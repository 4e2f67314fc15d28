"""Forecasts as columns, and as a frame of the kind that the user works with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.encoded import Forecasts
from memorycell.data.tables.series import series_columns
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
        names = [forecasts.ids[s] for s in forecasts.series]
        keys = series_columns(table, codec.series_, names, text=codec.series_text_)
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


def as_written(dates: NDArray, codec: TableCodec) -> NDArray:
    """Dates as the user's table has them: with their zone where there is one, steps in its own units."""
    if dates.dtype.kind == "M":
        zone = codec.frequency_.zone
        return dates if zone is None else aware(dates, zone)
    return codec.in_units(dates)


def to_frame(columns: dict[str, NDArray], table: Table, keys: Sequence[str] = ()) -> Any:
    """`columns` as a polars or pyarrow table where `table` came from one; else as a pandas frame.

    The columns `keys`, which name the series, have the very types that they have in `table`.
    """
    types = {name: table.dtypes[name] for name in keys if name in table.dtypes}
    if table.kind == "polars":
        import polars

        frame = polars.DataFrame({n: as_utc(v) if zone_of(v) else v for n, v in columns.items()})
        for name, values in columns.items():
            zone = zone_of(values)
            if zone is not None:
                # Polars knows names of zones, no mere offsets: such times stay in UTC.
                times = polars.col(name).dt.replace_time_zone("UTC")
                frame = frame.with_columns(times if zone[0] in "+-" else times.dt.convert_time_zone(zone))
        for name, kind in types.items():
            column = polars.col(name)  # numbers become categories by their text
            column = column.cast(polars.String) if kind.base_type() in (polars.Categorical, polars.Enum) else column
            frame = frame.with_columns(column.cast(kind))
        return frame
    if table.kind == "pyarrow":
        import pyarrow

        return pyarrow.table({name: _as_arrow(values, types.get(name)) for name, values in columns.items()})
    import pandas

    frame = pandas.DataFrame(columns)
    for name, values in columns.items():
        zone = zone_of(values)
        if zone is not None:
            frame[name] = pandas.to_datetime(frame[name], utc=True).dt.tz_convert(tzinfo_of(zone))
    for name, kind in types.items():
        zone = getattr(kind, "tz", None)
        if zone is not None:
            frame[name] = pandas.to_datetime(frame[name], utc=True)
        frame[name] = frame[name].dt.date if kind == "date" else frame[name].astype(kind)
    return frame


def _as_arrow(values: NDArray, kind: Any) -> Any:
    import pyarrow

    array = pyarrow.array(values)
    if kind is None:
        return array
    if pyarrow.types.is_dictionary(kind):
        array = array.cast(kind.value_type).dictionary_encode()
    return array.cast(kind)
