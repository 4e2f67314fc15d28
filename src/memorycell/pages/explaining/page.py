"""The page that explains one answer: what it was, which steps made it, what the cell did, how long it remembers."""

from __future__ import annotations

import os

from memorycell.pages.explaining.material import Material
from memorycell.pages.explaining.memory import attended, gates, remembering
from memorycell.pages.explaining.player import cell_section, script_data
from memorycell.pages.explaining.runs import runs_of
from memorycell.pages.explaining.steps import player
from memorycell.pages.explaining.why import compared, why
from memorycell.pages.page import Html, Section, asset, document, element, facts, json_block, paragraph
from memorycell.pages.wording import counted, significant

_FOOTER = (
    "An explanation tells what this model did with this input. It does not tell whether the model is right, nor why "
    "the world is as it is."
)


def page(material: Material) -> str:
    """The page as text; see `memorycell.write_explanation`."""
    explained, answer = material.explained, material.answer
    with material.model.at_work():
        shown = player(explained, material.explanation.scores, runs_of(explained), material.noun)
        sections = [
            why(material), cell_section(shown), gates(material), attended(material), remembering(material),
            _how(material),
        ]  # fmt: skip
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


def _how(material: Material) -> Section:
    section = Section("method", "How far to trust this")
    explanation, explained = material.explanation, material.explained
    layers = sum(layer.num_layers for layer in explained.trunk)
    section.add(
        *compared(material),
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
    file, model_file = material.samples.source.file, material.model.file_
    named = "data" if file is None else repr(os.fspath(file))
    begin = "" if file is not None else "data = ...  # what this page was made of\n"
    loaded = f"memorycell.load({model_file!r})" if model_file else "...  # the fitted model of this page"
    reading = {
        name: repr(os.fspath(value)) if isinstance(value, str | os.PathLike) else name
        for name, value in material.reading.items()
    }
    told = {**reading, **{name: repr(value) for name, value in material.where.items() if value is not None}}
    asked = "".join(f", {name}={value}" for name, value in told.items())
    method = material.explanation.method
    by = "" if method == "integrated gradients" else f", method={method!r}"
    return f"import memorycell\n\nmodel = {loaded}\n{begin}print(model.explain({named}{asked}{by}))"
