"""The linear model of n-grams beside the recurrent layers."""

import pytest
import torch

from memorycell.data.batch import Batch
from memorycell.jobs.labelling.network import SequenceToOne
from memorycell.kernels.random import mask_stream
from memorycell.networks.ngrams import NGramPath

TOKENS, LENGTHS = torch.tensor([[5, 6, 7, 5], [7, 5, 0, 0], [5, 7, 6, 5]]), torch.tensor([4, 2, 4])


def path(**options: object) -> NGramPath:
    torch.manual_seed(0)
    made = NGramPath(3, **options)  # type: ignore[arg-type]
    torch.nn.init.normal_(made.weight)
    return made.eval()


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("aligned", [False, True])
def test_a_score_is_the_sum_of_its_parts_alone_in_a_batch_and_step_by_step(order: int, aligned: bool) -> None:
    grams = path(order=order, aligned=aligned)
    scores = grams(TOKENS, LENGTHS)
    torch.testing.assert_close(grams.parts(TOKENS, LENGTHS).sum(1), scores)
    assert torch.equal(grams(TOKENS[1:2, :2]), scores[1:2])
    state = grams.init_state(3)
    for t in range(4):
        answer, state = grams.step(TOKENS[:, t], state)
        torch.testing.assert_close(answer, grams(TOKENS[:, : t + 1]))
    torch.testing.assert_close(answer[[0, 2]], scores[[0, 2]])


def test_words_alone_have_no_order_and_pairs_have() -> None:
    one, two = path(order=1), path(order=2)
    torch.testing.assert_close(one(TOKENS)[0], one(TOKENS)[2])
    assert not torch.allclose(two(TOKENS)[0], two(TOKENS)[2])


def test_places_matter_where_sequences_are_aligned() -> None:
    shifted = TOKENS.roll(1, dims=1)
    assert torch.allclose(path(order=1)(TOKENS)[0], path(order=1)(shifted)[0])
    aligned = path(order=1, aligned=True)
    assert not torch.allclose(aligned(TOKENS)[0], aligned(shifted)[0])


def test_padding_has_no_say_in_masks_and_gradients() -> None:
    grams = path(order=2, dropout=0.5).train()

    def run(tokens: torch.Tensor) -> torch.Tensor:
        with mask_stream(3, 1):
            return grams(tokens, LENGTHS)

    padded = torch.cat([TOKENS, torch.full((3, 3), 9)], 1)
    assert torch.equal(run(TOKENS), run(padded))
    run(padded).sum().backward()
    other = path(order=1)._places(torch.tensor([[9]]), None)[0].flatten()
    assert grams.weight.grad is not None and grams.weight.grad.any() and not grams.weight.grad[other].any()


def test_a_network_adds_it_and_streams_it() -> None:
    options = {"vocabulary": 9, "n_outputs": 3, "embedding_size": 4, "hidden_sizes": (5,), "causal": True}
    network = SequenceToOne(**options, n_grams=2, aligned=True).eval()  # type: ignore[arg-type]
    assert network.n_grams is not None
    torch.nn.init.normal_(network.n_grams.weight)
    batch = Batch({"tokens": TOKENS}, {"tokens": torch.full((3,), 4)})
    whole, state = network(batch), network.init_state(batch)
    for t in range(4):
        answer, state = network.step(TOKENS[:, t], state)
    torch.testing.assert_close(answer, whole)
    without = network.forward_embedded(network.embedded(batch), batch.lengths["tokens"])
    torch.testing.assert_close(without + network.n_grams(TOKENS), whole)
    again = SequenceToOne(**network.config())
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.eval()(batch), whole)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ValueError, match="without a vocabulary"):
        SequenceToOne(features=3, n_grams=2)
    with pytest.raises(ValueError, match="order 1 or more"):
        NGramPath(2, order=0)
