"""The report's sections on how good a classifier, regressor or tagger is: beside baselines, and class by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.evaluation.class_metrics import Measures
from memorycell.evaluation.measures import MEASURES, TARGET, measure_of
from memorycell.evaluation.result import CrossValidation
from memorycell.pages.page import Html, Section, bullets, element, figure, folded, paragraph, table
from memorycell.pages.plots.classes import FEWEST, confusion, curves, in_order, models_scored, reliability
from memorycell.pages.wording import counted, percent, significant

_CONFUSIONS = 10
MEASURE = Html(
    "Ask it about samples that it has not seen, <code>memorycell evaluate MODEL NEW_DATA</code>, or train it anew on "
    "parts of the data, <code>memorycell evaluate MODEL DATA --folds 5</code>: both compare it with simple baselines."
)
UNKNOWN = "Whether it was trained on some of them is not recorded: if it was, these figures flatter it."
OLD = "It was trained on them: these figures say what it has learned, not how good it is."
FOOTER = "What it does on samples like these tells of others only as far as those are like them."
ALONE = (
    "Nothing simpler stands beside it: baselines are fitted on its training data, which this page was not given "
    "(train=)."
)
_FEWEST_COMPARED = 5  # rows, below which a picture of scores would show chance alone
_FEWEST = 50  # answers, below which their probabilities are not judged


def is_new(evaluation: Any, seen: bool | None) -> bool | None:
    """Whether an evaluation is of samples that its models were not trained on; None where that is not known."""
    if evaluation is None:
        return None if seen is None else not seen
    folds = isinstance(evaluation, CrossValidation) and evaluation.split != "held out"
    if folds or seen is not None:
        return folds or not seen
    # Who names the training data beside the others, for the baselines, has kept them apart.
    apart = evaluation.sizes[0][0] if isinstance(evaluation, CrossValidation) else getattr(evaluation, "baseline", None)
    return True if apart else None


def measured(values: Mapping[str, float], names: Sequence[str], unit: str = "") -> dict[str, str]:
    """Those of the measures that were measured, by what people call them, for `cards`; `unit` of what is predicted."""
    found = [MEASURES[name] for name in names if name in values]
    return {each.name: f"{each.show(values[each.key])}{unit if each.unit == TARGET else ''}" for each in found}


def trained_on(these: str, seen: bool | None) -> str:
    """What answers to samples are worth that the model was trained on, or may have been."""
    if seen:
        return (
            f"These {these} are the ones that it was trained on: what it does with them shows what it has learned, not "
            "how good it is."
        )
    return (
        f"Whether it was trained on these {these} is not recorded. If it was, they show what it has learned, not how "
        "good it is."
    )


def accuracy(
    evaluation: CrossValidation | None,
    how: str,
    honest: Measures | None = None,
    setting: str = "",
    new: bool | None = True,
) -> Section:
    """The task beside its baselines, with what may be said of each; without an evaluation, `how` to get one.

    `honest` and `setting`: measures on data that are known to be new, and what those data are. `new`: see `is_new`.
    """
    section = Section("accuracy", beside(evaluation))
    if evaluation is None:
        if honest is not None:
            shown = [measure_of(key) for key in honest.shown if key in honest.values]
            rows = [[each.name, each.show(honest.values[each.key])] for each in shown]
            section.add(paragraph(setting), table(["measure", ""], rows))
        section.add(paragraph(how))
        return section
    section.add(
        paragraph(_setting(evaluation, new)),
        paragraph(evaluation.outcome if _several(evaluation) else ALONE),
        *_scored(evaluation),
        _models(evaluation),
        bullets(f"{_capital(found.text)}." for found in evaluation.comparisons),
        paragraph(evaluation.overfitting or ""),
    )
    section.add(*_folds(evaluation, said=evaluation.overfitting is not None))
    notes = [*evaluation.notes, *(f"{one.name}: {text}" for one in evaluation.models for text in one.notes)]
    if notes:
        made = bullets(f"{_capital(text).rstrip('.')}." for text in notes)
        section.add(folded("Remarks on the comparison", made))
    return section


def _several(evaluation: Any) -> bool:
    return evaluation is not None and len(evaluation.models) > 1


def beside(evaluation: Any) -> str:
    """The heading of the section on how good a model is: of what stands beside it only where something does."""
    return "How good it is, beside what else one would try" if _several(evaluation) else "How good it is"


def _scored(evaluation: CrossValidation) -> list[Html]:
    """The scores as a picture, where there is something to compare and enough to compare it by."""
    if not _several(evaluation) or len(evaluation.rows) < _FEWEST_COMPARED:
        return []
    measure = evaluation.ranked_by
    return [
        figure(
            lambda width: models_scored(evaluation, width=width),
            "models",
            f"{measure.title} of each model; {measure.better_words}. Intervals: {evaluation.interval_method}.",
        )
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _setting(evaluation: CrossValidation, new: bool | None) -> str:
    count, folds = len(evaluation.rows), len(evaluation.sizes)
    rows = f"{count:,} {evaluation.noun}" if count != 1 else f"1 {evaluation.noun.removesuffix('s')}"
    if evaluation.split == "held out":
        train = evaluation.sizes[0][0]
        fitted = f" The baselines were fitted on its {train:,} training {evaluation.noun}." if train else ""
        if not new:
            return f"This very model, asked about {rows}. {OLD if new is False else UNKNOWN}{fitted}"
        return f"This very model, asked about {rows} that it was not trained on.{fitted}"
    return (
        f"In {folds} {evaluation.split} folds, each time fitted anew, codecs and all, on the other folds, all models "
        f"were asked about {rows}. The model of this page has learned from all of them."
    )


def _models(evaluation: CrossValidation) -> Html:
    rows, shown = evaluation.table(), evaluation.shown
    body = []
    for row in rows:
        cells: list[Any] = [row["model"]]
        for each in shown:
            said: Any = each.show(row.get(each.key))
            if each.key == evaluation.measure and row["low"] is not None and math.isfinite(row["low"]):
                low, high = (each.show(row[end]).removesuffix(" %") for end in ("low", "high"))
                said = Html(f"{said}{element('small', f'{low}–{high}')}")
            cells.append(said)
        body.append([*cells, f"{significant(row['fit_seconds'], 2)} s" if row["fit_seconds"] >= 0.01 else "< 0.01 s"])
    ours = [i for i, row in enumerate(rows) if row["model"] == evaluation.models[0].name]
    return table(["model", *(each.name for each in shown), "fit"], body, strong=ours)


def _folds(evaluation: CrossValidation, *, said: bool) -> list[Html]:
    """The folds, folded away; of one alone its score on training data, unless that was `said` already."""
    measure = evaluation.ranked_by
    found = evaluation.models[0].folds.get(measure.key, [])
    train = evaluation.train.get(measure.key, [])
    if len(found) < 2:
        if not train or said:
            return []
        return [paragraph(f"On its own training {evaluation.noun} its {measure.name} is {measure.show(train[0])}.")]
    rows = []
    for number, (value, (n_train, n_test)) in enumerate(zip(found, evaluation.sizes, strict=True)):
        more = [measure.show(train[number])] if train else []
        rows.append([str(number + 1), f"{n_train:,}", f"{n_test:,}", measure.show(value), *more])
    headings = ["fold", "trained on", "tested on", measure.name, *(["the same on training data"] if train else [])]
    made = table(headings, rows)
    return [folded("Fold by fold", made)]


def per_class(measures: Measures, what: str, *, shown: int = 12) -> Html:
    """Precision, recall and F1 of each class, the most frequent first."""
    met = _met(measures)
    found = sorted(
        (row for row, kept in zip(measures.per_class, met, strict=True) if kept), key=lambda row: -row["support"]
    )
    rows = [[row["class"], *(percent(row[name], 1) for name in ("precision", "recall", "f1")), f"{row['support']:,.0f}"]
            for row in found]  # fmt: skip
    left = len(met) - len(found)
    others = f"{left:,} others" if left > 1 else "One other"
    do = "neither occur here nor were" if left > 1 else "neither occurs here nor was"
    said = paragraph(f"{others} {do} answered.") if left else ""
    return Html(table([what, "precision", "recall", "F1", "there are"], rows, shown=shown) + said)


def _met(measures: Measures) -> list[bool]:
    """Which classes occur or were answered; all where that is not known."""
    counts = measures.confusion
    if counts is None or len(counts) != len(measures.per_class):
        return [True] * len(measures.per_class)
    return ((counts.sum(0) + counts.sum(1)) > 0).tolist()


def confusions(measures: Measures, noun: str = "class") -> list[Html]:
    """The confusion matrix as a picture, and in words what is most often taken for what."""
    if measures.confusion is None:
        return []
    met = np.flatnonzero(_met(measures)) if len(measures.per_class) == len(measures.confusion) else slice(None)
    counts = measures.confusion[met][:, met]
    classes = np.array([*measures.classes, None], object)[:-1][met].tolist()
    k = len(counts)
    if k < 2:
        return []
    return [
        figure(
            lambda width: confusion(counts, classes, width=width),
            "confusion",
            f"Each row is a true {noun}, each column an answer; numbers are the share of the row in %"
            f", with counts where there is room. Blue is right, vermilion wrong.{in_order(k, noun=noun)}",
        ),
        _most_common(counts, classes) if k > 2 else Html(),
    ]


def _most_common(counts: NDArray[np.int64], classes: list[Any]) -> Html:
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong.ravel(), kind="stable")[:_CONFUSIONS]
    totals = counts.sum(1)
    rows = [
        [classes[i], classes[j], f"{wrong[i, j]:,}", percent(wrong[i, j] / totals[i], 0)]
        for i, j in (divmod(int(place), len(counts)) for place in order)
        if wrong[i, j]
    ]
    if not rows:
        return Html()
    return Html(
        element("h3", "What is most often taken for what")
        + table(["is", "answered", "times", "share of those that are"], rows, words=2, shown=6)
    )


def probabilities(measures: Measures, note: str) -> list[Html]:
    """ROC and precision–recall curves, and whether the probabilities come true."""
    parts: list[Html] = []
    if measures.roc:
        two = len(measures.classes) == 2
        others = (
            ""
            if two
            else ", each class against the rest" + (" (the six most frequent)" if len(measures.roc) > 6 else "")
        )
        parts += [
            element("h3", "How well its probabilities rank"),
            figure(
                lambda width: curves(measures, width=width),
                "curves",
                f"Left or above: the share found against the share of false alarms; then precision against recall"
                f"{others}. The numbers are the areas under the curves (1 is perfect; chance is 0.5 of the first).",
            ),
        ]
    if measures.reliability and measures.count >= _FEWEST:
        error = measures.values.get("calibration_error", math.nan)
        parts += [
            element("h3", "Whether its probabilities can be believed"),
            paragraph(
                f"On average a probability is {percent(error, 1)} off the share of answers that are right "
                "(expected calibration error, 15 bins).",
                note,
            ),
        ]
        if sum(found["count"] >= FEWEST for found in measures.reliability) > 1:
            parts.append(
                figure(
                    lambda width: reliability(measures.reliability, width=width),
                    "reliability",
                    f"Answers by their probability, in groups of {FEWEST} and more, large dots for many. Below the "
                    "dotted line it is too sure of itself, above it too unsure.",
                )
            )
    return parts


def headline(evaluation: CrossValidation | None, measures: Measures | None, noun: str, new: bool | None = True) -> str:
    """How good it is, in a sentence or two; "" where that is not known."""
    if new is False:
        return ""
    if evaluation is not None:
        measure, value, measures = evaluation.ranked_by, evaluation.score, evaluation.models[0].measures
        found = evaluation.models[0].intervals[measure.key]
        number, unit = len(evaluation.rows), evaluation.noun
        band = ""
        if math.isfinite(found.low):
            low, high = (measure.show(end) for end in (found.low, found.high))
            band = f" ({percent(evaluation.level)} interval {low.removesuffix(' %')} to {high})"
    elif measures is not None:
        measure, band, number, unit = measure_of(measures.shown[0]), "", measures.count, ""
        value = measures.values[measure.key]
    else:
        return ""
    rows = counted(number, noun) if not unit else f"{number:,} {unit}" if number != 1 else f"1 {unit.removesuffix('s')}"
    # Where rows hold several answers each, no row is right or wrong as a whole.
    phrase = measure.phrase if measures.count == number else "{title} {value} on {rows}"
    said = phrase.format(title=measure.title, value=measure.show(value), rows=rows)
    return f"{said} that it had not seen{band}." if new else f"{said}{band}. {UNKNOWN}"
