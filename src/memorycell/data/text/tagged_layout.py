"""How a file of tagged words is laid out: its separator, its columns and what they are called."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from memorycell.data.labels.label_schemes import span_scheme
from memorycell.data.lines import listing

CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
DOCUMENT = "-DOCSTART-"
_SPACES = re.compile(r"[ \t]+")
_WORD_ID = re.compile(r"\d+")
# "# sent_id = 1", "# id 5239 domain=en": a comment even where it has as many columns as a word.
_COMMENT = re.compile(r"#\s*[\w:.-]+\s*=|#\s+(id|sent_id|newdoc|newpar|text)\b")
_HEAD = 2000  # lines that are looked at
# What columns are called, without case and signs; of tags, those first that are meant before others.
WORDS = ("word", "words", "token", "tokens", "form", "wordform", "text")
TAGS = (
    "tag", "tags", "label", "labels", "ner", "nertag", "nertags", "entity", "entities", "bio", "iob", "iobtag", "class",
    "upos", "pos", "postag", "postags", "xpos",
)  # fmt: skip
_OTHERS = {
    "", "id", "index", "line", "position", "lemma", "chunk", "chunktag", "chunktags", "head", "deprel", "feats", "doc",
    "docid", "document", "documentid", "file", "unnamed",
}  # fmt: skip


@dataclass
class Layout:
    """Of a file of tagged words.

    Attributes
    ----------
    name : str
        The file's.
    lines : list of str
        A word each, or a comment, or nothing; of a table between commas, one record each.
    separator : str
        A tab, a space (then any run of spaces and tabs), a comma or a semicolon.
    columns, first : int
        How many columns a word has, and its first line.
    header : int or None
        The line that names the columns.
    names : list of str
        What it says.
    conllu : bool
    """

    name: str
    lines: list[str]
    separator: str
    columns: int
    first: int
    header: int | None = None
    names: list[str] = field(default_factory=list)
    conllu: bool = False
    cells: list[list[str]] | None = None  # of a table, as they were found while its records were

    def fields(self, line: str) -> list[str]:
        """The columns of a line."""
        return split_fields(line, self.separator)

    def at(self, number: int) -> list[str]:
        """The columns of the line of this number."""
        return self.fields(self.lines[number]) if self.cells is None else self.cells[number]

    def cells_of(self, place: int) -> list[str]:
        """The cells of a column, by the first lines."""
        rows = [self.at(number) for number in range(self.first, min(len(self.lines), _HEAD))]
        return [row[place] for row in rows if len(row) == self.columns]

    def has_gaps(self) -> bool:
        """Whether an empty line stands between words, by the first lines."""
        body = "\n".join(self.lines[self.first : _HEAD]).strip("\n")
        return any(not line.strip(" \t,;") for line in body.split("\n"))

    def is_comment(self, line: str, fields: Sequence[str]) -> bool:
        """Whether a line that begins a sentence is none of its words."""
        return line.startswith("#") and (
            self.conllu or len(fields) != self.columns or bool(_COMMENT.match(line) and self.separator == " ")
        )

    def column(self, column: int | str) -> int:
        """The place of a column that was given by name or place; ValueError when there is none such."""
        if isinstance(column, str):
            return self._named(column)
        if not -self.columns <= column < self.columns:
            raise ValueError(
                f"{self.name} has no column {column}: expected 0 to {self.columns - 1}, or -1 to -{self.columns} from "
                "the end"
            )
        return column % self.columns

    def _named(self, column: str) -> int:
        names = list(CONLLU) if self.conllu else self.names
        if not names:
            raise ValueError(
                f"{self.name} has no names of columns: expected a place from 0 to {self.columns - 1}, "
                f"got {column!r:.40}"
            )
        lower = [name.strip().lower() for name in names]
        if column in names:
            return names.index(column)
        if column.strip().lower() not in lower:
            raise ValueError(
                f"{self.name} has no column {column!r:.40}: expected one of {listing(map(repr, names), 10)}"
            )
        return lower.index(column.strip().lower())


def split_fields(line: str, separator: str) -> list[str]:
    """The columns of a line."""
    if separator == " ":
        return _SPACES.split(line.strip(" \t"))
    return line.split("\t") if separator == "\t" else next(csv.reader([line], delimiter=separator), [])


def joined_fields(fields: Sequence[str], separator: str) -> str:
    """A line of these columns.

    Example
    -------
    >>> joined_fields(["a", "b, c"], ","), joined_fields(["a", "b, c"], "\\t")
    ('a,"b, c"', 'a\\tb, c')
    """
    if separator in (" ", "\t"):
        return separator.join(fields)
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerow(fields)
    return out.getvalue()[:-1]


def layout_of(name: str, text: str) -> Layout:
    """How a text of tagged words is laid out.

    Raises
    ------
    ValueError
        For a text without words.
    """
    table = name.lower().removesuffix(".gz").endswith(".csv")
    lines, cells = text.split("\n"), None
    head = [(number, line) for number, line in enumerate(lines[:_HEAD]) if _is_word(line)]
    if not head:
        raise ValueError(f"{name} has no words: expected a word and its tag in each line")
    separator = "\t" if 2 * sum("\t" in line for _, line in head) >= len(head) else " "
    if table and separator == " ":
        separator = max(",;", key=head[0][1].count)
        lines, cells = _records(name, lines, separator)
        head = [(number, line) for number, line in enumerate(lines[:_HEAD]) if _is_word(line)]
    counts = Counter(len(split_fields(line, separator)) for _, line in head)
    columns = counts.most_common(1)[0][0] if separator != " " else len(split_fields(head[0][1], separator))
    if len(counts) > 1 and counts.most_common(1)[0][1] < 0.9 * len(head):
        columns = len(split_fields(head[0][1], separator))
    place = next(number for number, line in head if len(split_fields(line, separator)) == columns)
    layout = Layout(name, lines, separator, columns, place, cells=cells)
    layout.conllu = separator in "\t " and columns == len(CONLLU) and _is_conllu(layout.at(place), separator)
    if not layout.conllu and _is_header(layout, [line for number, line in head if number > place], table):
        layout.header, layout.names = place, [each.strip() for each in layout.fields(lines[place])]
        layout.first = next((number for number, line in head if number > place), place)
    return layout


def _is_conllu(fields: Sequence[str], separator: str) -> bool:
    """Whether ten columns are those of CoNLL-U: a number first, and between spaces that of its head, too."""
    head = fields[CONLLU.index("HEAD")]
    return bool(_WORD_ID.match(fields[0])) and (separator == "\t" or head == "_" or head.isdigit())


def _is_word(line: str) -> bool:
    """Whether a line may be a word's; where nothing is known of columns yet."""
    if not line.strip() or line.startswith(DOCUMENT):
        return False
    plain = line.startswith("#") and ("\t" not in line or _COMMENT.match(line))
    return not (plain and (line[1:2] in ("", " ") or "=" in line))


def _records(name: str, lines: list[str], separator: str) -> tuple[list[str], list[list[str]]]:
    """The records of a table as they are written, and their cells: one may hold a line break."""
    reader = csv.reader((line + "\n" for line in lines), delimiter=separator)
    found, cells, place = [], [], 0
    try:
        for record in reader:
            cells.append(record)
            found.append("\n".join(lines[place : reader.line_num]))
            place = reader.line_num
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num:,}: {error}: expected cells between {separator!r}") from None
    return found, cells


def plain(name: str) -> str:
    """A column's name without case and signs.

    Example
    -------
    >>> plain("Sentence #"), plain("NER_tags")
    ('sentence', 'nertags')
    """
    return re.sub(r"[^a-z]+", "", name.lower())


def _is_sentence(name: str) -> bool:
    return plain(name).startswith("sent") and not plain(name).startswith("sentiment")


def _names_rows(name: str) -> bool:
    """Whether a plain name is that of a column of sentences or of identifiers."""
    return name.startswith("sent") or name.endswith("id")


def _are_runs(cells: Sequence[Any]) -> bool:
    """Whether equal cells stand together, several in a row, and never come back: what a sentence is called by."""
    runs = [cell for cell, _ in groupby(cells)]
    return 1 < len(runs) < 0.7 * len(cells) and len(set(runs)) == len(runs)


def _is_header(layout: Layout, rest: list[str], table: bool) -> bool:
    """Whether the first line names columns: by names one knows, or by a tag that is none where all others are."""
    fields = layout.fields(layout.lines[layout.first])
    names = [plain(each) for each in fields]
    known = all(each in WORDS or each in TAGS or each in _OTHERS or _names_rows(each) for each in names)
    if known and any(each in WORDS for each in names) and (len(fields) > 1 or names[0] in ("word", "token")):
        return True
    others = [found for found in map(layout.fields, rest) if len(found) == len(fields)]
    if len(fields) < 2 or not others:
        return False
    tags = {found[-1] for found in others}
    if table:
        return fields[-1] not in tags
    return span_scheme(tags) is not None and span_scheme(tags | {fields[-1]}) is None


def found_columns(layout: Layout, cells: Callable[[int], Sequence[Any]] | None = None) -> tuple[int, int, int | None]:
    """The columns of words, of tags and of sentences, where nobody says them; `cells`: those of a column of a table."""
    if layout.conllu:
        return CONLLU.index("FORM"), CONLLU.index("UPOS"), None
    names = [plain(each) for each in layout.names]
    word = next((names.index(each) for each in WORDS if each in names), None)
    tag = next((names.index(each) for each in TAGS if each in names), None)
    sentence = next((place for place, each in enumerate(layout.names) if _is_sentence(each)), None)
    if sentence is None and cells is None and not layout.has_gaps():
        cells = layout.cells_of
    if sentence is None and cells is not None:
        named = [place for place, each in enumerate(names) if each.endswith("id") and place not in (word, tag)]
        sentence = next((place for place in named if _are_runs(cells(place))), None)
    if not layout.names and layout.columns == 2:
        head = [layout.fields(line) for line in layout.lines[layout.first : _HEAD] if _is_word(line)]
        both = [found for found in head if len(found) == 2]
        if span_scheme(found[0] for found in both) and not span_scheme(found[1] for found in both):
            return 1, 0, None
    taken = {place for place in (word, sentence) if place is not None}
    free = [place for place in range(layout.columns) if place not in taken]
    word = word if word is not None else next(iter(free), 0)
    return word, tag if tag is not None else (free[-1] if free else layout.columns - 1), sentence
