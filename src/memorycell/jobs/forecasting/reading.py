"""Tables that were read, with their encodings: what a forecaster is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.samples import Note, Samples, Source
from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.future import known_names
from memorycell.data.tables.reading import read_table
from memorycell.data.tables.table import Table
from memorycell.data.tables.table_codec import TableCodec
from memorycell.jobs.forecasting.parameters import Forecasting


class TableSamples(Samples):
    """A table that was read, a row per time step, and what is known of the rows to come.

    There is one encoding, with the rows to come at the end of each series, and what only looks at the past gets it
    without those. Where columns are known ahead and no future is given, that does not do: what they will be may be
    unknown, and training and measuring need not know it. There the past is encoded without rows to come, unless it was
    encoded with them already. Only the encodings by the last codec that asked are kept: a table may be large, and no
    one asks for an older codec's again.

    Attributes
    ----------
    given : Table
    future : Table or None
        Known-future columns of the rows to come.

    Example
    -------
    >>> samples = TableSamples.of({"y": np.arange(20.0)})
    >>> codec = TableCodec("y").fit(samples.given)
    >>> len(samples), len(samples.ahead(codec, 3).dates), len(samples.observed(codec, 3).dates)
    (20, 23, 20)
    """

    given: Table

    def __init__(
        self, given: Table, *, future: Table | None = None, notes: Iterable[Note] = (), source: Source | None = None
    ) -> None:
        super().__init__(given, notes=notes, source=source)
        self.future = future
        self._codec: Any = None
        self._tables: dict[int, EncodedTable] = {}  # of that codec, by the number of rows to come
        self._lacking: dict[int, str] = {}

    @classmethod
    def of(cls, source: Any, future: Any = None, **how: Any) -> TableSamples:
        """A table out of whatever holds one, see `read_table`; samples as they are, unless another future is given."""
        ahead = None if future is None else read_table(future, **how)
        if isinstance(source, TableSamples):
            if ahead is None:
                return source
            return cls(source.given, future=ahead, notes=source.given.notes, source=source.source)
        table, named = read_table(source, **how), Source.of(source)
        named = named if named.file is not None else Source(table.source)
        return cls(table, future=ahead, notes=table.notes, source=named)

    def _taken(self, places: NDArray[np.int64]) -> TableSamples:
        return type(self)(self.given.take(places), future=self.future, notes=self.notes, source=self.source)

    def __getstate__(self) -> dict[str, Any]:
        # Encodings are made again where they are wanted.
        return {**vars(self), "_codec": None, "_tables": {}, "_lacking": {}}

    def ahead(self, codec: TableCodec, horizon: int) -> EncodedTable:
        """The table as tensors, with `horizon` rows after the end of each series.

        Raises
        ------
        ValueError
            As `TableCodec.encode`, such as for known-future columns without values for those rows.
        """
        self._use(codec)
        if horizon in self._lacking:
            raise ValueError(self._lacking[horizon])
        if horizon not in self._tables:
            try:
                self._keep(horizon, codec.encode(self.given, horizon=horizon, future=self.future))
            except ValueError as error:
                self._lacking[horizon] = str(error)
                raise
        return self._tables[horizon]

    def lacking(self, codec: TableCodec, horizon: int) -> str:
        """Why the rows to come cannot be encoded, where known-future columns have no values for them; else "".

        Raises
        ------
        ValueError
            Where the table cannot be encoded at all.
        """
        try:
            self.ahead(codec, horizon)
        except ValueError as error:
            if self.future is not None or not known_names(codec):
                raise
            self.observed(codec, horizon)
            return str(error)
        return ""

    def observed(self, codec: TableCodec, horizon: int) -> EncodedTable:
        """The table as tensors, without rows to come; `horizon` is that of the forecasts made from it."""
        self._use(codec)
        if horizon not in self._tables and self.future is None and known_names(codec):
            if 0 not in self._tables:
                self._keep(0, codec.encode(self.given))
            return self._tables[0]
        return without_rows_to_come(self.ahead(codec, horizon))

    def note_once(self, kind: str, named: list[tuple[str, str]]) -> None:
        """Note of series, by name, what was done with them."""
        if named:
            told = "; ".join(f"{name!r}: {why}" for name, why in named[:6])
            more = f"; and {len(named) - 6:,} more series" if len(named) > 6 else ""
            said = note(kind, f"{told}{more}.")
            self.notes += [said] if said not in self.notes else []

    def _use(self, codec: TableCodec) -> None:
        if codec is not self._codec:
            self._codec, self._tables, self._lacking = codec, {}, {}

    def _keep(self, horizon: int, table: EncodedTable) -> None:
        self._tables[horizon] = table
        self.notes += [note for note in table.notes if note not in self.notes]


def read_samples(
    told: Forecasting, source: Any, future: Any = None, codec: TableCodec | None = None, given: Any = None
) -> TableSamples:
    """A table as a forecaster reads it: as its parameters say, as the training's was read, and as is given, in turn."""
    names = [[each] if isinstance(each, str) else [*(each or ())] for each in (told.series, told.categorical)]
    known = {**(told.reading or {}), **({} if codec is None else codec.as_read_)}
    return TableSamples.of(source, future, text=names[0] + names[1], as_read=known, **(given or {}))


def without_rows_to_come(encoded: EncodedTable) -> EncodedTable:
    """The rows that were observed, as an encoding without a horizon has them."""
    counts = encoded.observed_rows
    if np.array_equal(np.diff(encoded.offsets), counts):
        return encoded
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows: Any = slice(0, int(counts[0]))  # of a single series no copy is made
    if len(counts) > 1:
        first = np.repeat(encoded.offsets[:-1] - offsets[:-1], counts)
        rows = torch.from_numpy(first + np.arange(offsets[-1]))
    return replace(
        encoded,
        past=encoded.past[rows],
        known=encoded.known[rows],
        codes=encoded.codes[rows],
        target=encoded.target[rows],
        dates=encoded.dates[rows if isinstance(rows, slice) else rows.numpy()],
        offsets=offsets,
    )
