"""Frequency: the regular grid that time stamps lie on, counted in steps from a start."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.codec import checked, is_count, is_list
from memorycell.data.tables.times import offsets
from memorycell.data.tables.times.frequency_names import UNITS, fields_of
from memorycell.data.tables.times.open_times import DAY, OpenTimes, always
from memorycell.data.tables.times.zones import check_zone, moves, to_local, to_utc

YEAR = 365.2425 * DAY
_WORDS = {"W": "week", "D": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond",
          "us": "microsecond", "ns": "nanosecond"}  # fmt: skip
_KINDS = ("step", "fixed", "business", "month", "days", "rule", "irregular")
_IN_DAYS = ("business", "month", "days", "rule")


@dataclass(frozen=True)
class Frequency:
    """A regular grid of times: fixed steps, business days, months, days of the month, offsets of pandas, step numbers.

    Times are datetime64[ns]. Where there is a zone they are in UTC, and days, months and open hours are those of its
    wall clock.

    Attributes
    ----------
    kind : str
        "step" (int64 numbers), "fixed" (a span of time), "business" (Monday to Friday), "month", "days" (some days of
        each month), "rule" (an offset of pandas) or "irregular" (the steps are the readings themselves).
    step : int
        Step numbers, nanoseconds (of "rule" and "irregular" on average), business days (1), or months from one grid
        point to the next.
    day : int
        Of "month": the day, or the month's last one where it is shorter; 31 is the last day always.
    days : tuple of int
        Of "days": the days, likewise.
    rule : str
        Of "rule": the offset, as pandas writes it.
    zone : str or None
    wall : bool
        Whether "fixed" steps are counted on the wall clock: a day is then of 23 or 25 hours where clocks change.
    open : OpenTimes or None
        Of "fixed": the times of the week at which there are steps at all.

    Example
    -------
    >>> monthly = Frequency.parse("MS")
    >>> monthly.grid(np.datetime64("2024-11-01"), 3).astype("datetime64[D]")
    array(['2024-11-01', '2024-12-01', '2025-01-01'], dtype='datetime64[D]')
    """

    kind: str
    step: int
    day: int = 1
    days: tuple[int, ...] = ()
    rule: str = ""
    zone: str | None = None
    wall: bool = False
    open: OpenTimes | None = None

    @property
    def name(self) -> str:
        """As pandas writes it: "h", "15min", "D", "B", "W", "MS", "ME", "QS", "WOM-3FRI"; "step" for step numbers."""
        if self.kind == "step":
            return "step" if self.step == 1 else f"{self.step}step"
        if self.kind in ("irregular", "rule"):
            return self.rule or "irregular"
        if self.kind == "business":
            return "B"
        if self.kind == "days":
            return f"days-{','.join(map(str, self.days))}"
        if self.kind == "month":
            months, letter = next((self.step // k, c) for k, c in ((12, "Y"), (3, "Q"), (1, "M")) if self.step % k == 0)
            where = {1: "S", 31: "E"}.get(self.day, f"-{self.day}")
            return f"{months if months > 1 else ''}{letter}{where}"
        unit, span = next((unit, span) for unit, span in UNITS if self.step % span == 0)
        return f"{self.step // span if self.step > span else ''}{unit}"

    def __str__(self) -> str:
        """In words: "hour", "15 minutes", "business day", "month", "quarter", "open hour"."""
        if self.kind == "step":
            return "step" if self.step == 1 else f"{self.step} steps"
        if self.kind == "irregular":
            return "reading"
        if self.kind == "business":
            return "business day"
        if self.kind == "days":
            return {3: "dekad", 2: "half month"}.get(len(self.days), "part of a month")
        if self.kind == "rule":
            months = re.match(r"(?:B|L?WO)([MQY])", self.rule)
            return {"M": "month", "Q": "quarter", "Y": "year"}[months[1]] if months else offsets.said(self.rule)
        if self.kind == "month":
            count, word = {12: (1, "year"), 6: (1, "half-year"), 3: (1, "quarter")}.get(self.step, (self.step, "month"))
        else:
            unit, span = next((unit, span) for unit, span in UNITS if self.step % span == 0)
            count, word = self.step // span, _WORDS[unit]
        text = word if count == 1 else f"{count} {word}s"
        return f"open {text}" if self.open is not None and len(self.open.slots) < 7 * self.open.per_day else text

    @property
    def span(self) -> float:
        """Nanoseconds from one grid point to the next, on average; 0 for step numbers."""
        if self.kind == "month":
            return self.step * YEAR / 12
        if self.kind == "days":
            return YEAR / 12 / len(self.days)
        if self.open is not None:
            return 7 * DAY / len(self.open.slots)
        return {"step": 0, "business": 1.4 * DAY}.get(self.kind, self.step)

    @property
    def finest(self) -> float:
        """Nanoseconds between two grid points that follow each other as closely as any."""
        return self.step if self.open is not None else self.span

    @property
    def _local(self) -> bool:
        """Whether steps are counted on the wall clock."""
        return self.zone is not None and (self.wall or self.kind in _IN_DAYS or self.open is not None)

    def local(self, times: NDArray) -> NDArray:
        """Wall clock times of times of the grid; step numbers as they are."""
        return times if self.zone is None or times.dtype.kind != "M" else to_local(times, self.zone)

    def grid(self, start: Any, n: int) -> NDArray:
        """The `n` grid points from `start` on: datetime64[ns], or int64 step numbers."""
        if self.kind == "step":
            return np.arange(n, dtype=np.int64) * self.step + int(start)
        start = np.datetime64(start, "ns")
        if not self._local:
            return self._grid(start, n)
        return to_utc(self._grid(to_local(np.array([start]), self.zone)[0], n), self.zone)

    def _grid(self, start: Any, n: int) -> NDArray:
        if self.open is not None:
            return self.open.grid(start, n)
        if self.kind == "rule":
            return offsets.grid(self.rule, start, n)
        steps = np.arange(n, dtype=np.int64) * self.step
        if self.kind in ("fixed", "irregular"):
            return start + steps.astype("timedelta64[ns]")
        clock = start - start.astype("datetime64[D]")
        if self.kind == "business":
            days = np.busday_offset(start.astype("datetime64[D]"), steps, roll="forward")
        elif self.kind == "month":
            days = on_day(start.astype("datetime64[M]") + steps, self.day)
        else:
            first = int(self._index_days(np.array([start]))[0][0])
            months, place = np.divmod(first + np.arange(n), len(self.days))
            days = on_day(months.astype("datetime64[M]"), np.array(self.days)[place])
        return days.astype("datetime64[ns]") + clock

    def index(self, stamps: NDArray, start: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Steps from `start` (one, or one a stamp) to the nearest grid point, and whether that is met.

        Months count as met on any of their days, so only a stamp between two steps of several months is off. Readings
        at irregular times are counted by who holds them all: here they are the steps of their average.
        """
        if self._local:
            start = to_local(np.atleast_1d(np.asarray(start, "datetime64[ns]")), self.zone)
            start = start[0] if len(start) == 1 else start
            stamps = to_local(stamps, self.zone)
        if self.kind in ("step", "fixed", "irregular") and self.open is None:
            away = (stamps - start).astype(np.int64)
            places = (away + self.step // 2) // self.step
            return places, places * self.step == away
        start = np.asarray(start, "datetime64[ns]")
        if self.open is not None:
            first = np.atleast_1d(start)
            phase = int(first[0].astype(np.int64)) % self.step if len(first) else 0
            rank, fits = self.open.rank(stamps, phase)
            return rank - self.open.rank(first, phase)[0], fits
        if self.kind == "rule":
            return offsets.index(self.rule, stamps, start)
        if self.kind == "business":
            days = stamps.astype("datetime64[D]")
            begin = np.busday_offset(start.astype("datetime64[D]"), 0, roll="forward")
            return np.busday_count(begin, days), np.is_busday(days)
        if self.kind == "days":
            places, fits = self._index_days(stamps)
            return places - self._index_days(np.atleast_1d(start))[0], fits
        away = (stamps.astype("datetime64[M]") - start.astype("datetime64[M]")).astype(np.int64)
        places = (away + self.step // 2) // self.step
        return places, places * self.step == away

    def floor(self, stamps: NDArray) -> NDArray:
        """The step that each time belongs to, for rows to be put together: its first time, of ends of months the last.

        Steps begin at full hours, days and quarters; weeks on Monday.
        """
        if self.kind == "step":
            return stamps // self.step * self.step
        local = to_local(stamps, self.zone) if self._local or self.zone is not None else stamps
        floored = self._floor(local)
        return to_utc(floored, self.zone) if self.zone is not None else floored

    def _floor(self, stamps: NDArray) -> NDArray:
        days = stamps.astype("datetime64[D]")
        if self.kind == "fixed":
            start = np.datetime64("1970-01-05", "ns") if self.step % DAY == 0 else np.datetime64("1970-01-01", "ns")
            return stamps - ((stamps - start).astype(np.int64) % self.step).astype("timedelta64[ns]")
        if self.kind == "business":
            return np.busday_offset(days, 0, roll="backward").astype("datetime64[ns]")
        if self.kind == "month":
            late = (
                0 if self.day in (1, 31) else (days < on_day(stamps.astype("datetime64[M]"), self.day)).astype(np.int64)
            )
            months = (stamps.astype("datetime64[M]").astype(np.int64) - late) // self.step * self.step
            last = self.step - 1 if self.day == 31 else 0
            return on_day((months + last).astype("datetime64[M]"), self.day).astype("datetime64[ns]")
        if self.kind == "days":
            months, place = np.divmod(self._index_days(stamps)[0], len(self.days))
            return on_day(months.astype("datetime64[M]"), np.array(self.days)[place]).astype("datetime64[ns]")
        begin = offsets.before(self.rule, days.min())
        places = offsets.index(self.rule, days.astype("datetime64[ns]"), begin)[0]
        return offsets.grid(self.rule, begin, int(places.max()) + 1)[places]

    def _index_days(self, stamps: NDArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        months = stamps.astype("datetime64[M]")
        days = stamps.astype("datetime64[D]")
        points = np.stack([on_day(months, np.full(len(months), day)) for day in self.days], 1)
        place = (points <= days[:, None]).sum(1) - 1
        fits = (place >= 0) & (points[np.arange(len(days)), np.maximum(place, 0)] == days)
        return months.astype(np.int64) * len(self.days) + place, fits

    def on(self, zone: str | None) -> Frequency:
        """The same steps in a zone: those of whole days and more by its wall clock."""
        wall = self.kind == "fixed" and self.step % DAY == 0 and moves(zone)
        return replace(self, zone=zone, wall=wall or (self.wall and zone is not None))

    def closed_on(self, holidays: list[int]) -> Frequency:
        """The same steps without those on `holidays` (days since 1970); ValueError where days have no steps."""
        if not holidays:
            return self
        if self.kind == "business":
            plain = Frequency("fixed", DAY, zone=self.zone, wall=moves(self.zone), open=OpenTimes(DAY, (0, 1, 2, 3, 4)))
            return plain.closed_on(holidays)
        if self.kind != "fixed" or DAY % self.step:
            raise ValueError(f"holidays= leave out whole days of a grid of days or hours, but the step is one {self}")
        whole = self.open or always(self.step)
        return replace(self, open=whole.with_holidays(holidays), wall=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for `from_json`."""
        state: dict[str, Any] = {"kind": self.kind, "step": self.step, "day": self.day}
        if self.days:
            state["days"] = list(self.days)
        for key in ("rule", "zone", "wall"):
            if getattr(self, key):
                state[key] = getattr(self, key)
        return state if self.open is None else {**state, "open": self.open.to_json()}

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Frequency:
        """What `to_json` wrote; ValueError for anything else."""
        kind = checked(state, "kind", lambda k: k in _KINDS, "a kind of frequency")
        step = checked(state, "step", lambda s: is_count(s, 2**62) and s > 0, "a number above 0")
        day = checked(state, "day", lambda d: is_count(d, 31) and d > 0, "1 to 31")
        if (kind == "month" and step > 12_000) or (kind == "business" and step != 1):
            raise ValueError(f"the stored codec is damaged: a {kind} frequency of {step:,}")
        state = {"days": [], "rule": "", "zone": None, "wall": False, "open": None, **state}
        days = checked(state, "days", is_list(lambda d: is_count(d, 31) and d > 0, most=31), "days of a month")
        rule = checked(state, "rule", lambda r: isinstance(r, str) and len(r) <= 10_000, "an offset")
        wall = checked(state, "wall", lambda w: isinstance(w, bool), "true or false")
        zone = checked(state, "zone", lambda z: z is None or _is_zone(z), "a time zone")
        if bool(days) != (kind == "days") or days != sorted(set(days)) or (kind == "rule" and not offsets.known(rule)):
            raise ValueError(f"the stored codec is damaged: a {kind} frequency of {days or rule!r:.60}")
        times = None if state["open"] is None else OpenTimes.from_json(state["open"])
        if times is not None and (kind != "fixed" or times.step != step):
            raise ValueError("the stored codec is damaged: its open times do not fit its frequency")
        return cls(kind, step, day, tuple(days), rule, zone, wall, times)

    @classmethod
    def parse(cls, name: Any) -> Frequency:
        """The frequency of an alias or an offset of pandas: "h", "15min", "D", "B", "MS", "2QS", "WOM-3FRI", ...

        Example
        -------
        >>> str(Frequency.parse("15min")), Frequency.parse("SMS").days
        ('15 minutes', (1, 15))
        """
        if isinstance(name, Frequency):
            return name
        if isinstance(name, str) and name.startswith("{"):  # as model files keep an offset that was an object
            return cls.from_json(_state(name))
        return cls(**fields_of(name))


def _state(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise ValueError(f"expected freq as a model file keeps it, got {text!r:.60}") from None


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and check_zone(value) == value
    except ValueError:
        return False


def on_day(months: NDArray, day: Any) -> NDArray:
    """datetime64[D]: `day` of each month, or its last where it is shorter."""
    first = months.astype("datetime64[D]")
    return np.minimum(first + (day - 1), (months + 1).astype("datetime64[D]") - 1)
