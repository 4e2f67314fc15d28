"""SequenceToOne: a sequence in, one answer out: its class, its labels, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.data.batch import Batch
from memorycell.layers.dropout import Dropout
from memorycell.layers.linear import Linear
from memorycell.networks.base import Loss, Network, State
from memorycell.networks.convolution import ConvolutionalFront
from memorycell.networks.encoder import Encoder
from memorycell.networks.heads.base import Head
from memorycell.networks.heads.classes import ClassHead, LabelsHead, NumberHead
from memorycell.networks.ngrams import NGramPath
from memorycell.networks.pooling import KINDS, Pooling

HEADS: dict[str, type[Head]] = {"classes": ClassHead, "labels": LabelsHead, "number": NumberHead}


class SequenceToOne(Network):
    """An encoder, its features pooled over the steps, and a head; a convolutional front beside it if asked for.

    Inputs of a batch: ``tokens`` int64 (B, T) with a vocabulary; ``steps`` (B, T, F) with features; the lengths of the
    first of them. Targets and weights: as the head says.

    Parameters
    ----------
    vocabulary, features, embedding_size, hidden_sizes, cell
        Of the `Encoder`.
    head : "classes", "labels" or "number"
    n_outputs : int
        Classes, labels or numbers.
    bidirectional : bool, optional
        Default: unless `causal`.
    pooling : sequence of {"last", "mean", "max", "attention"}
        See `Pooling`.
    convolution : bool
        See `ConvolutionalFront`.
    squeeze_excite : bool
        Of the convolutional front.
    n_grams : int
        Longest n-gram of tokens that a linear model beside the recurrent layers weighs, see `NGramPath`; 0: none.
    aligned : bool
        Weigh n-grams by where they end, too.
    n_gram_rank : int, optional
        Numbers of an n-gram, where outputs are many: see `NGramPath`.
    causal : bool
        No look ahead: `step` answers after every step with the numbers of `forward`.
    head_dropout : float
        Of the pooled features.
    label_smoothing : float
        Of classes, see `ClassHead`.
    encoder : Encoder, optional
        Takes the place of one built here, with its weights; `vocabulary` … `bidirectional` are then its own.
    regularisation
        The dropouts and `layer_norm` of the `Encoder`.

    Raises
    ------
    ValueError
        For an unknown head, and for both directions where it should be causal.

    Example
    -------
    >>> network = SequenceToOne(vocabulary=50, n_outputs=3, embedding_size=8, hidden_sizes=(16,))
    >>> batch = Batch({"tokens": torch.tensor([[4, 5, 6], [7, 0, 0]])}, {"tokens": torch.tensor([3, 1])})
    >>> network(batch).shape, network.head.probabilities(network(batch)).sum(-1).detach().round().tolist()
    (torch.Size([2, 3]), [1.0, 1.0])
    """

    def __init__(
        self,
        vocabulary: int | None = None,
        features: int | None = None,
        head: str = "classes",
        n_outputs: int = 2,
        embedding_size: int = 100,
        hidden_sizes: Sequence[int] = (128,),
        cell: str = "LSTM",
        bidirectional: bool | None = None,
        pooling: Sequence[str] = KINDS,
        convolution: bool = False,
        causal: bool = False,
        *,
        squeeze_excite: bool = False,
        n_grams: int = 0,
        aligned: bool = False,
        n_gram_rank: int | None = None,
        head_dropout: float = 0.0,
        label_smoothing: float = 0.0,
        encoder: Encoder | None = None,
        **regularisation: Any,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"expected head to be {', '.join(HEADS)}, got {head!r}")
        if encoder is None:
            both = not causal if bidirectional is None else bidirectional
            encoder = Encoder(vocabulary, features, embedding_size, hidden_sizes, cell, both, **regularisation)
        if causal and encoder.bidirectional:
            raise ValueError("expected bidirectional=False with causal=True: the backward direction looks ahead")
        self.encoder, self.causal = encoder, causal
        self.pooling = Pooling(encoder.width, pooling, encoder.bidirectional)
        self.convolution = None
        if convolution:
            self.convolution = ConvolutionalFront(encoder.input_size, causal=causal, squeeze_excite=squeeze_excite)
        self.drop = Dropout(head_dropout)
        self.head = ClassHead(n_outputs, label_smoothing) if head == "classes" else HEADS[head](n_outputs)
        self.out = Linear(self.pooling.width + (self.convolution.width if self.convolution else 0), n_outputs)
        self.n_grams = None
        if n_grams:
            if encoder.embedding is None:
                raise ValueError("expected n_grams=0 without a vocabulary: n-grams are of tokens")
            self.n_grams = NGramPath(n_outputs, n_grams, aligned, head_dropout, n_gram_rank)
        self._own = {
            "head": head, "n_outputs": n_outputs, "pooling": list(self.pooling.kinds), "convolution": convolution,
            "causal": causal, "squeeze_excite": squeeze_excite, "n_grams": n_grams, "aligned": aligned,
            "head_dropout": head_dropout, "label_smoothing": label_smoothing,
        }  # fmt: skip
        if n_gram_rank is not None:  # else left out, as earlier versions expect
            self._own["n_gram_rank"] = n_gram_rank

    def config(self) -> dict[str, Any]:
        return {**self.encoder.config(), **self._own}

    def loss(self, batch: Batch, state: State = None) -> Loss:
        return Loss(*self.head.loss(self(batch), batch))

    def forward(self, batch: Batch) -> Tensor:
        """What the head reads, (B, n_outputs)."""
        x, lengths, beside = self._inputs(batch)
        features, _ = self.encoder(x, lengths, beside=beside)
        answer = self._answer(features, lengths, None if self.convolution is None else self.embedded(batch))
        return answer if self.n_grams is None else answer + self.n_grams(x, lengths)

    def embed(self, tokens: Tensor) -> Tensor:
        """Embedded tokens (B, T, E), without dropout: what `forward_embedded` takes."""
        return self.encoder.embed(tokens)

    def embedded(self, batch: Batch) -> Tensor:
        """The numbers that the first layer reads, (B, T, input_size): embedded tokens, steps, or both."""
        x, _, beside = self._inputs(batch)
        if self.encoder.embedding is None:
            return x
        values = self.embed(x)
        return values if beside is None else torch.cat([values, beside], dim=-1)

    def forward_embedded(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`forward` from `embedded` numbers (B, T, input_size), without n-grams: differentiable by them."""
        features, _ = self.encoder.forward_embedded(x, lengths)
        return self._answer(features, lengths, x)

    def attention(self, batch: Batch) -> Tensor:
        """How much attention each step is given, (B, T); rows sum to 1. Raises ValueError where there is none."""
        if "attention" not in self.pooling.kinds:
            raise ValueError(f"expected pooling with attention, got {self.pooling.kinds}")
        x, lengths, beside = self._inputs(batch)
        return self.pooling.attention(self.encoder(x, lengths, beside=beside)[0], lengths)

    def init_state(self, batch: Batch) -> State:
        """The state before the first step of `len(batch)` rows; of a causal network."""
        like = self.out.weight
        rows = len(batch)
        front = None if self.convolution is None else self.convolution.init_state(rows, like)
        grams = None if self.n_grams is None else self.n_grams.init_state(rows)
        return self.encoder.init_state(rows), self.pooling.init_state(rows, like), front, grams

    def step(self, x: Tensor, state: State, *, beside: Tensor | None = None) -> tuple[Tensor, State]:
        """One more step, ids (B,) or numbers (B, F): what the head reads of all steps so far (B, n_outputs)."""
        if not self.causal:
            raise ValueError("expected causal=True to run step by step, got a network that looks ahead")
        encoder, pooling, front, grams = state
        features, encoder = self.encoder.step(x, encoder, beside=beside)
        pooled, pooling = self.pooling.step(features, pooling)
        if self.convolution is not None:
            values = x if self.encoder.embedding is None else self.embed(x)
            values = values if beside is None else torch.cat([values, beside], dim=-1)
            shapes, front = self.convolution.step(values, front)
            pooled = torch.cat([pooled, shapes], dim=-1)
        answer = self.out(self.drop(pooled))
        if self.n_grams is not None:
            linear, grams = self.n_grams.step(x, grams)
            answer = answer + linear
        return answer, (encoder, pooling, front, grams)

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from the input up: the encoder's groups, then everything above it."""
        groups = self.encoder.layer_groups()
        below = {id(parameter) for group in groups for parameter in group}
        return [*groups, [parameter for parameter in self.parameters() if id(parameter) not in below]]

    def flops_per_step(self, batch: Batch) -> float:
        """Forward operations of the recurrent layers in a time step: what the choice of threads goes by."""
        return 2.0 * len(batch) * sum(p.numel() for p in self.encoder.layers.parameters())

    def _inputs(self, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The encoder's input, its lengths, and the numbers beside tokens."""
        if self.encoder.embedding is None:
            return batch.inputs["steps"], batch.lengths.get("steps"), None
        beside = batch.inputs["steps"] if self.encoder.features else None
        return batch.inputs["tokens"], batch.lengths.get("tokens"), beside

    def _answer(self, features: Tensor, lengths: Tensor | None, values: Tensor | None) -> Tensor:
        pooled = self.pooling(features, lengths)
        if self.convolution is not None and values is not None:
            pooled = torch.cat([pooled, self.convolution(values, lengths)], dim=-1)
        return self.out(self.drop(pooled))
