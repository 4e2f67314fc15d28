"""MorseNetwork: a bidirectional LSTM over signals, read by connectionist temporal classification."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from memorycell.data.batch import Batch
from memorycell.networks.base import Loss, Network, State
from memorycell.networks.encoder import Encoder

NOTHING = 0  # the symbol that is written where nothing is


class MorseNetwork(Network):
    """Scores (B, T, characters) of what is written at each signal; the text is what is left without repeats and
    without nothing (Graves et al. 2006, doi 10.1145/1143844.1143891)."""

    def __init__(self, signals: int, characters: int, hidden_size: int) -> None:
        super().__init__()
        self.encoder = Encoder(signals, embedding_size=8, hidden_sizes=[hidden_size], bidirectional=True)
        self.output = nn.Linear(self.encoder.width, characters)
        self._config = {"signals": signals, "characters": characters, "hidden_size": hidden_size}

    def config(self) -> dict[str, Any]:
        return dict(self._config)

    def forward(self, batch: Batch) -> Tensor:
        return self.output(self.encoder(batch.inputs["signals"], batch.lengths["signals"])[0])

    def forward_embedded(self, values: Tensor) -> Tensor:
        """`forward` from embedded signals (B, T, 8)."""
        return self.output(self.encoder.forward_embedded(values)[0])

    def loss(self, batch: Batch, state: State = None) -> Loss:
        chances = self(batch).log_softmax(-1).transpose(0, 1)
        lengths = batch.lengths["targets"]
        total = functional.ctc_loss(
            chances, batch.truth, batch.lengths["signals"], lengths, blank=NOTHING, reduction="sum"
        )
        return Loss(total, lengths.sum())
