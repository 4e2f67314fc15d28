"""Hand-made encoded tables, and a forecaster small enough to reason about."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memorycell.data.tables.encoded import EncodedTable, eligible_origins, gather_actual
from memorycell.data.tables.table_codec import TableCodec
from memorycell.jobs.forecasting.measures.baselines import collect
from memorycell.jobs.forecasting.reading import TableSamples


def encode_series(series, *, dates=None, calendar=None, train=None, extra=None, ids=None) -> EncodedTable:
    """An EncodedTable of `series`, (T, K) or (T,) arrays; scaled by the first `train` rows of each."""
    series = [np.asarray(s, float).reshape(len(s), -1) for s in series]
    train = [len(s) for s in series] if train is None else train
    center = np.stack([np.nanmean(s[:n], 0) for s, n in zip(series, train, strict=True)])
    scale = np.stack([np.nanstd(s[:n], 0) for s, n in zip(series, train, strict=True)])
    scale = np.where(scale > 0, scale, 1.0)
    scaled = np.concatenate([(s - c) / w for s, c, w in zip(series, center, scale, strict=True)])
    rows, targets = scaled.shape
    past = np.nan_to_num(scaled) if extra is None else np.concatenate([np.nan_to_num(scaled), extra], 1)
    lengths = np.array([len(s) for s in series])
    if dates is None:
        dates = np.concatenate([np.arange(n) for n in lengths])
    return EncodedTable(
        past=torch.tensor(past, dtype=torch.float32),
        known=torch.tensor(np.empty((rows, 0)) if calendar is None else calendar, dtype=torch.float32),
        codes=torch.empty(rows, 0, dtype=torch.int64),
        static=torch.empty(len(series), 0),
        static_codes=torch.empty(len(series), 0, dtype=torch.int64),
        target=torch.tensor(scaled, dtype=torch.float32),
        center=center,
        scale=scale,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        observed_rows=lengths.astype(np.int64),
        dates=np.asarray(dates),
        ids=[str(i) for i in range(len(series))] if ids is None else ids,
        past_names=[f"p{i}" for i in range(past.shape[1])],
        known_names=[],
        code_names=[],
        code_sizes=[],
        code_known=[],
        static_names=[],
        static_code_names=[],
        static_code_sizes=[],
        target_names=[f"y{k}" for k in range(targets)],
    )


def days(count: int, unit: str = "D", start: str = "2001-01-01") -> np.ndarray:
    """`count` dates in steps of `unit`."""
    first = np.datetime64(start, unit)
    return (first + np.arange(count)).astype("datetime64[ns]")


@pytest.fixture
def encode():
    return encode_series


@pytest.fixture
def calendar_dates():
    return days


class LeastSquares:
    """A forecaster with the surface that `backtest` asks for: linear in the window, by least squares.

    `cell` and `random_state` only change its predictions by a little noise, so that models can be compared.
    """

    def __init__(
        self, horizon=1, window=6, *, cell="linear", random_state=0, noise=0.0, bias=0.0, series=None, time=None
    ):
        self.horizon = horizon
        self.window = window
        self.cell = cell
        self.random_state = random_state
        self.noise = noise
        self.bias = bias
        self.series = series
        self.time = time

    def get_params(self, deep=True):
        return {name: getattr(self, name) for name in self._names}

    _names = ("horizon", "window", "cell", "random_state", "noise", "bias", "series", "time")

    def set_params(self, **params):
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def read(self, table):
        return TableSamples.of(table)

    def fit(self, table, target=None):
        self.codec_ = TableCodec(target, series=self.series, time=self.time, calendar=False).fit(table)
        encoded = self.codec_.encode(table)
        self.window_ = self.window
        x, y = self._windows(encoded, eligible_origins(encoded, self.window, self.horizon))
        known = np.isfinite(y).all(1)
        self.weights_ = np.linalg.lstsq(x[known], y[known], rcond=None)[0]
        self.residuals_ = (y - x @ self.weights_)[known]
        self.train_end_ = encoded.dates[encoded.observed_rows[0] - 1]
        self.n_parameters_ = self.weights_.size
        self.seen_rows_ = len(encoded.past)
        return self

    def _windows(self, encoded, origins):
        past = encoded.past.numpy()[origins[:, None] + np.arange(1 - self.window, 1)].reshape(len(origins), -1)
        y = gather_actual(encoded, origins, self.horizon)
        series = np.searchsorted(encoded.offsets, origins, side="right") - 1
        y = (y - encoded.center[series][:, None]) / encoded.scale[series][:, None]
        return np.c_[past, np.ones(len(past))].astype(float), y.reshape(len(y), -1)

    def origins(self, encoded):
        return eligible_origins(encoded, self.window_, 0)

    def forecast_at(self, encoded, origins):
        x, y = self._windows(encoded, origins)
        shape = (len(origins), self.horizon, -1)
        series = np.searchsorted(encoded.offsets, origins, side="right") - 1
        scale, center = encoded.scale[series][:, None], encoded.center[series][:, None]
        wobble = np.random.default_rng(self.random_state).normal(0, self.noise or 1e-12, y.shape) + self.bias
        scaled = (x @ self.weights_ + wobble).reshape(shape)
        levels = (0.05, 0.25, 0.5, 0.75, 0.95)
        spread = np.quantile(self.residuals_, levels, axis=0).T.reshape(self.horizon, -1, len(levels))
        return collect(
            encoded,
            origins,
            scaled * scale + center,
            (scaled[..., None] + spread) * scale[..., None] + center[..., None],
            levels,
        )


@pytest.fixture
def least_squares():
    return LeastSquares
