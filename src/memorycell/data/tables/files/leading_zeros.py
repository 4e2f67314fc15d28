"""Columns of digits with leading zeros (007), which are names and not numbers, found in the bytes of a file."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_PART = 1 << 19  # bytes that a processor keeps at hand
_MOST_DIGITS = 40
_LOOKED_AT = 2000
_ZERO, _NINE, _QUOTE = 48, 57, 34


# Parts of dates are numbers, 01 too.
PARTS = frozenset(
    "year yr yyyy month mon mo mm day dom dd doy dow weekday week wk quarter qtr hour hr hh minute min mi second sec "
    "ss jahr monat tag woche quartal stunde std sekunde hora mes dia día año ano heure mois jour semaine".split()
)


def is_part_of_date(name: str) -> bool:
    """Whether a column is called like the year, month, … of dates."""
    return name.strip().casefold() in PARTS


def with_leading_zeros(body: pa.Buffer, table: pa.Table, delimiter: str, literal: bool = False) -> set[str]:
    """Which columns that were read as whole numbers have digits with leading zeros somewhere.

    Only the bytes say so: as a number 007 is 7.

    Example
    -------
    >>> body = pa.py_buffer(b"1,5\\n2,007\\n")
    >>> with_leading_zeros(body, pa.table({"a": [1, 2], "b": [5, 7]}), ",")
    {'b'}
    """
    whole = [pa.types.is_integer(each.type) and not is_part_of_date(each.name) for each in table.schema]
    if not any(whole):
        return set()
    before = {ord(delimiter)} if any(whole[1:]) else set()
    before |= {10} if whole[0] else set()
    data = np.frombuffer(body, np.uint8)
    places = [place for mark in sorted(before) for place in _after(data, mark, ord(delimiter))]
    if whole[0] and len(data) and data[0] == _ZERO and len(_whole_fields(data, np.zeros(1, np.int64), ord(delimiter))):
        places.append(0)
    if not places:
        return set()
    chosen = sorted(places)
    chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, min(len(chosen), _LOOKED_AT)).astype(int)]
    found = {_column(data, place, delimiter, literal) for place in chosen}
    return {name for i, name in enumerate(table.column_names) if i in found and whole[i]}


def _after(data: NDArray[np.uint8], mark: int, delimiter: int) -> Iterator[int]:
    """Where a field that `mark` opens is of digits and begins with a zero."""
    pair = np.frombuffer(bytes([mark, _ZERO]), "<u2")[0]
    for start in range(0, len(data), _PART):
        part = data[start : start + _PART + 3]
        for odd in (0, 1):
            shifted = part[odd : odd + (len(part) - odd) // 2 * 2].view("<u2")
            hits = np.flatnonzero(shifted == pair)
            if len(hits):
                hits = hits * 2 + odd + start + 1
                hits = hits[hits <= start + _PART]
                yield from _whole_fields(data, hits, delimiter).tolist()


def _whole_fields(data: NDArray[np.uint8], places: NDArray[np.int64], delimiter: int) -> NDArray[np.int64]:
    """Of the places of zeros, those with more digits behind them, and then the end of the field."""
    at, found = places + 1, []
    for step in range(_MOST_DIGITS):
        at_end = at >= len(data)
        byte = np.where(at_end, 10, data[np.minimum(at, len(data) - 1)])
        ended = (byte == delimiter) | (byte == 10) | (byte == 13)
        if step:
            found.append(places[ended])
        going = (byte >= _ZERO) & (byte <= _NINE)
        places, at = places[going], at[going] + 1
        if not len(places):
            break
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def _column(data: NDArray[np.uint8], place: int, delimiter: str, literal: bool) -> int:
    """Which field of its line a byte is in."""
    start = max(0, place - (1 << 16))
    line = data[start:place].tobytes().rpartition(b"\n")[2].decode("utf-8", "replace")
    if literal or '"' not in line:
        return line.count(delimiter)
    return len(next(csv.reader([line + "0"], delimiter=delimiter), [])) - 1
