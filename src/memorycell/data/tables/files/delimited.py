"""Delimited text files: encoding, delimiter, decimal mark and first lines found; errors with line numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_array, as_texts, to_numpy
from memorycell.data.tables.files.encodings import as_utf8, refuse_encoding
from memorycell.data.tables.files.evidence import Columns, look_at
from memorycell.data.tables.files.first_lines import find_begin, is_apart, is_footnote, is_number, is_total, is_value
from memorycell.data.tables.files.how import How
from memorycell.data.tables.files.leading_zeros import with_leading_zeros
from memorycell.data.tables.files.numbers import Evidence
from memorycell.data.tables.files.other_kinds import refuse_other_kinds
from memorycell.data.tables.files.quoting import escape_of, refuse_open_quote, requoted, single_quoted, spaced_quotes
from memorycell.data.tables.files.raw import Raw
from memorycell.data.tables.files.record_lines import record_lines
from memorycell.data.tables.table import MOST_COLUMNS, MOST_STEPS, check_names

_HEAD = 1 << 18
_TAIL = 1 << 16
_LONGEST_HEADER = 1 << 26
_BLOCK = 1 << 26
_LONGEST_FIELD = 1 << 17
_FIRST = 200  # records that are looked at
_MOST_BELOW = 10
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_RARE = {"^": "caret", "~": "tilde", "\x01": "control-A mark", "\xa6": "broken bar"}
_SAID = {"\\t": "\t", "tab": "\t", "TAB": "\t", "comma": ",", "semicolon": ";", "space": " ", "\\x01": "\x01"}
_SPACED = ("\\s+", " +", "whitespace", "spaces")
_UNIT_SEPARATOR = "\x1f"
_SEP = re.compile(r"\ufeff?\"?sep=(.|\\t)\"?[,;\t|]*\s*", re.IGNORECASE)
_SPACES = re.compile(rb"(?m)(?<=[^ \t\r\n])[ \t]+(?=[^ \t\r\n])")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
# What says silently that a value is missing; all else, such as "-" or "#N/A", is said.
_NULLS = ("", "NA", "na", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "Null", "None", "none", "NaT", "<NA>")


@dataclass
class Delimited:
    """A text file that was read: see `Table`, which has the same."""

    data: pa.Table
    notes: list[dict]
    first_line: int
    header: bool
    evidence: Evidence
    skipped: list[int] = field(default_factory=list)
    lines: NDArray[np.int64] | None = None


@dataclass
class _Head:
    """The first records of a file, the line that each begins in, and where in the bytes."""

    records: list[list[str]]
    lines: list[int]
    places: list[int]


def read_delimited(raw: Raw, how: How) -> Delimited:
    """The columns of a text file. See `read_table`."""
    notes: list[dict] = []
    refuse_other_kinds(raw)
    data = as_given = as_utf8(raw, how.encoding, notes, how.encoding_said)
    text = _decoded_head(raw.name, data)
    lines, offset, number = _first_lines(raw.name, text, how)
    delimiter, data = _given_delimiter(how.delimiter, data)
    if mark := single_quoted(lines[0].rstrip("\r\n")):
        notes.append(note("read", f"The fields of {raw.name} are in single quotes: left out."))
        delimiter, data = delimiter or mark, requoted(data, delimiter or mark, "'")
    if data is not as_given:
        lines, offset, number = _first_lines(raw.name, _decoded_head(raw.name, data), how)
    named = _SEP.fullmatch(lines[0])
    if named:
        delimiter = delimiter or named[1].replace("\\t", "\t")
        offset, number, lines = offset + len(lines[0].encode()), number + 1, lines[1:]
        notes.append(note("read", f"The first line of {raw.name} names the delimiter, {delimiter!r}: left out."))
    if delimiter is None and not how.samples and (width := _columns_of_spaces(lines)):
        notes.append(note("read", f"{raw.name} is separated by spaces."))
        body = _SPACES.sub(b"\t", data.slice(offset).to_pybytes())
        data, delimiter, offset = pa.py_buffer(body), "\t", 0
        lines, offset, _ = _first_lines(raw.name, _decoded_head(raw.name, data), How())
        if len(lines[0].split("\t")) > width:
            raise ValueError(f"{raw.name}: its header has more columns than its rows: give delimiter=")
    elif delimiter is None and not how.samples and _is_one_column(lines):
        delimiter = ";"
    elif delimiter is None:
        delimiter = _delimiter_of(lines)
        if delimiter != ",":
            notes.append(note("read", f"{raw.name} is separated by {(_NAMES | _RARE)[delimiter]}s."))
    if not how.samples and spaced_quotes(lines, delimiter):
        data, offset = requoted(data.slice(offset), delimiter, '"'), 0
        lines, offset, _ = _first_lines(raw.name, _decoded_head(raw.name, data), How())
    if how.delimiter is not None and not any(delimiter in line for line in lines[:100]):
        _refuse_other_delimiter(raw.name, lines, delimiter)
    head = _records(lines, delimiter, number, offset)
    if not head.records:
        raise ValueError(f"{raw.name} is empty: expected a header line and rows of values")
    if not how.samples:
        _widen(head, data)
    return _read_table(raw.name, data, head, delimiter, how, notes)


def _given_delimiter(delimiter: str | None, data: pa.Buffer) -> tuple[str | None, pa.Buffer]:
    """The delimiter as one character, and the data with it in place of several."""
    if delimiter is None or len(delimiter) == 1:
        return delimiter, data
    if delimiter in _SAID:
        return _SAID[delimiter], data
    if delimiter in _SPACED:
        return "\t", pa.py_buffer(_SPACES.sub(b"\t", data.to_pybytes()))
    content = data.to_pybytes()
    if not delimiter or _UNIT_SEPARATOR.encode() in content:
        raise ValueError(f"expected a delimiter of one character, got {delimiter!r}")
    return _UNIT_SEPARATOR, pa.py_buffer(content.replace(delimiter.encode(), _UNIT_SEPARATOR.encode()))


def _refuse_other_delimiter(name: str, lines: list[str], said: str) -> None:
    """Raise ValueError where another delimiter divides what this one, given or remembered, does not."""
    found = find_delimiter([line for line in lines[:150] if line.strip()])
    if found:
        raise ValueError(
            f"{name} is separated by {_NAMES[found]}s, not by {said!r} as was said, now or when the model was fitted: "
            f"give delimiter={found!r}, and also skip_rows= or decimal= if they differ from those of the training table"
        )


def _widen(head: _Head, data: pa.Buffer) -> None:
    """A header that is a field short: where all rows end in an empty field, or begin with a quoted name, as R's do."""
    rows = head.records[1:]
    width = len(head.records[0]) + 1
    if not rows or any(len(row) != width for row in rows):
        return
    if all(not row[-1].strip() for row in rows):
        head.records[0].append("")
    elif all(data.slice(place, 1).to_pybytes() == b'"' for place in head.places):
        head.records[0].insert(0, "")


def _read_table(name: str, data: pa.Buffer, head: _Head, delimiter: str, how: How, notes: list[dict]) -> Delimited:
    header = how.header
    if header is None and how.samples and _labels_again(head.records):
        header = False
    begin = find_begin(head.records, head.lines, name, header, samples=how.samples, titles=not how.skip_rows)
    rows = head.records[begin.first :]
    in_rows = not how.samples and _series_in_rows(begin.names, rows)
    if not in_rows or len(begin.names) <= MOST_COLUMNS:  # series in rows are wide by nature: turned round below
        check_names(begin.names, name, MOST_STEPS if how.samples else MOST_COLUMNS)
    if begin.first >= len(head.records):
        raise ValueError(f"{name} has a header but no rows: expected rows of values below it")
    notes += begin.notes
    first_line = head.lines[begin.first]
    body = data.slice(head.places[begin.first])
    body = body if how.samples else _without_end(name, body, rows, len(begin.names), delimiter, notes)
    columns = look_at(begin.names, rows, delimiter, how)
    if columns.decimal == ",":
        notes.append(note("read", f"{name} writes numbers with a decimal comma."))
    literal = how.samples and delimiter == "\t" and _quotes_are_text(body, len(begin.names))
    if literal:
        notes.append(note("read", f"The quotes in {name} are not in pairs around fields: read as part of the text."))
    reader = _Reader(name, begin.names, first_line, delimiter, columns, literal, how.samples)
    table = reader.read(body, notes)
    if in_rows:
        long, said, line = _turn_round(table, name, notes)
        return Delimited(long, said, line, True, columns.evidence)
    lines = record_lines(body, first_line, quoted=not literal, skip_empty=len(begin.names) > 1) if how.samples else None
    lines = lines if lines is not None and len(lines) == len(table) else None  # stray quotes tell nothing
    table, skipped = _without_empty_rows(name, table, how.samples, notes)
    lines = None if lines is None else np.delete(lines, skipped)
    skipped = [row + first_line for row in skipped]
    left = [*reader.skipped, *skipped]
    return Delimited(_without_unnamed(table), notes, first_line, begin.header, columns.evidence, left, lines)


def _decoded_head(name: str, data: pa.Buffer) -> str:
    """The first lines as text, at least one whole."""
    size = min(_HEAD, data.size)
    head = data.slice(0, size).to_pybytes()
    while head.count(b"\n") < 2 and size < min(_LONGEST_HEADER, data.size):
        size = min(2 * size, data.size)
        head = data.slice(0, size).to_pybytes()
    if size < data.size and b"\n" in head:
        head = head[: head.rindex(b"\n") + 1]
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        refuse_encoding(name, data)
        raise ValueError(f"{name} is not UTF-8 text: {error}") from None


def _first_lines(name: str, text: str, how: How) -> tuple[list[str], int, int]:
    """The first lines with their ends, from the first that is not blank; its place in the bytes, and its number."""
    lines = [found[0] for found in islice(_LINE.finditer(text), how.skip_rows + 100 * _FIRST)]
    start = how.skip_rows
    if start >= len(lines) and lines:
        raise ValueError(f"{name} has {len(lines):,} lines: expected skip_rows to leave some, got {start:,}")
    while start < len(lines) and not lines[start].strip():
        start += 1
    if start == len(lines):
        raise ValueError(f"{name} is empty: expected a header line and rows of values")
    return lines[start:], len("".join(lines[:start]).encode()), start + 1


def _records(lines: list[str], delimiter: str, number: int, offset: int) -> _Head:
    """The first records; where csv refuses lines, each line whose fields are short enough counts for itself."""
    head = _Head([], [], [])
    reader = csv.reader(lines, delimiter=delimiter)
    used, place = 0, offset
    try:
        for record in reader:
            took = lines[used : reader.line_num]
            if any(cell.strip() for cell in record) or delimiter in took[0]:
                head.records.append(record)
                head.lines.append(number + used)
                head.places.append(place)
            elif len(record) == 0 and head.records and len(head.records[-1]) == 1:
                head.records.append([""])  # an empty line of a single column is a missing value
                head.lines.append(number + used)
                head.places.append(place)
            used, place = reader.line_num, place + sum(len(line.encode()) for line in took)
            if len(head.records) > _FIRST:
                break
    except csv.Error:
        for line in lines[used : used + 20]:
            head.records.append(line.rstrip("\r\n").split(delimiter))
            head.lines.append(number + used)
            head.places.append(place)
            used, place = used + 1, place + len(line.encode())
    return head


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


def find_delimiter(lines: list[str], marks: Iterable[str] = tuple(_NAMES)) -> str:
    """The separator that cuts the first lines into the most columns, the same number in each; "" if none does."""
    best, most = "", 1
    for candidate in marks:
        widths = [len(row) for row in _fields(lines[:100], candidate)]
        if widths[0] > most and sum(w == widths[0] for w in widths) >= 0.9 * len(widths):
            best, most = candidate, widths[0]
    return best


def _delimiter_of(lines: list[str]) -> str:
    """The separator of a table, which may have titles above it: what cuts the most lines in the same way."""
    whole = [line for line in lines[:150] if line.strip()]
    found: list[tuple[float, float, int, str]] = []
    for candidate in _NAMES:
        rows = [row for row in _fields(whole, candidate) if row]
        body = rows[min(len(rows) // 2, 60) :] or rows
        width = max((len(row) for row in body), default=1)
        share = sum(len(row) == width for row in body) / max(1, len(body))
        if width > 1 and share >= 0.7:
            cells = [cell for row in body for cell in row if cell.strip()][:400]
            values = sum(map(is_value, cells)) / max(1, len(cells))
            found.append((round(share, 1), values, width, candidate))
    if len(found) == 2 and found[0][3] == "," and _is_decimal_comma(whole, found[1][3]):
        return found[1][3]
    plain = find_delimiter(whole)
    if plain:
        return plain
    if found:
        return max(found, key=lambda each: (each[0], each[2]))[3]
    rare = find_delimiter(whole, _RARE) if len(whole) > 2 else ""
    return rare or max(_NAMES, key=whole[0].count)


def _is_decimal_comma(lines: list[str], delimiter: str) -> bool:
    """Whether commas are within numbers: another delimiter leaves nothing but values, which commas cut apart."""
    cells = [cell for row in _fields(lines[1:], delimiter) for cell in row if cell.strip()]
    first = [cell for cell in _fields(lines[:1], delimiter)[0] if cell.strip()]
    commas = [cell for cell in [*first, *cells] if "," in cell]
    return bool(cells) and all(map(is_value, cells)) and all(map(is_number, commas))


def _columns_of_spaces(lines: list[str]) -> int:
    """How many columns spaces make of lines that nothing else divides; 0 where they make none, or words."""
    whole = [line.strip() for line in lines[:150] if line.strip()]
    if len(whole) < 3 or any(mark in line for mark in (*_NAMES, '"') for line in whole):
        return 0
    rows = [line.split() for line in whole]
    width = len(rows[-1])
    body = [row for row in rows if all(map(is_value, row))]
    same = width > 1 and len(rows[0]) in (width, 1) and all(len(row) == width for row in body)
    return width if same and len(body) >= max(2, len(rows) - 3) else 0


def _is_one_column(lines: list[str]) -> bool:
    """Whether a file is one column with a name, of numbers with decimal commas."""
    whole = [line.strip() for line in lines[:150] if line.strip()]
    name = whole[0].strip('"')
    body = whole[1:]
    return (
        len(body) > 1 and not any(mark in name for mark in _NAMES) and not is_value(name)
        and all(re.fullmatch(r"[+-]?\d*(,\d+)?", line) for line in body) and any("," in line for line in body)
    )  # fmt: skip


def _labels_again(rows: list[list[str]]) -> bool:
    """Whether a text of the first line comes again in its column, but not the whole line: data, no names."""
    again = [
        any(j < len(row) and row[j].strip() == value.strip() for row in rows[1:])
        for j, value in enumerate(rows[0])
        if value.strip() and not is_number(value)
    ]
    return any(again) and rows[0] not in rows[1:]


def _quotes_are_text(data: pa.Buffer, columns: int) -> bool:
    """Whether a file of tabs has quotes as part of its text: a field opens one and does not close it, yet each line
    has all the columns, so that no field goes on in the next line."""
    opened = False
    for raw in _raw_lines(data):
        fields = raw.rstrip(b"\r\n").split(b"\t")
        if len(fields) != columns and raw.strip():
            return False
        opened = opened or any(f.startswith(b'"') and (len(f) == 1 or not f.endswith(b'"')) for f in fields)
    return opened


def _series_in_rows(names: list[str], rows: list[list[str]]) -> bool:
    """The layout of the M4 competition: columns V1, V2, ...: the series' name and its values."""
    if len(names) < 3 or names != [f"V{i + 1}" for i in range(len(names))]:
        return False
    ids = [row[0] for row in rows if row]
    return not any(is_value(v) for v in ids) and len(set(ids)) == len(ids)


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


@dataclass
class _Reader:
    """Arrow's reader, told again what a value says that it did not expect."""

    name: str
    names: list[str]
    first_line: int
    delimiter: str
    columns: Columns
    literal: bool
    samples: bool
    skipped: list[int] = field(default_factory=list)

    def read(self, body: pa.Buffer, notes: list[dict]) -> pa.Table:
        """The columns; those that may be numbers written for people, or identifiers with leading zeros, as text."""
        types = dict.fromkeys(self.columns.texts, pa.string())
        table, body = self._typed(body, types, notes)
        again = self.columns.misread(table, types)
        # Arrow turns times with an offset to UTC: as text they tell what their clock was.
        again |= {each.name for each in table.schema if pa.types.is_timestamp(each.type) and each.type.tz is not None}
        if not self.samples:
            again |= with_leading_zeros(body, table, self.delimiter, self.literal)
        if again:
            types |= dict.fromkeys(again, pa.string())
            table, body = self._typed(body, types, notes)
        if not self.samples and all(map(pa.types.is_string, table.schema.types)):
            table = self._without_headers(table, notes)
        return table

    def _typed(self, body: pa.Buffer, types: dict[str, pa.DataType], notes: list[dict]) -> tuple[pa.Table, pa.Buffer]:
        head = body.slice(0, min(_HEAD, body.size)).to_pybytes()
        quoted = not self.literal and b'"' in head
        while True:
            try:
                data = arrow_csv.read_csv(
                    pa.BufferReader(body),
                    arrow_csv.ReadOptions(column_names=self.names, block_size=_BLOCK),
                    arrow_csv.ParseOptions(
                        delimiter=self.delimiter,
                        quote_char=False if self.literal else '"',
                        escape_char=escape_of(head) if quoted else False,
                        newlines_in_values=quoted,
                        ignore_empty_lines=len(self.names) > 1,
                    ),
                    arrow_csv.ConvertOptions(
                        null_values=list(_NULLS),
                        strings_can_be_null=False,
                        decimal_point=self.columns.decimal,
                        column_types=types,
                    ),
                )
            except pa.ArrowException as error:
                shorter = self._without_comments(body, str(error), notes)
                if shorter is None:
                    self._retype_or_raise(body, str(error), types)
                else:
                    body = shorter
                continue
            # Arrow calls text that is not UTF-8 binary.
            if any(pa.types.is_binary(kind) for kind in data.schema.types):
                refuse_encoding(self.name, body, self.first_line)
            if not data.num_rows:
                raise ValueError(f"{self.name} has a header but no rows: expected rows of values below it")
            if quoted:
                refuse_open_quote(self.name, body, data, self.first_line)
            return data, body

    def _retype_or_raise(self, body: pa.Buffer, message: str, types: dict[str, pa.DataType]) -> None:
        """Arrow guesses types from the first block; a later value that does not fit widens the column's type."""
        if "UTF8" in message or "UTF-8" in message:
            refuse_encoding(self.name, body, self.first_line)
        found = re.search(r"In CSV column #(\d+): CSV conversion error to (\w+)", message)
        if found:
            name = self.names[int(found[1])]
            wider = pa.float64() if found[2].startswith("int") and name not in types else pa.string()
            if types.get(name) != pa.string():
                types[name] = wider
                return
        if "Expected" in message and "columns" in message:
            raise ValueError(self._ragged(body)) from None
        if "Empty CSV" in message:
            raise ValueError(f"{self.name} has a header but no rows: expected rows of values below it") from None
        raise ValueError(f"{self.name} cannot be read as CSV: {message}") from None

    def _without_comments(self, body: pa.Buffer, message: str, notes: list[dict]) -> pa.Buffer | None:
        """The body without comment lines (#), where only these have another number of fields; None: others have."""
        if self.samples or "Expected" not in message or "columns" not in message:
            return None
        kept, dropped = [], []
        for number, line in enumerate(_raw_lines(body), self.first_line):
            if line.lstrip().startswith(b"#"):
                dropped.append(number)
            else:
                kept.append(line)
        if not dropped:
            return None
        were = "1 line that begins" if len(dropped) == 1 else f"{len(dropped):,} lines that begin"
        left = "was left out" if len(dropped) == 1 else "were left out"
        said = f"{were} with # in {self.name} {left} (first line {dropped[0]:,})."
        notes.append(note("read", said))
        self.skipped += dropped
        return pa.py_buffer(b"".join(kept))

    def _without_headers(self, table: pa.Table, notes: list[dict]) -> pa.Table:
        """The rows without the header where it comes again, as in files that were put one behind the other."""
        place = pc.index(table.column(0), as_texts([self.names[0]])[0]).as_py()
        if place < 0:
            return table
        again = pc.equal(pc.utf8_trim_whitespace(table.column(0)), as_texts([self.names[0]])[0])
        for name, column in zip(self.names[1:], table.columns[1:], strict=True):
            again = pc.and_(again, pc.equal(pc.utf8_trim_whitespace(column), as_texts([name])[0]))
        rows = np.flatnonzero(to_numpy(again))
        if not len(rows):
            return table
        more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
        said = f"The header of {self.name} comes again (line {int(rows[0]) + self.first_line:,}{more}): left out."
        notes.append(note("read", said))
        self.skipped += [int(row) + self.first_line for row in rows]
        return table.filter(pc.invert(again))

    def _ragged(self, body: pa.Buffer) -> str:
        expected = len(self.names)
        lines = io.TextIOWrapper(io.BytesIO(body), "utf-8", errors="replace", newline=None)
        reader = csv.reader(lines, delimiter=self.delimiter)
        try:
            row = next((row for row in reader if row and len(row) != expected), None)
        except csv.Error as error:
            return f"{self.name}, line {reader.line_num + self.first_line - 1:,} cannot be read as CSV: {error}"
        if row is None:
            return f"{self.name}: expected {expected} fields in every row, as in the header"
        text = (
            f"{self.name}, line {reader.line_num + self.first_line - 1:,}: expected {expected} fields as in the "
            f"header, got {len(row)} ({self.delimiter.join(row)!r:.80})"
        )
        if self.delimiter == "," and len(row) > expected:
            return f"{text}; a field with a comma in it needs quotes, and decimal commas need another delimiter"
        return f"{text}; mend or remove that line, or name the delimiter with delimiter="


def _raw_lines(data: pa.Buffer) -> Iterator[bytes]:
    yield from io.BytesIO(data)


def _without_end(
    name: str, body: pa.Buffer, rows: list[list[str]], width: int, delimiter: str, notes: list[dict]
) -> pa.Buffer:
    """The rows without what stands below a table: sums, and words in one cell."""
    if width < 2:
        return body
    start = max(0, body.size - _TAIL)
    tail = body.slice(start).to_pybytes()
    lines = tail.splitlines(keepends=True)
    if start:
        lines = lines[1:]  # its beginning is not there
    shown: list[str] = []
    above = [row for row in rows[:50] if len(row) == width]
    ends = [next(csv.reader([line.decode("utf-8", "replace")], delimiter=delimiter), []) for line in lines]
    quoted = any(line.count(b'"') % 2 for line in lines[-3 * _MOST_BELOW :])
    keep = len(lines) - (0 if quoted else _behind_the_table(ends, above, width))
    for line in ends[keep:]:
        if any(cell.strip() for cell in line):
            shown.append(", ".join(cell.strip() for cell in line if cell.strip()))
    cut = sum(map(len, lines[keep:]))
    if not shown or len(shown) >= len(rows):
        return body
    were = "1 line below the table was" if len(shown) == 1 else f"{len(shown)} lines below the table were"
    notes.append(note("read", f"{were} left out of {name} ({shown[0]!r:.60})."))
    return body.slice(0, body.size - cut)


def _behind_the_table(ends: list[list[str]], above: list[list[str]], width: int) -> int:
    """How many of the last lines are not of the table: sums, words in one cell, and what follows an empty line."""
    count = filled = 0
    for back, line in enumerate(reversed(ends[-3 * _MOST_BELOW :]), 1):
        blank = not any(cell.strip() for cell in line)
        if blank and not line and filled:  # all behind it is something else, if it reads so
            behind = [each for each in ends[len(ends) - back :] if any(each)]
            if all(is_apart(each, above) for each in behind):
                count = back
        elif blank or is_footnote(line, width) or is_total(line, above):
            count = back if count == back - 1 else count
        filled += not blank
        if filled > _MOST_BELOW:
            break
    return count


def _without_empty_rows(name: str, table: pa.Table, samples: bool, notes: list[dict]) -> tuple[pa.Table, list[int]]:
    """The rows that hold anything, and which do not."""
    if samples or table.num_columns < 2:
        return table, []
    empty = None
    for column in table.columns:
        if not pa.types.is_string(column.type) and not column.null_count:
            return table, []
        mask = pc.equal(column, as_texts([""])[0]) if pa.types.is_string(column.type) else pc.is_null(column)
        empty = mask if empty is None else pc.and_(empty, mask)
        if not pc.any(empty).as_py():
            return table, []
    rows = np.flatnonzero(to_numpy(empty)).tolist()
    if len(rows) == table.num_rows:
        raise ValueError(f"{name} has only empty rows: expected rows of values below its header")
    were = "1 row that holds nothing was" if len(rows) == 1 else f"{len(rows):,} rows that hold nothing were"
    notes.append(note("read", f"{were} left out of {name}."))
    return table.filter(pc.invert(empty)), rows


def _without_unnamed(data: pa.Table) -> pa.Table:
    """Without the empty columns that a delimiter at the end of each line makes."""
    empty = [
        name
        for name, column in zip(data.column_names, data.columns, strict=True)
        if name.startswith("unnamed ")
        and (column.null_count == len(column) or (pa.types.is_string(column.type) and _all_blank(column)))
    ]
    return data.drop_columns(empty) if len(empty) < data.num_columns else data


def _all_blank(column: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.equal(pc.utf8_trim_whitespace(column), as_texts([""])[0])).as_py())
