"""Small made-up texts, tagged words and series, and commands that train quickly on them."""

import math
import random
from pathlib import Path

from command_cases import write_rows

QUICK = ("--epochs", "2", "--threads", "1", "-q")
CLASSIFY = (*QUICK, "--hidden-size", "4", "--embedding-size", "4", "--pooling", "mean", "--refit", "no")
TAG = (*QUICK, "--hidden-size", "4", "--embedding-size", "4", "--no-characters")
LANGUAGE = (*QUICK, "--unit", "character", "--hidden-size", "8", "--embedding-size", "4", "--batch-size", "2")

_GOOD = ("lovely crew", "great flight", "thank you so much", "best seats ever")
_BAD = ("lost my bag", "late again", "rude and slow", "never flying with you")
_PLAIN = ("which gate", "what time does it leave", "is there a bus", "do you fly there")


def opinion_rows(count: int = 90) -> list[list[str]]:
    """Header and rows: text, feeling, user, day."""
    dice = random.Random(1)  # noqa: S311
    rows = [["text", "feeling", "user", "day"]]
    for number in range(count):
        feeling, phrases = (("good", _GOOD), ("bad", _BAD), ("plain", _PLAIN))[number % 3]
        text = f"{dice.choice(phrases)} {dice.choice(phrases)} {number}"
        rows.append([text, feeling, f"user{number % 7}", f"2024-01-{number % 28 + 1:02d}"])
    return rows


def write_opinions(path: Path, count: int = 90) -> Path:
    return write_rows(path, opinion_rows(count))


def write_tagged(path: Path, sentences: int = 30) -> Path:
    pair = "the\tDET\ndog\tNOUN\nbarks\tVERB\n\na\tDET\nsmall\tADJ\ncat\tNOUN\nsleeps\tVERB\n\n"
    path.write_text(pair * (sentences // 2), encoding="utf-8")
    return path


def write_book(path: Path, lines: int = 60) -> Path:
    path.write_text("the cat sat on the mat and the dog sat on the log\n" * lines, encoding="utf-8")
    return path


def write_waves(path: Path, count: int = 24) -> Path:
    """A long table: wave, step, height, kind, size."""
    rows = [["wave", "step", "height", "kind", "size"]]
    for number in range(count):
        rate = 0.3 if number % 2 else 1.2
        for step in range(6 + number % 3):
            height = math.sin(step * rate + number)
            rows.append([f"w{number}", str(step), f"{height:.3f}", "slow" if number % 2 else "fast", f"{rate:.1f}"])
    return write_rows(path, rows)
