"""Scales and fills, from training rows only, written column by column to spare memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 20
_SAMPLE = 100_000
_LARGEST = 1e140  # whose square still is a number
FILLS = ("auto", "forward", "median", "error")


class Moments(NamedTuple):
    """Mean, standard deviation, number, smallest and largest of the values that are there."""

    mean: float
    std: float
    number: int
    low: float
    high: float


def moments(values: NDArray, name: str = "") -> Moments:
    """Moments of a column, missing values (NaN) left out; two passes in float64.

    Example
    -------
    >>> moments(np.array([1.0, np.nan, 3.0]))
    Moments(mean=2.0, std=1.0, number=2, low=1.0, high=3.0)
    """
    if values.dtype.kind == "f" and np.isnan(values).any():
        values = values[~np.isnan(values)]
    count = len(values)
    if not count:
        return Moments(np.nan, np.nan, 0, np.nan, np.nan)
    low, high = float(values.min()), float(values.max())
    if max(-low, high) > _LARGEST:
        raise ValueError(f"column {name!r} holds values as large as {max(-low, high):.3g}: use a larger unit")
    mean = float(values.mean(dtype=np.float64))
    squares = sum(
        float(np.square(values[i : i + _CHUNK] - mean, dtype=np.float64).sum()) for i in range(0, count, _CHUNK)
    )
    return Moments(mean, float(np.sqrt(squares / count)), count, low, high)


def moments_by_series(
    values: NDArray, series: NDArray[np.int64], n_series: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean, standard deviation (NaN without values) and count of each series: float64 and int64 (S,)."""
    present = ~np.isnan(values)
    kept, owner = values[present].astype(np.float64), series[present]
    count = np.bincount(owner, minlength=n_series)
    divisor = np.where(count > 0, count, 1)
    mean = np.bincount(owner, kept, n_series) / divisor
    kept -= mean[owner]
    std = np.sqrt(np.bincount(owner, kept * kept, n_series) / divisor)
    return np.where(count > 0, mean, np.nan), np.where(count > 0, std, np.nan), count


def safe_scales(
    mean: NDArray,
    std: NDArray,
    count: NDArray,
    *,
    pooled: tuple[float, float] | None = None,
    overall: tuple[float, float] = (0.0, 1.0),
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]]:
    """Center and scale of each series, never zero; and the pooled level and spread.

    A series with fewer than 3 values, or whose spread is below 1e-6 of its level, takes the pooled spread;
    one without values the pooled level too. `pooled` is by default the medians over the other series, or
    `overall` where there are none.
    """
    with np.errstate(invalid="ignore"):
        sound = (count >= 3) & (std > 1e-6 * np.abs(mean)) & (std > 0)
    if pooled is None:
        pooled = (float(np.median(mean[sound])), float(np.median(std[sound]))) if sound.any() else overall
    return np.where(count > 0, mean, pooled[0]), np.where(sound, std, pooled[1]), pooled


def sample_median(values: NDArray) -> float:
    """Median of at most 100,000 evenly spaced values, missing ones left out; 0 when none is there."""
    sample = values[:: max(1, len(values) // _SAMPLE)].astype(np.float64)
    sample = sample[~np.isnan(sample)]
    return float(np.median(sample)) if len(sample) else 0.0


def write_scaled(
    values: NDArray, center: NDArray | float, scale: NDArray | float, out: NDArray[np.float32],
    series: NDArray[np.int64] | None = None,
) -> None:  # fmt: skip
    """out = (values - center) / scale in float32, block by block; of each row's `series` if given."""
    for first in range(0, len(values), _CHUNK):
        block = slice(first, first + _CHUNK)
        own_center = center if series is None else np.asarray(center)[series[block]]
        own_scale = scale if series is None else np.asarray(scale)[series[block]]
        with np.errstate(over="ignore"):
            out[block] = (values[block] - own_center) / own_scale


def fill_missing(
    column: NDArray[np.float32],
    missing: NDArray[np.bool_],
    offsets: NDArray[np.int64],
    median: float,
    rule: str,
) -> None:
    """Fill `column` in place where `missing`: the last value of the same series before it, else the median.

    Values that come later are never used: a model must not see the future. `rule` "median" takes the median
    always.
    """
    if rule == "median":
        column[missing] = median
        return
    last = np.where(missing, -1, np.arange(len(column)))
    starts = offsets[:-1][np.diff(offsets) > 0]
    last[starts] = starts
    np.maximum.accumulate(last, out=last)
    column[missing] = column[last[missing]]
    column[np.isnan(column)] = median
