"""highlight: texts, symbols and series with what speaks for and against an answer, and surprise, shown in colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from memorycell.data.lines import in_sign
from memorycell.pages.page import Html, element, escaped

LEVELS = 5
MOST_CHARACTERS = 600
MOST_CHANNELS = 6
_FAINTEST = 0.08  # of the strongest: below it there is no colour
_WIDE, _HIGH = 600, 64  # of a strip, in its own units


class Span(NamedTuple):
    """A piece of a text, ``text[start:stop]``, and how much it speaks for (or, below 0, against) something."""

    start: int
    stop: int
    weight: float


def highlighted(text: str, spans: Sequence[Span], most: float | None = None, *, limit: int = MOST_CHARACTERS) -> Html:
    """A text with its spans coloured by weight, from blue (for) to vermilion (against); all of it escaped.

    Parameters
    ----------
    spans : in order, not overlapping
    most : the weight of the strongest colour; None: the greatest of these
    limit : characters shown: where there are more, the stretch of the strongest ones, with an ellipsis at each cut

    Example
    -------
    >>> highlighted("so <good>", [Span(3, 9, 1.0)])
    '<span>so </span><mark class="for5" title="+1.00">&lt;good&gt;</mark>'
    """
    first, last = _window(len(text), spans, limit)
    strongest = max((abs(span.weight) for span in spans), default=0.0) if most is None else most
    parts, place = ["…"] if first else [], first
    for span in spans:
        start, stop = max(span.start, place), min(span.stop, last)
        if stop <= start:
            continue
        parts += [_plain(text[place:start]), _coloured(text[start:stop], span.weight, strongest)]
        place = stop
    parts.append(_plain(text[place:last]))
    if last < len(text):
        parts.append(f"… ({len(text) - last:,} more characters)")
    return Html("".join(parts))


def _plain(text: str) -> str:
    return element("span", text) if text else ""


def _coloured(text: str, weight: float, strongest: float) -> str:
    share = abs(weight) / strongest if strongest else 0.0
    if not share >= _FAINTEST:
        return _plain(text)
    level = min(LEVELS, max(1, int(np.ceil(LEVELS * share))))
    sign = "for" if weight > 0 else "against"
    if not any(c.isprintable() for c in text):  # a line break that counted is to be seen
        text = "".join(map(in_sign, text.replace("\r\n", "\n"))) + "\n" * text.count("\n")
    return element("mark", text, class_=f"{sign}{level}", title=f"{weight:+.2f}".replace("-", "−"))


def _window(length: int, spans: Sequence[Span], limit: int) -> tuple[int, int]:
    """First and last character of the stretch that holds most of the weight."""
    if length <= limit:
        return 0, length
    weight = np.zeros(length + 1)
    for span in spans:
        weight[min(span.start, length)] += abs(span.weight)
    sums = np.concatenate([[0.0], weight[:length].cumsum()])
    inside = sums[limit:] - sums[:-limit]
    # Not for a little more: who reads, reads from the beginning.
    first = 0 if inside[0] >= 0.8 * inside.max() else int(inside.argmax())
    starts = [span.start for span in spans if first <= span.start < first + limit // 4]
    first = starts[0] if first and starts else first
    return first, min(length, first + limit)


def legend(strong: str | None = None, weak: str | None = None) -> Html:
    """What the colours mean: `strong` of blue, `weak` of vermilion."""
    named = [(sign, said) for sign, said in (("for", strong), ("against", weak)) if said is not None]
    parts = [part for sign, said in named for part in (_scale(sign), element("span", said))]
    return element("p", Html(" ".join(parts)), class_="legend")


def _scale(sign: str) -> Html:
    return Html("".join(element("mark", Html("&nbsp;&nbsp;"), class_=f"{sign}{n}") for n in range(1, LEVELS + 1)))


def quotation(content: Html) -> Html:
    """A text of the user's, in its own direction of writing."""
    return element("blockquote", content, dir="auto")


def surprises(text: str, spans: Sequence[Span], most: float) -> Html:
    """A text shaded by surprise (the weights, at least 0): one hue, up to `most`; line breaks stay.

    Example
    -------
    >>> surprises("a b", [Span(0, 1, 0.1), Span(2, 3, 8.0)], 8.0)
    '<span>a </span><mark class="against5" title="8.00 nats">b</mark>'
    """
    parts, place = [], 0
    for span in spans:
        share = span.weight / most if most else 0.0
        level = min(LEVELS, int(np.ceil(LEVELS * share - 0.2)))
        if level < 1 or span.stop <= span.start:
            continue
        written = text[span.start : span.stop]
        shown = "⏎\n" if written == "\n" else written
        parts.append(_plain(text[place : span.start]))
        parts.append(element("mark", shown, class_=f"against{level}", title=f"{span.weight:.2f} nats"))
        place = span.stop
    parts.append(_plain(text[place:]))
    return Html("".join(parts))


def strip(values: NDArray[np.float64], weights: NDArray[np.float64], most: float | None = None) -> Html:
    """A series as a small drawing, its steps coloured by weight: values (T,) or (T, F), weights (T,).

    Of more than six channels the six that vary most are drawn; each by its own range.
    """
    values = np.asarray(values, float).reshape(len(weights), -1)
    if values.shape[1] > MOST_CHANNELS:
        spread = np.nan_to_num(np.nanstd(values, axis=0))
        values = values[:, np.sort(np.argsort(-spread, kind="stable")[:MOST_CHANNELS])]
    count = len(weights)
    strongest = np.abs(weights).max(initial=0.0) if most is None else most
    # No more bands than pixels: the strongest of each stretch.
    bands = [part[np.abs(part).argmax()] for part in np.array_split(weights, min(count, 150)) if len(part)]
    size = _WIDE / max(len(bands), 1)
    drawn = []
    for place, weight in enumerate(bands):
        share = min(1.0, abs(weight) / strongest) if strongest else 0.0
        if share >= _FAINTEST:
            hue = "for" if weight > 0 else "against"
            drawn.append(
                f'<rect class="{hue}" x="{place * size:.1f}" y="0" width="{size:.1f}" height="{_HIGH}" '
                f'opacity="{0.6 * share:.2f}"/>'
            )
    several = ' class="several"' if values.shape[1] > 1 else ""
    drawn.append(f"<g{several}>{''.join(_line(channel) for channel in values.T)}</g>")
    return Html(
        f'<svg class="strip" role="img" aria-label="{count} steps" viewBox="0 0 {_WIDE} {_HIGH}" '
        f'preserveAspectRatio="none">{"".join(drawn)}</svg>'
    )


def _line(channel: NDArray[np.float64]) -> str:
    known = channel[np.isfinite(channel)]
    if not len(known):
        return ""
    low, high = float(known.min()), float(known.max())
    step = _WIDE / len(channel)
    scaled = _HIGH - 4 - (channel - low) / ((high - low) or 1.0) * (_HIGH - 8)
    pieces, open_ = [], False
    for place, y in enumerate(scaled):
        if not np.isfinite(y):
            open_ = False
            continue
        pieces.append(f"{'L' if open_ else 'M'}{(place + 0.5) * step:.1f} {y:.1f}")
        open_ = True
    return f'<path d="{"".join(pieces)}"/>'


def shortened(text: str, most: int = 80) -> Html:
    """One line of a text, escaped, with an ellipsis where it is cut.

    Example
    -------
    >>> shortened("two\\nlines"), shortened("abcdef", 4)
    ('two lines', 'abc…')
    """
    line = " ".join(text.split())
    return escaped(line if len(line) <= most else line[: most - 1] + "…")
