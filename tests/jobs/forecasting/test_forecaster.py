"""The Forecaster as its users meet it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone

from memorycell import Forecaster

QUICK = {"epochs": 2, "verbose": False, "hidden_size": 8, "n_threads": 1}


def temperatures(days: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    high = 20 + 8 * np.sin(2 * np.pi * day / 365) + rng.normal(size=days).cumsum() * 0.1 + rng.normal(size=days)
    return pd.DataFrame(
        {"date": pd.date_range("2020-01-01", periods=days), "high": high, "low": high - 8 + rng.normal(size=days)}
    )


def shops(series: int = 3, days: int = 120) -> pd.DataFrame:
    frames = []
    for number in range(series):
        part = temperatures(days + 10 * number, seed=number).rename(columns={"high": "y", "date": "ds"})
        part["y"] = part["y"] * 10**number
        part["promotion"] = (np.arange(len(part)) % 7 == 0).astype(int)
        part["kind"] = ["small", "large"][number % 2]
        part["weather"] = np.where(part["low"] > 12, "sun", "rain")
        frames.append(part.drop(columns="low").assign(unique_id=f"shop {number}"))
    return pd.concat(frames, ignore_index=True)


KINDS = [
    {},
    {"horizon": 3},
    {"horizon": 3, "network": "encoder-decoder", "cell": "GRU"},
    {"horizon": 6, "network": "segment"},
    {"horizon": 3, "state": "carried"},
    {"num_layers": 2, "recurrent_dropout": 0.2},
    {"loss": "absolute", "cell": "RNN"},
]


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_two_targets_are_forecast_with_dates_and_ordered_quantiles(options):
    table = temperatures(120)
    forecaster = Forecaster(window=12, **options, **QUICK).fit(table, ["high", "low"])
    out = forecaster.predict()
    names = [f"{target}{end}" for target in ("high", "low") for end in ("", "_q05", "_q25", "_q50", "_q75", "_q95")]
    assert list(out.columns) == ["date", *names]
    expected = pd.date_range("2020-04-30", periods=options.get("horizon", 1))
    assert list(out["date"].astype("datetime64[ns]")) == list(expected.astype("datetime64[ns]"))
    assert np.isfinite(out[names].to_numpy()).all()
    for target in ("high", "low"):
        quantiles = out[[f"{target}_q{q}" for q in ("05", "25", "50", "75", "95")]].to_numpy()
        assert (np.diff(quantiles, axis=1) >= 0).all()


def test_it_learns_what_can_be_learnt():
    rng = np.random.default_rng(0)
    steps = np.arange(600)
    table = {"y": 50 + 10 * np.sin(2 * np.pi * steps / 12) + rng.normal(size=600)}
    forecaster = Forecaster(horizon=6, window=24, verbose=False, epochs=25, n_threads=1).fit(table, "y")
    later = {"y": 50 + 10 * np.sin(2 * np.pi * np.arange(900) / 12) + np.random.default_rng(0).normal(size=900)}
    encoded = forecaster.encode(later)
    origins = np.arange(600, 890)
    forecasts = forecaster.forecast_at(encoded, origins)
    error = np.sqrt(np.nanmean((forecasts.point - forecasts.actual) ** 2))
    assert error < 1.25  # the noise alone is 1
    inside = (forecasts.actual >= forecasts.quantiles[..., 0]) & (forecasts.actual <= forecasts.quantiles[..., -1])
    assert 0.84 < inside[np.isfinite(forecasts.actual)].mean() < 0.96


def test_a_drifted_level_does_no_harm():
    table = temperatures(300)
    forecaster = Forecaster(window=12, normalize="level", calendar=False, **QUICK).fit(table, "high")
    moved = table.assign(high=table["high"] + 1000)
    near, far = (forecaster.predict(frame)["high"].iloc[0] for frame in (table, moved))
    assert far - near == pytest.approx(1000, abs=3)


def test_frames_of_polars_and_pandas_arrays_and_files_give_the_same(tmp_path):
    table = temperatures(100)
    path = tmp_path / "readings.csv"
    table.to_csv(path, index=False)
    first = Forecaster(window=6, **QUICK).fit(table, "high").predict()
    frame = Forecaster(window=6, **QUICK).fit(pl.from_pandas(table), "high").predict()
    assert isinstance(frame, pl.DataFrame)
    file = Forecaster(window=6, **QUICK).fit(path, "high").predict(path)
    for other in (frame["high"].to_numpy(), file["high"].to_numpy()):
        np.testing.assert_allclose(other, first["high"].to_numpy(), rtol=1e-5)
    array = Forecaster(window=6, **QUICK).fit(table["high"].to_numpy()).predict()
    assert list(array.columns)[:2] == ["step", "y"]


@pytest.mark.parametrize("state", ["window", "carried"])
def test_many_series_with_every_kind_of_column(state, tmp_path):
    table = shops()
    roles = {"known_future": ["promotion"], "static": ["kind"], "categorical": ["weather"]}
    forecaster = Forecaster(horizon=3, window=14, state=state, **roles, **QUICK).fit(table, "y")
    future = pd.concat(
        [
            pd.DataFrame({"ds": part["ds"].max() + pd.to_timedelta([1, 2, 3], "D"), "promotion": 1, "unique_id": name})
            for name, part in table.groupby("unique_id")
        ]
    )
    out = forecaster.predict(table, future)
    assert out["unique_id"].tolist() == [f"shop {n}" for n in range(3) for _ in range(3)]
    assert (out.groupby("unique_id")["y"].mean().pct_change().dropna() > 2).all()  # each on its own scale
    with pytest.raises(ValueError, match="promotion"):
        forecaster.predict(table)
    path = tmp_path / "shops.safetensors"
    forecaster.save(path)
    pd.testing.assert_frame_equal(Forecaster.load(path).predict(table, future), out)


def test_missing_values_do_not_stop_it():
    table = temperatures(200)
    table.loc[20:25, "high"] = np.nan
    table.loc[50:52, "low"] = np.nan
    forecaster = Forecaster(window=8, **QUICK).fit(table, "high")
    assert np.isfinite(forecaster.predict()["high"]).all()
    assert any("missing" in note["text"] for note in forecaster.notes_)


def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_generators_alone():
    table = temperatures(150)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (
        Forecaster(window=6, dropout=0.3, recurrent_dropout=0.2, **{**QUICK, "random_state": seed}).fit(table, "high")
        for seed in (0, 0, 1)
    )
    for name, value in first.network_.state_dict().items():
        assert torch.equal(value, again.network_.state_dict()[name])
    assert first.predict()["high"].item() != other.predict()["high"].item()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


@pytest.mark.parametrize("state", ["window", "carried"])
def test_a_saved_forecaster_goes_on_as_it_was(state, tmp_path):
    table = temperatures(150)
    forecaster = Forecaster(horizon=2, window=10, state=state, **QUICK).fit(table, "high")
    path = tmp_path / "model.safetensors"
    forecaster.save(path)
    loaded = Forecaster.load(path)
    longer = temperatures(220)
    pd.testing.assert_frame_equal(loaded.predict(longer), forecaster.predict(longer))
    assert loaded.get_params() == {**forecaster.get_params(), "verbose": None}
    assert loaded.train_end_ == forecaster.train_end_
    assert loaded.evaluate(longer, baselines=["last value"]).horizon == 2
    with pytest.raises(FileExistsError):
        forecaster.save(path)
    with pytest.raises(ValueError, match="does not hold its training data"):
        loaded.predict()


def test_a_stream_gives_the_numbers_of_predict_row_by_row():
    table = temperatures(220)
    forecaster = Forecaster(horizon=2, window=10, state="carried", **QUICK).fit(table[:150], "high")
    stream = forecaster.stream(table[:150])
    for rows in (151, 152, 160, 220):
        forecasts = stream.update(table[:rows])
        expected = forecaster.forecast_end(table[:rows])
        np.testing.assert_allclose(forecasts.point, expected.point, rtol=1e-5)
        np.testing.assert_allclose(forecasts.quantiles, expected.quantiles, rtol=1e-4)
    with pytest.raises(ValueError, match="after the 220 already taken"):
        stream.update(table)
    with pytest.raises(ValueError, match="carried state"):
        Forecaster(window=10, **QUICK).fit(table, "high").stream(table)


def test_intervals_follow_the_noise_once_its_outcomes_are_known():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=1600) * np.repeat([1.0, 3.0], 800)
    forecaster = Forecaster(window=4, **{**QUICK, "epochs": 6}).fit({"y": noise[:800]}, "y")
    encoded = forecaster.encode({"y": noise})
    forecasts = forecaster.forecast_at(encoded, np.arange(800, 1590))
    inside = (forecasts.actual >= forecasts.quantiles[..., 0]) & (forecasts.actual <= forecasts.quantiles[..., -1])
    assert inside[:30].mean() < 0.75
    assert 0.85 < inside[400:].mean() < 0.95
    # Nothing that was not known yet is used: the future does not change a forecast.
    cut = forecaster.encode({"y": noise[:1001]})
    alone = forecaster.forecast_at(cut, np.array([1000]))
    other = noise.copy()
    other[1001:] = 99.0
    again = forecaster.forecast_at(forecaster.encode({"y": other}), np.array([1000]))
    np.testing.assert_allclose(alone.quantiles, again.quantiles)


def test_training_interrupted_and_resumed_ends_with_the_same_bits(tmp_path):
    table = temperatures(150)
    options = {"window": 6, "dropout": 0.2, **QUICK, "epochs": 4}
    whole = Forecaster(**options).fit(table, "high")

    def interrupt(event):
        raise RuntimeError("power cut")

    path = tmp_path / "run.checkpoint"
    with pytest.raises(RuntimeError, match="power cut"):
        Forecaster(**options).fit(table, "high", checkpoint=path, callbacks=[interrupt])
    resumed = Forecaster(**options).fit(table, "high", checkpoint=path)
    for name, value in whole.network_.state_dict().items():
        assert torch.equal(value, resumed.network_.state_dict()[name]), name
    np.testing.assert_array_equal(whole.calibration_.scores, resumed.calibration_.scores)


def test_ctrl_c_keeps_the_best_model():
    def interrupt(event):
        raise KeyboardInterrupt

    forecaster = Forecaster(window=6, **{**QUICK, "epochs": 50}).fit(temperatures(150), "high", callbacks=[interrupt])
    assert forecaster.stopped_ == "interrupted"
    assert len(forecaster.history_) == 1
    assert np.isfinite(forecaster.predict()["high"]).all()


def test_a_validation_table_of_ones_own_stops_training():
    table = temperatures(300)
    forecaster = Forecaster(window=6, **QUICK).fit(table[:200], "high", validation=table[200:])
    assert forecaster.splits_["validation"][1].startswith("2020-10-26")
    assert all(row["val_loss"] is not None for row in forecaster.history_)
    assert not any(note["kind"] == "refit" for note in forecaster.notes_)


def test_scales_come_from_training_rows_alone():
    table = temperatures(200)
    spiked = table.copy()
    spiked.loc[170:, "high"] += 500
    scales = [
        Forecaster(window=6, refit=False, **QUICK).fit(frame, "high").codec_.center_[0, 0] for frame in (table, spiked)
    ]
    assert scales[0] == scales[1]


def test_the_manners_of_scikit_learn():
    forecaster = Forecaster(horizon=3, window=6, **QUICK)
    copy = clone(forecaster)
    assert copy.get_params() == forecaster.get_params()
    assert copy is not forecaster
    assert repr(Forecaster(horizon=3)) == "Forecaster(horizon=3)"
    assert forecaster.set_params(random_state=4).random_state == 4
    with pytest.raises(ValueError, match="no parameter sed="):
        forecaster.set_params(sed=4)
    assert forecaster.__sklearn_tags__().estimator_type is None
    assert not forecaster.__sklearn_is_fitted__()
    assert forecaster.fit(temperatures(100), "high") is forecaster
    assert forecaster.__sklearn_is_fitted__()
    assert forecaster.score(temperatures(100)) <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "horizon to be a whole number of at least 1"),
        ({"horizon": 1.5}, "horizon to be a whole number of at least 1"),
        ({"window": 0}, "window to be a whole number of at least 1"),
        ({"window": "long"}, "'long'"),
        ({"network": "transformer"}, "'transformer'"),
        ({"cell": "SRU"}, "'SRU'"),
        ({"state": "kept"}, "'kept'"),
        ({"loss": "huber"}, "'huber'"),
        ({"quantiles": (0.9, 0.1)}, "quantiles to be increasing numbers between 0 and 1"),
        ({"validation_fraction": 0.7}, "validation_fraction"),
        ({"training": {"optimiser": "adam"}}, "optimiser"),
        ({"known_future": "lov"}, "no known-future column 'lov'"),
        ({"categorical": [0]}, "categorical to be the name of a column"),
        ({"window": 60, "horizon": 60}, "fewer than window 60"),
        ({"hidden_size": (8, 4)}, r"the same for all layers of a forecaster, got \[8, 4\]"),
        ({"hidden_size": (8, 8), "num_layers": 3}, "hidden_size of 3 layers"),
        ({"device": "cuda:63"}, "torch cannot use it here"),
        ({"random_state": "luck"}, "random_state to be a whole number, a generator"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_used_are_named(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Forecaster(**{**QUICK, **options}).fit(temperatures(100), "high")


@pytest.mark.parametrize("target", [0, [0, 1], np.ones(100)], ids=["a number", "numbers", "values"])
def test_a_target_that_is_no_name(target):
    with pytest.raises(TypeError, match="target to be the name of a column"):
        Forecaster(**QUICK).fit(temperatures(100), target)


def test_sizes_of_layers_say_how_many_there_are():
    table = temperatures(100)
    named, counted = (
        Forecaster(window=6, **{**QUICK, **sizes}).fit(table, "high")
        for sizes in ({"hidden_size": (8, 8)}, {"hidden_size": 8, "num_layers": 2})
    )
    for name, value in named.network_.state_dict().items():
        assert torch.equal(value, counted.network_.state_dict()[name])
    assert named.network_text().startswith("LSTM of 8 units, 2 layers: ")


def test_the_seed_is_drawn_from_what_random_state_is():
    table = temperatures(60)
    given, drawn, again = (
        Forecaster(window=6, **{**QUICK, "random_state": state}).fit(table, "high")
        for state in (7, np.random.RandomState(1), np.random.RandomState(1))
    )
    assert given.seed_ == 7 and drawn.seed_ == again.seed_ != 7
    assert torch.equal(drawn.network_.rnn.weight_hh_l0, again.network_.rnn.weight_hh_l0)


def test_every_choice_has_its_reason(tmp_path):
    forecaster = Forecaster(horizon=2, window=12, **QUICK).fit(temperatures(200), "high")
    reasons = {choice.name: choice.reason for choice in forecaster.plan_}
    assert all(reasons.values())
    assert reasons["window"] == reasons["hidden_size"] == "given by the user, or the default"
    assert reasons["dropout"] == "the default of this network"
    assert "ridge RMSE" in reasons["normalize"]
    forecaster.save(tmp_path / "model.safetensors")
    assert Forecaster.load(tmp_path / "model.safetensors").plan_ == forecaster.plan_


def test_a_row_is_another_way_to_say_when():
    table = temperatures(100)
    forecaster = Forecaster(window=6, **QUICK).fit(table, "high")
    by_row, by_date = forecaster.explained(table, row=60), forecaster.explained(table, at="2020-03-01")
    assert by_row.output == by_date.output
    assert torch.equal(by_row.values, by_date.values)
    with pytest.raises(ValueError, match="at= or row=, got both"):
        forecaster.explained(table, row=60, at="2020-03-01")


def test_an_unfitted_forecaster_says_so():
    with pytest.raises(ValueError, match="not fitted yet"):
        Forecaster().predict(temperatures(50))


def test_too_few_rows_to_forecast_from():
    forecaster = Forecaster(window=20, **QUICK).fit(temperatures(150), "high")
    with pytest.raises(ValueError, match=r"at least 20 rows \(the window\)"):
        forecaster.predict(temperatures(10))


def test_the_trace_of_the_last_window():
    forecaster = Forecaster(window=9, **QUICK).fit(temperatures(150), "high")
    trace = forecaster.trace()
    assert trace["forget"].shape[-2:] == (9, 8)
    assert ((trace["forget"] > 0) & (trace["forget"] < 1)).all()
