"""Labels that mark spans step by step: BIO, BIOES, BILOU and their like, told apart and read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

OUTSIDE = "O"
# Where in a span a label stands: it begins one, is inside, ends one, or is a whole one; by what schemes call it.
_PLACES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
# The letters of each scheme beside O, the most common first. Those below the first two are told from other labels, such
# as M and W, by a name or a B.
_SCHEMES = {"IO": "I", "BIO": "BI", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES", "BMEWO": "BMEW"}
_SMALL = frozenset("obimelsuw")
_JOINTS = "-_.:/|"  # between a letter and a name
_OPEN = ("IO", "BIO", "IOB1")  # where a span may end without a label that says so


def split_label(label: str) -> tuple[str, str]:
    """Where in a span a label stands (one of B, I, O, E, S) and what the span is.

    The letters are those of BIO and BIOES, whatever the label's own are: L is an end, and U and W are single ones.
    A hyphen, or one of ``_ . : / |``, stands between letter and name, and either comes first; small letters will do.

    Raises
    ------
    ValueError
        For a label that is neither O nor one of B, I, M, E, L, S, U, W with a name or alone.

    Example
    -------
    >>> split_label("B-person"), split_label("O"), split_label("L-person"), split_label("U")
    (('B', 'person'), ('O', ''), ('E', 'person'), ('S', ''))
    >>> split_label("person:B"), split_label("b_person"), split_label("I.person")
    (('B', 'person'), ('B', 'person'), ('I', 'person'))
    """
    letter, name = _parts(label)
    return _PLACES.get(letter, letter), name


def _parts(label: Any) -> tuple[str, str]:
    """The letter of a label, a capital, and its name."""
    if isinstance(label, str) and label:
        first, last = label[0].upper(), label[-1].upper()
        if len(label) == 1 and first in (OUTSIDE, *_PLACES):
            return first, ""
        if len(label) > 2 and first in _PLACES and label[1] in _JOINTS:
            return first, label[2:]
        if len(label) > 2 and last in _PLACES and label[-2] in _JOINTS:
            return last, label[:-2]
    raise ValueError(f"expected labels such as O, B-person, I-person (BIO, BIOES, BILOU, …), got {label!r}")


def span_scheme(labels: Iterable[object]) -> str | None:
    """The scheme of labels that mark spans: O and others that begin with its letters; else None.

    It is one of "IO", "BIO", "BIOES" (also called IOBES), "BILOU" (L for the last, U for a single one), "BMES" and
    "BMEWO" (M for the middle, W for a single one). BMES does without O, as where words are cut. How labels are written
    is another matter: see `split_label`. Which of two schemes of the same letters it is, BIO or IOB1, only sequences
    say: see `scheme_of`.

    Example
    -------
    >>> span_scheme(["O", "B-place", "I-place"]), span_scheme(["O", "S-place"]), span_scheme(["NOUN", "VERB"])
    ('BIO', 'BIOES', None)
    >>> span_scheme(["O", "B-place", "L-place", "U-place"]), span_scheme(["B", "M", "E", "S"])
    ('BILOU', 'BMES')
    """
    letters, bare, small = set(), False, False
    for label in labels:
        try:
            letter, name = _parts(label)
        except ValueError:
            return None
        letters.add(letter)
        bare |= letter != OUTSIDE and not name
        small |= label in _SMALL
    own = letters - {OUTSIDE}
    # Single letters may be anything: without a B they are spans only where they always have been.
    if not own or (bare and "B" not in own and (small or own & set("MLUW"))):
        return None
    if OUTSIDE not in letters and not {"B", "M", "E"} <= own:
        return None
    return next((scheme for scheme, known in _SCHEMES.items() if own <= set(known)), None)


def scheme_of(sequences: Iterable[Sequence[Any]]) -> str | None:
    """The scheme of the labels of sequences, by what stands beside what: `span_scheme`, or "IOB1".

    In IOB1, that of the CoNLL-2003 files as they came, a span begins with I; B only sets it off from one of its kind
    that goes before.

    Example
    -------
    >>> scheme_of([["O", "I-person", "I-person", "B-person"]]), scheme_of([["O", "B-person", "I-person"]])
    ('IOB1', 'BIO')
    """
    pairs = {pair for labels in sequences for pair in pairwise([None, *labels])}
    scheme = span_scheme({second for _, second in pairs})
    if scheme != "BIO" or all(may_follow(*pair, "BIO") for pair in pairs):
        return scheme
    return "IOB1" if all(may_follow(*pair, "IOB1") for pair in pairs) else scheme


def may_follow(first: str | None, second: str | None, scheme: str) -> bool:
    """Whether the scheme lets label `second` follow `first`; None stands for the start and for the end of a sequence.

    IO: all may. IOB1: B-x follows B-x or I-x. BIO: I-x follows B-x or I-x. The others besides: what B-x or I-x has
    opened goes on with I-x or its end.

    Example
    -------
    >>> may_follow("O", "I-place", "BIO"), may_follow("B-place", "I-place", "BIO"), may_follow("B-place", None, "BIOES")
    (False, True, False)
    >>> may_follow("O", "B-place", "IOB1"), may_follow("U-place", "O", "BILOU")
    (False, True)
    """
    place, name = ("O", "") if first is None else split_label(first)
    next_place, next_name = ("O", "") if second is None else split_label(second)
    inside = place in ("B", "I") and name == next_name
    if scheme == "IO":
        return True
    if scheme == "IOB1":
        return inside or next_place != "B"
    goes_on = next_place in ("I", "E")
    if goes_on and not inside:
        return False
    return goes_on or scheme in _OPEN or place not in ("B", "I")
