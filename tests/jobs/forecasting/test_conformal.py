import numpy as np
import pytest

from memorycell.jobs.forecasting.conformal import (
    Calibration,
    apply_shifts,
    conformal_scores,
    conformal_shifts,
    few_scores,
    widening,
)

LEVELS = (0.05, 0.5, 0.95)


@pytest.mark.parametrize("narrow", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("bias", [0.0, 0.4])
def test_intervals_of_any_width_become_calibrated(narrow, bias):
    rng = np.random.default_rng(0)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)

    def draw(count: int):
        spread = rng.uniform(0.5, 2.0, size=(count, 2, 1))
        quantiles = narrow * spread[..., None] * np.array([-1.645, -0.674, 0.0, 0.674, 1.645])
        return (rng.normal(size=(count, 2, 1)) + bias) * spread, quantiles

    actual, quantiles = draw(3000)
    shifts = conformal_shifts(conformal_scores(actual, quantiles), levels)
    actual, quantiles = draw(3000)
    moved = apply_shifts(quantiles, shifts)
    for low, high, share in ((0, 4, 0.9), (1, 3, 0.5)):
        inside = (actual >= moved[..., low]) & (actual <= moved[..., high])
        np.testing.assert_allclose(inside.mean(axis=0), share, atol=0.025)
    assert (moved[..., 2] == quantiles[..., 2]).all()


@pytest.mark.parametrize("level", [0.1, 0.9])
def test_a_quantile_without_its_opposite_is_calibrated_alone(level):
    rng = np.random.default_rng(0)
    quantiles = np.zeros((4000, 1, 1, 1))
    shifts = conformal_shifts(conformal_scores(rng.normal(size=(4000, 1, 1)), quantiles), (level,))
    below = (rng.normal(size=4000) <= apply_shifts(quantiles, shifts)[:, 0, 0, 0]).mean()
    assert below == pytest.approx(level, abs=0.02)


def test_quantiles_stay_in_order():
    rng = np.random.default_rng(1)
    quantiles = np.sort(rng.normal(size=(50, 3, 2, 3)), axis=-1)
    moved = apply_shifts(quantiles, rng.normal(size=(3, 2, 3)))
    assert (np.diff(moved, axis=-1) >= 0).all()


def test_unknown_actuals_are_left_out_and_no_scores_mean_no_shift():
    actual = np.full((10, 1, 1), np.nan)
    quantiles = np.broadcast_to([-1.0, 0.0, 1.0], (10, 1, 1, 3))
    assert (conformal_shifts(conformal_scores(actual, quantiles), LEVELS) == 0).all()
    assert conformal_shifts(conformal_scores(actual[:0], quantiles[:0]), LEVELS).shape == (1, 1, 3)


def test_few_scores_widen_the_extremes():
    actual = np.array([-3.0, 0.0, 2.0]).reshape(3, 1, 1)
    quantiles = np.broadcast_to([-1.0, 0.0, 1.0], (3, 1, 1, 3))
    moved = apply_shifts(quantiles, conformal_shifts(conformal_scores(actual, quantiles), LEVELS))
    np.testing.assert_allclose(moved[0, 0, 0], np.array([-3.0, 0.0, 3.0]) * widening(3, 0.9), rtol=1e-6)
    enough = np.concatenate([actual] * few_scores(LEVELS))[: few_scores(LEVELS)]
    quantiles = np.broadcast_to(quantiles[0], (len(enough), 1, 1, 3))
    moved = apply_shifts(quantiles, conformal_shifts(conformal_scores(enough, quantiles), LEVELS))
    np.testing.assert_allclose(moved[0, 0, 0], [-3.0, 0.0, 3.0])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_few_scores_cover_what_they_promise(count):
    # The largest of them as it is would not: one score covers the next in half of all cases.
    rng, draws = np.random.default_rng(count), 4000
    quantiles = np.broadcast_to([-0.3, 0.0, 0.3], (count, 1, draws, 3))
    shifts = conformal_shifts(conformal_scores(rng.normal(size=(count, 1, draws)), quantiles), LEVELS)
    moved = apply_shifts(quantiles[:1], shifts)[0, 0]
    came = rng.normal(size=draws)
    assert ((moved[:, 0] <= came) & (came <= moved[:, 2])).mean() == pytest.approx(0.9, abs=0.02)


def test_only_outcomes_known_by_then_move_a_forecast():
    rng = np.random.default_rng(3)
    quantiles = np.broadcast_to([-1.645, 0.0, 1.645], (400, 1, 1, 3))
    calibration = Calibration.of(rng.normal(size=(400, 1, 1)), quantiles, np.arange(400), LEVELS)
    loud = 5 * rng.normal(size=(400, 1, 1))
    when = np.arange(400, 800)
    moved = calibration.adjust(quantiles, when, quantiles, loud, known_from=when + 1)
    width = (moved[..., -1] - moved[..., 0])[:, 0, 0]
    assert width[0] == pytest.approx(3.3, abs=0.6)
    assert width[-1] == pytest.approx(5 * 3.3, abs=3)
    assert (calibration.adjust(quantiles, when, quantiles, loud, known_from=when + 1000) == moved[0]).all()


def test_scores_are_thinned_to_a_bounded_number():
    quantiles = np.broadcast_to([-1.0, 0.0, 1.0], (3000, 200, 1, 3))
    calibration = Calibration.of(np.zeros((3000, 200, 1)), quantiles, np.arange(3000), LEVELS)
    assert calibration.stride == 2
    assert calibration.scores.shape == (1500, 200, 1, 3)
