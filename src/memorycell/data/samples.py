"""Samples: what was read of a source, once, with its encoding kept; Answers: what a model says of samples."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.figures import Figures
from memorycell.data.lines import counted
from memorycell.data.origin import Origin

Note = dict[str, Any]  # "kind" and "text"
MOST_SCORES = 20_000_000  # rows times classes whose scores are held at once: 160 MB


@dataclass(frozen=True)
class Source:
    """Where samples came from.

    Attributes
    ----------
    name : str
        What pages and errors call it: a file's name, or what else the data are.
    file : Path or None
    """

    name: str
    file: Path | None = None

    @classmethod
    def of(cls, given: Any) -> Source:
        """The source of whatever holds samples: a path is a file."""
        if isinstance(given, os.PathLike) or (isinstance(given, str) and len(given) < 1000):
            path = Path(given)
            if path.is_file():
                return cls(path.name, path)
            if isinstance(given, os.PathLike):  # of the web, an object store or a pipe
                return cls(path.name.partition("?")[0])
        return cls(type(given).__name__)

    @cached_property
    def size(self) -> int | None:
        """Bytes of the file; None without one."""
        return None if self.file is None else self.file.stat().st_size

    @cached_property
    def sha256(self) -> str | None:
        """The file's SHA-256 in hexadecimal; None without one."""
        if self.file is None:
            return None
        with self.file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


class Samples:
    """What was read of a source. Jobs make it in `read`, and take it wherever they take data.

    A file is read once, and encoded once for each codec: whoever asks again gets what is there.

    Parameters
    ----------
    given : n sequences, texts, or whatever else the job's codec encodes
    targets : n of them, or None
        What is to be answered, as it was read.
    groups, order : (n,) or None
        Whose sample it is; when it was. For folds.
    weights : (n,), a list of (T_i,), or None
        How much each sample, or each step of it, counts in training.
    notes : what was decided in reading, in sentences
    source : Source

    `origin` says where they stand in what was read (`Origin`), where that is known.

    Example
    -------
    >>> from memorycell.data.ragged import Ragged
    >>> samples = Samples(["ab", "c", "de"], [1, 0, 1])
    >>> def encode(texts):
    ...     print("encoding", len(texts))
    ...     return Ragged.of([torch.tensor([ord(letter) for letter in text]) for text in texts])
    >>> codec = object()
    >>> whole = samples.encoded(codec, encode)
    encoding 3
    >>> part = samples.take([2])
    >>> part.given, part.targets, part.encoded(codec, encode)[0].tolist()
    (['de'], [1], [100, 101])
    """

    def __init__(
        self,
        given: Any,
        targets: Any = None,
        *,
        groups: Any = None,
        order: Any = None,
        weights: Any = None,
        notes: Iterable[Note] = (),
        source: Source | None = None,
    ) -> None:
        self.given, self.targets, self.groups, self.order, self.weights = given, targets, groups, order, weights
        self.notes: list[Note] = list(notes)
        self.source = Source.of(given) if source is None else source
        self.origin: Origin | None = None
        self._encoded: list[tuple[Any, Any]] = []  # of codecs, which need not be hashable
        self._part_of: tuple[Samples, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self.given)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} of {self.source.name})"

    def __getitem__(self, row: int) -> Any:
        return self.given[row]

    def take(self, rows: Iterable[int]) -> Samples:
        """The samples `rows`, as samples of their own; what is encoded already is not encoded again. All: these."""
        places = np.asarray(list(rows), np.int64)
        if np.array_equal(places, np.arange(len(self))):
            return self
        part = self._taken(places)
        part._part_of = (self, places)
        part.origin = None if self.origin is None else self.origin.take(places)
        return part

    @property
    def explainable(self) -> int:
        """How many answers there are to be explained: one a sample."""
        return len(self)

    def where(self, place: int) -> str:
        """What the user calls the place of a sample, counted from 0: "line 17" of a file, "row 15" of other data."""
        return f"row {place:,}" if self.origin is None else self.origin.where(place)

    def place(self, number: int) -> int:
        """The place of the sample that the user calls so; ValueError where there is none."""
        return number if self.origin is None else self.origin.place(number)

    def kept(self, keep: str | Iterable[str] | None) -> dict[str, NDArray[Any]]:
        """Columns that stand beside the samples in what was read: see `Origin.columns`."""
        return (Origin(np.arange(len(self))) if self.origin is None else self.origin).columns(keep)

    def _taken(self, places: NDArray[np.int64]) -> Samples:
        """A part of the same kind; a subclass with more to keep says so."""
        return type(self)(
            taken(self.given, places),
            taken(self.targets, places),
            groups=taken(self.groups, places),
            order=taken(self.order, places),
            weights=taken(self.weights, places),
            notes=self.notes,
            source=self.source,
        )

    def replaced(self, **changed: Any) -> Self:
        """The same samples with other targets, groups, order or weights; what is encoded stays."""
        found = copy.copy(self)
        for name, values in changed.items():
            setattr(found, name, values)
        return found

    def encoded(self, codec: Any, encode: Callable[[Any], Any]) -> Any:
        """``encode(given)``, which `codec` does: made when first asked for, and kept.

        What `encode` makes has a ``take(rows)`` for int64 tensors, for parts of these samples.
        """
        for known, encoding in self._encoded:
            if known is codec:
                return encoding
        whole = self._part_of
        if whole is not None and whole[0].is_encoded(codec):
            encoding = whole[0].encoded(codec, encode).take(torch.from_numpy(whole[1]))
        else:
            encoding = encode(self.given)
        self._encoded.append((codec, encoding))
        return encoding

    def is_encoded(self, codec: Any) -> bool:
        """Whether `codec` has encoded these samples, or the ones that they are a part of."""
        return any(known is codec for known, _ in self._encoded) or (
            self._part_of is not None and self._part_of[0].is_encoded(codec)
        )


def taken(values: Any, rows: NDArray[np.int64]) -> Any:
    """The rows of a list, a tuple, an array, a frame or anything with a ``take`` of its own; None of None."""
    if values is None:
        return None
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    if isinstance(values, list | tuple):
        return type(values)(values[row] for row in rows.tolist())
    if isinstance(values, np.ndarray) or not hasattr(values, "take"):
        return np.asarray(values)[rows]
    return values.take(rows)


@dataclass(repr=False)
class Answers(Figures):
    """What a model says of n samples: in Python, and as columns, which command and server give alike.

    Attributes
    ----------
    predictions : n of them
        As the job's `predict` gives them.
    columns : dict of array
        A column each; all of one length, which need not be n.
    probabilities : (n, K) array, list of (T_i, K) arrays, or None
    classes : list
        What the K stand for.
    text : str or None
        The answers in the format of the file that was read, where that has one for them: tagged words.
    noun : str
        What a row of the columns is called.
    """

    predictions: Any
    columns: dict[str, NDArray[Any]]
    probabilities: Any = None
    classes: list[Any] = field(default_factory=list)
    text: str | None = None
    noun: str = "row"

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def _said(self) -> tuple[str, str]:
        return counted(len(self), self.noun), ""

    def table(self) -> list[dict[str, Any]]:
        """`records`."""
        return self.records()

    def to_frame(self) -> Any:
        """The columns as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(self.columns)

    def records(self) -> list[dict[str, Any]]:
        """A dict for each row of the columns, plain JSON.

        Example
        -------
        >>> Answers(["a"], {"label": np.array(["a"], object), "p": np.array([0.5])}).records()
        [{'label': 'a', 'p': 0.5}]
        """
        from memorycell.data.records import as_records

        return as_records(self.columns)
