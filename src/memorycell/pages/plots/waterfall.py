"""plot_waterfall: an output as the sum of its parts, one below the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from memorycell.data.lines import visible
from memorycell.pages.drawing import FONT, PALETTE, TICKS, heading, label, name_rows, write
from memorycell.pages.wording import fixed, significant

if TYPE_CHECKING:
    from memorycell.insight.explanation import Explanation

_TOP = 6  # words named
_DWARFS = 2.5  # times what all others come to, from which a term is where the picture begins


def parts_of(explanation: Explanation, words: bool) -> list[tuple[str, float]]:
    """Names and sizes of what the output is the sum of: the strongest words, or the two signs of steps, and the terms.

    Example
    -------
    >>> from memorycell.insight.explanation import Explanation
    >>> parts_of(Explanation("occlusion", "score", 3.0, [0, 1], np.array([3.5, -1.0]), {"bias": 0.5}), words=False)
    [('1 step that adds', 3.5), ('1 step that takes away', -1.0), ('bias', 0.5)]
    """
    scores = np.nan_to_num(np.asarray(explanation.scores, float))
    parts: list[tuple[str, float]] = []
    if words:
        top = np.sort(np.argsort(-np.abs(scores), kind="stable")[:_TOP])
        parts += [(visible(explanation.labels[step], 24), float(scores[step])) for step in top]
        if len(scores) > len(top):
            rest = len(scores) - len(top)
            name = f"the other {rest:,}" if rest > 1 else "the other one"
            parts.append((name, float(scores.sum() - scores[top].sum())))
    else:
        for sign, one, many in ((1, "adds", "add"), (-1, "takes away", "take away")):
            chosen = sign * scores > 0
            count = int(chosen.sum())
            if count:
                said = f"step that {one}" if count == 1 else f"steps that {many}"
                parts.append((f"{count:,} {said}", float(scores[chosen].sum())))
    return parts + [(label(name, 24), float(value)) for name, value in explanation.terms.items()]


def waterfall(ax: Axes, parts: list[tuple[str, float]], explanation: Explanation, width: float) -> None:
    """Bars from zero to the output, each beginning where the one above it ends; their names on the left, on a narrow
    picture above each.

    Where one term (the baseline, mostly) is so much larger than all that is added to it that the rest would be slivers,
    the picture begins there: a dot for it, bars for the parts, a dot for the output, and an axis without zero.
    """
    value, wide = float(explanation.value), width > 500
    unit = f" {label(explanation.unit, 12)}" if explanation.unit else ""
    parts, begins = _begin_with(parts, len(explanation.terms))
    start_at = f", from the {parts[0][0]} of {significant(parts[0][1])}" if begins else ""
    heading(ax, f"what adds up to {significant(value)}{unit}{start_at}")
    ax.grid(visible=False, axis="y")
    sizes = np.nan_to_num([size for _, size in parts])
    ends = np.concatenate([[0.0], sizes.cumsum()])
    decimals = _decimals([*sizes[begins:], *ends[begins:], value])
    for place, (start, size) in enumerate(zip(ends[:-1], sizes, strict=True)):
        _part(ax, place, start, size, decimals, wide, dot=begins and place == 0)
        if wide:
            ax.plot([start + size] * 2, [place, place + 1], color=PALETTE["muted"], linewidth=0.8)
    _output(ax, len(parts), float(np.nan_to_num(value)), decimals, wide, dot=begins)
    zero = ends[1] if begins else 0.0
    half = 0.5 if wide else 0.21  # on a narrow picture names stand between the bars
    for place in range(len(parts) + 1):
        ax.plot([zero, zero], [place - half, place + half], color=PALETTE["muted"], linewidth=0.8)
    shown = [*ends[1:], value] if begins else [*ends, value, 0.0]
    low, high = min(shown), max(shown)
    room = (high - low) or 1.0
    ax.set_xlim(low - 0.03 * room, high + (0.13 if wide else 0.27) * room)
    ax.set_ylim(len(parts) + 0.5, -0.6)
    ax.xaxis.set_major_locator(MaxNLocator(5 if wide else 3, steps=TICKS))
    _name(ax, [name for name, _ in parts] + ["output"], wide)


def _begin_with(parts: list[tuple[str, float]], terms: int) -> tuple[list[tuple[str, float]], bool]:
    """The parts, and whether the first of them is where the picture begins: a term that dwarfs all others."""
    sizes = np.abs(np.nan_to_num([size for _, size in parts]))
    if not terms or not sizes.any():
        return parts, False
    largest = len(parts) - terms + int(sizes[-terms:].argmax())
    rest = [part for place, part in enumerate(parts) if place != largest]
    ends = np.concatenate([[0.0], np.nan_to_num([size for _, size in rest]).cumsum()])
    if sizes[largest] <= _DWARFS * np.ptp(ends) or not np.ptp(ends):
        return parts, False
    return [parts[largest], *rest], True


def _part(ax: Axes, place: int, start: float, size: float, decimals: int, wide: bool, *, dot: bool) -> None:
    """One part as a bar, with what it adds."""
    text = _said(size, decimals)
    if dot:
        ax.plot(start + size, place, "o", color=PALETTE["muted"], markersize=7)
        _write(ax, start + size, place, text)
        return
    ax.barh(
        place, size, left=start, height=0.62 if wide else 0.42, color=PALETTE["blue" if size >= 0 else "vermilion"],
        alpha=0.75, linewidth=0, hatch=None if size >= 0 else "////", edgecolor=PALETTE["grid"],
    )  # fmt: skip
    _write(ax, max(start, start + size), place, f"+{text}" if size > 0 else text)


def _output(ax: Axes, place: int, value: float, decimals: int, wide: bool, *, dot: bool) -> None:
    """The sum of the parts: a bar from zero, or a dot where the axis does not begin there."""
    if dot:
        ax.plot(value, place, "o", color=PALETTE["ink"], markersize=8)
    else:
        ax.barh(place, value, height=0.62 if wide else 0.42, color=PALETTE["ink"], alpha=0.75, linewidth=0)
    _write(ax, value if dot else max(0.0, value), place, _said(value, decimals))


def _write(ax: Axes, x: float, place: int, text: str) -> None:
    ax.annotate(
        text, (x, place), xytext=(7, 0), textcoords="offset points", va="center", color=PALETTE["ink"],
        fontsize=FONT - 1, annotation_clip=False,
    )  # fmt: skip


def _name(ax: Axes, names: list[str], wide: bool) -> None:
    if wide:
        name_rows(ax, names, 26)
        return
    ax.set_yticks([])
    for place, name in enumerate(names):
        write(
            ax, 0, place - 0.46, label(name, 40), PALETTE["ink"], transform=ax.get_yaxis_transform(), fontsize=FONT - 2
        )


def _decimals(values: list[float]) -> int:
    """So many that the largest has four digits."""
    most = float(np.nanmax(np.abs(values)))
    return int(np.clip(3 - math.floor(math.log10(most)), 0, 8)) if 0 < most < math.inf else 2


def _said(size: float, decimals: int) -> str:
    text = fixed(size, decimals)
    return significant(size, 1) if size and not any(c in "123456789" for c in text) else text
