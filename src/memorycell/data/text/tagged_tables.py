"""read_tagged_table and read_tagged_json: tagged words out of frames, Parquet and Excel files, and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from memorycell.data.log import note
from memorycell.data.text.tagged_files import Tagged
from memorycell.data.text.tagged_layout import TAGS, WORDS, Layout, found_columns, plain
from memorycell.data.text.tagged_spans import TEXTS, marked
from memorycell.data.text.text_file import read_text

_HEAD = 2000  # rows that are looked at
JSON = (".json", ".jsonl", ".ndjson")
TABLES = (".parquet", ".pq", ".feather", ".arrow", ".xlsx", ".xls", ".ods")


def read_tagged_table(
    source: Any,
    word: int | str | None = None,
    tag: int | str | None = None,
    *,
    sentence: int | str | None = None,
    labelled: bool = True,
) -> Tagged:
    """Sentences of a table with a word a row, and a column that says which sentence it belongs to.

    Parameters
    ----------
    source : frame, dict of columns, or path of a Parquet or Excel file; see `read_table`
    word, tag, sentence, labelled : see `read_tagged`

    Raises
    ------
    ValueError
        For columns that are not there, no column of sentences, a word or tag that is missing.

    Example
    -------
    >>> table = {"Sentence #": ["1", None, "2"], "Word": ["She", "sleeps", "Yes"], "Tag": ["PRON", "VERB", "INTJ"]}
    >>> read_tagged_table(table).words
    [['She', 'sleeps'], ['Yes']]
    """
    # Only tables need what reads them.
    from memorycell.data.tables.reading import read_table

    table = read_table(source, samples=True)
    layout = Layout(table.source, [], ",", len(table.columns), 0, 0, list(table.columns))
    at_word, at_tag, at_sentence = found_columns(
        layout, lambda place: table.texts(table.columns[place]).slice(0, _HEAD).to_pylist()
    )
    at_word = at_word if word is None else layout.column(word)
    at_tag = at_tag if tag is None else layout.column(tag)
    at_sentence = at_sentence if sentence is None else layout.column(sentence)
    if at_sentence is None:
        raise ValueError(
            f"{table.source} does not say where its sentences end: name the column that does with sentence="
        )
    names = [table.columns[at] for at in (at_sentence, at_word, at_tag)]
    if len(set(names if labelled else names[:2])) < (3 if labelled else 2):
        raise ValueError(f"{table.source}: expected sentences, words and tags in different columns, got {names}")
    columns = [table.texts(name).to_pylist() for name in names]
    data = Tagged([], [] if labelled else None)
    known, skipped = None, 0
    for row, (where, form, label) in enumerate(zip(*columns, strict=True)):
        if where not in (None, "", known) or not data.words:
            known = where
            data.words.append([])
            if data.tags is not None:
                data.tags.append([])
        if form is None or not form.strip():
            skipped += 1
            continue
        data.words[-1].append(form)
        if data.tags is not None:
            if label is None or not label.strip():
                raise ValueError(f"{table.source} has no tag in column {names[2]!r} in {table.where(row)}: fill it in")
            data.tags[-1].append(label)
    said = f"words in {names[1]!r}" + (f", tags in {names[2]!r}" if labelled else "") + f", sentences in {names[0]!r}"
    data.notes = [note("columns", f"Of {table.source}: {said}.")]
    if skipped:
        data.notes.append(note("skipped", f"{skipped:,} rows without a word were skipped."))
    return _with_words(data, table.source)


def read_tagged_json(
    path: str | Path,
    word: int | str | None = None,
    tag: int | str | None = None,
    *,
    labelled: bool = True,
    encoding: str = "utf-8",
) -> Tagged:
    """Sentences of a JSON file: a list of objects, or one a line, each with a list of words and one of tags.

    Parameters
    ----------
    path : path
        ``.gz`` files too.
    word, tag : str, optional
        Their names; by default such as "tokens" or "words", and "tags", "ner_tags" or "labels".
    labelled, encoding : see `read_tagged`

    Raises
    ------
    ValueError
        For what is no JSON, or not of this form.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.jsonl"
    >>> _ = path.write_text('{"tokens": ["She", "sleeps"], "ner_tags": ["B-x", "O"]}')
    >>> read_tagged_json(path).tags
    [['B-x', 'O']]
    """
    path = Path(path)
    return read_tagged_objects(path.name, _objects(path.name, read_text(path, encoding)), word, tag, labelled=labelled)


def read_tagged_objects(
    name: str,
    rows: Iterable[Any],
    word: int | str | None = None,
    tag: int | str | None = None,
    *,
    labelled: bool = True,
) -> Tagged:
    """Sentences of dictionaries, as those of a JSON file; or texts with the spans that are marked in them.

    Parameters
    ----------
    name : what errors call them
    rows : a dict each, or pairs of a text and a dict
    word, tag, labelled : see `read_tagged_json`

    Raises
    ------
    ValueError
        For what is not of this form.

    Example
    -------
    >>> read_tagged_objects("X", [{"text": "To Rome!", "entities": [[3, 7, "place"]]}]).tags
    [['O', 'B-place', 'O']]
    """
    data, cut, split, rows = Tagged([], [] if labelled else None), 0, 0, list(rows)
    if len(rows) == 1 and isinstance(rows[0], dict):  # {"data": [...]}
        lists = [each for each in rows[0].values() if isinstance(each, list) and each and not isinstance(each[0], str)]
        rows = lists[0] if len(lists) == 1 and not any(plain(name) in TEXTS for name in rows[0]) else rows
    for number, row in enumerate(rows):
        where = f"{name}, object {number}"
        if isinstance(row, list | tuple) and len(row) == 2 and isinstance(row[0], str) and isinstance(row[1], dict):
            row = {"text": row[0], **row[1]}
        if not isinstance(row, dict):
            raise ValueError(f"{where}: expected a list of words and one of tags by name, got {row!r:.40}")
        spans = marked(where, row, labelled) if word is None and tag is None and not _is_listed(row) else None
        if spans is not None:
            data.words.append(spans.words)
            if data.tags is not None:
                data.tags.append(spans.tags)
            cut, split = cut + spans.cut, split + 1
            continue
        data.words.append(_listed(where, row, word, WORDS, "words", "word"))
        if data.tags is not None:
            data.tags.append(_listed(where, row, tag, TAGS, "tags", "tag"))
            if len(data.tags[-1]) != len(data.words[-1]):
                raise ValueError(f"{where}: {len(data.words[-1])} words, but {len(data.tags[-1])} tags")
    if split:
        tagged = ", whose tags mark the spans (B begins, I goes on, O is outside)" if labelled else ""
        data.notes.append(note("spans", f"Texts of {name} were split into words{tagged}."))
    if cut:
        data.notes.append(note("spans", f"{cut:,} spans begin or end within a word: the whole word is tagged."))
    return _with_words(data, name)


def _is_listed(row: dict[str, Any]) -> bool:
    """Whether an object has a list of words."""
    return any(plain(name) in WORDS and isinstance(value, list) for name, value in row.items())


def _with_words(data: Tagged, name: str) -> Tagged:
    if not any(data.words):
        raise ValueError(f"{name} has no words: expected a word and its tag in each row")
    return data


def _objects(name: str, text: str) -> list[Any]:
    try:
        try:
            whole = json.loads(text)
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.split("\n") if line.strip()]
    except json.JSONDecodeError as error:
        raise ValueError(f"{name} is no JSON: expected a list of objects, or one in each line ({error})") from None
    return whole if isinstance(whole, list) else [whole]


def _listed(
    where: str, row: dict[str, Any], name: int | str | None, known: Iterable[str], what: str, parameter: str
) -> list[Any]:
    """The list of a row that is called `name`, or as such lists are."""
    own = {plain(each): each for each in row}
    found = name if name is not None else next((own[each] for each in known if each in own), None)
    if found is None or found not in row or not isinstance(row[found], list):
        asked = f" {name!r}" if name is not None else ""
        raise ValueError(
            f"{where}: expected a list of {what}{asked}, got {', '.join(map(repr, row)) or 'nothing'}: name it with "
            f"{parameter}="
        )
    return row[found]
