"""Columns of a table on its grid: rows put in place, values read, and how far each series was observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import is_valid, to_numpy
from memorycell.data.tables.grid import Layout, lay_out, say
from memorycell.data.tables.roles import Roles
from memorycell.data.tables.series import series_codes
from memorycell.data.tables.table import Table
from memorycell.data.tables.times.date_reading import DateReading
from memorycell.data.tables.times.dates import Stamps, read_time
from memorycell.data.tables.times.frequency import Frequency


@dataclass(frozen=True)
class Number:
    """A fitted numeric column: (value - center) / scale, `fill` where missing; `masked`: with a mask."""

    name: str
    center: float
    scale: float
    fill: float
    masked: bool


@dataclass(frozen=True)
class Coded:
    """A fitted category column: code 1 + place in `categories`, 0 for anything else."""

    name: str
    categories: list[str]
    known: bool


@dataclass
class Placed:
    """A table with the layout of its rows, the grid rows observed of each series, and what was done."""

    table: Table
    layout: Layout
    observed: NDArray[np.int64]
    notes: list[dict] = field(default_factory=list)

    def grid(self, name: str, target: bool = False, notes: list[dict] | None = None) -> NDArray:
        """A numeric column on the grid, NaN where missing; infinite is missing, in a target an error."""
        values = read_values(self.table, name)
        if values.dtype.kind == "f" and np.isinf(values).any():
            rows = np.flatnonzero(np.isinf(values))
            where = self.table.where(int(rows[0]))
            if target:
                raise ValueError(
                    f"target {name!r} of {self.table.source} is infinite in {where} ({len(rows):,} such "
                    "values): "
                    "correct them or leave them empty"
                )
            if notes is not None:
                text = f"Column {name!r}: {len(rows):,} infinite values (first in {where}) were treated as missing."
                notes.append(note("infinite", text))
            values = np.where(np.isinf(values), np.nan, values)
        return self.layout.place(values)

    def known(self, targets: list[str]) -> list[NDArray[np.bool_]] | None:
        """Of each series, which of its grid rows have a value of any of `targets`; None where all have."""
        there = np.zeros(len(self.layout), bool)
        for name in targets:
            values = read_values(self.table, name)
            present = np.isfinite(values) if values.dtype.kind == "f" else np.ones(len(values), bool)
            there |= self.layout.place(present, empty=False)
            if there.all():
                return None
        return np.split(there, self.layout.offsets[1:-1])

    def per_series(self, name: str) -> Any:
        """The value of a static column in each series: float64 (S,), or a list of texts or None."""
        text = not self.table.is_numeric(name)
        values = self.table.texts(name) if text else self.table.numbers(name).astype(np.float64)
        codes: Any = pc.dictionary_encode(values).combine_chunks() if text else None
        keys = to_numpy(codes.indices, missing=-1) if text else values
        placed = self.layout.place(keys.astype(np.float64) if text else keys)
        if text:
            placed = np.where(placed < 0, np.nan, placed)
        owner = np.repeat(np.arange(len(self.layout.ids)), np.diff(self.layout.offsets))
        present = ~np.isnan(placed)
        first = np.full(len(self.layout.ids), np.nan)
        first[owner[present][::-1]] = placed[present][::-1]
        differs = present & (placed != first[owner])
        if differs.any():
            series = self.layout.ids[owner[np.argmax(differs)]]
            raise ValueError(
                f"static column {name!r} changes within series {series!r}: a static column is constant there"
            )
        if not text:
            return first
        return [None if np.isnan(v) else codes.dictionary[int(v)].as_py() for v in first]


def read_values(table: Table, name: str) -> NDArray:
    """A numeric column; an error when this table holds something else under that name."""
    if not table.is_numeric(name):
        kind = table.data.schema.field(name).type
        raise ValueError(f"column {name!r} of {table.source} holds {kind}, but was numeric when the model was fitted")
    return table.numbers(name)


def stamps_of(
    table: Table, columns: list[str], series: Sequence[str] | None, reading: DateReading | None = None
) -> NDArray:
    """The time of each row: from its columns, or counted (in each series from 0) when there are none."""
    if columns:
        return read_time(table, columns, reading, lambda: series_codes(table, series)[0] if series else None).values
    if not series:
        return np.arange(len(table))
    codes, ids = series_codes(table, series)
    order = np.argsort(codes, kind="stable")
    first = np.searchsorted(codes[order], np.arange(len(ids)))
    steps = np.empty(len(table), np.int64)
    steps[order] = np.arange(len(table)) - first[codes[order]]
    return steps


def place(
    table: Table,
    stamps: Stamps | None,
    series: list[str],
    frequency: Frequency | None,
    roles: Roles,
    holidays: list[int] | None = None,
) -> Placed:
    """Put the rows of a table on its grid and find how far each series was observed."""
    notes: list[dict] = []
    values = stamps.values if stamps is not None else None
    if values is not None and values.dtype.kind == "M" and np.isnat(values).any():
        table, values = _without_undated(table, values, notes)
    if values is None:
        values = stamps_of(table, [], series)
    codes, ids = series_codes(table, series) if series else (None, ["series"])
    used = [*roles.targets, *roles.past, *roles.known, *roles.codes]
    zone = None if stamps is None else stamps.reading.zone
    layout = lay_out(table, values, codes, ids, frequency, lambda a, b: same_rows(table, used, a, b), zone, holidays)
    observed = _observed(table, layout, roles)
    return Placed(table, layout, observed, notes + layout.notes + _future_note(layout, observed))


def _without_undated(table: Table, stamps: NDArray, notes: list[dict]) -> tuple[Table, NDArray]:
    undated = np.isnat(stamps)
    count = int(undated.sum())
    where = table.where(int(np.argmax(undated)))
    if count > max(3, 0.01 * len(table)):
        raise ValueError(f"{table.source}: {count:,} of {len(table):,} rows have no date (first {where}): fill them in")
    notes.append(note("undated", f"{count:,} rows without a date were left out (first {where})."))
    return table.take(~undated), stamps[~undated]


def same_rows(table: Table, names: list[str], first: NDArray, second: NDArray) -> NDArray[np.bool_]:
    """Whether the rows `first` and `second` agree in all the columns `names`."""
    equal = np.ones(len(first), bool)
    for name in names:
        if table.is_numeric(name):
            values = table.numbers(name)
            a, b = values[first], values[second]
            equal &= (a == b) | ((a != a) & (b != b))
        else:
            codes = to_numpy(table.texts(name).dictionary_encode().combine_chunks().indices, missing=-1)
            equal &= codes[first] == codes[second]
    return equal


def _observed(table: Table, layout: Layout, roles: Roles) -> NDArray[np.int64]:
    """Grid rows of each series up to the last in which a target or a past covariate has a value."""
    lengths = np.diff(layout.offsets)
    filled: NDArray[np.bool_] = np.zeros(len(layout), bool)
    ends = layout.offsets[1:][lengths > 0] - 1
    for name in [*roles.targets, *roles.past]:
        values = read_values(table, name)
        present = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), bool)
        filled |= layout.place(present, empty=False)
        if filled[ends].all():
            return lengths
    for name in [name for name, known in roles.codes.items() if not known]:
        filled |= layout.place(is_valid(table.texts(name)), empty=False)
    position = np.arange(1, len(layout) + 1) - np.repeat(layout.offsets[:-1], lengths)
    observed = np.zeros(len(lengths), np.int64)
    np.maximum.at(observed, np.repeat(np.arange(len(lengths)), lengths), np.where(filled, position, 0))
    return observed


def _future_note(layout: Layout, observed: NDArray[np.int64]) -> list[dict]:
    rest = np.where(observed, np.diff(layout.offsets) - observed, 0)  # a series without any value is no future
    if not rest.any():
        return []
    series = int(np.argmax(rest > 0))
    first = layout.frequency.local(layout.dates()[layout.offsets[series] + observed[series]][None])[0]
    text = f"{int(rest.sum()):,} rows at the end (from {say(first)}) have no target: they are read as the future."
    return [note("future", text)]
