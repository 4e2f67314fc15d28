"""Baselines against slow and plain versions of themselves."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from memorycell.data.tables.encoded import eligible_origins
from memorycell.jobs.forecasting.measures.baselines import (
    LastValue,
    NotApplicable,
    SeasonalNaive,
    choose_lags,
    filled_targets,
)
from memorycell.jobs.forecasting.measures.ets import ETS
from memorycell.jobs.forecasting.measures.ridge import Ridge
from memorycell.jobs.forecasting.measures.seasons import main_season, season_lags

ALL = (LastValue, SeasonalNaive, ETS, Ridge)


def wave(count, season, noise=0.1, seed=0, level=20.0):
    generator = np.random.default_rng(seed)
    return level + np.sin(np.arange(count) * 2 * np.pi / season) + noise * generator.normal(size=count)


@pytest.mark.parametrize(
    ("unit", "count", "lags", "main"),
    [
        ("h", 400, (24, 168), 24),
        ("D", 800, (7, 365), 7),
        ("W", 120, (52,), 52),
        ("M", 60, (12,), 12),
        ("Y", 20, (), 1),
        ("m", 5000, (60, 1440, 10080), 60),
    ],
)
def test_seasons_follow_the_dates(calendar_dates, unit, count, lags, main):
    dates = calendar_dates(count, unit)
    assert season_lags(dates) == lags
    assert main_season(dates) == main


def test_seasons_of_quarters_business_days_half_hours_and_step_numbers(calendar_dates):
    assert season_lags(calendar_dates(60, "M")[::3]) == (4,)
    days = calendar_dates(60, "D")
    assert season_lags(days[np.is_busday(days.astype("datetime64[D]"))]) == (5, 260)
    assert season_lags(calendar_dates(6000, "m")[::30]) == (48, 336)
    assert main_season(np.arange(100)) == 1
    assert 24 in season_lags(np.arange(100))


def test_filled_targets_stay_within_their_series(encode):
    nan = np.nan
    encoded = encode([[nan, 1.0, nan, 3.0], [nan, 5.0, nan, 7.0]])
    assert filled_targets(encoded).ravel() == pytest.approx([1, 1, 1, 3, 5, 5, 5, 7])


@pytest.mark.parametrize("kind", ALL)
def test_shapes_dates_and_actuals(encode, calendar_dates, kind):
    values = np.c_[wave(300, 7), wave(300, 7, seed=1, level=-3)]
    encoded = encode([values], dates=calendar_dates(300), train=[240])
    origins = np.arange(239, 295)
    forecasts = kind().fit(encoded, np.array([240]), 14, 4).forecast_at(encoded, origins)
    assert forecasts.point.shape == (56, 4, 2)
    assert forecasts.quantiles.shape == (56, 4, 2, 5)
    assert (np.diff(forecasts.quantiles, axis=-1) >= 0).all()
    assert forecasts.actual[0] == pytest.approx(values[240:244], abs=1e-4)
    assert forecasts.dates[0, 0] == encoded.dates[240]
    assert forecasts.origin_dates[0] == encoded.dates[239]
    assert np.isfinite(forecasts.point).all()


@pytest.mark.parametrize("kind", ALL)
def test_rows_after_the_cut_teach_nothing(encode, calendar_dates, kind):
    values = wave(300, 7)
    changed = values.copy()
    changed[260:] += 50
    origins = np.arange(239, 255)  # all of whose inputs lie before the change
    points = []
    for series in (values, changed):
        encoded = encode([series], dates=calendar_dates(300), train=[240])
        points.append(kind().fit(encoded, np.array([240]), 14, 4).forecast_at(encoded, origins))
    assert points[0].point == pytest.approx(points[1].point, abs=1e-9)
    assert points[0].quantiles == pytest.approx(points[1].quantiles, abs=1e-9)


@pytest.mark.parametrize("kind", ALL)
def test_intervals_cover_what_they_say(encode, calendar_dates, kind):
    values = wave(1200, 7, noise=0.5)
    encoded = encode([values], dates=calendar_dates(1200), train=[900])
    forecasts = kind().fit(encoded, np.array([900]), 14, 2).forecast_at(encoded, np.arange(899, 1198))
    inside = (forecasts.actual >= forecasts.quantiles[..., 0]) & (forecasts.actual <= forecasts.quantiles[..., -1])
    assert 0.82 < inside.mean() < 0.97


@pytest.mark.parametrize("kind", ALL)
def test_missing_targets_and_many_series(encode, calendar_dates, kind):
    short, long = wave(150, 7, seed=1), wave(300, 7, seed=2, level=1000)
    long[[3, 50, 51, 120, 250]] = np.nan
    dates = np.concatenate([calendar_dates(150), calendar_dates(300)])
    encoded = encode([short, long], dates=dates, train=[120, 240])
    stop = np.array([120, 150 + 240])
    origins = np.array([119, 140, 150 + 239, 150 + 250, 150 + 290])
    forecasts = kind().fit(encoded, stop, 14, 3).forecast_at(encoded, origins)
    assert np.isfinite(forecasts.point).all()
    assert forecasts.series.tolist() == [0, 0, 1, 1, 1]
    assert np.abs(forecasts.point[:2] - 20).max() < 3
    assert np.abs(forecasts.point[2:] - 1000).max() < 3


def test_seasonal_naive_reaches_back_as_far_as_it_must(encode, calendar_dates):
    values = np.arange(60.0) % 7
    encoded = encode([values], dates=calendar_dates(60))
    baseline = SeasonalNaive().fit(encoded, np.array([50]), 1, 10)
    assert baseline.lag_.tolist() == [[7]]
    assert baseline.forecast_at(encoded, np.array([49])).point[0, :, 0] == pytest.approx(values[50:60], abs=1e-5)


def test_lags_are_chosen_for_each_series(encode, calendar_dates):
    hours = calendar_dates(24 * 60, "h")
    by_day = wave(len(hours), 24)
    by_week = wave(len(hours), 168, noise=0.01)
    encoded = encode([by_day, by_week], dates=np.concatenate([hours, hours]))
    stop = encoded.offsets[1:]
    assert choose_lags(encoded, stop, 24)[1, 0] == 168
    assert choose_lags(encoded, stop, 24, longest=24).tolist() == [[24], [24]]
    assert choose_lags(encoded, encoded.offsets[:-1] + 30, 24).tolist() == [[0], [0]]


def test_no_season_is_said(encode, calendar_dates):
    encoded = encode([wave(40, 7)], dates=calendar_dates(40, "Y"))
    with pytest.raises(NotApplicable, match="no season"):
        SeasonalNaive().fit(encoded, np.array([30]), 5, 1)


def test_no_rows_before_the_cut_are_said(encode):
    encoded = encode([wave(40, 7)])
    for kind in ALL:
        with pytest.raises(NotApplicable):
            kind().fit(encoded, np.array([0]), 5, 1)


def test_origins_need_rows_for_the_horizon(encode):
    encoded = encode([wave(40, 7)])
    baseline = LastValue().fit(encoded, np.array([30]), 5, 3)
    with pytest.raises(ValueError, match="horizon=3"):
        baseline.forecast_at(encoded, np.array([38]))


@pytest.mark.parametrize("shape", ["level", "trend", "season", "both"])
def test_ets_states_equal_statsmodels_in_training_and_forecast(encode, calendar_dates, shape):
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    generator = np.random.default_rng(0)
    values = np.cumsum(generator.normal(size=120))
    if shape in ("trend", "both"):
        values = values + np.cumsum(np.cumsum(generator.normal(size=120))) * 0.3
    if shape in ("season", "both"):
        values = values + 20 * np.sin(np.arange(120) * 2 * np.pi / 12)
    encoded = encode([values], dates=calendar_dates(120, "M"))
    baseline = ETS().fit(encoded, np.array([120 - 8]), 1, 8)
    (note,) = [text for text in baseline.notes if "AICc" in text]
    trend, season = "Ad" in note, "A12" in note
    assert (shape in ("season", "both")) <= season
    smoother = baseline._smoothers[0]
    scaled = encoded.target[:, 0].double().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ETSModel(
            scaled[: 120 - 8],
            error="add",
            trend="add" if trend else None,
            damped_trend=trend,
            seasonal="add" if season else None,
            seasonal_periods=12 if season else None,
            initialization_method="known",
            initial_level=smoother.level,
            initial_trend=smoother.trend if trend else None,
            initial_seasonal=list(smoother.season) if season else None,
        )
        parameters = [smoother.alpha] + ([smoother.beta] if trend else []) + ([smoother.gamma] if season else [])
        expected = model.smooth(parameters + ([smoother.phi] if trend else [])).forecast(8)
    ours = baseline.forecast_at(encoded, np.array([120 - 9])).point[0, :, 0]
    assert (ours - encoded.center[0, 0]) / encoded.scale[0, 0] == pytest.approx(expected, abs=1e-8)


def test_ets_rolls_its_states_with_fixed_parameters(encode, calendar_dates):
    values = wave(400, 7)
    encoded = encode([values], dates=calendar_dates(400), train=[200])
    baseline = ETS().fit(encoded, np.array([200]), 1, 7)
    errors = [
        np.abs(f.actual - f.point).mean()
        for f in (baseline.forecast_at(encoded, np.array([o])) for o in (199, 300, 390))
    ]
    assert max(errors) < 0.3
    assert any("365 rows left out" in note for note in baseline.notes)


def test_ets_of_a_constant_series_is_that_constant(encode):
    encoded = encode([np.full(50, 3.0), wave(50, 7)])
    baseline = ETS().fit(encoded, encoded.offsets[:-1] + 40, 1, 2)
    assert baseline.forecast_at(encoded, np.array([40])).point == pytest.approx(3.0)


def test_ridge_equals_scikit_learn_with_the_same_inputs(encode):
    from sklearn.linear_model import Ridge as Reference

    generator = np.random.default_rng(0)
    values = np.cumsum(generator.normal(size=300))
    encoded = encode([values], train=[240], extra=generator.normal(size=(300, 2)))
    baseline = Ridge().fit(encoded, np.array([240]), 5, 3)
    origins = eligible_origins(encoded, 5, 3)
    train = origins[origins < 240 - 3]
    x, _ = baseline._inputs(encoded, train, baseline.design_)
    y = encoded.target[train[:, None] + np.arange(1, 4)][..., 0].double().numpy()
    level = encoded.past[train, 0].double().numpy()[:, None] if baseline.design_.level else 0
    centred = x - x.mean(0)
    penalty = baseline.alpha_ * np.trace(centred.T @ centred) / x.shape[1]
    reference = Reference(alpha=penalty).fit(x, y - level)
    assert baseline.weights_ == pytest.approx(reference.coef_.T, abs=1e-5)
    assert baseline.intercept_ == pytest.approx(reference.intercept_, abs=1e-5)


def test_ridge_finds_a_covariate_and_the_calendar(encode):
    generator = np.random.default_rng(1)
    other = generator.normal(size=601)
    calendar = np.sin(np.arange(600) * 2 * np.pi / 50)[:, None]
    values = other[:600] + 2 * calendar[:, 0]  # the covariate tells the value one step ahead
    encoded = encode([values], train=[480], extra=other[1:, None], calendar=calendar)
    baseline = Ridge().fit(encoded, np.array([480]), 4, 1)
    forecasts = baseline.forecast_at(encoded, np.arange(479, 599))
    assert np.abs(forecasts.actual - forecasts.point).max() < 0.05
    assert "window of all columns" in baseline.notes[0]


def test_ridge_shares_weights_where_that_is_better(encode):
    generator = np.random.default_rng(2)
    values = np.empty((200, 8))
    values[0] = 0
    for t in range(1, 200):
        values[t] = 0.9 * values[t - 1] + generator.normal(size=8)
    encoded = encode([values], train=[160])
    baseline = Ridge().fit(encoded, np.array([160]), 12, 2)
    assert baseline.design_.shared
    assert len(baseline.weights_) == 12


def test_ridge_uses_categories_and_static_columns(encode):
    generator = np.random.default_rng(3)
    codes = generator.integers(1, 4, 400)
    values = np.r_[0.0, 5.0 * codes[:-1]] + 0.1 * generator.normal(size=400)
    encoded = encode([values], train=[300])
    encoded.codes, encoded.code_sizes, encoded.code_known = torch.tensor(codes)[:, None], [4], [False]
    baseline = Ridge().fit(encoded, np.array([300]), 3, 1)
    forecasts = baseline.forecast_at(encoded, np.arange(299, 399))
    assert np.abs(forecasts.actual - forecasts.point).mean() < 0.15


def test_ridge_says_when_windows_are_too_few_or_never_whole(encode):
    with pytest.raises(NotApplicable, match="training windows"):
        Ridge().fit(encode([wave(20, 7)]), np.array([18]), 10, 2)
    holes = wave(60, 7)
    holes[::2] = np.nan
    with pytest.raises(NotApplicable, match="missing"):
        Ridge().fit(encode([holes]), np.array([50]), 4, 2)


def test_ridge_wants_its_window(encode):
    encoded = encode([wave(80, 7)])
    with pytest.raises(ValueError, match="12 rows"):
        Ridge().fit(encoded, np.array([70]), 12, 1).forecast_at(encoded, np.array([5]))
