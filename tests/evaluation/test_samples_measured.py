"""Samples are measured without being read or encoded again: tasks are asked once for each model and fold."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB

from memorycell.data.ragged import Ragged
from memorycell.data.samples import Answers, Samples
from memorycell.evaluation.cross_validation import cross_validate, evaluate_held_out
from memorycell.evaluation.folds import take
from memorycell.evaluation.kinds import Classes, Kind, Labels, Language, Numbers, Tags, kind_of
from memorycell.evaluation.learning_curve import learning_curve


class Counting(BaseEstimator):
    """A task of this library, as evaluation sees one: it takes samples, and counts what it is asked for."""

    calls: ClassVar[Counter] = Counter()
    encoded: ClassVar[list[int]] = []
    codec: ClassVar[object] = object()

    def read(self, source: Any) -> Samples:
        raise AssertionError("samples are not to be read again")

    def predict(self, X: Any) -> Any:
        raise AssertionError("answers() says it all")

    predict_proba = log_probabilities = predict

    def fit(self, X: Samples) -> Any:
        assert isinstance(X, Samples)
        self.calls["fit"] += 1
        self.learn(self.encode(X), X)
        return self

    def answers(self, X: Samples) -> Answers:
        assert isinstance(X, Samples)
        self.calls["answers"] += 1
        return Answers(columns={"row": np.arange(len(X))}, **self.say(self.encode(X), X))

    def encode(self, X: Samples) -> np.ndarray:
        def encode(rows: Any) -> Ragged:
            self.encoded.append(len(rows))
            return Ragged.of([torch.as_tensor(np.asarray(row)) for row in rows])

        found = X.encoded(self.codec, encode)
        return np.stack([found[k].numpy() for k in range(len(X))])

    def learn(self, x: np.ndarray, X: Samples) -> None:
        raise NotImplementedError

    def say(self, x: np.ndarray, X: Samples) -> dict[str, Any]:
        raise NotImplementedError

    def kind_of(self, samples: Samples) -> Kind:
        raise NotImplementedError


class Classifier(Counting):
    def kind_of(self, samples: Samples) -> Kind:
        return Classes(samples.targets, getattr(self, "classes_", ()), inputs="numbers")

    def learn(self, x: np.ndarray, X: Samples) -> None:
        self.model_ = GaussianNB().fit(x, X.targets)
        self.classes_ = self.model_.classes_

    def say(self, x: np.ndarray, X: Samples) -> dict[str, Any]:
        # The columns in an order of its own.
        return {
            "predictions": self.model_.predict(x),
            "probabilities": self.model_.predict_proba(x)[:, ::-1],
            "classes": self.classes_[::-1].tolist(),
        }


class Regressor(Counting):
    def kind_of(self, samples: Samples) -> Kind:
        return Numbers(samples.targets, inputs="numbers")

    def learn(self, x: np.ndarray, X: Samples) -> None:
        self.model_ = LinearRegression().fit(x, X.targets)

    def say(self, x: np.ndarray, X: Samples) -> dict[str, Any]:
        return {"predictions": self.model_.predict(x)}


class Namer(Counting):
    """Several labels."""

    def kind_of(self, samples: Samples) -> Kind:
        return Labels(samples.targets, ["last"], inputs="numbers")

    def learn(self, x: np.ndarray, X: Samples) -> None:
        pass

    def say(self, x: np.ndarray, X: Samples) -> dict[str, Any]:
        named = [[name for name, value in zip("ab", row, strict=False) if value > 0] for row in x]
        return {"predictions": named, "probabilities": (x[:, 1::-1] > 0).astype(float), "classes": ["b", "a"]}


class Signs(Counting):
    """A tag at each step."""

    def kind_of(self, samples: Samples) -> Kind:
        return Tags(samples.given, samples.targets)

    def learn(self, x: np.ndarray, X: Samples) -> None:
        pass

    def say(self, x: np.ndarray, X: Samples) -> dict[str, Any]:
        return {"predictions": np.where(x > 0, "up", "down").tolist()}


class Letters(Counting):
    """A language model that knows nothing; what it was asked about is kept."""

    asked: ClassVar[list[list[str]]] = []
    fitted: ClassVar[list[list[str]]] = []

    def kind_of(self, samples: Samples) -> Kind:
        return Language()

    def encode(self, X: Samples) -> Any:
        return None

    def learn(self, x: np.ndarray, X: Samples) -> None:
        self.fitted.append(list(X.given))

    def say(self, x: np.ndarray, X: Samples) -> dict[str, Any]:
        self.asked.append(list(X.given))
        return {"predictions": [np.full(len(text) + 1, -np.log(30)) for text in X.given]}


@pytest.fixture(autouse=True)
def forget() -> None:
    Counting.calls.clear()
    for seen in (Counting.encoded, Letters.asked, Letters.fitted):
        seen.clear()


def series(n: int = 90, seed: int = 0) -> tuple[list[np.ndarray], list[str]]:
    generator = np.random.default_rng(seed)
    y = np.arange(n) % 3
    x = generator.normal(size=(n, 5)) + 1.5 * (y[:, None] == np.arange(5))
    return list(x), [("low", "mid", "high")[k] for k in y]


def test_one_question_for_each_model_and_fold() -> None:
    x, y = series()
    samples = Samples(x, y)
    result = cross_validate(Classifier(), samples, folds=3)
    assert Counting.calls == {"fit": 3, "answers": 6}  # of training rows, too, to show over-fitting
    plain = cross_validate(GaussianNB(), np.stack(x), y, folds=3)
    assert result.models[0].measures.to_dict() == plain.models[0].measures.to_dict()
    assert [model.name for model in result.models][1:] == [model.name for model in plain.models][1:]
    assert result.train == plain.train and result.outcome == plain.outcome.replace("GaussianNB", "Classifier")
    Counting.calls.clear()
    cross_validate(Classifier(), samples, folds=3, train_score=False, baselines=False)
    assert Counting.calls == {"fit": 3, "answers": 3}


def test_what_is_encoded_is_not_encoded_again() -> None:
    samples = Samples(*series())
    samples.encoded(Counting.codec, lambda rows: Ragged.of([torch.as_tensor(row) for row in rows]))
    cross_validate(Classifier(), samples, folds=3)
    assert Counting.encoded == []


def test_held_out_samples_are_encoded_once_and_asked_about_once() -> None:
    x, y = series(120)
    task = Classifier().fit(Samples(x[:80], y[:80]))
    Counting.encoded.clear()
    Counting.calls.clear()
    alone = evaluate_held_out(task, Samples(x[80:], y[80:], groups=np.arange(40) // 2))
    assert Counting.calls == {"answers": 1} and Counting.encoded == [40]
    assert alone.interval_method == "bootstrap of 20 pooled test groups" and len(alone.models) == 1
    Counting.calls.clear()
    beside = evaluate_held_out(task, Samples(x[80:], y[80:]), train=Samples(x[:80], y[:80]))
    assert Counting.calls == {"answers": 2}
    assert beside.sizes == [(80, 40)] and beside.rows.tolist() == list(range(40)) and len(beside.models) == 4
    model = GaussianNB().fit(np.stack(x[:80]), y[:80])
    plain = evaluate_held_out(model, np.stack(x[80:]), y[80:], train=(np.stack(x[:80]), y[:80]))
    assert beside.score == alone.score == plain.score and beside.train == plain.train
    assert beside["majority class"].measures.to_dict() == plain["majority class"].measures.to_dict()


def test_a_class_that_training_has_not_seen() -> None:
    x, y = series(60)
    task = Classifier().fit(Samples(x, y))
    result = evaluate_held_out(task, Samples(x[:30], ["a quite unseen class", *y[1:30]]), train=Samples(x, y))
    assert result.classes == ["a quite unseen class", "high", "low", "mid"]
    assert result.notes[0].startswith("1 of the rows tested has a class that training has not seen")
    with pytest.raises(ValueError, match="as in training, got 1"):
        evaluate_held_out(task, Samples(x[:4], [1, 2, 1, 2]), train=Samples(x, y))


def test_learning_curves_ask_once_for_each_training() -> None:
    x, y = series()
    curve = learning_curve(Classifier(), Samples(x, y), sizes=(0.5, 1.0), folds=3)
    assert Counting.calls == {"fit": 6, "answers": 6}
    plain = learning_curve(GaussianNB(), np.stack(x), y, sizes=(0.5, 1.0), folds=3)
    assert curve.scores.tolist() == plain.scores.tolist()


def test_groups_and_times_are_those_of_the_samples_unless_others_are_given() -> None:
    x, y = series()
    owned = Samples(x, y, groups=np.arange(90) // 2)
    assert cross_validate(Classifier(), owned, folds=3, baselines=False).split == "stratified and grouped"
    timed = Samples(x, y, order=np.arange(90))
    found = cross_validate(Classifier(), timed, folds=2, baselines=False)
    assert found.split == "time-ordered" and found.sizes == [(30, 30), (60, 30)]
    curve = learning_curve(Classifier(), timed, sizes=(0.5, 1.0), folds=2)
    assert curve.rows == [22.5, 45.0]
    whole = Samples(x, y)
    assert cross_validate(Classifier(), whole, order=np.arange(90), folds=2, baselines=False).split == "time-ordered"
    assert whole.order is None


class NeedsGroups(Classifier):
    def learn(self, x: np.ndarray, X: Samples) -> None:
        assert X.groups is not None and len(X.groups) == len(X)
        super().learn(x, X)


def test_training_parts_hold_their_groups() -> None:
    x, y = series(60)
    cross_validate(NeedsGroups(), Samples(x, y), groups=np.arange(60) % 15, folds=2, baselines=False)


def test_other_targets_than_those_of_the_samples() -> None:
    x, y = series()
    other = ["same" if label == "low" else "other" for label in y]
    samples = Samples(x, y)
    result = cross_validate(Classifier(), samples, other, folds=3, baselines=False)
    assert result.classes == ["other", "same"] and samples.targets is y
    with pytest.raises(ValueError, match="a target for each of 90 rows, got 2"):
        cross_validate(Classifier(), samples, ["a", "b"])


def test_numbers() -> None:
    x, _ = series()
    y = np.stack(x).sum(1) + np.random.default_rng(1).normal(size=90)
    result = cross_validate(Regressor(), Samples(x, y), folds=3)
    plain = cross_validate(LinearRegression(), np.stack(x), y, folds=3)
    assert result.score == plain.score and result.outcome == plain.outcome.replace("LinearRegression", "Regressor")
    held = evaluate_held_out(Regressor().fit(Samples(x, y)), Samples(x[:30], y[:30]), train=Samples(x[30:], y[30:]))
    assert held.sizes == [(60, 30)] and held["mean"].measures.values["r2"] <= 0


def test_several_labels_with_columns_in_an_order_of_their_own() -> None:
    x, _ = series()
    y = [[name for name, value in zip("ab", row, strict=False) if value > 0] for row in x]
    result = cross_validate(Namer(), Samples(x, y), folds=3, baselines=False)
    assert result.classes == ["a", "b", "last"] and result.score == 1.0
    assert result.models[0].answers["probabilities"].tolist() == result.targets.astype(float).tolist()
    before = Samples(x[30:], y[30:])
    held = evaluate_held_out(Namer(), Samples(x[:30], [["c"], *y[1:30]]), train=before, baselines=False)
    assert held.classes == ["a", "b", "c", "last"]


def test_tags() -> None:
    x, _ = series()
    y = [np.where(row > 0, "up", "down").tolist() for row in x]
    assert cross_validate(Signs(), Samples(x, y), folds=3).score == 1.0
    held = evaluate_held_out(Signs(), Samples(x[:30], y[:30]), train=Samples(x[30:], [["up"] * 5] * 60))
    assert held.score == 1.0 and held.classes == ["down", "up"]


def test_texts_of_a_language_model() -> None:
    texts = [f"text {k % 7}" for k in range(60)]
    result = cross_validate(Letters(), Samples(texts), folds=3, train_score=False)
    assert result.kind == "language" and result.split == "contiguous" and result.score == pytest.approx(30)
    assert Counting.calls == {"fit": 3, "answers": 3} and [len(texts) for texts in Letters.asked] == [20, 20, 20]


def test_one_text_is_cut_into_stretches_and_read_without_a_break() -> None:
    text = "abcabcab\n" * 300
    result = cross_validate(Letters(), Samples([text]), folds=3, train_score=False)
    assert result.noun == "stretches of text" and len(result.rows) == 200
    assert Counting.calls == {"fit": 3, "answers": 3}
    assert all(len(given) == 1 for given in [*Letters.asked, *Letters.fitted])
    assert "".join(given[0] for given in Letters.asked) == text
    assert result.models[0].measures.count == len(text) + 3
    Letters.asked.clear()
    held = evaluate_held_out(Letters(), Samples([text[:90]]), train=Samples([text]))
    assert Letters.asked == [[text[:90]], [text]] and held.score == pytest.approx(30)


class Symbols(Counting):
    """Texts that are rows of symbols, which baselines would not see."""

    given_to_fit: ClassVar[list[Any]] = []

    def kind_of(self, samples: Samples) -> Kind:
        return Classes(samples.targets, inputs="symbols")

    def encode(self, X: Samples) -> Any:
        return None

    def learn(self, x: np.ndarray, X: Samples) -> None:
        pass

    def say(self, x: np.ndarray, X: Samples) -> dict[str, Any]:
        return {"predictions": [text[0] for text in X.given]}


@dataclass
class Wrapped:
    """Sequences, and what is known of them."""

    sequences: list[str]

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, row: int) -> str:
        return self.sequences[row]

    def take(self, rows: np.ndarray) -> "Wrapped":
        return Wrapped([self.sequences[row] for row in rows])


@pytest.mark.parametrize("wrapped", [False, True])
def test_baselines_are_chosen_by_what_the_task_reads_and_get_plain_sequences(wrapped: bool) -> None:
    texts = [f"{'ab'[k % 2]} c d" for k in range(60)]
    samples = Samples(Wrapped(texts) if wrapped else texts, [text[0] for text in texts])
    result = cross_validate(Symbols(), samples, folds=2)
    assert [model.name for model in result.models] == [
        "Symbols",
        "majority class",
        "TF-IDF of k-mers + logistic regression",
        "logistic regression on positions",
    ]
    assert result["logistic regression on positions"].measures.values["accuracy"] == 1.0


def test_a_baseline_may_be_a_task_too() -> None:
    result = cross_validate(
        Classifier(), Samples(*series()), folds=3, baselines={"again": Classifier(), "none": DummyClassifier()}
    )
    assert result["again"].measures.values == result.models[0].measures.values
    assert result["none"].measures.values["accuracy"] < 0.5
    assert Counting.calls == {"fit": 6, "answers": 9}


def test_an_estimator_that_does_not_know_samples_gets_what_is_in_them() -> None:
    x, y = series()
    samples = Samples(np.stack(x), y, groups=np.arange(90) // 3)
    result = cross_validate(GaussianNB(), samples, folds=3)
    plain = cross_validate(GaussianNB(), np.stack(x), y, groups=np.arange(90) // 3, folds=3)
    assert result.to_dict()["models"][1] | {"fit_seconds": 0} == plain.to_dict()["models"][1] | {"fit_seconds": 0}
    assert result.split == "stratified and grouped"


def test_training_data_of_another_sort_are_refused() -> None:
    x, y = series()
    with pytest.raises(TypeError, match="expected train as Samples, as X is, got list: read it first"):
        evaluate_held_out(Classifier().fit(Samples(x, y)), Samples(x, y), train=(x, y))


def test_the_task_says_what_there_is_to_be_answered() -> None:
    samples = Samples([np.zeros(3)] * 2, [1, 2])
    assert kind_of(Regressor(), samples).name == "numbers" and kind_of(Classifier(), samples).inputs == "numbers"
    part = take(samples, [1])
    assert isinstance(part, Samples) and part.targets == [2]
