"""What a target cannot fall below or rise above: told, or found in the training rows."""

import json

import numpy as np
import pytest

from memorycell import Forecaster
from memorycell.data.tables.bounds import bounds_told
from memorycell.data.tables.table_codec import TableCodec

RNG = np.random.default_rng(0)
DAY = np.arange(200)
FROM_ZERO = {
    "few counts": RNG.poisson(0.4, 200), "counts": RNG.poisson(2, 200),
    "many counts": RNG.poisson(5, 100), "counts of a season": RNG.poisson(20 + 15 * np.sin(DAY / 9)),
    "scattered counts": RNG.negative_binomial(4, 0.3, 200), "small whole numbers": RNG.poisson(9, 300).astype("uint8"),
    "yes and no": RNG.integers(0, 2, 200),
    "rain": np.maximum(0, RNG.normal(-1, 3, 200)), "sales": RNG.gamma(1.2, 10, 200), "shares": RNG.beta(1, 9, 200),
}  # fmt: skip
FREE = {
    "a summer's temperatures": RNG.normal(22, 4, 200), "a mild year": 9 + 8 * np.sin(DAY / 30),
    "whole degrees": np.round(9 + 7 * np.sin(DAY / 30)),
    "degrees that touch zero": np.append(np.round(9 + 7 * np.sin(DAY / 30)), [0, 0]),
    "returns": RNG.normal(0, 0.01, 200), "a price": 100 + np.cumsum(RNG.normal(size=200)),
    "counts far away": RNG.poisson(400, 200), "broken counts": RNG.poisson(5, 200) + 0.5,
    "degrees day by day": np.round(12 + 6 * np.sin(DAY / 30) + RNG.normal(0, 1.5, 200)),
    "one below": np.append(RNG.poisson(0.4, 199), -1), "too few": RNG.poisson(0.5, 19),
}  # fmt: skip


@pytest.mark.parametrize("values", FROM_ZERO.values(), ids=FROM_ZERO)
def test_zero_is_found(values: np.ndarray) -> None:
    codec = TableCodec("y").fit({"y": values.astype(float)})
    assert codec.bounds_ == [(0.0, None)]
    (said,) = (each["text"] for each in codec.notes_ if each["kind"] == "bounds")
    assert "Forecasts of 'y' do not go below 0" in said and "none is below" in said and "lower=" in said
    assert TableCodec("y", lower=None).fit({"y": values}).bounds_ == [(None, None)]


@pytest.mark.parametrize("values", FREE.values(), ids=FREE)
def test_what_happens_to_be_positive_is_free(values: np.ndarray) -> None:
    codec = TableCodec("y").fit({"y": values.astype(float)})
    assert codec.bounds_ == [(None, None)] and codec.encode({"y": values}).limits is None


def test_bounds_are_told_for_all_targets_or_for_each() -> None:
    table = {"a": RNG.normal(size=50), "b": RNG.poisson(1, 50)}
    codec = TableCodec(["a", "b"], lower={"a": -1}, upper=9).fit(table)
    assert codec.bounds_ == [(-1, 9), (0, 9)]
    assert any("values of 'a' lie below lower=-1" in each["text"] for each in codec.notes_)
    assert codec.encode(table).limits.tolist() == [[-1, 0], [9, 9]]
    again = TableCodec.from_json(json.loads(json.dumps(codec.to_json())))
    assert again.bounds_ == codec.bounds_ and again.lower == {"a": -1} and again.upper == 9
    with pytest.raises(ValueError, match="lower= names 'c', which is no target: expected some of 'a', 'b'"):
        TableCodec(["a", "b"], lower={"c": 0}).fit(table)
    with pytest.raises(ValueError, match="lower bound of 'a' to be below its upper one, got 3 and 2"):
        TableCodec("a", lower=3, upper=2).fit(table)
    assert bounds_told({"a": 1}, ["a", "b"], "upper") == [1, None]
    # Zero is not found where it would be above what was told.
    assert TableCodec("b", upper=-5).fit(table).bounds_ == [(None, -5)]


def test_a_table_of_an_older_version_has_none() -> None:
    state = TableCodec("y").fit({"y": RNG.poisson(1, 50)}).to_json()
    for part, names in (("learned", ["bounds", "short"]), ("options", ["lower", "upper"])):
        for name in names:
            del state[part][name]
    assert TableCodec.from_json(state).bounds_ == [(None, None)]
    state["learned"]["bounds"] = [[3, 2]]
    with pytest.raises(ValueError, match="pairs of bounds"):
        TableCodec.from_json(state)
    state["learned"]["bounds"], state["options"]["lower"] = [[0, None]], "never"
    with pytest.raises(ValueError, match="a bound, or a mapping"):
        TableCodec.from_json(state)


@pytest.mark.parametrize("state", ["window", "carried"])
def test_forecasts_keep_within_them(state: str, tmp_path) -> None:
    counts = {"y": RNG.poisson(0.4, 120), "z": RNG.normal(size=120)}
    settings = {"horizon": 3, "window": 7, "epochs": 1, "hidden_size": 4, "verbose": False, "state": state}
    forecaster = Forecaster(**settings, upper={"z": 0.5}).fit(counts, ["y", "z"])
    found = forecaster.predict()
    quantiles = found.filter(regex="^y").drop(columns="y")
    assert found.filter(regex="^y").min(axis=None) == 0 and (quantiles.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert found.filter(regex="^z").max(axis=None) == 0.5 and found.filter(regex="^z").min(axis=None) < 0
    # The interval holds what it held: nothing comes below zero.
    free = Forecaster(**settings, lower=None).fit(counts, ["y", "z"])
    encoded = forecaster.encode(counts)
    here, there = (each.forecast_at(encoded, np.arange(20, 110)) for each in (forecaster, free))
    assert there.quantiles[..., 0, :].min() >= 0  # a table has bounds, whatever forecasts from it
    bare = free.forecast_at(free.encode(counts), np.arange(20, 110))
    assert bare.quantiles[..., 0, :].min() < 0
    inside = [(q[..., 0, 0] <= f.actual[..., 0]).mean() for f, q in ((here, here.quantiles), (bare, bare.quantiles))]
    assert inside[0] == inside[1] and here.actual[..., 0].min() == 0
    # What is explained is the number before the bound, and says so.
    assert "before" not in free.explained(counts, at=60).output
    low = Forecaster(**settings, lower={"y": 50.0}).fit(counts, ["y", "z"])
    assert low.explained(counts, at=60).output.endswith(", before it is held at 50")
    forecaster.save(tmp_path / "m.safetensors")
    assert Forecaster.load(tmp_path / "m.safetensors").predict(counts).equals(found)
    # A table that goes below shows that it can.
    below = {"y": np.append(counts["y"], -3), "z": np.append(counts["z"], 0.0)}
    samples = forecaster.read(below)
    assert forecaster.forecast_end(samples).quantiles[..., 0, :].min() < 0
    assert any("'y' falls to -3 in this table" in each["text"] for each in samples.notes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lower": "zero"}, 'expected lower to be a number, "auto" or None'),
        ({"upper": "auto"}, "expected upper to be a number or None"),
        ({"lower": {"y": float("nan")}}, "expected lower"),
    ],
)
def test_what_is_no_bound_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Forecaster(**settings).fit(np.arange(50.0))
