"""memorycell explain --rows or --worst: a table of answers with what spoke for each, written as it is made."""

from __future__ import annotations

import contextlib
import csv
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from memorycell.cli.output import print_json, print_notes

TABLE = (".csv", ".json")


def parsed_rows(text: str | None) -> list[int] | None:
    """Numbers with commas between; spans such as 3-7 too.

    Example
    -------
    >>> parsed_rows("3,17"), parsed_rows("2-4,9")
    ([3, 17], [2, 3, 4, 9])
    """
    if text is None:
        return None
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isascii() or not first.isdigit() or (dash and not (last.isascii() and last.isdigit())):
            raise ValueError(f"expected numbers of rows, such as 3,17 or 3-7, got {text!r:.60}")
        found += range(int(first), int(last) + 1) if dash else [int(first)]
    return found


def write_reasons(
    output: Path | None, model: Any, data: Path, chosen: dict[str, Any], where: dict[str, Any], **how: Any
) -> int:
    """Write a row for each answer, and return how many.

    Parameters
    ----------
    output : .csv or .json; None: CSV on stdout
    chosen : "rows" and "worst", of which one is given
    where : what else is asked, and how the data are read
    how : "method", "most", "keep", "as_json" and "quiet"
    """
    from memorycell.jobs.reasons import reasons

    quiet, as_json = how.pop("quiet"), how.pop("as_json")
    reading = {option.name for option in type(model).JOB.of("explain") if option.reading}
    samples, places = model.chosen(
        data, **chosen, counted=True, **{name: value for name, value in where.items() if name in reading}
    )
    notes: list[str] = []
    asked = {name: value for name, value in where.items() if name not in reading}
    rows = reasons(model, samples, places, notes=notes, **how, **asked)
    if as_json or (output is not None and output.suffix.lower() == ".json"):
        found = list(rows)
        if output is None:
            print_json(found)
        else:
            with _replaced(output) as file, contextlib.redirect_stdout(file):
                print_json(found)
    elif output is None:
        _as_csv(rows, sys.stdout)
    else:
        with _replaced(output) as file:
            _as_csv(rows, file)
    print_notes(notes, quiet=quiet)
    return len(places)


def _as_csv(rows: Iterable[dict[str, Any]], file: TextIO) -> None:
    """A line for each row, as soon as it is made."""
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(file, list(row), lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
        writer.writerow({name: _text(value) for name, value in row.items()})
        file.flush()


def _text(value: Any) -> Any:
    if isinstance(value, float):
        return "" if value != value else f"{value:.10g}"
    return "" if value is None else value


@contextlib.contextmanager
def _replaced(path: Path) -> Iterator[TextIO]:
    """A file beside `path` that takes its place once it is whole."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.resolve().parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
