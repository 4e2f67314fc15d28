"""Tables in JSON: a list of records, a record a line, or an object of columns."""

from __future__ import annotations

import json
from typing import Any

from memorycell.data.tables.files.frames import from_columns, from_records, from_rows_by_name
from memorycell.data.tables.files.raw import Raw
from memorycell.data.tables.table import Table, listing

_FORMS = "a list of records or of rows, a record in each line, or an object of columns of one length"


def read_json(raw: Raw) -> Table:
    """A table of JSON: `[{"t": 1, "y": 2.5}, …]`, a record in each line, or columns, `{"t": [1, …], "y": [2.5, …]}`.

    Raises
    ------
    ValueError
        No JSON, and JSON of another form.

    Example
    -------
    >>> import pyarrow as pa
    >>> read_json(Raw("a.jsonl", pa.py_buffer(b'{"t": 1, "y": 2.5}\\n{"t": 2}\\n'))).data.to_pydict()
    {'t': [1, 2], 'y': [2.5, None]}
    """
    try:
        text = raw.data.to_pybytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{raw.name} is no UTF-8 text, as JSON has to be: {error}") from None
    found = _parsed(raw.name, text)
    found = _within(found)
    if isinstance(found, dict):
        return from_columns(_columns(raw.name, found), raw.name, "file")
    if found and all(isinstance(row, list) for row in found):
        return from_columns(_rows(raw.name, found), raw.name, "file")
    wrong = next((i for i, record in enumerate(found) if not isinstance(record, dict)), None)
    if wrong is not None:
        raise ValueError(f"{raw.name} is JSON of another form than {_FORMS}: entry {wrong} is {found[wrong]!r:.40}")
    if not found:
        raise ValueError(f"{raw.name} has no rows: expected at least one record")
    nested = next((n for record in found for n, value in record.items() if isinstance(value, dict | list)), None)
    if nested is not None:
        raise ValueError(f"{raw.name}: {nested!r} holds lists or objects: expected one value in each field of a record")
    return from_columns(from_records(found), raw.name, "file")


def _within(found: Any) -> Any:
    """The table in an object that holds one beside other things: `{"data": [records]}`, pandas' "split" and "table"."""
    if not isinstance(found, dict):
        return found
    names, rows = found.get("columns"), found.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        return [names, *rows]
    records = [v for v in found.values() if isinstance(v, list) and v and all(isinstance(each, dict) for each in v)]
    rest = [v for v in found.values() if isinstance(v, list) and v not in records]
    return records[0] if len(records) == 1 and not rest else found


def _rows(name: str, rows: list[list[Any]]) -> dict[str, list[Any]]:
    """Columns of rows of values, of which the first may name them."""
    names = [f"x{i}" for i in range(len(rows[0]))]
    if len(rows) > 1 and rows[0] and all(isinstance(each, str) for each in rows[0]):
        named = any(not isinstance(each, str) for row in rows[1:] for each in row)
        names, rows = (rows[0], rows[1:]) if named else (names, rows)
    wrong = next((i for i, row in enumerate(rows) if len(row) != len(names)), None)
    if wrong is not None:
        raise ValueError(f"{name}: expected rows of {len(names)} values, got {len(rows[wrong])} in row {wrong}")
    if len(set(names)) < len(names):
        raise ValueError(f"{name} has more than one column named {names[0]!r}: rename them")
    return {each: [row[i] for row in rows] for i, each in enumerate(names)}


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as whole:
        records = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError as error:
                if not records:
                    raise ValueError(f"{name} looks like JSON and is none: {whole}; expected {_FORMS}") from None
                raise ValueError(f"{name}, line {number:,} is no JSON: {error}") from None
        return records


def _columns(name: str, found: dict[str, Any]) -> dict[str, list[Any]]:
    """Columns as lists, or as objects by the rows' names, as pandas writes them."""
    if found and all(isinstance(value, list) for value in found.values()):
        return found
    if found and all(isinstance(value, dict) for value in found.values()):
        return from_rows_by_name(found)
    if name.endswith(("l", "ndjson")) and found and not any(isinstance(value, dict | list) for value in found.values()):
        return {key: [value] for key, value in found.items()}  # a file of records, with a single one
    raise ValueError(f"{name} is JSON of another form than {_FORMS}: its keys are {listing(found)}")
