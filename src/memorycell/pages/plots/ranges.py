"""Ranges of axes: what one value far off would squash is drawn at its own scale, and the far one is written out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from memorycell.pages.drawing import FONT, PALETTE

_FAR = 4.0  # times the next smaller error, from which one is drawn off the scale


def in_sight(errors: Sequence[float], ours: float) -> float:
    """The largest of some errors, above 0, that belongs on an axis with `ours`; those above it would squash the others.

    One that is over four times as large as the next smaller one is off the scale, and all above it; `ours` never is.

    Example
    -------
    >>> in_sight([1.0, 1.2, 9.0], ours=1.0), in_sight([1.0, 1.2, 3.0], ours=1.0), in_sight([1.0, 9.0], ours=9.0)
    (1.2, 3.0, 9.0)
    """
    known = sorted(float(error) for error in errors if np.isfinite(error))
    for smaller, larger in pairwise(known):
        if smaller > 0 and larger > _FAR * smaller and smaller >= ours:
            return smaller
    return known[-1] if known else 1.0


def beyond(ax: Axes, y: float, text: str, colour: str) -> None:
    """At the right edge of the axes, the axis broken before it: what is beyond it, and by how much."""
    across = ax.get_yaxis_transform()
    ax.plot(0.985, y, ">", color=colour, markersize=8, transform=across, clip_on=False)
    for place in (0.9, 0.912):
        ax.plot(
            [place - 0.006, place + 0.006], [y + 0.22, y - 0.22], color=colour, linewidth=1.2, transform=across,
            clip_on=False,
        )  # fmt: skip
    ax.annotate(
        text, (0.985, y), xycoords=across, xytext=(4, 9), textcoords="offset points", ha="right", color=colour,
        fontsize=FONT - 1, parse_math=False,
    )  # fmt: skip


def above(ax: Axes, said: Sequence[tuple[str, Any]]) -> None:
    """Below the heading of the axes: which lines leave them at the top, and how far they go."""
    for place, (text, colour) in enumerate(said):
        ax.annotate(
            text, (0, 1), xycoords="axes fraction", xytext=(6, -8 - 15 * place), textcoords="offset points",
            va="center", color=colour or PALETTE["muted"], fontsize=FONT - 1, parse_math=False, annotation_clip=False,
        )  # fmt: skip
