"""Evaluation: what a backtest found, in numbers and in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from memorycell.data.figures import Figures
from memorycell.data.tables.encoded import Forecasts
from memorycell.data.tables.times.calendar import say_date
from memorycell.evaluation.measures import measure_of
from memorycell.evaluation.result import Praise, RankedResult
from memorycell.evaluation.significance import Verdict
from memorycell.evaluation.tables import format_number, plain, text_table
from memorycell.jobs.forecasting.measures.metrics import Scores


@dataclass(repr=False)
class ModelResult(Figures):
    """One model on all origins: its forecasts, its scores for each target, and its error in the common measure."""

    name: str
    forecasts: Forecasts
    scores: list[Scores]
    error: float
    fold_errors: list[float]
    seconds: float  # of fitting, all folds together
    parameters: int | None = None
    notes: list[str] = field(default_factory=list)

    def _said(self) -> tuple[str, str]:
        return f"{self.name}, error {self.error:.4g}; fitted in {self.seconds:.3g} s", ""

    def table(self) -> list[dict[str, Any]]:
        """A row per target."""
        return [{"target": each.target, "unit": each.unit, **each.overall} for each in self.scores]

    def to_dict(self) -> dict[str, Any]:
        """All but the forecasts themselves, as plain JSON."""
        return plain(
            {
                "name": self.name,
                "error": self.error,
                "fold_errors": self.fold_errors,
                "fit_seconds": self.seconds,
                "parameters": self.parameters,
                "targets": [scores.to_dict() for scores in self.scores],
                "notes": self.notes,
            }
        )


@dataclass(frozen=True)
class Fold:
    """One block of test rows: trained up to `train_end`, forecast from `origins` rows, targets in `first` … `last`."""

    train_end: Any
    first: Any
    last: Any
    origins: int


@dataclass(repr=False, eq=False)
class Evaluation(RankedResult):
    """A forecaster beside its baselines, on the same origins.

    Attributes
    ----------
    models : list of ModelResult, the forecaster first
    measure, unit : what the models are ranked by: "RMSE" in the target's unit; with several targets
        "standardised RMSE" (each divided by its training standard deviation); with many series "MASE"
    verdicts : list of Verdict, one for each baseline
    folds : list of Fold
    fold : int64 (n,): the fold of each origin
    notes : list of str: baselines that could not be fitted, and why
    refitted : whether it is of forecasters that were fitted anew before each fold, rather than of a fitted one itself
    """

    models: list[ModelResult]
    measure: str
    unit: str
    verdicts: list[Verdict]
    folds: list[Fold]
    fold: NDArray[np.int64]
    horizon: int
    step: int
    notes: list[str] = field(default_factory=list)
    refitted: bool = False
    noun: ClassVar[str] = "origins"  # type: ignore[misc] # of every one of them

    def value_of(self, model: ModelResult) -> float:
        """A model's error in `measure`, all origins together."""
        return model.error

    def _verdicts(self) -> Sequence[Verdict]:
        return self.verdicts

    def _praise(self) -> Praise:
        return Praise("the least error", f"{self.measure} ", "its error is the least")

    @property
    def subject(self) -> str:
        """The forecaster, its error and the origins it is of."""
        return f"{self.models[0].name}, {self.measure} {format_number(self.score)}; {self._tested()}"

    def _tested(self) -> str:
        origins, folds = len(self.fold), len(self.folds)
        ahead = f"{self.horizon} {'step' if self.horizon == 1 else 'steps'} ahead"
        return f"{origins:,} origins in {folds} {'fold' if folds == 1 else 'folds'}, {ahead}"

    def table(self) -> list[dict[str, Any]]:
        """A row per model and target, least error first, for reports: numbers, not text."""
        verdicts = {verdict.baseline: verdict for verdict in self.verdicts}
        rows = []
        for model in self.ranking:
            for scores in model.scores:
                wide = next(iter(scores.coverage), None)
                verdict = verdicts.get(model.name)
                rows.append(
                    {
                        "model": model.name,
                        "target": scores.target,
                        "unit": scores.unit,
                        "best": model is self.best,
                        "error": model.error,
                        **scores.overall,
                        "interval": wide.nominal if wide else None,
                        "coverage": wide.observed if wide else None,
                        "coverage_low": wide.low if wide else None,
                        "coverage_high": wide.high if wide else None,
                        "fit_seconds": model.seconds,
                        "parameters": model.parameters,
                        "verdict": verdict.text if verdict else None,
                        "outcome": verdict.outcome if verdict else None,
                    }
                )
        return rows

    def summary(self) -> str:
        """The comparison as plain text: a table per target, models by error, then what may be said of each baseline."""
        first, last = self.folds[0].first, self.folds[-1].last
        lines = [f"{self._tested()}; targets from {say_date(first)} to {say_date(last)}", ""]
        for k, scores in enumerate(self.models[0].scores):
            table = text_table(self._cells(k, self._metrics(k)))
            lines += [f"{scores.target} (errors in {scores.unit}; sMAPE in %)", *table, ""]
        if self.measure != "RMSE":
            lines.append(f"Ranked by {self.measure}:")
            lines += [f"  {model.name}: {format_number(model.error)}" for model in self.ranking]
            lines.append("")
        lines.append(self.outcome)
        lines += [f"  {verdict.text}" for verdict in self.verdicts]
        lines += [f"Note: {model.name}: {text}" for model in self.models for text in model.notes]
        missing = dict.fromkeys(text for scores in self.models[0].scores for text in scores.notes)
        lines += [f"Note: {text}" for text in [*self.notes, *missing]]
        return "\n".join(lines)

    def cells(self) -> list[list[str]]:
        """A row per model, least error first; of several targets a row for each."""
        places = range(len(self.models[0].scores))
        metrics = self._metrics(*places)
        tables = [self._cells(k, metrics) for k in places]
        if len(tables) == 1:
            return tables[0]
        rows = [
            [name, scores.target, *rest]
            for scores, (_, *found) in zip(self.models[0].scores, tables, strict=True)
            for name, *rest in found
        ]
        return [["", "target", *tables[0][0][1:]], *rows]

    def _metrics(self, *places: int) -> list[str]:
        """The metrics that there are of any of these targets."""
        there = set().union(*(self.best.scores[k].overall for k in places))
        return [name for name in ("rmse", "mae", "smape", "mase", "crps") if name in there]

    def _cells(self, k: int, metrics: list[str]) -> list[list[str]]:
        """The models' scores of target k."""
        intervals = [f"in {share.nominal:.0%}" for share in self.best.scores[k].coverage]
        rows = [["", *(measure_of(name).name for name in metrics), *intervals, "fit s"]]
        for model in self.ranking:
            scores = model.scores[k]
            covered = [f"{share.observed:.1%}" for share in scores.coverage]
            numbers = [format_number(scores.overall.get(name, math.nan)) for name in metrics]
            mark = " *" if model is self.best else ""
            rows.append([model.name + mark, *numbers, *covered, f"{model.seconds:.1f}"])
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Everything but the forecasts, as plain JSON; NaN becomes None."""
        return plain(
            {
                "outcome": self.outcome,
                "measure": self.measure,
                "unit": self.unit,
                "horizon": self.horizon,
                "step": self.step,
                "origins": len(self.fold),
                "folds": [
                    {
                        "train_end": None if fold.train_end is None else say_date(fold.train_end),
                        "first": say_date(fold.first),
                        "last": say_date(fold.last),
                        "origins": fold.origins,
                    }
                    for fold in self.folds
                ],
                "models": [model.to_dict() for model in self.models],
                "verdicts": [verdict.to_dict() for verdict in self.verdicts],
                "notes": self.notes,
            }
        )


def join_forecasts(parts: list[Forecasts]) -> Forecasts:
    """The forecasts of several folds as one, in the order of origins; they must be of one grid."""
    names = ("point", "quantiles", "actual", "origins", "series", "dates", "origin_dates")
    order = np.argsort(np.concatenate([part.origins for part in parts]), kind="stable")
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in names}
    first = parts[0]
    joined |= {"target_names": first.target_names, "ids": first.ids, "frequency": first.frequency}
    return Forecasts(levels=first.levels, **joined)
