"""Text of the user's that is shown on one line."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import groupby


def one_line(text: object) -> str:
    """Text without line breaks and without control characters, which a column's name could send to the terminal.

    Example
    -------
    >>> one_line("no column\\n   'a\\x1b[31m'")
    "no column 'a\\\\x1b[31m'"
    """
    joined = " ".join(str(text).split())
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in joined)


_BLANKS = {"\n": "line break", "\r": "line break", "\t": "tab", " ": "space", "\N{NO-BREAK SPACE}": "no-break space"}
_SIGNS = {"\n": "⏎", "\r": "⏎", "\t": "⇥", " ": "␣", "\x7f": "␡"}
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # emoji and several scripts are written with them


def visible(token: object, most: int = 40) -> str:
    """A token as it can be seen and said: what is blank by its name, what cannot be seen in a word by a sign.

    Example
    -------
    >>> visible("memory"), visible("\\n"), visible("  "), visible("\\t"), visible("")
    ('memory', 'line break', '2 spaces', 'tab', 'nothing')
    >>> visible("two\\nlines"), visible("\\x07"), visible("a" * 50, 8)
    ('two⏎lines', 'bell', 'aaaaaaa…')
    """
    text = str(token).replace("\r\n", "\n")
    if not text:
        return "nothing"
    if all(_unseen(char) for char in text):
        names = [(_name(char), len(list(same))) for char, same in groupby(text)]
        text = ", ".join(name if count == 1 else f"{count:,} {name}s" for name, count in names[:3])
        text += "" if len(names) <= 3 else ", …"
    else:
        text = "".join(char if not _unseen(char) or char == " " else in_sign(char) for char in text)
    return text if len(text) <= most else text[: most - 1] + "…"


def in_sign(char: str) -> str:
    """One sign for a character that cannot be seen.

    Example
    -------
    >>> in_sign("\\n"), in_sign(" "), in_sign("\\x07"), in_sign("\N{RIGHT-TO-LEFT OVERRIDE}")
    ('⏎', '␣', '␇', '\N{REPLACEMENT CHARACTER}')
    """
    if char in _SIGNS:
        return _SIGNS[char]
    if char.isspace():
        return "␣"
    return chr(0x2400 + ord(char)) if ord(char) < 0x20 else "\N{REPLACEMENT CHARACTER}"


def _unseen(char: str) -> bool:
    return char.isspace() or (not char.isprintable() and char not in _JOINERS)


_CONTROLS = {"\0": "null", "\a": "bell", "\b": "backspace", "\v": "line break", "\f": "page break", "\x1b": "escape"}


def _name(char: str) -> str:
    known = _BLANKS.get(char) or _CONTROLS.get(char)
    return known or unicodedata.name(char, f"character {ord(char):04X}").lower()


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
