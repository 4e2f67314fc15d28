"""Files that a classifier and a regressor learn in a second, for checks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from memorycell.jobs.card import Tiny

_QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 2, "refit": False}
_GOOD, _BAD = ("lovely crew", "great flight", "thank you so much"), ("lost my bag", "late again", "rude and slow")


def texts(folder: Path) -> Tiny:
    """Short opinions and whether they are good."""
    file, rows = folder / "opinions.csv", ["text,feeling"]
    for number in range(40):
        feeling, phrases = (("good", _GOOD), ("bad", _BAD))[number % 2]
        rows.append(f"{phrases[number % 3]} {phrases[number // 2 % 3]} {number},{feeling}")
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return Tiny(
        file, {**_QUICK, "text": "text", "target": "feeling", "embedding_size": 4, "pooling": "mean", "n_grams": 0},
        blank='"",\n',
    )  # fmt: skip


def waves(folder: Path) -> Tiny:
    """A wave in each row, and how fast it is."""
    file, rows = folder / "waves.csv", [",".join([f"x{step}" for step in range(8)] + ["rate"])]
    for number in range(40):
        rate = 0.2 + 0.02 * number
        rows.append(",".join([f"{math.sin(step * rate + number):.3f}" for step in range(8)] + [f"{rate:.2f}"]))
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return Tiny(file, _QUICK | {"target": "rate", "convolution": False}, blank="," * 8 + "\n")
