"""Networks and data that draw from torch's own generator: the same numbers alone and beside others."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from memorycell.data.batch import Batch
from memorycell.data.streams import SampleStream
from memorycell.kernels.drawing import Drawing
from memorycell.kernels.quiet import quiet, tell
from memorycell.networks.base import Loss, Network
from memorycell.training import TrainingOptions, train
from memorycell.training.generators import may_draw


class Dropping(Network):
    """What others write: torch's dropout, and noise on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def loss(self, batch, state=None):
        return Loss((self.body(batch.inputs["x"]) - batch.targets).square().sum(), len(batch))


class Noisy:
    def __len__(self) -> int:
        return 24

    def gather(self, rows):
        x = torch.stack([rows / 24, rows.cos(), rows.sin()], dim=1) + 0.1 * torch.randn(len(rows), 3)
        return Batch({"x": x}, targets=x[:, :1], rows=rows)


def trained(seed: int = 0) -> tuple[float, ...]:
    with Drawing(seed):
        network = Dropping()
    train(network, SampleStream(Noisy(), 8, seed=seed), TrainingOptions(epochs=3, seed=seed, n_threads=1))
    return tuple(torch.cat([each.detach().flatten() for each in network.parameters()]).tolist())


def test_a_network_of_ones_own_trains_alike_beside_others_and_the_callers_numbers_go_on():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    alone = [trained(seed) for seed in (0, 1)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(trained, [0, 1] * 4))
    assert together == alone * 4 and alone[0] != alone[1]
    assert torch.equal(before, torch.get_rng_state())


def test_what_draws_is_known():
    assert may_draw(Dropping()) and may_draw(nn.Linear(1, 1), SampleStream(Noisy(), 8))
    assert not may_draw(nn.Sequential(nn.Linear(1, 1)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_are_drawn_as_after_a_seed(dtype):
    def build():
        parts = [nn.Linear(3, 4), nn.Embedding(3, 4), nn.Conv1d(3, 4, 2), nn.LSTM(3, 4), nn.MultiheadAttention(4, 2)]
        tensors = [torch.randn(3), torch.empty(2).uniform_(), nn.init.orthogonal_(torch.empty(3, 3)), torch.randperm(5)]
        return [*(value for part in parts for value in part.parameters()), *tensors, torch.tensor([0.5, 1.0])]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        wanted = build()
    before = torch.get_rng_state()
    torch.set_default_dtype(dtype)
    try:
        with Drawing(3):
            found = build()
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert torch.equal(before, torch.get_rng_state())


def test_warnings_are_silenced_for_one_thread():
    before, inside, go = list(warnings.filters), threading.Event(), threading.Event()
    silenced: list[list[str]] = []

    def other() -> None:
        with quiet(UserWarning, "odd") as said:
            inside.set()
            go.wait(10)
            warnings.warn("odd there", UserWarning, stacklevel=1)
            silenced.append(said)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with pytest.raises(UserWarning, match="odd here"):
        warnings.warn("odd here", UserWarning, stacklevel=1)
    with quiet(UserWarning):
        go.set()
        thread.join()
        with quiet(DeprecationWarning), pytest.raises(RuntimeWarning):
            warnings.warn("another", RuntimeWarning, stacklevel=1)
    assert silenced == [["odd there"]] and list(warnings.filters) == before


def test_a_remark_is_of_the_callers_line():
    with pytest.warns(UserWarning, match="so") as caught:
        tell("so")
    assert caught[0].filename == __file__
