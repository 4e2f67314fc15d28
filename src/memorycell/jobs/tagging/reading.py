"""What a tagger is given: sentences of words or numeric sequences, and a label at each step; read once and checked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.samples import Samples, Source
from memorycell.data.text.tagged_files import Tagged, read_tagged
from memorycell.data.text.tagged_tables import JSON, TABLES, read_tagged_json, read_tagged_objects, read_tagged_table
from memorycell.data.weights import checked_step_weights

NAMES = {"words": "lists of words", "steps": "numeric sequences"}


class TaggedSamples(Samples):
    """Sequences that were read, with a label for each step where there are some.

    Attributes
    ----------
    given : list of lists of words, or of arrays (T_i, F) or (T_i,)
    targets : list of lists of labels, or None
    kind : "words" or "steps"
    tagged : Tagged or None
        The file that all of it stands in.
    """

    given: list[Any]
    targets: list[list[Any]] | None
    kind: str = "words"
    tagged: Tagged | None = None

    @property
    def noun(self) -> str:
        """What a step is called: "word" or "step"."""
        return "word" if self.kind == "words" else "step"

    @property
    def lengths(self) -> list[int]:
        """Steps of each sequence."""
        return [len(sequence) for sequence in self.given]

    @property
    def labels(self) -> list[list[Any]]:
        """`targets`, of samples that have some; ValueError for those without."""
        if self.targets is None:
            raise ValueError("expected labels y, one list for each sequence, got none")
        return self.targets

    def place(self, number: int) -> int:
        """The sentence that a line of the file, from 1, is of."""
        if self.tagged is None or number < 0:
            return number
        for row, lines in enumerate(self.tagged.places):
            if lines and lines[0] <= number - 1 <= lines[-1]:
                return row
        raise ValueError(f"expected the line of a word, got line {number:,} of {self.source.name}, which has none")

    def where(self, place: int) -> str:
        """The line in which a sentence begins, of a file."""
        if self.tagged is None or not self.tagged.places[place]:
            return f"row {place:,}"
        return f"line {self.tagged.places[place][0] + 1:,}"

    def _taken(self, places: NDArray[np.int64]) -> Samples:
        part: Any = super()._taken(places)
        part.kind = self.kind
        return part


def read_samples(
    given: Any,
    labels: Any = None,
    *,
    word: int | str | None,
    tag: int | str | None,
    labelled: bool | None,
    weight: int | str | None = None,
    sentence: int | str | None = None,
    encoding: str = "utf-8",
    blanks: bool = False,
) -> TaggedSamples:
    """Sequences and labels from lists, arrays, a file of tagged words, or one that was read.

    Parameters
    ----------
    given, labels : as X and y of `Tagger.fit`
    word, tag, weight, sentence : columns of a file or frame
    labelled : whether labels are wanted; None: where there are some
    encoding : of a file
    blanks : whether sequences may be empty

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        With what was expected, what came, and where.

    Example
    -------
    >>> read_samples([["a", "dog"]], [["DET", "NOUN"]], word=None, tag=None, labelled=True).kind
    'words'
    """
    if isinstance(given, TaggedSamples):
        return given
    source, tagged = Source.of(given) if labels is None else Source("X, y"), None
    if isinstance(given, str | os.PathLike | dict) or (_is_table(given) and _objects(given) is None):
        if labels is not None:
            raise ValueError("expected the labels in the file, got them beside it: name their column with tag=")
        columns = {"word": word, "tag": tag, "sentence": sentence, "weight": weight}
        given = _read_file(os.fspath(given) if isinstance(given, os.PathLike) else given, labelled, columns, encoding)
    elif isinstance(given, Tagged):
        source = Source("tagged words")
    elif labels is None and (objects := _objects(given)) is not None:
        given = _read_objects(objects, labelled, word, tag)
    elif labels is None and _are_pairs(given):
        labels = [[pair[-1] for pair in sentence] for sentence in given]
        given = [[pair[0] for pair in sentence] for sentence in given]
    if isinstance(given, Tagged):
        tagged, given, labels = given, given.words, given.tags
    sequences = _sequences(given, blanks or tagged is not None)
    kind = _kind(next((each for each in sequences if len(each)), [""]))
    sequences = [_words(each, row) for row, each in enumerate(sequences)] if kind == "words" else sequences
    wanted = labels is not None if labelled is None else labelled
    samples = TaggedSamples(sequences, labels, source=source, notes=[] if tagged is None else tagged.notes)
    samples.targets = _labels(samples.labels, sequences, kind) if wanted else None
    samples.kind, samples.tagged = kind, tagged if tagged is not None and tagged.lines else None
    if tagged is not None and tagged.weights is not None:
        samples.weights = checked_step_weights(tagged.weights, samples.lengths)
    return samples


def _is_table(given: Any) -> bool:
    return hasattr(given, "columns") or hasattr(given, "column_names")


def _objects(given: Any) -> list[Any] | None:
    """A dict for each sentence, of lists of such, of frames whose cells hold lists, and of data sets; else None."""
    if _is_table(given):
        if hasattr(given, "iloc"):
            lists = [name for name in given if len(given) and isinstance(given[name].iloc[0], list | np.ndarray)]
            if not lists:
                return None
            rows = given.assign(**{name: [list(each) for each in given[name]] for name in lists})
            return rows.to_dict("records")
        head = given[:1] if hasattr(given, "to_dicts") else None
        if head is not None and any(isinstance(cell, list) for row in head.to_dicts() for cell in row.values()):
            return given.to_dicts()
        is_data_set = hasattr(given, "features") and hasattr(given, "__iter__")
        return list(given) if is_data_set else None
    if not isinstance(given, list | tuple) or not given:
        return None
    first = given[0]
    pair = isinstance(first, list | tuple) and [type(each) for each in first] == [str, dict]
    return list(given) if pair or isinstance(first, dict) else None


def _are_pairs(given: Any) -> bool:
    """Whether sentences are lists of tuples, a word and its tag each."""
    first = given[0] if isinstance(given, list | tuple) and given else None
    return (
        isinstance(first, list)
        and bool(first)
        and all(
            isinstance(each, tuple) and len(each) > 1 and all(isinstance(part, str) for part in each) for each in first
        )
    )


def _read_objects(rows: list[Any], labelled: bool | None, word: Any, tag: Any) -> Tagged:
    if labelled is None:
        try:
            return _read_objects(rows, True, word, tag)
        except ValueError:
            return _read_objects(rows, False, word, tag)
    return read_tagged_objects("X", rows, word, tag, labelled=labelled)


def _read_file(given: Any, labelled: bool | None, columns: dict[str, Any], encoding: str) -> Tagged:
    """The tagged words of a file or frame; `columns` are named as `read_tagged` names them."""
    if labelled is None:
        try:
            return _read_file(given, True, columns, encoding)
        except ValueError:
            return _read_file(given, False, columns, encoding)
    name = Path(given).name.lower().removesuffix(".gz") if isinstance(given, str) else ""
    few = {key: value for key, value in columns.items() if key in ("word", "tag")}
    weight = columns["weight"] if labelled else None
    if name.endswith(JSON):
        data = read_tagged_json(given, labelled=labelled, encoding=encoding, **few)
    elif not name or name.endswith(TABLES):
        data = read_tagged_table(given, labelled=labelled, sentence=columns["sentence"], **few)
    else:
        return read_tagged(given, labelled=labelled, encoding=encoding, **{**columns, "weight": weight})
    if weight is not None:
        raise ValueError("weights are read of TSV, CoNLL and CSV files: give sample_weight= to fit")
    return data


def _sequences(given: Any, blanks: bool) -> list[Any]:
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
        if blanks and (each is None or (isinstance(each, float) and each != each)):
            sequences[row] = []
            continue
        if not hasattr(each, "__len__") or isinstance(each, dict | set | bytes) or np.ndim(each) == 0:
            raise TypeError(f"expected sequence {row} to be a list of words or an array, got {type(each).__name__}")
        if not len(each) and not blanks:
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
            shape = np.shape(sequence) if kind == "steps" else ()
            turned = f" (its axes look exchanged: expected {shape[::-1]})" if shape[1:] == (len(labels),) else ""
            raise ValueError(
                f"sequence {row} has {len(sequence)} {what}, but {len(labels)} labels: expected one label for each"
                + turned
            )
        own = [each.item() if isinstance(each, np.generic) else each for each in labels]
        missing = [place for place, each in enumerate(own) if each is None or each != each]
        if missing:
            raise ValueError(f"sequence {row} has no label at step {missing[0]}: label it, or leave the sequence out")
        found.append(own)
    return found
