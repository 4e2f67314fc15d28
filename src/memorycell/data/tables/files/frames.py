"""Arrays, frames and dicts of columns as a Table; pandas is used only where the user brought it."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memorycell.data.tables.arrow import as_array
from memorycell.data.tables.files.first_lines import is_date
from memorycell.data.tables.table import MOST_COLUMNS, OwnColumns, Table, check_names, listing

_FIRST = 50
# Levels that are parts of a date, as grouping leaves them, tell no series apart.
_PARTS = {"year", "quarter", "month", "week", "day", "hour", "minute", "second", "date", "time"}


def from_numpy(array: NDArray) -> Table:
    """A 1-D array as column y, a 2-D one as x0, x1, ..., a structured one by its fields; what is masked is missing."""
    if isinstance(array, np.ma.MaskedArray) and not array.dtype.names:
        array = np.ma.filled(array.astype(np.float64), np.nan) if np.ma.getmaskarray(array).any() else array.data
    if array.dtype.names:
        return from_columns({name: array[name] for name in array.dtype.names}, "the array", "numpy")
    if array.ndim not in (1, 2):
        raise ValueError(
            f"expected an array of shape (steps,) or (steps, columns), got shape {array.shape}: many series "
            "go in long form, with a column that says which series a row belongs to"
        )
    if array.ndim == 1:
        return from_columns({"y": array}, "the array", "numpy")
    if array.shape[1] > MOST_COLUMNS:
        check_names([str(i) for i in range(array.shape[1])], "the array")
    return from_columns({f"x{i}": array[:, i] for i in range(array.shape[1])}, "the array", "numpy")


def from_frame(frame: Any) -> Table:
    """A pandas, polars or pyarrow frame or series; TypeError for anything else."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(frame, pandas.Series | pandas.DataFrame):
        return _from_pandas(frame)
    import narwhals as nw

    if isinstance(frame, pa.RecordBatch | pa.RecordBatchReader):
        frame = pa.Table.from_batches([frame]) if isinstance(frame, pa.RecordBatch) else frame.read_all()
    if isinstance(frame, pa.Table):
        check_names(frame.column_names, "the pyarrow frame")
    try:
        native = nw.from_native(frame, allow_series=True)
    except TypeError:
        raise TypeError(
            "expected a path, a pandas, polars or pyarrow frame, a numpy array or a dict of columns, "
            f"got {type(frame).__name__}"
        ) from None
    if isinstance(native, nw.Series):
        native = (native if native.name else native.alias("y")).to_frame()
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    kind = str(native.implementation)
    if isinstance(frame, pa.Table):
        kind = "pyarrow"
    check_names(list(native.columns), f"the {kind} frame")
    own = native.to_native()
    columns = {name: own[name] for name in native.columns} if kind in ("polars", "pyarrow") else None
    return Table(native.to_arrow(), f"the {kind} frame", kind, own=None if columns is None else OwnColumns(columns))


def _from_pandas(frame: Any) -> Table:
    pandas = sys.modules["pandas"]
    if isinstance(frame, pandas.Series):
        frame = frame.to_frame(name="y" if frame.name is None else frame.name)
    names = _column_names(frame.columns)
    check_names(names, "the pandas frame")
    columns = {name: frame.iloc[:, place] for place, name in enumerate(names)}
    keys: list[str] = []
    if not isinstance(frame.index, pandas.RangeIndex):
        levels, keys = _levels(frame.index, columns)
        columns = levels | columns
    own = OwnColumns(dict(columns))
    for name, values in columns.items():
        if isinstance(values.dtype, pandas.PeriodDtype):
            columns[name] = values.dt.to_timestamp()
    table = from_columns(columns, "the pandas frame", "pandas")
    table.own, table.keys = own, keys
    return table


def _column_names(columns: Any) -> list[str]:
    """The names of columns; of several levels those that tell columns apart, with a space between."""
    if columns.nlevels == 1:
        return [str(name) for name in columns]
    told = [place for place in range(columns.nlevels) if len(set(columns.get_level_values(place))) > 1] or [0]
    return [" ".join(str(name[place]) for place in told if str(name[place]).strip()) for name in columns]


def _holds_dates(values: Any) -> bool:
    """Whether an index without a name, as `read_csv(index_col=0)` leaves it, holds days or texts that are dates."""
    head = values.head(_FIRST)
    return (
        len(head) > 0 and head.map(lambda v: isinstance(v, datetime.date) or (isinstance(v, str) and is_date(v))).all()
    )


def _levels(index: Any, columns: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The levels of an index as columns of their own, and which of several tell the series apart."""
    names = list(range(index.nlevels))
    frame = index.to_frame(index=False, name=names if index.nlevels > 1 else 0)
    levels: dict[str, Any] = {}
    keys: list[str] = []
    for place, given in enumerate(index.names):
        values = frame[place]
        dated = _is_dated(values) or (given is None and values.dtype.kind not in "iufb" and _holds_dates(values))
        # The plain numbers that filtering leaves behind say nothing; dates and named levels do.
        if given is None and not dated and (index.nlevels == 1 or _counts(frame, place)):
            continue
        name = str(given) if given is not None else "date" if dated and "date" not in columns else f"level_{place}"
        if name in columns or name in levels:
            continue
        levels[name] = values
        if index.nlevels > 1 and not dated and name.lower() not in _PARTS and not _counts(frame, place):
            keys.append(name)
    return levels, keys


def _counts(frame: Any, place: int) -> bool:
    """Whether a level counts the rows: from 0 within each combination of the levels before it, or beside dates that say
    with the other levels what a row is."""
    values = frame[place]
    if values.dtype.kind not in "iu" or not len(values):
        return False
    if any(other != place and _is_dated(frame[other]) for other in frame):
        return not values.duplicated().any() and not frame.drop(columns=place).duplicated().any()
    steps = np.diff(values.to_numpy())
    before = frame.iloc[:, :place]
    begins = (before.iloc[1:].to_numpy() != before.iloc[:-1].to_numpy()).any(axis=1)
    return bool((steps[~begins] > 0).all() and len(frame.iloc[:, : place + 1].drop_duplicates()) == len(frame))


def _is_dated(values: Any) -> bool:
    pandas = sys.modules["pandas"]
    return isinstance(values.dtype, pandas.PeriodDtype | pandas.DatetimeTZDtype) or values.dtype.kind == "M"


def _without_device(values: Any) -> Any:
    """A masked array with NaN, a tensor as an array; all else as it is."""
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(np.float64), np.nan)
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def from_records(records: Sequence[Mapping[Any, Any]]) -> dict[Any, list[Any]]:
    """Columns of a list of records, missing where a record has none."""
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: [record.get(name) for record in records] for name in names}


def from_rows_by_name(columns: Mapping[Any, Mapping[Any, Any]]) -> dict[Any, list[Any]]:
    """Columns of objects by the rows' names, as pandas' `to_dict` makes them."""
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    return {name: [column.get(row) for row in rows] for name, column in columns.items()}


def from_columns(columns: dict[Any, Any], source: str, kind: str) -> Table:
    """Named columns of equal length; what has mixed types becomes text."""
    check_names([str(name) for name in columns], source)
    arrays = {}
    for name, given in columns.items():
        values = _without_device(given)
        if getattr(getattr(values, "dtype", None), "kind", "") == "c":
            raise ValueError(f"column {str(name)!r} of {source} holds complex numbers: take its real part, or its size")
        try:
            plain = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iuf"
            if plain and values.dtype.isnative and values.dtype.itemsize >= 4:
                arrays[str(name)] = as_array(values)
            else:
                arrays[str(name)] = _of_objects(str(name), values, pa.array(values, from_pandas=True))
        except MixedTimesError:
            raise
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            try:  # mixed types: as text, of which the numbers are found again
                texts = [None if v is None or v != v else str(v) for v in values]
            except (TypeError, ValueError):
                raise TypeError(f"column {str(name)!r} is not a sequence of values: got {values!r:.60}") from None
            arrays[str(name)] = pa.array(texts, pa.string())
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns differ in length: {listing(f'{n}: {k:,}' for n, k in lengths.items())}")
    return Table(pa.table(arrays), source, kind)


class MixedTimesError(ValueError):
    """Times with a time zone and without one in a column."""


def _of_objects(name: str, values: Any, array: pa.Array) -> pa.Array:
    """Dates and times of Python in one column, of which Arrow takes the type and the zone of the first for all."""
    if not (pa.types.is_timestamp(array.type) or pa.types.is_date(array.type)):
        return array
    if getattr(values, "dtype", np.dtype(object)) != np.dtype(object):
        return array
    given = [value if isinstance(value, datetime.date) and value == value else None for value in values]
    times = [value for value in given if isinstance(value, datetime.datetime)]
    aware = [value for value in times if value.tzinfo is not None]
    if aware and len(aware) < sum(value is not None for value in given):
        row = next(i for i, value in enumerate(given) if value is not None and getattr(value, "tzinfo", None) is None)
        raise MixedTimesError(
            f"column {name!r}: {given[row]} in row {row:,} has no time zone, but others of its column have: "
            "give all of them one, or none"
        )
    if len({str(value.tzinfo) for value in aware}) > 1:
        return pa.array([None if value is None else value.isoformat() for value in given], pa.string())
    if pa.types.is_date(array.type) and times:
        midnight = datetime.time()
        whole = [
            v if v is None or isinstance(v, datetime.datetime) else datetime.datetime.combine(v, midnight)
            for v in given
        ]
        return pa.array(whole, pa.timestamp("us"))
    return array
