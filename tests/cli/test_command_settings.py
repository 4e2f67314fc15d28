"""The options of fit are the Forecaster's parameters, with its defaults."""

import inspect
from typing import Any

import pytest
from command_cases import refused, run

from memorycell.cli.options import unfolded
from memorycell.jobs.forecasting.network import NETWORKS
from memorycell.jobs.forecasting.parameters import Forecasting
from memorycell.jobs.forecasting.task import Forecaster
from memorycell.jobs.parameters import TrainingParameters, options

SIGNATURE = inspect.signature(Forecaster).parameters
OPTIONS = [*options(Forecasting), *options(TrainingParameters)]


def test_every_parameter_has_its_option() -> None:
    assert [option.name for option in OPTIONS] == [name for name in SIGNATURE if name != "verbose"]
    assert [name for name, each in SIGNATURE.items() if each.kind is each.POSITIONAL_OR_KEYWORD] == [
        "horizon",
        "window",
    ]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_help_states_the_default(option: Any) -> None:
    default, said = SIGNATURE[option.name].default, option.default_said
    if said == "" or said in ("found by itself", "by the shapes"):
        assert default in ((), None)
    elif option.value.switch:
        assert default is (said == "on")
    else:
        assert option.value.parse(said) == default


def test_help_names_every_option() -> None:
    said = run("fit", "forecast", "--help").out
    for option in unfolded(OPTIONS):
        assert f"  {option.first}" in said
        assert not option.default_said or f"default: {option.default_said}" in " ".join(said.split())


def test_every_network_can_be_chosen() -> None:
    (option,) = (option for option in OPTIONS if option.name == "network")
    assert option.value.shape.split("|") == ["auto", *NETWORKS]
    assert [option.value.parse(name.upper()) for name in NETWORKS] == list(NETWORKS)


def test_options_arrive_as_the_forecaster_takes_them(monkeypatch: pytest.MonkeyPatch, weather) -> None:
    seen = {}

    def remember(self, table, **options) -> None:
        seen.update(self.get_params(), **options)
        raise ValueError("enough")

    monkeypatch.setattr(Forecaster, "fit", remember)
    words = """--target temp --target rain --window auto --horizon 3 --cell gru --quantiles 0.1,0.9 --patience none
               --no-calendar --no-refit --known-future sky --known-future rain --learning-rate 1e-2 --threads 2
               --training optimizer=sgd --training clip_norm=null --seed 7 -o never.safetensors"""
    assert "enough" in refused(run("fit", "forecast", weather, *words.split()))
    expected = {
        "target": ["temp", "rain"], "window": "auto", "horizon": 3, "cell": "GRU", "quantiles": (0.1, 0.9),
        "patience": None, "calendar": False, "refit": False, "known_future": ["sky", "rain"], "learning_rate": 0.01,
        "n_threads": 2,
        "training": {"optimizer": "sgd", "clip_norm": None}, "random_state": 7, "epochs": "auto", "series": None,
    }  # fmt: skip
    assert {name: seen[name] for name in expected} == expected


BAD = {
    "--window six": "expected a whole number or auto, got 'six'",
    "--cell ltsm": "expected LSTM, GRU or RNN",
    "--quantiles 0.1;0.9": "numbers with commas between",
    "--quantiles 0.9,0.1": "increasing",
    "--training optimizer": "NAME=VALUE",
    "--training optimiser=sgd": "optimiser",
    "--horizon 0": "horizon",
    "--hidden-size -3": "hidden_size",
    "--dropout 2": "dropout to be at least 0 and under 1",
    "--epochs 0": "epochs",
    "--validation-fraction 0.7": "validation_fraction",
    "--widow 3": "--window",
    "--device abacus": "device 'abacus' was asked for",
    "--series nobody": "nobody",
    "--known-future tomorrow": "tomorrow",
    "--freq fortnightly": "fortnightly",
    "--time temp": "temp",
}


@pytest.mark.parametrize("words", BAD)
def test_an_option_that_cannot_be_used(words: str, weather, tmp_path) -> None:
    command = (
        "fit",
        "forecast",
        weather,
        "--target",
        "temp",
        "-o",
        tmp_path / "never.safetensors",
        "-q",
        *words.split(),
    )
    assert BAD[words] in refused(run(*command))
    assert not list(tmp_path.iterdir())
