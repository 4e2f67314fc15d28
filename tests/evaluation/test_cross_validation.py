"""Cross-validation with scikit-learn's estimators: folds, baselines, verdicts, over-fitting, bad input."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from memorycell.data.ragged import Ragged
from memorycell.evaluation.cross_validation import cross_validate, evaluate_held_out
from memorycell.evaluation.text_baselines import MostFrequentTag
from memorycell.pages.sections.scores import accuracy


def blobs(n: int = 90, seed: int = 0, apart: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return generator.normal(size=(n, 5)) + apart * (y[:, None] == np.arange(5)), np.array(["low", "mid", "high"])[y]


def test_scores_are_those_of_scikit_learn_on_the_same_folds() -> None:
    X, y = blobs(apart=1.5)
    result = cross_validate(GaussianNB(), X, y, folds=4, baselines=False)
    expected = cross_val_score(GaussianNB(), X, y, cv=StratifiedKFold(4, shuffle=True, random_state=0))
    assert result.models[0].folds["accuracy"] == pytest.approx(expected.tolist())
    assert result.split == "stratified" and result.sizes == [(67, 23), (67, 23), (68, 22), (68, 22)]
    model = result.models[0]
    labels = np.array(result.classes)[model.answers["labels"]]
    assert result.score == metrics.accuracy_score(y, labels)
    assert model.answers["probabilities"].sum(1) == pytest.approx(np.ones(90))
    assert result.rows.tolist() == list(range(90))
    assert np.array(result.classes)[result.targets].tolist() == y.tolist()
    interval = model.intervals["macro_f1"]
    assert interval.low < model.measures.values["macro_f1"] < interval.high
    assert result.outcome == "GaussianNB stands alone: no baseline was compared."


def test_baselines_stand_beside_the_task_on_the_same_rows() -> None:
    X, y = blobs()
    said: list[str] = []
    result = cross_validate(GaussianNB(), X, y, folds=3, progress=said.append)
    names = [model.name for model in result.models]
    assert names == [
        "GaussianNB",
        "majority class",
        "logistic regression on summary statistics",
        "logistic regression on all values",
    ]
    assert result["majority class"].measures.values["accuracy"] == pytest.approx(1 / 3)
    outcomes = {found.baseline: found.outcome for found in result.comparisons}
    assert outcomes["majority class"] == "better"
    assert outcomes["logistic regression on all values"] == "no difference"
    assert said[:2] == ["fold 1 of 3: fitting GaussianNB", "majority class on 30 rows"]
    text = result.summary()
    assert "90 rows tested, in 3 stratified folds; 3 classes" in text
    assert "bootstrap of 90 pooled test rows" in text
    assert "true \\ answered" in text
    assert str(result) == text
    json.dumps(result.to_dict())
    table = result.table()
    assert [row["best"] for row in table] == [True, False, False, False]
    with pytest.raises(KeyError, match="expected one of GaussianNB"):
        result["nobody"]


def test_a_baseline_that_wins_is_said_to() -> None:
    X, y = blobs(150)
    result = cross_validate(DummyClassifier(), X, y, folds=3)
    assert result.outcome.startswith("A baseline wins: logistic regression on ")
    assert result.best is result.ranking[0] and result.best.name != "DummyClassifier"


def test_text_is_vectorised_on_training_rows_only() -> None:
    texts = [f"{'fine' if i % 2 else 'awful'} flight number{i}" for i in range(60)]

    class Watching(CountVectorizer):
        def fit_transform(self, X: Any, y: Any = None) -> Any:
            assert len(X) == 40
            return super().fit_transform(X, y)

    result = cross_validate(make_pipeline(Watching(), MultinomialNB()), texts, [i % 2 for i in range(60)], folds=3)
    assert result.score == 1.0
    assert [model.name for model in result.models][1:] == ["majority class", "TF-IDF + logistic regression"]


class Columns(LogisticRegression):
    """A task that names its columns."""

    def __init__(self, text: str = "said", target: str | None = None, group: str | None = None):
        super().__init__()
        self.text, self.target, self.group = text, target, group

    def fit(self, X: Any, y: Any) -> "Columns":
        return super().fit(np.array([["fine" in text] for text in X]), y)

    def predict(self, X: Any) -> Any:
        return super().predict(np.array([["fine" in text] for text in X]))

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(np.array([["fine" in text] for text in X]))


def test_files_and_frames_are_read_by_the_columns_that_the_task_names(tmp_path: Path) -> None:
    import pandas as pd

    texts = [f"a {'fine' if i % 2 else 'poor'} day {i}" for i in range(40)]
    frame = pd.DataFrame(
        {"said": texts, "mood": [f"m{i % 2}" for i in range(40)], "who": [f"p{i // 2}" for i in range(40)]}
    )
    frame.to_csv(tmp_path / "said.csv", index=False)
    task = Columns(target="mood", group="who")
    for source in (frame, tmp_path / "said.csv"):
        result = cross_validate(task, source, folds=2, baselines=False)
        assert result.score == 1.0 and result.split == "stratified and grouped"
    assert cross_validate(Columns(), frame, "mood", folds=2, baselines=False).split == "stratified"
    fitted = task.fit(texts, frame["mood"].tolist())
    held = evaluate_held_out(fitted, tmp_path / "said.csv", train=(frame, None))
    assert held.sizes == [(40, 40)] and len(held.models) == 3


def test_groups_stay_apart_and_carry_the_interval() -> None:
    X, y = blobs(120, apart=1.0)
    groups = [f"user {i % 24}" for i in range(120)]
    result = cross_validate(GaussianNB(), X, y, folds=4, groups=groups, baselines=False)
    assert result.split == "stratified and grouped"
    assert result.interval_method == "bootstrap of 24 pooled test groups"
    for k in range(4):
        inside = {groups[row] for row in result.rows[result.fold == k]}
        outside = {groups[row] for row in result.rows[result.fold != k]}
        assert not inside & outside
    few = cross_validate(GaussianNB(), X, y, folds=3, groups=np.arange(120) // 20, baselines=False)
    assert "corrected resampled t over 3 folds" in few.interval_method


class NeedsGroups(GaussianNB):
    """A task that splits its training rows by group itself."""

    def fit(self, X: Any, y: Any, groups: Any = None) -> "NeedsGroups":
        assert groups is not None and len(groups) == len(X)
        return super().fit(X, y)


def test_a_task_that_takes_groups_gets_those_of_its_rows() -> None:
    X, y = blobs(60)
    cross_validate(NeedsGroups(), X, y, folds=2, groups=np.arange(60) % 15, baselines=False)


def test_time_order_tests_what_comes_after() -> None:
    X, y = blobs(100)
    result = cross_validate(GaussianNB(), X, y, folds=3, order=np.arange(100), baselines=False)
    assert result.split == "time-ordered"
    assert result.rows.tolist() == list(range(25, 100))
    assert [train for train, _ in result.sizes] == [25, 50, 75]
    assert any("independent" in note for note in result.notes)


def test_over_fitting_is_named_and_a_sound_fit_is_not() -> None:
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(200, 6)), generator.integers(0, 2, 200)
    tree = cross_validate(DecisionTreeClassifier(random_state=0), X, y, folds=3, baselines=False)
    assert tree.overfitting is not None
    assert tree.overfitting.startswith("Over-fitting: accuracy 100.0 % on training rows against ")
    assert tree.overfitting in tree.summary()
    X, y = blobs(200)
    sound = cross_validate(GaussianNB(), X, y, folds=3, baselines=False)
    assert sound.overfitting is None and len(sound.train["accuracy"]) == 3
    unasked = cross_validate(GaussianNB(), X, y, folds=3, baselines=False, train_score=False)
    assert unasked.overfitting is None and unasked.train == {}


def test_numbers() -> None:
    X = np.random.default_rng(1).normal(size=(80, 4))
    y = X @ [1.0, 2.0, 0.0, -1.0] + 3
    result = cross_validate(LinearRegression(), X, y, folds=4)
    assert result.kind == "numbers" and result.measure == "rmse" and result.split == "random"
    assert [model.name for model in result.models][:2] == ["LinearRegression", "mean"]
    assert result.comparisons[0].outcome == "better"
    assert result.score < 1e-10
    assert "RMSE" in result.summary() and "R²" in result.summary()
    pair = cross_validate(LinearRegression(), X, np.stack([y, -y], 1), folds=4)
    assert pair.models[0].measures.values["r2"] == pytest.approx(1)
    poor = cross_validate(DummyRegressor(), X, y, folds=4)
    assert poor.outcome.startswith("A baseline wins: ridge on ")


def test_more_of_r2_is_better() -> None:
    generator = np.random.default_rng(1)
    X = generator.normal(size=(120, 6))
    y = X[:, 0] + generator.normal(size=120)
    result = cross_validate(DecisionTreeRegressor(random_state=0), X, y, folds=3, measure="r2")
    assert result.overfitting is not None
    assert result.overfitting.startswith("Over-fitting: R² 1.000 on training rows against ")
    assert result.best.name.startswith("ridge on ") and result.ranking[-1].measures.values["r2"] < 0.01
    assert result.outcome.startswith("A baseline wins: ridge on ")
    by_rmse = cross_validate(DecisionTreeRegressor(random_state=0), X, y, folds=3)
    assert [model.name for model in result.ranking] == [model.name for model in by_rmse.ranking]
    page = accuracy(result, "").html()
    assert "R² of each model; more is better." in page and result.overfitting in page
    assert cross_validate(LinearRegression(), X, y, folds=3, measure="r2").overfitting is None


def test_several_labels() -> None:
    X = np.random.default_rng(2).normal(size=(100, 5))
    truth = X[:, :3] > 0.3
    result = cross_validate(DecisionTreeClassifier(random_state=0), X, truth, folds=3)
    assert result.kind == "labels" and result.measure == "micro_f1"
    assert 0.95 < result.score <= 1.0
    assert result.models[1].name == "labels of most rows"

    class Names(BaseEstimator):
        """Answers with lists of names."""

        _estimator_type = "classifier"

        def __sklearn_tags__(self) -> Any:
            tags = super().__sklearn_tags__()
            tags.estimator_type = "classifier"
            return tags

        def fit(self, X: Any, y: Any) -> "Names":
            return self

        def predict(self, X: Any) -> list[list[str]]:
            return [["first"] * int(row[0] > 0.3) + ["second"] * int(row[1] > 0.3) for row in X]

    named = [["first"] * a + ["second"] * b for a, b in truth[:, :2].tolist()]
    result = cross_validate(Names(), X, named, folds=3, baselines=False)
    assert result.classes == ["first", "second"] and result.score == 1.0


class LastLetter(BaseEstimator):
    """Tags words by their last letter."""

    def fit(self, X: Any, y: Any) -> "LastLetter":
        self.tagger_ = MostFrequentTag().fit([[word[-1] for word in row] for row in X], y)
        return self

    def predict(self, X: Any) -> list[list[str]]:
        return self.tagger_.predict([[word[-1] for word in row] for row in X])


def tagged(n: int = 60) -> tuple[list[list[str]], list[list[str]]]:
    generator = np.random.default_rng(3)
    rows = [[f"w{number}{'ab'[number % 2]}" for number in generator.integers(0, 400, 6)] for _ in range(n)]
    return rows, [["B-x" if word[-1] == "a" else "O" for word in row] for row in rows]


def test_tags() -> None:
    X, y = tagged()
    result = cross_validate(LastLetter(), X, y, folds=3)
    assert result.kind == "tags" and result.noun == "sequences"
    assert result.models[0].measures.values["accuracy"] == 1.0
    assert result.models[0].measures.values["entity_f1"] == 1.0
    assert result.comparisons[0].baseline == "most frequent tag per word"
    assert result.comparisons[0].outcome == "better"
    with pytest.raises(ValueError, match="a label for each step, got 6 steps and 5 in row 1"):
        cross_validate(LastLetter(), X, [y[0], y[1][:5], *y[2:]], folds=3)
    with pytest.raises(ValueError, match="got None in row 0"):
        cross_validate(LastLetter(), X, [[None] * 6, *y[1:]], folds=3)


class Letters:
    """A codec of letters."""

    unit = "character"
    size = 30

    def encode(self, texts: list[str], end: bool = False) -> Ragged:
        ids = [[3 + (ord(letter) - ord("a")) % 26 for letter in text] + [2] * end for text in texts]
        return Ragged.of([torch.tensor(row) for row in ids], torch.int64)

    def to_json(self) -> dict:
        return {}


class Uniform(BaseEstimator):
    """A language model that knows nothing."""

    def fit(self, X: Any) -> "Uniform":
        self.codec_ = Letters()
        self.read_ = X
        return self

    def log_probabilities(self, texts: list[str]) -> list[np.ndarray]:
        return [np.full(len(text) + 1, -np.log(30)) for text in texts]


def test_language() -> None:
    texts = ["abcabcabc"] * 60
    result = cross_validate(Uniform(), texts, folds=3)
    assert result.kind == "language" and result.split == "contiguous" and result.noun == "texts"
    assert result.score == pytest.approx(30)
    assert result.comparisons[0].baseline == "Kneser–Ney 7-gram"
    assert result.comparisons[0].outcome == "worse"
    assert "perplexity" in result.summary() and "bits per token" in result.summary()


def test_one_text_is_read_in_stretches() -> None:
    text = "abcabcab\n" * 300
    result = cross_validate(Uniform(), text, folds=3, baselines=False)
    assert result.noun == "stretches of text" and len(result.rows) == 200
    assert result.models[0].measures.count == len(text) + 3  # and an end for each test part
    held = evaluate_held_out(Uniform().fit(text), text[:90], train=(text, None), baselines=False)
    assert held.split == "held out" and held.score == pytest.approx(30)


def test_other_measures() -> None:
    X, y = blobs(90, apart=1.0)
    result = cross_validate(GaussianNB(), X, y, folds=3, measure="macro_f1")
    assert "macro-F1" in result.comparisons[0].text
    X, y = blobs(90, apart=2.0)
    result = cross_validate(GaussianNB(), X, y, folds=3, measure="log_loss")
    assert result.comparisons[0].difference < 0 and result.comparisons[0].outcome == "better"
    with pytest.raises(ValueError, match="log loss needs predict_proba, which RidgeClassifier lacks"):
        cross_validate(RidgeClassifier(), X, y, folds=3, measure="log_loss")
    with pytest.raises(ValueError, match="one of accuracy, balanced_accuracy"):
        cross_validate(GaussianNB(), X, y, folds=3, measure="rmse")


def test_a_measure_that_tables_do_not_show_of_themselves_comes_first() -> None:
    X, y = blobs(60, apart=2.0)
    result = cross_validate(GaussianNB(), X, y, folds=2, measure="brier", baselines=False)
    assert [measure.key for measure in result.shown] == [
        "brier",
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "log_loss",
    ]
    assert result.summary().splitlines()[2].split()[:3] == ["Brier", "score", "interval"]


def test_baselines_of_ones_own_and_one_that_cannot_be_fitted() -> None:
    X, y = blobs(60)

    class Broken(GaussianNB):
        def fit(self, X: Any, y: Any) -> "Broken":
            raise ValueError("this\nnever works")

    result = cross_validate(GaussianNB(), X, y, folds=3, baselines={"tree": DecisionTreeClassifier(), "x": Broken()})
    assert [model.name for model in result.models] == ["GaussianNB", "tree"]
    assert "x left out: this never works" in result.notes
    assert "Note: x left out" in result.summary()


def test_folds_in_processes_of_their_own() -> None:
    X, y = blobs(60, apart=1.0)
    alone, together = (cross_validate(GaussianNB(), X, y, folds=2, jobs=jobs, baselines=False) for jobs in (1, 2))
    assert alone.models[0].folds == together.models[0].folds


def test_held_out_rows() -> None:
    X, y = blobs(120)
    model = GaussianNB().fit(X[:80], y[:80])
    result = evaluate_held_out(model, X[80:], y[80:], train=(X[:80], y[:80]))
    assert result.split == "held out" and result.sizes == [(80, 40)]
    assert result.rows.tolist() == list(range(40))
    assert result.score == model.score(X[80:], y[80:])
    assert len(result.comparisons) == 3 and "accuracy" in result.train
    assert evaluate_held_out(model, X[80:], y[80:], train=[X[:80], y[:80]]).train == result.train
    assert "40 rows tested, held out; 3 classes" in result.summary()
    alone = evaluate_held_out(model, X[80:].tolist(), y[80:].tolist(), groups=np.arange(40) % 20)
    assert alone.comparisons == [] and alone.interval_method == "bootstrap of 20 pooled test groups"
    few = evaluate_held_out(model, X[80:90], y[80:90])
    assert few.interval_method == "none, as 10 rows are too few"
    json.dumps(few.to_dict())


def test_a_class_that_training_has_not_seen() -> None:
    X, y = blobs(60)
    model = LogisticRegression().fit(X, y)
    result = evaluate_held_out(model, X[:30], ["a quite unseen class", *y[1:30]])
    (note,) = result.notes
    assert note.startswith("1 of the rows tested has a class that training has not seen ('a quite unseen class')")
    assert result.models[0].measures.per_class[0]["recall"] == 0
    assert result.models[0].answers["probabilities"].shape == (30, 4)
    with pytest.raises(ValueError, match="such as 'high', as in training, got 1"):
        evaluate_held_out(model, X[:4], [1, 2, 1, 2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": ["a"] * 30}, "at least two classes, got only 'a'"),
        ({"y": ["a"] * 29 + ["b"]}, "got 1 of class 'b'"),
        ({"y": ["a", None] * 15}, r"got 15 missing \(first: row 1\): leave those rows out"),
        ({"y": ["a", "b"]}, "a target for each of 30 rows, got 2"),
        ({"groups": [1, 2] * 15}, "at least 5 groups for 5 folds, got 2"),
        ({"interval": "wide"}, "one of auto, bootstrap, folds, got 'wide'"),
        ({"jobs": 0}, "other than 0"),
        ({"folds": 1}, "at least 2 folds"),
    ],
)
def test_wrong_input(arguments: dict, message: str) -> None:
    X, y = blobs(30)
    with pytest.raises(ValueError, match=message):
        cross_validate(GaussianNB(), X, **{"y": y, **arguments})


def test_wrong_kinds_of_input() -> None:
    with pytest.raises(TypeError, match="read the file first"):
        cross_validate(GaussianNB(), iter([1, 2]), [1, 2])
    with pytest.raises(TypeError, match="expected a list of texts beside y, got one str"):
        cross_validate(GaussianNB(), "abc", [1, 2, 3])
    with pytest.raises(ValueError, match="at least one row, got none"):
        cross_validate(GaussianNB(), [], [])
    with pytest.raises(ValueError, match=r"expected a number in each row, got 1 missing \(first: row 2\)"):
        cross_validate(LinearRegression(), np.zeros((5, 2)), np.array([1, 2, np.nan, 4, 5]))
    with pytest.raises(TypeError, match="a language model with log_probabilities"):
        cross_validate(CountVectorizer(), ["aa bb", "bb cc", "cc dd"], folds=2)


def test_a_fold_that_cannot_be_fitted_is_named() -> None:
    class Broken(GaussianNB):
        def fit(self, X: Any, y: Any) -> "Broken":
            raise ValueError("no way")

    X, y = blobs(30)
    with pytest.raises(ValueError, match="fold 1 of 5 could not be fitted: no way"):
        cross_validate(Broken(), X, y)
