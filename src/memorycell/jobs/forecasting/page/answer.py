"""What a forecaster answered: the beginning of the page that explains it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from memorycell.insight.asking import class_index
from memorycell.insight.explained import Explained
from memorycell.jobs.forecasting.explained import located
from memorycell.jobs.forecasting.page.plots import forecast_fan
from memorycell.jobs.forecasting.page.words import say_interval
from memorycell.jobs.forecasting.reading import TableSamples
from memorycell.pages.drawing import label
from memorycell.pages.explaining.answers import Answer
from memorycell.pages.page import figure
from memorycell.pages.wording import fixed, say_when


def forecast(model: Any, samples: TableSamples, explained: Explained, where: Mapping[str, Any]) -> Answer:
    """See `Job.answer`."""
    encoded, origin = located(model, samples, where.get("at"), where.get("series"), where.get("row"))
    target, step = where.get("target"), where.get("step", 1) - 1
    names = list(encoded.target_names)
    k = 0 if target is None else class_index(names, target, "targets")
    forecasts = model.forecast_at(encoded, np.array([origin]))
    frequency = model.codec_.frequency_
    spread = float(np.nanstd(encoded.target_in_units()[:, k]))
    decimals = max(0, 2 - math.floor(math.log10(spread))) if spread > 0 else 2
    value, actual = float(forecasts.point[0, step, k]), float(forecasts.actual[0, step, k])
    interval = say_interval(forecasts.quantiles[0, step, k], forecasts.levels, decimals)
    when, seen = (say_when(date, frequency) for date in (forecasts.dates[0, step], encoded.dates[origin]))
    series = encoded.ids[int(forecasts.series[0])]
    which = names[k] + (f" of {series}" if len(encoded.ids) > 1 else "")
    lead = f"{which} at {when}, forecast at {seen}: {fixed(value, decimals)}{f', {interval}' if interval else ''}."
    came = f" It became {fixed(actual, decimals)}." if math.isfinite(actual) else ""
    several = len(encoded.ids) > 1 or len(names) > 1
    of = f" for {label(which, 60)}" if several else ""
    cards = {"explained": label(which, 60)} if several else {}
    cards |= {"forecast": fixed(value, decimals)}
    cards |= {"became": fixed(actual, decimals)} if came else {}
    cards |= {"last reading": fixed(float(encoded.target_in_units()[origin, k]), decimals)}
    caption = f"The past up to {seen}, and what was forecast from there."
    drawn = figure(lambda width: forecast_fan(forecasts, encoded, targets=[k], width=width), "answer", caption)
    return Answer(f"Why {fixed(value, decimals)}{of}?", lead + came, cards, [drawn])
