"""Offsets of pandas that no other kind of frequency says: the third Friday, the last business day of a month."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PARTS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds", "microseconds", "nanoseconds")
_COMPOSED = "DateOffset:"


def known(rule: str) -> bool:
    """Whether `rule` is an offset that can be counted in."""
    try:
        return offset_of(rule) is not None
    except (ValueError, TypeError, AttributeError):
        return False


@lru_cache(maxsize=64)
def offset_of(rule: str) -> Any:
    """The offset of pandas that a rule names."""
    import pandas as pd

    if rule.startswith(_COMPOSED):
        parts = json.loads(rule.removeprefix(_COMPOSED))
        if not isinstance(parts, dict) or not all(name in _PARTS and type(n) is int for name, n in parts.items()):
            raise ValueError(f"expected parts of an offset, got {rule!r:.60}")
        made = pd.DateOffset(**parts)
        if not parts or pd.Timestamp("2000-01-01") + made <= pd.Timestamp("2000-01-01"):
            raise ValueError(f"expected an offset that leads on, got {rule!r:.60}")
        return made
    found = pd.tseries.frequencies.to_offset(rule)
    if found is None or found.n <= 0:
        raise ValueError(f"expected an offset that leads on, got {rule!r:.60}")
    return found


def rule_of(offset: Any) -> str:
    """The text that says an offset again."""
    import pandas as pd

    if type(offset) is pd.DateOffset:
        parts = {name: n * offset.n for name, n in offset.kwds.items() if name in _PARTS}
        if len(parts) < len(offset.kwds) or not parts:
            raise ValueError(
                f"expected freq= to be an offset of years, months, weeks, days or hours, got {offset!r:.80}: parts "
                "such as month=1 put every date on the same one"
            )
        return _COMPOSED + json.dumps(parts)
    return str(offset.freqstr)


def said(rule: str) -> str:
    """A rule in words: "step of '2B'", "step of 1 month and 3 days"."""
    if not rule.startswith(_COMPOSED):
        return f"step of {rule!r}"
    parts = json.loads(rule.removeprefix(_COMPOSED))
    return f"step of {' and '.join(f'{n} {name[:-1] if n == 1 else name}' for name, n in parts.items())}"


def mean_step(rule: str) -> int:
    """Nanoseconds from one point to the next, on average."""
    points = grid(rule, "2000-01-01", 41)
    return int((points[-1] - points[0]).astype(np.int64) // 40)


def grid(rule: str, start: Any, n: int) -> NDArray:
    """datetime64[ns] (n,): the points from `start` on, of which it is the first if it is one."""
    import pandas as pd

    # Step by step: date_range computes an end first, by months and days added apart, and stops a point short of it.
    offset = offset_of(rule)
    points = [offset.rollforward(pd.Timestamp(start))]
    for _ in range(n - 1):
        points.append(points[-1] + offset)
    return np.array([point.to_datetime64() for point in points[:n]], "datetime64[ns]")


def before(rule: str, day: Any) -> Any:
    """The last point up to a day."""
    import pandas as pd

    offset, moment = offset_of(rule), pd.Timestamp(day)
    start = moment if rule.startswith(_COMPOSED) else offset.rollback(moment)
    return np.datetime64(start.to_datetime64(), "ns")


def index(rule: str, stamps: NDArray, start: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Points from `start` (one, or one a stamp) to the last one up to each stamp, and whether that is the stamp."""
    starts = np.broadcast_to(np.asarray(start, "datetime64[ns]"), stamps.shape)
    places, fits = np.zeros(len(stamps), np.int64), np.zeros(len(stamps), bool)
    step = mean_step(rule)
    for first in np.unique(starts):
        mine = starts == first
        ahead = int((stamps[mine].max() - first).astype(np.int64) // step) + 8
        points = grid(rule, first, max(2, ahead))
        while points[-1] < stamps[mine].max():
            ahead = 2 * ahead + 8
            points = grid(rule, first, ahead)
        places[mine] = np.searchsorted(points, stamps[mine], side="right") - 1
        fits[mine] = points[np.maximum(places[mine], 0)] == stamps[mine]
    return places, fits
