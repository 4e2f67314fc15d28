"""Backtests end to end with a small forecaster: what is trained on, asked and said."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from memorycell.data.tables.reading import read_table
from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.times.calendar import say_date
from memorycell.evaluation.tables import format_number
from memorycell.jobs.forecasting.measures.backtest import backtest, evaluate_fitted
from memorycell.jobs.forecasting.measures.compare import compare_cells
from memorycell.jobs.forecasting.measures.result import Evaluation
from memorycell.jobs.forecasting.measures.splits import block_origins, blocks_of_time, cut_table, rows_seen


def readings(count=300, seed=0, noise=0.3):
    generator = np.random.default_rng(seed)
    return 15 + 5 * np.sin(np.arange(count) * 2 * np.pi / 7) + noise * generator.normal(size=count)


def daily(count=300, start="2020-01-01", **options):
    return pd.DataFrame({"date": pd.date_range(start, periods=count), "temp": readings(count, **options)})


def long_table(series=3, count=200):
    frames = [
        daily(count, seed=s).rename(columns={"temp": "y", "date": "ds"}).assign(unique_id=f"s{s}")
        for s in range(series)
    ]
    for s, frame in enumerate(frames):
        frame["y"] *= 10**s
    return pd.concat(frames)


def test_folds_train_only_on_the_rows_before_them(least_squares):
    seen = []

    class Spy(least_squares):
        def fit(self, table, target=None):
            seen.append(len(read_table(table)))
            return super().fit(table, target)

    result = backtest(Spy(horizon=2, window=7), daily(), baselines=("last value",), folds=3)
    assert seen == [240, 260, 280]
    assert [fold.origins for fold in result.folds] == [19, 19, 19]
    assert say_date(result.folds[0].train_end) == "2020-08-27"
    assert say_date(result.folds[0].first) == "2020-08-28"
    forecasts = result.models[0].forecasts
    assert forecasts.origins[0] == 239
    for fold in range(3):
        mine = forecasts.origins[result.fold == fold]
        assert mine.min() == 239 + 20 * fold
        assert mine.max() + 2 == 240 + 20 * (fold + 1) - 1


def test_models_share_their_origins_and_step_spaces_them(least_squares):
    result = backtest(least_squares(horizon=3, window=7), daily(), step=3, folds=2)
    first = result.models[0].forecasts
    assert [model.name for model in result.models] == [
        "linear",
        "last value",
        "seasonal naive",
        "ETS",
        "ridge",
    ]
    for model in result.models:
        assert model.forecasts.origins.tolist() == first.origins.tolist()
        assert model.forecasts.actual == pytest.approx(first.actual)
    assert set(np.diff(first.origins[result.fold == 0])) == {3}


def test_without_refit_there_is_one_block(least_squares):
    result = backtest(least_squares(window=7), daily(), folds=3, refit=False, baselines=())
    assert len(result.folds) == 1
    assert result.folds[0].origins == 60
    assert result.outcome == "linear stands alone: no baseline was compared."


def test_result_says_who_wins(least_squares):
    table = daily(noise=0.1)
    good = backtest(least_squares(window=14), table, baselines=("last value",))
    assert good["last value"].error > good.models[0].error
    assert good.verdicts[0].outcome == "better"
    bad = backtest(least_squares(window=14, bias=3.0), table, baselines=("last value", "ridge"))
    assert bad.best.name != "linear"
    assert bad.outcome.startswith(f"A baseline wins: {bad.best.name} has the least error")
    assert next(v for v in bad.verdicts if v.baseline == bad.best.name).outcome == "worse"
    text = bad.summary()
    assert f"{bad.best.name} *" in text
    assert "errors in units of temp" in text
    assert "is better by" in text
    with pytest.raises(KeyError, match="ridge"):
        bad["nothing"]


def test_result_as_json_and_rows(least_squares):
    result = backtest(least_squares(window=7), daily(120), folds=1)
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert record["measure"] == "RMSE"
    assert record["models"][0]["targets"][0]["overall"]["rmse"] > 0
    rows = result.table()
    assert [row["error"] for row in rows] == sorted(row["error"] for row in rows)
    assert rows[0]["best"]
    assert {row["model"] for row in rows if row["verdict"] is None} == {"linear"}


def test_baselines_that_do_not_fit_are_left_out_and_said(least_squares):
    table = daily(count=60).assign(date=pd.date_range("1960-01-01", periods=60, freq="YS"))
    result = backtest(least_squares(window=4), table, folds=1)
    assert [model.name for model in result.models] == ["linear", "last value", "ETS", "ridge"]
    assert result.notes == ["seasonal naive left out: no season of these dates fits twice into the training part"]
    assert result.notes[0] in result.summary() == str(result)
    assert "too few origins to tell (12; this horizon needs 20)" in result.summary()


def test_many_series_are_ranked_free_of_scale(least_squares):
    result = backtest(
        least_squares(window=7, series="unique_id"),
        long_table(12, 120),
        "y",
        folds=2,
        baselines=("last value", "ridge"),
    )
    assert result.measure == "MASE"
    assert result.verdicts[0].test == "paired bootstrap over series"
    assert len(np.unique(result.models[0].forecasts.series)) == 12


def test_several_targets_are_ranked_standardised(least_squares):
    table = daily().assign(other=1000 * readings(300, seed=5))
    result = backtest(least_squares(window=7), table, ["temp", "other"], folds=1)
    assert result.measure == "standardised RMSE"
    assert result.models[0].error < 1
    assert "Ranked by standardised RMSE" in result.summary()
    assert {scores.target for scores in result.models[0].scores} == {"temp", "other"}


def test_missing_targets_are_counted_not_scored(least_squares):
    table = daily()
    table.loc[[250, 251, 252, 290], "temp"] = np.nan
    result = backtest(least_squares(horizon=2, window=7), table, folds=1, baselines=("last value",))
    scores = result.models[0].scores[0]
    assert scores.missing > 0
    assert np.isfinite(scores.overall["rmse"])


def test_evaluate_fitted_takes_the_rows_after_training(least_squares):
    table = daily()
    fitted = least_squares(horizon=2, window=7).fit(table[:250])
    result = evaluate_fitted(fitted, table, baselines=("last value", "ridge"))
    assert isinstance(result, Evaluation)
    assert len(result.fold) == 49
    assert result.models[0].forecasts.origins[0] == 249
    with pytest.raises(ValueError, match=r"which end at 2020-09-06, got 0: give newer rows, or backtest \(--folds\)"):
        evaluate_fitted(fitted, table[:250])
    with pytest.raises(ValueError, match="got 1"):
        evaluate_fitted(fitted, table[:251])


def test_evaluate_fitted_on_new_rows_alone_has_no_baselines(least_squares):
    fitted = least_squares(window=7).fit(daily()[:200])
    result = evaluate_fitted(fitted, daily()[200:], baselines=("last value", "ridge"))
    assert [model.name for model in result.models] == ["linear"]
    assert len(result.notes) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"folds": 0}, "folds >= 1"),
        ({"test_fraction": 1.5}, "test_fraction between 0 and 1"),
        ({"step": 0}, "step >= 1"),
        ({"baselines": ("best",)}, "expected baselines out of last value"),
        ({"baselines": "ridge"}, "expected baselines out of"),
        ({"folds": 50}, "fewer folds"),
        ({"test_fraction": 0.99}, "fold 1 of 3 could not be fitted"),
    ],
)
def test_refusals(least_squares, options, said):
    with pytest.raises(ValueError, match=said):
        backtest(least_squares(horizon=4, window=7), daily(100), **options)


def test_dates_cut_all_series_alike_and_step_numbers_each_its_own(encode, calendar_dates):
    dates = np.concatenate([calendar_dates(100), calendar_dates(50, start="2001-02-20")])  # ends with the first
    encoded = encode([np.arange(100.0), np.arange(50.0)], dates=dates)
    assert blocks_of_time(encoded, 2, 0.2, 5).tolist() == [[80, 30], [90, 40], [100, 50]]
    numbered = encode([np.arange(100.0), np.arange(50.0)])
    assert blocks_of_time(numbered, 2, 0.2, 5).tolist() == [[80, 40], [90, 45], [100, 50]]


def test_block_origins_skip_series_without_a_past_and_empty_targets(encode):
    values = np.arange(40.0)
    values[25:30] = np.nan
    encoded = encode([values, np.arange(20.0)])
    origins = block_origins(encoded, np.array([20, 0]), np.array([40, 0]), 2, 1, np.arange(60))
    assert origins.tolist() == [19, 20, 21, 22, 23, *range(28, 38)]


def test_cut_table_keeps_rows_before_the_row_of_each_series():
    table = read_table(long_table(2, 30).sample(frac=1, random_state=0))
    codec = TableCodec("y", series="unique_id").fit(table)
    encoded = codec.encode(table)
    cut = cut_table(table, codec, encoded, np.array([10, 0])).data.to_pandas()
    assert cut["unique_id"].unique().tolist() == [encoded.ids[0]]
    assert sorted(cut["ds"]) == list(pd.date_range("2020-01-01", periods=10))


def test_cut_of_a_monthly_table_with_days_that_wander():
    days = pd.to_datetime([f"2020-{month:02d}-{28 - month}" for month in range(1, 13)])
    table = read_table(pd.DataFrame({"date": days, "y": np.arange(12.0) ** 2}))
    codec = TableCodec("y", freq="MS").fit(table)
    assert len(cut_table(table, codec, codec.encode(table), np.array([7]))) == 7


def test_rows_seen_by_date_or_by_series(encode):
    encoded = encode([np.arange(10.0), np.arange(6.0)])
    assert rows_seen(encoded, 3).tolist() == [4, 4]
    assert rows_seen(encoded, {"0": 5}).tolist() == [6, 0]


def test_progress_is_told(least_squares):
    said = []
    backtest(least_squares(window=7), daily(120), folds=1, baselines=("ETS",), progress=said.append)
    assert said == ["fold 1 of 1: fitting linear", "ETS on 24 origins"]


def test_compare_shows_parameters_time_error_and_spread(least_squares):
    result = compare_cells(least_squares(window=7, noise=0.2), daily(150), cells=("LSTM", "GRU"), seeds=3, folds=2)
    assert [cell.errors.shape for cell in result.results] == [(3, 2), (3, 2)]
    assert result.results[0].parameters == 8
    assert result.results[0].seed_spread > 0
    assert "within the spread over seeds" in result.verdicts()[0]
    assert "3 seeds × 2 folds" in result.summary()
    json.dumps(result.to_dict(), allow_nan=False)


def test_compare_says_when_seeds_do_not_explain_it(least_squares):
    class Biased(least_squares):
        def fit(self, table, target=None):
            self.bias = 2.0 if self.cell == "RNN" else 0.0
            return super().fit(table, target)

    result = compare_cells(Biased(window=7, noise=0.05), daily(150), cells=("RNN", "GRU"), seeds=3, folds=2)
    (said,) = result.verdicts()
    assert said.startswith("RNN is ")
    assert "more than the seeds explain" in said
    assert said.endswith("in 2 of 2 folds")


def test_compare_with_one_seed_has_no_spread(least_squares):
    result = compare_cells(least_squares(window=7), daily(120), cells=("GRU",), seeds=(7,), folds=1)
    assert result.seeds == (7,)
    assert result.to_dict()["cells"][0]["seed_spread"] is None
    assert "one seed shows no spread" in result.summary()
    with pytest.raises(ValueError, match="one cell and one seed"):
        compare_cells(least_squares(), daily(120), cells=())


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0.000"), (1234.5, "1,234"), (0.012346, "0.01235"), (1e9, "1.000e+09"), (-2.5, "-2.500")],
)
def test_numbers_read_well(value, said):
    assert format_number(value) == said
