"""The native library, loaded with ctypes, and flushing subnormal numbers to zero in torch's threads."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import memorycell.kernels
from memorycell.kernels.limits import MOST_THREADS

_ABI = 4  # MEMORYCELL_ABI of csrc/memorycell.h
_LONG, _DOUBLE, _BYTES, _POINTER = ctypes.c_int64, ctypes.c_double, ctypes.c_char_p, ctypes.c_void_p
# Result, then arguments, of the functions of csrc/memorycell.h that layers call. Structs come as packed bytes.
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "mc_level_name": (_BYTES, _LONG),
    "mc_level_runs": (ctypes.c_int, _LONG),
    "mc_peak": (_DOUBLE, _LONG, _LONG),
    "mc_reserve_bytes": (_LONG, _BYTES),
    "mc_forward": (ctypes.c_int, _BYTES, _LONG, _LONG),
    "mc_backward": (ctypes.c_int, _BYTES, _BYTES, _LONG, _LONG),
    "mc_trace": (ctypes.c_int, _BYTES, _POINTER, _LONG, _LONG, _LONG),
    "mc_bernoulli": (None, *[_LONG] * 6, _DOUBLE, _LONG, _POINTER),
}
_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def _openmp(library: ctypes.CDLL) -> int | None:
    """Address of the OpenMP runtime that `library` calls; None if it calls none."""
    try:
        function = library.omp_get_max_threads
    except AttributeError:
        return None
    return ctypes.cast(function, ctypes.c_void_p).value


def torch_library() -> ctypes.CDLL:
    """torch's own library, which also finds the functions of the OpenMP runtime and of the BLAS that it uses.

    Raises
    ------
    OSError
        If torch was built in another way.
    """
    folder = Path(torch.__file__).parent / "lib"
    name = {"win32": "torch_cpu.dll", "darwin": "libtorch_cpu.dylib"}.get(sys.platform, "libtorch_cpu.so")
    return ctypes.CDLL(str(folder / name))  # loaded long ago: this only finds its handle


def _check(library: ctypes.CDLL, path: Path) -> str | None:
    """What is wrong with a loaded library, or None."""
    try:
        found = library.mc_abi()
    except AttributeError:
        return f"{path} is not memorycell's native library: it has no function mc_abi"
    if found != _ABI:
        return f"{path} has interface version {found}, expected {_ABI}: reinstall memorycell"
    try:
        for name, (result, *arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as error:
        return f"{path} lacks a function ({error}): reinstall memorycell"
    ours = _openmp(library)
    # With a second OpenMP runtime the modes would be set in threads that torch does not compute with, and
    # torch.set_num_threads would not be obeyed. The counts of mapped files tell nothing here: scikit-learn
    # brings a runtime of its own. The address of a function that both call does.
    if ours is not None and ours != _openmp(torch_library()):
        return f"{path} uses another OpenMP runtime than torch: rebuild it with GCC (CXX=g++), whose OpenMP torch uses"
    return None


@functools.cache
def _load() -> tuple[ctypes.CDLL | None, str | None]:
    named = os.environ.get("MEMORYCELL_NATIVE")
    # An editable install keeps the built library apart from the sources: the package then has two folders.
    folders = [Path(named).parent] if named else [Path(folder) for folder in memorycell.kernels.__path__]
    name = Path(named).name if named else "memorycell_native" + _SUFFIX
    path = next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name)
    if not path.is_file():
        remedy = (
            "unset MEMORYCELL_NATIVE or let it name the built library"
            if named
            else "install a C++ compiler (Debian: apt install g++), then "
            "pip install --force-reinstall --no-cache-dir --no-deps memorycell (pip keeps the wheel built without one)"
        )
        return None, f"no native library at {path}: {remedy}"
    try:
        library = ctypes.CDLL(str(path))
        problem = _check(library, path)
    except OSError as error:
        library, problem = None, f"cannot load the native library: {error}"
    return (None, problem) if problem else (library, None)


def library() -> ctypes.CDLL | None:
    """The native library (csrc/memorycell.h), or None if it cannot be used: `why_missing` then says why.

    It is looked for beside this module; the environment variable ``MEMORYCELL_NATIVE`` may name another file.
    Loaded once, and only if it speaks this version's interface and calls the same OpenMP runtime as torch.

    Example
    -------
    >>> (library() is None) == (why_missing() is not None)
    True
    """
    return _load()[0]


def available() -> bool:
    """Whether `library()` is there."""
    # torch.compile cannot trace the search for a file, but reads a global as the constant that it is.
    return _is_there if torch.compiler.is_compiling() else _load()[0] is not None


def why_missing() -> str | None:
    """Why `library()` is None, with the remedy; None if it is there."""
    return _load()[1]


def levels() -> list[str]:
    """The levels that the library has and this processor runs, the best first; empty without a library.

    On x86-64 "v4" (AVX-512), "v3" (AVX2), "v2" (SSE4.2), elsewhere "base".
    """
    native, found = library(), []
    if native is not None:
        number = 0
        while (name := native.mc_level_name(number)) is not None:
            if native.mc_level_runs(number):
                found.append(name.decode())
            number += 1
    return found


@functools.cache
def level() -> int:
    """The number of the level in use: the best that runs, or the one that ``MEMORYCELL_ISA`` names.

    Raises
    ------
    ValueError
        If ``MEMORYCELL_ISA`` names a level that the library lacks or this processor cannot run.
    """
    native, runs = library(), levels()
    if native is None:
        raise ValueError(f"expected the native library for a level, got none: {why_missing()}")
    wanted = os.environ.get("MEMORYCELL_ISA") or runs[0]
    if wanted not in runs:
        raise ValueError(
            f"expected MEMORYCELL_ISA to be one of {', '.join(runs)}, the levels this processor runs, got {wanted!r}"
        )
    number = 0
    while native.mc_level_name(number).decode() != wanted:
        number += 1
    return number


def level_name() -> str | None:
    """Name of `level()`, None without a library."""
    native = library()
    return None if native is None else native.mc_level_name(level()).decode()


@contextmanager
def flush_subnormals() -> Iterator[None]:
    """Within the block, subnormal numbers count as zero in every thread that torch computes with.

    A gradient that has travelled back through a few hundred steps is made of subnormal numbers (below 1.2e-38
    in float32), and each costs an x86 core some hundred cycles; as zeros they cost nothing. With the native
    library the whole OpenMP pool of the calling thread is switched, else the calling thread alone (the pool's
    threads that start within the block inherit the mode). Afterwards every thread has the mode that it had,
    also after an exception. Where the processor cannot flush, nothing happens.

    Example
    -------
    >>> tiny = torch.tensor(1e-40)
    >>> with flush_subnormals():
    ...     inside = (tiny * 0.5).item()
    >>> inside, (tiny * 0.5).item() > 0
    (0.0, True)
    """
    native = library()
    if native is None:
        with _flush_this_thread():
            yield
        return
    n_threads = min(torch.get_num_threads(), MOST_THREADS)
    previous = (ctypes.c_int * n_threads)()
    native.mc_set_flush(1, n_threads, previous)
    try:
        yield
    finally:
        native.mc_restore_flush(n_threads, previous)


@contextmanager
def _flush_this_thread() -> Iterator[None]:
    # torch can set the mode but not tell it: a product of normal numbers that is subnormal tells.
    before = sys.float_info.min * float("0.5") == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


_is_there = library() is not None
