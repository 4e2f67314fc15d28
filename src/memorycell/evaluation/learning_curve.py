"""Is more data worth it? The score on the same test rows as the training part grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from memorycell.evaluation.class_metrics import Ids
from memorycell.evaluation.cross_validation import check_measure, fit_rows, read_rows, read_source, score_of
from memorycell.evaluation.folds import make_folds, take, take_column
from memorycell.evaluation.intervals import MIN_FOLDS, Interval, corrected_t, mean_and_spread
from memorycell.evaluation.kinds import Kind
from memorycell.evaluation.measures import Measure, measure_of
from memorycell.evaluation.parts import each_fold, wanted
from memorycell.evaluation.result import Result
from memorycell.evaluation.significance import ALPHA
from memorycell.evaluation.tables import format_number, plain, text_table

SIZES = (0.125, 0.25, 0.5, 1.0)
LAST = 3  # sizes that the slope is taken from: curves flatten, and what is ahead is like what was last


@dataclass(repr=False, eq=False)
class LearningCurve(Result):
    """Scores by training rows.

    Attributes
    ----------
    kind, measure, noun : as in `CrossValidation`
    sizes : list of float, shares of each fold's training part
    rows : (sizes,) training rows, the mean over folds
    scores : (folds, sizes) on the same test rows of a fold
    gain : Interval, by how much the score changes when training rows double: the slope over the last three sizes
        in the logarithm of size, with the corrected resampled t interval over folds
    notes : list of str
    """

    kind: str
    measure: str
    noun: str
    sizes: list[float]
    rows: list[float]
    scores: np.ndarray
    gain: Interval
    notes: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """ "more", "no gain shown", "less" (more rows made it worse) or "too few" (folds)."""
        if not math.isfinite(self.gain.p_value) or self.gain.n < MIN_FOLDS:
            return "too few"
        if self.gain.p_value >= ALPHA:
            return "no gain shown"
        return "more" if self.ranked_by.improves(self.gain.value) else "less"

    @property
    def ranked_by(self) -> Measure:
        """`measure`, with all that is known of it."""
        return measure_of(self.measure)

    @property
    def text(self) -> str:
        """One sentence: is more data worth it?"""
        measure = self.ranked_by
        if self.outcome == "too few":
            return f"Too few folds to tell whether more data is worth it ({self.gain.n}; this needs {MIN_FOLDS})."
        low, change, high = (measure.show_change(value) for value in (self.gain.low, self.gain.value, self.gain.high))
        by = f"{change}{measure.unit_of_change} (95 % interval {low} to {high})"
        start = {
            "more": "More data is worth it: at this slope",
            "no gain shown": "That more data helps could not be shown: at this slope",
            "less": "More data made it worse: at this slope",
        }[self.outcome]
        return f"{start} twice as many rows would change {measure.name} by {by}."

    @property
    def subject(self) -> str:
        """The measure, and how many rows were trained on."""
        folds = len(self.scores)
        rows = f"{self.rows[0]:,.0f} to {self.rows[-1]:,.0f} training {self.noun}"
        return f"{self.ranked_by.name} from {rows}, in {folds} {'fold' if folds == 1 else 'folds'}"

    @property
    def sentence(self) -> str:
        """`text`."""
        return self.text

    def table(self) -> list[dict[str, Any]]:
        """A row per size, smallest first: numbers, not text."""
        spreads = [mean_and_spread(column) for column in self.scores.T.tolist()]
        return [
            {"share": size, "rows": rows, "mean": mean, "spread": spread}
            for size, rows, (mean, spread) in zip(self.sizes, self.rows, spreads, strict=True)
        ]

    def cells(self) -> list[list[str]]:
        """A row per size, smallest first."""
        rows = [["training rows", self.ranked_by.name, "± between folds"]]
        for row in self.table():
            rows.append([f"{row['rows']:,.0f}", format_number(row["mean"]), format_number(row["spread"])])
        return rows

    def summary(self) -> str:
        """The curve as plain text."""
        return "\n".join([*text_table(self.cells()), "", self.text, *(f"Note: {text}" for text in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; NaN becomes None."""
        return plain({**vars(self), "gain": self.gain.to_dict(), "outcome": self.outcome, "text": self.text})


def learning_curve(
    task: Any,
    data: Any,
    y: Any = None,
    *,
    sizes: Sequence[float] = SIZES,
    folds: int = 5,
    groups: Any = None,
    order: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    jobs: int = 1,
    measure: str | None = None,
    progress: Any = None,
) -> LearningCurve:
    """The score of a task as its training part grows, on the same test folds.

    The parts of a fold are nested: rows at random with every class from the first on, whole groups one after the
    other, or, with `order`, the most recent rows. Each fit learns its codecs anew.

    Parameters
    ----------
    task, data, y, folds, groups, order, sample_weight, seed, jobs, measure, progress : as for `cross_validate`
    sizes : shares of each fold's training part, above 0 and up to 1, at least two of them

    Raises
    ------
    ValueError
        For such sizes, and as `cross_validate`.

    Example
    -------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> curve = learning_curve(GaussianNB(), x, x.sum(1) > 0, sizes=(0.1, 0.5, 1.0), folds=4)
    >>> [round(rows) for rows in curve.rows], curve.scores.shape
    ([15, 75, 150], (4, 3))
    """
    from sklearn.base import clone

    shares = sorted({float(size) for size in sizes})
    if len(shares) < 2 or not all(0 < size <= 1 for size in shares):
        raise ValueError(f"expected at least two different sizes, each above 0 and up to 1, got {list(sizes)!r}")
    X, y, groups, order, weights = read_source(task, data, y, groups, order, sample_weight)
    X, kind = read_rows(task, X, y)
    by = check_measure(kind, measure)
    found = make_folds(len(X), folds, labels=kind.strata, groups=groups, order=order, blocks=kind.blocks, seed=seed)

    def run(number: int) -> tuple[list[int], list[float]]:
        train, test = found.splits[number]
        ordered = _nested(train, kind, groups, order, seed + number)
        counts, scores = [], []
        for share in shares:
            rows = np.sort(ordered[: max(1, round(share * len(train)))])
            where = f"fold {number + 1} of {len(found)}, {len(rows):,} training rows"
            if progress is not None:
                progress(where)
            model = clone(task)
            try:
                fit_rows(model, X, y, kind, groups, rows, weights)
            except ValueError as error:
                raise ValueError(f"{where}: {error}: take larger sizes") from error
            sums = kind.sums(test, kind.answers_to(test, model, take(X, test)))
            counts.append(len(rows))
            scores.append(score_of(kind, kind.statistics(sums.sum(0)), by, type(task).__name__))
        return counts, scores

    runs = each_fold(run, len(found), jobs, wanted(task, progress))
    counts, scores = (np.array(part, float) for part in zip(*runs, strict=True))
    last = slice(-LAST, None)
    slopes = [np.polyfit(np.log2(c[last]), s[last], 1)[0] for c, s in zip(counts, scores, strict=True)]
    # A flat curve has a slope of rounding errors, all of one sign.
    gain = corrected_t(np.round(slopes, 12), [len(test) / len(train) for train, test in found.splits])
    return LearningCurve(kind.name, by.key, kind.noun, shares, counts.mean(0).tolist(), scores, gain, list(found.notes))


def _nested(train: Ids, kind: Kind, groups: Any, order: Any, seed: int) -> Ids:
    """Training rows in the order in which they are added."""
    generator = np.random.default_rng(seed)
    if order is not None:
        times = np.unique(take_column(order, len(order), "time"), return_inverse=True)[1]
        return train[np.argsort(-times[train], kind="stable")]
    mixed = generator.permutation(train)
    if groups is not None:
        owner = np.unique(take_column(groups, len(groups), "group"), return_inverse=True)[1]
        place = generator.permutation(int(owner.max()) + 1)
        return mixed[np.argsort(place[owner[mixed]], kind="stable")]
    if kind.strata is None:
        return mixed
    # Each class's rows spread evenly over the order, its first row at the very start.
    label = np.unique(kind.strata, return_inverse=True)[1][mixed]
    place_in_class = np.empty(len(mixed))
    for k in np.unique(label):
        own = label == k
        place_in_class[own] = np.arange(own.sum()) / own.sum()
    return mixed[np.argsort(place_in_class, kind="stable")]
