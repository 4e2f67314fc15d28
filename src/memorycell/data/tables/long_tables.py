"""read_long: tables in long form, one row a step, as sequences with a label each or a label a step."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from memorycell.data.labels.labelled import Labelled, labels_of, weights_of
from memorycell.data.log import note
from memorycell.data.origin import Origin
from memorycell.data.tables.arrow import is_valid
from memorycell.data.tables.columns import series_codes
from memorycell.data.tables.roles import require
from memorycell.data.tables.table import Table, listing
from memorycell.data.tables.times.dates import read_time


def read_long(
    table: Table,
    id: str,
    *,
    time: str | None = None,
    values: list[str] | None = None,
    target: str | None = None,
    group: str | None = None,
    weight: str | None = None,
    labels: Literal["sequence", "step", "none"] = "sequence",
    classes: bool = False,
) -> Labelled:
    """The sequences of a table in long form, in the order in which their ids first come.

    Parameters
    ----------
    table : Table
        One row a step, see `read_table`.
    id : str
        Column that says which sequence a row belongs to.
    time : str, optional
        Column by which the steps of each sequence are put in order; without it they keep the table's order.
    values : list of str, optional
        Columns of numbers, the channels; or one column of text, the symbols of a sequence. By default all numeric
        columns that are left.
    target, group, weight : str, optional
        Columns of the label, of the group and of the weight; group and weight are constant within a sequence.
    labels : str
        "sequence": the label is constant within a sequence; sequences without one are left out, and counted in the
        notes. "step": each step has its own. "none": no label is read.
    classes : bool
        Whether labels are names, as they are written; see `labels_of`.

    Raises
    ------
    ValueError
        A column that is not there, two rows of one time in a sequence, a row without id or time, a label or group
        that changes within a sequence, a step without its label.

    Example
    -------
    >>> from memorycell.data.tables.reading import read_table
    >>> table = read_table({"walk": [1, 1, 2], "t": [1, 0, 0], "x": [2.0, 1.0, 5.0], "who": ["a", "a", "b"]})
    >>> data = read_long(table, "walk", time="t", target="who")
    >>> [x.ravel().tolist() for x in data.x], data.y.tolist()
    ([[1.0, 2.0], [5.0]], ['a', 'b'])
    """
    used = [name for name in (id, time, target, group, weight) if name is not None]
    require(table, [*used, *(values or ())], "needed")
    again = [name for name in used if used.count(name) > 1]
    if again:
        raise ValueError(
            f"column {again[0]!r} is given twice, of id, time, target, group and weight: expected different ones"
        )
    codes, ids = series_codes(table, id)
    order, offsets = _order(table, codes, ids, id, time)
    notes = list(table.notes)
    names = _value_columns(table, values, used, notes)
    x, blank = _steps(table, names, order, offsets)
    y, kept = _labels(table, target, (labels, classes), order, offsets, (id, ids), notes)
    if blank.any():
        if labels == "sequence":
            kept &= ~blank
        verb = "has" if blank.sum() == 1 else "have"
        which = f"first {id} {ids[int(blank.argmax())]!r}"
        said = f"{int(blank.sum()):,} of {len(ids):,} sequences {verb} no value ({which})"
        what = {"none": "no answer there", "sequence": "left out"}.get(labels, "nothing is known of their steps")
        notes.append(note("empty", f"{said}: {what}."))
    groups = None if group is None else _constant(table, group, order, offsets, (id, ids))
    rows = np.flatnonzero(kept)
    first = order[offsets[:-1]][rows]
    lines = None if table.lines is None else table.lines[first]
    return Labelled(
        origin=Origin(first, lines, table, long=True, taken=(id,)),
        x=[x[i] for i in rows],
        y=[y[i] for i in rows] if isinstance(y, list) else None if y is None else y[rows],
        groups=None if groups is None else groups[rows],
        names=names,
        notes=notes,
        source=table.source,
        rows=rows,
        ids=[ids[i] for i in rows],
        weights=None
        if weight is None or labels == "none"
        else _weights(table, weight, order, offsets, (id, ids))[rows],
    )


def _weights(
    table: Table, weight: str, order: NDArray[np.int64], offsets: NDArray[np.int64], named: tuple[str, list[str]]
) -> NDArray[np.float64]:
    """The weight of each sequence."""
    weights: Any = weights_of(table, weight, np.arange(len(table)))
    _constant(table, weight, order, offsets, named, "weight")
    return weights[order][offsets[:-1]]


def _steps(
    table: Table, names: list[str], order: NDArray[np.int64], offsets: NDArray[np.int64]
) -> tuple[list[Any], NDArray[np.bool_]]:
    """What each sequence holds, and which hold nothing; ValueError for a symbol that is missing among others."""
    symbols = len(names) == 1 and table.is_text(names[0])
    if not symbols:
        flat: Any = np.stack([table.numbers(name).astype(np.float64) for name in names], axis=1)[order]
        missing = np.isnan(flat).all(axis=1)
    else:
        texts = table.texts(names[0])
        flat, missing = np.array(texts.to_pylist(), object)[order], ~is_valid(texts)[order]
    blank = np.logical_and.reduceat(missing, offsets[:-1])
    some = missing & ~np.repeat(blank, np.diff(offsets))
    if symbols and some.any():
        where = table.where(int(order[some].min()))
        raise ValueError(f"column {names[0]!r} of {table.source} has no symbol in {where}: fill it in, or leave it out")
    parts = [flat[a:b] for a, b in pairwise(offsets)]
    if symbols:
        parts = [[] if empty else part.tolist() for empty, part in zip(blank, parts, strict=True)]
    return parts, blank


def _order(
    table: Table, codes: NDArray[np.int64], ids: list[str], id: str, time: str | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows, sequence after sequence and each in order of time, and where each sequence begins (n + 1,)."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))]).astype(np.int64)
    if time is None:
        return np.argsort(codes, kind="stable"), offsets
    times = table.numbers(time) if table.is_numeric(time) else read_time(table, [time]).values
    missing = np.isnat(times) if times.dtype.kind == "M" else np.isnan(times)
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(f"column {time!r} of {table.source} has no time in {table.where(row)}: fill it in")
    order = np.lexsort((times, codes))
    same = (np.diff(times[order].astype(np.int64) if times.dtype.kind == "M" else times[order]) == 0) & (
        np.diff(codes[order]) == 0
    )
    if same.any():
        first, second = sorted(order[int(np.argmax(same)) :][:2].tolist())
        raise ValueError(
            f"{table.source} has {int(same.sum()):,} rows that repeat a time in their sequence: {id} "
            f"{ids[codes[first]]!r}, {time} {times[first]}, in {table.where(first)} and {table.where(second)}: "
            "keep one row a step"
        )
    return order, offsets


def _value_columns(table: Table, values: list[str] | None, used: list[str], notes: list[dict]) -> list[str]:
    if values is not None:
        words = [name for name in values if not table.is_numeric(name)]
        if not values or (words and (len(values) > 1 or not table.is_text(words[0]))):
            raise ValueError(
                f"{table.source}: expected value columns of numbers, or one of symbols, got {listing(words) or 'none'}"
            )
        return values
    names = [name for name in table.columns if name not in used and table.is_numeric(name)]
    rest = [name for name in table.columns if name not in used and name not in names]
    if not names and len(rest) == 1 and table.is_text(rest[0]):
        return rest
    if not names:
        raise ValueError(f"{table.source} has no numeric column beside {listing(used)}: name the columns with values=")
    if rest:
        notes.append(note("dropped", f"Left out, as they hold no numbers: columns {listing(rest)}."))
    return names


def _labels(
    table: Table,
    target: str | None,
    how: tuple[str, bool],
    order: NDArray[np.int64],
    offsets: NDArray[np.int64],
    named: tuple[str, list[str]],
    notes: list[dict],
) -> tuple[Any, NDArray[np.bool_]]:
    """The labels, an array or a list of one array a sequence, and which sequences have them."""
    (labels, classes), (id, ids) = how, named
    everything = np.ones(len(ids), bool)
    if labels == "none":
        return None, everything
    if target is None:
        raise ValueError(
            f"{table.source}: name the column of the label with target=; it has {listing(table.columns, 12)}"
        )
    found, valid = labels_of(table, target, classes)
    if not valid.any():
        raise ValueError(f"{table.source} has no label in any row of column {target!r}")
    found, valid = found[order], valid[order]
    if labels == "step":
        if not valid.all():
            row = int(order[int(np.argmin(valid))])
            raise ValueError(
                f"column {target!r} of {table.source} has no label in {table.where(row)}: expected one at each step; "
                "leave out that sequence, or label it"
            )
        return [found[a:b] for a, b in pairwise(offsets)], everything
    y, kept = _first_of_each(found, valid, offsets)
    differs = valid & (found != np.repeat(y, np.diff(offsets)))
    if differs.any():
        at = int(np.argmax(differs))
        sequence = int(np.searchsorted(offsets, at, side="right")) - 1
        raise ValueError(
            f"label {target!r} of {table.source} changes within {id} {ids[sequence]!r} (to {found[at]!s:.40} in "
            f"{table.where(int(order[at]))}): expected one label a sequence, or labels='step'"
        )
    if not kept.all():
        first = ids[int(np.argmin(kept))]
        said = f"{int((~kept).sum()):,} of {len(ids):,} sequences have no label in column {target!r}"
        notes.append(note("unlabelled", f"{said} (first {id} {first!r}): left out."))
    return y, kept


def _first_of_each(
    found: NDArray, valid: NDArray[np.bool_], offsets: NDArray[np.int64]
) -> tuple[NDArray, NDArray[np.bool_]]:
    """The first label that is there of each sequence, and which sequences have one."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    y = np.zeros(len(offsets) - 1, found.dtype)
    y[owner[valid][::-1]] = found[valid][::-1]
    kept = np.zeros(len(y), bool)
    kept[owner[valid]] = True
    return y, kept


def _constant(
    table: Table,
    group: str,
    order: NDArray[np.int64],
    offsets: NDArray[np.int64],
    named: tuple[str, list[str]],
    what: str = "group",
) -> NDArray:
    """The group of each sequence as text."""
    codes, groups = series_codes(table, group)
    codes = codes[order]
    first = codes[offsets[:-1]]
    differs = codes != np.repeat(first, np.diff(offsets))
    if differs.any():
        sequence = int(np.searchsorted(offsets, int(np.argmax(differs)), side="right")) - 1
        id, ids = named
        raise ValueError(
            f"{what} {group!r} of {table.source} changes within {id} {ids[sequence]!r}: expected one {what} a sequence"
        )
    return np.array(groups)[first]
