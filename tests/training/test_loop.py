"""The loop: what it minimises, when it stops, what it leaves behind."""

import json
import math
import os
import signal

import pytest
import torch
from torch import nn
from toys import Echo, Line, Points, Tokens, seeded, weights

from memorycell.data.batch import Batch
from memorycell.data.streams import CarriedStream, SampleStream
from memorycell.networks.base import Loss, Network
from memorycell.training import DivergedError, TrainingOptions, evaluate_loss, train
from memorycell.training.options import OPTIMIZERS, SCHEDULES


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def options(**changes):
    return TrainingOptions(**{"epochs": 3, "learning_rate": 0.05, "schedule": "constant", "n_threads": 1, **changes})


def test_one_step_is_the_step_of_torch_adamw_with_clipping():
    points, ours, theirs = Points(16), seeded(Line), seeded(Line)
    train(ours, SampleStream(points, 16), options(epochs=1, clip_norm=0.5, weight_decay=0.1))
    decayed = [
        {"params": [theirs.linear.weight], "weight_decay": 0.1},
        {"params": [theirs.linear.bias], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(decayed, lr=0.05)
    loss = theirs.loss(points.gather(torch.arange(16)))
    (loss.sum / loss.count).backward()
    norm = nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
    optimizer.step()
    assert norm > 0.5
    torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-5, atol=1e-6)


def test_history_and_result():
    network = seeded(Line)
    result = train(
        network,
        SampleStream(Points(), 10),
        options(),
        validation=SampleStream(Points(30, seed=1), 8, shuffle=False),
    )
    assert [row["epoch"] for row in result.history] == [1, 2, 3]
    assert set(result.history[0]) == {
        "epoch",
        "loss",
        "val_loss",
        "lr",
        "grad_norm",
        "seconds",
        "examples_per_second",
    }
    assert result.history[0]["loss"] > result.history[-1]["loss"] > 0
    assert result.stopped == "finished" and result.n_threads == 1 and result.seconds > 0
    best = min(result.history, key=lambda row: row["val_loss"])
    assert (result.best_epoch, result.best_loss) == (best["epoch"], best["val_loss"])
    again = evaluate_loss(network, SampleStream(Points(30, seed=1), 8, shuffle=False))
    assert again == pytest.approx(result.best_loss, rel=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss_and_repeats(optimizer):
    runs = [seeded(Line), seeded(Line)]
    rate = {"sgd": 0.02, "rmsprop": 0.01, "adagrad": 0.3, "radam": 0.3}.get(optimizer, 0.05)
    for network in runs:
        chosen = options(epochs=6, optimizer=optimizer, learning_rate=rate, weight_decay=1e-3)
        history = train(network, SampleStream(Points(), 8), chosen).history
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert torch.equal(*map(weights, runs))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_runs(schedule):
    result = train(seeded(Line), SampleStream(Points(), 8), options(schedule=schedule, warmup_steps=3))
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    last = {"constant": 0.05, "plateau": 0.05, "slanted_triangular": 0.0041}.get(schedule, 0.0)
    assert result.history[-1]["lr"] == pytest.approx(last, abs=1e-3)


def test_accumulation_is_the_bigger_batch_dropout_and_ragged_rest_included():
    runs = []
    for batch_size, accumulate in ((24, 1), (8, 3)):
        network, tokens = seeded(Echo), Tokens(80)
        stream = SampleStream(tokens, batch_size, shuffle=False)
        train(network, stream, options(accumulate=accumulate))
        runs.append(weights(network))
    torch.testing.assert_close(*runs, rtol=1e-4, atol=1e-5)


def test_early_stopping_restores_the_best_weights():
    seen = []

    class Noting(Line):
        def loss(self, batch, state=None):
            if not self.training:
                seen.append(weights(self))
            return super().loss(batch, state)

    class Wandering(Points):
        """The longer one trains on the wrong targets, the worse."""

        def gather(self, rows):
            batch = super().gather(rows)
            batch.targets = -batch.targets
            return batch

    network = seeded(Noting)
    watched = SampleStream(Points(), 64, shuffle=False)
    result = train(network, SampleStream(Wandering(), 16), options(epochs=50, patience=4), validation=watched)
    assert result.stopped == "early" and len(result.history) == result.best_epoch + 4
    assert torch.equal(weights(network), seen[result.best_epoch - 1])


def test_patience_none_goes_on():
    result = train(
        seeded(Line), SampleStream(Points(), 64), options(learning_rate=1e-12, patience=None, min_delta=1.0),
        validation=SampleStream(Points(), 64),
    )  # fmt: skip
    assert result.stopped == "finished" and result.best_epoch == 1


def test_average_of_the_weights_is_validated_and_kept():
    plain, averaged = seeded(Line), seeded(Line)
    stream, watched = SampleStream(Points(), 8), SampleStream(Points(), 64, shuffle=False)
    train(plain, stream, options(epochs=1))
    result = train(averaged, stream, options(epochs=1, average=0.9), validation=watched)
    assert not torch.equal(weights(plain), weights(averaged))
    assert evaluate_loss(averaged, watched) == pytest.approx(result.best_loss, rel=1e-6)
    model, expected = seeded(Line), seeded(Line)
    mean, steps = weights(expected), []

    def note(event):
        steps.append(weights(event["network"]))

    train(model, SampleStream(Points(), 64), options(average=0.9), callbacks=[note])
    for step, now in enumerate(steps):
        mean = torch.lerp(mean, now, 1 - min(0.9, (1 + step) / (10 + step)))
    torch.testing.assert_close(weights(model), mean)


@pytest.mark.parametrize("where", ["target", "input", "gradient"])
def test_divergence_names_the_place_and_restores(where):
    points = Points(64)
    network = seeded(Line)
    if where == "target":
        points.y[17] = math.nan
    elif where == "input":
        points.x[17] = math.inf
    else:
        network.linear.weight.register_hook(lambda grad: grad * math.inf)
    start = weights(network)
    stream = SampleStream(points, 16, shuffle=False)
    with pytest.raises(DivergedError, match="learning_rate") as caught:
        train(network, stream, options())
    error = caught.value
    assert (error.which, error.epoch) == ("gradient" if where == "gradient" else "loss", 1)
    assert (error.step, error.batch) == ((0, 0) if where == "gradient" else (1, 1))
    assert error.rows == list(range(error.batch * 16, error.batch * 16 + 16))
    assert f"step {error.step}, batch {error.batch} (rows {error.rows[0]}, " in str(error)
    assert torch.equal(weights(network), start)


def test_divergence_in_validation_and_later_epochs():
    points, network = Points(), seeded(Line)
    kept = []

    def spoil(event):
        kept.append(weights(event["network"]))
        points.y[3] = math.nan

    with pytest.raises(DivergedError) as caught:
        train(network, SampleStream(points, 16), options(), callbacks=[spoil])
    assert caught.value.epoch == 2 and torch.equal(weights(network), kept[0])
    with pytest.raises(DivergedError, match="validation loss"):
        train(seeded(Line), SampleStream(Points(), 16), options(), validation=SampleStream(points, 16))


def test_numbers_looked_at_later_give_the_same_training(monkeypatch):
    from memorycell.training import run

    def deferred(network, points, **changes):
        original = run.Run.__init__

        def init(self, *args, **kwargs):
            original(self, *args, **kwargs)
            self.deferred = True

        with monkeypatch.context() as patch:
            patch.setattr(run.Run, "__init__", init)
            return train(network, SampleStream(points, 4), options(**changes))

    ours, theirs = seeded(Line), seeded(Line)
    late, soon = (
        deferred(ours, Points(), clip_norm=0.3),
        train(theirs, SampleStream(Points(), 4), options(clip_norm=0.3)),
    )
    torch.testing.assert_close(weights(ours), weights(theirs))
    assert late.history[1]["grad_norm"] == pytest.approx(soon.history[1]["grad_norm"], rel=1e-4)
    bad, network = Points(), seeded(Line)
    bad.y[9] = math.nan
    start = weights(network)
    with pytest.raises(DivergedError) as caught:
        deferred(network, bad)
    assert 9 in caught.value.rows and torch.equal(weights(network), start)


@pytest.mark.parametrize("first", [True, False])
def test_ctrl_c_keeps_the_best_and_returns(first):
    network = seeded(Line)
    kept = []

    class Pressing(Points):
        def gather(self, rows):
            if len(kept) == (0 if first else 2):
                os.kill(os.getpid(), signal.SIGINT)
            return super().gather(rows)

    def note(event):
        kept.append(weights(event["network"]))

    start = weights(network)
    result = train(network, SampleStream(Pressing(), 16), options(epochs=9), callbacks=[note])
    assert result.stopped == "interrupted" and len(result.history) == len(kept)
    assert not torch.equal(weights(network), start if first else kept[-1])  # the step that was under way is done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_validation_restores_the_best_of_before():
    network, kept = seeded(Line), []

    class Pressing(Points):
        def gather(self, rows):
            if len(kept) == 1:
                os.kill(os.getpid(), signal.SIGINT)
            return super().gather(rows)

    def note(event):
        kept.append(weights(event["network"]))

    result = train(
        network,
        SampleStream(Points(), 16),
        options(),
        validation=SampleStream(Pressing(), 16),
        callbacks=[note],
    )
    assert result.stopped == "interrupted" and result.best_epoch == 1
    assert torch.equal(weights(network), kept[0])


def test_a_second_ctrl_c_raises():
    class Pressing(Points):
        def gather(self, rows):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            return super().gather(rows)

    with pytest.raises(KeyboardInterrupt):
        train(seeded(Line), SampleStream(Pressing(), 16), options())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_callbacks_may_stop_interrupt_and_fail(tmp_path):
    class Stopper:
        def on_epoch_end(self, event):
            assert event["history"][-1]["loss"] == event["loss"]
            return "stop" if event["epoch"] == 2 else None

    def interrupt(event):
        raise KeyboardInterrupt

    def fail(event):
        raise LookupError

    stream = SampleStream(Points(), 16)
    result = train(seeded(Line), stream, options(), callbacks=[Stopper()])
    assert (result.stopped, len(result.history)) == ("early", 2)
    assert train(seeded(Line), stream, options(), callbacks=[interrupt]).stopped == "interrupted"
    network = seeded(Line)
    with pytest.raises(LookupError):
        train(network, stream, options(), callbacks=[fail])
    assert network.linear.weight.untyped_storage().nbytes() == 12  # its own memory again


def test_carried_state_with_one_long_chunk_is_full_backpropagation():
    tokens = Tokens(1, 24)
    whole, chunked = seeded(lambda: Echo(p=0.0)), seeded(lambda: Echo(p=0.0))
    train(whole, SampleStream(tokens, 1), options())
    train(chunked, CarriedStream(tokens, [(0, 24)], 1, 24), options())
    torch.testing.assert_close(weights(whole), weights(chunked))


def test_carried_state_gives_the_loss_of_the_unbroken_sequence():
    tokens = Tokens(1, 24)
    network = seeded(lambda: Echo(p=0.0))
    whole = evaluate_loss(network, SampleStream(tokens, 1))
    for length in (1, 5, 24):
        carried = evaluate_loss(network, CarriedStream(tokens, [(0, 24)], 1, length))
        assert carried == pytest.approx(whole, rel=1e-5)


def test_truncated_gradients_are_those_of_the_chunks_with_state_handed_on():
    tokens = Tokens(1, 20)
    ours, theirs = seeded(lambda: Echo(p=0.0)), seeded(lambda: Echo(p=0.0))
    train(
        ours,
        CarriedStream(tokens, [(0, 20)], 1, 5),
        options(epochs=1, accumulate=4, clip_norm=None, optimizer="sgd"),
    )
    state, total = None, 0.0
    for start in range(0, 20, 5):
        batch = Batch({"tokens": tokens.tokens[:, start : start + 5]}, targets=tokens.targets[:, start : start + 5])
        loss = theirs.loss(batch, state)
        state = tuple(part.detach() for part in loss.state)
        total = total + loss.sum
    (total / 20).backward()
    torch.optim.SGD(theirs.parameters(), 0.05, momentum=0.9, nesterov=True).step()
    torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-5, atol=1e-6)


def test_rows_that_restart_begin_from_the_initial_state():
    tokens = Tokens(1, 40)
    network = seeded(lambda: Echo(p=0.0))
    ranges = [(0, 7), (7, 20), (20, 40)]
    alone = [evaluate_loss(network, CarriedStream(tokens, [part], 1, 40)) * (part[1] - part[0]) for part in ranges]
    together = evaluate_loss(network, CarriedStream(tokens, ranges, 2, 4, cut=False))
    assert together == pytest.approx(sum(alone) / 40, rel=1e-5)


class Shared(Network):
    """Tied, frozen, unused and double-precision parameters, a buffer, and a normalisation that counts."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.frozen, self.unused = nn.Linear(3, 3), nn.Linear(2, 2)
        self.frozen.requires_grad_(False)
        self.norm = nn.BatchNorm1d(3)
        self.scale = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def loss(self, batch, state=None):
        hidden = self.norm(self.frozen(self.second(self.first(batch.inputs["x"]))))
        error = (hidden.sum(1).double() * self.scale - batch.targets).square()
        return Loss(error.sum(), error.numel())


def test_parameters_of_all_kinds_stay_themselves(tmp_path):
    from safetensors.torch import save_file

    network = seeded(Shared)
    objects = dict(network.named_parameters())
    before = {name: value.detach().clone() for name, value in objects.items()}
    network.unused.eval()
    train(network, SampleStream(Points(), 16), options(weight_decay=0.1))
    assert all(objects[name] is value for name, value in network.named_parameters())
    assert network.first.weight is network.second.weight
    changed = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    assert changed >= {"first.weight", "scale", "norm.weight"} and not changed & {
        "frozen.weight",
        "frozen.bias",
    }
    assert all(value.grad is None for value in network.parameters())
    assert network.training and not network.unused.training
    assert network.norm.num_batches_tracked == 12
    state = {name: value for name, value in network.state_dict().items() if name != "second.weight"}
    save_file(state, tmp_path / "weights.safetensors")  # refuses tensors that share memory


def test_the_callers_settings_are_left_alone():
    torch.manual_seed(5)
    torch.set_num_threads(2)
    before = torch.get_rng_state()
    network = Line().eval()
    after_building = torch.get_rng_state()
    train(network, SampleStream(Points(), 16), options())
    assert torch.equal(after_building, torch.get_rng_state()) and not torch.equal(before, after_building)
    assert torch.get_num_threads() == 2 and not network.training
    assert (torch.tensor(1e-40) * 0.5).item() > 0


def test_the_loop_flushes_subnormals():
    seen = []

    class Tiny(Line):
        def loss(self, batch, state=None):
            seen.append((torch.tensor(1e-40) * 0.5).item())
            return super().loss(batch, state)

    train(Tiny(), SampleStream(Points(), 64), options())
    assert set(seen) == {0.0}


def test_log_has_a_line_an_epoch(tmp_path):
    path = tmp_path / "log.jsonl"
    result = train(seeded(Line), SampleStream(Points(), 16), options(), log=path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == result.history


def test_progress_bar(capsys):
    watched = SampleStream(Points(), 16)
    train(seeded(Line), SampleStream(Points(), 16), options(), validation=watched, progress=True)
    assert "epoch 3/3" in (text := capsys.readouterr().err) and "validation" in text and "samples/s" in text
    train(seeded(Line), SampleStream(Points(), 16), options())
    assert capsys.readouterr().err == ""  # not a terminal


class Weightless(Line):
    def loss(self, batch, state=None):
        return Loss(super().loss(batch).sum * 0.0, torch.tensor(0.0))


@pytest.mark.parametrize(
    ("network", "stream", "message"),
    [
        (Network(), SampleStream(Points(), 4), "network with parameters"),
        (Line(), SampleStream(Points(0), 4), "at least one batch"),
        (Weightless(), SampleStream(Points(), 4), "none with weight"),
    ],
)
def test_nothing_to_train_is_said(network, stream, message):
    with pytest.raises(ValueError, match=message):
        train(network, stream, options())
