"""read_table: whatever holds a table, as a Table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_texts, nothing, text, to_numpy
from memorycell.data.tables.table import NULLS, Table, check_names

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def read_table(
    source: Any,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str = "utf-8",
    header: bool | None = None,
    samples: bool = False,
) -> Table:
    """Read a table of one row per time step (or of one row per series and time step).

    Parameters
    ----------
    source : path, frame, array, list, dict or Table
        Path of a CSV (``.csv``, ``.tsv``, ``.csv.gz``) or Parquet file; a pandas, polars or pyarrow frame; a
        numpy array or list of numbers, 1-D (column ``y``) or 2-D with a row per step (columns ``x0``, ``x1``,
        ...); a dict of columns.
    delimiter, decimal : str, optional
        Of a text file. By default found from its first lines and, unless comma and point, said in the notes.
    encoding : str
        Of a text file, default UTF-8 (with or without byte order mark).
    header : bool, optional
        Whether the first line of a text file names the columns. By default found from it.
    samples : bool
        True where a row is a sample (a text with its label, a whole sequence) rather than a time step: text stays as
        it is written (only an empty one is missing, not "NA" or "none", which may be words or labels), a text file
        may have up to 50,000 columns, and a first line whose texts come again in their columns is no header.

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        An empty file, a header only, not a table, ragged rows, repeated column names, more than 1,000
        columns, another encoding: each with the line it was seen in and what to do.

    Example
    -------
    >>> table = read_table({"date": ["2024-01-01", "2024-01-02"], "temp": [1.5, None]})
    >>> table.columns, len(table)
    (['date', 'temp'], 2)
    >>> read_table(np.zeros((5, 2))).columns
    ['x0', 'x1']
    """
    if isinstance(source, Table):
        return source
    # Imported here because it builds on this module.
    from memorycell.data.tables.frames import from_columns, from_frame, from_numpy

    if isinstance(source, str | Path):
        table = _read_path(Path(source), delimiter, decimal, encoding, header, samples)
    elif isinstance(source, list | tuple):
        table = from_numpy(_numbers(source))
    elif isinstance(source, np.ndarray):
        table = from_numpy(source)
    elif isinstance(source, dict):
        table = from_columns(source, "the dict of columns", "dict")
    else:
        table = from_frame(source)
    _settle(table, samples)
    if not len(table):
        raise ValueError(f"{table.source} has no rows: expected at least one row of values")
    if not table.columns:
        raise ValueError(f"{table.source} has no columns that can be used")
    return table


def _numbers(values: list[Any] | tuple[Any, ...]) -> NDArray[np.float64]:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "expected a list of numbers, or of rows of equally many numbers; columns with names and dates go in a "
            "dict, a frame or a file"
        ) from None


def _read_path(
    path: Path, delimiter: str | None, decimal: str | None, encoding: str, header: bool | None, samples: bool
) -> Table:
    if not path.exists():
        raise FileNotFoundError(f"no file {str(path)!r}: check the path")
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder: expected a CSV or Parquet file")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1" or path.suffix.lower() in (".parquet", ".pq"):
        return Table(_read_parquet(path, magic), path.name, "file")
    # Imported here so that frames and arrays do without it.
    from memorycell.data.tables.delimited import read_delimited

    data, notes, first_line, named = read_delimited(path, delimiter, decimal, encoding, header, samples)
    return Table(data, path.name, "file", notes, first_line, header=named)


def _read_parquet(path: Path, magic: bytes) -> pa.Table:
    from pyarrow import parquet

    if not magic:
        raise ValueError(f"{path.name} is empty")
    try:
        with parquet.ParquetFile(path) as file:
            check_names(file.schema_arrow.names, path.name)
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} is not a Parquet file, or is damaged ({error})") from None


def _settle(table: Table, samples: bool) -> None:
    """Bring every column to one of: number, truth value, timestamp, text; and say what could not be."""
    columns = {}
    for name, column in zip(table.data.column_names, table.data.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = column.type
        if pa.types.is_null(kind):
            column = column.cast(pa.float64())
        elif pa.types.is_decimal(kind) or pa.types.is_float16(kind):
            column = column.cast(pa.float64() if pa.types.is_decimal(kind) else pa.float32())
        elif pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_time(kind):
            column = column.cast(pa.string())
        elif pa.types.is_date(kind):
            column = column.cast(pa.timestamp("s"))
        kind = column.type
        if pa.types.is_string(kind):
            column = _settle_text(table, name, column, samples)
        elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            if not pa.types.is_timestamp(kind):
                table.notes.append(
                    note("dropped", f"Column {name!r} was left out: it holds {kind}, not numbers or text.")
                )
                continue
        columns[name] = column
    table.data = pa.table(columns)


def _settle_text(table: Table, name: str, column: pa.ChunkedArray, samples: bool) -> pa.ChunkedArray:
    """Numbers that came as text, with at most a few odd values between them, as numbers.

    Odd values become missing if they are no more than 3, or 1 % of the values where that is more, and at
    least nine values in ten are numbers. Digits with leading zeros are labels and stay text. Where rows are
    samples, a column that stays text keeps all but the empty ones, and the text of frames stays text.
    """
    trimmed = pc.utf8_trim_whitespace(column)
    column = pc.if_else(pc.is_in(trimmed, as_texts(NULLS)), nothing(pa.string()), trimmed)
    written = pc.if_else(pc.equal(trimmed, text("")), nothing(pa.string()), trimmed) if samples else column
    if samples and not table.first_line:
        return written
    head = column.slice(0, 1000).drop_null()
    if len(head) and pc.mean(pc.match_substring_regex(head, _NUMBER).cast(pa.float64())).as_py() < 0.5:
        return written
    numeric = pc.match_substring_regex(column, _NUMBER)
    zeros = pc.match_substring_regex(column, r"^0\d+$")
    count, total = pc.sum(numeric).as_py() or 0, len(column) - column.null_count
    if not total or pc.any(zeros).as_py():
        return written
    odd = total - count
    if not odd:
        return column.cast(pa.float64())
    rows = np.flatnonzero(to_numpy(pc.invert(numeric), missing=False))[:3]
    first = [(int(row), column[int(row)].as_py()) for row in rows]
    if odd > max(3, 0.01 * total) or count < 0.9 * total:
        if count >= 0.5 * total:
            table.odd[name] = (odd, first)
        return written
    shown = ", ".join(f"{value!r} in {table.where(row)}" for row, value in first)
    few = f"{odd:,} values of {total:,} are" if odd > 1 else f"1 value of {total:,} is"
    said = f"Column {name!r}: {few} not a number ({shown}{', …' if odd > 3 else ''}); treated as missing."
    table.notes.append(note("odd values", said))
    return pc.if_else(numeric, column, nothing(pa.string())).cast(pa.float64())
