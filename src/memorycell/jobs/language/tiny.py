"""A text that a language model learns in a second, for checks."""

from __future__ import annotations

from pathlib import Path

from memorycell.jobs.card import Tiny


def book(folder: Path) -> Tiny:
    """One sentence, many times."""
    file = folder / "book.txt"
    file.write_text("the cat sat on the mat and the dog sat on the log\n" * 60, encoding="utf-8")
    return Tiny(file, {"unit": "character", "hidden_size": 8, "embedding_size": 4, "batch_size": 2, "epochs": 2})
