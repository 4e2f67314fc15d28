"""Times as numbers: years, 202401, 20240131, seconds since 1970, days of a spreadsheet, decimal years, steps."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_array
from memorycell.data.tables.times.date_forms import WEEK_NAME
from memorycell.data.tables.times.date_reading import Codes, DateReading
from memorycell.data.tables.times.date_text import Parsed, parse_text

_DAY = 86_400 * 10**9
_NOT_A_TIME = -(2**63)
_EPOCHS = ((10**8, 5 * 10**9, 10**9), (10**11, 5 * 10**12, 10**6), (10**14, 5 * 10**15, 10**3), (10**17, 2**62, 1))
_SERIALS = (18_000, 80_000)  # 1949 to 2119, in days since 1899-12-30
_EXCEL = np.datetime64("1899-12-30", "ns")
_STEPS = re.compile(
    r"(ds|t|time|steps?|time[ _]?(idx|index|steps?|stamp|no|nr)|steps?[ _]?(idx|index|no|nr)|epochs?|ticks?|elapsed|"
    r"seconds?|secs?|(elapsed|relative|rel|sim|simulation|run)[ _]?(time|seconds?|secs?))"
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
    if whole:
        for unit in _whole_units(name, known, named or sure):
            found = _by_unit(name, values, present, reading.with_(unit=unit), said=True)
            if found is not None:
                return found
    elif named or sure:
        for unit in _broken_units(name, known):
            found = _by_unit(name, values, present, reading.with_(unit=unit), said=True)
            if found is not None:
                return found
    if not present.all() or not (
        sure or (is_step_name(name) and _rises(name, values, None if codes is None else codes()))
    ):
        return None
    return _steps(values, whole, reading)


def _whole_units(name: str, known: NDArray, named: bool) -> list[str]:
    low, high = known.min(), known.max()
    units = []
    if named and low >= 1678 and high <= 2261:
        units.append("year")
    if low > 167_800 and high < 226_200:
        units += ["yearweek", "yearmonth"] if WEEK_NAME.search(name.lower()) else ["yearmonth", "yearweek"]
    for least, most in ((16_780_000, 22_620_000), (1.8e9, 2.2e9), (1.8e11, 2.2e11), (1.8e13, 2.2e13)):
        if least < low and high < most:
            units.append("pressed")
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
    "year": "Column {!r} holds years.",
    "serial": "Column {!r} was read as days since 1899-12-30, as spreadsheets count them.",
    "decimal year": "Column {!r} was read as years with a fraction.",
    "year.month": "Column {!r} was read as years and, after the point, months.",
    "yearweek": "Column {!r} was read as years and weeks.",
    "epoch": "Column {!r} was read as time since 1970-01-01 (UTC).",
}


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
                f"({_SAID.get(unit, 'Column {!r} was read as dates.').format(name)})"
            )
        return None
    times = times.copy()
    times[~present] = np.datetime64("NaT")
    told = [note("time", _SAID[unit].format(name))] if said and unit in _SAID else []
    return Parsed(times, reading.with_(learned=True), told)


def _times(name: str, values: NDArray, reading: DateReading, unit: str) -> NDArray | None:
    if unit == "year":
        fits = (values >= 1678).all() and (values <= 2261).all()
        return (values.astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[ns]") if fits else None
    if unit == "epoch":
        scale = int(reading.unit.partition(" ")[2])
        whole = np.floor(values)
        rest = np.round((values - whole) * min(scale, 10**6)) * (scale // min(scale, 10**6))
        return (whole.astype(np.int64) * scale + rest.astype(np.int64)).astype("datetime64[ns]")
    if unit == "serial":
        seconds = np.round(values * 86_400, 3)
        near = np.round(seconds)
        seconds = np.where(np.abs(seconds - near) < 0.02, near, seconds)
        return _EXCEL + np.round(seconds * 1000).astype(np.int64).astype("timedelta64[ms]")
    if unit == "decimal year":
        return _decimal_years(values)
    if unit == "year.month":
        months = np.floor(values).astype(np.int64) * 12 + np.round((values % 1) * 100).astype(np.int64) - 1
        return (months - 1970 * 12).astype("datetime64[M]").astype("datetime64[ns]")
    if unit not in ("yearmonth", "yearweek", "pressed"):
        raise ValueError(f"expected a kind of dates in numbers, got {unit!r}")
    form = {"yearmonth": ("yearmonth",), "yearweek": ("year-week",)}.get(unit, ())
    texts = pa.chunked_array([as_array(values.astype(np.int64)).cast(pa.string())])
    plain = DateReading(form=form[0] if form else "")
    parsed = parse_text("week" if unit == "yearweek" else name, texts, plain)
    wanted = form or ("yearmonthday", "yearmonthday with its clock")
    return parsed.values if parsed is not None and parsed.reading.form in wanted else None


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
