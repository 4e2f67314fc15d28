import numpy as np
import pytest

from memorycell.data.tables.times.frequency import Frequency
from memorycell.jobs.forecasting.page.words import forecast_sentence, say_interval, verdict_sentence
from memorycell.pages.wording import decimals_for, fixed, percent, say_when, significant


@pytest.mark.parametrize(
    "value, said",
    [(0, "0.00"), (-0.5, "−0.500"), (99_999, "99,999"), (float("inf"), "–"), (1e12, "1.00e+12"), (None, "–")],
)
def test_significant(value, said):
    assert significant(value) == said


@pytest.mark.parametrize("value, decimals, said", [(-0.04, 1, "0.0"), (-12.3, 0, "−12"), (1e13, 2, "1.000e+13")])
def test_fixed(value, decimals, said):
    assert fixed(value, decimals) == said


@pytest.mark.parametrize(
    "spread, decimals", [(0.0069, 4), (6.9, 1), (10, 1), (400, 0), (0.0, 1), (float("nan"), 1), (1e-30, 8)]
)
def test_decimals_follow_the_spread(spread, decimals):
    assert decimals_for([0.5, float("nan")], spread) == decimals


def test_decimals_of_nothing():
    assert decimals_for([float("nan")], float("nan")) == decimals_for([], 0.0)


@pytest.mark.parametrize("freq, said", [("MS", "May 2024"), ("YS", "2024"), ("D", "2024-05-01"), (None, "2024-05-01")])
def test_say_when(freq, said):
    assert say_when(np.datetime64("2024-05-01", "ns"), freq and Frequency.parse(freq)) == said


def test_no_interval_no_words():
    assert say_interval(np.array([1.0]), (0.5,), 1) == ""


@pytest.mark.parametrize(
    "freq, horizon, targets, start",
    [
        ("D", 1, ["temp"], "Next day (2024-02-20): temp "),
        ("15min", 1, ["temp"], "In 15 minutes (2024-02-20 00:00): temp "),
        (None, 3, ["temp"], "Next step (2024-02-20): temp "),
        ("D", 3, ["a", "b", "c", "d"], "Next day (2024-02-20): a "),
    ],
)
def test_forecast_sentence(encoded, forecasts, freq, horizon, targets, start):
    table = encoded(targets=targets)
    said = forecast_sentence(forecasts(table, [49], horizon), freq and Frequency.parse(freq), "°C")
    assert said.startswith(start) and said.endswith(".") and " °C, 90 % between " in said
    assert ("2024-02-22" in said) == (horizon == 3 and len(targets) == 1)
    assert ("(and 2 more targets)" in said) == (len(targets) == 4)


def test_forecast_sentence_of_many_series(encoded, forecasts):
    ahead = forecasts(encoded(ids=["a", "b"]), [50, 110])
    assert forecast_sentence(ahead, Frequency.parse("h")) == "2 series forecast over the next 3 hours."
    assert (
        forecast_sentence(ahead, Frequency.parse("15min")) == "2 series forecast over the next 3 steps of 15 minutes."
    )


def test_verdict_sentence(encoded, evaluation):
    table = encoded(100)
    said = verdict_sentence(evaluation(table, horizon=1))
    assert said.startswith("Better than last value by ") and said.endswith(
        "no difference from ridge that 40 origins could show."
    )
    few = verdict_sentence(evaluation(encoded(16), horizon=1))
    assert few == "Too few origins (15) to tell it from last value and ridge."
    beaten = verdict_sentence(evaluation(table, horizon=1, errors={"LSTM": 3.0, "ridge": 1.0}))
    assert beaten.startswith("A baseline wins: ridge")
    assert "no baseline" in verdict_sentence(evaluation(table, errors={"LSTM": 1.0}))


def test_percent_rounds_only_where_told():
    assert (percent(0.95), percent(0.975), percent(1 / 3), percent(1 / 3, 0)) == ("95 %", "97.5 %", "33.33 %", "33 %")
