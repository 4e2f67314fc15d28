"""Calibration of a classifier's probabilities: the maximum of the likelihood, and when it is left alone."""

import numpy as np
import pytest
from scipy.optimize import minimize

from memorycell.jobs.labelling.calibration import FEWEST, ClassCalibration


def _sample(n, slope, bias, seed=0):
    """Raw scores and labels drawn from softmax(slope * raw + bias)."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(n, len(bias))) * 3
    truth = raw * slope + np.asarray(bias)
    gumbel = -np.log(-np.log(rng.random(truth.shape)))
    return raw, (truth + gumbel).argmax(axis=1)


def _cross_entropy(probabilities, targets, weights=None):
    return -np.average(np.log(probabilities[np.arange(len(targets)), targets]), weights=weights)


@pytest.mark.parametrize("weighted", [False, True])
def test_slope_and_biases_are_those_of_the_greatest_likelihood(weighted):
    raw, targets = _sample(3000, 0.4, [0.8, 0.0, -0.8])
    weights = np.array([0.5, 1.0, 3.0])[targets] if weighted else None
    found = ClassCalibration.fit(raw, targets, weights)

    def loss(x):
        return _cross_entropy(ClassCalibration(x[:1], x[1:]).probabilities(raw), targets, weights)

    best = minimize(loss, np.array([1.0, 0.0, 0.0, 0.0]), method="L-BFGS-B")
    assert loss(np.concatenate([found.slope, found.bias])) <= best.fun + 1e-5
    assert np.allclose(found.slope, best.x[:1], atol=0.01)
    assert np.allclose(found.bias, best.x[1:] - best.x[1:].mean(), atol=0.02)
    if not weighted:
        assert np.allclose([*found.slope, *found.bias], [0.4, 0.8, 0.0, -0.8], atol=0.12)


def test_probabilities_come_true():
    raw, targets = _sample(4000, 0.3, [1.0, 0.0])
    calibrated = ClassCalibration.fit(raw[:2000], targets[:2000]).probabilities(raw[2000:])
    left = ClassCalibration.neutral(2).probabilities(raw[2000:])
    assert np.allclose(calibrated.sum(axis=1), 1)
    for low in (0.1, 0.4, 0.7):
        inside = (calibrated[:, 1] >= low) & (calibrated[:, 1] < low + 0.2)
        assert abs(targets[2000:][inside].mean() - calibrated[inside, 1].mean()) < 0.06
    assert _cross_entropy(calibrated, targets[2000:]) < _cross_entropy(left, targets[2000:]) - 0.1


def test_each_label_of_several_has_a_slope_and_a_bias():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(2000, 3)) * 4
    truth = raw * [0.25, 1.0, 1.0] + [0.0, 1.5, 0.0]
    present = rng.random(truth.shape) < 1 / (1 + np.exp(-truth))
    present[:, 2] = False  # a label that the held-out samples never have
    found = ClassCalibration.fit(raw, present.astype(np.float32), several=True)
    assert np.allclose(found.slope[:2], [0.25, 1.0], atol=0.12)
    assert np.allclose(found.bias[:2], [0.0, 1.5], atol=0.25)
    assert (found.slope[2], found.bias[2]) == (1.0, 0.0)
    assert "2 of 3 labels" in found.note
    assert np.allclose(found.probabilities(np.zeros((1, 3)))[0, 2], 0.5)


def test_few_samples_are_left_alone_and_it_is_said():
    raw, targets = _sample(FEWEST - 1, 0.3, [1.0, 0.0])
    for found in (
        ClassCalibration.fit(raw, targets),
        ClassCalibration.fit(raw, np.eye(2)[targets], several=True),
    ):
        assert (found.slope == 1).all() and (found.bias == 0).all()
        assert "not calibrated" in found.note and str(FEWEST - 1) in found.note


def test_a_rare_class_leaves_the_temperature_only():
    raw, targets = _sample(500, 0.3, [0.0, 0.0, -9.0])
    found = ClassCalibration.fit(raw, targets)
    assert (found.bias == 0).all() and found.slope < 0.6
    assert "no biases" in found.note


def test_no_mistake_at_all_stays_finite():
    targets = np.arange(200) % 2
    found = ClassCalibration.fit(8.0 * np.eye(2)[targets], targets)
    assert np.isfinite(found.slope).all() and 1 <= found.slope[0] < 5
    assert (found.probabilities(8.0 * np.eye(2)[targets]).argmax(axis=1) == targets).all()


def test_scores_that_mislead_do_not_turn_the_order():
    targets = np.arange(200) % 2
    found = ClassCalibration.fit(5.0 * np.eye(2)[1 - targets], targets)
    assert 0 < found.slope[0] < 0.01


def test_extreme_scores_do_not_overflow():
    raw = np.array([[1e4, -1e4, 0.0], [-1e300, 1e300, 0.0]])
    for several in (False, True):
        calibration = ClassCalibration.neutral(3, several)
        assert np.isfinite(calibration.probabilities(raw)).all()


@pytest.mark.parametrize(
    "slope, bias, several",
    [
        ([float("nan")], [0.0, 0.0, 0.0], False),
        ([-1.0], [0.0, 0.0, 0.0], False),
        ([1.0, 1.0], [0.0, 0.0, 0.0], False),
        ([1.0], [0.0], False),
        ([1.0], [0.0, 0.0, float("inf")], False),
        ([1.0], [0.0, 0.0, 0.0], True),
        ([[1.0]], [0.0, 0.0, 0.0], False),
    ],
)
def test_stored_numbers_are_checked(slope, bias, several):
    with pytest.raises(ValueError, match="calibration"):
        ClassCalibration.of(np.array(slope), np.array(bias), 3, several)


def test_stored_numbers_give_it_back():
    raw, targets = _sample(500, 0.3, [1.0, 0.0, 0.5])
    found = ClassCalibration.fit(raw, targets)
    again = ClassCalibration.of(found.slope, found.bias, 3, several=False)
    assert np.array_equal(found.probabilities(raw), again.probabilities(raw))
