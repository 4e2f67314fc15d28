import pytest
import torch
from torch.nn import functional

from memorycell.data.batch import Batch
from memorycell.jobs.language.network import LanguageNetwork
from memorycell.kernels.random import mask_stream
from memorycell.networks.base import detach_state

V = 30
KINDS = {
    "tied": {},
    "untied": {"tied": False},
    "gru": {"cell": "GRU", "hidden_sizes": (8,)},
    "adaptive": {"tied": False, "softmax": "adaptive", "cutoffs": (5, 12), "hidden_sizes": (12, 16)},
}


def make(**options):
    torch.manual_seed(0)
    return LanguageNetwork(V, **{"embedding_size": 8, "hidden_sizes": (12, 8), **options})


def make_batch(rows=3, steps=6, weights=None):
    tokens = torch.randint(0, V, (rows, steps + 1), generator=torch.Generator().manual_seed(1))
    return Batch({"tokens": tokens[:, :-1]}, targets=tokens[:, 1:], weights=weights)


def all_scores(network, batch):
    return network(batch).log_softmax(-1)


@pytest.mark.parametrize("kind", KINDS)
def test_loss_sums_the_nats_of_all_targets(kind):
    network, batch = make(**KINDS[kind]), make_batch()
    expected = functional.nll_loss(all_scores(network, batch).flatten(0, 1), batch.targets.flatten(), reduction="sum")
    loss = network.loss(batch)
    torch.testing.assert_close(loss.sum, expected)
    assert loss.count == batch.targets.numel()


@pytest.mark.parametrize("kind", KINDS)
def test_weights_leave_targets_out(kind):
    network = make(**KINDS[kind])
    weights = torch.ones(3, 6)
    weights[1, 3:] = 0
    batch = make_batch(weights=weights)
    nats = -all_scores(network, batch).gather(2, batch.targets.unsqueeze(2)).squeeze(2)
    loss = network.loss(batch)
    torch.testing.assert_close(loss.sum, (nats * weights).sum())
    assert loss.count == 15


@pytest.mark.parametrize("kind", KINDS)
def test_state_is_carried_and_single_steps_agree(kind):
    network, batch = make(**KINDS[kind]).eval(), make_batch()
    tokens = batch.inputs["tokens"]
    whole, last = network.run(tokens)
    first, state = network.run(tokens[:, :4])
    second, state = network.run(tokens[:, 4:], detach_state(state))
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    state, scores = network.init_state(batch), []
    for token in tokens.unbind(1):
        row, state = network.step(token, state)
        scores.append(row)
    torch.testing.assert_close(torch.stack(scores, 1), network(batch))
    torch.testing.assert_close(network(batch), network.scores(whole))
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize("kind", KINDS)
def test_selected_rows_go_on_as_they_would_alone(kind):
    network, batch = make(**KINDS[kind]).eval(), make_batch()
    _, state = network.run(batch.inputs["tokens"])
    rows, token = torch.tensor([2, 0, 2]), torch.tensor([4, 5, 6])
    chosen, _ = network.step(token, network.select_state(state, rows))
    for place, row in enumerate(rows):
        alone, _ = network.step(token[place, None], network.select_state(state, row[None]))
        torch.testing.assert_close(chosen[place, None], alone)


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_of_targets(kind):
    network, batch = make(**KINDS[kind]).eval(), make_batch()
    features = network.run(batch.inputs["tokens"])[0].flatten(0, 1)
    found = network.log_probabilities(features, batch.targets.flatten())
    scores = all_scores(network, batch).flatten(0, 1)
    torch.testing.assert_close(found, scores.gather(1, batch.targets.flatten()[:, None]).squeeze(1))
    torch.testing.assert_close(scores.exp().sum(1), torch.ones(18))
    assert not found.requires_grad


def test_regularisation_acts_on_the_gradient_but_not_on_the_number():
    alpha, beta = 0.7, 0.3
    plain, regular, batch = make(), make(alpha=alpha, beta=beta), make_batch()
    loss, reported = plain.loss(batch), regular.loss(batch)
    torch.testing.assert_close(loss.sum, reported.sum)
    features, _ = plain.run(batch.inputs["tokens"])
    penalty = alpha * features.square().mean() + beta * (features[:, 1:] - features[:, :-1]).square().mean()
    expected = torch.autograd.grad(loss.sum + loss.count * penalty, list(plain.parameters()))
    found = torch.autograd.grad(reported.sum, list(regular.parameters()))
    torch.testing.assert_close(found, expected)
    in_evaluation = regular.eval().loss(batch).sum
    torch.testing.assert_close(
        torch.autograd.grad(in_evaluation, list(regular.parameters())),
        torch.autograd.grad(plain.loss(batch).sum, list(plain.parameters())),
    )


def test_one_step_has_no_difference_to_regularise():
    assert torch.isfinite(make(beta=1.0).loss(make_batch(steps=1)).sum)


def test_tied_weights_are_one_parameter():
    tied, untied = make(), make(tied=False)
    assert tied.output_weight is tied.encoder.embedding.weight
    assert sum(p.numel() for p in untied.parameters()) - sum(p.numel() for p in tied.parameters()) == V * 8
    assert "weight" not in tied.state_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_groups_hold_each_parameter_once_from_the_input_up(kind):
    network = make(**KINDS[kind])
    groups = network.parameter_groups()
    assert sorted(id(value) for group in groups for value in group) == sorted(map(id, network.parameters()))
    assert groups[0] == [network.encoder.embedding.weight]
    assert len(groups) == 2 + len(network.encoder.layers)


@pytest.mark.parametrize("kind", KINDS)
def test_the_configuration_rebuilds_the_network(kind):
    network = make(**KINDS[kind], input_dropout=0.1, between_dropout=0.2, output_dropout=0.3, weight_dropout=0.4)
    again = LanguageNetwork(**network.config())
    assert again.config() == network.config()
    again.load_state_dict(network.state_dict())
    batch = make_batch()
    torch.testing.assert_close(again.eval().loss(batch).sum, network.eval().loss(batch).sum)


@pytest.mark.parametrize("place", ["embedding", "input", "between", "output", "weight"])
def test_every_dropout_draws_in_training_alone(place):
    network, batch = make(**{f"{place}_dropout": 0.5}), make_batch()

    def drawn(step):
        with mask_stream(0, step):
            return float(network.loss(batch).sum.detach())

    assert drawn(0) == drawn(0) != drawn(1)
    network.eval()
    assert drawn(0) == drawn(1)


def test_bfloat16_products_are_for_training_alone():
    network, plain, batch = make(precision="bfloat16"), make(), make_batch()
    torch.testing.assert_close(network.loss(batch).sum, plain.loss(batch).sum, rtol=0.01, atol=0)
    assert torch.equal(network.eval().loss(batch).sum, plain.eval().loss(batch).sum)


def test_flops_count_the_layers_and_the_scores():
    batch = make_batch()
    tied, clusters = make(), make(**KINDS["adaptive"])
    for network, scored in ((tied, 8 * V), (clusters, 16 * 5)):
        layers = sum(p.numel() for p in network.encoder.layers.parameters())
        assert network.flops_per_step(batch) == 2 * 3 * (layers + scored)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"hidden_sizes": (8, 12)},
            "expected the last of hidden_sizes to be the embedding's 8 in a tied network, got 12",
        ),
        ({"softmax": "adaptive"}, "expected tied=False"),
        ({"softmax": "adaptive", "tied": False}, "expected a last layer of at least 16 units for 2 clusters"),
        ({"softmax": "hierarchical"}, "expected softmax to be full or adaptive, got 'hierarchical'"),
        ({"precision": "half"}, "expected precision to be float32 or bfloat16"),
        ({"cell": "SRU"}, "expected cell to be"),
        ({"hidden_sizes": ()}, "at least one layer"),
        ({"weight_dropout": 1.5}, "from 0 to 1"),
    ],
)
def test_wrong_options_raise(options, said):
    with pytest.raises(ValueError, match=said):
        make(**options)


def test_a_small_vocabulary_has_no_clusters():
    with pytest.raises(ValueError, match="at least 10 for the adaptive softmax, got 8"):
        LanguageNetwork(8, 4, (4,), tied=False, softmax="adaptive")


def test_a_batch_without_targets_has_no_loss():
    with pytest.raises(ValueError, match="expected a batch with targets"):
        make().loss(Batch({"tokens": torch.zeros(1, 2, dtype=torch.int64)}))
