"""Times in several columns: year, month, day, hour, ... of their own, or a date and a time of day."""

from __future__ import annotations

import re

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.tables.arrow import as_texts, is_valid, to_numpy
from memorycell.data.tables.table import Table, listing
from memorycell.data.tables.times.date_text import days_of
from memorycell.data.tables.times.month_names import months_of

_PARTS = {
    "year": "year", "yr": "year", "jahr": "year", "month": "month", "mon": "month", "mo": "month", "mnth": "month",
    "monat": "month", "day": "day", "dom": "day", "tag": "day", "quarter": "quarter", "qtr": "quarter", "q": "quarter",
    "quartal": "quarter", "week": "week", "isoweek": "week", "kw": "week", "woche": "week", "doy": "doy",
    "dayofyear": "doy", "day_of_year": "doy", "yday": "doy", "julian_day": "doy", "hour": "hour", "hr": "hour",
    "stunde": "hour", "minute": "minute", "min": "minute", "second": "second", "sec": "second",
}  # fmt: skip
_CHAINS = (("year", "month", "day"), ("year", "doy"), ("year", "quarter"), ("year", "week"))
_CLOCK = ("hour", "minute", "second")
_MOST = {"month": 12, "day": 31, "quarter": 4, "week": 53, "doy": 366}
_NANOSECONDS = {"hour": 3_600_000_000_000, "minute": 60_000_000_000, "second": 1_000_000_000}


def is_part(name: str) -> bool:
    """Whether a column is named as a part of a date is."""
    return name.strip().lower() in _PARTS


def _part(name: str) -> str:
    return _PARTS[name.strip().lower()]


def date_parts(table: Table, free: list[str]) -> list[str]:
    """Columns of year, month, ... down to the finest there is without a break; [] if not two of them."""
    found: dict[str, tuple[str, NDArray]] = {}
    for name in reversed(free):
        if is_part(name):
            values = _values(table, name)
            if values is not None:
                found[_part(name)] = name, values
    year = found.get("year")
    if year is None or not len(year[1]) or not ((year[1] >= 1678) & (year[1] <= 2261)).all():
        return []
    for chain in _CHAINS:
        parts = ["year"]
        for part in chain[1:]:
            if part not in found or not ((found[part][1] >= 1) & (found[part][1] <= _MOST[part])).all():
                break
            parts.append(part)
        if len(parts) < 2:
            continue
        if parts[-1] in ("day", "doy"):
            for part in _CLOCK:
                if part not in found:
                    break
                parts.append(part)
        return [found[part][0] for part in parts]
    return []


def _values(table: Table, name: str) -> NDArray | None:
    """Numbers of a part; of quarters (Q1) and months (Jan) by their names."""
    if table.is_numeric(name):
        return table.numbers(name)
    if not table.is_text(name):
        return None
    column = table.data.column(name).combine_chunks()
    unique = [each for each in pc.unique(column).to_pylist() if each]
    numbers: dict[str, int] = {}
    if _part(name) == "month":
        named = months_of(unique, thorough=len(unique) in range(2, 25))
        numbers = named[0] if named else {}
    elif _part(name) in ("quarter", "week"):
        digits = {each: re.fullmatch(r"[A-Za-z]{1,4}\.? ?(\d{1,2})|(\d)\. ?[A-Za-z]*", each) for each in unique}
        if all(digits.values()):
            numbers = {each: int(match[1] or match[2]) for each, match in digits.items() if match}
    if not numbers:
        return None
    places = to_numpy(pc.index_in(column, as_texts(unique)), missing=-1).astype(np.int64)
    return np.array([*(float(numbers[each]) for each in unique), np.nan])[places]


def compose(table: Table, columns: list[str]) -> NDArray:
    """datetime64[ns] (n,) of columns that each hold a part of a date."""
    whole: dict[str, NDArray[np.int64]] = {}
    for name in columns:
        values = _values(table, name)
        if values is None:
            raise ValueError(f"column {name!r} of {table.source} does not hold whole numbers, or names of months")
        bad = ~(np.isfinite(values) & (np.floor(values) == values))
        if bad.any():
            row = int(np.argmax(bad))
            raise ValueError(f"column {name!r}, {table.where(row)}: expected a whole number, got {values[row]}")
        whole[_part(name)] = values.astype(np.int64)
    if "year" not in whole:
        raise ValueError(f"columns {listing(columns)} lack the year: a date needs at least year and month")
    ones = np.ones(len(table), np.int64)
    month = 3 * whole["quarter"] - 2 if "quarter" in whole else whole.get("month", ones)
    if "week" in whole:
        month, day = ones, 4 * ones
    else:
        day = whole.get("day", ones)
    days = days_of(whole["year"], month, day)
    if days is None:
        raise ValueError(f"columns {listing(columns)} do not make dates: expected months 1 to 12 and days that exist")
    if "week" in whole:
        number = days.astype("datetime64[D]").astype(np.int64)
        days = (number - (number + 3) % 7 + 7 * (whole["week"] - 1)).astype("datetime64[D]").astype("datetime64[ns]")
    if "doy" in whole:
        days = days + (whole["doy"] - 1).astype("timedelta64[D]")
    for part, nanoseconds in _NANOSECONDS.items():
        if part in whole:
            days = days + (whole[part] * nanoseconds).astype("timedelta64[ns]")
    return days


def clock_of(table: Table, name: str) -> NDArray | None:
    """timedelta64[ns] since midnight from "18:30", "18.30.00", "6:30 PM" or whole hours; None if there are none."""
    if table.is_numeric(name):
        hours = table.numbers(name)
        if np.isfinite(hours).all() and (hours >= 0).all() and (hours == np.floor(hours)).all():
            if (hours <= 25).all():
                return (hours.astype(np.int64) * _NANOSECONDS["hour"]).astype("timedelta64[ns]")
            minutes = hours.astype(np.int64)
            if len(minutes) and 100 <= minutes.max() <= 2400 and (minutes % 100 < 60).all():  # 1830 is 18:30
                return ((minutes // 100 * 60 + minutes % 100) * _NANOSECONDS["minute"]).astype("timedelta64[ns]")
        return None
    if not table.is_text(name):
        return None
    pattern = (
        r"^(?P<H>\d{1,2})(?:[:.h](?P<M>\d{2})(?:[:.](?P<S>\d{2})(?:\.0*)?)?)?\s*(?P<p>[AaPp]\.?[Mm]\.?)?(?: ?Uhr| ?h)?$"
    )
    column = table.data.column(name).combine_chunks()
    fields = pc.extract_regex(column, pattern)
    if fields.null_count or not is_valid(column).all():
        return None
    parts = {key: fields.field(i) for i, key in enumerate(("H", "M", "S", "p"))}
    number = {key: to_numpy(pc.cast(_or_zero(parts[key]), "int64")) for key in ("H", "M", "S")}
    letter = pc.utf8_lower(pc.utf8_slice_codeunits(parts["p"], 0, 1))
    hour = number["H"]
    afternoon, morning = (to_numpy(pc.equal(letter, as_texts([each])[0])) for each in "pa")
    hour = np.where(afternoon, hour % 12 + 12, np.where(morning, hour % 12, hour))
    if (hour > 24).any() or (number["M"] > 59).any() or (number["S"] > 60).any():
        return None
    return ((hour * 3600 + number["M"] * 60 + number["S"]) * 10**9).astype("timedelta64[ns]")


def _or_zero(texts: NDArray) -> NDArray:
    return pc.if_else(pc.equal(texts, as_texts([""])[0]), as_texts(["0"])[0], texts)
