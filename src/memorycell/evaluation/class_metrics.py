"""What answers are worth: classes, labels, tags, numbers and tokens, in the usual measures.

Two views of the same answers. *Sums*: a row of numbers a test row, of which every measure is a function, so that
folds, bootstrap draws and all rows together are measured by one definition. *Measures*: the whole picture of all
rows together, with what is drawn: confusion matrix, ROC and precision–recall curves, calibration.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.figures import Figures, pairs
from memorycell.evaluation.tables import plain

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
SMALLEST = 1e-15  # probabilities are taken to be at least this in the log loss
POINTS = 200  # of a curve, at most
BINS = 15  # of calibration
MOST_CONFUSED = 2000  # classes of which all are set against all
# What a short table of each kind of answers shows; what models are compared by comes first.
SHOWN_OF_CLASSES = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
SHOWN_OF_LABELS = ("micro_f1", "macro_f1", "exact_match")
SHOWN_OF_NUMBERS = ("rmse", "mae", "r2")
SHOWN_OF_TAGS = ("accuracy", "macro_f1", "sequence_accuracy", "entity_f1")
SHOWN_OF_TOKENS = ("perplexity", "nats", "bits")


@dataclass(repr=False)
class Measures(Figures):
    """The whole picture of one model's answers.

    Attributes
    ----------
    count : int, rows (tokens for tags and language)
    values : dict, measure → number
    shown : keys of the measures that a short table shows, where they are among `values`; the main one first
    classes : list, in the order of `confusion`
    per_class : list of {"class", "precision", "recall", "f1", "support"}
    confusion : int64 (K, K) or None: rows are true classes, columns the answers
    roc, precision_recall : list of {"class", "area", "x", "y"}: false positive rate and true positive rate;
        recall and precision. One class against the rest; a class that is never or always true has none
    reliability : list of {"confidence", "accuracy", "count"}, one a bin of the winning probability
    notes : list of str
    """

    count: int
    values: dict[str, float]
    classes: list[Any] = field(default_factory=list)
    per_class: list[dict[str, Any]] = field(default_factory=list, repr=False)
    confusion: NDArray[np.int64] | None = field(default=None, repr=False)
    roc: list[dict[str, Any]] = field(default_factory=list, repr=False)
    precision_recall: list[dict[str, Any]] = field(default_factory=list, repr=False)
    reliability: list[dict[str, float]] = field(default_factory=list, repr=False)
    notes: list[str] = field(default_factory=list)
    shown: tuple[str, ...] = field(default=(), repr=False)

    def line(self) -> str:
        """The main measures in a row."""
        names = [name for name in self.shown if name in self.values] or list(self.values)
        return pairs({name: self.values[name] for name in names[:4]})

    def _said(self) -> tuple[str, str]:
        classes = f"; {len(self.classes):,} classes" if self.classes else ""
        return f"{self.line()} on {self.count:,} rows{classes}", ""

    def table(self) -> list[dict[str, Any]]:
        """A row per class where there are classes, else a row per measure."""
        return self.per_class or [{"measure": name, "value": value} for name, value in self.values.items()]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; NaN becomes None."""
        return plain({name: value for name, value in vars(self).items() if name != "shown"})


# ---------------------------------------------------------------------- classes


def class_sums(true: Ids, predicted: Ids, n_classes: int, probabilities: Floats | None = None) -> Floats:
    """(n, 3 K + 3): right, true and predicted per class; log loss, Brier score, and whether there are
    probabilities.

    Parameters
    ----------
    true, predicted : (n,) places of classes, 0 … K − 1
    probabilities : (n, K) or None
    """
    classes = np.arange(n_classes)
    is_true, is_predicted = true[:, None] == classes, predicted[:, None] == classes
    rest = np.zeros((len(true), 3))
    if probabilities is not None:
        own = probabilities[np.arange(len(true)), true]
        rest[:, 0] = -np.log(np.maximum(own, SMALLEST))
        rest[:, 1] = np.square(probabilities - is_true).sum(1) * (0.5 if n_classes == 2 else 1.0)
        rest[:, 2] = 1
    return np.hstack([is_true & is_predicted, is_true, is_predicted, rest]).astype(np.float64)


def class_statistics(sums: Floats) -> dict[str, Floats]:
    """Measures from sums of `class_sums` over rows, (..., 3 K + 3) → each (...).

    As scikit-learn has them: means over the classes that are true or predicted (F1) or true (recall).

    Example
    -------
    >>> rows = class_sums(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    >>> {name: round(float(value), 3) for name, value in class_statistics(rows.sum(0)).items()}
    {'accuracy': 0.667, 'balanced_accuracy': 0.75, 'macro_f1': 0.667, 'micro_f1': 0.667, 'weighted_f1': 0.667}
    """
    k = (sums.shape[-1] - 3) // 3
    right, true, predicted = sums[..., :k], sums[..., k : 2 * k], sums[..., 2 * k : 3 * k]
    n = true.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.where(true > 0, right / true, np.nan)
        f1 = np.where(true + predicted > 0, 2 * right / (true + predicted), np.nan)
        found = {
            "accuracy": right.sum(-1) / n,
            "balanced_accuracy": _mean_of_known(recall),
            "macro_f1": _mean_of_known(f1),
            "micro_f1": right.sum(-1) / n,
            "weighted_f1": np.where(true > 0, f1 * true, 0.0).sum(-1) / n,
        }
        if np.any(sums[..., -1] > 0):
            found["log_loss"] = sums[..., -3] / sums[..., -1]
            found["brier"] = sums[..., -2] / sums[..., -1]
    return found


def many_class_sums(true: Ids, predicted: Ids, chances: dict[str, Floats] | None = None) -> Floats:
    """(n, 5): whether an answer is right; log loss, Brier score, whether there are probabilities; 1.

    What `class_sums` has for each class is left out, where rows times classes are too many.

    Parameters
    ----------
    chances : of each row, as `chances_of` gives them; or None
    """
    sums = np.zeros((len(true), 5))
    sums[:, 0], sums[:, 4] = true == predicted, 1
    if chances is not None:
        sums[:, 1], sums[:, 2] = -np.log(np.maximum(chances["own"], SMALLEST)), chances["squares"]
        sums[:, 3] = 1
    return sums


def many_class_statistics(sums: Floats) -> dict[str, Floats]:
    """Measures from sums of `many_class_sums` over rows, (..., 5) → each (...).

    Example
    -------
    >>> rows = many_class_sums(np.array([0, 0, 1]), np.array([0, 1, 1]))
    >>> {name: round(float(value), 3) for name, value in many_class_statistics(rows.sum(0)).items()}
    {'accuracy': 0.667}
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {"accuracy": sums[..., 0] / sums[..., 4]}
        if np.any(sums[..., 3] > 0):
            found["log_loss"], found["brier"] = sums[..., 1] / sums[..., 3], sums[..., 2] / sums[..., 3]
    return found


def chances_of(true: Ids, predicted: Ids, probabilities: Floats) -> dict[str, Floats]:
    """What measures need of probabilities (n, K), a number a row: "own", that of the true class; "confidence", that of
    the answer; "squares", the Brier score."""
    rows = np.arange(len(true))
    own = probabilities[rows, true]
    squares = np.square(probabilities).sum(1) - 2 * own + 1
    if probabilities.shape[1] == 2:
        squares = squares / 2
    return {"own": own, "confidence": probabilities[rows, predicted], "squares": squares}


def measure_many_classes(
    true: Ids, predicted: Ids, classes: Sequence[Any], chances: dict[str, Floats] | None = None
) -> Measures:
    """As `measure_classes`, of so many classes that no table of all of them is made: no curves, no confusion matrix
    beyond 2,000 classes.

    Example
    -------
    >>> found = measure_many_classes(np.array([0, 0, 1]), np.array([0, 1, 1]), ["no", "yes"])
    >>> found.values["accuracy"] == measure_classes(np.array([0, 0, 1]), np.array([0, 1, 1]), ["no", "yes"]).values[
    ...     "accuracy"
    ... ]
    True
    """
    values = {name: float(value) for name, value in many_class_statistics(
        many_class_sums(true, predicted, chances).sum(0)).items()}  # fmt: skip
    rows = _per_class(true, predicted, classes)
    support = np.array([row["support"] for row in rows])
    answered = np.bincount(predicted, minlength=len(classes))
    f1, recall, precision = (np.array([row[name] for row in rows]) for name in ("f1", "recall", "precision"))
    present = (support > 0) | (answered > 0)
    values |= {
        "balanced_accuracy": float(recall[support > 0].mean()), "macro_f1": float(f1[present].mean()),
        "micro_f1": values["accuracy"], "weighted_f1": float(f1 @ support / max(1, support.sum())),
        "macro_precision": float(precision[present].mean()), "macro_recall": float(recall[present].mean()),
    }  # fmt: skip
    found = Measures(len(true), values, list(classes), rows, shown=SHOWN_OF_CLASSES)
    if len(classes) <= MOST_CONFUSED:
        found.confusion = np.zeros((len(classes), len(classes)), np.int64)
        np.add.at(found.confusion, (true, predicted), 1)
    if chances is not None:
        _add_calibration(found, predicted == true, chances["confidence"])
    found.notes.append(f"Of {len(classes):,} classes no curves are drawn.")
    return found


def _mean_of_known(values: Floats) -> Floats:
    known = np.isfinite(values)
    return np.where(known, values, 0.0).sum(-1) / known.sum(-1)


def measure_classes(true: Ids, predicted: Ids, classes: Sequence[Any], probabilities: Floats | None = None) -> Measures:
    """Accuracy, F1 and the rest of one class a row, per class and together.

    Parameters
    ----------
    true, predicted : (n,) places in `classes`
    probabilities : (n, K) or None

    ``values`` holds accuracy, balanced accuracy, macro-, micro- and weighted F1 and precision and recall; with
    probabilities also the log loss, the Brier score (the sum over the classes, halved for two, as in
    scikit-learn), the calibration error of the winning class in 15 bins (Guo et al. 2017, eq. 3) and the mean
    areas under the curves.

    Example
    -------
    >>> found = measure_classes(np.array([0, 0, 1]), np.array([0, 1, 1]), ["no", "yes"])
    >>> found.confusion.tolist(), found.per_class[1]["recall"]
    ([[1, 1], [0, 1]], 1.0)
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    places = np.arange(len(classes))
    values = {name: float(v) for name, v in class_statistics(_sums(true, predicted, probabilities, places)).items()}
    present = np.union1d(true, predicted)
    macro = precision_recall_fscore_support(true, predicted, labels=present, average="macro", zero_division=0)
    values["macro_precision"], values["macro_recall"] = float(macro[0]), float(macro[1])
    found = Measures(len(true), values, list(classes), _per_class(true, predicted, classes), shown=SHOWN_OF_CLASSES)
    if len(classes) <= MOST_CONFUSED:
        found.confusion = confusion_matrix(true, predicted, labels=places).astype(np.int64)
    if probabilities is not None:
        is_true = true[:, None] == places
        _add_curves(found, is_true, probabilities)
        _add_calibration(found, predicted == true, probabilities[np.arange(len(true)), predicted])
    return found


def _sums(true: Ids, predicted: Ids, probabilities: Floats | None, places: Ids) -> Floats:
    """The sums over all rows, a part at a time: a table of all rows by all classes may be large."""
    total = np.zeros(3 * len(places) + 3)
    for start in range(0, len(true), 10_000):
        part = slice(start, start + 10_000)
        chance = None if probabilities is None else probabilities[part]
        total += class_sums(true[part], predicted[part], len(places), chance).sum(0)
    return total


def _per_class(true: NDArray, predicted: NDArray, classes: Sequence[Any]) -> list[dict[str, Any]]:
    from sklearn.metrics import precision_recall_fscore_support

    parts = precision_recall_fscore_support(true, predicted, labels=np.arange(len(classes)), zero_division=0)
    names = ("precision", "recall", "f1", "support")
    return [
        {"class": classes[k], **{name: part[k].item() for name, part in zip(names, parts, strict=True)}}
        for k in range(len(classes))
    ]


def _add_curves(found: Measures, is_true: NDArray[np.bool_], probabilities: Floats) -> None:
    """ROC and precision–recall, a class against the rest, thinned to what can be drawn."""
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    for k, label in enumerate(found.classes):
        if is_true[:, k].all() or not is_true[:, k].any():
            continue
        false_rate, true_rate, _ = roc_curve(is_true[:, k], probabilities[:, k])
        precision, recall, _ = precision_recall_curve(is_true[:, k], probabilities[:, k])
        area = roc_auc_score(is_true[:, k], probabilities[:, k])
        precise = average_precision_score(is_true[:, k], probabilities[:, k])
        found.roc.append(_curve(label, area, false_rate, true_rate))
        found.precision_recall.append(_curve(label, precise, recall[::-1], precision[::-1]))
    if found.roc:
        found.values["roc_auc"] = float(np.mean([curve["area"] for curve in found.roc]))
        found.values["average_precision"] = float(np.mean([curve["area"] for curve in found.precision_recall]))


def _curve(label: Any, area: float, x: Floats, y: Floats) -> dict[str, Any]:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    return {"class": label, "area": float(area), "x": x[kept].tolist(), "y": y[kept].tolist()}


def _add_calibration(found: Measures, right: NDArray[np.bool_], confidence: Floats) -> None:
    """The mean distance between confidence and accuracy over bins of equal width, weighted by their rows."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    mean = np.bincount(place, confidence, BINS) / np.maximum(count, 1)
    accuracy = np.bincount(place, right, BINS) / np.maximum(count, 1)
    found.values["calibration_error"] = float((count * np.abs(mean - accuracy)).sum() / max(len(right), 1))
    found.reliability = [
        {"confidence": float(mean[b]), "accuracy": float(accuracy[b]), "count": int(count[b])}
        for b in np.flatnonzero(count)
    ]


# ---------------------------------------------------------------------- several labels


def label_sums(true: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Floats:
    """(n, 3 K + 2): right, true and predicted per label; whether all are right; 1."""
    exact = (true == predicted).all(1, keepdims=True)
    return np.hstack([true & predicted, true, predicted, exact, np.ones_like(exact)]).astype(np.float64)


def label_statistics(sums: Floats) -> dict[str, Floats]:
    """Measures from sums of `label_sums` over rows, (..., 3 K + 2) → each (...); F1 of a label that is neither
    true nor predicted is left out of the mean."""
    k = (sums.shape[-1] - 2) // 3
    right, true, predicted = sums[..., :k], sums[..., k : 2 * k], sums[..., 2 * k : 3 * k]
    n = sums[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = np.where(true + predicted > 0, 2 * right / (true + predicted), np.nan)
        return {
            "micro_f1": 2 * right.sum(-1) / (true + predicted).sum(-1),
            "macro_f1": _mean_of_known(f1),
            "weighted_f1": np.where(true > 0, f1 * true, 0.0).sum(-1) / true.sum(-1),
            "exact_match": sums[..., -2] / n,
            "hamming_loss": (true + predicted - 2 * right).sum(-1) / (k * n),
        }


def measure_labels(
    true: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    classes: Sequence[Any],
    probabilities: Floats | None = None,
) -> Measures:
    """F1 and the rest of several labels a row: (n, K) truth, answers and, if there are any, probabilities.

    Example
    -------
    >>> truth = np.array([[True, False], [True, True]])
    >>> round(measure_labels(truth, np.array([[True, False], [False, True]]), ["a", "b"]).values["micro_f1"], 3)
    0.8
    """
    values = {name: float(v) for name, v in label_statistics(label_sums(true, predicted).sum(0)).items()}
    found = Measures(len(true), values, list(classes), _per_class(true, predicted, classes), shown=SHOWN_OF_LABELS)
    if probabilities is not None:
        _add_curves(found, true, probabilities)
    return found


# ---------------------------------------------------------------------- numbers


def number_sums(true: Floats, predicted: Floats) -> Floats:
    """(n, 4 K + 1): y, y², squared and absolute error of each output; 1."""
    error = predicted - true
    return np.hstack([true, true**2, error**2, np.abs(error), np.ones((len(true), 1))])


def number_statistics(sums: Floats) -> dict[str, Floats]:
    """RMSE, MAE and R² from sums of `number_sums` over rows; with several outputs, over all of them (RMSE, MAE)
    and the mean of theirs (R²)."""
    k = (sums.shape[-1] - 1) // 4
    n = sums[..., -1:]
    total, squares, squared, absolute = (sums[..., i * k : (i + 1) * k] for i in range(4))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = squares - total**2 / n
        r2 = np.where(spread > 1e-12 * squares, 1 - squared / spread, np.nan)
        return {
            "rmse": np.sqrt((squared / n).mean(-1)),
            "mae": (absolute / n).mean(-1),
            "r2": _mean_of_known(r2),
        }


def measure_numbers(true: Floats, predicted: Floats) -> Measures:
    """RMSE, MAE and R² of (n, K) numbers.

    Example
    -------
    >>> measure_numbers(np.array([[0.0], [2.0]]), np.array([[1.0], [2.0]])).values["mae"]
    0.5
    """
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    values = {
        "rmse": math.sqrt(mean_squared_error(true, predicted)),
        "mae": float(mean_absolute_error(true, predicted)),
        "r2": float(r2_score(true, predicted)) if len(true) > 1 else math.nan,
    }
    return Measures(len(true), values, shown=SHOWN_OF_NUMBERS)


# ---------------------------------------------------------------------- tags


def tag_sums(true: Sequence[Ids], predicted: Sequence[Ids], n_classes: int) -> Floats:
    """(n, 3 K + 5): `class_sums` of the steps of each sequence; whether all its steps are right; 1."""
    width = 3 * n_classes + 3
    sums = np.zeros((len(true), width + 2))
    for i, (wanted, found) in enumerate(zip(true, predicted, strict=True)):
        right = np.bincount(wanted[wanted == found], minlength=n_classes)
        parts = [right, np.bincount(wanted, minlength=n_classes), np.bincount(found, minlength=n_classes)]
        sums[i, : 3 * n_classes] = np.concatenate(parts)
        sums[i, -2:] = np.array_equal(wanted, found), 1
    return sums


def tag_statistics(sums: Floats) -> dict[str, Floats]:
    """Token accuracy and the rest, from sums of `tag_sums` over sequences."""
    found = class_statistics(sums[..., :-2])
    return {**found, "sequence_accuracy": sums[..., -2] / sums[..., -1]}


def measure_tags(true: Sequence[Ids], predicted: Sequence[Ids], classes: Sequence[Any]) -> Measures:
    """Token accuracy and F1 of a tag a step, and how many sequences are right from end to end.

    Example
    -------
    >>> found = measure_tags([np.array([0, 1]), np.array([1])], [np.array([0, 0]), np.array([1])], ["A", "B"])
    >>> round(found.values["accuracy"], 3), found.values["sequence_accuracy"]
    (0.667, 0.5)
    """
    flat = [np.concatenate([*parts, np.zeros(0, np.int64)]).astype(np.int64) for parts in (true, predicted)]
    found = measure_classes(flat[0], flat[1], classes)
    exact = [np.array_equal(wanted, given) for wanted, given in zip(true, predicted, strict=True)]
    found.values["sequence_accuracy"] = float(np.mean(exact))
    found.shown = SHOWN_OF_TAGS
    return found


# ---------------------------------------------------------------------- language


def token_sums(log_probabilities: Sequence[Floats]) -> Floats:
    """(n, 2): the negative log probability of each text and its tokens."""
    return np.array([[-np.sum(part), len(part)] for part in log_probabilities], np.float64).reshape(-1, 2)


def token_statistics(sums: Floats) -> dict[str, Floats]:
    """Nats and bits per token, and perplexity, from sums of `token_sums` over texts.

    Example
    -------
    >>> round(float(token_statistics(np.array([2 * np.log(8), 2]))["perplexity"]), 6)
    8.0
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = sums[..., 0] / sums[..., 1]
    return {"perplexity": np.exp(nats), "nats": nats, "bits": nats / math.log(2)}


def measure_tokens(log_probabilities: Sequence[Floats]) -> Measures:
    """Perplexity over all tokens of all texts."""
    sums = token_sums(log_probabilities).sum(0)
    values = {name: float(value) for name, value in token_statistics(sums).items()}
    return Measures(int(sums[1]), values, shown=SHOWN_OF_TOKENS)
