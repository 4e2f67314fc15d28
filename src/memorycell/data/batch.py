"""Batch: what every network is given and every batch stream yields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@dataclass(slots=True)
class Batch:
    """Named inputs, each with its own lengths, plus targets and weights for B samples.

    Parameters
    ----------
    inputs : dict of Tensor
        Each of shape (B, ...): a network says which names it reads (``"past"``, ``"future"``, ``"tokens"``, ...).
    lengths : dict of Tensor
        For each ragged input its int64 lengths, shape (B,), and under ``"targets"`` those of ragged targets. What has
        no entry is rectangular. Zero is a value, never padding: only `lengths` says where a row ends.
    targets : Tensor or None
        Shape (B, ...); None when predicting.
    weights : Tensor or None
        Weight of each target element, of the targets' shape; 0 leaves an element out. None counts all alike.
    typical : float or None
        Mean weight of an element of the data set, see `count`. None: weights only leave elements out.
    rows : Tensor or None
        int64 (B,): which samples of the data set these are. Named in errors.
    restart : Tensor or None
        bool (B,), only from a stream that carries state: rows whose state starts afresh with this batch.

    Example
    -------
    >>> batch = Batch({"past": torch.zeros(4, 6, 2)}, targets=torch.zeros(4, 1, 1))
    >>> len(batch)
    4
    """

    inputs: dict[str, Tensor]
    lengths: dict[str, Tensor] = field(default_factory=dict)
    targets: Tensor | None = None
    weights: Tensor | None = None
    rows: Tensor | None = None
    restart: Tensor | None = None
    typical: float | None = None

    def __len__(self) -> int:
        return next(iter(self.inputs.values())).shape[0]

    @property
    def truth(self) -> Tensor:
        """The targets, of a batch that has some; ValueError for one without."""
        if self.targets is None:
            raise ValueError("expected a batch with targets to compute a loss, got one without")
        return self.targets

    def step_weights(self) -> Tensor | None:
        """`weights`, 0 beyond the end of ragged targets; None where all elements count alike.

        Example
        -------
        >>> ragged = Batch({}, {"targets": torch.tensor([3, 1])}, torch.zeros(2, 3))
        >>> ragged.step_weights().tolist()
        [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
        """
        lengths = self.lengths.get("targets")
        if lengths is None or self.targets is None:
            return self.weights
        inside = torch.arange(self.targets.shape[1], device=lengths.device) < lengths.unsqueeze(1)
        if self.weights is None:
            return inside.to(torch.float32)
        return self.weights * inside.reshape(*inside.shape, *[1] * (self.weights.dim() - 2))

    def count(self, weights: Tensor) -> Tensor | float:
        """What a loss that was summed with `weights`, one an element of the targets, is divided by.

        Where there is a `typical` weight, the elements times that: over the whole data set this is the sum of the
        weights, and within it a batch of heavy samples takes a longer step than one of light ones, as it would if they
        were there repeatedly. Divided by the weights of its own alone, a sample of weight 1,000 would count as a batch
        at most.

        Example
        -------
        >>> batch = Batch({}, targets=torch.zeros(2), weights=torch.tensor([1.0, 9.0]), typical=2.0)
        >>> batch.count(batch.weights)
        4.0
        """
        if self.typical is None or self.targets is None:
            return weights.sum()
        lengths = self.lengths.get("targets")
        if lengths is None:
            return weights.numel() * self.typical
        return lengths.sum() * (weights.numel() / max(1, self.targets.shape[0] * self.targets.shape[1]) * self.typical)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch with every tensor on `device`."""

        def move(value: Tensor | None) -> Tensor | None:
            return None if value is None else value.to(device)

        return replace(
            self,
            inputs={name: value.to(device) for name, value in self.inputs.items()},
            lengths={name: value.to(device) for name, value in self.lengths.items()},
            targets=move(self.targets),
            weights=move(self.weights),
            restart=move(self.restart),
        )


@runtime_checkable
class Dataset(Protocol):
    """Samples that are gathered batch by batch, never copied one by one."""

    def __len__(self) -> int: ...

    def gather(self, rows: Tensor) -> Batch:
        """The batch of the samples `rows` (int64, shape (B,))."""
        ...


@runtime_checkable
class BatchStream(Protocol):
    """Batches of an epoch, a pure function of (seed, epoch): that is what makes resuming exact.

    `carries_state` says that row i of a batch continues row i of the batch before: the training loop then hands
    the final state on, detached (truncated backpropagation through time, Williams & Peng 1990).
    """

    carries_state: bool

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from number `start` on."""
        ...
