"""The parameters of Tagger. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memorycell.jobs.parameters import declared
from memorycell.jobs.values import SHARE, SHARE_OR_AUTO, File, Name, OneOf, Real, Sizes, Switch, Whole, YesNo

CELLS = ("LSTM", "GRU", "RNN")
_COLUMNS, _NETWORK, _DROPOUT, _TRAINING = "Columns", "Network", "Dropout", "Training"


@dataclass(kw_only=True, eq=False, repr=False)
class Tagging:
    """What a tagger is told."""

    word: int | str | None = declared(
        None, Name(place=True), _COLUMNS, "Column of the words.", "Of a file: a place from 0, or a name of CoNLL-U.",
        said="found by itself",
    )  # fmt: skip
    tag: int | str | None = declared(
        None, Name(place=True), _COLUMNS, "Column of the labels.", "Of a file, as `word`.", said="found by itself"
    )
    sentence: int | str | None = declared(
        None, Name(place=True), _COLUMNS, "Column that says which sentence a word belongs to.",
        "Of a file or frame with a word a row; where a cell is empty, that of the word before.", said="found by itself",
    )  # fmt: skip
    encoding: str = declared("utf-8", Name("NAME", optional=False), _COLUMNS, "Encoding of files: utf-8, cp1252, …")
    weight: int | str | None = declared(
        None, Name(place=True), _COLUMNS, "Column of how much each word counts in training.", "Of a file, as `word`."
    )
    crf: bool | str = declared(
        "auto", YesNo(), _NETWORK, "A conditional random field on top, which labels whole sequences.",
        '"auto": where labels mark spans (BIO, IOB1, BIOES, BILOU, BMES, BMEWO), unless `causal`. What the scheme '
        "forbids is then never predicted, unless the training labels break it themselves.",
    )  # fmt: skip
    hidden_size: int | Sequence[int] | str = declared(
        "auto", Sizes(), _NETWORK, "Units per layer and direction.", '"auto": 200 for words, 128 for numbers.'
    )
    num_layers: int = declared(
        1, Whole(), _NETWORK, "Recurrent layers on top of each other.",
        "Where `hidden_size` is a sequence, that says how many there are.",
    )  # fmt: skip
    cell: str = declared("LSTM", OneOf(*CELLS), _NETWORK, "Kind of cell.")
    embedding_size: int = declared(100, Whole(), _NETWORK, "Numbers that a word becomes.")
    characters: bool = declared(True, Switch(), _NETWORK, "Read the spelling of words.")
    character_size: int = declared(48, Whole(), _NETWORK, "Numbers that a character becomes.")
    character_hidden: int = declared(64, Whole(), _NETWORK, "Units that read the spelling, in each direction.")
    min_count: int = declared(
        2, Whole(), _NETWORK, "Rarer words are unknown.", "They are known by their spelling alone."
    )
    lowercase: bool = declared(
        True, Switch(), _NETWORK, "Look words up in lower case.", "Their spelling keeps the case.",
        flag="--lowercase/--keep-case",
    )  # fmt: skip
    causal: bool = declared(
        False, Switch(), _NETWORK, "No look ahead: can be served step by step.",
        "One direction and no CRF; `stream` then answers after every step with the labels of `predict`.",
        flag="--causal/--not-causal",
    )  # fmt: skip
    pretrained: Any = declared(
        None, File("MODEL", model=True), _NETWORK, "Language model to begin with: a file that fit language wrote.",
        "Or a fitted LanguageModel, of words. Its encoder, which reads in one direction, goes below the tagger's "
        "layers, with its vocabulary and the training words that it lacks. It learns slower than what is above, and "
        "begins later (Howard & Ruder 2018).",
    )  # fmt: skip
    dropout: float | str = declared(
        "auto", SHARE_OR_AUTO, _DROPOUT, "Before, between and after the layers, one mask per sequence.",
        '"auto": 0.3 for words, 0.2 for numbers, which enter whole.',
    )  # fmt: skip
    recurrent_dropout: float = declared(0.0, SHARE, _DROPOUT, "Units of the hidden state.")
    spelling_dropout: float = declared(0.1, SHARE, _DROPOUT, "Features of the spelling, word by word.")
    word_dropout: float = declared(0.05, SHARE, _DROPOUT, "Words read as unknown in training.")
    label_smoothing: float = declared(
        0.03, SHARE, _TRAINING, "Share of a target that is spread over all labels.",
        "In training, without a CRF (Szegedy et al. 2016).",
    )  # fmt: skip
    validation_fraction: float = declared(
        0.1, Real(0, below=1), _TRAINING, "Share of the sequences that decides when to stop.",
        "Nothing is trained on them, and there is no second training with them. 0: none, all epochs are trained.",
    )  # fmt: skip
    epochs: int | str = declared(
        "auto", Whole(auto=True), _TRAINING, "At most so many passes over the data.",
        '"auto": about 1,000 steps, 8 to 60 epochs.',
    )  # fmt: skip
    batch_size: int | str = declared(
        "auto", Whole(auto=True), _TRAINING, "Sequences per step.", '"auto": 32, fewer where there are few.'
    )
    learning_rate: float | str = declared(
        "auto", Real(0, open=True, auto=True), _TRAINING, "Highest learning rate.",
        '"auto": 0.004 for words, 0.002 for numbers.',
    )  # fmt: skip
    patience: int | None = declared(
        4, Whole(optional=True), _TRAINING, "Epochs without improvement before training stops.",
        "On the held-out sequences. None: all epochs are trained, and the best of them kept.",
    )  # fmt: skip
