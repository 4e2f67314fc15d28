"""What a tagger is given: sentences of words or numeric sequences, and a label at each step; told apart and checked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch

from memorycell.data.text.tagged_files import Tagged, read_tagged


class Labelled(NamedTuple):
    """Sequences, the labels of each step (None: none were asked for), and what was noted in reading them."""

    sequences: list[Any]
    labels: list[list[Any]] | None
    kind: str  # "words" or "steps"
    notes: list[dict[str, str]]


def read_input(
    given: Any, labels: Any = None, *, word: int | str | None, tag: int | str | None, labelled: bool
) -> Labelled:
    """Sequences and labels from lists, arrays, a file of tagged words, or one that was read.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        With what was expected, what came, and where.

    Example
    -------
    >>> read_input([["a", "dog"]], [["DET", "NOUN"]], word=None, tag=None, labelled=True).kind
    'words'
    """
    notes: list[dict[str, str]] = []
    if isinstance(given, str | os.PathLike):
        if labels is not None:
            raise ValueError("expected the labels in the file, got them beside it: name their column with tag=")
        given = read_tagged(os.fspath(given), word, tag, labelled=labelled)
    if isinstance(given, Tagged):
        given, labels, notes = given.words, given.tags, given.notes
    sequences = _sequences(given)
    kind = _kind(sequences[0])
    sequences = [_words(each, row) for row, each in enumerate(sequences)] if kind == "words" else sequences
    if not labelled:
        return Labelled(sequences, None, kind, notes)
    if labels is None:
        raise ValueError("expected labels y, one list for each sequence, got none")
    return Labelled(sequences, _labels(labels, sequences, kind), kind, notes)


def _sequences(given: Any) -> list[Any]:
    if isinstance(given, dict | set | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"expected a list of sequences or the path of a file, got {type(given).__name__}")
    sequences = list(given)
    if not sequences:
        raise ValueError("expected at least one sequence, got none")
    for row, each in enumerate(sequences):
        if isinstance(each, str):
            raise TypeError(
                f"expected sequence {row} to be a list of words or an array, got text: "
                "split it into words, or make a list of its characters"
            )
        if not hasattr(each, "__len__") or isinstance(each, dict | set | bytes) or np.ndim(each) == 0:
            raise TypeError(f"expected sequence {row} to be a list of words or an array, got {type(each).__name__}")
        if not len(each):
            raise ValueError(f"sequence {row} is empty: leave it out")
    return sequences


def _kind(first: Any) -> str:
    if isinstance(first, np.ndarray | torch.Tensor):
        return "words" if isinstance(first, np.ndarray) and first.dtype.kind in "UO" else "steps"
    return "words" if isinstance(first[0], str) else "steps"


def _words(words: Any, row: int) -> list[str]:
    found = [each.item() if isinstance(each, np.generic) else each for each in words]
    for place, each in enumerate(found):
        if not isinstance(each, str):
            kind = type(each).__name__
            raise TypeError(f"expected a word at place {place} of sequence {row}, got {kind}: {each!r:.40}")
        if not each:
            raise ValueError(f"word {place} of sequence {row} is empty: leave it out with its label")
    return found


def _labels(given: Any, sequences: list[Any], kind: str) -> list[list[Any]]:
    if isinstance(given, str | dict | set) or not isinstance(given, Iterable):
        raise TypeError(f"expected a list of labels for each sequence, got {type(given).__name__}")
    rows = [each.tolist() if isinstance(each, np.ndarray | torch.Tensor) else each for each in given]
    if len(rows) != len(sequences):
        raise ValueError(f"expected labels of {len(sequences)} sequences, got those of {len(rows)}")
    found = []
    for row, (labels, sequence) in enumerate(zip(rows, sequences, strict=True)):
        if not isinstance(labels, list | tuple):
            name = type(labels).__name__
            raise TypeError(f"expected a list of labels for sequence {row}, got {name}: a tagger labels each step")
        if len(labels) != len(sequence):
            what = "words" if kind == "words" else "steps"
            raise ValueError(
                f"sequence {row} has {len(sequence)} {what}, but {len(labels)} labels: expected one label for each"
            )
        own = [each.item() if isinstance(each, np.generic) else each for each in labels]
        missing = [place for place, each in enumerate(own) if each is None or each != each]
        if missing:
            raise ValueError(f"sequence {row} has no label at step {missing[0]}: label it, or leave the sequence out")
        found.append(own)
    return found
