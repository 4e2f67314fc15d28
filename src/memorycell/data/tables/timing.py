"""How a codec takes the times of a table: which column, which grid, rows put together or taken as they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_array
from memorycell.data.tables.series import series_codes
from memorycell.data.tables.table import Table, listing
from memorycell.data.tables.table_fields import TableFields
from memorycell.data.tables.times.date_reading import DateReading
from memorycell.data.tables.times.dates import Stamps, find_time, read_time, unread_numbers
from memorycell.data.tables.times.frequency import Frequency
from memorycell.data.tables.times.open_times import days_of_dates

AGGREGATES = ("none", "mean", "sum", "min", "max", "first", "last")
ROWS, IRREGULAR = "rows", "irregular"  # instead of the name of a time column
SINCE = "time since the last reading"


def find_stamps(codec: TableFields, table: Table, taken: set[str]) -> tuple[Table, Stamps | None, list[dict]]:
    """The times of a table to learn from, and notes; rows are put together, or know the time before them, where asked.

    Raises
    ------
    ValueError
        As `find_time`; and for an `aggregate` or "irregular" without dates.
    """
    word = codec.time[0] if codec.time and len(codec.time) == 1 and codec.time[0] not in table.columns else ""
    if word == ROWS:
        return table, None, [note("time", 'Rows count as steps, in their order, as time="rows" says.')]
    given = None if word == IRREGULAR else codec.time
    stamps = find_time(table, given, taken, codec.reading, lambda: _codes(codec, table))
    if word == IRREGULAR:
        codec.freq = Frequency("irregular", 1)
    if stamps is None:
        if codec.freq is not None and codec.freq.kind == "irregular":
            raise ValueError(f'{table.source} has no column of dates, which time="irregular" needs: it has '
                             f"{listing(table.columns, 12)}")  # fmt: skip
        text = "No column of dates was found: rows count as steps, in their order."
        return table, None, [note("time", text + unread_numbers(table, taken))]
    notes = [*([] if given else [note("time", f"Time is taken from {listing(stamps.columns)}.")]), *stamps.notes]
    codec.reading_ = stamps.reading
    zone = stamps.reading.zone if stamps.values.dtype.kind == "M" else None
    frequency = None if codec.freq is None else codec.freq.on(zone)
    table, values = _arranged(codec, table, stamps.values, frequency, notes)
    return table, replace(stamps, values=values), notes


def read_stamps(
    codec: TableFields, table: Table, reading: DateReading | None = None
) -> tuple[Table, Stamps | None, list[dict]]:
    """The times of a later table, read as the first's were or by `reading`; and the table as the codec takes it."""
    if not codec.time_:
        return table, None, []
    stamps = read_time(table, codec.time_, reading or codec.reading_, lambda: _codes(codec, table))
    notes = list(stamps.notes)
    table, values = _arranged(codec, table, stamps.values, codec.frequency_, notes)
    return table, replace(stamps, values=values), notes


def grid_frequency(codec: TableFields, stamps: Stamps | None) -> Frequency | None:
    """The frequency that the user asked for, in the zone of the times; None where it is to be found."""
    if codec.freq is None:
        return None
    if stamps is None or stamps.values.dtype.kind != "M":
        return codec.freq
    return codec.freq.on(stamps.reading.zone).closed_on(days_of_dates(codec.holidays))


def positions(
    codec: TableFields, stamps: NDArray, series: NDArray[np.int64], offsets: NDArray[np.int64], dates: NDArray
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where stamps lie on a grid: steps from the start of their series, and whether a step is met.

    Parameters
    ----------
    stamps, series : (n,)
        Times as `stamps_of` gives them, and the series of each.
    offsets, dates : int64 (S + 1,), (N,)
        The grid of each series.
    """
    if codec.frequency_.kind != IRREGULAR:
        if codec.aggregate != "none":
            stamps = codec.frequency_.floor(stamps)
        return codec.frequency_.index(stamps, dates[offsets[:-1]][series])
    places, fits = np.zeros(len(stamps), np.int64), np.zeros(len(stamps), bool)
    for one in np.unique(series):
        mine, own = series == one, dates[offsets[one] : offsets[one + 1]]
        at = np.searchsorted(own, stamps[mine], side="right") - 1
        places[mine], fits[mine] = at, (at >= 0) & (own[np.maximum(at, 0)] == stamps[mine])
    return places, fits


def _codes(codec: TableFields, table: Table) -> NDArray[np.int64] | None:
    return series_codes(table, codec.series_)[0] if codec.series_ else None


def _arranged(
    codec: TableFields, table: Table, values: NDArray, frequency: Frequency | None, notes: list[dict]
) -> tuple[Table, NDArray]:
    """The table with rows of one step put together, or with the time since the last reading beside them."""
    if frequency is not None and frequency.kind == IRREGULAR:
        if codec.aggregate != "none":
            raise ValueError(f'aggregate="{codec.aggregate}" needs a regular step: give freq=, such as freq="h"')
        return _with_gaps(table, values, _codes(codec, table)), values
    if codec.aggregate == "none":
        return table, values
    if values.dtype.kind == "M" and np.isnat(values).any():
        table, values = table.take(~np.isnat(values)), values[~np.isnat(values)]
    steps = values if frequency is None else frequency.floor(values)
    return _put_together(table, values, steps, _codes(codec, table), codec.aggregate, frequency, notes)


def _with_gaps(table: Table, values: NDArray, codes: NDArray[np.int64] | None) -> Table:
    """A further column: the logarithm of the time (seconds, or steps) since the reading before; usual at first."""
    times = values.astype(np.int64)
    owner = np.zeros(len(values), np.int64) if codes is None else codes
    order = np.lexsort((times, owner))
    gaps = np.diff(times[order], prepend=times[order[:1]]).astype(np.float64)
    if values.dtype.kind == "M":
        gaps /= 1e9
    first = np.append(True, owner[order][1:] != owner[order][:-1]) | (gaps <= 0)
    logs = np.log(np.where(first, 1.0, gaps))
    logs[first] = np.median(logs[~first]) if (~first).any() else 0.0
    column = np.empty(len(values))
    column[order] = logs
    return replace(table, data=table.data.append_column(SINCE, pa.chunked_array([as_array(column)])))


def _put_together(
    table: Table, values: NDArray, steps: NDArray, codes: NDArray | None, how: str, frequency: Any, notes: list[dict]
) -> tuple[Table, NDArray]:
    """One row of each step and series: numbers by `how`, all else from the last row."""
    if not len(values):
        return table, steps
    owner = np.zeros(len(values), np.int64) if codes is None else codes
    order = np.lexsort((values, owner))
    new = np.append(True, (steps[order][1:] != steps[order][:-1]) | (owner[order][1:] != owner[order][:-1]))
    starts = np.flatnonzero(new)
    if len(starts) == len(values) and (steps == values).all():
        return table, values
    ends = np.append(starts[1:], len(order)) - 1
    chosen = table.take(order[ends])
    data = chosen.data
    for place, name in enumerate(data.column_names):
        if table.is_numeric(name):
            made = _by(how, table.numbers(name).astype(np.float64)[order], starts, ends)
            data = data.set_column(place, name, pa.chunked_array([as_array(made)]))
    step = "time" if frequency is None else str(frequency)
    text = f"{len(values):,} rows were put together to {len(starts):,}: the {how} of each {step}"
    counts = np.diff(np.append(starts, len(order)))
    if how == "sum" and len(counts) > 2 and counts[-1] < 0.6 * np.median(counts[:-1]):
        text += f"; the last has {counts[-1]:,} where {np.median(counts[:-1]):g} are usual, so it may not be complete"
    notes.append(note("aggregate", f"{text}."))
    return replace(chosen, data=data), steps[order[starts]]


def _by(how: str, values: NDArray, starts: NDArray, ends: NDArray) -> NDArray:
    missing = np.isnan(values)
    count = np.add.reduceat((~missing).astype(np.int64), starts)
    if how in ("mean", "sum"):
        total = np.add.reduceat(np.where(missing, 0.0, values), starts)
        found = total if how == "sum" else total / np.maximum(count, 1)
    elif how in ("min", "max"):
        away = np.inf if how == "min" else -np.inf
        found = (np.minimum if how == "min" else np.maximum).reduceat(np.where(missing, away, values), starts)
    else:
        places = np.arange(len(values))
        outside = -1 if how == "last" else len(values)
        pick = (np.maximum if how == "last" else np.minimum).reduceat(np.where(missing, outside, places), starts)
        found = values[np.clip(pick, 0, len(values) - 1)]
    return np.where(count > 0, found, np.nan)


def holidays_of(given: Any) -> list[str]:
    """Dates that are closed, as texts: of a list of dates, of a file of dates, or of both.

    Example
    -------
    >>> holidays_of(["2024-12-25", np.datetime64("2024-12-26")])
    ['2024-12-25', '2024-12-26']
    """
    if given is None:
        return []
    if hasattr(given, "columns"):
        return sorted(set(_dates_in(given)))
    given = list(given) if isinstance(given, Mapping) else given
    found: list[str] = []
    listed = isinstance(given, Sequence | set | np.ndarray) or hasattr(given, "tolist")
    for each in [given] if isinstance(given, str) or not listed else list(given):
        if isinstance(each, str | Path) and Path(each).is_file():
            found += _dates_in(each)
        else:
            found += np.array(days_of_dates([each]), "datetime64[D]").astype(str).tolist()
    return sorted(set(found))


def _dates_in(source: Any) -> list[str]:
    """The dates in a file or frame: one a line, or its first column that holds dates."""
    # Imported here because reading builds on much that time has nothing to do with.
    from memorycell.data.tables.reading import read_table

    table = read_table(source)
    stamps = find_time(table) or None
    if stamps is None or stamps.values.dtype.kind != "M":
        raise ValueError(f"holidays= names {table.source}, which has no column of dates: expected one date a line")
    if not table.header and len(table.columns) == 1:
        return stamps.values.astype("datetime64[D]").astype(str).tolist()
    first = _date_or_none(table.columns[0])  # a header that is a date is the first date of a file without one
    days = stamps.values[~np.isnat(stamps.values)].astype("datetime64[D]").astype(str).tolist()
    return [*([first] if first else []), *days]


def _date_or_none(text: str) -> str | None:
    try:
        return np.array(days_of_dates([text]), "datetime64[D]").astype(str).tolist()[0]
    except ValueError:
        return None
