"""Forecasts in plain words."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.encoded import Forecasts
from memorycell.data.tables.times.frequency import Frequency
from memorycell.jobs.forecasting.measures.metrics import central_levels
from memorycell.jobs.forecasting.measures.result import Evaluation
from memorycell.pages.wording import counted, decimals_for, fixed, listing, percent, say_when

_MOST_TARGETS = 2


def forecast_decimals(forecasts: Forecasts, k: int) -> int:
    """Decimals for a target's forecasts, by the width of their widest interval."""
    values = forecasts.point[:, :, k]
    shares = central_levels(forecasts.levels)
    spread = math.nan
    if shares:
        _, low, high = shares[0]
        widths = forecasts.quantiles[:, :, k, high] - forecasts.quantiles[:, :, k, low]
        widths = widths[np.isfinite(widths)]
        spread = float(np.median(widths)) if widths.size else math.nan
    return decimals_for(values, spread)


def say_interval(values: NDArray[np.float64], levels: tuple[float, ...], decimals: int) -> str:
    """The widest central interval of one forecast's quantiles (Q,); "" where there is none.

    Example
    -------
    >>> say_interval(np.array([8.9, 12.0, 15.8]), (0.05, 0.5, 0.95), 1)
    '90 % between 8.9 and 15.8'
    """
    for share, low, high in central_levels(levels)[:1]:
        ends = [fixed(float(values[i]), decimals) for i in (low, high)]
        return f"{percent(share)} between {ends[0]} and {ends[1]}"
    return ""


def forecast_sentence(forecasts: Forecasts, frequency: Frequency | None = None, unit: str | None = None) -> str:
    """What comes next, of one series: the first step, and of a single target the last one too.

    Of many series only how many there are is said.
    """
    after = f" {unit}" if unit else ""
    horizon = forecasts.point.shape[1]
    word = str(frequency or "step")
    single = word.split()[-1] if word[0].isdigit() else word
    if len(forecasts.point) != 1:
        steps = counted(horizon, word) if word == single else f"{counted(horizon, 'step')} of {word}"
        steps = f"the next {word if horizon == 1 else steps}"
        none = int(np.isnan(forecasts.point).all((1, 2)).sum())
        short = sum(map(bool, forecasts.reasons)) - none
        their = "its" if short == 1 else "their"
        rest = f"; {short:,} of them by {their} last values, too short for the network" if short > 0 else ""
        rest += f"; {none:,} more {'has' if none == 1 else 'have'} no value to forecast from" if none else ""
        return f"{counted(len(forecasts.point) - none, 'series')} forecast over {steps}{rest}."
    first = f"Next {single}" if word == single else f"In {word}"
    parts = [f"{first} ({say_when(forecasts.dates[0, 0], frequency)}): {_say_step(forecasts, 0, after)}"]
    if horizon > 1 and len(forecasts.target_names) == 1:
        last = say_when(forecasts.dates[0, -1], frequency)
        ahead = counted(horizon, single if word == single else "step")
        parts.append(f"{ahead} ahead ({last}): {_say_step(forecasts, horizon - 1, after)}")
    return "; ".join(parts) + "."


def _say_step(forecasts: Forecasts, step: int, unit: str) -> str:
    said = []
    for k, name in enumerate(forecasts.target_names[:_MOST_TARGETS]):
        decimals = forecast_decimals(forecasts, k)
        interval = say_interval(forecasts.quantiles[0, step, k], forecasts.levels, decimals)
        value = fixed(float(forecasts.point[0, step, k]), decimals)
        said.append(f"{name} {value}{unit}{f', {interval}' if interval else ''}")
    more = len(forecasts.target_names) - _MOST_TARGETS
    return "; ".join(said) + (f" (and {counted(more, 'more target')})" if more > 0 else "")


def verdict_sentence(evaluation: Evaluation) -> str:
    """Whether the forecaster is worth more than its baselines; says so when it is not."""
    if not evaluation.verdicts or evaluation.best is not evaluation.models[0]:
        return evaluation.outcome
    groups: dict[str, list[str]] = {}
    for verdict in evaluation.verdicts:
        size = f" by {percent(verdict.improvement, 0)}" if math.isfinite(verdict.improvement) else ""
        groups.setdefault(verdict.outcome, []).append(
            verdict.baseline + (size if verdict.outcome in ("better", "worse") else "")
        )
    origins = counted(len(evaluation.fold), "origin")
    said = []
    if "better" in groups:
        said.append(f"better than {listing(groups['better'])} ({evaluation.measure})")
    if "no difference" in groups:
        said.append(f"no difference from {listing(groups['no difference'])} that {origins} could show")
    if "too few" in groups:
        said.append(f"too few origins ({len(evaluation.fold):,}) to tell it from {listing(groups['too few'])}")
    if "worse" in groups:
        said.append(f"worse than {listing(groups['worse'])}")
    text = "; ".join(said) + "."
    return text[0].upper() + text[1:]
