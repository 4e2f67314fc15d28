"""The report's sections on accuracy: errors beside the baselines, through time, and the intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from memorycell.evaluation.measures import measures_of
from memorycell.jobs.forecasting.measures.metrics import Coverage
from memorycell.jobs.forecasting.measures.result import Evaluation
from memorycell.jobs.forecasting.page.material import Material
from memorycell.jobs.forecasting.page.plots import (
    MOST_PANELS,
    calibration,
    errors_by_horizon,
    errors_through_time,
    forecast_fan,
    forecasts_through_time,
    models_compared,
)
from memorycell.pages.page import Html, Section, bullets, element, figure, folded, paragraph, table
from memorycell.pages.sections.scores import beside
from memorycell.pages.wording import counted, listing, percent, say_when, significant

_METRICS = measures_of("rmse", "mae", "smape", "mase", "crps")
_FEWEST_TIMES = 3  # origins in time that make a line
_MOST_TIMES = 3  # targets whose errors are drawn through time


def accuracy(material: Material, other: Evaluation | None = None) -> Section:
    """Errors of the model and of what one would try first; `other` is a second evaluation, shown briefly."""
    section, evaluation = Section("accuracy", beside(material.evaluation)), material.evaluation
    if evaluation is None:
        return section
    frequency = material.forecaster.codec_.frequency_
    section.add(
        paragraph(_setting(evaluation, frequency)),
        paragraph(evaluation.outcome),
    )
    if sum(np.isfinite(model.error) for model in evaluation.models) > 1:
        section.add(
            figure(
                lambda width: models_compared(evaluation, width=width),
                "models",
                f"{evaluation.measure} of each model over the whole horizon; {evaluation.ranked_by.better_words}.",
            )
        )
    section.add(*_tables(evaluation, material))
    section.add(bullets(_sentence(verdict.text) for verdict in evaluation.verdicts))
    notes = [f"{one.name}: {text}" for one in evaluation.models for text in one.notes]
    notes += [
        *evaluation.notes,
        *dict.fromkeys(text for scores in evaluation.models[0].scores for text in scores.notes),
    ]
    if notes:
        section.add(folded("How the baselines were set up", bullets(notes)))
    if other is not None:
        section.add(
            element("h3", "This very model, on rows after its training data"),
            paragraph(_setting(other, frequency), other.outcome),
            *_tables(other, material),
        )
    return section


def _setting(evaluation: Evaluation, frequency: Any) -> str:
    ahead = counted(evaluation.horizon, "step")
    first, last = min(fold.first for fold in evaluation.folds), max(fold.last for fold in evaluation.folds)
    folds = len(evaluation.folds)
    clock = frequency.on(None)  # folds are dated by the clocks of their zone
    how = "All were fitted on the rows before these, and asked at the same origins."
    if evaluation.refitted and folds > 1:
        how = f"In {folds} folds, each time fitted anew on the rows before, all were asked at the same origins."
    return (
        f"{counted(len(evaluation.fold), 'forecast')} of {ahead}, of what came from "
        f"{say_when(first, clock)} to {say_when(last, clock)}. {how}"
    )


def _tables(evaluation: Evaluation, material: Material) -> list[Html]:
    """A table per target, models by error."""
    rows, parts = evaluation.table(), []
    targets = [scores.target for scores in evaluation.models[0].scores]
    for target in targets[:MOST_PANELS]:
        mine = [row for row in rows if row["target"] == target]
        metrics = {each.key: each.name for each in _METRICS if any(row.get(each.key) is not None for row in mine)}
        interval = next((row["interval"] for row in mine if row["interval"] is not None), None)
        held = [f"held by {percent(interval)}"] if interval else []
        body = [
            [
                row["model"],
                *(significant(row.get(key)) for key in metrics),
                *([_held(row)] if interval else []),
                _fit(row, material),
            ]
            for row in mine
        ]
        ours = [i for i, row in enumerate(mine) if row["model"] == evaluation.models[0].name]
        if len(targets) > 1:
            parts.append(element("h3", target))
        parts.append(table(["model", *metrics.values(), *held, "fit"], body, strong=ours))
    unit = material.unit or (f"units of {targets[0]}" if len(targets) == 1 else "units of the target")
    in_units = listing([name for key, name in metrics.items() if key in ("rmse", "mae", "crps")])
    parts.append(element("p", f"{in_units} in {unit}{_explain(metrics)}.", class_="muted"))
    if len(targets) > MOST_PANELS:
        parts.append(paragraph(f"{counted(len(targets) - MOST_PANELS, 'more target')} not shown."))
    return parts


def _explain(metrics: dict[str, str]) -> str:
    said = {
        "smape": "sMAPE in %",
        "mase": "MASE: 1 is the seasonal naive forecast's error in the training data",
        "crps": "CRPS judges the whole distribution",
    }
    return "".join(f"; {text}" for key, text in said.items() if key in metrics)


def _held(row: dict[str, Any]) -> Any:
    if row["coverage"] is None:
        return "–"
    low, high = row["coverage_low"], row["coverage_high"]
    if low is None or not np.isfinite(low):
        return percent(row["coverage"], 1)
    band = element("small", f"{100 * low:.1f}–{100 * high:.1f}")
    return Html(f"{percent(row['coverage'], 1)}{band}")


def _fit(row: dict[str, Any], material: Material) -> str:
    seconds = row["fit_seconds"]
    if not seconds and row["model"] == material.forecaster.cell:
        seconds = material.forecaster.train_seconds_  # it came fitted
    return f"{significant(seconds, 2)} s" if seconds >= 0.01 else "< 0.01 s"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text and text[0].islower() else f"{text}."


def errors(material: Material) -> Section:
    """Errors by horizon and through time."""
    section = Section("errors", "Errors by horizon and through time")
    evaluation = material.evaluation
    if evaluation is None:
        return section
    count = len(evaluation.models[0].scores)
    if evaluation.horizon > 1:
        for k in range(min(count, MOST_PANELS)):
            section.add(_by_horizon(evaluation, k))
        if count > MOST_PANELS:
            section.add(paragraph(f"{counted(count - MOST_PANELS, 'more target')} not drawn."))
    for k in range(min(count, _MOST_TIMES)):
        section.add(*_through_time(evaluation, k, material))
    if count > _MOST_TIMES:
        section.add(paragraph(f"Through time only {_MOST_TIMES} of {count} targets are drawn."))
    return section


def _by_horizon(evaluation: Evaluation, k: int) -> Html:
    return figure(
        lambda width: errors_by_horizon(evaluation, target=k, width=width),
        f"horizon-{k}",
        "How the error grows with the distance: RMSE at each step ahead.",
    )


def _through_time(evaluation: Evaluation, k: int, material: Material) -> list[Html]:
    ours = evaluation.models[0].forecasts
    made = []
    if len(np.unique(ours.origin_dates)) >= _FEWEST_TIMES:
        made += [
            figure(
                lambda width: forecasts_through_time(ours, target=k, unit=material.unit, width=width),
                f"track-{k}",
                "Forecasts of the next step, made one after the other, and what came.",
            ),
            figure(
                lambda width: errors_through_time(evaluation, target=k, width=width),
                f"time-{k}",
                "Mean absolute error over the horizon, by the date it was forecast from.",
            ),
        ]
    complete = np.flatnonzero(np.isfinite(ours.actual[:, :, k]).all(1))
    if k == 0 and evaluation.horizon > 1 and len(complete):
        row = int(complete[-1])
        when = say_when(ours.origin_dates[row], material.forecaster.codec_.frequency_)
        made.append(
            figure(
                lambda width: forecast_fan(
                    ours, material.encoded, rows=[row], targets=[k], unit=material.unit, width=width
                ),
                "example",
                f"The last forecast whose outcome is known, made from {when}, and what came.",
            )
        )
    return made


def calibrated(material: Material) -> Section:
    """Whether the intervals held what they promised."""
    section = Section("calibration", "Whether the intervals can be believed")
    evaluation = material.evaluation
    if evaluation is None or not evaluation.models[0].forecasts.levels:
        return section
    scores = evaluation.models[0].scores
    if not np.isfinite(evaluation.models[0].forecasts.actual).any():
        return section
    section.add(
        bullets(
            _say_coverage(share, f"{one.target}: " if len(scores) > 1 else "")
            for one in scores[:MOST_PANELS]
            for share in one.coverage
        ),
        figure(
            lambda width: calibration(evaluation, width=width),
            "calibration",
            "Tick: the share it should hold. Dot: the share it held. Bar: where the dot could as well lie by "
            "chance (95 %, block bootstrap).",
        ),
    )
    return section


def _say_coverage(share: Coverage, prefix: str) -> str:
    held = f"{prefix}The {percent(share.nominal)} interval held {percent(share.observed, 1)} of what came"
    if share.agrees is None:
        return f"{held}; there are too few origins to say how far chance goes."
    band = f"(by chance {percent(share.low, 1)} to {percent(share.high, 1)})"
    if share.agrees:
        return f"{held} {band}: as it should."
    wrong = "wider than it needs to be" if share.observed > share.nominal else "too narrow, trust it less"
    return f"{held} {band}: it is {wrong}."
