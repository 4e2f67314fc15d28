"""Patterns: which units are active over some steps, and where else the same units are active together.

After LSTMVis (Strobelt, Gehrmann, Pfister & Rush 2018, arXiv 1606.07461): select a range of steps, find the units that
are on throughout it, match them against all of the data, and prefer matches in which few other units are on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from memorycell.data.figures import Figures
from memorycell.insight.arguments import real, whole
from memorycell.insight.states import States
from memorycell.layers.parameters import flag

_SHOWN = 10  # matches, or units, that are printed
_SAMPLED = 2**20  # values that a threshold is chosen from


@dataclass(frozen=True, repr=False)
class Active(Figures):
    """The units active throughout a range of steps, the strongest first.

    Attributes
    ----------
    row, start, stop : int
        The steps from `start` up to `stop` (not included) of a row.
    labels : list of str
        What those steps are called.
    threshold : float
        A unit is active where its value lies beyond it.
    units : list of int
    means : list of float
        The mean value of each in the range.
    both_signs, only_inside : bool
        See `active_units`.

    Example
    -------
    >>> print(Active(0, 2, 4, ["is", "not"], 0.5, [7, 3], [-0.9, 0.6], True, False))
    'is not' (row 0, steps 2 to 3): 2 units beyond 0.5: 7 (-0.90), 3 (+0.60)
    """

    row: int
    start: int
    stop: int
    labels: list[str]
    threshold: float
    units: list[int]
    means: list[float]
    both_signs: bool
    only_inside: bool

    def _said(self) -> tuple[str, str]:
        return str(self), ""

    def table(self) -> list[dict[str, Any]]:
        """A row per unit, the strongest first."""
        return [{"unit": unit, "mean": mean} for unit, mean in zip(self.units, self.means, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        shown = [f"{unit} ({mean:+.2f})" for unit, mean in zip(self.units, self.means, strict=True)][:_SHOWN]
        if len(self.units) > _SHOWN:
            shown.append(f"{len(self.units) - _SHOWN} more")
        where = f"{_quoted(self.labels)} (row {self.row}, {_steps(self.start, self.stop)})"
        count = f"{_units(len(self.units))} beyond {self.threshold:.3g}"
        return f"{where}: {count}" + (f": {', '.join(shown)}" if shown else "")


@dataclass(frozen=True, repr=False)
class Match:
    """Another place where the units are active.

    Attributes
    ----------
    row, start, stop : int
        The steps from `start` up to `stop` (not included) of a row.
    labels : list of str
        What those steps are called.
    units : list of int
        Those of the units that are active at every one of these steps.
    together : int
        How many of the units are active at each of these steps, at the least.
    score : float
        From 0 to 1: see `find_pattern`.
    """

    row: int
    start: int
    stop: int
    labels: list[str]
    units: list[int]
    together: int
    score: float

    def __repr__(self) -> str:
        where = f"row {self.row}, {_steps(self.start, self.stop)}"
        return f"Match({self.score:.2f}, {_units(self.together)}, {where}: {_quoted(self.labels)})"


@dataclass(frozen=True, repr=False)
class Matches(Figures):
    """Where else a pattern is, the best first; see `find_pattern`.

    Attributes
    ----------
    pattern : Active
        What was looked for.
    matches : list of Match
    found : int
        How many there were before the list was cut.
    """

    pattern: Active
    matches: list[Match]
    found: int

    def __len__(self) -> int:
        return len(self.matches)

    def _said(self) -> tuple[str, str]:
        best = f"; the best in row {self.matches[0].row}, score {self.matches[0].score:.2f}" if self.matches else ""
        return f"{self.found:,} places like {_quoted(self.pattern.labels)}{best}", ""

    def table(self) -> list[dict[str, Any]]:
        """A row per place, the best first."""
        return [
            {
                "labels": " ".join(each.labels), "row": each.row, "start": each.start, "stop": each.stop,
                "together": each.together, "units": len(each.units), "score": each.score,
            }
            for each in self.matches
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            str(self.pattern),
            f"{self.found:,} other place{'' if self.found == 1 else 's'}" if self.matches else "no other place",
        ]
        for match in self.matches[:_SHOWN]:
            where = f"row {match.row}, {_steps(match.start, match.stop)}"
            lines.append(f"  {match.score:.2f}  {_units(match.together)}  {where}: {_quoted(match.labels)}")
        return "\n".join(lines)


def active_units(
    states: States,
    row: int,
    start: int,
    stop: int,
    threshold: float | Literal["auto"] = "auto",
    *,
    both_signs: bool = True,
    only_inside: bool = False,
) -> Active:
    """The units active at every step of a range.

    Parameters
    ----------
    states : States
    row, start, stop : int
        The steps from `start` up to `stop` (not included) of a row.
    threshold : float of at least 0, or "auto"
        A unit is active where its value is beyond it. "auto": the median of all of
        them, or 0 if that is below; on trained networks a higher one misses units that are on throughout a range.
    both_signs : bool, default True
        A value far below zero counts as well, if it is so at every step of the range. False: only values above the
        threshold.
    only_inside : bool, default False
        Only units that are not active, with that sign, at the step before the range and at the one after it, where
        there are such steps.

    Raises
    ------
    TypeError
        For a range of other than whole numbers, or a threshold that is no number.
    ValueError
        For a range that is empty or outside its row, a threshold below 0, or states that are NaN or infinite.

    Example
    -------
    >>> values = np.array([[0, 1, 0.9], [1, 1, -0.8], [1, 1, -0.9], [0, 1, 0]], np.float32)
    >>> states = States(values, np.array([0, 4]))
    >>> active_units(states, 0, 1, 3, 0.5).units
    [0, 1, 2]
    >>> active_units(states, 0, 1, 3, 0.5, only_inside=True).units
    [0, 2]
    """
    row, start, stop = whole("row", row), whole("start", start), whole("stop", stop)
    first, last = states.span(row, start, stop)
    both_signs, only_inside = flag("both_signs", both_signs), flag("only_inside", only_inside)
    states.check_finite()
    beyond = _threshold(states, threshold, both_signs)
    inside = states.values[first:last]
    signs = _signs(inside, both_signs)
    active = (inside * signs > beyond).all(0)
    if only_inside:
        limits = states.offsets[row], states.offsets[row + 1]
        for outside in (first - 1, last):
            if limits[0] <= outside < limits[1]:
                active &= states.values[outside] * signs <= beyond
    means = inside.mean(0, dtype=np.float64)
    units = np.flatnonzero(active)
    units = units[np.argsort(-np.abs(means[units]), kind="stable")]
    labels = states.called(row, start, stop)
    return Active(row, start, stop, labels, beyond, units.tolist(), means[units].tolist(), both_signs, only_inside)


def find_pattern(
    states: States,
    row: int,
    start: int,
    stop: int,
    units: Sequence[int] | None = None,
    *,
    threshold: float | Literal["auto"] = "auto",
    both_signs: bool = True,
    only_inside: bool = False,
    share: float = 0.75,
    count: int = 50,
) -> Matches:
    """Other places where the units active over a range of steps are active together, with the same signs.

    A match is a stretch of steps of a row, as long as it can be, at each of which at least m of the units are active.
    All stretches with all units come first, then those with one unit less where they overlap none so far, and so on
    down to `share` of the units, until there are `count`. Those of one m are ranked by their score: the units of the
    pattern that are on as a share of all units that are on or in the pattern (the mean Jaccard index of its steps),
    over what that is in the range itself, at most 1, times the shorter length of the two over the longer: 1 where the
    same units are on for as long, with no more others than there; of equals, those with fewer others come first.

    Parameters
    ----------
    states, row, start, stop, threshold, both_signs, only_inside
        As of `active_units`. With `only_inside`, none of the units is active just before and just after a match.
    units : sequence of int, optional
        Some of the units active there; default: all.
    share : float, default 0.75
        Above 0, up to 1.
    count : int, default 50
        How many matches to return, at most.

    Raises
    ------
    TypeError
        As `active_units`; for units or a count of other than whole numbers.
    ValueError
        As `active_units`; if no unit is active throughout the range, or one of `units` is not; for a wrong share or
        count.

    Example
    -------
    >>> values = np.zeros((2, 10, 3), np.float32)
    >>> values[0, 2:5, 1] = values[1, 4:7, 1] = values[1, 8:, 1] = 1  # unit 1 is on at three places
    >>> states = States(values.reshape(20, 3), np.array([0, 10, 20]))
    >>> found = find_pattern(states, 0, 2, 5, threshold=0.5)
    >>> [(match.row, match.start, match.stop, round(match.score, 2)) for match in found.matches]
    [(1, 4, 7, 1.0), (1, 8, 10, 0.67)]
    """
    share = real("a share of the units above 0 and up to 1", share, lambda value: 0 < value <= 1)
    count = whole("count of matches", count, 1)
    pattern = active_units(states, row, start, stop, threshold, both_signs=both_signs, only_inside=only_inside)
    pattern = _of_units(pattern, units)
    shared, others = _counts(states, pattern)
    fewest = math.ceil(share * len(pattern.units))
    starts, stops, together = _stretches(states, pattern, shared, fewest, count)
    summed = np.concatenate([[0.0], np.cumsum(shared / (others + len(pattern.units)))])
    first, last = states.span(row, start, stop)
    lengths, own = stops - starts, (summed[last] - summed[first]) / (last - first)
    alike = (summed[stops] - summed[starts]) / lengths
    scores = np.minimum(1, alike / own) * np.minimum(lengths, last - first) / np.maximum(lengths, last - first)
    order = np.lexsort((starts, -alike, -scores, -together))[:count]
    best = [each[order].tolist() for each in (starts, stops, together, scores)]
    matches = [_match(states, pattern, *each) for each in zip(*best, strict=True)]
    return Matches(pattern, matches, len(starts))


def _threshold(states: States, threshold: float | Literal["auto"], both_signs: bool) -> float:
    if isinstance(threshold, str) and threshold == "auto":
        every = max(1, len(states) * states.units // _SAMPLED)
        some = states.values[::every]
        return max(0.0, float(np.median(np.abs(some) if both_signs else some)))
    return real('a finite threshold of at least 0, or "auto"', threshold, lambda value: 0 <= value < math.inf)


def _signs(inside: NDArray[np.float32], both_signs: bool) -> NDArray[np.float32]:
    """(H,): on which side of zero each unit is, at the first of the steps."""
    return np.where(both_signs & (inside[0] < 0), np.float32(-1), np.float32(1))


def _of_units(pattern: Active, units: Sequence[int] | None) -> Active:
    """The pattern of some of its units."""
    if units is not None and (isinstance(units, str) or not isinstance(units, Iterable)):
        raise TypeError(f"expected units as a sequence of whole numbers, or None for all, got {units!r}")
    wanted = pattern.units if units is None else list(dict.fromkeys(whole("each of units", unit) for unit in units))
    where = f"throughout {_steps(pattern.start, pattern.stop)} of row {pattern.row}"
    if not wanted:
        raise ValueError(
            f"expected units beyond {pattern.threshold:.3g} {where}, got none: take a lower threshold or fewer steps"
        )
    strange = [unit for unit in wanted if unit not in pattern.units]
    if strange:
        raise ValueError(
            f"expected units that are active {where} ({', '.join(map(str, pattern.units)) or 'none is'}), got {strange}"
        )
    means = dict(zip(pattern.units, pattern.means, strict=True))
    return replace(pattern, units=wanted, means=[means[unit] for unit in wanted])


def _counts(states: States, pattern: Active) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(N,) each: how many units of the pattern are active at a step, and how many other ones."""
    weights = np.zeros((states.units, 2), np.float32)  # sums of small whole numbers are exact in float32
    weights[pattern.units, 0] = 1
    weights[:, 1] = 1
    signs = np.ones(states.units, np.float32)
    signs[pattern.units] = np.where(np.array(pattern.means) < 0, -1, 1)
    counts = np.empty((2, len(states)), np.int32)
    for here, block in states.blocks():
        sided = block * signs
        counts[:, here] = ((sided > pattern.threshold).astype(np.float32) @ weights).T
        if pattern.both_signs:
            counts[1, here] += (sided < -pattern.threshold).sum(1)
    return counts[0], counts[1] - counts[0]


def _stretches(
    states: States, pattern: Active, shared: NDArray[np.int32], fewest: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Starts, stops and least numbers of units of the matches, none overlapping another or the pattern's own range."""
    border = np.zeros(len(states) + 1, bool)  # where a row begins, and the one before it ends
    border[states.offsets] = True
    taken = np.zeros(len(states), bool)
    taken[slice(*states.span(pattern.row, pattern.start, pattern.stop))] = True
    off = np.concatenate([shared == 0, [True]])
    found: list[NDArray[np.int64]] = []
    for together in range(len(pattern.units), fewest - 1, -1):
        on = np.concatenate([[False], shared >= together, [False]])
        starts = np.flatnonzero(on[1:-1] & (border[:-1] | ~on[:-2]))
        stops = np.flatnonzero(on[1:-1] & (border[1:] | ~on[2:])) + 1
        before = np.concatenate([[0], np.cumsum(taken)])
        good = before[stops] == before[starts]
        if pattern.only_inside:
            good &= (border[starts] | off[starts - 1]) & (border[stops] | off[stops])
        starts, stops = starts[good], stops[good]
        edges = np.zeros(len(states) + 1, np.int8)
        edges[starts] += 1
        edges[stops] -= 1
        taken |= np.cumsum(edges[:-1], dtype=np.int8) > 0
        found.append(np.stack([starts, stops, np.full(len(starts), together)]))
        if sum(each.shape[1] for each in found) >= count:
            break
    starts, stops, levels = np.concatenate(found, 1)
    return starts, stops, levels


def _match(states: States, pattern: Active, first: int, last: int, together: int, score: float) -> Match:
    row, start, _ = states.place(first)
    stop = start + last - first
    signs = np.where(np.array(pattern.means) < 0, -1, 1)
    on = (states.values[first:last][:, pattern.units] * signs > pattern.threshold).all(axis=0)
    units = np.array(pattern.units)[on].tolist()
    return Match(row, start, stop, states.called(row, start, stop), units, together, score)


def _units(count: int) -> str:
    return f"{count} unit{'' if count == 1 else 's'}"


def _steps(start: int, stop: int) -> str:
    return f"step {start}" if stop == start + 1 else f"steps {start} to {stop - 1}"


def _quoted(labels: Sequence[str]) -> str:
    """The labels of a range, the middle of a long one left out."""
    shown = labels if len(labels) <= _SHOWN else [*labels[:5], "…", *labels[-4:]]
    return f"'{' '.join(shown)}'"
