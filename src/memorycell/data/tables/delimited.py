"""Delimited text files: delimiter, decimal comma and header found; errors with line numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_array, as_texts, to_numpy
from memorycell.data.tables.table import MOST_COLUMNS, MOST_STEPS, NULLS, check_names, listing

_HEAD = 1 << 18
_LONGEST_HEADER = 1 << 26
_BLOCK = 1 << 26
_LONGEST_FIELD = 1 << 17
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_NUMERIC = re.compile(r"\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*")
_DATE = re.compile(r"\s*\d{4}-\d{2}(-\d{2})?([T ][\d:.]+)?\s*")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")
_DECIMAL_POINT = re.compile(r"\s*[+-]?\d*\.\d+\s*")


def read_delimited(
    path: Path,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str = "utf-8",
    header: bool | None = None,
    samples: bool = False,
) -> tuple[pa.Table, list[dict], int, bool]:
    """The columns of a text file, the notes, the line of its first row, and if it names them. See `read_table`."""
    head = _read_head(path)
    _refuse_other_kinds(path, head, encoding)
    text = _decode(path, head, encoding)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path.name} is empty: expected a header line and rows of values")
    blank = next(i for i, line in enumerate(text.splitlines()) if line.strip())
    notes = []
    if delimiter is None:
        delimiter = find_delimiter(lines) or max(_NAMES, key=lines[0].count)
        if delimiter != ",":
            notes.append(note("read", f"{path.name} is separated by {_NAMES[delimiter]}s."))
    elif len(delimiter) != 1:
        raise ValueError(f"expected a delimiter of one character, got {delimiter!r}")
    rows = _fields(lines[:200], delimiter)
    if decimal is None:
        decimal = _find_decimal(rows, delimiter)
        if decimal == ",":
            notes.append(note("read", f"{path.name} writes numbers with a decimal comma."))
    if header is None and samples and _labels_again(rows):
        header = False
    names, has_header = _header(rows, header)
    if not has_header:
        text = f"{path.name} has no header line: its columns are called {listing(names)}."
        notes.append(note("read", text))
    in_rows = not samples and _series_in_rows(rows)
    if not in_rows or len(names) <= MOST_COLUMNS:  # series in rows are wide by nature: turned round below
        check_names(names, path.name, MOST_STEPS if samples else MOST_COLUMNS)
    first_line = blank + 1 + has_header
    literal = samples and delimiter == "\t" and _quotes_are_text(path, len(names))
    if literal:
        notes.append(
            note("read", f"The quotes in {path.name} are not in pairs around fields: read as part of the text.")
        )
    data = _read_columns(path, names, first_line - 1, delimiter, decimal, encoding, samples, literal)
    if not data.num_rows:
        raise ValueError(f"{path.name} has a header but no rows: expected rows of values below it")
    if in_rows:
        return *_turn_round(data, path.name, notes), True
    return _without_unnamed(data), notes, first_line, has_header


def _read_head(path: Path) -> bytes:
    """The first part of a file, at least its first line."""
    try:
        with _open(path) as stream:
            head = stream.read(_HEAD)
            while b"\n" not in head and len(head) < _LONGEST_HEADER and (more := stream.read(_HEAD)):
                head += more
            return head
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(f"{path.name} cannot be read: it is damaged ({error})") from None


def _open(path: Path) -> pa.NativeFile:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return pa.input_stream(str(path), compression="gzip" if zipped else None)


def _refuse_other_kinds(path: Path, head: bytes, encoding: str) -> None:
    start = head[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    remedy = "expected a CSV or Parquet file"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and not encoding.lower().replace("-", "").startswith("utf16"):
        raise ValueError(f"{path.name} is UTF-16 text, expected UTF-8: save it as UTF-8, or give encoding='utf-16'")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ValueError(f"{path.name} is a web page (HTML or XML), not a CSV: save the data itself; {remedy}")
    if start.startswith((b"{", b"[")):
        raise ValueError(f"{path.name} looks like JSON, not CSV: convert it first; {remedy}")
    if start.startswith(b"pk\x03\x04"):
        raise ValueError(f"{path.name} is a spreadsheet or zip archive: save the sheet as CSV; {remedy}")
    if b"\x00" in head and "16" not in encoding and "32" not in encoding:
        raise ValueError(f"{path.name} is a binary file (a zero byte at {head.index(0):,}), not a CSV; {remedy}")


def _decode(path: Path, head: bytes, encoding: str) -> str:
    whole = len(head) < _HEAD
    if "16" not in encoding and "32" not in encoding and not whole and b"\n" in head:
        head = head[: head.rindex(b"\n") + 1]
    try:
        return head.decode(encoding if encoding.lower() not in ("utf-8", "utf8") else "utf-8-sig")
    except LookupError:
        raise ValueError(f"unknown encoding {encoding!r}: try 'utf-8', 'latin-1' or 'utf-16'") from None
    except UnicodeDecodeError as error:
        if "16" in encoding and not whole:
            return head.decode(encoding, errors="ignore")
        line = head[: error.start].count(b"\n") + 1
        raise _wrong_encoding(path, head[error.start], line, encoding) from None


def _wrong_encoding(path: Path, byte: int, line: int, encoding: str) -> ValueError:
    return ValueError(
        f"{path.name} is not {encoding.upper()} text: byte 0x{byte:02x} in line {line:,}; "
        "save it as UTF-8, or give encoding='latin-1' (Western European) or the one it was written in"
    )


def _fields(lines: list[str], delimiter: str) -> list[list[str]]:
    """The fields of some lines, without those that hold a very long field where csv refuses one.

    If lines are too long all through (the wrong delimiter), each counts as one field.
    """
    for chosen in (lines, [line for line in lines if len(line) < _LONGEST_FIELD]):
        try:
            rows = list(csv.reader(chosen, delimiter=delimiter))
        except csv.Error:
            continue
        if rows:
            return rows
    return [[line] for line in lines]


def find_delimiter(lines: list[str]) -> str:
    """The separator that cuts the first lines into the most columns, the same number in each; "" if none does."""
    best, most = "", 1
    for candidate in _NAMES:
        widths = [len(row) for row in _fields(lines[:100], candidate)]
        if widths[0] > most and sum(w == widths[0] for w in widths) >= 0.9 * len(widths):
            best, most = candidate, widths[0]
    return best


def _find_decimal(rows: list[list[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    values = [value for row in rows[1:] for value in row]
    points = any(_DECIMAL_POINT.fullmatch(value) for value in values)
    return "," if not points and any(_DECIMAL_COMMA.fullmatch(value) for value in values) else "."


def _header(rows: list[list[str]], header: bool | None) -> tuple[list[str], bool]:
    """Column names, and whether the first line held them: unless said, it does if not all numbers and dates."""
    first = rows[0]
    values = [value for value in first if value.strip()]
    data = values and all(_NUMERIC.fullmatch(v) or _DATE.fullmatch(v) for v in values)
    # A line of years over a table is a header; a first row of readings has a fraction, a sign or a date.
    data = data and (len(rows) == 1 or any(not value.strip().isdigit() for value in values) or len(values) == 1)
    if header is False or (data and header is None):
        names = ["y"] if len(first) == 1 else [f"x{i}" for i in range(len(first))]
        return names, False
    return [name.strip() or f"unnamed {i + 1}" for i, name in enumerate(first)], True


def _labels_again(rows: list[list[str]]) -> bool:
    """Whether a text of the first line comes again in its column, but not the whole line: data, no names."""
    again = [
        any(j < len(row) and row[j].strip() == value.strip() for row in rows[1:])
        for j, value in enumerate(rows[0])
        if value.strip() and not _NUMERIC.fullmatch(value)
    ]
    return any(again) and rows[0] not in rows[1:]


def _quotes_are_text(path: Path, columns: int) -> bool:
    """Whether a file of tabs has quotes as part of its text: a field opens one and does not close it, yet each line
    has all the columns, so that no field goes on in the next line."""
    opened = False
    for raw in _raw_lines(path):
        fields = raw.rstrip(b"\r\n").split(b"\t")
        if len(fields) != columns and raw.strip():
            return False
        opened = opened or any(f.startswith(b'"') and (len(f) == 1 or not f.endswith(b'"')) for f in fields)
    return opened


def _series_in_rows(rows: list[list[str]]) -> bool:
    """The layout of the M4 competition: columns V1, V2, ...: the series' name and its values."""
    first = rows[0]
    if len(first) < 3 or first != [f"V{i + 1}" for i in range(len(first))]:
        return False
    ids = [row[0] for row in rows[1:] if row]
    return not any(_NUMERIC.fullmatch(v) or _DATE.fullmatch(v) for v in ids) and len(set(ids)) == len(ids)


def _turn_round(data: pa.Table, source: str, notes: list[dict]) -> tuple[pa.Table, list[dict], int]:
    """One series a row made one reading a row (unique_id, ds, y), without the empty ends."""
    readings = np.stack([to_numpy(column.cast(pa.float64())) for column in data.columns[1:]], axis=1)
    longest = readings.shape[1]
    names = data.column(0).cast(pa.string()).to_pylist()
    lengths = (~np.isnan(readings) * np.arange(1, longest + 1)).max(axis=1)
    ids = [name for name, length in zip(names, lengths, strict=True) for _ in range(length)]
    steps = [np.arange(1, length + 1) for length in lengths]
    values = [row[:length] for row, length in zip(readings, lengths, strict=True)]
    said = (
        f"Each of the {data.num_rows:,} rows of {source} is a series of up to {longest:,} steps: turned into "
        "long form (unique_id, ds, y)."
    )
    long = pa.table(
        {
            "unique_id": as_texts(ids),
            "ds": as_array(np.concatenate(steps)),
            "y": as_array(np.concatenate(values)),
        }
    )
    return long, [*notes, note("read", said)], 0


def _read_columns(
    path: Path, names: list[str], skip: int, delimiter: str, decimal: str, encoding: str, samples: bool, literal: bool
) -> pa.Table:
    types: dict[str, pa.DataType] = {}
    quoted = not literal and b'"' in _read_head(path)
    while True:
        try:
            with _open(path) as stream:
                data = arrow_csv.read_csv(
                    stream,
                    arrow_csv.ReadOptions(
                        column_names=names, skip_rows=skip, block_size=_BLOCK, encoding=encoding.lower()
                    ),
                    arrow_csv.ParseOptions(
                        delimiter=delimiter,
                        quote_char=False if literal else '"',
                        newlines_in_values=quoted,
                        ignore_empty_lines=len(names) > 1,
                    ),
                    arrow_csv.ConvertOptions(
                        null_values=list(NULLS),
                        strings_can_be_null=not samples,
                        decimal_point=decimal,
                        column_types=types,
                    ),
                )
            # Arrow calls text that is not UTF-8 binary.
            if any(pa.types.is_binary(kind) for kind in data.schema.types):
                _refuse_encoding(path, encoding)
            return data
        except pa.ArrowException as error:
            _retype_or_raise(path, str(error), names, types, delimiter, encoding)
        except OSError as error:
            raise ValueError(f"{path.name} cannot be read: it is damaged ({error})") from None


def _retype_or_raise(path: Path, message: str, names: list[str], types: dict, delimiter: str, encoding: str) -> None:
    """Arrow guesses types from the first block; a later value that does not fit widens the column's type."""
    if "UTF8" in message or "UTF-8" in message:
        _refuse_encoding(path, encoding)
    found = re.search(r"In CSV column #(\d+): CSV conversion error to (\w+)", message)
    if found:
        name = names[int(found[1])]
        wider = pa.float64() if found[2].startswith("int") and name not in types else pa.string()
        if types.get(name) != pa.string():
            types[name] = wider
            return
    if "Expected" in message and "columns" in message:
        raise ValueError(_ragged(path, len(names), delimiter, encoding)) from None
    if "Empty CSV" in message:
        raise ValueError(f"{path.name} has a header but no rows: expected rows of values below it") from None
    raise ValueError(f"{path.name} cannot be read as CSV: {message}") from None


def _refuse_encoding(path: Path, encoding: str) -> None:
    """Raise an error that names the first byte that is not UTF-8, and its line."""
    for line, raw in enumerate(_raw_lines(path), 1):
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            raise _wrong_encoding(path, raw[error.start], line, encoding) from None


def _raw_lines(path: Path) -> Iterator[bytes]:
    with _open(path) as stream:
        yield from io.BufferedReader(stream)


def _ragged(path: Path, expected: int, delimiter: str, encoding: str) -> str:
    with _open(path) as stream:
        lines = io.TextIOWrapper(io.BufferedReader(stream), encoding, errors="replace")
        reader = csv.reader(lines, delimiter=delimiter)
        try:
            row = next((row for row in reader if row and len(row) != expected), None)
        except csv.Error as error:
            return f"{path.name}, line {reader.line_num:,} cannot be read as CSV: {error}"
    if row is None:
        return f"{path.name}: expected {expected} fields in every row, as in the header"
    text = (
        f"{path.name}, line {reader.line_num:,}: expected {expected} fields as in the header, got {len(row)} "
        f"({delimiter.join(row)!r:.80})"
    )
    if delimiter == "," and len(row) > expected:
        return f"{text}; a field with a comma in it needs quotes, and decimal commas need another delimiter"
    return f"{text}; mend or remove that line, or name the delimiter"


def _without_unnamed(data: pa.Table) -> pa.Table:
    """Without the empty columns that a delimiter at the end of each line makes."""
    empty = [
        name
        for name, column in zip(data.column_names, data.columns, strict=True)
        if name.startswith("unnamed ") and pc.all(pc.is_null(column)).as_py()
    ]
    return data.drop_columns(empty) if len(empty) < data.num_columns else data
