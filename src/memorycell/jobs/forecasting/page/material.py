"""What the sections of the page on a forecaster are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from memorycell.data.tables.encoded import EncodedTable, Forecasts
from memorycell.jobs.forecasting.measures.result import Evaluation
from memorycell.jobs.forecasting.reading import TableSamples


@dataclass
class Material:
    """What the sections of a report are made of.

    Attributes
    ----------
    encoded : the table as the model sees it
    forecasts : from its end; None where what must be known of the rows to come is not
    why_not : the reason where there are no forecasts
    evaluation : the one that is shown in full
    """

    forecaster: Any
    samples: TableSamples
    encoded: EncodedTable
    forecasts: Forecasts | None
    why_not: str
    evaluation: Evaluation | None
    unit: str | None
    command: str | None

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        return list(self.encoded.target_names)

    @property
    def refitted(self) -> bool:
        """Whether what is shown in full is of forecasters that were fitted on the way."""
        return self.evaluation is not None and self.evaluation.refitted


def gather(
    forecaster: Any, samples: TableSamples, evaluation: Evaluation | None, unit: str | None, command: str | None
) -> Material:
    """The table as the model sees it and the forecasts from its end, or why there are none."""
    codec, horizon = forecaster.codec_, forecaster.horizon
    why_not, forecasts = samples.lacking(codec, horizon), None
    if why_not:
        encoded = samples.observed(codec, horizon)
    else:
        encoded, forecasts = samples.ahead(codec, horizon), forecaster.forecast_end(samples)
    return Material(forecaster, samples, encoded, forecasts, why_not, in_unit(evaluation, unit), unit, command)


def in_unit(evaluation: Evaluation | None, unit: str | None) -> Evaluation | None:
    """The evaluation with errors said in `unit` instead of "units of temp"."""
    if evaluation is None or unit is None:
        return evaluation
    models = [replace(one, scores=[replace(scores, unit=unit) for scores in one.scores]) for one in evaluation.models]
    return replace(evaluation, models=models, unit=unit if evaluation.measure == "RMSE" else evaluation.unit)
