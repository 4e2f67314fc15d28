"""Model files of forecasters: those of release 0.1, those with gaps, and those that were tampered with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from memorycell import Forecaster, ModelFileError, load
from memorycell.training.files import load_model, save_model

FIXTURES = Path(__file__).parents[2] / "fixtures" / "0.1"
SMALL: dict[str, Any] = {"window": 6, "hidden_size": 4, "epochs": 1, "n_threads": 1, "verbose": False}
READINGS = np.sin(np.arange(120) / 2) + np.random.default_rng(0).normal(size=120) / 10


@pytest.mark.parametrize("name", ["forecaster", "carried"])
def test_a_file_of_release_0_1_forecasts_as_it_did(name: str, tmp_path: Path) -> None:
    expected = json.loads((FIXTURES / "expected.json").read_text())[name]
    data = np.array(expected["data"])
    forecaster = load(FIXTURES / f"{name}.safetensors")
    assert type(forecaster) is Forecaster
    point = forecaster.forecast_end(data).point
    # Written on a machine with AVX-512. Each level of the kernels adds in its own order, so on another the last digit
    # of a float32 differs (1.3e-8 with AVX2, 3.3e-8 with SSE); on one machine nothing does, as asked below.
    np.testing.assert_allclose(point.ravel(), expected["point"], rtol=1e-8)
    assert forecaster.random_state == forecaster.seed_ and forecaster.trained_on_ == {}
    assert (forecaster.was_trained_on(forecaster.read(data)), forecaster.window_) == (None, 6)
    forecaster.save(tmp_path / "again.safetensors")
    file = load_model(tmp_path / "again.safetensors")
    assert file.kind == "Forecaster"
    assert file.config["network"]["network"] == ("CarriedForecaster" if name == "carried" else "StackedForecaster")
    again = load(tmp_path / "again.safetensors")
    assert np.array_equal(again.forecast_end(data).point, point)
    assert (again.train_end_, again.splits_) == (forecaster.train_end_, forecaster.splits_)
    assert again.facts() == forecaster.facts()


def test_what_a_file_of_release_0_1_said_of_its_choices_is_their_reason() -> None:
    forecaster = load(FIXTURES / "forecaster.safetensors")
    (said,) = (note["text"] for note in forecaster.notes_ if note["kind"] == "normalize")
    (choice,) = (each for each in forecaster.plan_ if each.name == "normalize")
    assert choice.reason and f'normalised by "{choice.value}": {choice.reason}.' in said


@pytest.mark.parametrize("state", ["window", "carried"])
def test_a_gap_in_what_calibrates_does_not_lose_the_model(state: str, tmp_path: Path) -> None:
    values = READINGS.copy()
    values[110:112] = np.nan
    forecaster = Forecaster(2, state=state, **SMALL).fit({"y": values}, "y")
    assert np.isnan(forecaster.calibration_.scores).any()
    forecaster.save(tmp_path / "gaps.safetensors")
    loaded = load(tmp_path / "gaps.safetensors")
    np.testing.assert_array_equal(loaded.calibration_.scores, forecaster.calibration_.scores)
    pd.testing.assert_frame_equal(loaded.predict({"y": READINGS}), forecaster.predict({"y": READINGS}))


def test_of_many_series_the_last_row_of_each_is_kept(tmp_path: Path) -> None:
    frames = [
        pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=days), "y": READINGS[:days], "unique_id": name})
        for name, days in (("a", 60), ("b", 75))
    ]
    forecaster = Forecaster(**SMALL).fit(pd.concat(frames), "y")
    forecaster.save(tmp_path / "many.safetensors")
    ends = load(tmp_path / "many.safetensors").train_end_
    assert ends == {"a": np.datetime64("2024-02-29", "ns"), "b": np.datetime64("2024-03-15", "ns")}
    assert ends == forecaster.train_end_
    assert forecaster.trained_on_["rows"] == 135
    assert (forecaster.trained_on_["first"], forecaster.trained_on_["last"]) == ("2024-01-01", "2024-03-15")


def tampered(path: Path, change: Any) -> Path:
    """The file with its configuration and tensors changed."""
    file = load_model(path)
    config, tensors = json.loads(json.dumps(file.config)), dict(file.tensors)
    change(config, tensors)
    save_model(path, file.kind, config, tensors, force=True)
    return path


CHANGES = {
    "horizon": lambda config, tensors: config["parameters"].update(horizon=3),
    "quantiles": lambda config, tensors: config["parameters"].update(quantiles=[0.1, 0.9]),
    "state": lambda config, tensors: config["parameters"].update(state="carried"),
    "window": lambda config, tensors: config["plan"][0].__setitem__(1, 7),
    "no window": lambda config, tensors: config["plan"].pop(0),
    "last row": lambda config, tensors: config["learned"].update(ends_="the day before"),
    "no last row": lambda config, tensors: config["learned"].update(ends_={}),
    "last rows": lambda config, tensors: config["learned"].update(ends_={"a": 3}),
    "splits": lambda config, tensors: config["learned"].update(splits_={"train": ["2024-01-01"]}),
    "layers": lambda config, tensors: config["network"].update(num_layers=100_000),
    "units": lambda config, tensors: config["network"].update(hidden_size=1_000_000),
    "columns": lambda config, tensors: config["network"]["shape"].update(targets=2),
    "shape": lambda config, tensors: config["network"].update(shape=[1, 2]),
    "network": lambda config, tensors: config["network"].update(network="LanguageNetwork"),
    "codec": lambda config, tensors: config["codecs"].update(codec_={"codec": "LabelCodec", "kind": "single"}),
    "no codec": lambda config, tensors: config["codecs"].update(codec_=None),
    "no scores": lambda config, tensors: tensors.pop("learned.scores"),
    "scores": lambda config, tensors: tensors.update({"learned.scores": torch.zeros(3, 1, 1, 5)}),
    "stride": lambda config, tensors: tensors.update({"learned.stride": torch.tensor([0])}),
    "a weight": lambda config, tensors: tensors.pop("network.read.weight"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_was_tampered_with_is_refused(change: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    Forecaster(2, **SMALL).fit(READINGS).save(path)
    with pytest.raises(ModelFileError) as caught:
        load(tampered(path, change))
    assert len(str(caught.value).splitlines()) == 1 and path.name in str(caught.value)


def test_a_model_of_a_device_that_is_not_there_is_loaded_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    Forecaster(2, **SMALL).fit(READINGS).save(path)
    loaded = load(tampered(path, lambda config, tensors: config["parameters"].update(device="cuda:63")))
    assert loaded.device == "auto"
    assert np.isfinite(loaded.predict(READINGS)["y"]).all()
