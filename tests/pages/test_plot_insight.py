"""The pictures of what goes on inside: each draws what it says, of hostile names, gaps, one step and ten thousand."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import memorycell
from memorycell.insight.explanation import Explanation
from memorycell.insight.gradient_flow import Flow, GradientFlow
from memorycell.insight.lookback import Lookback
from memorycell.insight.memory import memory
from memorycell.insight.projection import project
from memorycell.insight.states import States
from memorycell.insight.tracing import trace_network
from memorycell.layers import GRU, LSTM, RNN
from memorycell.pages.drawing import NARROW, PALETTE, WIDE, inline_svg
from memorycell.pages.plots.steps import bands, step_ticks

plot = memorycell.plot
WIDTHS = pytest.mark.parametrize("width", [WIDE, NARROW])
HOSTILE = ["$x$", "<b>bold</b>", "", "a" * 300, "\n", "%s{}\\frac", "日本語"]
ESCAPED = ["$x$", "&lt;b&gt;", "(empty)", "aaa…", "⏎"]
T_LONG = 10_000


def drawn(figure) -> str:
    """The figure's SVG: everything in it was laid out and drawn."""
    return inline_svg(figure, "f", "a figure")


def titles(figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes]


def ticks(ax) -> list[str]:
    return [tick.get_text() for tick in ax.get_xticklabels()]


def traced(cell=LSTM, steps=7, **options):
    torch.manual_seed(0)
    with torch.no_grad():
        layer = cell(2, 5, batch_first=True, **options)
        return layer.trace(torch.randn(3, steps, 2), lengths=torch.tensor([steps, 1, 0]))


def explanation(scores, labels=None, terms=None, value=None, **options) -> Explanation:
    scores = np.asarray(scores, float)
    terms = {"bias": 0.5, "residual": -0.25} if terms is None else terms
    total = float(np.nansum(scores) + sum(terms.values())) if value is None else value
    labels = np.arange(len(scores)) if labels is None else labels
    return Explanation("occlusion", "score", total, labels, scores, terms, **options)


# ---------------------------------------------------------------------- the façade


def test_plot_is_a_public_module_of_pictures() -> None:
    assert plot.__name__ == "memorycell.plot" and plot.__all__ == sorted(plot.__all__)
    for name in set(plot.__all__) - {"cell_numbers"}:
        assert inspect.signature(getattr(plot, name)).parameters["width"].default == WIDE, name


# ---------------------------------------------------------------------- gates and cells


def test_every_panel_says_what_it_is() -> None:
    for cell, state in ((LSTM, "candidate"), (GRU, "new")):
        (title,) = titles(plot.cell_traces(traced(cell), states=[state]))
        assert title.startswith(state) and ": " in title


@pytest.mark.parametrize("draw", [plot.gates, plot.cell_traces])
@pytest.mark.parametrize("where", [{}, {"layer": 0}, {"layer": 1, "direction": 1}, {"layer": -2, "row": 1}])
def test_any_layer_direction_and_row(draw, where) -> None:
    figure = draw(traced(num_layers=2, bidirectional=True), **where)
    assert drawn(figure)
    assert figure.axes[-1].get_xlim() == ((-0.5, 0.5) if where.get("row") else (-0.5, 6.5))


def test_gates_draw_the_layer_that_was_asked_for() -> None:
    trace = traced(num_layers=2, bidirectional=True)
    lines = plot.cell_traces(trace, [3], layer=0, direction=1).axes[0].lines
    np.testing.assert_allclose(lines[0].get_ydata(), trace["cell"][0, 1, 0, :, 3].detach(), rtol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layer": 2}, "expected a layer from 0 to 1, got 2"),
        ({"layer": "top"}, "expected a layer among numbers: this trace has no names, got 'top'"),
        ({"direction": 1}, "expected direction 0, got 1"),
        ({"row": 3}, "expected a row from 0 to 2, got 3"),
        ({"row": 2}, "expected a sequence of at least one step, got row 2 with none"),
        ({"units": [0, 5]}, "expected a unit from 0 to 4, got 5"),
        ({"units": []}, "expected the number of at least one unit, got none"),
        ({"values": [[1.0]]}, "expected values of shape"),
        ({"values": []}, "expected values of shape"),
    ],
)
@pytest.mark.parametrize("draw", [plot.gates, plot.cell_traces])
def test_what_is_not_in_a_trace(draw, options, message) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        draw(traced(num_layers=2), **options)


def test_orders_states_and_counts_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="expected order to be one of kept, clustered, given, got 'best'"):
        plot.gates(traced(), order="best")
    with pytest.raises(ValueError, match=r"expected states among .*cell, got 'mood'"):
        plot.cell_traces(traced(), states=["mood"])
    with pytest.raises(ValueError, match="at most 6 units"):
        plot.cell_traces(traced(), [0, 1, 2, 3, 4, 0, 1])
    with pytest.raises(ValueError, match="expected a trace with a hidden state, got mood"):
        plot.gates({"mood": torch.zeros(1, 1, 1, 4, 2)})
    with pytest.raises(ValueError, match=r"expected gates \(layer, direction, batch, time, unit\), got \(3,\)"):
        plot.gates({"hidden": torch.zeros(3)})


def test_gates_of_a_whole_model_and_its_labels() -> None:
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"one": LSTM(2, 4, batch_first=True), "two": GRU(4, 3, batch_first=True)})
    x = torch.zeros(1, 3, 2)
    trace = trace_network(model, lambda: model["two"](model["one"](x)[0]), labels=[["so", "<good>", "$"]])
    assert titles(plot.gates(trace))[0].startswith("update gate")
    assert titles(plot.gates(trace, layer=0))[0].startswith("forget gate")
    named = plot.gates(trace, layer="one")
    assert titles(named)[0].startswith("forget gate") and ticks(named.axes[-1]) == ["so", "<good>", "$"]
    with pytest.raises(ValueError, match="expected a layer among one, two, got 'three'"):
        plot.gates(trace, layer="three")


def test_gates_of_a_selection_and_the_names_of_its_steps() -> None:
    trace = traced(num_layers=2).named(time=list("abcdefg"))
    chosen = trace.select(layer=1, direction=0, batch=0, time=slice("b", "e"), unit=[2, 4])
    figure = plot.gates(chosen)
    assert figure.axes[0].images[0].get_array().shape[:2] == (2, 4)
    assert ticks(figure.axes[-1]) == ["b", "c", "d", "e"]
    assert ticks(plot.gates(trace, row=1).axes[-1]) == ["a"]
    alone = {key: trace[key][1, 0, 0] for key in trace}
    assert titles(plot.gates(alone)) == titles(plot.gates(trace))


def test_a_projection_has_other_units_than_its_gates() -> None:
    trace = traced(proj_size=2)
    assert plot.gates(trace, order="clustered").axes[0].images[0].get_array().shape[0] == 5
    assert titles(plot.cell_traces(trace, [4])) == ["cell: what is remembered"]
    assert len(plot.cell_traces(trace, [1], states=["hidden"]).axes) == 1
    with pytest.raises(ValueError, match="of a projection: one at a time"):
        plot.cell_traces(trace, states=["cell", "hidden"])
    with pytest.raises(ValueError, match="got one with a projection"):
        plot.cell_numbers(trace, 0, 0)


@WIDTHS
def test_gates_of_words_by_name(width) -> None:
    figure = plot.gates(traced(steps=len(HOSTILE)), labels=HOSTILE, width=width)
    svg = drawn(figure)
    assert all(text in svg for text in ESCAPED) and "<b>" not in svg
    assert len(ticks(figure.axes[-1])) == len(HOSTILE)


@WIDTHS
def test_long_series_are_drawn_in_bands_of_pixels(width) -> None:
    trace = traced(steps=T_LONG)
    figure = plot.gates(trace, values=np.arange(float(T_LONG)), width=width)
    size = -(-T_LONG // (width - 70))
    assert f", means of {size} steps" in titles(figure)[1] and f", strongest of {size} steps" in titles(figure)[4]
    for ax in figure.axes[1:]:
        assert ax.images[0].get_array().shape[1] == -(-T_LONG // size)
    assert len(drawn(figure)) < 200_000
    lines = plot.cell_traces(trace, [1], width=width).axes[0].lines
    assert len(lines[0].get_xdata()) <= 1600
    assert lines[0].get_ydata().max() == pytest.approx(float(trace["cell"][0, 0, 0, :, 1].max()))


def test_bands_keep_a_single_spike_and_skip_gaps() -> None:
    values = np.zeros((1000, 1))
    values[617] = -7.0
    assert bands(values, 10, strongest=True)[0].min() == -7.0
    values[:150] = np.nan
    means, size = bands(values, 10, strongest=False)
    assert size == 100 and np.isnan(means[0, 0]) and means[1, 0] == 0 and means[6, 0] == pytest.approx(-0.07)


def test_chosen_units_are_named_and_clusters_stand_together() -> None:
    trace = traced()
    axes = plot.gates(trace, units=[4, 0]).axes
    assert [tick.get_text() for tick in axes[0].get_yticklabels()] == ["4", "0"]
    time = torch.linspace(0, 6, 50)
    waves = torch.stack([time.sin(), time.cos(), time.sin() + 0.01, time.cos() * 2, time.sin() * 3], -1)
    axes = plot.gates({"hidden": waves[None, None, None]}, order="clustered").axes
    above = axes[0].images[0].get_array()[:, 13, 3]  # at the crest of the sines the cosines are near zero
    high = above > 0.2
    assert high.sum() == 3 and np.abs(np.diff(high.astype(int))).sum() == 1


@pytest.mark.parametrize("cell, panels", [(LSTM, 2), (GRU, 1), (RNN, 1)])
def test_cell_traces_of_every_cell_one_step_and_one_unit(cell, panels) -> None:
    for trace in (traced(cell), traced(cell, steps=1), cell(1, 1).trace(torch.zeros(1, 1))):
        figure = plot.cell_traces(trace, values=[1.0], name="<$y$>")
        assert len(figure.axes) == panels + 1 and "&lt;$y$&gt;" in drawn(figure)


@pytest.mark.parametrize("draw", [plot.gates, plot.cell_traces])
def test_gaps_in_a_trace_are_drawn_as_gaps(draw) -> None:
    for gap in (slice(2, 4), slice(None)):
        values = {key: torch.rand(1, 1, 1, 9, 3) for key in ("forget", "hidden", "cell")}
        for value in values.values():
            value[..., gap, :] = float("nan")
        assert drawn(draw(values, values=np.full(9, np.nan)))


@pytest.mark.parametrize(
    "labels, names",
    [
        (None, ["−40", "−30", "−20", "−10", "last"]),
        (np.datetime64("2024-01-01") + np.arange(50), ["2024-01-11", "2024-01-24", "2024-02-06", "2024-02-19"]),
        (list(range(1000, 1050)), ["1,000", "1,010", "1,020", "1,030", "1,040"]),
        (["word"] * 50, ["word"] * 50),
        (["2024-01-01"] * 50, ["2024-01-01"] * 4),
        (["of", "another", "length"], ["−40", "−30", "−20", "−10", "last"]),
    ],
)
def test_names_of_steps(labels, names) -> None:
    figure = plot.learning_curve([{"epoch": 1, "loss": 1.0}])
    step_ticks(figure.axes[0], 50, labels, WIDE)
    assert ticks(figure.axes[0])[: len(names)] == names


# ---------------------------------------------------------------------- attribution


@WIDTHS
def test_attribution_of_words(width) -> None:
    scores = np.array([0.2, 2.0, -1.0, 0.0, 0.3, 0.2, 0.3])
    figure = plot.attribution(explanation(scores, HOSTILE), width=width)
    assert titles(figure)[1] == "what adds up to 2.25"
    svg = drawn(figure)
    assert all(text in svg for text in ESCAPED) and "<b>" not in svg and "url(#f-" in svg
    boxes = [patch for patch in figure.axes[0].patches if patch.get_alpha()]
    assert len(boxes) == np.count_nonzero(scores)
    strongest = max(boxes, key=lambda box: box.get_alpha())
    assert strongest.get_alpha() == pytest.approx(0.5)
    assert len(figure.axes[0].lines) == 1  # what takes away is underlined


def bars(ax) -> list[tuple[float, float]]:
    """Left end and length of each bar of a waterfall, from the top."""
    return [(bar.get_x(), bar.get_width()) for container in ax.containers for bar in container]


@pytest.mark.parametrize("labels", [None, [f"w{i}" for i in range(40)]], ids=["steps", "words"])
def test_the_waterfall_goes_from_zero_to_the_output(labels) -> None:
    scores = np.random.default_rng(0).normal(size=40)
    found = explanation(scores, labels, {"bias": 3.0, "initial state": -1.0, "residual": 1e-9})
    *parts, total = bars(plot.attribution(found).axes[-1])
    ends = [start + size for start, size in parts]
    assert parts[0][0] == 0 and [start for start, _ in parts[1:]] == pytest.approx(ends[:-1])
    assert ends[-1] == pytest.approx(found.value) == pytest.approx(total[1])
    assert len(parts) == (2 + 3 if labels is None else 6 + 1 + 3)
    texts = [text.get_text() for text in plot.attribution(found).axes[-1].texts]
    assert "+3.000" in texts or "+3.00" in texts
    assert "1e-09" in "".join(texts)  # a residual that is all but nothing is not hidden


def test_attribution_of_a_series_by_feature() -> None:
    by_feature = np.random.default_rng(1).normal(size=(30, 10)) * np.arange(10)
    days = np.datetime64("2024-01-01") + np.arange(30)
    found = explanation(
        by_feature.sum(1), days, by_feature=by_feature, features=[f"$f{i}$" for i in range(10)], unit="<m>"
    )
    figure = plot.attribution(found, np.ones((30, 5)), channels=["a<b"])
    assert titles(figure)[:3] == ["a<b", "what it read", "what it read (2 more not drawn)"]
    assert titles(figure)[3] == "score, by occlusion" and titles(figure)[4].endswith(", 2 more not drawn")
    assert titles(figure)[5].endswith("<m>")
    rows = [tick.get_text() for tick in figure.axes[4].get_yticklabels()]
    assert len(rows) == 8 and rows[0] in ("$f9$", "$f8$", "$f7$")
    svg = drawn(figure)
    assert "a&lt;b" in svg and "&lt;m&gt;" in svg and "2024-01-30" in svg
    heights = [bar.get_height() for container in figure.axes[3].containers for bar in container]
    assert sum(heights) == pytest.approx(found.scores.sum())


@WIDTHS
def test_attribution_of_ten_thousand_steps(width) -> None:
    scores = np.random.default_rng(0).normal(size=T_LONG)
    figure = plot.attribution(explanation(scores), np.arange(T_LONG), width=width)
    heights = [bar.get_height() for container in figure.axes[1].containers for bar in container]
    assert len(heights) <= (width - 70) / 2 and sum(heights) == pytest.approx(scores.sum())
    assert "sums of" in titles(figure)[1] and len(drawn(figure)) < 250_000


def test_ten_thousand_steps_compared_are_counted_and_not_shaded() -> None:
    signs = np.tile([1.0, -1.0], T_LONG // 2)
    figure = plot.compare_attributions([explanation(signs), explanation(-signs)])
    assert "of 10,000 of 10,000 steps<" in drawn(figure)
    assert not any(patch.get_alpha() == 0.2 for patch in figure.axes[0].patches)


def test_a_long_text_is_shown_where_most_happens() -> None:
    scores = np.zeros(T_LONG)
    scores[7_000] = 1.0
    texts = [text.get_text() for text in plot.attribution(explanation(scores, ["w"] * T_LONG)).axes[0].texts]
    assert texts[0].endswith("before") and texts[-1].endswith("more") and len(texts) == 122
    scores[0] = 1.0
    texts = [text.get_text() for text in plot.attribution(explanation(scores, ["w"] * T_LONG)).axes[0].texts]
    assert texts[0] == "w"


@pytest.mark.parametrize(
    "scores, terms",
    [
        ([0.0], {}),
        ([np.nan], {"residual": 0.0}),
        ([1.0, np.nan], {"residual": np.nan}),
        ([0.0, 0.0], {"residual": 1.0}),
    ],
)
@pytest.mark.parametrize("labels", ["words", "numbers"])
def test_attribution_of_next_to_nothing(scores, terms, labels) -> None:
    names = [f"w{i}" for i in range(len(scores))] if labels == "words" else None
    found = explanation(scores, names, terms)
    assert drawn(plot.attribution(found, None if names else np.full(len(scores), np.nan)))
    assert drawn(plot.compare_attributions([found]))


def test_attributions_that_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match=r"expected scores of shape \(steps,\) with at least one step, got \(0,\)"):
        plot.attribution(explanation([]))
    with pytest.raises(ValueError, match=r"expected shown of shape \(2,\) or \(2, channels\), got \(3,\)"):
        plot.attribution(explanation([1.0, 2.0]), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="at least one explanation"):
        plot.compare_attributions([])
    with pytest.raises(ValueError, match="of one output of one sequence, got 'score' of 1 steps and 'score' of 2"):
        plot.compare_attributions([explanation([1.0]), explanation([1.0, 2.0])])


def test_compared_attributions_that_agree_say_so_plainly() -> None:
    one, two = explanation([1.0, -0.5]), explanation([2.0, -0.3])
    assert plot.compare_attributions([one, two]).get_supxlabel() == "no step has opposite signs"


@WIDTHS
def test_compared_attributions_mark_where_signs_differ(width) -> None:
    one, two = explanation([1.0, -0.5, 0.3, 0.01]), explanation([2.0, 0.5, 0.3, -0.01])
    figure = plot.compare_attributions([one, two], width=width)
    svg = drawn(figure)
    said = figure.get_supxlabel()
    assert said.replace("\n", " ") == "methods disagree about the sign of 1 of 4 steps, shaded"
    assert said.splitlines()[-1] in svg and ("\n" in said) == (width == NARROW)
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    for ax in figure.axes:
        assert sum(patch.get_alpha() == 0.2 for patch in ax.patches) == 1
    assert (ticks(figure.axes[0]) == [] and ticks(figure.axes[1]) == ["0", "1", "2", "3"]) or width == NARROW


# ---------------------------------------------------------------------- attention and states


@WIDTHS
def test_attention_of_words_and_of_an_output_a_row(width) -> None:
    weights = np.full(len(HOSTILE), 1 / len(HOSTILE))
    figure = plot.attention(weights, HOSTILE, width=width)
    assert sum(bar.get_height() for bar in figure.axes[0].containers[0]) == pytest.approx(1)
    svg = drawn(figure)
    assert "even" in svg and all(text in svg for text in ESCAPED)
    figure = plot.attention(np.eye(3, 7), HOSTILE, rows=["$a$", "<i>", ""], width=width)
    assert "&lt;i&gt;" in drawn(figure) and figure.axes[0].images[0].get_array().shape[:2] == (3, 7)
    assert drawn(plot.attention(np.full(T_LONG, 1 / T_LONG), width=width))
    assert drawn(plot.attention([1.0], width=width)) and drawn(plot.attention([np.nan, 1.0], width=width))


@pytest.mark.parametrize(
    "weights, options, message",
    [
        ([], {}, "expected weights of shape"),
        (np.zeros((1, 1, 1)), {}, "expected weights of shape"),
        ([0.5, -0.5], {}, "expected weights of at least 0, got -0.5"),
        (np.eye(2), {"rows": ["a"]}, "expected 2 names of rows, got 1"),
    ],
)
def test_attention_that_is_none(weights, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        plot.attention(weights, **options)


def projection(steps=60, rows=3):
    values = np.random.default_rng(0).normal(size=(steps, 4)).astype(np.float32)
    return project(States(values, np.linspace(0, steps, rows + 1).astype(np.int64)))


@WIDTHS
def test_states_have_a_colour_and_a_mark_for_each_class(width) -> None:
    found = projection()
    labels = [HOSTILE[min(i % 9, 6)] if i % 9 < 8 else "other" for i in range(60)]
    figure = plot.states(found, labels, row=1, width=width)
    svg = drawn(figure)
    assert "component 1: " in svg and "2 others" in svg and svg.count("…") == 1
    (key,) = figure.legends
    assert len(key.get_texts()) == 7
    dots = sum(len(part.get_offsets()) for part in figure.axes[0].collections)
    assert dots == 60


def test_states_by_number_all_alike_and_too_many() -> None:
    found = projection()
    numbers = np.linspace(0, 1, 60)
    numbers[3] = np.nan
    assert "faint is 0.00, strong 1.00" in drawn(plot.states(found, numbers))
    assert not plot.states(found).legends
    many = plot.states(projection(5_000))
    assert "2,000 of 5,000 steps are drawn" in titles(many)[0]
    for labels in (list(range(3)) * 20, np.arange(60) % 3):
        assert len(plot.states(found, labels).legends[0].get_texts()) == 3


def test_states_that_cannot_be_drawn() -> None:
    found = projection()
    with pytest.raises(ValueError, match="expected 60 labels, one a point, got 2"):
        plot.states(found, ["a", "b"])
    with pytest.raises(ValueError, match="got 7, of which there are no points"):
        plot.states(found, row=7)
    with pytest.raises(ValueError, match="expected a projection of two components, got 1"):
        plot.states(project(States(np.eye(4, 3, dtype=np.float32), np.array([0, 4])), 1))


# ---------------------------------------------------------------------- memory


@WIDTHS
def test_every_unit_is_in_the_histogram(width) -> None:
    figure = plot.memory_lengths(memory(traced(num_layers=2, bidirectional=True)), span=86400, width=width)
    assert len(figure.axes) == 4 and "backward" in titles(figure)[1] and "hours" in titles(figure)[0]
    for ax in figure.axes:
        assert sum(bar.get_height() for container in ax.containers for bar in container) == 5
    assert drawn(figure)


def of_units(lives, dead=(), gate="forget"):
    lives = np.array(lives, float)
    still = np.isin(np.arange(len(lives)), dead)
    return SimpleNamespace(half_life=lives, dead=still, label="$rnn$ <b>", gate=gate)


@pytest.mark.parametrize(
    "lives, dead, said",
    [
        ([2.0], [], "how many of 1 unit; half-life: median 2 steps, longest 2 steps"),
        ([1.0, np.inf, np.inf], [1], "2 keep all, 1 never move (hatched)"),
        ([np.inf], [], "1 keep all"),
        ([0.0, 3.0], [0], "1 never move"),
        ([1e-3, 1.0, 1e6], [], "longest 1,000,000 steps"),
    ],
)
def test_units_that_keep_all_nothing_or_never_move(lives, dead, said) -> None:
    figure = plot.memory_lengths(SimpleNamespace(layers=(of_units(lives, dead),)))
    assert said in titles(figure)[0].replace("\n", " ") and "$rnn$ &lt;b&gt;" in drawn(figure)
    counted = sum(bar.get_height() for container in figure.axes[0].containers for bar in container)
    assert counted == np.isfinite(lives).sum()


def test_memory_of_a_network_that_has_no_gate_and_of_many_layers() -> None:
    with pytest.raises(ValueError, match="with a gate that keeps"):
        plot.memory_lengths(memory(traced(RNN)))
    figure = plot.memory_lengths(SimpleNamespace(layers=(of_units([1.0, 2.0]),) * 8))
    assert len(figure.axes) == 6 and "2 more layers are not drawn" in drawn(figure)


@WIDTHS
def test_gradient_flow_names_its_lines_and_drops_what_is_gone(width) -> None:
    steps = np.arange(100)
    runs = np.stack([0.5**steps, 0.6**steps])
    flows = (
        Flow("RNN", "hidden", runs),
        Flow("LSTM", "hidden", np.full((2, 100), 0.5)),
        Flow("LSTM", "cell", np.full((2, 100), 0.9)),
        Flow("<$GRU$>", "hidden", 1.02 ** steps[None]),
    )
    figure = plot.gradient_flow(GradientFlow(flows, 8, 2, 1), width=width)
    svg = drawn(figure)
    for name in ("RNN", "LSTM, hidden", "LSTM, cell", "&lt;$GRU$&gt;"):
        assert f">{name}</text>" in svg
    ax = figure.axes[0]
    assert ax.get_yscale() == "log" and len(ax.lines) == 4
    gone = ax.lines[0].get_ydata()
    assert np.isnan(gone[-1]) and gone[0] == 1.0
    assert [line.is_dashed() for line in ax.lines] == [False, True, True, True]
    assert ax.lines[2].get_linewidth() > ax.lines[1].get_linewidth()


def test_gradient_flow_of_one_step_zeros_and_none() -> None:
    assert drawn(plot.gradient_flow(GradientFlow((Flow("RNN", "hidden", np.ones((1, 1))),), 1, 1, 1)))
    assert drawn(plot.gradient_flow(GradientFlow((Flow("RNN", "hidden", np.zeros((1, 3))),), 1, 1, 1)))
    with pytest.raises(ValueError, match="at least one cell"):
        plot.gradient_flow(GradientFlow((), 1, 1, 1))


def looked(gradient, perturbation=None, **options):
    gradient = np.asarray(gradient, float)
    changes = gradient if perturbation is None else np.asarray(perturbation, float)
    return Lookback(gradient, np.arange(len(changes)), changes, 0.95, 0.0, 1, **options)


@WIDTHS
def test_lookback_marks_its_reach(width) -> None:
    found = looked(0.7 ** np.arange(60.0), span=86400.0, unit="<$°C$>")
    figure = plot.lookback(found, width=width)
    svg = drawn(figure)
    assert "change of the output, &lt;$°C$&gt;" in svg and ">gradient<" in svg and ">exchanged<" in svg
    assert f"95 % within {found.reach} steps" in svg
    assert any(patch.get_x() + patch.get_width() == pytest.approx(found.reach) for patch in figure.axes[0].patches)


@pytest.mark.parametrize(
    "found",
    [
        looked([1.0]),
        looked([0.0, 0.0]),
        looked([np.nan, 1.0]),
        looked(np.ones(30)),
        looked(np.geomspace(1, 1e-9, T_LONG)),
        looked([1.0, 0.5], of="hidden state", kind="words"),
    ],
)
def test_lookback_of_one_step_of_nothing_and_of_many(found) -> None:
    svg = drawn(plot.lookback(found))
    assert len(svg) < 120_000 and ("95 % within" in svg) == (found.reach is not None)
    assert ("and more" in svg) == found.cut


# ---------------------------------------------------------------------- the cell


@WIDTHS
@pytest.mark.parametrize(
    "kind, layer, nodes, boxes",
    [("LSTM", LSTM, "×+××", 5), ("GRU", GRU, "×+××", 3), ("RNN", RNN, "", 1)],
)
def test_the_cell_is_drawn_with_equations_and_numbers(kind, layer, nodes, boxes, width) -> None:
    trace = traced(layer)
    numbers = plot.cell_numbers(trace, 4, 2)
    plain, alive = plot.cell(kind, width=width), plot.cell(kind, numbers, width=width)
    texts = [text.get_text() for text in plain.axes[0].texts]
    assert sorted(t for t in texts if t in "×+" and t) == sorted(nodes)
    assert sum(t in ("σ", "tanh") for t in texts) == boxes
    assert any("U hₜ₋₁ + b" in t for t in texts) and not any("= 0." in t or "= −0." in t for t in texts)
    told = drawn(alive)
    assert f"{numbers['hidden']:.3f}".replace("-", "−") in told and PALETTE["paper"] not in told


@pytest.mark.parametrize("layer, kind, equations", [(LSTM, "LSTM", 2), (GRU, "GRU", 1)])
def test_the_equations_hold_for_the_numbers_in_them(layer, kind, equations) -> None:
    trace = traced(layer, num_layers=2, bidirectional=True)
    for step, direction in ((0, 0), (3, 0), (6, 1), (2, 1)):
        numbers = plot.cell_numbers(trace, step, 1, direction=direction)
        lines = [text.get_text() for text in plot.cell(kind, numbers).axes[0].texts]
        worked = [line for line in lines if " · " in line and "0." in line]
        assert len(worked) == equations and not any("→" in line for line in worked)
        if (step, direction) in ((0, 0), (6, 1)):
            assert numbers["hidden before"] == 0.0


def test_a_variant_that_does_more_than_the_equation_says_so() -> None:
    numbers = plot.cell_numbers(traced(), 3, 1)
    assert any("→" in text.get_text() for text in plot.cell("LSTM", {**numbers, "hidden": 0.9}).axes[0].texts)


def test_cells_and_numbers_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="expected kind to be LSTM, GRU or RNN, got 'lstm'"):
        plot.cell("lstm")
    with pytest.raises(ValueError, match="got none for cell before"):
        plot.cell("LSTM", {name: 0.0 for name in plot.cell_numbers(traced(), 0, 0) if name != "cell before"})
    with pytest.raises(ValueError, match="expected a step from 0 to 6, got 7"):
        plot.cell_numbers(traced(), 7, 0)
    with pytest.raises(ValueError, match="expected a unit from 0 to 4, got -6"):
        plot.cell_numbers(traced(), 0, -6)
