"""Labelled: texts or sequences with their labels, and how labels and groups are read from columns."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.origin import Origin
from memorycell.data.tables.arrow import as_texts, is_valid, to_numpy
from memorycell.data.tables.roles import require
from memorycell.data.tables.table import Table

Column = str | int
NO_LABEL = ("", "#N/A", "NaN", "nan", "<NA>")  # what programs write; "NA" is Namibia, and "none" a class


@dataclass(repr=False)
class Labelled:
    """Samples and what is known of each.

    Attributes
    ----------
    x : list of str, list of arrays, list of lists of str, or array
        Texts; numeric sequences (T_i, F), or (n, T) and (n, T, F) where all are of one length; sequences of symbols.
    y : array, list of arrays or None
        The label of each sample, (n,) or with several target columns (n, K); with a label at each step one array
        (T_i,) a sample; None when no labels were asked for.
    groups : array or None
        The group of each sample as text (a speaker, a user), for splits that keep groups whole.
    weights : array or None
        float64 (n,): how much each sample counts, where a column says so.
    origin : Origin or None
        Where each sample stands in what was read, and what else stands there.
    names : list of str
        Of the channels, where x is numeric.
    notes : list of dict
        What was decided and left out: ``{"kind": ..., "text": ...}``, one sentence each.
    source : str
        What errors call it.
    rows : array or None
        int64 (n,): the row of the table (or of the file's samples) that each sample came from, counted from 0.
    ids : list of str or None
        The id of each sample, in long form.
    columns : dict
        Of a table: arguments of `read_labelled` that read another of its kind the same way, without guessing, as
        plain JSON: `text`, `target`, `group`, `values`, `id`, `time`, `channels`, and
        `header` False, where they were used; `as_read`, how `read_table` read it.
    """

    x: Any
    y: Any = None
    groups: NDArray | None = None
    names: list[str] = field(default_factory=list)
    notes: list[dict] = field(default_factory=list)
    source: str = ""
    rows: NDArray[np.int64] | None = None
    ids: list[str] | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    weights: NDArray[np.float64] | None = None
    origin: Origin | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        labels = "without labels" if self.y is None else "with labels"
        return f"Labelled({self.source or 'samples'}: {len(self):,} samples {labels})"


def column_name(table: Table, column: Column, role: str) -> str:
    """The name of a column given by name or by place; ValueError when the table has none such."""
    if isinstance(column, int):
        if not -len(table.columns) <= column < len(table.columns):
            raise ValueError(f"{table.source} has no {role} column {column}: it has {len(table.columns):,} columns")
        return table.columns[column]
    require(table, [column], role)
    return column


def labels_of(table: Table, name: str, classes: bool = False) -> tuple[NDArray, NDArray[np.bool_]]:
    """The labels in a column (texts, truth values, whole or other numbers), and which rows have one.

    With `classes` labels are names: what reading makes numbers or dates of ("10%", "$5", "2024-01-31") is as it is
    written. Rows without one hold any value. In a column of numbers NA, null and the like are none, too; in one of
    words they are labels, and only empty, "NaN" and "<NA>" are none.
    """
    column = table.data.column(name)
    if table.is_text(name) or (classes and (name in table.written or not table.is_numeric(name))):
        column = _dates(column) if pa.types.is_temporal(column.type) else table.texts(name)
        valid = is_valid(column) & ~to_numpy(pc.is_in(column, as_texts(NO_LABEL)), missing=False)
        return np.array(["" if label is None else label for label in column.to_pylist()]), valid
    if not table.is_numeric(name):
        raise ValueError(f"column {name!r} of {table.source} holds dates: expected numbers")
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type):
        return to_numpy(column, missing=0), is_valid(column)
    numbers = to_numpy(column).astype(np.float64)
    valid = ~np.isnan(numbers)
    infinite = np.isinf(numbers)
    if infinite.any():
        raise ValueError(f"target {name!r} of {table.source} is infinite in {table.where(int(np.argmax(infinite)))}")
    whole = bool(table.first_line) and bool((numbers[valid] == np.floor(numbers[valid])).all())
    if whole and (np.abs(numbers[valid]) < 2**53).all():
        return np.where(valid, numbers, 0).astype(np.int64), valid
    return numbers, valid


def _dates(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dates as text: days as such, times to the second where that is all they hold."""
    for kind in (pa.date32(), pa.timestamp("s", getattr(column.type, "tz", None))):
        with contextlib.suppress(pa.ArrowInvalid):
            return column.cast(kind).cast(pa.string())
    return column.cast(pa.string())


def groups_of(table: Table, name: str | None, rows: NDArray[np.int64]) -> NDArray | None:
    """The groups of some rows as text."""
    if name is None:
        return None
    texts = table.texts(name)
    missing = rows[~is_valid(texts)[rows]]
    if len(missing):
        where = table.where(int(missing[0]))
        raise ValueError(f"column {name!r} of {table.source} does not say which group {where} belongs to: fill it in")
    groups = texts.to_pylist()
    return np.array([groups[row] for row in rows])


def weights_of(table: Table, name: str | None, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """The weights of some rows.

    Raises
    ------
    ValueError
        For a column without numbers, or a row whose weight is missing, negative or infinite.
    """
    if name is None:
        return None
    if not table.is_numeric(name):
        raise ValueError(f"expected numbers as weights in column {name!r} of {table.source}, got others")
    weights = table.numbers(name).astype(np.float64)
    wrong = rows[~(np.isfinite(weights[rows]) & (weights[rows] >= 0))]
    if len(wrong):
        got = "none" if np.isnan(weights[wrong[0]]) else f"{weights[wrong[0]]:g}"
        raise ValueError(
            f"expected weights of at least 0 in column {name!r} of {table.source}, got {got} in "
            f"{table.where(int(wrong[0]))}"
        )
    return weights[rows]
