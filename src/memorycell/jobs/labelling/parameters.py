"""The parameters of SequenceClassifier and SequenceRegressor. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memorycell.jobs import options
from memorycell.jobs.parameters import Option, declared
from memorycell.jobs.values import (
    SHARE,
    SHARE_OR_AUTO,
    File,
    Name,
    Names,
    OneOf,
    Real,
    Sizes,
    SomeOf,
    Switch,
    Value,
    Whole,
    YesNo,
)

KINDS = ("auto", "text", "numbers", "symbols")
CELLS = ("LSTM", "GRU", "RNN")
UNITS = ("word", "character", "subword", "whitespace")
POOLINGS = ("last", "mean", "max", "attention")
_COLUMNS, _SEQUENCES, _NETWORK, _DROPOUT, _TRAINING = "Columns", "Sequences", "Network", "Dropout", "Training"


class Weights(Value):
    """Weights of classes: None, "balanced", or a mapping of class to weight; on the command line JSON."""

    shape = "balanced|JSON"

    def check(self, name: str, value: Any) -> None:
        if (
            value is not None
            and not isinstance(value, Mapping)
            and not (isinstance(value, str) and value == "balanced")
        ):
            raise TypeError(f'expected {name} to be None, "balanced" or a dict of class to weight, got {value!r:.60}')

    def parse(self, text: str) -> Any:
        import json

        if text == "balanced":
            return text
        try:
            found = json.loads(text)
        except json.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise ValueError(f'expected balanced, or weights such as {{"spam": 5, "ham": 1}}, got {text!r}')
        return found


READING = (
    Option("id", Name(place=True), _COLUMNS, "Column of a sequence's name, where each row is one step."),
    Option("time", Name(place=True), _COLUMNS, "Column that orders the steps of a sequence."),
    Option("values", Names(optional=True), _COLUMNS, "Column of numbers to read; may be repeated.",
           said="all that are left", flag="--value"),
    Option("channels", Whole(optional=True), _COLUMNS, "Columns side by side that make one step of a row.", said="1"),
    *options.READING,
)  # fmt: skip


def _dropout(what: str, default: float | str = "auto") -> Any:
    return declared(default, SHARE_OR_AUTO if default == "auto" else SHARE, _DROPOUT, what)


@dataclass(kw_only=True, eq=False, repr=False)
class Regressing:
    """What a regressor is told, and a classifier too."""

    text: int | str | None = declared(
        None, Name(place=True), _COLUMNS, "Column of texts.", "Of a file or frame.", said="found by itself"
    )
    target: int | str | Sequence[str] | None = declared(
        None,
        Name(place=True),
        _COLUMNS,
        "Column of what is to be predicted.",
        "Of a file or frame.",
        said="found by itself",
    )
    group: int | str | None = declared(
        None,
        Name(place=True),
        _COLUMNS,
        "Column of groups that are held out whole: speakers, users.",
        "Of a file or frame.",
    )
    weight: int | str | None = declared(
        None, Name(place=True), _COLUMNS, "Column of how much each sample counts in training.", "Of a file or frame."
    )
    reading: Mapping[str, Any] | None = declared(
        None,
        options.Reading(READING),
        _COLUMNS,
        "Further arguments of `memorycell.read_labelled` for files.",
        "id, time, values, channels, delimiter, decimal, thousands, encoding, header, skip_rows, na_values, sheet.",
    )
    kind: str = declared(
        "auto",
        OneOf(*KINDS),
        _SEQUENCES,
        "What sequences are made of.",
        '"auto": texts are text, lists of texts are symbols, anything else numbers. For DNA and the like, whose texts '
        'are sequences of characters, say "symbols".',
    )
    unit: str = declared("word", OneOf(*UNITS), _SEQUENCES, "What texts are split into.", "See `TextCodec`.")
    vocabulary_size: int | None = declared(
        None, Whole(optional=True), _SEQUENCES, "Most tokens of the vocabulary.", "None: all."
    )
    min_count: int | str = declared(
        "auto",
        Whole(auto=True),
        _SEQUENCES,
        "Rarer tokens are unknown ones.",
        '"auto": 2 from 1,000 texts on, so that what is unknown has been seen in training; else 1.',
    )
    lowercase: bool = declared(True, Switch(), _SEQUENCES, "Texts in lower case.", flag="--lowercase/--keep-case")
    separator: str | None = declared(
        None, Name("TEXT"), _SEQUENCES, "Between symbols given as text; else each character is one."
    )
    max_length: int | str | None = declared(
        "auto",
        Whole(auto=True, optional=True),
        _SEQUENCES,
        "Steps that are read of a sequence.",
        'The rest is cut off, and said; "auto": 1,000 of texts, else 10,000.',
    )
    embedding_size: int | str = declared(
        "auto",
        Whole(auto=True),
        _NETWORK,
        "Numbers that a token becomes.",
        '"auto": 100 of words, 16 of symbols; or the size of the `word_vectors`.',
    )
    hidden_size: int | Sequence[int] | str = declared(
        "auto",
        Sizes(),
        _NETWORK,
        "Units per layer and direction.",
        '"auto": 128 for texts and from 16 numbers per step on, 96 for symbols, else 64.',
    )
    num_layers: int = declared(
        1,
        Whole(),
        _NETWORK,
        "Recurrent layers on top of each other.",
        "Where `hidden_size` is a sequence, that says how many there are.",
    )
    cell: str = declared("LSTM", OneOf(*CELLS), _NETWORK, "Kind of cell.")
    bidirectional: bool | str = declared(
        "auto", YesNo(), _NETWORK, "Read in both directions.", '"auto": unless `causal`.'
    )
    pooling: str | Sequence[str] = declared(
        POOLINGS,
        SomeOf(POOLINGS),
        _NETWORK,
        "What is made of all steps: last, mean, max, attention.",
        "Several are put side by side.",
    )
    convolution: bool | str = declared(
        "auto",
        YesNo(),
        _NETWORK,
        "Convolutions beside the recurrent layers (LSTM-FCN).",
        'Karim et al. 2018. "auto": for numbers, unless the sequences are shorter than 8 steps or have 16 numbers per '
        "step or more.",
    )
    n_grams: int | str = declared(
        "auto",
        Whole(0, auto=True),
        _NETWORK,
        "Longest n-gram that a linear model beside the network weighs; 0: none.",
        '`NGramPath`. "auto": 2 for texts and symbols; of symbols in sequences of one length, by their place.',
    )
    causal: bool = declared(
        False,
        Switch(),
        _NETWORK,
        "No look ahead: can be served step by step.",
        "`stream` then answers after every step with the numbers of `predict_proba` (or `predict`).",
        flag="--causal/--not-causal",
    )
    layer_norm: bool = declared(False, Switch(), _NETWORK, "Layer normalisation within the cells.", "Ba et al. 2016.")
    word_vectors: Any = declared(
        None,
        File(),
        _NETWORK,
        "Pre-trained word vectors, a word and its numbers a line.",
        "A text file as of GloVe, word2vec and fastText.",
    )
    pretrained: Any = declared(
        None,
        File("MODEL", model=True),
        _NETWORK,
        "Language model to begin with: a file that fit language wrote.",
        "Or a fitted LanguageModel. Its encoder, which reads in one direction, and its vocabulary, to which the words "
        "of these texts are added; the deeper a layer, the slower it learns, and the later it begins to (Howard & "
        "Ruder 2018).",
    )
    embedding_dropout: float | str = _dropout("Whole tokens.")
    input_dropout: float | str = _dropout("Features before the first layer, one mask per sequence.")
    between_dropout: float | str = _dropout("Features between layers, one mask per sequence.")
    output_dropout: float | str = _dropout("Features after the last layer, one mask per sequence.")
    weight_dropout: float = _dropout("Entries of the recurrent weights.", 0.0)
    recurrent_dropout: float = _dropout("Units of the hidden state.", 0.0)
    head_dropout: float | str = _dropout("What is pooled.")
    epochs: int | str = declared(
        "auto",
        Whole(auto=True),
        _TRAINING,
        "At most so many passes over the data.",
        '"auto": about 2,000 steps (1,500 for texts, 1,000 with convolutions).',
    )
    batch_size: int | str = declared("auto", Whole(auto=True), _TRAINING, "Samples per step.", '"auto": 16 to 64.')
    learning_rate: float | str = declared(
        "auto", Real(0, open=True, auto=True), _TRAINING, "Highest learning rate.", '"auto": 0.002.'
    )
    patience: int | None = declared(
        8,
        Whole(optional=True),
        _TRAINING,
        "Epochs without improvement before training stops.",
        "On the held-out samples.",
    )
    validation_fraction: float | str = declared(
        "auto",
        Real(0, below=1, auto=True),
        _TRAINING,
        "Share held out to decide when to stop.",
        'And to calibrate probabilities. "auto": 0.1; nothing below 1,000 samples (300 of numbers and with several '
        "labels each), or 10 of a class: training then takes a set number of steps, with averaged weights.",
    )
    refit: bool | str = declared(
        "auto", YesNo(), _TRAINING, "Train once more on all samples at the end.",
        'For as long as was best. "auto": below 2,000 samples.')  # fmt: skip


@dataclass(kw_only=True, eq=False, repr=False)
class Classifying(Regressing):
    """What a classifier is told."""

    label_smoothing: float = declared(
        0.0, Real(0, below=1), _TRAINING, "Share of a target that is spread over all classes.", "Szegedy et al. 2016."
    )
    class_weight: str | Mapping[Any, float] | None = declared(
        None, Weights(), _TRAINING, "Weights of the classes, for unbalanced ones.",
        '"balanced": samples / (classes · samples of the class). Probabilities are then those of a world in which '
        "classes are as common as the weights say.")  # fmt: skip
