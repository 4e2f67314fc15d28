"""Averaging triggered by no improvement (NT-ASGD)."""

import pytest
import torch
from test_checkpoint import Crash, Crashing, samples
from toys import Echo, Line, Points, Tokens, seeded, weights

from memorycell.data.batch import Batch
from memorycell.data.streams import SampleStream
from memorycell.networks.base import Loss, Network
from memorycell.training import TrainingOptions, evaluate_loss, train


def options(**changes):
    return TrainingOptions(
        **{
            "epochs": 8, "optimizer": "sgd", "momentum": 0.0, "schedule": "constant", "learning_rate": 0.3,
            "n_threads": 1, "average_after": 2, "checkpoint_seconds": 0.0, **changes,
        }
    )  # fmt: skip


class Told(Network):
    """Its validation loss is what it was told, epoch by epoch; in training its weight goes up by one a step."""

    def __init__(self, losses):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.losses, self.validated = list(losses), []

    def loss(self, batch, state=None):
        if self.training:
            return Loss(-self.weight * 1.0, 1.0)
        self.validated.append(float(self.weight.detach()))
        return Loss(self.losses[len(self.validated) - 1] + 0 * self.weight, 1.0)


class One:
    def __init__(self, count=3):
        self.count = count

    def __len__(self):
        return self.count

    def gather(self, rows):
        return Batch({"x": torch.zeros(len(rows), 1)}, rows=rows)


def told(losses, **changes):
    network = Told(losses)
    chosen = options(epochs=len(losses), learning_rate=1.0, clip_norm=None, **changes)
    result = train(network, SampleStream(One(), 1), chosen, validation=SampleStream(One(1), 1))
    return network, result


def test_the_average_is_the_plain_mean_of_every_weight_since_the_trigger():
    # 4.5 is not under 4, the lowest of all losses but the last two before it: triggered after epoch 5.
    network, result = told([5, 4, 3, 3.5, 4.5, 2, 2.5, 1], patience=None)
    assert result.average_epoch == 5
    # Three steps an epoch: 3, 6, 9, 12, 15; then means of 16..18, 16..21, 16..24.
    assert network.validated == [3, 6, 9, 12, 15, 17, 18.5, 20]
    assert network.weight.item() == 20 and result.best_epoch == 8


def test_a_loss_that_goes_down_triggers_nothing():
    network, result = told([5, 4.5, 4, 3.5, 3, 2.5, 2, 1.5])
    assert result.average_epoch is None and network.validated[-1] == network.weight.item() == 24


def test_a_loss_worse_than_those_just_before_alone_triggers_nothing():
    _, result = told([5, 4, 3, 3.9, 2.9, 2.95, 2.0, 2.5], patience=None)
    assert result.average_epoch is None


def test_patience_at_its_end_begins_to_average_and_counts_anew():
    network, result = told([3, 4, 4, 4, 4, 4, 4, 4], average_after=5, patience=2)
    assert result.average_epoch == 3 and (result.stopped, len(result.history)) == ("early", 5)
    assert result.best_epoch == 1 and network.weight.item() == 3


def test_the_average_is_validated_kept_and_better_than_noisy_last_weights():
    watched = SampleStream(Points(256, seed=1, noise=0.0), 256)
    runs = {}
    for after in (None, 2):
        network = seeded(Line)
        chosen = options(average_after=after, epochs=14, patience=None)
        result = train(network, SampleStream(Points(noise=2.0), 4), chosen, validation=watched)
        runs[after] = result.history[-1]["val_loss"]
    assert result.average_epoch < 10 and runs[2] < 0.5 * runs[None]
    assert evaluate_loss(network, watched) == pytest.approx(result.best_loss, rel=1e-6)


def test_without_validation_the_training_loss_is_the_judge():
    network = seeded(Line)
    result = train(network, SampleStream(Points(noise=2.0), 4), options(epochs=20))
    assert result.average_epoch is not None and result.best_epoch == 20


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_stopped_anywhere_it_ends_with_the_same_bits(tmp_path, optimizer):
    rate = {"sgd": 0.8, "adamw": 0.5}[optimizer]
    chosen, path = options(optimizer=optimizer, learning_rate=rate, average_after=1), tmp_path / "run.ckpt"
    watched = samples(Tokens(seed=1))
    whole, crashes = seeded(Echo), 0
    expected = train(whole, samples(Tokens()), chosen, validation=watched)
    while True:
        broken = seeded(Echo)
        try:
            result = train(broken, samples(Crashing(Tokens(), 5)), chosen, validation=watched, checkpoint=path)
            break
        except Crash:
            crashes += 1
    assert crashes >= 4 and 2 < expected.average_epoch < 7 and result.average_epoch == expected.average_epoch
    assert torch.equal(weights(broken), weights(whole))
    assert [row["val_loss"] for row in result.history] == [row["val_loss"] for row in expected.history]


def test_two_kinds_of_average_are_refused():
    with pytest.raises(ValueError, match=r"expected average or average_after, got both \(0.9 and 5\)"):
        TrainingOptions(average=0.9, average_after=5)
