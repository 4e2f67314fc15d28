"""The Tagger's parameters as options of the command."""

from __future__ import annotations

import typer

from memorycell.cli.settings import CELLS, NEVER, TRAINING, Setting, number, one_of, whole, yes_or_no
from memorycell.cli.settings_sequences import column, dropout

_COLUMNS, _NETWORK, _DROPOUT, _TRAINING = "Columns", "Network", "Dropout", "Training"


def sizes(text: str) -> int | str | tuple[int, ...]:
    """auto, a size, or the sizes of several layers with commas between."""
    if text == "auto":
        return text
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"expected auto, or whole numbers such as 200 or 400,400, got {text!r}") from None
    return found if len(found) > 1 else found[0]


TAG = (
    Setting("word", _COLUMNS, column, "COLUMN", "Column of the words.", "found by itself"),
    Setting("tag", _COLUMNS, column, "COLUMN", "Column of the labels.", "found by itself"),
    Setting("crf", _NETWORK, yes_or_no("auto"), "yes|no|auto",
            "A conditional random field on top; auto: where labels are BIO or BIOES.", "auto"),
    Setting("hidden_sizes", _NETWORK, sizes, "N,…|auto", "Units of each layer and direction.", "auto"),
    Setting("cell", _NETWORK, one_of(*CELLS), "|".join(CELLS), "Kind of cell.", "LSTM"),
    Setting("embedding_size", _NETWORK, whole(), "N", "Numbers that a word becomes.", "100"),
    Setting("characters", _NETWORK, None, "", "Read the spelling of words.", "on",
            flag="--characters/--no-characters"),
    Setting("character_size", _NETWORK, whole(), "N", "Numbers that a character becomes.", "32"),
    Setting("character_hidden", _NETWORK, whole(), "N", "Units that read the spelling, in each direction.", "64"),
    Setting("min_count", _NETWORK, whole(), "N", "Rarer words are known by their spelling alone.", "2"),
    Setting("lowercase", _NETWORK, None, "", "Look words up in lower case.", "on", flag="--lowercase/--keep-case"),
    Setting("causal", _NETWORK, None, "", "No look ahead: can be served step by step.", "off",
            flag="--causal/--not-causal"),
    Setting("pretrained", _NETWORK, str, "MODEL", "Language model to begin with: a file that fit language wrote."),
    dropout("dropout", "Before, between and after the layers."),
    dropout("recurrent_dropout", "Units of the hidden state.", "0"),
    dropout("spelling_dropout", "Characters' features.", "0.1"),
    dropout("word_dropout", "Words read as unknown.", "0.05"),
    Setting("epochs", _TRAINING, whole("auto"), "N|auto", "At most so many passes over the data.", "auto"),
    Setting("batch_size", _TRAINING, whole("auto"), "N|auto", "Sequences a step.", "auto"),
    Setting("learning_rate", _TRAINING, number("auto"), "X|auto", "Highest learning rate.", "auto"),
    Setting("patience", _TRAINING, whole(NEVER), "N|none", "Epochs without improvement before training stops.", "4"),
    Setting("validation_fraction", _TRAINING, number(), "X", "Share held out to decide when to stop.", "0.1"),
    *TRAINING,
)  # fmt: skip
