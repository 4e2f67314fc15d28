"""Fitting of linear probes on some rows, and what they get right on others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.insight.states import States
from memorycell.kernels.quiet import quiet

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # of which C is chosen
_ITERATIONS = 1000
_BLOCK = 16384  # held-out steps that are read at once

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Linear:
    """Scores ``x @ weights.T + bias`` (N, K), and which class each of the K stands for; None: K is 1, a number."""

    weights: Numbers
    bias: Numbers
    codes: Codes | None

    def predict(self, x: NDArray[np.float32] | Numbers) -> NDArray[np.float64] | Codes:
        """(N,): classes or numbers."""
        scores = x @ self.weights.T + self.bias
        return scores[:, 0] if self.codes is None else self.codes[scores.argmax(1)]


@dataclass(frozen=True, eq=False)
class Outcome:
    """A probe that was fitted and measured.

    `table` has a row for each held-out row of the data, in sums that can be added over rows: steps and, for classes,
    those that the probe and the baseline have right; for numbers, distance from the training mean, its square, and the
    probe's squared error.
    """

    linear: Linear
    strength: float
    converged: bool
    table: Numbers


@dataclass(frozen=True, eq=False)
class Split:
    """The labelled steps, and which of them are for training.

    Attributes
    ----------
    states : States
    index : int64 (n,)
        The labelled steps.
    train : bool (n,)
        By row.
    fitted : int64 (m,)
        Those of the n that probes are fitted on: those for training, or a sample of them.
    judged : bool (m,)
        By row: those that choose the strength.
    classes : bool
        Whether labels are classes, as codes, or numbers.
    """

    states: States
    index: Codes
    train: NDArray[np.bool_]
    fitted: Codes
    judged: NDArray[np.bool_]
    classes: bool

    @classmethod
    def of(
        cls, states: States, index: Codes, classes: bool, test_share: float, limit: int, rng: np.random.Generator
    ) -> Split:
        """Rows at random to training and test, at least one to each, and a quarter of training to the choice of C."""
        rows = states.row[index]
        present = rng.permutation(np.unique(rows))
        held_out = min(max(1, round(test_share * len(present))), len(present) - 1)
        train = ~np.isin(rows, present[:held_out])
        fitted = np.flatnonzero(train)
        if len(fitted) > limit:
            fitted = np.sort(rng.choice(fitted, limit, replace=False))
        learned = present[held_out:]
        learned = learned[np.isin(learned, rows[fitted])]  # a sample need not have all
        judges = learned[: len(learned) // 4]
        return cls(states, index, train, fitted, np.isin(rows[fitted], judges), classes)

    @cached_property
    def rows(self) -> tuple[int, int]:
        """Rows for training and held out."""
        rows = self.states.row[self.index]
        return len(np.unique(rows[self.train])), len(np.unique(rows[~self.train]))

    @cached_property
    def standardised(self) -> tuple[Numbers, Numbers, Numbers]:
        """The units of the steps fitted on, with mean 0 and deviation 1 (m, H); mean and deviation (H,)."""
        values = self.states.values[self.index[self.fitted]].astype(np.float64)
        mean, deviation = values.mean(0), values.std(0)
        deviation[deviation < 1e-12] = 1.0  # a unit that never moves
        return (values - mean) / deviation, mean, deviation

    def measure(self, labels: NDArray[np.float64] | Codes, strength: float | None) -> Outcome:
        """Fit a probe to labels (n,), choose its strength where none is given, and count what it gets right."""
        x, mean, deviation = self.standardised
        y = labels[self.fitted]
        chosen = self._strength(x, y) if strength is None else strength
        fitted, converged = _fit(x, y, chosen, self.classes)
        weights = fitted.weights / deviation
        linear = Linear(weights, fitted.bias - weights @ mean, fitted.codes)
        found = [linear.predict(self.states.values[self.index[part]]) for part in _parts(np.flatnonzero(~self.train))]
        return Outcome(linear, chosen, converged, self._table(np.concatenate(found), labels))

    def by_token(self, types: Codes, labels: NDArray[np.float64] | Codes) -> Numbers:
        """The table of `Outcome` for who knows nothing but the token: its most frequent class, or mean, in training."""
        known, held_out = labels[self.train], types[~self.train]
        count = int(types.max()) + 1
        tokens = types[self.train]
        if self.classes:
            classes = known.astype(np.int64)
            size = int(classes.max()) + 1
            pairs, often = np.unique(tokens * size + classes, return_counts=True)
            order = np.argsort(often, kind="stable")  # of the writes to one place the last one stays
            best = np.full(count, np.bincount(classes).argmax())
            best[pairs[order] // size] = pairs[order] % size
            return self._table(best[held_out], labels)
        seen = np.bincount(tokens, minlength=count)
        sums = np.bincount(tokens, weights=known, minlength=count)
        means = np.full(count, known.mean())
        np.divide(sums, seen, out=means, where=seen > 0)
        return self._table(means[held_out], labels)

    def _strength(self, x: Numbers, y: NDArray[np.float64] | Codes) -> float:
        """The C whose probe does best on the training rows set aside, fitted on the others; of equals the smallest."""
        if not self.judged.any():
            return STRENGTHS[len(STRENGTHS) // 2]
        others, judges = ~self.judged, self.judged

        def loss(strength: float) -> float:
            found = _fit(x[others], y[others], strength, self.classes)[0].predict(x[judges])
            wrong = found != y[judges] if self.classes else (found - y[judges]) ** 2
            return float(np.mean(wrong))

        return min(STRENGTHS, key=loss)

    def _table(self, found: NDArray[Any], labels: NDArray[np.float64] | Codes) -> Numbers:
        """The table of `Outcome` for what was found for the held-out steps."""
        test = np.flatnonzero(~self.train)
        rows = np.unique(self.states.row[self.index[test]], return_inverse=True)[1]
        truth, known = labels[test], labels[self.train]
        if self.classes:
            usual = np.bincount(known.astype(np.int64)).argmax()
            columns = [np.ones(len(test)), found == truth, truth == usual]
        else:
            distance = truth - known.mean()
            columns = [np.ones(len(test)), distance, distance**2, (found - truth) ** 2]
        return np.stack([np.bincount(rows, weights=column) for column in columns], 1)

    def score(self, sums: Numbers) -> tuple[Numbers, Numbers]:
        """Accuracy or R² of the probe and of the baseline, from sums over rows of the table (…, columns).

        R² is 0 where there is nothing to explain.
        """
        count = sums[..., 0]
        if self.classes:
            return sums[..., 1] / count, sums[..., 2] / count
        spread = sums[..., 2] - sums[..., 1] ** 2 / count
        varies = spread > 1e-12 * sums[..., 2]
        left = [np.divide(sums[..., i], spread, out=np.ones_like(spread), where=varies) for i in (3, 2)]
        return 1 - left[0], 1 - left[1]


def _parts(steps: Codes) -> Iterator[Codes]:
    for start in range(0, len(steps), _BLOCK):
        yield steps[start : start + _BLOCK]


def _fit(x: Numbers, y: NDArray[np.float64] | Codes, strength: float, classes: bool) -> tuple[Linear, bool]:
    """A probe on standardised units, and whether it converged."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    if not classes:
        ridge = Ridge(alpha=1 / strength).fit(x, y)
        return Linear(ridge.coef_[None].astype(np.float64), np.array([ridge.intercept_]), None), True
    seen = np.unique(y).astype(np.int64)
    if len(seen) == 1:
        return Linear(np.zeros((1, x.shape[1])), np.zeros(1), seen), True
    model = LogisticRegression(C=strength, max_iter=_ITERATIONS)
    with quiet(ConvergenceWarning):
        model.fit(x, y)
    weights, bias = model.coef_, model.intercept_
    if len(seen) == 2:
        weights, bias = np.concatenate([np.zeros_like(weights), weights]), np.array([0.0, bias[0]])
    return Linear(weights, bias, seen), bool(model.n_iter_.max() < _ITERATIONS)
