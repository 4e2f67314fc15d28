"""Fits in several threads and in forked processes: the bits of one alone, and everything else as it was."""

import itertools
import json
import os
import random
import signal
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from memorycell import load
from memorycell.checks import Case
from memorycell.jobs.registry import own
from memorycell.training.threads import using_threads

JOBS = {job.verb: job for job in own().jobs}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory):
    @cache
    def case(verb: str) -> Case:
        return Case(JOBS[verb], Path(tmp_path_factory.mktemp(verb)))

    return case


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def weights(model: Any) -> bytes:
    return b"".join(value.numpy().tobytes() for value in model.network_.state_dict().values())


def answers(case: Case, model: Any) -> str:
    return json.dumps(model.answers(model.read(case.tiny.file)).records())


def elsewhere(ask):
    """What a new thread answers."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def state() -> tuple[Any, ...]:
    numpy = np.random.get_state()  # noqa: NPY002
    return (
        torch.get_rng_state().tolist(), numpy[1].tolist(), numpy[2:], random.getstate(), torch.get_num_threads(),
        elsewhere(torch.get_num_threads), torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr(),
        signal.getsignal(signal.SIGINT), (torch.tensor(1e-40) * 0.5).item(), torch.is_inference_mode_enabled(),
        [each for each in warnings.filters if "quiet" in repr(each)],
    )  # fmt: skip


@pytest.mark.parametrize("verb", JOBS)
def test_fits_in_four_threads_have_the_bits_of_one(verb: str, cases, two_threads) -> None:
    case = cases(verb)
    wanted, said, file = weights(case.fitted), answers(case, case.fitted), case.model
    before = state()

    def work(number: int) -> tuple[bytes, str]:
        if number % 2:
            return wanted, answers(case, load(file))
        model = case.new(n_threads=1 + number // 2 % 2)
        return weights(model.fit(model.read(case.tiny.file), **case.tiny.fit)), said

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(work, range(8)))
    assert found == {(wanted, said)}
    assert state() == before


@pytest.mark.parametrize("verb", JOBS)
def test_errors_and_interruptions_leave_everything_as_it_was(verb: str, cases, two_threads, monkeypatch) -> None:
    case = cases(verb)
    samples = case.fitted.read(case.tiny.file)
    answers(case, case.fitted)
    before = state()

    def stop(kind: type[BaseException]) -> None:
        raise kind

    network, kept = type(case.fitted.network_), []
    places = [place for place in ("forward", "loss", "run") if hasattr(network, place)]
    for place, kind in itertools.product(places, (KeyboardInterrupt, RuntimeError)):
        with monkeypatch.context() as patched:
            patched.setattr(network, place, lambda *a, kind=kind, **o: stop(kind))
            for ask in (lambda: case.fitted.answers(samples), lambda: case.new().fit(case.tiny.file, **case.tiny.fit)):
                try:
                    ask()
                except BaseException as error:  # with its frames, and all that they hold
                    kept.append(error)
        assert state() == before
    assert kept


@pytest.mark.parametrize("verb", JOBS)
def test_a_forked_child_answers_and_fits(verb: str, cases, two_threads) -> None:
    case = cases(verb)
    case.new(n_threads=2).fit(case.tiny.file, **case.tiny.fit)
    torch.randn(10**6).exp().sum()  # OpenMP's second thread is there
    wanted, file = answers(case, case.fitted), case.model
    child = os.fork()
    if not child:
        signal.alarm(60)
        code = 1
        try:
            model = case.new(n_threads=2)
            model.fit(case.tiny.file, **case.tiny.fit)
            same = answers(case, case.fitted) == wanted and answers(case, load(file)) == wanted
            code = 0 if same and answers(case, model) == wanted else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_number_of_threads_is_that_of_one_python_thread(two_threads) -> None:
    inside, go = threading.Event(), threading.Event()
    found: list[int] = []

    def other() -> None:
        with using_threads(1):
            inside.set()
            go.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    found += [torch.get_num_threads(), elsewhere(torch.get_num_threads)]
    go.set()
    thread.join()
    assert found == [2, 2] and elsewhere(torch.get_num_threads) == 2
    with pytest.raises(ValueError, match="at most 256 threads can be used, got 200000"), using_threads(200_000):
        pass
