"""Running the function that is explained: what it is asked for, and how much of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import torch

from memorycell.insight.explained import Explained

_STEPS_AT_ONCE = 20_000  # of all rows together: variants run so many at a time


def check(explained: Explained) -> None:
    """Raise ValueError for a sequence without steps, values that are no numbers, or a baseline of another shape."""
    values, baseline = explained.values, explained.baseline
    if values.ndim != 2 or not len(values):
        raise ValueError(
            f"expected a sequence of at least one step to explain, got values of shape {tuple(values.shape)}"
        )
    if baseline.shape != values.shape:
        raise ValueError(
            f"expected a baseline of shape {tuple(values.shape)}, as the values, got {tuple(baseline.shape)}"
        )
    broken = torch.nonzero(~torch.isfinite(values).all(1)).flatten().tolist()
    if broken:
        raise ValueError(
            f"expected values that are numbers to explain, got NaN or infinity at step {broken[0]}: fill the gaps first"
        )


def value_of(explained: Explained) -> float:
    """The number that is explained. Raises ValueError if it is none."""
    with torch.no_grad():
        value = float(explained.function(explained.values.unsqueeze(0))[0])
    if not isfinite(value):
        raise ValueError(f"expected {explained.output!r} to be a number to explain, got {value}: train the model again")
    return value


def chunks(rows: int, steps: int) -> Iterator[slice]:
    """Stretches of `rows` rows of `steps` steps that are run at once."""
    size = max(1, _STEPS_AT_ONCE // max(1, steps))
    yield from (slice(start, min(start + size, rows)) for start in range(0, rows, size))
