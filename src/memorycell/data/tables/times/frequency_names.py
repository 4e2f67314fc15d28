"""Names of frequencies: aliases and offsets of pandas, and a few words of our own, as the fields of a Frequency."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from memorycell.data.tables.times import offsets
from memorycell.data.tables.times.open_times import DAY, OpenTimes

_SECOND = 10**9
UNITS = (("W", 7 * DAY), ("D", DAY), ("h", 3600 * _SECOND), ("min", 60 * _SECOND), ("s", _SECOND),
         ("ms", 10**6), ("us", 1000), ("ns", 1))  # fmt: skip

Fields = dict[str, Any]
_OLD_ALIASES = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns", "A": "YE", "Y": "YE", "Q": "QE",
                "M": "ME", "d": "D", "AS": "YS", "BM": "BME", "BQ": "BQE", "BA": "BYE", "SM": "SME"}  # fmt: skip
_WORDS = {"hourly": "h", "daily": "D", "weekly": "W", "monthly": "MS", "quarterly": "QS", "yearly": "YS",
          "hour": "h", "day": "D", "week": "W", "month": "MS", "quarter": "QS", "year": "YS", "minute": "min",
          "second": "s", "dekad": "days-1,11,21"}  # fmt: skip
_HALF = {"SMS": (1, 15), "SME": (15, 31)}
_WHAT = (
    "expected freq such as 'h', '15min', 'D', 'B', 'W', 'MS', 'QS', 'YS', any other offset alias of pandas ('4W', "
    "'SMS', 'WOM-3FRI'), 'days-1,11,21' (days of each month) or 'irregular'"
)


def fields_of(name: Any) -> Fields:
    """Fields of the frequency of an alias or an offset; see `Frequency.parse`."""
    if not isinstance(name, str):
        return _of_offset(name)
    text = _WORDS.get(name.strip().lower(), name.strip())
    if text == "irregular":
        return _made("irregular", 1)
    days = re.fullmatch(r"days-(\d{1,2}(?:,\d{1,2})*)", text)
    if days:
        numbers = tuple(sorted({int(day) for day in days[1].split(",")}))
        if 1 <= numbers[0] and numbers[-1] <= 31:
            return _made("days", 1, days=numbers)
    found = re.fullmatch(r"(\d*)\s*([A-Za-z]+)(?:-(\d{1,2}|[A-Z]{3}))?", text)
    if found and found[1] != "0":
        known = _of_alias(int(found[1] or 1), _OLD_ALIASES.get(found[2], found[2]), found[3])
        if known is not None:
            return known
    try:
        import pandas as pd

        offset = pd.tseries.frequencies.to_offset(text)
    except (ValueError, TypeError, AttributeError):
        offset = None
    if offset is None:
        raise ValueError(f"{_WHAT}, got {name!r:.60}")
    return _of_offset(offset)


def _made(kind: str, step: int, day: int = 1, **others: Any) -> Fields:
    return {"kind": kind, "step": step, "day": day, **others}


def _of_alias(count: int, unit: str, anchor: str | None) -> Fields | None:
    months = {"M": 1, "Q": 3, "Y": 12}.get(unit[0])
    if unit in dict(UNITS):
        return _made("fixed", count * dict(UNITS)[unit])
    if months and unit[1:] in ("S", "E"):
        return _made("month", count * months, 1 if unit[1:] == "S" else 31)
    if months and not unit[1:] and anchor is not None and anchor.isdigit() and 1 <= int(anchor) <= 31:
        return _made("month", count * months, int(anchor))
    if unit == "step":
        return _made("step", count)
    if unit in _HALF and count == 1:
        first = int(anchor) if anchor is not None and anchor.isdigit() and 1 < int(anchor) < 28 else 15
        return _made("days", 1, days=(1, first) if unit == "SMS" else (first, 31))
    return _made("business", 1) if unit == "B" and count == 1 else None


def _of_offset(offset: Any) -> Fields:
    """An offset of pandas; what the other kinds say is one of these, so that files need no pandas for it."""
    import datetime

    import pandas as pd

    if isinstance(offset, datetime.timedelta | np.timedelta64):
        span = int(pd.Timedelta(offset).value)
        if span > 0:
            return _made("fixed", span)
    if not isinstance(offset, pd.offsets.BaseOffset):
        raise TypeError(f"{_WHAT}, got {type(offset).__name__}")
    if offset.n <= 0:
        raise ValueError(f"{_WHAT}, got {offset!r:.60}, which does not lead on")
    if isinstance(offset, pd.offsets.CustomBusinessDay | pd.offsets.BusinessHour) and offset.n == 1:
        return _of_calendar(offset)
    if isinstance(offset, pd.offsets.Tick | pd.offsets.Day):
        return _made("fixed", int(pd.Timedelta(offset.n, "D").value) if isinstance(offset, pd.offsets.Day)
                         else int(pd.Timedelta(offset).value))  # fmt: skip
    if type(offset) is pd.DateOffset:
        kinds = set(offset.kwds)
        if kinds and kinds <= {"weeks", "days", "hours", "minutes", "seconds"}:
            units = {"weeks": 7 * DAY, "days": DAY, "hours": 3600 * 10**9, "minutes": 60 * 10**9, "seconds": 10**9}
            return _made("fixed", offset.n * sum(units[k] * int(n) for k, n in offset.kwds.items()))
    else:
        found = re.fullmatch(r"(\d*)([A-Z]+)(?:-(\d{1,2}|[A-Z]{3}))?", offset.freqstr)
        known = _of_alias(int(found[1] or 1), found[2], found[3]) if found else None
        if known is not None:
            return known
    rule = offsets.rule_of(offset)
    return _made("rule", offsets.mean_step(rule), rule=rule)


def _of_calendar(offset: Any) -> Fields:
    """Business days or hours of a weekmask, with their holidays, as open times."""
    import pandas as pd

    if isinstance(offset, pd.offsets.CustomBusinessDay):
        calendar = offset.calendar
        week = [day for day in range(7) if calendar.weekmask[day]]
        holidays, step = calendar.holidays, DAY
        slots = week
    else:
        custom = isinstance(offset, pd.offsets.CustomBusinessHour)
        week = [day for day in range(7) if offset.calendar.weekmask[day]] if custom else list(range(5))
        holidays, step = (offset.calendar.holidays if custom else np.empty(0, "datetime64[D]")), 3600 * 10**9
        hours = [hour for start, end in zip(offset.start, offset.end, strict=True)
                 for hour in range(start.hour, end.hour if end.hour > start.hour else 24)]  # fmt: skip
        slots = sorted({24 * day + hour for day in week for hour in hours})
    numbers = np.asarray(holidays, "datetime64[D]").astype(np.int64)
    return _made("fixed", step, open=OpenTimes(step, tuple(slots), tuple(sorted(set(numbers.tolist())))))
