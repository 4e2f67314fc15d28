"""What a tagger's answers are worth: by label, for known and unknown words, and by whole entities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.labels.label_schemes import span_scheme
from memorycell.evaluation.class_metrics import Measures, measure_tags
from memorycell.evaluation.entities import EntityScores, entity_scores
from memorycell.evaluation.result import Result


@dataclass(frozen=True, repr=False)
class TagScores(Result):
    """Scores of predicted labels against true ones.

    Attributes
    ----------
    measures : Measures
        Accuracy, F1 and confusion by label; sequences that are right from end to end.
    entities : EntityScores or None
        Of whole spans, where labels mark them (BIO, BIOES, …).
    words : dict of str to {"count", "accuracy"}
        Words that the tagger knows, and unknown ones, apart: "known" and "unknown".
    unseen : dict
        True labels that training has not seen, and their counts: no answer can be right there.
    """

    measures: Measures
    entities: EntityScores | None = None
    words: dict[str, dict[str, float]] = field(default_factory=dict)
    unseen: dict[Any, int] = field(default_factory=dict)

    @property
    def accuracy(self) -> float:
        """Share of steps whose label is right."""
        return self.measures.values["accuracy"]

    @property
    def score(self) -> float:
        """F1 of entities where there are any, else the accuracy."""
        return self.accuracy if self.entities is None else self.entities.total.f1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        kinds = {} if self.entities is None else self.entities.kinds
        return {
            "accuracy": self.accuracy,
            "measures": self.measures.to_dict(),
            "entities": None if self.entities is None else self.entities.total.to_json(),
            "entity_types": {kind: scores.to_json() for kind, scores in kinds.items()},
            "words": self.words,
            "unseen_labels": {str(label): count for label, count in self.unseen.items()},
        }

    @property
    def subject(self) -> str:
        """How many labels were compared."""
        return f"labels of {self.measures.count:,} steps"

    @property
    def sentence(self) -> str:
        """How many of them are right."""
        said = f"{self.accuracy:.1%} of the labels are right"
        return f"{said}." if self.entities is None else f"{said}; entity F1 is {self.entities.total.f1:.1%}."

    def cells(self) -> list[list[str]]:
        """Precision, recall and F1 of each label."""
        rows = [["label", "precision", "recall", "F1", "support"]]
        for row in self.measures.per_class:
            numbers = [f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
            rows.append([str(row["class"]), *numbers, f"{row['support']:,}"])
        return rows

    def table(self) -> list[dict[str, Any]]:
        """`cells` as numbers."""
        return self.measures.per_class

    def summary(self) -> str:
        """All of it as plain text."""
        lines = [f"accuracy {self.accuracy:.4f} of {self.measures.count:,} steps"]
        for name, part in self.words.items():
            lines.append(f"  {name} words {part['accuracy']:.4f} of {part['count']:,.0f}")
        if self.unseen:
            shown = ", ".join(f"{label} ({count:,})" for label, count in self.unseen.items())
            lines.append(f"  labels that training has not seen, always wrong: {shown}")
        width = max(len(str(row["class"])) for row in self.measures.per_class)
        lines.append(f"{'label':{width}}  precision  recall      F1  support")
        for row in self.measures.per_class:
            numbers = f"{row['precision']:9.3f}  {row['recall']:6.3f}  {row['f1']:6.3f}  {row['support']:7,}"
            lines.append(f"{row['class']!s:{width}}  {numbers}")
        if self.entities is not None:
            total = self.entities.total
            lines.append(
                f"entities: precision {total.precision:.3f}, recall {total.recall:.3f}, F1 {total.f1:.3f} "
                f"of {total.true:,}"
            )
            lines += [f"  {kind}: F1 {each.f1:.3f} of {each.true:,}" for kind, each in self.entities.kinds.items()]
        return "\n".join(lines)


def tag_scores(
    true: Sequence[Sequence[Any]],
    predicted: Sequence[Sequence[Any]],
    classes: Sequence[Any],
    known: Sequence[Sequence[bool]] | None = None,
) -> TagScores:
    """Scores of `predicted` labels against `true` ones, sequence by sequence.

    Parameters
    ----------
    true, predicted : sequences of sequences of labels, of the same lengths
    classes : labels that training has seen
    known : sequences of bool, optional
        Which words the tagger knows.

    Raises
    ------
    ValueError
        For sequences of other lengths, or none at all.

    Example
    -------
    >>> scores = tag_scores([["A", "B"], ["C"]], [["A", "A"], ["A"]], ["A", "B"], [[True, True], [False]])
    >>> round(scores.accuracy, 3), scores.words["unknown"], scores.unseen
    (0.333, {'count': 1, 'accuracy': 0.0}, {'C': 1})
    """
    lengths = [len(labels) for labels in true]
    if lengths != [len(labels) for labels in predicted]:
        raise ValueError("expected predicted labels of the lengths of the true ones, got others")
    if not sum(lengths):
        raise ValueError("expected labels to score, got none")
    places = {label: number for number, label in enumerate(classes)}
    unseen = Counter(label for labels in true for label in labels if label not in places)
    names = [*classes, *unseen]
    places |= {label: number for number, label in enumerate(unseen, len(classes))}

    def ids(rows: Sequence[Sequence[Any]]) -> list[NDArray[np.int64]]:
        return [np.array([places[label] for label in row], np.int64) for row in rows]

    wanted, found = ids(true), ids(predicted)
    spans = entity_scores(true, predicted) if span_scheme(names) else None
    words = {}
    if known is not None:
        right, familiar = np.concatenate(wanted) == np.concatenate(found), np.concatenate([*map(np.array, known)]) > 0
        for name, which in (("known", familiar), ("unknown", ~familiar)):
            if which.any():
                words[name] = {"count": int(which.sum()), "accuracy": float(right[which].mean())}
    return TagScores(measure_tags(wanted, found, names), spans, words, dict(unseen))


def weighted_score(
    true: Sequence[Sequence[Any]], predicted: Sequence[Sequence[Any]], weights: NDArray[np.float64] | Sequence[Any]
) -> float:
    """`TagScores.score` of weighted sequences (n,), or steps: a sequence of (T_i,).

    Raises
    ------
    ValueError
        For weights of steps where labels mark spans, of which a part cannot be right.

    Example
    -------
    >>> weighted_score([["A", "B"], ["C"]], [["A", "A"], ["C"]], [1, 2])
    0.75
    """
    names = list(dict.fromkeys(label for labels in (*true, *predicted) for label in labels))
    whole = all(np.ndim(weight) == 0 for weight in weights)
    if span_scheme(names):
        if not whole:
            raise ValueError("expected one weight for each sequence, as spans are scored, got one for each step")
        return entity_scores(true, predicted, weights=list(weights)).total.f1
    right = [np.array([a == b for a, b in zip(*pair, strict=True)]) for pair in zip(true, predicted, strict=True)]
    each = [np.broadcast_to(weight, part.shape) for weight, part in zip(weights, right, strict=True)]
    return float(np.average(np.concatenate(right), weights=np.concatenate(each)))
