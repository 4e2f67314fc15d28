"""What looks odd about the sequences that a classifier or regressor is to learn from, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from memorycell.data.lines import listing
from memorycell.data.log import note
from memorycell.data.samples import Note
from memorycell.data.text.scripts import without_spaces

if TYPE_CHECKING:
    from memorycell.jobs.labelling.reading import SequenceInput

SPELT = (
    "Each text is one word, and most of them differ: their characters are read, one by one, as symbols. To read words, "
    'give kind="text".'
)
_SAMPLE = 1000
_FEWEST = 20  # texts below which nothing is concluded
_MOSTLY = 0.95
_FEW_STEPS, _MANY = 32, 4  # channels as one has them, and how many times as many steps


def are_spelt(texts: Sequence[str]) -> bool:
    """Whether texts are words that differ: names, DNA, proteins, SMILES, of which only their letters can be learned.

    That is where nearly each of at least twenty is without a space, and more than half of them are different; not in a
    script that puts no spaces between words.

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> are_spelt(["".join(rng.choice(list("ACGT"), 30)) for _ in range(40)]), are_spelt(["good", "bad"] * 20)
    (True, False)
    """
    sample = _some(texts)
    if len(sample) < _FEWEST or sum(len(text.split()) == 1 for text in sample) < _MOSTLY * len(sample):
        return False
    return len(set(sample)) > 0.5 * len(sample) and not without_spaces(sample)


def refuse_exchanged(given: SequenceInput, labels: object) -> None:
    """Raise ValueError where what should be labels are texts that differ, and the texts a few words that repeat.

    Example
    -------
    >>> from memorycell.jobs.labelling.reading import read_input
    >>> texts = [f"a film that I saw {k} times" for k in range(40)]
    >>> refuse_exchanged(read_input(["good", "bad"] * 20), texts)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: expected texts and a label of each, but they look exchanged: 2 different texts (such as 'good') ...
    """
    labels = labels.to_numpy() if hasattr(labels, "to_numpy") else labels
    if given.kind == "numbers" or not isinstance(labels, list | np.ndarray) or len(labels) != len(given):
        return
    texts, names = _some(given.sequences), _some(labels)
    if len(texts) < _FEWEST or not all(isinstance(each, str) for each in (*texts, *names)):
        return
    few, many = len(set(texts)), len(set(names))
    words = sum(len(each.split()) for each in names) / len(names)
    if words >= 2 and many > 0.5 * len(names) and few < 0.1 * len(texts):
        raise ValueError(
            f"expected texts and a label of each, but they look exchanged: {few:,} different texts (such as "
            f"{str(texts[0])!r:.40}) have {many:,} different labels (such as {str(names[0])!r:.40}): exchange them, or "
            "name their columns with text= and target="
        )


def doubts(given: SequenceInput, lowercase: bool, spelt: bool) -> list[Note]:
    """Notes on texts whose words are single letters, and on numbers whose axes may be exchanged.

    spelt : whether texts that are read as symbols are so because they look so
    """
    if given.kind == "symbols" and spelt and isinstance(given.sequences[0], str):
        said = SPELT
    elif given.kind == "text":
        said = _letters(given.sequences, lowercase)
    else:
        said = _axes(given.sequences) if given.kind == "numbers" else ""
    return [note("doubt", said)] if said else []


def blanks(given: SequenceInput) -> list[Note]:
    """A note where sequences are empty, which get no answer."""
    if given.blank is None:
        return []
    rows = np.flatnonzero(given.blank).tolist()
    which = {"text": "texts", "symbols": "sequences", "numbers": "sequences"}[given.kind]
    one = len(rows) == 1
    where = f"row{'' if one else 's'} {listing(rows, 5)}"
    said = f"{len(rows):,} of {len(given):,} {which} {'is' if one else 'are'} empty ({where}): no answer there."
    return [note("empty", said)]


def turned(given: SequenceInput, expected: int) -> str:
    """What is to be said where sequences would fit if their axes were exchanged; else nothing."""
    shape = np.shape(given.sequences[0])
    if len(shape) != 2 or shape[0] != expected:
        return ""
    return f"; its {shape[0]} steps of {shape[1]} numbers look like axes that are exchanged: X.transpose(0, 2, 1)"


def _some(texts: Any) -> list[Any]:
    return list(texts[:: max(1, len(texts) // _SAMPLE)])


def _letters(texts: Sequence[str], lowercase: bool) -> str:
    sample = _some(texts)
    words = [word for text in sample for word in text.split()]
    single = sum(len(word) == 1 and word.isalnum() for word in words)
    if len(words) < 3 * len(sample) or single < _MOSTLY * len(words) or without_spaces(sample):
        return ""
    merged = lowercase and len({word.lower() for word in words}) < len(set(words))
    case = "; as words they are read in lower case, which makes some of them the same" if merged else ""
    return f'Nearly every word is a single letter{case}: if these are symbols, give kind="symbols", separator=" ".'


def _axes(sequences: object) -> str:
    """What is to be said of steps that may be channels."""
    shapes = [sequences.shape[1:]] if isinstance(sequences, np.ndarray) else {np.shape(each) for each in sequences}  # type: ignore[attr-defined]
    shape = next(iter(shapes))
    if len(shapes) != 1 or len(shape) != 2:
        return ""
    steps, values = shape
    turned = "X.transpose(0, 2, 1)" if isinstance(sequences, np.ndarray) else "[x.T for x in X]"
    if steps == 1 and values > 1:
        return (
            f"Each sequence is one step of {values:,} numbers, as expected of (samples, steps, numbers a step). If it "
            f"is {values:,} steps of one number, exchange the axes: {turned}."
        )
    if steps <= _FEW_STEPS and values >= _MANY * max(steps, 4):
        return (
            f"Each sequence is {steps:,} steps of {values:,} numbers, as expected of (samples, steps, numbers a step). "
            f"If these are {values:,} steps of {steps:,} channels, exchange the axes: {turned}."
        )
    return ""
