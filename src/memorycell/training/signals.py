"""Ctrl-C during training: the first press asks it to stop, the second stops at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """Notes the first SIGINT within the block, so that it never tears a step in two; a second one raises.

    Only in the main thread, and only where Python's own handler was in charge: another handler is left alone.
    """

    def __init__(self) -> None:
        self.requested = 0
        self._previous: Any = None

    def __enter__(self) -> Interrupts:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested += 1
        if self.requested > 1:
            raise KeyboardInterrupt
