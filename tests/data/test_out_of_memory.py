"""Memory that runs out is one error that says what to do, in Python and on the command."""

import numpy as np
import pytest
import torch

from memorycell import SequenceRegressor
from memorycell.cli.errors import guarded
from memorycell.data.memory import OutOfMemory, ran_out, remedied

TORCH = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 1474560000 bytes. Error code 12"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError(f"[enforce fail at alloc_cpu.cpp:127] err == 0. {TORCH}"), " (1.47 GB more were asked for)"),
        (MemoryError("Unable to allocate 153. MiB for an array with shape (10000000, 4)"), " (0.16 GB more"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has"), " (2.15 GB more"),
        (MemoryError(), ": ask for less"),
        (RuntimeError("std::bad_alloc"), ": ask for less"),
    ],
)
def test_whoever_asked_for_it_the_remedy_is_said(error, said, capsys):
    @remedied("to work", "ask for less with batch_size=")
    def work():
        raise error

    with pytest.raises(MemoryError, match="not enough memory to work") as told:
        work()
    assert said in str(told.value) and "\n" not in str(told.value)
    assert guarded(work) == 2
    assert capsys.readouterr().err.endswith("ask for less with --batch-size\n")


def test_other_errors_are_themselves():
    assert not ran_out(RuntimeError("expected something")) and not ran_out(ValueError("not enough memory"))

    @remedied("to work", "ask for less")
    def work():
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        work()


def test_a_training_and_an_answer_that_do_not_fit_say_so(monkeypatch):
    x = np.random.default_rng(0).normal(size=(8, 4, 1))
    model = SequenceRegressor(hidden_size=2, epochs=1, random_state=0, verbose=False).fit(x, x.sum((1, 2)))

    def forward(*given, **more):
        raise RuntimeError(TORCH)

    monkeypatch.setattr(type(model.network_.encoder), "forward", forward)
    with pytest.raises(OutOfMemory, match=r"to answer all of this at once .*fewer rows at a time"):
        model.predict(x)
    with pytest.raises(OutOfMemory, match=r"to train .*a smaller batch_size=, a smaller hidden_size="):
        SequenceRegressor(hidden_size=2, epochs=1, random_state=0, verbose=False).fit(x, x.sum((1, 2)))
