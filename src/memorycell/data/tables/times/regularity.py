"""The regular step that time stamps keep: found from their differences, gaps allowed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.times.frequency import YEAR, Frequency
from memorycell.data.tables.times.frequency_names import UNITS
from memorycell.data.tables.times.open_times import DAY, learn_open_times
from memorycell.data.tables.times.zones import moves, to_local, twice

_SAMPLE = 200_000
_MINUTE = 60 * 10**9
_FAR = 10  # steps, that less than a quarter of the rows follow at
_OPEN_SHARE = 0.75  # of the open times that have readings, where only open times make the step regular


def infer_frequency(stamps: NDArray, starts: NDArray | None = None, zone: str | None = None) -> Frequency:
    """The frequency of stamps sorted within each series: the most frequent difference, missing ones allowed.

    Times at which no reading ever came, such as nights and Sundays, have no steps: see `OpenTimes`.

    Parameters
    ----------
    stamps : datetime64[ns] or int64 (N,)
        In UTC where there is a zone.
    starts : int64 (S,), optional
        The first row of each series; by default all is one.
    zone : str, optional

    Raises
    ------
    ValueError
        When fewer than two different stamps are there, or no difference fits most of them.

    Example
    -------
    >>> infer_frequency(np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[ns]")).name
    'ME'
    """
    firsts = np.zeros(1, np.int64) if starts is None else starts
    local = stamps if zone is None or stamps.dtype.kind != "M" else to_local(stamps, zone)
    if zone is None or local is stamps or not moves(zone):
        found = _infer(local, firsts)
        return found if found.kind == "step" else found.on(zone)
    try:
        found = _infer(local, firsts)
    except ValueError:
        found = _infer(stamps, firsts)
    if found.kind != "fixed" or found.open is not None or found.step % DAY == 0:
        if found.open is not None and (found.step < DAY and twice(local[:_SAMPLE], zone).any()):
            found = replace(found, open=None)  # an hour that comes twice is open: clocks are counted in UTC
        return found.on(zone)
    by_clock, by_span = replace(found, zone=zone, wall=True), replace(found, zone=zone)
    if found.step <= 3600 * 10**9:
        return by_span
    count = min(_SAMPLE, len(stamps))
    begins = np.repeat(stamps[firsts], np.diff(np.append(firsts, len(stamps))))[:count]
    fits = [each.index(stamps[:count], begins)[1].mean() for each in (by_clock, by_span)]
    return by_clock if fits[0] > fits[1] else by_span


def _infer(stamps: NDArray, starts: NDArray) -> Frequency:
    steps = np.diff(stamps[:_SAMPLE]).astype(np.int64)
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
    if whole_days and typical >= 27 * DAY:
        found = _by_rule(sample) if len(starts) == 1 else None
        if found is not None or mode % (7 * DAY):
            return found or _monthly(sample, steps)
    if (
        whole_days
        and mode == DAY
        and (values == 3 * DAY).any()
        and np.is_busday(sample.astype("datetime64[D]")).all()
        and not _closed_in_week(sample, steps)
    ):
        return Frequency("business", 1)
    if share >= 0.9:
        return _with_open_times(stamps, starts, mode, len(steps))
    found = _business_steps(sample, starts) or _days_of_month(sample, steps) if whole_days else None
    found = found or _open_grid(stamps, starts, steps)
    if found is not None:
        return found
    rounded = _nearest_round(steps, typical)
    step = mode if rounded is None else rounded
    if (rounded is None and share < 0.5) or (len(starts) == 1 and (steps > _FAR * step).mean() > 0.25):
        shown, near = _words(typical), _unit_near(int(steps.mean()))
        raise ValueError(
            f"the dates follow no regular step (the middle difference is {shown}): put them on a grid with freq= and "
            f'aggregate=, such as freq="{near}", aggregate="mean"; take them as they come with '
            'time="irregular"; or count rows as steps with time="rows"'
        )
    return _with_open_times(stamps, starts, step, len(steps))


def _closed_in_week(stamps: NDArray, steps: NDArray) -> bool:
    """Whether a weekday, too, never comes: then days are open or closed by what the stamps show."""
    days = np.unique((stamps.astype("datetime64[D]").astype(np.int64) + 3) % 7)
    return len(days) < 5 and len(steps) >= 10


def _with_open_times(stamps: NDArray, starts: NDArray, step: int, count: int) -> Frequency:
    """Fixed steps, and the open times of the week where some never come."""
    plain = Frequency("fixed", step)
    if step < 10**9 or DAY % step or len(stamps) < 6:
        return plain
    ends = np.append(starts[1:], len(stamps)) - 1
    rows = int(((stamps[ends] - stamps[starts]).astype(np.int64) // step + 1).sum())
    if len(stamps) > 0.97 * rows:
        return plain
    return replace(plain, open=learn_open_times(stamps, starts, step)[0])


def _open_grid(stamps: NDArray, starts: NDArray, steps: NDArray) -> Frequency | None:
    """Steps that are regular only because some times never come: 8:00, 12:00 and 18:00; Monday, Wednesday, Friday."""
    step = int(np.gcd.reduce(steps))
    if step >= DAY:
        step = DAY
    while DAY % step and step > _MINUTE:
        step = int(np.gcd(step, DAY))
    if step < _MINUTE or DAY % step:
        return None
    found, share = learn_open_times(stamps, starts, step)
    if found is None or share < _OPEN_SHARE or len(found.slots) > 0.9 * 7 * found.per_day:
        return None
    return Frequency("fixed", step, open=found)


def _business_steps(stamps: NDArray, starts: NDArray) -> Frequency | None:
    """Every second, third, ... business day."""
    days = stamps.astype("datetime64[D]")
    if len(starts) > 1 or not np.is_busday(days).all():
        return None
    values, counts = np.unique(np.busday_count(days[:-1], days[1:]), return_counts=True)
    step = int(values[np.argmax(counts)])
    return Frequency.parse(f"{step}B") if step > 1 and counts.max() >= 0.9 * counts.sum() else None


def _days_of_month(stamps: NDArray, steps: NDArray) -> Frequency | None:
    """A few days of each month: dekads, halves of months."""
    days = stamps.astype("datetime64[D]")
    month = days.astype("datetime64[M]")
    day = (days - month.astype("datetime64[D]")).astype(np.int64) + 1
    last = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    found = np.unique(np.where((day == last) & (day >= 28), 31, day))
    if not 2 <= len(found) <= 6 or len(stamps) < 2 * len(found) + 1 or np.diff(found).min() < 4:
        return None
    frequency = Frequency("days", 1, days=tuple(found.tolist()))
    several = steps / (YEAR / 12 / len(found))
    return frequency if (np.round(several) == 1).mean() >= 0.75 else None


def _by_rule(stamps: NDArray) -> Frequency | None:
    """Months on their first or last business day, or on one weekday of one week, such as the third Friday."""
    days = stamps.astype("datetime64[D]")
    month = days.astype("datetime64[M]")
    day = (days - month.astype("datetime64[D]")).astype(np.int64) + 1
    last = ((month + 1).astype("datetime64[D]") - 1).astype("datetime64[D]")
    if len(days) < 4 or (day == day[0]).all() or (days == last).all():
        return None
    several = np.unique(np.diff(month).astype(np.int64))
    several = several[several > 0]
    usual = int(np.median(np.diff(month).astype(np.int64))) if len(several) else 0
    if usual not in (1, 3, 12):
        return None
    letter = {1: "M", 3: "Q", 12: "Y"}[usual]
    if (days == np.busday_offset(last, 0, roll="backward")).all():
        return _rule(f"B{letter}E", month[0])
    if (days == np.busday_offset(month.astype("datetime64[D]"), 0, roll="forward")).all():
        return _rule(f"B{letter}S", month[0])
    weekday, week = (days.astype(np.int64) + 3) % 7, (day - 1) // 7
    name = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")[int(weekday[0])]
    if usual == 1 and (weekday == weekday[0]).all() and (week == week[0]).all():
        return _rule(f"WOM-{week[0] + 1}{name}", month[0])
    if (
        usual == 1
        and (weekday == weekday[0]).all()
        and (day > (last - month.astype("datetime64[D]")).astype(int) - 6).all()
    ):
        return _rule(f"LWOM-{name}", month[0])
    return None


def _rule(rule: str, month: NDArray) -> Frequency:
    if rule[1] in "QY":
        number = int(month.astype(np.int64)) % 12
        names = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
        rule = f"{rule}-{names[number]}"
    return Frequency.parse(rule)


def _monthly(stamps: NDArray, steps: NDArray) -> Frequency:
    """Months, and the day in them that all stamps share; the first when they share none."""
    months = np.maximum(1, np.round(steps / (YEAR / 12))).astype(np.int64)
    values, counts = np.unique(months, return_counts=True)
    days = stamps.astype("datetime64[D]")
    month = days.astype("datetime64[M]")
    day = (days - month.astype("datetime64[D]")).astype(np.int64) + 1
    last = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    top = 31 if (day == last).all() else int(day.max())
    return Frequency("month", int(values[np.argmax(counts)]), top if (day == np.minimum(top, last)).all() else 1)


def _nearest_round(steps: NDArray, typical: int) -> int | None:
    """For clocks that wobble: the round span (1, 2, 5, ... of a unit) nearest to the median, if it fits."""
    spans = [k * unit for _, unit in UNITS[:6] for k in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)]
    nearest = min(spans, key=lambda span: abs(span - typical))
    fits = np.abs(steps - np.round(steps / nearest) * nearest) <= 0.1 * nearest
    return nearest if abs(nearest - typical) <= 0.05 * typical and fits.mean() >= 0.5 else None


def _unit_near(span: int) -> str:
    """The alias of a round step near to a span, for messages."""
    return "MS" if span >= 27 * DAY else next((unit for unit, length in UNITS if length <= 1.5 * span), "ns")


def _words(span: int) -> str:
    """A span in its largest fitting unit: "1.5 hours"."""
    words = {"W": "weeks", "D": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds"}
    unit, length = next(((unit, length) for unit, length in UNITS if unit in words and length <= span), UNITS[-1])
    said = f"{span / length:.3g} {words.get(unit, 'nanoseconds')}"
    return said.removesuffix("s") if said.startswith("1 ") else said
