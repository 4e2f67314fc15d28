"""What is told while training: the progress bar, the log file, the callbacks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

_REFRESH = 0.1  # seconds between two drawings of the bar

Callback = Callable[[dict[str, Any]], Any]


class ProgressBar:
    """A rich bar on stderr with epoch, losses, samples a second and time left.

    show : True, False, or None for "if stderr is a terminal".
    """

    def __init__(self, show: bool | None, epochs: int, batches: int, done: int = 0) -> None:
        self._bar: Any = None
        self._next = 0.0
        self._epochs, self._batches = epochs, batches
        self._texts = {"epoch": f"epoch 1/{epochs}", "losses": "", "speed": ""}
        self._done = done
        self.shown = sys.stderr.isatty() if show is None else show

    def __enter__(self) -> ProgressBar:
        if self.shown:
            self._bar = _build_bar()
            self._task = self._bar.add_task("", total=self._epochs * self._batches, completed=self._done, **self._texts)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def due(self) -> bool:
        """Whether it is time to draw: what `batch` shows need not be computed otherwise."""
        return self._bar is not None and time.monotonic() >= self._next

    def batch(self, epoch: int, batch: int, loss: float, examples_per_second: float) -> None:
        self._texts["epoch"] = f"epoch {epoch + 1}/{self._epochs}"
        self._texts["speed"] = f"{examples_per_second:,.0f} samples/s"
        if not self._texts["losses"]:
            self._texts["losses"] = f"loss {loss:.4g}"
        self._show(epoch * self._batches + batch)

    def epoch(self, row: dict[str, Any]) -> None:
        if self._bar is None:
            return
        validation = "" if row["val_loss"] is None else f" · validation {row['val_loss']:.4g}"
        self._texts["epoch"] = f"epoch {row['epoch']}/{self._epochs}"
        self._texts["losses"] = f"loss {row['loss']:.4g}{validation}"
        self._texts["speed"] = f"{row['examples_per_second']:,.0f} samples/s"
        self._show(row["epoch"] * self._batches)

    def _show(self, completed: int) -> None:
        due = self.due()
        self._bar.update(self._task, completed=completed, **self._texts)
        if due:
            self._next = time.monotonic() + _REFRESH
            self._bar.refresh()


def _build_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.fields[epoch]}"),
        BarColumn(),
        TextColumn("{task.fields[losses]}"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,  # drawn from the loop: a second thread would take the interpreter from it
    )


class Log:
    """One line of JSON an epoch, appended to a file; None writes nothing.

    Lines that a killed process left behind, of epochs that its checkpoint does not know, are cut off the end, because
    those epochs come again.

    epochs_done : int
        Epochs of this training that are done already.
    size : int or None
        Bytes of the file when the checkpoint was written, which are kept; None: all that is there.
    """

    def __init__(self, path: str | Path | None, epochs_done: int = 0, size: int | None = None) -> None:
        self._path = None if path is None else Path(path)
        if self._path is None:
            return
        if not self._path.parent.is_dir():
            raise FileNotFoundError(f"cannot write the log {path}: there is no folder {self._path.parent}")
        if size is not None and self._path.is_file():
            self._cut(self._path, epochs_done, size)

    @staticmethod
    def _cut(path: Path, epochs_done: int, size: int) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        left = sum(map(len, lines))
        while left > size and (not lines[-1].endswith(b"\n") or _epoch_of(lines[-1]) > epochs_done):
            left -= len(lines.pop())
        with path.open("rb+") as file:
            file.truncate(left)

    @property
    def size(self) -> int | None:
        """Bytes of the file now; None without one."""
        if self._path is None:
            return None
        return self._path.stat().st_size if self._path.is_file() else 0

    def epoch(self, row: dict[str, Any]) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def _epoch_of(line: bytes) -> int:
    try:
        row = json.loads(line)
    except ValueError:
        return 0
    epoch = row.get("epoch", 0) if isinstance(row, dict) else 0
    return epoch if isinstance(epoch, int) else 0


def call(callbacks: Sequence[Callback | Any], event: dict[str, Any]) -> bool:
    """Hand `event` to each callback, function or object; True if one answered "stop"."""
    answers = [getattr(callback, "on_epoch_end", callback)(event) for callback in callbacks]
    return any(isinstance(answer, str) and answer == "stop" for answer in answers)
