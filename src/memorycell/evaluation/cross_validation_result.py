"""CrossValidation: what folds found, in numbers and in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.evaluation.class_metrics import LOWER_IS_BETTER, SHARES, Measures, name_of_measure
from memorycell.evaluation.intervals import Comparison, Interval, mean_and_spread
from memorycell.evaluation.tables import format_number, plain, text_table

SHOWN = {
    "classes": ("accuracy", "balanced_accuracy", "macro_f1", "log_loss"),
    "labels": ("micro_f1", "macro_f1", "exact_match"),
    "tags": ("accuracy", "macro_f1", "sequence_accuracy", "entity_f1"),
    "numbers": ("rmse", "mae", "r2"),
    "language": ("perplexity", "nats", "bits"),
}
MOST_CLASSES = 20  # of which the summary shows each
GROWN = 0.05  # over-fitting of a share: the error on test rows is this much above that on training rows …
TIMES = 2.0  # … and so many times it
TIMES_ERROR = 1.5  # over-fitting of an error: test error over training error


@dataclass
class ModelScores:
    """One model on the test rows of all folds.

    Attributes
    ----------
    name : str
    measures : Measures, of all test rows together
    intervals : dict, measure → Interval
    folds : dict, measure → a number a fold
    answers : dict of arrays or lists a test row: "labels" (places of classes; for several labels booleans), "tags",
        "numbers", "log_probabilities", and "probabilities" (n, K) where there are any
    seconds : of fitting, all folds together
    """

    name: str
    measures: Measures
    intervals: dict[str, Interval]
    folds: dict[str, list[float]]
    answers: dict[str, Any]
    seconds: float
    parameters: int | None = None
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All but the answers, as plain JSON."""
        spreads = {name: mean_and_spread(scores) for name, scores in self.folds.items()}
        return plain(
            {
                "name": self.name,
                **self.measures.to_dict(),
                "intervals": {name: found.to_dict() for name, found in self.intervals.items()},
                "folds": self.folds,
                "fold_means": {name: mean for name, (mean, _) in spreads.items()},
                "fold_spreads": {name: spread for name, (_, spread) in spreads.items()},
                "fit_seconds": self.seconds,
                "parameters": self.parameters,
                "notes": self.notes,
            }
        )


@dataclass
class CrossValidation:
    """A task beside its baselines, each fitted and tested on the same folds.

    Attributes
    ----------
    kind : "classes", "labels", "tags", "numbers" or "language"
    measure : what models are ranked and compared by
    split : "stratified", "random", "grouped", "stratified and grouped", "time-ordered", "contiguous" or "held out"
    models : list of ModelScores, the task first
    comparisons : list of Comparison, one a baseline
    classes : list
    sizes : list of (training rows, test rows), one a fold
    train : dict, measure → a number a fold: the task on (some of) its own training rows; empty where not asked for
    rows, fold : int64 (n,), the tested rows in order and the fold of each
    targets : their targets as they are kept: places in `classes`, booleans, numbers or lists of places; or None
    interval_method : how intervals were found
    noun : what a row is called
    notes : list of str
    """

    kind: str
    measure: str
    split: str
    models: list[ModelScores]
    comparisons: list[Comparison]
    classes: list[Any]
    sizes: list[tuple[int, int]]
    train: dict[str, list[float]]
    rows: NDArray[np.int64]
    fold: NDArray[np.int64]
    targets: Any
    interval_method: str
    level: float = 0.95
    noun: str = "rows"
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> ModelScores:
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(f"expected one of {', '.join(model.name for model in self.models)}, got {name!r}")

    @property
    def ranking(self) -> list[ModelScores]:
        """The models, best first."""
        way = 1 if self.measure in LOWER_IS_BETTER else -1

        def place(model: ModelScores) -> float:
            value = model.measures.values[self.measure]
            return math.inf if math.isnan(value) else way * value

        return sorted(self.models, key=place)

    @property
    def best(self) -> ModelScores:
        """The model with the best score, whether or not the difference could be told from chance."""
        return self.ranking[0]

    @property
    def score(self) -> float:
        """The task's score in `measure`, all test rows together."""
        return self.models[0].measures.values[self.measure]

    @property
    def outcome(self) -> str:
        """One sentence: does the task beat the baselines?"""
        ours, best, called = self.models[0], self.best, name_of_measure(self.measure)
        if len(self.models) == 1:
            return f"{ours.name} stands alone: no baseline was compared."
        if best is not ours:
            found = next(found for found in self.comparisons if found.baseline == best.name)
            sure = {"worse": "", "too few": f", though these {self.noun} are too few to tell"}
            hedge = sure.get(found.outcome, ", though not by more than chance explains")
            theirs = format_number(best.measures.values[self.measure])
            numbers = f"{theirs} against {format_number(self.score)} of {ours.name}"
            return f"A baseline wins: {best.name} has the best {called}, {numbers}{hedge}."
        beaten = [found.baseline for found in self.comparisons if found.outcome == "better"]
        rest = [found.baseline for found in self.comparisons if found.outcome != "better"]
        if not rest:
            return f"{ours.name} is better than every baseline, by more than chance explains."
        if not beaten:
            return f"{ours.name} has the best {called}, but no difference from a baseline could be shown."
        return (
            f"{ours.name} is better than {' and '.join(beaten)}; "
            f"from {' and '.join(rest)} no difference could be shown, though its {called} is the best."
        )

    @property
    def overfitting(self) -> str | None:
        """A sentence where the task fits its training rows much better than others, else None.

        The rule: of accuracy and other shares, the mean error on test rows is at least 0.05 above that on training
        rows and at least twice it; of RMSE and perplexity, at least 1.5 times it.
        """
        test, train = self._test_and_train()
        if self.measure in SHARES:
            found = train - test >= GROWN and 1 - test >= TIMES * (1 - train)
            rule = f"the error grows by {GROWN:.2f} or more and is {TIMES:g} times as large or more"
        else:
            found = test >= TIMES_ERROR * train
            rule = f"{TIMES_ERROR:g} times as large or more"
        if not found:
            return None
        numbers = f"{format_number(train)} on training {self.noun} against {format_number(test)} on others"
        return f"Over-fitting: {name_of_measure(self.measure)} {numbers} (said where {rule})."

    def _test_and_train(self) -> tuple[float, float]:
        test, _ = mean_and_spread(self.models[0].folds[self.measure])
        train, _ = mean_and_spread(self.train.get(self.measure, []))
        return test, train

    def table(self) -> list[dict[str, Any]]:
        """A row a model, best first, for reports: numbers, not text."""
        compared = {found.baseline: found for found in self.comparisons}
        rows = []
        for model in self.ranking:
            found, interval = compared.get(model.name), model.intervals[self.measure]
            mean, spread = mean_and_spread(model.folds[self.measure])
            rows.append(
                {
                    "model": model.name,
                    "best": model is self.best,
                    **model.measures.values,
                    "low": interval.low,
                    "high": interval.high,
                    "fold_mean": mean,
                    "fold_spread": spread,
                    "fit_seconds": model.seconds,
                    "parameters": model.parameters,
                    "difference": found.difference if found else None,
                    "outcome": found.outcome if found else None,
                    "verdict": found.text if found else None,
                }
            )
        return rows

    def summary(self) -> str:
        """The comparison as plain text: models, what may be said of each baseline, folds, over-fitting, classes."""
        lines = [self._head(), "", *self._models(), ""]
        lines.append(f"Intervals of {self.level:.0%}: {self.interval_method}.".replace("%", " %"))
        lines += self._folds()
        lines += ["", self.outcome, *(f"  {found.text}" for found in self.comparisons)]
        if self.overfitting:
            lines.append(self.overfitting)
        if self.models[0].measures.per_class:
            lines += ["", *self._classes()]
        notes = [f"{model.name}: {text}" for model in self.models for text in [*model.notes, *model.measures.notes]]
        lines += [f"Note: {text}" for text in [*self.notes, *notes]]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()

    def _head(self) -> str:
        number = len(self.sizes)
        folds = (
            "held out" if self.split == "held out" else f"in {number} {self.split} {'fold' if number == 1 else 'folds'}"
        )
        classes = f"; {len(self.classes)} classes" if self.classes else ""
        return f"{len(self.rows):,} {self.noun} tested, {folds}{classes}"

    def _models(self) -> list[str]:
        names = [name for name in SHOWN[self.kind] if any(name in model.measures.values for model in self.models)]
        at = names.index(self.measure) + 1
        titles = [name_of_measure(name) for name in names]
        rows = [["", *titles[:at], "interval", *titles[at:], "fit s"]]
        for model in self.ranking:
            found = model.intervals[self.measure]
            numbers = [format_number(model.measures.values.get(name, math.nan)) for name in names]
            band = f"{format_number(found.low)} to {format_number(found.high)}" if math.isfinite(found.low) else "–"
            mark = " *" if model is self.best else ""
            rows.append([model.name + mark, *numbers[:at], band, *numbers[at:], f"{model.seconds:.1f}"])
        return text_table(rows)

    def _folds(self) -> list[str]:
        mean, spread = mean_and_spread(self.models[0].folds[self.measure])
        called = name_of_measure(self.measure)
        lines = []
        if len(self.sizes) > 1:
            each = ", ".join(format_number(score) for score in self.models[0].folds[self.measure])
            lines.append(
                f"{self.models[0].name} by fold: {called} {format_number(mean)} ± {format_number(spread)} ({each})"
            )
        if self.measure in self.train:
            train = self._test_and_train()[1]
            lines.append(f"The same on training {self.noun}: {called} {format_number(train)}")
        return lines

    def _classes(self) -> list[str]:
        measured = self.models[0].measures
        rows = [[self.models[0].name, "precision", "recall", "F1", self.noun if self.kind != "tags" else "steps"]]
        most = sorted(measured.per_class, key=lambda found: -found["support"])
        for found in most[:MOST_CLASSES]:
            shares = [f"{found[name]:.3f}" for name in ("precision", "recall", "f1")]
            rows.append([str(found["class"]), *shares, f"{found['support']:,}"])
        lines = text_table(rows)
        if len(most) > MOST_CLASSES:
            lines.append(f"… and {len(most) - MOST_CLASSES} more classes")
        if measured.confusion is not None and len(measured.classes) <= MOST_CLASSES:
            names = [str(label) for label in measured.classes]
            counts = [[f"{count:,}" for count in row] for row in measured.confusion.tolist()]
            body = [[name, *row] for name, row in zip(names, counts, strict=True)]
            lines += ["", *text_table([["true \\ answered", *names], *body])]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Everything but answers and targets, as plain JSON; NaN becomes None."""
        return plain(
            {
                "outcome": self.outcome,
                "overfitting": self.overfitting,
                "kind": self.kind,
                "measure": self.measure,
                "split": self.split,
                "rows": len(self.rows),
                "noun": self.noun,
                "classes": self.classes,
                "folds": [{"train": train, "test": test} for train, test in self.sizes],
                "train": self.train,
                "interval_method": self.interval_method,
                "level": self.level,
                "models": [model.to_dict() for model in self.models],
                "comparisons": [found.to_dict() for found in self.comparisons],
                "notes": self.notes,
            }
        )
