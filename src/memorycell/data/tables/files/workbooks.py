"""Workbooks: .xlsx, .xlsm, .xls, .xlsb and .ods, by calamine; typed cells keep their types."""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_texts
from memorycell.data.tables.files.first_lines import find_begin, is_footnote, is_total
from memorycell.data.tables.files.how import How
from memorycell.data.tables.files.raw import Raw
from memorycell.data.tables.table import MOST_COLUMNS, MOST_STEPS, Table, check_names, listing

_FIRST = 200
_EXTRA = "is read by python-calamine, which is not installed: pip install 'memorycell[excel]'"


def read_workbook(raw: Raw, how: How) -> Table:
    """A sheet as a table: the one that is named, or the first that holds anything.

    Raises
    ------
    ModuleNotFoundError
        Without the extra ``excel``.
    ValueError
        A damaged workbook, no such sheet, nothing in it.
    """
    try:
        import python_calamine as calamine
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"{raw.name} {_EXTRA}") from None
    try:
        book = calamine.load_workbook(io.BytesIO(raw.data))
        names = list(book.sheet_names)
        notes: list[dict] = []
        rows = _sheet(calamine, book, names, raw.name, how.sheet, notes)
    except (calamine.CalamineError, calamine.WorksheetNotFound, OSError) as error:
        raise ValueError(f"{raw.name} cannot be read as a workbook: {error}") from None
    return _table(raw.name, rows, how, notes)


def _sheet(
    calamine: Any, book: Any, names: list[str], source: str, wanted: str | int | None, notes: list[dict]
) -> list[list[Any]]:
    if not names:
        raise ValueError(f"{source} has no sheets")
    if isinstance(wanted, str) and wanted not in names and wanted.isdigit():
        wanted = int(wanted)
    if isinstance(wanted, int):
        if not 0 <= wanted < len(names):
            raise ValueError(f"{source} has no sheet {wanted}: expected 0 to {len(names) - 1} ({listing(names)})")
        wanted = names[wanted]
    if wanted is not None and wanted not in names:
        raise ValueError(f"{source} has no sheet {wanted!r}: it has {listing(names)}")
    if wanted is not None:
        rows = book.get_sheet_by_name(wanted).to_python(skip_empty_area=False)
        if any(map(_filled, rows)):
            return rows
    # The first that is shown and looks like a table; else the first that holds anything.
    shown = {each.name for each in book.sheets_metadata if each.visible == calamine.SheetVisibleEnum.Visible}
    read = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in names if wanted is None}
    order = sorted(read, key=lambda name: (not _is_table(read[name]), name not in shown))
    for name in order:
        if any(map(_filled, read[name])):
            if len(names) > 1:
                said = f"{source} has {len(names)} sheets ({listing(names)}): {name!r} was read; sheet= takes another."
                notes.append(note("read", said))
            return read[name]
    which = f"the sheet {wanted!r}" if wanted is not None else "every sheet"
    raise ValueError(f"{source}: {which} is empty: expected names of columns and rows of values")


def _filled(row: list[Any]) -> int:
    return sum(cell != "" for cell in row)


def _is_table(rows: list[list[Any]]) -> bool:
    """Whether a sheet has rows of several columns, or one column of more than words."""
    wide = sum(_filled(row) > 1 for row in rows)
    return wide > 1 or sum(any(isinstance(cell, int | float) for cell in row) for row in rows) > 1


def _table(source: str, rows: list[list[Any]], how: How, notes: list[dict]) -> Table:
    kept = [(number, row) for number, row in enumerate(rows, 1) if any(cell != "" for cell in row)]
    kept = [(number, row) for number, row in kept if number > how.skip_rows]
    if not kept:
        raise ValueError(f"{source} has no rows: expected skip_rows to leave some, got {how.skip_rows:,}")
    used = [any(row[i] != "" for _, row in kept) for i in range(len(kept[0][1]))]
    first, last = used.index(True), len(used) - used[::-1].index(True)
    kept = [(number, row[first:last]) for number, row in kept]
    heads = [[_shown(cell) for cell in row] for _, row in kept[:_FIRST]]
    numbers = [number for number, _ in kept]
    begin = find_begin(
        heads, numbers, source, how.header, samples=how.samples, titles=not how.skip_rows
    )  # a title is a row with one cell filled
    check_names(begin.names, source, MOST_STEPS if how.samples else MOST_COLUMNS)
    notes += begin.notes
    body = kept[begin.first :]
    if not how.samples:
        body = _without_end(source, body, notes)
    if not body:
        raise ValueError(f"{source} has a header but no rows: expected rows of values below it")
    columns = {
        name: _column([row[i] for _, row in body])
        for i, name in enumerate(begin.names)
        if not (name.startswith("unnamed ") and all(row[i] == "" for _, row in body))
    }
    lines = [number for number, _ in body]
    blank = [name for name, column in columns.items() if column.null_count == len(column)]
    if blank:
        said = (
            f"No cell below {listing(blank)} in {source} has a value; formulas have none before a spreadsheet program "
        )
        notes.append(note("read", f"{said}has computed and saved them."))
    table = Table(pa.table(columns), source, "file", notes, lines[0], header=begin.header)
    table.skipped = sorted(set(range(lines[0], lines[-1] + 1)) - set(lines))
    if how.samples:
        table.lines = np.array(lines)  # samples are counted as the sheet counts its rows
    return table


def _without_end(source: str, body: list[tuple[int, list[Any]]], notes: list[dict]) -> list[tuple[int, list[Any]]]:
    above = [[_shown(cell) for cell in row] for _, row in body[:50]]
    end = len(body)
    while end > 1 and len(body) - end < 10:
        cells = [_shown(cell) for cell in body[end - 1][1]]
        if not is_footnote(cells, len(cells)) and not is_total(cells, above):
            break
        end -= 1
    if end < len(body):
        shown = ", ".join(filter(None, map(_shown, body[end][1])))
        were = "1 row below the table was" if end == len(body) - 1 else f"{len(body) - end} rows below the table were"
        notes.append(note("read", f"{were} left out of {source} ({shown!r:.60})."))
    return body[:end]


def _shown(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def _column(cells: Sequence[Any]) -> pa.Array:
    """Cells of one type as that type, empty ones missing; of several types as text."""
    present = [cell for cell in cells if cell != ""]
    kinds = {type(cell) for cell in present}
    if not present:
        return pa.nulls(len(cells), pa.float64())
    if kinds == {bool}:
        return pa.array([None if cell == "" else cell for cell in cells], pa.bool_())
    if kinds <= {int, float}:
        whole = all(float(cell).is_integer() and abs(cell) < 2**53 for cell in present)
        if whole:
            return pa.array([None if cell == "" else int(cell) for cell in cells], pa.int64())
        return pa.array([None if cell == "" else float(cell) for cell in cells], pa.float64())
    if kinds <= {datetime.datetime, datetime.date}:
        stamps = [None if cell == "" else _stamp(cell) for cell in cells]
        return pa.array(stamps, pa.timestamp("us"))
    if kinds <= {datetime.datetime, datetime.date, int, float} and all(_is_serial(cell) for cell in present):
        return pa.array([None if cell == "" else _stamp(cell) for cell in cells], pa.timestamp("us"))
    return as_texts([_written(cell) for cell in cells])


_FIRST_DAY = datetime.datetime(1899, 12, 30)


def _is_serial(cell: Any) -> bool:
    """Whether a cell beside dates is one, as a number of days that was not formatted as a date."""
    return isinstance(cell, datetime.date) or 10_000 < cell < 100_000


def _stamp(cell: datetime.date | float) -> datetime.datetime:
    if isinstance(cell, int | float):
        return _FIRST_DAY + datetime.timedelta(days=cell)
    return cell if isinstance(cell, datetime.datetime) else datetime.datetime(cell.year, cell.month, cell.day)


def _written(cell: Any) -> str:
    if isinstance(cell, datetime.timedelta):
        seconds = round(cell.total_seconds())
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return _shown(cell) if cell.is_integer() else repr(cell)
    return str(cell)
