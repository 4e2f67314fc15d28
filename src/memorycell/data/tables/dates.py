"""Dates: written in many ways, decided over a whole column; and the column (or columns) that hold them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_array, to_numpy
from memorycell.data.tables.date_text import CLOCK, FORMATS, Fields, days_of, parse_text
from memorycell.data.tables.table import Table, listing

_HINT = re.compile(r"(^|[^a-z])(date|time|datetime|timestamp|ds|month|year|day|week|quarter|period|stamp|dt)")
_STEPS = {"ds", "t", "time", "step", "time_idx", "timestep", "time_step", "timestamp"}
_PARTS = {
    "year": "year", "yr": "year", "month": "month", "mon": "month", "mo": "month", "day": "day", "dom": "day",
    "hour": "hour", "hr": "hour", "minute": "minute", "min": "minute", "second": "second", "sec": "second",
}  # fmt: skip
_NANOSECONDS = {"hour": 3_600_000_000_000, "minute": 60_000_000_000, "second": 1_000_000_000}
_NOT_A_TIME = -(2**63)
_EPOCHS = (
    (10**8, 5 * 10**9, 10**9),
    (10**11, 5 * 10**12, 10**6),
    (10**14, 5 * 10**15, 10**3),
    (10**17, 2**62, 1),
)


@dataclass
class Stamps:
    """The times of a table's rows: datetime64[ns] (NaT where missing), or int64 step numbers."""

    columns: list[str]
    values: NDArray
    notes: list[dict]


def find_time(table: Table, time: str | list[str] | None = None, taken: Collection[str] = ()) -> Stamps | None:
    """The time column: the one named `time`, else the first that parses wholly, else None (rows are steps).

    Looked for in this order, leaving out the columns in `taken`: columns of dates; columns named like a
    time (date, time, ds, timestamp, month, ...); year and month (day, hour, ...) in columns of their own;
    any text column of dates. A column of the time of day beside one of the date is joined with it.

    Example
    -------
    >>> from memorycell.data.tables.reading import read_table
    >>> stamps = find_time(read_table({"when": ["1981-01", "1981-02"], "y": [1, 2]}))
    >>> stamps.columns, stamps.values.astype("datetime64[M]")
    (['when'], array(['1981-01', '1981-02'], dtype='datetime64[M]'))
    """
    if time is not None:
        return read_time(table, [time] if isinstance(time, str) else list(time))
    free = [name for name in table.columns if name not in taken]
    named = [name for name in free if _HINT.search(name.lower())]
    dated = [name for name in free if pa.types.is_timestamp(table.data.schema.field(name).type)]
    parts = _date_parts(table, free)
    for name in dict.fromkeys([n for n in dated if n in named] + dated + [n for n in named if n not in parts]):
        stamps = _parse(table, name)
        if stamps is not None:
            clock = _clock_column(table, [n for n in free if n != name], stamps)
            return read_time(table, [name, clock]) if clock else stamps
    if parts:
        return read_time(table, parts)
    for name in [n for n in named if n in _PARTS] + [n for n in free if table.is_text(n)]:
        stamps = _parse(table, name)
        if stamps is not None:
            return stamps
    for name in named:
        if _nearly_dates(table, name):
            raise _no_date(table, name)
    return None


def read_time(table: Table, columns: list[str]) -> Stamps:
    """The times in one column of dates or step numbers, or in several: date and clock, or year, month, ...

    Raises ValueError naming the first value that is no date.
    """
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(f"{table.source} has no time column {listing(missing)}: it has {listing(table.columns)}")
    if len(columns) > 1 and all(name.lower() in _PARTS for name in columns):
        return _compose(table, columns)
    stamps = _parse(table, columns[0], sure=True)
    if stamps is None:
        raise _no_date(table, columns[0])
    if len(columns) == 2:
        clock = _time_of_day(table, columns[1])
        if clock is None or stamps.values.dtype.kind != "M":
            raise ValueError(f"columns {listing(columns)} cannot be joined: expected a date and a time of day (12:30)")
        text = f"Times are put together from the columns {listing(columns)}."
        return Stamps(columns, stamps.values + clock, [*stamps.notes, note("time", text)])
    if len(columns) > 2:
        raise ValueError(f"time columns {listing(columns)}: expected names such as year, month, day, hour")
    return stamps


def _nearly_dates(table: Table, name: str) -> bool:
    """Whether a column of text would be dates but for a few values: a slip in the file."""
    if not table.is_text(name):
        return False
    column = table.data.column(name).drop_null().slice(0, 500)
    dates = sum(_is_date(column, row) for row in range(len(column)))
    return len(column) >= 10 and dates >= 0.9 * len(column)


def _is_date(column: pa.ChunkedArray, row: int) -> bool:
    return parse_text("", column.slice(row, 1)) is not None


def _impossible(column: pa.ChunkedArray) -> int | None:
    """The first row that looks like a date and is none, such as 2024-02-30."""
    for first in range(0, len(column), 500):
        part = column.slice(first, 500)
        if part.null_count < len(part) and parse_text("", part) is None:
            for row in range(len(part)):
                if part[row].is_valid and not _is_date(part, row):
                    return first + row
    return None


def _no_date(table: Table, name: str) -> ValueError:
    column = table.data.column(name)
    row, value = 0, None
    if table.is_text(name):
        values = column.to_pylist()
        patterns = [re.compile(form + CLOCK) for form in FORMATS.values()]
        best = max(patterns, key=lambda p: sum(bool(v and p.fullmatch(v)) for v in values[:1000]))
        bad = ((i, v) for i, v in enumerate(values) if v is not None and not best.fullmatch(v))
        row, value = next(bad, (0, values[0]))
        if value is not None and best.fullmatch(value):
            row = _impossible(column) or 0
            value = values[row]
    else:
        value = column[0].as_py()
    return ValueError(
        f"column {name!r} does not hold dates: expected values such as 2024-03-31 or 2024-03-31 14:00, got "
        f"{value!r:.60} in {table.where(row)}; mend it or leave it empty, write dates as "
        "year-month-day, or name another column with time="
    )


def _parse(table: Table, name: str, sure: bool = False) -> Stamps | None:
    """The times of one column, or None. Numbers count only if their name (or the user) says so."""
    column = table.data.column(name)
    if pa.types.is_timestamp(column.type):
        return _from_timestamps(name, column)
    if table.is_text(name):
        parsed = parse_text(name, column)
        return None if parsed is None else Stamps([name], *parsed)
    if not table.is_numeric(name) or pa.types.is_boolean(column.type):
        return None
    values = table.numbers(name)
    if not np.isfinite(values).all() or not (values == np.floor(values)).all() or not len(values):
        return None
    numbers = values.astype(np.int64)
    low, high = int(numbers.min()), int(numbers.max())
    if low >= 1678 and high <= 2261 and (sure or _HINT.search(name.lower())):
        years = (numbers - 1970).astype("datetime64[Y]").astype("datetime64[ns]")
        return Stamps([name], years, [note("time", f"Column {name!r} holds years.")])
    if low > 167_800 and high < 22_620_000:
        parsed = parse_text(name, pa.chunked_array([as_array(numbers).cast(pa.string())]), compact=high < 300_000)
        if parsed is not None:
            return Stamps([name], *parsed)
    for least, most, unit in _EPOCHS:
        if least <= low and high < most:
            text = f"Column {name!r} was read as time since 1970-01-01 (UTC)."
            return Stamps([name], (numbers * unit).astype("datetime64[ns]"), [note("time", text)])
    return Stamps([name], numbers, []) if sure or name.lower() in _STEPS else None


def _from_timestamps(name: str, column: pa.ChunkedArray) -> Stamps:
    notes = []
    zone = column.type.tz
    if zone is not None and zone.upper() not in ("UTC", "+00:00", "Z"):
        notes.append(note("time zone", f"Times in {name!r} carry the time zone {zone}: converted to UTC."))
    elif zone is not None:
        notes.append(note("time zone", f"Times in {name!r} are in UTC."))
    try:
        numbers = to_numpy(column.cast(pa.timestamp("ns", zone)), missing=_NOT_A_TIME)
    except pa.ArrowInvalid:
        raise ValueError(f"column {name!r} holds dates outside 1678 to 2261, which cannot be represented") from None
    return Stamps([name], numbers.view("datetime64[ns]"), notes)


def _date_parts(table: Table, free: list[str]) -> list[str]:
    """Columns of year, month, ... down to the finest there is without a break; [] if not both."""
    found = {_PARTS[name.lower()]: name for name in reversed(free) if name.lower() in _PARTS and table.is_numeric(name)}
    parts: list[str] = []
    for part in ("year", "month", "day", "hour", "minute", "second"):
        if part not in found:
            break
        parts.append(found[part])
    if len(parts) < 2:
        return []
    year, month = table.numbers(parts[0]), table.numbers(parts[1])
    valid = len(year) and (year >= 1678).all() and (year <= 2261).all() and (month >= 1).all() and (month <= 12).all()
    return parts if valid else []


def _compose(table: Table, columns: list[str]) -> Stamps:
    parts = {_PARTS[name.lower()]: table.numbers(name) for name in columns}
    for name, values in zip(columns, parts.values(), strict=True):
        bad = ~(np.isfinite(values) & (np.floor(values) == values))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"column {name!r}, {table.where(row)}: expected a whole number, got {values[row]}")
    whole = {part: values.astype(np.int64) for part, values in parts.items()}
    ones = np.ones(len(table), np.int64)
    if "year" not in whole:
        raise ValueError(f"columns {listing(columns)} lack the year: a date needs at least year and month")
    days = days_of(whole["year"], whole.get("month", ones), whole.get("day", ones))
    if days is None:
        raise ValueError(f"columns {listing(columns)} do not make dates: expected months 1 to 12 and days that exist")
    for part, nanoseconds in _NANOSECONDS.items():
        if part in whole:
            days = days + (whole[part] * nanoseconds).astype("timedelta64[ns]")
    return Stamps(columns, days, [note("time", f"Times are put together from the columns {listing(columns)}.")])


def _clock_column(table: Table, others: list[str], stamps: Stamps) -> str | None:
    """A column with the time of day, wanted when the dates alone are whole days that repeat."""
    values = stamps.values
    if values.dtype.kind != "M" or (values != values.astype("datetime64[D]")).any():
        return None
    if len(values) < 2 or (np.diff(values) != np.timedelta64(0)).all():
        return None
    named = [name for name in others if re.search(r"time|hour|hr|clock|uhrzeit", name.lower())]
    return next((name for name in named if _time_of_day(table, name) is not None), None)


def _time_of_day(table: Table, name: str) -> NDArray | None:
    """timedelta64[ns] since midnight from "18:30", "18.30.00" or whole hours; None if there are none."""
    if table.is_numeric(name):
        hours = table.numbers(name)
        if np.isfinite(hours).all() and (hours >= 0).all() and (hours <= 24).all() and (hours == np.floor(hours)).all():
            return (hours.astype(np.int64) * _NANOSECONDS["hour"]).astype("timedelta64[ns]")
        return None
    if not table.is_text(name):
        return None
    pattern = r"^(?P<H>\d{1,2})[:.](?P<M>\d{2})(?:[:.](?P<S>\d{2})(?:\.0*)?)?$"
    fields = pc.extract_regex(table.data.column(name).combine_chunks(), pattern)
    if fields.null_count:
        return None
    part = Fields(fields, np.ones(len(fields), bool))
    seconds = part.number("H", 0) * 3600 + part.number("M", 0) * 60 + part.number("S", 0)
    return (seconds * 10**9).astype("timedelta64[ns]")
