"""Measure: what a score is called, which way it is better, how it is shown; and the table of all measures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from memorycell.evaluation.tables import percent, significant

TARGET = "target"  # the unit of a measure whose numbers are in the unit of what is predicted
GROWN = 0.05  # over-fitting by the shortfall: that on test rows is this much above that on training rows …
TIMES = 2.0  # … and so many times it
TIMES_ERROR = 1.5  # over-fitting by the ratio: test error over training error


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure of answers: all that tells it apart from others.

    Attributes
    ----------
    key : str
        What code, JSON and tables call it: "r2".
    name : str
        What people call it, within a sentence: "R²".
    better : "more" or "less"
    perfect : float
        The score of flawless answers.
    overfitting : "shortfall" or "ratio"
        How a score on training rows and one on others are told apart: by what they lack of the perfect score, or, of
        errors, which have no upper end, by how many times the one is the other.
    in_percent : bool
        Shown in %, and its differences in points; else by significant digits.
    unit : str
        What its numbers are in: "%", "" for none, or "target": what is predicted has a unit, and it is that.
    of_probabilities : bool
        A model that gives no probabilities has none.
    root : bool
        The root of a mean: losses of single rows are its squares.
    phrase : str
        What is said of so many rows, each of them one answer: a format of {title}, {value} and {rows}.

    Example
    -------
    >>> MEASURES["r2"].name, MEASURES["r2"].better_words, MEASURES["r2"].show(0.1234)
    ('R²', 'more is better', '0.123')
    """

    key: str
    name: str
    better: Literal["more", "less"]
    perfect: float
    overfitting: Literal["shortfall", "ratio"]
    in_percent: bool = False
    unit: str = ""
    of_probabilities: bool = False
    root: bool = False
    phrase: str = "{title} {value} on {rows}"

    @property
    def better_words(self) -> str:
        """ "more is better" or "less is better"."""
        return f"{self.better} is better"

    @property
    def title(self) -> str:
        """The name as a sentence begins with it: "sMAPE" stays so."""
        return self.name if self.name[1:2].isupper() else self.name[:1].upper() + self.name[1:]

    def is_better(self, value: float, than: float) -> bool:
        """Whether one score is better than another; a missing one (NaN) never is, and any is better than that.

        Example
        -------
        >>> MEASURES["rmse"].is_better(1.0, than=2.0), MEASURES["rmse"].is_better(math.nan, than=2.0)
        (True, False)
        """
        return self.rank(value) < self.rank(than)

    def improves(self, change: float) -> bool:
        """Whether a change by so much is one for the better; none, or an unknown one (NaN), is not."""
        return change > 0 if self.better == "more" else change < 0

    def rank(self, value: float) -> tuple[bool, float]:
        """What sorts scores, the best first; a missing one (NaN) comes last.

        Example
        -------
        >>> sorted([0.5, math.nan, 0.9], key=MEASURES["accuracy"].rank)
        [0.9, 0.5, nan]
        """
        if math.isnan(value):
            return True, 0.0
        return False, -value if self.better == "more" else value

    def show(self, value: float | None) -> str:
        """A score as pages show it; a dash where there is none.

        Example
        -------
        >>> MEASURES["accuracy"].show(0.91), MEASURES["rmse"].show(1.2345), MEASURES["rmse"].show(None)
        ('91.0 %', '1.23', '–')
        """
        return percent(value, 1) if self.in_percent else significant(value)

    def show_change(self, change: float) -> str:
        """A change of the score with its sign: points where it is shown in %; the unit is `unit_of_change`.

        Example
        -------
        >>> MEASURES["accuracy"].show_change(-0.021), MEASURES["rmse"].show_change(0.12345)
        ('−2.1', '+0.123')
        """
        text = f"{100 * change:+.1f}" if self.in_percent else f"{change:+.3g}"
        return text.replace("-", "−")

    @property
    def unit_of_change(self) -> str:
        """ " points" of what is shown in %, else nothing."""
        return " points" if self.in_percent else ""

    def unit_for(self, target: str) -> str:
        """The unit of its numbers where what is predicted is in `target`.

        Example
        -------
        >>> MEASURES["mae"].unit_for("°C"), MEASURES["smape"].unit_for("°C"), MEASURES["mase"].unit_for("°C")
        ('°C', '%', '')
        """
        return target if self.unit == TARGET else self.unit

    def overfits(self, train: float, test: float) -> bool:
        """Whether a model is so much worse on others than on its training rows that it is said to over-fit.

        By the shortfall: what the score lacks of the perfect one grows by 0.05 or more, and at least doubles. By the
        ratio: the error is at least 1.5 times as large. False where a score is missing (NaN).

        Example
        -------
        >>> MEASURES["r2"].overfits(train=0.95, test=0.6), MEASURES["r2"].overfits(train=0.62, test=0.6)
        (True, False)
        """
        if self.overfitting == "ratio":
            return test > train and test >= TIMES_ERROR * train
        return train - test >= GROWN and self.perfect - test >= TIMES * (self.perfect - train)

    @property
    def overfitting_rule(self) -> str:
        """That rule, after "said where"."""
        if self.overfitting == "ratio":
            return f"it is {TIMES_ERROR:g} times as large or more"
        what = "the error" if self.in_percent else f"what it lacks of {self.perfect:g}"
        return f"{what} grows by {GROWN:.2f} or more and is {TIMES:g} times as large or more"


def _share(key: str, name: str = "") -> Measure:
    return Measure(
        key=key, name=name or key.replace("_", " "), better="more", perfect=1.0, overfitting="shortfall",
        in_percent=True,
    )  # fmt: skip


def _score(key: str, name: str, of_probabilities: bool = False) -> Measure:
    return Measure(
        key=key, name=name, better="more", perfect=1.0, overfitting="shortfall", of_probabilities=of_probabilities
    )


def _error(
    key: str, name: str, unit: str = "", *, perfect: float = 0.0, root: bool = False, of_probabilities: bool = False
) -> Measure:
    return Measure(
        key=key, name=name, better="less", perfect=perfect, overfitting="ratio", unit=unit, root=root,
        of_probabilities=of_probabilities,
    )  # fmt: skip


MEASURES: dict[str, Measure] = {
    measure.key: measure
    for measure in (
        # classes, labels and tags
        replace(_share("accuracy"), phrase="Right for {value} of {rows}"),
        _share("balanced_accuracy"),
        _share("macro_f1", "macro-F1"),
        _share("micro_f1", "micro-F1"),
        _share("weighted_f1", "weighted F1"),
        _share("macro_precision"),
        _share("macro_recall"),
        _share("exact_match"),
        _share("sequence_accuracy"),
        _share("entity_f1", "entity F1"),
        _score("roc_auc", "ROC AUC", of_probabilities=True),
        _score("average_precision", "average precision", of_probabilities=True),
        _error("log_loss", "log loss", of_probabilities=True),
        _error("brier", "Brier score", of_probabilities=True),
        replace(_error("calibration_error", "calibration error", of_probabilities=True), in_percent=True),
        _error("hamming_loss", "Hamming loss"),
        # numbers
        _error("rmse", "RMSE", TARGET, root=True),
        _error("mae", "MAE", TARGET),
        _score("r2", "R²"),
        # language
        _error("perplexity", "perplexity", perfect=1.0),
        _error("nats", "nats per token"),
        _error("bits", "bits per token"),
        # forecasts
        _error("standardised_rmse", "standardised RMSE", root=True),
        _error("smape", "sMAPE", "%"),
        _error("mase", "MASE"),
        _error("crps", "CRPS", TARGET),
        _error("pinball", "pinball loss", TARGET),
    )
}  # fmt: skip


def measures_of(*keys: str) -> tuple[Measure, ...]:
    """The measures of these keys.

    Example
    -------
    >>> [each.name for each in measures_of("rmse", "r2")]
    ['RMSE', 'R²']
    """
    return tuple(MEASURES[key] for key in keys)


def measure_of(name: str) -> Measure:
    """The measure of a key or a name.

    Raises
    ------
    ValueError
        For one that there is not.

    Example
    -------
    >>> measure_of("standardised RMSE").key, measure_of("r2").name
    ('standardised_rmse', 'R²')
    """
    if name in MEASURES:
        return MEASURES[name]
    for measure in MEASURES.values():
        if measure.name == name:
            return measure
    raise ValueError(f"expected a measure, one of {', '.join(MEASURES)}, got {name!r}")


def register_measure(measure: Measure) -> Measure:
    """Make a measure known that a job brings: tables, pages and comparisons then ask for it by its key.

    Raises
    ------
    ValueError
        Where another one is called so.

    Example
    -------
    >>> register_measure(MEASURES["r2"]).name
    'R²'
    """
    if MEASURES.setdefault(measure.key, measure) != measure:
        raise ValueError(f"expected a key that is free, got {measure.key!r}, which is that of another measure")
    return measure
