"""SequenceDataset: labelled sequences of different lengths, gathered batch by batch."""

from __future__ import annotations

import torch
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.data.content import Contents
from memorycell.data.ragged import Ragged


class SequenceDataset:
    """n samples, each with one sequence of every input, and a target: of the sample, of each step, or a sequence.

    Parameters
    ----------
    inputs : dict of Ragged
        By the names that the network reads, for example ``"tokens"`` or ``"steps"``.
    targets : Tensor, Ragged or None
        (n, ...): one for each sample; ragged: a sequence for each, of the steps of an input or of another length.
    weights : Tensor, Ragged or None
        Like the targets.
    typical : float, optional
        Mean weight, where weights say how much samples count, and not only which: see `Batch.count`.

    Raises
    ------
    ValueError
        If the parts are not of the same number of samples, or weights of other lengths than the targets.

    Example
    -------
    >>> words = Ragged.of([torch.tensor([5, 6, 7]), torch.tensor([8])])
    >>> batch = SequenceDataset({"tokens": words}, torch.tensor([1, 0])).gather(torch.tensor([0, 1]))
    >>> batch.inputs["tokens"].shape, batch.lengths["tokens"].tolist(), batch.targets.tolist()
    (torch.Size([2, 3]), [3, 1], [1, 0])
    """

    def __init__(
        self,
        inputs: dict[str, Ragged],
        targets: Tensor | Ragged | None = None,
        weights: Tensor | Ragged | None = None,
        typical: float | None = None,
    ) -> None:
        self.inputs, self.targets, self.weights, self.typical = inputs, targets, weights, typical
        self.first = next(iter(inputs.values()))
        for name, part in {**inputs, "targets": targets, "weights": weights}.items():
            if part is not None and len(part) != len(self.first):
                raise ValueError(f"expected {name} of {len(self.first)} samples, got {len(part)}")
        if isinstance(weights, Ragged) and not (
            isinstance(targets, Ragged) and torch.equal(weights.offsets, targets.offsets)
        ):
            raise ValueError("expected weights of the lengths of the targets, got others")

    def __len__(self) -> int:
        return len(self.first)

    @property
    def lengths(self) -> Tensor:
        """Steps of the first input, int64 (n,): what batches of similar length are made by."""
        return self.first.lengths

    def take(self, rows: Tensor) -> SequenceDataset:
        """The samples `rows` (int64) as a data set of their own."""

        def part(values: Tensor | Ragged | None) -> Tensor | Ragged | None:
            return None if values is None else values.take(rows) if isinstance(values, Ragged) else values[rows]

        inputs = {name: values.take(rows) for name, values in self.inputs.items()}
        return SequenceDataset(inputs, part(self.targets), part(self.weights), self.typical)

    def content(self) -> Contents:
        """All that it holds, by name: see `memorycell.data.content`."""
        return [*self.inputs.items(), ("targets", self.targets), ("weights", self.weights), ("typical", self.typical)]

    def gather(self, rows: Tensor) -> Batch:
        """The batch of the samples `rows` (int64, (B,)); with the lengths of ragged targets under ``"targets"``."""
        batch = Batch({}, rows=rows, typical=self.typical)
        for name, ragged in self.inputs.items():
            batch.inputs[name], batch.lengths[name] = ragged.padded(rows)
        batch.targets, batch.weights = self._beside(self.targets, rows), self._beside(self.weights, rows)
        if isinstance(self.targets, Ragged):
            batch.lengths["targets"] = self.targets.lengths[rows]
        return batch

    @staticmethod
    def _beside(part: Tensor | Ragged | None, rows: Tensor) -> Tensor | None:
        return None if part is None else part.padded(rows)[0] if isinstance(part, Ragged) else part[rows]
