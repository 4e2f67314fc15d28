"""Integrated gradients: complete, zero where nothing is, and right where the answer is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import CASES, FEATURES, Reader, case, explained

from memorycell.insight.attribution import integrated_gradients
from memorycell.insight.explained import Explained
from memorycell.insight.methods import METHODS, explain_by
from memorycell.layers import LSTM


def of_numbers(function: Any, values: torch.Tensor) -> Explained:
    """A number of readings without a network."""
    labels = list(range(len(values)))
    return Explained(function, values, 0 * values, (), "a number", labels, "numbers", ["size"] * values.shape[1])


def test_a_step_that_is_the_baseline_has_no_part() -> None:
    one = explained(bidirectional=True, pooling=("mean",))
    values = one.values.clone()
    values[2] = 0
    found = integrated_gradients(replace(one, values=values))
    assert not found.scores[2] and found.scores[[0, 1, 3, 4, 5, 6]].all()


def test_of_a_product_each_factor_has_its_share() -> None:
    found = integrated_gradients(of_numbers(lambda v: v[:, 0, 0] * v[:, 1, 0] ** 2, torch.tensor([[3.0], [2.0]])))
    assert found.scores == pytest.approx([4.0, 8.0])  # of 12 a third, and two


def test_points_go_where_the_number_bends() -> None:
    def steep(values: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(40 * (values.sum((1, 2)) - 0.3))

    one = of_numbers(steep, torch.full((2, 1), 0.5))
    for tolerance in (0.01, 1e-5):
        found = integrated_gradients(one, tolerance)
        assert abs(found.terms["residual"]) <= tolerance and "complete within" in found.note


def test_a_jump_is_never_complete_and_says_so() -> None:
    one = of_numbers(lambda v: (v.sum((1, 2)) > 0.7).float() + 0 * v.sum((1, 2)), torch.ones(1, 1))
    found = integrated_gradients(one)
    assert "not complete: 1 is left" in found.note and found.terms["residual"] == 1.0


def normalised(steps: int = 60) -> Explained:
    torch.manual_seed(0)
    layer, values = LSTM(FEATURES, 16, layer_norm=True, batch_first=True).eval(), torch.randn(steps, FEATURES)
    return replace(of_numbers(lambda v: layer(v)[0][:, -1].sum(1), values), trunk=(layer,))


def test_next_to_nothing_layer_norm_is_too_steep_and_another_baseline_helps() -> None:
    one = normalised()
    expected = "expected integrated gradients that sum to .*, got .*: take another baseline, or 'occlusion' or 'decomp"
    with pytest.raises(ValueError, match=expected):
        integrated_gradients(one)
    found = integrated_gradients(replace(one, baseline=one.values.mean(0).expand_as(one.values)))
    assert abs(found.terms["residual"]) <= 0.01 * abs(found.value - found.terms["baseline"])


@pytest.mark.parametrize("name", CASES)
def test_one_number_of_every_network_is_complete_within_a_percent(name: str) -> None:
    explained = case(name)
    found = integrated_gradients(explained)
    change = abs(found.value - found.terms["baseline"])
    assert abs(found.terms["residual"]) <= 0.01 * change and "complete within 0.01" in found.note
    assert found.total == pytest.approx(found.value, abs=1e-9)
    if explained.features is not None and found.by_feature is not None:
        assert found.by_feature.shape == (len(explained), len(explained.features))
        assert np.allclose(found.by_feature.sum(1), found.scores)


@pytest.mark.parametrize(("backend", "cell"), [("reference", "LSTM"), ("torch", "LSTM"), ("torch", "GRU")])
def test_every_backend_gives_the_same_parts(backend: str, cell: str) -> None:
    usual, other = (explained(cell=cell, backend=each, num_layers=2) for each in ("auto", backend))
    assert np.allclose(integrated_gradients(usual).scores, integrated_gradients(other).scores, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": torch.zeros(0, 3), "baseline": torch.zeros(0, 3)}, "at least one step to explain, got values"),
        ({"values": torch.full((7, 3), torch.nan)}, "got NaN or infinity at step 0: fill the gaps first"),
        ({"baseline": torch.zeros(3)}, r"a baseline of shape \(7, 3\), as the values, got \(3,\)"),
        ({"function": lambda v: v.sum((1, 2)) * torch.inf}, "to be a number to explain, got -?inf"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_explained_is_refused_by_every_method(change: dict[str, Any], message: str, method: str) -> None:
    with pytest.raises(ValueError, match=message):
        explain_by(replace(case("LSTM"), **change), method)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan"), "small", True])
def test_a_tolerance_is_above_zero(tolerance: Any) -> None:
    with pytest.raises(ValueError, match="expected a tolerance above 0"):
        integrated_gradients(case("GRU"), tolerance)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("integrated gradients", {"steps": [1]}, "options of 'integrated gradients': tolerance, got 'steps'"),
        ("occlusion", {"tolerance": 0.1}, "options of 'occlusion': width, got 'tolerance'"),
        ("decomposition", {"steps": [1]}, "options of 'decomposition': it has none, got 'steps'"),
        ("contextual decomposition", {"width": 2}, "options of 'contextual decomposition': steps, got 'width'"),
        ("occlusion", {"width": 1.5}, "width of at least 1 step, a whole number, got 1.5"),
        ("occlusion", {"width": True}, "a whole number, got True"),
        ("contextual decomposition", {"steps": [True]}, "steps of the phrase from 0 to 6, got True"),
        ("contextual decomposition", {"steps": [0, 99]}, "steps of the phrase from 0 to 6, got 99"),
        ("contextual decomposition", {"steps": 3}, "a list of the steps of the phrase, from 0 to 6, got 3"),
    ],
)
def test_options_are_those_of_the_method(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explain_by(case("GRU"), method, **options)


def test_a_method_is_known() -> None:
    with pytest.raises(ValueError, match=r"expected a method of 'integrated gradients', .*, got 'shap'"):
        explain_by(case("GRU"), "shap")


@pytest.mark.parametrize("method", METHODS)
def test_explaining_leaves_the_network_as_it_was(method: str) -> None:
    network = Reader(num_layers=2, bidirectional=True).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.random.get_rng_state()
    explain_by(explained(network), method)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert torch.equal(state, torch.random.get_rng_state())
    assert not network.training and all("forward" not in vars(layer) for layer in network.layers)
