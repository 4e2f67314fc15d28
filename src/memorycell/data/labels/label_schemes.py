"""Labels that mark spans step by step: BIO and BIOES, told apart and read."""

from __future__ import annotations

from collections.abc import Iterable

OUTSIDE = "O"


def split_label(label: str) -> tuple[str, str]:
    """Where in a span a label stands (one of B, I, O, E, S) and what the span is.

    Raises
    ------
    ValueError
        For a label that is neither O nor one of B, I, E, S with a name after a hyphen or alone.

    Example
    -------
    >>> split_label("B-person"), split_label("O"), split_label("I")
    (('B', 'person'), ('O', ''), ('I', ''))
    """
    place, hyphen, name = label.partition("-") if isinstance(label, str) else ("", "", "")
    if label == OUTSIDE or (place in ("B", "I", "E", "S") and bool(hyphen) == bool(name)):
        return place, name
    raise ValueError(f"expected labels such as O, B-person, I-person (BIO or BIOES), got {label!r}")


def span_scheme(labels: Iterable[object]) -> str | None:
    """The scheme, "BIOES" or "BIO", of labels that mark spans: O and others that begin with B, I, E or S; else None.

    Example
    -------
    >>> span_scheme(["O", "B-place", "I-place"]), span_scheme(["O", "S-place"]), span_scheme(["NOUN", "VERB"])
    ('BIO', 'BIOES', None)
    """
    places = set()
    for label in labels:
        try:
            places.add(split_label(label)[0])  # type: ignore[arg-type]  # what is no text is refused there
        except ValueError:
            return None
    if OUTSIDE not in places or len(places) == 1:
        return None
    return "BIOES" if places & {"E", "S"} else "BIO"


def may_follow(first: str | None, second: str | None, scheme: str) -> bool:
    """Whether the scheme lets label `second` follow `first`; None stands for the start and for the end of a sequence.

    BIO: I-x follows B-x or I-x. BIOES besides: what B-x or I-x has opened goes on with I-x or E-x.

    Example
    -------
    >>> may_follow("O", "I-place", "BIO"), may_follow("B-place", "I-place", "BIO"), may_follow("B-place", None, "BIOES")
    (False, True, False)
    """
    place, name = ("O", "") if first is None else split_label(first)
    next_place, next_name = ("O", "") if second is None else split_label(second)
    goes_on = next_place in ("I", "E")
    if goes_on and (place not in ("B", "I") or name != next_name):
        return False
    return goes_on or scheme == "BIO" or place not in ("B", "I")
