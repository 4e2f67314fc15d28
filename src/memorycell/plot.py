"""plot: every picture, as functions that return a matplotlib figure, made without pyplot and its global state.

Each takes data and ``width`` in pixels (at 72 dots an inch: 720 fits a page, 340 a phone) and returns a
`matplotlib.figure.Figure`, which notebooks show and ``savefig("gates.svg")`` keeps. What one wants first,
``model.plot(data)`` draws. Colours are those of
Okabe & Ito (2008), lines differ in their dashes too, and texts of the user's are never read as TeX.
"""

from memorycell.jobs.forecasting.page.plots import (
    calibration,
    errors_by_horizon,
    errors_through_time,
    forecast_fan,
    forecasts_through_time,
    models_compared,
    overview,
)
from memorycell.pages.plots.attribution import attribution, compare_attributions
from memorycell.pages.plots.cell import cell, cell_numbers
from memorycell.pages.plots.classes import (
    class_counts,
    class_scores,
    confusion,
    curves,
    histogram,
    models_scored,
    predicted_and_true,
    reliability,
    surprise_through_text,
)
from memorycell.pages.plots.memory import gradient_flow, lookback, memory_lengths
from memorycell.pages.plots.network import adding_problem, learning_curve
from memorycell.pages.plots.patterns import attention, states
from memorycell.pages.plots.surprise import surprise_by_token
from memorycell.pages.plots.traces import cell_traces, gates

__all__ = [
    "adding_problem",
    "attention",
    "attribution",
    "calibration",
    "cell",
    "cell_numbers",
    "cell_traces",
    "class_counts",
    "class_scores",
    "compare_attributions",
    "confusion",
    "curves",
    "errors_by_horizon",
    "errors_through_time",
    "forecast_fan",
    "forecasts_through_time",
    "gates",
    "gradient_flow",
    "histogram",
    "learning_curve",
    "lookback",
    "memory_lengths",
    "models_compared",
    "models_scored",
    "overview",
    "predicted_and_true",
    "reliability",
    "states",
    "surprise_by_token",
    "surprise_through_text",
]
