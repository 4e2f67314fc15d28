"""What the first rows of a text file say of its columns: decimal mark, and which must be read as text first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from memorycell.data.tables.files.first_lines import is_continental, is_empty
from memorycell.data.tables.files.how import How
from memorycell.data.tables.files.leading_zeros import is_part_of_date
from memorycell.data.tables.files.numbers import MARKS, WRITTEN, Evidence, patterns

_MOST_CELLS = 40_000
_WRITTEN = re.compile(WRITTEN)
_POINT, _COMMA = re.compile(patterns(".")), re.compile(patterns(","))
_EITHER = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_ZEROS = re.compile(r"\s*0\d+\s*")
_LONG = re.compile(r"\s*([+-]?\d{16,}|\+\d{8,})\s*")  # the second are telephone numbers
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_EXACT = 2.0**53


@dataclass
class Columns:
    """How the columns of a text file are read.

    Attributes
    ----------
    decimal : the mark that Arrow takes for the decimal's
    names : columns of identifiers
    texts : columns that are read as text, and looked at afterwards
    whole : columns of whole numbers below 1,000 in the first rows: a mark between thousands may come later
    """

    decimal: str
    evidence: Evidence
    names: frozenset[str] = frozenset()
    texts: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)

    def misread(self, table: pa.Table, types: dict[str, pa.DataType]) -> set[str]:
        """Columns that Arrow read as numbers and that may be something else: thousands, or identifiers rounded."""
        found = set()
        for name, column in zip(table.column_names, table.columns, strict=True):
            if not pa.types.is_floating(column.type) or types.get(name) == pa.string():
                continue
            if name in self.names or (name in self.whole and _may_be_thousands(column)):
                found.add(name)
                continue
            ends = pc.min_max(column).as_py()
            if ends["max"] is not None and max(abs(ends["min"]), abs(ends["max"])) >= _EXACT and _are_whole(column):
                found.add(name)
        return found


@dataclass
class _Column:
    """What the first values of a column are, by count."""

    values: int = 0
    numbers: int = 0
    point: int = 0
    comma: int = 0
    dots: int = 0  # 1.234
    commas: int = 0  # 1,234
    small: int = 0
    whole: int = 0
    dates: int = 0
    text: bool = False


def look_at(names: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str, how: How) -> Columns:
    """What the first rows say."""
    most = max(20, _MOST_CELLS // max(1, len(names)))
    looked = [_of(i, rows[:most]) for i in range(len(names))]
    numeric = [each for each in looked if each.values and each.numbers >= 0.8 * each.values]
    points, commas = sum(each.point > 0 for each in numeric), sum(each.comma > 0 for each in numeric)
    seen = "," if commas and not points else "." if points and not commas else ""
    decimal = how.decimal or ("," if how.thousands == "." else "." if how.thousands == "," else "")
    if not decimal:
        decimal = "," if seen == "," and delimiter != "," else "."
        alone = all(each.dots == 0 for each in numeric) and any(each.commas for each in numeric)
        decimal = "," if not seen and alone and delimiter != "," else decimal
    german = delimiter in (";", "\t") and any(each.dates for each in looked)
    german |= not points and any(each.dots and each.small and not each.comma for each in numeric)  # 985 beside 1.004
    evidence = Evidence(how.decimal, how.thousands, dict(how.learned), seen, german, delimiter)
    columns = Columns(decimal, evidence, how.text | {"unique_id"})
    for name, each in zip(names, looked, strict=True):
        own = each.point or each.comma
        doubtful = (each.dots if decimal == "." else each.commas) and not own and how.decimal is None
        people = each in numeric and (each.comma if decimal == "." else each.point)
        identifies = name in columns.names and each.whole < each.values
        if (each.text and not is_part_of_date(name)) or identifies or name in how.learned or doubtful or people:
            columns.texts.add(name)
        elif each.values and each.small == each.values and how.decimal is None:
            columns.whole.add(name)
    return columns


def _of(place: int, rows: Sequence[Sequence[str]]) -> _Column:
    found = _Column()
    for row in rows:
        cell = row[place] if place < len(row) else ""
        if is_empty(cell):
            continue
        found.values += 1
        found.text = found.text or bool(_ZEROS.fullmatch(cell) or _LONG.fullmatch(cell))
        found.dates += is_continental(cell)
        written = _WRITTEN.fullmatch(cell.strip())
        if written is None:
            continue
        body = written["body"]
        point, comma = _POINT.fullmatch(body), _COMMA.fullmatch(body)
        found.numbers += bool(point or comma)
        found.point += bool(point and not comma)
        found.comma += bool(comma and not point)
        if _EITHER.fullmatch(body):
            found.dots += MARKS[0] in body
            found.commas += MARKS[1] in body
        found.whole += bool(_WHOLE.fullmatch(cell.strip()))
        found.small += body.isdigit() and len(body) <= 3
    return found


def _may_be_thousands(column: pa.ChunkedArray) -> bool:
    """Whether numbers with a fraction have three decimals each, and those without are below 1,000."""
    for chunk in column.chunks:
        values = chunk.drop_null().to_numpy(zero_copy_only=False)
        scaled = values * 1000
        whole = values == np.floor(values)
        if (np.abs(scaled - np.round(scaled)) > 1e-6).any() or (np.abs(values[whole]) >= 1000).any():
            return False
    return True


def _are_whole(column: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.equal(pc.floor(column), column)).as_py())
