"""What data hold, in one short text: every byte is read, at the speed of memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.ragged import Ragged

Contents = Iterable[tuple[str, Any]]

_BLOCK = 1 << 22  # bytes that are hashed at a time: a memory-mapped file is never in memory as a whole
_DIGITS = 9  # of numbers that were computed: another machine may add in another order


@runtime_checkable
class Holding(Protocol):
    """A data set, or a stream of one, that tells what it holds."""

    def content(self) -> Contents | None:
        """Names with tensors, arrays, `Ragged` or plain JSON; None where that is not known."""
        ...


def fingerprint(contents: Contents) -> str:
    """SHA-256 of named tensors, arrays, `Ragged` or plain JSON; one value more, less or other makes another.

    Nothing is sampled: of a million labels one that is flipped is seen. Blocks of 4 MB are hashed side by side, which
    takes about a second a GB; of a memory-mapped file no more than those blocks is in memory.

    Example
    -------
    >>> fingerprint([("labels", np.array([0, 1, 1]))]) == fingerprint([("labels", np.array([1, 0, 1]))])
    False
    """
    whole = hashlib.sha256()
    for name, value in _parts(contents):
        if isinstance(value, np.ndarray):
            whole.update(f"{name}:{value.dtype.str}{value.shape};".encode())
            for digest in _digests(value):
                whole.update(digest)
        else:
            whole.update(f"{name}:{json.dumps(_rounded(value), sort_keys=True)};".encode())
    return whole.hexdigest()[:32]


def _parts(contents: Contents) -> Iterator[tuple[str, Any]]:
    for name, value in contents:
        if isinstance(value, Ragged):
            yield f"{name} offsets", value.offsets.numpy()
            value = value.values
        if isinstance(value, Tensor):
            value = value.detach().cpu()
            # numpy has no bfloat16: its bytes are as good.
            value = value.numpy() if not value.is_floating_point() or value.itemsize > 2 else value.float().numpy()
        yield name, value


def _digests(values: NDArray) -> Iterable[bytes]:
    if values.nbytes <= _BLOCK:
        return [_digest(values)]
    rows = max(1, _BLOCK // max(1, values.nbytes // len(values)))
    blocks = [values[first : first + rows] for first in range(0, len(values), rows)]
    with ThreadPoolExecutor(min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)) as pool:
        return list(pool.map(_digest, blocks))


def _digest(block: NDArray) -> bytes:
    flat: Any = np.ascontiguousarray(block).reshape(-1).view(np.uint8)
    return hashlib.sha256(flat).digest()


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    return value if value is None or isinstance(value, str | int | bool) else str(value)
