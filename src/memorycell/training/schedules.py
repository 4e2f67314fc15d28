"""Learning rates as functions of the step."""

from __future__ import annotations

import math

from memorycell.training.options import TrainingOptions

_ONE_CYCLE_RISE = 0.3  # part of the steps, and how far below its top the rate starts and ends (Smith & Topin 2019)
_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_END = 1e-4


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


_SHAPES = {
    "constant": lambda done: 1.0,
    "plateau": lambda done: 1.0,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}


def plateau_patience(options: TrainingOptions) -> int:
    """Epochs without improvement before the rate is halved: a third of `patience`, tried before stopping."""
    return max(1, (10 if options.patience is None else options.patience) // 3)
