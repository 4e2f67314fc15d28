"""Text of the user's that is shown on one line."""

from __future__ import annotations

from collections.abc import Iterable


def one_line(text: object) -> str:
    """Text without line breaks and without control characters, which a column's name could send to the terminal.

    Example
    -------
    >>> one_line("no column\\n   'a\\x1b[31m'")
    "no column 'a\\\\x1b[31m'"
    """
    joined = " ".join(str(text).split())
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in joined)


def listing(names: Iterable[object], most: int | None = None) -> str:
    """Names as a sentence has them; beyond `most` they are only counted.

    Example
    -------
    >>> listing(["ETS", "ridge", "last value"]), listing("abcde", 3)
    ('ETS, ridge and last value', 'a, b, c and 2 more')
    """
    texts = [str(name) for name in names]
    rest = 0 if most is None else len(texts) - most
    if rest > 0:
        return f"{', '.join(texts[:most])} and {rest:,} more"
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def counted(count: int, noun: str) -> str:
    """A number and what it counts.

    Example
    -------
    >>> counted(1, "origin"), counted(1200, "origin"), counted(3, "series")
    ('1 origin', '1,200 origins', '3 series')
    """
    return f"{count:,} {noun}" if count == 1 or noun.endswith("s") else f"{count:,} {noun}s"
