"""plot_memory: how long units remember, how far back a model looks and what becomes of gradients, as figures."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from memorycell.insight.spans import noun_of, say_steps
from memorycell.pages.drawing import (
    DASHES,
    FONT,
    PALETTE,
    SERIES,
    TICKS,
    WIDE,
    canvas,
    checked_width,
    end_labels,
    heading,
    label,
    thin,
    x_label,
)
from memorycell.pages.plots.steps import fold, needs
from memorycell.pages.pointer import Line, tell_lines
from memorycell.pages.wording import counted, percent

if TYPE_CHECKING:
    from memorycell.insight.gradient_flow import Flow, GradientFlow
    from memorycell.insight.lookback import Lookback
    from memorycell.insight.memory import LayerMemory, Memory

MOST_LAYERS = 6
_SMALLEST = 1e-16  # of the greatest norm: below it a gradient is gone


def in_words(memory: Memory) -> Memory:
    """The memory of a model with its layers called what people call them, not what its modules are called.

    Example
    -------
    >>> import torch
    >>> from memorycell import LSTM, trace_network
    >>> from memorycell.insight.memory import memory
    >>> network = torch.nn.ModuleDict({"encoder": LSTM(1, 2, batch_first=True, bidirectional=True)})
    >>> found = memory(trace_network(network, lambda: network["encoder"](torch.zeros(1, 3, 1))))
    >>> [layer.label for layer in found.layers], [layer.label for layer in in_words(found).layers]
    (['encoder', 'encoder, backward'], ['layer 1, forward', 'layer 1, backward'])
    """
    both = {(layer.name, layer.layer) for layer in memory.layers if layer.direction == 1}
    names: dict[tuple[str, int], str] = {}
    for layer in memory.layers:
        if (layer.name, layer.layer) not in names:
            module, again, _ = layer.name.partition(" (")  # a module that ran again: see ModelTrace
            if again or "decoder" in module:
                what = "the steps ahead" + (f", layer {layer.layer + 1}" if layer.layer else "")
            elif layer.trunk:
                what = f"layer {1 + sum(name.startswith('layer ') for name in names.values())}"
            else:
                what = label(module.partition(".")[0].replace("_", " "))
            names[layer.name, layer.layer] = what
    ways = (", forward", "")  # of backward ones the label says it itself
    layers = [
        replace(
            layer,
            name=names[layer.name, layer.layer] + ways[layer.direction] * ((layer.name, layer.layer) in both),
            layer=0,
        )
        for layer in memory.layers
    ]
    return replace(memory, layers=tuple(layers))


def memory_lengths(memory: Memory, *, span: float | None = None, width: float = WIDE) -> Figure:
    """How many units forget half of what they hold within how many steps: a histogram a layer and direction.

    Hatched are units that never move. Units that keep all (an infinite half-life) are counted in the heading.

    Parameters
    ----------
    memory : what ``model.memory(X)`` returns; at most 6 layers are drawn
    span : seconds of a step, to say times instead of steps

    Raises
    ------
    ValueError
        If no layer has a gate that keeps: of an RNN there is nothing to draw.

    Example
    -------
    >>> import torch
    >>> from memorycell.insight.memory import memory
    >>> from memorycell.layers import GRU
    >>> found = memory(GRU(1, 4, batch_first=True).trace(torch.zeros(1, 9, 1)))
    >>> memory_lengths(found).axes[0].get_xlabel()
    'half-life in steps, logarithmic'
    """
    width = checked_width(width)
    needs(memory, "a Memory, as model.memory(X) returns it", "layers")
    layers = [layer for layer in memory.layers if layer.gate]
    if not layers:
        raise ValueError("expected the memory of layers with a gate that keeps (LSTM, GRU), got none")
    lives = np.concatenate([layer.half_life for layer in layers])
    edges = _edges(lives[np.isfinite(lives) & (lives > 0)], 28 if width > 500 else 16)
    drawn = layers[:MOST_LAYERS]
    figure, axes = canvas(width, 30 + 150 * len(drawn), len(drawn))
    for ax, layer in zip(axes, drawn, strict=True):
        _histogram(ax, layer, edges, span, width)
    left = len(layers) - len(drawn)
    x_label(axes[-1], "half-life in steps, logarithmic" + (f"; {left} more layers are not drawn" if left else ""))
    return figure


def _edges(lives: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    low, high = (float(lives.min()), float(lives.max())) if len(lives) else (1.0, 1.0)
    if high < 4 * low:  # all alike: not one bar as wide as the picture
        low, high = low / 2, high * 2
    return np.geomspace(low, high * 1.0001, count + 1)


def _histogram(ax: Axes, layer: LayerMemory, edges: NDArray[np.float64], span: float | None, width: float) -> None:
    lives = layer.half_life
    finite = np.clip(np.where(np.isfinite(lives), lives, edges[0]), edges[0], edges[-1])
    known = np.isfinite(lives)
    moves = np.histogram(finite[known & ~layer.dead], edges)[0]
    still = np.histogram(finite[known & layer.dead], edges)[0]
    middle, size = np.sqrt(edges[:-1] * edges[1:]), np.diff(edges) * 0.9
    ax.set_xscale("log")
    ax.bar(middle, moves, size, color=PALETTE["blue"], alpha=0.7, linewidth=0)
    ax.bar(
        middle, still, size, bottom=moves, color=PALETTE["grey"], alpha=0.5, linewidth=0, hatch="////",
        edgecolor=PALETTE["ink"],
    )  # fmt: skip
    labels = [f"{low:.3g} to {high:.3g} steps" for low, high in pairwise(edges)]
    tell_lines(ax, middle, {"units": Line("blue", moves + still)}, labels=labels)
    half = float(np.median(np.where(np.isnan(lives), 0.0, lives)))
    if np.isfinite(half):
        ax.axvline(half, color=PALETTE["vermilion"], linewidth=1.5, linestyle=DASHES[1])
    told = [
        f"half-life: median {say_steps(half, span)}",
        f"longest {say_steps(float(lives[known].max()), span)}" if known.all() else "",
        "" if known.all() else f"{int((~known).sum())} keep all",
        f"{int(layer.dead.sum())} never move (hatched)" if layer.dead.any() else "",
    ]
    name, said = f"{label(layer.label)}: how many of {counted(len(lives), 'unit')}", ", ".join(filter(None, told))
    heading(ax, fold(f"{name}; {said}", width - 40))
    ax.set_xlim(edges[0] * 0.95, edges[-1] * 1.05)
    ax.set_ylim(0, max(1.0, float((moves + still).max())) * 1.05)
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=2, steps=TICKS))
    _plain_log(ax)


def _plain_log(ax: Axes) -> None:
    """Ticks of a logarithmic x axis as plain numbers."""
    low, high = ax.get_xlim()
    subs = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    ax.xaxis.set_minor_locator(NullLocator())


def lookback(found: Lookback, *, width: float = WIDE) -> Figure:
    """How much an input changes the output, by how far before it it stands; within the shaded steps lies most of that.

    Two measures: exchanging the input for another (drawn through), and the gradient (dashed).

    Parameters
    ----------
    found : what `memorycell.insight.lookback.lookback` returns

    Example
    -------
    >>> from memorycell.insight.lookback import Lookback
    >>> found = Lookback(np.array([2.0, 1.0, 0.0]), np.arange(3), np.array([1.0, 0.9, 0.1]), 0.95, 0.0, 1)
    >>> lookback(found).axes[0].get_xlabel()
    'steps before the output'
    """
    width = checked_width(width)
    needs(found, "a Lookback, as model.lookback(X) returns it", "distances", "perturbation")
    figure, (ax,) = canvas(width, 240)
    unit = f", {label(found.unit, 12)}" if found.unit else ""
    heading(ax, f"change of the {found.of}{unit}")
    noun = noun_of(found.kind)
    last = _last_drawn(found)
    whole = f", of {found.window:,}" if last < found.window - 1 else ""
    x_label(ax, f"{noun}s before the {'output' if found.of == 'output' else 'hidden state'}{whole}")
    curves: list[tuple[str, Any, Any, str, Any]] = [
        ("exchanged", found.distances, found.perturbation, "blue", DASHES[0]),
        ("gradient", np.arange(found.window), found.gradient, "vermilion", DASHES[1]),
    ]
    ends, top = [], 0.0
    for name, x, y, colour, dashes in curves:
        x, y = np.asarray(x), np.asarray(y, float)
        x, y = thin(x[x <= last], y[x <= last])
        few = "o" if len(x) <= 12 else None
        ax.plot(x, y, color=PALETTE[colour], linestyle=dashes, linewidth=1.8, marker=few, markersize=4)
        known = y[np.isfinite(y)]
        ends.append((float(known[-1]) if len(known) else np.nan, name, PALETTE[colour]))
        top = max(top, float(known.max(initial=0)))
    _tell(ax, found, last, noun)
    ax.set_xlim(-0.02 * last, max(1, last))
    ax.set_ylim(0, 1.12 * top or 1.0)
    if found.reach is not None:
        ax.axvspan(-0.02 * last, found.reach, color=PALETTE["blue"], alpha=0.1, linewidth=0)
        far = found.reach > 0.55 * last
        time = f" ({say_steps(found.reach, found.span)})" if found.span and found.reach else ""
        more = " and more" if found.cut else ""
        within = say_steps(found.reach, None, noun) if found.reach else f"the newest {noun}"
        said = f"{percent(found.share)} within {within}{time}{more}"
        ax.annotate(
            said, (found.reach, 1), xycoords=ax.get_xaxis_transform(), xytext=(-6 if far else 6, -9),
            textcoords="offset points", ha="right" if far else "left", color=PALETTE["blue"], fontsize=FONT - 1,
            parse_math=False, bbox={"facecolor": PALETTE["paper"], "linewidth": 0, "alpha": 0.7, "pad": 1},
        )  # fmt: skip
    # Not on the axis, where the ticks have their names.
    end_labels(ax, [(max(y, 0.1 * top), name, colour) for y, name, colour in ends], 170)
    return figure


def _tell(ax: Axes, found: Lookback, last: int, noun: str) -> None:
    """What the pointer reads: at each distance how much an exchange changes, and the gradient."""
    exchanged = np.full(last + 1, np.nan)
    near = np.asarray(found.distances) <= last
    exchanged[np.asarray(found.distances)[near]] = np.asarray(found.perturbation, float)[near]
    lines = {
        "exchanged": Line("blue", exchanged),
        "gradient": Line("vermilion", np.asarray(found.gradient, float)[: last + 1]),
    }
    tell_lines(ax, np.arange(last + 1), lines, called=f"{noun}s before:", zoom=False)


def _last_drawn(found: Lookback) -> int:
    """The last distance that is worth the room: nothing much happens beyond a few times the reach."""
    reach = max(found.reach or 0, found.reach_by_gradient or 0)
    return min(found.window - 1, max(3 * reach, 12))


def gradient_flow(flow: GradientFlow, *, width: float = WIDE) -> Figure:
    """What is left of the gradient of the last step, by the distance in time: vanishing and exploding, on a log scale.

    A line is the median over seeds and sequences, the band around it holds four of five of them. Each cell has its
    colour and dashes; an LSTM's cell, the constant error carousel, is drawn thick.

    Parameters
    ----------
    flow : what `memorycell.insight.gradient_flow.gradient_flow` returns

    Example
    -------
    >>> from memorycell.insight.gradient_flow import Flow, GradientFlow
    >>> flows = tuple(Flow(name, "hidden", np.array([[1.0, 0.5, 0.25]])) for name in ("RNN", "GRU"))
    >>> gradient_flow(GradientFlow(flows, 8, 1, 1)).axes[0].get_title(loc="left")
    'norm of the gradient, logarithmic'
    """
    width = checked_width(width)
    needs(flow, "a GradientFlow, as memorycell.gradient_flow returns it", "flows")
    if not flow.flows:
        raise ValueError("expected the gradient flow of at least one cell, got none")
    figure, (ax,) = canvas(width, 300 if width > 500 else 280)
    heading(ax, "norm of the gradient, logarithmic")
    x_label(ax, "steps before the end")
    ax.set_yscale("log")
    names = list(dict.fromkeys(each.name for each in flow.flows))
    ends: list[tuple[float, str, str]] = []
    most = max(float(np.nanmax(each.norms, initial=0)) for each in flow.flows)
    steps = max(each.norms.shape[1] for each in flow.flows)
    for each in flow.flows:
        place = names.index(each.name)
        last, end = _draw_flow(ax, each, place, most * _SMALLEST)
        parts = sum(other.name == each.name for other in flow.flows)
        said, colour = label(each.label if parts > 1 else each.name, 20), SERIES[place % len(SERIES)]
        if last == steps - 1:
            ends.append((end, said, colour))
        elif np.isfinite(end):  # a gradient that is gone before the first step is named where it ends
            ax.annotate(
                said, (last, end), xytext=(0, -5), textcoords="offset points", ha="center", va="top", color=colour,
                fontsize=FONT - 1, parse_math=False,
            )  # fmt: skip
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(numticks=6))
    ax.set_xlim(0, max(1, steps - 1))
    ax.margins(y=0.09)
    end_labels(ax, ends, 220)
    return figure


def _draw_flow(ax: Axes, flow: Flow, place: int, floor: float) -> tuple[int, float]:
    """Draws one cell's line and band; returns where its line ends."""
    colour, cell = SERIES[place % len(SERIES)], flow.part == "cell"

    def seen(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(values > floor, values, np.nan)

    steps = np.arange(flow.norms.shape[1])
    low, high = flow.spread()
    if len(flow.norms) > 1 and not cell:
        ax.fill_between(steps, np.maximum(low, floor), seen(high), color=colour, alpha=0.13, linewidth=0)
    x, y = thin(steps, seen(flow.median))
    ax.plot(
        x, y, color=colour, linestyle=DASHES[place % len(DASHES)], linewidth=3.2 if cell else 1.6,
        marker="o" if len(x) == 1 else None,
    )  # fmt: skip
    known = np.flatnonzero(np.isfinite(y))
    return (int(x[known[-1]]), float(y[known[-1]])) if len(known) else (0, float("nan"))
