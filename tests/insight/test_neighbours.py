"""Neighbours: the same as comparing with every state, one by one."""

import json

import numpy as np
import pytest

from memorycell.insight import states as states_module
from memorycell.insight.neighbours import nearest_states
from memorycell.insight.states import States

VALUES = np.random.default_rng(0).normal(size=(400, 7)).astype(np.float32)
STATES = States(VALUES, np.arange(0, 401, 40))


def brute(metric: str, own: int, allowed: list[int]) -> list[tuple[float, int]]:
    def distance(a: np.ndarray, b: np.ndarray) -> float:
        if metric == "euclidean":
            return float(np.linalg.norm(a - b))
        return float(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    wide = VALUES.astype(np.float64)
    return sorted((distance(wide[own], wide[i]), i) for i in allowed)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("apart", [None, 1, 5])
def test_equals_brute_force(metric, apart, monkeypatch) -> None:
    monkeypatch.setattr(states_module, "_BLOCK", 7 * 33)
    row, step, own = 3, 17, 137
    allowed = [i for i in range(400) if (not 120 <= i < 160 if apart is None else abs(i - own) >= apart)]
    same = {} if apart is None else {"exclude_same_row": False, "apart": apart}
    found = nearest_states(STATES, row, step, 25, metric, **same)
    expected = brute(metric, own, allowed)[:25]
    assert [40 * each.row + each.step for each in found.neighbours] == [i for _, i in expected]
    assert [each.distance for each in found.neighbours] == pytest.approx([distance for distance, _ in expected])


def test_states_of_zeros_are_at_right_angles_to_everything() -> None:
    states = States(np.array([[1, 1], [0, 0], [-1, 0]], np.float32), np.arange(4))
    found = nearest_states(states, 0, 0)
    assert [(each.row, each.distance) for each in found.neighbours] == [(1, 1.0), (2, pytest.approx(1 + 0.5**0.5))]
    assert {each.distance for each in nearest_states(states, 1, 0).neighbours} == {1.0}


def test_labels_lead_up_to_the_step_and_it_is_plain_json() -> None:
    states = States(VALUES[:12], np.array([0, 6, 12]), list("abcdefuvwxyz"))
    found = nearest_states(states, 0, 5, 2)
    assert found.labels == list("bcdef") and len(found.neighbours) == 2
    assert json.loads(json.dumps(found.to_dict()))["metric"] == "cosine"
    assert "row 0, step 5: 'b c d e f' (cosine distance)" in str(found)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"row": 10}, "a row from 0 to 9"),
        ({"step": 40}, "within the 40 of row 0"),
        ({"k": 0}, "k of at least 1"),
        ({"apart": 0}, "apart of at least 1"),
        ({"metric": "manhattan"}, 'metric "cosine" or "euclidean", got \'manhattan\''),
    ],
)
def test_wrong_questions(arguments, says) -> None:
    with pytest.raises(ValueError, match=says):
        nearest_states(STATES, **{"row": 0, "step": 0, **arguments})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"row": 0.5}, "row as a whole number, got 0.5"),
        ({"row": True}, "row as a whole number, got True"),
        ({"step": "1"}, "step as a whole number, got '1'"),
        ({"k": 2.5}, "k as a whole number, got 2.5"),
        ({"apart": False}, "apart as a whole number, got False"),
        ({"exclude_same_row": "no"}, "exclude_same_row to be True or False, got 'no'"),
    ],
)
def test_wrong_kinds_of_arguments(arguments, says) -> None:
    with pytest.raises(TypeError, match=says):
        nearest_states(STATES, **{"row": 0, "step": 0, **arguments})


def test_whole_numbers_of_numpy() -> None:
    three, two = np.int64(3), np.uint8(2)
    found = nearest_states(STATES, three, two, two)
    assert found == nearest_states(STATES, 3, 2, 2) and json.dumps(found.to_dict())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_states_that_are_no_numbers(bad: float, metric) -> None:
    values = VALUES.copy()
    values[83, 1] = bad
    with pytest.raises(ValueError, match="got NaN or infinity at step 3 of row 2"):
        nearest_states(States(values, STATES.offsets), 0, 0, 5, metric)


def test_one_row_only() -> None:
    states = States(VALUES, np.array([0, 400]))
    with pytest.raises(ValueError, match="none outside row 0: give more rows, or exclude_same_row=False"):
        nearest_states(states, 0, 3)
    assert len(nearest_states(states, 0, 3, exclude_same_row=False).neighbours) == 10
    with pytest.raises(ValueError, match="take a smaller apart"):
        nearest_states(states, 0, 3, exclude_same_row=False, apart=500)
