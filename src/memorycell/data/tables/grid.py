"""The regular grid: rows of one or many series sorted, repeats settled, gaps made rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memorycell.data.lines import counted
from memorycell.data.log import note
from memorycell.data.tables.arrow import to_numpy
from memorycell.data.tables.table import Table, listing
from memorycell.data.tables.times.frequency import Frequency, on_day
from memorycell.data.tables.times.regularity import infer_frequency
from memorycell.data.tables.times.zones import to_local

_HOUR = 3600 * 10**9
_DAY = 24 * _HOUR
_Same = Callable[[NDArray, NDArray], NDArray]


@dataclass
class Layout:
    """Where each table row lies on the grid, series after series.

    `rows` are the table's rows in the order of the grid and `places` their rows on it; None means 0, 1, 2,
    ... `times` are the readings' own where these are the steps: the grid goes on from the last of them.
    """

    ids: list[str]
    offsets: NDArray[np.int64]
    rows: NDArray[np.int64] | None
    places: NDArray[np.int64] | None
    starts: NDArray
    frequency: Frequency
    notes: list[dict] = field(default_factory=list)
    times: list[NDArray] | None = None

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def dates(self) -> NDArray:
        """(N,) datetime64[ns] or int64: the time of each grid row."""
        lengths = np.diff(self.offsets)
        if self.times is not None:
            own = [self._own_dates(times, int(n)) for times, n in zip(self.times, lengths, strict=True)]
            return np.concatenate(own) if own else self.starts[:0]
        if len(lengths) == 1:
            return self.frequency.grid(self.starts[0], int(lengths[0]))
        parts = [self.frequency.grid(s, int(n)) for s, n in zip(self.starts, lengths, strict=True)]
        return np.concatenate(parts) if parts else self.starts[:0]

    def _own_dates(self, times: NDArray, n: int) -> NDArray:
        if n <= len(times):
            return times[:n]
        return np.concatenate([times, self.frequency.grid(times[-1], n - len(times) + 1)[1:]])

    def place(self, values: NDArray, empty: Any = np.nan) -> NDArray:
        """Values of the table's rows on the grid, `empty` where no row lies; not copied if nothing moves."""
        if self.rows is not None:
            values = values[self.rows]
        if self.places is None and len(values) == len(self):
            return values
        if values.dtype.kind != "f" and isinstance(empty, float):
            values = values.astype(np.float64)
        out = np.full(len(self), empty, values.dtype)
        out[slice(len(values)) if self.places is None else self.places] = values
        return out

    def resized(self, lengths: NDArray[np.int64]) -> Layout:
        """The layout with `lengths` grid rows a series, from each series' start."""
        old = np.diff(self.offsets)
        if (lengths == old).all():
            return self
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        if len(lengths) == 1 and self.places is None and lengths[0] >= old[0]:
            return replace(self, offsets=offsets)
        places = np.arange(len(self)) if self.places is None else self.places
        rows = np.arange(len(places)) if self.rows is None else self.rows
        series = np.searchsorted(self.offsets, places, side="right") - 1
        position = places - self.offsets[series]
        kept = position < lengths[series]
        places = (offsets[series] + position)[kept]
        return replace(self, offsets=offsets, rows=rows[kept], places=places)


def lay_out(
    table: Table,
    stamps: NDArray,
    codes: NDArray | None,
    ids: list[str],
    frequency: Frequency | None,
    same: _Same,
    zone: str | None = None,
    holidays: list[int] | None = None,
) -> Layout:
    """The grid of a table's rows.

    Parameters
    ----------
    stamps : datetime64[ns] or int64 (n,)
    codes : int (n,), optional
        The series of each row; None is one series.
    frequency : Frequency, optional
        None finds it from the stamps.
    same : callable
        Given two arrays of rows, says for each pair whether all values in them are equal.
    zone : str, optional
        On whose wall clock a frequency that is found counts its days; the stamps are in UTC then.
    holidays : list of int, optional
        Days (since 1970) that a frequency that is found leaves out.

    Raises
    ------
    ValueError
        Rows that share a stamp but not their values; dates off the grid; a gap too long to be meant.
    """
    notes: list[dict] = []
    if stamps.dtype.kind == "M" and np.isnat(stamps).any():
        row = int(np.argmax(np.isnat(stamps)))
        raise ValueError(f"{table.source}, {table.where(row)} has no date: fill it in or remove the row")
    rows = _order(stamps, codes, notes)
    times = stamps if rows is None else stamps[rows]
    series = None if codes is None else codes if rows is None else codes[rows]
    rows, times, series = _settle_repeats(table, rows, times, series, ids, same, notes, zone)
    firsts = np.zeros(1, np.int64) if series is None else np.searchsorted(series, np.arange(len(ids)))
    if frequency is None:
        frequency = infer_frequency(times, firsts, zone).closed_on(holidays or [])
        if frequency.open is not None:
            notes.append(_open_note(frequency, times))
    if frequency.kind == "irregular":
        return _as_they_come(rows, times, firsts, frequency, ids, notes)
    if frequency.open is not None:
        rows, times, series = _without_closed(table, rows, times, series, frequency, notes)
        firsts = np.zeros(1, np.int64) if series is None else np.searchsorted(series, np.arange(len(ids)))
    counts = np.diff(np.append(firsts, len(times)))
    starts = times[firsts]
    position = _positions(table, times, starts, counts, frequency, ids, rows, notes)
    if position is None:
        return Layout(ids, np.array([0, len(times)]), rows, None, starts, frequency, notes)
    lengths = position[firsts + counts - 1] + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    _report_gaps(times, position, firsts, offsets, frequency, ids, notes)
    places = position + np.repeat(offsets[:-1], counts)
    whole = len(places) == offsets[-1]
    return Layout(ids, offsets, rows, None if whole else places, starts, frequency, notes)


def _open_note(frequency: Frequency, times: NDArray) -> dict:
    times_open: Any = frequency.open
    phase = int(frequency.local(times[:1])[0].astype(np.int64)) % frequency.step
    count = len(times_open.holidays)
    closed = f"{count:,} {'holiday' if count == 1 else 'holidays'}"
    if len(times_open.slots) == 7 * times_open.per_day:
        return note("open times", f"Steps and forecasts leave out {closed}.")
    closed = f" and {closed}" if count else ""
    text = (
        f"Readings come on {times_open.said(phase)} only: steps and forecasts leave out all other times{closed}; "
        f'freq="{frequency.name}" puts them on a grid of every {replace(frequency, open=None)}.'
    )
    return note("open times", text)


def _as_they_come(
    rows: NDArray | None, times: NDArray, firsts: NDArray, frequency: Frequency, ids: list[str], notes: list[dict]
) -> Layout:
    """Readings as steps, whatever lies between them."""
    ends = np.append(firsts[1:], len(times))
    offsets = np.append(firsts, len(times)).astype(np.int64)
    if frequency.step == 1:  # not known yet: what is usual between two readings
        gaps = np.diff(times).astype(np.int64)
        gaps = gaps[np.isin(np.arange(1, len(times)), firsts, invert=True)]
        if not len(gaps) or times.dtype.kind != "M":
            what = "one" if times.dtype.kind == "M" else "step numbers"
            raise ValueError(f'time="irregular" takes at least two different dates in a series, got {what}')
        frequency = replace(frequency, step=max(2, int(np.median(gaps))))
        shown = _span_words(frequency.step)
        text = (
            "Readings are taken as they come: each is a step, and the time since the one before it is an input. "
            f"Forecasts are dated {shown} apart, the usual time between two readings."
        )
        notes.append(note("irregular", text))
    own = [times[a:b] for a, b in zip(firsts, ends, strict=True)]
    return Layout(ids, offsets, rows, None, times[firsts], frequency, notes, own)


def _span_words(span: int) -> str:
    for word, length in (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1)):
        if span >= 1.5 * length * 10**9:
            return f"{span / length / 1e9:.3g} {word}"
    return f"{span / 1e9:.3g} seconds"


def _without_closed(
    table: Table, rows: NDArray | None, times: NDArray, series: NDArray | None, frequency: Frequency, notes: list[dict]
) -> tuple[NDArray | None, NDArray, NDArray | None]:
    """Without the few rows at times that are closed; an error where they are many."""
    local = frequency.local(times)
    open_times: Any = frequency.open
    phase = int(local[0].astype(np.int64)) % frequency.step
    closed = open_times.closed(local, phase)
    count = int(closed.sum())
    if not count:
        return rows, times, series
    order = np.arange(len(times)) if rows is None else rows
    days = (local.astype(np.int64) - phase + frequency.step // 2) // _DAY
    weekly = closed & ~np.isin(days, np.array(open_times.holidays, np.int64))
    at = int(np.argmax(weekly if weekly.any() else closed))
    first = f"first {say(local[at])} in {table.where(int(order[at]))}"
    said = f"open are {open_times.said(phase)}" + (", but for the holidays" if open_times.holidays else "")
    if weekly.sum() > max(3, 0.01 * len(times)):
        raise ValueError(
            f"{table.source}: {int(weekly.sum()):,} rows lie at times at which none came when the model was fitted "
            f"({first}; {said}): leave them out, or fit a model on a table that has such times"
        )
    rows_said = "1 row at a closed time was" if count == 1 else f"{count:,} rows at closed times were"
    notes.append(note("closed", f"{rows_said} left out ({first}; {said})."))
    kept = ~closed
    return order[kept], times[kept], None if series is None else series[kept]


def _order(stamps: NDArray, codes: NDArray | None, notes: list[dict]) -> NDArray | None:
    """Row numbers sorted by series and time; None when they are in order."""
    rising = stamps[1:] >= stamps[:-1]
    if codes is None:
        if rising.all():
            return None
        order = np.argsort(stamps, kind="stable")
    else:
        if ((codes[1:] > codes[:-1]) | ((codes[1:] == codes[:-1]) & rising)).all():
            return None
        order = np.lexsort((stamps, codes))
        grouped = codes[order]
        by_series = np.argsort(codes, kind="stable")
        if ((stamps[by_series][1:] >= stamps[by_series][:-1]) | (grouped[1:] != grouped[:-1])).all():
            return order  # interleaved series, each in order: nothing to tell
    notes.append(note("sorted", "Rows were not in order of time: sorted."))
    return order


def _settle_repeats(
    table: Table,
    rows: NDArray | None,
    times: NDArray,
    series: NDArray | None,
    ids: list[str],
    same: _Same,
    notes: list,
    zone: str | None,
) -> tuple[NDArray | None, NDArray, NDArray | None]:
    """Without rows that repeat another in everything; an error when only their stamp is the same."""
    repeated = times[1:] == times[:-1]
    if series is not None:
        repeated &= series[1:] == series[:-1]
    if not repeated.any():
        return rows, times, series
    order = np.arange(len(times)) if rows is None else rows
    at = np.flatnonzero(repeated)
    equal = same(order[at], order[at + 1])
    if not equal.all():
        clash = at[~equal]
        shown = listing(
            say(times[i], zone) + ("" if series is None else f" in series {ids[series[i]]!r}") for i in clash
        )
        first = f"{table.where(int(order[clash[0]]))} and {table.where(int(order[clash[0] + 1]))}"
        raise ValueError(
            f"{table.source}: {counted(len(clash), 'date')} {'comes' if len(clash) == 1 else 'come'} twice with "
            f"different values ({shown}; first {first})"
            f"{_clock_change(times[clash])}; {_telling_apart(table, order, times, series)}, or make one row of each "
            'date with aggregate="mean" (or "sum", "last", ...)'
        )
    text = f"{len(at):,} rows repeat another one exactly (first at {say(times[at[0]], zone)}): left out."
    notes.append(note("duplicates", text))
    kept = np.append(True, ~repeated)
    return order[kept], times[kept], None if series is None else series[kept]


def _telling_apart(table: Table, order: NDArray, times: NDArray, series: NDArray | None) -> str:
    """What to do about rows of one stamp: name the column that tells them apart, where one does."""
    known = np.zeros(len(times), np.int64) if series is None else series
    for name in table.columns:
        if not (table.is_text(name) or pa.types.is_integer(table.data.schema.field(name).type)):
            continue
        codes = to_numpy(table.texts(name).dictionary_encode().combine_chunks().indices, missing=-1)[order]
        at = np.lexsort((codes, times, known))
        same = [part[at][1:] == part[at][:-1] for part in (codes, times, known)]
        if not np.logical_and.reduce(same).any() and len(np.unique(codes)) <= len(codes) / 2:
            if series is None:
                return f"name the column that tells the series apart, series={name!r}"
            return f"name all columns that tell the series apart with series=, {name!r} among them"
    return "name the column that tells the series apart with series="


def _clock_change(times: NDArray) -> str:
    """An hour that comes twice on a Sunday in autumn is the end of daylight saving time."""
    if times.dtype.kind != "M":
        return ""
    days = times.astype("datetime64[D]")
    hour = (times - days) // np.timedelta64(1, "h")
    sunday = (days.astype(np.int64) + 4) % 7 == 0
    month = times.astype("datetime64[M]").astype(np.int64) % 12 + 1
    if (sunday & (hour <= 3) & np.isin(month, (3, 4, 9, 10, 11))).all():
        return (
            "; these are hours at the end of daylight saving time, when clocks go back: say whose clock it is with "
            'timezone=, such as timezone="Europe/Berlin"'
        )
    return ""


def _positions(
    table: Table, times: NDArray, starts: NDArray, counts: NDArray, frequency: Frequency, ids: list[str],
    rows: NDArray | None, notes: list,
) -> NDArray[np.int64] | None:  # fmt: skip
    """Steps of each row from the start of its series; None for one series without a gap."""
    if (times.dtype.kind == "M") != (frequency.kind != "step"):
        got = "dates" if times.dtype.kind == "M" else "step numbers"
        raise ValueError(
            f"{table.source} counts time in {got}, but its frequency is {frequency}: expected the other kind"
        )
    if (
        len(starts) == 1
        and frequency.kind in ("step", "fixed")
        and frequency.open is None
        and not frequency.wall
        and (np.diff(times).astype(np.int64) == frequency.step).all()
    ):
        return None
    position, on_grid = frequency.index(times, np.repeat(starts, counts))
    first = np.zeros(len(times), bool)
    first[np.cumsum(counts)[:-1]] = True
    clash = (np.diff(position) == 0) & ~first[1:]
    off = int((~on_grid).sum())
    far = ~on_grid & (_distance(times, starts, counts, position, frequency) > 0.25)
    if clash.any() or far.sum() > max(3, 0.05 * len(times)):
        bad = np.append(False, clash) if clash.any() else far
        at, count = int(np.argmax(bad)), int(bad.sum())
        where = table.where(at if rows is None else int(rows[at]))
        raise ValueError(
            f"{table.source}: {count:,} dates do not fit the regular step of one {frequency} "
            f'(first {say(times[at], frequency.zone)} in {where}): put them on it with aggregate="mean" '
            '(or "sum", "last", ...), take them as they come with time="irregular", or count rows as steps with '
            'time="rows"'
        )
    if off:
        first_off = say(times[np.argmax(~on_grid)], frequency.zone)
        text = f"{off:,} times lie beside the regular step of one {frequency} (first {first_off}): "
        notes.append(note("off grid", f"{text}each was moved to the nearest step."))
    if frequency.kind == "month":
        days = frequency.local(times).astype("datetime64[D]")
        if (days != on_day(days.astype("datetime64[M]"), frequency.day)).any():
            text = f"Dates fall on different days of the {frequency}: each stands for its {frequency}."
            notes.append(note("off grid", text))
    return position


def _distance(
    times: NDArray, starts: NDArray, counts: NDArray, position: NDArray, frequency: Frequency
) -> NDArray[np.float64]:
    """How far each time lies from its grid point, in steps; 0 where that has no meaning (months)."""
    if frequency.open is not None:
        phase = int(frequency.local(times[:1])[0].astype(np.int64)) % frequency.step
        away = (frequency.local(times).astype(np.int64) - phase + frequency.step // 2) % frequency.step
        return np.abs(away - frequency.step // 2) / frequency.step
    if frequency.kind not in ("step", "fixed") or frequency.wall:
        return np.full(len(times), 0.0 if frequency.kind == "month" or frequency.step < _DAY else 1.0)
    away = (times - np.repeat(starts, counts)).astype(np.int64) - position * frequency.step
    return np.abs(away) / frequency.step


def _report_gaps(
    times: NDArray,
    position: NDArray,
    firsts: NDArray,
    offsets: NDArray,
    frequency: Frequency,
    ids: list[str],
    notes: list,
) -> None:
    missing = int(offsets[-1]) - len(times)
    if not missing:
        return
    width = np.diff(position, prepend=position[:1]) - 1
    width[firsts] = 0
    longest = int(np.argmax(width))
    zone = frequency.zone
    before, after, steps = say(times[longest - 1], zone), say(times[longest], zone), int(width[longest])
    if missing > 20 * len(times) + 1000:
        raise ValueError(
            f"dates leave a gap of {steps:,} steps of one {frequency} between {before} and {after}, more "
            "than "
            "can be filled: check these dates, or give a coarser freq="
        )
    first = int(np.argmax(width > 0))
    gaps = int((width > 0).sum())
    text = (
        f"{missing:,} {'time is' if missing == 1 else 'times are'} missing in {gaps:,} gap{'s' if gaps > 1 else ''} "
        f"(first after {say(times[first - 1], zone)}; longest {steps:,} {'step' if steps == 1 else 'steps'}, from "
        f"{before} to {after}): added as {'a row' if missing == 1 else 'rows'} of missing values."
    )
    text += _other_steps(position, firsts, offsets, frequency, ids) or _skipped_hours(times, position, width, frequency)
    notes.append(note("gaps", text))


def _other_steps(
    position: NDArray, firsts: NDArray, offsets: NDArray[np.int64], frequency: Frequency, ids: list[str]
) -> str:
    """A hint where some series have a step of their own, several times that of the others."""
    ends = np.append(firsts[1:], len(position))
    filled = (ends - firsts) / np.maximum(1, np.diff(offsets))
    sparse = np.flatnonzero((filled < 0.55) & (ends - firsts >= 8))
    for series in sparse if (filled > 0.9).any() else ():
        steps = np.diff(position[firsts[series] : ends[series]])
        own = int(np.median(steps))
        if own > 1 and (steps == own).mean() >= 0.9:
            return (
                f" Series {ids[series]!r} has a row every {own} steps only: fit a model for it alone, or put all on "
                'its step with freq= and aggregate="mean" (or "sum", "last", ...).'
            )
    return ""


def _skipped_hours(times: NDArray, position: NDArray, width: NDArray, frequency: Frequency) -> str:
    """A hint where what is missing is an hour that clocks skip in spring, of times that have no zone."""
    if times.dtype.kind != "M" or frequency.zone is not None or frequency.kind != "fixed" or frequency.step > _HOUR:
        return ""
    after = times[np.flatnonzero(width * frequency.step == _HOUR - frequency.step % _HOUR)]
    day = after.astype("datetime64[D]")
    sunday = (day.astype(np.int64) + 3) % 7 == 6
    hour = (after - day) // np.timedelta64(1, "h")
    month = after.astype("datetime64[M]").astype(np.int64) % 12 + 1
    found = after[sunday & np.isin(hour, (2, 3, 4)) & np.isin(month, (3, 4, 9, 10))]
    if not len(found):
        return ""
    return (
        f" The hour before {say(found[0])} may be one that clocks skip in spring: timezone= says whose clocks these "
        "are, and then it is not missing."
    )


def say(time: Any, zone: str | None = None) -> str:
    """A time as short as it can be written: "2024-03-31", "2024-03-31 14:00", "17"; of UTC on a zone's clock."""
    if not isinstance(time, np.datetime64):
        return str(time)
    time = to_local(np.array([time]), zone)[0] if zone is not None else time
    text = str(time.astype("datetime64[s]")).replace("T", " ")
    return text.removesuffix(" 00:00:00").removesuffix(":00") if not text.endswith(" 00:00:00") else text[:10]
