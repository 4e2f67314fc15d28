"""The tagging network: ragged batches, spelling, one step at a time, its configuration."""

from typing import Any

import pytest
import torch
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.data.ragged import Ragged
from memorycell.data.text.tagged import TaggedDataset, WordCodec
from memorycell.jobs.tagging.network import Spelling, TaggingNetwork
from memorycell.networks.heads.crf import CRFHead

SENTENCES = [["Time", "flies", "like", "an", "arrow"], ["fruit"], ["flies", "Time", "flies"]]
CODEC = WordCodec(min_count=1).fit(SENTENCES)
LABELS = [[0, 1, 2, 3, 0], [0], [1, 0, 1]]


def batch_of(rows: list[int]) -> Batch:
    targets = Ragged.of(torch.tensor(labels) for labels in LABELS)
    return TaggedDataset(CODEC.encode(SENTENCES), targets).gather(torch.tensor(rows))


def network_of(head: str = "softmax", **options: Any) -> TaggingNetwork:
    torch.manual_seed(0)
    encoder = {"vocabulary": CODEC.size, "embedding_size": 5, "hidden_sizes": [6], "bidirectional": True}
    encoder |= options.pop("encoder", {})
    options = {"characters": len(CODEC.characters), "character_size": 3, "character_hidden": 4, **options}
    return TaggingNetwork(4, encoder, head, **options).double().eval()


@pytest.mark.parametrize("above", [None, {"hidden_sizes": [7], "bidirectional": True}])
@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_a_row_does_not_depend_on_its_batch(head: str, above: dict[str, Any] | None) -> None:
    network = network_of(head, above=above)
    batch = batch_of([0, 1, 2])
    raw, lengths = network(batch), batch.lengths["tokens"]
    labels, chances = network.head.predict(raw, lengths), network.head.probabilities(raw, lengths)
    together = network.loss(batch_of([0, 1, 2]))
    apart = [network.loss(batch_of([row])) for row in range(3)]
    for row, length in enumerate([5, 1, 3]):
        alone, of = network(batch_of([row])), torch.tensor([length])
        torch.testing.assert_close(raw[row, :length], alone[0], rtol=1e-6, atol=1e-7)
        assert network.head.predict(alone, of)[0].tolist() == labels[row, :length].tolist()
        torch.testing.assert_close(chances[row, :length].sum(1), torch.ones(length, dtype=raw.dtype))
    torch.testing.assert_close(together.sum, sum(loss.sum for loss in apart), rtol=1e-6, atol=1e-6)
    assert float(together.count) == 9


def test_each_form_is_spelt_once_and_as_alone() -> None:
    batch = batch_of([0, 2])
    assert batch.inputs["characters"].shape[0] == 5  # Time, flies, like, an, arrow
    torch.manual_seed(0)
    spelling = Spelling(len(CODEC.characters), 3, 4).double()
    forms = spelling(batch.inputs["characters"], batch.lengths["characters"])
    assert forms.shape == (5, spelling.width)
    for row, words in enumerate([SENTENCES[0], SENTENCES[2]]):
        for step, word in enumerate(words):
            alone = CODEC.encode([[word]]).characters.values
            expected = spelling(alone.unsqueeze(0), torch.tensor([len(alone)]))[0]
            torch.testing.assert_close(forms[batch.inputs["forms"][row, step]], expected)


@pytest.mark.parametrize("above", [None, {"hidden_sizes": [7]}])
def test_one_direction_runs_step_by_step(above: dict[str, Any] | None) -> None:
    network = network_of(encoder={"bidirectional": False}, above=above)
    batch = batch_of([0])
    raw = network(batch)
    forms = network.spelling(batch.inputs["characters"], batch.lengths["characters"])
    state = network.init_state(batch)
    for t in range(5):
        spelt = forms[batch.inputs["forms"][:, t]]
        each, state = network.step(batch.inputs["tokens"][:, t], state, spelt)
        torch.testing.assert_close(each, raw[:, t])
    with pytest.raises(ValueError, match="one direction"):
        network_of().step(batch.inputs["tokens"][:, 0], None)


def test_words_are_dropped_in_training_only_and_alike_for_a_seed() -> None:
    from memorycell.kernels.random import mask_stream

    network, batch = network_of(word_dropout=0.5), batch_of([0, 2])

    def raw(step: int) -> Tensor:
        with mask_stream(0, step):
            return network(batch)

    assert torch.equal(raw(0), raw(1))
    network.train()
    assert torch.equal(raw(0), raw(0))
    assert not torch.equal(raw(0), raw(1))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"characters": None, "word_dropout": 0.25},
        {"above": {"hidden_sizes": [7]}, "spelling_dropout": 0.5},
        {"head": "crf", "labels": ["O", "B-a", "I-a", "B-b"], "constrained_training": True},
    ],
)
def test_the_configuration_rebuilds_it_and_its_groups_are_all_of_it(options: dict[str, Any]) -> None:
    network = network_of(**options)
    again = TaggingNetwork(**network.config()).double().eval()
    again.load_state_dict(network.state_dict())
    assert again.config() == network.config()
    torch.testing.assert_close(again(batch_of([0])), network(batch_of([0])))
    grouped = [id(parameter) for group in network.parameter_groups() for parameter in group]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())


def test_gradients_reach_every_parameter() -> None:
    network = network_of("crf", above={"hidden_sizes": [7]}).train()
    network.loss(batch_of([0, 1, 2])).sum.backward()
    still = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert not still
    assert isinstance(network.head, CRFHead)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"head": "hmm"}, "expected a head of softmax, crf, got 'hmm'"),
        ({"word_dropout": 1.0}, "word_dropout at least 0 and under 1"),
        ({"encoder": {"vocabulary": None, "features": 2}}, "a vocabulary of words with characters"),
    ],
)
def test_wrong_networks(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        network_of(**options)


@pytest.mark.parametrize("above", [None, {"hidden_sizes": [7]}])
def test_a_sequence_in_two_parts_is_one_where_its_state_is_handed_on(above: dict[str, Any] | None) -> None:
    network = network_of(encoder={"bidirectional": False}, above=above, characters=None)
    batch = batch_of([0])
    tokens = batch.inputs["tokens"]
    first, state = network.run(Batch({"tokens": tokens[:, :2]}))
    second, _ = network.run(Batch({"tokens": tokens[:, 2:]}), state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), network(batch))


def test_a_loss_needs_targets() -> None:
    batch = batch_of([0])
    batch.targets = None
    with pytest.raises(ValueError, match="a batch with targets"):
        network_of().loss(batch)
