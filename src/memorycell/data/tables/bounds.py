"""Bounds: what a target cannot fall below or rise above, told by the user or found in its training rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.lines import counted
from memorycell.data.log import note
from memorycell.data.scaling import Moments
from memorycell.data.tables.table import listing

Bound = tuple[float | None, float | None]  # lower, upper

_ENOUGH = 20  # values without a negative one
_ZEROS, _SHARE = 2, 0.02  # what stands on zero as often will not be below it; rounded degrees touch it now and then
_SIGNIFICANT = 10  # negative values that a normal distribution would have had, where the data have none
_TAIL = 1.64  # deviations to the 5 % quantile of a normal distribution
_FAR = 4  # deviations from zero to a mean that no forecast falls below it from
_SCATTER = 0.6  # of their mean that counts vary by from one to the next, at least: Poisson's vary by all of it


def bounds_told(given: Any, targets: Sequence[str], what: str) -> list[Any]:
    """The bound of each target as it was told: one for all of them, or a mapping from their names.

    Example
    -------
    >>> bounds_told(0, ["a", "b"], "lower"), bounds_told({"a": 1}, ["a", "b"], "lower")
    ([0, 0], [1, 'auto'])
    """
    if not isinstance(given, Mapping):
        return [given] * len(targets)
    others = [name for name in given if name not in targets]
    if others:
        raise ValueError(f"{what}= names {listing(others)}, which is no target: expected some of {listing(targets)}")
    return [given.get(name, "auto" if what == "lower" else None) for name in targets]


def find_lower(values: NDArray, stats: Moments) -> str:
    """Why a target cannot fall below 0, in words; "" where it may.

    Values that are never negative may be so by chance, as temperatures of a summer. Counts and amounts stand on zero
    again and again, or lean on it: whole numbers that a normal distribution of their mean and deviation would have
    taken below it, or numbers that do so with a long tail to the other side only. Whole numbers that vary from one to
    the next as counts do, by their mean (Poisson) or more, are counts, while whole degrees follow each other closely.

    Example
    -------
    >>> from memorycell.data.scaling import moments
    >>> rng = np.random.default_rng(0)
    >>> counts, summer = rng.poisson(0.4, 120), rng.normal(22, 4, 120)
    >>> find_lower(counts, moments(counts)), find_lower(summer, moments(summer))
    ('67 of 120 values are 0, none is below', '')
    """
    if stats.number < _ENOUGH or stats.low < 0:
        return ""
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    zeros = int((known == 0).sum())
    if zeros >= max(_ZEROS, _SHARE * stats.number):
        return f"{zeros:,} of {stats.number:,} values are 0, none is below"
    lean = stats.mean / stats.std if stats.std > 0 else math.inf
    whole = lean < _FAR and bool((known == np.round(known)).all())
    if whole and ((lean < _TAIL and stats.low <= 2) or _scatter(known) >= _SCATTER * stats.mean):
        return f"{counted(stats.number, 'value')} are whole numbers from {stats.low:g} on, none is below 0"
    expected = stats.number * 0.5 * math.erfc(lean / math.sqrt(2))
    if expected >= _SIGNIFICANT and stats.mean - float(np.median(known)) > 0.1 * stats.std:
        return f"{counted(stats.number, 'value')} crowd above 0, none is below"
    return ""


def _scatter(values: NDArray) -> float:
    """The variance of values from one to the next, whatever level they have."""
    return float(np.square(np.diff(values.astype(np.float64))).mean()) / 2


def learn_bound(name: str, lower: Any, upper: Any, values: NDArray, stats: Moments, notes: list[dict]) -> Bound:
    """The bounds of a target over its training rows, and notes of them.

    Raises
    ------
    ValueError
        For a lower bound that is not below the upper one.
    """
    if lower == "auto":
        why = find_lower(values, stats)
        lower = 0.0 if why and (upper is None or upper > 0) else None
        if why and lower is not None:
            text = f"Forecasts of {name!r} do not go below 0: {why} (lower= sets another bound, or none)."
            notes.append(note("bounds", text))
    lower = None if lower is None else float(lower)
    upper = None if upper is None else float(upper)
    if lower is not None and upper is not None and lower >= upper:
        raise ValueError(f"expected the lower bound of {name!r} to be below its upper one, got {lower:g} and {upper:g}")
    for bound, beyond, word in ((lower, stats.low, "below lower"), (upper, stats.high, "above upper")):
        outside = bound is not None and (beyond < bound if bound is lower else beyond > bound)
        if outside:
            count = int((values < bound).sum() if bound is lower else (values > bound).sum())
            text = f"{counted(count, 'value')} of {name!r} {'lies' if count == 1 else 'lie'} {word}={bound:g}."
            notes.append(note("bounds", text))
    return lower, upper


def as_limits(bounds: Sequence[Bound]) -> NDArray[np.float64] | None:
    """float64 (2, K): lowest and highest values, infinite where there is no bound; None where there is none at all."""
    if not any(bound != (None, None) for bound in bounds):
        return None
    low = [-np.inf if lower is None else lower for lower, _ in bounds]
    high = [np.inf if upper is None else upper for _, upper in bounds]
    return np.array([low, high])


def without_broken(
    bounds: Sequence[Bound], names: Sequence[str], lowest: Sequence[float], told: Sequence[Any], notes: list[dict]
) -> list[Bound]:
    """The bounds without those that were found, and that the lowest values of a table contradict."""
    kept = []
    for (lower, upper), name, low, given in zip(bounds, names, lowest, told, strict=True):
        if given == "auto" and lower is not None and low < lower:
            text = f"{name!r} falls to {low:g} in this table: its forecasts are not held at {lower:g} or above."
            notes.append(note("bounds", text))
            lower = None
        kept.append((lower, upper))
    return kept
