"""Arrow columns from and to numpy, without pandas: pyarrow's own conversions import it, which takes 0.4 s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def to_numpy(column: Any, missing: Any = np.nan) -> NDArray:
    """A column of numbers, truth values or timestamps (as their integers); not copied where that is possible.

    Missing values become `missing`, for which integers turn into float64 if it is no integer.

    Example
    -------
    >>> to_numpy(pa.chunked_array([[1, None], [3]])), to_numpy(pa.array([True, False]))
    (array([ 1., nan,  3.]), array([ True, False]))
    """
    parts = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    arrays = [_values(part) for part in parts]
    if column.null_count:
        for i, part in enumerate(parts):
            values = arrays[i]
            if values.dtype.kind != "f" and isinstance(missing, float):
                values = values.astype(np.float64)
            else:
                values = values.copy()
            if part.null_count:
                values[~_bits(part.buffers()[0], part.offset, len(part))] = missing
            arrays[i] = values
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate(arrays) if arrays else np.empty(0, _dtype(column.type))


def is_valid(column: Any) -> NDArray[np.bool_]:
    """Which values are there."""
    return to_numpy(column.is_valid())


def as_array(values: NDArray) -> pa.Array:
    """Integers or floats as an Arrow array; not copied if contiguous."""
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def as_texts(values: Sequence[str]) -> pa.Array:
    """Texts as an Arrow array.

    Example
    -------
    >>> as_texts(["a", "né"]).to_pylist()
    ['a', 'né']
    """
    encoded = [value.encode() for value in values]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in encoded], dtype=np.int64)])
    if offsets[-1] >= 2**31:
        raise ValueError(f"texts of {offsets[-1]:,} bytes in one column are more than can be read")
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def as_one(column: Any) -> Any:
    """A column in one piece, which some of Arrow's functions ask for."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def text(value: str) -> pa.Scalar:
    """A text for Arrow's functions."""
    return as_texts([value])[0]


def surely(mask: Any) -> Any:
    """Truth values with False where they are missing. (Arrow's own `fill_null` imports pandas.)

    Example
    -------
    >>> surely(pa.array([True, None, False])).to_pylist()
    [True, False, False]
    """
    return pc.and_kleene(mask.is_valid(), mask)


def nothing(kind: pa.DataType) -> pa.Scalar:
    """The missing value of a type, for Arrow's functions."""
    return pa.nulls(1, kind)[0]


def _dtype(kind: pa.DataType) -> np.dtype:
    if pa.types.is_timestamp(kind):
        return np.dtype(np.int64)
    return np.dtype(bool) if pa.types.is_boolean(kind) else np.dtype(kind.to_pandas_dtype())


def _values(part: pa.Array) -> NDArray:
    data = part.buffers()[1]
    if pa.types.is_boolean(part.type):
        return _bits(data, part.offset, len(part))
    dtype = _dtype(part.type)
    if data is None or not len(part):
        return np.zeros(len(part), dtype)
    values = np.frombuffer(data, dtype, len(part), part.offset * dtype.itemsize)
    values.flags.writeable = False  # they may be the user's own
    return values


def _bits(data: pa.Buffer | None, offset: int, count: int) -> NDArray[np.bool_]:
    if data is None:
        return np.zeros(count, bool)
    first = offset // 8
    packed = np.frombuffer(data, np.uint8)[first : (offset + count + 7) // 8]
    return np.unpackbits(packed, bitorder="little")[offset - 8 * first :][:count].astype(bool)
