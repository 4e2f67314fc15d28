"""Which season lags a time grid suggests, for the seasonal naive baseline, ETS and MASE."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.times.frequency import Frequency
from memorycell.data.tables.times.open_times import OpenTimes

_DAY = 86_400.0
_STEP_NUMBER_LAGS = (4, 7, 12, 24, 52, 168, 365)


def season_lags(dates: NDArray, frequency: Frequency | None = None) -> tuple[int, ...]:
    """Season lengths in rows for a regular grid of `dates`, shortest first; empty where there is none.

    Hourly rows give (24, 168), daily (7, 365), business days (5, 260), weekly (52,), monthly (12,),
    quarterly (4,); finer grids the rows of an hour (when it has twelve or more), of a day and of a week.
    Where only some hours and days are open, the open rows of a day, a week and a year. Dekads give (36,), half months
    (24,), four weeks (13,). Readings at irregular times have no season that rows could count.

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
    if len(dates) < 2 or (frequency is not None and frequency.kind == "irregular"):
        return ()
    if frequency is not None and frequency.open is not None:
        return _open_lags(frequency.open)
    if frequency is not None and frequency.kind == "days":
        return (12 * len(frequency.days),)
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
    table = ((7, 7, 52), (14, 14, 26), (28, 28, 13), (27, 32, 12), (84, 84, 4), (89, 93, 4), (181, 184, 2))
    return next(((season,) for low, high, season in table if low <= days <= high), ())


def _open_lags(times: OpenTimes) -> tuple[int, ...]:
    """Open rows of a day where most days have as many, of a week, and of days also of a year."""
    per_day = times.open_per_day()
    week = int(per_day.sum())
    if times.per_day == 1:
        return (week, round(week * 365.2425 / 7)) if week > 1 else (52,)
    usual = int(np.bincount(per_day[per_day > 0]).argmax())
    return (usual, week) if 1 < usual < week else (week,)


def main_season(dates: NDArray, frequency: Frequency | None = None) -> int:
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
    return next(iter(season_lags(dates, frequency)), 1)
