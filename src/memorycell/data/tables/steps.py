"""StepDataset: whole series as consecutive steps, for a forecaster that carries its state."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.data.content import Contents
from memorycell.data.tables.encoded import EncodedTable


class StepDataset:
    """Steps of the series of a table; each step's targets are the `horizon` values after it.

    Parameters
    ----------
    encoded : EncodedTable
    horizon : int
    origins : int64 array
        The rows whose forecasts count in the loss; all others get weight 0, though the state passes through them.
    """

    def __init__(self, encoded: EncodedTable, horizon: int, origins: NDArray[np.int64]) -> None:
        self.encoded, self.horizon = encoded, horizon
        self.counted = torch.zeros(len(encoded.past), dtype=torch.bool)
        self.counted[torch.from_numpy(origins)] = True
        self.series = torch.from_numpy(encoded.series_of_row)
        self.last_row = torch.from_numpy(encoded.offsets[1:] - 1)[self.series]
        self.ahead = torch.arange(1, horizon + 1)
        self.observed = ~torch.isnan(encoded.target)
        self.filled = torch.nan_to_num(encoded.target)

    def __len__(self) -> int:
        return int(self.counted.sum())

    def content(self) -> Contents:
        """All that it holds, by name: see `memorycell.data.content`."""
        return [*self.encoded.content(), ("counted", self.counted), ("horizon", self.horizon)]

    def gather_steps(self, rows: Tensor, lengths: Tensor | None = None) -> Batch:
        """The batch of table rows `rows` (int64, (B, T)), of which row b counts the first `lengths[b]` (None: all).

        Steps beyond the lengths get weight 0. The batch names no lengths: a chunk that ends early ends its sequence,
        so the state that runs on over its padding is never used.
        """
        beyond = rows.unsqueeze(-1) + self.ahead
        inside = beyond <= self.last_row[rows].unsqueeze(-1)
        beyond = torch.where(inside, beyond, rows.unsqueeze(-1))
        counted = self.counted[rows]
        if lengths is not None:
            counted = counted & (torch.arange(rows.shape[1]) < lengths.unsqueeze(-1))
        counted = counted.unsqueeze(-1) & inside
        weights = (self.observed[beyond] & counted.unsqueeze(-1)).to(self.filled.dtype)
        inputs = {"past": self.encoded.past[rows]}
        if self.encoded.known.shape[1]:
            inputs["ahead"] = self.encoded.known[beyond]
        if self.encoded.codes.shape[1]:
            inputs["codes"] = self.encoded.codes[rows]
        series = self.series[rows[:, 0]]
        if self.encoded.static.shape[1]:
            inputs["static"] = self.encoded.static[series]
        if self.encoded.static_codes.shape[1]:
            inputs["static_codes"] = self.encoded.static_codes[series]
        return Batch(inputs, targets=self.filled[beyond], weights=weights, rows=rows[:, 0])
