"""Entities: spans read from the labels that mark them, and precision, recall and F1 of whole spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from memorycell.data.figures import Figures, pairs
from memorycell.data.labels.label_schemes import OUTSIDE, split_label
from memorycell.data.lines import counted


class Entity(NamedTuple):
    """A span: its type, its first step, and the step after its last one."""

    kind: str
    start: int
    stop: int


@dataclass(frozen=True)
class SpanScores:
    """How well spans of one type, or of all, were found.

    Attributes
    ----------
    precision, recall, f1 : float
        0 where there is nothing to divide by.
    true, predicted, correct : int
        Spans there are, spans that were predicted, and spans of both: same type, start and end.
    """

    true: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return self.correct / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.correct / (self.true + self.predicted) if self.true + self.predicted else 0.0

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        names = ("precision", "recall", "f1", "true", "predicted", "correct")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, repr=False)
class EntityScores(Figures):
    """Scores of all spans together (micro average), and of each type.

    Attributes
    ----------
    total : SpanScores
    kinds : dict of str to SpanScores, by name
    """

    total: SpanScores
    kinds: dict[str, SpanScores]

    def _said(self) -> tuple[str, str]:
        total = self.total
        said = pairs({"precision": total.precision, "recall": total.recall, "F1": total.f1})
        return f"{said} on {counted(total.true, 'span')} of {counted(len(self.kinds), 'kind')}", ""

    def table(self) -> list[dict[str, Any]]:
        """A row per kind, and all together."""
        return [{"kind": kind, **found.to_json()} for kind, found in [*self.kinds.items(), ("all", self.total)]]

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the types."""
        return sum(scores.f1 for scores in self.kinds.values()) / len(self.kinds) if self.kinds else 0.0


def entities(labels: Sequence[str]) -> list[Entity]:
    """The spans that the labels of one sequence mark.

    Read as the CoNLL-2000 script `conlleval` reads them, which is also the default of the package seqeval: a span
    begins at B or S, after E or S, after O, and where the type changes; so I-x after O begins a span too.

    Parameters
    ----------
    labels : sequence of str
        Of any scheme of `span_scheme`: O, B-x, I-x, E-x, S-x, or B, I, E, S alone (spans without a type, which is then
        "_"); or L-x and U-x, M-x and W-x in their places.

    Raises
    ------
    ValueError
        For another label.

    Example
    -------
    >>> entities(["B-person", "I-person", "O", "B-place"])
    [Entity(kind='person', start=0, stop=2), Entity(kind='place', start=3, stop=4)]
    """
    found = []
    start, place, kind = -1, OUTSIDE, ""  # of the span that is open; the label before
    for t, label in enumerate([*labels, OUTSIDE]):
        next_place, next_kind = split_label(label)
        goes_on = place in ("B", "I") and next_place in ("I", "E") and kind == next_kind
        if not goes_on:
            if place != OUTSIDE:
                found.append(Entity(kind or "_", start, t))
            start = t
        place, kind = next_place, next_kind
    return found


def entity_scores(
    true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, weights: Sequence[float] | None = None
) -> EntityScores:
    """Precision, recall and F1 of whole spans: one counts as found where type, start and end agree.

    By seqeval's definition, `classification_report` in its default mode.

    Parameters
    ----------
    true, predicted : sequences of sequences of labels, of the same lengths
    weights : sequence of float, optional
        How often each sequence counts; default: once.

    Raises
    ------
    ValueError
        For sequences of other lengths, or labels of no scheme.

    Example
    -------
    >>> scores = entity_scores([["B-a", "I-a", "O", "B-b"]], [["B-a", "I-a", "O", "B-a"]])
    >>> scores.total.f1, scores.kinds["a"].precision
    (0.5, 0.5)
    """
    if len(true) != len(predicted):
        raise ValueError(f"expected as many predicted sequences as true ones, got {len(predicted)} and {len(true)}")
    counts: tuple[Counter[str], Counter[str], Counter[str]] = (Counter(), Counter(), Counter())
    for row, (one, other) in enumerate(zip(true, predicted, strict=True)):
        if len(one) != len(other):
            raise ValueError(f"expected {len(one)} predicted labels in sequence {row}, got {len(other)}")
        spans = set(entities(one)), set(entities(other))
        for count, part in zip(counts, (*spans, spans[0] & spans[1]), strict=True):
            for span in part:
                count[span.kind] += 1 if weights is None else weights[row]  # type: ignore[assignment]
    kinds = {kind: SpanScores(*(count[kind] for count in counts)) for kind in sorted(set(counts[0]) | set(counts[1]))}
    return EntityScores(SpanScores(*(count.total() for count in counts)), kinds)
