"""Tagged words that a tagger learns in a second, for checks."""

from __future__ import annotations

from pathlib import Path

from memorycell.jobs.card import Tiny


def words(folder: Path) -> Tiny:
    """Two sentences, many times."""
    pair = "the\tDET\ndog\tNOUN\nbarks\tVERB\n\na\tDET\nsmall\tADJ\ncat\tNOUN\nsleeps\tVERB\n\n"
    file = folder / "words.tsv"
    file.write_text(pair * 12, encoding="utf-8")
    return Tiny(file, {"hidden_size": 4, "embedding_size": 4, "characters": False, "epochs": 2})
