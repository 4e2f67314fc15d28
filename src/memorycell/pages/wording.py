"""Plain words: numbers with as many digits as their use needs, dates, and what a report says first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from memorycell.data.lines import counted
from memorycell.data.tables.times.calendar import say_date
from memorycell.data.tables.times.frequency import Frequency
from memorycell.data.tables.times.open_times import DAY
from memorycell.evaluation.tables import listing, percent, signed, significant

__all__ = ["counted", "decimals_for", "fixed", "listing", "percent", "say_when", "significant", "trained_on"]

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


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
    return signed(f"{value:,.{decimals}f}")


def trained_on(seen: bool | None) -> str:
    """What a figure on samples is worth, where that is known and must be said: it flatters on those trained on."""
    return " (it was trained on them: this flatters)" if seen else ""


def say_when(date: Any, frequency: Frequency | None = None) -> str:
    """A date as precise as the grid it lies on.

    Example
    -------
    >>> say_when(np.datetime64("2011-01-01"), Frequency.parse("MS")), say_when(np.datetime64("2011-01-01T06"))
    ('January 2011', '2011-01-01 06:00')
    >>> say_when(np.datetime64("2011-01-01"), Frequency.parse("h")), say_when(17)
    ('2011-01-01 00:00', 'step 17')
    """
    if not isinstance(date, np.datetime64):
        return f"step {date}"
    date = date if frequency is None else frequency.local(np.array([date], "datetime64[ns]"))[0]
    if frequency is None or frequency.kind != "month":
        said = say_date(date)
        hours = frequency is not None and frequency.kind == "fixed" and frequency.step % DAY
        return f"{said} 00:00" if hours and len(said) == len("2011-01-01") else said
    year, month = divmod(int(date.astype("datetime64[M]").astype(int)), 12)
    return str(1970 + year) if frequency.step % 12 == 0 else f"{_MONTHS[month]} {1970 + year}"
