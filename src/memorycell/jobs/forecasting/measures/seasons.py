"""Which season lags a time grid suggests, for the seasonal naive baseline, ETS and MASE."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DAY = 86_400.0
_STEP_NUMBER_LAGS = (4, 7, 12, 24, 52, 168, 365)


def season_lags(dates: NDArray) -> tuple[int, ...]:
    """Season lengths in rows for a regular grid of `dates`, shortest first; empty where there is none.

    Hourly rows give (24, 168), daily (7, 365), business days (5, 260), weekly (52,), monthly (12,),
    quarterly (4,); finer grids the rows of an hour (when it has twelve or more), of a day and of a week.
    Step numbers have no calendar, so the usual lags are all offered and the baselines choose among them on
    their training rows.

    Example
    -------
    >>> import numpy as np
    >>> hours = np.arange("2020-01-01T00", "2020-02-01T00", dtype="datetime64[h]")
    >>> season_lags(hours.astype("datetime64[ns]"))
    (24, 168)
    """
    if not np.issubdtype(dates.dtype, np.datetime64):
        return _STEP_NUMBER_LAGS
    if len(dates) < 2:
        return ()
    gaps = np.diff(dates.astype("datetime64[ns]").astype(np.int64)) / 1e9
    step = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    if step <= 0:
        return ()
    if step < _DAY:
        return tuple(
            round(cycle / step)
            for cycle, least in ((3_600.0, 12), (_DAY, 2), (7 * _DAY, 2))
            if cycle / step >= least and abs(cycle / step - round(cycle / step)) < 1e-6
        )
    days = step / _DAY
    if days == 1:
        weekday = (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
        return (5, 260) if len(dates) > 7 and (weekday < 5).all() else (7, 365)
    table = ((7, 7, 52), (27, 32, 12), (89, 93, 4))
    return next(((season,) for low, high, season in table if low <= days <= high), ())


def main_season(dates: NDArray) -> int:
    """The season MASE is scaled by: the first of `season_lags`, 1 where there is none or rows are only
    numbered.

    Example
    -------
    >>> import numpy as np
    >>> main_season(np.arange("2001-01", "2003-01", dtype="datetime64[M]").astype("datetime64[ns]"))
    12
    """
    if not np.issubdtype(dates.dtype, np.datetime64):
        return 1
    return next(iter(season_lags(dates)), 1)
