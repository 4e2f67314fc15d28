"""Missing values: what stands for one in a table, as the user says, and far-off numbers that may."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.tables.arrow import as_texts, nothing, surely, to_numpy
from memorycell.data.tables.table import NULLS

_SOME, _HEAD = 2, 1000
_LIMITS = {
    32767.0, 65535.0, 2147483647.0, 4294967295.0, 9.969209968386869e36, 9.969209683590031e36, 3.4028234663852886e38,
}  # fmt: skip


def without_values(column: Any, given: Sequence[str | float]) -> Any:
    """A column with null in place of what was given for missing: of numbers whatever equals it, of text what is it."""
    if not given:
        return column
    kind = column.type
    if pa.types.is_string(kind):
        texts = [str(value) for value in given]
        return pc.if_else(pc.is_in(column, as_texts(texts)), nothing(kind), column)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return column
    numbers = [number for number in map(_number, given) if number is not None]
    if pa.types.is_integer(kind):
        numbers = [number for number in numbers if number == math.floor(number)]
    mask = None
    for number in numbers:
        try:
            same = pc.equal(column, pa.scalar(number).cast(kind))
        except pa.ArrowInvalid:  # a number that the type cannot hold
            continue
        mask = same if mask is None else pc.or_(mask, same)
    return column if mask is None else pc.if_else(surely(mask), nothing(kind), column)


def _number(value: str | float) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def is_missing(column: Any) -> Any:
    """Which texts say that a value is missing."""
    return pc.is_in(column, as_texts(NULLS))


def sentinel_of(column: Any) -> tuple[float, int] | None:
    """A far-off number such as -999 that comes more than once, and how often; None where there is none.

    It is the least or the greatest, of nines or the limit of a type, and further from all others than these are from
    each other.

    Example
    -------
    >>> sentinel_of(pa.chunked_array([[3.5, -999.0, 4.0, -999.0, 2.0]]))
    (-999.0, 2)
    """
    if pa.types.is_boolean(column.type):
        return None
    ends = pc.min_max(column).as_py()
    for end in (ends["min"], ends["max"]):
        if end is not None and _is_customary(float(end)):
            found = _repeats(column, float(end))
            if found:
                return float(end), found
    return None


def _is_customary(number: float) -> bool:
    """99, -999, -9999.9, 1e20, 32767 and the like."""
    size = abs(number)
    if size < 99 or not math.isfinite(size):
        return False
    if size in _LIMITS or size - 1 in _LIMITS:
        return True
    if size >= 1e10 and math.isclose(math.log10(size), round(math.log10(size)), abs_tol=1e-6):
        return True
    return set(f"{size:.3f}".rstrip("0").replace(".", "")) == {"9"}


def _repeats(column: Any, end: float) -> int:
    head = to_numpy(column.slice(0, _HEAD)).astype(np.float64)
    head = head[~np.isnan(head) & (head != end)]
    if len(head) and not _is_apart(end, head):
        return 0
    values = to_numpy(column)
    values = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    same = values == values.dtype.type(end)
    count = int(same.sum())
    others = values[~same].astype(np.float64)
    if count < _SOME or not len(others):
        return 0
    return count if _is_apart(end, others) else 0


def _is_apart(end: float, others: NDArray[np.float64]) -> bool:
    low, high = float(others.min()), float(others.max())
    apart = low - end if end < low else end - high
    return apart > 2 * (high - low) + 1
