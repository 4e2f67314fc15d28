"""Texts: how what was read is measured, and what it is compared with."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from memorycell.evaluation.class_metrics import Measures
from memorycell.evaluation.kinds import Kind
from memorycell.evaluation.measures import Measure, register_measure

ERRORS = register_measure(
    Measure(
        key="character_error_rate", name="character error rate", better="less", perfect=0.0, overfitting="ratio",
        in_percent=True,
    )
)  # fmt: skip


class Texts(Kind):
    """A text for each row; measured by the edits that it lacks, per character of the true one."""

    name, noun = "texts", "signals"
    measure, measures_offered, shown = ERRORS, (ERRORS,), (ERRORS,)

    def __init__(self, texts: Any) -> None:
        self.y, self.classes = list(texts), []

    def targets(self, rows: Any) -> Any:
        return [self.y[row] for row in rows]

    def joined(self, after: Texts) -> Texts:
        return Texts([*self.y, *after.y])

    def placed(self, n: int, predictions: Any, probabilities: Any = None, classes: Any = ()) -> dict[str, Any]:
        return {"texts": list(predictions)}

    def sums(self, rows: Any, answers: dict[str, Any]) -> Any:
        true = self.targets(rows)
        return np.array([[edits(a, b), len(a)] for a, b in zip(true, answers["texts"], strict=True)], float)

    def statistics(self, sums: Any) -> dict[str, Any]:
        return {ERRORS.key: sums[..., 0] / sums[..., 1]}

    def measures(self, rows: Any, answers: dict[str, Any]) -> Measures:
        value = self.statistics(self.sums(rows, answers).sum(0))[ERRORS.key]
        return Measures(len(rows), {ERRORS.key: float(value)}, shown=(ERRORS.key,))

    def baselines(self, X: Any, model: Any) -> dict[str, Any]:
        return {"most frequent text": MostFrequent()}


class MostFrequent:
    """The most frequent text of the training data, whatever is signalled."""

    def fit(self, X: Any, y: Any) -> MostFrequent:
        self.text_ = Counter(y).most_common(1)[0][0]
        return self

    def predict(self, X: Any) -> list[str]:
        return [self.text_] * len(X)


def edits(a: str, b: str) -> int:
    """Characters to insert, delete or exchange to make b of a (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]
