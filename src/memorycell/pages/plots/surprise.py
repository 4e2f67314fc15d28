"""plot_surprise: a text with the surprise of each of its tokens, to be read."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memorycell.pages.drawing import FONT, PALETTE, WIDE, canvas, checked_width, heading, label, write
from memorycell.pages.highlight import Span

LINES = 12  # of a text that are drawn
_LETTER = 7.4  # pixels that a letter has
_HIGH, _TEXT = 30, 26  # pixels of the bars of a line, and of what is written below them
_LEFT = 34  # pixels of the ticks


def surprise_by_token(
    text: str, spans: Sequence[Span], *, unknown: Collection[int] = (), most_lines: int = LINES, width: float = WIDE
) -> Figure:
    """A text as it is read, line after line, with a bar above each token as high as the token was surprising.

    Parameters
    ----------
    text : of which the tokens are parts
    spans : of the tokens, one after the other, with their surprise in nats: 0 for what was certain; at least one
    unknown : where tokens begin that the model takes for unknown ones, whose surprise is not that of what is written
    most_lines : of the text that are drawn, at most

    Example
    -------
    >>> figure = surprise_by_token("the cat", [Span(0, 3, 1.0), Span(4, 7, 5.0)])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['the', 'cat']
    """
    room = _room(width)
    lines = _lines(text, spans, int(room))[:most_lines]
    highest = max(1.0, *(each.weight for line in lines for each, _ in line))
    figure, axes = canvas(width, 26 + (_HIGH + _TEXT) * len(lines), len(lines))
    some = any(each.start in unknown for line in lines for each, _ in line)
    heading(axes[0], f"nats per token{', grey: unknown to the model' if some else ''}")
    for ax, line in zip(axes, lines, strict=True):
        written = [text[each.start : each.stop] for each, _ in line]
        colours = [PALETTE["grey" if each.start in unknown else "vermilion"] for each, _ in line]
        _draw(ax, line, written, colours, highest, room)
    return figure


def tokens_drawn(text: str, spans: Sequence[Span], *, most_lines: int = LINES, width: float = WIDE) -> int:
    """How many of the tokens `surprise_by_token` draws."""
    return sum(map(len, _lines(text, spans, int(_room(width)))[:most_lines]))


def _room(width: float) -> float:
    """Letters in a line."""
    return (checked_width(width) - _LEFT) / _LETTER


def wide(text: str) -> int:
    """Letters' widths that a text takes: of Chinese, Japanese and Korean two each, of marks none.

    Example
    -------
    >>> wide("word"), wide("語"), wide("e\\N{COMBINING ACUTE ACCENT}")
    (4, 2, 1)
    """
    counted = (
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )
    return max(1, sum(counted))


def _lines(text: str, spans: Sequence[Span], most: int) -> list[list[tuple[Span, int]]]:
    """Lines of tokens, each with where it begins; a token longer than a line has one for itself."""
    lines: list[list[tuple[Span, int]]] = [[]]
    place, stop = 0, spans[0].start
    for span in spans:
        size = wide(text[span.start : span.stop])
        place += wide(text[stop : span.start]) if span.start > stop else 0
        if lines[-1] and place + size > most:
            lines.append([])
            place = 0
        lines[-1].append((span, place))
        place, stop = place + size, span.stop
    return lines


def _draw(
    ax: Axes,
    line: Sequence[tuple[Span, int]],
    written: Sequence[str],
    colours: Sequence[str],
    highest: float,
    letters: float,
) -> None:
    ax.grid(visible=False)
    ax.axhline(0, color=PALETTE["grid"], linewidth=1)
    sizes, starts = [wide(text) for text in written], [place for _, place in line]
    ax.bar(
        starts, [each.weight for each, _ in line], [size - 0.12 for size in sizes], align="edge", color=list(colours),
        alpha=0.55, linewidth=0,
    )  # fmt: skip
    for text, start, size in zip(written, starts, sizes, strict=True):
        shown = _SIGNS.get(text, text if text.strip() else "")
        if shown:
            # Each at its own place: the letters of the reader's font may be wider or narrower than these.
            write(
                ax, start + size / 2, -0.12 * highest, label(shown, max(1, int(letters))), PALETTE["ink"], ha="center",
                va="top", in_layout=False, fontfamily="monospace", fontsize=FONT - 0.5,
            )  # fmt: skip
    ax.set_xlim(0, letters)
    ax.set_ylim(-highest * _TEXT / _HIGH, highest)
    ax.set_xticks([])
    ax.set_yticks([0, highest], ["0", f"{highest:.0f}"])
    ax.spines["bottom"].set_visible(False)


_SIGNS = {"\n": "¶", "\t": "⇥", "": "¶"}  # ends of lines are tokens, too
