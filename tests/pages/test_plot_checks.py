"""What every picture of the inner life refuses, and where it puts the names of its steps."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_svg import FigureCanvasSVG

from memorycell import plot
from memorycell.insight.explanation import Explanation
from memorycell.insight.gradient_flow import Flow, GradientFlow
from memorycell.insight.lookback import Lookback
from memorycell.insight.memory import memory
from memorycell.insight.projection import project
from memorycell.insight.states import States
from memorycell.layers import LSTM
from memorycell.pages.drawing import NARROW, WIDE
from memorycell.pages.plots.steps import _evenly

WIDTHS = pytest.mark.parametrize("width", [WIDE, NARROW])


def traced():
    with torch.no_grad():
        return LSTM(2, 5, batch_first=True).trace(torch.randn(1, 7, 2))


def explanation(scores, labels=None) -> Explanation:
    scores = np.asarray(scores, float)
    labels = np.arange(len(scores)) if labels is None else labels
    return Explanation("occlusion", "score", float(scores.sum()), labels, scores, {"residual": 0.0})


def of_each_kind() -> dict[str, tuple]:
    """What each of these pictures is drawn of."""
    back = Lookback(np.array([2.0, 1.0, 0.0]), np.arange(3), np.array([1.0, 0.9, 0.1]), 0.95, 0.0, 1)
    flow = GradientFlow((Flow("RNN", "hidden", np.array([[1.0, 0.5]])),), 8, 1, 1)
    points = project(States(np.array([[0, 0], [3, 0], [0, 1], [3, 1]], np.float32), np.array([0, 4])))
    return {
        "attribution": (explanation([1.0]),), "compare_attributions": ([explanation([1.0])],), "gates": (traced(),),
        "cell_traces": (traced(),), "cell": ("GRU",), "memory_lengths": (memory(traced()),), "lookback": (back,),
        "gradient_flow": (flow,), "attention": ([0.1, 0.9],), "states": (points,),
    }  # fmt: skip


@pytest.mark.parametrize("name", of_each_kind())
@pytest.mark.parametrize(
    ("width", "error"),
    [(0, ValueError), (-3, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("wide", TypeError),
     (None, TypeError), (True, TypeError)],
)  # fmt: skip
def test_a_width_is_a_number_above_zero(name, width, error) -> None:
    with pytest.raises(error, match="expected a width in pixels"):
        getattr(plot, name)(*of_each_kind()[name], width=width)
    assert getattr(plot, name)(*of_each_kind()[name], width=np.float32(300)).get_figwidth() * 72 == 300


@pytest.mark.parametrize("name", sorted(set(of_each_kind()) - {"cell", "attention"}))
@pytest.mark.parametrize("thing", ["text", 3, None])
def test_a_thing_of_another_kind_is_refused_by_name(name, thing) -> None:
    with pytest.raises(TypeError, match=rf"expected .*, got {type(thing).__name__}$"):
        getattr(plot, name)(thing)


@pytest.mark.parametrize(("steps", "apart", "places"), [
    (1, 9, [0]), (2, 0.7, [0, 1]), (2, 2, [1]), (10, 2.1, [0, 3, 6, 9]), (10, 5, [0, 9]), (12, 3.5, [3, 7, 11]),
    (13, 1, [0, 3, 6, 9, 12]), (50, 9, [10, 23, 36, 49]), (3, 1.5, [0, 2]), (8760, 1000, [0, 2920, 5839, 8759]),
])  # fmt: skip
def test_dates_stand_equally_far_apart(steps, apart, places) -> None:
    assert _evenly(steps, apart, 1.3 * apart).tolist() == places


@pytest.mark.parametrize("steps", [2, 5, 12, 13, 24, 168])
@WIDTHS
def test_names_of_hours_keep_apart(steps, width) -> None:
    hours = np.datetime64("2024-01-11T18:00") + np.arange(steps) * np.timedelta64(1, "h")
    figure = plot.attribution(explanation(np.ones(steps), hours), np.ones(steps), width=width)
    FigureCanvasSVG(figure)
    figure.draw_without_rendering()
    names = [tick.get_window_extent() for tick in figure.axes[-2].get_xticklabels()]
    assert len(names) >= 2 or steps == 2
    for left, right in pairwise(names):
        assert right.x0 - left.x1 > 8
