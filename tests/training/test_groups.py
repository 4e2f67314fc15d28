"""Parameter groups: rates of their own, frozen until their epoch, and the same bits however training is ended."""

import pytest
import torch
from test_checkpoint import Crash, Crashing, options, samples, tracks
from toys import Echo, Line, Points, Tokens, seeded, weights

from memorycell.data.streams import SampleStream
from memorycell.training import ParameterGroup, TrainingOptions, train
from memorycell.training.flat import FlatParameters
from memorycell.training.optimizers import build_optimizer
from memorycell.training.options import OPTIMIZERS
from memorycell.training.schedules import stage


def layered(network, *, factor=2.6, unfreezing=(0, 0, 0)):
    """Head, LSTM and embedding of an Echo, each learning `factor` times slower than the one above it."""
    parts = (network.out, network.rnn, network.embed)
    return [
        ParameterGroup(part.parameters(), rate=factor**-depth, unfreeze_epoch=epoch)
        for depth, (part, epoch) in enumerate(zip(parts, unfreezing, strict=True))
    ]


@pytest.mark.parametrize("changes", [{}, {"average": 0.9, "weight_decay": 0.01}, {"optimizer": "sgd"}])
def test_one_group_of_everything_is_no_group_to_the_bit(changes):
    plain, grouped = seeded(Echo), seeded(Echo)
    train(plain, samples(Tokens()), options(**changes))
    train(grouped, samples(Tokens()), options(**changes), groups=[ParameterGroup(grouped.parameters())])
    assert torch.equal(weights(plain), weights(grouped))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_moves_each_group_at_its_own_rate(optimizer):
    """Against torch's own optimisers, each with the learning rate of its group."""
    network, rates = seeded(Echo), (0.02, 0.02 / 2.6, 0.02 / 2.6**2)
    flat = FlatParameters(network.parameters(), layered(network))
    ours = build_optimizer(flat, TrainingOptions(optimizer=optimizer, momentum=0.0))
    copies = [seeded(Echo).out, seeded(Echo).rnn, seeded(Echo).embed]
    theirs = [
        build_optimizer(FlatParameters(part.parameters()), TrainingOptions(optimizer=optimizer, momentum=0.0))
        for part in copies
    ]
    for part, copy in zip((network.out, network.rnn, network.embed), copies, strict=True):
        for ours_, theirs_ in zip(part.parameters(), copy.parameters(), strict=True):
            theirs_.data.copy_(ours_.data)
            ours_.grad.copy_(torch.linspace(-1, 1, ours_.numel()).view_as(ours_))
            theirs_.grad.copy_(ours_.grad)
    ours.step(0.02)
    for optimizer_, rate in zip(theirs, rates, strict=True):
        optimizer_.step(rate)
    for part, copy in zip((network.out, network.rnn, network.embed), copies, strict=True):
        for ours_, theirs_ in zip(part.parameters(), copy.parameters(), strict=True):
            assert torch.equal(ours_, theirs_)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop"])
def test_a_frozen_group_is_neither_computed_nor_moved_until_its_epoch(optimizer):
    seen = []

    class Noting(Echo):
        def loss(self, batch, state=None):
            seen.append([part.weight.requires_grad for part in (self.out, self.embed)])
            return super().loss(batch, state)

    network = seeded(Noting)
    before, moved = network.embed.weight.detach().clone(), []
    train(
        network, samples(Tokens()), options(optimizer=optimizer, weight_decay=0.1, average=0.9, learning_rate=1e-3),
        groups=layered(network, unfreezing=(0, 1, 2)), validation=samples(Tokens(seed=1)),
        callbacks=[lambda event: moved.append(not torch.equal(event["network"].embed.weight, before)) and None],
    )  # fmt: skip
    assert moved == [False, False, True]
    training = seen[:6] + seen[12:18] + seen[24:30]
    assert training == [[True, False]] * 12 + [[True, True]] * 6
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_an_unfrozen_group_begins_with_fresh_moments():
    """The first steps of Adam are as long as the rate, whatever was trained before."""
    network, lengths = seeded(Echo), []
    before = network.embed.weight.detach().clone()

    def measure(event):
        lengths.append((event["network"].embed.weight - before).abs().max().item())

    chosen = options(epochs=2, learning_rate=1e-3, schedule="constant", clip_norm=None)
    one_step = SampleStream(Tokens(), 96)
    train(network, one_step, chosen, groups=layered(network, unfreezing=(0, 0, 1), factor=2.0), callbacks=[measure])
    assert lengths == [0.0, pytest.approx(1e-3 / 4, rel=1e-3)]


CASES = {
    "adamw": (samples, {"weight_decay": 0.01}),
    "sgd": (samples, {"optimizer": "sgd"}),
    "radam": (samples, {"optimizer": "radam"}),
    "average": (samples, {"average": 0.95, "schedule": "slanted_triangular", "warmup_steps": 2}),
    "carried": (tracks, {"accumulate": 2}),
}


@pytest.mark.parametrize("name", CASES)
def test_stopped_anywhere_it_ends_with_the_same_bits(tmp_path, name):
    stream, changes = CASES[name]
    chosen, path, watched = options(**changes), tmp_path / "run.ckpt", stream(Tokens(seed=1))

    def go(network, dataset, **more):
        groups = layered(network, unfreezing=(0, 1, 2))
        return train(network, stream(dataset), chosen, validation=watched, groups=groups, **more)

    whole, crashes = seeded(Echo), 0
    expected = go(whole, Tokens())
    while True:
        broken = seeded(Echo)
        try:
            result = go(broken, Crashing(Tokens(), 5), checkpoint=path)
            break
        except Crash:
            crashes += 1
            assert all(parameter.requires_grad for parameter in broken.parameters())
    assert crashes >= 2 and result.best_epoch == expected.best_epoch
    assert torch.equal(weights(broken), weights(whole))
    assert [row["val_loss"] for row in result.history] == [row["val_loss"] for row in expected.history]


def test_other_groups_are_another_training(tmp_path):
    path = tmp_path / "run.ckpt"
    network = seeded(Line)
    train(network, samples(Points()), options(), checkpoint=path)
    groups = [ParameterGroup([network.linear.bias], rate=0.5)]
    with pytest.raises(ValueError, match=r"belongs to another training: groups was None, now it is \[\[\[\[1\]\], 0.5"):
        train(network, samples(Points()), options(), checkpoint=path, groups=groups)


def test_the_slanted_triangle_begins_anew_at_each_unfreezing_and_others_do_not():
    rates = {"slanted_triangular": [], "cosine": []}
    for schedule, seen in rates.items():
        network = seeded(Echo)
        train(
            network, SampleStream(Tokens(), 8), options(schedule=schedule, epochs=4),
            groups=layered(network, unfreezing=(0, 1, 2)),
            callbacks=[lambda event, seen=seen: seen.append(event["lr"]) and None],
        )  # fmt: skip
    low = 0.02 * (1 + 31 * (1 / 12) / 0.9) / 32  # after the last of 12 steps; the last stage has 24, half done
    assert rates["slanted_triangular"][:2] == pytest.approx([low, low])
    assert rates["slanted_triangular"][2] > 4 * low > rates["slanted_triangular"][3]
    assert rates["cosine"] == sorted(rates["cosine"], reverse=True)
    chosen = TrainingOptions(epochs=4, schedule="slanted_triangular")
    assert [stage(chosen, epoch, 12, {0, 1, 2}) for epoch in range(4)] == [(0, 12), (12, 12), (24, 24), (24, 24)]
    assert stage(TrainingOptions(epochs=4), 3, 12, {0, 1, 2}) == (0, 48)


def test_training_does_not_stop_early_before_all_is_trained():
    network = seeded(Line)
    chosen = options(epochs=9, patience=2, learning_rate=1e-9, min_delta=1.0, schedule="constant")
    groups = [ParameterGroup([network.linear.bias], unfreeze_epoch=4)]
    result = train(network, samples(Points()), chosen, validation=samples(Points()), groups=groups)
    assert (result.stopped, len(result.history)) == ("early", 6)


def test_what_is_frozen_counts_in_no_norm():
    whole, part = seeded(Line), seeded(Line)
    norms = []
    for network, groups in ((whole, []), (part, [ParameterGroup([part.linear.weight], unfreeze_epoch=1)])):
        result = train(network, SampleStream(Points(), 64), options(epochs=2), groups=groups)
        norms.append(result.history[0]["grad_norm"])
    loss = seeded(Line).loss(Points().gather(torch.arange(64)))
    bias = part.linear.bias
    assert norms[1] < norms[0] and bias.requires_grad and loss.count == 64


WRONG = {
    "foreign": (
        lambda n: [ParameterGroup(Line().parameters())],
        r"group 1 .* \(1, 3\) that the network does not",
    ),
    "fixed": (lambda n: [ParameterGroup([n.linear.bias.requires_grad_(False)])], r"group 1 .* does not train"),
    "twice": (
        lambda n: [ParameterGroup(n.parameters()), ParameterGroup([n.linear.bias])],
        r"groups 1 and 2 both hold a parameter of shape \(1,\)",
    ),
    "never": (lambda n: [ParameterGroup([n.linear.bias], unfreeze_epoch=3)], "group 1 would be unfrozen after epoch 3"),
    "all frozen": (lambda n: [ParameterGroup(n.parameters(), unfreeze_epoch=1)], "nothing would be trained at first"),
}


@pytest.mark.parametrize("name", WRONG)
def test_groups_that_do_not_fit_are_refused(name):
    make, message = WRONG[name]
    network = seeded(Line)
    before = weights(network)
    with pytest.raises(ValueError, match=message):
        train(network, samples(Points()), options(), groups=make(network))
    assert torch.equal(weights(network), before)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"rate": -1.0}, ValueError, "expected rate to be"),
        ({"rate": float("nan")}, ValueError, "expected rate to be"),
        ({"rate": "0.1"}, ValueError, "expected rate to be"),
        ({"unfreeze_epoch": -1}, ValueError, "expected unfreeze_epoch to be"),
        ({"unfreeze_epoch": 1.5}, ValueError, "expected unfreeze_epoch to be"),
        ({"parameters": [torch.ones(2)]}, TypeError, "nn.Parameter, got Tensor"),
    ],
)
def test_wrong_groups_are_named(wrong, error, message):
    with pytest.raises(error, match=message):
        ParameterGroup(**{"parameters": [], **wrong})
