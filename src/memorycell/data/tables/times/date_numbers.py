"""Times as numbers: years, 202401, 20240131, seconds since 1970, days of a spreadsheet, decimal years, steps."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_array
from memorycell.data.tables.times.calendar import say_date
from memorycell.data.tables.times.date_forms import QUARTER_NAME, WEEK_NAME
from memorycell.data.tables.times.date_order import best_order
from memorycell.data.tables.times.date_reading import Codes, DateReading
from memorycell.data.tables.times.date_text import Parsed, parse_text

_DAY = 86_400 * 10**9
_NOT_A_TIME = -(2**63)
_EPOCHS = ((10**8, 5 * 10**9, 10**9), (10**11, 5 * 10**12, 10**6), (10**14, 5 * 10**15, 10**3), (10**17, 2**62, 1))
_SERIALS = (18_000, 80_000)  # 1949 to 2119, in days since 1899-12-30
# What numbers of days count from, and the number of that day.
_STARTS = {
    "serial": (np.datetime64("1899-12-30", "ns"), 0.0),
    "julian": (np.datetime64("1970-01-01", "ns"), 2_440_587.5),
    "modified julian": (np.datetime64("1970-01-01", "ns"), 40_587.0),
    "matlab": (np.datetime64("1970-01-01", "ns"), 719_529.0),
}
_COUNTS = (
    (re.compile(r"jd|jdn|julian[ _]?(day|date)?s?"), "julian", 2_340_000, 2_540_000),
    (re.compile(r"mjd|modified[ _]julian[ _]?(day|date)?s?"), "modified julian", 1, 150_000),
    (re.compile(r"unix([ _]?(time|timestamp|seconds?|ts|epoch))?"), f"epoch {10**9}", -5e9, 5e9),
    (re.compile(r"datenum|matlab[ _]?(time|date|datenum|day)?s?"), "matlab", 620_000, 820_000),
)
# Digits set side by side: how many, what is made of them, and the forms that this may have.
_PRESSED: dict[str, tuple[int, str, str, tuple[str, ...]]] = {
    "yearmonth": (0, "", "", ("yearmonth",)),
    "yearweek": (0, "", "", ("year-week",)),
    "yearquarter": (0, r"^(\d{4})", r"\1-", ("year-quarter",)),
    "yearday": (0, r"^(\d{4})", r"\1-", ("year and day of the year",)),
    "yymmdd": (6, r"^(..)(..)(..)$", r"\1-\2-\3", ("numbers",)),
    "daymonthyear": (8, r"^(..)(..)(....)$", r"\1/\2/\3", ("numbers",)),
    "monthdayyear": (8, r"^(..)(..)(....)$", r"\1/\2/\3", ("numbers",)),
    "pressed": (0, "", "", ("yearmonthday", "yearmonthday with its clock")),
}
_MIDNIGHT = re.compile(r"[ T]00?:00?(:00?(\.0*)?)?( ?UTC)?$")
_SINCE = re.compile(r"(\w+) since (.+)")
_UNITS = {
    "week": 7 * _DAY, "day": _DAY, "hour": _DAY // 24, "minute": 60 * 10**9, "second": 10**9, "millisecond": 10**6,
    "microsecond": 10**3, "nanosecond": 1,
}  # fmt: skip
_STEPS = re.compile(
    r"(ds|t|time|steps?|time[ _]?(idx|index|steps?|stamp|no|nr)|steps?[ _]?(idx|index|no|nr)|epochs?|ticks?|elapsed|"
    r"years?|yr|jahr|seconds?|secs?|(elapsed|relative|rel|sim|simulation|run)[ _]?(time|seconds?|secs?))"
    r"([ _]*[\[(]?(s|secs?|seconds?|ms|us|µs|ns|min|minutes?|h|hours?|d|days?|elapsed|since[ _]start|"
    r"from[ _]start)[\])]?)?"
)
_CERTAIN = {"ds", "time", "time_idx", "timestep", "time_step", "timestamp"}


def is_step_name(name: str) -> bool:
    """Whether a column is named as one that counts steps or seconds."""
    return _STEPS.fullmatch(name.strip().lower()) is not None


def parse_numbers(
    name: str,
    values: NDArray,
    reading: DateReading,
    *,
    named: bool,
    sure: bool,
    codes: Codes | None = None,
) -> Parsed | None:
    """Times of a column of numbers, or None where they are not times.

    Parameters
    ----------
    named : bool
        Whether the column is named like a date.
    sure : bool
        Whether the user says, or an earlier table showed, that it holds times.
    codes : callable, optional
        Gives the series of each row (int64 (N,)).
    """
    present = np.isfinite(values)
    if not present.any() or not len(values):
        return None
    known = values[present].astype(np.float64)
    whole = bool((known == np.floor(known)).all())
    if reading.unit:
        return _by_unit(name, values, present, reading)
    units = _whole_units(name, known, named or sure) if whole else _broken_units(name, known) if named or sure else []
    for unit in [*_named_units(name, known), *units]:
        tried = (_by_unit(name, values, present, reading.with_(unit=each), said=True) for each in unit.split("|"))
        found = _most_regular([each for each in tried if each is not None], reading)
        if found is not None:
            return found
    if not present.all() or not (
        sure or (is_step_name(name) and _rises(name, values, None if codes is None else codes()))
    ):
        return None
    return _steps(values, whole, reading)


def _most_regular(found: list[Parsed], reading: DateReading) -> Parsed | None:
    """Of readings of the same numbers the one whose dates keep a calendar's step best."""
    wanted = {True: "daymonthyear", False: "monthdayyear"}.get(reading.dayfirst)  # type: ignore[arg-type]
    found = [each for each in found if wanted is None or each.reading.unit == wanted] or found
    if len(found) < 2:
        return found[0] if found else None
    days = {each.reading.unit: each.values[~np.isnat(each.values)].astype("datetime64[D]") for each in found}
    best = best_order(days, found[0].reading.unit)[0]
    return next(each for each in found if each.reading.unit == best)


def _named_units(name: str, known: NDArray) -> list[str]:
    """Units that only a column's name tells of: quarters, and days as sciences count them."""
    text, low, high = name.lower().strip(), known.min(), known.max()
    units = [unit for names, unit, least, most in _COUNTS if names.fullmatch(text) and least <= low and high <= most]
    return [*units, "yearquarter"] if QUARTER_NAME.search(text) and low > 1678 else units


def _whole_units(name: str, known: NDArray, named: bool) -> list[str]:
    low, high = known.min(), known.max()
    units = []
    if named and low >= 1678 and high <= 2261:
        units.append("year")
    if low > 167_800 and high < 226_200:
        weeks = "yearweek|yymmdd" if named else "yearweek"
        units += ["yearweek", "yearmonth"] if WEEK_NAME.search(name.lower()) else ["yearmonth", weeks]
    elif named and low >= 100_101 and high <= 991_231:
        units.append("yymmdd")
    if named and low >= 1_678_001 and high <= 2_261_366:
        units.append("yearday")
    for least, most in ((16_780_000, 22_620_000), (1.8e9, 2.2e9), (1.8e11, 2.2e11), (1.8e13, 2.2e13)):
        if least < low and high < most:
            units.append("pressed")
    if named and low >= 1_011_678 and high <= 31_122_261:
        units.append("monthdayyear|daymonthyear")
    units += [f"epoch {unit}" for least, most, unit in _EPOCHS if least <= low and high < most]
    if named and not is_step_name(name) and _SERIALS[0] <= low and high <= _SERIALS[1]:
        units.append("serial")
    return units


def _broken_units(name: str, known: NDArray) -> list[str]:
    low, high = known.min(), known.max()
    units = []
    if low >= 1678 and high <= 2262:
        hundredths = np.round((known - np.floor(known)) * 100, 4)
        months = (hundredths == np.round(hundredths)) & (hundredths >= 1) & (hundredths <= 12)
        units += ["year.month"] if months.all() else []
        units.append("decimal year")
    if _SERIALS[0] <= low and high <= _SERIALS[1]:
        units.append("serial")
    units += [f"epoch {unit}" for least, most, unit in _EPOCHS[:2] if least <= low and high < most]
    return units


_SAID = {
    "year": "Column {!r} holds years",
    "serial": "Column {!r} was read as days since 1899-12-30, as spreadsheets count them",
    "decimal year": "Column {!r} was read as years with a fraction",
    "year.month": "Column {!r} was read as years and, after the point, months",
    "yearweek": "Column {!r} was read as years and weeks",
    "yearquarter": "Column {!r} was read as years and quarters",
    "yearday": "Column {!r} was read as years and days of the year",
    "yymmdd": "Column {!r} was read as years of two digits, months and days",
    "daymonthyear": "Column {!r} was read as day, month, year",
    "monthdayyear": "Column {!r} was read as month, day, year",
    "epoch": "Column {!r} was read as time since 1970-01-01 (UTC)",
    "julian": "Column {!r} was read as Julian days",
    "modified julian": "Column {!r} was read as modified Julian days",
    "matlab": "Column {!r} was read as days since year 0, as MATLAB counts them",
}
_REMEDY = {
    "serial": '; date_format="days since 1970-01-01" counts from another day',
    "daymonthyear": "; dayfirst=False where the month comes first",
    "monthdayyear": "; dayfirst=True where the day comes first",
}


def _told(unit: str, name: str, times: NDArray) -> list[dict]:
    if unit not in _SAID:
        return []
    known = times[~np.isnat(times)]
    span = "" if unit == "year" else f": {say_date(known.min())} to {say_date(known.max())}"
    return [note("time", f"{_SAID[unit].format(name)}{span}{_REMEDY.get(unit, '')}.")]


def _by_unit(name: str, values: NDArray, present: NDArray, reading: DateReading, said: bool = False) -> Parsed | None:
    """Times in a unit that is known, or is being tried."""
    unit = reading.unit.partition(" ")[0] if reading.unit.startswith("epoch") else reading.unit
    if unit == "step":
        return _as_steps(name, values, present, reading)
    filled = np.where(present, values, values[present][0] if present.any() else 0)
    times = _times(name, filled, reading, unit)
    if times is None:
        if reading.learned:
            raise ValueError(
                f"column {name!r} holds numbers that are not what it held when the model was fitted "
                f"({_SAID.get(unit, 'Column {!r} was read as dates').format(name)})"
            )
        return None
    times = times.copy()
    times[~present] = np.datetime64("NaT")
    return Parsed(times, reading.with_(learned=True), _told(unit, name, times) if said else [])


def counted(name: str, values: NDArray, reading: DateReading) -> Parsed | None:
    """Times by a format such as "days since 1970-01-01", as netCDF has it; None where the format is another.

    Example
    -------
    >>> found = counted("day", np.array([19_000.0]), DateReading(format="days since 1970-01-01"))
    >>> found.values.astype("M8[D]")
    array(['2022-01-08'], dtype='datetime64[D]')
    """
    found = _SINCE.fullmatch((reading.format or "").strip())
    if found is None:
        return None
    start = parse_text(name, pa.chunked_array([[_MIDNIGHT.sub("", found[2])]]))
    if start is None or found[1].rstrip("s") not in _UNITS:
        raise ValueError(
            f'expected date_format= such as "days since 1970-01-01" (weeks, days, hours, minutes, seconds, '
            f"milliseconds, microseconds, nanoseconds), got {reading.format!r:.60}"
        )
    return Parsed(_since(start.values[0], values, _UNITS[found[1].rstrip("s")]), reading.with_(learned=True))


def _since(start: Any, values: NDArray, unit: int) -> NDArray:
    """Times a number of units after a start, to the nearest millisecond where there are fractions."""
    present = np.isfinite(values)
    filled = np.where(present, values, 0)
    day = start.astype("datetime64[D]")
    most = [float((np.datetime64(year, "D") - day).astype(np.int64)) * _DAY / unit for year in ("1678", "2261")]
    if filled.min(initial=0) < most[0] or filled.max(initial=0) > most[1]:
        raise ValueError("times counted from a start lead out of 1678 to 2261, the years that can be represented")
    whole = np.floor(filled)
    seconds = np.round((filled - whole) * (unit / 1e9), 3)
    near = np.round(seconds)
    seconds = np.where(np.abs(seconds - near) < 0.02, near, seconds) if unit >= _DAY else seconds
    times = start + (whole.astype(np.int64) * unit + np.round(seconds * 1e9).astype(np.int64)).astype("timedelta64[ns]")
    times[~present] = np.datetime64("NaT")
    return np.asarray(times)


def _times(name: str, values: NDArray, reading: DateReading, unit: str) -> NDArray | None:
    if unit == "year":
        fits = (values >= 1678).all() and (values <= 2261).all()
        return (values.astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[ns]") if fits else None
    if unit == "epoch":
        scale = int(reading.unit.partition(" ")[2])
        whole = np.floor(values)
        rest = np.round((values - whole) * min(scale, 10**6)) * (scale // min(scale, 10**6))
        return (whole.astype(np.int64) * scale + rest.astype(np.int64)).astype("datetime64[ns]")
    if unit in _STARTS:
        start, days = _STARTS[unit]
        return _since(start, values - days, _DAY)
    if unit == "decimal year":
        return _decimal_years(values)
    if unit == "year.month":
        months = np.floor(values).astype(np.int64) * 12 + np.round((values % 1) * 100).astype(np.int64) - 1
        return (months - 1970 * 12).astype("datetime64[M]").astype("datetime64[ns]")
    if unit not in _PRESSED:
        raise ValueError(f"expected a kind of dates in numbers, got {unit!r}")
    width, pattern, written, forms = _PRESSED[unit]
    if unit == "yearquarter":
        values = np.round(values * (1 if (values == np.floor(values)).all() else 10))
    texts = as_array(values.astype(np.int64)).cast(pa.string())
    texts = pc.utf8_lpad(texts, width, "0") if width else texts
    texts = pc.replace_substring_regex(texts, pattern, written) if pattern else texts
    order = {"daymonthyear": "dmy", "monthdayyear": "mdy", "yymmdd": "ymd"}.get(unit, "")
    plain = DateReading(form=forms[0] if len(forms) == 1 else "", order=order)
    try:
        parsed = parse_text(
            {"yearweek": "week", "yearquarter": "quarter"}.get(unit, name), pa.chunked_array([texts]), plain
        )
    except ValueError:  # an order that is being tried
        return None
    return parsed.values if parsed is not None and parsed.reading.form in forms else None


def _decimal_years(values: NDArray) -> NDArray:
    """Months where the fractions are twelfths (at their start or their middle), else the nearest hour."""
    twelfths = values * 12
    for shift in (0.0, 0.5):
        months = np.round(twelfths - shift)
        if (np.abs(twelfths - shift - months) < 0.1).all():
            return (months.astype(np.int64) - 1970 * 12).astype("datetime64[M]").astype("datetime64[ns]")
    year = np.floor(values).astype(np.int64)
    start = (year - 1970).astype("datetime64[Y]")
    length = ((start + 1).astype("datetime64[h]") - start.astype("datetime64[h]")).astype(np.int64)
    hours = np.round((values - year) * length)
    hours = np.where(np.abs(hours / 24 - np.round(hours / 24)) < 0.2, np.round(hours / 24) * 24, hours)
    return start.astype("datetime64[ns]") + hours.astype(np.int64).astype("timedelta64[h]")


def _rises(name: str, values: NDArray, codes: NDArray | None) -> bool:
    """Whether steps are told apart: certain names aside, they rise in each series."""
    if name.strip().lower() in _CERTAIN:
        return bool((values == np.floor(values)).all()) or _rises("", values, codes)
    rising = np.diff(values) > 0
    return bool((rising if codes is None else rising | (codes[1:] != codes[:-1])).all())


def _steps(values: NDArray, whole: bool, reading: DateReading) -> Parsed | None:
    """Step numbers; of fractions the multiples of their usual difference, else of a decimal place."""
    if whole:
        return Parsed(values.astype(np.int64), reading.with_(learned=True, unit="step"))
    steps = np.diff(np.sort(values))
    if not (steps > 0).any():
        return None
    first, span = float(values.min()), float(np.ptp(values))
    step = span / max(1.0, np.round(span / float(np.median(steps[steps > 0]))))
    places = (values - first) / step
    if (np.abs(places - np.round(places)) <= 0.1).all():
        learned = reading.with_(learned=True, unit="step", scale=step, origin=first)
        return Parsed(np.round(places).astype(np.int64), learned)
    for digits in range(1, 7):
        scaled = values * 10.0**digits
        if (np.abs(scaled - np.round(scaled)) < 1e-4).all() and np.abs(scaled).max() < 2**52:
            numbers = np.round(scaled).astype(np.int64)
            return Parsed(numbers, reading.with_(learned=True, unit="step", scale=10.0**-digits))
    return None


def _as_steps(name: str, values: NDArray, present: NDArray, reading: DateReading) -> Parsed:
    if not present.all():
        raise ValueError(
            f"column {name!r} has no time in row {int(np.argmax(~present)):,}: fill it in or leave the row out"
        )
    places = (values - reading.origin) / reading.scale
    numbers = np.round(places)
    bad = np.abs(places - numbers) > 0.25
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"column {name!r}, row {row:,}: {values[row]:g} is no multiple of {reading.scale:g}, the step of the table "
            "that the model was trained on"
        )
    return Parsed(numbers.astype(np.int64), reading.with_(learned=True))
