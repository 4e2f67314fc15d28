"""Trace: what every gate and state of a recurrent layer did at every step."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from memorycell.layers.traces import files
from memorycell.layers.traces.description import Content
from memorycell.layers.traces.places import Place, check_names, lengths_after, places


@dataclass(frozen=True, eq=False)
class Trace(Mapping[str, Tensor]):
    """Gates and states by name, each a tensor whose dimensions `dims` names.

    Names: of an LSTM "input", "forget", "candidate", "output" (the gates i, f, g, o), "hidden" and "cell"; of
    a GRU "reset", "update", "new" and "hidden"; of an RNN "hidden". Beyond a row's length all are zero.
    Hidden and cell states are those *after* the step. Direction 1 runs backwards, but its values stand where
    its inputs stand. Differentiable, as `forward` is.

    Attributes
    ----------
    by_name : dict of Tensor
        Each (layers, directions, batch, time, units); without the batch if one sequence was given.
    dims : tuple of str
        Names of those dimensions.
    output, state
        What `forward` returns; None of a part of a trace and of one from a file.
    lengths : Tensor or None
        int64 (batch,), or None if all rows have all steps.
    coords : dict of str to sequence
        What the places along a dimension are called: ``{"time": dates}``.

    Example
    -------
    >>> import torch
    >>> from memorycell.layers import LSTM
    >>> trace = LSTM(3, 8, batch_first=True).trace(torch.zeros(2, 5, 3))
    >>> sorted(trace)
    ['candidate', 'cell', 'forget', 'hidden', 'input', 'output']
    >>> dict(zip(trace.dims, trace["forget"].shape))
    {'layer': 1, 'direction': 1, 'batch': 2, 'time': 5, 'unit': 8}
    >>> trace.select(layer=0, direction=0, batch=1, time=slice(1, 4))["cell"].shape
    torch.Size([3, 8])
    """

    by_name: dict[str, Tensor]
    dims: tuple[str, ...]
    output: Tensor | PackedSequence | None = None
    state: Any = None
    lengths: Tensor | None = None
    coords: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names(self.coords, self.sizes)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.by_name:
            raise KeyError(f"expected one of {', '.join(self.by_name)}, got {name!r}")
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __repr__(self) -> str:
        shape = ", ".join(f"{dim}={size}" for dim, size in self.sizes.items())
        return f"Trace({', '.join(self.by_name)}; {shape})"

    @property
    def sizes(self) -> dict[str, int]:
        """How long each dimension is; of units those of the gates (a projected hidden state has fewer)."""
        return dict(zip(self.dims, next(iter(self.by_name.values())).shape, strict=True))

    def to_dict(self) -> dict[str, Tensor]:
        """A plain dict of the gates and states, cut from the graph and on the CPU.

        Example
        -------
        >>> import torch
        >>> from memorycell.layers import GRU
        >>> list(GRU(3, 8).trace(torch.zeros(5, 2, 3)).to_dict())
        ['reset', 'update', 'new', 'hidden']
        """
        return {name: value.detach().cpu() for name, value in self.by_name.items()}

    def select(self, **where: Any) -> Trace:
        """A part of it, by the names of dimensions; views where slices allow it.

        Parameters
        ----------
        where : place, slice, mask or list of places, by dimension
            A single place drops its dimension; a mask has a bool for each place. Where a dimension has `coords`, a
            name of theirs (text, or a date without a time zone: text, datetime or datetime64) is a place, too, and a
            slice between two names takes everything from the first to the last of them. Steps of slices are positive.

        Raises
        ------
        ValueError, IndexError
            For a dimension that is not there, a name that is not, what is no place, or a place beyond the end; for
            steps that do not rise, where rows have lengths.

        Notes
        -----
        `lengths` count the chosen steps of each row. Of a single step no time is left, and they are None: a row that
        had ended by then is zero there.

        Example
        -------
        >>> import torch
        >>> from memorycell.layers import LSTM
        >>> trace = LSTM(1, 2).trace(torch.zeros(4, 1)).named(time=["a", "b", "c", "d"])
        >>> trace.select(time=slice("b", "c")).coords, trace.select(time="d", unit=[0]).dims
        ({'time': ['b', 'c']}, ('layer', 'direction', 'unit'))
        """
        values, dims, coords = dict(self.by_name), list(self.dims), dict(self.coords)
        lengths = self.lengths
        for dim, asked in where.items():
            if dim not in dims:
                raise ValueError(f"expected a dimension of this trace, {', '.join(dims)}, got {dim!r}")
            place = places(asked, dim, self.sizes[dim], self.coords.get(dim))
            axis = dims.index(dim)
            values = {name: _taken(value, axis, place, dim) for name, value in values.items()}
            labels = coords.pop(dim, None)
            if isinstance(place, int):
                dims.pop(axis)
            elif labels is not None:
                every = list(labels)
                coords[dim] = every[place] if isinstance(place, slice) else [every[i] for i in place]
            if lengths is not None and dim == "batch":
                lengths = lengths[place]
            elif lengths is not None and dim == "time":
                lengths = None if isinstance(place, int) else lengths_after(lengths, place, self.sizes["time"])
        return Trace(values, tuple(dims), lengths=lengths, coords=coords)

    def named(self, **coords: Sequence[Any]) -> Trace:
        """The same with names of the places along dimensions."""
        return Trace(self.by_name, self.dims, self.output, self.state, self.lengths, {**self.coords, **coords})

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write it to a file: .safetensors, or .parquet with a row for each step.

        Of a Parquet file the columns are layer, direction, batch, time (their names, if they have any; as text where
        they are of mixed kinds) and, of each gate and state, a list of its units. Both formats keep shapes, lengths,
        the dtype (float16, bfloat16, float32, float64; in the columns of Parquet the two halves are float32) and
        `coords`, as far as they are text, numbers and None, or dates without a time zone.

        Raises
        ------
        ValueError
            For another suffix, a trace of which a dimension other than the batch was dropped, or names that no file
            can keep.
        FileExistsError, FileNotFoundError, OSError
            Without `force`, when there is a file; when there is no such folder; or when it cannot be written, which
            leaves nothing behind.
        """
        files.save(Content(self.to_dict(), self.dims, self.lengths, self.coords), path, force=force)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Trace:
        """The trace that `save` wrote; of .safetensors mapped into memory, so that only what is used is read.

        Raises
        ------
        FileNotFoundError, IsADirectoryError, ValueError
            When there is no such file, it is a folder; or it is none of a trace, damaged or truncated.
        """
        found = files.load(path)
        return Trace(found.by_name, found.dims, lengths=found.lengths, coords=found.coords)


def _taken(value: Tensor, axis: int, place: Place, dim: str) -> Tensor:
    size = value.shape[axis]
    single = [place] if isinstance(place, int) else place if isinstance(place, list) else []
    wrong = [i for i in single if not -size <= i < size]
    if wrong:
        among = f"from 0 to {size - 1}" if size else "which has none"
        raise IndexError(f"expected a place along {dim!r}, {among}, got {wrong[0]}")
    return value[(slice(None),) * axis + (place,)]
