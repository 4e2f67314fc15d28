"""What there is to be answered (classes, several labels, tags, numbers, text) and how answers are asked for and
measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.samples import MOST_SCORES, Samples
from memorycell.evaluation import class_metrics as metrics
from memorycell.evaluation import text_baselines as naive
from memorycell.evaluation.class_metrics import Floats, Ids, Measures
from memorycell.evaluation.folds import take, take_column
from memorycell.evaluation.intervals import Statistics
from memorycell.evaluation.measures import Measure, measures_of

_ORDERS = {"character": 7, "subword": 6}  # tokens of the longest n-gram; else 5
Answers = dict[str, Any]  # by row: arrays or lists


class Kind:
    """One kind of target: `n` rows of targets, what they are measured by, and baselines.

    A job whose answers are of none of the kinds below has one of its own: a subclass in its room, which its
    `kind_of` makes.

    Attributes
    ----------
    name : "classes", "labels", "tags", "numbers" or "language"; what `CrossValidation.kind` says
    measure : Measure, what models are ranked by where nothing else is asked for
    measures_offered : tuple of Measure, what they may be ranked by: each is among `statistics`
    shown : tuple of Measure, what tables show of them
    statistics : from sums to measures, by key
    noun : what rows are called
    inputs : "text", "symbols" or "numbers", what sequences are made of; None where baselines have to guess
    classes : list, empty where there are none
    strata : (n,) or None, what folds are stratified by
    blocks : whether folds are rows that stand together, as rows go on from one another
    stretches : whether rows are stretches of one long sequence, which is read without a break
    """

    name: str
    measure: Measure
    measures_offered: tuple[Measure, ...]
    shown: tuple[Measure, ...]
    noun = "rows"
    inputs: str | None = None
    classes: list[Any]
    strata: NDArray[Any] | None = None
    blocks = False
    stretches = False
    statistics: Statistics

    def given(self, X: Any) -> Any:
        """Sequences, or samples, as a task's ``fit`` and ``answers`` get them."""
        return X

    def plain(self, X: Any) -> Any:
        """Sequences as an estimator gets them that does not know samples."""
        return self.given(sequences_of(X) if isinstance(X, Samples) else X)

    def targets(self, rows: Ids) -> Any:
        """Of these rows, as baselines are fitted with them."""
        raise NotImplementedError

    def joined(self, after: Any) -> Kind:
        """The kind of these rows and, behind them, those of another of the same name."""
        raise NotImplementedError

    def answers(self, model: Any, X: Any) -> Answers:
        """What a fitted model says: of samples in one call of its ``answers``, where it has that."""
        if isinstance(X, Samples) and hasattr(model, "answers"):
            said = model.answers(self.given(X))
            return self.placed(len(X), said.predictions, said.probabilities, said.classes)
        return self.asked(model, self.plain(X), len(X))

    def answers_to(self, rows: Ids, model: Any, X: Any) -> Answers:
        """`answers` to X, which are these rows: of kinds that keep less of an answer once the truth is known."""
        return self.answers(model, X)

    def asked(self, model: Any, X: Any, n: int) -> Answers:
        """What an estimator says of n rows, X as its ``fit`` got them."""
        return self.placed(n, model.predict(X))

    def placed(self, n: int, predictions: Any, probabilities: Any = None, classes: Sequence[Any] = ()) -> Answers:
        """What was said of n rows, as `sums` and `measures` take it.

        Parameters
        ----------
        predictions : n, as the job's ``predict`` gives them
        probabilities : (n, K) or None
        classes : K, what the columns stand for
        """
        raise NotImplementedError

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        """(n, S): what every measure is a function of."""
        raise NotImplementedError

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        """The whole picture."""
        raise NotImplementedError

    def losses(self, rows: Ids, answers: Answers) -> Floats:
        """How far each answer is from the truth, (n,): what the worst are found by.

        Raises
        ------
        ValueError
            For answers of a kind that has no order of that sort.
        """
        raise ValueError("expected answers of which some are worse than others, got others: name rows instead")

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        """Unfitted, by name, for such (plain) sequences; `model` is the fitted task."""
        raise NotImplementedError

    def _inputs(self, model: Any) -> str | None:
        """`inputs`; else what a fitted model of sequences says that it took them for."""
        taken = getattr(model, "input_", None)
        return self.inputs or (taken.get("kind") if isinstance(taken, dict) else None)


def sequences_of(samples: Samples) -> Any:
    """The sequences as they came: what is given, or its `sequences` where a job keeps more beside them."""
    return getattr(samples.given, "sequences", samples.given)


class Classes(Kind):
    """One class per row; `known` are classes that a model knows beside those in y.

    Where rows times classes are `many`, answers are asked for in parts, and of the probabilities is kept what measures
    need: see `class_metrics.chances_of`.
    """

    name = "classes"
    measures_offered = measures_of("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "log_loss", "brier")
    measure, shown = measures_offered[0], measures_of(*metrics.SHOWN_OF_CLASSES)
    statistics = staticmethod(metrics.class_statistics)

    def __init__(self, y: Any, known: Iterable[Any] = (), inputs: str | None = None):
        column = take_column(y, len(y), "label")
        others = np.asarray(list(known))
        if len(others) and (others.dtype.kind in "US") != (column.dtype.kind in "US"):
            raise ValueError(
                f"expected labels such as {others[0].item()!r}, as in training, got {column[0].item()!r}: "
                "text and numbers are not the same labels"
            )
        labels = np.unique(np.concatenate([column, others]) if len(others) else column)
        self.classes, self.inputs = labels.tolist(), inputs
        self._labels, self.y, self.strata = labels, np.searchsorted(labels, column), column
        self.many = len(column) * len(labels) > MOST_SCORES
        if self.many:
            self.measures_offered = self.shown = measures_of("accuracy", "log_loss", "brier")
            self.statistics = metrics.many_class_statistics

    def targets(self, rows: Ids) -> Any:
        return self._labels[self.y[rows]]

    def joined(self, after: Classes) -> Classes:
        both = Classes(after.targets(np.arange(len(after.y))), self.classes, self.inputs)  # raises for other labels
        known = [*both.classes, *after.classes]
        column = np.concatenate([part.targets(np.arange(len(part.y))) for part in (self, both)])
        return Classes(column, known, self.inputs)

    def asked(self, model: Any, X: Any, n: int) -> Answers:
        if not hasattr(model, "predict_proba"):
            return self.placed(n, model.predict(X))
        return self.placed(n, model.predict(X), model.predict_proba(X), model.classes_)

    def placed(self, n: int, predictions: Any, probabilities: Any = None, classes: Sequence[Any] = ()) -> Answers:
        given = np.asarray(predictions)
        found: Answers = {"labels": np.searchsorted(self._labels, given).clip(max=len(self._labels) - 1)}
        if probabilities is not None:
            found["probabilities"] = np.zeros((len(given), len(self._labels)))
            found["probabilities"][:, np.searchsorted(self._labels, np.asarray(classes))] = probabilities
        return found

    def answers_to(self, rows: Ids, model: Any, X: Any) -> Answers:
        if not self.many:
            return self.answers(model, X)
        size, parts = max(1, MOST_SCORES // len(self.classes)), []
        for start in range(0, len(rows), size):
            places = np.arange(start, min(start + size, len(rows)))
            found = self.answers(model, X.take(places) if isinstance(X, Samples) else take(X, places))
            chances = found.pop("probabilities", None)
            if chances is not None:
                found |= metrics.chances_of(self.y[rows[places]], found["labels"], chances)
            parts.append(found)
        return join(parts)

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        if self.many:
            return metrics.many_class_sums(self.y[rows], answers["labels"], answers if "own" in answers else None)
        return metrics.class_sums(self.y[rows], answers["labels"], len(self.classes), answers.get("probabilities"))

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        if self.many:
            chances = answers if "own" in answers else None
            return metrics.measure_many_classes(self.y[rows], answers["labels"], self.classes, chances)
        return metrics.measure_classes(self.y[rows], answers["labels"], self.classes, answers.get("probabilities"))

    def losses(self, rows: Ids, answers: Answers) -> Floats:
        true = self.y[rows]
        wrong = (answers["labels"] != true).astype(np.float64)
        chances = answers.get("probabilities")
        own = answers.get("own") if chances is None else chances[np.arange(len(rows)), true]
        return wrong if own is None else wrong - np.asarray(own)

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        return naive.baselines_for_classes(X, self._inputs(model), len(self.classes))


class Labels(Kind):
    """Several labels per row: lists or sets of labels, or an (n, K) indicator matrix."""

    name = "labels"
    measures_offered = measures_of("micro_f1", "macro_f1", "weighted_f1", "exact_match", "hamming_loss")
    measure, shown = measures_offered[0], measures_of(*metrics.SHOWN_OF_LABELS)
    statistics = staticmethod(metrics.label_statistics)

    def __init__(self, y: Any, known: Sequence[Any] = (), inputs: str | None = None):
        self.inputs = inputs
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

    def joined(self, after: Labels) -> Labels:
        rows = [[part.classes[k] for k in np.flatnonzero(row)] for part in (self, after) for row in part.y]
        return Labels(rows, [*self.classes, *after.classes], self.inputs)

    def asked(self, model: Any, X: Any, n: int) -> Answers:
        # Of other estimators nothing says what the columns stand for: they are those of y, or not used.
        probabilities = np.asarray(model.predict_proba(X)) if hasattr(model, "predict_proba") else None
        return self.placed(n, model.predict(X), probabilities, self.classes)

    def placed(self, n: int, predictions: Any, probabilities: Any = None, classes: Sequence[Any] = ()) -> Answers:
        found: Answers = {"labels": self._matrix(predictions)}
        if probabilities is not None and np.shape(probabilities) == (n, len(classes)):
            place = {label: k for k, label in enumerate(self.classes)}
            found["probabilities"] = np.zeros((n, len(self.classes)))
            found["probabilities"][:, [place[_plain(label)] for label in classes]] = probabilities
        return found

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        return metrics.label_sums(self.y[rows], answers["labels"])

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        return metrics.measure_labels(self.y[rows], answers["labels"], self.classes, answers.get("probabilities"))

    def losses(self, rows: Ids, answers: Answers) -> Floats:
        chances = answers.get("probabilities", answers["labels"])
        return np.abs(np.asarray(chances, np.float64) - self.y[rows]).sum(1)

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        return naive.baselines_for_labels(X, self._inputs(model))


class Numbers(Kind):
    """A number, or several, per row."""

    name = "numbers"
    measures_offered = measures_of("rmse", "mae", "r2")
    measure, shown = measures_offered[0], measures_of(*metrics.SHOWN_OF_NUMBERS)
    statistics = staticmethod(metrics.number_statistics)

    def __init__(self, y: Any, inputs: str | None = None):
        values = np.asarray(y, np.float64)
        missing = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1))
        if len(missing):
            raise ValueError(
                f"expected a number in each row, got {len(missing)} missing (first: row {missing[0]}): "
                "leave those rows out"
            )
        self.inputs = inputs
        self._raw, self.y, self.classes = values, values.reshape(len(values), -1), []

    def targets(self, rows: Ids) -> Any:
        return self._raw[rows]

    def joined(self, after: Numbers) -> Numbers:
        return Numbers(np.concatenate([self._raw, after._raw]), self.inputs)

    def placed(self, n: int, predictions: Any, probabilities: Any = None, classes: Sequence[Any] = ()) -> Answers:
        return {"numbers": np.asarray(predictions, np.float64).reshape(n, -1)}

    def sums(self, rows: Ids, answers: Answers) -> Floats:
        return metrics.number_sums(self.y[rows], answers["numbers"])

    def measures(self, rows: Ids, answers: Answers) -> Measures:
        return metrics.measure_numbers(self.y[rows], answers["numbers"])

    def losses(self, rows: Ids, answers: Answers) -> Floats:
        spread = self.y.std(0)
        return (np.abs(answers["numbers"] - self.y[rows]) / np.where(spread > 0, spread, 1)).max(1)

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        return naive.baselines_for_numbers(X, self._inputs(model))


class Tags(Kind):
    """A label at each step."""

    name, noun = "tags", "sequences"
    measures_offered = measures_of("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "sequence_accuracy")
    measure, shown = measures_offered[0], measures_of(*metrics.SHOWN_OF_TAGS)
    statistics = staticmethod(metrics.tag_statistics)

    def __init__(self, X: Any, y: Any, known: Iterable[Any] = (), inputs: str | None = None):
        for i, (steps, labels) in enumerate(zip(X, y, strict=True)):
            if len(steps) != len(labels):
                raise ValueError(f"expected a label for each step, got {len(steps)} steps and {len(labels)} in row {i}")
            if any(label is None for label in labels):
                raise ValueError(f"expected a label for each step, got None in row {i}: leave that sequence out")
        self.classes = sorted({_plain(label) for row in y for label in row} | {_plain(label) for label in known})
        self._place = {label: k for k, label in enumerate(self.classes)}
        self._raw, self.y, self.inputs = y, self._places(y), inputs

    def _places(self, y: Any) -> list[Ids]:
        return [np.array([self._place[_plain(label)] for label in row], np.int64) for row in y]

    def targets(self, rows: Ids) -> Any:
        return take(self._raw, rows)

    def joined(self, after: Tags) -> Tags:
        both = [*self._raw, *after._raw]
        return Tags(both, both, [*self.classes, *after.classes], self.inputs)

    def placed(self, n: int, predictions: Any, probabilities: Any = None, classes: Sequence[Any] = ()) -> Answers:
        return {"tags": self._places(predictions)}

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

    def losses(self, rows: Ids, answers: Answers) -> Floats:
        pairs = zip(take(self.y, rows), answers["tags"], strict=True)
        return np.array([float((true != given).sum()) for true, given in pairs])

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        return {naive.NAMES["frequent tag"]: naive.MostFrequentTag()}


class Language(Kind):
    """The next token of texts; or of stretches of one text, which models read without a break.

    A model is asked for ``answers(samples)``, whose predictions are an array of log probabilities for each text; of
    texts in a list for the same by ``log_probabilities(texts)``, or else, text by text, for ``token_scores(text)``,
    whose last member is a token's log probability.
    """

    name, inputs, blocks = "language", "text", True
    measures_offered = measures_of("perplexity", "nats", "bits")
    measure, shown = measures_offered[0], measures_of(*metrics.SHOWN_OF_TOKENS)
    statistics = staticmethod(metrics.token_statistics)

    def __init__(self, stretches: bool = False) -> None:
        self.classes, self.stretches = [], stretches
        self.noun = "stretches of text" if stretches else "texts"

    def given(self, X: Any) -> Any:
        """Texts as a task's ``fit`` gets them; stretches as one."""
        if not self.stretches:
            return X
        if isinstance(X, Samples):
            return type(X)(["".join(X.given)], notes=X.notes, source=X.source)
        return "".join(X)

    def targets(self, rows: Ids) -> Any:
        return None

    def joined(self, after: Language) -> Language:
        return after  # which says how the rows that are tested are read

    def asked(self, model: Any, X: Any, n: int) -> Answers:
        texts = [X] if self.stretches else list(X)
        if hasattr(model, "log_probabilities"):
            return self.placed(n, model.log_probabilities(texts))
        if hasattr(model, "token_scores"):
            return self.placed(n, [[token[-1] for token in model.token_scores(text)] for text in texts])
        raise TypeError(
            f"expected a language model with log_probabilities(texts), got {type(model).__name__}: "
            "give y where there is something else to predict"
        )

    def placed(self, n: int, predictions: Any, probabilities: Any = None, classes: Sequence[Any] = ()) -> Answers:
        parts = [np.asarray(part, np.float64) for part in predictions]
        texts = 1 if self.stretches else n
        if len(parts) != texts:
            raise ValueError(f"expected log probabilities of {texts} texts, got {len(parts)}")
        return {"log_probabilities": np.array_split(parts[0], n) if self.stretches else parts}

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


def kind_of(task: Any, X: Any, y: Any = None) -> Kind:
    """What there is to be answered: of samples their task says it; else it is seen from the estimator and its targets.

    No y is language. Classifiers and regressors say what they are; of other estimators, a sequence for each row
    of y is a label at each step.

    Example
    -------
    >>> from sklearn.linear_model import LogisticRegression
    >>> kind_of(LogisticRegression(), [[1.0], [2.0]], ["a", "b"]).name
    'classes'
    """
    from sklearn.base import is_classifier, is_regressor

    if isinstance(X, Samples):
        return task.kind_of(X)
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
