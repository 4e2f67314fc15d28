"""Heads for labels and numbers: one class of several, several labels at once, or plain numbers."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from memorycell.data.batch import Batch
from memorycell.networks.heads.base import Head


class ClassHead(Head):
    """One class of K, by cross-entropy.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    label_smoothing : float
        Share of the target that is spread evenly over the classes (Szegedy et al. 2016, sec. 7). Training only: in
        evaluation the loss is the plain cross-entropy. Default 0.

    Raises
    ------
    ValueError
        For fewer than 2 classes, or a share outside 0 to 1 (1 excluded).

    Example
    -------
    >>> import torch
    >>> head = ClassHead(3)
    >>> total, count = head.loss(torch.zeros(4, 3), Batch({}, targets=torch.tensor([0, 1, 2, 2])))
    >>> round(float(total) / count, 3), head.probabilities(torch.zeros(1, 3)).sum().item()
    (1.099, 1.0)
    """

    def __init__(self, n_classes: int, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if n_classes < 2:
            raise ValueError(f"expected at least 2 classes, got {n_classes}")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"expected label_smoothing from 0 to below 1, got {label_smoothing}")
        self.n_outputs, self.label_smoothing = n_classes, label_smoothing

    def loss(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Summed cross-entropy in nats, and the sum of the weights.

        raw (..., K); of the batch targets int64 (...) from 0 to K - 1, weights (...).
        """
        smoothing, weights = self.label_smoothing if self.training else 0.0, batch.step_weights()
        raw, flat = raw.reshape(-1, self.n_outputs), self.aligned(raw, batch).reshape(-1)
        if weights is None:
            total = functional.cross_entropy(raw, flat, reduction="sum", label_smoothing=smoothing)
            return total, float(flat.numel())
        each = functional.cross_entropy(raw, flat, reduction="none", label_smoothing=smoothing)
        return _weighed(each, weights.reshape(-1), batch)

    def predict(self, raw: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The likeliest class int64 (...) of raw (..., K)."""
        return raw.argmax(dim=-1)

    def probabilities(self, raw: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Probabilities (..., K) of raw (..., K)."""
        return raw.softmax(dim=-1)


class LabelsHead(Head):
    """Several labels at once, each there or not: one binary cross-entropy a label.

    Parameters
    ----------
    n_labels : int
        K, at least 1.

    Raises
    ------
    ValueError
        Without labels.

    Example
    -------
    >>> import torch
    >>> head = LabelsHead(2)
    >>> there = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    >>> total, count = head.loss(torch.zeros(3, 2), Batch({}, targets=there))
    >>> round(float(total) / count, 3), head.probabilities(torch.zeros(1, 2)).tolist()
    (0.693, [[0.5, 0.5]])
    """

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        if n_labels < 1:
            raise ValueError(f"expected at least 1 label, got {n_labels}")
        self.n_outputs = n_labels

    def loss(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Summed binary cross-entropy in nats over all labels, and the number (or summed weight) of labels.

        raw (..., K); of the batch targets 0 or 1 (..., K), weights (..., K) or (...): then a row's weight is that of
        each label.
        """
        targets = batch.truth.to(raw.dtype)
        each = functional.binary_cross_entropy_with_logits(raw, targets, reduction="none")
        return _weighed(each, _of_elements(batch.step_weights(), targets), batch)

    def predict(self, raw: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Whether each label is likelier than not, bool (..., K), of raw (..., K)."""
        return raw > 0

    def probabilities(self, raw: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Probability of each label (..., K) of raw (..., K)."""
        return raw.sigmoid()


class NumberHead(Head):
    """K numbers, by squared error: what comes out is an estimate of their mean.

    Parameters
    ----------
    n_outputs : int
        K, at least 1. Default 1.

    Raises
    ------
    ValueError
        Without outputs.

    Example
    -------
    >>> import torch
    >>> total, count = NumberHead(1).loss(torch.zeros(2, 1), Batch({}, targets=torch.tensor([[1.0], [3.0]])))
    >>> float(total), count
    (10.0, 2.0)
    """

    def __init__(self, n_outputs: int = 1) -> None:
        super().__init__()
        if n_outputs < 1:
            raise ValueError(f"expected at least 1 output, got {n_outputs}")
        self.n_outputs = n_outputs

    def loss(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Summed squared error and the number (or summed weight) of numbers.

        raw (..., K); of the batch targets (..., K), or (...) where K is 1, weights (..., K) or (...).
        """
        targets = batch.truth
        if targets.dim() == raw.dim() - 1 and self.n_outputs == 1:
            targets = targets.unsqueeze(-1)
        if targets.shape != raw.shape:
            raise ValueError(f"expected targets of shape {tuple(raw.shape)}, got {tuple(targets.shape)}")
        error = raw - targets
        return _weighed(error * error, _of_elements(batch.step_weights(), targets), batch)

    def predict(self, raw: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The numbers themselves, (..., K)."""
        return raw


def _of_elements(weights: Tensor | None, targets: Tensor) -> Tensor | None:
    """Weights of the targets' shape, from such or from those of rows."""
    if weights is None or weights.shape == targets.shape:
        return weights
    return weights.unsqueeze(-1).expand_as(targets)


def _weighed(each: Tensor, weights: Tensor | None, batch: Batch) -> tuple[Tensor, Tensor | float]:
    if weights is None:
        return each.sum(), float(each.numel())
    return (each * weights).sum(), batch.count(weights)
