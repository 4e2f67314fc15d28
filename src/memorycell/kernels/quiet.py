"""Warnings of this thread, silenced or collected: what Python has for that, `catch_warnings`, acts on all threads.

Two threads that enter and leave `catch_warnings` in turn leave the filters of one of them behind for good.
"""

from __future__ import annotations

import inspect
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_open = threading.local()  # .blocks: a list of blocks, those of this thread


class _Block:
    """What one block silences, and what it has silenced."""

    def __init__(self, category: type[Warning], text: str) -> None:
        self.category, self.pattern = category, re.compile(text)
        self.found: list[str] = []


class _Here:
    """Stands in a filter in the place of a regular expression: whether a block of this thread silences a text."""

    def __init__(self, category: type[Warning]) -> None:
        self.category = category

    def match(self, text: str) -> bool:
        for block in reversed(getattr(_open, "blocks", ())):
            if block.category is self.category and block.pattern.match(text):
                block.found.append(text)
                return True
        return False


class _Filters:
    """The filters that are in place, one for each category, as long as any thread has a block of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.used: dict[type[Warning], int] = {}
        self.entries: dict[type[Warning], Any] = {}

    def enter(self, category: type[Warning]) -> None:
        with self.lock:
            self.used[category] = self.used.get(category, 0) + 1
            entry = self.entries.setdefault(category, ("ignore", _Here(category), category, None, 0))
            filters: Any = warnings.filters
            if not filters or filters[0] is not entry:  # someone else put theirs before it
                _remove(entry)
                filters.insert(0, entry)

    def leave(self, category: type[Warning]) -> None:
        with self.lock:
            self.used[category] -= 1
            if not self.used[category]:
                _remove(self.entries[category])


def _remove(entry: Any) -> None:
    filters: Any = warnings.filters
    filters[:] = [each for each in filters if each is not entry]


_FILTERS = _Filters()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: setattr(_FILTERS, "lock", threading.Lock()))


def tell(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn of something, as of the line that called this package."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "memorycell":
        level, frame = level + 1, frame.f_back
    warnings.warn(text, category, stacklevel=level)


@contextmanager
def quiet(category: type[Warning] = Warning, text: str = "") -> Iterator[list[str]]:
    """Within it warnings of this thread are not shown; the list that it gives has their texts.

    Parameters
    ----------
    category : their class, or one above it
    text : a regular expression that their texts begin with; "": any

    Example
    -------
    >>> before = list(warnings.filters)
    >>> with quiet(UserWarning, "odd") as said:
    ...     warnings.warn("odd data", UserWarning)
    >>> said, warnings.filters == before
    (['odd data'], True)
    """
    block = _Block(category, text)
    blocks = _open.__dict__.setdefault("blocks", [])
    _FILTERS.enter(category)
    blocks.append(block)
    try:
        yield block.found
    finally:
        blocks.remove(block)
        _FILTERS.leave(category)
