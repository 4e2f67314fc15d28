"""What a page that explains is made of: everything that is computed for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.methods import explain_by
from memorycell.insight.tracing import ModelTrace, trace_network
from memorycell.pages.explaining.answers import Answer
from memorycell.pages.explaining.steps import TEXTS
from memorycell.pages.report import copied, job_of

MOST_PHRASES = 300  # steps up to which each is taken for a phrase of its own


@dataclass(frozen=True, eq=False)
class Material:
    """What the page is made of.

    Attributes
    ----------
    reading : how the data were read, as the user told it
    where : what was asked for
    noun : what the steps are, in the plural
    unread : what of the sequence was not read, in a sentence; "" where all of it was
    """

    task: str
    model: Any
    samples: Any
    reading: Mapping[str, Any]
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
    model: Any, data: Any, where: Mapping[str, Any], method: str, command: str | None = None, *, counted: bool = False
) -> Material:
    """Everything that is computed for a page; `counted`: see `read`."""
    job, model, told = job_of(model), copied(model), where
    samples, where = read(model, data, told, counted)
    reading = {name: value for name, value in told.items() if name not in where}
    explained = model.explained(samples, **where)
    with model.at_work():
        explanation = explained_by(explained, method)
        trace = trace_network(model.network_, lambda: explained.function(explained.values[None]), trunk=explained.trunk)
        answer = job.look_up(job.answer)(model, samples, explained, where)
    unread = model.unread(samples, explained, where)
    return Material(
        job.name, model, samples, reading, where, explained, explanation, trace, answer, command, explained.noun, unread
    )


def read(model: Any, data: Any, where: Mapping[str, Any], counted: bool = False) -> tuple[Any, dict[str, Any]]:
    """The data, read once, and what is asked of them beside how they are read.

    counted : whether ``row`` is what the user calls it, a line of a file, rather than its place from 0
    """
    reading = {option.name for option in job_of(model).of("explain") if option.reading}
    how = {name: value for name, value in where.items() if name in reading}
    samples = model.read(data, labelled=None, **how)
    asked = {name: value for name, value in where.items() if name not in how}
    if counted and asked.get("row") is not None and hasattr(samples, "place"):
        asked["row"] = samples.place(asked["row"])
    return samples, asked


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
