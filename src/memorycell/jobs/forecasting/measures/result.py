"""Evaluation: what a backtest found, in numbers and in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.calendar import say_date
from memorycell.data.tables.encoded import Forecasts
from memorycell.evaluation.significance import Verdict
from memorycell.evaluation.tables import format_number, plain, text_table
from memorycell.jobs.forecasting.measures.metrics import Scores


@dataclass
class ModelResult:
    """One model on all origins: its forecasts, its scores for each target, and its error in the common
    measure."""

    name: str
    forecasts: Forecasts
    scores: list[Scores]
    error: float
    fold_errors: list[float]
    seconds: float  # of fitting, all folds together
    parameters: int | None = None
    notes: list[str] = field(default_factory=list)

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
    """One block of test rows: trained up to `train_end`, forecast from `origins` rows, targets in `first` …
    `last`."""

    train_end: Any
    first: Any
    last: Any
    origins: int


@dataclass
class Evaluation:
    """A forecaster beside its baselines, on the same origins.

    Attributes
    ----------
    models : list of ModelResult, the forecaster first
    measure, unit : what the models are ranked by: "RMSE" in the target's unit; with several targets
    "standardised RMSE"
        (each divided by its training standard deviation); with many series "MASE"
    verdicts : list of Verdict, one a baseline
    folds : list of Fold
    fold : int64 (n,): the fold of each origin
    notes : list of str: baselines that could not be fitted, and why
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

    def __getitem__(self, name: str) -> ModelResult:
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(f"expected one of {', '.join(model.name for model in self.models)}, got {name!r}")

    @property
    def ranking(self) -> list[ModelResult]:
        """The models, least error first."""
        return sorted(self.models, key=lambda model: math.inf if math.isnan(model.error) else model.error)

    @property
    def best(self) -> ModelResult:
        """The model with the least error, whether or not the difference could be told from chance."""
        return self.ranking[0]

    @property
    def outcome(self) -> str:
        """One sentence: does the forecaster beat the baselines?"""
        ours, best = self.models[0], self.best
        if len(self.models) == 1:
            return f"{ours.name} stands alone: no baseline was compared."
        if best is not ours:
            verdict = next(verdict for verdict in self.verdicts if verdict.baseline == best.name)
            sure = {"worse": "", "too few": ", though these origins are too few to tell"}
            hedge = sure.get(verdict.outcome, ", though not by more than chance explains")
            numbers = f"{format_number(best.error)} against {format_number(ours.error)} of {ours.name}"
            return f"A baseline wins: {best.name} has the least error, {self.measure} {numbers}{hedge}."
        beaten = [verdict.baseline for verdict in self.verdicts if verdict.outcome == "better"]
        rest = [verdict.baseline for verdict in self.verdicts if verdict.outcome != "better"]
        if not rest:
            return f"{ours.name} is better than every baseline, by more than chance explains."
        if not beaten:
            return f"{ours.name} has the least error, but no difference from a baseline could be shown."
        return (
            f"{ours.name} is better than {_listing(beaten)}; "
            f"from {_listing(rest)} no difference could be shown, though its error is the least."
        )

    def table(self) -> list[dict[str, Any]]:
        """A row a model and target, least error first, for reports: numbers, not text."""
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
        """The comparison as plain text: a table a target, models by error, then what may be said of each
        baseline."""
        origins = len(self.fold)
        head = f"{origins:,} origins in {len(self.folds)} {'fold' if len(self.folds) == 1 else 'folds'}"
        ahead = f"{self.horizon} {'step' if self.horizon == 1 else 'steps'} ahead"
        first, last = self.folds[0].first, self.folds[-1].last
        lines = [f"{head}, {ahead}; targets from {say_date(first)} to {say_date(last)}", ""]
        for k, scores in enumerate(self.models[0].scores):
            lines += [f"{scores.target} (errors in {scores.unit}; sMAPE in %)", *self._text_table(k), ""]
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

    def __str__(self) -> str:
        return self.summary()

    def _text_table(self, k: int) -> list[str]:
        metrics = [name for name in ("rmse", "mae", "smape", "mase", "crps") if name in self.best.scores[k].overall]
        titles = [{"smape": "sMAPE"}.get(name, name.upper()) for name in metrics]
        intervals = [f"in {share.nominal:.0%}" for share in self.best.scores[k].coverage]
        rows = [["", *titles, *intervals, "fit s"]]
        for model in self.ranking:
            scores = model.scores[k]
            covered = [f"{share.observed:.1%}" for share in scores.coverage]
            numbers = [format_number(scores.overall.get(name, math.nan)) for name in metrics]
            mark = " *" if model is self.best else ""
            rows.append([model.name + mark, *numbers, *covered, f"{model.seconds:.1f}"])
        return text_table(rows)

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


def _listing(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def join_forecasts(parts: list[Forecasts]) -> Forecasts:
    """The forecasts of several folds as one, in the order of origins; they must be of one grid."""
    names = ("point", "quantiles", "actual", "origins", "series", "dates", "origin_dates")
    order = np.argsort(np.concatenate([part.origins for part in parts]), kind="stable")
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in names}
    first = parts[0]
    return Forecasts(levels=first.levels, target_names=first.target_names, ids=first.ids, **joined)
