"""What evaluations return: `Result`, which all of them are; `RankedResult`, of models side by side; and
`CrossValidation`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from memorycell.data.figures import Figures
from memorycell.evaluation.class_metrics import Measures
from memorycell.evaluation.intervals import Comparison, Interval, mean_and_spread
from memorycell.evaluation.measures import Measure, measure_of
from memorycell.evaluation.tables import format_number, listing, plain, text_table

_FEWEST_TO_OVERFIT = 20  # rows, below which chance alone may look like it
MOST_CLASSES = 20  # of which the summary shows each


class Result(Figures):
    """What an evaluation found: in sentences, as a table, as a frame, as plain JSON.

    A subclass says `subject`, `sentence`, `cells`, `table`, `summary` and `to_dict`. One that is a dataclass is made
    with ``repr=False``: what was measured may be long, and a result is looked at in a notebook.

    Example
    -------
    >>> class Counted(Result):
    ...     subject, sentence = "3 rows counted", "There are <three>."
    ...     def cells(self):
    ...         return [["", "rows"], ["all", "3"]]
    ...     def table(self):
    ...         return [{"of": "all", "rows": 3}]
    >>> Counted()
    Counted: 3 rows counted
    There are <three>.
    >>> Counted().to_frame()["rows"].tolist(), "<p>There are &lt;three&gt;.</p>" in Counted()._repr_html_()
    ([3], True)
    """

    @property
    def subject(self) -> str:
        """What was measured, and on how many rows."""
        raise NotImplementedError

    @property
    def sentence(self) -> str:
        """What came of it, in one sentence."""
        raise NotImplementedError

    def cells(self) -> list[list[str]]:
        """The table as people read it: the headings, then a row each; all rows of one length."""
        raise NotImplementedError

    def table(self) -> list[dict[str, Any]]:
        """The table for programs: numbers, not text."""
        raise NotImplementedError

    def summary(self) -> str:
        """All of it as plain text."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON; NaN becomes None."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.summary()

    def _said(self) -> tuple[str, str]:
        return self.subject, self.sentence


class Praise(NamedTuple):
    """How the best of some models is spoken of.

    Attributes
    ----------
    has : what it has: "the best accuracy", "the least error"
    number : what stands before its score: "", "RMSE "
    though : of one that is best, though not shown to be: "its accuracy is the best"
    """

    has: str
    number: str
    though: str


class RankedResult(Result):
    """A model beside its baselines, on the same rows.

    A subclass has the attributes below, and says `value_of`, `_verdicts` and `_praise`.

    Attributes
    ----------
    models : list, each with a `name`; the one that is judged comes first
    measure : str, the key or the name of what they are ranked by
    noun : str, what rows are called
    """

    models: list[Any]
    measure: str
    noun: str

    def value_of(self, model: Any) -> float:
        """One model's score in `measure`; NaN where it has none."""
        raise NotImplementedError

    def _verdicts(self) -> Sequence[Any]:
        """One for each baseline, with `baseline`, `outcome` and `text`."""
        raise NotImplementedError

    def _praise(self) -> Praise:
        """How the best is spoken of."""
        raise NotImplementedError

    @property
    def ranked_by(self) -> Measure:
        """`measure`, with all that is known of it."""
        return measure_of(self.measure)

    def __getitem__(self, name: str) -> Any:
        """The model of this name."""
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(f"expected one of {', '.join(model.name for model in self.models)}, got {name!r}")

    @property
    def ranking(self) -> list[Any]:
        """The models, best first; those without a score last."""
        return sorted(self.models, key=lambda model: self.ranked_by.rank(self.value_of(model)))

    @property
    def best(self) -> Any:
        """The model with the best score, whether or not the difference could be told from chance."""
        return self.ranking[0]

    @property
    def score(self) -> float:
        """The judged model's score in `measure`, all rows together."""
        return self.value_of(self.models[0])

    @property
    def outcome(self) -> str:
        """One sentence: does the model beat the baselines?"""
        ours, best, praise = self.models[0], self.best, self._praise()
        if len(self.models) == 1:
            return f"{ours.name} stands alone: no baseline was compared."
        if best is not ours:
            found = next(found for found in self._verdicts() if found.baseline == best.name)
            sure = {"worse": "", "too few": f", though these {self.noun} are too few to tell"}
            hedge = sure.get(found.outcome, ", though not by more than chance explains")
            show = self.ranked_by.show if self.ranked_by.in_percent else format_number
            numbers = f"{show(self.value_of(best))} against {show(self.score)} of {ours.name}"
            return f"A baseline wins: {best.name} has {praise.has}, {praise.number}{numbers}{hedge}."
        beaten = [found.baseline for found in self._verdicts() if found.outcome == "better"]
        level = [model.name for model in self.models[1:] if self.value_of(model) == self.score]
        apart = [found for found in self._verdicts() if found.baseline not in level]
        rest = [found.baseline for found in apart if found.outcome != "better"]
        if not rest and not level:
            return f"{ours.name} is better than every baseline, by more than chance explains."
        if not beaten and not level:
            return f"{ours.name} has {praise.has}, but no difference from a baseline could be shown."
        said = [f"{how} {listing(names)}" for how, names in (("better than", beaten), ("level with", level)) if names]
        though = "" if level else f", though {praise.though}"
        more = f"; from {listing(rest)} no difference could be shown{though}" if rest else ""
        return f"{ours.name} is {', and '.join(said)}{more}."

    @property
    def sentence(self) -> str:
        """`outcome`."""
        return self.outcome


@dataclass(repr=False)
class ModelScores(Figures):
    """One model on the test rows of all folds.

    Attributes
    ----------
    name : str
    measures : Measures, of all test rows together
    intervals : dict, measure → Interval
    folds : dict, measure → a number per fold
    answers : dict of arrays or lists, by test row: "labels" (places of classes; for several labels booleans), "tags",
        "numbers", "log_probabilities", and "probabilities" (n, K) where there are any
    seconds : of fitting, all folds together
    """

    name: str
    measures: Measures
    intervals: dict[str, Interval] = field(repr=False)
    folds: dict[str, list[float]] = field(repr=False)
    answers: dict[str, Any] = field(repr=False)
    seconds: float
    parameters: int | None = None
    notes: list[str] = field(default_factory=list)

    def _said(self) -> tuple[str, str]:
        return f"{self.name}, {self.measures.line()}; fitted in {self.seconds:.3g} s", ""

    def table(self) -> list[dict[str, Any]]:
        """A row per measure: all test rows together, and its interval where there is one."""
        rows = []
        for name, value in self.measures.values.items():
            found = self.intervals.get(name)
            ends = (math.nan, math.nan) if found is None else (found.low, found.high)
            rows.append({"measure": name, "value": value, "low": ends[0], "high": ends[1]})
        return rows

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


@dataclass(repr=False, eq=False)
class CrossValidation(RankedResult):
    """A task beside its baselines, each fitted and tested on the same folds.

    Attributes
    ----------
    kind : str, of what was to be answered: "classes", "labels", "tags", "numbers", "language"
    measure : key of what models are ranked and compared by
    split : "stratified", "random", "grouped", "stratified and grouped", "time-ordered", "contiguous" or "held out"
    models : list of ModelScores, the task first
    comparisons : list of Comparison, one for each baseline
    classes : list
    sizes : list of (training rows, test rows), one for each fold
    train : dict, measure → a number per fold: the task on (some of) its own training rows; empty where not asked for
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

    def value_of(self, model: ModelScores) -> float:
        """A model's score in `measure`, all test rows together."""
        return model.measures.values[self.measure]

    def _verdicts(self) -> Sequence[Comparison]:
        return self.comparisons

    def _praise(self) -> Praise:
        called = self.ranked_by.name
        return Praise(f"the best {called}", "", f"its {called} is the best")

    @property
    def shown(self) -> list[Measure]:
        """The measures that tables show, in their order: those of this kind that any model has, and `measure`."""
        keys = [
            key for key in self.models[0].measures.shown if any(key in model.measures.values for model in self.models)
        ]
        return [measure_of(key) for key in ([] if self.measure in keys else [self.measure]) + keys]

    @property
    def overfitting(self) -> str | None:
        """A sentence where the task fits its training rows much better than others, else None.

        The rule is that of the measure, see `memorycell.evaluation.measures.Measure.overfits`; it is asked of the means
        over folds.
        """
        measure, (test, train) = self.ranked_by, self._test_and_train()
        if len(self.rows) < _FEWEST_TO_OVERFIT or not measure.overfits(train, test):
            return None
        show = measure.show if measure.in_percent else format_number
        numbers = f"{show(train)} on training {self.noun} against {show(test)} on others"
        return f"Over-fitting: {measure.name} {numbers} (said where {measure.overfitting_rule})."

    def _test_and_train(self) -> tuple[float, float]:
        test, _ = mean_and_spread(self.models[0].folds[self.measure])
        train, _ = mean_and_spread(self.train.get(self.measure, []))
        return test, train

    def table(self) -> list[dict[str, Any]]:
        """A row per model, best first, for reports: numbers, not text."""
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
        lines = [self._tested(), "", *text_table(self.cells()), ""]
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

    @property
    def subject(self) -> str:
        """The task, its score and the rows it is of."""
        return f"{self.models[0].name}, {self.ranked_by.name} {format_number(self.score)}; {self._tested()}"

    def _tested(self) -> str:
        number = len(self.sizes)
        folds = (
            "held out" if self.split == "held out" else f"in {number} {self.split} {'fold' if number == 1 else 'folds'}"
        )
        classes = f"; {len(self.classes)} classes" if self.classes else ""
        return f"{len(self.rows):,} {self.noun} tested, {folds}{classes}"

    def cells(self) -> list[list[str]]:
        """A row per model, best first: its scores, and the interval of the one that models are compared by."""
        names = [each.key for each in self.shown]
        at = names.index(self.measure) + 1
        titles = [each.name for each in self.shown]
        rows = [["", *titles[:at], "interval", *titles[at:], "fit s"]]
        for model in self.ranking:
            found = model.intervals[self.measure]
            numbers = [format_number(model.measures.values.get(name, math.nan)) for name in names]
            band = f"{format_number(found.low)} to {format_number(found.high)}" if math.isfinite(found.low) else "–"
            mark = " *" if model is self.best else ""
            rows.append([model.name + mark, *numbers[:at], band, *numbers[at:], f"{model.seconds:.1f}"])
        return rows

    def _folds(self) -> list[str]:
        mean, spread = mean_and_spread(self.models[0].folds[self.measure])
        called = self.ranked_by.name
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
        # Where rows hold several answers each, it is those that are counted.
        counted = self.noun if measured.count == len(self.rows) else "steps"
        rows = [[self.models[0].name, "precision", "recall", "F1", counted]]
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
