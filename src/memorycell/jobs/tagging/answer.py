"""What a tagger answered: the beginning of the page that explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memorycell.data.lines import visible
from memorycell.insight.asking import checked_row, class_index
from memorycell.insight.explained import Explained
from memorycell.jobs.tagging.reading import TaggedSamples
from memorycell.pages.explaining.answers import MOST_CHOICES, Answer, choices
from memorycell.pages.page import Html, element
from memorycell.pages.wording import counted, percent


def tagged(model: Any, samples: TaggedSamples, explained: Explained, where: Mapping[str, Any]) -> Answer:
    """See `Job.answer`."""
    row = checked_row(where.get("row", 0), len(samples))
    place = explained.anchor or 0
    answers = model.answers(samples.take([row]), probabilities=True)
    tags = [str(tag) for tag in answers.predictions[0]]
    shares = answers.probabilities[0][place]
    names = [str(name) for name in model.classes_]
    said = where.get("output")
    k = names.index(tags[place]) if said is None else class_index(model.classes_.tolist(), said, "labels")
    word = f"“{visible(explained.labels[place])}”" if explained.kind == "words" else f"step {place}"
    order = np.argsort(-shares, kind="stable")[:MOST_CHOICES]
    parts = [choices([(names[c], float(shares[c])) for c in order], names[k])]
    if explained.kind == "words":
        parts.insert(0, _tags(explained.labels, tags, place))
    sure = percent(float(shares.max()), 1)
    lead = f"In {samples.where(row)} the model gives {word} the label {tags[place]} ({sure})."
    cards = {"label": tags[place], "of": counted(len(tags), "word" if explained.kind == "words" else "step")}
    return Answer(f"Why {names[k]} for {word}?", lead, cards, parts)


def _tags(words: Sequence[Any], tags: Sequence[str], place: int) -> Html:
    """The sentence with a label under each word, the one explained set off."""
    made = "".join(
        f'<span class="tagged{" asked" if i == place else ""}">{element("span", visible(word))}'
        f"{element('small', tag)}</span>"
        for i, (word, tag) in enumerate(zip(words, tags, strict=True))
    )
    return Html(f'<blockquote class="sentence" dir="auto">{made}</blockquote>')
