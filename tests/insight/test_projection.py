"""Projection: scikit-learn's principal components, with signs that do not depend on the machine."""

import json

import numpy as np
import pytest
from sklearn.decomposition import PCA

from memorycell.insight.projection import project
from memorycell.insight.states import States

RNG = np.random.default_rng(0)
VALUES = (RNG.normal(size=(600, 5)) @ RNG.normal(size=(5, 9)) + RNG.normal(size=9)).astype(np.float32)
STATES = States(VALUES, np.array([0, 200, 600]), list(range(600)))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_equals_scikit_learn_up_to_signs(count: int) -> None:
    ours, theirs = project(STATES, count), PCA(count).fit(VALUES.astype(np.float64))
    signs = np.sign((ours.components * theirs.components_).sum(1))
    assert ours.components == pytest.approx(theirs.components_ * signs[:, None], abs=1e-6)
    assert ours.explained == pytest.approx(theirs.explained_variance_ratio_)
    expected = theirs.transform(VALUES.astype(np.float64)) * signs
    assert ours.points.dtype == np.float32 and ours.points == pytest.approx(expected, abs=1e-4)
    assert (np.take_along_axis(ours.components, np.abs(ours.components).argmax(1)[:, None], 1) > 0).all()


def test_points_know_their_places_and_other_states_get_points() -> None:
    projection = project(STATES)
    assert projection.row.tolist() == [0] * 200 + [1] * 400 and projection.labels == list(range(600))
    assert np.array_equal(projection.transform(VALUES[7]), projection.points[7])
    with pytest.raises(ValueError, match="states of 9 units, got 3"):
        projection.transform(VALUES[:, :3])
    with pytest.raises(ValueError, match="states of 9 units, got 0"):
        projection.transform(VALUES[0, 0, None][0:0])
    for wrong in (VALUES.tolist(), VALUES.astype(str)):
        with pytest.raises(TypeError, match="a numpy array of numbers, got"):
            projection.transform(wrong)


def test_a_sample_of_many_with_its_own_seed() -> None:
    first, again, other = (project(STATES, limit=300, seed=seed) for seed in (0, 0, 1))
    assert len(first.points) == 300 and first.total == 600 and "300 states of 600" in str(first)
    assert np.array_equal(first.points, again.points) and not np.array_equal(first.index, other.index)
    assert (np.diff(first.index) > 0).all() and first.labels == first.index.tolist()
    assert np.abs((first.components * project(STATES).components).sum(1)).min() > 0.9
    assert np.array_equal(first.step, STATES.step[first.index])


def test_it_is_plain_json() -> None:
    record = json.loads(json.dumps(project(STATES).to_dict()))
    assert np.shape(record["points"]) == (600, 2) and record["labels"][3] == "3"


@pytest.mark.parametrize(
    ("values", "components", "says"),
    [
        (VALUES, 0, "components from 1 to 9, .* got 0"),
        (VALUES, 10, "components from 1 to 9, .* got 10"),
        (VALUES[:2], 2, "components from 1 to 1, .* 2 steps"),
        (VALUES[:, :1], 2, "components from 1 to 1, .* got 2 for 1 units"),
        (VALUES[:1], 1, "at least 2 states to project, got 1"),
        (np.full((20, 3), 0.1, np.float32), 2, "states that differ, got 20 that are all the same"),
    ],
)
def test_what_cannot_be_projected(values, components, says) -> None:
    with pytest.raises(ValueError, match=says):
        project(States(values, np.array([0, len(values)])), components)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"limit": 1}, ValueError, r"limit \(steps to learn from\) of at least 2, got 1"),
        ({"limit": -5}, ValueError, "of at least 2, got -5"),
        ({"seed": -1}, ValueError, "seed of at least 0, got -1"),
        ({"limit": 300.0}, TypeError, "as a whole number, got 300.0"),
        ({"components": True}, TypeError, "components as a whole number, got True"),
        ({"components": "2"}, TypeError, "components as a whole number, got '2'"),
    ],
)
def test_wrong_options(options, error, says) -> None:
    with pytest.raises(error, match=says):
        project(STATES, **options)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_states_that_are_no_numbers(bad: float) -> None:
    values = VALUES.copy()
    values[[250, 300], 4] = bad
    with pytest.raises(ValueError, match="got NaN or infinity at step 50 of row 1 and 1 more"):
        project(States(values, STATES.offsets), limit=np.int64(2), components=np.int32(1))
