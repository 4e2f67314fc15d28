"""Numbers in plain words: as many digits as their use needs."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def significant(value: float | None, digits: int = 3) -> str:
    """A number with at least `digits` significant digits, without an exponent where that can be read.

    Example
    -------
    >>> significant(0.01234), significant(1234.5), significant(2.0), significant(1e-9), significant(float("nan"))
    ('0.0123', '1,234', '2.00', '1.00e-09', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.{digits - 1}e}"
    size = 0 if value == 0 else math.floor(math.log10(abs(value)))
    return signed(f"{value:,.{max(0, digits - 1 - size)}f}")


def decimals_for(values: ArrayLike, spread: float) -> int:
    """Decimals that show `values` about a hundredth of their `spread` apart, and no more.

    Example
    -------
    >>> decimals_for([12.3456], 6.9), decimals_for([1234.0, 1250.0], 400.0), decimals_for([0.5], float("nan"))
    (1, 0, 2)
    """
    if not (math.isfinite(spread) and spread > 0):
        known = np.abs(np.asarray(values, float))
        known = known[np.isfinite(known) & (known > 0)]
        spread = 10 * float(np.median(known)) if known.size else 1.0
    return int(np.clip(1 - math.floor(math.log10(spread)), 0, 8))


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals; a dash where it is missing.

    Example
    -------
    >>> fixed(-1234.56, 1), fixed(float("nan"), 2)
    ('−1,234.6', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value != 0 and abs(value) >= 1e12:
        return f"{value:.3e}"
    return signed(f"{value:,.{decimals}f}")


def signed(text: str) -> str:
    """A number's text with the sign as a minus, and none at a zero.

    Example
    -------
    >>> signed("-0.0"), signed("-2.5")
    ('0.0', '−2.5')
    """
    if text.startswith("-") and not any(c in "123456789" for c in text):
        return text[1:]
    return text.replace("-", "−", 1) if text.startswith("-") else text


def percent(share: float | None, decimals: int = 0) -> str:
    """A share as a percentage.

    Example
    -------
    >>> percent(0.9), percent(0.975), percent(0.8812, 1), percent(None)
    ('90 %', '97.5 %', '88.1 %', '–')
    """
    if share is None or not math.isfinite(share):
        return "–"
    text = f"{100 * share:.{decimals}f}" if decimals else f"{round(100 * share, 2):g}"
    return f"{text} %"
