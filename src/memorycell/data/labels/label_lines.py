"""read_label_lines: text files with a label and a text in each line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memorycell.data.labels.labelled import Labelled
from memorycell.data.log import note
from memorycell.data.origin import Origin
from memorycell.data.tables.files.delimited import find_delimiter
from memorycell.data.text.text_file import read_text

_TABLES = (".csv", ".tsv", ".tab", ".parquet", ".pq", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".json", ".jsonl")
_MAGIC = (b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"ARRO", b"FEA1", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd")
_HEADERS = {"label", "labels", "target", "class", "category", "sentiment", "y", "text", "sentence", "message"}
_PREFIX = "__label__"
_HEAD = 200
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")


def is_label_lines(path: Path, encoding: str = "utf-8") -> bool:
    """Whether a file holds a label and a text in each line, rather than a table.

    Not with the name of a table (.csv, .parquet, .xlsx, …), nor where commas, semicolons, bars or more than one tab cut
    its first lines into equally many fields.
    """
    if path.name.lower().removesuffix(".gz").endswith(_TABLES) or not path.is_file():
        return False
    with path.open("rb") as file:
        if file.read(4).startswith(_MAGIC):
            return False
    lines = [line for line in read_text(path, encoding).split("\n")[:_HEAD] if line.strip()]
    if lines[0].startswith(_PREFIX):
        return True
    delimiter = find_delimiter(lines)
    fields = lines[0].split(delimiter) if delimiter else []
    if delimiter == "\t" and len(fields) == 2:
        return not {field.strip().lower() for field in fields} <= _HEADERS
    return not delimiter


def read_label_lines(path: str | Path, encoding: str = "utf-8", labelled: bool = True) -> Labelled:
    """Read lines of a label, a space or tab, and a text; or of ``__label__a __label__b text``, as fastText has them.

    With tabs the label is on the side with fewer different values. Where any line has several labels, `y` is a
    list of lists. Empty lines are skipped; lines without a text are left out and counted in the notes.

    Parameters
    ----------
    path : path
        ``.gz`` files too.
    encoding : str
        Default UTF-8.
    labelled : bool
        False: each line is a text, and `y` is None.

    Raises
    ------
    FileNotFoundError, ValueError
        What `read_text` refuses; no line with a label and a text; labels that are all different.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "questions.txt"
    >>> _ = path.write_text("NUM How far is it ?\\nHUM Who is he ?\\nNUM How long ?\\nHUM Who was it ?\\n")
    >>> data = read_label_lines(path)
    >>> data.x[1], data.y.tolist()
    ('Who is he ?', ['NUM', 'HUM', 'NUM', 'HUM'])
    """
    path = Path(path)
    lines = [line.strip() for line in read_text(path, encoding).split("\n")]
    numbers = [number for number, line in enumerate(lines, 1) if line]
    lines = [line for line in lines if line]
    if not labelled:
        rows = np.arange(len(lines))
        return Labelled(lines, source=path.name, rows=rows, origin=Origin(rows, np.array(numbers)))
    if all(line.startswith(_PREFIX) for line in lines):
        labels, texts = _prefixed(lines)
    else:
        first, second = _halves(path.name, lines)
        labels, texts = [[label] for label in first], second
    kept = [i for i, text in enumerate(texts) if text and labels[i]]
    if not kept:
        raise ValueError(f"{path.name}: expected lines of a label, a space or tab and a text, got {lines[0]!r:.60}")
    notes = []
    if len(kept) < len(lines):
        line = numbers[min(set(range(len(lines))) - set(kept))]
        said = f"{len(lines) - len(kept):,} of {len(lines):,} lines have no text beside the label (first line {line:,})"
        notes.append(note("empty", f"{said}: left out."))
    several = any(len(labels[i]) > 1 for i in kept)
    y = [labels[i] for i in kept] if several else _numbers_or_texts([labels[i][0] for i in kept])
    rows = np.array(kept)
    origin = Origin(rows, np.array(numbers)[rows])
    return Labelled([texts[i] for i in kept], y, notes=notes, source=path.name, rows=rows, origin=origin)


def _numbers_or_texts(labels: list[str]) -> NDArray:
    """Labels that are all numbers as such, as in a table."""
    if all(_WHOLE.fullmatch(label) for label in labels):
        return np.array(labels, np.int64)
    return np.array(labels, np.float64 if all(_NUMBER.fullmatch(label) for label in labels) else np.str_)


def _prefixed(lines: list[str]) -> tuple[list[list[str]], list[str]]:
    labels, texts = [], []
    for line in lines:
        own = []
        while line.startswith(_PREFIX):
            label, _, line = line.partition(" ")
            own.append(label.removeprefix(_PREFIX))
            line = line.lstrip()
        labels.append(own)
        texts.append(line)
    return labels, texts


def _halves(name: str, lines: list[str]) -> tuple[list[str], list[str]]:
    """The labels and the texts."""
    tabs = sum("\t" in line for line in lines) >= 0.9 * len(lines)
    parts = [line.split("\t" if tabs else None, 1) for line in lines]
    first = [part[0].strip() for part in parts]
    second = [part[1].strip() if len(part) > 1 else "" for part in parts]
    if tabs and len(set(second)) < len(set(first)):
        first, second = second, first
    different = len(set(first))
    if len(lines) >= 4 and different > 0.5 * len(lines):
        raise ValueError(
            f"{name}: expected lines that begin with their label, but {different:,} of {len(lines):,} first words "
            "differ; a table of texts and labels needs the name .csv or .tsv, or delimiter="
        )
    return first, second
