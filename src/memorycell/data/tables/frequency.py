"""Frequency: the regular grid that time stamps lie on, found from their differences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.codec import checked, is_count

_SECOND = 10**9
_DAY = 86_400 * _SECOND
_UNITS = (("W", 7 * _DAY), ("D", _DAY), ("h", 3600 * _SECOND), ("min", 60 * _SECOND), ("s", _SECOND),
          ("ms", 10**6), ("us", 1000), ("ns", 1))  # fmt: skip
_OLD_ALIASES = {
    "H": "h",
    "T": "min",
    "S": "s",
    "A": "YE",
    "Y": "YE",
    "Q": "QE",
    "M": "ME",
    "d": "D",
    "AS": "YS",
}
_WORDS = {"W": "week", "D": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond",
          "us": "microsecond", "ns": "nanosecond"}  # fmt: skip
_SAMPLE = 200_000


@dataclass(frozen=True)
class Frequency:
    """A regular grid of times: fixed steps, business days, months, or plain step numbers.

    Attributes
    ----------
    kind : str
        "step" (int64 numbers), "fixed" (a span of time), "business" (Monday to Friday) or "month".
    step : int
        Step numbers, nanoseconds, business days (1), or months from one grid point to the next.
    day : int
        Of "month": the day, or the month's last one where it is shorter; 31 is the last day always.

    Example
    -------
    >>> monthly = Frequency.parse("MS")
    >>> monthly.grid(np.datetime64("2024-11-01"), 3).astype("datetime64[D]")
    array(['2024-11-01', '2024-12-01', '2025-01-01'], dtype='datetime64[D]')
    """

    kind: str
    step: int
    day: int = 1

    @property
    def name(self) -> str:
        """As pandas writes it: "h", "15min", "D", "B", "W", "MS", "ME", "QS"; "step" for step numbers."""
        if self.kind == "step":
            return "step" if self.step == 1 else f"{self.step}step"
        if self.kind == "business":
            return "B"
        if self.kind == "month":
            months, letter = next((self.step // k, c) for k, c in ((12, "Y"), (3, "Q"), (1, "M")) if self.step % k == 0)
            where = {1: "S", 31: "E"}.get(self.day, f"-{self.day}")
            return f"{months if months > 1 else ''}{letter}{where}"
        unit, span = next((unit, span) for unit, span in _UNITS if self.step % span == 0)
        return f"{self.step // span if self.step > span else ''}{unit}"

    def __str__(self) -> str:
        """In words: "hour", "15 minutes", "business day", "month", "quarter"."""
        if self.kind == "step":
            return "step" if self.step == 1 else f"{self.step} steps"
        if self.kind == "business":
            return "business day"
        if self.kind == "month":
            count, word = {12: (1, "year"), 3: (1, "quarter")}.get(self.step, (self.step, "month"))
        else:
            unit, span = next((unit, span) for unit, span in _UNITS if self.step % span == 0)
            count, word = self.step // span, _WORDS[unit]
        return word if count == 1 else f"{count} {word}s"

    @property
    def span(self) -> float:
        """Nanoseconds from one grid point to the next, on average; 0 for step numbers."""
        if self.kind == "month":
            return self.step * 365.2425 / 12 * _DAY
        return {"step": 0, "fixed": self.step, "business": 1.4 * _DAY}[self.kind]

    def grid(self, start: Any, n: int) -> NDArray:
        """The `n` grid points from `start` on: datetime64[ns], or int64 step numbers."""
        steps = np.arange(n, dtype=np.int64) * self.step
        if self.kind == "step":
            return steps + int(start)
        start = np.datetime64(start, "ns")
        if self.kind == "fixed":
            return start + steps.astype("timedelta64[ns]")
        clock = start - start.astype("datetime64[D]")
        if self.kind == "business":
            days = np.busday_offset(start.astype("datetime64[D]"), steps, roll="forward")
        else:
            days = _on_day(start.astype("datetime64[M]") + steps, self.day)
        return days.astype("datetime64[ns]") + clock

    def index(self, stamps: NDArray, start: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Steps from `start` (one, or one a stamp) to the nearest grid point, and whether that is met.

        Months count as met on any of their days, so only a stamp between two steps of several months is off.
        """
        if self.kind in ("step", "fixed"):
            away = (stamps - start).astype(np.int64)
            places = (away + self.step // 2) // self.step
            return places, places * self.step == away
        start = np.asarray(start, "datetime64[ns]")
        if self.kind == "business":
            days = stamps.astype("datetime64[D]")
            first = np.busday_offset(start.astype("datetime64[D]"), 0, roll="forward")
            return np.busday_count(first, days), np.is_busday(days)
        away = (stamps.astype("datetime64[M]") - start.astype("datetime64[M]")).astype(np.int64)
        places = (away + self.step // 2) // self.step
        return places, places * self.step == away

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for `from_json`."""
        return {"kind": self.kind, "step": self.step, "day": self.day}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Frequency:
        """What `to_json` wrote; ValueError for anything else."""
        kind = checked(state, "kind", lambda k: k in ("step", "fixed", "business", "month"), "a kind of frequency")
        step = checked(state, "step", lambda s: is_count(s, 2**62) and s > 0, "a number above 0")
        day = checked(state, "day", lambda d: is_count(d, 31) and d > 0, "1 to 31")
        if (kind == "month" and step > 12_000) or (kind == "business" and step != 1):
            raise ValueError(f"the stored codec is damaged: a {kind} frequency of {step:,}")
        return cls(kind, step, day)

    @classmethod
    def parse(cls, name: str | Frequency) -> Frequency:
        """The frequency of an alias: "h", "15min", "2D", "B", "W", "MS", "ME", "QS", "YS", "step", ...

        Example
        -------
        >>> str(Frequency.parse("15min"))
        '15 minutes'
        """
        if isinstance(name, Frequency):
            return name
        found = re.fullmatch(r"(\d*)\s*([A-Za-z]+)(?:-(\d{1,2}|[A-Z]{3}))?", str(name).strip())
        if found:
            count, unit = int(found[1] or 1), _OLD_ALIASES.get(found[2], found[2])
            months = {"M": 1, "Q": 3, "Y": 12}.get(unit[0])
            if count and unit in dict(_UNITS):
                return cls("fixed", count * dict(_UNITS)[unit])
            if count and months and unit[1:] in ("S", "E"):
                return cls("month", count * months, 1 if unit[1:] == "S" else 31)
            if count and unit == "step":
                return cls("step", count)
            if unit == "B" and count == 1:
                return cls("business", 1)
        raise ValueError(f"expected freq such as 'h', '15min', 'D', 'B', 'W', 'MS', 'QS' or 'YS', got {name!r}")


def infer_frequency(stamps: NDArray, starts: NDArray | None = None) -> Frequency:
    """The frequency of stamps sorted within each series: the most frequent difference, missing ones allowed.

    Parameters
    ----------
    stamps : datetime64[ns] or int64 (N,)
    starts : int64 (S,), optional
        The first row of each series; by default all is one.

    Raises
    ------
    ValueError
        When fewer than two different stamps are there, or no difference fits most of them.

    Example
    -------
    >>> infer_frequency(np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[ns]")).name
    'ME'
    """
    steps = np.diff(stamps[:_SAMPLE]).astype(np.int64)
    if starts is not None:
        inner = np.ones(len(steps), bool)
        inner[starts[(starts > 0) & (starts <= len(steps))] - 1] = False
        steps = steps[inner]
    steps = steps[steps > 0]
    if not len(steps):
        if stamps.dtype.kind != "M":
            return Frequency("step", 1)
        raise ValueError("expected at least two different dates in a series to find its frequency, got one")
    values, counts = np.unique(steps, return_counts=True)
    mode, share = int(values[np.argmax(counts)]), counts.max() / len(steps)
    if stamps.dtype.kind != "M":
        return Frequency("step", mode if share >= 0.5 else int(np.gcd.reduce(steps)))
    typical = int(np.median(steps))
    sample = stamps[:_SAMPLE]
    clock = sample - sample.astype("datetime64[D]")
    whole_days = bool((clock == clock[0]).all())
    if whole_days and typical >= 27 * _DAY and not mode % (7 * _DAY) == 0:
        return _monthly(sample, steps)
    if (
        whole_days
        and mode == _DAY
        and (values == 3 * _DAY).any()
        and np.is_busday(sample.astype("datetime64[D]")).all()
    ):
        return Frequency("business", 1)
    if share >= 0.9:
        return Frequency("fixed", mode)
    rounded = _nearest_round(steps, typical)
    if rounded is None and share < 0.5:
        shown = np.timedelta64(typical, "ns").astype("timedelta64[s]")
        raise ValueError(
            f"the dates follow no regular step (the middle difference is {shown}): aggregate the rows to "
            "a regular grid, such as hourly means, or give freq="
        )
    return Frequency("fixed", mode if rounded is None else rounded)


def _monthly(stamps: NDArray, steps: NDArray) -> Frequency:
    """Months, and the day in them that all stamps share; the first when they share none."""
    months = np.maximum(1, np.round(steps / (365.2425 / 12 * _DAY))).astype(np.int64)
    values, counts = np.unique(months, return_counts=True)
    days = stamps.astype("datetime64[D]")
    month = days.astype("datetime64[M]")
    day = (days - month.astype("datetime64[D]")).astype(np.int64) + 1
    last = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    top = 31 if (day == last).all() else int(day.max())
    return Frequency("month", int(values[np.argmax(counts)]), top if (day == np.minimum(top, last)).all() else 1)


def _nearest_round(steps: NDArray, typical: int) -> int | None:
    """For clocks that wobble: the round span (1, 2, 5, ... of a unit) nearest to the median, if it fits."""
    spans = [k * unit for _, unit in _UNITS[:6] for k in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)]
    nearest = min(spans, key=lambda span: abs(span - typical))
    fits = np.abs(steps - np.round(steps / nearest) * nearest) <= 0.1 * nearest
    return nearest if abs(nearest - typical) <= 0.05 * typical and fits.mean() >= 0.5 else None


def _on_day(months: NDArray, day: int) -> NDArray:
    """datetime64[D]: `day` of each month, or its last where it is shorter."""
    first = months.astype("datetime64[D]")
    return np.minimum(first + (day - 1), (months + 1).astype("datetime64[D]") - 1)
