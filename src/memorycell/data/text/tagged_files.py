"""read_tagged and format_tagged: sentences of tagged words in CoNLL, CoNLL-U and TSV files, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from memorycell.data.log import note
from memorycell.data.tables.table import listing
from memorycell.data.text.text_file import read_text

CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_DOCUMENT = "-DOCSTART-"
_SPACES = re.compile(r"[ \t]+")
_WORD_ID = re.compile(r"\d+")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_RANGE_OR_EMPTY = re.compile(r"\d+[-.]\d+")


@dataclass(repr=False)
class Tagged:
    """Sentences of words with their tags, and the lines they came from.

    Attributes
    ----------
    words, tags : list of list of str
        One list a sentence; tags None when none were asked for or there.
    lines : list of str
        The lines of the file, without their ends.
    places : list of list of int
        The line of each word, counted from 0.
    separator : str
        Between columns: a tab, or a space (then any run of spaces and tabs).
    columns : int
        How many columns each word's line has.
    tag_column : int or None
        The column the tags were read from.
    conllu : bool
        Whether it is a CoNLL-U file.
    notes : list of dict
        What was skipped: ``{"kind": ..., "text": ...}``.
    weights : list of list of float, or None
        How much each word counts, where a column says so.
    """

    words: list[list[str]]
    tags: list[list[str]] | None = None
    lines: list[str] = field(default_factory=list)
    places: list[list[int]] = field(default_factory=list)
    separator: str = "\t"
    columns: int = 0
    tag_column: int | None = None
    conllu: bool = False
    notes: list[dict] = field(default_factory=list)
    weights: list[list[float]] | None = None

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        tags = "without tags" if self.tags is None else "with tags"
        return f"Tagged({len(self):,} sentences, {sum(map(len, self.words)):,} words {tags})"


def read_tagged(
    path: str | Path,
    word: int | str | None = None,
    tag: int | str | None = None,
    *,
    labelled: bool = True,
    encoding: str = "utf-8",
    weight: int | str | None = None,
) -> Tagged:
    """Read sentences with one word a line, its columns separated by tabs or spaces, and an empty line after each.

    Three formats, told apart by what they hold: CoNLL (2003 and its like; ``-DOCSTART-`` lines are skipped), CoNLL-U
    (ten columns, the first a number; multiword ranges ``3-4`` and empty nodes ``3.1`` are skipped;
    https://universaldependencies.org/format.html) and TSV of any number of columns. Comments are lines that begin
    with ``#`` between sentences and have not the columns of a word.

    Parameters
    ----------
    path : path
        ``.gz`` files too.
    word, tag : int or str, optional
        Columns by place from 0 (negative: from the end), in CoNLL-U also by name (FORM, LEMMA, UPOS, XPOS, ...). By
        default FORM and UPOS there, else the first and the last column.
    labelled : bool
        False: only the words are read, and tags are None; one column will do.
    encoding : str
        Default UTF-8.
    weight : int or str, optional
        Column of how much each word counts, as `word`; by default none.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        What `read_text` refuses, a line of another number of columns, a word or tag that is missing, one column where
        tags are needed, no word at all: each with its line.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.tsv"
    >>> _ = path.write_text("She\\tPRON\\nsleeps\\tVERB\\n\\nYes\\tINTJ\\n")
    >>> read_tagged(path).words, read_tagged(path).tags
    ([['She', 'sleeps'], ['Yes']], [['PRON', 'VERB'], ['INTJ']])
    """
    path = Path(path)
    lines = read_text(path, encoding).split("\n")
    separator, columns, first = _layout(path.name, lines)
    conllu = separator == "\t" and columns == len(CONLLU) and bool(_WORD_ID.match(lines[first]))
    if labelled and columns == 1:
        raise ValueError(
            f"{path.name} has only one column (line {first + 1:,}: {lines[first]!r:.40}): expected a word and its tag "
            "in each line, separated by a tab or a space"
        )
    at_word = _column(path.name, 1 if word is None and conllu else word or 0, columns, conllu)
    at_tag = _column(path.name, (3 if conllu else -1) if tag is None else tag, columns, conllu)
    if labelled and at_word == at_tag:
        raise ValueError(f"{path.name}: words and tags are both in column {at_word}: name another with word= or tag=")
    data = Tagged([], [] if labelled else None, lines, [], separator, columns, at_tag if labelled else None, conllu)
    skipped = {"multiword tokens and empty nodes": 0, "document marks": 0}
    fresh = True
    for number, line in enumerate(lines):
        if not line.strip():
            fresh = True
            continue
        fields = _fields(line, separator)
        if fresh and line.startswith("#") and (conllu or len(fields) != columns):
            continue
        if fields[0] == _DOCUMENT:
            skipped["document marks"] += 1
            continue
        if len(fields) != columns:
            raise ValueError(_unequal(path.name, number, columns, first, fields))
        if conllu and _RANGE_OR_EMPTY.fullmatch(fields[0]):
            skipped["multiword tokens and empty nodes"] += 1
            continue
        if fresh:
            data.words.append([])
            data.places.append([])
            if data.tags is not None:
                data.tags.append([])
            fresh = False
        data.words[-1].append(_value(path.name, number, fields[at_word], "word", False))
        data.places[-1].append(number)
        if data.tags is not None:
            data.tags[-1].append(_value(path.name, number, fields[at_tag], "tag", conllu))
    if not data.words:
        raise ValueError(f"{path.name} has no words: expected a word and its tag in each line")
    if weight is not None:
        data.weights = _weights(path.name, data, _column(path.name, weight, columns, conllu))
    data.notes += [note("skipped", f"{count:,} {what} were skipped.") for what, count in skipped.items() if count]
    return data


def _weights(name: str, data: Tagged, column: int) -> list[list[float]]:
    """The numbers of a column, one a word."""
    if column == data.tag_column:
        raise ValueError(f"{name}: tags and weights are both in column {column}: name another with tag= or weight=")
    found = []
    for sentence in data.places:
        own = []
        for number in sentence:
            text = _fields(data.lines[number], data.separator)[column]
            value = float(text) if _DECIMAL.fullmatch(text.strip()) else math.nan
            if not 0 <= value < math.inf:
                raise ValueError(
                    f"{name}, line {number + 1:,}: expected a weight of at least 0 in column {column}, got {text!r:.40}"
                )
            own.append(value)
        found.append(own)
    return found


def format_tagged(data: Tagged, tags: Sequence[Sequence[str]], add: bool | None = None) -> str:
    """The text of the file that `data` was read from, with `tags` in their place.

    All else stays as it was: comments, other columns, lines that were skipped. (Columns separated by runs of spaces
    come out with one space.)

    Parameters
    ----------
    data : Tagged
    tags : list of list of str
        One for each word.
    add : bool, optional
        True adds a last column, False takes the place of the column that the tags were read from. By default a CoNLL-U
        file's own column is filled and a file read with ``labelled=False`` gets another one.

    Raises
    ------
    ValueError
        Tags of other lengths than the sentences, or that would break a line; a further column in CoNLL-U.

    Example
    -------
    >>> data = Tagged([["She", "sleeps"]], None, ["She", "sleeps", ""], [[0, 1]], "\\t", 1)
    >>> format_tagged(data, [["PRON", "VERB"]])
    'She\\tPRON\\nsleeps\\tVERB\\n'
    """
    if len(tags) != len(data.words):
        raise ValueError(f"expected tags of {len(data.words):,} sentences, got {len(tags):,}")
    for i, (own, words) in enumerate(zip(tags, data.words, strict=True)):
        if len(own) != len(words):
            raise ValueError(f"expected {len(words):,} tags of sentence {i}, got {len(own):,}")
    column = data.tag_column if not data.conllu or data.tag_column is not None else CONLLU.index("UPOS")
    add = column is None if add is None else add
    if add and data.conllu:
        raise ValueError("a CoNLL-U file has ten columns: expected add=False, which fills its own column of tags")
    if not add and column is None:
        raise ValueError("the words were read without tags: expected add=True, which adds a column")
    lines, space = list(data.lines), " \t" if data.separator == " " else "\t"
    for number, tag in zip(chain.from_iterable(data.places), chain.from_iterable(tags), strict=True):
        tag = str(tag)
        if not tag.strip() or any(mark in tag for mark in (*space, "\n", "\r")):
            raise ValueError(f"a tag cannot be {tag!r:.40} in this file: expected text without its column separator")
        fields = _fields(lines[number], data.separator)
        if add or column is None:
            fields.append(tag)
        else:
            fields[column] = tag
        lines[number] = data.separator.join(fields)
    return "\n".join(lines)


def _fields(line: str, separator: str) -> list[str]:
    return line.split("\t") if separator == "\t" else _SPACES.split(line.strip(" \t"))


def _layout(name: str, lines: list[str]) -> tuple[str, int, int]:
    """Separator, number of columns and the place of the first word's line (the first that is no comment)."""
    for number, line in enumerate(lines):
        if not line.strip() or line.startswith(_DOCUMENT):
            continue
        if line.startswith("#") and "\t" not in line and (line[1:2] in ("", " ") or "=" in line):
            continue
        separator = "\t" if "\t" in line else " "
        return separator, len(_fields(line, separator)), number
    raise ValueError(f"{name} has no words: expected a word and its tag in each line")


def _column(name: str, column: int | str, columns: int, conllu: bool) -> int:
    if isinstance(column, str):
        if not conllu:
            raise ValueError(
                f"{name} has no names of columns: expected a place from 0 to {columns - 1}, got {column!r:.40}"
            )
        if column.upper() not in CONLLU:
            raise ValueError(f"{name} has no column {column!r:.40}: expected one of {listing(CONLLU, 10)}")
        return CONLLU.index(column.upper())
    if not -columns <= column < columns:
        raise ValueError(
            f"{name} has no column {column}: expected 0 to {columns - 1}, or -1 to {-columns} from the end"
        )
    return column % columns


def _value(name: str, number: int, value: str, what: str, conllu: bool) -> str:
    if not value.strip() or (conllu and value == "_"):
        got = "'_', which means none" if value.strip() else "nothing"
        raise ValueError(
            f"{name}, line {number + 1:,}: expected a {what}, got {got}: fill it in, or choose another column"
        )
    return value


def _unequal(name: str, number: int, columns: int, first: int, fields: list[str]) -> str:
    got = f"{len(fields)} ({' '.join(fields)!r:.60})"
    return (
        f"{name}, line {number + 1:,}: expected {columns} columns as in line {first + 1:,}, got {got}; "
        "sentences end with an empty line"
    )
