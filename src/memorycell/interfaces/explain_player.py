"""The cell, step by step: a drawing, its equations and a slider, and the numbers that explain.js puts into them."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.calendar import say_date
from memorycell.insight.explained import Explained
from memorycell.interfaces.drawing import label, thin
from memorycell.interfaces.explain_bound import FLOW, GATE, WORDS, Bound, digits_for
from memorycell.interfaces.explain_cell import CellRun, fitted_to_page
from memorycell.interfaces.explain_drawing import drawing
from memorycell.interfaces.explain_equations import equations, story
from memorycell.interfaces.highlight import LEVELS, MOST_CHANNELS
from memorycell.interfaces.page import Html, Section, element, escaped, paragraph
from memorycell.interfaces.plot_steps import token
from memorycell.interfaces.wording import counted, fixed

AROUND = {"characters": 22, "words": 7, "symbols": 12, "steps": 0}  # shown on either side of the chosen one
_WIDTH, _HEIGHT = 1000, 60  # of a row of the small pictures, in its own units
_MOST_POINTS = 1200
_FAINTEST = 0.08  # of the strongest: below it a word has no colour
_BINS = 300  # bars of what the steps add
_TEXTS = ("text", "symbols", "words")

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


@dataclass(frozen=True, eq=False)
class Player:
    """All that is stepped through: runs, the units of each, and the step and run that are shown first."""

    explained: Explained
    scores: NDArray[np.float64] | None
    runs: list[tuple[CellRun, list[int]]]
    labels: list[list[str]]
    at: list[int]
    first: int

    @property
    def kinds(self) -> list[tuple[Any, ...]]:
        """The different cells, in the order in which they come."""
        return list(dict.fromkeys((*run.kind, run.zone) for run, _ in self.runs))

    def kind_of(self, number: int) -> int:
        """Which of `kinds` a run is."""
        run = self.runs[number][0]
        return self.kinds.index((*run.kind, run.zone))


def player(explained: Explained, scores: NDArray[np.float64] | None, runs: Sequence[CellRun]) -> Player:
    """Choose what is shown first: the last layer, its unit that matters most, the step that the output is read at.

    Where the output is read from the whole sequence, the step that adds most to it.
    """
    chosen = len(explained) - 1
    if explained.anchor is not None:
        chosen = explained.anchor
    elif scores is not None and len(scores) and np.abs(scores).max() > 0:
        chosen = int(np.abs(scores).argmax())
    at = [_step_of(explained, run.steps, chosen) for run in runs]
    fitted = fitted_to_page(runs, at)
    labels = [
        step_labels(explained, run.steps)[short.first :][: short.steps]
        for run, (short, _) in zip(runs, fitted, strict=True)
    ]
    at = [place - short.first for place, (short, _) in zip(at, fitted, strict=True)]
    # Of a layer that reads both ways the forward half, which people read first.
    forward = [number for number, run in enumerate(runs) if not run.backwards]
    return Player(explained, scores, fitted, labels, at, forward[-1])


def _stretches(explained: Explained, steps: int) -> list[tuple[int, int]] | None:
    """First row and the row after the last of each step of a layer that reads stretches; None where it does not.

    Rows before the first stretch are not read by the layer.
    """
    rows = explained.rows_of_step
    if rows is None or len(rows) != steps:
        return None
    ends = len(explained) - sum(rows) + np.cumsum(rows)
    return [(int(end) - count, int(end)) for end, count in zip(ends, rows, strict=True)]


def _step_of(explained: Explained, steps: int, chosen: int) -> int:
    """The layer's step in which step `chosen` of the sequence is read; the last where there is no telling."""
    if steps == len(explained):
        return chosen
    found = _stretches(explained, steps) or []
    return next((step for step, (_, stop) in enumerate(found) if chosen < stop), steps - 1)


def step_labels(explained: Explained, steps: int) -> list[str]:
    """What the steps of a layer are called: as those of the sequence, or by the stretches they read."""
    names = [called(each) for each in explained.labels]
    if steps == len(names):
        return names
    found = _stretches(explained, steps)
    if found is None:
        return [f"{step} ahead" for step in range(1, steps + 1)]
    return [names[a] if b - a == 1 else f"{names[a]} to {names[b - 1]}" for a, b in found]


def shown_as(explained: Explained) -> str:
    """What steps are, in the plural: characters, words, symbols or steps."""
    if explained.kind not in _TEXTS:
        return "steps"
    if all(len(str(label)) <= 1 or not str(label).strip("()").isalpha() for label in explained.labels[1:]):
        return "characters" if explained.kind == "text" else "symbols"
    return "symbols" if explained.kind == "symbols" else "words"


def called(step: Any) -> str:
    """What a step is called: a date, a visible token, or its number.

    Example
    -------
    >>> called(np.datetime64("2024-05-01")), called(" "), called(7)
    ('2024-05-01', '␣', 'step 7')
    """
    if isinstance(step, np.datetime64):
        return say_date(step)
    return token(step, 28) if isinstance(step, str) else f"step {step}"


# ---------------------------------------------------------------------- what the script gets


def script_data(shown: Player) -> dict[str, Any]:
    """Plain JSON: every number that the pictures can show."""
    lists: list[list[str]] = []
    for names in shown.labels:
        if names not in lists:
            lists.append(names)
    return {
        "labels": lists,
        "runs": [
            _run_data(run, units, shown.kind_of(number), lists.index(shown.labels[number]), shown.at[number])
            for number, (run, units) in enumerate(shown.runs)
        ],
        "first": shown.first,
        "tokens": shown.explained.kind in _TEXTS,
        "around": AROUND[shown_as(shown.explained)],
        "levels": _levels(shown),
        "channels": _channels(shown.explained),
        "words": WORDS,
        "flow": FLOW,
        "gate": GATE,
        "points": _MOST_POINTS,
    }


def _run_data(run: CellRun, units: Sequence[int], kind: int, labels: int, at: int) -> dict[str, Any]:
    made = []
    for unit in units:
        scales = run.unit_scales(unit)
        made.append(
            {
                "unit": unit,
                "scales": {key: _plain(value) for key, value in scales.items()},
                "digits": digits_for(scales),
                "constants": {key: _plain(values[unit]) for key, values in run.constants.items()},
                "data": run.packed(unit),
            }
        )
    return {
        "name": run.name, "mode": run.cell.mode, "coupled": run.cell.coupled, "resetAfter": run.cell.reset_after,
        "backwards": run.backwards, "steps": run.steps, "first": run.first, "whole": run.whole or run.steps,
        "names": list(run.parts), "total": len(run.importance), "kind": kind, "labels": labels, "at": at, "units": made,
    }  # fmt: skip


def _plain(value: Any) -> float:
    return float(f"{float(value):.9g}")


def _levels(shown: Player) -> list[int] | None:
    """How strongly each step speaks, from -5 to 5, where the page colours words by it."""
    if shown.scores is None or shown.explained.kind not in _TEXTS:
        return None
    most = float(np.abs(shown.scores).max(initial=0.0)) or 1.0
    shares = np.nan_to_num(shown.scores / most)
    strong = np.where(np.abs(shares) < _FAINTEST, 0, np.ceil(np.abs(shares) * LEVELS))
    return [int(level) for level in np.sign(shares) * strong]


def _channels(explained: Explained) -> list[dict[str, Any]]:
    """Readings in their units, the first few columns."""
    if explained.shown is None:
        return []
    made = []
    for name, column in list(zip(explained.channels, np.asarray(explained.shown).T, strict=False))[:MOST_CHANNELS]:
        packed = base64.b64encode(column.astype("<f4").tobytes()).decode()
        made.append({"name": label(name), "digits": _digits(column), "data": packed})
    return made


def _digits(column: NDArray[np.float64]) -> int:
    known = column[np.isfinite(column)]
    spread = float(np.ptp(known)) if len(known) else 0.0
    return 0 if spread > 200 else 1 if spread > 20 else 2 if spread > 2 else 3


# ---------------------------------------------------------------------- what stands in the page


def cell_section(shown: Player) -> Section:
    """The section with the slider; without JavaScript it shows the first step chosen, and says so."""
    section = Section("cell", "Inside the cell, step by step")
    run, units = shown.runs[shown.first]
    at, names = shown.at[shown.first], shown.labels[shown.first]
    bound = Bound(run.frame(units[0], at), run.unit_scales(units[0]))
    said = _where(run, units[0], at, names)
    section.add(
        paragraph(
            "One unit of the network at one step, with the numbers that it really had. Lines are as wide as what runs "
            "along them, blue where it is positive, vermilion where it is negative; rings show how far gates are open."
        ),
        Html(f"<noscript>{element('p', _without_script(at, run), class_='notice')}</noscript>"),
        Html(
            f'<div class="lab"><div class="read">{_pickers()}{_ribbon(shown, at)}</div>'
            f'<div class="picture">{_stages(shown, _picture)}</div>'
            f'<div class="move">{_transport(run, at, said)}<p class="happens" id="happens" aria-live="polite" '
            f'aria-atomic="true">{_happening(said, run, bound)}</p></div>{_over_time(shown, run, units[0], at)}'
            f'<div class="formulas">{_stages(shown, equations)}</div></div>'
        ),
        _cropped_note(shown),
    )
    return section


def _stages(shown: Player, make: Callable[[CellRun, Bound], Html]) -> str:
    """Something of each kind of cell there is; only that of the run shown is in sight."""
    made = []
    for kind in range(len(shown.kinds)):
        alike = [number for number in range(len(shown.runs)) if shown.kind_of(number) == kind]
        place = shown.first if shown.first in alike else alike[0]
        (run, units), at = shown.runs[place], shown.at[place]
        bound = Bound(run.frame(units[0], at), run.unit_scales(units[0]))
        hidden = "" if place == shown.first else " hidden"
        made.append(f'<div class="stage" data-kind="{kind}"{hidden}>{make(run, bound)}</div>')
    return "".join(made)


def _picture(run: CellRun, bound: Bound) -> Html:
    return Html(f"<figure>{drawing(run, bound)}{_legend(run)}</figure>")


def _legend(run: CellRun) -> Html:
    sources = [("x", "from the input"), ("h", "from the memory: what all units showed before"), ("b", "bias")]
    if "ip" in run.constants or "op" in run.constants:
        sources.append(("c", "from the cell itself (peephole)"))
    made = "".join(f'<span><i class="swatch from-{key}"></i>{said}</span>' for key, said in sources)
    return Html(f'<figcaption class="sources">{made}</figcaption>')


def _pickers() -> Html:
    """Choice of layer and unit; the script fills them, and shows them where there is a choice."""
    return Html(
        '<div class="pickers" hidden><label id="of-run" hidden>Layer <select id="run"></select></label>'
        '<label>Unit <select id="unit"></select></label><span id="of"></span></div>'
    )


def _transport(run: CellRun, at: int, said: str) -> Html:
    buttons = {
        "start": ("First step", "M6 5v14M19 5L9 12l10 7z"),
        "back": ("One step back", "M17 5L7 12l10 7z"),
        "play": ("Play", "M7 5l12 7-12 7z"),
        "on": ("One step on", "M7 5l10 7-10 7z"),
        "end": ("Last step", "M18 5v14M5 5l10 7-10 7z"),
    }
    made = "".join(
        f'<button type="button" id="{key}" aria-label="{name}" title="{name}">'
        f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{d}"/></svg></button>'
        for key, (name, d) in buttons.items()
    )
    return Html(
        f'<div class="transport" hidden><div class="buttons">{made}</div><input type="range" id="step" min="0" '
        f'max="{run.steps - 1}" value="{at}" step="1" aria-label="Step" aria-valuetext="{html.escape(said)}"></div>'
    )


def _without_script(at: int, run: CellRun) -> str:
    return (
        f"JavaScript is off: the pictures show step {at + run.first + 1:,} of one unit. Stepping, playing and choosing "
        "other units need it; nothing is loaded from elsewhere."
    )


def _where(run: CellRun, unit: int, at: int, names: Sequence[str]) -> str:
    return f"Step {at + run.first + 1:,} of {run.whole or run.steps:,}, {names[at]}"


def _happening(said: str, run: CellRun, bound: Bound) -> Html:
    return Html(f'<b id="where">{escaped(said)}.</b> {story(run, bound)}')


def _cropped_note(shown: Player) -> Html:
    cropped = [run for run, _ in shown.runs if run.whole is not None]
    if not cropped:
        return Html()
    run = cropped[0]
    return paragraph(
        f"So long a sequence does not fit a page: {counted(run.steps, 'step')} from step {run.first + 1:,} on are here."
    )


# ---------------------------------------------------------------------- small pictures over all steps


def _over_time(shown: Player, run: CellRun, unit: int, at: int) -> Html:
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
    return np.unique(np.linspace(0, steps - 1, min(steps, _MOST_POINTS)).round().astype(np.int64))


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
        x, y = thin((np.arange(len(channel)) + 0.5) / len(channel) * _WIDTH, channel, _MOST_POINTS)
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


def _ribbon(shown: Player, at: int) -> str:
    """The words around the step, or its readings."""
    return f'<p class="ribbon" id="ribbon" dir="auto">{"".join(_ribbon_parts(shown, at))}</p>'


def _ribbon_parts(shown: Player, at: int) -> list[str]:
    names, explained = shown.labels[shown.first], shown.explained
    if explained.kind in _TEXTS:
        levels = _levels(shown)
        aligned = levels is not None and len(levels) == len(names)
        parts, around = [], AROUND[shown_as(explained)]
        for step in range(max(0, at - around), min(len(names), at + around + 1)):
            level = levels[step] if aligned and levels is not None else 0
            classes = ["token", *([f"{'for' if level > 0 else 'against'}{abs(level)}"] if level else [])]
            classes += ["here"] if step == at else []
            parts.append(f'<span class="{" ".join(classes)}" data-step="{step}">{escaped(names[step])}</span>')
        return parts
    parts = [element("span", names[at], class_="when")]
    if explained.shown is not None and len(names) == len(explained):
        for channel in _channels(explained):
            column = np.frombuffer(base64.b64decode(channel["data"]), "<f4")
            parts.append(element("span", f"{channel['name']} {fixed(float(column[at]), channel['digits'])}"))
    return parts
