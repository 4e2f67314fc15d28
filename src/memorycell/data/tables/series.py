"""Which series a row belongs to: by one column or several, whose values come back with the types they had."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.lines import counted
from memorycell.data.tables.arrow import as_array, is_valid, to_numpy
from memorycell.data.tables.table import Table

_MARK = "/"  # between the parts of a name made of several columns


def series_codes(table: Table, columns: str | Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Which series each row belongs to, and the series' names in the order they come.

    Raises
    ------
    ValueError
        For a row that does not say which series it belongs to.

    Example
    -------
    >>> table = Table(pa.table({"shop": ["a", "a", "b"], "item": [1, 2, 1]}), "the dict of columns", "dict")
    >>> series_codes(table, ["shop", "item"])
    (array([0, 1, 2]), ['a/1', 'a/2', 'b/1'])
    """
    parts = [_codes(table, column) for column in ([columns] if isinstance(columns, str) else columns)]
    if len(parts) == 1:
        return parts[0]
    joined = np.zeros(len(table), np.int64)
    for codes, names in parts:
        joined = joined * len(names) + codes
        # Numbered anew, so that the product of many columns does not overflow.
        _, first, joined = np.unique(joined, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first, kind="stable")] = np.arange(len(first))
        joined = rank[joined]
    first = np.sort(first)
    names = [series_name([names[codes[row]] for codes, names in parts]) for row in first]
    return joined, names


def series_name(parts: Sequence[Any]) -> str:
    """One name of the values in several columns; two different series never share one.

    Example
    -------
    >>> series_name(["a", 7]), series_name(["a/b", "c"])
    ('a/7', 'a\\\\/b/c')
    """
    texts = [str(part) for part in parts]
    if len(texts) == 1:
        return texts[0]
    return _MARK.join(text.replace("\\", "\\\\").replace(_MARK, f"\\{_MARK}") for text in texts)


def asked_series(given: Any) -> str:
    """The name of the series that a user asks for: a value, or the values of several columns."""
    if isinstance(given, bool | np.bool_):
        return str(bool(given)).lower()
    if isinstance(given, dict):
        given = tuple(given.values())
    if isinstance(given, tuple | list):
        return series_name([asked_series(part) for part in given])
    if isinstance(given, float | np.floating) and float(given).is_integer():
        return str(int(given))
    if type(given).__name__ == "Period" and hasattr(given, "to_timestamp"):
        given = given.to_timestamp()
    if isinstance(given, np.datetime64):
        given = given.astype("datetime64[us]").item()
    if isinstance(given, datetime.datetime):
        given = given.astimezone(datetime.UTC) if given.tzinfo is not None else given
        return given.replace(tzinfo=None).isoformat(" ").removesuffix(" 00:00:00")
    return str(given)


def series_rows(table: Table, columns: Sequence[str], series: Sequence[str]) -> NDArray[np.int64]:
    """int64 (n,): the first row of each of `series`, names of series that `columns` of a table make."""
    codes, names = series_codes(table, columns)
    place = {name: i for i, name in enumerate(names)}
    _, first = np.unique(codes, return_index=True)
    return first[np.array([place[name] for name in series], np.int64)].astype(np.int64)


def series_columns(table: Table, columns: Sequence[str], rows: NDArray[np.int64], *, text: Sequence[str] = ()) -> dict:
    """A column for each of `columns` of a table, with the values of `rows`, which name series.

    Parameters
    ----------
    text : columns that held text when the model was fitted: numbers that a file has there now are text, too

    Returns
    -------
    dict of numpy arrays
        Of integers, truth values, floats and times as the table holds them; other values as objects.
    """
    places = as_array(rows)
    found = {}
    for column in columns:
        as_text = table.is_text(column) or (table.kind == "file" and column in text)
        values = (table.texts(column) if as_text else table.data.column(column)).take(places)
        found[column] = _as_numpy(values)
    return found


def _as_numpy(values: pa.ChunkedArray) -> NDArray:
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return to_numpy(values)
    if pa.types.is_floating(kind):
        whole = pc.all(pc.equal(pc.floor(values), values)).as_py()
        return to_numpy(values.cast(pa.int64()) if whole else values)
    if pa.types.is_timestamp(kind) and kind.tz is None:
        return to_numpy(values.cast(pa.timestamp("ns"))).view("datetime64[ns]")
    if pa.types.is_timestamp(kind):
        values = _texts(values)
    return np.array(values.to_pylist(), object)


def _codes(table: Table, column: str) -> tuple[NDArray[np.int64], list[str]]:
    texts = table.texts(column)
    if pa.types.is_timestamp(table.data.schema.field(column).type):
        texts = _texts(table.data.column(column))
    encoded = pc.dictionary_encode(texts).combine_chunks()
    if encoded.null_count:
        row = int(np.argmax(~is_valid(encoded)))
        raise ValueError(
            f"column {column!r} of {table.source} does not say which series {table.where(row)} belongs to (missing in "
            f"{counted(encoded.null_count, 'row')}): fill it in, or leave such rows out"
        )
    return to_numpy(encoded.indices).astype(np.int64), encoded.dictionary.to_pylist()


def _texts(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times (with a zone: in UTC) as text, without the parts at the end that are zero."""
    texts = times.cast(pa.timestamp(times.type.unit)).cast(pa.string())
    return pc.replace_substring_regex(pc.replace_substring_regex(texts, r"\.0+$", ""), " 00:00:00$", "")
