"""The native library: finding it, its levels and its interface; and flushing subnormal numbers in every thread."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from memorycell.kernels import fused, native
from memorycell.layers import LSTM

SIZE = 1 << 18  # elements enough for torch to share them among two threads
LIBRARY = pytest.mark.library
# Of SIZE elements, those that flush_subnormals does not reach: without the library it is for the calling thread alone.
LEFT = 0 if native.available() else SIZE // 2


def loaded():
    """The library; without one the reason why."""
    assert native.library() is not None, native.why_missing()
    return native.library()


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
    torch.set_flush_denormal(False)


@pytest.fixture
def reloaded(monkeypatch):
    """The library is looked for afresh within the test and after it."""
    native._load.cache_clear()
    native.level.cache_clear()
    yield
    monkeypatch.undo()
    native._load.cache_clear()
    native.level.cache_clear()


def test_the_build_has_a_library_where_it_could_be_built():
    """Without one most of these tests prove little: that is right where there is no compiler, or somebody said so."""
    if native.library() is None:
        compilers = [name for name in ("c++", "g++", "clang++") if shutil.which(name)]
        assert "MEMORYCELL_NATIVE" in os.environ or not compilers, native.why_missing()


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
        assert _subnormal_gradients() == LEFT
    assert _subnormal_gradients() == SIZE


def test_each_thread_gets_its_own_mode_back_also_after_an_exception():
    torch.set_flush_denormal(True)  # torch switches this thread alone: half of the elements
    assert _subnormal_gradients() == SIZE // 2
    with pytest.raises(KeyError), native.flush_subnormals(), native.flush_subnormals():
        assert _subnormal_gradients() == LEFT
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


# ---- A library that cannot be used ----


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "foreign"])
def test_a_library_that_cannot_be_used_is_said(tmp_path, monkeypatch, reloaded, kind):
    path = tmp_path / "library.so"
    if kind == "folder":
        path.mkdir()
    if kind == "text":
        path.write_text("not a library")
    if kind == "foreign":
        path = Path(torch.__file__).parent / "lib" / "libc10.so"
    monkeypatch.setenv("MEMORYCELL_NATIVE", str(path))
    expected = {"text": "cannot load the native library", "foreign": "is not memorycell's native library"}
    assert native.library() is None and not native.available()
    assert expected.get(kind, "no native library at") in native.why_missing() and str(path) in native.why_missing()


@LIBRARY
def test_a_library_of_another_interface_is_refused(monkeypatch, reloaded):
    monkeypatch.setattr(native, "_ABI", 99)
    assert native.library() is None
    assert "interface version" in native.why_missing() and "expected 99: reinstall" in native.why_missing()


@LIBRARY
def test_a_library_with_another_openmp_is_refused(monkeypatch, reloaded):
    monkeypatch.setattr(native, "_openmp", id)  # another address for each library
    assert native.library() is None and "another OpenMP runtime than torch" in native.why_missing()


def test_without_a_library_layers_run_on_torch_unless_it_is_forced(monkeypatch, reloaded):
    layer, x = LSTM(3, 5), torch.randn(4, 2, 3)
    expected = layer(x)[0]
    monkeypatch.setenv("MEMORYCELL_NATIVE", "/nowhere/library.so")
    native._load.cache_clear()
    native.level.cache_clear()
    torch.testing.assert_close(layer(x)[0], expected)
    assert native.levels() == [] and native.level_name() is None
    with pytest.raises(ValueError, match=r"no native library at .*: unset MEMORYCELL_NATIVE"):
        LSTM(3, 5, backend="cpp")
    with pytest.raises(ValueError, match="expected the native library for a level, got none"):
        native.level()


# ---- Levels ----


@LIBRARY
def test_levels_are_those_of_the_library_that_run_best_first():
    library, known = loaded(), ["v4", "v3", "v2", "base"]
    assert native.levels() == sorted(native.levels(), key=known.index) != []
    for wrong in (-1, 99):
        assert library.mc_level_name(wrong) is None
        assert library.mc_level_runs(wrong) == 0 and library.mc_peak(wrong, 1) == 0
    assert 0 < library.mc_peak(native.level(), 1) < math.inf


@LIBRARY
@pytest.mark.parametrize("name", native.levels() or ["none"])
def test_a_level_is_forced_by_its_name(monkeypatch, reloaded, name):
    monkeypatch.setenv("MEMORYCELL_ISA", name)
    assert loaded().mc_level_name(native.level()).decode() == name
    assert native.level_name() == name


@LIBRARY
@pytest.mark.parametrize("backend", ["auto", "cpp"])
def test_a_level_that_does_not_run_is_an_error(monkeypatch, reloaded, backend):
    loaded()
    monkeypatch.setenv("MEMORYCELL_ISA", "v9")
    layer = LSTM(3, 5, backend=backend)
    with pytest.raises(ValueError, match=f"MEMORYCELL_ISA to be one of {', '.join(native.levels())}.*got 'v9'"):
        layer(torch.randn(4, 2, 3))


@LIBRARY
def test_without_a_choice_the_best_level_runs(monkeypatch, reloaded):
    loaded()
    monkeypatch.setenv("MEMORYCELL_ISA", "")
    assert native.level_name() == native.levels()[0]


# ---- The interface ----


@LIBRARY
def test_the_structs_are_as_long_here_as_there():
    library = loaded()
    assert library.mc_run_bytes() == fused._RUN.size and library.mc_gradients_bytes() == fused._GRADIENTS.size


def _run(**changes: int) -> bytes:
    """A run of an LSTM of one unit over no steps, with changed numbers."""
    fields = {"level": native.level(), "bytes": 4, "mode": 0, "coupled": 0, "reverse": 0} | changes
    rest = [0] * (len(fused._RUN.unpack(bytes(fused._RUN.size))) - len(fields) - 4)
    return fused._RUN.pack(*fields.values(), 0, 1, 1, 1, *rest)


@LIBRARY
@pytest.mark.parametrize("changes", [{"level": -1}, {"level": 99}, {"bytes": 2}, {"mode": 4}, {"mode": -1}], ids=str)
def test_what_no_level_knows_is_refused(changes):
    library, run = loaded(), _run(**changes)
    assert library.mc_reserve_bytes(_run()) == 0 and library.mc_reserve_bytes(run) == -1
    assert library.mc_forward(run, 1, 1) == library.mc_trace(run, None, 0, 0, 1) == 2
    assert library.mc_backward(run, bytes(fused._GRADIENTS.size), 1, 1) == 2


def test_without_the_library_a_process_keeps_the_mode_and_hears_nothing_of_onednn():
    code = """
import torch, warnings
from memorycell.kernels import native
from memorycell.layers import LSTM
with native.flush_subnormals():
    inside = (torch.tensor(1e-40) * 0.5).item()
warnings.simplefilter("error")
output, _ = LSTM(3, 5, proj_size=2)(torch.zeros(4, 2, 3))
print(native.library(), inside, (torch.tensor(1e-40) * 0.5).item() > 0, output.shape[-1])
"""
    assert _with_variable("/nowhere", code).split() == ["None", "0.0", "True", "2"]
