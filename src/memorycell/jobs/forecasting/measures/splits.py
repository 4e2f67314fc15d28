"""Cutting a table in time: which rows train, from which origins is forecast."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.columns import stamps_of
from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.series import series_codes
from memorycell.data.tables.table import Table
from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.timing import positions

Rows = NDArray[np.int64]


def blocks_of_time(encoded: EncodedTable, folds: int, test_fraction: float, horizon: int) -> Rows:
    """The last `test_fraction` of the time range in `folds` blocks of equal length: int64 (folds + 1, S).

    Block f of series s holds its rows ``bounds[f, s] : bounds[f + 1, s]``, counted from its first row.

    With dates all series are cut on the same dates, so that no series tells a model what came after another's
    cut. Step numbers share no clock: there each series is cut at its own last `test_fraction` of rows.

    Raises
    ------
    ValueError
        When a number is out of its range, or no block is as long as the horizon.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"expected test_fraction between 0 and 1, got {test_fraction!r}: 0.2 tests on the last fifth")
    if folds < 1:
        raise ValueError(f"expected folds >= 1, got {folds!r}: the number of test blocks")
    share = 1 - test_fraction * (1 - np.arange(folds + 1) / folds)
    ends = encoded.observed_rows
    if np.issubdtype(encoded.dates.dtype, np.datetime64):
        parts = [encoded.dates[start : start + count] for start, count in zip(encoded.offsets[:-1], ends, strict=True)]
        when = np.unique(np.concatenate(parts))
        cuts = when[np.round(share[:-1] * len(when)).astype(np.int64).clip(0, len(when) - 1)]
        inner = np.stack([np.searchsorted(part, cuts) for part in parts], 1)
        bounds = np.concatenate([inner, ends[None]])
    else:
        bounds = np.round(share[:, None] * ends).astype(np.int64)
    longest = int(np.diff(bounds, axis=0).max(1).min())
    if longest < horizon:
        raise ValueError(
            f"expected test blocks of at least {horizon} rows (the horizon), got one of {longest}: "
            "use fewer folds, a larger test_fraction or a shorter horizon"
        )
    return bounds.astype(np.int64)


def cut_table(table: Table, codec: TableCodec, encoded: EncodedTable, stop: Rows) -> Table:
    """The rows of `table` that lie before row `stop[s]` of each series s, where `encoded` is its encoding by
    `codec`.

    Parameters
    ----------
    stop : int64 (S,) rows counted from the first of each series; 0 leaves the series out.
    """
    stamps = stamps_of(table, codec.time_, codec.series_, codec.reading_)
    series = np.zeros(len(table), np.int64)
    if codec.series_:
        codes, names = series_codes(table, codec.series_)
        where = {name: s for s, name in enumerate(encoded.ids)}
        series = np.array([where.get(name, -1) for name in names], np.int64)[codes]
    kept = (series >= 0) & ~(np.isnat(stamps) if stamps.dtype.kind == "M" else np.zeros(len(stamps), bool))
    position, _ = positions(codec, stamps[kept], series[kept], encoded.offsets, encoded.dates)
    kept[kept] = position < stop[series[kept]]
    return _dated(table, codec, stamps).take(kept)


def _dated(table: Table, codec: TableCodec, stamps: NDArray) -> Table:
    """The table with its times as they were read, so that a part of it cannot be read in another order."""
    if len(codec.time_) != 1 or not codec.reading_.order or stamps.dtype.kind != "M":
        return table
    import pyarrow as pa

    kind = pa.timestamp("ns", codec.reading_.zone)
    numbers = np.ascontiguousarray(stamps).view(np.int64)
    column = pa.array(numbers, pa.int64(), mask=np.isnat(stamps)).cast(kind)
    place = table.data.column_names.index(codec.time_[0])
    return replace(table, data=table.data.set_column(place, codec.time_[0], pa.chunked_array([column])))


def block_origins(encoded: EncodedTable, start: Rows, stop: Rows, horizon: int, step: int, allowed: Rows) -> Rows:
    """Every `step`-th origin whose `horizon` targets lie in rows ``start[s] : stop[s]`` of its series s.

    The first is the last row before the block, or the first row of a series that has none before. Of these,
    those in `allowed` whose targets are not all missing.
    """
    chosen = [
        np.arange(offset + max(0, low - 1), offset + high - horizon, step, dtype=np.int64)
        for offset, low, high in zip(encoded.offsets[:-1], start, stop, strict=True)
    ]
    origins = np.concatenate(chosen) if chosen else np.empty(0, np.int64)
    origins = origins[np.isin(origins, allowed)]
    known = np.isfinite(encoded.target.numpy()).any(1)
    return origins[known[origins[:, None] + np.arange(1, horizon + 1)].any(1)] if len(origins) else origins


def rows_seen(encoded: EncodedTable, end: Any) -> Rows:
    """(S,) rows of each series up to `end`: a date or step number for all, or a mapping from the series'
    names."""
    counts = []
    for s, name in enumerate(encoded.ids):
        first = encoded.offsets[s]
        dates = encoded.dates[first : first + encoded.observed_rows[s]]
        last = end.get(name) if isinstance(end, dict) else end
        counts.append(0 if last is None else int(np.searchsorted(dates, np.asarray(last, dates.dtype), side="right")))
    return np.array(counts, np.int64)
