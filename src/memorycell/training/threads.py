"""How many threads a network is worth."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from memorycell.data.batch import Batch
from memorycell.kernels.limits import MOST_THREADS, said
from memorycell.kernels.native import torch_library

# A recurrent network is a chain of small products; at each a team of threads must meet. Meeting costs
# microseconds on an idle machine but a whole time slice beside a busy neighbour. One core does about 2e7
# floating-point operations in 0.5 ms, so that much for each further thread leaves the meeting a small part
# even on a busy machine.
FLOPS_PER_THREAD = 2e7


def choose_threads(flops_per_step: float, limit: int | None = None) -> int:
    """Threads for a recurrent network that does `flops_per_step` floating-point operations forward in a time
    step.

    A rule of the shapes, not a measurement: the same training takes the same number on the same machine, and
    with it the same bits. One thread for each 2·10⁷ operations, at least one, at most `limit`.

    Parameters
    ----------
    flops_per_step : float
        2 · batch size · parameters of the recurrent layer, say.
    limit : int, optional
        Default: `torch.get_num_threads()`, which is the number of cores or OMP_NUM_THREADS; at most 256.

    Example
    -------
    >>> choose_threads(2 * 32 * 17_000, limit=8), choose_threads(2 * 256 * 4_000_000, limit=8)
    (1, 8)
    """
    limit = min(torch.get_num_threads(), MOST_THREADS) if limit is None else limit
    return max(1, min(limit, int(flops_per_step / FLOPS_PER_THREAD)))


def flops_per_step(network: nn.Module, batch: Batch) -> float:
    """Forward floating-point operations of `network` on `batch` in one time step.

    A network may know better and offer ``flops_per_step(batch) -> float``. Else each parameter counts for one
    multiplication and one addition a row and time step, embeddings (which are looked up) for none.
    """
    offered = getattr(network, "flops_per_step", None)
    if callable(offered):
        return float(offered(batch))
    looked_up = sum(module.weight.numel() for module in network.modules() if isinstance(module, nn.Embedding))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return 2.0 * len(batch) * max(0, parameters - looked_up)


# A process forked from one that had threads has only the one that forked; OpenMP would wait for the others forever.
_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def usable_threads(n_threads: int) -> int:
    """So many threads, as far as there is a core for each; one in a forked process.

    Example
    -------
    >>> usable_threads(1)
    1
    """
    return 1 if _forked else max(1, min(n_threads, _cores()))


def _cores() -> int:
    """Cores that this process may use, or as many as torch was told to."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_THREADS, max(count, torch.get_num_threads()))


@contextmanager
def using_threads(n_threads: int) -> Iterator[None]:
    """Within the block torch computes with `n_threads` threads in this Python thread; afterwards as before.

    Other Python threads compute with as many as they did. In a forked process it is one thread, whatever is asked for:
    those of its parent are not there.

    Raises
    ------
    ValueError
        For more than 256 threads, or none.

    Example
    -------
    >>> with using_threads(1):
    ...     torch.get_num_threads()
    1
    """
    if not 1 <= n_threads <= MOST_THREADS:
        raise ValueError(f"expected at least one thread, got {n_threads}" if n_threads < 1 else said(n_threads))
    wanted = 1 if _forked else n_threads
    before = torch.get_num_threads()  # a new thread learns here how many are its own
    if before == wanted:
        yield
        return
    undo = _set_threads(wanted)
    try:
        yield
    finally:
        undo(before)


def _set_threads(n_threads: int) -> Callable[[int], object]:
    """Set the number of threads; returns what takes it back, told how many there were."""
    setters = _setters()
    if setters is None:
        torch.set_num_threads(n_threads)
        return torch.set_num_threads
    of_openmp, of_mkl = setters
    of_openmp(n_threads)
    if of_mkl is None:
        return of_openmp
    mkl_before = of_mkl(n_threads)

    def undo(before: int) -> None:
        of_openmp(before)
        of_mkl(mkl_before)

    return undo


@functools.cache
def _setters() -> tuple[Callable[[int], Any], Callable[[int], Any] | None] | None:
    """What sets the number of threads of the calling thread alone: OpenMP's, and MKL's where torch has it.

    `torch.set_num_threads` also sets what threads that begin meanwhile keep for good. None where there is nothing else.
    """
    try:
        library = torch_library()
        of_openmp = library.omp_set_num_threads
    except (OSError, AttributeError):
        return None
    of_openmp.restype = None
    return of_openmp, getattr(library, "MKL_Set_Num_Threads_Local", None)


# The threads of OpenBLAS spin while they wait for each other: beside a busy neighbour two of them take 60 ms for a
# system of 200 equations, which one solves in 0.5 ms. So much work is worth it all the same.
FLOPS_WORTH_BLAS_THREADS = 1e9


class _BlasLimit:
    """One thread for BLAS as long as anyone in any thread asks for it: the setting is one for the whole process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asking = 0
        self.limit: Any = None

    def enter(self) -> None:
        from threadpoolctl import ThreadpoolController

        with self.lock:
            if not self.asking:
                self.limit = ThreadpoolController().limit(limits=1, user_api="blas")
            self.asking += 1

    def leave(self) -> None:
        with self.lock:
            self.asking -= 1
            if not self.asking:
                self.limit.restore_original_limits()


_BLAS = _BlasLimit()


@contextmanager
def blas_threads(flops: float) -> Iterator[None]:
    """Within the block numpy and scipy compute with one thread if the work is small, else as they are set.

    What is to compute so is imported before. Entering takes some milliseconds.

    Parameters
    ----------
    flops : float
        Floating-point operations of the block's largest part; from `FLOPS_WORTH_BLAS_THREADS` on nothing is changed.

    Example
    -------
    >>> import numpy as np
    >>> with blas_threads(2 * 3**3):
    ...     float((np.eye(3) @ np.eye(3)).sum())
    3.0
    """
    if flops >= FLOPS_WORTH_BLAS_THREADS:
        yield
        return
    _BLAS.enter()
    try:
        yield
    finally:
        _BLAS.leave()
