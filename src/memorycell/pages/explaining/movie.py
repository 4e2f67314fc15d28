"""Small pictures over all steps: what was read, what each step adds, and what a unit held and its gates did."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

from memorycell.insight.explained import Explained
from memorycell.pages.drawing import label, thin
from memorycell.pages.explaining.cell import CellRun
from memorycell.pages.explaining.steps import TEXTS, Player, channels, levels
from memorycell.pages.highlight import MOST_CHANNELS
from memorycell.pages.page import Html, element, escaped
from memorycell.pages.wording import fixed

MOST_POINTS = 1200  # of a line
_WIDTH, _HEIGHT = 1000, 60  # of a row, in its own units
_BINS = 300  # bars of what the steps add

# Rows of the picture over all steps, from top to bottom: key, what it is, and how it is drawn.
_ROWS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "LSTM": (
        ("c", "what it holds, c", "line"),
        ("h", "what it shows, h", "line"),
        ("f", "forget gate f: how much it keeps", "area"),
        ("i", "input gate i: how much it lets in", "area"),
        ("o", "output gate o: how much it shows", "area"),
    ),
    "GRU": (
        ("h", "what it holds and shows, h", "line"),
        ("z", "update gate z: how much it keeps", "area"),
        ("r", "reset gate r: how much memory speaks to the new", "area"),
    ),
    "RNN": (("h", "what it holds and shows, h", "line"),),
}


def over_time(shown: Player, run: CellRun, unit: int, at: int) -> Html:
    """What is read, and what the unit did over all steps, with a line at the chosen one."""
    rows = []
    if shown.explained.shown is not None and run.steps == len(shown.explained):
        rows.append(_readings(shown.explained))
    if shown.scores is not None and run.steps == len(shown.scores):
        rows.append(_additions(shown.scores))
    frames = [run.frame(unit, step) for step in _sampled(run.steps)]
    for key, name, how in _ROWS[run.cell.mode[:3].replace("LST", "LSTM")]:
        values = np.array([frame[key] for frame in frames])
        rows.append(_row(key, name, (_area if how == "area" else _line)(values), how))
    ends = [shown.labels[shown.first][place] for place in (0, -1)]
    place = (at + 0.5) / run.steps
    first, last = element("span", ends[0], id="from"), element("span", ends[1], id="to")
    return Html(
        f'<div class="movie" id="movie" role="group" aria-label="The unit over all steps" style="--at:{place:.5f}">'
        '<div class="cursor" aria-hidden="true"></div>'
        f'{"".join(rows)}<p class="ends" aria-hidden="true">{first}{last}</p></div>'
    )


def _sampled(steps: int) -> NDArray[np.int64]:
    """Steps enough to draw a picture that has few pixels."""
    return np.unique(np.linspace(0, steps - 1, min(steps, MOST_POINTS)).round().astype(np.int64))


def _row(key: str, name: str, d: str, how: str) -> str:
    zero = f'<path class="zero" d="{_zero_line(d)}"/>' if how == "line" else ""
    return (
        f'<div class="row {how}" data-row="{key}">{element("p", name)}<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'preserveAspectRatio="none" aria-hidden="true">{zero}<path class="trace" d="{d}"/></svg></div>'
    )


def _zero_line(d: str) -> str:
    return f"M0 {_HEIGHT / 2:g}H{_WIDTH}" if d else ""


def _points(values: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    x = (np.arange(len(values)) + 0.5) / len(values) * _WIDTH
    return "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def _line(values: NDArray[np.float64]) -> str:
    """A line around a zero in the middle."""
    most = float(np.abs(values).max(initial=0.0)) or 1.0
    return "M" + _points(values, _HEIGHT / 2 - values / most * (_HEIGHT / 2 - 3))


def _area(values: NDArray[np.float64]) -> str:
    """A share from 0 at the bottom to 1 at the top."""
    half = 0.5 / len(values) * _WIDTH
    line = _points(values, _HEIGHT - values * (_HEIGHT - 2))
    return f"M{half:.1f} {_HEIGHT}L{line}V{_HEIGHT}Z"


def _readings(explained: Explained) -> str:
    """What was read, each channel by its own range."""
    lines, names = [], []
    for channel, name in list(zip(np.asarray(explained.shown).T, explained.channels, strict=False))[:MOST_CHANNELS]:
        known = channel[np.isfinite(channel)]
        if not len(known):
            continue
        low, spread = float(known.min()), float(np.ptp(known)) or 1.0
        x, y = thin((np.arange(len(channel)) + 0.5) / len(channel) * _WIDTH, channel, MOST_POINTS)
        lines.append(f'<path class="trace" d="{_broken(x, _HEIGHT - 3 - (y - low) / spread * (_HEIGHT - 6))}"/>')
        names.append(label(name))
    several = " several" if len(lines) > 1 else ""
    return (
        f'<div class="row line{several}" data-row="read">{element("p", "what it read: " + ", ".join(names))}'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(lines)}</svg></div>"
    )


def _additions(scores: NDArray[np.float64]) -> str:
    """What each step adds to the output: bars up and down, of each stretch the longest."""
    most = float(np.abs(scores).max(initial=0.0)) or 1.0
    bins = [part[np.abs(part).argmax()] / most for part in np.array_split(scores, min(len(scores), _BINS))]
    width = _WIDTH / len(bins)
    paths = {"for": "", "against": ""}
    for place, share in enumerate(bins):
        bar = f"M{place * width:.1f} {_HEIGHT / 2:g}h{width:.1f}v{-share * (_HEIGHT / 2 - 1):.1f}h{-width:.1f}z"
        paths["for" if share > 0 else "against"] += bar
    drawn = "".join(f'<path class="{sign}" d="{d}"/>' for sign, d in paths.items())
    return (
        f'<div class="row bars" data-row="adds">{element("p", "what each step adds to the output")}'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="zero" d="M0 {_HEIGHT / 2:g}H{_WIDTH}"/>{drawn}</svg></div>'
    )


def _broken(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """A path with gaps where values are missing."""
    pieces, open_ = [], False
    for a, b in zip(x, y, strict=True):
        if np.isfinite(b):
            pieces.append(f"{'L' if open_ else 'M'}{a:.1f} {b:.1f}")
        open_ = bool(np.isfinite(b))
    return "".join(pieces)


def ribbon(shown: Player, at: int) -> str:
    """The words around the step, or its readings."""
    return f'<p class="ribbon" id="ribbon" dir="auto">{"".join(_ribbon_parts(shown, at))}</p>'


def _ribbon_parts(shown: Player, at: int) -> list[str]:
    names, explained = shown.labels[shown.first], shown.explained
    if explained.kind in TEXTS:
        strengths = levels(shown)
        aligned = strengths is not None and len(strengths) == len(names)
        parts, around = [], shown.around
        for step in range(max(0, at - around), min(len(names), at + around + 1)):
            level = strengths[step] if aligned and strengths is not None else 0
            classes = ["token", *([f"{'for' if level > 0 else 'against'}{abs(level)}"] if level else [])]
            classes += ["here"] if step == at else []
            parts.append(f'<span class="{" ".join(classes)}" data-step="{step}">{escaped(names[step])}</span>')
        return parts
    parts = [element("span", names[at], class_="when")]
    if explained.shown is not None and len(names) == len(explained):
        for channel in channels(explained):
            column = np.frombuffer(base64.b64decode(channel["data"]), "<f4")
            parts.append(element("span", f"{channel['name']} {fixed(float(column[at]), channel['digits'])}"))
    return parts
