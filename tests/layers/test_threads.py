"""The fused kernels beside other threads and processes: pools, forks, searches, data-parallel training."""

import os
import subprocess
import sys
import threading

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from memorycell.kernels import native
from memorycell.layers import GRU, LSTM, RNN

pytestmark = pytest.mark.library
X = torch.linspace(-1, 1, 20 * 16 * 64).sin().view(20, 16, 64)  # work enough for two threads
LENGTHS = [20, 3, 0, 7, *[15] * 12]


@pytest.fixture(autouse=True)
def two_threads(one_thread):
    torch.set_num_threads(2)


def layers():
    torch.manual_seed(0)
    return [LSTM(64, 96, backend="cpp"), GRU(64, 96, 2, bidirectional=True, backend="cpp"), RNN(64, 200, backend="cpp")]


def train(layer, x=X, lengths=None):
    """Output and gradients, without touching the parameters' own."""
    x = x.detach().requires_grad_()
    output, _ = layer(x, lengths=lengths)
    return [output, *torch.autograd.grad(output.square().mean(), [x, *layer.parameters()])]


def same(found, wanted):
    return all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_several_python_threads_at_once():
    ours = layers()
    jobs = [(layer, lengths) for layer in ours for lengths in (None, LENGTHS)]
    wanted = [train(layer, lengths=lengths) for layer, lengths in jobs]
    wrong, start = [], threading.Barrier(3)

    def work(offset):
        start.wait()
        for k in range(2 * len(jobs)):  # the same layers, in another order in each thread
            place = (k * 5 + offset) % len(jobs)
            layer, lengths = jobs[place]
            if not same(train(layer, lengths=lengths), wanted[place]):
                wrong.append((offset, place))

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_the_number_of_threads_may_change_before_the_backward_pass(before, after):
    for layer in layers():
        torch.set_num_threads(before)
        x = X.clone().requires_grad_()
        output, _ = layer(x, lengths=LENGTHS)
        torch.set_num_threads(after)
        found = torch.autograd.grad(output.square().mean(), [x, *layer.parameters()])
        torch.testing.assert_close(found, tuple(train(layer, lengths=LENGTHS)[1:]))


FORK = """
import os, signal, torch
from memorycell.kernels import native
from memorycell.layers import LSTM
torch.manual_seed(0)
torch.set_num_threads(2)
layer, x = LSTM(64, 64, backend="cpp"), torch.randn(20, 16, 64)
def train():
    output, _ = layer(x)
    return [output, *torch.autograd.grad(output, layer.parameters(), torch.ones_like(output))]
wanted = train()
child = os.fork()
if not child:
    signal.alarm(30)  # rather than to wait forever for threads that are not there
    found = train()
    close = all(torch.allclose(a, b, atol=1e-4) for a, b in zip(found, wanted))
    os._exit(0 if close and torch.equal(found[0], wanted[0]) else 1)
print(native.level_name(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), all(map(torch.equal, train(), wanted)))
"""


def test_a_forked_child_and_its_parent_compute_at_the_level_that_the_environment_names():
    assert native.levels(), native.why_missing()
    level = native.levels()[-1]
    variables = {**os.environ, "MEMORYCELL_ISA": level}
    done = subprocess.run([sys.executable, "-c", FORK], env=variables, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [level, "0", "True"], done.stderr


def test_an_unknown_level(monkeypatch):
    monkeypatch.setenv("MEMORYCELL_ISA", "v9")
    native.level.cache_clear()
    levels = ", ".join(native.levels())
    with pytest.raises(ValueError, match=f"expected MEMORYCELL_ISA to be one of {levels}, .* got 'v9'"):
        LSTM(3, 4, backend="cpp")(torch.zeros(2, 1, 3))
    monkeypatch.undo()
    native.level.cache_clear()


@pytest.fixture(scope="module")
def two_processes():
    """Of joblib's, for all that needs them: each takes seconds to start."""
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        yield
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


class Classifier(ClassifierMixin, BaseEstimator):
    """Tells rising rows from falling ones."""

    def __init__(self, hidden_size=4):
        self.hidden_size = hidden_size

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        torch.manual_seed(0)
        self.layer_ = LSTM(64, self.hidden_size, batch_first=True, backend="cpp")
        self.head_ = nn.Linear(self.hidden_size, 1)
        optimiser = torch.optim.Adam([*self.layer_.parameters(), *self.head_.parameters()], 0.01)
        for _ in range(5):
            loss = nn.functional.binary_cross_entropy_with_logits(self.scores(x), torch.as_tensor(y).float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return self

    def scores(self, x):
        rows = torch.as_tensor(x, dtype=torch.float32).view(len(x), -1, 64)
        return self.head_(self.layer_(rows)[0][:, -1]).squeeze(1)

    def predict(self, x):
        with torch.no_grad():
            return self.classes_[(self.scores(x) > 0).long().numpy()]


def test_a_grid_search_in_two_processes(two_processes):
    torch.manual_seed(0)
    y = np.arange(60) % 2
    x = torch.randn(60, 20, 64).cumsum(1).flatten(1).numpy() * 0.01 + 0.1 * y[:, None]
    train(layers()[0])  # the pool of threads is there
    alone, together = (
        GridSearchCV(Classifier(), {"hidden_size": [8, 96]}, cv=2, n_jobs=n_jobs).fit(x, y) for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(*(search.cv_results_["mean_test_score"] for search in (alone, together)))
    assert together.best_score_ > 0.9


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = GRU(64, 48, 2, bidirectional=True, batch_first=True, backend="cpp"), nn.Linear(96, 1)

    def forward(self, x, lengths):
        return self.head(self.rnn(x, lengths=lengths)[0])


def gradients_of(model, rows):
    torch.manual_seed(0)
    x, lengths = torch.randn(8, 10, 64), torch.tensor([10, 3, 0, 7, 10, 1, 9, 4])
    (model(x[rows], lengths[rows]).square().sum() / 4).backward()
    return [parameter.grad for parameter in model.parameters()]


def take_part(rank, folder):
    """One process of data-parallel training: half of the rows."""
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.manual_seed(1 + rank)  # the first process's weights count
    found = gradients_of(DistributedDataParallel(Model()), slice(4 * rank, 4 * rank + 4))
    distributed.destroy_process_group()
    return found


def test_data_parallel_training(two_processes, tmp_path):
    parts = (joblib.delayed(take_part)(rank, tmp_path) for rank in (0, 1))
    first, second = joblib.Parallel(batch_size=1)(parts)
    assert same(first, second)
    torch.manual_seed(1)
    whole = gradients_of(Model(), slice(None))
    torch.testing.assert_close(first, [gradient / 2 for gradient in whole])
