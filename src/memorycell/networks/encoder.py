"""Encoder: tokens or readings in, features at every step out. What every network on sequences is built around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from memorycell.kernels.random import keep_mask
from memorycell.layers import GRU, LSTM, RNN
from memorycell.layers.dropout import VariationalDropout
from memorycell.networks.base import State

CELLS: dict[str, Any] = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}


class Encoder(nn.Module):
    """Recurrent layers over embedded tokens, numeric steps, or both side by side.

    All dropouts but `embedding_dropout` and `weight_dropout` draw one mask a sequence (Gal & Ghahramani 2016); together
    they are those of the AWD-LSTM (Merity et al. 2017).

    Parameters
    ----------
    vocabulary : int or None
        Number of token ids; None: there are no tokens.
    features : int or None
        Numbers a step; with a vocabulary they stand beside the embedded token.
    embedding_size : int
    hidden_sizes : sequence of int
        Units of each layer, from the input up.
    cell : "LSTM", "GRU" or "RNN"
    bidirectional : bool
        Read in both directions; a layer then gives twice its units.
    embedding_dropout : float
        Whole tokens, one mask a call for the vocabulary.
    input_dropout, between_dropout, output_dropout : float
        Features before the first layer, between layers, after the last one.
    weight_dropout : float
        Entries of W_hh, one mask a call.
    recurrent_dropout : float
        Units of h on their way into W_hh.
    layer_norm : bool
        Layer normalisation within the cells (Ba et al. 2016).

    Raises
    ------
    ValueError
        Without vocabulary and features, without layers, or for an unknown cell.

    Example
    -------
    >>> encoder = Encoder(vocabulary=50, embedding_size=8, hidden_sizes=(16, 16), bidirectional=True)
    >>> features, state = encoder(torch.tensor([[3, 4, 5], [6, 0, 0]]), lengths=torch.tensor([3, 1]))
    >>> features.shape, encoder.width
    (torch.Size([2, 3, 32]), 32)
    """

    def __init__(
        self,
        vocabulary: int | None = None,
        features: int | None = None,
        embedding_size: int = 100,
        hidden_sizes: Sequence[int] = (128,),
        cell: str = "LSTM",
        bidirectional: bool = False,
        *,
        embedding_dropout: float = 0.0,
        input_dropout: float = 0.0,
        between_dropout: float = 0.0,
        output_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        if not vocabulary and not features:
            raise ValueError("expected a vocabulary, features or both to read, got neither")
        if not hidden_sizes:
            raise ValueError("expected hidden_sizes with the units of at least one layer, got none")
        if cell not in CELLS:
            raise ValueError(f"expected cell to be {', '.join(CELLS)}, got {cell!r}")
        self.vocabulary, self.features, self.embedding_size = vocabulary, features, embedding_size
        self.hidden_sizes, self.cell, self.bidirectional = tuple(hidden_sizes), cell, bidirectional
        self.embedding_dropout, self.layer_norm = embedding_dropout, layer_norm
        self.embedding = nn.Embedding(vocabulary, embedding_size) if vocabulary else None
        width = (embedding_size if vocabulary else 0) + (features or 0)
        self.input_size = width
        options = {
            "batch_first": True, "bidirectional": bidirectional, "weight_dropout": weight_dropout,
            "recurrent_dropout": recurrent_dropout, "layer_norm": layer_norm,
        }  # fmt: skip
        layers = []
        for hidden in self.hidden_sizes:
            layers.append(CELLS[cell](width, hidden, **options))
            width = hidden * (2 if bidirectional else 1)
        self.layers = nn.ModuleList(layers)
        self.width = width
        self.drop_input, self.drop_between, self.drop_output = (
            VariationalDropout(p) for p in (input_dropout, between_dropout, output_dropout)
        )

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: State = None, *, beside: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Features of every step, and the state after the last one.

        Parameters
        ----------
        x : Tensor
            Token ids int64 (B, T), or numeric steps (B, T, F) where there is no vocabulary.
        lengths : Tensor, optional
            int64 (B,): the steps of a row that count; its features are zero beyond. Default: all.
        state : nested tuples, optional
            As returned; default: zeros.
        beside : Tensor, optional
            (B, T, features): numbers beside the tokens.

        Returns
        -------
        features (B, T, width), state (one entry a layer)
        """
        if self.embedding is None:
            return self.forward_embedded(x, lengths, state)
        rows, places = self._token_rows(x)
        if beside is not None or (self.training and self.drop_input.p):
            values = functional.embedding(places, rows)
            values = values if beside is None else torch.cat([values, beside], dim=-1)
            return self.forward_embedded(values, lengths, state)
        # Every different token is multiplied by the first layer's weights once.
        return self._run(places, lengths, state, rows)

    def forward_embedded(
        self, values: Tensor, lengths: Tensor | None = None, state: State = None
    ) -> tuple[Tensor, State]:
        """`forward` from embedded tokens, or numeric steps: (B, T, input_size)."""
        return self._run(self.drop_input(values), lengths, state, None)

    def _run(self, x: Tensor, lengths: Tensor | None, state: State, rows: Tensor | None) -> tuple[Tensor, State]:
        finals = []
        for number, layer in enumerate(self.layers):
            given = None if state is None else state[number]
            x, final = layer(x, given, lengths=lengths, embedding=rows if number == 0 else None)
            finals.append(final)
            x = (self.drop_output if number == len(self.layers) - 1 else self.drop_between)(x)
        return x, tuple(finals)

    def _token_rows(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of the embedding that these tokens need, some of them dropped, and which row each token takes."""
        weight = self.embedding.weight  # type: ignore[union-attr]
        if not (self.training and self.embedding_dropout):
            return weight, tokens
        mask = keep_mask(
            weight.shape[0], 1, self.embedding_dropout, shared=True, device=weight.device, dtype=weight.dtype
        )
        needed, places = torch.unique(tokens, return_inverse=True)
        return functional.embedding(needed, weight) * mask[needed], places

    def embed(self, tokens: Tensor) -> Tensor:
        """Embedded tokens (B, T, embedding_size), without dropout."""
        if self.embedding is None:
            raise ValueError("expected an encoder of tokens, got one of numbers: it has no embedding")
        return self.embedding(tokens)

    def step(self, x: Tensor, state: State, *, beside: Tensor | None = None) -> tuple[Tensor, State]:
        """One step: ids (B,) or numbers (B, F) to features (B, width) and the next state; for one direction only."""
        values = x if self.embedding is None else self.embedding(x)
        if beside is not None:
            values = torch.cat([values, beside], dim=-1)
        finals = []
        layers: Any = self.layers
        for number, layer in enumerate(layers):
            values, final = layer.step(values, None if state is None else state[number])
            finals.append(final)
        return values, tuple(finals)

    def init_state(self, batch_size: int, like: Tensor | None = None) -> State:
        """Zeros for `batch_size` rows: one entry a layer, of the weights' dtype and device unless `like` says."""
        like = next(self.layers[0].parameters()) if like is None else like
        directions = 2 if self.bidirectional else 1

        def zeros(hidden: int) -> Tensor:
            return like.new_zeros(directions, batch_size, hidden)

        return tuple((zeros(n), zeros(n)) if self.cell == "LSTM" else zeros(n) for n in self.hidden_sizes)

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from the input up: the embedding if there is one, then each layer."""
        parts = [self.embedding] if self.embedding is not None else []
        return [list(part.parameters()) for part in [*parts, *self.layers]]

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        first: Any = self.layers[0]
        return {
            "vocabulary": self.vocabulary,
            "features": self.features,
            "embedding_size": self.embedding_size,
            "hidden_sizes": list(self.hidden_sizes),
            "cell": self.cell,
            "bidirectional": self.bidirectional,
            "embedding_dropout": self.embedding_dropout,
            "input_dropout": self.drop_input.p,
            "between_dropout": self.drop_between.p,
            "output_dropout": self.drop_output.p,
            "weight_dropout": first.weight_dropout,
            "recurrent_dropout": first.recurrent_dropout,
            "layer_norm": self.layer_norm,
        }
