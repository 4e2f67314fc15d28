"""read_table: whatever holds a table, as a Table."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import is_valid
from memorycell.data.tables.files.how import How
from memorycell.data.tables.files.missing import sentinel_of, without_values
from memorycell.data.tables.files.numbers import Evidence
from memorycell.data.tables.files.raw import Raw, fetch, is_source
from memorycell.data.tables.files.texts import settle_text
from memorycell.data.tables.table import Table, check_names


def read_table(
    source: Any,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    skip_rows: int | None = None,
    na_values: str | float | Sequence[str | float] = (),
    sheet: str | int | None = None,
    samples: bool = False,
    text: Collection[str] = (),
    as_read: Mapping[str, Any] | None = None,
) -> Table:
    """Read a table of one row per time step (or of one row per series and time step).

    What it returns is taken wherever a table is: ``forecaster.fit(read_table(path, decimal=","), "y")``.

    Parameters
    ----------
    source : path, open file, frame, array, list, dict or Table
        Path of a CSV (``.csv``, ``.tsv``, …), Parquet, Feather, JSON or Excel file (``.xlsx``, ``.xls``, ``.ods``;
        extra ``excel``), packed (gzip, zip, tar, bz2, xz, zstd, lz4) or not; ``"-"``, standard input;
        ``https://…``; ``s3://…`` and the like (extra ``remote``); a file opened for reading; a pandas, polars or
        pyarrow frame; a numpy array or list of numbers, 1-D (column ``y``) or 2-D with a row per step (columns ``x0``,
        ``x1``, ...); a dict of columns; a list of records.
    delimiter : str, optional
        Of a text file, one character or several, or ``"\\s+"`` for spaces. By default found from its first lines and,
        unless a comma, said in the notes.
    decimal, thousands : str, optional
        The decimal mark, "." or ",", and the one between thousands: ".", ",", " " or "'". By default found from all
        values of a column, and said unless numbers are plain.
    encoding : str, optional
        Of a text file, default UTF-8 (with or without byte order mark), UTF-16 where its bytes say so, or cp1252 where
        all that is not ASCII is Western European, which is said.
    header : bool, optional
        Whether a line of a text file or sheet names the columns. By default found from it.
    skip_rows : int, optional
        Lines above the table to leave out. By default titles and comments above it are found.
    na_values : str, number or several of them
        What else stands for a missing value, such as -999.
    sheet : str or int, optional
        The sheet of a workbook, by name or by place from 0; the file of a zip archive. By default the only one, or the
        first sheet that holds anything.
    samples : bool
        True where a row is a sample (a text with its label, a whole sequence) rather than a time step: text stays as
        it is written (only an empty one is missing, not "NA" or "none", which may be words or labels), a text file
        may have up to 50,000 columns, and a first line whose texts come again in their columns is no header.
    text : collection of str
        Columns that are names rather than numbers, such as ids: read as they are written, but for whole numbers.
    as_read : mapping, optional
        How an earlier table of the kind was read (`Table.reading`): other arguments go before it.

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
    ModuleNotFoundError
        The package of an extra is missing.

    Example
    -------
    >>> table = read_table({"date": ["2024-01-01", "2024-01-02"], "temp": [1.5, None]})
    >>> table.columns, len(table)
    (['date', 'temp'], 2)
    >>> read_table(np.zeros((5, 2))).columns
    ['x0', 'x1']
    >>> prices = read_table({"price": ["985", "1.004", "2.081,66"]})
    >>> prices.numbers("price").tolist(), prices.notes[0]["text"]
    ([985.0, 1004.0, 2081.66], "Column 'price' writes thousands with a point: '1.004' is read as 1004.")
    """
    if isinstance(source, Table):
        return source
    how = How.of(
        remembered=as_read, samples=samples, text=text, delimiter=delimiter, decimal=decimal, thousands=thousands,
        encoding=encoding, header=header, skip_rows=skip_rows, na_values=na_values, sheet=sheet,
    )  # fmt: skip
    table, evidence = _taken(source, how)
    _settle(table, how, evidence)
    if not len(table):
        raise ValueError(f"{table.source} has no rows: expected at least one row of values")
    if not table.columns:
        raise ValueError(f"{table.source} has no columns that can be used")
    return table


def _taken(source: Any, how: How) -> tuple[Table, Evidence]:
    """A table with columns of whatever type they came in, and what is known of its numbers."""
    # Imported here because it builds on this module, and files do without it.
    from memorycell.data.tables.files.frames import (
        from_columns,
        from_frame,
        from_numpy,
        from_records,
        from_rows_by_name,
    )

    if is_source(source):
        return _from_file(fetch(source, how.sheet), how)
    if isinstance(source, list | tuple) and source and all(isinstance(each, Mapping) for each in source):
        table = from_columns(from_records(source), "the list of records", "dict")
    elif isinstance(source, list | tuple):
        table = from_numpy(_numbers(source))
    elif isinstance(source, np.ndarray):
        table = from_numpy(source)
    elif isinstance(source, dict) and source and all(isinstance(each, Mapping) for each in source.values()):
        table = from_columns(from_rows_by_name(source), "the dict of columns", "dict")
    elif hasattr(source, "detach"):
        table = from_numpy(source.detach().cpu().numpy())
    elif isinstance(source, dict):
        table = from_columns(source, "the dict of columns", "dict")
    else:
        table = from_frame(source)
    return table, Evidence(how.decimal, how.thousands, dict(how.learned))


def _numbers(values: list[Any] | tuple[Any, ...]) -> NDArray[np.float64]:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "expected a list of numbers, or of rows of equally many numbers; columns with names and dates go in a "
            "dict, a frame or a file"
        ) from None


def _from_file(raw: Raw, how: How) -> tuple[Table, Evidence]:
    start = raw.head(8)
    plain = Evidence(how.decimal, how.thousands, dict(how.learned))
    if start.startswith(b"PAR1"):
        return Table(_read_parquet(raw), raw.name, "file"), plain
    if start.startswith((b"ARROW1", b"FEA1")):
        return Table(_read_feather(raw), raw.name, "file"), plain
    if raw.workbook:
        from memorycell.data.tables.files.workbooks import read_workbook

        return read_workbook(raw, how), plain
    if start.startswith(b"\x93NUMPY"):
        from memorycell.data.tables.files.frames import from_numpy

        return from_numpy(_read_npy(raw)), plain
    if raw.name.lower().endswith((".parquet", ".pq")):
        raise ValueError(f"{raw.name} is not a Parquet file, or is damaged (it does not begin with PAR1)")
    if raw.head(1000).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        from memorycell.data.tables.files.json_tables import read_json

        return read_json(raw), plain
    # Imported here so that frames and arrays do without it.
    from memorycell.data.tables.files.delimited import read_delimited

    found = read_delimited(raw, how)
    table = Table(found.data, raw.name, "file", found.notes, found.first_line, header=found.header)
    table.skipped, table.lines = found.skipped, found.lines
    return table, found.evidence


def _read_parquet(raw: Raw) -> pa.Table:
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(pa.BufferReader(raw.data)) as file:
            check_names(file.schema_arrow.names, raw.name)
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{raw.name} is not a Parquet file, or is damaged ({error})") from None


def _read_npy(raw: Raw) -> NDArray:
    try:
        return np.load(io.BytesIO(raw.data), allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{raw.name} cannot be read: {error}") from None


def _read_feather(raw: Raw) -> pa.Table:
    from pyarrow import feather

    try:
        table = feather.read_table(pa.BufferReader(raw.data))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{raw.name} is not a Feather file, or is damaged ({error})") from None
    check_names(table.column_names, raw.name)
    return table


def _settle(table: Table, how: How, evidence: Evidence) -> None:
    """Bring every column to one of: number, truth value, timestamp, text; and say what could not be."""
    columns, marks, far_off = {}, {}, []
    for name, column in zip(table.data.column_names, table.data.columns, strict=True):
        column, named = _plain(column), name in how.text or name in table.keys
        kind = column.type
        if named and not _is_usable(kind):
            column = _as_texts(table, name, column)
            kind = column.type
        if pa.types.is_string(kind):
            settled = settle_text(table, name, column, how, evidence)
            column = settled.column
            if settled.written is not None:
                table.written[name] = settled.written
            if settled.marks is not None:
                marks[name] = settled.marks
        elif not _is_usable(kind):
            table.notes.append(note("dropped", f"Column {name!r} was left out: it holds {kind}, not numbers or text."))
            continue
        if _is_number(column.type):
            column = without_values(column, how.na_values)
            found = None if how.samples or named else sentinel_of(column)
            far_off += [] if found is None else [(name, *found)]
        columns[name] = column
    table.data = pa.table(columns)
    table.reading = how.remembered(marks)
    if far_off:
        table.notes.append(_of_far_off(far_off))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of one of the types that tables have, where it has such a form."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_null(kind):
        return column.cast(pa.float64())
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64() if pa.types.is_decimal(kind) else pa.float32())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_time(kind):
        return column.cast(pa.string())
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("s"))
    return column


def _is_usable(kind: pa.DataType) -> bool:
    return _is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_timestamp(kind) or pa.types.is_string(kind)


def _as_texts(table: Table, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Names of any type, such as UUIDs, as text."""
    there = is_valid(column)
    values = column.to_pylist() if table.own is None else table.own.values(name, np.arange(len(column)))
    texts = [str(value) if known else None for value, known in zip(values, there, strict=True)]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _of_far_off(found: list[tuple[str, float, int]]) -> dict:
    shown = "; ".join(f"{value:g} in column {name!r} ({count:,} times)" for name, value, count in found[:4])
    more = f" and {len(found) - 4:,} columns more" if len(found) > 4 else ""
    value = f"{found[0][1]:g}"
    return note(
        "far off",
        f"Far from all other values, and more than once: {shown}{more}. If that stands for a missing value, give "
        f"na_values={value}; as it is, it is read as a number.",
    )
