"""How a fitted TableCodec fills the tensors of an EncodedTable, column by column."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.scaling import fill_missing, moments_by_series, safe_scales, write_scaled
from memorycell.data.tables.arrow import as_array
from memorycell.data.tables.bounds import as_limits, bounds_told, without_broken
from memorycell.data.tables.columns import Coded, Number, Placed, place, read_values
from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.future import FutureRows, known_names, require_known
from memorycell.data.tables.grid import Layout
from memorycell.data.tables.roles import Roles, codes_of, require
from memorycell.data.tables.table import Table, listing
from memorycell.data.tables.table_fields import TableFields
from memorycell.data.tables.times.calendar import calendar_features
from memorycell.data.tables.times.dates import Stamps
from memorycell.data.tables.timing import SINCE, read_stamps


def encode_placed(codec: TableFields, table: Table, horizon: int, future: Table | None) -> EncodedTable:
    """See `TableCodec.encode`."""
    roles = _required_roles(codec, table)
    table, stamps, told = read_stamps(codec, table)
    _check_time(codec, table, stamps)
    learned = [entry for entry in codec.notes_ if entry["kind"] == "dropped" and entry not in table.notes]
    notes = [*table.notes, *told, *learned]
    placed = place(table, stamps, codec.series_, codec.frequency_, roles)
    notes += placed.notes
    placed.layout = layout = placed.layout.resized(placed.observed + horizon)
    ahead = _ahead(layout, placed.observed)
    plan = FutureRows(codec, future, layout, placed.observed) if future is not None and known_names(codec) else None
    notes += plan.notes if plan is not None else []
    if future is not None and plan is None:
        notes.append(note("future", "The future frame was not used: no column is declared as known ahead."))
    center, scale = _scales(codec, placed, notes)
    dates = layout.dates()
    target, past, past_names = _values(codec, placed, center, scale, ahead, notes)
    limits = _limits(codec, placed, notes)
    known, names_known = _known(codec, placed, plan, ahead, dates, past, notes)
    if ahead is not None:
        past[ahead] = 0
    static, static_codes = _static(codec, placed)
    return EncodedTable(
        past=torch.from_numpy(past),
        known=torch.from_numpy(known),
        codes=torch.from_numpy(_codes(codec, placed, plan, ahead, dates, notes)),
        static=torch.from_numpy(static),
        static_codes=torch.from_numpy(static_codes),
        target=torch.from_numpy(target),
        center=center,
        scale=scale,
        offsets=layout.offsets,
        observed_rows=placed.observed,
        dates=dates,
        ids=layout.ids,
        past_names=past_names,
        known_names=names_known,
        code_names=[column.name for column in codec.codes_],
        code_sizes=[len(column.categories) + 1 for column in codec.codes_],
        code_known=[column.known for column in codec.codes_],
        static_names=[column.name for column in codec.static_],
        static_code_names=[column.name for column in codec.static_codes_],
        static_code_sizes=[len(column.categories) + 1 for column in codec.static_codes_],
        target_names=list(codec.target_names_),
        limits=limits,
        notes=notes,
        frequency=codec.frequency_,
    )


def _required_roles(codec: TableFields, table: Table) -> Roles:
    require(table, codec.target_names_, "target")
    roles = Roles(codec.target_names_, [c.name for c in codec.past_], [c.name for c in codec.known_])
    roles.codes = {column.name: column.known for column in codec.codes_}
    statics = [c.name for c in codec.static_] + [c.name for c in codec.static_codes_]
    require(
        table,
        [
            *codec.series_,
            *codec.time_,
            *(name for name in roles.past if name != SINCE),
            *roles.known,
            *roles.codes,
            *statics,
        ],
        "needed",
    )
    return roles


def _check_time(codec: TableFields, table: Table, stamps: Stamps | None) -> None:
    if stamps is not None and (stamps.values.dtype.kind == "M") != codec.dated_:
        want = "dates" if codec.dated_ else "step numbers"
        raise ValueError(
            f"column {stamps.columns[0]!r} of {table.source}: expected {want}, as when the model was fitted"
        )


def _ahead(layout: Layout, observed: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Grid rows that lie in the future; None when there are none."""
    counts = np.diff(layout.offsets) - observed
    if not counts.any():
        return None
    firsts = layout.offsets[:-1] + observed
    return np.concatenate([np.arange(a, a + n) for a, n in zip(firsts, counts, strict=True)])


def _scales(codec: TableFields, placed: Placed, notes: list[dict]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Center and scale of each series: the fitted ones, or for new series those of their own rows."""
    ids = placed.layout.ids
    if not codec.series_:
        return codec.center_, codec.scale_
    where = {name: i for i, name in enumerate(codec.ids_)}
    where |= dict.fromkeys(codec.short_, -1)
    fitted = np.array([where.get(name, -1) for name in ids], np.int64)
    center, scale = codec.center_[fitted], codec.scale_[fitted]
    new = fitted < 0
    if new.any():
        owner = np.repeat(np.arange(len(ids)), np.diff(placed.layout.offsets))
        for k, name in enumerate(codec.target_names_):
            grid = placed.grid(name, target=True)
            own_center, own_scale, _ = safe_scales(*moments_by_series(grid, owner, len(ids)), pooled=codec.pooled_[k])
            center[new, k], scale[new, k] = own_center[new], own_scale[new]
        known = set(codec.short_)
        names = [name for name, is_new in zip(ids, new, strict=True) if is_new and name not in known]
    if new.any() and names:
        text = f"{len(names):,} series were not in the training table ({listing(names)}): scaled by their own rows."
        notes.append(note("new series", text))
    return center, scale


def _limits(codec: TableFields, placed: Placed, notes: list[dict]) -> NDArray[np.float64] | None:
    """What forecasts do not fall below or rise above, unless this table does."""
    if as_limits(codec.bounds_) is None:
        return None
    lowest = []
    for name, (lower, _) in zip(codec.target_names_, codec.bounds_, strict=True):
        values = placed.table.numbers(name) if lower is not None else np.empty(0)
        values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        lowest.append(float(values.min(initial=np.inf) if values.dtype.kind == "f" else values.min()))
    told = bounds_told(codec.lower, codec.target_names_, "lower")
    return as_limits(without_broken(codec.bounds_, codec.target_names_, lowest, told, notes))


def _values(
    codec: TableFields,
    placed: Placed,
    center: NDArray,
    scale: NDArray,
    ahead: NDArray | None,
    notes: list[dict],
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[str]]:
    """Targets (N, K) with NaN, and the past inputs (N, F) with targets and past covariates filled in."""
    layout = placed.layout
    columns = [*codec.targets_, *codec.past_]
    later = [*codec.calendar_, *(column.name for column in codec.known_)]
    masked = [column.name for column in [*columns, *codec.known_] if column.masked]
    names = [*(column.name for column in columns), *later, *(f"{name} was missing" for name in masked)]
    past = np.empty((len(layout), len(names)), np.float32)
    past[:, len(names) - len(masked) :] = 0
    target = np.empty((len(layout), len(codec.targets_)), np.float32)
    counts: dict[str, int] = {}
    series = None
    if len(layout.ids) > 1:
        series = np.repeat(np.arange(len(layout.ids)), np.diff(layout.offsets))
    for j, column in enumerate(columns):
        is_target = j < len(codec.targets_)
        grid = placed.grid(column.name, target=is_target, notes=notes)
        if is_target:
            write_scaled(grid, center[:, j] if series is not None else center[0, j],
                         scale[:, j] if series is not None else scale[0, j], past[:, j], series)  # fmt: skip
            if ahead is not None:
                past[ahead, j] = np.nan
            target[:, j] = past[:, j]
        else:
            write_scaled(grid, column.center, column.scale, past[:, j])
        counts[column.name] = _fill(codec, column, past, j, names, layout, ahead)
    _note_missing(codec, counts, notes)
    return target, past, names


def _fill(
    codec: TableFields,
    column: Number,
    past: NDArray,
    j: int,
    names: list[str],
    layout: Layout,
    ahead: NDArray | None,
) -> int:
    """Fill a column's missing values and mark them in its mask; returns how many there were up to now."""
    missing = np.isnan(past[:, j])
    if not missing.any():
        return 0
    count = int(missing.sum()) - (int(missing[ahead].sum()) if ahead is not None else 0)
    if count and codec.fill == "error":
        raise ValueError(
            f"column {column.name!r} has {count:,} missing values and fill='error' refuses them: "
            "fill them, or use fill='auto'"
        )
    fill_missing(past[:, j], missing, layout.offsets, column.fill, codec.fill)
    if column.masked:
        past[:, names.index(f"{column.name} was missing")] = missing
    return count


_RULES = {
    "auto": "the last value before, or the training median where there is none",
    "forward": "the last value before, or the training median where there is none",
    "median": "the training median",
}


def _note_missing(codec: TableFields, counts: dict[str, int], notes: list[dict]) -> None:
    found = [f"{name!r} {count:,}" for name, count in counts.items() if count]
    told = ", ".join(found[:6]) + (f" and {len(found) - 6:,} more columns" if len(found) > 6 else "")
    if told:
        rule = _RULES[codec.fill]
        notes.append(
            note(
                "missing",
                f"Values missing on the grid: {told}. As inputs they take {rule}, and a column beside them tells the "
                "model so; missing targets are neither learned from nor scored.",
            )
        )


def _known(
    codec: TableFields, placed: Placed, plan: FutureRows | None, ahead: NDArray | None, dates: NDArray,
    past: NDArray, notes: list[dict],
) -> tuple[NDArray[np.float32], list[str]]:  # fmt: skip
    """What is known ahead (N, P), also written into its place among the past inputs."""
    layout = placed.layout
    names = [*codec.calendar_, *(column.name for column in codec.known_)]
    known = np.empty((len(layout), len(names)), np.float32)
    first = len(codec.targets_) + len(codec.past_)
    past_names = [""] * first + names
    masked = [c.name for c in [*codec.targets_, *codec.past_, *codec.known_] if c.masked]
    past_names += [f"{name} was missing" for name in masked]
    if codec.calendar_:
        calendar_features(codec.frequency_.local(dates), codec.calendar_, known[:, : len(codec.calendar_)])
    for j, column in enumerate(codec.known_, len(codec.calendar_)):
        grid = placed.grid(column.name, notes=notes)
        if plan is not None and len(plan.rows):
            grid = grid.astype(np.float64)  # a copy: the table's own values stay as they are
            grid[plan.places] = read_values(plan.table, column.name)[plan.rows]
        require_known(column.name, np.isnan(grid) | np.isinf(grid), ahead, placed.layout, plan)
        write_scaled(grid, column.center, column.scale, known[:, j])
        if np.isnan(known[:, j]).any():
            past[:, first + j] = known[:, j]
            _fill(codec, column, past, first + j, past_names, layout, ahead)
            known[:, j] = past[:, first + j]
    past[:, first : first + len(names)] = known
    return known, names


def _codes(
    codec: TableFields,
    placed: Placed,
    plan: FutureRows | None,
    ahead: NDArray | None,
    dates: NDArray,
    notes: list[dict],
) -> NDArray[np.int64]:
    """Category codes (N, C): 0 where missing, unknown or not known ahead."""
    layout = placed.layout
    codes = np.zeros((len(layout), len(codec.codes_)), np.int64)
    for j, column in enumerate(codec.codes_):
        grid = layout.place(_coded(placed.table, column, notes), empty=-1)
        if grid.base is not None or not grid.flags.writeable:
            grid = grid.copy()
        if column.known:
            if plan is not None and len(plan.rows):
                grid[plan.places] = _coded(plan.table, column, notes)[plan.rows]
            require_known(column.name, grid < 0, ahead, placed.layout, plan)
        elif ahead is not None:
            grid[ahead] = 0
        np.maximum(grid, 0, out=codes[:, j])
    return codes


def _coded(table: Table, column: Coded, notes: list[dict]) -> NDArray[np.int64]:
    texts = table.texts(column.name)
    codes = codes_of(texts, column.categories)
    unknown = (
        sorted(set(texts.take(as_array(np.flatnonzero(codes == 0))).drop_null().to_pylist()))
        if (codes == 0).any()
        else []
    )
    if unknown:
        text = f"Column {column.name!r}: {listing(unknown)} did not occur in training: read as unknown."
        notes.append(note("new categories", text))
    return codes


def _static(codec: TableFields, placed: Placed) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    n_series = len(placed.layout.ids)
    static = np.zeros((n_series, len(codec.static_)), np.float32)
    for j, column in enumerate(codec.static_):
        values = (placed.per_series(column.name) - column.center) / column.scale
        static[:, j] = np.where(np.isfinite(values), values, 0)
    codes = np.zeros((n_series, len(codec.static_codes_)), np.int64)
    for j, coded in enumerate(codec.static_codes_):
        where = {name: i + 1 for i, name in enumerate(coded.categories)}
        codes[:, j] = [where.get(text, 0) for text in placed.per_series(coded.name)]
    return static, codes
