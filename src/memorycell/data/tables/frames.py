"""Arrays, frames and dicts of columns as a Table; pandas is used only where the user brought it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memorycell.data.tables.arrow import as_array
from memorycell.data.tables.table import MOST_COLUMNS, Table, check_names, listing


def from_numpy(array: NDArray) -> Table:
    """A 1-D array as column y, a 2-D one as x0, x1, ..., a structured one by its fields."""
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
    return Table(native.to_arrow(), f"the {kind} frame", kind)


def _from_pandas(frame: Any) -> Table:
    pandas = sys.modules["pandas"]
    if isinstance(frame, pandas.Series):
        frame = frame.to_frame(name="y" if frame.name is None else frame.name)
    check_names([str(name) for name in frame.columns], "the pandas frame")
    columns = {str(name): frame[name] for name in frame.columns}
    if not isinstance(frame.index, pandas.RangeIndex):
        index = frame.index.to_frame(index=False)
        named = {}
        for level in index.columns:
            values = index[level]
            dated = isinstance(values.dtype, pandas.PeriodDtype | pandas.DatetimeTZDtype) or values.dtype.kind == "M"
            unnamed = isinstance(level, int)
            # The plain numbers that filtering leaves behind say nothing; dates and named levels do.
            if dated or not unnamed:
                named["date" if unnamed and "date" not in columns else str(level)] = values
        columns = {name: v for name, v in named.items() if name not in columns} | columns
    for name, values in columns.items():
        if isinstance(values.dtype, pandas.PeriodDtype):
            columns[name] = values.dt.to_timestamp()
    return from_columns(columns, "the pandas frame", "pandas")


def from_columns(columns: dict[Any, Any], source: str, kind: str) -> Table:
    """Named columns of equal length; what has mixed types becomes text."""
    check_names([str(name) for name in columns], source)
    arrays = {}
    for name, values in columns.items():
        try:
            plain = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iuf"
            if plain and values.dtype.isnative and values.dtype.itemsize >= 4:
                arrays[str(name)] = as_array(values)
            else:
                arrays[str(name)] = pa.array(values, from_pandas=True)
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
