"""What charts carry for the pointer: the data themselves, once, and no more than a page can hold."""

import base64
import html
import json

import numpy as np
import pytest

from memorycell.evaluation.class_metrics import Measures
from memorycell.jobs.forecasting.page.plots import overview
from memorycell.pages.drawing import canvas, inline_svg
from memorycell.pages.page import figure
from memorycell.pages.plots.classes import confusion, curves, histogram, predicted_and_true
from memorycell.pages.plots.network import learning_curve
from memorycell.pages.plots.traces import gates
from memorycell.pages.pointer import Line, readings, tell_lines, tell_map, tell_notes, telling


def told(*, key="wide", **pictures):
    """What the pictures tell, as the script reads it."""
    return json.loads(html.unescape(readings(**pictures) or "null"))


def places(packed):
    first, steps, *count = packed
    return (first + np.arange(count[0]) * steps if count else first + np.concatenate([[0], np.cumsum(steps)])).tolist()


def test_lines_tell_their_values_and_where_they_stand():
    values = np.array([20.7, np.nan, 17.9])
    drawn, (ax,) = canvas(200, 100)
    ax.plot(np.datetime64("2024-03-01") + np.arange(3), values)
    tell_lines(ax, np.datetime64("2024-03-01") + np.arange(3), {"temp": Line("ink", values)}, called="step")
    svg = inline_svg(drawn, "f", "temperatures")
    found = told(wide=drawn)
    (lines,) = found["data"]
    assert lines["as"] == "day" and lines["zoom"] is False
    assert places(lines["x"]) == [1709251200 + 86400 * day for day in range(3)]
    assert lines["series"] == [{"name": "temp", "colour": "ink", "digits": 1, "values": [20.7, None, 17.9]}]
    ((which, (left, top, right, bottom), x, y, log),) = found["wide"]
    assert which == 0 and 0 < left < right <= 200 and 0 < top < bottom < 100 and log == [False, False]
    assert x[0] <= lines["x"][0] < x[1] and y[0] <= 17.9 < y[1]
    assert 'data-axes="0"' in svg and 'class="ticks"' in svg


@pytest.mark.parametrize(
    "x, packed",
    [
        (np.arange(5), [0, 1, 5]),
        (np.array([0, 1, 4]), [0, [1, 3]]),
        (np.array(["2024-01-01", "2024-02-01", "2024-03-01"], "datetime64[D]"), [1704067200, [2678400, 2505600]]),
        (np.array(["2024-01-01T06", "2024-01-01T07"], "datetime64[h]"), [1704088800, 3600, 2]),
        (np.array([0.5]), [0.5, 1, 1]),
    ],
)
def test_places_are_packed(x, packed):
    drawn, (ax,) = canvas(200, 100)
    tell_lines(ax, x, {"": Line("ink", np.ones(len(x)))})
    assert told(wide=drawn)["data"][0]["x"] == packed


def test_what_a_page_and_a_phone_tell_alike_is_held_once():
    made = figure(
        lambda width: learning_curve([{"epoch": k, "loss": 1 / k} for k in (1, 2, 3)], width=width), "f", "Loss."
    )
    found = json.loads(html.unescape(made.split("data-readings='")[1].split("'")[0]))
    assert len(found["data"]) == 1 and found["wide"][0][1] != found["narrow"][0][1]
    assert found["data"][0]["series"][0]["values"] == [1, 0.5, 0.3333]


def test_a_map_tells_its_values_as_finely_as_its_colours():
    drawn, (ax,) = canvas(200, 100)
    values = np.array([[0.0, 0.5, np.nan], [1.0, 0.25, 0.75]])
    tell_map(ax, values, ["unit 4", "unit 1"], ["so", "\n", "good"])
    (found,) = told(wide=drawn)["data"]
    assert found["rows"] == ["unit 4", "unit 1"] and found["columns"] == ["so", "line break", "good"]
    levels = np.frombuffer(base64.b64decode(found["levels"]), np.uint8).reshape(2, 3)
    assert levels[0, 2] == 255 and found["digits"] == 2
    read = found["ends"][0] + levels / 254 * (found["ends"][1] - found["ends"][0])
    np.testing.assert_allclose(read[np.isfinite(values)], values[np.isfinite(values)], atol=0.5 / 254 + 1e-9)


@pytest.mark.parametrize(
    ("values", "told_of"), [(np.full((2, 2), np.nan), 0), (np.zeros((2, 2)), 1), (np.zeros((300, 300)), 0)]
)
def test_a_map_that_is_empty_or_too_large_tells_nothing(values, told_of):
    drawn, (ax,) = canvas(200, 100)
    tell_map(ax, values, range(len(values)), range(len(values)))
    assert len(telling(drawn)) == told_of


def test_gates_tell_the_units_by_their_own_numbers():
    arrays = {key: np.zeros((1, 1, 1, 5, 3)) for key in ("forget", "input", "output", "cell", "hidden")}
    arrays["forget"][..., :] = [0.1, 0.9, 0.5]
    found = told(wide=gates(arrays, labels=list("abcde")))
    assert len(found["wide"]) == 4 and found["data"][0]["rows"] == ["unit 1", "unit 2", "unit 0"]
    assert found["data"][0]["columns"] == list("abcde")


def test_curves_tell_what_is_drawn():
    roc = {"class": "a", "area": 0.75, "x": [0.0, 0.0, 0.5, 1.0], "y": [0.0, 0.5, 0.5, 1.0]}
    precise = {"class": "a", "area": 0.8, "x": [1.0, 0.5, 0.5, 0.0], "y": [0.5, 0.6, 1.0, 1.0]}
    measures = Measures(4, ["a", "b"], {"accuracy": 0.5}, [], roc=[roc], precision_recall=[precise])
    found = told(wide=curves(measures))
    rates, precision = (each["series"][0]["values"] for each in found["data"])
    assert (rates[0], rates[50], rates[75], rates[100]) == (0.5, 0.5, 0.75, 1)
    assert (precision[0], precision[50], precision[51], precision[100]) == (1, 1, 0.5, 0.5)
    assert found["data"][0]["as"] == "false positive rate:" and found["data"][1]["as"] == "recall:"


def test_hostile_names_stay_in_their_attribute():
    name = "'><script>alert(1)</script>\u202e&\""
    drawn, (ax,) = canvas(200, 100)
    tell_lines(ax, np.arange(2), {name: Line("ink", np.arange(2.0))}, labels=[name, "\n"])
    text = readings(wide=drawn)
    assert "<" not in text and "'" not in text and "\u202e" not in text
    (lines,) = told(wide=drawn)["data"]
    assert lines["series"][0]["name"].startswith("'><script>alert(1)</script>") and lines["labels"][1] == "line break"


def test_a_matrix_tells_every_cell_and_a_histogram_its_bars():
    counts = np.array([[8, 2], [1, 9]])
    (cells,) = told(wide=confusion(counts, ["no\n", "yes"]))["data"]
    assert cells["counts"] == counts.tolist() and cells["totals"] == [10, 10] and cells["rows"] == ["no⏎", "yes"]
    (bars,) = told(wide=histogram([1, 1, 2, 5], "words"))["data"]
    assert bars["labels"][0] == "1 words" and bars["series"][0]["values"] == [2, 1, 0, 0, 1]


def test_dots_tell_what_they_are_until_there_are_too_many():
    true, predicted = np.array([1.0, 2.0]), np.array([1.5, 1.25])
    found = told(wide=predicted_and_true(true, predicted))["data"]
    assert found[0]["notes"] == [[1, 1.5, "predicted 1.500\ntrue 1.000"], [2, 1.25, "predicted 1.250\ntrue 2.000"]]
    assert told(wide=predicted_and_true(np.arange(900.0), np.arange(900.0))) is None
    drawn, (ax,) = canvas(200, 100)
    tell_notes(ax, [(np.nan, 0, "nowhere"), (1, 2, "here")])
    assert told(wide=drawn)["data"][0]["notes"] == [[1, 2, "here"]]


def test_a_hundred_thousand_points_stay_a_small_part_of_a_page(encoded):
    made = overview(encoded(100_000))
    text = readings(wide=made)
    assert len(text) < 30_000
    (lines,) = told(wide=made)["data"]
    assert lines["zoom"] and len(places(lines["x"])) == len(lines["series"][0]["values"]) <= 1600


def test_a_picture_that_tells_nothing_carries_nothing():
    drawn, _ = canvas(200, 100)
    assert readings(wide=drawn) == "" and telling(drawn) == []
    assert "data-readings" not in figure(lambda width: canvas(width, 60)[0], "f", "Nothing.")
