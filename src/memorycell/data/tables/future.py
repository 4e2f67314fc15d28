"""Rows to come: where a `future` frame lies on the grid, and what must be known of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.columns import stamps_of
from memorycell.data.tables.grid import Layout, say
from memorycell.data.tables.roles import require
from memorycell.data.tables.series import series_codes
from memorycell.data.tables.table import Table
from memorycell.data.tables.table_fields import TableFields
from memorycell.data.tables.timing import read_stamps


class FutureRows:
    """The rows of a `future` frame: where they lie on the grid."""

    def __init__(self, codec: TableFields, table: Table, layout: Layout, observed: NDArray[np.int64]) -> None:
        needed = [*codec.time_, *codec.series_]
        require(table, [*needed, *known_names(codec)], "known-future")
        table, found, _ = read_stamps(codec, table)
        stamps = stamps_of(table, [], codec.series_) if found is None else found.values
        owner = np.zeros(len(table), np.int64)
        if codec.series_:
            codes, ids = series_codes(table, codec.series_)
            where = {name: i for i, name in enumerate(layout.ids)}
            owner = np.array([where.get(name, -1) for name in ids], np.int64)[codes]
        if codec.time_:
            position = np.full(len(table), -1)
            own = owner >= 0
            if layout.frequency.kind == "irregular":
                # Rows to come have no grid yet: they follow each other after the last reading.
                position[own], fits = _after(stamps[own], owner[own], layout, observed), np.ones(int(own.sum()), bool)
            else:
                position[own], fits = layout.frequency.index(stamps[own], layout.starts[owner[own]])
            if not fits.all() and layout.frequency.kind != "month" and layout.frequency.open is None:
                bad = say(layout.frequency.local(stamps[own])[np.argmin(fits)])
                raise ValueError(f"{table.source}: {bad} does not lie on the regular step of one {layout.frequency}")
            if layout.frequency.open is not None:
                position[np.flatnonzero(own)[~fits]] = -1  # closed: what is known of these times is of no use
        else:
            position = stamps + observed[owner]
        lengths = np.diff(layout.offsets)
        self.table = table
        self.rows = np.flatnonzero((owner >= 0) & (position >= observed[owner]) & (position < lengths[owner]))
        self.places = layout.offsets[owner[self.rows]] + position[self.rows]


def _after(stamps: NDArray, owner: NDArray, layout: Layout, observed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of a series in order of time, the first after its last reading at the first step to come; -1 before."""
    dates = layout.dates()
    last = dates[layout.offsets[:-1] + observed - 1][owner]
    place = np.full(len(stamps), -1)
    later = np.flatnonzero(stamps > last)
    order = later[np.lexsort((stamps[later], owner[later]))]
    firsts = np.searchsorted(owner[order], owner[order])
    place[order] = observed[owner[order]] + np.arange(len(order)) - firsts
    return place


def known_names(codec: TableFields) -> list[str]:
    """The columns that must be given for rows to come."""
    return [c.name for c in codec.known_] + [c.name for c in codec.codes_ if c.known]


def require_known(name: str, missing: NDArray[np.bool_], ahead: NDArray | None, dates: NDArray) -> None:
    """Raise when a known-future column is `missing` in any row `ahead`, naming the column and the dates."""
    if ahead is None or not missing[ahead].any():
        return
    lacking = ahead[missing[ahead]]
    shown = say(dates[lacking[0]]) + (f" to {say(dates[lacking[-1]])}" if len(lacking) > 1 else "")
    raise ValueError(
        f"known-future column {name!r} has no value for {len(lacking):,} of the rows to forecast ({shown}): "
        "give them in "
        "future=, or in rows of the table after the last target"
    )
