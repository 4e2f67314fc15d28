"""Integrated gradients: complete, zero where nothing is, and right where the answer is known."""

import pytest
import torch

from memorycell.insight.attribution import integrated_gradients
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
