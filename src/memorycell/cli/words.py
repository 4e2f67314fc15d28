"""Words that every description of a model needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def epochs_text(model: Any) -> str:
    """How long it was trained, and how that ended."""
    count = len(model.history_)
    ending = {"early": "stopped early", "interrupted": "interrupted"}.get(model.stopped_, "")
    epochs = f"{count} {'epoch' if count == 1 else 'epochs'}"
    return ", ".join(part for part in (epochs, f"best {model.best_epoch_}", ending) if part)


def training_text(model: Any) -> str:
    """Epochs, time and threads of the training, and the loss that it ended with."""
    best = model.best_epoch_row()
    told = "" if best.get("val_loss") is None else f"; validation loss {best['val_loss']:.4g}"
    return f"{epochs_text(model)} in {model.train_seconds_:.1f} s on {threads(model.n_threads_)}{told}"


def threads(count: int) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{count} {'thread' if count == 1 else 'threads'}"


def size(path: Path) -> str:
    """The size of a file."""
    count = float(path.stat().st_size)
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def markdown(text: str) -> str:
    """Text that Markdown takes as it is."""
    return "".join("\\" + char if char in "\\`*_{}[]<>#|" else char for char in text)


def bullets(*texts: str) -> str:
    """A Markdown list."""
    return "\n".join(f"- {text}" for text in texts)
