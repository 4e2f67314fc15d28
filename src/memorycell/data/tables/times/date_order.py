"""Which of day, month and year comes first: the order whose dates keep a calendar's step best over the whole column."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DOUBTFUL = 0.1  # orders whose dates are regular to within this share of each other are in doubt


def regularity(days: NDArray, within_days: bool = False) -> float:
    """How wholly dates (datetime64[D], in the order of the rows) fill a calendar's grid: 1 where nothing is missing.

    Days, weekdays, weeks, months, quarters, some days of each month: the grid that they fill best counts. Rows that go
    back in time count against them. Readings `within_days` go on from day to day.

    Example
    -------
    >>> months = np.arange("2015-01", "2016-07", dtype="M8[M]").astype("M8[D]")
    >>> some = np.array(["2015-01-01", "2015-01-09", "2016-03-05"], "M8[D]")
    >>> round(regularity(months), 2), round(regularity(some), 2)
    (1.0, 0.07)
    """
    found = np.unique(days)
    if len(found) < 2:
        return 0.0
    back = float((np.diff(days).astype(np.int64) < 0).mean())
    whole = 0.0 if within_days else _by_months(found)
    return float(max(_by_days(found, within_days), whole) * (1 - 0.5 * back))


def _by_days(days: NDArray, within_days: bool) -> float:
    numbers = days.astype(np.int64)
    steps = np.diff(numbers)
    values, counts = np.unique(steps, return_counts=True)
    step, span = 1 if within_days else int(values[np.argmax(counts)]), int(numbers[-1] - numbers[0])
    shares = [len(days) / (span / step + 1) * float((steps % step == 0).mean())]
    weekdays = np.unique((numbers + 3) % 7)
    if step < 7 and len(weekdays) < 7 and span >= 14:
        shares.append(min(1.0, len(days) / ((span + 1) / 7 * len(weekdays))))
    return max(shares)


def _by_months(days: NDArray) -> float:
    months = days.astype("datetime64[M]")
    day = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    last = (months + 1).astype("datetime64[D]") - 1
    kinds = np.unique(np.where((days == last) & (day >= 28), 31, day))
    number = months.astype(np.int64)
    if len(kinds) == 1:
        values, counts = np.unique(np.diff(number), return_counts=True)
        step = int(values[np.argmax(counts)])
        return len(days) / ((number[-1] - number[0]) / step + 1)
    if len(kinds) <= 4:
        return float(min(1.0, len(days) / ((number[-1] - number[0] + 1) * len(kinds))))
    return 0.0


def best_order(candidates: dict[str, NDArray | None], usual: str, within_days: bool = False) -> tuple[str, bool]:
    """The order whose dates are most regular, and whether another one does about as well.

    Parameters
    ----------
    candidates : dict of datetime64[D] arrays
        The dates by each order; None where they do not exist.
    usual : str
        The order that is taken in doubt.
    within_days : bool
        Whether there are several times of a day.
    """
    scores = {order: regularity(days, within_days) for order, days in candidates.items() if days is not None}
    ranked = sorted(scores, key=lambda order: (scores[order], order == usual), reverse=True)
    if len(ranked) == 1:
        return ranked[0], False
    near = [order for order in ranked if scores[order] > scores[ranked[0]] - _DOUBTFUL]
    return (usual if usual in near else ranked[0]), len(near) > 1
