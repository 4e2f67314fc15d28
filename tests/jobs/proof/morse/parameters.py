"""The parameters of MorseReader. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from memorycell.jobs.parameters import declared
from memorycell.jobs.values import Name, Real, Whole


@dataclass(kw_only=True, eq=False, repr=False)
class Reading:
    """What a reader of Morse code is told."""

    signal: int | str = declared("signal", Name(place=True), "Columns", "Column of dots and dashes.")
    text: int | str = declared("text", Name(place=True), "Columns", "Column of the texts that they stand for.")
    hidden_size: int = declared(64, Whole(), "Network", "Units in each direction.")
    epochs: int = declared(60, Whole(), "Training", "Passes over the training data.")
    learning_rate: float = declared(0.01, Real(0, open=True), "Training", "Of Adam.")
