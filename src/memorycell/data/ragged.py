"""Ragged: sequences of different lengths, one after the other in one tensor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """n sequences as one flat tensor and the places where each begins.

    Attributes
    ----------
    values : Tensor
        (N,) such as token ids, or (N, F): the steps of all sequences, N of them.
    offsets : Tensor
        int64 (n + 1,): sequence i is ``values[offsets[i] : offsets[i + 1]]``; may be empty.

    Example
    -------
    >>> ragged = Ragged.of([torch.tensor([5, 6, 7]), torch.tensor([8])])
    >>> len(ragged), ragged.lengths.tolist(), ragged[1].tolist()
    (2, [3, 1], [8])
    >>> ragged.padded(torch.tensor([1, 0]))
    (tensor([[8, 0, 0],
            [5, 6, 7]]), tensor([1, 3]))
    """

    values: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, sequences: Iterable[Any], dtype: torch.dtype | None = None) -> Ragged:
        """From sequences (tensors, arrays or lists) that agree in everything but their length."""
        parts = [torch.as_tensor(sequence, dtype=dtype) for sequence in sequences]
        lengths = torch.tensor([0, *(len(part) for part in parts)], dtype=torch.int64)
        values = torch.cat(parts) if parts else torch.empty(0, dtype=dtype or torch.int64)
        return cls(values, lengths.cumsum(0))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> Tensor:
        return self.values[int(self.offsets[i]) : int(self.offsets[i + 1])]

    @property
    def lengths(self) -> Tensor:
        """Steps of each sequence, int64 (n,)."""
        return self.offsets.diff()

    def take(self, rows: Tensor) -> Ragged:
        """The sequences `rows` (int64), in their order."""
        lengths = self.lengths[rows]
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        where = torch.arange(int(offsets[-1])) + (self.offsets[rows] - offsets[:-1]).repeat_interleave(lengths)
        return Ragged(self.values[where], offsets)

    def padded(self, rows: Tensor, width: int | None = None) -> tuple[Tensor, Tensor]:
        """The sequences `rows` side by side, (B, T) or (B, T, F), and their lengths, int64 (B,).

        T is the longest length, at least 1, or `width`; beyond its length a row holds zeros.
        """
        starts, lengths = self.offsets[rows], self.lengths[rows]
        if width is None:
            width = max(1, int(lengths.max())) if len(rows) else 1
        steps = torch.arange(width)
        inside = steps < lengths.unsqueeze(1)
        if not len(self.values):
            return self.values.new_zeros((len(rows), width, *self.values.shape[1:])), lengths
        where = torch.where(inside, starts.unsqueeze(1) + steps, 0)
        values = self.values[where]
        values[~inside] = 0
        return values, lengths
