"""What a user would try first: the last value, and the season before. ETS and ridge have files of their
own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.encoded import EncodedTable, Forecasts, gather_actual
from memorycell.jobs.forecasting.measures.metrics import Array
from memorycell.jobs.forecasting.measures.seasons import season_lags
from memorycell.kernels.quiet import quiet

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_RESIDUAL_ORIGINS = 2_000  # of the latest half of the training part, shared out among the series …
_PER_SERIES = 100  # … which have at least this many where they are long enough
_OWN_QUANTILES = 50  # residuals a series needs for quantiles of its own


class NotApplicable(ValueError):
    """A baseline that these data cannot carry; the message says why, in the words of a note."""


class Baseline:
    """A naive forecaster: fitted on the rows before `train_stop`, asked at any origin, in units of the data.

    Its quantiles are the point forecast plus empirical quantiles of its own errors in the training part, for
    each step of the horizon (Hyndman & Athanasopoulos 2021, section 5.5: bootstrapped residuals); of each
    series where it has 50 such errors or more, otherwise of all series together after division by their
    scales.

    Subclasses fill `_learn` and `_point`; `notes` says what was chosen or left out.
    """

    name: ClassVar[str] = ""

    def __init__(self, levels: Sequence[float] = LEVELS) -> None:
        self.levels = tuple(levels)
        self.notes: list[str] = []

    def fit(self, encoded: EncodedTable, train_stop: NDArray[np.int64], window: int, horizon: int) -> Self:
        """Learn from the rows ``offsets[s] : train_stop[s]`` of each series s.

        Parameters
        ----------
        encoded : EncodedTable
            Rows from `train_stop` on are not looked at.
        train_stop : int64 (S,)
            Global row after the last training row of each series.
        window, horizon : int
            Rows looked back on by a model that has a window; steps ahead.

        Raises
        ------
        NotApplicable
            When the training part cannot carry this baseline.
        """
        self.window, self.horizon, self.notes = window, horizon, []
        self._learn(encoded, np.asarray(train_stop, np.int64))
        self._offsets = self._residual_quantiles(encoded, np.asarray(train_stop, np.int64))
        return self

    def forecast_at(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> Forecasts:
        """Forecasts from each row of `origins` (n,), having seen the rows up to it.

        Raises
        ------
        ValueError
            When an origin has fewer rows after it than the horizon (encode with ``horizon=`` for future
            rows).
        """
        point = self._point(encoded, np.asarray(origins, np.int64))
        series = series_of(encoded, origins)
        if self._pooled:
            spread = self._offsets * encoded.scale[series][:, None, :, None]
        else:
            spread = self._offsets[series]
        return collect(encoded, origins, point, point[..., None] + spread, self.levels)

    def _learn(self, encoded: EncodedTable, train_stop: NDArray[np.int64]) -> None:
        raise NotImplementedError

    def _point(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> Array:
        """float64 (n, H, K) in units."""
        raise NotImplementedError

    def _history(self, encoded: EncodedTable) -> NDArray[np.int64]:
        """(S,) first row of each series that can be an origin."""
        return encoded.offsets[:-1]

    def _residuals(self, encoded: EncodedTable, train_stop: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
        """Errors (m, H, K) in units from training origins, and their series (m,)."""
        limit = max(_PER_SERIES, _RESIDUAL_ORIGINS // len(encoded.ids))
        chosen = []
        for start, first, stop in zip(
            encoded.offsets[:-1], self._history(encoded), train_stop - self.horizon, strict=True
        ):
            begin = max(first, (start + stop) // 2)
            if stop > begin:
                chosen.append(np.unique(np.linspace(begin, stop - 1, min(limit, stop - begin)).astype(np.int64)))
        origins = np.concatenate(chosen) if chosen else np.empty(0, np.int64)
        if not len(origins):
            return np.empty((0, self.horizon, len(encoded.target_names))), origins
        errors = gather_actual(encoded, origins, self.horizon) - self._point(encoded, origins)
        return errors, series_of(encoded, origins)

    def _residual_quantiles(self, encoded: EncodedTable, train_stop: NDArray[np.int64]) -> Array:
        """(S, H, K, Q) in units; pooled over the series (1, H, K, Q), in multiples of the scale of each."""
        errors, series = self._residuals(encoded, train_stop)
        self._pooled = True
        shape = (1, self.horizon, len(encoded.target_names), len(self.levels))
        if not len(errors) or not self.levels:
            self.notes.append("no errors in the training part: its quantiles equal the point forecast")
            return np.zeros(shape)
        counts = np.bincount(series, minlength=len(encoded.ids))
        if counts.min() >= _OWN_QUANTILES:
            self._pooled = False
            return np.stack([_quantiles(errors[series == s], self.levels) for s in range(len(encoded.ids))])
        return _quantiles(errors / encoded.scale[series][:, None], self.levels)[None]


def _quantiles(errors: Array, levels: tuple[float, ...]) -> Array:
    """(H, K, Q) of errors (m, H, K); 0 for a step without any."""
    with quiet(RuntimeWarning, "All-NaN slice"):
        found = np.nanquantile(errors, levels, axis=0)
    return np.moveaxis(np.nan_to_num(found), 0, -1)


def series_of(encoded: EncodedTable, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The series of each global row."""
    return np.searchsorted(encoded.offsets, rows, side="right") - 1


def collect(
    encoded: EncodedTable,
    origins: NDArray[np.int64],
    point: Array,
    quantiles: Array,
    levels: tuple[float, ...],
) -> Forecasts:
    """Forecasts with their dates and what came; `point` (n, H, K) and `quantiles` (n, H, K, Q) are in
    units."""
    origins = np.asarray(origins, np.int64)
    horizon, series = point.shape[1], series_of(encoded, origins)
    rows = origins[:, None] + np.arange(1, horizon + 1)
    short = rows[:, -1] >= encoded.offsets[series + 1] if len(rows) else np.zeros(0, bool)
    if short.any():
        raise ValueError(
            f"expected {horizon} rows after each origin, got fewer for {int(short.sum())} of them: "
            f"encode with horizon={horizon} to have future rows"
        )
    return Forecasts(
        point,
        quantiles,
        levels,
        gather_actual(encoded, origins, horizon),
        origins,
        series,
        encoded.dates[rows],
        encoded.dates[origins],
        list(encoded.target_names),
        list(encoded.ids),
        frequency=encoded.frequency,
    )


def filled_targets(encoded: EncodedTable) -> Array:
    """(N, K) targets in units; a missing one holds the last seen before it (before the first: the first
    seen)."""
    values = encoded.target_in_units()
    rows = np.arange(len(values))
    start = encoded.offsets[:-1][encoded.series_of_row]
    for k in range(values.shape[1]):
        seen = np.isfinite(values[:, k])
        last = np.maximum.accumulate(np.where(seen, rows, -1))
        following = np.minimum.accumulate(np.where(seen, rows, len(rows))[::-1])[::-1]
        stop = encoded.offsets[1:][encoded.series_of_row]
        backward = np.where(following < stop, following, -1)
        source = np.where(last >= start, last, backward)
        centre = encoded.center[encoded.series_of_row, k]
        values[:, k] = np.where(source >= 0, values[source, k], centre)
    return values


class LastValue(Baseline):
    """Every step ahead is the last value seen.

    Example
    -------
    >>> from memorycell.data.tables.table_codec import TableCodec
    >>> table = {"y": [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]}
    >>> encoded = TableCodec("y").fit(table).encode(table)
    >>> baseline = LastValue().fit(encoded, np.array([4]), window=1, horizon=2)
    >>> baseline.forecast_at(encoded, np.array([3])).point.ravel().round(4)
    array([1., 1.])
    """

    name = "last value"

    def _learn(self, encoded: EncodedTable, train_stop: NDArray[np.int64]) -> None:
        if (train_stop <= encoded.offsets[:-1]).all():
            raise NotApplicable("no training rows")

    def _point(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> Array:
        return np.repeat(filled_targets(encoded)[origins][:, None], self.horizon, 1)


class SeasonalNaive(Baseline):
    """Every step ahead is the value one season earlier (as many seasons as needed to have been seen).

    The lag is chosen for each series and target, by mean absolute error over the horizon in the training
    part, among the lags that the dates suggest (`season_lags`) and that fit twice into the training part.

    Example
    -------
    >>> from memorycell.data.tables.table_codec import TableCodec
    >>> table = {"y": [1.0, 2.0, 3.0, 4.0] * 5}
    >>> encoded = TableCodec("y").fit(table).encode(table)
    >>> baseline = SeasonalNaive(lags=[4]).fit(encoded, np.array([16]), window=1, horizon=3)
    >>> baseline.forecast_at(encoded, np.array([15])).point.ravel().round(4)
    array([1., 2., 3.])
    """

    name = "seasonal naive"

    def __init__(self, levels: Sequence[float] = LEVELS, lags: Sequence[int] | None = None) -> None:
        super().__init__(levels)
        self.lags = lags

    def _learn(self, encoded: EncodedTable, train_stop: NDArray[np.int64]) -> None:
        self.lag_ = choose_lags(encoded, train_stop, self.horizon, self.lags)
        if (self.lag_ == 0).all():
            raise NotApplicable("no season of these dates fits twice into the training part")
        used, counts = np.unique(self.lag_[self.lag_ > 0], return_counts=True)
        said = ", ".join(
            f"{lag}" if len(used) == 1 else f"{lag} ({n} of {self.lag_.size})"
            for lag, n in zip(used, counts, strict=True)
        )
        self.notes.append(f"season in rows: {said}")
        if (self.lag_ == 0).any():
            self.notes.append(f"{int((self.lag_ == 0).sum())} too short for a season: last value instead")
        self.lag_ = np.maximum(self.lag_, 1)

    def _history(self, encoded: EncodedTable) -> NDArray[np.int64]:
        return encoded.offsets[:-1] + self.lag_.max(1) - 1

    def _point(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> Array:
        values, series = filled_targets(encoded), series_of(encoded, origins)
        lag = self.lag_[series][:, None]  # (n, 1, K)
        ahead = np.arange(1, self.horizon + 1)[None, :, None]
        rows = origins[:, None, None] + ahead - lag * -(-ahead // lag)
        rows = np.maximum(rows, encoded.offsets[series][:, None, None])
        return np.take_along_axis(values, rows.reshape(-1, rows.shape[2]), 0).reshape(rows.shape)


def choose_lags(
    encoded: EncodedTable,
    train_stop: NDArray[np.int64],
    horizon: int,
    lags: Sequence[int] | None = None,
    longest: int | None = None,
) -> NDArray[np.int64]:
    """(S, K) the lag with the least error of the seasonal naive forecast in the training part; 0 where none
    fits."""
    candidates = season_lags(encoded.dates[encoded.longest], encoded.frequency) if lags is None else tuple(lags)
    candidates = tuple(lag for lag in candidates if longest is None or lag <= longest)
    values = encoded.target_in_units()
    chosen = np.zeros((len(encoded.ids), values.shape[1]), np.int64)
    for s, (start, stop) in enumerate(zip(encoded.offsets[:-1], train_stop, strict=True)):
        part = values[start:stop]
        best = np.full(values.shape[1], np.inf)
        for lag in candidates:
            if len(part) < 2 * lag:
                continue
            error = _seasonal_error(part, lag, horizon)
            better = error < best
            chosen[s, better], best = lag, np.where(better, error, best)
    return chosen


def _seasonal_error(part: Array, lag: int, horizon: int) -> Array:
    """(K,) mean absolute error of the seasonal naive forecast over the steps of the horizon that can be
    judged."""
    total, weight = np.zeros((2, part.shape[1]))
    for seasons in range(1, -(-horizon // lag) + 1):
        steps = min(lag, horizon - (seasons - 1) * lag)
        error = np.abs(part[seasons * lag :] - part[: -seasons * lag])
        known = np.isfinite(error)
        if known.any():
            count = known.sum(0)
            total += steps * np.where(known, error, 0.0).sum(0) / np.maximum(count, 1)
            weight += steps * (count > 0)
    return np.divide(total, weight, out=np.full_like(total, np.inf), where=weight > 0)
