"""What all units did with what they read, what was attended to, and for how long they remember."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memorycell.insight.explained import Explained
from memorycell.insight.lookback import lookback
from memorycell.insight.memory import memory
from memorycell.pages.explaining.material import Material
from memorycell.pages.explaining.steps import called, step_labels
from memorycell.pages.page import Section, figure, paragraph
from memorycell.pages.plots import patterns as plot_patterns
from memorycell.pages.plots import traces as plot_traces
from memorycell.pages.sections.memory import half_lives, looked_back
from memorycell.pages.wording import counted

_LONG, _DISTANCES, _DRAWS = 1000, 40, 2  # steps of all sequences looked back over, and how closely


def gates(material: Material) -> Section:
    section = Section("gates", "What all units did")
    top = material.trace.top
    steps = next(iter(top.values())).shape[-2]
    labels: Sequence[Any] = material.explained.labels
    if steps != len(material.explained):
        labels = step_labels(material.explained, steps)
    mode = material.explained.trunk[-1].mode
    section.add(
        figure(
            lambda width: plot_traces.gates(material.trace, labels=labels, width=width),
            "gates",
            "The last layer: a row a unit, a column a step. " + _READ[mode.partition("_")[0]],
        )
    )
    return section


_READ = {
    "LSTM": "Where the forget gate is strong and the input gate faint a unit carries something along; where they "
    "change places it takes something in.",
    "GRU": "Where the update gate is strong a unit carries something along; where it is faint it takes something in.",
    "RNN": "A plain RNN has no gates: every unit is written anew at every step.",
}


def attended(material: Material) -> Section:
    """What pooling by attention looked at, where there is any."""
    section = Section("attention", "What it attended to")
    weights = material.model.attended(material.samples, material.where)
    if weights is None:
        return section
    labels = [called(label) for label in material.explained.labels]
    section.add(
        figure(
            lambda width: plot_patterns.attention(weights, labels, width=width),
            "attention",
            "The share of each step in what attention pooled. It tells what was read, not why: a step that is read "
            "much may say little.",
        )
    )
    return section


def remembering(material: Material) -> Section:
    """How long the units keep, and how far back this answer reaches."""
    section = Section("memory", "How long it remembers")
    explained = material.explained
    rows = 1 if explained.rows_of_step is None else explained.rows_of_step[0]
    span = None if explained.span is None else explained.span * rows
    section.add(*half_lives(memory(material.trace), span, "In this sequence:"))
    cases = _cases(material)
    if not cases:
        section.add(
            paragraph("How far back inputs change the answer takes long to measure here: model.lookback(X) does.")
        )
        return section
    back = lookback(cases, distances=_DISTANCES, draws=_DRAWS)
    if back.reach is not None and back.window > 1:
        of = "this answer" if len(cases) == 1 else f"{counted(len(cases), 'answer')} from all over the data"
        section.add(paragraph(f"Seen from {of}:", back.sentence("the model")), looked_back(back))
    return section


def _cases(material: Material) -> list[Explained]:
    """Answers here and there in the data, as many as can be looked at in a few seconds; none where one takes longer."""
    if len(material.explained) > _LONG:
        return []
    try:
        cases = material.model.some_explained(material.samples)
    except (ValueError, TypeError):
        cases = []
    chosen, steps = [material.explained], len(material.explained)
    for case in cases:
        steps += len(case)
        if steps <= _LONG:
            chosen.append(case)
    return chosen
