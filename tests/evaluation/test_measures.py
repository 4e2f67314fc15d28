"""Every measure knows which way is better, how it is shown and when it speaks of over-fitting; all that ranks, compares
or speaks of scores follows it."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from memorycell.data.tables.encoded import Forecasts
from memorycell.evaluation import class_metrics
from memorycell.evaluation.class_metrics import Measures
from memorycell.evaluation.intervals import Interval, Rows, assess
from memorycell.evaluation.kinds import Classes, Labels, Language, Numbers, Tags
from memorycell.evaluation.learning_curve import LearningCurve
from memorycell.evaluation.measures import MEASURES, Measure, measure_of
from memorycell.evaluation.result import CrossValidation, ModelScores
from memorycell.evaluation.significance import judge
from memorycell.jobs.forecasting.measures import metrics
from memorycell.pages.plots.classes import models_scored
from memorycell.pages.sections.scores import accuracy, headline

KINDS = (Classes, Labels, Numbers, Tags, Language)


def of_classes(perfect: bool) -> dict[str, float]:
    kind = Classes(np.arange(60) % 3)
    answered = kind.y if perfect else (kind.y + 1) % 3
    answers = {"labels": answered, "probabilities": np.eye(3)[answered]}
    return kind.measures(np.arange(60), answers).values | kind.statistics(kind.sums(np.arange(60), answers).sum(0))


def of_labels(perfect: bool) -> dict[str, float]:
    truth = np.random.default_rng(0).random((60, 3)) < 0.4
    kind, answered = Labels(truth), truth if perfect else ~truth
    answers = {"labels": answered, "probabilities": answered.astype(float)}
    return kind.measures(np.arange(60), answers).values | kind.statistics(kind.sums(np.arange(60), answers).sum(0))


def of_numbers(perfect: bool) -> dict[str, float]:
    kind = Numbers(np.random.default_rng(1).normal(size=60))
    answers = {"numbers": kind.y if perfect else -kind.y}
    return kind.measures(np.arange(60), answers).values | kind.statistics(kind.sums(np.arange(60), answers).sum(0))


def of_tags(perfect: bool) -> dict[str, float]:
    tags = [["O", "B-x", "I-x"], ["B-x", "O", "B-x"]] * 10
    kind = Tags(tags, tags)
    answers = {"tags": [row if perfect else (row + 1) % 3 for row in kind.y]}
    return kind.measures(np.arange(20), answers).values | kind.statistics(kind.sums(np.arange(20), answers).sum(0))


def of_tokens(perfect: bool) -> dict[str, float]:
    kind = Language()
    answers = {"log_probabilities": [np.full(9, 0.0 if perfect else -5.0)] * 4}
    return kind.measures(np.arange(4), answers).values | kind.statistics(kind.sums(np.arange(4), answers).sum(0))


def of_forecasts(perfect: bool) -> dict[str, float]:
    actual = 5 + np.random.default_rng(2).random((30, 4, 1))
    point = actual + (0 if perfect else 3)
    levels = (0.25, 0.5, 0.75)
    rows = np.arange(30)
    forecasts = Forecasts(
        point=point, quantiles=np.repeat(point[..., None], 3, 3), levels=levels, actual=actual, origins=rows,
        series=np.zeros(30, int), dates=rows[:, None] + np.arange(4), origin_dates=rows, target_names=["y"], ids=["a"],
    )  # fmt: skip
    (scores,) = metrics.measure(forecasts, np.ones((30, 1)))
    return {**scores.overall, "standardised_rmse": metrics.rmse(actual / actual.std(), point / actual.std())}


SOURCES = (of_classes, of_labels, of_numbers, of_tags, of_tokens, of_forecasts)
FOUND = [
    (key, source.__name__, source(True)[key], bad) for source in SOURCES for key, bad in sorted(source(False).items())
]


@pytest.mark.parametrize(
    ("key", "source", "perfect", "bad"), FOUND, ids=[f"{key} {source}" for key, source, *_ in FOUND]
)
def test_flawless_answers_have_the_perfect_score_and_others_a_worse_one(
    key: str, source: str, perfect: float, bad: float
) -> None:
    measure = MEASURES[key]
    assert perfect == pytest.approx(measure.perfect)
    assert measure.is_better(perfect, than=bad) and not measure.is_better(bad, than=perfect)
    assert measure.improves(perfect - bad) and not measure.improves(bad - perfect)
    assert measure.better_words == ("more is better" if perfect > bad else "less is better")
    assert sorted([bad, math.nan, perfect], key=measure.rank)[:2] == [perfect, bad]
    assert measure.overfits(train=perfect, test=bad)
    assert not measure.overfits(train=bad, test=perfect) and not measure.overfits(train=bad, test=bad)
    assert not measure.overfits(train=perfect, test=perfect)


def test_all_measures_are_tried_and_all_that_is_measured_is_a_measure() -> None:
    assert {key for key, *_ in FOUND} == set(MEASURES)
    assert all(key == measure.key for key, measure in MEASURES.items())
    assert len({measure.name for measure in MEASURES.values()}) == len(MEASURES)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_missing_score_is_never_better_and_ranks_last(measure: Measure) -> None:
    for value in (0.3, math.inf, -math.inf):
        assert not measure.is_better(math.nan, than=value) and measure.is_better(value, than=math.nan)
        assert sorted([math.nan, value], key=measure.rank)[0] == value
    for train, test in ((math.nan, 0.5), (0.5, math.nan), (math.nan, math.nan)):
        assert not measure.overfits(train, test)
    assert not measure.improves(math.nan) and not measure.improves(0.0)
    assert measure.show(math.nan) == measure.show(None) == "–"


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_what_is_shown_in_percent_says_so(measure: Measure) -> None:
    assert measure.show(0.5) == ("50.0 %" if measure.in_percent else "0.500")
    assert measure.show_change(-0.5) == ("−50.0" if measure.in_percent else "−0.5")
    assert measure.unit_of_change == (" points" if measure.in_percent else "")
    assert measure.unit_for("°C") in ("°C", "%", "")
    assert measure.title.lower() == measure.name.lower() and (measure.title[0].isupper() or measure.title == "sMAPE")


@pytest.mark.parametrize("key", ["accuracy", "macro_f1", "r2", "roc_auc"])
def test_over_fitting_by_the_shortfall_from_one(key: str) -> None:
    measure = MEASURES[key]
    assert measure.overfits(train=0.94, test=0.87)  # 0.06 and 0.13
    assert not measure.overfits(train=0.94, test=0.895)  # less than 0.05 apart
    assert not measure.overfits(train=0.7, test=0.6)  # less than twice as large
    assert measure.overfits(train=1.0, test=0.95)


@pytest.mark.parametrize("key", ["rmse", "mae", "log_loss", "brier", "hamming_loss", "perplexity", "nats", "crps"])
def test_over_fitting_by_the_ratio_of_errors(key: str) -> None:
    measure = MEASURES[key]
    assert measure.overfits(train=2.0, test=3.0) and not measure.overfits(train=2.0, test=2.9)
    assert not measure.overfits(train=0.0, test=0.0) and measure.overfits(train=0.0, test=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_offers_measures_that_its_statistics_have(kind: Any) -> None:
    statistics = dict(zip(KINDS, SOURCES, strict=False))[kind]
    known = statistics(True)
    assert kind.measure in kind.measures_offered and kind.measure in kind.shown
    assert {measure.key for measure in (*kind.measures_offered, *kind.shown)} <= known.keys()
    assert kind.shown[0] is kind.measure


def test_the_whole_picture_names_what_a_short_table_shows() -> None:
    picture = Numbers(np.arange(5.0)).measures(np.arange(5), {"numbers": np.zeros((5, 1))})
    assert picture.shown == ("rmse", "mae", "r2") and "shown" not in picture.to_dict()


def result(measure: str, scores: dict[str, float], train: float = math.nan) -> CrossValidation:
    """Two models with the same score in each of two folds; the first is judged."""
    models = []
    for name, value in scores.items():
        around = Interval(value, value, value, 0.0, 40, "")
        picture = Measures(40, {measure: value}, shown=(measure,))
        models.append(ModelScores(name, picture, {measure: around}, {measure: [value, value]}, {}, 0.0))
    return CrossValidation(
        "made up", measure, "random", models, [], [], [(40, 20)] * 2, {measure: [train, train]}, np.arange(40),
        np.arange(40) % 2, None, "by hand",
    )  # fmt: skip


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_ranking_follows_the_measure(measure: Measure) -> None:
    found = result(measure.key, {"ours": 0.4, "other": 0.8, "silent": math.nan})
    order = ["other", "ours", "silent"] if measure.better == "more" else ["ours", "other", "silent"]
    assert [model.name for model in found.ranking] == order
    assert found.best.name == order[0] and found.ranked_by is measure


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_over_fitting_follows_the_measure(measure: Measure) -> None:
    good, poor = (0.95, 0.5) if measure.better == "more" else (0.5, 0.95)
    said = result(measure.key, {"ours": poor}, good).overfitting
    shown = measure.show(good) if measure.in_percent else f"{good:.4f}"
    assert said is not None and said.startswith(f"Over-fitting: {measure.name} {shown} on training rows against ")
    assert said.endswith(f"(said where {measure.overfitting_rule}).")
    assert result(measure.key, {"ours": good}, poor).overfitting is None


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_the_report_follows_the_measure(measure: Measure) -> None:
    found = result(measure.key, {"ours": 0.42, "other": 0.42})
    page = accuracy(found, "").html()
    assert "beside what else one would try" in page
    assert f"{measure.title} of each model; {measure.better_words}." in page
    assert f">{measure.show(0.42)}" in page
    assert measure.show(0.42) in headline(found, None, "row")
    drawn = [text.get_text() for text in models_scored(found).axes[0].texts]
    assert measure.show(0.42).removesuffix(" %") in drawn


def test_a_model_that_stands_alone_is_no_comparison() -> None:
    page = accuracy(result("accuracy", {"ours": 0.42}), "").html()
    assert "<figure" not in page and "beside what else" not in page
    assert "Nothing simpler stands beside it" in page and ">42.0" in page


@pytest.mark.parametrize(
    "key, scores, ours, said",
    [
        ("rmse", {"ours": 1.0, "ridge": 1.2, "mean": 40.0}, 1.0, "40.0"),
        ("r2", {"ours": 0.8, "ridge": 0.7, "last": -60.0}, 0.8, "◂ −60.0"),
    ],
)
def test_a_baseline_far_off_squashes_no_axis(key: str, scores: dict[str, float], ours: float, said: str) -> None:
    axes = models_scored(result(key, scores)).axes[0]
    low, high = axes.get_xlim()
    near = [value for value in scores.values() if abs(value) < 10]
    assert high - low < 4 * (max(near) - min(near)) and low <= min(near) <= max(near) <= high
    assert said in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_the_learning_curve_follows_the_measure(measure: Measure) -> None:
    def curve(slope: float) -> LearningCurve:
        gain = Interval(slope, slope - 0.01, slope + 0.01, 0.001, 5, "")
        return LearningCurve("made up", measure.key, "rows", [0.5, 1.0], [50, 100], np.ones((5, 2)), gain)

    up, down = curve(0.1), curve(-0.1)
    assert (up.outcome, down.outcome) == (("more", "less") if measure.better == "more" else ("less", "more"))
    assert f"would change {measure.name} by {measure.show_change(0.1)}{measure.unit_of_change} (95 %" in up.text


@pytest.mark.parametrize("better", ["more", "less"])
def test_comparisons_follow_the_measure(better: str) -> None:
    generator = np.random.default_rng(3)
    true = generator.normal(size=(200, 1))
    near, far = (class_metrics.number_sums(true, true + generator.normal(0, size, (200, 1))) for size in (0.1, 0.5))
    rows = Rows(np.arange(200) % 5, np.full(5, 0.25))
    measure = MEASURES["r2" if better == "more" else "rmse"]
    _, (good,) = assess({"near": near, "far": far}, class_metrics.number_statistics, measure, rows)
    _, (bad,) = assess({"far": far, "near": near}, class_metrics.number_statistics, measure, rows)
    assert (good.outcome, bad.outcome) == ("better", "worse") and good.measure == measure.key
    assert f" in {measure.name} (95 % interval " in good.text and "−" not in good.text
    assert (" % in " in good.text) is (better == "less")  # errors in per cent of the larger, R² as it is


def test_a_measure_is_found_by_key_and_name() -> None:
    assert all(measure_of(measure.name) is measure_of(measure.key) is measure for measure in MEASURES.values())
    with pytest.raises(ValueError, match=r"expected a measure, one of accuracy, .*, got 'truth'"):
        measure_of("truth")


def test_forecasts_are_judged_by_the_root_of_squares_where_the_measure_is_one() -> None:
    losses = np.random.default_rng(4).random((60, 1)) + 0.5
    found = {
        name: judge(losses, {"twice": 4 * losses}, series=np.zeros(60, int), when=np.arange(60), measure=name)[0]
        for name in ("RMSE", "standardised RMSE", "MASE")
    }
    assert [each.improvement for each in found.values()] == pytest.approx([0.5, 0.5, 0.75])
    assert "in standardised RMSE" in found["standardised RMSE"].text
    with pytest.raises(ValueError, match="expected a measure"):
        judge(losses, {}, series=np.zeros(60, int), when=np.arange(60), measure="luck")


def test_changes_and_ranks_are_in_order() -> None:
    values = [-2.0, 0.0, 0.5, 1.0, 7.0]
    for measure in MEASURES.values():
        ranked = sorted(values, key=measure.rank)
        assert ranked == (values[::-1] if measure.better == "more" else values)
        assert all(measure.is_better(first, than=second) for first, second in pairwise(ranked))
