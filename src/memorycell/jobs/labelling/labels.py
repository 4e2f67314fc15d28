"""Labels of sequences as they are given: one each, several each, or an indicator matrix; and given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.labels.label_codec import LabelCodec
from memorycell.kernels.quiet import tell


def learn(y: Any, n: int) -> tuple[LabelCodec, bool]:
    """The codec of the labels of n sequences, and whether they came as an indicator matrix.

    Raises
    ------
    ValueError, TypeError
        For missing or mixed labels, numbers that are no classes, another count than n, or a single class.
    """
    y, several = _plain(y)
    _check_count(y, n)
    indicator = several and isinstance(y, np.ndarray)
    if not indicator:
        codec = LabelCodec("several" if several else "single").fit(y, require_two=not several)
        return codec, False
    codec = LabelCodec("several").fit(np.ones((1, y.shape[1])))  # a label is a label if no sample has it, too
    codec.encode(y)
    codec.counts_ = y.sum(axis=0).astype(np.int64)
    return codec, True


def encode(codec: LabelCodec, y: Any, n: int) -> NDArray[Any]:
    """Class numbers, int64 (n,), -1 for a label that is unknown; or zeros and ones, float32 (n, L).

    Raises
    ------
    ValueError, TypeError
        For labels of another kind or count.
    """
    y, several = _plain(y)
    _check_count(y, n)
    if several != (codec.kind == "several"):
        expected = "several labels" if codec.kind == "several" else "one label"
        raise ValueError(
            f"expected {expected} for each sequence, as in training, got {'several' if several else 'one'}"
        )
    if several and isinstance(y, np.ndarray) and y.shape[1] != codec.size:
        raise ValueError(f"expected an indicator matrix of {codec.size} columns, as in training, got {y.shape[1]}")
    return codec.encode(y, unknown="ignore").numpy()


def unseen(codec: LabelCodec, y: Any, codes: NDArray[Any], where: Callable[[int], str]) -> str:
    """ "2 of 40 labels that were never seen in training (such as 'x' in row 3)"."""
    rows = np.flatnonzero(codes < 0)
    example = _plain(y)[0][int(rows[0])]
    example = example.item() if isinstance(example, np.generic) else example
    such = f"{example!r:.40} in {where(int(rows[0]))}"
    return f"{len(rows)} of {len(codes)} labels that were never seen in training (such as {such})"


def decode(codec: LabelCodec, scores: NDArray[np.float64], indicator: bool) -> Any:
    """Of scores (n, K) the class of the highest; of several labels those above 0, as matrix or lists.

    Where scores are missing there is no answer: None, or in a matrix NaN.
    """
    blank: NDArray[np.bool_] = np.isnan(scores).any(axis=1)  # type: ignore[assignment]
    if codec.kind == "single":
        found = codec.decode(scores.argmax(axis=1))
        return np.where(blank, None, found.astype(object)) if blank.any() else found
    present = scores > 0
    if indicator:
        return np.where(blank[:, None], np.nan, present) if blank.any() else present.astype(np.int64)
    return [None if empty else each for empty, each in zip(blank, codec.decode(present), strict=True)]


def are_several(y: Any) -> bool:
    """Whether labels are several each, rather than one each."""
    return _plain(y)[1]


def _check_count(y: Any, n: int) -> None:
    if len(y) != n:
        raise ValueError(f"expected a label for each of {n} sequences, got {len(y)}: inconsistent numbers of samples")


def _plain(y: Any) -> tuple[Any, bool]:
    """Labels as an array or a list, and whether each sequence has several."""
    if isinstance(y, str | bytes | dict) or not hasattr(y, "__len__"):
        if not hasattr(y, "__array__"):
            raise TypeError(f"y should be a 1d array of labels, or a list of lists of them, got {type(y).__name__}")
        y = np.asarray(y)
    if not isinstance(y, list | tuple | np.ndarray):
        y = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    if not isinstance(y, np.ndarray):
        rows = [isinstance(each, list | tuple | set | frozenset | np.ndarray) for each in y]
        if not any(rows):
            return y, False
        matrix = _indicator(y) if all(rows) else None
        return (y, True) if matrix is None else (matrix, True)
    if y.dtype.kind == "c":
        raise ValueError("Complex data not supported: expected labels")
    if y.ndim == 2 and y.shape[1] == 1:
        from sklearn.exceptions import DataConversionWarning

        text = "A column-vector y was passed when a 1d array was expected: its one column is taken, as y.ravel()"
        tell(text, DataConversionWarning)
        y = y.ravel()
    if y.ndim == 1 and y.dtype.kind == "O" and any(isinstance(each, list | tuple | set | frozenset) for each in y):
        return list(y), True
    if y.ndim not in (1, 2):
        raise ValueError(f"y should be a 1d array of labels or an indicator matrix, got shape {y.shape}")
    return y, y.ndim == 2


def _indicator(y: Any) -> NDArray[Any] | None:
    """Lists of equally many zeros and ones as a matrix; None for lists of labels."""
    if any(isinstance(row, set | frozenset) for row in y) or len({len(row) for row in y}) != 1 or len(y[0]) < 2:
        return None
    try:
        matrix = np.asarray(y)
    except ValueError:
        return None
    return matrix if matrix.ndim == 2 and matrix.dtype.kind in "biuf" and np.isin(matrix, (0, 1)).all() else None
