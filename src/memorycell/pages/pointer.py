"""pointer: what charts tell of the values below the pointer, as the figures of a page carry it for charts.js."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from memorycell.data.lines import visible

_DAY = 86_400
_LONG = 60  # points, from which on a stretch may be worth a closer look
_DIGITS = 4  # of the range of a series
_MOST_NOTES = 400
_MOST_CELLS = 20_000  # of a map
_MISSING = 255  # in a map: its values are 0 … 254


@dataclass
class _Reading:
    """What one panel tells: plain JSON, and whether its x are dates."""

    tells: dict[str, Any]
    dated: bool = False


@dataclass
class Line:
    """A line that the pointer reads: its values, one a place, and the name of its colour in `PALETTE`.

    With `high` it is a band from `values` to `high`.
    """

    colour: str
    values: ArrayLike
    high: ArrayLike | None = None
    digits: int | None = field(default=None)


_READINGS: WeakKeyDictionary[Axes, _Reading] = WeakKeyDictionary()


def tell_lines(
    ax: Axes,
    x: NDArray,
    lines: Mapping[str, Line],
    *,
    called: str = "",
    labels: Sequence[Any] | None = None,
    zoom: bool | None = None,
) -> None:
    """Let the pointer read lines that share their places.

    Parameters
    ----------
    x : (n,) numbers or dates, ascending
    lines : what each is called, with n values; NaN where there is none
    called : what a number on the axis is: "step", "epoch"
    labels : n names of the places, in place of their numbers
    zoom : whether a stretch can be looked at closely; None: of more than 60 places that have no names
    """
    x = np.asarray(x)
    if not len(x) or not lines:
        return
    dated = np.issubdtype(x.dtype, np.datetime64)
    tells: dict[str, Any] = {"kind": "lines"}
    if dated:
        seconds = x.astype("datetime64[s]").astype(np.int64)
        tells |= {"x": _packed(seconds), "as": "second" if (seconds % _DAY).any() else "day"}
    else:
        tells |= {"x": _packed(x), "as": called}
    if labels is not None:
        tells["labels"] = [visible(each, 60) for each in labels]
    tells["series"] = [_series(name, line) for name, line in lines.items()]
    tells["zoom"] = (len(x) > _LONG and labels is None) if zoom is None else zoom
    _READINGS[ax] = _Reading(tells, dated)


def _series(name: str, line: Line) -> dict[str, Any]:
    ends = [np.asarray(line.values, float)] + ([] if line.high is None else [np.asarray(line.high, float)])
    digits = decimals_of(np.concatenate(ends)) if line.digits is None else line.digits
    made = {"name": visible(name, 40) if name else "", "colour": line.colour, "digits": digits}
    return made | dict(zip(("values", "high"), (_numbers(values, digits) for values in ends), strict=False))


def tell_notes(ax: Axes, notes: Sequence[tuple[float, float, str]]) -> None:
    """Let the pointer read what stands at some places (x, y) of a panel: a line of text each, the first one a title."""
    if 0 < len(notes) <= _MOST_NOTES:
        made = [[_rounded(x, 6), _rounded(y, 6), text] for x, y, text in notes if math.isfinite(x) and math.isfinite(y)]
        _READINGS[ax] = _Reading({"kind": "notes", "notes": made})


def tell_cells(
    ax: Axes, counts: NDArray[np.int64], totals: NDArray[np.int64], rows: Sequence[Any], columns: Sequence[Any]
) -> None:
    """Let the pointer read the cells of a matrix of counts, whose rows are 0, 1, … from the top."""
    _READINGS[ax] = _Reading(
        {
            "kind": "cells",
            "rows": [visible(each, 60) for each in rows],
            "columns": [visible(each, 60) for each in columns],
            "counts": np.asarray(counts).tolist(),
            "totals": np.asarray(totals).tolist(),
        }
    )


def tell_map(
    ax: Axes,
    values: NDArray[np.float64],
    rows: Sequence[Any],
    columns: Sequence[Any],
    *,
    size: int = 1,
) -> None:
    """Let the pointer read a map of values (rows, columns), whose rows are 0, 1, … from the top.

    A value is held as one of 255 levels of their range, which is as much as colours tell.

    Parameters
    ----------
    rows, columns : names
    size : of a column along the axis, the first of which begins at -0.5
    """
    known = np.isfinite(values)
    if not known.any() or values.size > _MOST_CELLS:
        return
    low, high = float(values[known].min()), float(values[known].max())
    levels = np.full(values.shape, _MISSING, np.uint8)
    levels[known] = ((_MISSING - 1) * (values[known] - low) / ((high - low) or 1.0)).round()
    digits = 2 - math.floor(math.log10((high - low) or abs(high) or 1.0))
    _READINGS[ax] = _Reading(
        {
            "kind": "map",
            "rows": [visible(each, 60) for each in rows],
            "columns": [visible(each, 60) for each in columns],
            "size": size,
            "ends": [low, high],
            "digits": int(np.clip(digits, 0, 8)),
            "levels": base64.b64encode(levels.tobytes()).decode(),
        }
    )


def decimals_of(values: NDArray[np.float64]) -> int:
    """Decimals that show four digits of the range of some values, and no more than it takes to show them as they are.

    Example
    -------
    >>> decimals_of(np.array([20.7, 17.9])), decimals_of(np.array([1.0, 512.0])), decimals_of(np.array([0.12345, 0.2]))
    (1, 0, 5)
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return 0
    size = float(np.ptp(known)) or float(np.abs(known).max()) or 1.0
    most = int(np.clip(_DIGITS - 1 - math.floor(math.log10(size)), 0, 8))
    exact = (np.abs(known - known.round(digits)).max() <= 1e-9 * size for digits in range(most))
    return next((digits for digits, found in enumerate(exact) if found), most)


def _numbers(values: NDArray[np.float64], digits: int) -> list[float | int | None]:
    return [None if not math.isfinite(value) else _rounded(value, digits) for value in values.tolist()]


def _rounded(value: float, digits: int) -> float | int:
    found = round(float(value), digits)
    return int(found) if found == int(found) else found


def _packed(places: NDArray) -> list[Any]:
    """The first place and the steps from each to the next; one step and a count where all are alike."""
    steps = np.diff(places)
    plain = [_rounded(each, 6) for each in steps.tolist()]
    first = _rounded(places[0], 6)
    if len(set(plain)) <= 1:
        return [first, plain[0] if plain else 1, len(places)]
    return [first, plain]


# ---------------------------------------------------------------------- of figures


def telling(figure: Figure) -> list[Axes]:
    """The panels of a figure that tell something, in the order of their numbers in its picture."""
    return [ax for ax in figure.axes if ax in _READINGS]


def readings(**pictures: Figure) -> str:
    """What the pictures of one figure tell, for an attribute of the page: "" where that is nothing.

    Parameters
    ----------
    pictures : drawn figures, ``wide=`` and ``narrow=``; what both tell is held once
    """
    data: list[str] = []
    made: dict[str, Any] = {}
    for kind, figure in pictures.items():
        made[kind] = []
        for ax in telling(figure):
            text = json.dumps(_READINGS[ax].tells, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            if text not in data:
                data.append(text)
            made[kind].append([data.index(text), *_where(ax, _READINGS[ax].dated)])
    if not data:
        return ""
    places = "".join(f",{json.dumps(kind)}:{json.dumps(each, separators=(',', ':'))}" for kind, each in made.items())
    return html.escape(f'{{"data":[{",".join(data)}]{places}}}', quote=False).replace("'", "&#x27;")


def _where(ax: Axes, dated: bool) -> list[Any]:
    """Where a panel stands in its picture, and what its edges are: box, x, y, and which axes are logarithmic."""
    box, high = ax.get_window_extent(), ax.get_figure(root=True).bbox.height  # type: ignore[union-attr]
    x = [_rounded(each * _DAY if dated else each, 6) for each in ax.get_xlim()]
    y = [_rounded(each, 8) for each in ax.get_ylim()]
    sides = [round(each, 1) for each in (box.x0, high - box.y1, box.x1, high - box.y0)]
    return [sides, x, y, [ax.get_xscale() == "log", ax.get_yscale() == "log"]]
