"""Rows to come: where a `future` frame lies on the grid, and what must be known of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.columns import same_rows, stamps_of
from memorycell.data.tables.grid import Layout, say
from memorycell.data.tables.roles import require
from memorycell.data.tables.series import series_codes
from memorycell.data.tables.table import Table
from memorycell.data.tables.table_fields import TableFields
from memorycell.data.tables.times.date_reading import ORDERS
from memorycell.data.tables.times.dates import Stamps
from memorycell.data.tables.timing import read_stamps


class FutureRows:
    """The rows of a `future` frame: where they lie on the grid.

    Attributes
    ----------
    table : Table
    rows, places : int64 (M,)
        Rows of the table that are to be forecast, and the grid rows where they lie.
    notes : list of dict
    """

    def __init__(self, codec: TableFields, table: Table, layout: Layout, observed: NDArray[np.int64]) -> None:
        require(table, [*codec.time_, *codec.series_], "time or series")
        require(table, known_names(codec), "known-future")
        self.codec, self.layout, self.observed = codec, layout, observed
        self.table, stamps, self.notes = read_stamps(codec, table)
        self.said, self.rows, self.places = self._placed(self.table, stamps)
        if any(entry["kind"] == "ambiguous dates" for entry in self.notes) and stamps is not None:
            self._in_the_order_that_follows(table, stamps.reading.order)
        self._settle_repeats()

    def _in_the_order_that_follows(self, table: Table, order: str) -> None:
        """Of days and months that both could come first, the order whose dates are those to be forecast."""
        other = {"dmy": "mdy", "mdy": "dmy"}.get(order)
        if self.codec.reading_.order or other is None:
            return
        try:
            again, stamps, _ = read_stamps(self.codec, table, self.codec.reading_.with_(order=other))
            said, rows, places = self._placed(again, stamps)
        except ValueError:
            return
        if len(rows) > len(self.rows):
            self.table, self.said, self.rows, self.places, order = again, said, rows, places, other
        self.notes = [entry for entry in self.notes if entry["kind"] != "ambiguous dates"]
        text = f"Dates of the future in {self.codec.time_[0]!r} were read as {ORDERS[order]}: those are to be forecast."
        self.notes.append(note("ambiguous dates", text))

    def _placed(self, table: Table, found: Stamps | None) -> tuple[str, NDArray[np.int64], NDArray[np.int64]]:
        """The times in words, and `rows` and `places`."""
        codec, layout, observed = self.codec, self.layout, self.observed
        stamps = stamps_of(table, [], codec.series_) if found is None else found.values
        owner = np.zeros(len(table), np.int64)
        if codec.series_:
            codes, ids = series_codes(table, codec.series_)
            where = {name: i for i, name in enumerate(layout.ids)}
            owner = np.array([where.get(name, -1) for name in ids], np.int64)[codes]
        said = ""
        if codec.time_:
            self._check(table, stamps)
            if len(stamps):
                said = " to ".join(map(say, layout.frequency.local(np.array([stamps.min(), stamps.max()]))))
            position = np.full(len(table), -1)
            own = owner >= 0
            if layout.frequency.kind == "irregular":
                # Rows to come have no grid yet: they follow each other after the last reading.
                position[own] = _after(stamps[own], owner[own], layout, observed)
            else:
                position[own], fits = layout.frequency.index(stamps[own], layout.starts[owner[own]])
                self._put_on_grid(table, position, np.flatnonzero(own)[~fits], stamps)
        else:
            position = stamps + observed[owner]
        lengths = np.diff(layout.offsets)
        rows = np.flatnonzero((owner >= 0) & (position >= observed[owner]) & (position < lengths[owner]))
        return said, rows, layout.offsets[owner[rows]] + position[rows]

    def _check(self, table: Table, stamps: NDArray) -> None:
        if (stamps.dtype.kind == "M") != self.codec.dated_:
            want = "dates" if self.codec.dated_ else "step numbers"
            raise ValueError(
                f"column {self.codec.time_[0]!r} of {table.source}: expected {want}, as when the model was fitted"
            )
        if stamps.dtype.kind == "M" and np.isnat(stamps).any():
            row = int(np.argmax(np.isnat(stamps)))
            raise ValueError(
                f"{table.source}, {table.where(row)} has no date: fill it in or leave the row out of future="
            )

    def _put_on_grid(
        self, table: Table, position: NDArray[np.int64], beside: NDArray[np.int64], stamps: NDArray
    ) -> None:
        """Rows at times without steps are of no use (closed days, weekends) or, elsewhere, an error."""
        frequency = self.layout.frequency
        if not len(beside) or frequency.kind == "month":
            return
        if frequency.open is not None or frequency.kind == "business":
            position[beside] = -1
            return
        first = self.layout.offsets[0] + self.observed[0]
        wanted = ", ".join(map(say, frequency.local(self.layout.dates()[first : first + 2])))
        zone = f" in {frequency.zone}" if frequency.zone is not None else ""
        raise ValueError(
            f"{table.source}, {table.where(int(beside[0]))}: {say(frequency.local(stamps[beside[:1]])[0])}{zone} does "
            f"not lie on the regular step of one {frequency}: expected times such as {wanted}"
        )

    def _settle_repeats(self) -> None:
        order = np.argsort(self.places, kind="stable")
        again = np.flatnonzero(np.diff(self.places[order]) == 0)
        if not len(again):
            return
        first, second = self.rows[order][again], self.rows[order][again + 1]
        differs = ~same_rows(self.table, known_names(self.codec), first, second)
        if differs.any():
            a, b = (self.table.where(int(rows[np.argmax(differs)])) for rows in (first, second))
            series = " of one series" if self.codec.series_ else ""
            raise ValueError(
                f"{self.table.source}: {a} and {b} are of one time{series}, with different values: leave one out "
                "of future="
            )


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


def require_known(
    name: str, missing: NDArray[np.bool_], ahead: NDArray | None, layout: Layout, plan: FutureRows | None
) -> None:
    """Raise when a known-future column is `missing` in any row `ahead`, naming the column and the dates."""
    if ahead is None or not missing[ahead].any():
        return
    lacking = ahead[missing[ahead]]
    dates = layout.frequency.local(layout.dates()[lacking[[0, -1]]])
    shown = say(dates[0]) + (f" to {say(dates[1])}" if len(lacking) > 1 else "")
    if len(layout.ids) > 1:
        shown += f"; first in series {layout.ids[int(np.searchsorted(layout.offsets, lacking[0], side='right')) - 1]!r}"
    given = "" if plan is None or not plan.said else f", which has {plan.said}"
    raise ValueError(
        f"known-future column {name!r} has no value for {len(lacking):,} of the rows to forecast ({shown}): "
        f"give them in future={given}, or in rows of the table after the last target"
    )
