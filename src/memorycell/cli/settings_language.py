"""The LanguageModel's parameters as options of the command."""

from __future__ import annotations

from typing import Any

from memorycell.cli.settings import CELLS, NEVER, TRAINING, Setting, number, one_of, or_none, whole, yes_or_no
from memorycell.cli.settings_tagging import sizes

_TEXT, _NETWORK, _TRAINING = "Text", "Network", "Training"


def layer_sizes(text: str) -> Any:
    """auto, or the sizes of the layers with commas between."""
    found = sizes(text)
    return (found,) if isinstance(found, int) else found


LANGUAGE = (
    Setting("unit", _TEXT, one_of("word", "character", "subword", "whitespace"),
            "word|character|subword|whitespace", "What a token is; whitespace: texts that are already split.", "word"),
    Setting("size", _TEXT, whole(), "N", "Most tokens of the vocabulary."),
    Setting("min_count", _TEXT, whole("auto"), "N|auto", "Rarer tokens are unknown ones.", "auto"),
    Setting("lowercase", _TEXT, None, "", "Read the text in lower case.", "off", flag="--lowercase/--keep-case"),
    Setting("normalization", _TEXT, or_none(one_of("NFC", "NFKC")), "NFC|NFKC|none", "Unicode normalisation.", "NFC"),
    Setting("hidden_sizes", _NETWORK, layer_sizes, "N,…|auto", "Units of each layer.", "auto"),
    Setting("embedding_size", _NETWORK, whole("auto"), "N|auto", "Numbers that a token becomes.", "auto"),
    Setting("cell", _NETWORK, one_of(*CELLS), "|".join(CELLS), "Kind of cell.", "LSTM"),
    Setting("tied", _NETWORK, yes_or_no("auto"), "yes|no|auto", "Score with the embedding itself.", "auto"),
    Setting("softmax", _NETWORK, one_of("auto", "full", "adaptive"), "auto|full|adaptive",
            "Adaptive: in clusters, for large vocabularies; it cannot be tied.", "auto"),
    Setting("dropout", _NETWORK, number("auto"), "P|auto", "Strength of all dropouts.", "auto"),
    Setting("alpha", _NETWORK, number("auto"), "X|auto", "Activation regularisation.", "auto"),
    Setting("beta", _NETWORK, number("auto"), "X|auto", "Temporal activation regularisation.", "auto"),
    Setting("epochs", _TRAINING, whole("auto"), "N|auto", "At most so many passes over the text.", "auto"),
    Setting("batch_size", _TRAINING, whole("auto"), "N|auto", "Stretches of the text read side by side.", "auto"),
    Setting("bptt", _TRAINING, whole("auto"), "N|auto", "Steps that gradients travel back.", "auto"),
    Setting("optimizer", _TRAINING, one_of(
                "asgd", "adamw", "adam", "sgd", "rmsprop", "nadam", "radam", "adagrad"
            ), "NAME", "asgd, adamw, adam, sgd, …", "adamw"),
    Setting("learning_rate", _TRAINING, number("auto"), "X|auto", "Highest learning rate.", "auto"),
    Setting("patience", _TRAINING, whole(NEVER), "N|none", "Epochs without improvement before training stops.", "10"),
    Setting("validation_fraction", _TRAINING, number(), "X", "Share of the text, from its end, held out.", "0.05"),
    *TRAINING,
)  # fmt: skip
