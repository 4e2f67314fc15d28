import numpy as np
import pytest
import torch

from memorycell.evaluation.adding_problem import AddingProblem, AddingResult
from memorycell.jobs.forecasting.page.plots import (
    calibration,
    errors_by_horizon,
    errors_through_time,
    forecast_fan,
    forecasts_through_time,
    models_compared,
    overview,
)
from memorycell.layers import GRU, LSTM, RNN
from memorycell.pages.drawing import NARROW, WIDE, inline_svg
from memorycell.pages.plots.network import adding_problem, learning_curve
from memorycell.pages.plots.traces import gates

WIDTHS = pytest.mark.parametrize("width", [WIDE, NARROW])


def drawn(figure) -> str:
    """The figure's SVG: everything in it was laid out and drawn."""
    return inline_svg(figure, "f", "a figure")


def titles(figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes]


@WIDTHS
def test_fan_shows_the_past_the_intervals_and_what_came(encoded, forecasts, width):
    table = encoded()
    svg = drawn(forecast_fan(forecasts(table, [50]), table, unit="°C", width=width))
    intervals = (">90 %, 50 %<",) if width == NARROW else (">90 % interval<", ">50 % interval<")
    for text in ("y (°C)", ">forecast<", *intervals, ">what came<"):
        assert text in svg


def test_fan_of_the_unknown_says_nothing_of_what_came(encoded, forecasts):
    table = encoded(horizon=3)
    assert "what came" not in drawn(forecast_fan(forecasts(table, [59]), table))


@pytest.mark.parametrize(
    "levels, intervals",
    [
        ((0.5,), []),
        ((0.1,), []),
        ((0.1, 0.9), ["80 %"]),
        ((0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99), ["98 %", "90 %", "80 %"]),
    ],
)
@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize("dated", [True, False])
def test_fan_of_any_levels_and_horizon(encoded, forecasts, levels, intervals, horizon, dated):
    table = encoded(dated=dated)
    svg = drawn(forecast_fan(forecasts(table, [50], horizon, levels=levels), table))
    assert [share for share in ("98 %", "90 %", "80 %", "50 %") if f"{share} interval" in svg] == intervals


def test_fan_without_history_and_after_a_gap(encoded, forecasts):
    table = encoded(missing=range(40, 52))
    ahead = forecasts(table, [50])
    assert len(forecast_fan(ahead).axes) == 1
    assert "what came" in drawn(forecast_fan(ahead, table))


def test_fan_draws_six_panels_and_says_how_many_are_left_out(encoded, forecasts):
    table = encoded(targets=[f"t{i}" for i in range(4)], ids=["a", "b"])
    figure = forecast_fan(forecasts(table, [50, 110]), table)
    assert len(figure.axes) == 6 and titles(figure)[:2] == ["a: t0", "a: t1"]
    assert "2 more forecasts are not drawn" in drawn(figure)


def test_fan_takes_the_last_origin_of_each_series_unless_told(encoded, forecasts):
    table = encoded(ids=["a", "b"])
    many = forecasts(table, [30, 40, 90, 100])
    assert titles(forecast_fan(many, table)) == ["a: y", "b: y"]
    assert titles(forecast_fan(many, table, rows=[2])) == ["b: y"]


@WIDTHS
def test_overview_shades_the_splits_and_marks_what_is_missing(encoded, width):
    splits = {
        "train": ("2024-01-01", "2024-01-31"),
        "validation": ("2024-02-01", "2024-02-04"),
        "calibration": ("2024-02-05", "2024-02-08"),
        "test": (np.datetime64("2024-02-09"), np.datetime64("2024-02-29")),
    }
    svg = drawn(overview(encoded(missing=[3, 4]), splits=splits, width=width))
    for name in ("validation", "calibration", "test"):
        assert f">{name}</text>" in svg
    assert ">train<" not in svg and "2 missing" in svg


def test_overview_of_steps_many_targets_and_nothing_known(encoded):
    figure = overview(encoded(dated=False, targets=[str(i) for i in range(9)]), splits={"test": ("40", "59")})
    assert len(figure.axes) == 6 and "3 more series are not drawn" in drawn(figure)
    assert "60 missing" in drawn(overview(encoded(missing=range(60))))


@WIDTHS
@pytest.mark.parametrize("draw", [errors_by_horizon, errors_through_time, models_compared])
def test_errors_name_every_model(encoded, evaluation, draw, width):
    svg = drawn(draw(evaluation(encoded(), folds=2), width=width))
    for name in ("LSTM", "last value", "ridge"):
        assert f">{name}</text>" in svg


@pytest.mark.parametrize("draw", [errors_by_horizon, errors_through_time, models_compared, calibration])
def test_errors_with_one_step_one_quantile_and_missing_outcomes(encoded, evaluation, draw):
    table = encoded(missing=[30, 31, 32, 45])
    assert drawn(draw(evaluation(table, horizon=1, levels=(0.5,))))


def test_errors_of_a_metric_that_was_not_measured_are_left_out(encoded, evaluation):
    assert drawn(errors_by_horizon(evaluation(encoded()), metric="mase"))


def test_the_best_model_is_on_top(encoded, evaluation):
    figure = models_compared(evaluation(encoded(), errors={"LSTM": 2.0, "ridge": 1.0}))
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["ridge", "LSTM"]
    assert figure.axes[0].yaxis_inverted()


@pytest.mark.parametrize("step", [1, 3])
def test_forecasts_through_time(encoded, forecasts, step):
    table = encoded(ids=["a", "b"])
    figure = forecasts_through_time(forecasts(table, [20, 21, 22, 80, 81]), step=step)
    assert titles(figure)[0].startswith("a: y, ") and "what came" in drawn(figure)


def test_calibration_has_a_row_an_interval(encoded, evaluation):
    def names(**options):
        figure = calibration(evaluation(encoded(**options.pop("table", {})), **options))
        assert drawn(figure)
        return [tick.get_text() for tick in figure.axes[0].get_yticklabels()]

    assert names() == ["90 %", "50 %"]
    assert names(levels=(0.1, 0.5)) == ["below q10", "below q50"]
    assert names(table={"targets": ["u", "v"]}) == ["u, 90 %", "u, 50 %", "v, 90 %", "v, 50 %"]
    assert len(names(table={"targets": [str(i) for i in range(8)]})) == 12


@pytest.mark.parametrize(
    "history, best, title",
    [
        ([{"epoch": 1, "loss": 1.0, "val_loss": 2.0}, {"epoch": 2, "loss": 0.5, "val_loss": 1.0}], 2, "loss"),
        ([{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": float("nan")}], 2, "loss"),
        ([{"epoch": 1, "loss": 1.0, "val_loss": None}], None, "loss"),
        ([{"epoch": i, "loss": 10.0**-i, "val_loss": 1.0} for i in range(4)], 0, "loss, logarithmic"),
        ([], None, "loss"),
    ],
)
def test_learning_curve(history, best, title):
    figure = learning_curve(history, best)
    svg = drawn(figure)
    assert titles(figure) == [title] and ("training" in svg) == bool(history)
    assert ("kept: epoch" in svg) == (best is not None and history[0].get("val_loss") is not None)


@WIDTHS
@pytest.mark.parametrize(
    "layer, panels",
    [(LSTM, ["forget", "input", "output", "cell"]), (GRU, ["update", "reset", "hidden"]), (RNN, ["hidden"])],
)
def test_gates(layer, panels, width):
    trace = layer(2, 5, num_layers=2, batch_first=True).trace(torch.randn(3, 7, 2))
    days = np.datetime64("2024-01-01") + np.arange(7)
    figure = gates(trace, dates=days, values=np.arange(14.0), name="<y>", width=width)
    assert [title.split()[0].rstrip(":,") for title in titles(figure)[1:]] == panels
    svg = drawn(figure)
    assert "2024-01-07" in svg and "&lt;y&gt;" in svg and svg.count("data:image/png") == len(panels)


def test_gates_of_one_sequence_one_step_one_unit():
    figure = gates(LSTM(1, 1).trace(torch.zeros(1, 1)))
    assert len(figure.axes) == 4 and "steps of the layer" in drawn(figure)


def test_gates_put_the_longest_memory_on_top():
    layer = LSTM(1, 3)
    with torch.no_grad():
        layer.bias_ih_l0[3:6] = torch.tensor([-5.0, 5.0, 0.0])
    picture = gates(layer.trace(torch.zeros(4, 1))).axes[0].images[0].get_array()
    opaque = picture[:, :, 3].mean(1)
    assert opaque[0] > opaque[1] > opaque[2]


@WIDTHS
def test_adding_problem_draws_every_cell_and_chance(width):
    runs = [
        AddingResult(cell, lag, 0.01, 100, 1.0, 9, [(50, 0.2), (100, 0.1 / lag)])
        for lag in (50, 400)
        for cell in ("RNN", "LSTM", "GRU")
    ]
    figure = adding_problem(AddingProblem(runs), width=width)
    assert titles(figure) == ["lag 50: mean squared error", "lag 400: mean squared error"]
    svg = drawn(figure)
    for name in ("RNN", "LSTM", "GRU", "chance"):
        assert svg.count(f">{name}</text>") == 2
