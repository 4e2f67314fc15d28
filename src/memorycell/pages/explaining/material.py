"""What a page that explains is made of: everything that is computed for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.methods import explain_by
from memorycell.insight.tracing import ModelTrace, trace_network
from memorycell.jobs.insight import checked_row
from memorycell.jobs.labelling import explained as explain_sequences
from memorycell.pages.explaining.answers import Answer, answer_of
from memorycell.pages.explaining.steps import TEXTS, shown_as

MOST_PHRASES = 300  # steps up to which each is taken for a phrase of its own


@dataclass(frozen=True, eq=False)
class Material:
    """What the page is made of.

    Attributes
    ----------
    noun : what the steps are, in the plural
    unread : what of the sequence was not read, in a sentence; "" where all of it was
    """

    task: str
    model: Any
    data: Any
    where: Mapping[str, Any]
    explained: Explained
    explanation: Explanation
    trace: ModelTrace
    answer: Answer
    command: str | None
    noun: str
    unread: str

    @property
    def words(self) -> bool:
        return self.explained.kind in TEXTS


def gather(
    task: str, model: Any, data: Any, where: Mapping[str, Any], method: str, command: str | None = None
) -> Material:
    """Everything that is computed for a page."""
    explained = model.explained(data, **where)
    with model._at_work():
        explanation = explained_by(explained, method)
        trace = trace_network(model.network_, lambda: explained.function(explained.values[None]), trunk=explained.trunk)
        answer = answer_of(task, model, data, explained, where)
    noun, unread = shown_as(explained, model), unread_of(task, model, data, explained, where)
    return Material(task, model, data, where, explained, explanation, trace, answer, command, noun, unread)


def explained_by(explained: Explained, method: str) -> Explanation:
    """As `explain_by`; each step for itself is a phrase of a contextual decomposition, of which there must be few.

    Raises
    ------
    ValueError
        For a contextual decomposition of more than 300 steps, and as `explain_by`.
    """
    if method == "contextual decomposition" and len(explained) > MOST_PHRASES:
        raise ValueError(
            f"expected at most {MOST_PHRASES} steps for a contextual decomposition of every single one, got "
            f"{len(explained):,}: take another method, or name a phrase in Python, model.explain(X, method=…, steps=…)"
        )
    return explain_by(explained, method)


def unread_of(task: str, model: Any, data: Any, explained: Explained, where: Mapping[str, Any]) -> str:
    """That only the beginning of a sequence was read, where it is longer than the model takes; else ""."""
    most = model.plan_.get("max_length") if task in ("SequenceClassifier", "SequenceRegressor") else None
    if most is None or len(explained) < most:
        return ""
    given = explain_sequences.read(model, data)
    sequence = given.take([checked_row(where.get("row", 0), len(given))])[0]
    count = len(model.codec_.tokens(sequence)) if isinstance(sequence, str) else len(sequence)
    if count <= len(explained):
        return ""
    noun = shown_as(explained, model)
    return f"Only the first {len(explained):,} of {count:,} {noun} were read: the model takes no more (max_length)."
