"""Token ids as input: each token's row of an embedding is looked up, and multiplied by W_ih, once."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from memorycell.layers.stack import Stack


def check_ids(layer: Stack, ids: Tensor, embedding: Any) -> None:
    """Raise TypeError or ValueError unless `ids` are integers and `embedding` has rows for this layer."""
    weight = embedding.weight if isinstance(embedding, nn.Embedding) else embedding
    if not isinstance(weight, Tensor):
        raise TypeError(f"expected embedding to be a torch.nn.Embedding or a Tensor, got {type(embedding).__name__}")
    if weight.ndim != 2 or weight.shape[1] != layer.input_size or not weight.shape[0]:
        raise ValueError(
            f"expected an embedding of shape (vocabulary, {layer.input_size}), got {tuple(weight.shape)}: "
            f"this {type(layer).__name__} was built with input_size={layer.input_size}"
        )
    if ids.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"expected token ids (int64 or int32) with an embedding, got x of {ids.dtype}")


def look_up(ids: Tensor, embedding: nn.Embedding | Tensor) -> tuple[Tensor, Tensor]:
    """The rows of `embedding` that `ids`, of any shape, need, and which of them each id takes, int64.

    Each token of the batch has one row; or every token of the vocabulary, where that is less. Gradients flow
    to the embedding; one of its `padding_idx` has none.

    Raises
    ------
    ValueError
        If an id is negative or beyond the vocabulary.

    Example
    -------
    >>> rows, places = look_up(torch.tensor([7, 3, 7]), torch.arange(20.0).view(10, 2))
    >>> rows, places
    (tensor([[ 6.,  7.],
            [14., 15.]]), tensor([1, 0, 1]))
    """
    weight = embedding.weight if isinstance(embedding, nn.Embedding) else embedding
    vocabulary = weight.shape[0]
    if ids.numel():
        least, most = int(ids.min()), int(ids.max())
        if least < 0 or most >= vocabulary:
            wrong = least if least < 0 else most
            raise ValueError(f"expected token ids from 0 to {vocabulary - 1}, the rows of the embedding, got {wrong}")
    if vocabulary <= ids.numel():
        tokens, places = torch.arange(vocabulary, device=ids.device), ids.to(torch.int64)
    else:
        tokens, places = torch.unique(ids.to(torch.int64), return_inverse=True)
    if not isinstance(embedding, nn.Embedding):
        return F.embedding(tokens, weight), places
    return embedding(tokens), places
