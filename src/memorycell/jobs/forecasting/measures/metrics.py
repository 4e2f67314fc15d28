"""What forecasts were worth: errors with their units, per step of the horizon and overall; intervals and
quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memorycell.data.figures import Figures, pairs
from memorycell.data.tables.encoded import EncodedTable, Forecasts
from memorycell.evaluation.tables import plain

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coverage:
    """How often a central interval held what came, with the band a block bootstrap puts around that share.

    `low` and `high` are NaN where the origins span fewer than three blocks; `width` is the mean width of the
    interval in units of the target.
    """

    nominal: float
    observed: float
    low: float
    high: float
    width: float
    per_step: list[float] = field(default_factory=list)

    @property
    def agrees(self) -> bool | None:
        """Whether the band holds the nominal share; None where there is no band."""
        return None if math.isnan(self.low) else self.low <= self.nominal <= self.high


@dataclass(frozen=True, repr=False)
class Scores(Figures):
    """The scores of one target over n origins and H steps.

    `overall` maps a metric to a number and `per_step` to H numbers: "rmse", "mae", "pinball", "crps" in
    `unit`, "smape" in %, "mase" without a unit. `count` values were compared; `missing` had nothing to
    compare with and were left out.
    """

    target: str
    unit: str
    count: int
    missing: int
    overall: dict[str, float]
    per_step: dict[str, list[float]]
    coverage: list[Coverage]
    notes: list[str] = field(default_factory=list)

    def _said(self) -> tuple[str, str]:
        return f"{self.target}, {pairs(self.overall)} on {self.count:,} values, in {self.unit}", ""

    def table(self) -> list[dict[str, Any]]:
        """A row per step ahead."""
        steps = zip(*self.per_step.values(), strict=True)
        return [{"step": step, **dict(zip(self.per_step, row, strict=True))} for step, row in enumerate(steps, 1)]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; NaN becomes None."""
        return plain(asdict(self))


def _over_steps(values: Array, root: bool = False) -> tuple[float, list[float]]:
    """Mean of (n, H) without NaN, over all and per step."""
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(0), known.sum(0)
    steps = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    whole = float(total.sum() / count.sum()) if count.sum() else math.nan
    if root:
        steps, whole = np.sqrt(steps), math.sqrt(whole)
    return whole, steps.tolist()


def mae(actual: ArrayLike, point: ArrayLike) -> float:
    """Mean absolute error in units of the data; missing actuals are left out.

    Example
    -------
    >>> mae([1.0, 2.0, float("nan")], [2.0, 4.0, 0.0])
    1.5
    """
    return _scalar(np.abs(np.asarray(actual, float) - np.asarray(point, float)))


def rmse(actual: ArrayLike, point: ArrayLike) -> float:
    """Root mean squared error in units of the data; missing actuals are left out.

    Example
    -------
    >>> rmse([1.0, 2.0], [2.0, 9.0])
    5.0
    """
    return math.sqrt(_scalar((np.asarray(actual, float) - np.asarray(point, float)) ** 2))


def smape(actual: ArrayLike, point: ArrayLike) -> float:
    """Symmetric MAPE as the M4 competition defines it: mean of 200 |y − f| / (|y| + |f|), in %.

    Makridakis, Spiliotis & Assimakopoulos (2020), section 2; 0 where actual and forecast are both 0.

    Example
    -------
    >>> smape([100.0, 0.0], [300.0, 0.0])
    50.0
    """
    return _scalar(_smape_terms(np.asarray(actual, float), np.asarray(point, float)))


def mase(actual: ArrayLike, point: ArrayLike, training: ArrayLike, season: int = 1) -> float:
    """Mean absolute scaled error: MAE over the in-sample MAE of the seasonal naive forecast (Hyndman &
    Koehler 2006).

    NaN where the training part is no longer than a season, or where it repeats itself exactly.

    Example
    -------
    >>> mase([5.0], [7.0], training=[1.0, 2.0, 3.0, 4.0])
    2.0
    """
    scale = seasonal_mae(np.asarray(training, float), season)
    return mae(actual, point) / scale if scale > 0 else math.nan


def pinball(actual: ArrayLike, quantile: ArrayLike, level: float) -> float:
    """Mean pinball loss of the forecast of one quantile, in units of the data (Koenker & Bassett 1978).

    Example
    -------
    >>> pinball([10.0], [8.0], 0.9)
    1.8
    """
    error = np.asarray(actual, float) - np.asarray(quantile, float)
    return _scalar(np.maximum(level * error, (level - 1) * error))


def _scalar(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def _smape_terms(actual: Array, point: Array) -> Array:
    size = np.abs(actual) + np.abs(point)
    error = 200 * np.abs(actual - point)
    return np.divide(error, size, out=np.where(np.isnan(size), np.nan, 0.0), where=size > 0)


def seasonal_mae(values: Array, season: int) -> float:
    """Mean |y_t − y_{t−season}| of a series (T,), pairs with a missing value left out; NaN when there is no
    pair."""
    return _scalar(np.abs(values[season:] - values[:-season])) if len(values) > season else math.nan


def mase_scales(encoded: EncodedTable, train_stop: NDArray[np.int64], season: int) -> Array:
    """(S, K) in units: what MASE divides by, from the training rows ``offsets[s] : train_stop[s]`` of each
    series.

    NaN where the training part is too short or repeats itself: such a series takes no part in MASE.
    """
    values = encoded.target_in_units()
    scales = np.full((len(encoded.ids), values.shape[1]), np.nan)
    for s, (start, stop) in enumerate(zip(encoded.offsets[:-1], train_stop, strict=True)):
        for k in range(values.shape[1]):
            scales[s, k] = seasonal_mae(values[start:stop, k], season)
    return np.where(scales > 0, scales, np.nan)


def central_levels(levels: Sequence[float]) -> list[tuple[float, int, int]]:
    """(nominal share, index of the lower and of the upper quantile) of each central interval, widest first.

    Example
    -------
    >>> central_levels((0.05, 0.25, 0.5, 0.75, 0.95))
    [(0.9, 0, 4), (0.5, 1, 3)]
    """
    found = []
    for low, level in enumerate(levels):
        for high in range(low + 1, len(levels)):
            if abs(level + levels[high] - 1) < 1e-9:
                found.append((round(levels[high] - level, 10), low, high))
    return sorted(found, reverse=True)


def spacing(origins: NDArray[np.int64], series: NDArray[np.int64]) -> int:
    """Rows from one origin to the next of the same series, the median; 1 where no series has two."""
    gaps = np.diff(origins)[np.diff(series) == 0]
    gaps = gaps[gaps > 0]
    return max(1, int(np.median(gaps))) if gaps.size else 1


def coverage_band(
    hits: Array,
    block: int,
    series: NDArray[np.int64],
    *,
    share: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The band of `share` around a coverage: a moving-block bootstrap along the origins (Künsch 1989).

    Parameters
    ----------
    hits : (n,) mean of the hits (0 or 1) over each origin's steps, in the order of time in each series
    block : int
        Origins in a block: `measure` takes the larger of the horizon (in origins) and the cube root of n, so
        that errors of overlapping horizons stay together.
    series : (n,) where ten series or more were forecast, whole series are drawn instead of blocks.

    (NaN, NaN) when there are fewer than three blocks.

    Example
    -------
    >>> low, high = coverage_band(np.tile([1.0, 1, 1, 1, 0], 40), 6, np.zeros(200, int))
    >>> low <= 0.8 <= high
    True
    """
    generator = np.random.default_rng(seed)
    owners, index = np.unique(series, return_inverse=True)
    if len(owners) >= 10:
        total, count = np.bincount(index, hits), np.bincount(index)
        draws = generator.integers(0, len(owners), (resamples, len(owners)))
        means = total[draws].sum(1) / count[draws].sum(1)
    else:
        n = len(hits)
        if n < 3 * block:
            return math.nan, math.nan
        sums = np.concatenate([[0.0], np.cumsum(hits)])
        sums = sums[block:] - sums[:-block]  # of every block of consecutive origins
        draws = generator.integers(0, len(sums), (resamples, math.ceil(n / block)))
        means = sums[draws].mean(1) / block
    tail = (1 - share) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _coverages(forecasts: Forecasts, k: int) -> list[Coverage]:
    actual = forecasts.actual[:, :, k]
    known = np.isfinite(actual)
    rows = known.any(1)
    if not rows.any():
        return []
    origins = math.ceil(actual.shape[1] / spacing(forecasts.origins, forecasts.series))
    block = max(origins, math.ceil(rows.sum() ** (1 / 3)))
    found = []
    for nominal, low, high in central_levels(forecasts.levels):
        lower, upper = forecasts.quantiles[:, :, k, low], forecasts.quantiles[:, :, k, high]
        hits = np.where(known, (actual >= lower) & (actual <= upper), np.nan)
        observed, steps = _over_steps(hits)
        per_origin = np.nansum(hits[rows], 1) / known[rows].sum(1)
        band = coverage_band(per_origin, block, forecasts.series[rows])
        width = _scalar(np.where(known, upper - lower, np.nan))
        found.append(Coverage(nominal, observed, *band, width, steps))
    return found


def measure(forecasts: Forecasts, scales: Array | None = None, *, unit: str | None = None) -> list[Scores]:
    """Scores of each target.

    RMSE and MAE pool all origins and series; sMAPE is the M4 definition; MASE divides by `scales`
    (those of `mase_scales` for the series of each origin; None leaves MASE out). CRPS is approximated by
    twice the mean pinball loss over the levels forecast (its definition is twice the integral over all
    levels: Laio & Tamea 2007, eq. 6), so it compares models with the same levels only.

    Parameters
    ----------
    forecasts : n origins, H steps, K targets
    scales : (n, K)
    unit : str or None
        Of the targets; None says "units of <target>".

    Example
    -------
    >>> y, day = np.array([[[1.0]], [[2.0]]]), np.array([[1], [2]])
    >>> rows, first = np.array([0, 1]), np.array([0, 0])
    >>> none = np.empty((2, 1, 1, 0))
    >>> result, = measure(Forecasts(y + 1, none, (), y, rows, first, day, rows, ["t"], ["a"]))
    >>> result.overall["rmse"], result.unit
    (1.0, 'units of t')
    """
    return [_measure_target(forecasts, k, scales, unit) for k in range(len(forecasts.target_names))]


def _measure_target(forecasts: Forecasts, k: int, scales: Array | None, unit: str | None) -> Scores:
    name = forecasts.target_names[k]
    actual, point = forecasts.actual[:, :, k], forecasts.point[:, :, k]
    error = actual - point
    terms: dict[str, Array] = {"mae": np.abs(error), "smape": _smape_terms(actual, point)}
    notes = []
    if scales is not None:
        scale = scales[:, k]
        terms["mase"] = np.abs(error) / scale[:, None]
        without = len(np.unique(forecasts.series[np.isnan(scale)]))
        if without:
            why = "their training part is too short or never changes"
            notes.append(f"{without} series left out of MASE: {why}")
    if forecasts.levels:
        ahead = actual[:, :, None] - forecasts.quantiles[:, :, k]
        level = np.asarray(forecasts.levels)
        terms["pinball"] = np.maximum(level * ahead, (level - 1) * ahead).mean(2)
        terms["crps"] = 2 * terms["pinball"]
    overall, per_step = {}, {}
    overall["rmse"], per_step["rmse"] = _over_steps(error**2, root=True)
    for metric, values in terms.items():
        overall[metric], per_step[metric] = _over_steps(values)
    known = int(np.isfinite(actual).sum())
    missing = actual.size - known
    if missing:
        notes.append(f"{missing} of {actual.size} values were missing and left out")
    coverage = _coverages(forecasts, k)
    return Scores(name, unit or f"units of {name}", known, missing, overall, per_step, coverage, notes)
