import re

import numpy as np
import pytest
from matplotlib.patches import Circle

from memorycell.pages.drawing import PALETTE, canvas, end_labels, heading, inline_svg, label, thin, tint


def test_svg_has_no_colour_of_its_own_but_the_pages():
    figure, (ax,) = canvas(300, 200)
    ax.plot([0, 1], [1, 2], color=PALETTE["blue"])
    svg = inline_svg(figure, "a", "a line")
    assert "var(--blue)" in svg and "var(--grid)" in svg
    assert not re.findall("#[0-9a-fA-F]{6}", svg)
    assert "<style" not in svg and "font-family" not in svg and "http" not in svg


def test_hatched_bars_keep_their_pattern_and_its_colours():
    figure, (ax,) = canvas(300, 200)
    ax.bar([0], [1], color=PALETTE["vermilion"], hatch="////", edgecolor=PALETTE["grid"])
    svg = inline_svg(figure, "a", "a bar")
    (pattern,) = re.findall(r'<pattern[^>]* id="([^"]+)"', svg)
    assert f"fill:url(#{pattern})" in svg
    assert "fill:var(--vermilion)" in svg
    assert not re.findall("#[0-9a-fA-F]{6}\\b", svg)


def test_ids_of_two_figures_differ_and_references_are_met():
    ids = []
    for key in ("one", "two"):
        figure, (ax,) = canvas(300, 200)
        ax.plot([0, 1], [1, 2], "o")
        svg = inline_svg(figure, key, "dots")
        found = re.findall(' id="([^"]+)"', svg)
        assert set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", svg)) <= set(found)
        ids += found
    assert len(ids) == len(set(ids)) > 0


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "$x^2$", "a & b", '"quoted"', "日本語", "\\frac{", "]]>", "--"]
)
def test_names_reach_the_figure_as_text(name):
    figure, (ax,) = canvas(300, 200)
    heading(ax, name)
    ax.plot([0, 1], [1, 2])
    end_labels(ax, [(2.0, name, PALETTE["blue"])], 150)
    svg = inline_svg(figure, "a", name)
    assert "<script" not in svg and "<!--" not in svg
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert svg.count(f">{escaped}</text>") == 2


def test_the_same_figure_gives_the_same_bytes():
    kept = []  # what lives on, so that the next figure lies elsewhere in memory

    def draw():
        figure, (ax,) = canvas(300, 200)
        kept.append(figure)
        ax.bar([0], [1], hatch="////", clip_path=Circle((0, 0), 0.4, transform=ax.transData))
        ax.plot([0, 1], [1, 2], "o")
        ax.fill_between([0, 1], [0, 1], [1, 2])
        return inline_svg(figure, "a", "dots")

    assert draw() == draw()


def test_drawing_leaves_pyplot_and_its_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    inline_svg(canvas(200, 100)[0], "a", "nothing")
    assert dict(matplotlib.rcParams) == before


def test_labels_at_the_same_height_move_apart():
    _, (ax,) = canvas(400, 240)
    ax.plot([0, 1], [0, 1])
    end_labels(ax, [(1.0, "one", "k"), (1.0, "two", "k"), (float("nan"), "none", "k")], 200)
    assert [text.get_text() for text in ax.texts] == ["one", "two"]
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert heights[1] - heights[0] > 12


@pytest.mark.parametrize(
    "text, most, said",
    [
        ("temp", 9, "temp"),
        ("", 9, "(no name)"),
        ("a\nb\tc", 9, "a b c"),
        ("abcdefgh", 5, "abcd…"),
        ("a\u202eb", 9, "a b"),
    ],
)
def test_label(text, most, said):
    assert label(text, most) == said


def test_a_thinned_line_keeps_its_extremes_and_gaps():
    y = np.zeros(100_001)
    y[5000], y[70_000] = 9, -9
    y[20_000:40_000] = np.nan
    x, short = thin(np.arange(len(y)), y, 1000)
    assert len(short) <= 1002 and np.nanmax(short) == 9 and np.nanmin(short) == -9
    assert np.isnan(short[(x > 21_000) & (x < 39_000)]).all()
    assert (np.diff(x) >= 0).all()


def test_tint_is_opaque_where_the_value_is_greatest():
    rgba = tint(np.array([0.0, 0.5, 2.0, np.nan]), "#ff0000", 1.0)
    assert rgba[:, 3].tolist() == [0, 0.5, 1, 0] and (rgba[:, 0] == 1).all()
