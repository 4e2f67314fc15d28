"""What every way to look at a number asks of it: gradients where they are needed, no masks, finite numbers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import Reader, case, explained

from memorycell.insight.explained import Explained
from memorycell.insight.gradient_flow import gradient_flow_of
from memorycell.insight.lookback import lookback
from memorycell.insight.methods import METHODS, explain_by

WAYS: dict[str, Callable[[Explained], Any]] = {
    **{name: lambda one, name=name: explain_by(one, name).to_dict() for name in METHODS},  # type: ignore[misc]
    "a phrase": lambda one: explain_by(one, "contextual decomposition", steps=[1, 2]).to_dict(),
    "lookback": lambda one: lookback(one).to_dict(),
    "gradient flow": lambda one: [each.to_dict() for each in gradient_flow_of(one)],
}


@pytest.mark.parametrize("name", ["LSTM, two layers", "forecaster, encoder and decoder", "LSTM, all pooling, gelu"])
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
@pytest.mark.parametrize("way", WAYS)
def test_where_gradients_are_switched_off_it_is_the_same(way: str, mode: Any, name: str) -> None:
    one = case(name)
    expected = WAYS[way](one)
    with mode():
        inside = replace(one, values=one.values.clone(), baseline=one.baseline.clone())
        assert inside.values.is_inference() is (mode is torch.inference_mode)
        assert WAYS[way](inside) == expected and not torch.is_grad_enabled()
    assert WAYS[way](inside) == expected


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"occlusion"}))
def test_a_model_of_inference_mode_has_no_gradients_and_says_so(way: str) -> None:
    with torch.inference_mode():
        one = explained()
    with pytest.raises(ValueError, match=r"made outside of torch.inference_mode\(\) to explain"):
        WAYS[way](one)


@pytest.mark.parametrize(
    "choices", [{"num_layers": 2, "dropout": 0.5}, {"zoneout": (0.1, 0.0)}, {"recurrent_dropout": 0.2}]
)
@pytest.mark.parametrize("way", WAYS)
def test_layers_that_draw_masks_are_refused(way: str, choices: dict[str, Any]) -> None:
    network = Reader(**choices)
    one = explained(network)
    network.train()
    with pytest.raises(ValueError, match=r"expected evaluation mode to explain, got a layer .*: call eval\(\)"):
        WAYS[way](one)
    network.eval()
    WAYS[way](one)


@pytest.mark.parametrize("way", METHODS)
def test_layers_that_draw_nothing_may_be_in_training_mode(way: str) -> None:
    network = Reader()
    expected = explain_by(explained(network), way)
    network.train()
    assert np.array_equal(
        explain_by(replace(explained(network), function=network.train()), way).scores, expected.scores
    )


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"occlusion"}))
def test_a_number_without_a_gradient_is_refused(way: str) -> None:
    one = explained()
    chosen = replace(one, function=lambda v: (one.function(v) > 0).long(), output="a choice", anchor=6)
    with pytest.raises(ValueError, match="expected 'a choice' to have a gradient, got a number without one, as argmax"):
        WAYS[way](chosen)
    assert np.isfinite(explain_by(chosen, "occlusion").scores).all()


@pytest.mark.parametrize("way", sorted(set(WAYS) - {"occlusion"}))
def test_a_gradient_that_is_not_finite_is_refused(way: str) -> None:
    one = explained()

    def broken(values: torch.Tensor) -> torch.Tensor:
        number = one.function(values)
        return number + (number - number.detach()).abs().sqrt()  # the slope of a root at zero

    with pytest.raises(ValueError, match="expected a finite gradient of 'the number', got NaN or infinity"):
        WAYS[way](replace(one, function=broken, anchor=6))


@pytest.mark.parametrize("way", WAYS)
def test_a_number_that_is_none_is_refused(way: str) -> None:
    one = explained()
    wrong = replace(one, function=lambda v: one.function(v) * float("nan"), anchor=6)
    with pytest.raises(ValueError, match=r"expected 'the number' to be (a number to explain|finite .*), got nan"):
        WAYS[way](wrong)
