"""Linear probes: what can be read off the states, and how much of that the probe could have learned by heart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memorycell.data.figures import Figures
from memorycell.insight.arguments import check_array, real, whole
from memorycell.insight.probe_fits import Outcome, Split
from memorycell.insight.states import States
from memorycell.layers.parameters import flag

MIN_ROWS = 10  # held-out rows below which nothing is said
FEW_TYPES = 20  # types of tokens that a probe can learn by heart, whatever the states hold
_DRAWS = 3  # control tasks
_RESAMPLES = 1000
_CLEAR = 0.05  # an interval no wider than this to either side of 0 says that there is no difference to speak of

Interval = tuple[float, float]


@dataclass(frozen=True, eq=False, repr=False)
class Probe(Figures):
    """What a linear probe reads off states of rows that it was not fitted on; see `linear_probe`.

    Attributes
    ----------
    measure : "accuracy" or "R²"
        What the numbers are: R² where labels are numbers.
    accuracy, interval : float, (float, float)
        Of the held-out steps, and the 95 % interval.
    baseline : float
        Of the most frequent class (the mean) of the training rows.
    gain_interval : (float, float)
        Of accuracy less baseline, 95 %.
    control, control_baseline : float or None
        Of the same probe on control tasks, and of their most frequent class (mean).
    selectivity, selectivity_interval : float or None, (float, float) or None
        Accuracy less control, and its 95 % interval.
    by_token, context_interval : float or None, (float, float) or None
        Of the most frequent class (the mean) of each type of token, which is all that a token by itself tells; and
        accuracy less that, 95 %.
    verdict : str
        What may be said.
    classes : list or None
        Those in the training rows; None where labels are numbers.
    weights, bias : float64 (K, H), (K,)
        Scores are ``states @ weights.T + bias``, one a class, or the number.
    strength : float
        C, the inverse of the penalty on weights of standardised units; chosen on training rows where it was not given.
    rows, steps : (int, int)
        Of training and of the test.
    notes : list of str
        What to know when reading the numbers.

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> values = rng.normal(size=(2000, 4)).astype(np.float32)
    >>> states = States(values, np.arange(0, 2001, 20))
    >>> labels = np.where(values[:, 1] > 0, "up", "down")
    >>> probe = linear_probe(states, labels, tokens=rng.integers(200, size=2000))
    >>> probe.accuracy > 0.95, probe.control < 0.6, probe.predict(values[:2]).tolist() == labels[:2].tolist()
    (True, True, True)
    """

    measure: str
    accuracy: float
    interval: Interval
    baseline: float
    gain_interval: Interval
    control: float | None
    control_baseline: float | None
    selectivity: float | None
    selectivity_interval: Interval | None
    by_token: float | None
    context_interval: Interval | None
    verdict: str
    classes: list[Any] | None
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    strength: float
    rows: tuple[int, int]
    steps: tuple[int, int]
    notes: list[str]

    def predict(self, values: NDArray[Any]) -> NDArray[Any]:
        """The labels of other states (N, H), read off them: (N,). Raises TypeError or ValueError for another array."""
        check_array(values)
        if values.ndim != 2 or values.shape[1] != self.weights.shape[1]:
            raise ValueError(f"expected states (steps, {self.weights.shape[1]}), got {values.shape}")
        scores = values @ self.weights.T + self.bias
        return scores[:, 0] if self.classes is None else np.array(self.classes)[scores.argmax(1)]

    def _said(self) -> tuple[str, str]:
        beside = "most frequent class" if self.classes is not None else "mean"
        return f"{self.measure} {self.accuracy:z.3f}, the {beside} {self.baseline:z.3f}", self.verdict

    def table(self) -> list[dict[str, Any]]:
        """A row per figure, with its 95 % interval where it has one."""
        none = (math.nan, math.nan)
        found = {
            self.measure: (self.accuracy, self.interval), "baseline": (self.baseline, none),
            "gain": (self.accuracy - self.baseline, self.gain_interval), "control": (self.control, none),
            "control_baseline": (self.control_baseline, none),
            "selectivity": (self.selectivity, self.selectivity_interval), "by_token": (self.by_token, none),
        }  # fmt: skip
        return [
            {"figure": name, "value": math.nan if value is None else value, "low": ends[0], "high": ends[1]}
            for name, (value, interval) in found.items()
            for ends in [interval or none]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        plain = {name: value for name, value in vars(self).items() if name not in ("classes", "weights", "bias")}
        for name in ("interval", "gain_interval", "selectivity_interval", "context_interval", "rows", "steps"):
            plain[name] = None if plain[name] is None else list(plain[name])
        classes = None if self.classes is None else [str(each) for each in self.classes]
        return {**plain, "classes": classes, "weights": self.weights.tolist(), "bias": self.bias.tolist()}

    def __str__(self) -> str:
        low, high = self.interval
        beside = "most frequent class" if self.classes is not None else "mean"
        lines = [
            f"{self.measure} {self.accuracy:z.3f} (95% {low:z.3f} to {high:z.3f}) on {self.steps[1]:,} steps of "
            f"{self.rows[1]:,} held-out rows; the {beside}: {self.baseline:z.3f}"
        ]
        if self.control is not None and self.selectivity_interval is not None:
            low, high = self.selectivity_interval
            lines.append(
                f"control task {self.control:z.3f} (its {beside}: {self.control_baseline:z.3f}); "
                f"selectivity {self.selectivity:z.3f} (95% {low:z.3f} to {high:z.3f})"
            )
            lines.append(f"the {beside} of each token: {self.by_token:z.3f}")
        return "\n".join([*lines, self.verdict, *self.notes])


def linear_probe(
    states: States,
    labels: ArrayLike | Sequence[Any],
    *,
    tokens: Sequence[Any] | None = None,
    control: bool = True,
    kind: Literal["auto", "classes", "numbers"] = "auto",
    test_share: float = 0.25,
    C: float | None = None,
    limit: int = 20_000,
    seed: int = 0,
) -> Probe:
    """Fit a linear probe from states to labels and measure it on rows held out, beside a control task.

    Logistic regression with an L2 penalty for classes, ridge regression for numbers, on units standardised by the
    training rows. Rows are split, never the steps of one. A control task (Hewitt & Liang 2019, arXiv 1909.03368,
    sections 2 and 3) gives every type of token a label drawn from the distribution of the labels, wherever it stands:
    states can tell it only by the token itself, so that the accuracy on it is what the probe learns by heart.
    Selectivity is accuracy less that of the control task, here the mean of 3 draws. Where tokens are few any probe
    learns them by heart; so the most frequent label of each type stands beside: what is read off better than that does
    not lie in the token alone. Nor need it be learned: the states of an untrained network tell much of what was read
    lately, and are a baseline worth a second call. Intervals are percentiles of 1000 bootstrap samples of the held-out
    rows; they leave out that another probe would be fitted on other training rows.

    Parameters
    ----------
    states : States
    labels : sequence
        (N,), one a step, or one sequence for each row. A step whose label is None or NaN is left out.
    tokens : sequence, optional
        (N,) or by row: what is read at each step, for the control task; default: the labels of `states`.
    control : bool, default True
        False: no control task.
    kind : "auto", "classes" or "numbers"
        Of the labels; "auto": fractional numbers are numbers, everything else is classes.
    test_share : float, default 0.25
        Of the rows, held out.
    C : float, optional
        Inverse of the penalty, as scikit-learn has it; default: the best of 0.001, 0.01, 0.1 and 1 on a quarter of the
        training rows, for the control tasks likewise.
    limit : int, default 20 000
        At least 2. Of more training steps than that, a random sample is fitted on. All held-out steps are measured.
    seed : int, default 0
        Of the split, the control tasks and the bootstrap.

    Raises
    ------
    TypeError
        For labels or tokens that are no sequence, or not text, numbers or the like; for a limit or seed that is no
        whole number, or a share or C that is no number.
    ValueError
        If labels or tokens do not fit the steps, there is one class or one row only, no tokens for a control task,
        states or labels that are NaN or infinite (steps left out aside), or a limit below 2.

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> states = States(rng.normal(size=(400, 3)).astype(np.float32), np.arange(0, 401, 10))
    >>> print(linear_probe(states, states.values[:, 0] - 2.0, control=False).verdict)
    the labels can be read off the states
    """
    test_share = real("a test_share between 0 and 1", test_share, lambda value: 0 < value < 1)
    C = None if C is None else real("a finite C above 0, or None", C, lambda value: 0 < value < math.inf)
    limit, control = whole("limit (steps to fit on)", limit, 2), flag("control", control)
    rng = np.random.default_rng(whole("seed", seed, 0))
    index, target, classes = _targets(_flat(states, labels, "label"), kind)
    present = len(np.unique(states.row[index]))
    if present < 2:
        raise ValueError(f"expected labelled steps in at least 2 rows, to hold some out, got {present}: give more rows")
    states.check_finite(index)
    types = _types(states, tokens)[index] if control else None
    split = Split.of(states, index, classes is not None, test_share, limit, rng)
    outcomes = [split.measure(target, C)]
    if types is not None:
        outcomes += [split.measure(_control(types, target[split.train], rng), C) for _ in range(_DRAWS)]
    return _probe(split, outcomes, classes, None if types is None else split.by_token(types, target), types, rng)


def _flat(states: States, given: Any, what: str) -> list[Any]:
    """Labels of all steps one after the other, from one a step or one sequence a row."""
    values = _plain(given)
    if not isinstance(values, Iterable):
        raise TypeError(f"expected {what}s as a sequence, one a step or one sequence for each row, got {given!r}")
    values = [_plain(each) for each in values]
    if not values or not isinstance(values[0], list | tuple):
        if len(values) != len(states):
            raise ValueError(f"expected a {what} for each of the {len(states)} steps, got {len(values)}")
        return _hashable(values, what)
    lengths = np.diff(states.offsets).tolist()
    if len(values) != len(lengths):
        raise ValueError(f"expected {what}s for each of the {len(lengths)} rows, got {len(values)}")
    for row, (each, length) in enumerate(zip(values, lengths, strict=True)):
        if not isinstance(each, list | tuple):
            raise TypeError(f"expected {what}s as a sequence for each row, as for row 0, got {each!r} for row {row}")
        if len(each) != length:
            raise ValueError(f"expected a {what} for each of the {length} steps of row {row}, got {len(each)}")
    return _hashable([_plain(value) for each in values for value in each], what)


def _plain(value: Any) -> Any:
    """Arrays, tensors and columns of tables as lists, and numbers in an array or tensor of their own as they are."""
    return value.tolist() if hasattr(value, "tolist") and not isinstance(value, np.generic) else value


def _hashable(values: list[Any], what: str) -> list[Any]:
    for step, value in enumerate(values):
        try:
            hash(value)
        except TypeError:
            raise TypeError(
                f"expected {what}s that are text, numbers or truth values, got {value!r} ({type(value).__name__}) at "
                f"step {step} of all: name each class by a text"
            ) from None
    return values


def _known(label: Any) -> bool:
    """Whether it is not None, NaN or another mark of what is missing: those are not equal to themselves."""
    same = label == label
    return label is not None and isinstance(same, bool | np.bool_) and bool(same)


def _targets(
    labels: list[Any], kind: Literal["auto", "classes", "numbers"]
) -> tuple[NDArray[np.int64], NDArray[Any], list[Any] | None]:
    """The steps that have labels, those labels as numbers or codes of classes, and the classes."""
    if kind not in ("auto", "classes", "numbers"):
        raise ValueError(f'expected kind "auto", "classes" or "numbers", got {kind!r}')
    index = np.array([i for i, each in enumerate(labels) if _known(each)], np.int64)
    known = [labels[i] for i in index]
    if not known:
        raise ValueError(f"expected labels, got none that is not None or NaN among {len(labels)} steps")
    floats = all(isinstance(each, float | np.floating) for each in known)
    fractions = floats and any(not math.isfinite(each) or each % 1 for each in known)
    if kind == "numbers" or (kind == "auto" and fractions):
        strange = [each for each in known if not isinstance(each, int | float | np.integer | np.floating)]
        if strange:
            raise ValueError(f'expected numbers as labels, got {strange[0]!r}: kind="classes" takes others')
        numbers = np.array([_float(each) for each in known])
        if not np.isfinite(numbers).all():
            first = int(np.isfinite(numbers).argmin())
            raise ValueError(
                f"expected finite numbers as labels, got {numbers[first]} at step {index[first]} of all: None leaves a "
                "step out"
            )
        if (numbers == numbers[0]).all():
            raise ValueError(f"expected numbers that differ as labels, got {numbers[0]} only")
        return index, numbers, None
    try:
        classes = sorted(set(known), key=lambda each: (str(type(each)), each))
    except TypeError:
        kinds = ", ".join(sorted({type(each).__name__ for each in known}))
        raise TypeError(f"expected labels that can be put in order, got {kinds}: name each class by a text") from None
    if len(classes) < 2:
        raise ValueError(f"expected labels of at least 2 classes, got {classes[0]!r} only")
    codes = {each: code for code, each in enumerate(classes)}
    return index, np.array([codes[each] for each in known], np.int64), classes


def _float(label: float) -> float:
    try:
        return float(label)
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf


def _types(states: States, tokens: Sequence[Any] | None) -> NDArray[np.int64]:
    """(N,): which type of token each step reads."""
    if tokens is None and states.labels is None:
        raise ValueError(
            "expected tokens, for a control task, as the states have no labels: give tokens or control=False"
        )
    flat = _flat(states, states.labels if tokens is None else tokens, "token")
    codes: dict[Any, int] = {}
    types = np.array([codes.setdefault(token, len(codes)) for token in flat], np.int64)
    if len(codes) < 2:
        raise ValueError("expected tokens of at least 2 types, for a control task, got 1: give tokens or control=False")
    return types


def _control(types: NDArray[np.int64], known: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """For each type of token a label at random, as often as it is in training; not all the same where possible."""
    for _ in range(100):
        drawn = known[rng.integers(len(known), size=int(types.max()) + 1)]
        if (drawn != drawn[0]).any():
            break
    return drawn[types]


def _probe(
    split: Split,
    outcomes: list[Outcome],
    classes: list[Any] | None,
    tokens: NDArray[np.float64] | None,
    types: NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> Probe:
    tables = [outcome.table for outcome in outcomes] + ([] if tokens is None else [tokens])
    value, baseline, control, control_baseline, by_token = _scores(split, [table.sum(0) for table in tables])
    values, baselines, controls, _, by_tokens = _scores(split, _resampled(tables, rng))
    gain = _interval(values - baselines)
    selectivity = None if tokens is None else _interval(values - controls)
    context = None if tokens is None else _interval(values - by_tokens)
    main = outcomes[0]
    seen = None if classes is None or main.linear.codes is None else [classes[code] for code in main.linear.codes]
    return Probe(
        measure="R²" if classes is None else "accuracy",
        accuracy=float(value),
        interval=_interval(values),
        baseline=float(baseline),
        gain_interval=gain,
        control=None if control is None else float(control),
        control_baseline=None if control_baseline is None else float(control_baseline),
        selectivity=None if control is None else float(value - control),
        selectivity_interval=selectivity,
        by_token=None if by_token is None else float(by_token),
        context_interval=context,
        verdict=_verdict(split.rows[1], gain, selectivity, context),
        classes=seen,
        weights=main.linear.weights,
        bias=main.linear.bias,
        strength=main.strength,
        rows=split.rows,
        steps=(int(split.train.sum()), int((~split.train).sum())),
        notes=_notes(split, outcomes, types),
    )


def _scores(split: Split, sums: list[NDArray[np.float64]]) -> tuple[Any, Any, Any, Any, Any]:
    """Probe, baseline, means of the control tasks and of their baselines, and tokens alone; from sums of tables."""
    (value, baseline), *others = [split.score(each) for each in sums]
    if not others:
        return value, baseline, None, None, None
    *controls, (by_token, _) = others
    # An R² below 0 says no more than 0 does: nothing was learned by heart.
    control = np.mean([np.maximum(each, 0) for each, _ in controls], 0)
    return value, baseline, control, np.mean([each for _, each in controls], 0), by_token


def _resampled(tables: list[NDArray[np.float64]], rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Sums of the tables over bootstrap samples of their rows, the same rows in all, each (samples, columns)."""
    joined = np.concatenate(tables, 1)
    rows = len(joined)
    sums = np.stack([joined[rng.integers(rows, size=rows)].sum(0) for _ in range(_RESAMPLES)])
    return np.split(sums, len(tables), axis=1)


def _interval(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _verdict(rows: int, gain: Interval, selectivity: Interval | None, context: Interval | None) -> str:
    if rows < MIN_ROWS:
        return f"too few to tell: {rows} held-out rows, of which at least {MIN_ROWS} are needed"
    if gain[0] <= 0:
        return "the probe does no better than guessing" if gain[1] < _CLEAR else "too few to tell"
    readable = "the labels can be read off the states"
    if selectivity is None or context is None:
        return readable
    if context[0] > 0:
        return f"{readable}, better than the tokens by themselves tell them"
    if selectivity[1] < _CLEAR:
        return f"{readable}, but so can random ones of the same tokens: the probe may have learned tokens by heart"
    if selectivity[0] > 0:
        return f"{readable}, about as well as the tokens by themselves tell them, and better than random ones"
    return f"{readable}; too few to tell whether the probe learned tokens by heart"


def _notes(split: Split, outcomes: list[Outcome], types: NDArray[np.int64] | None) -> list[str]:
    notes = []
    count, fitted = int(split.train.sum()), len(split.fitted)
    if fitted < count:
        notes.append(f"fitted on a sample of {fitted:,} of {count:,} training steps")
    if types is not None and (few := len(np.unique(types))) < FEW_TYPES:
        notes.append(f"only {few} types of token: random labels of so few are easy to learn by heart")
    if not all(outcome.converged for outcome in outcomes):
        notes.append("a fit had not converged: a smaller C does")
    return notes
