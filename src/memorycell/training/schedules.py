"""Learning rates as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Iterable

from memorycell.training.options import TrainingOptions

_ONE_CYCLE_RISE = 0.3  # part of the steps, and how far below its top the rate starts and ends (Smith & Topin 2019)
_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_END = 1e-4
_SLANTED_CUT = 0.1  # part of the steps that rise, and how many times lower the rate starts (Howard & Ruder 2018)
_SLANTED_RATIO = 32


def rate(options: TrainingOptions, step: int, total: int, plateau: float = 1.0) -> float:
    """The learning rate of optimiser step `step` (from 0) of `total`.

    plateau : float
        How far the "plateau" schedule has gone down, 1 at first (see `Plateau`).

    Example
    -------
    >>> options = TrainingOptions(learning_rate=1.0, schedule="cosine", warmup_steps=2)
    >>> [round(rate(options, step, 6), 3) for step in range(6)]
    [0.333, 0.667, 1.0, 0.854, 0.5, 0.146]
    """
    warmup = options.warmup_steps
    if step < warmup:
        return options.learning_rate * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, total - warmup)
    return options.learning_rate * _SHAPES[options.schedule](done) * plateau


def _cosine(done: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * done))


def _one_cycle(done: float) -> float:
    if done < _ONE_CYCLE_RISE:
        low, part = _ONE_CYCLE_START, 1.0 - done / _ONE_CYCLE_RISE
    else:
        low, part = _ONE_CYCLE_END, (done - _ONE_CYCLE_RISE) / (1.0 - _ONE_CYCLE_RISE)
    return low + (1.0 - low) * _cosine(part)


def _slanted_triangular(done: float) -> float:
    rising = done < _SLANTED_CUT
    part = done / _SLANTED_CUT if rising else (1.0 - done) / (1.0 - _SLANTED_CUT)
    return (1.0 + part * (_SLANTED_RATIO - 1)) / _SLANTED_RATIO


_SHAPES = {
    "constant": lambda done: 1.0,
    "plateau": lambda done: 1.0,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
    "slanted_triangular": _slanted_triangular,
}


def stage(options: TrainingOptions, epoch: int, steps: int, unfreezing: Iterable[int]) -> tuple[int, int]:
    """First step, and number of steps, of what the schedule goes through in `epoch` (from 0).

    That is the whole training; but "slanted_triangular" begins anew, warm-up included, in every epoch of `unfreezing`,
    as its authors' program does: what has just been unfrozen meets a low rate first.

    Example
    -------
    >>> options = TrainingOptions(epochs=10, schedule="slanted_triangular")
    >>> [stage(options, epoch, 5, {0, 1, 3}) for epoch in (0, 2, 9)]
    [(0, 5), (5, 10), (15, 35)]
    """
    ends = sorted({*unfreezing, options.epochs} - {0}) if options.schedule == "slanted_triangular" else [options.epochs]
    first = max([end for end in ends if end <= epoch], default=0)
    return first * steps, (min(end for end in ends if end > epoch) - first) * steps


def plateau_patience(options: TrainingOptions) -> int:
    """Epochs without improvement before the rate is halved: a third of `patience`, tried before stopping."""
    return max(1, (10 if options.patience is None else options.patience) // 3)
