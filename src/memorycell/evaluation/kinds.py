"""What there is to be answered (classes, several labels, tags, numbers, text) and how answers are asked for and
measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.evaluation import class_metrics as metrics
from memorycell.evaluation import text_baselines as naive
from memorycell.evaluation.class_metrics import Floats, Ids, Measures
from memorycell.evaluation.folds import take, take_column
from memorycell.evaluation.intervals import Statistics

_ORDERS = {"character": 7, "subword": 6}  # tokens of the longest n-gram; else 5
Answers = dict[str, Any]  # by row: arrays or lists


class Kind:
    """One kind of target: `n` rows of targets, what they are measured by, and baselines.

    Attributes
    ----------
    name : "classes", "labels", "tags", "numbers" or "language"
    measure : what models are ranked by
    noun : what rows are called
    classes : list, empty for numbers and language
    strata : (n,) or None, what folds are stratified by
    """

    name: str
    measure: str
    noun = "rows"
    classes: list[Any]
    strata: NDArray[Any] | None = None
    statistics: Statistics

    def given(self, X: Any) -> Any:
        """Sequences as a task's ``fit`` gets them."""
        return X

    def targets(self, rows: Ids) -> Any:
        """Of these rows, as baselines are fitted with them."""
        raise NotImplementedError

    def answers(self, model: Any, X: Any) -> Answers:
        """What a fitted model says."""
        raise NotImplementedError

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        """(n, S): what every measure is a function of."""
        raise NotImplementedError

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        """The whole picture."""
        raise NotImplementedError

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        """Unfitted, by name, for such sequences; `model` is the fitted task."""
        raise NotImplementedError


class Classes(Kind):
    """One class a row; `known` are classes that a model knows beside those in y."""

    name, measure = "classes", "accuracy"
    statistics = staticmethod(metrics.class_statistics)

    def __init__(self, y: Any, known: Iterable[Any] = ()):
        column = take_column(y, len(y), "label")
        others = np.asarray(list(known))
        if len(others) and (others.dtype.kind in "US") != (column.dtype.kind in "US"):
            raise ValueError(
                f"expected labels such as {others[0].item()!r}, as in training, got {column[0].item()!r}: "
                "text and numbers are not the same labels"
            )
        labels = np.unique(np.concatenate([column, others]) if len(others) else column)
        self.classes = labels.tolist()
        self._labels, self.y, self.strata = labels, np.searchsorted(labels, column), column

    def targets(self, rows: Ids) -> Any:
        return self._labels[self.y[rows]]

    def answers(self, model: Any, X: Any) -> Answers:
        given = np.asarray(model.predict(X))
        places = np.searchsorted(self._labels, given).clip(max=len(self._labels) - 1)
        found: Answers = {"labels": places}
        if hasattr(model, "predict_proba"):
            probabilities = np.zeros((len(given), len(self._labels)))
            own = np.searchsorted(self._labels, np.asarray(model.classes_))
            probabilities[:, own] = model.predict_proba(X)
            found["probabilities"] = probabilities
        return found

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        return metrics.class_sums(self.y[rows], answers["labels"], len(self.classes), answers.get("probabilities"))

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        return metrics.measure_classes(self.y[rows], answers["labels"], self.classes, answers.get("probabilities"))

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        return naive.baselines_for_classes(X, _inputs_of(model))


class Labels(Kind):
    """Several labels a row: lists or sets of labels, or an (n, K) indicator matrix."""

    name, measure = "labels", "micro_f1"
    statistics = staticmethod(metrics.label_statistics)

    def __init__(self, y: Any, known: Sequence[Any] = ()):
        if isinstance(y, np.ndarray) and y.ndim == 2:
            self.classes = list(known) if len(known) == y.shape[1] else list(range(y.shape[1]))
        else:
            self.classes = sorted({label for row in y for label in row} | {_plain(label) for label in known})
        self.y = self._matrix(y)

    def _matrix(self, y: Any) -> NDArray[np.bool_]:
        if not isinstance(y, list | tuple):
            given = np.asarray(y)
            if given.ndim == 2:
                return given.astype(bool)
        place = {label: k for k, label in enumerate(self.classes)}
        matrix = np.zeros((len(y), len(self.classes)), bool)
        for i, row in enumerate(y):
            matrix[i, [place[label] for label in row]] = True
        return matrix

    def targets(self, rows: Ids) -> Any:
        return self.y[rows]

    def answers(self, model: Any, X: Any) -> Answers:
        found: Answers = {"labels": self._matrix(model.predict(X))}
        if hasattr(model, "predict_proba"):
            probabilities = np.asarray(model.predict_proba(X))
            if probabilities.shape == found["labels"].shape:
                found["probabilities"] = probabilities
        return found

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        return metrics.label_sums(self.y[rows], answers["labels"])

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        return metrics.measure_labels(self.y[rows], answers["labels"], self.classes, answers.get("probabilities"))

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        return naive.baselines_for_labels(X, _inputs_of(model))


class Numbers(Kind):
    """A number, or several, a row."""

    name, measure = "numbers", "rmse"
    statistics = staticmethod(metrics.number_statistics)

    def __init__(self, y: Any):
        values = np.asarray(y, np.float64)
        missing = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1))
        if len(missing):
            raise ValueError(
                f"expected a number in each row, got {len(missing)} missing (first: row {missing[0]}): "
                "leave those rows out"
            )
        self._raw, self.y, self.classes = values, values.reshape(len(values), -1), []

    def targets(self, rows: Ids) -> Any:
        return self._raw[rows]

    def answers(self, model: Any, X: Any) -> Answers:
        return {"numbers": np.asarray(model.predict(X), np.float64).reshape(len(X), -1)}

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        return metrics.number_sums(self.y[rows], answers["numbers"])

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        return metrics.measure_numbers(self.y[rows], answers["numbers"])

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        return naive.baselines_for_numbers(X, _inputs_of(model))


class Tags(Kind):
    """A label at each step."""

    name, measure, noun = "tags", "accuracy", "sequences"
    statistics = staticmethod(metrics.tag_statistics)

    def __init__(self, X: Any, y: Any, known: Iterable[Any] = ()):
        for i, (steps, labels) in enumerate(zip(X, y, strict=True)):
            if len(steps) != len(labels):
                raise ValueError(f"expected a label for each step, got {len(steps)} steps and {len(labels)} in row {i}")
            if any(label is None for label in labels):
                raise ValueError(f"expected a label for each step, got None in row {i}: leave that sequence out")
        self.classes = sorted({_plain(label) for row in y for label in row} | {_plain(label) for label in known})
        self._place = {label: k for k, label in enumerate(self.classes)}
        self._raw, self.y = y, self._places(y)

    def _places(self, y: Any) -> list[Ids]:
        return [np.array([self._place[_plain(label)] for label in row], np.int64) for row in y]

    def targets(self, rows: Ids) -> Any:
        return take(self._raw, rows)

    def answers(self, model: Any, X: Any) -> Answers:
        return {"tags": self._places(model.predict(X))}

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        return metrics.tag_sums(take(self.y, rows), answers["tags"], len(self.classes))

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        from memorycell.data.labels.label_schemes import span_scheme
        from memorycell.evaluation.entities import entity_scores

        found = metrics.measure_tags(take(self.y, rows), answers["tags"], self.classes)
        if span_scheme(self.classes) is not None:
            named = ([[self.classes[k] for k in row] for row in part] for part in (take(self.y, rows), answers["tags"]))
            found.values["entity_f1"] = entity_scores(*named).total.f1
        return found

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        return {naive.NAMES["frequent tag"]: naive.MostFrequentTag()}


class Language(Kind):
    """The next token of texts; or of stretches of one text, which models read without a break.

    A model is asked for ``log_probabilities(texts)``, an array a text, or else, text by text, for
    ``token_scores(text)``, whose last member is a token's log probability.
    """

    name, measure = "language", "perplexity"
    statistics = staticmethod(metrics.token_statistics)

    def __init__(self, stretches: bool = False) -> None:
        self.classes, self.stretches = [], stretches
        self.noun = "stretches of text" if stretches else "texts"

    def given(self, X: Any) -> Any:
        """Texts as a task's ``fit`` gets them."""
        return "".join(X) if self.stretches else X

    def targets(self, rows: Ids) -> Any:
        return None

    def answers(self, model: Any, X: Any) -> Answers:
        texts = ["".join(X)] if self.stretches else list(X)
        if hasattr(model, "log_probabilities"):
            found = model.log_probabilities(texts)
        elif hasattr(model, "token_scores"):
            found = [[token[-1] for token in model.token_scores(text)] for text in texts]
        else:
            raise TypeError(
                f"expected a language model with log_probabilities(texts), got {type(model).__name__}: "
                "give y where there is something else to predict"
            )
        parts = [np.asarray(part, np.float64) for part in found]
        if len(parts) != len(texts):
            raise ValueError(f"expected log probabilities of {len(texts)} texts, got {len(parts)}")
        return {"log_probabilities": np.array_split(parts[0], len(X)) if self.stretches else parts}

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        return metrics.token_sums(answers["log_probabilities"])

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        return metrics.measure_tokens(answers["log_probabilities"])

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        codec = getattr(model, "codec_", None)
        if codec is None:
            return {}
        order = _ORDERS.get(getattr(codec, "unit", "word"), 5)
        return {f"Kneser–Ney {order}-gram": naive.KneserNeyText(codec, order)}


def stretches_of(text: str, most: int = 200) -> list[str]:
    """A text cut into at most `most` stretches of about the same length: at ends of lines, or, where there are not
    enough of these, after words, or anywhere.

    Example
    -------
    >>> stretches_of("one\\ntwo\\nthree\\nfour\\n", 2)
    ['one\\ntwo\\n', 'three\\nfour\\n']
    """
    pieces: Sequence[str] = text.splitlines(keepends=True)
    if len(pieces) < most:
        pieces = re.findall(r"\S+\s*|\s+", text)
    if len(pieces) < most:
        pieces = text
    ends = np.cumsum([len(piece) for piece in pieces])
    place = (ends - 1) * most // max(len(text), 1)
    bounds = [0, *(np.flatnonzero(np.diff(place)) + 1).tolist(), len(pieces)]
    return ["".join(pieces[start:stop]) for start, stop in pairwise(bounds) if start < stop]


def _inputs_of(model: Any) -> str | None:
    """What a fitted task took its sequences for: "text", "symbols" or "numbers"."""
    taken = getattr(model, "input_", None)
    return taken.get("kind") if isinstance(taken, dict) else None


def kind_of(task: Any, X: Any, y: Any) -> Kind:
    """What there is to be answered, from the estimator and its targets.

    No y is language. Classifiers and regressors say what they are; of other estimators, a sequence for each row
    of y is a label at each step.

    Example
    -------
    >>> from sklearn.linear_model import LogisticRegression
    >>> kind_of(LogisticRegression(), [[1.0], [2.0]], ["a", "b"]).name
    'classes'
    """
    from sklearn.base import is_classifier, is_regressor

    if y is None:
        return Language()
    if len(y) != len(X):
        raise ValueError(f"expected a target for each of {len(X)} rows, got {len(y)}")
    if not len(y):
        raise ValueError("expected at least one row, got none")
    known = [] if not hasattr(task, "classes_") else list(np.asarray(task.classes_).tolist())
    nested = _nested(y)
    if is_regressor(task):
        return Numbers(y)
    if is_classifier(task):
        return Labels(y, known) if nested else Classes(y, known)
    if nested:
        return Tags(X, y, known)
    return Numbers(y) if np.asarray(y).dtype.kind == "f" else Classes(y, known)


def _nested(y: Any) -> bool:
    if isinstance(y, np.ndarray) and y.dtype != object:
        return y.ndim == 2 and y.shape[1] > 1
    return any(isinstance(row, list | tuple | set | frozenset | np.ndarray) for row in y)


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def join(parts: Sequence[Answers], order: Ids | None = None) -> Answers:
    """Answers of several folds as one, its rows in `order`."""
    joined: Answers = {}
    for name in parts[0]:
        values = [part[name] for part in parts if name in part]
        if len(values) < len(parts):
            continue
        whole = np.concatenate(values) if isinstance(values[0], np.ndarray) else [row for v in values for row in v]
        joined[name] = whole if order is None else take(whole, order)
    return joined
