"""Times of a table in the zone that is theirs, that the user names, or that training had."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.table import Table, listing
from memorycell.data.tables.times.date_reading import Codes, DateReading
from memorycell.data.tables.times.date_text import Parsed
from memorycell.data.tables.times.zones import (
    check_zone,
    skipped,
    to_utc,
    twice,
    zone_of_midnights,
    zone_of_offsets,
)


def in_zone(
    table: Table, columns: list[str], parsed: Parsed, codes: Codes | None, earlier: DateReading
) -> tuple[NDArray, str | None, list[dict]]:
    """Times (in UTC where there is a zone), the zone that they are counted and shown in, and notes.

    `earlier` is what was known before the table was read.

    Raises
    ------
    ValueError
        For times without a zone where those of training had one, and the other way round; for times that the clocks
        of the user's zone never show.
    """
    values = parsed.values
    own, notes = _own_zone(parsed, columns, earlier)
    asked = None if earlier.timezone is None else check_zone(earlier.timezone)
    known = earlier.zone
    if own is None:
        if asked is not None:
            return _localised(table, columns, values, asked, codes, notes)
        if known is not None:
            raise ValueError(_lacking(table, columns, known))
        return values, None, notes
    if asked is not None:
        return values, asked, notes
    if known is None and earlier.learned:
        raise ValueError(
            f"times in {listing(columns)} of {table.source} have a time zone ({own}), but the times that the model was "
            "trained on had none: give them as that table did, without a zone"
        )
    if known is None and own != "UTC":
        text = (
            f"Times in {listing(columns)} are of the time zone {own}: steps are its days and hours, and forecasts are "
        )
        fixed = "" if "/" in own else "; timezone= names one whose clocks change, such as Europe/Berlin"
        notes.append(note("time zone", f"{text}dated in it{fixed}."))
    elif known is None and (local := zone_of_midnights(values)):
        text = (
            f"Times in {listing(columns)} are midnights of {local}, written in UTC: days are those of its clocks, and "
            "forecasts are dated in it; timezone= names another zone."
        )
        notes.append(note("time zone", text))
        own = local
    elif known is None:
        notes.append(note("time zone", f"Times in {listing(columns)} are in UTC, and so are the dates of forecasts."))
    return values, known or own, notes


def _own_zone(parsed: Parsed, columns: list[str], earlier: DateReading) -> tuple[str | None, list[dict]]:
    """The zone that times bring along: a column's, or one whose clocks showed the offsets in the texts."""
    found: Any = parsed.offsets
    if found is None:
        return None, []
    if isinstance(found, str):
        return _stored(found), []
    known = ~np.isnat(parsed.values)
    if earlier.zone is not None or earlier.timezone is not None:
        return earlier.zone or earlier.timezone, []
    zone = zone_of_offsets(parsed.values[known], found[known]) if known.any() else "UTC"
    if zone is None:
        text = f"Times in {listing(columns)} have offsets of no one time zone: they are counted in UTC."
        return "UTC", [note("time zone", text)]
    if "/" in zone:
        text = (
            f"The offsets in {listing(columns)} are those of {zone}, maybe of other zones too: timezone= names another."
        )
        return zone, [note("time zone", text)]
    return zone, []


def _stored(zone: str) -> str:
    try:
        return check_zone(zone)
    except ValueError:
        return "UTC"


def _localised(
    table: Table,
    columns: list[str],
    local: NDArray,
    zone: str,
    codes: Codes | None,
    notes: list[dict],
) -> tuple[NDArray, str, list[dict]]:
    """Wall clock times of a zone in UTC; of an hour that comes twice, the second in each series is the later."""
    gap = skipped(local, zone)
    if gap.any():
        row = int(np.argmax(gap))
        raise ValueError(
            f"{table.source}, {table.where(row)}: clocks in {zone} never showed {_text(local[row])}, as they were put "
            f"forward ({int(gap.sum()):,} such rows): mend these times, or name their own zone with timezone="
        )
    again = np.zeros(len(local), bool)
    double = np.flatnonzero(twice(local, zone))
    if len(double):
        series_of = None if codes is None else codes()
        owner = np.zeros(len(double), np.int64) if series_of is None else series_of[double]
        seen: set[tuple[int, int]] = set()
        for place, series, moment in zip(double.tolist(), owner.tolist(), local[double].tolist(), strict=True):
            again[place] = (series, moment) in seen
            seen.add((series, moment))
    text = f"Times in {listing(columns)} were read as local times of {zone}"
    if again.any():
        count = int(again.sum())
        times = "1 time that is repeated was" if count == 1 else f"{count:,} times that are repeated were"
        text += f"; of the hour that comes twice as clocks are put back, {times} read as the second"
    return to_utc(local, zone, again), zone, [*notes, note("time zone", f"{text}.")]


def _lacking(table: Table, columns: list[str], zone: str) -> str:
    frame = table.kind == "pandas" and len(columns) == 1
    how = f'frame["{columns[0]}"].dt.tz_localize("{zone}")' if frame else "their offset, as in 2024-01-31 12:00+01:00"
    return (
        f"times in {listing(columns)} of {table.source} have no time zone, but those that the model was trained on are "
        f"of {zone}: give them with {how}"
    )


def _text(moment: Any) -> str:
    return str(moment.astype("datetime64[s]")).replace("T", " ")
