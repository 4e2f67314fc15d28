"""The page on a forecaster: what it learned, forecasts and is worth."""

from __future__ import annotations

from typing import Any

from memorycell.jobs.forecasting.measures.result import Evaluation
from memorycell.jobs.forecasting.page.accuracy import accuracy, calibrated, errors
from memorycell.jobs.forecasting.page.material import Material, gather, in_unit
from memorycell.jobs.forecasting.page.model import gate_activity, model, reproduction
from memorycell.jobs.forecasting.page.table import data, outlook
from memorycell.jobs.forecasting.page.words import forecast_sentence, verdict_sentence
from memorycell.jobs.forecasting.reading import TableSamples
from memorycell.pages.page import Page, Section
from memorycell.pages.sections.learner import cards
from memorycell.pages.sections.memory import remembering
from memorycell.pages.sections.model import learning
from memorycell.pages.wording import counted, listing, percent, significant

_FOOTER = "Errors and intervals are of the past: they tell of the future only as far as it resembles the past."


def page(
    forecaster: Any,
    samples: TableSamples,
    *,
    evaluation: Evaluation | None = None,
    backtest: Evaluation | None = None,
    seen: bool | None = None,
    unit: str | None = None,
    command: str | None = None,
) -> Page:
    """See `memorycell.write_report`.

    `seen` is not asked for: which rows are new, the end of the training tells row by row.
    """
    shown = evaluation if backtest is None else backtest
    material = gather(forecaster, samples, shown, unit, command)
    other = None if backtest is None else in_unit(evaluation, unit)
    targets = material.targets
    names = listing(targets) if len(targets) <= 3 else f"{targets[0]} and {len(targets) - 1} more"
    sections = [
        outlook(material), data(material), accuracy(material, other), errors(material), calibrated(material),
        learning(forecaster), gate_activity(material), _remembering(material), model(material), reproduction(material),
    ]  # fmt: skip
    return Page(f"Forecast of {names}", _lead(material), _cards(material), sections, _FOOTER)


def _remembering(material: Material) -> Section:
    if material.forecasts is None:
        return Section("memory", "")
    return remembering(material.forecaster, material.samples, "This forecaster")


def _lead(material: Material) -> str:
    said = []
    if material.forecasts is not None:
        said.append(forecast_sentence(material.forecasts, material.forecaster.codec_.frequency_, material.unit))
    if material.evaluation is not None:
        said.append(verdict_sentence(material.evaluation))
    else:
        said.append("How far to believe it was not measured here: evaluate it on rows that the model has not seen.")
    return " ".join(said)


def _cards(material: Material) -> dict[str, str]:
    """The few numbers that people look for first."""
    evaluation, shown = material.evaluation, {}
    if evaluation is not None:
        ours = evaluation.models[0]
        after = f" {material.unit}" if material.unit and evaluation.measure == "RMSE" else ""
        origins = counted(len(evaluation.fold), "origin")
        shown[f"{evaluation.measure}, {origins}"] = f"{significant(ours.error)}{after}"
        for share in ours.scores[0].coverage[:1]:
            shown[f"held by the {percent(share.nominal)} interval"] = percent(share.observed, 1)
    return cards(material.forecaster, shown)
