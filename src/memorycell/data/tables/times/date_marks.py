"""Marks in the texts of dates that stand for plain ones: digits of other scripts, dashes, spaces, quotation marks."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

from memorycell.data.tables.arrow import to_numpy

_SAMPLE = 200
_HAN = {"一季": "1季", "二季": "2季", "三季": "3季", "四季": "4季"}
# Clocks whose parts are set apart as dates are: 2024-03-31_14-00-05 and 2024-03-31-14.
_WRITTEN = (
    (r"^(\d{4}-\d{2}-\d{2})[_ T](\d{2})-(\d{2})-(\d{2})$", r"\1 \2:\3:\4"),
    (r"^(\d{4}-\d{2}-\d{2})-(\d{2})$", r"\1 \2"),
    (r"^(\d{4})\. ?(\d{1,2})\. ?(\d{1,2})\.", r"\1-\2-\3"),  # as Korea writes days
)
_HALVES = ((r"(?:上午|午前|오전) ?([\d:]+)$", r"\1 AM"), (r"(?:下午|午後|오후) ?([\d:]+)$", r"\1 PM"))


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts of dates with plain digits, hyphens and spaces, and without invisible or quotation marks around them.

    Example
    -------
    >>> plain(pa.chunked_array([["٢٠٢٤–٠٣–٣١", "'2024-03-31'"]])).to_pylist()
    ['2024-03-31', '2024-03-31']
    """
    if not pc.all(pc.string_is_ascii(column)).as_py():
        column = pc.replace_substring_regex(column, r"[\p{Pd}\x{2212}]", "-")
        column = pc.replace_substring_regex(column, r"\p{Cf}", "")
        column = pc.replace_substring_regex(column, r"\p{Zs}", " ")
        column = _plain_digits(column)
        for han, digit in _HAN.items():
            column = pc.replace_substring(column, han, digit)
        for pattern, written in _HALVES:
            column = pc.replace_substring_regex(column, pattern, written)
    head = column.slice(0, _SAMPLE)
    if pc.any(pc.match_substring_regex(head, r"^[\s'\"“”‘’]|[\s'\"“”‘’]$")).as_py():
        column = pc.utf8_trim(column, " \t\n\r'\"“”‘’")
    for pattern, written in _WRITTEN:
        if pc.all(pc.match_substring_regex(head, pattern)).as_py():
            column = pc.replace_substring_regex(column, pattern, written)
    return column


def _plain_digits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimal digits of whatever script as 0 to 9."""
    odd = pc.match_substring_regex(column, r"[^\x00-\x7f]")
    if not to_numpy(odd, missing=False).any():
        return column
    seen = {char for text in column.filter(odd).slice(0, _SAMPLE).to_pylist() if text for char in text}
    zeros = {ord(char) - unicodedata.decimal(char) for char in seen if ord(char) > 127 and char.isdecimal()}
    for zero in zeros:
        for digit in range(10):
            column = pc.replace_substring(column, chr(zero + digit), str(digit))
    return column
