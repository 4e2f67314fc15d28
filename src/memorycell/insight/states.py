"""States: the states of many sequences as one array, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.insight.arguments import traces_of, whole
from memorycell.insight.tracing import ModelTrace
from memorycell.layers.traces import Trace

_BLOCK = 2**22  # values that one pass over the states holds at once: 16 MB in float32


@dataclass(frozen=True, eq=False)
class States:
    """Hidden states (or cells, or gates) of n sequences, the steps of one after those of the other.

    Attributes
    ----------
    values : float32 (N, H)
        Of all N steps; may be a memory map.
    offsets : int64 (n + 1,)
        The steps of row i are ``values[offsets[i] : offsets[i + 1]]``; a row may have none.
    labels : sequence or None
        (N,): what each step is called: a token, a date.
    name : str
        What the states are: "hidden of the top layer".

    Raises
    ------
    TypeError
        If values or offsets are no arrays, or labels no sequence.
    ValueError
        If shapes do not fit each other.

    Example
    -------
    >>> states = States(np.zeros((5, 8), np.float32), np.array([0, 3, 5]), ["a", "b", "c", "d", "e"])
    >>> states, states.place(4)
    (States(states: 5 steps of 2 rows, 8 units), (1, 1, 'e'))
    """

    values: NDArray[np.float32]
    offsets: NDArray[np.int64]
    labels: Sequence[Any] | None = None
    name: str = "states"

    def __post_init__(self) -> None:
        values, offsets = self.values, self.offsets
        for name, array in (("values", values), ("offsets", offsets)):
            if not isinstance(array, np.ndarray):
                raise TypeError(f"expected {name} as a numpy array, got {type(array).__name__}: take numpy.asarray")
        if values.ndim != 2 or values.dtype != np.float32 or not values.shape[1]:
            raise ValueError(f"expected states of float32 (steps, units), got {values.dtype} {values.shape}")
        if offsets.dtype.kind not in "iu":
            raise TypeError(f"expected offsets as whole numbers, got {offsets.dtype}: take offsets.astype(int)")
        object.__setattr__(self, "offsets", offsets.astype(np.int64, copy=False))
        rising = offsets.ndim == 1 and len(offsets) > 1 and bool((offsets[1:] >= offsets[:-1]).all())
        if not rising or offsets[0] != 0 or offsets[-1] != len(values):
            raise ValueError(f"expected offsets rising from 0 to the {len(values)} steps, got {offsets.tolist()[:10]}")
        if self.labels is not None and not (hasattr(self.labels, "__len__") and hasattr(self.labels, "__getitem__")):
            raise TypeError(f"expected labels as a sequence or None, got {type(self.labels).__name__}: take a list")
        if self.labels is not None and len(self.labels) != len(values):
            raise ValueError(f"expected a label for each of the {len(values)} steps, got {len(self.labels)}")

    @classmethod
    def of(
        cls,
        traces: Trace | ModelTrace | Iterable[Trace | ModelTrace],
        name: str = "hidden",
        *,
        layer: int | str = -1,
        direction: int | None = 0,
        labels: Sequence[Sequence[Any]] | None = None,
        path: str | Path | None = None,
    ) -> States:
        """States from one trace, or from many that come one by one.

        Parameters
        ----------
        traces : Trace, ModelTrace or an iterable of them
            Their rows follow each other; steps beyond a row's length are left out.
        name : str, default "hidden"
            A state or gate that the traces have: "hidden", "cell", "forget".
        layer : int or str, default -1
            Counted from the input up (-1: the top), or a name among the layers of a `ModelTrace`, of which the last
            layer is taken.
        direction : 0, 1 or None
            None: all that there are, side by side as units.
        labels : sequence of sequences, optional
            What the steps of each row are called; default: as a `ModelTrace`, or the time of a `Trace`, has it.
        path : str or Path, optional
            A new .npy file to which the states go, trace by trace; they are a memory map of it then, and only one trace
            need be in memory at once.

        Raises
        ------
        KeyError
            For a state that the traces have not.
        TypeError
            For what is no trace, or a layer or direction that is no whole number.
        ValueError
            For a layer or direction that is not there, no steps at all, or labels that do not fit the rows.
        FileExistsError
            If `path` exists.

        Example
        -------
        >>> from memorycell.layers import LSTM
        >>> trace = LSTM(3, 8, batch_first=True).trace(torch.zeros(2, 5, 3), lengths=torch.tensor([5, 2]))
        >>> States.of(trace, "cell")
        States(cell of the top layer: 7 steps of 2 rows, 8 units)
        """
        if not isinstance(name, str):
            raise TypeError(f"expected name as the text of a state or gate, got {name!r} ({type(name).__name__})")
        layer = layer if isinstance(layer, str) else whole("layer", layer)
        direction = None if direction is None else whole("direction", direction)
        lengths: list[int] = []
        called: list[Sequence[Any] | None] = []

        def steps() -> Iterator[NDArray[np.float32]]:
            for trace in traces_of(traces):
                values, counts, names = _rows(trace, name, layer, direction)
                lengths.extend(counts)
                called.extend([None] * len(counts) if names is None else names)
                yield values

        values = np.concatenate(list(_alike(steps()))) if path is None else _written(_alike(steps()), Path(path))
        flat = _labelled(called if labels is None else labels, lengths)
        place = "top layer" if layer == -1 else f"layer {layer}"
        return cls(values, np.cumsum([0, *lengths]), flat, f"{name} of the {place}")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def rows(self) -> int:
        """How many sequences."""
        return len(self.offsets) - 1

    @property
    def units(self) -> int:
        """H."""
        return self.values.shape[1]

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """(N,): the row of each step."""
        return np.repeat(np.arange(self.rows), np.diff(self.offsets))

    @cached_property
    def step(self) -> NDArray[np.int64]:
        """(N,): where in its row each step is, from 0."""
        return np.arange(len(self)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """(N,): whether all units of a step are finite numbers."""
        return np.concatenate([np.isfinite(block).all(1) for _, block in self.blocks()])

    def check_finite(self, among: NDArray[np.int64] | None = None) -> None:
        """Raise ValueError if a state is NaN or infinite; of all steps, or only of those `among` them."""
        finite = self.finite if among is None else self.finite[among]
        if not finite.all():
            first = int(finite.argmin())
            row, step, _ = self.place(first if among is None else int(among[first]))
            raise ValueError(
                f"expected states that are finite numbers, got NaN or infinity at step {step} of row {row} and "
                f"{int((~finite).sum()) - 1:,} more: leave those rows out, or train the model again"
            )

    def index(self, row: int, step: int) -> int:
        """Where a step is among all.

        Raises
        ------
        TypeError
            For a row or step that is no whole number.
        ValueError
            For a row or step that is not there.
        """
        step = whole("step", step)
        return self.span(row, step, step + 1)[0]

    def span(self, row: int, start: int, stop: int) -> tuple[int, int]:
        """Where the steps from `start` up to `stop` (not included) of a row are among all.

        Raises
        ------
        TypeError
            For ends that are no whole numbers.
        ValueError
            For a row that is not there, an empty range, or one outside the row.
        """
        row, start, stop = whole("row", row), whole("start", start), whole("stop", stop)
        if not 0 <= row < self.rows:
            raise ValueError(f"expected a row from 0 to {self.rows - 1}, got {row}")
        first, last = int(self.offsets[row]), int(self.offsets[row + 1])
        if start >= stop:
            raise ValueError(f"expected a range of at least one step, start below stop, got {start} to {stop}")
        if start < 0 or stop > last - first:
            raise ValueError(f"expected steps within the {last - first} of row {row}, got {start} to {stop}")
        return first + start, first + stop

    def place(self, index: int) -> tuple[int, int, Any]:
        """Row, step and label (or None) of one of all steps. Raises TypeError or ValueError where there is none."""
        index = whole("index", index)
        if not 0 <= index < len(self):
            raise ValueError(f"expected an index from 0 to {len(self) - 1}, got {index}")
        row = int(np.searchsorted(self.offsets, index, side="right")) - 1
        return row, index - int(self.offsets[row]), None if self.labels is None else self.labels[index]

    def called(self, row: int, start: int, stop: int) -> list[str]:
        """The labels of a range as text; numbers of the steps where there are no labels."""
        first, last = self.span(row, start, stop)
        return [str(each) for each in (range(start, stop) if self.labels is None else self.labels[first:last])]

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """All steps in pieces of a few megabytes, for what need not see them at once."""
        size = max(1, _BLOCK // self.units)
        for start in range(0, len(self), size):
            here = slice(start, min(start + size, len(self)))
            yield here, self.values[here]

    def __repr__(self) -> str:
        return f"States({self.name}: {len(self):,} steps of {self.rows:,} rows, {self.units} units)"


def _rows(
    trace: Trace | ModelTrace, name: str, layer: int | str, direction: int | None
) -> tuple[NDArray[np.float32], list[int], Sequence[Sequence[Any]] | None]:
    """The steps of all rows (N, H), the rows' lengths and what their steps are called."""
    chosen, level, labels = _layer(trace, layer)
    values = _full(chosen, name)[level]
    directions = len(values)
    if direction is not None and not 0 <= direction < directions:
        raise ValueError(f"expected direction {' or '.join(map(str, range(directions)))} or None, got {direction}")
    batch = values[direction] if direction is not None else values.permute(1, 2, 0, 3).flatten(2)
    rows, time = batch.shape[:2]
    lengths = torch.full((rows,), time) if chosen.lengths is None else chosen.lengths.cpu().reshape(rows)
    inside = torch.arange(time) < lengths.unsqueeze(1)
    steps = batch.detach().cpu()[inside].to(torch.float32).numpy()
    counts = lengths.tolist()
    if labels is None and "time" in chosen.coords:
        labels = [chosen.coords["time"][:count] for count in counts]
    return steps, counts, labels


def _layer(trace: Trace | ModelTrace, layer: int | str) -> tuple[Trace, int, Sequence[Sequence[Any]] | None]:
    """The trace that holds a layer, which of its layers that is, and labels where the layer reads the sequence."""
    if isinstance(trace, Trace):
        if isinstance(layer, str):
            raise ValueError(f"expected layer as a number, as one recurrent layer has no names in it, got {layer!r}")
        return trace, _counted([trace], layer)[1], None
    if isinstance(layer, str):
        if layer not in trace.layers:
            raise ValueError(f"expected one of the layers {', '.join(trace.layers)}, got {layer!r}")
        return trace.layers[layer], -1, trace.labels if layer in trace.trunk else None
    traces = [trace.layers[each] for each in trace.trunk]
    which, level = _counted(traces, layer)
    return traces[which], level, trace.labels


def _counted(traces: Sequence[Trace], layer: int) -> tuple[int, int]:
    """Which of the traces holds a layer counted over all of them, and which of its layers that is."""
    places = [
        (which, level) for which, trace in enumerate(traces) for level in range(len(_full(trace, next(iter(trace)))))
    ]
    if not -len(places) <= layer < len(places):
        raise ValueError(f"expected a layer from 0 to {len(places) - 1}, or -1 for the top, got {layer}")
    return places[layer]


def _full(trace: Trace, name: str) -> Tensor:
    """(L, D, B, T, H), with the dimensions that the trace has not as 1."""
    value = trace[name]
    for place, dim in enumerate(("layer", "direction", "batch", "time", "unit")):
        if dim not in trace.dims:
            value = value.unsqueeze(place)
    return value


def _alike(parts: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """The parts; refuses other units in one than in the others, and no steps at all."""
    units = steps = 0
    for part in parts:
        if units and part.shape[1] != units:
            raise ValueError(f"expected traces of one model, with {units} units each, got one with {part.shape[1]}")
        units, steps = part.shape[1], steps + len(part)
        yield part
    if not steps:
        raise ValueError("expected traces with at least one step, got none")


def _written(parts: Iterable[NDArray[np.float32]], path: Path) -> NDArray[np.float32]:
    """The parts one after the other in a new .npy file, as a memory map."""
    if path.exists():
        raise FileExistsError(f"expected path of a new file, got {path}, which exists: take another or delete it")
    with path.open("xb") as file:
        try:
            shape = (0, 0)
            for part in parts:
                if not shape[1]:
                    _write_header(file, part.shape)
                shape = (shape[0] + len(part), part.shape[1])
                file.write(part.tobytes())
            file.seek(0)
            _write_header(file, shape)  # as long as the first: numpy leaves room in it for more rows
        except BaseException:
            file.close()
            path.unlink()
            raise
    return np.load(path, mmap_mode="r")


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _labelled(called: Sequence[Sequence[Any] | None], lengths: Sequence[int]) -> list[Any] | None:
    """The labels of all rows one after the other; None if a row has none."""
    if not hasattr(called, "__len__"):
        raise TypeError(f"expected labels as a sequence of sequences, one for each row, got {type(called).__name__}")
    if len(called) != len(lengths):
        raise ValueError(f"expected labels for each of {len(lengths)} rows, got {len(called)}")
    flat: list[Any] = []
    for row, (names, length) in enumerate(zip(called, lengths, strict=True)):
        if names is None:
            return None
        if not hasattr(names, "__len__"):
            raise TypeError(f"expected labels as a sequence for each row, got {names!r} for row {row}")
        if len(names) != length:
            raise ValueError(f"expected a label for each of the {length} steps of row {row}, got {len(names)}")
        flat.extend(names)
    return flat
