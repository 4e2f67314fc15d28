"""Which steps or words made an answer: the section, and what other methods say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from memorycell.data.lines import visible
from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.methods import METHODS, explain_by
from memorycell.pages.drawing import canvas
from memorycell.pages.explaining.material import Material
from memorycell.pages.explaining.steps import called
from memorycell.pages.highlight import Span, highlighted, legend, quotation
from memorycell.pages.page import Html, Section, element, figure, paragraph
from memorycell.pages.plots import attribution as plot_attribution
from memorycell.pages.plots.waterfall import parts_of, waterfall
from memorycell.pages.wording import listing, significant

_MOST_COMPARED = 400  # steps up to which other methods are asked as well
_NAMED = 3
_CHARACTERS = 1500  # of a text that are shown


def why(material: Material) -> Section:
    explained, explanation = material.explained, material.explanation
    section = Section("why", f"Which {material.noun} made it")
    section.add(paragraph(*_said(material)))
    caption = (
        "Each part adds to the number or takes from it; together they are the number. What is left over is shown."
        + _beginning(material)
    )
    if material.words:
        text, spans = _text(explained)
        weights = [Span(a, b, float(score)) for (a, b), score in zip(spans, explanation.scores, strict=True) if b > a]
        section.add(
            quotation(highlighted(text, weights, limit=_CHARACTERS)),
            legend("adds to it", "takes from it"),
            paragraph(material.unread),
            figure(lambda width: _sum(explanation, width), "why", caption),
        )
    else:
        shown, channels = explained.shown, explained.channels
        section.add(
            paragraph(material.unread),
            figure(
                lambda width: plot_attribution.attribution(explanation, shown, channels=channels, width=width),
                "why",
                f"Steps by what they add, blue, or take away, vermilion. {caption}",
            ),
        )
    return section


def _beginning(material: Material) -> str:
    """What the baseline is, where there is one."""
    if "baseline" not in material.explanation.terms:
        return ""
    said = significant(material.explanation.terms["baseline"])
    blank = f"with its {material.noun} blotted out (embeddings of zero)"
    nothing = blank if material.words else "of inputs at their usual level"
    return f" Baseline: what the model says {nothing}, {said}; the {material.noun} are what it moves from there by."


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
    step = material.explained.labels[place]
    return f"“{visible(step, 28)}”" if material.words else called(step)


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


def compared(material: Material) -> list[Html]:
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
