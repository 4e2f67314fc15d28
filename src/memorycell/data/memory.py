"""Memory that ran out: one error, whoever asked for it, that says what to do."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

_Call = TypeVar("_Call", bound=Callable[..., Any])

# What allocators say: torch's on CPUs and Windows, and C++.
_SAID = ("can't allocate memory", "not enough memory", "bad_alloc", "out of memory")
_BYTES = re.compile(r"tried to allocate (\d+) bytes")
_SIZE = re.compile(r"(?:[Uu]nable|[Tt]ried) to allocate ([\d.]+) ?([KMGT])iB")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class OutOfMemory(MemoryError):
    """Memory ran out, and what to do about it."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory: Python's, numpy's, Arrow's, torch's or a device's.

    Example
    -------
    >>> ran_out(RuntimeError("DefaultCPUAllocator: can't allocate memory")), ran_out(ValueError())
    (True, False)
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)
    )


def remedied(what: str, remedy: str) -> Callable[[_Call], _Call]:
    """For a function: where memory runs out in it, OutOfMemory says for what, how much was asked for, and the remedy.

    Example
    -------
    >>> @remedied("to add", "add less")
    ... def add():
    ...     raise MemoryError("Unable to allocate 2.00 GiB for an array")
    >>> add()
    Traceback (most recent call last):
    memorycell.data.memory.OutOfMemory: not enough memory to add (2.15 GB more were asked for): add less
    """

    def decorate(call: _Call) -> _Call:
        @functools.wraps(call)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return call(*args, **kwargs)
            except OutOfMemory:
                raise
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error):
                    raise
                said = f"not enough memory {what}{_asked(str(error))}: {remedy}"
            # Outside of the handler: what the error held on to is given back before anything is made of it.
            raise OutOfMemory(said)

        return guarded  # type: ignore[return-value]

    return decorate


def _asked(text: str) -> str:
    """How much was asked for, in brackets, where the error says it."""
    if found := _BYTES.search(text):
        size = float(found[1])
    elif found := _SIZE.search(text):
        size = float(found[1]) * _UNITS[found[2]]
    else:
        return ""
    return f" ({size / 1e9:,.2f} GB more were asked for)"
