"""The options of fit are the Forecaster's parameters, with its defaults."""

import inspect

import pytest
from command_cases import refused, run
from memorycell.cli.settings import given
from memorycell.cli.settings_forecast import FORECAST

from memorycell.jobs.forecasting.network import NETWORKS
from memorycell.jobs.forecasting.task import Forecaster

PARAMETERS = inspect.signature(Forecaster).parameters


def test_every_parameter_has_its_option() -> None:
    assert {setting.name for setting in FORECAST} == set(PARAMETERS) - {"verbose"}


@pytest.mark.parametrize("setting", FORECAST, ids=lambda setting: setting.name)
def test_help_states_the_default(setting) -> None:
    default = PARAMETERS[setting.name].default
    said = setting.default
    if said == "" or said in ("found by itself", "by the shapes"):
        assert default in ((), None)
    elif setting.parse is None:
        assert default is (said == "on")
    else:
        assert setting.parse(said) == default


def test_every_network_can_be_chosen() -> None:
    (setting,) = (setting for setting in FORECAST if setting.name == "network")
    assert setting.shape.split("|") == ["auto", *NETWORKS]
    assert [setting.parse(name.upper()) for name in NETWORKS] == list(NETWORKS)


def test_options_arrive_as_the_forecaster_takes_them(monkeypatch: pytest.MonkeyPatch, weather) -> None:
    seen = {}

    def remember(self, table, target, **options) -> None:
        seen.update(self.get_params(), target=target, **options)
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
        "training": {"optimizer": "sgd", "clip_norm": None}, "seed": 7, "epochs": "auto", "series": None,
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
    "--device abacus": "expected auto, cpu, cuda",
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


def test_nothing_given_is_nothing_said() -> None:
    assert given({"window": None, "exclude": None, "static": []}) == {}
