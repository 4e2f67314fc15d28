"""Tests of the tests: against hand computations, and their size and power on simulated losses."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from memorycell.evaluation.significance import (
    bootstrap_over_series,
    diebold_mariano,
    enough_origins,
    holm,
    judge,
)


def test_one_step_is_a_paired_t_test():
    generator = np.random.default_rng(0)
    a, b = generator.random(40), generator.random(40)
    ours, theirs = diebold_mariano(a, b), stats.ttest_rel(a, b)
    assert ours.statistic == pytest.approx(theirs.statistic)
    assert ours.p_value == pytest.approx(theirs.pvalue)


def test_two_steps_by_hand():
    d = np.array([1.0, 3.0, 2.0, 4.0, 3.0, 5.0])
    # mean 3; centred -2 0 -1 1 0 2: gamma_0 = 10/6, gamma_1 = (0 + 0 - 1 + 0 + 0)/6 = -1/6
    variance = (10 / 6 - 2 / 6) / 6
    correction = math.sqrt((6 + 1 - 4 + 2 * 1 / 6) / 6)
    expected = 3 / math.sqrt(variance) * correction
    result = diebold_mariano(d, np.zeros(6), h=2)
    assert result.statistic == pytest.approx(expected)
    assert result.p_value == pytest.approx(2 * stats.t.sf(expected, 5))
    assert result.kernel == "rectangular"


def test_negative_variance_falls_back_to_bartlett():
    d = np.tile([1.0, -1.0], 10) + 0.3
    result = diebold_mariano(d, np.zeros(20), h=2)
    assert result.kernel == "bartlett"
    assert np.isfinite(result.statistic)


def test_equal_losses_and_constant_differences():
    same = np.ones(30)
    assert diebold_mariano(same, same).p_value == 1.0
    constant = diebold_mariano(same, same + 1)
    assert (constant.kernel, constant.p_value, constant.mean_difference) == ("none", 0.0, -1.0)


def test_missing_pairs_are_left_out():
    generator = np.random.default_rng(1)
    a, b = generator.random((2, 30))
    a[3] = np.nan
    assert diebold_mariano(a, b).p_value == diebold_mariano(np.delete(a, 3), np.delete(b, 3)).p_value


@pytest.mark.parametrize(
    ("a", "b", "h", "said"),
    [
        ([1, 2], [1, 2, 3], 1, "one length"),
        ([1, 2, 3], [3, 2, 1], 3, "number of origins"),
        ([1], [2], 0, "h=0"),
    ],
)
def test_refusals(a, b, h, said):
    with pytest.raises(ValueError, match=said):
        diebold_mariano(a, b, h)


@pytest.mark.parametrize(("n", "h"), [(20, 1), (60, 1), (96, 12), (240, 12)])
def test_size_is_near_nominal_under_the_null(n, h):
    generator = np.random.default_rng(n + h)
    rejected, draws = 0, 1000
    for _ in range(draws):
        noise = generator.normal(size=(2, n + h - 1))
        a, b = (np.convolve(e, np.ones(h), "valid") ** 2 for e in noise)  # h-step errors are MA(h - 1)
        rejected += diebold_mariano(a, b, h, degrees_of_freedom=n / h - 1).p_value < 0.05
    assert 0.02 < rejected / draws < 0.085


def test_power():
    generator = np.random.default_rng(3)
    found = 0
    for _ in range(200):
        a, b = generator.normal(size=(2, 200))
        found += diebold_mariano(a**2, (1.4 * b) ** 2).p_value < 0.05
    assert found > 150


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.01, math.nan, 0.02], [0.02, math.nan, 0.02]),
        ([], []),
    ],
)
def test_holm(p, adjusted):
    assert holm(p) == pytest.approx(adjusted, nan_ok=True)


def test_bootstrap_size_and_power():
    generator = np.random.default_rng(4)
    null, power = 0, 0
    for seed in range(300):
        d = generator.normal(size=30)
        null += bootstrap_over_series(d, np.zeros(30), resamples=400, seed=seed).p_value < 0.05
        power += bootstrap_over_series(d - 0.8, np.zeros(30), resamples=400, seed=seed).p_value < 0.05
    assert 0.02 < null / 300 < 0.085
    assert power > 270


def test_bootstrap_repeats_and_refuses_one_series():
    d = np.random.default_rng(5).normal(size=20)
    first, again = (bootstrap_over_series(d, d * 0.5, seed=1) for _ in range(2))
    assert first == again
    with pytest.raises(ValueError, match="two series"):
        bootstrap_over_series([1.0], [2.0])


def judged(model, *, series=None, **baselines):
    n = len(model)
    series = np.zeros(n, int) if series is None else series
    when = np.arange(n) if series.max() == 0 else np.tile(np.arange(n // (series.max() + 1)), series.max() + 1)
    return {v.baseline: v for v in judge(model, baselines, series=series, when=when)}


def test_verdicts_say_which_way():
    generator = np.random.default_rng(6)
    loss = generator.random((100, 2)) + 1
    verdicts = judged(loss, worse=loss * 2 + generator.random((100, 2)), better=loss * 0.5, even=loss[::-1])
    assert verdicts["worse"].outcome == "better"
    assert verdicts["worse"].text.startswith("better than worse by ")
    assert verdicts["better"].outcome == "worse"
    assert "better is better by 29.3 %" in verdicts["better"].text  # 1 - sqrt(1/2): losses are squares
    assert verdicts["even"].outcome == "no difference"
    assert "100 origins" in verdicts["even"].text
    assert [step["step"] for step in verdicts["even"].steps] == [1, 2]
    json.dumps([v.to_dict() for v in verdicts.values()], allow_nan=False)


def test_holm_is_over_the_baselines():
    generator = np.random.default_rng(7)
    loss = generator.random((60, 1))
    others = {f"b{i}": generator.random((60, 1)) + 0.08 for i in range(4)}
    verdicts = judged(loss, **others)
    assert [v.p_adjusted for v in verdicts.values()] == pytest.approx(holm([v.p_value for v in verdicts.values()]))


def test_too_few_origins_to_tell():
    loss = np.random.default_rng(8).random((19, 1))
    verdict = judged(loss, other=loss + 1)["other"]
    assert verdict.outcome == "too few"
    assert verdict.text == "other: too few origins to tell (19; this horizon needs 20)"
    assert verdict.to_dict()["p_value"] is None
    assert not enough_origins(95, 12)


def test_spacing_of_origins_shortens_the_overlap():
    loss = np.random.default_rng(9).random((24, 12))
    arguments = {"series": np.zeros(24, int), "when": np.arange(24)}
    (wide,) = judge(loss, {"b": loss + 1}, spacing=12, **arguments)
    (dense,) = judge(loss, {"b": loss + 1}, spacing=1, **arguments)
    assert (wide.outcome, dense.outcome) == ("better", "too few")


def test_many_series_are_the_sample():
    generator = np.random.default_rng(10)
    series = np.repeat(np.arange(12), 30)
    own = generator.normal(size=12)[series][:, None]  # a difference that is each series' own and 0 on average
    own -= own.mean()
    loss = generator.random((360, 1)) + 5
    verdict = judged(loss, other=loss + own, series=series)["other"]
    assert verdict.test == "paired bootstrap over series"
    assert (verdict.n, verdict.outcome) == (12, "no difference")
    assert judged(loss, other=loss + 1 + own / 9, series=series)["other"].outcome == "better"


def test_few_series_are_averaged_by_date():
    generator = np.random.default_rng(11)
    series = np.repeat([0, 1], 40)
    loss = generator.random((80, 1))
    assert judged(loss, other=loss + 0.1 + 0.1 * loss[::-1], series=series)["other"].n == 40


def test_missing_losses_do_not_spoil_the_rest():
    loss = np.random.default_rng(12).random((60, 3))
    other = loss + 0.5 + 0.1 * loss[::-1]
    loss[5] = np.nan
    loss[7, 1] = np.nan
    verdict = judged(loss, other=other)["other"]
    assert (verdict.outcome, verdict.n) == ("better", 59)
