"""What is stepped through: runs of cells, what their steps are called, and which of all that is shown first."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.times.calendar import say_date
from memorycell.insight.explained import Explained
from memorycell.pages.drawing import label
from memorycell.pages.explaining.cell import CellRun, fitted_to_page
from memorycell.pages.highlight import LEVELS, MOST_CHANNELS
from memorycell.pages.plots.steps import token

_AROUND = {"characters": 22, "words": 7, "subwords": 9}  # on either side of the chosen one
_SYMBOLS = 12
TEXTS = ("text", "symbols", "words")
_FAINTEST = 0.08  # of the strongest: below it a word has no colour


@dataclass(frozen=True, eq=False)
class Player:
    """All that is stepped through: runs, the units of each, and the step and run that are shown first."""

    explained: Explained
    scores: NDArray[np.float64] | None
    runs: list[tuple[CellRun, list[int]]]
    labels: list[list[str]]
    at: list[int]
    first: int
    noun: str = "steps"

    @property
    def around(self) -> int:
        """How many steps are shown on either side of the chosen one."""
        return _AROUND.get(self.noun, _SYMBOLS) if self.explained.kind in TEXTS else 0

    @property
    def kinds(self) -> list[tuple[Any, ...]]:
        """The different cells, in the order in which they come."""
        return list(dict.fromkeys((*run.kind, run.zone) for run, _ in self.runs))

    def kind_of(self, number: int) -> int:
        """Which of `kinds` a run is."""
        run = self.runs[number][0]
        return self.kinds.index((*run.kind, run.zone))


def player(
    explained: Explained, scores: NDArray[np.float64] | None, runs: Sequence[CellRun], noun: str = "steps"
) -> Player:
    """Choose what is shown first: the last layer, its unit that matters most, the step that the output is read at.

    Where the output is read from the whole sequence, the step that adds most to it.
    """
    chosen = len(explained) - 1
    if explained.anchor is not None:
        chosen = explained.anchor
    elif scores is not None and len(scores) and np.abs(scores).max() > 0:
        chosen = int(np.abs(scores).argmax())
    at = [_step_of(explained, run.steps, chosen) for run in runs]
    fitted = fitted_to_page(runs, at)
    labels = [
        step_labels(explained, run.steps)[short.first :][: short.steps]
        for run, (short, _) in zip(runs, fitted, strict=True)
    ]
    at = [place - short.first for place, (short, _) in zip(at, fitted, strict=True)]
    # Of a layer that reads both ways the forward half, which people read first; a decoder reads other steps.
    forward = [n for n, run in enumerate(runs) if not run.backwards and run.steps == runs[0].steps]
    return Player(explained, scores, fitted, labels, at, forward[-1], noun)


def _stretches(explained: Explained, steps: int) -> list[tuple[int, int]] | None:
    """First row and the row after the last of each step of a layer that reads stretches; None where it does not.

    Rows before the first stretch are not read by the layer.
    """
    rows = explained.rows_of_step
    if rows is None or len(rows) != steps:
        return None
    ends = len(explained) - sum(rows) + np.cumsum(rows)
    return [(int(end) - count, int(end)) for end, count in zip(ends, rows, strict=True)]


def _step_of(explained: Explained, steps: int, chosen: int) -> int:
    """The layer's step in which step `chosen` of the sequence is read; the last where there is no telling."""
    if steps == len(explained):
        return chosen
    found = _stretches(explained, steps) or []
    return next((step for step, (_, stop) in enumerate(found) if chosen < stop), steps - 1)


def step_labels(explained: Explained, steps: int) -> list[str]:
    """What the steps of a layer are called: as those of the sequence, or by the stretches they read."""
    names = [called(each) for each in explained.labels]
    if steps == len(names):
        return names
    found = _stretches(explained, steps)
    if found is None:
        return [f"{step} ahead" for step in range(1, steps + 1)]
    return [names[a] if b - a == 1 else f"{names[a]} to {names[b - 1]}" for a, b in found]


def called(step: Any) -> str:
    """What a step is called: a date, a visible token, or its number.

    Example
    -------
    >>> called(np.datetime64("2024-05-01")), called(" "), called(7)
    ('2024-05-01', '␣', 'step 7')
    """
    if isinstance(step, np.datetime64):
        return say_date(step)
    return token(step, 28) if isinstance(step, str) else f"step {step}"


def levels(shown: Player) -> list[int] | None:
    """How strongly each step speaks, from -5 to 5, where the page colours words by it."""
    if shown.scores is None or shown.explained.kind not in TEXTS:
        return None
    most = float(np.abs(shown.scores).max(initial=0.0)) or 1.0
    shares = np.nan_to_num(shown.scores / most)
    strong = np.where(np.abs(shares) < _FAINTEST, 0, np.ceil(np.abs(shares) * LEVELS))
    return [int(level) for level in np.sign(shares) * strong]


def channels(explained: Explained) -> list[dict[str, Any]]:
    """Readings in their units, the first few columns."""
    if explained.shown is None:
        return []
    made = []
    for name, column in list(zip(explained.channels, np.asarray(explained.shown).T, strict=False))[:MOST_CHANNELS]:
        packed = base64.b64encode(column.astype("<f4").tobytes()).decode()
        made.append({"name": label(name), "digits": _digits(column), "data": packed})
    return made


def _digits(column: NDArray[np.float64]) -> int:
    known = column[np.isfinite(column)]
    spread = float(np.ptp(known)) if len(known) else 0.0
    return 0 if spread > 200 else 1 if spread > 20 else 2 if spread > 2 else 3
