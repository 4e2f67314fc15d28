"""What looks odd about labels, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memorycell.data.lines import listing
from memorycell.data.log import note
from memorycell.data.samples import Note

_MANY = 1000  # classes from which on rare ones are what one expects


def label_doubts(classes: Sequence[Any], counts: Sequence[int]) -> list[Note]:
    """Notes on classes that differ by case or spaces alone, and on those of a single sample.

    Parameters
    ----------
    classes : as they were given
    counts : how often each occurs

    Example
    -------
    >>> [entry["text"] for entry in label_doubts(["Good", "bad", "good"], [4, 1, 5])]  # doctest: +ELLIPSIS
    ["'Good' and 'good' differ by case or spaces alone...", "'bad' occurs once: nothing can be held out of it..."]
    """
    found: list[Note] = []
    alike: dict[str, list[str]] = {}
    for label in classes:
        if isinstance(label, str):
            alike.setdefault(" ".join(label.split()).casefold(), []).append(label)
    twins = [same for same in alike.values() if len(same) > 1]
    if twins:
        more = f" (and {len(twins) - 1:,} more such classes)" if len(twins) > 1 else ""
        text = f"{listing(map(repr, twins[0]))} differ by case or spaces alone{more}: they are learned as different."
        found.append(note("labels", text))
    rare = [label for label, count in zip(classes, counts, strict=True) if count == 1]
    if rare and len(classes) <= _MANY:
        verb = "occurs" if len(rare) == 1 else "occur"
        those = "it" if len(rare) == 1 else "them"
        text = f"{listing(map(repr, rare), 5)} {verb} once: nothing can be held out of {those}, and little be learned."
        found.append(note("labels", text))
    return found
