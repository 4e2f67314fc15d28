"""The native library, and flushing subnormal numbers in every thread."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from memorycell.kernels import native

SIZE = 1 << 18  # elements enough for torch to share them among two threads


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
    torch.set_flush_denormal(False)


def test_the_build_has_a_library():
    """Without one these tests would prove nothing: install the package, or name the library in MEMORYCELL_NATIVE."""
    assert native.library() is not None, native.why_missing()


def _subnormal_gradients() -> int:
    """How many elements of a gradient that is subnormal everywhere are not zero."""
    x = torch.full((SIZE,), 1e-30, requires_grad=True)
    (x * 1e-5).backward(torch.full((SIZE,), 1e-35))
    return int((x.grad.view(torch.int32) != 0).sum())


def _with_variable(value: str, code: str) -> str:
    environment = {**os.environ, "MEMORYCELL_NATIVE": value}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_backward_is_flushed_in_both_threads_and_only_within():
    assert _subnormal_gradients() == SIZE
    with native.flush_subnormals():
        assert _subnormal_gradients() == 0
    assert _subnormal_gradients() == SIZE


def test_each_thread_gets_its_own_mode_back_also_after_an_exception():
    torch.set_flush_denormal(True)  # torch switches this thread alone: half of the elements
    assert _subnormal_gradients() == SIZE // 2
    with pytest.raises(KeyError), native.flush_subnormals(), native.flush_subnormals():
        assert _subnormal_gradients() == 0
        raise KeyError
    assert _subnormal_gradients() == SIZE // 2


def test_thread_count_may_change_within():
    with native.flush_subnormals():
        torch.set_num_threads(1)
        assert _subnormal_gradients() == 0
    assert _subnormal_gradients() == SIZE


@pytest.mark.parametrize("before", [False, True])
def test_without_the_library_this_thread_is_flushed_and_restored(monkeypatch, before):
    monkeypatch.setattr(native, "_load", lambda: (None, "missing"))
    torch.set_num_threads(1)
    torch.set_flush_denormal(before)
    with native.flush_subnormals():
        assert _subnormal_gradients() == 0
    assert _subnormal_gradients() == (0 if before else SIZE)


@pytest.mark.parametrize("kind", ["missing", "text", "foreign"])
def test_a_library_that_cannot_be_used_is_said(tmp_path, monkeypatch, kind):
    path = tmp_path / "library.so"
    if kind == "text":
        path.write_text("not a library")
    if kind == "foreign":
        path = Path(torch.__file__).parent / "lib" / "libc10.so"
    monkeypatch.setenv("MEMORYCELL_NATIVE", str(path))
    native._load.cache_clear()
    try:
        expected = {"missing": "no native library", "text": "cannot load", "foreign": "not memorycell's"}[kind]
        assert native.library() is None and expected in native.why_missing()
    finally:
        monkeypatch.undo()
        native._load.cache_clear()


def test_another_interface_or_openmp_is_refused(monkeypatch):
    library = native.library()
    monkeypatch.setattr(native, "_ABI", 99)
    assert "interface version 1, expected 99" in native._check(library, "x.so")
    monkeypatch.undo()
    monkeypatch.setattr(native, "_torch_openmp", lambda: 1)
    assert "another OpenMP runtime" in native._check(library, "x.so")


def test_the_mode_survives_in_a_process_without_the_library():
    code = """
import torch
from memorycell.kernels import native
with native.flush_subnormals():
    inside = (torch.tensor(1e-40) * 0.5).item()
print(native.library(), inside, (torch.tensor(1e-40) * 0.5).item() > 0)
"""
    assert _with_variable("/nowhere", code).split() == ["None", "0.0", "True"]
