"""The picture that one wants first of a tagger: which tags can be relied on."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from memorycell.jobs.tagging.page import judge
from memorycell.jobs.tagging.reading import TaggedSamples
from memorycell.pages.drawing import WIDE, titled
from memorycell.pages.plots.classes import class_scores
from memorycell.pages.wording import counted, percent, trained_on


def tags(
    model: Any, samples: TaggedSamples, *, seen: bool | None = None, unit: str | None = None, width: float = WIDE
) -> Figure:
    """See `Job.plot`: precision, recall and F1 of each tag, the most frequent first.

    Not what is taken for what: most tags are right most of the time, so that such a matrix is its diagonal, and where
    tags mark spans its rows are pieces of spans, about which nobody asks. There it is the kinds of spans that are
    drawn, found where type, start and end are right. The matrix is in the report.

    Raises
    ------
    ValueError
        For samples without their tags.
    """
    if samples.targets is None:
        raise ValueError(
            "expected samples with their tags, to set the answers beside them, got samples alone: "
            "give (X, y), or a file that holds both"
        )
    judged = judge(model, samples, None, None)
    scores = judged.scores
    said = f"{percent(scores.accuracy, 1)} of {counted(scores.measures.count, judged.noun)} right"
    rows, noun = scores.measures.per_class, judged.noun
    if scores.entities is not None and scores.entities.kinds:
        noun, total = "span", scores.entities.total
        said += f"; F1 of {counted(total.true, noun)} {percent(total.f1, 1)}"
        rows = [{"class": kind, "support": each.true, **each.to_json()} for kind, each in scores.entities.kinds.items()]
    return titled(class_scores(rows, noun, width=width), said + trained_on(seen))
