"""Text of the user's that is shown on one line."""

from __future__ import annotations


def one_line(text: object) -> str:
    """Text without line breaks and without control characters, which a column's name could send to the terminal.

    Example
    -------
    >>> one_line("no column\\n   'a\\x1b[31m'")
    "no column 'a\\\\x1b[31m'"
    """
    joined = " ".join(str(text).split())
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in joined)
