"""The encoder that every network on sequences is built around."""

import json

import pytest
import torch

from memorycell.kernels import native
from memorycell.kernels.random import mask_stream
from memorycell.networks.encoder import Encoder

TOKENS = torch.tensor([[3, 4, 5, 6], [7, 3, 0, 0]])
LENGTHS = torch.tensor([4, 2])
DROPOUTS = {
    "embedding_dropout": 0.3, "input_dropout": 0.2, "between_dropout": 0.2, "output_dropout": 0.2,
    "weight_dropout": 0.3, "recurrent_dropout": 0.2,
}  # fmt: skip


def encoder(**options: object) -> Encoder:
    torch.manual_seed(1)
    return Encoder(**{"vocabulary": 9, "embedding_size": 6, "hidden_sizes": (8, 5), **options})  # type: ignore[arg-type]


def same(found: object, expected: object) -> None:
    """To the bit, as the fused kernels promise; torch's products round by their shapes."""
    torch.testing.assert_close(found, expected, rtol=0, atol=0 if native.why_missing() is None else 1e-6)


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_features_are_those_of_each_row_alone(cell: str, bidirectional: bool) -> None:
    network = encoder(cell=cell, bidirectional=bidirectional).eval()
    features, _ = network(TOKENS, LENGTHS)
    assert features.shape == (2, 4, network.width)
    alone, _ = network(TOKENS[1:, :2])
    same(features[1, :2], alone[0])
    assert not features[1, 2:].any()


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
def test_steps_and_chunks_give_the_numbers_of_the_whole(cell: str) -> None:
    network = encoder(cell=cell).eval()
    whole, final = network(TOKENS)
    state, steps = network.init_state(2), []
    for t in range(4):
        features, state = network.step(TOKENS[:, t], state)
        steps.append(features)
    same(torch.stack(steps, 1), whole)
    first, middle = network(TOKENS[:, :3])
    second, last = network(TOKENS[:, 3:], None, middle)
    same(torch.cat([first, second], 1), whole)
    same(last, final)
    same(state, final)


def test_tokens_and_embedded_tokens_are_one() -> None:
    network = encoder().eval()
    direct, _ = network(TOKENS, LENGTHS)
    embedded, _ = network.forward_embedded(network.embed(TOKENS), LENGTHS)
    torch.testing.assert_close(direct, embedded)


def test_numbers_stand_beside_tokens() -> None:
    network = encoder(features=2).eval()
    beside = torch.randn(2, 4, 2)
    whole, _ = network(TOKENS, LENGTHS, beside=beside)
    changed, _ = network(TOKENS, LENGTHS, beside=beside + 1)
    assert not torch.equal(whole, changed)
    first, _ = network.step(TOKENS[:, 0], None, beside=beside[:, 0])
    torch.testing.assert_close(first, whole[:, 0])


def test_masks_follow_seed_and_step_and_gradients_reach_all() -> None:
    network = encoder(**DROPOUTS).train()

    def run(step: int) -> torch.Tensor:
        with mask_stream(7, step):
            return network(TOKENS, LENGTHS)[0]

    assert torch.equal(run(0), run(0)) and not torch.equal(run(0), run(1))
    run(0).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
    network.eval()
    assert torch.equal(run(0), run(1))


def test_dropped_tokens_are_dropped_everywhere_in_the_batch() -> None:
    network = encoder(embedding_dropout=0.5).train()
    same = torch.full((2, 3), 4)
    with mask_stream(0, 0):
        rows, places = network._token_rows(same)
    assert len(rows) == 1 and not places.any()


def test_groups_hold_every_parameter_once() -> None:
    network = encoder(bidirectional=True)
    groups = network.layer_groups()
    assert len(groups) == 3 and len(groups[0]) == 1
    assert {id(p) for group in groups for p in group} == {id(p) for p in network.parameters()}


def test_the_configuration_rebuilds_it() -> None:
    network = encoder(features=2, layer_norm=True, bidirectional=True, **DROPOUTS)
    again = Encoder(**json.loads(json.dumps(network.config())))
    assert again.config() == network.config()
    again.load_state_dict(network.state_dict())
    beside = torch.randn(2, 4, 2)
    assert torch.equal(
        again.eval()(TOKENS, LENGTHS, beside=beside)[0], network.eval()(TOKENS, LENGTHS, beside=beside)[0]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocabulary": None}, "a vocabulary, features or both"),
        ({"hidden_sizes": ()}, "the units of at least one layer"),
        ({"cell": "LTSM"}, "LSTM, GRU, RNN, got 'LTSM'"),
        ({"input_dropout": 1.5}, "p"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder(**options)


def test_numbers_have_no_embedding() -> None:
    with pytest.raises(ValueError, match="it has no embedding"):
        Encoder(features=3).embed(TOKENS)
