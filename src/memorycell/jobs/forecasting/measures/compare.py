"""RNN, LSTM and GRU side by side: the same table, folds and settings; only the cell and the seed change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memorycell.data.bars import Bar
from memorycell.evaluation.parts import wanted
from memorycell.evaluation.result import Result
from memorycell.evaluation.significance import ALPHA, holm
from memorycell.evaluation.tables import format_number, plain, text_table
from memorycell.jobs.forecasting.measures.backtest import Progress, backtest
from memorycell.jobs.forecasting.measures.metrics import Array
from memorycell.jobs.forecasting.measures.result import Evaluation


@dataclass(frozen=True)
class CellResult:
    """One cell over all seeds and folds.

    Attributes
    ----------
    errors : float64 (seeds, folds)
    seconds : of one fit, the mean
    parameters : int or None
    """

    cell: str
    errors: Array
    seconds: float
    parameters: int | None

    @property
    def error(self) -> float:
        """Mean over seeds and folds."""
        return float(self.errors.mean())

    @property
    def seed_spread(self) -> float:
        """Standard deviation over seeds of the mean over folds; NaN with one seed."""
        return float(self.errors.mean(1).std(ddof=1)) if len(self.errors) > 1 else math.nan

    @property
    def fold_spread(self) -> float:
        """Standard deviation over folds of the mean over seeds; NaN with one fold."""
        return float(self.errors.mean(0).std(ddof=1)) if self.errors.shape[1] > 1 else math.nan


@dataclass(repr=False, eq=False)
class Comparison(Result):
    """Cells on the same folds.

    Attributes
    ----------
    results : list of CellResult, in the order asked for
    measure, unit : what errors are in; see `Evaluation`
    seeds : tuple of int
    origins : int, of all folds together
    """

    results: list[CellResult]
    measure: str
    unit: str
    seeds: tuple[int, ...]
    origins: int

    @property
    def ranking(self) -> list[CellResult]:
        """Least error first."""
        return sorted(self.results, key=lambda result: result.error)

    def verdicts(self) -> list[str]:
        """A sentence for each cell that is not the best: is the difference more than the spread over seeds?

        Welch's t-test on the means over folds, one per seed, Holm-adjusted. It tells whether training again
        would turn the order round, not whether other data would: for that see whether every fold agrees.
        """
        best, *others = self.ranking
        if len(self.seeds) == 1:
            return [f"{best.cell} has the least error; one seed shows no spread to compare differences with"]
        adjusted = holm([_welch(best, other) for other in others])
        found = []
        for other, p in zip(others, adjusted, strict=True):
            gap = f"{other.error / best.error - 1:.1%}".replace("%", " %")
            if not p < ALPHA:
                found.append(f"{other.cell} is {gap} above {best.cell}: within the spread over seeds (p = {p:.2f})")
                continue
            folds = int((other.errors.mean(0) > best.errors.mean(0)).sum())
            where = f"in {folds} of {best.errors.shape[1]} folds" if best.errors.shape[1] > 1 else "in the one fold"
            found.append(f"{other.cell} is {gap} above {best.cell}: more than the seeds explain (p = {p:.3f}), {where}")
        return found

    def table(self) -> list[dict[str, Any]]:
        """A row per cell, least error first: numbers, not text."""
        return [
            {
                "cell": result.cell,
                "parameters": result.parameters,
                "fit_seconds": result.seconds,
                "error": result.error,
                "seed_spread": result.seed_spread,
                "fold_spread": result.fold_spread,
                "best": result is self.ranking[0],
            }
            for result in self.ranking
        ]

    @property
    def subject(self) -> str:
        """What was compared, on how many seeds, folds and origins."""
        seeds, folds = self.results[0].errors.shape
        unit = f" in {self.unit}" if self.unit else ""
        trained = f"{seeds} {'seed' if seeds == 1 else 'seeds'} × {folds} {'fold' if folds == 1 else 'folds'}"
        return f"{self.measure}{unit}, {trained}, {self.origins:,} origins; ± is one standard deviation"

    @property
    def sentence(self) -> str:
        """What may be said of the differences."""
        return ". ".join(self.verdicts())

    def cells(self) -> list[list[str]]:
        """A row per cell, least error first."""
        rows = [["", "parameters", "fit s", self.measure, "± seeds", "± folds"]]
        for result in self.ranking:
            parameters = "–" if result.parameters is None else f"{result.parameters:,}"
            numbers = (result.error, result.seed_spread, result.fold_spread)
            rows.append([result.cell, parameters, f"{result.seconds:.1f}", *map(format_number, numbers)])
        return rows

    def summary(self) -> str:
        """Plain text: a table, then what may be said of the differences."""
        return "\n".join([self.subject, "", *text_table(self.cells()), "", *self.verdicts()])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; NaN becomes None."""
        return plain(
            {
                "measure": self.measure,
                "unit": self.unit,
                "seeds": self.seeds,
                "origins": self.origins,
                "cells": [
                    {**row, "errors": result.errors} for row, result in zip(self.table(), self.ranking, strict=True)
                ],
                "verdicts": self.verdicts(),
            }
        )


def _welch(a: CellResult, b: CellResult) -> float:
    """p-value of equal means over seeds; 1 or 0 where neither varies."""
    from scipy import stats

    ours, theirs = a.errors.mean(1), b.errors.mean(1)
    if ours.std() + theirs.std() == 0:
        return float(ours[0] == theirs[0])
    return float(stats.ttest_ind(ours, theirs, equal_var=False).pvalue)


def compare_cells(
    forecaster: Any,
    table: Any,
    target: str | Sequence[str] | None = None,
    cells: Sequence[str] = ("RNN", "LSTM", "GRU"),
    *,
    seeds: int | Sequence[int] = 3,
    folds: int = 3,
    step: int = 1,
    test_fraction: float = 0.2,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Comparison:
    """Train each of `cells` with each seed on the folds of one backtest.

    Parameters
    ----------
    forecaster : unfitted; its ``cell`` and ``random_state`` are replaced
    seeds : a number of seeds from 0 on, or the seeds themselves
    table, target, folds, step, test_fraction, progress, jobs : as for `backtest`

    Raises
    ------
    ValueError
        As `backtest` does; or without a cell or a seed.

    Example
    -------
    >>> from memorycell import Forecaster
    >>> forecaster = Forecaster(window=8, epochs=1, verbose=False)
    >>> result = compare_cells(forecaster, np.sin(np.arange(100) / 2), cells=("RNN", "GRU"), seeds=1, folds=1)
    >>> [each.cell for each in result.results]
    ['RNN', 'GRU']
    """
    from sklearn.base import clone

    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not chosen or not cells:
        raise ValueError(f"expected at least one cell and one seed, got cells={cells!r}, seeds={seeds!r}")
    table = forecaster.read(table).given
    results: list[CellResult] = []
    evaluations: list[Evaluation] = []
    with Bar("cells and seeds", len(cells) * len(chosen), show=wanted(forecaster, progress)) as bar:
        for cell in cells:
            errors, seconds, parameters = [], 0.0, None
            for seed in chosen:
                bar.update(len(evaluations), f"{cell}, seed {seed}")
                if progress is not None:
                    progress(f"{cell}, seed {seed}")
                evaluation = backtest(
                    clone(forecaster).set_params(cell=cell, random_state=seed),
                    table,
                    target,
                    folds=folds,
                    step=step,
                    test_fraction=test_fraction,
                    baselines=(),
                    jobs=jobs,
                    progress=None if progress is None else _nothing,
                )
                evaluations.append(evaluation)
                model = evaluation.models[0]
                errors.append(model.fold_errors)
                seconds += model.seconds / folds / len(chosen)
                parameters = model.parameters
            results.append(CellResult(cell, np.array(errors), seconds, parameters))
        bar.update(len(evaluations))
    last = evaluations[-1]
    return Comparison(results, last.measure, last.unit, chosen, len(last.fold))


def _nothing(text: str) -> None:
    """Whoever listens is told of cells and seeds, not of the folds of each."""
