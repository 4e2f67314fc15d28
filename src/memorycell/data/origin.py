"""Origin: where samples stand in what they were read from, as its user counts, and what else stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.lines import listing

_ID = re.compile(r"id|uuid|guid|.*[_ .-]id|.*[a-z]I[dD]|.*[_ .-]uuid", re.ASCII)
ALL, AUTO, NOTHING = "all", "auto", "none"


@dataclass(frozen=True)
class Origin:
    """Rows of a table, or lines of a file.

    Attributes
    ----------
    rows : int64 (n,)
        The row of the table that each sample stands in, or begins in, from 0.
    lines : int64 (n,) or None
        The line of the file, from 1, header, empty lines and line breaks within values counted; None where there are no
        lines.
    table : Table or None
        With the columns that can be kept beside answers.
    long : whether a sample is several rows
    taken : columns that stand beside answers already: the text, the name of a sequence
    """

    rows: NDArray[np.int64]
    lines: NDArray[np.int64] | None = None
    table: Any = None
    long: bool = False
    taken: tuple[str, ...] = ()

    def take(self, places: NDArray[np.int64]) -> Origin:
        """That of some samples."""
        lines = None if self.lines is None else self.lines[places]
        return replace(self, rows=self.rows[places], lines=lines)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """How the user counts the samples: by lines where there are some, else by rows from 0."""
        return self.rows if self.lines is None else self.lines

    def where(self, place: int) -> str:
        """ "line 17" or "row 15"."""
        return f"{'row' if self.lines is None else 'line'} {int(self.numbers[place]):,}"

    def place(self, number: int) -> int:
        """The sample in a row or line of the user's; negative: from the end.

        Raises
        ------
        ValueError
            Where there is none.
        """
        if number < 0:
            return number
        found = np.flatnonzero(self.numbers == number)
        if len(found):
            return int(found[0])
        what = "row" if self.lines is None else "line"
        some = ", ".join(f"{each:,}" for each in self.numbers[:3].tolist()) + (", …" if len(self.numbers) > 3 else "")
        raise ValueError(
            f"expected a {what} with a sample, got {number:,}: samples stand in {what}s {some} to "
            f"{int(self.numbers.max()):,}" + ("" if self.lines is None else " (the file's own lines, from 1)")
        )

    def columns(self, keep: str | Iterable[str] | None) -> dict[str, NDArray[Any]]:
        """Columns of the user's, for each sample.

        Parameters
        ----------
        keep : "all", "auto" (a column of different values named id, …_id or uuid), "none" or None, or names; a list of
            names, of which each may be several with commas between

        Raises
        ------
        ValueError
            For a name that is not there, and one whose values change within a sequence.
        """
        keep = [keep] if isinstance(keep, str) else list(keep or ())
        known = () if self.table is None else self.table.columns
        said = keep[0] if len(keep) == 1 and keep[0] not in known else None
        if not keep or said == NOTHING or (said == AUTO and self.table is None):
            return {}
        if self.table is None:
            raise ValueError("expected keep= beside a file or frame whose columns have names, got samples without")
        return {name: self._column(name) for name in self._names(said or "", keep)}

    def _names(self, said: str, names: list[str]) -> list[str]:
        known = self.table.columns
        if said == AUTO:
            named = (name for name in known if _ID.fullmatch(name) and name not in self.taken)
            return [name for name in named if self._tells_apart(name)][:1]
        if said == ALL:
            return [name for name in known if not self.long or self._constant(name)]
        wanted = [part for name in names for part in ([name] if name in known else name.split(","))]
        for name in wanted:
            if name not in known:
                has = listing(known, 12)
                raise ValueError(f"expected columns of {self.table.source} to keep, got {name!r}: it has {has}")
            if self.long and not self._constant(name):
                raise ValueError(f"expected columns that are constant within a sequence to keep, got {name!r}")
        return list(dict.fromkeys(wanted))

    def _tells_apart(self, name: str) -> bool:
        import pyarrow as pa  # here, as below: who predicts on arrays does without it
        import pyarrow.compute as pc

        column = self.table.data.column(name).take(pa.array(self.rows))
        return column.null_count == 0 and pc.count_distinct(column).as_py() == len(self.rows)

    def _constant(self, name: str) -> bool:
        """Whether a column has one value in each sequence: as many pairs of sequence and value as sequences."""
        import pyarrow.compute as pc

        if self.taken and self.taken[0] in self.table.columns:
            both = self.table.data.select(list(dict.fromkeys([self.taken[0], name])))
            return both.group_by(both.column_names).aggregate([]).num_rows == len(
                pc.unique(self.table.data.column(self.taken[0]))
            )
        return False

    def _column(self, name: str) -> NDArray[Any]:
        import pyarrow as pa

        from memorycell.data.tables.arrow import to_numpy

        column = self.table.written.get(name, self.table.data.column(name)).take(pa.array(self.rows))
        kind = column.type
        if pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None):
            stamps = column.cast(pa.timestamp("ns")).cast(pa.int64())
            return to_numpy(stamps.fill_null(np.iinfo(np.int64).min)).view("datetime64[ns]")
        if (pa.types.is_integer(kind) or pa.types.is_floating(kind)) and not column.null_count:
            return to_numpy(column)
        found = np.empty(len(column), object)
        found[:] = column.to_pylist()
        return found
