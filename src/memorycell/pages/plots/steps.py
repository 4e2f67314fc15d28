"""plot_steps: the steps of a sequence along an axis, by their tokens, dates or numbers, and which of them to draw."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from memorycell.data.lines import in_sign, visible
from memorycell.data.tables.times.calendar import say_date
from memorycell.pages.drawing import FONT, PALETTE, label, x_label

MARGINS = 70  # pixels left and right of the axes, about
_TOKEN = 14  # characters of a token below an axis
_SLOT = 11.5  # pixels that a token needs that stands on its side
_EMS = {c: 0.32 for c in "ijl.,:;'|!()[] "} | {c: 0.4 for c in "frtI-"} | {c: 0.95 for c in "mwMW@%"}
_DATES = 5  # below an axis, at most
_DATE = re.compile(r"\d{4}-\d\d(-\d\d)?")


def token(text: Any, most: int = _TOKEN) -> str:
    """A token as one short visible word.

    Example
    -------
    >>> token("memory"), token(" "), token("\\n"), token("")
    ('memory', '␣', '⏎', '(empty)')
    """
    word = str(text)
    if word and not any(c.isprintable() and not c.isspace() for c in word):
        return "".join(map(in_sign, word.replace("\r\n", "\n")))[:most]
    return label(word, most) if word else "(empty)"


def are_words(labels: Sequence[Any] | NDArray | None) -> bool:
    """Whether steps are called by words, and not by dates or numbers.

    Example
    -------
    >>> are_words(["so", "good"]), are_words([0, 1]), are_words(["2024-01-01", "2024-01-02"]), are_words(None)
    (True, False, False, False)
    """
    if labels is None or len(labels) == 0 or not all(isinstance(each, str) for each in labels):
        return False
    return not (_DATE.match(labels[0]) and _DATE.match(labels[-1]))


def word_width(text: str, size: float = FONT) -> float:
    """About how wide a text is drawn, in pixels: fonts differ from reader to reader.

    Example
    -------
    >>> word_width("ill") < word_width("mum") < word_width("日本語")
    True
    """
    return size * sum(1.0 if ord(c) > 0x2E7F else _EMS.get(c, 0.61) for c in text)


def fold(text: str, room: float, size: float = FONT) -> str:
    """A heading in as many lines as it needs, broken at spaces, and within a word that is longer than a line.

    Example
    -------
    >>> fold("the norm of the gradient", 90).splitlines()
    ['the norm of', 'the gradient']
    >>> fold("of antidisestablishment", 90).splitlines()
    ['of', 'antidisestabli', 'shment']
    """
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if word_width(longer, size) <= room:
            lines[-1] = longer
            continue
        lines += [""] * bool(lines[-1])
        for character in word:
            if lines[-1] and word_width(lines[-1] + character, size) > room:
                lines.append("")
            lines[-1] += character
    return "\n".join(lines)


def shortened(name: Any, most: int) -> str:
    """A name with its middle left out where it is too long: columns often differ in their last letters.

    Example
    -------
    >>> shortened("time of year cos 2", 14), shortened("wind", 14)
    ('time o…r cos 2', 'wind')
    >>> shortened("aaaa\\u0e01\\u0e34bb", 6)  # a Thai letter and the vowel above it
    'aa…bb'
    """
    text = label(name, 300)
    end = most // 2
    if len(text) <= most:
        return text
    first, last = text[: most - end - 1], text[-end:].lstrip()
    while last and unicodedata.category(last[0]).startswith("M"):  # a sign belongs to the letter before it
        last = last[1:]
    return f"{first}…{last}"


def step_ticks(ax: Axes, steps: int, labels: Sequence[Any] | NDArray | None, width: float) -> None:
    """Names below the steps 0 … `steps` - 1 of an axis: every token where they have room, else a few dates or numbers.

    `width` is that of the figure, or less where much stands left of the axis. `labels` of another length than `steps`
    (a layer that reads stretches of them) are left out.
    """
    if labels is not None and len(labels) != steps:
        labels = None
    room, words = width - MARGINS, are_words(labels)
    if labels is not None and words and steps * _SLOT <= room:
        _name_tokens(ax, [token(each) for each in labels], room / steps)
        return
    numbered = labels is not None and not words and all(isinstance(each, int | np.integer) for each in labels)
    if labels is not None and not words and not numbered:
        longest = max(word_width(label(_said(labels[i]), 20), FONT - 1) for i in (0, steps // 2, steps - 1))
        # The outermost names stand wholly inside, half a name nearer to their neighbours; two ones a whole one.
        places = _evenly(steps, (1.5 * longest + 14) * steps / room, (2 * longest + 14) * steps / room)
        names = [label(_said(labels[i]), 20) for i in places]
    else:
        places = np.arange(0, steps, _round_up((steps - 1) / (5 if room > 430 else 3)))
        if labels is None:
            places = steps - 1 - places[::-1]
            names = [_counted_back(steps - 1 - i) for i in places.tolist()]
        else:
            names = [f"{labels[i] if numbered else i + 1:,}" for i in places.tolist()]
        x_label(ax, "steps of the layer" if labels is None else "step" if numbered else "token")
    _set_ticks(ax, places, names, steps)


def _set_ticks(ax: Axes, places: NDArray[np.int64], names: list[str], steps: int) -> None:
    """Ticks that stay within the axis: the first one begins, and the last one ends, where its step is."""
    ax.set_xticks(places, names)
    ticks = ax.get_xticklabels()
    for tick in ticks:
        tick.set_parse_math(False)
    if len(ticks) > 1:
        ticks[0].set(ha="left" if places[0] == 0 else "center")
        ticks[-1].set(ha="right" if places[-1] == steps - 1 else "center")


def _evenly(steps: int, apart: float, ends_apart: float) -> NDArray[np.int64]:
    """Places equally far apart, at least `apart` and at most five: from end to end, or counted back from the last.

    Where there is room for two only they are the ends, if these are at least `ends_apart`.
    """
    last = steps - 1
    least = max(1, math.ceil(apart), -(-last // (_DATES - 1)))
    stride = next((size for size in range(least, min(2 * least, last + 1)) if last % size == 0), least)
    places = np.arange(last, -1, -stride)[::-1]
    if least > 30:  # so far apart that nobody sees a step more or less
        places = np.linspace(0, last, last // least + 1).round().astype(np.int64)
    if len(places) > 2:
        return places
    return np.array([0, last] if last >= max(1, ends_apart) else [last])


def _round_up(least: float) -> int:
    """The next round number: 1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 100, …"""
    size = 10 ** max(0, len(str(int(max(least, 1)))) - 1)
    steps = (10, 20, 50, 100) if size == 1 else (10, 15, 20, 25, 30, 40, 50, 100)
    return next(size * each // 10 for each in steps if size * each >= 10 * least)


def _counted_back(steps: int) -> str:
    return f"−{steps:,}" if steps else "last"


def _name_tokens(ax: Axes, names: list[str], slot: float) -> None:
    level = max(word_width(name, FONT - 1) for name in names) + 4 <= slot
    slanted = not level and slot >= 24
    ax.set_xticks(range(len(names)), names, rotation=0 if level else 45 if slanted else 90)
    for tick in ax.get_xticklabels():
        tick.set(parse_math=False, color=PALETTE["ink"])
        if slanted:
            tick.set(ha="right", rotation_mode="anchor")


def _said(value: Any) -> str:
    """A date as short as it is."""
    return say_date(np.datetime64(value.isoformat()) if hasattr(value, "isoformat") else value)


def say_step(step: Any) -> str:
    """What a step is called where the pointer is: a token, a date or a number."""
    if isinstance(step, str):
        return visible(step)
    return f"step {step}" if isinstance(step, int | np.integer) else _said(step)


def say_bands(labels: Sequence[Any] | NDArray | None, steps: int, size: int) -> list[str]:
    """What bands of `size` steps are called: by the first and the last of their steps, by number without labels.

    Example
    -------
    >>> say_bands(["so", "good"], 2, 1), say_bands(None, 5, 2)
    (['so', 'good'], ['step 1 to step 2', 'step 3 to step 4', 'step 5'])
    """
    known = labels if labels is not None and len(labels) == steps else range(1, steps + 1)
    ends = [(first, min(first + size, steps) - 1) for first in range(0, steps, size)]
    said = [(say_step(known[first]), say_step(known[last])) for first, last in ends]
    return [first if first == last else f"{first} to {last}" for first, last in said]


def bands(values: NDArray[np.float64], most: int, strongest: bool) -> tuple[NDArray[np.float64], int]:
    """A long series as at most `most` bands of equal size: (T, …) → (bands, …), and how many steps a band holds.

    A band is the mean of its steps, or, with `strongest`, the value farthest from zero, so that a single spike stays
    seen. Missing values (NaN) count only where all of a band is missing.

    Example
    -------
    >>> bands(np.array([[0.0], [4.0], [1.0], [-9.0]]), 2, strongest=False)[0].ravel().tolist()
    [2.0, -4.0]
    >>> bands(np.array([[0.0], [4.0], [1.0], [-9.0]]), 2, strongest=True)[0].ravel().tolist()
    [4.0, -9.0]
    """
    size = max(1, -(-len(values) // max(1, most)))
    if size == 1:
        return values, 1
    starts = np.arange(0, len(values), size)
    if strongest:
        high, low = np.fmax.reduceat(values, starts), np.fmin.reduceat(values, starts)
        return np.where(np.abs(low) > np.abs(high), low, high), size
    known = np.isfinite(values)
    counts = np.add.reduceat(known.astype(float), starts)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0), size


def needs(given: Any, what: str, *attributes: str) -> None:
    """Raise TypeError where `given` is not `what`, that is, has not all of these attributes.

    Example
    -------
    >>> needs("a", "an Explanation", "scores")
    Traceback (most recent call last):
    TypeError: expected an Explanation, got str
    """
    if not all(hasattr(given, name) for name in attributes):
        raise TypeError(f"expected {what}, got {type(given).__name__}")


def one_dimensional(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """`values` as float64 (T,) with T of at least 1.

    Raises
    ------
    ValueError
        For other shapes, and for no steps.
    """
    found = np.asarray(values, float)
    if found.ndim != 1 or not len(found):
        raise ValueError(f"expected {what} of shape (steps,) with at least one step, got {found.shape}")
    return found
