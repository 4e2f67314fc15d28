"""Options, schedules, threads, flat parameters and the log."""

import json

import pytest
import torch
from torch import nn

from memorycell.data.batch import Batch
from memorycell.training import TrainingOptions, choose_threads, using_threads
from memorycell.training.flat import FlatParameters
from memorycell.training.progress import Log
from memorycell.training.schedules import rate
from memorycell.training.threads import flops_per_step


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"epochs": 2.5}, {"epochs": True}, {"optimizer": "lion"}, {"schedule": "step"},
        {"learning_rate": 0}, {"learning_rate": float("nan")}, {"learning_rate": float("inf")},
        {"weight_decay": -1}, {"clip_norm": 0}, {"patience": 0}, {"average": 1.0}, {"average_after": 0},
        {"momentum": 1}, {"accumulate": 0}, {"n_threads": 0}, {"warmup_steps": -1}, {"seed": 1.5}, {"min_delta": "a"},
    ],
)  # fmt: skip
def test_wrong_options_are_named(wrong):
    with pytest.raises(ValueError, match=f"expected {next(iter(wrong))} to be"):
        TrainingOptions(**wrong)


def test_none_and_negative_seeds_are_right():
    TrainingOptions(patience=None, clip_norm=None, n_threads=None, seed=-3)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ("plateau", [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ("cosine", [0.25, 0.5, 0.75, 1, 0.976, 0.905, 0.794, 0.655, 0.5, 0.345, 0.206, 0.095, 0.024]),
        ("one_cycle", [0.25, 0.5, 0.75, 0.04, 0.28, 0.76, 1, 0.95, 0.812, 0.611, 0.389, 0.189, 0.05]),
        ("slanted_triangular", [0.25, 0.5, 0.75, 0.031, 1, 0.892, 0.785, 0.677, 0.569, 0.462, 0.354, 0.246, 0.139]),
    ],
)
def test_schedules(schedule, expected):
    options = TrainingOptions(learning_rate=1.0, schedule=schedule, warmup_steps=3)
    assert [rate(options, step, 13) for step in range(13)] == pytest.approx(expected, abs=1e-3)
    assert rate(options, 5, 13, plateau=0.5) == pytest.approx(0.5 * expected[5], abs=1e-3)


def test_one_cycle_is_torchs():
    layer = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=101)
    options = TrainingOptions(learning_rate=1.0, schedule="one_cycle")
    for step in range(100):
        assert rate(options, step, 100) == pytest.approx(
            theirs.get_last_lr()[0], abs=0.03
        )  # theirs reaches its end a step later
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("flops", "limit", "expected"), [(0, 8, 1), (1e6, 8, 1), (5e7, 8, 2), (1e12, 8, 8), (1e12, 1, 1)]
)
def test_threads_follow_the_shapes(flops, limit, expected):
    assert choose_threads(flops, limit) == expected


def test_threads_default_to_torchs_and_come_back():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), using_threads(2):
        assert choose_threads(1e12) == 2
        raise KeyError
    assert torch.get_num_threads() == before


def test_flops_of_a_step_leave_embeddings_out_or_are_the_networks_own():
    network = nn.Sequential(nn.Embedding(1000, 8), nn.Linear(8, 4))
    batch = Batch({"tokens": torch.zeros(5, 20, dtype=torch.int64)})
    assert flops_per_step(network, batch) == 2 * 5 * 36
    network.flops_per_step = lambda batch: 1e5
    assert flops_per_step(network, batch) == 1e5


def test_flat_parameters_are_views_until_released():
    network = nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2))
    plain = {name: value.detach().clone() for name, value in network.named_parameters()}
    objects = list(network.parameters())
    flat = FlatParameters(objects * 2)
    (segment,) = flat.segments
    assert all(torch.equal(value, plain[name]) for name, value in network.named_parameters())
    assert all(parameter.data_ptr() % 64 == segment.values.data_ptr() % 64 for parameter in objects)
    before = flat.snapshot()
    network(torch.ones(2, 3)).sum().backward()
    expected = torch.cat([parameter.grad.flatten() for parameter in objects]).norm()
    torch.testing.assert_close(flat.grad_norm(), expected)
    assert segment.decayed == 32 and not segment.values[segment.decayed :].count_nonzero() > 7
    segment.values.add_(1.0)
    assert torch.equal(network[0].bias, plain["0.bias"] + 1.0)
    with flat.holding(before):
        assert torch.equal(network[0].bias, plain["0.bias"])
    assert torch.equal(network[0].bias, plain["0.bias"] + 1.0)
    flat.release()
    assert len({parameter.untyped_storage().data_ptr() for parameter in objects}) == 4
    assert all(ours is theirs for ours, theirs in zip(objects, network.parameters(), strict=True))


def test_log_goes_on_where_the_checkpoint_stands(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"epoch": epoch}) + "\n" for epoch in (1, 2, 1, 2, 3)]
    path.write_text("".join(lines) + '{"epo')
    Log(path, 2, len("".join(lines[:4]))).epoch({"epoch": 3, "loss": 0.5})
    assert path.read_text() == "".join(lines[:4]) + '{"epoch": 3, "loss": 0.5}\n'
    Log(path).epoch({"epoch": 1})  # a new training goes below
    assert path.read_text().splitlines()[-1] == '{"epoch": 1}' and len(path.read_text().splitlines()) == 6


def test_log_keeps_lines_that_are_not_its_own(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("# notes\n[1]\n")
    Log(path, 1, 0)
    assert path.read_text() == "# notes\n[1]\n"


def test_log_of_a_training_killed_in_its_first_epochs_keeps_that_of_another(tmp_path):
    path = tmp_path / "log.jsonl"
    other, own = '{"epoch": 1}\n{"epoch": 2}\n', '{"epoch": 1}\n'
    path.write_text(other + own)
    Log(path, 0, len(other)).epoch({"epoch": 1, "loss": 0.5})
    assert path.read_text() == other + '{"epoch": 1, "loss": 0.5}\n'
