"""MorseReader: the estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from memorycell.data.labels.reading import read_labelled
from memorycell.data.samples import Answers, Samples, Source
from memorycell.data.sequences import SequenceDataset
from memorycell.data.streams import SampleStream
from memorycell.data.symbols.symbol_codec import SymbolCodec
from memorycell.insight.asking import checked_row, nothing
from memorycell.insight.explained import Explained
from memorycell.jobs.card import Job
from memorycell.jobs.insight import InsightByRow
from memorycell.jobs.learner import Learner
from memorycell.jobs.parameters import documented
from morse import MORSE
from morse.kind import Texts
from morse.network import NOTHING, MorseNetwork
from morse.parameters import Reading


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class MorseReader(Learner, InsightByRow, Reading):
    """Reads Morse code.

    Attributes
    ----------
    codec_, target_codec_, network_ : what was fitted
    """

    JOB: ClassVar[Job] = MORSE
    CODECS: ClassVar[tuple[str, ...]] = ("codec_", "target_codec_")

    def read(self, source: Any, y: Any = None, *, labelled: bool = True) -> Samples:
        """Signals with their texts: `Samples` as they are, a file or a frame, or lists."""
        if isinstance(source, Samples):
            return source
        if isinstance(source, list):
            return Samples(source, y, source=Source("X, y"))
        found = read_labelled(
            source, text=self.signal, target=self.text if labelled else None, labels="sequence" if labelled else "none"
        )
        texts = [str(text) for text in found.y] if labelled else None
        return Samples(list(found.x), texts, notes=found.notes, source=Source.of(source))

    def fit(self, X: Any, y: Any = None, **keep: Any) -> Self:
        """Learn to read; `keep` are the checkpoint, callbacks and log of `memorycell.train`."""
        self._begin()
        samples = self.read(X, y)
        self._record(samples, noun="signals")
        self._take_notes(samples.notes)
        self.codec_, self.target_codec_ = SymbolCodec().fit(samples.given), SymbolCodec().fit(samples.targets)
        data = self.dataset(samples, self.target_codec_.encode(samples.targets))
        network = self._seeded(lambda: MorseNetwork(self.codec_.size, self.target_codec_.size, self.hidden_size))
        options = self._options(epochs=self.epochs, learning_rate=self.learning_rate, patience=None)
        self._train_network(network, SampleStream(data, 16, seed=self.seed_, lengths=data.lengths), options, **keep)
        return self

    def dataset(self, samples: Samples, targets: Any = None) -> SequenceDataset:
        """Signals as the network reads them, encoded once."""
        return SequenceDataset({"signals": samples.encoded(self.codec_, self.codec_.encode)}, targets)

    def predict(self, X: Any) -> list[str]:
        """The text of each signal."""
        samples = self.asked(X)
        texts = [""] * len(samples)
        for rows, batch in self._batches(self.dataset(samples)):
            best = self.network_(batch).argmax(-1)
            for row, path, length in zip(rows.tolist(), best, batch.lengths["signals"], strict=True):
                texts[row] = self.target_codec_.decode([k for k, _ in groupby(path[:length].tolist()) if k != NOTHING])
        return texts

    def answers(self, X: Any) -> Answers:
        """A row for each signal, with its text."""
        samples = self.asked(X)
        texts = self.predict(samples)
        return Answers(texts, {"signal": np.array(samples.given, object), "text": np.array(texts, object)})

    def kind_of(self, samples: Samples) -> Texts:
        return Texts(samples.targets)

    def explained(self, X: Any, *, row: int = 0, place: int | None = None) -> Explained:
        """The score of what is written at signal `place` (default: where the model is surest that it writes)."""
        samples = self.asked(X)
        signals, network = samples[checked_row(row, len(samples))], self.network_.eval()
        with torch.no_grad():
            values = network.encoder.embed(self.codec_.encode([signals])[0].to(next(network.parameters()).device))
            scores = network.forward_embedded(values[None])[0]
        ahead = scores[:, NOTHING + 1 :].max(1).values - scores[:, NOTHING]
        t = int(ahead.argmax()) if place is None else checked_row(place, len(scores), "signals", "place")
        k = NOTHING + 1 + int(scores[t, NOTHING + 1 :].argmax())

        def function(x: Tensor) -> Tensor:
            raw = network.forward_embedded(x)[:, t]
            return raw[:, k] - raw[:, NOTHING]

        said = f"score of {self.target_codec_.vocabulary[k]} less that of nothing, at signal {t}"
        return Explained(
            function, values, nothing(values, network.trunk), network.trunk, said, list(signals), "symbols",
            anchor=t, noun="signals", exact="The decomposition of one layer is exact.",
        )  # fmt: skip

    def step_names(self, samples: Samples, row: int, count: int) -> Sequence[str]:
        return samples[row][:count]

    def headline(self) -> str:
        return f"texts of {self.target_codec_.size - 3} characters, from Morse code"
