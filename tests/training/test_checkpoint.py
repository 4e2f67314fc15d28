"""Checkpoints: killed or stopped anywhere, a training ends with the same bits."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn
from toys import Echo, Line, Points, Tokens, seeded, weights

from memorycell.data.streams import CarriedStream, SampleStream
from memorycell.networks.base import Loss
from memorycell.training import DivergedError, TrainingOptions, checkpoint, files, intact, train
from memorycell.training.options import OPTIMIZERS


class Crash(Exception):
    """The process ends here."""


class Crashing:
    """A data set that fails at its n-th batch."""

    def __init__(self, dataset, batches):
        self.dataset, self.left = dataset, batches

    def __len__(self):
        return len(self.dataset)

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise Crash

    def gather(self, rows):
        self._count()
        return self.dataset.gather(rows)

    def gather_steps(self, rows, lengths):
        self._count()
        return self.dataset.gather_steps(rows, lengths)


def options(**changes):
    return TrainingOptions(**{"epochs": 3, "learning_rate": 0.02, "n_threads": 1, "checkpoint_seconds": 0.0, **changes})


def samples(dataset):
    return SampleStream(dataset, 16, seed=2)


def tracks(dataset):
    return CarriedStream(dataset, [(0, 150), (150, 400), (400, 672)], 3, 9, seed=2)


class Foreign(Echo):
    """Draws from torch's global generator."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.3)


class Counting(Line):
    """Has a buffer that changes, and frozen parameters."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.linear.bias.requires_grad_(False)

    def loss(self, batch, state=None):
        batch.inputs["x"] = self.norm(batch.inputs["x"])
        return super().loss(batch)


CASES = {
    **{name: (Echo, Tokens, samples, {"optimizer": name, "weight_decay": 0.01}) for name in OPTIMIZERS},
    "average": (Echo, Tokens, samples, {"average": 0.95, "schedule": "one_cycle"}),
    "plateau": (Echo, Tokens, samples, {"schedule": "plateau", "patience": 3, "min_delta": 0.5, "epochs": 4}),
    "accumulate": (Echo, Tokens, samples, {"accumulate": 4}),
    "carried": (Echo, Tokens, tracks, {}),
    "foreign randomness": (Foreign, Tokens, samples, {}),
    "buffers": (Counting, Points, samples, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_stopped_anywhere_it_ends_with_the_same_bits(tmp_path, name):
    network, dataset, stream, changes = CASES[name]
    chosen, path = options(**changes), tmp_path / "run.ckpt"
    watched = stream(dataset(seed=1))
    whole = seeded(network)
    expected = train(whole, stream(dataset()), chosen, validation=watched)
    broken, crashes = None, 0
    while True:
        broken = seeded(network)
        torch.manual_seed(crashes)
        try:
            result = train(broken, stream(Crashing(dataset(), 5)), chosen, validation=watched, checkpoint=path)
            break
        except Crash:
            crashes += 1
    assert crashes >= 2 and (result.stopped, result.best_epoch) == (expected.stopped, expected.best_epoch)
    assert torch.equal(weights(broken), weights(whole))
    for ours, theirs in zip(broken.buffers(), whole.buffers(), strict=True):
        assert torch.equal(ours, theirs)
    exact = ("epoch", "loss", "val_loss", "lr", "grad_norm")
    assert [[row[key] for key in exact] for row in result.history] == [
        [row[key] for key in exact] for row in expected.history
    ]


@pytest.fixture
def trainer():
    script = Path(__file__).with_name("killed_training.py")
    # Threads that wait asleep: beside a busy neighbour, two that spin would take each other's time.
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # where the first is missing, the second cannot be refused either


def _start(trainer, *paths):
    trainer.stdin.write(" ".join(map(str, paths)) + "\n")
    trainer.stdin.flush()
    return int(trainer.stdout.readline())


def _read(path):
    with safe_open(path, "pt") as file:
        return file.get_tensor("weights"), json.loads(file.metadata()["told"])


def test_killed_at_random_moments_it_ends_with_the_same_bits(trainer, tmp_path):
    assert _killed(trainer, tmp_path) >= 1


@pytest.mark.long
def test_killed_two_hundred_times(trainer, tmp_path):
    killed = run = 0
    while killed < 200:
        run += 1
        folder = tmp_path / str(run)
        folder.mkdir()
        killed += _killed(trainer, folder)


def _killed(trainer, tmp_path):
    """How often a training was killed at some moment and begun again, until it ended with the bits of a whole one."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    began = time.perf_counter()
    _start(trainer, whole, tmp_path / "expected")
    assert trainer.stdout.readline() == "0\n"
    seconds = time.perf_counter() - began
    moments = random.Random(time.time_ns())  # noqa: S311
    killed = 0
    for attempt in range(12):
        child = _start(trainer, broken, tmp_path / "result")
        if attempt == 0:
            while not broken.exists():  # at its first checkpoint it has all still before it
                time.sleep(0.001)
        elif attempt < 10:
            time.sleep(moments.uniform(0.02, 0.5) * seconds)
        if attempt < 10:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, KILL)
        status = int(trainer.stdout.readline())
        killed += status == -signal.SIGKILL
        if status == 0:
            break
    assert status == 0
    (weights_, told), (expected, expected_told) = _read(tmp_path / "result"), _read(tmp_path / "expected")
    assert torch.equal(weights_, expected) and told == expected_told
    epochs = [json.loads(line)["epoch"] for line in Path(f"{broken}.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, len(told[-1]) + 1))
    assert not list(tmp_path.glob(".*.tmp"))
    return killed


def test_a_finished_training_returns_at_once(tmp_path):
    path = tmp_path / "run.ckpt"
    first, second = seeded(Line), seeded(Line, 1)
    result = train(first, samples(Points()), options(), checkpoint=path)
    again = train(second, samples(Crashing(Points(), 0)), options(), checkpoint=path)
    assert again.history == result.history and again.stopped == "finished"
    assert torch.equal(weights(first), weights(second))


def test_an_interrupted_training_goes_on(tmp_path):
    def press(event):
        if event["epoch"] == 1:
            os.kill(os.getpid(), signal.SIGINT)

    path, stream = tmp_path / "run.ckpt", samples(Points())
    whole, broken = seeded(Line), seeded(Line)
    train(whole, stream, options())
    calm = options(checkpoint_seconds=1e6)  # nothing but the interruption writes
    assert train(broken, stream, calm, checkpoint=path, callbacks=[press]).stopped == "interrupted"
    broken = seeded(Line, 1)
    assert train(broken, stream, calm, checkpoint=path).stopped == "finished"
    assert torch.equal(weights(whole), weights(broken))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"options": options(learning_rate=0.5)}, "option learning_rate was 0.02, now it is 0.5"),
        ({"network": lambda: Line(4)}, r"parameter linear.weight was '\(1, 3\)"),
        ({"stream": SampleStream(Points(), 32, seed=2)}, "batches an epoch was 4, now it is 2"),
        ({"stream": SampleStream(Points(), 16, seed=3)}, "stream seed"),
        ({"fingerprint": {"window": 7}}, "window was 6, now it is 7"),
        ({"fingerprint": {"window": 6, "more": 1}}, "more was None, now it is 1"),
        ({"validation": None}, "validation batches was 4, now it is None"),
    ],
)
def test_another_configuration_is_refused_with_the_field(tmp_path, changed, field):
    path = tmp_path / "run.ckpt"

    def call(network=Line, **changed):
        given = {
            "stream": samples(Points()),
            "options": options(),
            "validation": samples(Points()),
            "fingerprint": {"window": 6},
            **changed,
        }
        train(seeded(network), checkpoint=path, **given)

    call()
    with pytest.raises(ValueError, match=field):
        call(**changed)


def test_how_often_it_writes_is_no_other_configuration_and_threads_are_kept(tmp_path):
    path, stream = tmp_path / "run.ckpt", samples(Crashing(Points(), 6))
    with pytest.raises(Crash):
        train(seeded(Line), stream, options(n_threads=None), checkpoint=path)
    position, *_ = _edit(path, n_threads=2)
    assert position["step"] == 5  # one batch was for choosing the number of threads
    stream = samples(Points())
    assert train(seeded(Line), stream, options(n_threads=None, checkpoint_seconds=9.0), checkpoint=path).n_threads == 2


def _edit(path, **changes):
    header, tensors = files.read_tensors(path)
    content = json.loads(header["memorycell_checkpoint"])
    content["position"].update(changes)
    content["checksum"] = intact.checksum(tensors, content)
    files.write_tensors(path, tensors, {"memorycell_checkpoint": json.dumps(content)})
    return content["position"], tensors


@pytest.mark.parametrize("kind", ["empty", "truncated", "text", "model", "folder", "old"])
def test_foreign_files_are_refused_and_survive(tmp_path, kind):
    path = tmp_path / "run.ckpt"
    train(seeded(Line), samples(Points()), options(epochs=1), checkpoint=path)
    data = path.read_bytes()
    if kind == "model":
        path.unlink()
        files.save_model(path, "Forecaster", {}, {"a": torch.ones(2)})
    elif kind == "old":
        files.write_tensors(path, {"a": torch.ones(1)}, {"memorycell_checkpoint": '{"version": 0}'})
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"empty": b"", "truncated": data[:-7], "text": b"hello, this is not it"}[kind])
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises((ValueError, OSError), match=r"run\.ckpt"):
        train(seeded(Line), samples(Points()), options(epochs=1), checkpoint=path)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_folder_that_is_not_there_is_said_before_training(tmp_path):
    dataset = Crashing(Points(), 1)  # the one batch that the number of threads is chosen by
    with pytest.raises(FileNotFoundError, match="no folder"):
        train(seeded(Line), samples(dataset), options(), checkpoint=tmp_path / "nowhere" / "run.ckpt")
    with pytest.raises(FileNotFoundError, match="no folder"):
        train(seeded(Line), samples(Points()), options(), log=tmp_path / "nowhere" / "log.jsonl")


def test_a_full_disk_ends_the_training_with_the_best_weights_and_the_old_checkpoint(tmp_path, monkeypatch):
    path, network, kept = tmp_path / "run.ckpt", seeded(Line), []

    def fill(event):
        kept.append((weights(event["network"]), path.read_bytes()))

        def write(descriptor):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", write)

    with pytest.raises(OSError, match=r"cannot write .*run\.ckpt: No space left on device; the file that was there"):
        train(network, samples(Points()), options(), checkpoint=path, callbacks=[fill])
    assert torch.equal(weights(network), kept[0][0]) and path.read_bytes() == kept[0][1]
    assert [file.name for file in tmp_path.iterdir()] == ["run.ckpt"]


def test_divergence_leaves_a_checkpoint_to_go_on_from(tmp_path):
    path, points = tmp_path / "run.ckpt", Points()

    def spoil(event):
        points.y[:] = float("nan")

    with pytest.raises(DivergedError):
        train(seeded(Line), samples(points), options(), checkpoint=path, callbacks=[spoil])
    whole, mended = seeded(Line), seeded(Line)
    train(whole, samples(Points()), options())
    train(mended, samples(Points()), options(), checkpoint=path)
    assert torch.equal(weights(whole), weights(mended))


def test_nested_states_travel():
    parts = []
    state = (torch.ones(1, 2, 3), (torch.zeros(2, 1), None), (torch.full((2, 2), 7.0),))
    shape = checkpoint._take_apart(state, parts)
    back = intact.checked_state(
        json.loads(json.dumps(shape)), {f"state.{number}": part for number, part in enumerate(parts)}
    )
    assert torch.equal(back[0], state[0]) and back[1][1] is None and torch.equal(back[2][0], state[2][0])


def test_loss_without_state_is_fine_for_a_carrying_stream(tmp_path):
    class Stateless(Echo):
        def loss(self, batch, state=None):
            return Loss(*super().loss(batch)[:2])

    result = train(seeded(Stateless), tracks(Tokens()), options(epochs=1), checkpoint=tmp_path / "run.ckpt")
    assert result.stopped == "finished"
