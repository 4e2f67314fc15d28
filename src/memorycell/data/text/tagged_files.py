"""read_tagged and format_tagged: sentences of tagged words in CoNLL, CoNLL-U and TSV files, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from memorycell.data.log import note
from memorycell.data.text.tagged_layout import (
    CONLLU,
    DOCUMENT,
    Layout,
    found_columns,
    joined_fields,
    layout_of,
    split_fields,
)
from memorycell.data.text.text_file import read_text

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_RANGE_OR_EMPTY = re.compile(r"\d+[-.]\d+")
_LONG = 1000  # words of a sentence that is hardly one


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
        Between columns: a tab, a space (then any run of spaces and tabs), a comma or a semicolon.
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
    header : int or None
        The line that names the columns.
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
    header: int | None = None

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
    sentence: int | str | None = None,
    labelled: bool = True,
    encoding: str = "utf-8",
    weight: int | str | None = None,
) -> Tagged:
    """Read sentences with one word a line, in columns, and an empty line after each sentence, or a column that says it.

    Formats are told apart by what they hold: CoNLL (2003 and its like; ``-DOCSTART-`` lines are skipped), CoNLL-U
    (ten columns, the first a number; multiword ranges ``3-4`` and empty nodes ``3.1`` are skipped;
    https://universaldependencies.org/format.html), TSV of any number of columns, and CSV (by its name). Comments are
    lines that begin with ``#`` between sentences and have not the columns of a word. A first line that names columns
    is known by the names that such columns have, or by a tag of no scheme where all others are of one.

    Parameters
    ----------
    path : path
        ``.gz`` files too.
    word, tag : int or str, optional
        Columns by place from 0 (negative: from the end), in CoNLL-U and where the first line names them also by name
        (FORM, LEMMA, UPOS, XPOS, ...). By default FORM and UPOS in CoNLL-U, what the first line calls so, else the
        first and the last column; of two columns without names, that whose labels mark spans has the tags.
    sentence : int or str, optional
        Column that says which sentence a word belongs to; an empty cell: that of the word before. By default one that
        the first line calls so, else sentences end with an empty line.
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
        tags are needed, no word at all, no end of a sentence in a CSV: each with its line.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.tsv"
    >>> _ = path.write_text("She\\tPRON\\nsleeps\\tVERB\\n\\nYes\\tINTJ\\n")
    >>> read_tagged(path).words, read_tagged(path).tags
    ([['She', 'sleeps'], ['Yes']], [['PRON', 'VERB'], ['INTJ']])
    """
    path = Path(path)
    layout = layout_of(path.name, read_text(path, encoding))
    if labelled and layout.columns == 1:
        first = layout.lines[layout.first]
        raise ValueError(
            f"{path.name} has only one column (line {layout.first + 1:,}: {first!r:.40}): expected a word and its tag "
            "in each line, separated by a tab or a space"
        )
    at_word, at_tag, at_sentence = found_columns(layout)
    at_word = at_word if word is None else layout.column(word)
    at_tag = at_tag if tag is None else layout.column(tag)
    at_sentence = at_sentence if sentence is None else layout.column(sentence)
    if labelled and at_word == at_tag:
        raise ValueError(f"{path.name}: words and tags are both in column {at_word}: name another with word= or tag=")
    if at_sentence is not None and (at_sentence == at_word or (labelled and at_sentence == at_tag)):
        raise ValueError(f"{path.name}: sentences are in column {at_sentence}, as words or tags are: name another")
    data = Tagged(
        [], [] if labelled else None, layout.lines, [], layout.separator, layout.columns,
        at_tag if labelled else None, layout.conllu, header=layout.header,
    )  # fmt: skip
    _take_words(data, layout, at_word, at_sentence)
    if not data.words:
        raise ValueError(f"{path.name} has no words: expected a word and its tag in each line")
    _check_ends(data, layout, at_sentence)
    if weight is not None:
        data.weights = _weights(layout, data, layout.column(weight))
    if layout.header is not None:
        names = f"words in {layout.names[at_word]!r}" + (f", tags in {layout.names[at_tag]!r}" if labelled else "")
        where = "" if at_sentence is None else f", sentences in {layout.names[at_sentence]!r}"
        data.notes.append(note("columns", f"Line {layout.header + 1} names the columns: {names}{where}."))
    elif not labelled and word is None and not layout.conllu and layout.separator == " " and layout.columns > 1:
        text = f"The words are those of column {at_word}, of {layout.columns} between spaces: a line has one word."
        data.notes.append(note("columns", text))
    elif labelled and tag is None and at_tag < at_word:
        data.notes.append(note("columns", "Column 0 has the tags, as its labels mark spans, and column 1 the words."))
    return data


def _take_words(data: Tagged, layout: Layout, at_word: int, at_sentence: int | None) -> None:
    """Read the words and tags of a file, sentence by sentence."""
    skipped = {"multiword tokens and empty nodes": 0, "document marks": 0, "rows without a word": 0}
    fresh, named, table = True, "", layout.separator in ",;"
    for number, line in enumerate(layout.lines):
        if not line.strip():
            fresh = fresh or at_sentence is None
            continue
        if number == layout.header:
            continue
        fields = layout.at(number)
        if fresh and layout.is_comment(line, fields):
            continue
        if fields[0] == DOCUMENT:
            skipped["document marks"] += 1
            fresh = True
            continue
        if table and not any(each.strip() for each in fields):
            fresh = fresh or at_sentence is None
            continue
        if len(fields) != layout.columns:
            raise ValueError(_unequal(layout, number, fields))
        if layout.conllu and _RANGE_OR_EMPTY.fullmatch(fields[0]):
            skipped["multiword tokens and empty nodes"] += 1
            continue
        if at_sentence is not None and fields[at_sentence].strip() not in ("", named):
            fresh, named = True, fields[at_sentence].strip()
        if table and not fields[at_word].strip():
            skipped["rows without a word"] += 1
            continue
        if fresh:
            data.words.append([])
            data.places.append([])
            if data.tags is not None:
                data.tags.append([])
            fresh = False
        data.words[-1].append(_value(layout.name, number, fields[at_word], "word", False))
        data.places[-1].append(number)
        if data.tags is not None and data.tag_column is not None:
            tag = _value(layout.name, number, fields[data.tag_column], "tag", layout.conllu)
            data.tags[-1].append(tag.strip(" "))
    data.notes += [note("skipped", f"{count:,} {what} were skipped.") for what, count in skipped.items() if count]


def _check_ends(data: Tagged, layout: Layout, at_sentence: int | None) -> None:
    """Refuse a table that does not say where sentences end, and note sentences that are hardly ones."""
    longest = max(map(len, data.words))
    if layout.separator in ",;" and at_sentence is None and len(data) == 1 and longest > _LONG // 5:
        raise ValueError(
            f"{layout.name} does not say where its sentences end: name the column that does with sentence=, or put an "
            "empty line after each"
        )
    if longest > _LONG:
        text = (
            f"The longest sentence has {longest:,} words: sentences end with an empty line, or where sentence= says so."
        )
        data.notes.append(note("sentences", text))


def _weights(layout: Layout, data: Tagged, column: int) -> list[list[float]]:
    """The numbers of a column, one a word."""
    if column == data.tag_column:
        raise ValueError(
            f"{layout.name}: tags and weights are both in column {column}: name another with tag= or weight="
        )
    found = []
    for sentence in data.places:
        own = []
        for number in sentence:
            text = layout.fields(data.lines[number])[column]
            value = float(text) if _DECIMAL.fullmatch(text.strip()) else math.nan
            if not 0 <= value < math.inf:
                raise ValueError(
                    f"{layout.name}, line {number + 1:,}: expected a weight of at least 0 in column {column}, "
                    f"got {text!r:.40}"
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
    lines = list(data.lines)
    space = {" ": " \t", "\t": "\t"}.get(data.separator, "")
    for number, tag in zip(chain.from_iterable(data.places), chain.from_iterable(tags), strict=True):
        tag = str(tag)
        if not tag.strip() or any(mark in tag for mark in (*space, "\n", "\r")):
            raise ValueError(f"a tag cannot be {tag!r:.40} in this file: expected text without its column separator")
        fields = split_fields(lines[number], data.separator)
        if add or column is None:
            fields.append(tag)
        else:
            fields[column] = tag
        lines[number] = joined_fields(fields, data.separator)
    if add and data.header is not None:
        names = split_fields(lines[data.header], data.separator)
        taken = {name.strip().lower() for name in names}
        lines[data.header] = joined_fields([*names, "predicted_tag" if "tag" in taken else "tag"], data.separator)
    return "\n".join(lines)


def _value(name: str, number: int, value: str, what: str, conllu: bool) -> str:
    if not value.strip() or (conllu and value == "_"):
        got = "'_', which means none" if value.strip() else "nothing"
        raise ValueError(
            f"{name}, line {number + 1:,}: expected a {what}, got {got}: fill it in, or choose another column"
        )
    return value


def _unequal(layout: Layout, number: int, fields: list[str]) -> str:
    got = f"{len(fields)} ({' '.join(fields)!r:.60})"
    return (
        f"{layout.name}, line {number + 1:,}: expected {layout.columns} columns as in line {layout.first + 1:,}, got "
        f"{got}; a line has one word, and sentences end with an empty line"
    )
