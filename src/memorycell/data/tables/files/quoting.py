"""Quotes of text files: single ones around fields, backslashes before them, and one that is never closed."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_SINGLE = re.compile(r"\s*'[^']*'(?:(?P<mark>[,;\t|])\s*'[^']*')*\s*")
_DOUBLED = re.compile(rb'[^,;\t|\r\n"]""|""[^,;\t|\r\n"]')
_ESCAPED = re.compile(rb'\\"(?![,;\t|\r\n])')


def single_quoted(line: str) -> str:
    """What separates the fields of a line that are all in single quotes; "" for any other line.

    Example
    -------
    >>> single_quoted("'date','y'"), single_quoted("date,'y'")
    (',', '')
    """
    found = _SINGLE.fullmatch(line)
    return (found["mark"] or "") if found and '"' not in line else ""


def spaced_quotes(lines: list[str], delimiter: str) -> bool:
    """Whether a space stands behind each delimiter of the first line, and quotes behind it somewhere: `a, "b, c"`."""
    spaced = lines[0].count(delimiter)
    behind = f'{delimiter} "'
    return spaced > 0 and spaced == lines[0].count(delimiter + " ") and any(behind in line for line in lines[:100])


def requoted(data: pa.Buffer, delimiter: str, quote: str) -> pa.Buffer:
    """A file with double quotes right at the beginning of fields, its lines where they were."""
    out = io.StringIO()
    lines = io.StringIO(data.to_pybytes().decode("utf-8", "surrogateescape"), newline="")
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, skipinitialspace=True)
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(reader)
    return pa.py_buffer(out.getvalue().encode("utf-8", "surrogateescape"))


def escape_of(head: bytes) -> str | bool:
    """The backslash, where it stands before quotes within fields and quotes are not doubled."""
    doubled = _DOUBLED.search(head.replace(b'\\"', b""))
    return "\\" if _ESCAPED.search(head) and not doubled else False


def refuse_open_quote(name: str, body: pa.Buffer, table: pa.Table, first_line: int) -> None:
    """Raise ValueError for a quote that is never closed: the last value goes on to the end of the file."""
    content = body.to_pybytes()
    if not content.count(b'"') % 2 or content.rstrip().endswith(b'"'):
        return
    last: list[Any] = [column[-1].as_py() for column in table.columns if pa.types.is_string(column.type)]
    lost = max((value.rstrip().count("\n") for value in last if value), default=0)
    if lost:
        line = first_line + content.rstrip().count(b"\n") - lost
        raise ValueError(
            f'{name}, line {line:,}: a quote (") is opened and never closed, so that all that follows is one field: '
            "close it, or write it twice where it is part of a text"
        )


def without_apostrophes(column: Any, head: int = 1000) -> Any:
    """Texts without the apostrophe that spreadsheets put before numbers that are text, or quotes around all of them."""
    first = column.slice(0, head)
    if not pc.all(pc.or_kleene(pc.starts_with(first, "'"), pc.equal(first, ""))).as_py():
        return column
    if not pc.any(pc.starts_with(first, "'")).as_py():
        return column
    return pc.replace_substring_regex(column, r"^'(.*?)'?$", r"\1")
