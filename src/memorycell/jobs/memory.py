"""Memory that a training needs, told before it begins: one estimate for all jobs."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

# Weights, their gradient, two moments of the optimiser, their average and the best so far: each of float32.
_COPIES = 6
_BYTES = 4
_ROOM = 0.8  # of a machine's memory; the rest is for data and everything else
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_FACTORIES = frozenset({torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full})


def machine_memory(device: torch.device) -> int | None:
    """Bytes that a device has in all, or that this process may use of them; None where that cannot be known."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    found = []
    try:
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not on Windows
        pass
    for place in _CGROUPS:
        try:
            text = Path(place).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit() and int(text) > 0:
            found.append(int(text))
    return min(found, default=None)


class Estimating(TorchFunctionMode):
    """Within it a network is built, and counted: once it is larger than what fits, nothing more is allocated.

    Parameters
    ----------
    device : where it will be trained
    less : what a user can change to need less, for the message

    Raises
    ------
    ValueError
        At its end, in one sentence, if a training of the network needs more memory than there is.

    Example
    -------
    >>> with Estimating(torch.device("cpu"), "a smaller hidden_size"):
    ...     _ = torch.nn.Linear(10, 10)
    >>> with Estimating(torch.device("cpu"), "a smaller hidden_size"):  # doctest: +IGNORE_EXCEPTION_DETAIL
    ...     _ = torch.nn.Linear(10**7, 10**7)
    Traceback (most recent call last):
    ValueError: expected a network whose training fits into …
    """

    def __init__(self, device: torch.device, less: str) -> None:
        super().__init__()
        self.memory, self.less = machine_memory(device), less
        self.most = math.inf if self.memory is None else _ROOM * self.memory / (_COPIES * _BYTES)
        self.elements = 0
        self.largest: tuple[int, ...] = ()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _FACTORIES:
            size = kwargs.get("size", args[0] if args and not isinstance(args[0], int) else args)
            self.elements += math.prod(size)
            if math.prod(size) > math.prod(self.largest or (0,)):
                self.largest = tuple(size)
            if self.elements > self.most:
                kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        super().__exit__(kind, error, trace)
        if self.elements > self.most and self.memory is not None:
            said = " × ".join(f"{part:,}" for part in self.largest)
            raise ValueError(
                f"expected a network whose training fits into {_giga(_ROOM * self.memory)} of this machine's "
                f"{_giga(self.memory)} of memory, but {self.elements:,} weights need about "
                f"{_giga(self.elements * _COPIES * _BYTES)} (the largest table is {said}): ask for less with "
                f"{self.less}"
            ) from None


def _giga(count: float) -> str:
    return f"{count / 1e9:,.1f} GB"
