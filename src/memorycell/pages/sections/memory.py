"""How long a model remembers: how far back its answers look, and the half-lives of its units."""

from __future__ import annotations

from typing import Any

from memorycell.insight.lookback import Lookback
from memorycell.insight.memory import Memory
from memorycell.pages.page import Html, Section, figure, paragraph
from memorycell.pages.plots.memory import in_words, lookback, memory_lengths
from memorycell.pages.sections.data import unwarned

AT_MOST = 256  # sequences that are looked at


def remembering(model: Any, data: Any, subject: str) -> Section:
    """What `memory` and `lookback` tell of the model on `data`; `subject` is what it is called.

    Example
    -------
    >>> import numpy as np
    >>> from memorycell import SequenceRegressor
    >>> x = np.random.default_rng(0).normal(size=(20, 6))
    >>> model = SequenceRegressor(hidden_size=4, epochs=1, verbose=False).fit(x, x.sum(1))
    >>> remembering(model, x, "This regressor").title
    'How long it remembers'
    """
    section = Section("memory", "How long it remembers")
    with unwarned():
        memory, back = model.memory(data), model.lookback(data)
    rows = getattr(model.network_, "segment", 1)  # of a table, that a layer takes as one step
    span = None if back.span is None else back.span * rows
    section.add(paragraph(back.sentence(subject)), looked_back(back), *half_lives(memory, span))
    return section


def looked_back(back: Lookback) -> Html:
    """How far back answers look, as a figure; nothing where there is no way back."""
    if back.window < 2:
        return Html()
    return figure(
        lambda width: lookback(back, width=width),
        "lookback",
        "How much an answer changes when the input so many steps before it is exchanged for another real one, and how "
        "much by its gradient.",
    )


def half_lives(memory: Memory, span: float | None, *before: str) -> list[Html]:
    """The half-lives of units, in words and as a figure; `span` are the seconds of a step of the layers."""
    memory = in_words(memory)
    said = [paragraph(*before, memory.sentence(span))]
    if any(layer.gate for layer in memory.layers):
        said.append(
            figure(
                lambda width: memory_lengths(memory, span=span, width=width),
                "half-lives",
                "Units by the half-life of what they hold on these data, from the gates that keep. Layers hand on to "
                "each other: a model may look back further than any of its units remembers.",
            )
        )
    return said
