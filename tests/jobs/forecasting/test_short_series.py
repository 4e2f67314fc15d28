"""Series that are too short, new, empty or flat take nothing from the others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from memorycell import Forecaster, backtest, write_report
from memorycell.jobs.forecasting.short import ShortSeries, usable

LENGTHS = {"new": 5, "a": 60, "one": 1, "b": 60}
SETTINGS = {"horizon": 2, "window": 10, "epochs": 1, "hidden_size": 4, "verbose": False}


def panel(lengths: dict[str, int], seed: int = 0, empty: int = 0) -> pd.DataFrame:
    parts = []
    for place, (name, rows) in enumerate(lengths.items()):
        y = 10 * ord(name[0]) + np.random.default_rng([seed, ord(name[0])]).normal(size=rows)
        days = pd.date_range("2024-01-01", periods=rows)
        parts.append(pd.DataFrame({"unique_id": name, "ds": days, "y": y, "size": float(place)}))
    if empty:
        days = pd.date_range("2024-01-01", periods=empty)
        parts.append(pd.DataFrame({"unique_id": "empty", "ds": days, "y": np.nan, "size": 9.0}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return panel(LENGTHS, empty=20)


@pytest.fixture(scope="module", params=["window", "carried"])
def forecaster(request: pytest.FixtureRequest, table: pd.DataFrame) -> Forecaster:
    return Forecaster(**SETTINGS, state=request.param, linear="auto").fit(table, "y")


def test_it_is_forecast_by_its_level_and_the_others_by_the_network(forecaster: Forecaster, tmp_path: Path) -> None:
    found = forecaster.predict()
    assert found["unique_id"].tolist() == [name for name in [*LENGTHS, "empty"] for _ in range(2)]
    rows = found.set_index("unique_id")
    assert rows.loc["empty"].filter(like="y").isna().all(axis=None)
    assert rows.loc["empty", "note"].tolist() == ["no value of y yet: no forecast"] * 2
    assert (rows.loc[["a", "b"], "note"] == "").all()
    numbers = rows.loc[["new", "a", "one", "b"]].filter(like="y_q")
    assert np.isfinite(numbers).all(axis=None) and (numbers.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    if forecaster.state == "window":
        assert rows.loc["one", "note"].iloc[0] == "1 row, fewer than the 10 of the window: level of the last values"
        values = panel(LENGTHS).set_index("unique_id").loc["new", "y"]
        assert rows.loc["new", "y"].iloc[0] in (pytest.approx(values.mean()), pytest.approx(values.iloc[-4:].mean()))
        # One value alone tells less than five.
        width = rows["y_q95"] - rows["y_q05"]
        assert width["one"].iloc[0] > 1 and width["new"].iloc[0] > width["a"].iloc[0]
    said = next(each["text"] for each in forecaster.notes_ if each["kind"] == "short series")
    assert all(name in said for name in ("'new' with 5 rows", "'one' with 1 row", "'empty' without a value"))
    assert not any("read as the future" in each["text"] for each in forecaster.notes_)
    forecaster.save(tmp_path / "m.safetensors")
    again = Forecaster.load(tmp_path / "m.safetensors")
    assert again.predict(panel(LENGTHS, empty=20)).equals(found)
    records = again.answers(panel(LENGTHS, empty=20)).records()
    assert records[-1]["y"] is None and records[-1]["note"] == "no value of y yet: no forecast"
    assert again.read(panel(LENGTHS)).notes == []


def test_the_others_are_forecast_as_without_it(forecaster: Forecaster, table: pd.DataFrame) -> None:
    others = table[table["unique_id"].isin(["a", "b"])]
    alone = Forecaster(**SETTINGS, state=forecaster.state).fit(others, "y").predict()
    among = forecaster.predict()
    among = among[among["unique_id"].isin(["a", "b"])].drop(columns="note").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among, check_exact=True)
    # And so they are where it comes later.
    new = pd.concat([panel({"z": 3}, seed=1), others])
    found = forecaster.predict(new)
    found = found[found["unique_id"] != "z"].drop(columns="note", errors="ignore").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, forecaster.predict(others), check_exact=True)


@pytest.mark.usefixtures("undrawn")
def test_all_else_works(forecaster: Forecaster, table: pd.DataFrame, tmp_path: Path) -> None:
    said = str(forecaster.explained(table).output)
    assert ("y of a" if forecaster.state == "window" else "y of new") in said
    if forecaster.state == "window":
        with pytest.raises(
            ValueError, match=r"at least 10 rows.*got 5 in series 'new': ask for another one with series="
        ):
            forecaster.explained(table, series="new")
    with pytest.raises(ValueError, match=r"got 0 in series 'empty'|got none in series 'empty'"):
        forecaster.explained(table, series="empty")
    later = panel({"new": 9, "a": 66, "one": 3, "b": 66, "z": 4})
    result = forecaster.evaluate(later, baselines=("ridge",))
    assert set(result.models[0].forecasts.series) == {1, 3}
    assert any("3 of 5 series were not measured ('new', 'one', 'z')" in text for text in result.notes)
    for name in ("new", "empty"):
        assert len(forecaster.plot(table, series=name).figure.axes) == 1
    if forecaster.state == "window":
        page = write_report(tmp_path / "r.html", forecaster, table).read_text(encoding="utf-8")
        assert "No value of y yet: no forecast" in page


def test_backtests_go_on(table: pd.DataFrame) -> None:
    result = backtest(Forecaster(**SETTINGS), table, "y", folds=1, baselines=("last value",))
    assert {result.models[0].forecasts.ids[s] for s in result.models[0].forecasts.series} == {"a", "b"}
    assert np.isfinite(result.models[0].error)


def test_windows_are_chosen_without_it() -> None:
    many = {"a": 200, "b": 200, **{f"n{i}": 3 for i in range(5)}}
    forecaster = Forecaster(horizon=2, epochs=1, hidden_size=4, linear=False, verbose=False).fit(panel(many), "y")
    assert forecaster.window_ == 14
    assert len(forecaster.codec_.short_) == 5


def test_a_single_series_is_refused() -> None:
    readings = np.sin(np.arange(60.0))
    forecaster = Forecaster(**SETTINGS).fit(readings)
    with pytest.raises(ValueError, match=r"at least 10 rows \(the window\) to forecast from, got 4: give more"):
        forecaster.predict(readings[:4])
    table = {"y": [np.nan] * 20, "x": range(20)}
    other = Forecaster(**SETTINGS).fit({"y": readings, "x": np.cos(np.arange(60.0))}, "y")
    with pytest.raises(ValueError, match="expected values of y to forecast from, got none in 20 rows"):
        other.predict(table)


def test_one_of_two_targets_has_no_value() -> None:
    frame = panel({"a": 60, "b": 60}).assign(z=lambda rows: rows["y"] * 2)
    frame.loc[frame["unique_id"] == "b", "z"] = np.nan
    found = Forecaster(**SETTINGS).fit(frame, ["y", "z"]).predict().set_index("unique_id")
    assert found.loc["b"].filter(like="z").isna().all(axis=None) and np.isfinite(found.loc["b"].filter(like="y")).all(
        axis=None
    )
    assert found.loc["b", "note"].tolist() == ["no value of z yet: no forecast"] * 2


def test_quantiles_cover_what_comes_after_pieces() -> None:
    forecaster = Forecaster(**SETTINGS).fit(panel({name: 80 for name in "abcdefgh"}), "y")
    inside = []
    for seed in range(1, 40):
        rows = panel({"z": 5 + seed % 5 + 2}, seed=seed)
        seen, came = rows[:-2], rows["y"].to_numpy()[-2:]
        found = forecaster.predict(seen)
        inside += [(found["y_q05"] <= came) & (came <= found["y_q95"])]
    assert 0.85 < np.mean(inside) <= 1


def test_which_are_usable() -> None:
    known = [np.arange(12) < 5, np.ones(12, bool), np.zeros(12, bool)]
    assert usable(np.array([12, 12, 12]), known, 5, 2).tolist() == [False, True, False]
    assert usable(np.array([3, 3]), None, 5, 2).all()


def test_what_a_file_holds_is_checked() -> None:
    none = ShortSeries.none(2, 1, 5)
    point, quantiles = none.forecast(np.array([[3.0], [5.0]]), np.ones(1))
    assert point.ravel().tolist() == [4, 4] and np.isnan(quantiles).all()
    arrays = none.to_arrays()
    assert ShortSeries.from_arrays(arrays, (2, 1, 5)).errors.shape == (0, 2, 1, 5)
    with pytest.raises(ValueError, match="expected errors, lengths, means of short series"):
        ShortSeries.from_arrays({"means": arrays["means"]}, (2, 1, 5))
    with pytest.raises(ValueError, match="of shape"):
        ShortSeries.from_arrays(arrays, (3, 1, 5))
    wrong = {"lengths": np.array([3, 2]), "means": np.zeros(2, bool), "errors": np.zeros((2, 2, 1, 5))}
    with pytest.raises(ValueError, match="increasing lengths"):
        ShortSeries.from_arrays(wrong, (2, 1, 5))


def test_a_long_new_series_leaves_the_intervals_of_others_as_they_are(table: pd.DataFrame) -> None:
    forecaster = Forecaster(**SETTINGS).fit(table, "y")
    others = panel({"a": 66, "b": 66})
    alone = forecaster.predict(others)
    wild = panel({"z": 120}, seed=3)
    wild["y"] *= 1 + 50 * np.random.default_rng(0).normal(size=120)
    found = forecaster.predict(pd.concat([wild, others]))
    found = found[found["unique_id"] != "z"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.drop(columns="note", errors="ignore"), alone, check_exact=True)
    # Alone, it is adjusted by its own outcomes.
    assert np.isfinite(forecaster.predict(wild).filter(like="y_q")).all(axis=None)
