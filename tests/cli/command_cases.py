"""The command run in this process, and a small table of made-up weather."""

import contextlib
import io
import math
import random
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from memorycell.cli.main import main

SMALL = ("--window", "6", "--epochs", "2", "--hidden-size", "4", "--no-refit", "--threads", "1")


@dataclass
class Ran:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


class Screen(io.StringIO):
    """A stdout that is a terminal."""

    def isatty(self) -> bool:
        return True


def run(*argv: object, terminal: bool = False) -> Ran:
    """Run `memorycell` with these arguments in this process, its stdout a pipe or a terminal."""
    out, err = Screen() if terminal else io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in argv])
    return Ran(code, out.getvalue(), err.getvalue())


def refused(ran: Ran) -> str:
    """The one line on stderr of a command that was refused; nothing on stdout, exit code 2."""
    assert (ran.code, ran.out) == (2, ""), ran
    lines = ran.err.splitlines()
    errors = [line for line in lines if not line.startswith("memorycell: fold ")]
    assert len(errors) == 1, ran.err
    assert errors[0].startswith("memorycell: ")
    assert "Traceback" not in ran.err
    return errors[0]


def weather_rows(count: int = 240) -> list[list[str]]:
    """Header and rows: date, temp, rain, sky."""
    dice = random.Random(0)  # noqa: S311
    rows = [["date", "temp", "rain", "sky"]]
    for day in range(count):
        temp = 12 + 8 * math.sin(2 * math.pi * day / 60) + dice.gauss(0, 1)
        rows.append(
            [
                (date(2023, 1, 1) + timedelta(day)).isoformat(),
                f"{temp:.2f}",
                f"{dice.random():.2f}",
                dice.choice(["blue", "grey"]),
            ]
        )
    return rows


def write_rows(path: Path, rows: list[list[str]], delimiter: str = ",") -> Path:
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows), encoding="utf-8")
    return path
