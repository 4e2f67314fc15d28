"""Figures: what results have in common when they are looked at: a short repr, a table in notebooks, a frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

MOST_ROWS = 12  # of which a notebook shows all
_MOST = 200  # letters of a line
_ONE_LINE = 100  # letters of a caption that stand in one line above a narrow table
_LEFT = ' style="text-align: left"'


class Figures:
    """What was found, in figures.

    A subclass says `_said`, what it is, in one line, and what came of it, in one sentence, and `table`. One that is a
    dataclass is made with ``repr=False``: figures may be many, and they are looked at in a notebook.

    Example
    -------
    >>> class Halves(Figures):
    ...     def _said(self):
    ...         return "2 units", "Both <remember>."
    ...     def table(self):
    ...         return [{"unit": 0, "half_life": 3.14159}, {"unit": 1, "half_life": float("inf")}]
    >>> Halves()
    Halves: 2 units
    Both <remember>.
    >>> Halves().to_frame()["unit"].tolist()
    [0, 1]
    >>> "<td>3.142</td>" in Halves()._repr_html_(), "Both &lt;remember&gt;." in Halves()._repr_html_()
    (True, True)
    """

    def _said(self) -> tuple[str, str]:
        """What it is, in one line, and what came of it, in one sentence ("": nothing to say)."""
        raise NotImplementedError

    def table(self) -> list[dict[str, Any]]:
        """The figures: a row each, all with the same keys; numbers, not text."""
        raise NotImplementedError

    def to_frame(self) -> Any:
        """`table` as a pandas frame, with its keys as columns."""
        import pandas as pd

        return pd.DataFrame(self.table())

    def cells(self) -> list[list[str]]:
        """The table as people read it: the headings, then a row each; all rows of one length."""
        rows = self.table()
        names = list(rows[0]) if rows else [""]
        headings = ["" if name == names[0] else name.replace("_", " ") for name in names]
        return [headings, *([figure(row[name]) for name in names] for row in rows)]

    def __repr__(self) -> str:
        what, sentence = self._said()
        return "\n".join(filter(None, (f"{type(self).__name__}: {_short(what)}", sentence)))

    def _repr_html_(self) -> str:
        """What a notebook shows: the table, its first rows where there are many, and the sentence."""
        what, sentence = self._said()
        return html_table(what, self.cells(), sentence)


def figure(value: Any) -> str:
    """A figure as a table shows it.

    Example
    -------
    >>> figure(0.123456), figure(np.int64(12345)), figure(float("nan")), figure(None), figure(True)
    ('0.1235', '12,345', '–', '–', 'yes')
    """
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    return f"{float(value):.4g}" if isinstance(value, float | np.floating) else str(value)


def html_table(
    caption: str, rows: Sequence[Sequence[str]], sentence: str = "", *, words: int = 1, most: int = MOST_ROWS
) -> str:
    """A table for notebooks, light and dark: no colours of its own, all text escaped, nothing loaded.

    Parameters
    ----------
    rows : the headings, then a row each; without headings an empty first row
    words : columns from the left that hold words
    most : rows that are shown; how many more there are is said
    """
    head, *body = rows
    left_out = len(body) - most if len(body) > most + 3 else 0
    shown = body[:most] if left_out else body
    made = "".join(f"<tr>{_cells(row, words)}</tr>" for row in shown)
    headings = "".join(f"<th{_LEFT if i < words else ''}>{text_in_html(text)}</th>" for i, text in enumerate(head))
    line = "; white-space: nowrap" if len(caption) <= _ONE_LINE else ""
    more = f"… and {left_out:,} more rows: to_frame() has all." if left_out else ""
    said = "".join(f"<p>{text_in_html(text)}</p>" for text in (more, sentence) if text)
    return (
        f'<table><caption style="caption-side: top; text-align: left{line}">{text_in_html(caption)}</caption>'
        + (f"<thead><tr>{headings}</tr></thead>" if head else "")
        + f"<tbody>{made}</tbody></table>{said}"
    )


def _cells(row: Sequence[str], words: int) -> str:
    named = "".join(f"<th{_LEFT}>{text_in_html(text)}</th>" for text in row[:1])
    said = "".join(f"<td{_LEFT}>{text_in_html(text)}</td>" for text in row[1:words])
    return named + said + "".join(f"<td>{text_in_html(text)}</td>" for text in row[max(1, words) :])


def text_in_html(text: object) -> str:
    """Text as HTML shows it; what steers a terminal or turns the direction of writing is left out.

    Example
    -------
    >>> text_in_html("<b>\\u202e")
    '&lt;b&gt; '
    """
    return escape("".join(letter if letter.isprintable() else " " for letter in str(text)))


def shortened(values: Iterable[Any], most: int = 6) -> str:
    """Some values in a row, and how many there are beside them.

    Example
    -------
    >>> shortened(range(9), 3), shortened("ab")
    ('0, 1, 2 and 6 more', 'a, b')
    """
    found = [_short(str(value), 40) for value in values]
    rest = len(found) - most
    return ", ".join(found) if rest <= 0 else f"{', '.join(found[:most])} and {rest:,} more"


def pairs(figures: Mapping[str, Any]) -> str:
    """Names and figures in a row: "accuracy 0.9, F1 0.8"."""
    return ", ".join(f"{name.replace('_', ' ')} {figure(value)}" for name, value in figures.items())


def _short(text: str, most: int = _MOST) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
