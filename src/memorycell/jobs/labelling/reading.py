"""What a classifier or regressor of sequences is given: texts, numbers or symbols, read once and checked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.samples import Samples, Source, taken
from memorycell.jobs.labelling.parameters import KINDS

if TYPE_CHECKING:
    from memorycell.data.labels.labelled import Labelled


@dataclass(frozen=True)
class SequenceInput:
    """n sequences as they were given, and what is known of them.

    Attributes
    ----------
    sequences : list, or array (n, T) or (n, T, F)
    kind : "text", "numbers" or "symbols"
    steps : T where all sequences came as the rows of one matrix, whose columns are the features in scikit-learn's sense
    features : numbers a step, or None
    names : names of the matrix's columns, or None
    blank : bool (n,) or None
        Sequences without anything in them, which get no answer: empty texts, only missing numbers; None: there are
        none.
    """

    sequences: Any
    kind: str
    steps: int | None = None
    features: int | None = None
    names: list[str] | None = None
    blank: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, row: int) -> Any:
        return self.sequences[row]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.sequences)

    def take(self, rows: Any) -> SequenceInput:
        """The sequences `rows`."""
        rows = np.asarray(rows, np.int64)
        return replace(self, sequences=taken(self.sequences, rows), blank=taken(self.blank, rows))


class SequenceSamples(Samples):
    """Sequences that were read, with what they stand for.

    Attributes
    ----------
    rows : int64 (n,) or None
        Of a table: the row of each.
    ids : list of str or None
        Of a long table: what each is called.
    columns : dict
        How a file was read, as `read_labelled` is told.
    """

    given: SequenceInput
    rows: NDArray[np.int64] | None = None
    ids: list[str] | None = None
    columns: Mapping[str, Any] = {}

    def _taken(self, places: NDArray[np.int64]) -> Samples:
        part = super()._taken(places)
        assert isinstance(part, SequenceSamples)  # noqa: S101 # for the type checker
        part.rows, part.ids, part.columns = taken(self.rows, places), taken(self.ids, places), self.columns
        return part


def is_source(X: Any, y: Any, columns: Mapping[str, Any], learning: bool = False) -> bool:
    """Whether X is a file, or a frame of which columns are named or to be found, rather than sequences themselves."""
    if isinstance(X, str | os.PathLike):
        return True
    table = hasattr(X, "columns") or hasattr(X, "column_names") or isinstance(X, dict)
    told = learning or any(columns.get(name) is not None for name in ("text", "target"))
    return table and (isinstance(y, str) or (y is None and told))


def read_source(source: Any, labelled: bool, columns: Mapping[str, Any], order: Any = None) -> tuple[Labelled, Any]:
    """A file or frame as `read_labelled` reads it, and the dates or numbers of the column `order` in the rows kept."""
    # Only files and named columns need what reads them.
    from memorycell.data.labels.reading import read_labelled

    given = os.fspath(source) if isinstance(source, os.PathLike) else source
    if order is None:
        return read_labelled(given, labels="sequence" if labelled else "none", **columns), None
    from memorycell.data.tables.columns import stamps_of
    from memorycell.data.tables.files.how import KEPT
    from memorycell.data.tables.reading import read_table
    from memorycell.data.tables.roles import require

    how = {name: columns[name] for name in (*KEPT, "as_read") if columns.get(name) is not None}
    table = read_table(given, samples=True, **how)
    require(table, [order], "order")
    rest = {name: value for name, value in columns.items() if name not in how}
    data = read_labelled(table, labels="sequence" if labelled else "none", **rest)
    stamps = stamps_of(table, [order], None)
    return data, stamps if data.rows is None else stamps[data.rows]


def read_where_labelled(source: Any, columns: Mapping[str, Any]) -> Labelled:
    """All rows of a file or frame, with labels where there are some: an array of objects, None where there is none."""
    try:
        data, _ = read_source(source, True, columns)
    except ValueError:
        return read_source(source, False, columns)[0]
    if data.rows is None or not _left_out(data):
        return data
    whole, _ = read_source(source, False, columns)
    labels: Any = np.full(len(whole), None, object)
    labels[data.rows] = list(data.y)
    whole.y = labels
    return whole


def _left_out(data: Labelled) -> bool:
    return any(note["kind"] in ("unlabelled", "empty") for note in data.notes)


def samples_of(given: SequenceInput, data: Labelled, source: Any, **more: Any) -> SequenceSamples:
    """Samples of a file or frame that was read."""
    named = Source.of(source)
    samples = SequenceSamples(
        given, data.y, groups=data.groups, weights=data.weights, notes=data.notes,
        source=named if named.file is not None else Source(data.source or named.name), **more,
    )  # fmt: skip
    samples.rows, samples.ids, samples.columns, samples.origin = data.rows, data.ids, data.columns, data.origin
    return samples


def read_input(given: Any, kind: str = "auto", features: int | None = None, *, blanks: bool = False) -> SequenceInput:
    """Texts, numbers or symbols, from whatever holds them.

    Parameters
    ----------
    given : list, array, series or frame
        Texts; arrays (T_i, F) or (T_i,); one array (n, T, F), or (n, T), whose rows are sequences of one number a step;
        lists of symbols (texts or whole numbers). With ``kind="symbols"`` a text is the sequence of its characters.
    kind : "auto", "text", "numbers" or "symbols"
    features : numbers a step, of sequences that have none
    blanks : whether sequences may be empty, see `SequenceInput.blank`; else they are an error

    Raises
    ------
    TypeError, ValueError
        With what was expected, what came and where.

    Example
    -------
    >>> read_input(["good film", "bad film"]).kind, read_input([["a", "b"], ["b"]]).kind
    ('text', 'symbols')
    >>> read_input(np.zeros((5, 7))).steps, read_input([np.zeros((4, 2)), np.zeros((9, 2))]).features
    (7, 2)
    """
    if kind not in KINDS:
        raise ValueError(f"expected kind to be {', '.join(KINDS)}, got {kind!r}")
    names = None
    if hasattr(given, "toarray") and hasattr(given, "nnz"):
        raise TypeError("Sparse input is not supported: expected a dense array, such as X.toarray()")
    if hasattr(given, "columns") and hasattr(given, "to_numpy"):
        names = [str(name) for name in given.columns] if all(isinstance(n, str) for n in given.columns) else None
        columns, given = list(given.columns), given.to_numpy()
        if given.ndim == 2 and given.dtype.kind == "O" and any(_is_sequence(each) for each in given[:1].ravel()):
            given, names = _nested(given, columns), None
        elif given.ndim == 2 and given.dtype.kind in "OU" and any(isinstance(each, str) for each in given[:1].ravel()):
            if given.shape[1] > 1:
                raise ValueError(
                    f"expected columns of numbers, got text among {', '.join(map(str, columns[:6]))}: "
                    "name the column of the texts with text="
                )
            given, names = given.ravel(), None
    elif isinstance(given, torch.Tensor):
        given = given.detach().cpu().numpy()
    elif not isinstance(given, list | tuple | np.ndarray | str | bytes | dict) and hasattr(given, "__array__"):
        given = np.asarray(given)
    if isinstance(given, str | bytes | dict | set) or not isinstance(given, Sequence | np.ndarray):
        raise TypeError(f"expected a list of sequences or an array, got {type(given).__name__}")
    if len(given) == 0:
        raise ValueError("Found array with 0 sample(s), expected at least one sequence (a minimum of 1 is required)")
    kind = _kind(given) if kind == "auto" else kind
    if kind == "numbers":
        filled, blank = _filled(given, features or 1)
        if not blanks and blank.any():
            _refuse_nothing(given, blank)
        return replace(_numbers(filled if blanks else given, names), blank=_any(blank) if blanks else None)
    if blanks:
        given, blank = _unblanked(given, kind)
        found = _texts(given, blank) if kind == "text" else _symbols(given, blank)
        return SequenceInput(found, kind, blank=_any(blank))
    return SequenceInput(_texts(given) if kind == "text" else _symbols(given), kind)


def _is_sequence(value: Any) -> bool:
    return np.ndim(value) > 0 if hasattr(value, "__len__") and not isinstance(value, str | bytes | dict) else False


def _nested(cells: NDArray[Any], columns: list[Any]) -> list[Any]:
    """The sequences of a frame whose cells hold them: those of one column, or one channel a column (T_i, F)."""
    if cells.shape[1] == 1:
        return list(cells[:, 0])
    found: list[Any] = []
    for number, row in enumerate(cells):
        lengths = {
            str(name): len(cell) if _is_sequence(cell) else None for name, cell in zip(columns, row, strict=True)
        }
        if len(set(lengths.values())) > 1 or None in lengths.values():
            got = ", ".join(
                f"{'no sequence' if length is None else f'{length:,} steps'} in {name!r}"
                for name, length in list(lengths.items())[:4]
            )
            raise ValueError(f"expected a sequence of as many steps in each column, got {got} (row {number:,})")
        found.append(np.stack([np.asarray(cell, np.float64) for cell in row], axis=1))
    return found


def _any(blank: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    return None if blank is None or not blank.any() else blank


def _unblanked(given: Any, kind: str) -> tuple[list[Any], NDArray[np.bool_]]:
    """Texts or symbols, those that are missing empty ones; and which are empty."""
    listed = next((isinstance(each, list | tuple | np.ndarray) for each in given if not _missing(each)), False)
    nothing: Any = [] if kind == "symbols" and listed else ""
    found = [nothing if _missing(each) else each for each in given]
    blank = [not (each.strip() if isinstance(each, str) and kind == "text" else _length(each)) for each in found]
    return found, np.array(blank, bool)


def _missing(value: Any) -> bool:
    """Whether there is no sequence at all: None, NaN, or the NA of pandas."""
    return value is None or type(value).__name__ == "NAType" or _is_nan(value)


def _length(value: Any) -> int:
    """Of what has one; what has none is not empty, but wrong."""
    return len(value) if hasattr(value, "__len__") else 1


def _filled(given: Any, features: int) -> tuple[Any, NDArray[np.bool_]]:
    """Numbers, sequences without steps as one of missing ones; and which of them hold nothing."""
    if isinstance(given, np.ndarray) and given.dtype.kind == "O" and given.ndim > 1:
        given = given.astype(np.float64)
    if isinstance(given, np.ndarray) and given.dtype.kind != "O":
        blank = np.zeros(len(given), bool)
        if given.dtype.kind == "f" and given.ndim > 1 and given.size:
            rows = given.reshape(len(given), -1)
            some = np.flatnonzero(np.isnan(rows[:, 0]))
            blank[some] = np.isnan(rows[some]).all(axis=1)
        return given, blank
    found = [np.full((1, features), np.nan) if _missing(each) or not _length(each) else each for each in given]
    return found, np.array([_all_missing(each) for each in found], bool)


def _refuse_nothing(given: Any, blank: NDArray[np.bool_]) -> None:
    """Raise ValueError for sequences of missing numbers alone; what is no sequence is refused elsewhere."""
    rows = [row for row in np.flatnonzero(blank).tolist() if not _missing(given[row]) and _length(given[row])]
    if rows:
        raise ValueError(f"expected sequences of numbers, got {_rows('missing one', rows)}: leave those rows out")


def _all_missing(sequence: Any) -> bool:
    try:
        values = np.asarray(sequence)
        first = values.flat[0] if values.ndim else 0
        return bool(first is None or first != first) and bool(np.isnan(values.astype(np.float64)).all())
    except (TypeError, ValueError):  # said of it later, where it is read
        return False


def _kind(given: Any) -> str:
    """By what the first sequence that is there consists of."""
    if isinstance(given, np.ndarray) and given.dtype.kind not in "OUS":
        return "numbers"
    first = next((each for each in given if not _missing(each)), None)
    if isinstance(first, str | bytes) or first is None:
        return "text"
    if isinstance(first, list | tuple | np.ndarray) and len(first) and isinstance(first[0], str):
        return "symbols"
    return "numbers"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _numbers(given: Any, names: list[str] | None) -> SequenceInput:
    if isinstance(given, np.ndarray) and given.dtype.kind == "O" and given.ndim == 1:
        given = list(given)
    if not isinstance(given, np.ndarray) and all(isinstance(each, list | tuple) for each in given):
        matrix = _matrix(given)
        given = given if matrix is None else matrix
    if not isinstance(given, np.ndarray):
        first = given[0]
        if isinstance(first, str):
            raise TypeError(f"expected sequences of numbers, got the text {first!r:.40}: see kind=")
        if np.ndim(first) == 0:
            raise ValueError(
                f"expected a list of sequences, got single numbers ({first!r:.40}, …): one sequence goes in a list"
            )
        return SequenceInput(given, "numbers", features=np.shape(first)[1] if np.ndim(first) > 1 else 1)
    if given.dtype.kind == "c":
        raise ValueError(
            "Complex data not supported: expected real numbers; real and imaginary part can be two features"
        )
    if given.dtype.kind == "O":
        given = given.astype(np.float64)
    if given.dtype.kind not in "fiub":
        raise TypeError(f"expected an array of numbers, got {given.dtype}: see kind=")
    if given.ndim not in (2, 3):
        raise ValueError(
            f"expected an array (samples, steps) or (samples, steps, features), got shape {given.shape}. "
            "Reshape your data: one sequence x is x[None]"
        )
    if 0 in given.shape:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={given.shape}) while a minimum of 1 is required: "
            "expected at least one step and one number a step"
        )
    if given.ndim == 2:
        return SequenceInput(given, "numbers", steps=given.shape[1], features=1, names=names)
    return SequenceInput(given, "numbers", features=given.shape[2])


def _matrix(given: Any) -> Any:
    """Lists of equally many numbers as an array, or None."""
    shapes = {len(each) for each in given}
    if len(shapes) != 1 or not all(isinstance(v, int | float | np.number) for each in given for v in each):
        return None
    return np.asarray(given)


def _texts(given: Any, blank: NDArray[np.bool_] | None = None) -> list[str]:
    texts = [each.item() if isinstance(each, np.generic) else each for each in given]
    missing = [row for row, each in enumerate(texts) if _missing(each)]
    if missing:
        raise ValueError(f"expected texts, got {_rows('missing one', missing)}: leave those rows out")
    other = [row for row, each in enumerate(texts) if not isinstance(each, str)]
    if other:
        kind = type(texts[other[0]]).__name__
        raise TypeError(
            f"expected texts, got {_rows(f'value of type {kind}', other)}: leave them out or make them text"
        )
    empty = [row for row, each in enumerate(texts) if not each.strip()]
    if empty and blank is None:
        raise ValueError(f"expected texts, got {_rows('empty one', empty)}: leave those rows out")
    return texts


def _symbols(given: Any, blank: NDArray[np.bool_] | None = None) -> list[Any]:
    sequences = [each.item() if isinstance(each, np.generic) else each for each in given]
    other = [row for row, each in enumerate(sequences) if not isinstance(each, str | list | tuple | np.ndarray)]
    if other:
        kind = type(sequences[other[0]]).__name__
        raise TypeError(f"expected texts or lists of symbols, got {_rows(f'value of type {kind}', other)}")
    empty = [row for row, each in enumerate(sequences) if not len(each)]
    if empty and blank is None:
        raise ValueError(f"expected sequences of symbols, got {_rows('empty one', empty)}: leave those rows out")
    return [each.tolist() if isinstance(each, np.ndarray) else each for each in sequences]


def _rows(what: str, rows: list[int]) -> str:
    """ "3 empty ones (first: row 5)"."""
    noun = what if len(rows) == 1 else f"{what}s" if what.endswith("one") else what.replace("value", "values", 1)
    return f"{len(rows):,} {noun} (first: row {rows[0]:,})"
