"""read_table: a file, a frame or an array as one Table, with notes of what was done to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.figures import shortened
from memorycell.data.tables.arrow import as_array, nothing, to_numpy

MOST_COLUMNS = 1000
MOST_STEPS = 50_000
NULLS = ("", "NA", "N/A", "n/a", "#N/A", "na", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "Null", "None",
         "none", "NaT", "?", "-", ".", "--", "<NA>")  # fmt: skip


@dataclass(frozen=True, eq=False)
class OwnColumns:
    """Columns of a frame of pandas, polars or pyarrow, and which rows of them a table holds (None: all)."""

    columns: Mapping[str, Any]
    rows: NDArray[np.int64] | None = None

    def take(self, rows: NDArray[np.int64]) -> OwnColumns:
        """The same columns with only `rows`."""
        return OwnColumns(self.columns, rows if self.rows is None else self.rows[rows])

    def values(self, name: str, rows: NDArray[np.int64]) -> Any:
        """A column at some rows of the table, of the very type and with the very values that the frame has."""
        column, rows = self.columns[name], rows if self.rows is None else self.rows[rows]
        if isinstance(column, pa.ChunkedArray):
            return column.take(as_array(rows))
        return column.iloc[rows].reset_index(drop=True) if hasattr(column, "iloc") else column[rows]


@dataclass(repr=False)
class Table:
    """Columns of numbers, truth values, dates or text, where they came from, and what was done to them.

    Attributes
    ----------
    data : pyarrow.Table
        Missing values are null or NaN.
    source : str
        What errors call it: the file's name, "the pandas frame", ...
    kind : str
        "file", "pandas", "polars", "pyarrow", "numpy" or "dict": what a forecast should come back as.
    notes : list of dict
        ``{"kind": ..., "text": ...}``, one sentence each.
    first_line : int
        Line of the file that holds row 0; 0 when it was no text file.
    odd : dict
        Of text columns that are numbers for the most part: how many values are not, and (row, value) of the
        first.
    header : bool
        False when a text file had no line of column names.
    written : dict
        Columns as they were written, where reading changed them: "NA" as a word, "1.004" for 1004. As labels,
        categories and identifiers they are taken so; see `texts`.
    skipped : list of int
        Lines of a text file among the rows that are none: comments, a header that comes again.
    reading : dict
        How another table of this kind is read, plain JSON: what `read_table` was told, and the marks of numbers that it
        found.
    own : OwnColumns or None
        Of a frame, its columns as its own library has them: identifiers come back as these are.
    keys : list of str
        Columns that were levels of a frame's index beside its time: they tell the series apart.
    lines : int64 (n,) or None
        Of a text file of samples: the line that each row begins in.
    """

    data: pa.Table
    source: str
    kind: str
    notes: list[dict] = field(default_factory=list)
    first_line: int = 0
    odd: dict[str, tuple[int, list[tuple[int, str]]]] = field(default_factory=dict)
    header: bool = True
    written: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    skipped: list[int] = field(default_factory=list)
    reading: dict[str, Any] = field(default_factory=dict)
    own: OwnColumns | None = None
    keys: list[str] = field(default_factory=list)
    lines: NDArray[np.int64] | None = None

    def __repr__(self) -> str:
        return f"Table({self.source}: {len(self):,} rows; {shortened(self.columns)})"

    def __len__(self) -> int:
        return self.data.num_rows

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self.data.column_names

    def where(self, row: int) -> str:
        """How a user finds a row again: "line 17" of a text file, else "row 15" (from 0)."""
        if not self.first_line:
            return f"row {row:,}"
        if self.lines is not None:
            return f"line {int(self.lines[row]):,}"
        line = row + self.first_line
        for left_out in sorted(self.skipped):
            line += left_out <= line
        return f"line {line:,}"

    def is_numeric(self, name: str) -> bool:
        """Whether a column holds numbers or truth values."""
        kind = self.data.schema.field(name).type
        return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)

    def is_text(self, name: str) -> bool:
        """Whether a column holds text."""
        return pa.types.is_string(self.data.schema.field(name).type)

    def numbers(self, name: str) -> NDArray:
        """A numeric column as an array, NaN where missing; no copy where the source allows it."""
        column = self.data.column(name)
        return to_numpy(column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column)

    def texts(self, name: str) -> pa.ChunkedArray:
        """A column as text, as it was written: 3.0 and 3 are both "3", null where missing."""
        column = self.written.get(name, self.data.column(name))
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), nothing(column.type), column)
            whole = pc.all(pc.equal(pc.floor(column), column)).as_py()
            if whole is not False:
                column = column.cast(pa.int64())
        return column if pa.types.is_string(column.type) else column.cast(pa.string())

    def take(self, rows: NDArray) -> Table:
        """The same table with only `rows` (a boolean mask, or row numbers)."""
        rows = np.asarray(rows)
        places = as_array(np.flatnonzero(rows) if rows.dtype == bool else rows)
        chosen = self.data.take(places)
        written = {name: column.take(places) for name, column in self.written.items()}
        return Table(
            chosen, self.source, self.kind, list(self.notes), keys=self.keys, written=written, reading=self.reading,
            own=None if self.own is None else self.own.take(to_numpy(places)),
        )  # fmt: skip


def listing(names: Iterable[Any], most: int = 6) -> str:
    """The first few of some names for a message: ``'a', 'b' and 3 more``."""
    names = [repr(str(name)) if isinstance(name, str) else str(name) for name in names]
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1:,} more"
    return ", ".join(names)


def check_names(names: list[str], source: str, most: int = MOST_COLUMNS) -> None:
    """Raise when there are too many columns, or two of one name."""
    if len(names) > most:
        raise ValueError(
            f"{source} has {len(names):,} columns, more than the {most:,} a table may have: "
            "expected one row "
            "per time step; if each row is a series, turn it round, or give many series in long form "
            "(columns unique_id, ds, y)"
        )
    seen: set[str] = set()
    again = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    if again:
        raise ValueError(f"{source} has more than one column named {listing(dict.fromkeys(again))}: rename them")
