"""Integrated gradients: complete, zero where nothing is, and right where the answer is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import CASES, Reader, case, explained

from memorycell.insight.attribution import integrated_gradients, integrated_gradients_of
from memorycell.insight.explained import Explained
from memorycell.insight.methods import METHODS, explain_by
from memorycell.networks.encoder import Encoder


class Scores(torch.nn.Module):
    """Scores from the mean feature of an encoder."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = Encoder(features=3, hidden_sizes=(8,), bidirectional=True)
        self.out = torch.nn.Linear(16, 4)

    def forward(self, values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        features, _ = self.encoder.forward_embedded(values, lengths)
        return self.out(features.sum(1))


VALUES, LENGTHS = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(1)), torch.tensor([6, 4])


def test_the_parts_sum_to_the_difference_that_they_explain() -> None:
    network, outputs = Scores().eval(), torch.tensor([1, 3])
    found = integrated_gradients(network, VALUES, LENGTHS, outputs, points=64)
    assert found.error.max() < 1e-3 * (found.output - found.baseline).abs().max()
    few = integrated_gradients(network, VALUES, LENGTHS, outputs, points=2)
    assert few.error.max() > found.error.max()


def test_the_outputs_are_those_of_the_network() -> None:
    network = Scores().eval()
    found = integrated_gradients(network, VALUES, LENGTHS, torch.tensor([1, 3]), points=1)
    scores = network(VALUES, LENGTHS)
    assert torch.equal(found.output, torch.stack([scores[0, 1], scores[1, 3]]).detach())


def test_steps_beyond_the_end_have_no_part() -> None:
    found = integrated_gradients(Scores().eval(), VALUES, LENGTHS, torch.tensor([0, 0]))
    assert found.steps.shape == (2, 6) and not found.steps[1, 4:].any() and found.steps[1, :4].any()


def test_a_step_that_is_the_baseline_has_no_part() -> None:
    values = VALUES.clone()
    values[:, 2] = 0
    found = integrated_gradients(Scores().eval(), values, LENGTHS, torch.tensor([0, 0]))
    assert not found.steps[:, 2].any()


def test_it_leaves_gradients_of_the_network_alone() -> None:
    network = Scores().eval()
    integrated_gradients(network, VALUES, LENGTHS, torch.tensor([0, 0]), points=1)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_points_must_be_some() -> None:
    with pytest.raises(ValueError, match="points of at least 1, got 0"):
        integrated_gradients(Scores(), VALUES, LENGTHS, torch.tensor([0, 0]), points=0)


def test_points_are_doubled_until_the_parts_sum_to_the_difference() -> None:
    def steep(values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(40 * (values.sum((1, 2)) - 0.3)).unsqueeze(1)

    values, lengths, outputs = torch.full((1, 2, 1), 0.5), torch.tensor([2]), torch.tensor([0])
    found = integrated_gradients(steep, values, lengths, outputs)
    assert found.complete and found.points > 8 and found.error.max() <= 0.01 * (found.output - found.baseline).abs()
    assert integrated_gradients(steep, values, lengths, outputs, tolerance=1e-5).points > found.points
    few = integrated_gradients(steep, values, lengths, outputs, points=3)
    assert few.points == 3 and not few.complete


def test_a_jump_is_never_complete_and_says_so() -> None:
    def jump(values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return (values.sum((1, 2)) > 0.7).float().unsqueeze(1) + 0 * values.sum((1, 2)).unsqueeze(1)

    found = integrated_gradients(jump, torch.ones(1, 1, 1), torch.tensor([1]), torch.tensor([0]))
    assert not found.complete and found.points == 1024
    one = Explained(
        lambda v: jump(v, v)[:, 0], torch.ones(1, 1), torch.zeros(1, 1), (), "a jump", ["only"], "numbers", ["size"]
    )
    explanation = integrated_gradients_of(one)
    assert "not complete" in explanation.note and explanation.terms["residual"] == 1.0


@pytest.mark.parametrize("name", CASES)
def test_one_number_of_every_network_is_complete_within_a_percent(name: str) -> None:
    explained = case(name)
    found = integrated_gradients_of(explained)
    change = abs(found.value - found.terms["baseline"])
    assert abs(found.terms["residual"]) <= 0.01 * change and "complete within 0.01" in found.note
    assert found.total == pytest.approx(found.value, abs=1e-9)
    if explained.features is not None and found.by_feature is not None:
        assert found.by_feature.shape == (len(explained), len(explained.features))
        assert np.allclose(found.by_feature.sum(1), found.scores)


def test_one_number_has_the_parts_of_the_batched_rule() -> None:
    explained = case("LSTM, log-probability")
    one = integrated_gradients_of(explained, tolerance=1e-6)
    batched = integrated_gradients(
        lambda values, lengths: explained.function(values).unsqueeze(1),
        explained.values.unsqueeze(0),
        torch.tensor([len(explained)]),
        torch.tensor([0]),
        tolerance=1e-6,
    )
    assert np.allclose(one.scores, batched.steps[0].numpy(), atol=1e-5)


@pytest.mark.parametrize(("backend", "cell"), [("reference", "LSTM"), ("torch", "LSTM"), ("torch", "GRU")])
def test_every_backend_gives_the_same_parts(backend: str, cell: str) -> None:
    usual, other = (explained(cell=cell, backend=each, num_layers=2) for each in ("auto", backend))
    assert np.allclose(integrated_gradients_of(usual).scores, integrated_gradients_of(other).scores, atol=1e-4)


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


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_a_tolerance_is_above_zero(tolerance: float) -> None:
    with pytest.raises(ValueError, match="expected a tolerance above 0"):
        integrated_gradients_of(case("GRU"), tolerance)


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
