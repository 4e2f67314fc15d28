"""A forecaster that begins with the weights of another."""

import numpy as np
import pytest
import torch

from memorycell import Forecaster, write_report

pytestmark = pytest.mark.usefixtures("undrawn")  # what pages show is asked in tests/pages

STEPS = np.arange(400)
LONG, SHORT = np.sin(STEPS * 0.7) + 0.3 * np.sin(STEPS * 0.31), np.sin(STEPS[:90] * 0.7 + 1) * 4 + 7


def forecaster(**changes):
    return Forecaster(**{"horizon": 2, "window": 12, "hidden_size": 8, "epochs": 3, "verbose": False, **changes})


@pytest.fixture(scope="module")
def trained():
    return forecaster(linear=False, epochs=12, learning_rate=0.02).fit(LONG)


def state(model):
    return {name: value.clone() for name, value in model.network_.state_dict().items()}


def test_it_begins_with_the_weights_of_the_other_or_of_its_file(trained, tmp_path):
    before = state(trained)
    trained.save(tmp_path / "model.safetensors")
    still = {"learning_rate": 1e-30, "linear": False, "normalize": "auto"}
    for source in (trained, tmp_path / "model.safetensors", str(tmp_path / "model.safetensors")):
        begun = forecaster(**still).fit(SHORT, init_from=source)
        assert all(torch.equal(value, before[name]) for name, value in begun.network_.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in trained.network_.state_dict().items())
    assert not torch.equal(forecaster(**still).fit(SHORT).network_.rnn.weight_hh_l0, before["rnn.weight_hh_l0"])
    assert any("another forecaster" in note["text"] for note in begun.notes_)


def test_what_was_taken_over_is_said_among_the_choices_and_on_the_page(trained, tmp_path):
    begun = Forecaster(horizon=2, hidden_size=8, linear=False, epochs=1, verbose=False).fit(SHORT, init_from=trained)
    reasons = {choice.name: choice.reason for choice in begun.plan_}
    assert reasons["window"] == reasons["normalize"] == "that of the forecaster it begins with"
    assert reasons["hidden_size"] == "given by the user, or the default"
    page = write_report(tmp_path / "page.html", begun, SHORT).read_text(encoding="utf-8")
    assert "Begins with another forecaster&#x27;s weights" in page


def test_it_learns_faster_from_few_rows_of_the_same_kind(trained):
    options = {"linear": False, "normalize": trained.plan_["normalize"], "refit": False}
    begun, fresh = forecaster(**options).fit(SHORT, init_from=trained), forecaster(**options).fit(SHORT)
    assert begun.history_[0]["loss"] < 0.5 * fresh.history_[0]["loss"]


def test_choices_left_to_auto_are_those_of_the_other():
    first = Forecaster(horizon=2, epochs=1, verbose=False, hidden_size=6, normalize="none").fit(LONG)
    second = Forecaster(horizon=2, epochs=1, verbose=False).fit(SHORT, init_from=first)
    names = ("window", "network", "hidden_size", "normalize", "linear")
    assert [second.plan_[name] for name in names] == [first.plan_[name] for name in names]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 9}, "hidden_size is 9, there 8"),
        ({"horizon": 3}, "horizon is 3, there 2"),
        ({"normalize": "scale"}, "normalize is 'scale', there"),
        ({"cell": "GRU"}, "cell is 'GRU', there 'LSTM'"),
        ({"quantiles": (0.1, 0.9)}, r"there \("),
        ({"network": "encoder-decoder"}, "network is 'EncoderDecoder', there|network is "),
    ],
)
def test_another_network_is_refused_with_what_differs(trained, changes, message):
    with pytest.raises(ValueError, match=f"cannot begin with the weights .*{message}") as caught:
        forecaster(**{"linear": False, **changes}).fit(SHORT, init_from=trained)
    assert "\n" not in str(caught.value)


def test_other_columns_are_refused(trained):
    table = {"y": SHORT, "x": SHORT**2}
    with pytest.raises(ValueError, match=r"columns \(past\) is 2, there 1"):
        forecaster(linear=False).fit(table, "y", init_from=trained)


@pytest.mark.parametrize("wrong", [3, forecaster(), {"network_": 1}])
def test_what_is_no_fitted_forecaster_is_refused(wrong):
    with pytest.raises(TypeError, match="expected init_from to be a fitted Forecaster or its file"):
        forecaster().fit(SHORT, init_from=wrong)
