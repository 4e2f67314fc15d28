"""Dates in text: one way of writing, of many, is found that fits the whole column."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_texts, is_valid, text, to_numpy
from memorycell.data.tables.times.date_forms import (
    FORMS,
    ONLY_IF_NAMED,
    QUARTER_NAME,
    QUARTERS,
    SPAN,
    SPAN_END,
    WEEK_NAME,
    WEEKDAY,
    WEEKDAY_BEHIND,
    WEEKDAY_FIRST,
    WEEKDAY_LAST,
    WEEKS,
    WITH_DAYS,
)
from memorycell.data.tables.times.date_marks import plain
from memorycell.data.tables.times.date_order import best_order
from memorycell.data.tables.times.date_reading import ORDERS, DateReading
from memorycell.data.tables.times.month_names import language_name, months_of
from memorycell.data.tables.times.zone_names import seconds_ahead

Where = Callable[[int], str]
_TRIMMED = {WEEKDAY_FIRST: WEEKDAY, WEEKDAY_LAST: WEEKDAY_BEHIND, SPAN: SPAN_END}
_EMPTY = text("")
_FIRST_YEAR = 1969  # of years of two digits, as POSIX has it, unless that leads further than this into the future
_AHEAD = 20
_BUDDHIST = (2420, 2700)
_SAMPLE = 200


@dataclass
class Parsed:
    """Times that were read.

    Attributes
    ----------
    values : datetime64[ns] (N,)
        NaT where missing; in UTC where there are offsets, else as written.
    reading : DateReading
    notes : list of dict
    offsets : int64 (N,), str or None
        Seconds that the clock was ahead of UTC, or the zone's name, where the times say so.
    """

    values: NDArray
    reading: DateReading
    notes: list[dict] = field(default_factory=list)
    offsets: NDArray[np.int64] | str | None = None


def parse_text(
    name: str,
    column: pa.ChunkedArray,
    reading: DateReading | None = None,
    sure: bool = True,
    where: Where = "row {:,}".format,
) -> Parsed | None:
    """Times of a column of text, if one form fits the whole column.

    Parameters
    ----------
    name : str
        Of the column; it decides whether digits alone may be weeks or months.
    reading : DateReading, optional
        What the user said, and what was learned of an earlier table.
    sure : bool
        Whether the column is known, or named, to hold times.
    where : callable
        What messages call a row: "line 7" of a file.

    Raises
    ------
    ValueError
        For values that contradict what was learned, or what the user said.
    """
    reading = reading or DateReading()
    if column.null_count == len(column):
        return None
    column = plain(column)
    head = column.slice(0, 2 * _SAMPLE).drop_null().slice(0, _SAMPLE)
    if not len(head):
        return None
    if reading.format is not None:
        return _by_format(name, column, reading, where)
    trimmed = next((mark for mark in _TRIMMED if reading.form.startswith(mark)), "")
    if not trimmed:
        parsed = _by_forms(name, column, head, reading, sure, where)
        if parsed is not None:
            return parsed
    for mark, pattern in _TRIMMED.items():
        if (trimmed and mark != trimmed) or not pc.all(pc.match_substring_regex(head, pattern)).as_py():
            continue
        if mark == WEEKDAY_LAST and pc.any(pc.match_substring(head, ":")).as_py():
            continue  # words behind a clock may be a zone
        bare, known = (
            pc.replace_substring_regex(column, pattern, ""),
            reading.with_(form=reading.form.removeprefix(mark)),
        )
        parsed = _by_forms(name, bare, pc.replace_substring_regex(head, pattern, ""), known, sure, where, WITH_DAYS)
        if parsed is not None:
            parsed.reading = parsed.reading.with_(form=mark + parsed.reading.form)
            return parsed
    return None


def _by_forms(
    name: str,
    column: pa.ChunkedArray,
    head: pa.ChunkedArray,
    reading: DateReading,
    sure: bool,
    where: Where,
    allowed: Collection[str] = FORMS,
) -> Parsed | None:
    for form in _in_order(name, reading, sure):
        if form not in allowed or not pc.all(pc.match_substring_regex(head, f"^(?:{FORMS[form]})$")).as_py():
            continue
        parsed = _quickly(column, form, reading) or _parsed(name, column, form, reading, sure, where)
        if parsed is not None:
            return parsed
    return None


def nearest_form(column: pa.ChunkedArray) -> tuple[str, NDArray[np.bool_]]:
    """The form that most texts of a column are written in, and which are; for messages on those that are not."""
    best, mask = "", np.zeros(len(column), bool)
    for form in FORMS:
        if form in ONLY_IF_NAMED:
            continue
        found = to_numpy(pc.match_substring_regex(column, f"^(?:{FORMS[form]})$"), missing=False)
        if found.sum() > mask.sum():
            best, mask = form, found
    return best, mask


def reads(column: pa.ChunkedArray, form: str) -> bool:
    """Whether texts of one form are all dates, in one order."""
    return _parsed("", column, form, DateReading(), False, str) is not None


def _in_order(name: str, reading: DateReading, sure: bool) -> list[str]:
    named_week = WEEK_NAME.search(name.lower()) is not None
    forms = [reading.form] if reading.form in FORMS else []
    forms += list(WEEKS) if named_week else []
    forms += QUARTERS
    forms += [form for form in FORMS if sure or form not in ONLY_IF_NAMED]
    return list(dict.fromkeys(forms))


def _quickly(column: pa.ChunkedArray, form: str, reading: DateReading) -> Parsed | None:
    """ISO 8601, with offsets or without, by Arrow's own reader, which is many times as quick."""
    if form != "year-month-day":
        return None
    zone = pc.utf8_slice_codeunits(column, -6, None)
    aware = bool(pc.all(pc.match_substring_regex(zone, r"(^[+-]\d\d:\d\d|Z)$")).as_py())
    try:
        stamps = column.cast(pa.timestamp("ns", "UTC" if aware else None))
    except pa.ArrowInvalid:
        return None
    if not pc.all(pc.match_substring_regex(column, r"^\d{4}-\d\d-\d\d")).as_py():
        return None
    values = to_numpy(stamps, missing=-(2**63)).view("datetime64[ns]")
    return Parsed(values, reading.with_(learned=True, form=form), offsets=_offsets_of(zone) if aware else None)


def _offsets_of(zone: pa.ChunkedArray) -> NDArray[np.int64]:
    """Seconds ahead of UTC of texts that end in Z or an offset such as +01:00."""
    encoded = zone.combine_chunks().dictionary_encode()
    seconds = [0 if each.endswith("Z") else _seconds(each) for each in encoded.dictionary.to_pylist()]
    return np.array([*seconds, 0], np.int64)[to_numpy(encoded.indices, missing=-1).astype(np.int64)]


def _seconds(offset: str) -> int:
    return (-1 if offset[0] == "-" else 1) * (int(offset[1:3]) * 3600 + int(offset[4:6]) * 60)


def _parsed(
    name: str, column: pa.ChunkedArray, form: str, reading: DateReading, sure: bool, where: Where
) -> Parsed | None:
    fields = pc.extract_regex(column.combine_chunks(), f"^(?:{FORMS[form]})$")
    present = is_valid(column)
    if pc.sum(fields.is_valid()).as_py() != present.sum():
        return None
    return Fields(fields, present, column, where).read(name, form, reading, sure)


class Fields:
    """The parts of dates that a pattern found, as integers."""

    def __init__(
        self, fields: pa.StructArray, present: NDArray, column: Any = None, where: Where = "row {:,}".format
    ) -> None:
        self.texts = {field.name: fields.field(i) for i, field in enumerate(fields.type)}
        self.present, self.column, self.where = present, column, where
        self.size = len(present)
        self.notes: list[dict] = []

    def number(self, key: str, default: int) -> NDArray[np.int64]:
        if key not in self.texts:
            return np.full(self.size, default)
        part = self.texts[key]
        part = pc.if_else(pc.equal(pc.fill_null(part, _EMPTY), _EMPTY), text(str(default)), part)
        return to_numpy(part.cast(pa.int64()))

    def read(self, name: str, form: str, reading: DateReading, sure: bool) -> Parsed | None:
        year, century = self._years(name, form, reading)
        learned: dict[str, Any] = {"learned": True, "form": form, "century": century or reading.century}
        month, day = self.number("m", 1), self.number("d", 1)
        if (form in QUARTERS and not self._quarterly(name, year, form, reading)) or (
            "x" in self.texts and not self._next_years(year, form, reading)
        ):
            return None
        self._say_fiscal(name, reading)
        if "q" in self.texts:
            month = np.maximum(1, 3 * np.maximum(self.number("q", 0), self.number("q2", 0)) - 2)
        if "h" in self.texts:
            month = 6 * np.maximum(self.number("h", 0), self.number("h2", 0)) - 5
        month = np.where(self.present, month, 1)
        if "n" in self.texts:
            named = self._named_months(name, reading, sure)
            if named is None:
                return None
            month, learned["language"] = named
        days: NDArray | None
        if form == "numbers":
            found = self._in_order(name, year, reading)
            if found is None:
                return None
            days, learned["order"] = found
        elif "w" in self.texts:
            days = self._of_weeks(year)
        elif "j" in self.texts:
            days = self._of_year(year)
        else:
            days = days_of(year, month, day)
        if days is None:
            return None
        values, offsets = self._clock(days, reading)
        if values is None:
            return None
        values[~self.present] = np.datetime64("NaT")
        return Parsed(values, reading.with_(**learned), self.notes, offsets)

    def _years(self, name: str, form: str, reading: DateReading) -> tuple[NDArray[np.int64], int]:
        """Years of four digits, and the first that two digits stand for where there are such."""
        year = self.number("y", 1970)
        if form != "numbers" or reading.order != "ymd":
            year = self._of_our_calendar(name, year, reading)
        short = self.present & (year < 100)
        if not short.any() or (form == "numbers" and reading.order == "ymd"):
            return year, 0
        century = reading.century or self._century(year[short])
        year = np.where(short, century + (year - century) % 100, year)
        if not reading.learned and form != "numbers":
            self._say_years(name, year[short])
        return year, century

    def _quarterly(self, name: str, year: NDArray[np.int64], form: str, reading: DateReading) -> bool:
        """Whether 1/2010 is a quarter: the column is named so, or four numbers fill the years, and no other comes."""
        if form == reading.form or (QUARTER_NAME.search(name.lower()) and not WEEK_NAME.search(name.lower())):
            return True
        quarters = np.unique((4 * year + self.number("q", 1) - 1)[self.present])
        if len(quarters) < 8 or len(quarters) < 0.9 * (quarters[-1] - quarters[0] + 1):
            return False
        text = f"The numbers beside the years in {name!r} were read as quarters, as none above 4 comes."
        self.notes.append(note("quarters", text))
        return True

    def _next_years(self, year: NDArray[np.int64], form: str, reading: DateReading) -> bool:
        """Whether the second number is the year after the first: 2019/20, and not a month."""
        later = self.number("x", 0)
        follows = np.where(later > 99, later == year + 1, later == (year + 1) % 100)[self.present]
        sure = form == reading.form or later.max(initial=0) > 12 or len(np.unique(year[self.present])) >= 3
        return bool(follows.all() and sure)

    def _say_fiscal(self, name: str, reading: DateReading) -> None:
        if reading.learned or ("x" not in self.texts and "fy" not in self.texts):
            return
        if "x" in self.texts or pc.any(pc.not_equal(pc.fill_null(self.texts["fy"], _EMPTY), _EMPTY)).as_py():
            text = f"Years in {name!r} that are not the calendar's are dated as if they were: by the first day of "
            which = "the year that they begin in" if "x" in self.texts else "the year that they are named after"
            self.notes.append(note("years", f"{text}{which}."))

    def _of_our_calendar(self, name: str, year: NDArray[np.int64], reading: DateReading) -> NDArray[np.int64]:
        """Years of the Buddhist calendar of Thailand as those of ours, which alone can be represented."""
        low, high = _BUDDHIST
        known = year[self.present]
        if not len(known) or known.min() < low or known.max() > high:
            return year
        if not reading.learned:
            text = f"Years such as {known[0]} in {name!r} were read as those of the Buddhist calendar: "
            self.notes.append(note("years", f"{text}{known[0]} is {known[0] - 543}."))
        return np.where(self.present, year - 543, 1970)

    def _say_years(self, name: str, years: NDArray[np.int64]) -> None:
        first, last = int(years.min()), int(years.max())
        said = str(first) if first == last else f"{first} to {last}"
        self.notes.append(note("years", f"Years of two digits in {name!r} were read as {said}."))

    def _century(self, short: NDArray[np.int64]) -> int:
        """1969 as POSIX has it, unless that puts dates far into the future."""
        now = datetime.datetime.now(datetime.UTC).year
        years = _FIRST_YEAR + (short - _FIRST_YEAR) % 100
        return _FIRST_YEAR if years.max() <= now + _AHEAD else now + _AHEAD - 99

    def _named_months(self, name: str, reading: DateReading, sure: bool) -> tuple[NDArray[np.int64], str] | None:
        unique = [each for each in pc.unique(self.texts["n"]).to_pylist() if each]
        found = months_of(unique, reading.language or None, thorough=sure) or (
            months_of(unique, thorough=sure) if reading.language else None
        )
        if found is None:
            return None
        numbers, language = found
        if language != "en" and language != reading.language:
            shown = language_name(language)
            self.notes.append(note("months", f"Names of months in {name!r} were read as {shown}."))
        places = to_numpy(pc.index_in(self.texts["n"], as_texts(unique)), missing=-1).astype(np.int64)
        table = np.array([*(numbers[each] for each in unique), 1], np.int64)
        return table[places], language

    def _of_year(self, year: NDArray[np.int64]) -> NDArray | None:
        """Days of the year, of which there are 366 at most; None where a year has no such day."""
        first = days_of(year, np.full(self.size, 1), np.full(self.size, 1))
        number = self.number("j", 1)
        if first is None or number.min() < 1 or number.max() > 366:
            return None
        days = first + (number - 1).astype("timedelta64[D]")
        return days if (days.astype("datetime64[Y]").astype(np.int64) + 1970 == year).all() else None

    def _of_weeks(self, year: NDArray[np.int64]) -> NDArray | None:
        """Days of ISO weeks, Monday where no day is given; None where a year has no such week."""
        week, weekday = self.number("w", 1), self.number("u", 1)
        first = days_of(year, np.full(self.size, 1), np.full(self.size, 4))
        if first is None or week.min() < 1 or week.max() > 53:
            return None
        number = first.astype("datetime64[D]").astype(np.int64)
        monday = number - (number + 3) % 7
        days = monday + 7 * (week - 1)
        thursday = (days + 3).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
        if (thursday != year).any():  # week 53 of a year that has 52
            return None
        return (days + weekday - 1).astype("datetime64[D]").astype("datetime64[ns]")

    def _in_order(self, name: str, year: NDArray, reading: DateReading) -> tuple[NDArray, str] | None:
        """Days of numbers in the order that was learned or told, or that fits best; None where none does."""
        first, second = self.number("a", 1), self.number("b", 1)
        asked = reading.order or {True: "dmy", False: "mdy", None: ""}[reading.dayfirst]
        short = bool((self.number("y", 1970)[self.present] < 100).all())
        days = {"dmy": days_of(year, second, first), "mdy": days_of(year, first, second)}
        if short and (not asked or asked == "ymd"):
            own = reading.century or self._century(first[self.present])
            days["ymd"] = days_of(own + (first - own) % 100, second, np.where(self.present, self.number("y", 1), 1))
        if asked:
            if days[asked] is None:
                raise self._contradiction(name, asked, first, second, reading)
            return _or_none(days[asked], asked)
        possible = {order: each for order, each in days.items() if each is not None}
        if not possible:
            return None
        if len(possible) == 1:
            return _or_none(*reversed(next(iter(possible.items()))))
        present = {order: each[self.present].astype("datetime64[D]") for order, each in possible.items()}
        dotted = self.texts["s"][int(np.argmax(self.present))].as_py() == "."
        usual = "dmy" if dotted else "mdy"
        clock = self.number("H", 0) * 60 + self.number("M", 0)
        within_days = bool((clock != clock[0]).any())
        order, doubtful = best_order(present, usual if usual in present else next(iter(present)), within_days)
        if len({each.tobytes() for each in present.values()}) > 1:
            self.notes.append(_said(name, order, doubtful, reading.learned))
        return possible[order], order

    def _contradiction(
        self, name: str, order: str, first: NDArray, second: NDArray, reading: DateReading
    ) -> ValueError:
        month = {"dmy": second, "mdy": first, "ymd": second}[order]
        row = int(np.argmax(self.present & ((month > 12) | (month < 1))))
        value = self.column[row].as_py()
        why = "the order of the table that the model was trained on" if reading.learned else "as dayfirst= says"
        remedy = "write dates as year-month-day" if reading.learned else "leave dayfirst= out, or mend it"
        return ValueError(
            f"column {name!r}: {value!r} in {self.where(row)} is no date of {ORDERS[order]}, {why}; {remedy}"
        )

    def _clock(self, days: NDArray, reading: DateReading) -> tuple[NDArray | None, NDArray[np.int64] | None]:
        if "H" not in self.texts:
            return days.copy(), None
        hour, minute, second = self.number("H", 0), self.number("M", 0), self.number("S", 0)
        if "p" in self.texts:
            letter = pc.utf8_lower(pc.fill_null(self.texts["p"], _EMPTY))
            afternoon, morning = (to_numpy(pc.is_in(letter, as_texts([*marks]))) for marks in ("p下후後", "a上전前"))
            if afternoon.any() or morning.any():
                if (hour[afternoon | morning] > 12).any():
                    return None, None
                hour = np.where(afternoon, hour % 12 + 12, np.where(morning, hour % 12, hour))
        if hour.max() > 24 or minute.max() > 59 or second.max() > 60:
            return None, None
        nanoseconds = (hour * 3600 + minute * 60 + second) * 10**9
        if "f" in self.texts:
            fraction = pc.utf8_rpad(pc.fill_null(self.texts["f"], _EMPTY), 9, "0")
            nanoseconds = nanoseconds + to_numpy(fraction.cast(pa.int64()))
        values = days + nanoseconds.astype("timedelta64[ns]")
        offsets = self._offsets(reading)
        return (values, None) if offsets is None else (values - offsets.astype("timedelta64[s]"), offsets)

    def _offsets(self, reading: DateReading) -> NDArray[np.int64] | None:
        """Seconds ahead of UTC; None where no text says so."""
        zone = pc.fill_null(self.texts["z"], _EMPTY) if "z" in self.texts else None
        if zone is None or not pc.any(pc.not_equal(zone, _EMPTY)).as_py():
            return None
        bare = to_numpy(pc.equal(zone, _EMPTY)) & self.present
        if bare.any():
            row = int(np.argmax(bare))
            raise ValueError(
                f"{self.column[row].as_py()!r} in {self.where(row)} has no time zone, but others of its column have: "
                "write all of them with it, or none"
            )
        encoded = zone.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        places = to_numpy(encoded.indices).astype(np.int64)
        seconds = np.zeros(len(names), np.int64)
        for i, name in enumerate(names):
            try:
                seconds[i] = seconds_ahead(name, reading.timezone or reading.zone, {*names}) if name else 0
            except ValueError as error:
                row = int(np.argmax(places == i))
                raise ValueError(f"{self.column[row].as_py()!r} in {self.where(row)}: {error}") from None
        return seconds[places]


def _or_none(days: NDArray | None, order: str) -> tuple[NDArray, str] | None:
    return None if days is None else (days, order)


def _said(name: str, order: str, doubtful: bool, learned: bool) -> dict:
    words, other = ORDERS[order], "False" if order == "dmy" else "True"
    first = "the month" if order == "dmy" else "the day"
    why = "both would give regular dates, so this is in doubt" if doubtful else "which gives the more regular dates"
    remedy = "write year-month-day to be sure" if learned else f"give dayfirst={other} where {first} comes first"
    text = f"Dates in {name!r} could be read in two ways; they were read as {words}; {why}; {remedy}."
    return note("ambiguous dates", text.replace("; which", ", which"))


def _by_format(name: str, column: pa.ChunkedArray, reading: DateReading, where: Where) -> Parsed:
    """Times by the user's own format; each different text is read once."""
    encoded = column.combine_chunks().dictionary_encode()
    words = encoded.dictionary.to_pylist()
    written, added = _whole_format(str(reading.format))
    found, offsets = np.empty(len(words) + 1, "datetime64[ns]"), np.zeros(len(words) + 1, np.int64)
    found[-1] = np.datetime64("NaT")
    aware = 0
    for i, word in enumerate(words):
        try:
            moment = datetime.datetime.strptime(word + added, written)
        except ValueError:
            row = int(np.argmax(to_numpy(encoded.indices, missing=-1) == i))
            raise ValueError(
                f"column {name!r}: {word!r:.60} in {where(row)} is not written as date_format= says, {reading.format!r}"
            ) from None
        ahead = moment.utcoffset()
        if ahead is not None:
            aware += 1
            offsets[i] = int(ahead.total_seconds())
            moment = (moment - ahead).replace(tzinfo=None)
        if not 1678 <= moment.year <= 2261:
            raise ValueError(
                f"column {name!r}: {word!r:.60} lies outside 1678 to 2261, the years that can be represented"
            )
        found[i] = np.datetime64(moment, "us")
    places = to_numpy(encoded.indices, missing=-1).astype(np.int64)
    learned = reading.with_(learned=True)
    return Parsed(found[places], learned, [], offsets[places] if aware else None)


def _whole_format(written: str) -> tuple[str, str]:
    """A format that says a day, and what is to be put behind each value for it: weeks begin on their first day."""
    if not re.search(r"%[YyGcx]", written):
        raise ValueError(
            f'expected date_format= with a year, such as "%d.%m.%Y" (%Y 2024, %y 24, %m 03, %d 31, %H:%M 14:00, '
            f'%b Mar), or of numbers "days since 1970-01-01", got {written!r:.60}'
        )
    if re.search(r"%[WUV]", written) and not re.search(r"%[aAwu]", written):
        day = " %w" if "%U" in written else " %u"
        return written + day, " 0" if "%U" in written else " 1"
    return written, ""


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
