"""Measures against scikit-learn's, and against sums worked out by hand."""

import json

import numpy as np
import pytest
from sklearn import metrics

from memorycell.evaluation import class_metrics as ours


def drawn(n: int = 200, k: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    true = generator.choice(k, n, p=np.arange(1, k + 1) / sum(range(1, k + 1)))
    scores = generator.normal(size=(n, k)) + 1.5 * np.eye(k)[true]
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return true, probabilities.argmax(1), probabilities


def test_statistics_of_sums_are_scikit_learns() -> None:
    true, predicted, probabilities = drawn()
    found = ours.class_statistics(ours.class_sums(true, predicted, 4, probabilities).sum(0))
    expected = {
        "accuracy": metrics.accuracy_score(true, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(true, predicted),
        "macro_f1": metrics.f1_score(true, predicted, average="macro"),
        "micro_f1": metrics.f1_score(true, predicted, average="micro"),
        "weighted_f1": metrics.f1_score(true, predicted, average="weighted"),
        "log_loss": metrics.log_loss(true, probabilities),
        "brier": metrics.brier_score_loss(true, probabilities),
    }
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected)


def test_classes_that_are_nowhere_do_not_count() -> None:
    true, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 3])
    found = ours.class_statistics(ours.class_sums(true, predicted, 5).sum(0))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(true, predicted, average="macro"))
    # scikit-learn warns of class 3, which is answered but never true
    assert found["balanced_accuracy"] == pytest.approx(0.5)
    assert "log_loss" not in found


def test_statistics_work_on_many_sums_at_once() -> None:
    true, predicted, _ = drawn()
    sums = ours.class_sums(true, predicted, 4)
    many = ours.class_statistics(np.stack([sums[:50].sum(0), sums.sum(0)]))
    assert many["accuracy"].tolist() == [(true[:50] == predicted[:50]).mean(), (true == predicted).mean()]


def test_the_whole_picture() -> None:
    true, predicted, probabilities = drawn()
    found = ours.measure_classes(true, predicted, ["a", "b", "c", "d"], probabilities)
    assert found.confusion is not None
    assert found.confusion.tolist() == metrics.confusion_matrix(true, predicted).tolist()
    report = metrics.classification_report(true, predicted, target_names=found.classes, output_dict=True)
    for row in found.per_class:
        assert row["f1"] == pytest.approx(report[row["class"]]["f1-score"])
        assert row["support"] == report[row["class"]]["support"]
    assert found.values["macro_recall"] == pytest.approx(report["macro avg"]["recall"])
    expected = metrics.roc_auc_score(true, probabilities, multi_class="ovr", average="macro")
    assert found.values["roc_auc"] == pytest.approx(expected)
    for curve in found.roc:
        assert (curve["x"][0], curve["y"][0], curve["x"][-1], curve["y"][-1]) == (0, 0, 1, 1)
        assert metrics.auc(curve["x"], curve["y"]) == pytest.approx(curve["area"], abs=0.02)
    for curve in found.precision_recall:
        assert curve["x"][0] == 0 and curve["x"][-1] == 1
    json.dumps(found.to_dict())


def test_long_curves_are_thinned_to_what_can_be_drawn() -> None:
    true, predicted, probabilities = drawn(5000, 2)
    curve = ours.measure_classes(true, predicted, [0, 1], probabilities).roc[0]
    assert len(curve["x"]) == len(curve["y"]) == 200
    assert metrics.auc(curve["x"], curve["y"]) == pytest.approx(curve["area"], abs=0.01)


def test_calibration_error_by_hand() -> None:
    true, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.55, 0.45], [0.55, 0.45]])
    found = ours.measure_classes(true, predicted, ["no", "yes"], probabilities)
    assert found.values["calibration_error"] == pytest.approx(0.5 * 0.1 + 0.5 * 0.05)
    assert found.reliability == [
        {"confidence": pytest.approx(0.55), "accuracy": 0.5, "count": 2},
        {"confidence": pytest.approx(0.9), "accuracy": 1.0, "count": 2},
    ]


def test_a_class_given_no_chance_costs_much_but_not_everything() -> None:
    sums = ours.class_sums(np.array([0]), np.array([1]), 2, np.array([[0.0, 1.0]]))
    assert 30 < ours.class_statistics(sums.sum(0))["log_loss"] < 40


def test_several_labels() -> None:
    generator = np.random.default_rng(1)
    true, predicted = generator.random((60, 3)) < 0.4, generator.random((60, 3)) < 0.5
    found = ours.measure_labels(true, predicted, ["x", "y", "z"], generator.random((60, 3)))
    expected = {
        "micro_f1": metrics.f1_score(true, predicted, average="micro"),
        "macro_f1": metrics.f1_score(true, predicted, average="macro"),
        "weighted_f1": metrics.f1_score(true, predicted, average="weighted"),
        "exact_match": metrics.accuracy_score(true, predicted),
        "hamming_loss": metrics.hamming_loss(true, predicted),
    }
    assert {name: found.values[name] for name in expected} == pytest.approx(expected)
    assert [row["support"] for row in found.per_class] == true.sum(0).tolist()
    assert len(found.roc) == 3


def test_numbers() -> None:
    generator = np.random.default_rng(2)
    true = generator.normal(5, 2, (40, 2))
    predicted = true + generator.normal(0, 0.5, (40, 2))
    sums = ours.number_statistics(ours.number_sums(true, predicted).sum(0))
    whole = ours.measure_numbers(true, predicted).values
    assert {name: float(value) for name, value in sums.items()} == pytest.approx(whole)
    assert whole["r2"] == pytest.approx(metrics.r2_score(true, predicted))
    constant = ours.number_statistics(ours.number_sums(np.ones((5, 1)), np.ones((5, 1))).sum(0))
    assert np.isnan(constant["r2"]) and constant["rmse"] == 0


def test_tags() -> None:
    true = [np.array([0, 1, 2]), np.array([1]), np.array([], int)]
    predicted = [np.array([0, 2, 2]), np.array([1]), np.array([], int)]
    found = ours.measure_tags(true, predicted, ["A", "B", "C"])
    assert found.count == 4
    assert found.values["accuracy"] == 0.75
    assert found.values["sequence_accuracy"] == pytest.approx(2 / 3)
    sums = ours.tag_statistics(ours.tag_sums(true, predicted, 3).sum(0))
    for name in ("accuracy", "macro_f1", "sequence_accuracy"):
        assert sums[name] == pytest.approx(found.values[name])


def test_language() -> None:
    found = ours.measure_tokens([np.log([0.5, 0.25]), np.zeros(0), np.log([0.125])])
    assert found.count == 3
    assert found.values == pytest.approx({"bits": 2.0, "nats": 2 * np.log(2), "perplexity": 4.0})
