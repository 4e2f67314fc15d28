"""Checks of what is asked for: numbers, and the traces to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from memorycell.insight.tracing import ModelTrace
from memorycell.layers.traces import Trace


def whole(name: str, value: Any, least: int | None = None) -> int:
    """`value` as an int, if it is a whole number of at least `least`, numpy's included; else TypeError or ValueError.

    Example
    -------
    >>> whole("row", np.int64(3))
    3
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"expected {name} as a whole number, got {value!r} ({type(value).__name__}): give an int")
    if least is not None and value < least:
        raise ValueError(f"expected {name} of at least {least}, got {value}")
    return int(value)


def real(what: str, value: Any, fits: Callable[[float], bool]) -> float:
    """`value` as a float, if it is a real number that fits; else TypeError or ValueError, which expects `what`.

    Example
    -------
    >>> real("a share from 0 to 1", 1, lambda share: 0 <= share <= 1)
    1.0
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"expected {what}, got {value!r} ({type(value).__name__}): give a number")
    if not fits(float(value)):
        raise ValueError(f"expected {what}, got {value}")
    return float(value)


def check_array(states: Any) -> None:
    """Raise TypeError for states that are no numpy array of numbers."""
    if not isinstance(states, np.ndarray) or states.dtype.kind not in "iuf":
        got = f"one of {states.dtype}" if isinstance(states, np.ndarray) else type(states).__name__
        raise TypeError(f"expected states as a numpy array of numbers, got {got}: take numpy.asarray(states, float)")


def traces_of(given: ModelTrace | Trace | Iterable[ModelTrace | Trace]) -> Iterator[ModelTrace | Trace]:
    """One trace, or those of an iterable one by one. Raises TypeError for anything else."""
    expected = "expected traces, what model.trace(X) or layer.trace(x) returns, or an iterable of them"
    if isinstance(given, ModelTrace | Trace):
        yield given
        return
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise TypeError(f"{expected}, got {type(given).__name__}")
    for one in given:
        if not isinstance(one, ModelTrace | Trace):
            raise TypeError(f"{expected}, got {type(one).__name__} among them")
        yield one
