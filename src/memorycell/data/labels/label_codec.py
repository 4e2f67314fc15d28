"""LabelCodec: labels to class numbers and back, one or several to a sample."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.codec import Json, checked, is_count, is_list, is_name, is_number, register_codec

_MOST = 1_000_000  # classes that a stored state may have
_DTYPE = re.compile(r"text|bool|object|u?int(8|16|32|64)|float(16|32|64)")


@register_codec
class LabelCodec:
    """Labels to class numbers and back: the classes are sorted, and decoded labels have the type they came with.

    Parameters
    ----------
    kind : "single" or "several"
        One label a sample; or any number of them, none too: as lists, tuples or sets, as a text with `separator`
        between them (``"a|b"``), or as an array (n, K) of zeros and ones, whose classes are the columns' numbers.
    separator : str
        Between several labels in one text.

    Attributes
    ----------
    classes_ : array (K,)
        Texts, whole numbers, truth values or floats without a fraction; of the training labels' dtype.
    counts_ : int64 array (K,)
        Training samples of each class.

    Example
    -------
    >>> codec = LabelCodec().fit(["good", "bad", "good"])
    >>> codec.classes_.tolist(), codec.encode(["good", "bad"]).tolist()
    (['bad', 'good'], [1, 0])
    >>> LabelCodec("several").fit(["a|b", "", "b"]).encode(["b"]).tolist()
    [[0.0, 1.0]]
    """

    def __init__(self, kind: str = "single", separator: str = "|") -> None:
        if kind not in ("single", "several"):
            raise ValueError(f"expected kind to be 'single' or 'several', got {kind!r}")
        if not isinstance(separator, str) or not separator:
            raise ValueError(f"expected a separator of at least one character, got {separator!r}")
        self.kind, self.separator = kind, separator
        self.classes_: NDArray = np.empty(0)
        self.counts_: NDArray = np.empty(0, np.int64)
        self._ids: dict[Any, int] = {}

    @property
    def size(self) -> int:
        """Classes K."""
        return len(self.classes_)

    def fit(self, labels: Iterable[Any], require_two: bool = False) -> LabelCodec:
        """Learns the classes; with `require_two`, a single one is an error.

        Raises
        ------
        ValueError
            For no labels, missing ones (None, NaN: with their rows), fractions, or too few classes.
        TypeError
            For labels of mixed or other types.
        """
        if self.kind == "single":
            classes, counts = np.unique(_array(_column(labels)), return_counts=True)
        elif isinstance(labels, np.ndarray) and labels.ndim == 2 and labels.shape[1]:
            self._several(labels)
            classes, counts = np.arange(labels.shape[1]), (labels != 0).sum(0)
        else:
            rows = self._several(labels)
            where = [number for number, row in enumerate(rows) for _ in row]
            classes, counts = np.unique(_array([label for row in rows for label in row], where), return_counts=True)
        if require_two and len(classes) < 2:
            raise ValueError(f"expected labels of at least two classes, got one class only: {_names(classes.tolist())}")
        self._learn(classes, np.asarray(counts, np.int64))
        return self

    def encode(self, labels: Iterable[Any], unknown: str = "error") -> Tensor:
        """Class numbers, int64 (n,); for several labels zeros and ones, float32 (n, K).

        A label that training has not seen is an error, or with ``unknown="ignore"`` -1 (several: left out).

        Raises
        ------
        ValueError
            For missing or unseen labels, or a codec that is not fitted.
        """
        if unknown not in ("error", "ignore"):
            raise ValueError(f"expected unknown to be 'error' or 'ignore', got {unknown!r}")
        self._fitted()
        if self.kind == "single":
            values = _array(_column(labels)).tolist()
            ids = [self._ids.get(label, -1) for label in values]
            if unknown == "error" and -1 in ids:
                self._unseen([(row, label) for row, (label, i) in enumerate(zip(values, ids, strict=True)) if i < 0])
            return torch.tensor(ids, dtype=torch.int64)
        rows = self._several(labels)
        unseen = [(row, label) for row, found in enumerate(rows) for label in found if label not in self._ids]
        if unknown == "error" and unseen:
            self._unseen(unseen)
        several = torch.zeros(len(rows), self.size, dtype=torch.float32)
        for row, found in enumerate(rows):
            several[row, [self._ids[label] for label in found if label in self._ids]] = 1.0
        return several

    def decode(self, tensor: Any) -> Any:
        """Labels of class numbers (n,), an array; for several labels, of (n, K) values, lists of those of 0.5 or more.

        Raises
        ------
        ValueError
            For numbers or shapes that no `encode` gives.
        """
        self._fitted()
        values = np.asarray(tensor)
        if self.kind == "several":
            if values.ndim != 2 or values.shape[1] != self.size:
                raise ValueError(f"expected values of shape (n, {self.size}), got {values.shape}")
            return [self.classes_[row >= 0.5].tolist() for row in values]
        if values.ndim != 1 or (values.size and (values.dtype.kind not in "iu" or values.min() < 0)):
            raise ValueError(f"expected class numbers of shape (n,), got {values.dtype} of shape {values.shape}")
        if values.size and values.max() >= self.size:
            raise ValueError(f"expected class numbers below {self.size}, got {values.max()}")
        return self.classes_[values.astype(np.int64)]

    def to_json(self) -> Json:
        self._fitted()
        return {
            "codec": "LabelCodec",
            "version": 1,
            "kind": self.kind,
            "separator": self.separator,
            "dtype": "text" if self.classes_.dtype.kind == "U" else str(self.classes_.dtype),
            "classes": self.classes_.tolist(),
            "counts": self.counts_.tolist(),
        }

    @classmethod
    def from_json(cls, state: Json) -> LabelCodec:
        """The codec that `to_json` wrote; ValueError when the state is damaged."""
        checked(state, "version", lambda value: value == 1, "1 (a newer version wrote this file)")
        kind = checked(state, "kind", lambda value: value in ("single", "several"), "single or several")
        codec = cls(kind, checked(state, "separator", is_name, "a text"))
        expected = "text, object, bool or a type of numbers"
        dtype = checked(state, "dtype", lambda value: is_name(value) and bool(_DTYPE.fullmatch(value)), expected)
        classes = checked(
            state, "classes", lambda value: _are_classes(value, dtype), f"different sorted {dtype} labels"
        )
        counts = checked(state, "counts", is_list(is_count, len(classes)), "a count for each class")
        try:
            array = np.array(classes, None if dtype == "text" else dtype)
        except OverflowError:
            raise ValueError(f"the stored codec is damaged: expected classes that fit {dtype}, got others") from None
        codec._learn(array, np.array(counts, np.int64))
        return codec

    def _learn(self, classes: NDArray, counts: NDArray) -> None:
        self.classes_, self.counts_ = classes, counts
        self._ids = {label: number for number, label in enumerate(classes.tolist())}

    def _fitted(self) -> None:
        if not len(self.classes_):
            raise ValueError("expected a fitted LabelCodec, got one that has seen no labels: call fit(labels) first")

    def _several(self, labels: Iterable[Any]) -> list[list[Any]]:
        """The labels of each sample, none of them twice."""
        if isinstance(labels, np.ndarray) and labels.ndim == 2:
            if not np.isin(labels, (0, 1)).all():
                raise ValueError("expected an array of several labels to hold zeros and ones, got other values")
            return [np.flatnonzero(row).tolist() for row in labels]
        rows: list[list[Any]] = []
        missing = []
        for number, row in enumerate(_column(labels)):
            if isinstance(row, str):
                rows.append(list(dict.fromkeys(part.strip() for part in row.split(self.separator) if part.strip())))
            elif isinstance(row, list | tuple | set | frozenset | np.ndarray):
                rows.append(list(dict.fromkeys(row.tolist() if isinstance(row, np.ndarray) else row)))
            elif _is_missing(row):
                missing.append(number)
            else:
                what = type(row).__name__
                raise TypeError(f"expected a list of labels for each sample, got {what} {row!r:.40} (row {number})")
        _check_missing(missing)
        return rows

    def _unseen(self, unseen: list[tuple[int, Any]]) -> None:
        row, label = unseen[0]
        others = sorted({repr(other) for _, other in unseen} - {repr(label)})
        more = f" and {len(others)} other unseen labels" if others else ""
        rows = len({number for number, _ in unseen})
        raise ValueError(
            f"expected labels seen in training ({_names(self.classes_.tolist())}), got {label!r:.60}{more} "
            f"({rows} {'row' if rows == 1 else 'rows'}, first: row {row}): leave those rows out or train with them"
        )


def _column(labels: Any) -> Sequence[Any] | NDArray:
    """Labels one below the other: an array of one axis, or a list."""
    if isinstance(labels, str | bytes):
        raise TypeError("expected a list of labels, got a single text")
    if not isinstance(labels, list | tuple):
        labels = np.asarray(labels) if hasattr(labels, "__array__") else list(labels)
    if isinstance(labels, np.ndarray) and labels.ndim != 1:
        raise ValueError(f"expected one label a sample, of shape (n,), got shape {labels.shape}")
    return labels


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _check_missing(rows: Sequence[int]) -> None:
    if len(rows):
        first = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
        what = f"{len(rows)} missing one{'' if len(rows) == 1 else 's'}"
        raise ValueError(f"expected a label in every row, got {what} (rows {first}): leave those rows out")


def _family(value: Any) -> str:
    for family, types in (("truth values", (bool, np.bool_)), ("texts", str), ("numbers", (int, float, np.number))):
        if isinstance(value, types):
            return family
    return type(value).__name__


def _array(labels: Sequence[Any] | NDArray, where: Sequence[int] | None = None) -> NDArray:
    """Labels of one type as an array; `where` names the row of each, its place by default."""
    place = range(len(labels)) if where is None else where
    if not len(labels):
        raise ValueError("expected at least one label, got none")
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "biufU":
        array = labels
    else:
        _check_missing(sorted({row for row, label in zip(place, labels, strict=True) if _is_missing(label)}))
        first: dict[str, int] = {}
        for row, label in zip(place, labels, strict=True):
            first.setdefault(_family(label), row)
        if len(first) > 1:
            got = " and ".join(f"{family} (first: row {row})" for family, row in first.items())
            raise TypeError(f"expected labels of one type, got {got}: write them all as texts")
        if not first.keys() <= {"truth values", "texts", "numbers"}:
            raise TypeError(f"expected labels that are texts, whole numbers or truth values, got {next(iter(first))}")
        is_object = isinstance(labels, np.ndarray) and "texts" in first
        array = np.array(list(labels), dtype=object if is_object else None)
        if array.dtype == object and not is_object:
            raise ValueError("expected whole numbers of at most 64 bits as labels, got larger ones")
    if array.dtype.kind == "f":
        _check_missing([place[row] for row in np.flatnonzero(np.isnan(array)).tolist()])
        wrong = np.flatnonzero(array != np.floor(array))
        if len(wrong) or not np.isfinite(array).all():
            value = array[wrong[0]] if len(wrong) else np.inf
            raise ValueError(
                f"Unknown label type: expected classes (texts, whole numbers, truth values), got the number {value}: "
                "predict numbers with a regressor"
            )
    return array


def _names(classes: Sequence[Any], most: int = 10) -> str:
    more = f", … {len(classes)} in all" if len(classes) > most else ""
    return ", ".join(f"{label!r:.40}" for label in classes[:most]) + more


def _are_classes(value: Any, dtype: str) -> bool:
    if not isinstance(value, list) or not value:
        return False
    if dtype in ("text", "object"):
        fine = is_list(is_name, most=_MOST)
    elif dtype == "bool":
        fine = is_list(lambda label: isinstance(label, bool), most=2)
    elif dtype.startswith("float"):
        fine = is_list(lambda label: is_number(label) and float(label).is_integer(), most=_MOST)
    else:
        fine = is_list(lambda label: isinstance(label, int) and not isinstance(label, bool), most=_MOST)
    return fine(value) and all(first < second for first, second in pairwise(value))
