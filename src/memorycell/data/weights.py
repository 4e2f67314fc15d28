"""Weights of samples: how much each counts, checked; and what a note says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.log import note

Weights = NDArray[np.float64]


def checked_weights(given: Any, n: int, what: str = "samples") -> Weights:
    """Weights as float64 (n,): finite, none below 0, one above.

    Parameters
    ----------
    given : array, list or series of n numbers
    what : n of what

    Raises
    ------
    ValueError, TypeError
        For anything else, in one sentence.

    Example
    -------
    >>> checked_weights([1, 0, 2.5], 3).tolist()
    [1.0, 0.0, 2.5]
    >>> checked_weights([1, -1], 2)
    Traceback (most recent call last):
    ValueError: expected weights of at least 0, got -1.0 (first: row 1)
    """
    try:
        weights = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"expected a number as weight of each of {n:,} {what}, got {given!r:.60}") from None
    if weights.shape != (n,):
        raise ValueError(f"expected a weight for each of {n:,} {what}, got weights of shape {weights.shape}")
    for wrong, said in ((~np.isfinite(weights), "finite weights"), (weights < 0, "weights of at least 0")):
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"expected {said}, got {weights[row]} (first: row {row:,})")
    if not weights.any():
        raise ValueError(f"expected weights of which one is above 0, but all weights of {n:,} {what} are zero")
    return weights


def checked_step_weights(given: Any, lengths: Sequence[int], what: str = "sequences") -> Weights | list[Weights]:
    """Weights of sequences (n,), or of their steps: a list of (T_i,).

    Raises
    ------
    ValueError, TypeError
        As `checked_weights`, and for weights of other lengths than the sequences.

    Example
    -------
    >>> [part.tolist() for part in checked_step_weights([[1, 2], [3]], [2, 1])]
    [[1.0, 2.0], [3.0]]
    """
    rows = list(given) if hasattr(given, "__len__") and hasattr(given, "__iter__") else given
    nested = isinstance(rows, list) and any(np.ndim(each) == 1 for each in rows)
    if not nested:
        return checked_weights(given, len(lengths), what)
    if len(rows) != len(lengths):
        raise ValueError(f"expected weights of {len(lengths):,} {what}, got those of {len(rows):,}")
    for row, (own, length) in enumerate(zip(rows, lengths, strict=True)):
        if np.shape(own) != (length,):
            raise ValueError(
                f"expected {length:,} weights for sequence {row:,}, one for each step, got shape {np.shape(own)}"
            )
    flat = np.concatenate([np.asarray(own, np.float64) for own in rows])
    return np.split(checked_weights(flat, len(flat), "steps"), np.cumsum(lengths)[:-1])


def weights_print(weights: Weights | list[Weights] | None) -> dict[str, str]:
    """What tells weights from others, for the fingerprint of a checkpoint; nothing without weights."""
    if weights is None:
        return {}
    flat = weights if isinstance(weights, np.ndarray) else np.concatenate(weights)
    return {"weights": hashlib.sha256(flat.tobytes()).hexdigest()}


def weights_note(weights: Weights, said: str = "Samples", what: str = "samples") -> dict[str, Any]:
    """That samples are weighted, and how much of them that leaves (Kish 1965: the effective sample size).

    Example
    -------
    >>> weights_note(np.array([1.0, 1, 2]))["text"]
    'Samples are weighted, from 1 to 2: together they count as 2.7 alike would.'
    """
    effective = weights.sum() ** 2 / np.square(weights).sum()
    size = f"{effective:,.1f}" if effective < 100 else f"{effective:,.0f}"
    span = f"from {weights.min():.4g} to {weights.max():.4g}"
    return note("weights", f"{said} are weighted, {span}: together they count as {size} alike would.")
