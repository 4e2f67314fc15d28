"""Samples beside what they stand for, and small things that the estimators of sequences do with both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.ragged import Ragged
from memorycell.data.samples import Answers
from memorycell.jobs.labelling.reading import SequenceSamples

Numbers = NDArray[Any]


class Known(NamedTuple):
    """Samples, and what they stand for as this task keeps it."""

    samples: SequenceSamples
    outcomes: Any

    @property
    def weights(self) -> Numbers | None:
        """How much each counts, (n,)."""
        return self.samples.weights

    def take(self, rows: NDArray[np.int64]) -> Known:
        """Some of them."""
        part: Any = self.samples.take(rows)
        return Known(part, self.outcomes[rows])


def joined(parts: list[Any]) -> Any:
    """Arrays, or lists, one behind the other."""
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else [row for part in parts for row in part]


def with_kept(answers: Answers, beside: dict[str, Numbers]) -> Answers:
    """Answers with the user's own columns behind where they were; whichever is named like an answer's is renamed.

    A column of the same name and content, the text, is not repeated.
    """
    first = {name: values for name, values in answers.columns.items() if name in ("row", "id")}
    rest = {name: values for name, values in answers.columns.items() if name not in first}
    own = {(f"given_{name}" if name in answers.columns else name): values for name, values in beside.items()
           if not (name == "text" and "text" in rest) and not (name == "id" and "id" in first)}  # fmt: skip
    answers.columns = first | own | rest
    return answers


class Named:
    """An estimator of named columns, as scikit-learn's check of them asks for it."""

    def __init__(self, names: list[str], name: str) -> None:
        self.feature_names_in_ = np.array(names, object)
        self.n_features_in_ = len(names)
        self.__class__ = type(name, (Named,), {})


def cut(ragged: Ragged, most: int) -> Ragged:
    """The first `most` steps of each sequence."""
    lengths = ragged.lengths.clamp(max=most)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    where = torch.arange(int(offsets[-1])) + (ragged.offsets[:-1] - offsets[:-1]).repeat_interleave(lengths)
    return Ragged(ragged.values[where], offsets)
