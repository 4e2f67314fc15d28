"""Intervals cover what they promise to, and comparisons say what may be said."""

import numpy as np
import pytest
from scipy import stats

from memorycell.evaluation.class_metrics import class_statistics, class_sums, number_statistics, number_sums
from memorycell.evaluation.intervals import Rows, assess, corrected_t, mean_and_spread, percentiles, resampled_sums
from memorycell.evaluation.measures import MEASURES


def test_the_corrected_interval_by_hand() -> None:
    scores = np.array([0.7, 0.8, 0.75, 0.85, 0.9])
    found = corrected_t(scores, 0.25)
    error = np.sqrt((1 / 5 + 0.25) * scores.var(ddof=1))
    assert found.low == pytest.approx(scores.mean() - stats.t.ppf(0.975, 4) * error)
    assert found.high - found.value == pytest.approx(found.value - found.low)
    plain = stats.ttest_1samp(scores, 0.5).confidence_interval(0.95)
    assert found.high - found.low > plain.high - plain.low
    assert corrected_t([0.7, np.nan, 0.8], [0.5, 9.0, 0.5]).n == 2
    assert np.isnan(corrected_t([0.7], 0.25).low)
    assert corrected_t([0.0, 0.0, 0.0], 0.5).p_value == 1
    assert corrected_t([0.5, 0.5, 0.5], 0.5).p_value == 0


def test_the_bootstrap_has_the_spread_of_a_share() -> None:
    right = np.zeros((400, 2))
    right[:, 1], right[:300, 0] = 1, 1
    drawn = resampled_sums(right)
    shares = drawn[:, 0] / drawn[:, 1]
    assert shares.std() == pytest.approx(np.sqrt(0.75 * 0.25 / 400), rel=0.06)
    found = percentiles(0.75, shares, 400, "bootstrap")
    assert found.low == pytest.approx(0.7075, abs=0.006) and found.high == pytest.approx(0.7925, abs=0.006)
    assert found.p_value < 0.002


def test_rows_of_one_group_are_drawn_together() -> None:
    # 20 groups, all rows of a group alike: as uncertain as 20 rows, not as 400.
    group = np.repeat(np.arange(20), 20)
    right = np.stack([np.repeat(np.arange(20) % 2, 20), np.ones(400)], 1).astype(float)
    apart, together = resampled_sums(right), resampled_sums(right, [f"user {number}" for number in group])
    spreads = [(drawn[:, 0] / drawn[:, 1]).std() for drawn in (apart, together)]
    assert spreads[1] == pytest.approx(spreads[0] * np.sqrt(20), rel=0.1)


def test_draws_are_the_same_for_every_model() -> None:
    sums = np.random.default_rng(0).random((50, 3))
    pair = resampled_sums(np.hstack([sums, sums]), resamples=20)
    assert (pair[:, :3] == pair[:, 3:]).all()
    np.testing.assert_allclose(pair[:, :3], resampled_sums(sums, resamples=20), rtol=1e-12)


def rows_of(n: int, folds: int = 5, **more: object) -> Rows:
    return Rows(np.arange(n) % folds, np.full(folds, 1 / (folds - 1)), **more)  # type: ignore[arg-type]


def answers(n: int, share: float, seed: int) -> np.ndarray:
    right = np.random.default_rng(seed).random(n) < share
    true = np.arange(n) % 2
    return class_sums(true, np.where(right, true, 1 - true), 2)


@pytest.mark.parametrize("method", ["auto", "bootstrap", "folds"])
def test_better_worse_and_no_difference(method: str) -> None:
    n = 600
    models = {"ours": answers(n, 0.8, 0), "poor": answers(n, 0.5, 1), "good": answers(n, 0.97, 2)}
    models["alike"] = models["ours"]
    found, compared = assess(models, class_statistics, MEASURES["accuracy"], rows_of(n, method=method))
    assert [each.outcome for each in compared] == ["better", "worse", "no difference"]
    assert compared[0].text.startswith("better than poor by ")
    assert "points in accuracy (95 % interval" in compared[0].text
    assert compared[1].text.startswith("good is better by ")
    assert compared[2].text.startswith("no difference from alike that ")
    assert compared[0].low < compared[0].difference < compared[0].high
    assert compared[0].p_adjusted >= compared[0].p_value
    interval = found["ours"]["accuracy"]
    assert interval.low < 0.8 < interval.high
    assert ("Nadeau" in rows_of(n, method=method).said) is (method == "folds")
    kind = "corrected resampled t over folds" if method == "folds" else "paired bootstrap over rows"
    assert kind in compared[0].text


def test_errors_are_better_when_they_are_lower() -> None:
    generator = np.random.default_rng(3)
    true = generator.normal(size=(200, 1))
    near, far = (number_sums(true, true + generator.normal(0, size, (200, 1))) for size in (0.1, 0.5))
    _, (good,) = assess({"near": near, "far": far}, number_statistics, MEASURES["rmse"], rows_of(200))
    assert good.outcome == "better" and good.difference < 0
    assert " % in RMSE (95 % interval " in good.text and "−" not in good.text
    _, (bad,) = assess({"far": far, "near": near}, number_statistics, MEASURES["rmse"], rows_of(200))
    assert bad.outcome == "worse" and bad.text.startswith("near is better by ")


def test_too_few_to_tell() -> None:
    models = {"ours": answers(18, 1.0, 0), "other": answers(18, 0.3, 1)}
    found, (few,) = assess(models, class_statistics, MEASURES["accuracy"], rows_of(18))
    assert few.outcome == "too few"
    assert few.text == "other: too few rows to tell (18; this needs 20)"
    assert np.isnan(found["ours"]["accuracy"].low)
    _, (few,) = assess(models, class_statistics, MEASURES["accuracy"], rows_of(18, 2, method="folds"))
    assert few.text == "other: too few folds to tell (2; this needs 3)"


def test_few_groups_are_left_to_the_folds() -> None:
    models = {"ours": answers(90, 0.95, 0), "other": answers(90, 0.4, 1)}
    groups = np.arange(90) % 8
    few = Rows(groups % 4, np.full(4, 1 / 3), groups)
    assert few.by_folds and "4 folds" in few.said
    _, (compared,) = assess(models, class_statistics, MEASURES["accuracy"], few)
    assert compared.outcome == "better"
    _, (asked,) = assess(
        models, class_statistics, MEASURES["accuracy"], Rows(groups % 4, np.full(4, 1 / 3), groups, "rows", "bootstrap")
    )
    assert asked.text == "other: too few groups to tell (8; this needs 20)"


def test_mean_and_spread_without_what_is_missing() -> None:
    assert mean_and_spread([1.0, float("nan"), 3.0]) == (2.0, pytest.approx(2**0.5))
    assert np.isnan(mean_and_spread([1.0])[1]) and np.isnan(mean_and_spread([])[0])
