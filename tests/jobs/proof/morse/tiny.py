"""Signals that a reader learns in a second, for checks."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from memorycell.jobs.card import Tiny

CODE = {"E": ".", "T": "-", "A": ".-", "N": "-.", "S": "...", "O": "---"}


def signals(folder: Path) -> Tiny:
    """Words of six letters of the alphabet."""
    draw = random.Random(0)  # noqa: S311
    file = folder / "signals.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        write = csv.writer(out)
        write.writerow(["signal", "text"])
        for _ in range(40):
            word = "".join(draw.choice("ETANSO") for _ in range(draw.randint(2, 5)))
            write.writerow([" ".join(CODE[letter] for letter in word), word])
    return Tiny(file, {"hidden_size": 8, "epochs": 2})
