"""The learning curve: nested parts, the same test rows, and a statement that fits the slope."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from memorycell.evaluation.learning_curve import learning_curve


class Remembering(GaussianNB):
    """Keeps which rows it was fitted on: the first column is the row's number."""

    seen: list[tuple[list[int], list[Any]]] = []  # noqa: RUF012

    def fit(self, X: Any, y: Any) -> "Remembering":
        self.seen.append((X[:, 0].astype(int).tolist(), list(y)))
        return super().fit(X, y)


def numbered(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(n, 4))
    X[:, 0] = np.arange(n)
    return X, np.where(np.arange(n) % 10 == 0, "rare", "common")


def test_parts_are_nested_and_hold_every_class() -> None:
    X, y = numbered(100)
    Remembering.seen.clear()
    learning_curve(Remembering(), X, y, folds=2, sizes=(0.1, 0.4, 1.0))
    for small, middle, whole in (Remembering.seen[:3], Remembering.seen[3:]):
        assert set(small[0]) < set(middle[0]) < set(whole[0])
        assert [len(part[0]) for part in (small, middle, whole)] == [5, 20, 50]
        assert set(small[1]) == {"rare", "common"}
        assert middle[1].count("rare") in (2, 3)


def test_groups_come_whole_and_time_keeps_the_latest() -> None:
    X, y = numbered(120)
    Remembering.seen.clear()
    learning_curve(Remembering(), X, y, folds=2, sizes=(0.5, 1.0), groups=np.arange(120) // 10)
    half = [row // 10 for row in Remembering.seen[0][0]]
    assert len(set(half)) <= 4
    Remembering.seen.clear()
    learning_curve(Remembering(), X, y, folds=2, sizes=(0.5, 1.0), order=np.arange(120))
    assert Remembering.seen[0][0] == list(range(20, 40))


def test_a_rising_curve_is_worth_more_data() -> None:
    generator = np.random.default_rng(1)
    X = generator.uniform(-1, 1, size=(600, 4))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    curve = learning_curve(KNeighborsClassifier(5), X, y, sizes=(0.1, 0.3, 1.0), folds=5)
    assert curve.outcome == "more"
    assert curve.text.startswith("More data is worth it: at this slope twice as many rows would change accuracy by +")
    assert [row["mean"] for row in curve.table()] == sorted(row["mean"] for row in curve.table())
    assert curve.rows == [48, 144, 480]
    assert "training rows" in str(curve) and curve.text in str(curve)
    json.dumps(curve.to_dict())


def test_a_rising_r2_is_worth_more_data_and_a_falling_error_too() -> None:
    X = np.random.default_rng(1).uniform(-1, 1, size=(400, 3))
    y = X[:, 0] * X[:, 1]
    for measure in ("r2", "rmse"):
        curve = learning_curve(KNeighborsRegressor(3), X, y, sizes=(0.1, 0.3, 1.0), folds=4, measure=measure)
        assert curve.outcome == "more" and curve.text.startswith("More data is worth it"), measure


def test_a_score_that_an_estimator_cannot_give() -> None:
    X, y = numbered(60)
    with pytest.raises(ValueError, match="log loss needs predict_proba, which RidgeClassifier lacks: take accuracy"):
        learning_curve(RidgeClassifier(), X, y, sizes=(0.5, 1.0), folds=2, measure="log_loss")


def test_a_flat_curve_is_not() -> None:
    X, y = numbered(100)
    curve = learning_curve(DummyClassifier(), X, y, sizes=(0.5, 1.0), folds=4)
    assert curve.outcome == "no gain shown" and curve.gain.value == pytest.approx(0, abs=1e-12)
    assert curve.text.startswith("That more data helps could not be shown")


def test_the_gain_is_the_slope_for_twice_the_rows() -> None:
    X = np.random.default_rng(2).normal(size=(90, 3))
    y = X.sum(1) + np.random.default_rng(3).normal(size=90)
    curve = learning_curve(LinearRegression(), X, y, sizes=(0.25, 0.5, 1.0), folds=3)
    slopes = [np.polyfit(np.log2([15, 30, 60]), scores, 1)[0] for scores in curve.scores]
    assert curve.measure == "rmse"
    assert curve.gain.value == pytest.approx(np.mean(slopes))
    assert learning_curve(LinearRegression(), X, y, sizes=(0.5, 1.0), folds=2).outcome == "too few"


def test_processes_and_progress() -> None:
    X, y = numbered(60)
    said: list[str] = []
    alone = learning_curve(GaussianNB(), X, y, sizes=(0.5, 1.0), folds=2, progress=said.append)
    assert said[0] == "fold 1 of 2, 15 training rows"
    together = learning_curve(GaussianNB(), X, y, sizes=(0.5, 1.0), folds=2, jobs=2)
    assert alone.scores.tolist() == together.scores.tolist()


@pytest.mark.parametrize("sizes", [(), (0.5,), (0.5, 0.5), (0.0, 1.0), (0.5, 1.5), (10, 20)])
def test_wrong_sizes(sizes: tuple[float, ...]) -> None:
    X, y = numbered(40)
    with pytest.raises(ValueError, match="at least two different sizes"):
        learning_curve(GaussianNB(), X, y, sizes=sizes, folds=2)


def test_a_part_that_is_too_small_is_named() -> None:
    X, y = numbered(100)
    with pytest.raises(ValueError, match=r"fold 1 of 2, 1 training rows: .*take larger sizes"):
        learning_curve(KNeighborsClassifier(1), X[:, :0], y, sizes=(0.02, 1.0), folds=2)
