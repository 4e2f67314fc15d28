"""A few rows are an honest small forecast, or one clear line."""

import numpy as np
import pytest

from memorycell import Forecaster, backtest

RNG = np.random.default_rng(0)
SETTINGS = {"epochs": 1, "hidden_size": 2, "verbose": False}


@pytest.mark.parametrize("state", ["window", "carried"])
@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("rows", [8, 12, 20])
@pytest.mark.parametrize("kind", ["noise", "two values", "several"])
def test_a_few_rows_are_forecast(rows: int, horizon: int, state: str, kind: str) -> None:
    y = RNG.normal(size=rows) if kind != "two values" else np.arange(rows) % 2
    table = {"y": y, "x": np.cos(np.arange(rows))}
    if kind == "several":
        table = {name: np.concatenate([column, column]) for name, column in table.items()}
        table["unique_id"] = ["a"] * rows + ["b"] * rows
    found = Forecaster(horizon=horizon, state=state, **SETTINGS).fit(table, "y").predict()
    numbers = found.filter(regex="^y")
    assert np.isfinite(numbers).all(axis=None) and len(found) == horizon * (2 if kind == "several" else 1)


FEW = np.arange(20.0)
REFUSED = {
    "a long horizon": ({"y": FEW}, {"horizon": 24}, r"fewer than window 1 \+ horizon 24 = 25"),
    "three rows": ({"y": FEW[:3]}, {"horizon": 3}, "the table has 3 rows"),
    "constant": ({"y": np.ones(20)}, {}, "constant at 1 over the 16 values to train on"),
    "all missing": ({"y": FEW * np.nan, "x": FEW}, {}, "has no value"),
    "none at all": ({"y": FEW * np.nan}, {}, "target 'y' of the dict of columns has no value: all of its 20 rows"),
    "infinite": ({"y": np.append(FEW, np.inf)}, {}, "target 'y' of the dict of columns is infinite in row 20"),
    "one value": ({"y": np.where(FEW == 3, 1, np.nan), "x": FEW % 3}, {}, "constant at 1 over the 1 value to train on"),
}


@pytest.mark.parametrize(("table", "settings", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_learned_is_said_in_one_line(table: dict, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Forecaster(**SETTINGS, **settings).fit(table, "y")
    assert "\n" not in str(caught.value)


GAPS = {
    "the newest tenth": range(54, 60), "before the newest": range(48, 54), "the first rows": range(12),
    "the newer half": range(30, 60), "every second row": range(0, 60, 2),
}  # fmt: skip


@pytest.mark.parametrize("rows", GAPS.values(), ids=GAPS)
@pytest.mark.parametrize(
    "kind", [{}, {"state": "carried"}, {"network": "encoder-decoder"}, {"network": "segment"}], ids=str
)
def test_gaps_train_calibrate_and_are_saved(rows: range, kind: dict, tmp_path) -> None:
    y, z = RNG.normal(size=60), RNG.normal(size=60)
    y[list(rows)] = np.nan
    table = {"y": y, "z": z, "x": np.cos(np.arange(60))}
    forecaster = Forecaster(horizon=2, window=6, **SETTINGS, **kind).fit(table, ["y", "z"])
    found = forecaster.predict()
    assert np.isfinite(found).all(axis=None) and len(forecaster.calibration_.scores)
    forecaster.save(tmp_path / "m.safetensors")
    assert Forecaster.load(tmp_path / "m.safetensors").predict(table).equals(found)
    alone = Forecaster(horizon=2, window=6, **SETTINGS, **kind).fit(table, "y")
    assert np.isfinite(alone.calibration_.scores).any()
    with pytest.raises(ValueError, match="the validation table has no value of y"):
        Forecaster(horizon=2, window=6, **SETTINGS, **kind).fit(table, "y", validation=table | {"y": y * np.nan})


@pytest.mark.parametrize("rows", [8, 14])
def test_intervals_of_a_few_rows_are_honest(rows: int) -> None:
    settings = {"window": 7, "horizon": 3} if rows == 14 else {}
    inside, said = [], ""
    for seed in range(12):
        y = np.random.default_rng(seed).normal(10, 1, rows + 3)
        forecaster = Forecaster(**SETTINGS, **settings).fit({"y": y[:rows]})
        found, said = forecaster.predict(), str(forecaster.notes_)
        assert (found["y_q05"] <= found["y"]).all() and (found["y"] <= found["y_q95"]).all()
        inside += ((found["y_q05"] <= y[rows:][: len(found)]) & (y[rows:][: len(found)] <= found["y_q95"])).tolist()
    assert np.mean(inside) > 0.7
    assert ("adjusted on forecasts that training has seen" if rows == 14 else "adjusted on 2 forecasts only") in said


def test_a_target_without_values_to_adjust_on_is_named() -> None:
    rng = np.random.default_rng(0)
    table = {"a": rng.normal(size=60), "b": np.where(np.arange(60) < 40, rng.normal(size=60), np.nan)}
    said = str(Forecaster(window=6, **SETTINGS).fit(table, ["a", "b"]).notes_)
    assert "Intervals of b are the network's own: no values were left to adjust them on." in said


def test_the_forecast_lies_within_its_interval() -> None:
    """Where intervals move away from what a network that has seen little takes for the mean."""
    for seed in range(4):
        y = np.arange(12) * 300.0 + np.random.default_rng([seed, 12]).normal(0, 50, 12)
        found = Forecaster(epochs=5, verbose=False).fit({"y": y}).predict()
        assert (found["y_q05"] <= found["y"]).all() and (found["y"] <= found["y_q95"]).all()


def test_a_fold_without_targets_is_left_out() -> None:
    y = np.random.default_rng(0).normal(size=80)
    y[64:72] = np.nan
    forecaster = Forecaster(horizon=2, window=5, **SETTINGS)
    result = backtest(forecaster, {"y": y}, folds=2, baselines=("last value",))
    assert len(result.folds) == 1 and "Fold 1 of 2 left out: no target has a value there" in str(result.notes)
    y[64:] = np.nan
    with pytest.raises(ValueError, match="no origin of any block"):
        backtest(forecaster, {"y": y, "x": np.cos(np.arange(80))}, "y", folds=2, baselines=("last value",))
