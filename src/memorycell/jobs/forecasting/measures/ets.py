"""ETS: exponential smoothing with damped trend and season; estimated once, its states rolled over the test
rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.encoded import EncodedTable
from memorycell.jobs.forecasting.measures.baselines import LEVELS, Baseline, NotApplicable, choose_lags, series_of
from memorycell.jobs.forecasting.measures.metrics import Array
from memorycell.jobs.forecasting.measures.seasons import season_lags
from memorycell.kernels.quiet import quiet
from memorycell.training.threads import blas_threads

_LONGEST_SEASON = 24
_ESTIMATION_ROWS = 2_000  # the latest of the training part: older rows hardly move a smoother
_LEAST_ROWS = 10
_REFINE_COLUMNS = 20  # up to so many series × targets the initial states are estimated too, not taken by rule


@dataclass(frozen=True)
class _Smoother:
    """Parameters and initial states of one series and target, on the scaled target."""

    alpha: float = 1.0  # alone, this is the last value
    beta: float = 0.0
    gamma: float = 0.0
    phi: float = 0.0
    level: float = 0.0
    trend: float = 0.0
    season: tuple[float, ...] = (0.0,)
    form: str = "last value"


class ETS(Baseline):
    """Exponential smoothing in innovations state space form, additive errors (Hyndman et al. 2008, table
    2.2).

    For each series and target statsmodels estimates ETS(A,N,N), (A,Ad,N), (A,N,A) and (A,Ad,A) by maximum
    likelihood on the training part (its latest 2,000 rows) and the least AICc wins. Those parameters stay;
    the states are then rolled through the rows up to each origin. A missing value leaves the states as
    predicted. The season is the one the seasonal naive forecast does best with in training among those of at
    most 24 rows that fit twice; others are left out and noted.

    Example
    -------
    >>> from memorycell.data.tables.table_codec import TableCodec
    >>> table = {"y": [10.0, 12.0, 9.0, 11.0] * 10 + [10.0, 12.0]}
    >>> encoded = TableCodec("y").fit(table).encode(table)
    >>> baseline = ETS(lags=[4]).fit(encoded, np.array([40]), window=1, horizon=2)
    >>> baseline.forecast_at(encoded, np.array([39])).point.ravel().round(1)
    array([10., 12.])
    """

    name = "ETS"

    def __init__(self, levels: Sequence[float] = LEVELS, lags: Sequence[int] | None = None) -> None:
        super().__init__(levels)
        self.lags = lags

    def _learn(self, encoded: EncodedTable, train_stop: NDArray[np.int64]) -> None:
        targets = len(encoded.target_names)
        lags = choose_lags(encoded, train_stop, self.horizon, self.lags, longest=_LONGEST_SEASON)
        offered = season_lags(encoded.dates[encoded.longest], encoded.frequency) if self.lags is None else self.lags
        left_out = [lag for lag in offered if lag > _LONGEST_SEASON]
        if left_out and np.issubdtype(encoded.dates.dtype, np.datetime64):
            said = " and ".join(map(str, left_out))
            self.notes.append(f"season of {said} rows left out: more than {_LONGEST_SEASON}")
        if (train_stop - encoded.offsets[:-1] < _LEAST_ROWS).all():
            raise NotApplicable(f"fewer than {_LEAST_ROWS} training rows")
        self._start = np.maximum(encoded.offsets[:-1], train_stop - _ESTIMATION_ROWS)
        scaled = encoded.target.double().numpy()
        refine = lags.size <= _REFINE_COLUMNS
        self._smoothers = [
            _estimate(scaled[start:stop, k], int(lags[s, k]), refine)
            for s, (start, stop) in enumerate(zip(self._start, train_stop, strict=True))
            for k in range(targets)
        ]
        forms, counts = np.unique([smoother.form for smoother in self._smoothers], return_counts=True)
        self.notes.append(
            "chosen by AICc: "
            + ", ".join(
                form if len(forms) == 1 else f"{form} ({n} of {lags.size})"
                for form, n in zip(forms, counts, strict=True)
            )
        )
        if (train_stop - encoded.offsets[:-1] > _ESTIMATION_ROWS).any():
            self.notes.append(f"estimated on the latest {_ESTIMATION_ROWS:,} training rows")
        self._rolled: tuple[EncodedTable, tuple[Array, Array, Array]] | None = None

    def _history(self, encoded: EncodedTable) -> NDArray[np.int64]:
        return self._start

    def _point(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> Array:
        series = series_of(encoded, origins)
        time = origins - self._start[series]
        if (time < 0).any():
            raise ValueError("expected origins among or after the rows ETS was estimated on: use later origins")
        if self._rolled is None or self._rolled[0] is not encoded:
            self._rolled = encoded, self._roll(encoded)
        level, trend, season = self._rolled[1]
        targets = len(encoded.target_names)
        columns = series[:, None] * targets + np.arange(targets)  # (n, K)
        lag = np.array([len(smoother.season) for smoother in self._smoothers])[columns]
        phi = np.array([smoother.phi for smoother in self._smoothers])[columns]
        point = np.empty((len(origins), self.horizon, targets))
        damping = np.zeros_like(phi)
        for h in range(1, self.horizon + 1):
            damping = damping + phi**h
            seen = time[:, None] + h - lag * -(-h // lag)  # the same season, last time it was updated
            point[:, h - 1] = (
                level[time[:, None], columns]
                + damping * trend[time[:, None], columns]
                + season[seen + _LONGEST_SEASON, columns]
            )
        return point * encoded.scale[series][:, None] + encoded.center[series][:, None]

    def _roll(self, encoded: EncodedTable) -> tuple[Array, Array, Array]:
        """Level, trend (T, S·K) and season (24 + T, S·K) after each row; all columns move through time
        together."""
        targets = len(encoded.target_names)
        lengths = encoded.offsets[:-1] + encoded.observed_rows - self._start
        steps, width = int(lengths.max()), len(self._smoothers)
        y = np.full((steps, width), np.nan)
        scaled = encoded.target.double().numpy()
        for s, (start, length) in enumerate(zip(self._start, lengths, strict=True)):
            y[:length, s * targets : (s + 1) * targets] = scaled[start : start + length]
        alpha, beta, gamma, phi, last_level, last_trend = np.array(
            [(s.alpha, s.beta, s.gamma, s.phi, s.level, s.trend) for s in self._smoothers]
        ).T
        level, trend = np.empty((2, steps, width))
        season = np.zeros((_LONGEST_SEASON + steps, width))
        for column, smoother in enumerate(self._smoothers):
            season[_LONGEST_SEASON - len(smoother.season) : _LONGEST_SEASON, column] = smoother.season
        lag = np.array([len(smoother.season) for smoother in self._smoothers])
        columns = np.arange(width)
        missing = np.isnan(y)
        for t in range(steps):
            before = season[t + _LONGEST_SEASON - lag, columns]
            moved = phi * last_trend
            expected = last_level + moved
            error = y[t] - expected - before
            error[missing[t]] = 0.0
            last_level = level[t] = expected + alpha * error
            last_trend = trend[t] = moved + beta * error
            season[t + _LONGEST_SEASON] = before + gamma * error
        return level, trend, season


def _estimate(values: Array, lag: int, refine: bool) -> _Smoother:
    """The form with the least AICc on `values` (T,), gaps interpolated for the estimation."""
    seen = np.isfinite(values)
    first = float(values[seen][0]) if seen.any() else 0.0
    if seen.sum() < _LEAST_ROWS or np.ptp(values[seen]) == 0:
        return _Smoother(level=first)
    rows = np.arange(len(values))
    whole = np.interp(rows, rows[seen], values[seen])
    forms: list[dict[str, Any]] = [{}, {"trend": "add", "damped_trend": True}]
    if lag > 1 and len(whole) >= max(2 * lag, 10 + 2 * (lag // 2)):
        forms += [{**form, "seasonal": "add", "seasonal_periods": lag} for form in forms]
    fits = [(fit.aicc, i, fit) for i, form in enumerate(forms) if (fit := _fit(whole, form, "heuristic"))]
    if not fits:
        return _Smoother(level=first)
    _, chosen, fit = min(fits, key=lambda entry: entry[:2])
    if refine:
        better = _fit(whole, forms[chosen], "estimated")
        fit = better if better is not None and better.llf > fit.llf else fit
    trended, seasonal = "trend" in forms[chosen], "seasonal" in forms[chosen]
    return _Smoother(
        alpha=float(fit.smoothing_level),
        beta=float(fit.smoothing_trend) if trended else 0.0,
        gamma=float(fit.smoothing_seasonal) if seasonal else 0.0,
        phi=float(fit.damping_trend) if trended else 0.0,
        level=float(fit.initial_level),
        trend=float(fit.initial_trend) if trended else 0.0,
        season=tuple(map(float, fit.initial_seasonal)) if seasonal else (0.0,),
        form=f"ETS(A,{'Ad' if trended else 'N'},{f'A{lag}' if seasonal else 'N'})",
    )


def _fit(values: Array, form: dict[str, Any], initial: str) -> Any:
    """A fitted statsmodels ETSModel, or None where it came to nothing."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    # Convergence and bounds: AICc decides whether the fit is of use.
    with quiet(), np.errstate(all="ignore"), blas_threads(0):
        try:
            fit = ETSModel(values, error="add", initialization_method=initial, **form).fit(disp=0)
        except (ValueError, np.linalg.LinAlgError):
            return None
    return fit if fit.aicc < np.inf and np.isfinite(fit.params).all() else None  # -inf: it fits exactly
