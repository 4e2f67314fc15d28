"""The parameters of LanguageModel. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from memorycell.jobs.parameters import declared
from memorycell.jobs.values import AUTO, Name, OneOf, Real, Sizes, Switch, Value, Whole, YesNo

CELLS = ("LSTM", "GRU", "RNN")
UNITS = ("word", "character", "subword", "whitespace")
DROPOUTS = ("embedding", "input", "between", "output", "weight")
OPTIMIZERS = ("asgd", "adamw", "adam", "sgd", "rmsprop", "nadam", "radam", "adagrad")
_SHARE = Real(0, below=1)
_TEXT, _NETWORK, _TRAINING = "Text", "Network", "Training"


class Dropouts(Value):
    """Strength of all dropouts, or of each by its place; or "auto".

    Example
    -------
    >>> Dropouts().parse("0.3"), Dropouts().parse("input=0.4,weight=0.5")
    (0.3, {'input': 0.4, 'weight': 0.5})
    """

    shape = "P|PLACE=P,…|auto"

    def check(self, name: str, value: Any) -> None:
        if isinstance(value, str) and value == AUTO:
            return
        if not isinstance(value, Mapping):
            Real(0, below=1, auto=True).check(name, value)
            return
        wrong = next((place for place in value if place not in DROPOUTS), None)
        if wrong is not None:
            raise ValueError(f"expected {name} for {', '.join(DROPOUTS)}, got one for {wrong!r}")
        for place, strength in value.items():
            _SHARE.check(f"{name} of {place}", strength)

    def parse(self, text: str) -> Any:
        if "=" not in text:
            return Real(0, below=1, auto=True).parse(text)
        parts = [part.partition("=") for part in text.split(",")]
        return {place.strip(): _SHARE.parse(strength) for place, _, strength in parts}

    def said(self, value: Any) -> str:
        if isinstance(value, Mapping):
            return ",".join(f"{place}={strength:g}" for place, strength in value.items())
        return super().said(value)


@dataclass(eq=False, repr=False)
class Modelling:
    """What a language model is told."""

    unit: str = declared(
        "word", OneOf(*UNITS), _TEXT, "What a token is; whitespace: texts that are already split.", "See `TextCodec`."
    )
    _: KW_ONLY
    vocabulary_size: int | None = declared(
        None, Whole(optional=True), _TEXT, "Most tokens of the vocabulary.", "None: all; of subwords 8,000."
    )
    min_count: int | str = declared(
        "auto", Whole(auto=True), _TEXT, "Rarer tokens are unknown ones.",
        'Counted in the training text. "auto": 2 for words, 1 for the rest.',
    )  # fmt: skip
    encoding: str = declared("utf-8", Name("NAME", optional=False), _TEXT, "Encoding of files: utf-8, cp1252, …")
    lowercase: bool = declared(False, Switch(), _TEXT, "Read the text in lower case.", flag="--lowercase/--keep-case")
    normalization: str | None = declared(
        "NFC", OneOf("NFC", "NFKC", optional=True), _TEXT, "Unicode normalisation.", "None: the text as it is."
    )
    hidden_size: int | Sequence[int] | str = declared(
        "auto", Sizes(), _NETWORK, "Units per layer.",
        '"auto": by the length of the training text, from 128 to 650, in one to three layers.',
    )  # fmt: skip
    num_layers: int | str = declared(
        "auto", Whole(auto=True), _NETWORK, "Recurrent layers on top of each other.",
        '"auto": as many as `hidden_size` says, or as go with the length of the text.',
    )  # fmt: skip
    embedding_size: int | str = declared(
        "auto", Whole(auto=True), _NETWORK, "Numbers that a token becomes.",
        '"auto": of a tied network as wide as the last layer, else at most 128.',
    )  # fmt: skip
    cell: str = declared("LSTM", OneOf(*CELLS), _NETWORK, "Kind of cell.")
    tied: bool | str = declared(
        "auto", YesNo(), _NETWORK, "Score with the embedding itself.",
        'The last layer is then as wide as it (Press & Wolf 2017). "auto": for words, unless the softmax is adaptive.',
    )  # fmt: skip
    softmax: str = declared(
        "auto", OneOf("auto", "full", "adaptive"), _NETWORK,
        "Adaptive: in clusters, for large vocabularies; it cannot be tied.",
        'Grave et al. 2017. "auto": adaptive for more than 50,000 tokens.',
    )  # fmt: skip
    precision: str = declared(
        "float32", OneOf("float32", "bfloat16"), _NETWORK, "Of the softmax's products in training.",
        '"bfloat16" saves half their time on processors that multiply it.',
    )  # fmt: skip
    dropout: float | Mapping[str, float] | str = declared(
        "auto", Dropouts(), _NETWORK, "Strength of all dropouts, or of each by its place.",
        "Places are embedding, input, between, output and weight, as in the AWD-LSTM (Merity et al. 2017); those that "
        'are not named have none. "auto": the stronger the more often the text is read.',
    )  # fmt: skip
    alpha: float | str = declared(
        "auto", Real(0, auto=True), _NETWORK, "Activation regularisation.", "Merity, McCann & Socher 2017."
    )
    beta: float | str = declared(
        "auto", Real(0, auto=True), _NETWORK, "Temporal activation regularisation.", "As `alpha`."
    )
    epochs: int | str = declared(
        "auto", Whole(auto=True), _TRAINING, "At most so many passes over the text.",
        '"auto": about 15 million tokens in all, 2 to 40 epochs.',
    )  # fmt: skip
    batch_size: int | str = declared(
        "auto", Whole(auto=True), _TRAINING, "Stretches of the text read side by side.", '"auto": up to 32.'
    )
    bptt: int | str = declared(
        "auto", Whole(auto=True), _TRAINING, "Steps that gradients travel back.",
        'Chunks vary in length about it. "auto": 35 words, else 64.',
    )  # fmt: skip
    optimizer: str = declared(
        "adamw", OneOf(*OPTIMIZERS), _TRAINING, "What descends: asgd, adamw, adam, sgd, …",
        '"asgd" is gradient descent that is averaged once validation no longer improves (NT-ASGD, Merity et al. 2017, '
        "algorithm 1); the others are those of `TrainingOptions`.",
    )  # fmt: skip
    learning_rate: float | str = declared(
        "auto", Real(0, open=True, auto=True), _TRAINING, "Highest learning rate.", '"auto": 0.003, of asgd 30.'
    )
    patience: int | None = declared(
        10, Whole(optional=True), _TRAINING, "Epochs without improvement before training stops.",
        "On the held-out text. None: all epochs are trained, and the best of them kept.",
    )  # fmt: skip
    validation_fraction: float = declared(
        0.05, Real(0, below=1), _TRAINING, "Share of the text, from its end, that decides when to stop.",
        "Nothing is trained on it, and there is no second training with it. 0: none, all epochs are trained.",
    )  # fmt: skip
