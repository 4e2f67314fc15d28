"""The ratios as a picture: a bar for each job, forward and training, and a mark for the best peer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from kernels.report import Row
from memorycell.pages.drawing import PALETTE

COLOURS = {"forward": PALETTE["blue"], "training": PALETTE["vermilion"], "memory": PALETTE["green"]}
MARK: dict[str, Any] = {  # the fastest peer, if it is another than torch
    "marker": "o",
    "linestyle": "",
    "markersize": 4,
    "markerfacecolor": "white",
    "markeredgecolor": PALETTE["ink"],
}
LEAST, MOST = 1 / 16, 64  # what lies beyond is cut


def _name(row: Row) -> str:
    """The job's title, and of a way that is not the first, the way."""
    _, _, way = row.ours.partition(", ")
    return f"{row.job.title} ({way})" if row.job.family == "one step" else row.job.title


def _cut(ratio: float) -> float:
    return min(max(ratio, LEAST), MOST)


def _panel(axes: Axes, rows: Sequence[Row], names: list[str]) -> None:
    places = {name: place for place, name in enumerate(names)}
    kinds = {name: [row.job.kind for row in rows if _name(row) == name] for name in names}
    for row in rows:
        name = _name(row)
        theirs, best = row.ratios[row.torch or ""], row.best or ""  # draw() leaves out rows without
        count = len(kinds[name])
        thickness = 0.8 / max(count, 2)
        place = places[name] + (kinds[name].index(row.job.kind) - (count - 1) / 2) * thickness
        length = _cut(theirs)
        axes.barh(place, length - 1, thickness * 0.92, left=1, color=COLOURS[row.job.kind])
        axes.annotate(
            f"{theirs:.2f}" if theirs < 10 else f"{theirs:.0f}",
            (max(length, 1), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=PALETTE["ink"],
        )
        if best != row.torch:
            axes.plot(_cut(row.ratios[best]), place, **MARK)
    axes.axvline(1, color=PALETTE["ink"], linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value >= 1 else f"1/{1 / value:g}"))
    axes.xaxis.set_major_locator(LogLocator(base=2, numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())


def draw(rows: Sequence[Row], title: str, paths: Sequence[Path]) -> Sequence[Path]:
    """Write the picture of the rows of memorycell at its best level; the suffix of each path tells its format.

    Returns the paths written: none if no row has torch beside it.
    """
    shown = [row for row in rows if row.ours.partition(",")[0] == "memorycell" and row.torch]
    if not shown:
        return []
    names = list(dict.fromkeys(_name(row) for row in shown))
    threads = sorted({row.threads for row in shown})
    figure = Figure(figsize=(5 + 3.2 * len(threads), 1.6 + 0.3 * len(names)), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(threads), sharey=True, sharex=True, squeeze=False)[0]
    for axes, count in zip(panels, threads, strict=True):
        _panel(axes, [row for row in shown if row.threads == count], names)
        axes.set_xlabel("time (memory) of torch.nn / of memorycell", fontsize=8)
        axes.set_title(f"{count} thread{'s' if count > 1 else ''}", loc="left", fontsize=9)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(labelsize=8, length=0)
        axes.grid(axis="x", color=PALETTE["grid"], linewidth=0.7)
        axes.set_axisbelow(True)
        axes.margins(x=0.14, y=0.01)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    kinds = [kind for kind in COLOURS if any(row.job.kind == kind for row in shown)]
    handles: list[Patch | Line2D] = [Patch(color=COLOURS[kind], label=kind) for kind in kinds]
    handles.append(Line2D([], [], label="the fastest other peer", **MARK))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    return paths
