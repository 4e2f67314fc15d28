"""Markup whose numbers move: each piece names the number it shows, and explain.js writes another step's into it.

What is written here at first is what explain.js would write, so that the page stands without it. The names are those of
`CellRun.frame`; what an attribute does:

====================  ==========================================================================================
``data-n``            the number as text; ``data-p`` in parentheses where it is negative; ``data-pc`` as a percentage
``data-word``         the phrase of `WORDS` that fits it
``data-flow``         the width of a line: |number| by the unit's largest, vermilion where it is negative
``data-sign``         vermilion where the number is negative
``data-gate``         the width of a line: a share from 0 to 1
``data-ring``         how far round a ring goes: a share, or with ``data-half`` a number from -1 (left) to 1 (right)
``data-bar``          a bar from the middle: left where it is negative
====================  ==========================================================================================
"""

from __future__ import annotations

import html
from collections.abc import Mapping

from memorycell.pages.page import Html
from memorycell.pages.wording import fixed

FLOW, GATE = (1.5, 12.0), (1.0, 3.5)  # widths in the drawing's pixels: the least, and what the largest adds

# Phrases by the first limit that a number is below.
_KEEPS = [
    (0.05, "forgets"), (0.25, "forgets most of"), (0.6, "keeps part of"), (0.9, "keeps most of"),
    (0.98, "keeps nearly all of"), (2.0, "keeps all of"),
]  # fmt: skip
WORDS: dict[str, list[tuple[float, str]]] = {
    "f": _KEEPS,
    "z": _KEEPS,
    "i": [
        (0.05, "shuts out"), (0.3, "lets in a little of"), (0.7, "lets in part of"), (0.95, "lets in most of"),
        (2.0, "lets in all of"),
    ],
    "o": [
        (0.05, "hides"), (0.3, "shows a little of"), (0.7, "shows part of"), (0.95, "shows most of"),
        (2.0, "shows all of"),
    ],
    "r": [(0.05, "looks away from"), (0.5, "looks a little at"), (0.9, "looks at"), (2.0, "looks fully at")],
}  # fmt: skip


class Bound:
    """Markup of one unit's numbers at one step.

    Parameters
    ----------
    numbers : see `CellRun.frame`
    scales : see `CellRun.unit_scales`

    Example
    -------
    >>> bound = Bound({"f": 0.5, "cp": -1.3}, {"c": 2.6, "h": 1.0, "a": 3.0})
    >>> bound.number("cp"), bound.number("f", "tspan")
    ('<span data-n="cp">−1.30</span>', '<tspan data-n="f">0.50</tspan>')
    >>> bound.flow("cp")
    'data-flow="cp" data-by="c" class="flow neg" style="stroke-width:7.50"'
    """

    def __init__(self, numbers: Mapping[str, float], scales: Mapping[str, float]) -> None:
        self.numbers, self.scales = numbers, scales
        self.digits = digits_for(scales)

    def number(self, key: str, tag: str = "span") -> Html:
        """The number as text."""
        return Html(f'<{tag} data-n="{key}">{self._text(key)}</{tag}>')

    def term(self, key: str) -> Html:
        """The number as a term of a sum: in parentheses where it is negative."""
        text = self._text(key)
        return Html(f'<span data-p="{key}">{f"({text})" if text[0] == "−" else text}</span>')

    def percent(self, key: str, tag: str = "span") -> Html:
        """A share as a whole percentage."""
        return Html(f'<{tag} data-pc="{key}">{round(100 * self.numbers[key])}\N{NO-BREAK SPACE}%</{tag}>')

    def word(self, key: str) -> Html:
        """The phrase that fits a gate."""
        text = next(text for limit, text in WORDS[key] if self.numbers[key] < limit)
        return Html(f'<span data-word="{key}">{html.escape(text)}</span>')

    def flow(self, key: str, by: str = "c") -> str:
        """Attributes of a line that is as wide as its number is large."""
        width = FLOW[0] + FLOW[1] * min(1.0, abs(self.numbers[key]) / self.scales[by])
        return f'data-flow="{key}" data-by="{by}" class="flow{self._sign(key)}" style="stroke-width:{width:.2f}"'

    def gate(self, key: str) -> str:
        """Attributes of a line that is as wide as a gate is open."""
        return f'data-gate="{key}" class="wire" style="stroke-width:{GATE[0] + GATE[1] * self.numbers[key]:.2f}"'

    def ring(self, key: str, *, half: bool = False) -> str:
        """Attributes of a circle, drawn from the top as far round as its number says."""
        value = self.numbers[key]
        length = min(100.0, abs(value) * (50 if half else 100))
        back = f"{length:.1f}" if value < 0 else "0"
        sign = self._sign(key) if half else ""
        return (
            f'data-ring="{key}"{" data-half=1" if half else ""} class="ring {"signed" if half else "share"}{sign}" '
            f'pathLength="100" style="stroke-dasharray:{length:.1f} {100 - length:.1f};stroke-dashoffset:{back}"'
        )

    def bar(self, key: str, middle: float, half: float) -> str:
        """Attributes of a bar whose greatest length is `half`."""
        value = self.numbers[key]
        length = half * min(1.0, abs(value) / self.scales["a"])
        x = middle - length if value < 0 else middle
        return f'data-bar="{key}" data-middle="{middle:g}" data-reach="{half:g}" x="{x:.1f}" width="{length:.1f}"'

    def _text(self, key: str) -> str:
        return fixed(self.numbers[key], self.digits)

    def _sign(self, key: str) -> str:
        return " neg" if self.numbers[key] < 0 else ""


def digits_for(scales: Mapping[str, float]) -> int:
    """Decimals that show a unit's states: two, and more where they are small.

    Example
    -------
    >>> digits_for({"c": 1.3, "h": 0.6}), digits_for({"c": 0.02, "h": 0.01})
    (2, 4)
    """
    least = min(scales["c"], scales["h"])
    return 2 if least >= 0.2 else 3 if least >= 0.02 else 4
