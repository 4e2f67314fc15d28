"""Trace: what every gate and state of a recurrent layer did at every step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from memorycell.kernels.reference import Gates


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
        What `forward` returns.
    lengths : Tensor or None
        int64 (batch,), or None if all rows have all steps.

    Example
    -------
    >>> from memorycell.layers import LSTM
    >>> trace = LSTM(3, 8, batch_first=True).trace(torch.zeros(2, 5, 3))
    >>> sorted(trace)
    ['candidate', 'cell', 'forget', 'hidden', 'input', 'output']
    >>> dict(zip(trace.dims, trace["forget"].shape))
    {'layer': 1, 'direction': 1, 'batch': 2, 'time': 5, 'unit': 8}
    """

    by_name: dict[str, Tensor]
    dims: tuple[str, ...]
    output: Tensor | PackedSequence
    state: Any
    lengths: Tensor | None = None

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.by_name:
            raise KeyError(f"expected one of {', '.join(self.by_name)}, got {name!r}")
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __repr__(self) -> str:
        sizes = next(iter(self.by_name.values())).shape
        shape = ", ".join(f"{dim}={size}" for dim, size in zip(self.dims, sizes, strict=True))
        return f"Trace({', '.join(self.by_name)}; {shape})"

    def to_dict(self) -> dict[str, Tensor]:
        """A plain dict of the gates and states, cut from the graph and on the CPU.

        Example
        -------
        >>> from memorycell.layers import GRU
        >>> list(GRU(3, 8).trace(torch.zeros(5, 2, 3)).to_dict())
        ['reset', 'update', 'new', 'hidden']
        """
        return {name: value.detach().cpu() for name, value in self.by_name.items()}


def stacked(records: list[list[Gates]], unbatched: bool) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Records by layer and direction, each (T, B, ·), as (L, D, B, T, ·) by name; names of the dimensions."""
    values = {
        name: torch.stack([torch.stack([one[name].transpose(0, 1) for one in layer]) for layer in records])
        for name in records[0][0]
    }
    if unbatched:
        return {name: v.squeeze(2) for name, v in values.items()}, ("layer", "direction", "time", "unit")
    return values, ("layer", "direction", "batch", "time", "unit")
