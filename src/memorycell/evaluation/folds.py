"""Folds of labelled sequences: at random, by class, by group, or by time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.samples import Samples

Rows = NDArray[np.int64]
ONE_CLASS = "expected at least two classes, got only {!r}: there is nothing to tell apart"


@dataclass(frozen=True)
class Folds:
    """Which rows each fold trains on and tests.

    Attributes
    ----------
    splits : list of (training rows, test rows), int64 and sorted
    kind : "stratified", "random", "grouped", "stratified and grouped", "time-ordered" or "contiguous"
    notes : list of str: what had to be decided on the way
    """

    splits: list[tuple[Rows, Rows]]
    kind: str
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.splits)


def take(X: Any, rows: Iterable[int]) -> Any:
    """The rows of samples, a list, tuple, array, frame or anything with ``iloc``, as the same kind of thing.

    Example
    -------
    >>> take(["a", "b", "c"], [2, 0]), take(np.arange(6).reshape(3, 2), [1]).tolist()
    (['c', 'a'], [[2, 3]])
    """
    if isinstance(X, Samples):
        return X.take(rows)
    if hasattr(X, "iloc"):
        return X.iloc[np.asarray(rows)]
    if isinstance(X, (list, tuple)):
        return type(X)(X[row] for row in rows)
    return X[np.asarray(rows)]


def make_folds(
    n: int,
    folds: int = 5,
    *,
    labels: Any = None,
    groups: Any = None,
    order: Any = None,
    blocks: bool = False,
    seed: int = 0,
) -> Folds:
    """Cut n rows into folds: K-fold, stratified where there are labels, grouped, or in the order of time.

    Parameters
    ----------
    n : int
        Rows.
    folds : int
        At least 2. With `labels` there are never more folds than the rarest class has rows (a note says so).
    labels : (n,) or None
        Classes; each fold gets its share of each.
    groups : (n,) or None
        No group has rows on both sides of a fold.
    order : (n,) or None
        Times or anything that sorts. The rows are cut into folds + 1 blocks; fold k trains on the blocks before
        it. Rows of the same time stay on one side. Cannot be combined with `groups`.
    blocks : bool
        Test rows that stand together instead of rows at random, for rows that go on from one another.

    Raises
    ------
    ValueError
        When there are fewer rows, groups or times than folds ask for, labels or groups are missing, there is
        one class only, or a class has one row.

    Example
    -------
    >>> found = make_folds(8, 2, labels=list("aabbbbbb"))
    >>> found.kind, [test.tolist() for _, test in found.splits]
    ('stratified', [[1, 3, 4, 6], [0, 2, 5, 7]])
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    if not isinstance(folds, (int, np.integer)) or folds < 2:
        raise ValueError(f"expected at least 2 folds, got {folds!r}")
    if groups is not None and order is not None:
        raise ValueError("expected groups or order, got both: a group that lasts over time cannot be on one side")
    notes: list[str] = []
    rows = np.zeros((n, 1))
    if order is not None:
        return Folds(_ordered(take_column(order, n, "time"), folds), "time-ordered")
    if n < folds:
        raise ValueError(f"expected at least as many rows as folds ({folds}), got {n}: ask for fewer folds")
    column = None if labels is None else take_column(labels, n, "label")
    splitter: Any
    if groups is not None:
        owner = take_column(groups, n, "group")
        number = len(np.unique(owner))
        if number < folds:
            raise ValueError(f"expected at least {folds} groups for {folds} folds, got {number}: ask for fewer folds")
        if column is None:
            splitter, kind = GroupKFold(folds, shuffle=True, random_state=seed), "grouped"
        else:
            splitter, kind = StratifiedGroupKFold(folds, shuffle=True, random_state=seed), "stratified and grouped"
            notes += _lonely_classes(column, owner)
        found = splitter.split(rows, column, owner)
    elif column is not None:
        folds = _possible(column, folds, notes)
        found, kind = StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, column), "stratified"
    elif blocks:
        found, kind = KFold(folds).split(rows), "contiguous"
    else:
        found, kind = KFold(folds, shuffle=True, random_state=seed).split(rows), "random"
    splits = [(train.astype(np.int64), test.astype(np.int64)) for train, test in found]
    return Folds([(train, test) for train, test in splits if len(test)], kind, notes)


def missing_rows(values: Iterable[Any]) -> Rows:
    """The rows that hold None, NaN, NaT or an empty text.

    Example
    -------
    >>> missing_rows(["a", None, "b", float("nan"), ""]).tolist()
    [1, 3, 4]
    """
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "biu":
        return np.zeros(0, np.int64)
    return np.array([i for i, value in enumerate(values) if _is_missing(value)], np.int64)


def _is_missing(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return not isinstance(value, str) and np.ndim(value) == 0 and bool(value != value)


def take_column(values: Any, n: int, what: str) -> NDArray[Any]:
    """(n,) values without gaps, as an array that sorts."""
    listed = list(values)
    if len(listed) != n:
        raise ValueError(f"expected a {what} for each of {n} rows, got {len(listed)}")
    missing = missing_rows(listed)
    if len(missing):
        raise ValueError(
            f"expected a {what} in each row, got {len(missing)} missing (first: row {missing[0]}): leave those rows out"
        )
    kinds = {_sort_of(value) for value in listed}
    if len(kinds) > 1:
        raise ValueError(f"expected {what}s of one type, got {' and '.join(sorted(kinds))}: make them all text")
    return values if isinstance(values, np.ndarray) and values.dtype != object else np.array(listed)


def _sort_of(value: Any) -> str:
    if isinstance(value, (str, bytes)):
        return "text"
    number = isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating))
    return "numbers" if number else type(value).__name__


def _possible(labels: NDArray[Any], folds: int, notes: list[str]) -> int:
    """The folds that the rarest class allows."""
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise ValueError(ONE_CLASS.format(classes[0].item()))
    least = int(counts.min())
    rarest = classes[counts.argmin()].item()
    if least == 1:
        ones = int((counts == 1).sum())
        more = f" and {ones - 1} more" if ones > 1 else ""
        raise ValueError(
            f"expected at least 2 rows of each class, got 1 of class {rarest!r}{more}: "
            "a class must be in training and in test, so leave such rows out or join the class with another"
        )
    if least < folds:
        notes.append(f"{least} folds instead of {folds}: class {rarest!r} has {least} rows only")
    return min(folds, least)


def _lonely_classes(labels: NDArray[Any], groups: NDArray[Any]) -> list[str]:
    """A note where a class cannot be both in training and in test."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(ONE_CLASS.format(classes[0].item()))
    lonely = [repr(label.item()) for label in classes if len(np.unique(groups[labels == label])) == 1]
    if not lonely:
        return []
    which = f"class {lonely[0]} is" if len(lonely) == 1 else f"classes {', '.join(lonely)} are each"
    return [f"{which} found in one group only: where that group is tested, training has none of it"]


def _ordered(times: NDArray[Any], folds: int) -> list[tuple[Rows, Rows]]:
    """Blocks of about equal size in time; ties are not parted."""
    distinct, block = np.unique(times, return_inverse=True)
    if len(distinct) <= folds:
        raise ValueError(
            f"expected more different times than folds ({folds}), got {len(distinct)}: ask for fewer folds"
        )
    ends = np.cumsum(np.bincount(block))  # rows up to and with each time
    wanted = ends[-1] * np.arange(1, folds + 1) / (folds + 1)
    cuts: list[int] = []  # the first time of each test block
    for k, rows in enumerate(wanted):
        nearest = int(np.abs(ends - rows).argmin()) + 1
        lowest = cuts[-1] + 1 if cuts else 1
        cuts.append(min(max(nearest, lowest), len(distinct) - (folds - k)))
    bounds = [*cuts, len(distinct)]
    return [
        (np.flatnonzero(block < start), np.flatnonzero((block >= start) & (block < stop)))
        for start, stop in pairwise(bounds)
    ]
