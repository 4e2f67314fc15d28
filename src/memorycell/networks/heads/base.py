"""Head: what turns the last features of a network into a loss, a prediction and its uncertainty."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from memorycell.data.batch import Batch


class Head(nn.Module):
    """A head owns its loss, its answers and their uncertainty.

    `n_outputs` raw numbers per element come in on the last dimension. `loss` compares them with the targets of a batch,
    which has their lengths where they are ragged; `predict` turns them into the likeliest answer. A head of classes or
    labels also gives their `probabilities`.
    """

    n_outputs: int

    def loss(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Summed loss and the number (or summed weight) of elements.

        Parameters
        ----------
        raw : (..., n_outputs)
        batch : its targets are of shape (...), its weights too; beyond the end of ragged targets may stand anything

        Raises
        ------
        ValueError
            For a batch without targets.
        """
        raise NotImplementedError

    def aligned(self, raw: Tensor, batch: Batch) -> Tensor:
        """The targets of a batch, one for each element of raw (..., n_outputs).

        Raises
        ------
        ValueError
            For a batch without targets, or with others than that.
        """
        targets = batch.truth
        if targets.shape != raw.shape[:-1]:
            raise ValueError(f"expected targets of shape {tuple(raw.shape[:-1])}, got {tuple(targets.shape)}")
        return targets

    def predict(self, raw: Tensor, lengths: Tensor | None = None) -> Any:
        """What raw (..., n_outputs) stands for; `lengths`, int64 (B,), where rows are ragged and are read whole."""
        raise NotImplementedError

    def probabilities(self, raw: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Probabilities (..., n_outputs) of raw (..., n_outputs), of a head that has them; `lengths` as there."""
        raise NotImplementedError(f"{type(self).__name__} gives no probabilities")
