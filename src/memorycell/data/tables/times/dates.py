"""Dates: written in many ways, decided over a whole column; and the column (or columns) that hold them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import to_numpy
from memorycell.data.tables.table import Table, listing
from memorycell.data.tables.times.date_numbers import counted, is_step_name, parse_numbers
from memorycell.data.tables.times.date_parts import clock_of, compose, date_parts, is_part
from memorycell.data.tables.times.date_reading import Codes, DateReading
from memorycell.data.tables.times.date_text import Parsed, nearest_form, parse_text, reads
from memorycell.data.tables.times.zoned import in_zone
from memorycell.data.tables.times.zones import to_utc

_HINT = re.compile(
    r"(^|[^a-z])(date|time|datetime|timestamp|ds|month|year|day|week|quarter|period|stamp|dt|datum|zeit|monat|jahr|tag|"
    r"woche|quartal|fecha|mes|data|mois|jour|semaine|trimestre|kw|season|saison|julian|(jd|jdn|mjd|unix)$)"
)
_SURE = re.compile(
    r"(the )?(date|time|date[ _-]?time|time[ _-]?stamp|ds|dt|month|week|quarter|half[ _-]?year|period|datum|zeit|"
    r"zeitstempel|zeitpunkt|monat|woche|quartal|fecha|mes|data|mois|semaine|trimestre|date[ _].*|.*[ _]date)",
)
_NOT_A_TIME = -(2**63)
_SAMPLE = 500
_DAY = np.timedelta64(24, "h")
_CLOCK = re.compile(r"\d{1,2}[:.h]\d{2}([:.]\d{2}([.,]\d+)?)?( ?[ap]\.?m\.?)?", re.IGNORECASE)
_FOUR_DIGITS, _WEEK_53 = re.compile(r"(?<!\d)\d{4}(?!\d)"), re.compile(r"(?i)w[a-z]*[ -]?53\b")


@dataclass
class Stamps:
    """The times of a table's rows: datetime64[ns] (NaT where missing), or int64 step numbers.

    Attributes
    ----------
    columns : list of str
    values : (n,)
        In UTC where there is a zone.
    notes : list of dict
    reading : DateReading
        How they were written, for the next table.
    """

    columns: list[str]
    values: NDArray
    notes: list[dict]
    reading: DateReading = field(default_factory=DateReading)


def find_time(
    table: Table,
    time: str | list[str] | None = None,
    taken: Collection[str] = (),
    reading: DateReading | None = None,
    codes: Codes | None = None,
) -> Stamps | None:
    """The time column: the one named `time`, else the first that parses wholly, else None (rows are steps).

    Looked for in this order, leaving out the columns in `taken`: columns of dates; columns named like a
    time (date, time, ds, timestamp, month, ...); year and month (day, hour, ...) in columns of their own;
    any text column of dates. A column of the time of day beside one of the date is joined with it.

    Parameters
    ----------
    reading : DateReading, optional
        What the user said of how dates are written.
    codes : callable, optional
        Gives the series of each row (int64 (n,)), where it is asked for.

    Raises
    ------
    ValueError
        When no column can be read, but one is named like a time and holds a text of its own in most rows.

    Example
    -------
    >>> from memorycell.data.tables.reading import read_table
    >>> stamps = find_time(read_table({"when": ["1981-01", "1981-02"], "y": [1, 2]}))
    >>> stamps.columns, stamps.values.astype("datetime64[M]")
    (['when'], array(['1981-01', '1981-02'], dtype='datetime64[M]'))
    """
    reading = reading or DateReading()
    if time is not None:
        return read_time(table, [time] if isinstance(time, str) else list(time), reading, codes)
    free = [name for name in table.columns if name not in taken]
    hinted = [name for name in free if _HINT.search(name.lower())]
    counting = [name for name in free if name not in hinted and is_step_name(name)]
    named = [*hinted, *counting]
    dated = [name for name in free if pa.types.is_timestamp(table.data.schema.field(name).type)]
    parts = date_parts(table, free)
    first = [n for n in dated if n in named] + dated + [n for n in named if n not in parts]
    rest = [n for n in named if is_part(n)] + [n for n in free if table.is_text(n)]
    unread: list[str] = []
    for name in dict.fromkeys([*first, *([_PARTS_HERE] if parts else []), *rest]):
        if name == _PARTS_HERE:
            return read_time(table, parts, reading, codes)
        found = _parse(table, name, reading, codes=codes)
        if found is None:
            unread.append(name)
            continue
        clock = _clock_column(table, [n for n in free if n != name], found.values)
        if clock:
            return read_time(table, [name, clock], reading, codes)
        return _settled(table, [name], found, codes, reading, _notes_on_unread(table, unread))
    _refuse_unread(table, named)
    return None


_PARTS_HERE = "\0parts"


def read_time(
    table: Table, columns: Sequence[str], reading: DateReading | None = None, codes: Codes | None = None
) -> Stamps:
    """The times in one column of dates or step numbers, or in several: date and clock, or year, month, ...

    Parameters
    ----------
    reading : DateReading, optional
        What the user said, and what was learned of an earlier table, which this one must not contradict.
    codes : callable, optional
        Gives the series of each row (int64 (n,)): in each, an hour that comes twice as clocks are put back is two.

    Raises
    ------
    ValueError
        Naming the first value that is no date.
    """
    reading, columns = reading or DateReading(), list(columns)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(f"{table.source} has no time column {listing(missing)}: it has {listing(table.columns)}")
    if len(columns) > 1 and all(is_part(name) for name in columns):
        values = compose(table, columns)
        text = f"Times are put together from the columns {listing(columns)}."
        parsed = Parsed(values, reading.with_(learned=True), [note("time", text)])
        return _settled(table, columns, parsed, codes, reading)
    parsed_or_none = _parse(table, columns[0], reading, sure=True, codes=codes)
    if parsed_or_none is None:
        raise _no_date(table, columns[0], reading)
    parsed = parsed_or_none
    if len(columns) == 2:
        clock = clock_of(table, columns[1])
        if clock is None or parsed.values.dtype.kind != "M":
            raise ValueError(f"columns {listing(columns)} cannot be joined: expected a date and a time of day (12:30)")
        text = f"Times are put together from the columns {listing(columns)}."
        parsed = replace(parsed, values=parsed.values + clock, notes=[*parsed.notes, note("time", text)])
        if len(clock) and clock.max() > _DAY:
            parsed = _counted_hours(parsed, clock, columns[1], reading)
    if len(columns) > 2:
        raise ValueError(f"time columns {listing(columns)}: expected names such as year, month, day, hour")
    return _settled(table, columns, parsed, codes, reading)


def _counted_hours(parsed: Parsed, clock: NDArray, name: str, reading: DateReading) -> Parsed:
    """Hours 1 to 25 of local days, as markets of electricity count them through the change of clocks in autumn."""
    if reading.timezone is None:
        raise ValueError(
            f"column {name!r} counts 25 hours in a day, as one has where clocks are put back: say whose clocks these "
            'are with timezone=, such as timezone="Europe/Berlin"'
        )
    return replace(parsed, values=to_utc(parsed.values - clock, reading.timezone) + clock, offsets=reading.timezone)


def _settled(
    table: Table,
    columns: list[str],
    parsed: Parsed,
    codes: Codes | None,
    earlier: DateReading,
    notes: Sequence[dict] = (),
) -> Stamps:
    """Times in the zone that is theirs, or that the user said."""
    if parsed.values.dtype.kind != "M":
        return Stamps(columns, parsed.values, [*parsed.notes, *notes], parsed.reading)
    values, zone, told = in_zone(table, columns, parsed, codes, earlier)
    return Stamps(columns, values, [*parsed.notes, *told, *notes], parsed.reading.with_(zone=zone, learned=True))


def _parse(
    table: Table, name: str, reading: DateReading, sure: bool = False, codes: Codes | None = None
) -> Parsed | None:
    """The times of one column, or None. Numbers count only if their name (or the user) says so."""
    column = table.data.column(name)
    named = _HINT.search(name.lower()) is not None
    if pa.types.is_timestamp(column.type):
        return _from_timestamps(name, column, reading)
    if table.is_text(name):
        return parse_text(name, column, reading, sure or named, table.where)
    if not table.is_numeric(name) or pa.types.is_boolean(column.type):
        return None
    if reading.format is not None:
        found = counted(name, table.numbers(name), reading)
        if found is not None:
            return found
        whole = pc.if_else(pc.is_finite(column.cast(pa.float64())), column, None) if len(column) else column
        texts = pc.utf8_lpad(whole.cast(pa.int64()).cast(pa.string()), _width(reading.format), "0")
        return parse_text(name, pa.chunked_array([texts.combine_chunks()]), reading, where=table.where)
    return parse_numbers(name, table.numbers(name), reading, named=named, sure=sure, codes=codes)


def _width(written: str) -> int:
    """Digits that dates of a format have where none is left out, as numbers leave out those in front; 0: not known."""
    digits = {"Y": 4, "G": 4, "j": 3, **dict.fromkeys("ymdHIMSVUW", 2)}
    parts = re.findall(r"%(.)", written)
    plain = written == "".join(f"%{part}" for part in parts) and all(part in digits for part in parts)
    return sum(digits[part] for part in parts) if plain else 0


def _from_timestamps(name: str, column: pa.ChunkedArray, reading: DateReading) -> Parsed:
    zone = column.type.tz
    try:
        numbers = to_numpy(column.cast(pa.timestamp("ns", zone)), missing=_NOT_A_TIME)
    except pa.ArrowInvalid:
        raise ValueError(f"column {name!r} holds dates outside 1678 to 2261, which cannot be represented") from None
    return Parsed(numbers.view("datetime64[ns]"), reading.with_(learned=True), offsets=zone)


def _notes_on_unread(table: Table, names: list[str]) -> list[dict]:
    """Columns that are named as a time's and were passed over."""
    return [
        note("time", f"Column {name!r} is named like a time, but holds no dates that can be read: {shown}.")
        for name in names
        if _SURE.fullmatch(name.lower()) and table.is_text(name)
        for shown in [", ".join(map(repr, table.data.column(name).drop_null().slice(0, 2).to_pylist()))]
    ]


def unread_numbers(table: Table, taken: Collection[str]) -> str:
    """Columns of numbers that are named as a time's and are none that is known, said; "" where there are none."""
    for name in table.columns:
        if name in taken or not _SURE.fullmatch(name.lower()) or not table.is_numeric(name) or not len(table):
            continue
        first = table.data.column(name)[0].as_py()
        return (
            f" Column {name!r} is named like a time, but its numbers, such as {first}, are "
            'no dates that are known: date_format= says what they are ("%d%m%Y", "days since 1970-01-01").'
        )
    return ""


def _refuse_unread(table: Table, named: list[str]) -> None:
    """Raise where a column is named like a time and could not be read, as there is no other one."""
    for name in named:
        if not table.is_text(name):
            continue
        column = table.data.column(name).drop_null()
        count = len(column)
        sure = _SURE.fullmatch(name.lower()) is not None
        if _nearly_dates(column) or (sure and count >= 3 and pc.count_distinct(column).as_py() > 0.5 * count):
            raise _no_date(table, name, DateReading())


def _nearly_dates(column: pa.ChunkedArray) -> bool:
    """Whether texts would be dates but for a few: a slip in the file."""
    head = column.slice(0, _SAMPLE)
    return len(head) >= 10 and nearest_form(head)[1].sum() >= 0.9 * len(head)


def _no_date(table: Table, name: str, reading: DateReading) -> ValueError:
    column = table.data.column(name)
    row, value = 0, column[0].as_py() if len(column) else None
    if table.is_text(name):
        rows = np.flatnonzero(to_numpy(column.is_valid()))
        row = _first_that_is_none(column, rows) if len(rows) else 0
        value = column[row].as_py()
    return ValueError(
        f"column {name!r} does not hold dates: expected values such as 2024-03-31 or 2024-03-31 14:00, got "
        f"{value!r:.60} in {table.where(row)}{_reason(value)}; mend it or leave it empty, say how dates are written "
        'with date_format= (such as date_format="%d.%m.%Y"), name another column with time=, or count rows as steps '
        'with time="rows"'
    )


def _reason(value: Any) -> str:
    """Why a text that looks like a date is none that can be read."""
    text = str(value).strip()
    if _CLOCK.fullmatch(text):
        return ", a time of day, which needs a column with the date beside it"
    year, week = _FOUR_DIGITS.search(text), _WEEK_53.search(text)
    if year is not None and not 1678 <= int(year[0]) <= 2261:
        other = " (is it of the Persian or the Islamic calendar?)" if 1300 <= int(year[0]) <= 1500 else ""
        return f", outside 1678 to 2261, the years that can be represented{other}"
    return f", but {year[0]} has no week 53 of ISO 8601" if year is not None and week is not None else ""


def _first_that_is_none(column: pa.ChunkedArray, rows: NDArray) -> int:
    """Of the texts in some rows: the first that is written otherwise, is no date, or contradicts those before it."""
    texts = column.take(pa.array(rows))
    form, mask = nearest_form(texts.slice(0, 200 * _SAMPLE))
    if not mask.all() or len(mask) < len(rows):
        return int(rows[np.argmin(mask)] if not mask.all() else rows[0])
    low, high = 1, len(rows)
    while low < high:  # the shortest beginning that cannot be read
        middle = (low + high) // 2
        low, high = (low, middle) if not reads(texts.slice(0, middle), form) else (middle + 1, high)
    return int(rows[min(low, len(rows)) - 1])


def _clock_column(table: Table, others: list[str], values: NDArray) -> str | None:
    """A column with the time of day, wanted when the dates alone are whole days that repeat."""
    if values.dtype.kind != "M" or (values != values.astype("datetime64[D]")).any():
        return None
    if len(values) < 2 or (np.diff(values) != np.timedelta64(0)).all():
        return None
    named = [name for name in others if re.search(r"time|hour|hr|clock|uhrzeit|zeit|heure|hora|stunde", name.lower())]
    return next((name for name in named if clock_of(table, name) is not None), None)
