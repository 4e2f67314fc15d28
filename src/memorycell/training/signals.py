"""Being asked to stop while training: by Ctrl-C, by a system that shuts down, by a terminal that is closed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

# What ends a process: SIGTERM, of `kill`, of batch systems and containers; SIGHUP, of a terminal that is closed.
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))

# Where `asked_to_end` is entered: what was asked for within it.
_asked: list[list[int]] = []


class Interrupts:
    """Notes the first SIGINT, SIGTERM or SIGHUP within the block, so that none tears a step in two.

    A second SIGINT raises at once. When the block ends, the handlers are those of before, and a process that was asked
    to end does: SystemExit with 128 and the signal's number, as shells count it, or as `asked_to_end` says. Only in the
    main thread, and only where Python's own handlers were in charge: others, and signals that are ignored (`nohup`),
    are left alone.

    Attributes
    ----------
    requested : how often it was asked to stop
    torn : whether Ctrl-C was pressed a second time
    """

    def __init__(self) -> None:
        self.requested = 0
        self.torn = self._pressed = False
        self._ending: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self
        usual = {signal.SIGINT: signal.default_int_handler, **dict.fromkeys(ENDING, signal.SIG_DFL)}
        for number, handler in usual.items():
            if signal.getsignal(number) is handler:
                self._previous[number] = signal.signal(number, self._note)
        if _asked and _asked[-1]:  # after the training before this one, when no step was left to stop before
            self.requested = 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if self._ending is None or error is not None:
            return
        if _asked:
            _asked[-1].append(self._ending)
        else:
            raise SystemExit(128 + self._ending)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested += 1
        if number in ENDING:
            self._ending = self._ending or number
            return
        self.torn = self._pressed
        self._pressed = True
        if self.torn:
            raise KeyboardInterrupt


@contextlib.contextmanager
def asked_to_end() -> Iterator[list[int]]:
    """Trainings within it that are asked to end return as after Ctrl-C; the list then has the signal's number.

    For whoever has something left to do then, and ends the process itself.
    """
    asked: list[int] = []
    _asked.append(asked)
    try:
        yield asked
    finally:
        _asked.remove(asked)
