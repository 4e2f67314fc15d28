"""Hand-made tables, forecasts and evaluations, small enough to know what should be drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memorycell.data.tables.encoded import EncodedTable, Forecasts
from memorycell.evaluation.significance import judge
from memorycell.jobs.forecasting.measures.metrics import measure
from memorycell.jobs.forecasting.measures.result import Evaluation, Fold, ModelResult

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def make_encoded(rows=60, *, targets=("y",), ids=("a",), dated=True, missing=(), horizon=0) -> EncodedTable:
    """Sines of period 12, one a target and series; row indices in `missing` are NaN in every target."""
    total = rows + horizon
    count = len(ids) * total
    place = np.arange(count) % total
    values = np.stack([np.sin(place * np.pi / 6 + k) for k in range(len(targets))], 1)
    values[place >= rows] = np.nan
    values[list(missing)] = np.nan
    days = np.datetime64("2024-01-01", "D") + place
    empty = torch.empty(count, 0)
    none = torch.empty(len(ids), 0)
    return EncodedTable(
        past=torch.nan_to_num(torch.tensor(values, dtype=torch.float32)),
        known=empty, codes=empty.long(), static=none, static_codes=none.long(),
        target=torch.tensor(values, dtype=torch.float32),
        center=np.full((len(ids), len(targets)), 20.0), scale=np.full((len(ids), len(targets)), 5.0),
        offsets=np.arange(len(ids) + 1) * total, observed_rows=np.full(len(ids), rows),
        dates=days.astype("datetime64[ns]") if dated else place,
        ids=list(ids), past_names=list(targets), known_names=[], code_names=[], code_sizes=[], code_known=[],
        static_names=[], static_code_names=[], static_code_sizes=[], target_names=list(targets),
    )  # fmt: skip


def make_forecasts(encoded, origins, horizon=3, *, levels=LEVELS, error=1.0, seed=0) -> Forecasts:
    """What came plus noise of size `error`, with intervals of a normal distribution of that size."""
    generator = np.random.default_rng(seed)
    origins = np.asarray(origins)
    targets = len(encoded.target_names)
    rows = np.minimum(origins[:, None] + np.arange(1, horizon + 1), len(encoded.dates) - 1)
    actual = encoded.target_in_units()[rows]
    truth = 20 + 5 * np.sin(rows * np.pi / 6)[..., None] + np.zeros(targets)
    point = truth + error * generator.normal(size=actual.shape)
    width = error * np.linspace(-2, 2, len(levels)) if len(levels) > 1 else np.zeros(len(levels))
    return Forecasts(
        point=point, quantiles=point[..., None] + width, levels=tuple(levels), actual=actual, origins=origins,
        series=np.searchsorted(encoded.offsets, origins, side="right") - 1, dates=encoded.dates[rows],
        origin_dates=encoded.dates[origins], target_names=list(encoded.target_names), ids=list(encoded.ids),
    )  # fmt: skip


def make_evaluation(encoded, *, horizon=3, levels=LEVELS, errors=None, folds=1) -> Evaluation:
    """A forecaster "LSTM" and baselines with errors of the given sizes, on 40 origins of one series."""
    errors = errors or {"LSTM": 1.0, "last value": 3.0, "ridge": 1.05}
    last = int(encoded.observed_rows[0]) - horizon
    origins = np.arange(max(0, last - 40), last)
    forecasts = {
        name: make_forecasts(encoded, origins, horizon, levels=levels, error=size, seed=i)
        for i, (name, size) in enumerate(errors.items())
    }
    losses = {name: ((each.actual - each.point) ** 2).mean(2) for name, each in forecasts.items()}
    fold = np.repeat(np.arange(folds), -(-len(origins) // folds))[: len(origins)]
    models = [
        ModelResult(
            name, each, measure(each), float(np.sqrt(np.nanmean(losses[name]))),
            [float(np.sqrt(np.nanmean(losses[name][fold == f]))) for f in range(folds)], 0.1,
        )
        for name, each in forecasts.items()
    ]  # fmt: skip
    ours, *others = errors
    verdicts = judge(
        losses[ours],
        {name: losses[name] for name in others},
        series=np.zeros(len(origins), int),
        when=origins,
    )
    dates = forecasts[ours].dates
    blocks = [
        Fold(encoded.dates[origins[mine][0]], dates[mine].min(), dates[mine].max(), int(mine.sum()))
        for mine in (fold == f for f in range(folds))
    ]
    return Evaluation(models, "RMSE", "units of y", verdicts, blocks, fold, horizon, 1)


@pytest.fixture
def encoded():
    return make_encoded


@pytest.fixture
def forecasts():
    return make_forecasts


@pytest.fixture
def evaluation():
    return make_evaluation
