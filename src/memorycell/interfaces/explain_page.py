"""The page that explains one answer: what it was, which steps made it, what the cell did, how long it remembers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.lookback import lookback
from memorycell.insight.memory import memory
from memorycell.insight.methods import METHODS, explain_by
from memorycell.insight.tracing import ModelTrace, trace_network
from memorycell.interfaces import plot_attribution, plot_memory, plot_traces
from memorycell.interfaces.drawing import canvas
from memorycell.interfaces.explain_answers import Answer, answer_of
from memorycell.interfaces.explain_cell import runs_of
from memorycell.interfaces.explain_player import called, cell_section, player, script_data, shown_as, step_labels
from memorycell.interfaces.highlight import Span, highlighted, legend, quotation
from memorycell.interfaces.page import (
    Html,
    Section,
    asset,
    document,
    element,
    facts,
    figure,
    json_block,
    paragraph,
)
from memorycell.interfaces.plot_waterfall import parts_of, waterfall
from memorycell.interfaces.wording import counted, listing, significant

_TEXTS = ("text", "symbols", "words")
_MOST_COMPARED = 400  # steps up to which other methods are asked as well
_NAMED = 3
_LONG, _DISTANCES, _DRAWS = 1000, 40, 2  # steps of all sequences looked back over, and how closely
_CHARACTERS = 1500  # of a text that are shown


@dataclass(frozen=True, eq=False)
class Material:
    """What the page is made of."""

    task: str
    model: Any
    data: Any
    where: Mapping[str, Any]
    explained: Explained
    explanation: Explanation
    trace: ModelTrace
    answer: Answer
    command: str | None

    @property
    def words(self) -> bool:
        return self.explained.kind in _TEXTS


def gather(
    task: str, model: Any, data: Any, where: Mapping[str, Any], method: str, command: str | None = None
) -> Material:
    """Everything that is computed for a page."""
    explained = model.explained(data, **where)
    with model._at_work():
        explanation = explain_by(explained, method)
        trace = trace_network(model.network_, lambda: explained.function(explained.values[None]), trunk=explained.trunk)
        answer = answer_of(task, model, data, explained, where)
    return Material(task, model, data, where, explained, explanation, trace, answer, command)


def page(material: Material) -> str:
    """The page as text; see `memorycell.write_explanation`."""
    explained, answer = material.explained, material.answer
    with material.model._at_work():
        shown = player(explained, material.explanation.scores, runs_of(explained))
        sections = [_why(material), cell_section(shown), _gates(material), _memory(material), _how(material)]
    header = Html(
        element("p", "memorycell explain", class_="eyebrow")
        + element("h1", answer.title)
        + element("p", answer.lead, class_="lead")
        + facts(answer.cards, "cards")
        + "".join(answer.parts)
    )
    return document(
        answer.title, header, sections, element("p", _FOOTER),
        style=asset("explain.css"), data=json_block("numbers", script_data(shown)), script=asset("explain.js"),
    )  # fmt: skip


_FOOTER = (
    "An explanation tells what this model did with this input. It does not tell whether the model is right, nor why "
    "the world is as it is."
)


# ---------------------------------------------------------------------- which steps


def _why(material: Material) -> Section:
    explained, explanation = material.explained, material.explanation
    section = Section("why", f"Which {shown_as(explained)} made it")
    section.add(paragraph(*_said(material)))
    caption = "Each part adds to the number or takes from it; together they are the number. What is left over is shown."
    if material.words:
        text, spans = _text(explained)
        weights = [Span(a, b, float(score)) for (a, b), score in zip(spans, explanation.scores, strict=True) if b > a]
        section.add(
            quotation(highlighted(text, weights, limit=_CHARACTERS)),
            legend("adds to it", "takes from it"),
            figure(lambda width: _sum(explanation, width), "why", caption),
        )
    else:
        shown, channels = explained.shown, explained.channels
        section.add(
            figure(
                lambda width: plot_attribution.attribution(explanation, shown, channels=channels, width=width),
                "why",
                f"Steps by what they add, blue, or take away, vermilion. {caption}",
            )
        )
    return section


def _said(material: Material) -> list[str]:
    """The number, and the steps that moved it most."""
    explanation = material.explanation
    unit = f" {explanation.unit}" if explanation.unit else ""
    said = [f"What is explained is one number: {explanation.output} = {significant(explanation.value)}{unit}."]
    named = {1: [], -1: []}  # type: dict[int, list[str]]
    for place in np.argsort(-np.abs(explanation.scores), kind="stable")[: 3 * _NAMED]:
        score = float(explanation.scores[place])
        if score and len(named[1 if score > 0 else -1]) < _NAMED:
            named[1 if score > 0 else -1].append(f"{_name(material, int(place))} ({_plus(score)})")
    if named[1]:
        said.append(f"Most for it spoke {listing(named[1])}.")
    if named[-1]:
        said.append(f"Most against it {listing(named[-1])}.")
    return said


def _name(material: Material, place: int) -> str:
    word = called(material.explained.labels[place])
    return f"“{word}”" if material.words else word


def _plus(score: float) -> str:
    return ("+" if score > 0 else "") + significant(score, 2)


def _text(explained: Explained) -> tuple[str, Sequence[tuple[int, int]]]:
    """The text and where its words stand; symbols and words are set side by side."""
    if explained.text is not None and explained.spans is not None:
        return explained.text, explained.spans
    words = [str(word) for word in explained.labels]
    starts = np.cumsum([0, *(len(word) + 1 for word in words)]).tolist()
    return " ".join(words), [(a, a + len(word)) for a, word in zip(starts, words, strict=False)]


def _sum(explanation: Explanation, width: float) -> Any:
    """The sum of the parts, as a picture."""
    parts = parts_of(explanation, words=True)
    drawn, (axes,) = canvas(width, (23 if width > 500 else 34) * (len(parts) + 1) + 60)
    waterfall(axes, parts, explanation, width)
    return drawn


def _compared(material: Material) -> list[Html]:
    """What other methods say of the same number."""
    explained = material.explained
    if len(explained) > _MOST_COMPARED or len(explained) < 2:
        return []
    found = [material.explanation]
    for method in METHODS:
        if method not in (material.explanation.method, "contextual decomposition"):
            try:
                found.append(explain_by(explained, method))
            except ValueError:  # a method that does not know this network says so where it is asked for
                continue
    if len(found) < 2:
        return []
    caption = (
        "The same number by other methods. Where they agree an explanation can be leant on; where not, it is one view."
    )
    return [
        element("h3", "Do other methods agree?"),
        figure(lambda width: plot_attribution.compare_attributions(found, width=width), "methods", caption),
    ]


# ---------------------------------------------------------------------- gates and memory


def _gates(material: Material) -> Section:
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


def _memory(material: Material) -> Section:
    """How long the units keep, and how far back this answer reaches."""
    section = Section("memory", "How long it remembers")
    explained = material.explained
    found = memory(material.trace)
    section.add(paragraph("In this sequence:", found.sentence(explained.span)))
    if any(layer.gate for layer in found.layers):
        section.add(
            figure(
                lambda width: plot_memory.memory_lengths(found, span=explained.span, width=width),
                "half-lives",
                "How many units forget half of what they hold within how many steps.",
            )
        )
    cases = _cases(material)
    if not cases:
        section.add(
            paragraph("How far back inputs change the answer takes long to measure here: model.memory(X) does.")
        )
        return section
    back = lookback(cases, distances=_DISTANCES, draws=_DRAWS)
    if back.reach is not None and back.window > 1:
        of = "this answer" if len(cases) == 1 else f"{counted(len(cases), 'answer')} from all over the data"
        section.add(
            paragraph(f"Seen from {of}:", back.sentence("the model")),
            figure(
                lambda width: plot_memory.lookback(back, width=width),
                "lookback",
                "How much the answer changes with an input, by how far back it stands.",
            ),
        )
    return section


def _cases(material: Material) -> list[Explained]:
    """Answers here and there in the data, as many as can be looked at in a few seconds; none where one takes longer."""
    if len(material.explained) > _LONG:
        return []
    try:
        cases = material.model._some_explained(material.data)
    except (ValueError, TypeError):
        cases = []
    chosen, steps = [material.explained], len(material.explained)
    for case in cases:
        steps += len(case)
        if steps <= _LONG:
            chosen.append(case)
    return chosen


# ---------------------------------------------------------------------- how


def _how(material: Material) -> Section:
    section = Section("method", "How far to trust this")
    explanation, explained = material.explanation, material.explained
    layers = sum(layer.num_layers for layer in explained.trunk)
    section.add(
        *_compared(material),
        element("h3", "The method"),
        paragraph(explanation.note, explained.exact if explained.exact not in explanation.note else ""),
        facts(
            {
                "model": f"{material.task}, {counted(layers, 'recurrent layer')}, {explained.trunk[-1].mode}"
                if explained.trunk
                else material.task,
                "explained": explanation.output,
                "steps read": f"{len(explained):,}",
                "method": explanation.method,
                "sum of all parts": significant(explanation.total, 6),
                "the number itself": significant(explanation.value, 6),
            }
        ),
    )
    if material.command:
        section.add(paragraph("This page was written by"), element("pre", element("code", material.command)))
    section.add(paragraph("The same in Python:"), element("pre", element("code", _lines(material))))
    return section


def _lines(material: Material) -> str:
    data = material.data
    named = repr(Path(data).name) if isinstance(data, str | os.PathLike) and len(str(data)) < 200 else "data"
    asked = "".join(f", {name}={value!r}" for name, value in material.where.items() if value is not None)
    method = material.explanation.method
    by = "" if method == "integrated gradients" else f", method={method!r}"
    return (
        f'import memorycell\n\nmodel = memorycell.load("model.safetensors")\nprint(model.explain({named}{asked}{by}))'
    )
