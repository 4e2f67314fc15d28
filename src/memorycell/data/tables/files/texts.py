"""Columns that came as text: numbers where they are numbers, dates and words as they were written."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_texts, nothing, surely, text, to_numpy
from memorycell.data.tables.files.how import How
from memorycell.data.tables.files.missing import is_missing, without_values
from memorycell.data.tables.files.numbers import (
    ERRORS,
    INFINITE,
    NO_VALUE,
    PLAIN,
    Evidence,
    Marks,
    Numbers,
    loosely,
    read_numbers,
)
from memorycell.data.tables.files.quantities import bare_numbers
from memorycell.data.tables.files.quoting import without_apostrophes
from memorycell.data.tables.table import Table

_HEAD, _LOOKED_AT = 1000, 100
_WHOLE = r"^-?(0|[1-9]\d{0,17})$"
_DIGITS = frozenset(chr(i) for start in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10) for i in range(start, start + 10))
_SILENT = ("", "NA", "na", "NaN", "nan", "-NaN", "-nan", "null", "NULL", "Null", "None", "none", "NaT", "<NA>")


@dataclass
class Settled:
    """A column, as it was written where that differs, and the marks of its numbers where they are not plain."""

    column: Any
    written: Any = None
    marks: Marks | None = None


def settle_text(table: Table, name: str, given: pa.ChunkedArray, how: How, evidence: Evidence) -> Settled:
    """Numbers that came as text, with at most a few odd values between them, as numbers.

    Odd values become missing if they are no more than 3, or 1 % of the values where that is more, and at
    least nine values in ten are numbers. Digits with leading zeros are labels and stay text. Where rows are
    samples, a column that stays text keeps all but the empty ones, and the text of frames stays text.

    Raises
    ------
    ValueError
        Where a model learned that the column's numbers are written otherwise.
    """
    named = name in how.text or name in table.keys or name == "unique_id"
    trimmed = without_values(_unwrapped(_trimmed(given, named)), how.na_values)
    written = pc.if_else(pc.equal(trimmed, text("")), nothing(pa.string()), trimmed)
    column = pc.if_else(is_missing(trimmed), nothing(pa.string()), trimmed)
    if how.samples:
        kept = Settled(written)
        if not table.first_line:
            return kept
    else:
        kept = Settled(column, written if column.null_count > written.null_count else None)
    if named:
        return _identifiers(written)
    bare = _in_ascii(pc.if_else(pc.is_in(column, as_texts((*ERRORS, *NO_VALUE))), nothing(pa.string()), column))
    may_be = _may_be_numbers(bare)
    if pc.any(pc.match_substring_regex(bare, r"^0\d+$")).as_py():
        return kept
    found = _numbers(name, bare, evidence) if may_be else None
    total = len(bare) - bare.null_count
    if found is not None or not may_be:
        found = _with_affixes(table, name, bare, evidence, found)
    if not may_be and found is None:
        return kept
    if found is None and total and pc.all(pc.match_substring_regex(bare, r"^[1-9]\d{0,2}( \d{3})+$")).as_py():
        said = f"Column {name!r} is read as text, such as {bare.drop_null()[0].as_py()!r}; if those are numbers, give "
        table.notes.append(note("numbers", f"{said}thousands=' '."))
    if found is None or not total:
        return kept
    odd = pc.sum(found.odd).as_py() or 0
    rows = np.flatnonzero(to_numpy(surely(found.odd)))
    learned = evidence.learned.get(name)
    if odd and learned is not None:
        _refuse_other_marks(table, name, bare, int(rows[0]), learned)
    first = [(int(row), bare[int(row)].as_py()) for row in rows[:3]]
    if odd > max(3, 0.01 * total) or total - odd < 0.9 * total:
        if total - odd >= 0.5 * total:
            table.odd[name] = (odd, first)
        return kept
    _say(table, name, pc.if_else(trimmed.is_null(), text(""), given), bare, found, odd, total, first)
    marks = replace(found.marks, unit=found.unit) if _is_special(found) else None
    return Settled(found.values, written if found.said else None, marks)


def _trimmed(column: pa.ChunkedArray, named: bool) -> pa.ChunkedArray:
    """Text without the spaces around it; names as they are where two of them differ in nothing else."""
    trimmed = pc.utf8_trim_whitespace(column)
    if not named or pc.all(pc.equal(trimmed, column)).as_py() is not False:
        return trimmed
    return column if pc.count_distinct(trimmed).as_py() < pc.count_distinct(column).as_py() else trimmed


def _with_affixes(
    table: Table, name: str, column: pa.ChunkedArray, evidence: Evidence, found: Numbers | None
) -> Numbers | None:
    """Numbers with what stands around some of them taken off, where there is something; infinite ones, too."""
    odd = column.is_valid() if found is None else found.odd
    if not pc.any(odd).as_py():
        return found
    infinite = pc.and_(odd, pc.match_substring_regex(column, INFINITE))
    if found is not None and pc.any(infinite).as_py():
        sign = pc.starts_with(pc.replace_substring(column, "\u2212", "-"), "-")
        found.values = pc.if_else(surely(infinite), pc.if_else(sign, -np.inf, np.inf), found.values)
        found.odd = odd = pc.and_(odd, pc.invert(infinite))
    learned = evidence.learned.get(name, Marks()).unit
    taken_off = bare_numbers(name, column, odd, learned)
    if taken_off is None:
        return found
    if taken_off.texts is column:  # nothing was taken off: why is said
        table.notes += [note("numbers", said) for said in taken_off.said]
        return found
    again = _numbers(name, taken_off.texts, evidence)
    if again is None:
        return found
    applied = taken_off.applied(again)
    if pc.any(infinite).as_py():
        applied.values = pc.if_else(surely(infinite), found.values if found else applied.values, applied.values)
        applied.odd = pc.and_(applied.odd, pc.invert(infinite))
    return applied


def _in_ascii(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Digits of other scripts (١٢٫٥, １２．５) as those that computers read; text that has letters stays as it is."""
    head = column.slice(0, _HEAD).drop_null()
    if pc.all(pc.string_is_ascii(head)).as_py() is not False:
        return column
    letters = set("".join(head.to_pylist()))
    if not any(ord(each) > 127 and each.isdecimal() for each in letters):
        return column
    told = {"\u066b": ".", "\u066c": ",", "\uff0e": ".", "\uff0c": ",", "\uff0d": "-", "\uff05": "%", "\u066a": "%"}
    told |= {each: str(unicodedata.decimal(each)) for each in letters | _DIGITS if each.isdecimal()}
    table = str.maketrans(told)
    texts = [None if each is None else each.translate(table) for each in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _unwrapped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text that was written as a formula, ="007", or behind an apostrophe, so that a spreadsheet keeps it."""
    if len(column) and not pc.any(pc.match_substring_regex(column.slice(0, _HEAD), "^(='|=\"|')")).as_py():
        return column
    column = without_apostrophes(column)
    return pc.replace_substring_regex(column, r'^="(.*)"$', r"\1")


def _identifiers(written: pa.ChunkedArray) -> Settled:
    """Names: whole numbers as such, all else as it is written."""
    for part in (written.slice(0, _HEAD), written):
        if written.null_count == len(written) or not pc.all(pc.match_substring_regex(part, _WHOLE)).as_py():
            return Settled(written)
    return Settled(written.cast(pa.int64()))


def _may_be_numbers(column: pa.ChunkedArray) -> bool:
    head = column.slice(0, _HEAD).drop_null()
    if not len(head):
        return len(column) > column.null_count
    return loosely(head.slice(0, _LOOKED_AT).to_pylist()) >= 0.5 or loosely(head.to_pylist()) >= 0.5


def _numbers(name: str, column: pa.ChunkedArray, evidence: Evidence) -> Numbers | None:
    """See `read_numbers`; of plain numbers in the shortest way."""
    numeric = pc.match_substring_regex(column, PLAIN)
    plain = evidence.decimal in (None, ".") and evidence.thousands is None and name not in evidence.learned
    if plain and pc.all(numeric).as_py() and _are_plain(column):
        return Numbers(column.cast(pa.float64()), pc.and_(numeric, pc.invert(numeric)), Marks(), [])
    return read_numbers(name, column, evidence)


def _are_plain(column: pa.ChunkedArray) -> bool:
    """Whether no number has leading zeros or very many digits, and one at least shows that the point is a decimal."""
    doubtful = pc.any(pc.match_substring_regex(column, r"^[+-]?(0\d+|\d{17,}|[1-9]\d{0,2}\.\d{3}|\+\d{8,})$")).as_py()
    return not doubtful


def _is_special(found: Numbers) -> bool:
    return bool(found.said) and (found.marks != Marks() or bool(found.unit))


def _refuse_other_marks(table: Table, name: str, column: Any, row: int, marks: Marks) -> None:
    """A value that cannot be read as the model's training table was: another way of writing numbers."""
    how = f"decimal={marks.decimal!r}" + (f", thousands={marks.thousands!r}" if marks.thousands else "")
    raise ValueError(
        f"column {name!r} of {table.source}, {table.where(row)}: {column[row].as_py()!r:.40} is no number as this "
        f"column was written when the model was fitted ({how}); if this table writes numbers otherwise, give decimal= "
        "and thousands= to read_table"
    )


def _say(
    table: Table, name: str, given: Any, bare: Any, found: Numbers, odd: int, total: int, first: list[tuple[int, str]]
) -> None:
    table.notes += [note("numbers", said) for said in found.said]
    if odd:
        shown = ", ".join(f"{value!r} in {table.where(row)}" for row, value in first)
        few = f"{odd:,} values of {total:,} are" if odd > 1 else f"1 value of {total:,} is"
        said = f"Column {name!r}: {few} not a number ({shown}{', …' if odd > 3 else ''}); treated as missing."
        table.notes.append(note("odd values", said))
    blank = to_numpy(bare.is_null())
    if not blank.any():
        return
    words = pc.utf8_trim_whitespace(given)
    said_so = pc.and_(pc.is_null(bare), pc.invert(pc.is_in(words, as_texts(_SILENT))))
    rows = np.flatnonzero(to_numpy(surely(said_so)))
    if len(rows):
        kinds = list(dict.fromkeys(words[int(row)].as_py() for row in rows[:1000]))
        shown = ", ".join(map(repr, kinds[:4])) + (", …" if len(kinds) > 4 else "")
        many = f"{len(rows):,} values stand" if len(rows) > 1 else "1 value stands"
        said = f"Column {name!r}: {many} for a missing one ({shown}; first in {table.where(int(rows[0]))})."
        table.notes.append(note("missing", said))
