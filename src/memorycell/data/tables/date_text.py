"""Dates in text: one way of writing, of many, is found that fits the whole column."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_texts, is_valid, text, to_numpy

CLOCK = (
    r"(?:(?:T|\s+)(?P<H>\d{1,2})(?::(?P<M>\d{2}))?(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9})\d*)?)?"
    r"\s*(?P<p>[AaPp])?(?:\.?[Mm]\.?)?\s*(?P<z>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
FORMATS = {
    "year-month-day": r"(?P<y>\d{4})[-/. ](?P<m>\d{1,2})[-/. ](?P<d>\d{1,2})",
    "yearmonthday": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
    "year-month": r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})",
    "yearMmonth": r"(?P<y>\d{4})M(?P<m>\d{1,2})",
    "month-year": r"(?P<m>\d{1,2})[-/.](?P<y>\d{4})",
    "year and quarter": r"(?P<y>\d{4})[- ]?Q(?P<q>[1-4])",
    "numbers": r"(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})[-/.](?P<y>\d{4}|\d{2})",
    "day month-name year": r"(?P<d>\d{1,2})[-. /]+(?P<n>[A-Za-z]{3,9})[-., /]+(?P<y>\d{4})",
    "month-name year": r"(?P<n>[A-Za-z]{3,9})[-., /]+(?P<y>\d{4})",
    "month-name day year": r"(?P<n>[A-Za-z]{3,9})\.? +(?P<d>\d{1,2}),? +(?P<y>\d{4})",
    "year": r"(?P<y>\d{4})",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EMPTY = text("")


def parse_text(name: str, column: pa.ChunkedArray, compact: bool = False) -> tuple[NDArray, list[dict]] | None:
    """Times (datetime64[ns], NaT where missing) and notes, if one form fits the whole column."""
    head = [value for value in column.slice(0, 200).to_pylist() if value is not None]
    forms = {"yearmonth": r"(?P<y>\d{4})(?P<m>\d{2})"} if compact else FORMATS
    for form, pattern in forms.items():
        pattern = pattern + CLOCK
        if not head or not all(re.fullmatch(pattern, value) for value in head):
            continue
        fields = pc.extract_regex(column.combine_chunks(), f"^{pattern}$")
        present = is_valid(column)
        if pc.sum(fields.is_valid()).as_py() != present.sum():
            continue
        dates = Fields(fields, present)
        notes: list[dict] = []
        values = dates.compose(name, form, notes)
        if values is not None:
            return values, notes
    return None


class Fields:
    """The parts of dates that a pattern found, as integers."""

    def __init__(self, fields: pa.StructArray, present: NDArray) -> None:
        self.texts = {field.name: fields.field(i) for i, field in enumerate(fields.type)}
        self.present = present
        self.size = len(present)

    def number(self, key: str, default: int) -> NDArray[np.int64]:
        if key not in self.texts:
            return np.full(self.size, default)
        part = self.texts[key]
        part = pc.if_else(pc.equal(pc.fill_null(part, _EMPTY), _EMPTY), text(str(default)), part)
        return to_numpy(part.cast(pa.int64()))

    def compose(self, name: str, form: str, notes: list[dict]) -> NDArray | None:
        year = self.number("y", 1970)
        month, day = self.number("m", 1), self.number("d", 1)
        year = np.where(year < 100, year + np.where(year < 69, 2000, 1900), year)
        year[~self.present] = 1970
        if "q" in self.texts:
            month = 3 * self.number("q", 1) - 2
        if "n" in self.texts:
            short = pc.utf8_lower(pc.utf8_slice_codeunits(self.texts["n"], 0, 3))
            month = to_numpy(pc.index_in(short, as_texts(_MONTHS)), missing=-1).astype(np.int64) + 1
            month = np.where(self.present, month, 1)
        if form == "numbers":
            chosen = self._day_or_month_first(name, year, notes)
            if chosen is None:
                return None
            month, day = chosen
        days = days_of(year, month, day)
        if days is None:
            return None
        values = days + self._clock(name, notes)
        values[~self.present] = np.datetime64("NaT")
        return values

    def _day_or_month_first(self, name: str, year: NDArray, notes: list[dict]) -> tuple[NDArray, NDArray] | None:
        first, second = self.number("a", 1), self.number("b", 1)
        top_first, top_second = int(first.max(initial=1)), int(second.max(initial=1))
        if top_first > 12 and top_second > 12:
            return None
        if top_first > 12:
            return second, first
        if top_second > 12:
            return first, second
        irregular = []
        for month, day in ((second, first), (first, second)):
            days = days_of(year, month, day)
            steps = np.diff(days[self.present]) if days is not None else np.zeros(0, "timedelta64[ns]")
            irregular.append(
                len(np.unique(steps[steps >= np.timedelta64(0)])) + 10 * int((steps < np.timedelta64(0)).sum())
            )
        dotted = self.size > 0 and self.texts["s"][int(np.argmax(self.present))].as_py() == "."
        day_first = dotted or irregular[0] < irregular[1]
        words = "day, month, year" if day_first else "month, day, year"
        said = (
            f"Dates in {name!r} could be read in two ways; they were read as {words}. Write year-month-day to be sure."
        )
        notes.append(note("ambiguous dates", said))
        return (second, first) if day_first else (first, second)

    def _clock(self, name: str, notes: list[dict]) -> NDArray:
        hour = self.number("H", 0)
        letter = pc.utf8_lower(pc.fill_null(self.texts["p"], _EMPTY))
        afternoon, morning = to_numpy(pc.equal(letter, text("p"))), to_numpy(pc.equal(letter, text("a")))
        if afternoon.any() or morning.any():
            hour = np.where(afternoon, hour % 12 + 12, np.where(morning, hour % 12, hour))
        seconds = hour * 3600 + self.number("M", 0) * 60 + self.number("S", 0)
        fraction = pc.utf8_rpad(pc.fill_null(self.texts["f"], _EMPTY), 9, "0")
        nanoseconds = seconds * 10**9 + to_numpy(fraction.cast(pa.int64()))
        zone = pc.fill_null(self.texts["z"], _EMPTY)
        if pc.any(pc.not_equal(zone, _EMPTY)).as_py():
            digits = pc.replace_substring(zone, ":", "")
            offset = pc.if_else(pc.match_substring_regex(digits, r"^[+-]"), digits, text("+0000"))
            sign = np.where(to_numpy(pc.starts_with(offset, "-")), -1, 1)
            hundreds = sign * to_numpy(pc.utf8_slice_codeunits(offset, 1).cast(pa.int64()))
            minutes = np.sign(hundreds) * (np.abs(hundreds) // 100 * 60 + np.abs(hundreds) % 100)
            nanoseconds = nanoseconds - minutes * 60 * 10**9
            words = ": converted to UTC" if minutes.any() else " of UTC"
            notes.append(note("time zone", f"Times in {name!r} carry a time zone{words}."))
        return nanoseconds.astype("timedelta64[ns]")


def days_of(year: NDArray, month: NDArray, day: NDArray) -> NDArray | None:
    """datetime64[ns] of year, month, day; None if one of them does not exist."""
    if not len(year):
        return np.zeros(0, "datetime64[ns]")
    if year.min() < 1678 or year.max() > 2261 or month.min() < 1 or month.max() > 12 or day.min() < 1:
        return None
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if (days.astype("datetime64[M]") != months).any():
        return None
    return days.astype("datetime64[ns]")
