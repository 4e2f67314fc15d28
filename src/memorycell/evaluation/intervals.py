"""How sure is a score? Intervals that allow for folds that share their training rows, and for rows that belong
together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memorycell.evaluation.measures import Measure
from memorycell.evaluation.significance import ALPHA, holm
from memorycell.evaluation.tables import plain

Floats = NDArray[np.float64]
Statistics = Callable[[Floats], dict[str, Floats]]
RESAMPLES = 2000
MIN_UNITS = 20  # rows or groups: with 10 groups a nominal 5 % comparison was seen to reject 10 %, with 20 from 4 to 7 %
MIN_FOLDS = 3
METHODS = ("auto", "bootstrap", "folds")


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it; `method` says how it was found. NaN where nothing can be said."""

    value: float
    low: float
    high: float
    p_value: float  # two-sided, of a value of zero: for differences
    n: int  # what was resampled, or the folds
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; NaN becomes None."""
        return plain(asdict(self))


@dataclass(frozen=True)
class Comparison:
    """A model beside one baseline on the same rows.

    `outcome` is "better", "worse", "no difference" or "too few"; `difference` is the model's measure less the
    baseline's, with its interval.
    """

    baseline: str
    measure: str
    outcome: str
    difference: float
    low: float
    high: float
    p_value: float
    p_adjusted: float
    n: int
    test: str
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; NaN becomes None."""
        return plain(asdict(self))


def corrected_t(scores: ArrayLike, test_share: float | ArrayLike, level: float = 0.95) -> Interval:
    """Corrected resampled t interval of the mean over folds (Nadeau & Bengio 2003).

    Folds share training rows, so their scores are not independent: their variance is multiplied by
    1/J + n_test/n_train in place of 1/J, over J folds, and Student's t has J − 1 degrees of freedom.

    Parameters
    ----------
    scores : (J,) a score, or a difference of two models' scores, per fold; NaN are left out
    test_share : float or (J,)
        Test rows over training rows (0.25 with five folds).

    Example
    -------
    >>> found = corrected_t([0.80, 0.84, 0.82, 0.79, 0.85], 0.25)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.82, 0.773, 0.867)
    """
    from scipy import stats

    x = np.asarray(scores, float)
    share = np.broadcast_to(np.asarray(test_share, float), x.shape)[np.isfinite(x)]
    x = x[np.isfinite(x)]
    n, method = len(x), "corrected resampled t over folds"
    mean = float(x.mean()) if n else math.nan
    if n < 2:
        return Interval(mean, math.nan, math.nan, math.nan, n, method)
    error = math.sqrt((1 / n + float(share.mean())) * float(x.var(ddof=1)))
    reach = float(stats.t.ppf(0.5 + level / 2, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1)) if error > 0 else float(mean == 0)
    return Interval(mean, mean - reach, mean + reach, p, n, method)


def resampled_sums(sums: Floats, groups: ArrayLike | None = None, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """(R, S): the sums over rows of R bootstrap draws of the rows (n, S), or of whole groups of rows.

    Groups (speakers, users, subjects) are drawn with replacement, each with all its rows (Davison & Hinkley
    1997, section 3.8). The same seed, rows and groups give the same draws, so that models can be compared in
    pairs.

    Example
    -------
    >>> resampled_sums(np.ones((30, 1)), resamples=2).tolist()
    [[30.0], [30.0]]
    """
    totals = np.asarray(sums, np.float64)
    if groups is not None:
        _, owner = np.unique(np.asarray(groups), return_inverse=True)
        grouped = np.zeros((int(owner.max()) + 1, totals.shape[1]))
        np.add.at(grouped, owner, totals)
        totals = grouped
    n = len(totals)
    generator = np.random.default_rng(seed)
    drawn = np.empty((resamples, totals.shape[1]))
    chunk = max(1, min(resamples, 4_000_000 // max(n, 1)))
    for start in range(0, resamples, chunk):
        some = min(chunk, resamples - start)
        times = np.stack([np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(some)])
        drawn[start : start + some] = times.astype(np.float64) @ totals
    return drawn


def percentiles(value: float, drawn: Floats, n: int, method: str, level: float = 0.95) -> Interval:
    """The percentile interval of bootstrap draws, and twice the smaller share of them on one side of zero."""
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return Interval(value, math.nan, math.nan, math.nan, n, method)
    low, high = np.quantile(known, [0.5 - level / 2, 0.5 + level / 2])
    below, above = (known <= 0).sum() + 1, (known >= 0).sum() + 1
    p = min(1.0, 2 * min(below, above) / (len(known) + 1))
    return Interval(value, float(low), float(high), float(p), n, method)


@dataclass(frozen=True)
class Rows:
    """The test rows that intervals and comparisons rest on.

    Attributes
    ----------
    fold : int64 (n,), the fold of each row
    test_share : (J,) test rows over training rows of each fold
    groups : (n,) or None
    noun : what a row is called: "rows", "sequences", "texts"
    method : "auto", "bootstrap" or "folds"
    """

    fold: NDArray[np.int64]
    test_share: Floats
    groups: NDArray[Any] | None = None
    noun: str = "rows"
    method: str = "auto"

    @property
    def units(self) -> int:
        """What a bootstrap draws: groups where there are any, else rows."""
        return len(self.fold) if self.groups is None else len(np.unique(self.groups))

    @property
    def enough(self) -> bool:
        """Whether the units can carry a bootstrap: 20 rows, or 20 groups."""
        return self.units >= MIN_UNITS

    @property
    def by_folds(self) -> bool:
        """Whether intervals come from the folds' scores instead of a bootstrap of pooled rows."""
        return self.method == "folds" or (
            self.method == "auto" and not self.enough and self.groups is not None and len(self.test_share) >= MIN_FOLDS
        )

    @property
    def said(self) -> str:
        """How the intervals were found, in words."""
        if self.by_folds:
            return f"corrected resampled t over {len(self.test_share)} folds (Nadeau & Bengio 2003)"
        what = self.noun if self.groups is None else "groups"
        return f"bootstrap of {self.units:,} pooled test {what}"


def assess(
    models: Mapping[str, Floats], statistics: Statistics, measure: Measure, rows: Rows, level: float = 0.95
) -> tuple[dict[str, dict[str, Interval]], list[Comparison]]:
    """An interval for each measure of each model, and the first model beside each of the others.

    Intervals are those of a percentile bootstrap of the pooled test rows, by group where there are groups; with
    fewer than 20 groups and at least three folds, or where asked for, those of the mean over folds
    (`corrected_t`). Models are compared by the paired difference of one measure, the p-values Holm-adjusted over
    the baselines. Below 20 rows or groups (3 folds where folds are what is compared) nothing can be told.

    Parameters
    ----------
    models : name → (n, S) sums of each test row; the one to be judged first
    statistics : from sums to measures
    measure : the one that models are compared by
    """
    scores = {name: _per_fold(sums, statistics, rows) for name, sums in models.items()}
    whole = {name: statistics(sums.sum(0)) for name, sums in models.items()}
    draws: dict[str, dict[str, Floats]] = {}
    if rows.enough and not rows.by_folds:
        widths = np.cumsum([sums.shape[1] for sums in models.values()])[:-1]
        parts = np.split(resampled_sums(np.hstack(list(models.values())), rows.groups), widths, axis=1)
        draws = {name: statistics(part) for name, part in zip(models, parts, strict=True)}

    def around(value: Any, drawn: Floats | None) -> Interval:
        if rows.by_folds:
            return corrected_t(value, rows.test_share, level)
        if drawn is None:
            return Interval(float(value), math.nan, math.nan, math.nan, rows.units, "none")
        return percentiles(float(value), drawn, rows.units, rows.said, level)

    source: dict[str, dict[str, Floats]] = scores if rows.by_folds else whole
    found = {
        name: {key: around(value, draws[name][key] if draws else None) for key, value in source[name].items()}
        for name in models
    }
    first, *others = models
    pairs = [
        around(
            source[first][measure.key] - source[other][measure.key],
            draws[first][measure.key] - draws[other][measure.key] if draws else None,
        )
        for other in others
    ]
    if rows.by_folds and len(rows.test_share) < MIN_FOLDS:
        pairs = [Interval(pair.value, math.nan, math.nan, math.nan, pair.n, "none") for pair in pairs]
    adjusted = holm([pair.p_value for pair in pairs])
    return found, [
        _compared(name, measure, pair, float(np.mean(source[name][measure.key])), float(p), rows, level)
        for name, pair, p in zip(others, pairs, adjusted, strict=True)
    ]


def _per_fold(sums: Floats, statistics: Statistics, rows: Rows) -> dict[str, Floats]:
    parts = [statistics(sums[rows.fold == fold].sum(0)) for fold in range(len(rows.test_share))]
    return {name: np.array([float(part.get(name, math.nan)) for part in parts]) for name in parts[0]}


def _compared(
    name: str, measure: Measure, found: Interval, theirs: float, p: float, rows: Rows, level: float
) -> Comparison:
    """The outcome and its sentence."""
    what = "folds" if rows.by_folds else (rows.noun if rows.groups is None else "groups")
    called = measure.name
    if not math.isfinite(p):
        needed = MIN_FOLDS if rows.by_folds else MIN_UNITS
        outcome, text = "too few", f"{name}: too few {what} to tell ({found.n}; this needs {needed})"
    else:
        size, band = _sizes(measure, found, theirs, level)
        kind = "corrected resampled t over folds" if rows.by_folds else f"paired bootstrap over {what}"
        said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        rest = f"({band}; {kind}, Holm-adjusted {said})"
        if p < ALPHA and measure.improves(found.value):
            outcome, text = "better", f"better than {name} by {size} in {called} {rest}"
        elif p < ALPHA and measure.improves(-found.value):
            outcome, text = "worse", f"{name} is better by {size} in {called} {rest}"
        else:
            turn = "higher" if found.value > 0 else "lower"
            seen = f"{called} {size} {turn}" if found.value else f"{called} the same"
            outcome = "no difference"
            text = f"no difference from {name} that {found.n:,} {what} could show ({seen}, Holm-adjusted {said})"
    test = "none" if not math.isfinite(p) else found.method
    return Comparison(
        name, measure.key, outcome, found.value, found.low, found.high, found.p_value, p, found.n, test, text
    )


def _sizes(measure: Measure, found: Interval, theirs: float, level: float) -> tuple[str, str]:
    """How large a difference is and its interval: points of what is shown in %, per cent of an error."""
    scale, digits, unit = 1.0, 3, ""
    if measure.in_percent:
        scale, digits, unit = 100.0, 1, measure.unit_of_change
    elif measure.better == "less" and theirs:
        scale, digits, unit = 100 / max(theirs, theirs + found.value), 1, " %"  # of the larger of two errors
    ends = sorted(math.copysign(scale, found.value) * value for value in (found.low, found.high))
    low, high = (f"{end:.{digits}f}".replace("-", "−") for end in ends)  # in the direction that is spoken of
    band = f"{level:.0%} interval {low} to {high}".replace("%", " %")
    return f"{abs(scale * found.value):.{digits}f}{unit}", band


def mean_and_spread(scores: Sequence[float]) -> tuple[float, float]:
    """The mean over folds and their standard deviation (n − 1); NaN are left out.

    Example
    -------
    >>> mean_and_spread([0.5, 0.7])
    (0.6, 0.14142135623730948)
    """
    known = np.array([score for score in scores if math.isfinite(score)])
    if not len(known):
        return math.nan, math.nan
    return float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else math.nan
