"""The page on a forecaster: what it learned, forecasts and is worth."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memorycell.data.tables.encoded import EncodedTable, Forecasts
from memorycell.data.tables.table import Table, read_table
from memorycell.jobs.forecasting.measures.result import Evaluation
from memorycell.jobs.forecasting.page.accuracy import accuracy, calibrated, errors
from memorycell.jobs.forecasting.page.table import data, outlook
from memorycell.jobs.forecasting.page.words import forecast_sentence, verdict_sentence
from memorycell.pages.page import Html, Section, document, element, facts
from memorycell.pages.sections.memory import remembering
from memorycell.pages.sections.model import gate_activity, learning, model, reproduction
from memorycell.pages.wording import counted, listing, percent, significant


@dataclass
class Material:
    """What the sections of a report are made of."""

    forecaster: Any
    table: Table
    encoded: EncodedTable
    forecasts: Forecasts | None
    why_not: str  # the reason where there are no forecasts
    evaluation: Evaluation | None  # the one shown in full
    backtest: bool  # whether that one refitted on the way
    future: Any
    unit: str | None
    command: str | None
    file: Path | None

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        return list(self.encoded.target_names)


def page(
    forecaster: Any,
    table: Any,
    *,
    evaluation: Evaluation | None = None,
    backtest: Evaluation | None = None,
    future: Any = None,
    unit: str | None = None,
    command: str | None = None,
) -> str:
    """The page as text; see `memorycell.write_report`."""
    shown = backtest if backtest is not None else evaluation
    file = Path(table) if isinstance(table, str | os.PathLike) else None
    read = read_table(table)
    encoded, forecasts, why_not = _forecast(forecaster, read, future)
    material = Material(
        forecaster, read, encoded, forecasts, why_not, _in_unit(shown, unit), backtest is not None, future,
        unit, command, file,
    )  # fmt: skip
    return _page(material, _in_unit(evaluation, unit) if backtest is not None else None)


def _forecast(forecaster: Any, table: Table, future: Any) -> tuple[EncodedTable, Forecasts | None, str]:
    """The table as the model sees it, the forecasts from its end, or why there are none."""
    try:
        encoded = forecaster.encode(table, future)
    except ValueError as error:
        if future is not None or not getattr(forecaster, "known_future", ()):
            raise
        return forecaster.codec_.encode(table), None, str(error)
    return encoded, forecaster.forecast_end(table, future), ""


def _in_unit(evaluation: Evaluation | None, unit: str | None) -> Evaluation | None:
    """The evaluation with errors said in `unit` instead of "units of temp"."""
    if evaluation is None or unit is None:
        return evaluation
    models = [replace(one, scores=[replace(scores, unit=unit) for scores in one.scores]) for one in evaluation.models]
    return replace(evaluation, models=models, unit=unit if evaluation.measure == "RMSE" else evaluation.unit)


def _page(material: Material, other: Evaluation | None) -> str:
    targets = material.targets
    few = len(targets) <= 3
    names = listing(targets) if few else f"{targets[0]} and {len(targets) - 1} more"
    sections = [
        outlook(material), data(material), accuracy(material, other), errors(material), calibrated(material),
        learning(material.forecaster), gate_activity(material),
        _remembering(material), model(material), reproduction(material),
    ]  # fmt: skip
    return document(f"Forecast of {names}", _header(material, names), sections, _footer())


def _remembering(material: Material) -> Section:
    if material.forecasts is None:
        return Section("memory", "")
    return remembering(material.forecaster, material.table, "This forecaster")


def _header(material: Material, names: str) -> Html:
    said = []
    if material.forecasts is not None:
        said.append(forecast_sentence(material.forecasts, material.forecaster.codec_.frequency_, material.unit))
    if material.evaluation is not None:
        said.append(verdict_sentence(material.evaluation))
    else:
        said.append("How far to believe it was not measured here: evaluate it on rows that the model has not seen.")
    return Html(
        element("p", "memorycell report", class_="eyebrow")
        + element("h1", f"Forecast of {names}")
        + element("p", " ".join(said), class_="lead")
        + facts(_cards(material), "cards")
    )


def _cards(material: Material) -> dict[str, str]:
    """The few numbers that people look for first."""
    forecaster, cards = material.forecaster, {}
    if material.evaluation is not None:
        ours = material.evaluation.models[0]
        cards[f"{material.evaluation.measure}, {counted(len(material.evaluation.fold), 'origin')}"] = significant(
            ours.error
        ) + (f" {material.unit}" if material.unit and material.evaluation.measure == "RMSE" else "")
        for share in ours.scores[0].coverage[:1]:
            cards[f"held by the {percent(share.nominal)} interval"] = percent(share.observed, 1)
    cards["trained in"] = f"{significant(forecaster.train_seconds_, 2)} s"
    cards["parameters"] = f"{forecaster.n_parameters_:,}"
    return cards


def _footer() -> Html:
    return element(
        "p",
        "Errors and intervals are of the past: they tell of the future only as far as it resembles the past.",
    )
