"""What is told while training: the progress bar, the log file, the callbacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from memorycell.data.bars import Bar

Callback = Callable[[dict[str, Any]], Any]


class ProgressBar(Bar):
    """The bar of a training, with epoch, losses and samples a second. See `Bar` for `show`, and what it is called."""

    def __init__(self, show: bool | None, epochs: int, batches: int, done: int = 0, what: str = "fitting") -> None:
        super().__init__(what, epochs * batches, show=show, done=done)
        self._epochs, self._batches = epochs, batches
        self._losses = ""
        self.place = f"epoch 1/{epochs}"

    def batch(self, epoch: int, batch: int, loss: float, examples_per_second: float) -> None:
        self._losses = self._losses or f"loss {loss:.4g}"
        self._told(epoch * self._batches + batch, epoch + 1, examples_per_second)

    def epoch(self, row: dict[str, Any]) -> None:
        validation = "" if row["val_loss"] is None else f" · validation {row['val_loss']:.4g}"
        self._losses = f"loss {row['loss']:.4g}{validation}"
        self._told(row["epoch"] * self._batches, row["epoch"], row["examples_per_second"])

    def _told(self, done: int, epoch: int, speed: float) -> None:
        self.update(done, f"epoch {epoch}/{self._epochs}", f"{self._losses} · {speed:,.0f} samples/s")


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
