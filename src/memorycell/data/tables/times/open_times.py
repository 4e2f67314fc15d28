"""Open times: the hours of the week at which readings ever come, holidays left out, and steps counted in them alone."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.codec import checked, is_count, is_list

DAY = 86_400 * 10**9
WEEK = 7 * DAY
_MONDAY = 4 * DAY  # 1970-01-05, in nanoseconds since 1970
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SURE = 9.2  # -log of the chance at which a time counts as closed: 1 in 10,000
_FULL = 0.98  # readings are never surer to come than this
_LEAST = 0.5  # share of the open times that must have a reading
_FINEST = 10**9
_DAY_ZERO = datetime.date(1970, 1, 1).toordinal()
_MOST_HOLIDAYS = 100_000


@dataclass(frozen=True)
class OpenTimes:
    """Open slots of the week, on the wall clock, and days that are closed whatever their weekday.

    Attributes
    ----------
    step : int
        Nanoseconds of a slot, which divide a day.
    slots : tuple of int
        Open slots, counted from Monday 00:00.
    holidays : tuple of int
        Closed days, counted from 1970-01-01, in order.

    Example
    -------
    >>> shop = OpenTimes(DAY, (0, 1, 2, 3, 4, 5), ())
    >>> shop.grid(np.datetime64("2024-05-03", "ns"), 4).astype("M8[D]")
    array(['2024-05-03', '2024-05-04', '2024-05-06', '2024-05-07'], dtype='datetime64[D]')
    >>> shop.said()
    'Monday to Saturday'
    """

    step: int
    slots: tuple[int, ...]
    holidays: tuple[int, ...] = ()

    @property
    def per_day(self) -> int:
        """Slots of a day, open or not."""
        return DAY // self.step

    def open_per_day(self) -> NDArray[np.int64]:
        """Open slots of Monday, Tuesday, ..."""
        return np.bincount(np.array(self.slots) // self.per_day, minlength=7)

    def rank(self, local: NDArray, phase: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Open slots before each wall clock time (from one Monday in 1970 on), and whether it is one itself."""
        mask = self._mask()
        before = np.concatenate([[0], np.cumsum(mask)])
        away = local.astype("datetime64[ns]").astype(np.int64) - _MONDAY - phase
        away = away + self.step // 2  # to the nearest slot
        within = away % WEEK
        slot = within // self.step
        rank = away // WEEK * before[-1] + before[slot]
        fits = mask[slot] & (within % self.step == self.step // 2)
        if self.holidays:
            days = np.array(self.holidays)
            closed = np.concatenate([[0], np.cumsum(self.open_per_day()[(days - 4) % 7])])
            day = (local.astype("datetime64[ns]").astype(np.int64) - phase + self.step // 2) // DAY
            at = np.searchsorted(days, day)
            today = (at < len(days)) & (days[np.minimum(at, len(days) - 1)] == day)
            rank = (
                np.where(today, (day - 4) // 7 * before[-1] + before[(day - 4) % 7 * self.per_day], rank) - closed[at]
            )
            fits = fits & ~today
        return rank, fits

    def closed(self, local: NDArray, phase: int) -> NDArray[np.bool_]:
        """Which wall clock times lie in no open slot."""
        away = local.astype("datetime64[ns]").astype(np.int64) - phase + self.step // 2
        shut = ~self._mask()[(away - _MONDAY) % WEEK // self.step]
        return shut | np.isin(away // DAY, np.array(self.holidays, np.int64)) if self.holidays else shut

    def grid(self, start: Any, n: int) -> NDArray:
        """`n` open wall clock times, of which `start` (or the first after it) is the first: datetime64[ns]."""
        begin = np.datetime64(start, "ns")
        phase = int(begin.astype(np.int64)) % self.step
        plain = OpenTimes(self.step, self.slots)
        first = int(plain.rank(np.array([begin]), phase)[0][0])
        wanted, step = n, max(16, n // 8)
        while True:
            ranks = first + np.arange(wanted)
            slots = np.array(self.slots)
            offsets = ranks // len(slots) * WEEK + slots[ranks % len(slots)] * self.step
            points = (offsets + _MONDAY + phase).astype("datetime64[ns]")
            if self.holidays:
                day = (points.astype(np.int64) - phase) // DAY
                points = points[~np.isin(day, np.array(self.holidays))]
            if len(points) >= n:
                return points[:n]
            wanted += n - len(points) + step

    def with_holidays(self, holidays: Iterable[int]) -> OpenTimes:
        """The same, closed on these days too."""
        return OpenTimes(self.step, self.slots, tuple(sorted({*self.holidays, *map(int, holidays)})))

    def said(self, phase: int = 0) -> str:
        """In words: "Monday to Friday, 10:00 to 16:00"; slots begin `phase` nanoseconds after the full step."""
        mask = self._mask().reshape(7, self.per_day)
        groups: list[tuple[list[int], bytes]] = []
        for day in range(7):
            if groups and groups[-1][1] == mask[day].tobytes():
                groups[-1][0].append(day)
            else:
                groups.append(([day], mask[day].tobytes()))
        parts = []
        for days, pattern in groups:
            hours = np.frombuffer(pattern, bool)
            if not hours.any():
                continue
            name = _DAYS[days[0]] if len(days) == 1 else f"{_DAYS[days[0]]} to {_DAYS[days[-1]]}"
            parts.append(name + ("" if hours.all() else f", {self._hours(hours, phase)}"))
        return (", " if all(name in _DAYS for name in parts) else "; ").join(parts)

    def _hours(self, hours: NDArray[np.bool_], phase: int) -> str:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], hours, [False]]).astype(np.int8)))
        spans = [(a, b - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
        texts = [
            _clock(a * self.step + phase) + (f" to {_clock(b * self.step + phase)}" if b > a else "")
            for a, b in spans[:4]
        ]
        return " and ".join(texts) + (" and more" if len(spans) > 4 else "")

    def _mask(self) -> NDArray[np.bool_]:
        mask = np.zeros(7 * self.per_day, bool)
        mask[list(self.slots)] = True
        return mask

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for `from_json`: runs of open slots, and dates."""
        slots = np.array(self.slots)
        cuts = np.flatnonzero(np.diff(slots) != 1)
        firsts, lasts = slots[np.append(0, cuts + 1)], slots[np.append(cuts, len(slots) - 1)]
        days = np.array(self.holidays, "datetime64[D]").astype(str).tolist()
        return {"step": self.step, "slots": np.stack([firsts, lasts], 1).tolist(), "holidays": days}

    @classmethod
    def from_json(cls, state: Any) -> OpenTimes:
        """What `to_json` wrote; ValueError for anything else."""
        step = checked(state, "step", lambda s: is_count(s, DAY) and s >= _FINEST and DAY % s == 0, "a part of a day")
        most = WEEK // step
        runs = checked(state, "slots", is_list(is_list(is_count, 2), most=most), "runs of open slots")
        slots: list[int] = []
        for first, last in runs:
            if not (slots[-1] if slots else -1) < first <= last < most:
                raise ValueError("the stored codec is damaged: its open times are not in order")
            slots.extend(range(first, last + 1))
        days = checked(state, "holidays", is_list(_is_day, most=_MOST_HOLIDAYS), "dates")
        numbers = np.array(days, "datetime64[D]").astype(np.int64).tolist()
        if not slots or numbers != sorted(set(numbers)):
            raise ValueError("the stored codec is damaged: no time of the week is open, or holidays are not in order")
        return cls(step, tuple(slots), tuple(numbers))


def always(step: int) -> OpenTimes:
    """Every time of the week."""
    return OpenTimes(step, tuple(range(WEEK // step)))


def learn_open_times(local: NDArray, firsts: NDArray[np.int64], step: int) -> tuple[OpenTimes | None, float]:
    """The open times of wall clock times, and the share of them that has a reading; None where none is closed.

    A time of the day, a day of the week, or a time on one day of the week is closed when no reading ever came then
    and that cannot be chance, at the rate at which readings come while it is open.

    Parameters
    ----------
    local : datetime64[ns] (N,)
        In order within each series, each time once.
    firsts : int64 (S,)
        The first row of each series.
    step : int
        Nanoseconds, which divide a day.

    Example
    -------
    >>> days = np.arange("2024-01-01", "2024-03-01", dtype="M8[D]")
    >>> found, share = learn_open_times(days[np.is_busday(days)].astype("M8[ns]"), np.array([0]), DAY)
    >>> found.said(), share
    ('Monday to Friday', 1.0)
    """
    phase = int(local[0].astype(np.int64)) % step
    numbers = local.astype(np.int64) - phase
    if step < _FINEST or DAY % step or len(numbers) < 6:
        return None, 0.0
    ends = np.append(firsts[1:], len(numbers)) - 1
    slots = (numbers - _MONDAY + step // 2) // step
    on_grid = np.abs((numbers + step // 2) % step - step // 2) <= step // 4  # clocks may wobble
    per_day = DAY // step
    counts = np.bincount(slots[on_grid] % (7 * per_day), minlength=7 * per_day).reshape(7, per_day)
    chances = _chances(slots[firsts], slots[ends], 7 * per_day).reshape(7, per_day)
    mask = np.ones((7, per_day), bool)
    for closing in (_close_days, _close_clock, _close_each):
        rate = min(_FULL, counts.sum() / max(1, chances[mask].sum()))
        mask = closing(mask, counts, chances, rate)
        if not mask.any():
            return None, 0.0
    share = counts.sum() / max(1, chances[mask].sum())
    if share < _LEAST or mask.all():
        return None, float(share) if mask.all() else 0.0
    return OpenTimes(step, tuple(np.flatnonzero(mask.ravel()).tolist())), float(share)


def _chances(first: NDArray[np.int64], last: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """How often each slot of the week lies between the first and the last of each series, both counted."""
    total = np.zeros(length, np.int64)
    whole, rest = np.divmod(last - first + 1, length)
    total += whole.sum()
    edges = np.zeros(2 * length + 1, np.int64)
    np.add.at(edges, first % length, 1)
    np.add.at(edges, first % length + rest, -1)
    inside = np.cumsum(edges)[:-1]
    return total + inside[:length] + inside[length:]


def _sure(chances: NDArray, rate: float) -> NDArray[np.bool_]:
    return -chances * np.log1p(-min(rate, _FULL)) >= _SURE


def _close_days(mask: NDArray, counts: NDArray, chances: NDArray, rate: float) -> NDArray:
    """Days of the week that never occur."""
    used = counts.sum(1) > 0
    days = chances.max(1)
    if mask.shape[1] > 1 and used.tolist() == [True] * 5 + [False] * 2 and days[5:].all() and counts[:5].max() > 1:
        return mask & used.reshape(7, 1)  # hours of a working week: one weekend without any says enough
    per_day = min(1.0, counts.max(1)[used].mean() / max(1, days[used].mean())) if used.any() else 0.0
    return mask & np.logical_or(used, ~_sure(days, per_day)).reshape(7, 1)


def _close_clock(mask: NDArray, counts: NDArray, chances: NDArray, rate: float) -> NDArray:
    """Times of the day that never occur on any day."""
    used = counts.sum(0) > 0
    open_days = mask.any(1)
    seen = counts[open_days].sum(0)
    often = chances[open_days].sum(0)
    typical = min(1.0, seen[used].mean() / max(1, often[used].mean())) if used.any() else 0.0
    kept: NDArray[np.bool_] = used | ~_sure(often, typical)
    return mask & kept[np.newaxis]


def _close_each(mask: NDArray, counts: NDArray, chances: NDArray, rate: float) -> NDArray:
    """Times that never occur on one day of the week: half days."""
    return mask & ((counts > 0) | ~_sure(chances, rate))


def days_of_dates(dates: Iterable[Any]) -> list[int]:
    """Days since 1970-01-01 of dates in any form that says year, month and day; ValueError names the first other."""
    found = []
    for each in dates:
        try:
            found.append(datetime.date.fromisoformat(str(each).strip()[:10]).toordinal() - _DAY_ZERO)
        except ValueError:
            raise ValueError(
                f"expected holidays= to be dates such as 2024-12-25, or a file of them, got {each!r:.60}"
            ) from None
    return found


def _clock(nanoseconds: int) -> str:
    seconds = int(nanoseconds) // 10**9
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}" + (f":{seconds % 60:02d}" if seconds % 60 else "")


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and not np.isnat(np.datetime64(value, "D"))
    except ValueError:
        return False
