"""The parameters of SequenceClassifier and SequenceRegressor as options of the command, and how files are read."""

from __future__ import annotations

import json
from typing import Any

import typer

from memorycell.cli.settings import CELLS, NEVER, TRAINING, Setting, number, one_of, whole, yes_or_no

_POOLINGS = ("last", "mean", "max", "attention")
_COLUMNS, _SEQUENCES, _NETWORK, _DROPOUT, _TRAINING = "Columns", "Sequences", "Network", "Dropout", "Training"


def column(text: str) -> str | int:
    """A column by its name, or by its place from 0 (negative: from the end)."""
    return int(text) if text.lstrip("-").isdigit() else text


def poolings(text: str) -> tuple[str, ...]:
    """Several poolings with commas between."""
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in _POOLINGS:
            raise typer.BadParameter(f"expected --pooling of {', '.join(_POOLINGS)}, got {name!r}")
    return names


def weights(text: str) -> Any:
    """balanced, or a JSON object of classes and their weights."""
    if text == "balanced":
        return text
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter(f'expected balanced, or weights such as {{"spam": 5, "ham": 1}}, got {text!r}')
    return found


# Further arguments of `read_labelled`, which go into the parameter `reading`.
READING = (
    Setting("id", _COLUMNS, column, "COLUMN", "Column of a sequence's name, where each row is one step."),
    Setting("time", _COLUMNS, column, "COLUMN", "Column that orders the steps of a sequence."),
    Setting("values", _COLUMNS, str, "COLUMN", "Column of numbers to read; may be repeated.", "all that are left",
            many=True, flag="--value"),
    Setting("channels", _COLUMNS, whole(), "N", "Columns side by side that make one step of a row.", "1"),
    Setting("delimiter", _COLUMNS, str, "TEXT", "What separates columns.", "found by itself"),
    Setting("encoding", _COLUMNS, str, "NAME", "Encoding of the file.", "utf-8"),
    Setting("header", _COLUMNS, None, "", "Whether the first line names the columns.", "found by itself",
            flag="--header/--no-header"),
)  # fmt: skip


def dropout(name: str, text: str, default: str = "auto") -> Setting:
    """The setting of one of the dropouts."""
    return Setting(name, _DROPOUT, number(*(("auto",) if default == "auto" else ())),
                   "P|auto" if default == "auto" else "P", text, default)  # fmt: skip


REGRESS = (
    Setting("text", _COLUMNS, column, "COLUMN", "Column of texts.", "found by itself"),
    Setting("target", _COLUMNS, column, "COLUMN", "Column of what is to be predicted.", "found by itself"),
    Setting("group", _COLUMNS, column, "COLUMN", "Column of groups that are held out whole: speakers, users."),
    Setting("kind", _SEQUENCES, one_of("auto", "text", "numbers", "symbols"), "auto|text|numbers|symbols",
            "What sequences are made of; symbols: DNA and the like.", "auto"),
    Setting("unit", _SEQUENCES, one_of("word", "character", "subword", "whitespace"),
            "word|character|subword|whitespace", "What texts are split into.", "word"),
    Setting("vocabulary_size", _SEQUENCES, whole(), "N", "Most tokens of the vocabulary."),
    Setting("min_count", _SEQUENCES, whole("auto"), "N|auto", "Rarer tokens are unknown ones.", "auto"),
    Setting("lowercase", _SEQUENCES, None, "", "Texts in lower case.", "on", flag="--lowercase/--keep-case"),
    Setting("separator", _SEQUENCES, str, "TEXT", "Between symbols given as text; else each character is one."),
    Setting("max_length", _SEQUENCES, whole("auto", NEVER), "N|auto|none", "Steps that are read of a sequence.",
            "auto"),
    Setting("embedding_size", _NETWORK, whole("auto"), "N|auto", "Numbers that a token becomes.", "auto"),
    Setting("hidden_size", _NETWORK, whole("auto"), "N|auto", "Units a layer and direction.", "auto"),
    Setting("num_layers", _NETWORK, whole(), "N", "Recurrent layers on top of each other.", "1"),
    Setting("cell", _NETWORK, one_of(*CELLS), "|".join(CELLS), "Kind of cell.", "LSTM"),
    Setting("bidirectional", _NETWORK, yes_or_no("auto"), "yes|no|auto", "Read in both directions.", "auto"),
    Setting("pooling", _NETWORK, poolings, "NAME,NAME,…", "What is made of all steps: last, mean, max, attention.",
            "last,mean,max,attention"),
    Setting("convolution", _NETWORK, yes_or_no("auto"), "yes|no|auto",
            "Convolutions beside the recurrent layers (LSTM-FCN).", "auto"),
    Setting("n_grams", _NETWORK, whole("auto"), "N|auto",
            "Longest n-gram that a linear model beside the network weighs; 0: none.", "auto"),
    Setting("causal", _NETWORK, None, "", "No look ahead: can be served step by step.", "off",
            flag="--causal/--not-causal"),
    Setting("layer_norm", _NETWORK, None, "", "Layer normalisation within the cells.", "off",
            flag="--layer-norm/--no-layer-norm"),
    Setting("word_vectors", _NETWORK, str, "FILE", "Pre-trained word vectors, a word and its numbers a line."),
    Setting("pretrained", _NETWORK, str, "MODEL", "Language model to begin with: a file that fit language wrote."),
    dropout("embedding_dropout", "Whole tokens."),
    dropout("input_dropout", "Features before the first layer."),
    dropout("between_dropout", "Features between layers."),
    dropout("output_dropout", "Features after the last layer."),
    dropout("weight_dropout", "Entries of the recurrent weights.", "0"),
    dropout("recurrent_dropout", "Units of the hidden state.", "0"),
    dropout("head_dropout", "What is pooled."),
    Setting("epochs", _TRAINING, whole("auto"), "N|auto", "At most so many passes over the data.", "auto"),
    Setting("batch_size", _TRAINING, whole("auto"), "N|auto", "Samples a step.", "auto"),
    Setting("learning_rate", _TRAINING, number("auto"), "X|auto", "Highest learning rate.", "auto"),
    Setting("patience", _TRAINING, whole(NEVER), "N|none", "Epochs without improvement before training stops.", "8"),
    Setting("validation_fraction", _TRAINING, number("auto"), "X|auto", "Share held out to decide when to stop.",
            "auto"),
    Setting("refit", _TRAINING, yes_or_no("auto"), "yes|no|auto", "Train once more on all samples at the end.",
            "auto"),
    *TRAINING,
)  # fmt: skip

CLASSIFY = (
    *REGRESS,
    Setting("label_smoothing", _TRAINING, number(), "X", "Share of a target that is spread over all classes.", "0"),
    Setting("class_weight", _TRAINING, weights, "balanced|JSON", "Weights of the classes, for unbalanced ones."),
)  # fmt: skip
