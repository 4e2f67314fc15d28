"""plot_patterns: hidden states in two dimensions, and where the steps of a sequence are attended to, as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from memorycell.pages.drawing import (
    FONT,
    PALETTE,
    SERIES,
    WIDE,
    canvas,
    checked_width,
    end_labels,
    heading,
    name_rows,
    tint,
    x_label,
)
from memorycell.pages.plots.steps import MARGINS, bands, fold, needs, say_bands, step_ticks, token
from memorycell.pages.pointer import tell_map
from memorycell.pages.wording import percent, significant

if TYPE_CHECKING:
    from memorycell.insight.projection import Projection

MOST_POINTS = 2000
_MARKS = "os^DvP"
_ROUNDS = 4


def attention(
    weights: ArrayLike,
    labels: Sequence[Any] | NDArray | None = None,
    *,
    rows: Sequence[Any] | None = None,
    width: float = WIDE,
) -> Figure:
    """How attention was spread over the steps: bars, and the dotted line of spreading it evenly.

    Parameters
    ----------
    weights : (T,) at least 0, of one sequence; or (R, T), a row each step of an output
    labels : (T,) tokens, dates or numbers
    rows : (R,) names of the rows

    Raises
    ------
    ValueError
        For other shapes, no steps, or a weight below 0.

    Example
    -------
    >>> attention([0.1, 0.9], ["so", "good"]).axes[0].get_title(loc="left")
    'share of attention'
    """
    width = checked_width(width)
    found = np.asarray(weights, float)
    if found.ndim not in (1, 2) or not found.size:
        raise ValueError(f"expected weights of shape (steps,) or (rows, steps), none empty, got {found.shape}")
    if np.nanmin(found, initial=0) < 0:
        raise ValueError(f"expected weights of at least 0, got {np.nanmin(found):g}")
    steps = found.shape[-1]
    if found.ndim == 1:
        figure, (ax,) = canvas(width, 190)
        means, size = bands(found, int((width - MARGINS) / 2), strongest=False)
        places = np.arange(len(means)) * size + (size - 1) / 2
        ax.bar(places, means, width=size * (0.8 if len(means) <= 80 else 1), color=PALETTE["blue"], alpha=0.7)
        ax.axhline(1 / steps, color=PALETTE["muted"], linewidth=1, linestyle=(0, (1, 2)))
        ax.set_ylim(0, None)
        end_labels(ax, [(1 / steps, "even", PALETTE["muted"])], 130)
    else:
        figure, (ax,) = canvas(width, 90 + 18 * min(len(found), 30))
        most = float(np.nanmax(found, initial=0))
        ax.grid(visible=False)
        ax.imshow(tint(found, PALETTE["blue"], most), aspect="auto", interpolation="none")
        names = [str(row) for row in rows] if rows is not None else [str(n + 1) for n in range(len(found))]
        if len(names) != len(found):
            raise ValueError(f"expected {len(found)} names of rows, got {len(names)}")
        if len(names) <= 30:
            name_rows(ax, names, 14)
        tell_map(ax, found, names, say_bands(labels, steps, 1))
    ax.set_xlim(-0.5, steps - 0.5)
    heading(ax, "share of attention")
    step_ticks(ax, steps, labels, width)
    return figure


def states(
    projection: Projection,
    labels: Sequence[Any] | NDArray | None = None,
    *,
    row: int | None = None,
    width: float = WIDE,
) -> Figure:
    """Hidden states in the two dimensions in which they differ most: a dot a step.

    Parameters
    ----------
    projection : what `memorycell.insight.projection.project` returns, of two components at least; of more than 2,000
        points some are drawn
    labels : (n,) classes, each with a colour and a mark of its own (the six most frequent ones, the others grey), or
        numbers, from faint to strong; None: all alike
    row : a sequence whose way through the states is drawn as a line, from a ring to a filled dot

    Raises
    ------
    ValueError
        For a projection of one component, labels that are not as many as the points, or a row without points.

    Example
    -------
    >>> from memorycell.insight.projection import project
    >>> from memorycell.insight.states import States
    >>> found = project(States(np.array([[0, 0], [3, 0], [0, 1], [3, 1]], np.float32), np.array([0, 4])))
    >>> states(found, ["a", "b", "a", "b"]).axes[0].get_xlabel()
    'component 1: 90 % of the variance'
    """
    width = checked_width(width)
    needs(projection, "a Projection, as memorycell.project returns it", "points", "explained")
    points = np.asarray(projection.points, float)
    if points.ndim != 2 or points.shape[1] < 2:
        raise ValueError(f"expected a projection of two components, got {points.shape[-1]}: project(states, 2)")
    if labels is not None and len(labels) != len(points):
        raise ValueError(f"expected {len(points)} labels, one a point, got {len(labels)}")
    figure, (ax,) = canvas(width, 400 if width > 500 else 340)
    ax.set_aspect("equal", adjustable="datalim")
    shares = [percent(float(share), 0) for share in projection.explained[:2]]
    x_label(ax, f"component 1: {shares[0]} of the variance")
    chosen = np.arange(len(points))
    said = ""
    if len(points) > MOST_POINTS:
        chosen = np.sort(np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False))
        said = f"; {MOST_POINTS:,} of {len(points):,} steps are drawn"
    shown = None if labels is None else [labels[int(i)] for i in chosen]
    if shown is not None and _are_numbers(shown):
        said += _draw_numbers(ax, points[chosen], np.array(shown, float))
    else:
        _draw_classes(figure, ax, points[chosen], shown, width)
    heading(ax, fold(f"component 2: {shares[1]}{said}", width - 60))
    if row is not None:
        _draw_way(ax, points[np.asarray(projection.row) == row], row)
    return figure


def _are_numbers(labels: Sequence[Any]) -> bool:
    numbers = all(isinstance(each, float | int | np.floating | np.integer) for each in labels)
    return numbers and len(set(labels)) > len(_MARKS)


def _draw_numbers(ax: Axes, points: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    colours = tint(0.12 + 0.88 * (values - low) / ((high - low) or 1.0), PALETTE["blue"])
    ax.scatter(points[:, 0], points[:, 1], s=14, c=colours, linewidth=0)
    return f"; faint is {significant(low)}, strong {significant(high)}"


def _draw_classes(
    figure: Figure, ax: Axes, points: NDArray[np.float64], labels: Sequence[Any] | None, width: float
) -> None:
    names = ["" if labels is None else str(each) for each in (labels or [""] * len(points))]
    frequent = [name for name, _ in Counter(names).most_common(len(_MARKS))]
    rest = np.array([name not in frequent for name in names])
    dots: dict[str, Any] = {"s": 16, "linewidth": 0, "alpha": 0.75 if len(points) <= 500 else 0.45}
    handles = []
    if rest.any():
        handles.append(ax.scatter(points[rest, 0], points[rest, 1], color=PALETTE["grey"], marker=".", **dots))
        handles[-1].set_label(f"{len(set(names)) - len(frequent)} others")
    for place, name in enumerate(frequent):
        of = points[[each == name for each in names]]
        dots |= {"color": SERIES[place], "marker": _MARKS[place]}
        for part in range(_ROUNDS):  # in turn, or the last class would hide the others
            mark = ax.scatter(of[part::_ROUNDS, 0], of[part::_ROUNDS, 1], zorder=2 + part / 10, **dots)
        handles.append(mark)
        mark.set_label(token(name, 20))
    if labels is None:
        return
    others = int(rest.any())
    key = figure.legend(
        handles=handles[others:] + handles[:others], loc="outside lower left", ncols=6 if width > 500 else 3,
        frameon=False, fontsize=FONT - 1, handletextpad=0.2, columnspacing=1.2,
    )  # fmt: skip
    for text in key.get_texts():
        text.set(parse_math=False, color=PALETTE["ink"])
    for handle in key.legend_handles:
        handle.set(alpha=1, sizes=[30])  # type: ignore[union-attr]


def _draw_way(ax: Axes, points: NDArray[np.float64], row: int) -> None:
    if not len(points):
        raise ValueError(f"expected a row among those of the projection, got {row}, of which there are no points")
    ax.plot(points[:, 0], points[:, 1], color=PALETTE["ink"], linewidth=1.3, zorder=3)
    ax.plot(*points[0, :2], "o", color=PALETTE["ink"], markersize=8, fillstyle="none", zorder=3)
    ax.plot(*points[-1, :2], "o", color=PALETTE["ink"], markersize=7, zorder=3)
