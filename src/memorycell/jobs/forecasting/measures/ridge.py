"""Ridge regression from the same window as the network to all steps of the horizon at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.tables.encoded import EncodedTable, gather_actual
from memorycell.jobs.forecasting.measures.baselines import Baseline, NotApplicable, series_of
from memorycell.jobs.forecasting.measures.metrics import Array
from memorycell.training.threads import blas_threads

_ALPHAS = 10.0 ** np.arange(-6, 1)  # times the mean diagonal of the Gram matrix
_HOLDOUT = 0.2  # latest share of the training windows, on which penalty and inputs are chosen
_MOST_INPUTS = 2_000
_MOST_KNOWN = 512
_MOST_CODES = 32
_MOST_WORK = 4e11  # rows × inputs², beyond which windows are thinned out evenly
_SINGLE = 2e10  # work from which float32 is used
_MOST_HELD_OUT = 5_000
_CHUNK = 8_000_000  # numbers of a design matrix held at once
_LEAST_WINDOWS = 10


@dataclass(frozen=True)
class _Design:
    """Which inputs: every column's window, or each target's own with weights shared; levels taken off or
    not."""

    shared: bool
    level: bool

    def text(self, targets: int) -> str:
        """The inputs in words."""
        own = "the target's own window" if targets == 1 else "each target's own window, weights shared"
        return (own if self.shared else "the window of all columns") + (", last value taken off" if self.level else "")


@dataclass
class _Sums:
    """Accumulated Σ x xᵀ, Σ x yᵀ, Σ x, Σ y, n: all that a ridge regression needs of its rows."""

    gram: Array
    cross: Array
    x: Array
    y: Array
    n: int = 0

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.gram + other.gram,
            self.cross + other.cross,
            self.x + other.x,
            self.y + other.y,
            self.n + other.n,
        )

    def solve(self, alpha: float) -> tuple[Array, Array]:
        """Weights (inputs, outputs) and intercept (outputs,), the intercept unpenalised."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        x, y = self.x / self.n, self.y / self.n
        gram = self.gram - self.n * np.outer(x, x)
        penalty = alpha * max(float(np.trace(gram)) / len(x), np.finfo(float).tiny * 1e20)
        diagonal = np.diag_indices_from(gram)
        gram[diagonal] += penalty
        right = self.cross - self.n * np.outer(x, y)
        # Inputs that repeat one another leave a matrix that rounding (of float32 sums above all) makes indefinite:
        # the smallest addition to the diagonal that mends it.
        for jitter in (1e-9, 1e-7, 1e-5, 1e-3):
            gram[diagonal] += jitter * np.abs(gram[diagonal]).max()
            try:
                weights = cho_solve(cho_factor(gram), right)
            except LinAlgError:
                continue
            return weights, y - x @ weights
        raise NotApplicable("its inputs repeat one another so closely that the regression has no solution")


class Ridge(Baseline):
    """Ridge regression (Hoerl & Kennard 1970), direct multi-output, on the window the network sees.

    Inputs are the window of all past columns (or, `shared`, of each target alone, with one set of weights
    for all targets), what is known over the horizon, and the categories at the origin. Penalty, inputs, and
    whether the last value of each target is taken off its window and put back (the normalisation a network
    may use) are chosen on the latest fifth of the training windows, no target of which was trained on; then
    all training windows are used. Quantiles come from the errors on that fifth.

    Example
    -------
    >>> from memorycell.data.tables.table_codec import TableCodec
    >>> table = {"y": np.sin(np.arange(60.0))}
    >>> encoded = TableCodec("y").fit(table).encode(table)
    >>> baseline = Ridge().fit(encoded, np.array([50]), window=4, horizon=2)
    >>> forecasts = baseline.forecast_at(encoded, np.array([49, 50]))
    >>> bool(np.abs(forecasts.point - forecasts.actual).max() < 0.01)
    True
    """

    name = "ridge"

    def _learn(self, encoded: EncodedTable, train_stop: NDArray[np.int64]) -> None:
        import scipy.linalg  # noqa: F401 # before its threads are counted

        early, between, late = self._split(encoded, train_stop)
        designs = self._designs(encoded)
        inputs = max(self._width(encoded, design) for design in designs)
        with blas_threads(inputs**2 * max(inputs, len(early) * len(encoded.target_names))):
            self._choose(encoded, designs, early, between, late)

    def _choose(self, encoded: EncodedTable, designs: list[_Design], *origins: NDArray[np.int64]) -> None:
        """Design and penalty with the least error on the latest origins, then fitted on all."""
        early, between, late = origins
        held_out = late[:: max(1, len(late) // _MOST_HELD_OUT)]
        best, least = None, np.inf
        for design in designs:
            work = self._rows(encoded, early, design) * self._width(encoded, design) ** 2
            every = max(1, int(np.ceil(work / _MOST_WORK)))
            sums = self._accumulate(encoded, early[::every], design)
            if sums.n < 2:
                continue
            fits = [sums.solve(alpha) for alpha in _ALPHAS]
            errors = self._held_out_errors(encoded, held_out, design, fits)
            chosen = int(np.argmin(errors))
            if errors[chosen] < least:
                least, best = errors[chosen], (design, every, float(_ALPHAS[chosen]), fits[chosen], sums)
        if best is None:
            raise NotApplicable("no training window is without missing values")
        self.design_, every, self.alpha_, self._early_fit, sums = best
        self._held_out = held_out
        sums = sums + self._accumulate(encoded, np.concatenate([between, late])[::every], self.design_)
        self.weights_, self.intercept_ = sums.solve(self.alpha_)
        inputs = self.design_.text(len(encoded.target_names))
        self.notes.append(f"inputs: {inputs} ({len(self.weights_)} numbers); penalty {self.alpha_:g} (relative)")
        if every > 1:
            self.notes.append(f"one training window in {every} used")

    def _designs(self, encoded: EncodedTable) -> list[_Design]:
        plain = encoded.past.shape[1] == 1 and not encoded.codes.shape[1] and len(encoded.target_names) == 1
        designs = [_Design(True, level) for level in (True, False)]
        if plain:
            return designs
        inputs = self._width(encoded, _Design(False, False))
        if inputs > _MOST_INPUTS:
            self.notes.append(f"the whole window left out: {inputs:,} inputs are more than {_MOST_INPUTS:,}")
            return designs
        return designs + [_Design(False, level) for level in (True, False)]

    def _split(self, encoded: EncodedTable, train_stop: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Origins to fit on, those whose targets reach into the held-out part, and the held-out ones."""
        parts: list[list[NDArray[np.int64]]] = [[], [], []]
        for start, stop in zip(encoded.offsets[:-1], train_stop, strict=True):
            first, last = start + self.window - 1, stop - self.horizon  # origins first … last − 1
            cut = last - int(_HOLDOUT * max(0, last - first))
            for part, low, high in zip(
                parts,
                (first, max(first, cut - self.horizon + 1), cut),
                (cut - self.horizon + 1, cut, last),
                strict=True,
            ):
                part.append(np.arange(low, max(low, high), dtype=np.int64))
        early, between, late = (np.concatenate(part) for part in parts)
        if len(early) < _LEAST_WINDOWS or not len(late):
            raise NotApplicable(f"fewer than {_LEAST_WINDOWS} training windows after holding a fifth out")
        return [early, between, late]

    def _rows(self, encoded: EncodedTable, origins: NDArray[np.int64], design: _Design) -> int:
        return len(origins) * (len(encoded.target_names) if design.shared else 1)

    def _width(self, encoded: EncodedTable, design: _Design) -> int:
        past = 1 if design.shared else encoded.past.shape[1]
        return self.window * past + self._beside(encoded, encoded.offsets[:1] + self.window - 1).shape[1]

    def _beside(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> Array:
        """(n, …) what stands beside the window: known values over the horizon, static values, categories."""
        parts = [encoded.static[torch.from_numpy(series_of(encoded, origins))].double().numpy()]
        if encoded.known.shape[1]:
            count = max(1, min(self.horizon, _MOST_KNOWN // encoded.known.shape[1]))
            steps = np.unique(np.linspace(1, self.horizon, count).round().astype(np.int64))
            rows = np.minimum(origins[:, None] + steps, len(encoded.known) - 1)
            parts.append(encoded.known[torch.from_numpy(rows)].double().flatten(1).numpy())
        if 0 < sum(encoded.code_sizes) <= _MOST_CODES:
            codes = encoded.codes[torch.from_numpy(origins)].numpy()
            parts += [np.eye(size)[codes[:, c]][:, 1:] for c, size in enumerate(encoded.code_sizes)]
        return np.concatenate(parts, 1)

    def _inputs(self, encoded: EncodedTable, origins: NDArray[np.int64], design: _Design) -> tuple[Array, Array]:
        """Inputs (n, inputs) and what is to be put back on the targets (n, K); shared: rows are (origin,
        target)."""
        targets = len(encoded.target_names)
        rows = torch.from_numpy(origins[:, None] + np.arange(1 - self.window, 1))
        window = encoded.past[rows].double().numpy()  # (n, W, F)
        level = window[:, -1, :targets] if design.level else np.zeros((len(origins), targets))
        beside = self._beside(encoded, origins)
        if design.shared:
            own = np.moveaxis(window[:, :, :targets] - level[:, None], 2, 1)  # (n, K, W)
            beside = np.broadcast_to(beside[:, None], (*own.shape[:2], beside.shape[1]))
            return np.concatenate([own, beside], 2).reshape(len(origins) * targets, -1), level
        if design.level:
            window[:, :-1, :targets] -= level[:, None]  # the last step keeps its level: it may be of use
        return np.concatenate([window.reshape(len(origins), -1), beside], 1), level

    def _outputs(self, encoded: EncodedTable, origins: NDArray[np.int64], level: Array, design: _Design) -> Array:
        """Scaled targets (n, H·K), or (n·K, H) when shared; NaN where missing."""
        rows = torch.from_numpy(origins[:, None] + np.arange(1, self.horizon + 1))
        y = encoded.target[rows].double().numpy() - level[:, None]
        return np.moveaxis(y, 2, 1).reshape(-1, self.horizon) if design.shared else y.reshape(len(y), -1)

    def _chunks(self, encoded: EncodedTable, origins: NDArray[np.int64], design: _Design) -> Iterator[NDArray]:
        width = max(self._width(encoded, design), self.window * encoded.past.shape[1])
        rows = max(1, _CHUNK // (width * (len(encoded.target_names) if design.shared else 1)))
        for begin in range(0, len(origins), rows):
            yield origins[begin : begin + rows]

    def _accumulate(self, encoded: EncodedTable, origins: NDArray[np.int64], design: _Design) -> _Sums:
        inputs = self._width(encoded, design)
        outputs = self.horizon * (1 if design.shared else len(encoded.target_names))
        gram, cross = np.zeros((inputs, inputs)), np.zeros((inputs, outputs))
        sums = _Sums(gram, cross, np.zeros(inputs), np.zeros(outputs))
        # products in float32 where float64 would take seconds; sums in float64 all the same
        precision = np.float32 if self._rows(encoded, origins, design) * inputs**2 > _SINGLE else np.float64
        for part in self._chunks(encoded, origins, design):
            x, level = self._inputs(encoded, part, design)
            y = self._outputs(encoded, part, level, design)
            whole = np.isfinite(y).all(1)
            x, y = x[whole], y[whole]
            x, y = x.astype(precision), y.astype(precision)
            sums.gram += x.T @ x
            sums.cross += x.T @ y
            sums.x += x.sum(0, dtype=np.float64)
            sums.y += y.sum(0, dtype=np.float64)
            sums.n += len(x)
        return sums

    def _held_out_errors(
        self,
        encoded: EncodedTable,
        origins: NDArray[np.int64],
        design: _Design,
        fits: list[tuple[Array, Array]],
    ) -> list[float]:
        """Mean squared error, scaled, of each fit on the held-out origins."""
        total, count = np.zeros(len(fits)), 0
        for part in self._chunks(encoded, origins, design):
            x, level = self._inputs(encoded, part, design)
            y = self._outputs(encoded, part, level, design)
            known = np.isfinite(y)
            count += int(known.sum())
            for i, (weights, intercept) in enumerate(fits):
                total[i] += np.square((y - (x @ weights + intercept))[known]).sum()
        return (total / count).tolist() if count else [np.inf] * len(fits)

    def _predict(self, encoded: EncodedTable, origins: NDArray[np.int64], weights: Array, intercept: Array) -> Array:
        """(n, H, K) in units."""
        targets = len(encoded.target_names)
        point = np.empty((len(origins), self.horizon, targets))
        begin = 0
        for part in self._chunks(encoded, origins, self.design_):
            x, level = self._inputs(encoded, part, self.design_)
            y = x @ weights + intercept
            if self.design_.shared:
                y = np.moveaxis(y.reshape(len(part), targets, self.horizon), 1, 2)
            point[begin : begin + len(part)] = y.reshape(len(part), self.horizon, targets) + level[:, None]
            begin += len(part)
        series = series_of(encoded, origins)
        return point * encoded.scale[series][:, None] + encoded.center[series][:, None]

    def _point(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> Array:
        first = encoded.offsets[:-1][series_of(encoded, origins)]
        if (origins - first < self.window - 1).any():
            raise ValueError(f"expected {self.window} rows up to each origin: ridge was fitted with that window")
        return self._predict(encoded, origins, self.weights_, self.intercept_)

    def _residuals(self, encoded: EncodedTable, train_stop: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
        """Errors on the held-out part of the training windows, of the weights that had not seen it."""
        point = self._predict(encoded, self._held_out, *self._early_fit)
        errors = gather_actual(encoded, self._held_out, self.horizon) - point
        return errors, series_of(encoded, self._held_out)
