"""TaggingNetwork: a label at each step, from words and their characters or from numeric steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.data.batch import Batch
from memorycell.data.text.tagged import UNKNOWN
from memorycell.kernels.random import bernoulli
from memorycell.layers import LSTM, Dropout
from memorycell.layers.base import Recurrent
from memorycell.networks.base import Loss, Network, State
from memorycell.networks.encoder import Encoder
from memorycell.networks.heads.base import Head
from memorycell.networks.heads.classes import ClassHead
from memorycell.networks.heads.crf import CRFHead

HEADS = ("softmax", "crf")


class Spelling(nn.Module):
    """A vector for each form of a batch: the final states of an LSTM that reads its characters in both directions.

    Ling et al. 2015 (arXiv 1508.02096); Lample et al. 2016 (arXiv 1603.01360, sec. 4.1).

    Parameters
    ----------
    vocabulary : int
        Character ids.
    embedding_size, hidden_size : int
        The vector has twice `hidden_size` numbers.

    Example
    -------
    >>> Spelling(40, 8, 16)(torch.tensor([[3, 4, 5], [6, 0, 0]]), torch.tensor([3, 1])).shape
    torch.Size([2, 32])
    """

    def __init__(self, vocabulary: int, embedding_size: int = 32, hidden_size: int = 64) -> None:
        super().__init__()
        self.vocabulary, self.embedding_size, self.hidden_size = vocabulary, embedding_size, hidden_size
        self.embedding = nn.Embedding(vocabulary, embedding_size)
        self.layer = LSTM(embedding_size, hidden_size, batch_first=True, bidirectional=True)

    @property
    def width(self) -> int:
        """Numbers a form."""
        return 2 * self.hidden_size

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Characters int64 (W, C) and lengths (W,) to (W, width)."""
        _, (final, _) = self.layer(characters, lengths=lengths, embedding=self.embedding)
        return final.transpose(0, 1).reshape(len(characters), self.width)


class TaggingNetwork(Network):
    """Encoder, a linear map, and a head that labels each step by itself ("softmax") or the whole sequence ("crf").

    Batches have ``"tokens"`` int64 (B, T) or ``"steps"`` (B, T, F) with lengths, and with `characters` what
    `memorycell.data.text.tagged.TaggedDataset` gives: ``"forms"`` and ``"characters"``.

    Parameters
    ----------
    n_labels : int
    encoder : mapping
        Arguments of `Encoder`.
    head : "softmax" or "crf"
    labels : sequence of str, optional
        Names of labels that mark spans, for a CRF that obeys their scheme (see `CRFHead`).
    constrained_training, scheme
        See `CRFHead`.
    above : mapping, optional
        Arguments of a second encoder that reads the features of the first, and the embedded words beside them: above
        a pre-trained one, say.
    characters : int, optional
        Character ids: a `Spelling` then stands beside the words, or beside the features that `above` reads.
    character_size, character_hidden : int
        Its sizes.
    spelling_dropout : float
        Of the spelling's numbers, word by word.
    word_dropout : float
        Share of words that are read as unknown in training, so that the network learns what to do without them.
    label_smoothing : float
        See `ClassHead`; a CRF has none.

    Raises
    ------
    ValueError
        For an unknown head, a word_dropout that is no share, or characters beside numeric steps.

    Example
    -------
    >>> network = TaggingNetwork(3, {"features": 2, "hidden_sizes": [8]}, head="crf")
    >>> batch = Batch({"steps": torch.randn(2, 5, 2)}, {"steps": torch.tensor([5, 3])})
    >>> raw, lengths = network(batch), batch.lengths["steps"]
    >>> raw.shape, network.head.predict(raw, lengths).shape, network.head.probabilities(raw, lengths).shape
    (torch.Size([2, 5, 3]), torch.Size([2, 5]), torch.Size([2, 5, 3]))
    """

    def __init__(
        self,
        n_labels: int,
        encoder: Mapping[str, Any],
        head: str = "softmax",
        *,
        labels: Sequence[str] | None = None,
        constrained_training: bool = False,
        scheme: str | None = None,
        above: Mapping[str, Any] | None = None,
        characters: int | None = None,
        character_size: int = 32,
        character_hidden: int = 64,
        spelling_dropout: float = 0.0,
        word_dropout: float = 0.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise ValueError(f"expected a head of {', '.join(HEADS)}, got {head!r}")
        if characters and not encoder.get("vocabulary"):
            raise ValueError("expected a vocabulary of words with characters, got an encoder of numbers alone")
        if not 0 <= word_dropout < 1:
            raise ValueError(f"expected word_dropout at least 0 and under 1, got {word_dropout}")
        self.n_labels, self.head_name, self.label_names = n_labels, head, None if labels is None else list(labels)
        self.constrained_training, self.word_dropout = constrained_training, word_dropout
        self.character_sizes = (characters, character_size, character_hidden)
        self.spelling = Spelling(characters, character_size, character_hidden) if characters else None
        self.drop_spelling = Dropout(spelling_dropout)
        beside = self.spelling.width if self.spelling is not None else 0
        self.encoder = Encoder(**({**encoder, "features": beside} if beside and above is None else encoder))
        self.above = None
        if above is not None:
            # What a word is, its embedding, too: features of a language model tell of what comes next.
            words = self.encoder.embedding_size if self.encoder.embedding is not None else 0
            self.above = Encoder(**{**above, "features": words + self.encoder.width + beside})
        self.output = nn.Linear((self.encoder if self.above is None else self.above).width, n_labels)
        self.label_smoothing = label_smoothing
        self.head: Head
        if head == "crf":
            self.head = CRFHead(n_labels, labels, constrained_training, scheme)
        else:
            self.head = ClassHead(n_labels, label_smoothing)

    @property
    def input(self) -> str:
        """The name of the input that the encoder reads: "tokens" or "steps"."""
        return "steps" if self.encoder.embedding is None else "tokens"

    def forward(self, batch: Batch) -> Tensor:
        """What the head reads, (B, T, K): raw scores of each label at each step."""
        return self.run(batch)[0]

    def run(self, batch: Batch, state: State = None) -> tuple[Tensor, State]:
        """`forward` from a state (None: zeros), and the state after the last step."""
        x, lengths = batch.inputs[self.input], batch.lengths.get(self.input)
        if self.training and self.word_dropout and self.input == "tokens":
            dropped = bernoulli(x.shape[0], x.shape[1], self.word_dropout, device=x.device).bool()
            x = x.masked_fill(dropped, UNKNOWN)
        spelt = None
        if self.spelling is not None:
            forms = self.spelling(batch.inputs["characters"], batch.lengths["characters"])
            spelt = self.drop_spelling(nn.functional.embedding(batch.inputs["forms"], forms))
        below, above = (None, None) if state is None else state
        if self.above is None:
            features, below = self.encoder(x, lengths, below, beside=spelt)
        else:
            features, below = self.encoder(x, lengths, below)
            features, above = self.above(self._beside(features, x, spelt), lengths, above)
        return self.output(features), (below, above)

    @property
    def trunk(self) -> tuple[Recurrent, ...]:
        """See `Network.trunk`: all but the speller's."""
        return (*self.encoder.layers, *([] if self.above is None else self.above.layers))

    def embedded(self, batch: Batch) -> Tensor:
        """The numbers that the layers read, (B, T, ·): embedded words or steps, then the spelling of each word."""
        if self.encoder.embedding is None:
            return batch.inputs["steps"]
        words = self.encoder.embed(batch.inputs["tokens"])
        if self.spelling is None:
            return words
        forms = self.spelling(batch.inputs["characters"], batch.lengths["characters"])
        return torch.cat([words, nn.functional.embedding(batch.inputs["forms"], forms)], dim=-1)

    def forward_embedded(self, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`forward` from `embedded` numbers, in evaluation: differentiable by them."""
        if self.above is None:
            return self.output(self.encoder.forward_embedded(values, lengths)[0])
        own, rest = values[..., : self.encoder.input_size].contiguous(), values[..., self.encoder.input_size :]
        features, _ = self.encoder.forward_embedded(own, lengths)
        read = torch.cat([features, *([] if self.encoder.embedding is None else [own]), rest], dim=-1)
        return self.output(self.above.forward_embedded(read, lengths)[0])

    def _beside(self, features: Tensor, x: Tensor, spelt: Tensor | None) -> Tensor:
        """What the encoder above reads: features of the one below, the words themselves, their spelling."""
        words = [] if self.encoder.embedding is None else [self.encoder.embed(x)]
        return torch.cat([features, *words, *([] if spelt is None else [spelt])], dim=-1)

    def loss(self, batch: Batch, state: State = None) -> Loss:
        """Negative log-likelihood of the labels, and the number (or summed weight) of labelled steps."""
        raw, after = self.run(batch, state)
        return Loss(*self.head.loss(raw, batch), after)

    def init_state(self, batch: Batch) -> State:
        """Zeros."""
        above = None if self.above is None else self.above.init_state(len(batch))
        return self.encoder.init_state(len(batch)), above

    def step(self, x: Tensor, state: State, spelt: Tensor | None = None) -> tuple[Tensor, State]:
        """One step: ids (B,) or numbers (B, F), and `spelling` of the words where there is one, to raw scores (B, K).

        Raises
        ------
        ValueError
            If the network reads in both directions.
        """
        if self.encoder.bidirectional or (self.above is not None and self.above.bidirectional):
            raise ValueError("expected a network of one direction to run step by step, got one that reads both ways")
        below, above = (None, None) if state is None else state
        if self.above is None:
            features, below = self.encoder.step(x, below, beside=spelt)
        else:
            features, below = self.encoder.step(x, below)
            features, above = self.above.step(self._beside(features, x, spelt), above)
        return self.output(features), (below, above)

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from the input up: the groups of the encoder, of the one above it, and output with head.

        The spelling is in the group of what reads it.
        """
        groups = self.encoder.layer_groups()
        above = [] if self.above is None else self.above.layer_groups()
        if self.spelling is not None:
            (above or groups)[0].extend(self.spelling.parameters())
        return [*groups, *above, [*self.output.parameters(), *self.head.parameters()]]

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        characters, size, hidden = self.character_sizes
        # Left out where the labels' names say it, as earlier versions expect.
        scheme = self.head.scheme if isinstance(self.head, CRFHead) else None
        return {
            **({} if scheme is None else {"scheme": scheme}),
            "n_labels": self.n_labels,
            "encoder": self.encoder.config(),
            "head": self.head_name,
            "labels": self.label_names,
            "constrained_training": self.constrained_training,
            "above": None if self.above is None else self.above.config(),
            "characters": characters,
            "character_size": size,
            "character_hidden": hidden,
            "spelling_dropout": self.drop_spelling.p,
            "word_dropout": self.word_dropout,
            "label_smoothing": self.label_smoothing,
        }
