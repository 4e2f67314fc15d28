"""Dropout whose masks come from the package's one stream of random numbers."""

from __future__ import annotations

from torch import Tensor, nn

from memorycell.kernels.random import keep_mask
from memorycell.layers.parameters import probability


class Dropout(nn.Module):
    """Zero each element with probability p and scale the others by 1 / (1 - p) (Srivastava et al. 2014).

    Like `torch.nn.Dropout`, but within `memorycell.kernels.random.mask_stream` a row's mask depends on the
    seed, the step and the row alone. The first dimension of x is the batch. Evaluation is the identity.

    Parameters
    ----------
    p : float
        Probability of a zero, 0 to 1. Default 0.5.

    Example
    -------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> Dropout(0.5)(torch.ones(1, 8))
    tensor([[2., 2., 2., 0., 0., 0., 2., 2.]])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = probability("p", p)

    def forward(self, x: Tensor) -> Tensor:
        """x of shape (B, ...) to the same shape."""
        if not self.training or not self.p:
            return x
        if not x.ndim:
            raise ValueError("expected x of shape (batch, ...), got a scalar")
        rows = x.shape[0]
        width = x[:1].numel() if rows else 0
        return x * keep_mask(rows, width, self.p, device=x.device, dtype=x.dtype).view(x.shape)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class VariationalDropout(Dropout):
    """Dropout with one mask a sequence, shared by all its steps (Gal & Ghahramani 2016).

    A feature is either there or missing for the whole sequence. x is (B, T, F), or with
    ``batch_first=False`` (T, B, F).

    Parameters
    ----------
    p : float
        Probability of a zero, 0 to 1. Default 0.5.
    batch_first : bool
        Whether the batch or the time is x's first dimension. Default True.

    Raises
    ------
    ValueError
        If x has other than three dimensions.

    Example
    -------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> VariationalDropout(0.5)(torch.ones(1, 2, 8))
    tensor([[[2., 2., 2., 0., 0., 0., 2., 2.],
             [2., 2., 2., 0., 0., 0., 2., 2.]]])
    """

    def __init__(self, p: float = 0.5, batch_first: bool = True) -> None:
        super().__init__(p)
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        """x of shape (B, T, F) to the same shape."""
        if x.ndim != 3:
            axes = "(batch, time, features)" if self.batch_first else "(time, batch, features)"
            raise ValueError(f"expected x of shape {axes}, got {tuple(x.shape)}")
        if not self.training or not self.p:
            return x
        batch, time = (0, 1) if self.batch_first else (1, 0)
        mask = keep_mask(x.shape[batch], x.shape[2], self.p, device=x.device, dtype=x.dtype)
        return x * mask.unsqueeze(time)
