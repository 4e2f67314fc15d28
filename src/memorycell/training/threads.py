"""How many threads a network is worth."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from memorycell.data.batch import Batch

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
        Default: `torch.get_num_threads()`, which is the number of cores or OMP_NUM_THREADS.

    Example
    -------
    >>> choose_threads(2 * 32 * 17_000, limit=8), choose_threads(2 * 256 * 4_000_000, limit=8)
    (1, 8)
    """
    limit = torch.get_num_threads() if limit is None else limit
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


@contextmanager
def using_threads(n_threads: int) -> Iterator[None]:
    """Within the block torch computes with `n_threads` threads; afterwards with as many as before.

    Example
    -------
    >>> with using_threads(1):
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
