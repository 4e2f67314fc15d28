"""How a TableCodec learns its columns: statistics and categories of training rows only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.lines import counted
from memorycell.data.log import note
from memorycell.data.scaling import moments, moments_by_series, safe_scales, sample_median
from memorycell.data.tables.arrow import to_numpy
from memorycell.data.tables.bounds import bounds_told, learn_bound
from memorycell.data.tables.columns import Coded, Number, Placed, read_values
from memorycell.data.tables.roles import Roles
from memorycell.data.tables.table_fields import TableFields

_LEAST = 1e-300  # so that no spread, however small, divides by zero


def fit_columns(
    codec: TableFields, placed: Placed, roles: Roles, training: NDArray[np.int64], notes: list[dict]
) -> None:
    """All columns of a codec, from the first `training` grid rows of each series."""
    layout = placed.layout
    if len(training) == 1:  # slices, which copy nothing
        owner = None
        seen: Any = slice(0, int(training[0]))
        shown: Any = slice(0, int(placed.observed[0]))
    else:
        lengths = np.diff(layout.offsets)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        position = np.arange(len(layout)) - layout.offsets[owner]
        # Of a series that nothing is learned from, what it lacks is not to be noticed either.
        seen, shown = position < training[owner], position < np.where(training, placed.observed, 0)[owner]
    _fit_targets(codec, placed, None if owner is None else owner[seen], seen, shown, notes)
    codec.past_ = _fit_numbers(codec, placed, roles.past, seen, shown, notes)
    codec.known_ = _fit_numbers(codec, placed, roles.known, seen, shown, notes)
    codec.codes_ = _fit_codes(placed, roles.codes, seen, notes)
    _fit_static(codec, placed, roles, training > 0)


def _fit_codes(placed: Placed, codes: dict[str, bool], seen: Any, notes: list[dict]) -> list[Coded]:
    columns = []
    for name, known in codes.items():
        texts = placed.table.texts(name).dictionary_encode().combine_chunks()
        on_grid = placed.layout.place(to_numpy(texts.indices, missing=-1), empty=-1)
        used = np.unique(on_grid[seen])
        categories = sorted(texts.dictionary[int(code)].as_py() for code in used if code >= 0)
        if len(categories) > 1:
            columns.append(Coded(name, categories, known))
        else:
            text = f"Column {name!r} was left out: one category only in the training rows."
            notes.append(note("dropped", text))
    return columns


def _fit_targets(
    codec: TableFields, placed: Placed, owner: NDArray | None, seen: Any, shown: Any, notes: list[dict]
) -> None:
    lower, upper = (bounds_told(getattr(codec, what), codec.target_names_, what) for what in ("lower", "upper"))
    codec.bounds_ = []
    centers, scales, codec.targets_, codec.pooled_ = [], [], [], []
    for name, low, high in zip(codec.target_names_, lower, upper, strict=True):
        grid = placed.grid(name, target=True)
        values = grid[seen]
        stats = moments(values, name)
        if not stats.number:
            raise ValueError(f"target {name!r} has no values in the training rows: all are missing")
        if stats.low == stats.high:
            raise ValueError(
                f"target {name!r} is constant at {stats.low:g} over the {counted(stats.number, 'value')} to train on: "
                "there is nothing to learn; choose another target or more rows"
            )
        codec.bounds_.append(learn_bound(name, low, high, values, stats, notes))
        if owner is None:
            center, scale = np.array([stats.mean]), np.array([max(stats.std, _LEAST)])
            codec.pooled_.append((stats.mean, float(scale[0])))
            middle = (sample_median(values) - stats.mean) / float(scale[0])
        else:
            by_series = moments_by_series(values, owner, len(placed.layout.ids))
            center, scale, pooled = safe_scales(*by_series, overall=(stats.mean, stats.std))
            codec.pooled_.append(pooled)
            middle = sample_median((values - center[owner]) / scale[owner])
        centers.append(center)
        scales.append(scale)
        codec.targets_.append(Number(name, 0.0, 1.0, middle, _any_missing(grid[shown])))
    codec.center_, codec.scale_ = np.stack(centers, axis=1), np.stack(scales, axis=1)


def _fit_numbers(
    codec: TableFields, placed: Placed, names: list[str], seen: Any, shown: Any, notes: list[dict]
) -> list[Number]:
    columns = []
    for name in names:
        grid = placed.grid(name, notes=notes)
        stats = moments(grid[seen], name)
        if not stats.number or stats.low == stats.high:
            what = f"constant at {stats.low:g}" if stats.number else "empty"
            notes.append(note("dropped", f"Column {name!r} was left out: it is {what} over the training rows."))
            continue
        if name not in codec.known_future and _counts_rows(read_values(placed.table, name)):
            notes.append(note("dropped", f"Column {name!r} was left out: it only counts the rows."))
            continue
        scale = max(stats.std, _LEAST)
        middle = (sample_median(grid[seen]) - stats.mean) / scale
        columns.append(Number(name, stats.mean, scale, middle, _any_missing(grid[shown])))
    return columns


def _fit_static(codec: TableFields, placed: Placed, roles: Roles, learned: NDArray[np.bool_]) -> None:
    codec.static_ = []
    for name in roles.static:
        stats = moments(placed.per_series(name)[learned], name)
        scale = stats.std if stats.number and stats.std > 0 else 1.0
        codec.static_.append(Number(name, stats.mean if stats.number else 0.0, scale, 0.0, False))
    codec.static_codes_ = []
    for name in roles.static_codes:
        texts = placed.per_series(name)
        categories = {str(text) for text, used in zip(texts, learned, strict=True) if used and text is not None}
        codec.static_codes_.append(Coded(name, sorted(categories), True))


def _any_missing(values: NDArray) -> bool:
    return values.dtype.kind == "f" and bool(np.isnan(values).any())


def _counts_rows(values: NDArray) -> bool:
    """Row numbers: every value one more than the one before, over 10 rows at least."""
    if len(values) < 10 or not np.isfinite(values[:100]).all() or (np.diff(values[:100]) != 1).any():
        return False
    with np.errstate(invalid="ignore"):  # infinite values further down
        return bool((np.diff(values) == 1).all())
