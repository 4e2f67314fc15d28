"""Calendar: where in the day, the week and the year a time lies, as sines and cosines; and how a date is said."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.times.frequency import Frequency

_DAY = 86_400 * 10**9
CYCLES = {"time of day": _DAY, "day of week": 7 * _DAY, "time of year": 365.2425 * _DAY}
_HARMONICS = 2
_CHUNK = 1 << 20


def calendar_names(frequency: Frequency, span: float) -> list[str]:
    """Names of the features worth having for rows of `frequency` that cover `span` nanoseconds of training.

    A cycle counts when training covers it at least twice (what was seen once cannot be told from chance), and
    a harmonic when it is longer than two steps (Nyquist): two harmonics of each cycle at most.

    Example
    -------
    >>> calendar_names(Frequency.parse("D"), 10 * 365.25 * 86_400e9)[:2]
    ['day of week sin', 'day of week cos']
    """
    names = []
    for cycle, length in CYCLES.items():
        for harmonic in range(1, _HARMONICS + 1):
            if frequency.span and length / harmonic > 2 * frequency.finest and span >= 2 * length:
                suffix = "" if harmonic == 1 else f" {harmonic}"
                names += [f"{cycle} sin{suffix}", f"{cycle} cos{suffix}"]
    return names


def calendar_features(dates: NDArray, names: list[str], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """float32 (N, len(names)): sin and cos of 2πk × (share of the cycle gone), k the harmonic named.

    Parameters
    ----------
    dates : datetime64[ns] (N,)
    names : list of str
        As `calendar_names` gives them.
    out : float32 (N, len(names)), optional
        Where to write them.

    Example
    -------
    >>> noon = np.array(["2024-01-01T12:00"], "datetime64[ns]")
    >>> calendar_features(noon, ["time of day cos"]).round(3)
    array([[-1.]], dtype=float32)
    """
    features = np.empty((len(dates), len(names)), np.float32) if out is None else out
    for first in range(0, len(dates), _CHUNK):
        part = dates[first : first + _CHUNK]
        phases: dict[str, NDArray[np.float64]] = {}
        for column, name in enumerate(names):
            cycle, wave, harmonic = split_name(name)
            if cycle not in phases:
                phases[cycle] = 2 * np.pi * _share_gone(part, cycle)
            features[first : first + _CHUNK, column] = (np.sin if wave == "sin" else np.cos)(harmonic * phases[cycle])
    return features


def split_name(name: str) -> tuple[str, str, int]:
    """Cycle, "sin" or "cos", and harmonic of a feature's name; ValueError when it is none."""
    for cycle in CYCLES:
        rest = name.removeprefix(f"{cycle} ").split(" ")
        if (
            name.startswith(f"{cycle} ")
            and rest[0] in ("sin", "cos")
            and rest[1:] in ([], *([str(k)] for k in range(2, 10)))
        ):
            return cycle, rest[0], int(rest[1]) if rest[1:] else 1
    raise ValueError(f"expected a calendar feature such as 'time of day sin', got {name!r:.60}")


def _share_gone(dates: NDArray, cycle: str) -> NDArray[np.float64]:
    if cycle == "time of day":
        return (dates - dates.astype("datetime64[D]")).astype(np.int64) / _DAY
    if cycle == "day of week":
        return ((dates.astype(np.int64) - 4 * _DAY) % (7 * _DAY)) / (7 * _DAY)  # 1970-01-05 was a Monday
    start = dates.astype("datetime64[Y]")
    length = (start + 1).astype("datetime64[ns]") - start.astype("datetime64[ns]")
    return (dates - start.astype("datetime64[ns]")) / length


def say_date(date: Any) -> str:
    """A date without the parts that are zero, or a step number.

    Example
    -------
    >>> say_date(np.datetime64("2024-05-01T00:00:00")), say_date(np.datetime64("2024-05-01T06:30"))
    ('2024-05-01', '2024-05-01 06:30')
    """
    if not isinstance(date, np.datetime64):
        return str(date)
    text = str(np.datetime_as_string(date, unit="s")).replace("T", " ")
    return text.removesuffix(" 00:00:00").removesuffix(":00")
