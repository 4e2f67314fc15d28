"""Plain words: numbers with as many digits as their use needs, dates, and what a report says first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from memorycell.data.tables.calendar import say_date
from memorycell.data.tables.frequency import Frequency

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def significant(value: float | None, digits: int = 3) -> str:
    """A number with at least `digits` significant digits, without an exponent where that can be read.

    Example
    -------
    >>> significant(0.01234), significant(1234.5), significant(2.0), significant(1e-9), significant(None)
    ('0.0123', '1,234', '2.00', '1.00e-09', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e9:
        return _signed(f"{value:.{digits - 1}e}")
    size = 0 if value == 0 else math.floor(math.log10(abs(value)))
    return _signed(f"{value:,.{max(0, digits - 1 - size)}f}")


def decimals_for(values: ArrayLike, spread: float) -> int:
    """Decimals that show a twentieth of the `spread` of `values`, or up to ten times less, and no more.

    Example
    -------
    >>> decimals_for([12.3456], 6.9), decimals_for([1234.0, 1250.0], 400.0), decimals_for([0.5], float("nan"))
    (1, 0, 1)
    """
    if not (math.isfinite(spread) and spread > 0):
        known = np.abs(np.asarray(values, float))
        known = known[np.isfinite(known) & (known > 0)]
        spread = float(np.median(known)) if known.size else 1.0
        spread *= 0.1 if spread >= 1 else 10
    return int(np.clip(1 - math.floor(math.log10(spread / 2)), 0, 8))


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals; a dash where it is missing.

    Example
    -------
    >>> fixed(-1234.56, 1), fixed(float("nan"), 2)
    ('−1,234.6', '–')
    """
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1e12:
        return f"{value:.3e}"
    return _signed(f"{value:,.{decimals}f}")


def _signed(text: str) -> str:
    """The sign as a minus, and none at a zero."""
    if not text.startswith("-"):
        return text
    return "−" + text[1:] if any(c in "123456789" for c in text) else text[1:]


def percent(share: float | None, decimals: int | None = None) -> str:
    """A share as a percentage; without `decimals` as many as it needs, two at most.

    Example
    -------
    >>> percent(0.9), percent(0.975), percent(0.8812, 1), percent(None)
    ('90 %', '97.5 %', '88.1 %', '–')
    """
    if share is None or not math.isfinite(share):
        return "–"
    text = f"{round(100 * share, 2):g}" if decimals is None else f"{100 * share:.{decimals}f}"
    return f"{text} %"


def listing(names: list[str]) -> str:
    """Names as a sentence has them.

    Example
    -------
    >>> listing(["ETS"]), listing(["ETS", "ridge", "last value"])
    ('ETS', 'ETS, ridge and last value')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(count: int, noun: str) -> str:
    """A number and what it counts.

    Example
    -------
    >>> counted(1, "origin"), counted(1200, "origin"), counted(3, "series")
    ('1 origin', '1,200 origins', '3 series')
    """
    return f"{count:,} {noun}" if count == 1 or noun.endswith("s") else f"{count:,} {noun}s"


def say_when(date: Any, frequency: Frequency | None = None) -> str:
    """A date as precise as the grid it lies on.

    Example
    -------
    >>> say_when(np.datetime64("2011-01-01"), Frequency.parse("MS")), say_when(np.datetime64("2011-01-01T06"))
    ('January 2011', '2011-01-01 06:00')
    >>> say_when(17)
    'step 17'
    """
    if not isinstance(date, np.datetime64):
        return f"step {date}"
    if frequency is None or frequency.kind != "month":
        return say_date(date)
    year, month = divmod(int(date.astype("datetime64[M]").astype(int)), 12)
    return str(1970 + year) if frequency.step % 12 == 0 else f"{_MONTHS[month]} {1970 + year}"
