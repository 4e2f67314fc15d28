"""Texts in which spans of characters are marked, as tools for annotation write them: as words with tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from memorycell.data.text.text_codec import words_at

TEXTS = ("text", "sentence", "content")
_SPANS = ("spans", "entities", "labels", "label", "annotations", "ents")
_STARTS = ("start", "start_offset", "begin", "start_char")
_STOPS = ("end", "end_offset", "stop", "end_char")
_LABELS = ("label", "labels", "type", "entity", "tag", "entity_group")


class Marked(NamedTuple):
    """The words of a text and their tags; how many spans begin or end within a word."""

    words: list[str]
    tags: list[str]
    cut: int


def marked(where: str, row: Mapping[str, Any], labelled: bool) -> Marked | None:
    """The words of an object with a text, tagged B-, I- and O by its spans; None for one of another form.

    Parameters
    ----------
    where : what errors call it
    row : with a text, and a list of spans: ``[start, stop, label]``, or objects that name them
    labelled : whether spans are needed

    Raises
    ------
    ValueError
        For a span outside the text, or one of another form.

    Example
    -------
    >>> marked("object 0", {"text": "To New York.", "entities": [[3, 11, "place"]]}, True)
    Marked(words=['To', 'New', 'York', '.'], tags=['O', 'B-place', 'I-place', 'O'], cut=0)
    """
    text = next((row[name] for name in TEXTS if isinstance(row.get(name), str)), None)
    spans = next((row[name] for name in _SPANS if isinstance(row.get(name), list)), None)
    if text is None or (labelled and spans is None):
        return None
    found = words_at(text)
    tags, cut = ["O"] * len(found), 0
    for span in (spans or []) if labelled else []:
        start, stop, label = _span(where, span, len(text))
        within = [place for place, (_, (begin, end)) in enumerate(found) if begin < stop and end > start]
        if not within:
            continue
        cut += found[within[0]][1][0] < start or found[within[-1]][1][1] > stop
        for place in within:
            tags[place] = f"{'B' if place == within[0] else 'I'}-{label}"
    return Marked([word for word, _ in found], tags, cut)


def _span(where: str, span: Any, length: int) -> tuple[int, int, str]:
    if isinstance(span, Mapping):
        parts = [next((span[name] for name in names if name in span), None) for names in (_STARTS, _STOPS, _LABELS)]
        parts[2] = parts[2][0] if isinstance(parts[2], list) and parts[2] else parts[2]
    else:
        parts = list(span) if isinstance(span, list | tuple) and len(span) == 3 else [None] * 3
    start, stop, label = parts
    if not (isinstance(start, int) and isinstance(stop, int) and isinstance(label, str)):
        raise ValueError(f"{where}: expected a span such as [start, stop, label], got {span!r:.60}")
    if not 0 <= start < stop <= length:
        raise ValueError(
            f"{where}: expected a span within the {length:,} characters of its text, got {start} to {stop}"
        )
    return start, stop, label
