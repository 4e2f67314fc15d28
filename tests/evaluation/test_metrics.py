"""Metrics against hand computations, with missing values, and coverage bands against what they promise."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from memorycell.data.tables.encoded import Forecasts
from memorycell.jobs.forecasting.measures import metrics


def forecasts(actual, point, quantiles=None, levels=(), series=None) -> Forecasts:
    actual, point = np.asarray(actual, float), np.asarray(point, float)
    n, horizon, targets = actual.shape
    return Forecasts(
        point=point,
        quantiles=np.empty((n, horizon, targets, 0)) if quantiles is None else np.asarray(quantiles, float),
        levels=tuple(levels),
        actual=actual,
        origins=np.arange(n),
        series=np.zeros(n, int) if series is None else np.asarray(series),
        dates=np.arange(n)[:, None] + np.arange(horizon),
        origin_dates=np.arange(n),
        target_names=[f"y{k}" for k in range(targets)],
        ids=["a", "b"],
    )


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (metrics.mae, ([1, 2, np.nan], [2, 4, 9]), 1.5),
        (metrics.rmse, ([0, 0], [3, 4]), math.sqrt(12.5)),
        (metrics.smape, ([100, -100], [50, 100]), (200 * 50 / 150 + 200) / 2),
        (metrics.smape, ([0.0], [0.0]), 0.0),
        (metrics.mase, ([10, 12], [11, 14], [1, 4, 3, 6], 2), 1.5 / 2),
        (metrics.pinball, ([10], [8], 0.9), 1.8),
        (metrics.pinball, ([8], [10], 0.9), 0.2),
    ],
)
def test_by_hand(function, arguments, expected):
    assert function(*arguments) == pytest.approx(expected)


def test_nothing_known_is_nan_not_zero():
    assert math.isnan(metrics.mae([np.nan], [1.0]))
    assert math.isnan(metrics.mase([1.0], [2.0], training=[3.0, 3.0, 3.0]))
    assert math.isnan(metrics.mase([1.0], [2.0], training=[3.0], season=4))


def test_measure_per_step_per_target_and_missing():
    actual = [[[1.0, 10.0], [2.0, np.nan]], [[3.0, 10.0], [np.nan, np.nan]]]
    point = [[[2.0, 10.0], [4.0, 0.0]], [[3.0, 14.0], [0.0, 0.0]]]
    first, second = metrics.measure(forecasts(actual, point), np.array([[0.5, 2.0], [0.25, 2.0]]))
    assert (first.target, first.unit) == ("y0", "units of y0")
    assert (first.count, first.missing) == (3, 1)
    assert first.per_step["mae"] == [0.5, 2.0]
    assert first.overall["mae"] == pytest.approx(1.0)
    assert first.overall["rmse"] == pytest.approx(math.sqrt(5 / 3))
    assert first.overall["mase"] == pytest.approx((2 + 4 + 0) / 3)
    assert math.isnan(second.per_step["mae"][1])
    assert any("1 of 4 values were missing" in note for note in first.notes)
    json.dumps(first.to_dict(), allow_nan=False)
    assert second.to_dict()["per_step"]["mae"][1] is None


def test_crps_is_twice_the_mean_pinball():
    actual = np.zeros((1, 1, 1))
    quantiles = np.array([-1.0, 0.0, 2.0]).reshape(1, 1, 1, 3)
    (scores,) = metrics.measure(forecasts(actual, actual, quantiles, (0.1, 0.5, 0.9)))
    by_hand = np.mean([0.1 * 1.0, 0.0, 0.1 * 2.0])
    assert scores.overall["pinball"] == pytest.approx(by_hand)
    assert scores.overall["crps"] == pytest.approx(2 * by_hand)


def test_crps_of_a_normal_approaches_its_closed_form():
    from scipy import stats

    levels = (np.arange(199) + 1) / 200
    quantiles = stats.norm.ppf(levels).reshape(1, 1, 1, -1)
    actual = np.full((1, 1, 1), 0.7)
    (scores,) = metrics.measure(forecasts(actual, actual, quantiles, levels))
    y = 0.7  # Gneiting & Raftery 2007, eq. 21
    exact = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / math.sqrt(math.pi)
    assert scores.overall["crps"] == pytest.approx(exact, rel=0.01)


def test_coverage_counts_hits_and_widths():
    actual = np.array([0.0, 0.5, 3.0, np.nan]).reshape(4, 1, 1)
    quantiles = np.broadcast_to([-1.0, 0.0, 1.0], (4, 1, 1, 3))
    (scores,) = metrics.measure(forecasts(actual, actual * 0, quantiles, (0.1, 0.5, 0.9)))
    (covered,) = scores.coverage
    assert covered.nominal == pytest.approx(0.8)
    assert covered.observed == pytest.approx(2 / 3)
    assert covered.width == pytest.approx(2.0)
    assert covered.per_step == [pytest.approx(2 / 3)]


def test_no_band_where_blocks_are_too_few():
    low, high = metrics.coverage_band(np.ones(10), 5, np.zeros(10, int))
    assert math.isnan(low)
    assert math.isnan(high)
    assert metrics.Coverage(0.9, 1.0, low, high, 1.0).agrees is None
    assert metrics.Coverage(0.9, 0.92, 0.88, 0.95, 1.0).agrees is True
    assert metrics.Coverage(0.9, 0.92, 0.91, 0.95, 1.0).agrees is False


def test_band_is_wider_where_errors_stay_together_and_holds_the_truth():
    generator = np.random.default_rng(0)
    held, widths, plain = 0, [], []
    for seed in range(60):
        runs = np.repeat(generator.random(40) < 0.9, 12).astype(float)  # 40 independent stretches of 12
        zeros = np.zeros(len(runs), int)
        low, high = metrics.coverage_band(runs, 24, zeros, resamples=300, seed=seed)
        narrow = metrics.coverage_band(runs, 1, zeros, resamples=300, seed=seed)
        held += low <= 0.9 <= high
        widths.append(high - low)
        plain.append(narrow[1] - narrow[0])
    assert np.mean(widths) > 2 * np.mean(plain)
    assert held >= 48  # 95 % nominal, less with blocks so few


def test_many_series_are_drawn_whole():
    series = np.repeat(np.arange(12), 4)
    hits = np.repeat((np.arange(12) < 9).astype(float), 4)
    low, high = metrics.coverage_band(hits, 1, series)
    assert low < 0.6 < 0.75 < high


def test_mase_scales_look_at_training_rows_only(encode):
    first = np.array([0.0, 1.0, 0.0, 1.0, 100.0, 300.0])
    second = np.array([5.0, 5.0, 5.0, 5.0, 9.0, 1.0])
    encoded = encode([first, second], train=[4, 4])
    scales = metrics.mase_scales(encoded, encoded.offsets[:-1] + 4, 1)
    assert scales[0, 0] == pytest.approx(1.0)
    assert math.isnan(scales[1, 0])


def test_spacing_is_the_median_within_a_series():
    assert metrics.spacing(np.array([0, 3, 6, 100]), np.array([0, 0, 0, 1])) == 3
    assert metrics.spacing(np.array([5, 9]), np.array([0, 1])) == 1
