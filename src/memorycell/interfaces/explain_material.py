"""What a page that explains is made of: everything that is computed for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation
from memorycell.insight.methods import explain_by
from memorycell.insight.tracing import ModelTrace, trace_network
from memorycell.interfaces.explain_answers import Answer, answer_of
from memorycell.interfaces.explain_steps import TEXTS


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
        return self.explained.kind in TEXTS


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
