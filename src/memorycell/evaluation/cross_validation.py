"""Cross-validation: a task and the baselines, each fitted on the training part of each fold alone."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from memorycell.data.labels.reading import read_labelled
from memorycell.data.log import logger
from memorycell.data.samples import Samples
from memorycell.data.weights import checked_step_weights, checked_weights
from memorycell.evaluation.class_metrics import Ids
from memorycell.evaluation.folds import Folds, make_folds, missing_rows, take, take_column
from memorycell.evaluation.intervals import METHODS, Rows, assess
from memorycell.evaluation.kinds import (
    Answers,
    Classes,
    Kind,
    Language,
    join,
    kind_of,
    sequences_of,
    stretches_of,
)
from memorycell.evaluation.measures import Measure
from memorycell.evaluation.parts import each_fold, wanted
from memorycell.evaluation.result import CrossValidation, ModelScores
from memorycell.kernels.quiet import quiet

_LOG = logger(__name__)

Progress = Callable[[str], None]
_CHANCES = {"probabilities", "own"}
_SILENT = "{} needs predict_proba, which {} lacks: take {}"
LEAST_TRAIN_ROWS = 1000  # of the training rows that show over-fitting: as many as test rows, and at least so many


@dataclass
class _FoldRun:
    """What one fold leaves behind; the task is the first of the models."""

    sizes: tuple[int, int]
    answers: dict[str, Answers]
    seconds: dict[str, float]
    train: dict[str, float]
    parameters: int | None
    notes: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


class Given(NamedTuple):
    """Rows, and what is known of each; X may be `Samples`, which hold the rest, too."""

    X: Any
    y: Any
    groups: Any
    order: Any = None
    weights: Any = None


@dataclass(frozen=True)
class _Stacked:
    """Samples to train on and, behind them, others: what each has encoded stays with it."""

    train: Samples
    test: Samples

    def take(self, rows: Ids) -> Samples:
        """Rows that are all of the one, or all of the other."""
        first = len(self.train)
        return self.train.take(rows) if len(rows) and rows[0] < first else self.test.take(rows - first)


@dataclass
class _Job:
    """What every fold needs to know."""

    X: Any
    kind: Kind
    groups: Any
    baselines: bool | Mapping[str, Any]
    seed: int
    train_score: bool
    name: str
    progress: Progress | None
    weights: Any = None

    def part(self, rows: Ids) -> Any:
        return self.X.take(rows) if isinstance(self.X, _Stacked) else take(self.X, rows)

    def say(self, text: str) -> None:
        _LOG.info(text)
        if self.progress is not None:
            self.progress(text)


def cross_validate(
    task: Any,
    data: Any,
    y: Any = None,
    *,
    folds: int = 5,
    groups: Any = None,
    order: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    jobs: int = 1,
    baselines: bool | Mapping[str, Any] = True,
    interval: str = "auto",
    train_score: bool = True,
    level: float = 0.95,
    measure: str | None = None,
    progress: Progress | None = None,
) -> CrossValidation:
    """Cross-validate an unfitted task beside naive baselines on the same folds.

    A clone of the task is fitted for each fold, codecs and all, on the fold's training rows only. Folds are
    stratified where there is one class a row; see `make_folds` for `groups` and `order`. A language model is tested
    on texts that stand together; of one text, on stretches of it.

    Parameters
    ----------
    task : any estimator in scikit-learn's manners
        Classifier (one class a row, or several labels), regressor, tagger (``y`` holds a label for each step) or
        language model (no ``y``; see `Language` for what it is asked).
    data : list of str, list of (T, F) arrays, (n, T, F) or (n, T) array, list of lists; a str for language models;
        a `Path` or a frame with the columns that the task names; `Samples` that the task has read, which are neither
        read nor encoded again
    y : targets, one per row; None with samples: theirs
    folds : int
    groups : (n,) or None
        Speakers, users, subjects: no group is on both sides, and bootstrap intervals draw whole groups. Handed to
        the task's ``fit`` where that takes ``groups``. None with samples: theirs.
    order : (n,) or None
        Times: training is always before test. None with samples: theirs.
    sample_weight : (n,) or None
        How much each row counts in training, of task and baselines; measures count rows alike. None with samples:
        theirs.
    jobs : int
        Folds fitted at once, in processes of their own (`progress` must then be picklable).
    baselines : True, False, or unfitted estimators by name
    interval : "auto", "bootstrap" or "folds"
        "bootstrap": percentiles over draws of the pooled test rows, by group; "folds": Nadeau & Bengio's corrected
        resampled t. "auto" is the bootstrap, but "folds" where there are fewer than 20 groups.
    train_score : bool
        Also ask the task about training rows, to show over-fitting.
    measure : str or None
        What models are compared by; None: accuracy, micro-F1 (several labels), RMSE or perplexity.
    progress : called with a sentence at each stage; None: a bar, where the task shows bars

    Raises
    ------
    ValueError
        When targets are missing, there is one class only, a class has a single row, or there are fewer groups or
        times than folds ask for.

    Example
    -------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> steps = np.random.default_rng(0).normal(size=(60, 8))
    >>> result = cross_validate(DecisionTreeClassifier(random_state=0), steps, steps[:, 3] > 0, folds=3)
    >>> round(result.score, 3), result.split, result.comparisons[0].outcome
    (1.0, 'stratified', 'better')
    """
    from sklearn.base import clone

    _check(interval, jobs)
    X, y, groups, order, weights = read_source(task, data, y, groups, order, sample_weight)
    X, kind = read_rows(task, X, y)
    by = check_measure(kind, measure)
    found = make_folds(len(X), folds, labels=kind.strata, groups=groups, order=order, blocks=kind.blocks, seed=seed)
    job = _Job(X, kind, groups, baselines, seed, train_score, _name_of(task), progress, weights)

    def run(number: int) -> _FoldRun:
        train, test = found.splits[number]
        where = f"fold {number + 1} of {len(found)}"
        job.say(f"{where}: fitting {job.name}")
        fitted, begun = clone(task), time.perf_counter()
        try:
            fit_rows(fitted, X, y, kind, groups, train, weights)
        except ValueError as error:
            raise ValueError(f"{where} could not be fitted: {error}") from error
        return _run_fold(job, fitted, train, test, time.perf_counter() - begun)

    runs = each_fold(run, len(found), jobs, wanted(task, progress))
    return _gather(job, runs, found, by, interval, level)


def evaluate_held_out(
    task: Any,
    X: Any,
    y: Any = None,
    *,
    train: Sequence[Any] | Samples | None = None,
    groups: Any = None,
    baselines: bool | Mapping[str, Any] = True,
    level: float = 0.95,
    measure: str | None = None,
    progress: Progress | None = None,
) -> CrossValidation:
    """How a fitted task does on rows that it was not fitted on: the same result, with one fold.

    Parameters
    ----------
    task : fitted
    X, y : the held-out rows; as for `cross_validate`
    train : (X, y), or `Samples` where X are samples, or None
        The task's training rows: the baselines are fitted on them, and over-fitting is shown. None: no baseline.
    groups, baselines, level, measure, progress : as for `cross_validate`

    Raises
    ------
    ValueError
        When targets are missing.

    Example
    -------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> steps = np.random.default_rng(0).normal(size=(90, 8))
    >>> label = np.where(steps[:, 3] > 0, "up", "down")
    >>> tree = DecisionTreeClassifier(max_depth=1).fit(steps[:60], label[:60])
    >>> result = evaluate_held_out(tree, steps[60:], label[60:], train=(steps[:60], label[:60]))
    >>> result.split, [model.name for model in result.models][:2]
    ('held out', ['DecisionTreeClassifier', 'majority class'])
    """
    given = read_source(task, X, y, groups)
    before = None if train is None else read_source(task, *((train,) if isinstance(train, Samples) else train))
    both, kind, n_train, n_test = _one_behind_the_other(task, before, given)
    by, groups = check_measure(kind, measure), given.groups
    train_rows, test_rows = np.arange(n_train), np.arange(n_train, n_train + n_test)
    job = _Job(both, kind, None, baselines if n_train else False, 0, n_train > 0, _name_of(task), progress)
    job.say(f"{job.name} on {len(test_rows):,} {kind.noun}")
    run = _run_fold(job, task, train_rows, test_rows, float(getattr(task, "train_seconds_", 0.0)))
    if groups is not None:
        owner = np.empty(n_train + n_test, object)
        owner[test_rows] = take_column(groups, len(test_rows), "group")
        job.groups = owner
    run.notes += _unseen(task, kind, test_rows)
    result = _gather(job, [run], Folds([(train_rows, test_rows)], "held out"), by, "bootstrap", level)
    result.rows = result.rows - n_train
    return result


def read_source(
    task: Any, data: Any, y: Any = None, groups: Any = None, order: Any = None, weights: Any = None
) -> Given:
    """The rows of whatever holds them, and what is known of each where it was not given.

    A file (a `Path`) or a frame is read by the columns that the task names (``text``, ``target``, ``group``); y may be
    the target's column. Samples stay as they are, with their targets, groups and order; an estimator that does not know
    samples gets what is in them. Anything else is taken as it is.
    """
    if isinstance(data, Samples):
        found = _with(data, y, groups, order, weights)
        rows = found if hasattr(task, "kind_of") else sequences_of(found)
        return Given(rows, found.targets, found.groups, found.order, found.weights)
    if not isinstance(data, Path) and not hasattr(data, "columns"):
        return Given(data, y, groups, order, _checked(weights, data))
    known = inspect.signature(read_labelled).parameters
    columns = {name: value for name, value in task.get_params().items() if name in known and value is not None}
    more = task.get_params().get("reading")
    columns |= dict(more) if isinstance(more, Mapping) else {}
    read = read_labelled(data, **{**columns, "target": y} if isinstance(y, str) else columns)
    taken = read.y if y is None or isinstance(y, str) else y
    weights = read.weights if weights is None else _checked(weights, read.x)
    return Given(read.x, taken, read.groups if groups is None else groups, order, weights)


def _checked(weights: Any, rows: Any) -> Any:
    """Weights of rows, or of their steps; None of None."""
    if weights is None:
        return None
    nested = any(np.ndim(each) == 1 for each in weights) if hasattr(weights, "__iter__") else False
    return checked_step_weights(weights, [len(row) for row in rows]) if nested else checked_weights(weights, len(rows))


def _with(samples: Samples, y: Any, groups: Any, order: Any, weights: Any) -> Samples:
    """Samples with other targets, groups, times or weights where they are given; what is encoded stays."""
    if y is not None and len(y) != len(samples):
        raise ValueError(f"expected a target for each of {len(samples)} rows, got {len(y)}")
    changed = {"targets": y, "groups": groups, "order": order, "weights": _checked(weights, sequences_of(samples))}
    found = {name: values for name, values in changed.items() if values is not None}
    return samples.replaced(**found) if found else samples


def _one_behind_the_other(task: Any, before: Given | None, after: Given) -> tuple[Any, Kind, int, int]:
    """Training rows and, behind them, those to be tested: the rows, their kind, and how many there are of each."""
    if isinstance(after.X, Samples):
        X, kind = read_rows(task, after.X, None)
        if before is None:
            return X, kind, 0, len(X)
        if not isinstance(before.X, Samples):
            raise TypeError(f"expected train as Samples, as X is, got {type(before.X).__name__}: read it first")
        first, its = read_rows(task, before.X, None)
        return _Stacked(first, X), its.joined(kind), len(first), len(X)
    if before is None:
        X, kind = read_rows(task, after.X, after.y)
        return X, kind, 0, len(X)
    targets = None
    if after.y is not None:
        parts = [{"X": _rows(part.X), "y": _rows(part.y)} for part in (before, after)]
        together = join(parts)
        X, targets, n_train = together["X"], together["y"], len(before.X)
    else:
        texts = [stretches_of(part.X) if isinstance(part.X, str) else list(part.X) for part in (before, after)]
        X, n_train = [*texts[0], *texts[1]], len(texts[0])
    X, kind = read_rows(task, X, targets, stretches=isinstance(after.X, str))
    return X, kind, n_train, len(X) - n_train


def _check(interval: str, jobs: int) -> None:
    if interval not in METHODS:
        raise ValueError(f"expected interval to be one of {', '.join(METHODS)}, got {interval!r}")
    if not isinstance(jobs, int) or jobs == 0:
        raise ValueError(f"expected jobs, the folds fitted at once, as a whole number other than 0, got {jobs!r}")


def check_measure(kind: Kind, measure: str | None) -> Measure:
    """The measure that models are compared by; ValueError for one that such targets do not have."""
    if measure is None:
        return kind.measure
    offered = {each.key: each for each in kind.measures_offered}
    if measure not in offered:
        raise ValueError(f"expected measure to be one of {', '.join(offered)}, got {measure!r}")
    return offered[measure]


def score_of(kind: Kind, statistics: Mapping[str, Any], measure: Measure, name: str) -> float:
    """One measure among those of a model; ValueError where the model gives no probabilities and it is made of them."""
    if measure.of_probabilities and measure.key not in statistics:
        raise ValueError(_SILENT.format(measure.name, name, kind.measure.name))
    return float(statistics[measure.key])


def _name_of(task: Any) -> str:
    return type(task).__name__


def read_rows(task: Any, data: Any, y: Any, stretches: bool = False) -> tuple[Any, Kind]:
    """The rows and what is to be answered of them; one text becomes stretches of it."""
    if isinstance(data, Samples):
        return _read_samples(task, data)
    if isinstance(data, str):
        if y is not None:
            raise TypeError("expected a list of texts beside y, got one str")
        data, stretches = stretches_of(data), True
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise TypeError(f"expected a list or an array of sequences, got {type(data).__name__}: read the file first")
    if y is None and stretches:
        return data, Language(stretches=True)
    if y is not None and len(y) == len(data) and not isinstance(y, np.ndarray):
        missing = missing_rows(list(y))
        if len(missing):
            where = f"{len(missing)} missing (first: row {missing[0]})"
            raise ValueError(f"expected a label in each row, got {where}: leave those rows out")
    return data, kind_of(task, data, y)


def _read_samples(task: Any, samples: Samples) -> tuple[Samples, Kind]:
    kind = kind_of(task, samples)
    if not isinstance(kind, Language) or kind.stretches or len(samples) != 1:
        return samples, kind
    cut = type(samples)(stretches_of(samples[0]), notes=samples.notes, source=samples.source)
    return cut, Language(stretches=True)


def _rows(values: Any) -> Any:
    """A list or an array: what can be put behind another."""
    return values if isinstance(values, np.ndarray) else list(values)


def fit_rows(model: Any, X: Any, y: Any, kind: Kind, groups: Any, rows: Ids, weights: Any = None) -> None:
    """Fit a task on some rows, with their groups where it takes them, and their weights; samples hold all of it."""
    given = kind.given(take(X, rows))
    if y is None or isinstance(X, Samples):
        model.fit(given)
        return
    more: dict[str, Any] = {}
    if groups is not None and "groups" in inspect.signature(model.fit).parameters:
        more["groups"] = take(_rows(groups), rows)
    if weights is not None:
        more |= _weighed(model, take(_rows(weights), rows))
    model.fit(given, take(_rows(y), rows), **more)


def _weighed(model: Any, weights: Any) -> dict[str, Any]:
    """Weights as the model's ``fit`` takes them.

    Raises
    ------
    ValueError
        For a model that cannot be told of weights.
    """
    steps = getattr(model, "steps", None)
    last = model if steps is None else steps[-1][1]
    if "sample_weight" not in inspect.signature(last.fit).parameters:
        raise ValueError(f"{type(last).__name__} takes no weights of samples")
    return {"sample_weight" if steps is None else f"{steps[-1][0]}__sample_weight": weights}


def _run_fold(job: _Job, fitted: Any, train: Ids, test: Ids, seconds: float) -> _FoldRun:
    """The answers of the fitted task, and of baselines fitted on the same training rows."""
    kind = job.kind
    X = job.part(test)
    run = _FoldRun((len(train), len(test)), {job.name: kind.answers_to(test, fitted, X)}, {job.name: seconds}, {}, None)
    run.parameters = getattr(fitted, "n_parameters_", None)
    if job.train_score and len(train):
        some = train
        if not kind.stretches:
            number = min(len(train), max(len(test), LEAST_TRAIN_ROWS))
            some = np.sort(np.random.default_rng(job.seed).choice(train, number, replace=False))
        sums = kind.sums(some, kind.answers_to(some, fitted, job.part(some)))
        run.train = {name: float(value) for name, value in kind.statistics(sums.sum(0)).items()}
    if job.baselines is False:
        return run
    X_train, targets = job.part(train), kind.targets(train)
    named = kind.baselines(kind.plain(X_train), fitted) if job.baselines is True else dict(job.baselines)
    for name, baseline in named.items():
        job.say(f"{name} on {len(test):,} {kind.noun}")
        weights = X_train.weights if isinstance(X_train, Samples) else job.weights
        weights = weights if weights is None or isinstance(X_train, Samples) else take(_rows(weights), train)
        _run_baseline(run, job, name, baseline, (X_train, targets, weights), (test, X))
    return run


def _run_baseline(
    run: _FoldRun, job: _Job, name: str, baseline: Any, given: tuple[Any, Any, Any], asked: tuple[Ids, Any]
) -> None:
    X_train, targets, weights = given
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning

    model = clone(baseline) if job.baselines is not True and hasattr(baseline, "get_params") else baseline
    begun = time.perf_counter()
    try:
        with quiet(ConvergenceWarning):
            if isinstance(X_train, Samples) and hasattr(model, "answers"):
                model.fit(job.kind.given(X_train))
            else:
                more = {} if weights is None else _weighed(model, weights)
                model.fit(job.kind.plain(X_train), targets, **more)
        run.seconds[name] = time.perf_counter() - begun
        run.answers[name] = job.kind.answers_to(asked[0], model, asked[1])
    except ValueError as error:
        run.missing[name] = " ".join(str(error).split())


def _unseen(task: Any, kind: Kind, rows: Ids) -> list[str]:
    """A note of classes in the test rows that the task has never seen."""
    if not isinstance(kind, Classes) or not hasattr(task, "classes_"):
        return []
    known = set(np.asarray(task.classes_).tolist())
    unseen = np.array([label not in known for label in kind.classes])
    number = int(unseen[kind.y[rows]].sum())
    if not number:
        return []
    names = ", ".join(repr(label) for label in np.array(kind.classes, object)[unseen][:5])
    have = "has" if number == 1 else "have"
    said = f"{number:,} of the {kind.noun} tested {have} a class that training has not seen ({names})"
    return [f"{said}: no answer can be right there"]


def _gather(
    job: _Job, runs: list[_FoldRun], folds: Folds, measure: Measure, interval: str, level: float
) -> CrossValidation:
    """Folds put together, scored and compared."""
    kind = job.kind
    missing = {name: why for run in reversed(runs) for name, why in run.missing.items()}
    if measure.of_probabilities:
        silent = [name for name in runs[0].answers if any(not _CHANCES & run.answers[name].keys() for run in runs)]
        if job.name in silent:
            raise ValueError(_SILENT.format(measure.name, job.name, kind.measure.name))
        missing |= {name: "it gives no probabilities" for name in silent}
    names = [name for name in runs[0].answers if name not in missing]
    tested = np.concatenate([test for _, test in folds.splits])
    order = np.argsort(tested, kind="stable")
    fold = np.repeat(np.arange(len(runs)), [run.sizes[1] for run in runs])[order]
    rows = tested[order]
    answers = {name: join([run.answers[name] for run in runs], order) for name in names}
    sums = {name: kind.sums(rows, answers[name]) for name in names}
    groups = None if job.groups is None else np.array([str(owner) for owner in take(_rows(job.groups), rows)])
    share = np.array([test / train if train else math.nan for train, test in (run.sizes for run in runs)])
    which = Rows(fold, share, groups, kind.noun, interval)
    intervals, comparisons = assess(sums, kind.statistics, measure, which, level)
    models = []
    for name in names:
        parts = [kind.statistics(sums[name][fold == number].sum(0)) for number in range(len(runs))]
        models.append(
            ModelScores(
                name,
                kind.measures(rows, answers[name]),
                intervals[name],
                {key: [float(part.get(key, math.nan)) for part in parts] for key in parts[0]},
                answers[name],
                sum(run.seconds[name] for run in runs),
                runs[-1].parameters if name == job.name else None,
            )
        )
    notes = [*folds.notes, *dict.fromkeys(text for run in runs for text in run.notes), *_remarks(folds, kind, which)]
    notes += [f"{name} left out: {why}" for name, why in missing.items()]
    train = {key: [run.train.get(key, math.nan) for run in runs] for key in runs[0].train}
    targets = None if not hasattr(kind, "y") else take(kind.y, rows)
    return CrossValidation(
        kind.name, measure.key, folds.kind, models, comparisons, kind.classes, [run.sizes for run in runs], train,
        rows, fold, targets, which.said if which.by_folds or which.enough else _too_few(which), level, kind.noun, notes,
    )  # fmt: skip


def _too_few(rows: Rows) -> str:
    return f"none, as {rows.units} {'groups' if rows.groups is not None else rows.noun} are too few"


def _remarks(folds: Folds, kind: Kind, rows: Rows) -> list[str]:
    """What a reader should know of the intervals."""
    if folds.kind == "time-ordered" and not rows.by_folds:
        return ["the bootstrap takes rows as independent: where rows near in time are alike, intervals are wider"]
    return []
