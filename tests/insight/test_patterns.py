"""Patterns: a unit that is on between brackets is found, and all other places where it is on."""

import json

import numpy as np
import pytest

from memorycell.insight.patterns import active_units, find_pattern
from memorycell.insight.states import States

TEXTS = ["a (bcd) e", "(xy) (zuvw) f", "none at all", "q (rs)t (k) l (mno"]
ON, NEGATIVE = 5, 9


def bracketed() -> States:
    """States with noise in 16 units, one of which is on between brackets, and one is far below zero there."""
    text = "".join(TEXTS)
    inside = np.concatenate([depth(each) for each in TEXTS])
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.1, (len(text), 16)).astype(np.float32)
    values[inside, ON], values[inside, NEGATIVE] = 0.9, -0.8
    values[:, 12] = 0.95  # always on: of no interest
    return States(values, np.cumsum([0, *map(len, TEXTS)]), list(text))


def depth(text: str) -> np.ndarray:
    open_ = np.cumsum([char == "(" for char in text]) - np.cumsum([char == ")" for char in text])
    return np.array([char != "(" for char in text]) & (open_ > 0)


STATES = bracketed()


def test_the_units_active_throughout() -> None:
    found = active_units(STATES, 0, 3, 6, 0.5)
    assert found.labels == ["b", "c", "d"] and found.units == [12, ON, NEGATIVE]
    assert found.means == pytest.approx([0.95, 0.9, -0.8])
    assert active_units(STATES, 0, 3, 6, 0.5, both_signs=False).units == [12, ON]
    assert active_units(STATES, 0, 3, 6, 0.5, only_inside=True).units == [ON, NEGATIVE]
    assert active_units(STATES, 0, 3, 7, 0.5).units == [12]
    assert active_units(STATES, 0, 3, 6, 0.99).units == []


def test_a_unit_that_changes_its_sign_is_not_active_throughout() -> None:
    states = States(np.array([[1, 1], [-1, 1]], np.float32), np.array([0, 2]))
    assert active_units(states, 0, 0, 2, 0.5).units == [1]


def test_what_is_outside_the_row_is_not_just_before_it() -> None:
    states = States(np.ones((4, 1), np.float32), np.array([0, 2, 4]))
    assert active_units(states, 1, 0, 2, 0.5, only_inside=True).units == [0]
    assert active_units(states, 1, 0, 1, 0.5, only_inside=True).units == []


def test_the_automatic_threshold_makes_half_of_all_values_active() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, size=(1000, 8)).astype(np.float32)
    states = States(values, np.array([0, 1000]))
    threshold = active_units(states, 0, 0, 1).threshold
    assert (np.abs(values) > threshold).mean() == pytest.approx(0.5, abs=1e-3)
    threshold = active_units(states, 0, 0, 1, both_signs=False).threshold
    assert (values > threshold).mean() == pytest.approx(0.5, abs=1e-3)
    assert active_units(States(-np.abs(values), np.array([0, 1000])), 0, 0, 1, both_signs=False).threshold == 0


@pytest.mark.parametrize("only_inside", [False, True])
def test_all_other_brackets_and_nothing_else(only_inside: bool) -> None:
    found = find_pattern(STATES, 0, 3, 6, threshold=0.5, only_inside=only_inside)
    if not only_inside:  # the unit that is always on says nothing, but does no harm
        found = find_pattern(STATES, 0, 3, 6, [ON, NEGATIVE], threshold=0.5)
    texts = sorted("".join(match.labels) for match in found.matches)
    assert texts == ["k", "mno", "rs", "xy", "zuvw"] and found.found == len(found) == 5
    assert "".join(found.matches[0].labels) == "mno", "as long as what was looked for: the first"
    assert all(set(match.units) == {ON, NEGATIVE} and match.together == 2 for match in found.matches)
    scores = [match.score for match in found.matches]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1), "the same units for as long, and no more others"


def test_matches_do_not_overlap_one_another_or_the_selection_and_stay_in_their_rows() -> None:
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=(200, 12)), 3, 0).astype(np.float32)
    states = States(values, np.arange(0, 601, 50))
    found = find_pattern(states, 2, 10, 14, threshold=0.3, share=0.3, count=1000)
    assert {match.together for match in found.matches} > {len(found.pattern.units) - 1}
    seen = np.zeros(600, int)
    seen[110:114] += 1
    for match in found.matches:
        assert 0 <= match.start < match.stop <= 50
        seen[50 * match.row + match.start : 50 * match.row + match.stop] += 1
    assert seen.max() == 1
    order = [(-match.together, -match.score) for match in found.matches]
    assert order == sorted(order)


def test_only_inside_holds_for_matches_too() -> None:
    on = [[0, 0], [1, 1], [0, 0], [1, 0], [1, 1], [0, 0], [1, 1], [0, 1], [0, 0], [1, 1], [1, 1], [0, 0]]
    states = States(np.array(on, np.float32), np.array([0, 10, 12]))
    found = {only: find_pattern(states, 0, 1, 2, threshold=0.5, only_inside=only) for only in (False, True)}
    places = {only: {(each.row, each.start) for each in matches.matches} for only, matches in found.items()}
    assert places == {False: {(0, 4), (0, 6), (0, 9), (1, 0)}, True: {(0, 9), (1, 0)}}


def test_counts_and_scores_equal_a_plain_loop() -> None:
    values = np.random.default_rng(2).normal(size=(300, 6)).astype(np.float32)
    states = States(values, np.array([0, 120, 120, 300]))
    few = active_units(states, 0, 7, 8, 0.4).units[:3]
    found = find_pattern(states, 0, 7, 8, few, threshold=0.4, share=1, count=1000)
    signs, units = np.sign(values[7]), found.pattern.units
    on = [all(values[i, unit] * signs[unit] > 0.4 for unit in units) for i in range(300)]
    runs, start = [], None
    for i in range(301):
        if start is not None and (i in (120, 300) or not on[i]):
            runs.append((start, i))
            start = None
        if i < 300 and on[i] and start is None:
            start = i
    runs = [run for run in runs if not run[0] <= 7 < run[1]]
    assert {(match.row, match.start, match.stop) for match in found.matches} == {
        (2 * (a >= 120), a - 120 * (a >= 120), b - 120 * (a >= 120)) for a, b in runs
    }
    assert found.matches[0].score == 1 > found.matches[-1].score
    for match in found.matches:
        first = 120 * (match.row > 0) + match.start
        steps = range(first, first + match.stop - match.start)
        active = [int((np.abs(values[i]) > 0.4).sum()) for i in steps]
        own = len(units) / (np.abs(values[7]) > 0.4).sum()
        expected = min(1, np.mean([len(units) / each for each in active]) / own) / len(active)
        assert match.score == pytest.approx(expected)


def test_nothing_else_like_it() -> None:
    states = States(np.eye(4, dtype=np.float32), np.array([0, 4]))
    found = find_pattern(states, 0, 1, 2, threshold=0.5)
    assert len(found) == found.found == 0 and "no other place" in str(found)


def test_it_is_plain_json_and_readable() -> None:
    found = find_pattern(STATES, 0, 3, 6, [ON, NEGATIVE], threshold=0.5, count=2)
    assert found.found == 5 and len(json.loads(json.dumps(found.to_dict()))["matches"]) == 2
    text = str(found)
    assert "'b c d' (row 0, steps 3 to 5): 2 units beyond 0.5: 5 (+0.90), 9 (-0.80)" in text
    assert "5 other places" in text and "row 3, steps 15 to 17: 'm n o'" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"start": 6}, "at least one step"),
        ({"stop": 99}, "within the 9 of row 0"),
        ({"row": 7}, "a row from 0 to 3"),
        ({"threshold": -1.0}, "threshold of at least 0"),
        ({"threshold": float("nan")}, "threshold of at least 0"),
        ({"threshold": 2.0}, "got none: take a lower threshold or fewer steps"),
        ({"units": []}, "got none"),
        ({"units": [3]}, r"units that are active .* \(12, 5, 9\), got \[3\]"),
        ({"units": [99]}, r"got \[99\]"),
        ({"share": 0.0}, "share of the units above 0"),
        ({"share": 1.5}, "share of the units above 0"),
        ({"count": 0}, "count of matches of at least 1"),
    ],
)
def test_wrong_questions(arguments, says) -> None:
    with pytest.raises(ValueError, match=says):
        find_pattern(STATES, **{"row": 0, "start": 3, "stop": 6, "threshold": 0.5, **arguments})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"row": 0.0}, "row as a whole number, got 0.0"),
        ({"row": False}, "row as a whole number, got False"),
        ({"start": "3"}, "start as a whole number, got '3'"),
        ({"stop": 6.5}, "stop as a whole number, got 6.5"),
        ({"threshold": "high"}, "threshold of at least 0, or \"auto\", got 'high'"),
        ({"threshold": True}, 'threshold of at least 0, or "auto", got True'),
        ({"threshold": None}, "threshold of at least 0"),
        ({"units": [0.5]}, "each of units as a whole number, got 0.5"),
        ({"units": [True, False]}, "each of units as a whole number, got True"),
        ({"units": "12"}, "units as a sequence of whole numbers, or None for all, got '12'"),
        ({"units": 5}, "units as a sequence of whole numbers, or None for all, got 5"),
        ({"share": "all"}, "share of the units above 0 and up to 1, got 'all'"),
        ({"share": True}, "share of the units above 0 and up to 1, got True"),
        ({"count": 2.5}, "count of matches as a whole number, got 2.5"),
        ({"both_signs": "no"}, "both_signs to be True or False, got 'no'"),
        ({"only_inside": 1}, "only_inside to be True or False, got 1"),
    ],
)
def test_wrong_kinds_of_arguments(arguments, says) -> None:
    with pytest.raises(TypeError, match=says):
        find_pattern(STATES, **{"row": 0, "start": 3, "stop": 6, "threshold": 0.5, **arguments})


def test_whole_numbers_of_numpy() -> None:
    zero, three, six = np.int64(0), np.uint8(3), np.int32(6)
    found = find_pattern(STATES, zero, three, six, np.array([ON, NEGATIVE]), threshold=np.float32(0.5), count=three)
    assert found == find_pattern(STATES, 0, 3, 6, [ON, NEGATIVE], threshold=0.5, count=3) and len(found) == 3
    assert json.dumps(found.to_dict())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("threshold", ["auto", 0.5])
def test_states_that_are_no_numbers(bad: float, threshold) -> None:
    values = STATES.values.copy()
    values[10, 1] = bad
    states = States(values, STATES.offsets)
    for ask in (active_units, find_pattern):
        with pytest.raises(ValueError, match="got NaN or infinity at step 1 of row 1 and 0 more"):
            ask(states, 0, 3, 6, threshold=threshold)
