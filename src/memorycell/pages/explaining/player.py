"""The cell, step by step: a drawing, its equations and a slider, and the numbers that explain.js puts into them."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from memorycell.pages.explaining.bound import FLOW, GATE, WORDS, Bound, digits_for
from memorycell.pages.explaining.cell import CellRun
from memorycell.pages.explaining.drawing import drawing
from memorycell.pages.explaining.equations import equations, story
from memorycell.pages.explaining.movie import MOST_POINTS, over_time, ribbon
from memorycell.pages.explaining.steps import TEXTS, Player, channels, levels
from memorycell.pages.page import Html, Section, element, escaped, paragraph
from memorycell.pages.wording import counted


def cell_section(shown: Player) -> Section:
    """The section with the slider; without JavaScript it shows the first step chosen, and says so."""
    section = Section("cell", "Inside the cell, step by step")
    run, units = shown.runs[shown.first]
    at, names = shown.at[shown.first], shown.labels[shown.first]
    bound = Bound(run.frame(units[0], at), run.unit_scales(units[0]))
    said = _where(run, at, names)
    section.add(
        paragraph(
            "One unit of the network at one step, with the numbers that it really had. Lines are as wide as what runs "
            "along them, blue where it is positive, vermilion where it is negative; rings show how far gates are open."
        ),
        Html(f"<noscript>{element('p', _without_script(at, run), class_='notice')}</noscript>"),
        Html(
            f'<div class="lab"><div class="read">{_pickers()}{ribbon(shown, at)}</div>'
            f'<div class="picture">{_stages(shown, _picture)}</div>'
            f'<div class="move">{_transport(run, at, said)}<p class="happens" id="happens" aria-live="polite" '
            f'aria-atomic="true">{_happening(said, run, bound)}</p></div>{over_time(shown, run, units[0], at)}'
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


def _where(run: CellRun, at: int, names: Sequence[str]) -> str:
    step = at + run.first
    named = "" if names[at] == f"step {step}" else f", {names[at]}"
    return f"Step {step + 1:,} of {run.whole or run.steps:,}{named}"


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
        "tokens": shown.explained.kind in TEXTS,
        "around": shown.around,
        "levels": levels(shown),
        "channels": channels(shown.explained),
        "words": WORDS,
        "flow": FLOW,
        "gate": GATE,
        "points": MOST_POINTS,
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
