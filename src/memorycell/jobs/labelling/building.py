"""How a classifier or regressor of sequences is set up: its choices made, its codec fitted, its network built."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from memorycell.data.signals.sequence_codec import SequenceCodec
from memorycell.data.text.word_vectors import read_word_vectors, vector_size
from memorycell.jobs import transfer
from memorycell.jobs.labelling import plan as sequence_plan
from memorycell.jobs.labelling.network import SequenceToOne
from memorycell.jobs.labelling.reading import KINDS, SequenceInput
from memorycell.training import TrainingOptions

if TYPE_CHECKING:
    from memorycell.data.labels.labelled import Labelled
    from memorycell.jobs.labelling.estimator import SequenceEstimator

# What "auto" stands for, by the kind of the sequences.
_AUTO: dict[str, dict[str, Any]] = {
    "text": {
        "embedding_size": 100, "hidden_size": 128, "learning_rate": 2e-3, "embedding_dropout": 0.1,
        "input_dropout": 0.4, "between_dropout": 0.3, "output_dropout": 0.3, "head_dropout": 0.4,
    },
    "symbols": {
        "embedding_size": 16, "hidden_size": 96, "learning_rate": 2e-3, "embedding_dropout": 0.0,
        "input_dropout": 0.0, "between_dropout": 0.2, "output_dropout": 0.3, "head_dropout": 0.4,
    },
    "numbers": {
        "embedding_size": 0, "hidden_size": 64, "learning_rate": 2e-3, "embedding_dropout": 0.0,
        "input_dropout": 0.0, "between_dropout": 0.2, "output_dropout": 0.2, "head_dropout": 0.3,
    },
}  # fmt: skip
# From so many numbers a step on, whole channels can be left out in training, and there are no convolutions: on the
# joints of UTD-MHAD the two together, with label smoothing, had an accuracy of 0.87 against 0.83.
_WIDE = 16
_AUTO_WIDE = {"hidden_size": 128, "input_dropout": 0.4, "output_dropout": 0.4, "head_dropout": 0.5}
_DROPOUTS = (
    "embedding_dropout", "input_dropout", "between_dropout", "output_dropout", "weight_dropout", "recurrent_dropout",
    "head_dropout",
)  # fmt: skip
_N_GRAMS = 2  # words and pairs of words
_AVERAGE = 0.99


class Source(NamedTuple):
    """Samples as they were given or read; see `memorycell.data.labels.labelled.Labelled`."""

    x: Any
    y: Any
    groups: Any = None
    notes: Any = ()
    columns: Any = None


def read_source(
    model: SequenceEstimator, source: Any, *, labels: Any, target: Any = None, group: Any = None
) -> Labelled:
    """A file or frame as `read_labelled` reads it: the way the training's was, where that was one, too."""
    # Only files and named columns need what reads them.
    from memorycell.data.labels.labelled import read_labelled

    own = {"text": model.text, "target": model.target, **(model.reading or {})}
    columns = {**own, **vars(model).get("columns_", {}), "group": group}
    if target is not None:
        columns["target"] = target
    return read_labelled(os.fspath(source) if isinstance(source, os.PathLike) else source, labels=labels, **columns)


def from_source(model: SequenceEstimator, X: Any, y: Any = None, labelled: bool = False) -> Source:
    """X with y out of a file or a frame with named columns; whatever else X is stays as it is.

    labelled : whether y is wanted
    """
    path = isinstance(X, str | os.PathLike)
    table = hasattr(X, "columns") or hasattr(X, "column_names") or isinstance(X, dict)
    named = isinstance(y, str) or (y is None and (model.text is not None or model.target is not None))
    if not path and not (table and named):
        return Source(X, y)
    wanted = labelled and (y is None or isinstance(y, str))
    data = read_source(
        model, X, labels="sequence" if wanted else "none", target=y if isinstance(y, str) else None,
        group=model.group if labelled else None,
    )  # fmt: skip
    return Source(data.x, data.y if wanted else y, data.groups, data.notes, data.columns)


def choose(model: SequenceEstimator, given: SequenceInput, samples: int) -> dict[str, Any]:
    """What the parameters stand for where they say "auto"."""
    wide = given.kind == "numbers" and (given.features or 1) >= _WIDE
    auto = {**_AUTO[given.kind], **(_AUTO_WIDE if wide else {})}
    plan: dict[str, Any] = {"kind": given.kind}
    for name, value in auto.items():
        plan[name] = value if getattr(model, name) == "auto" else getattr(model, name)
    plan["bidirectional"] = not model.causal if model.bidirectional == "auto" else model.bidirectional
    plan["convolution"] = model.convolution
    if model.convolution == "auto":
        plan["convolution"] = given.kind == "numbers" and not wide and (given.steps is None or given.steps >= 8)
        if plan["convolution"]:
            model._note("convolution", "Numbers: a convolutional front stands beside the recurrent layers (LSTM-FCN).")
    plan["n_grams"] = model.n_grams
    if model.n_grams == "auto":
        plan["n_grams"] = _N_GRAMS if given.kind != "numbers" else 0
    # Symbols of one length, such as the bases around a site: places mean something.
    plan["aligned"] = given.kind == "symbols" and len({len(each) for each in given.sequences}) == 1
    plan["max_length"] = model.max_length
    if model.max_length == "auto":
        plan["max_length"] = sequence_plan.LONGEST_TEXT if given.kind == "text" else sequence_plan.LONGEST_OTHER
    plan["min_count"] = (2 if samples >= 1000 else 1) if model.min_count == "auto" else model.min_count
    if model.pretrained is not None:
        plan |= _pretrained_sizes(model, given.kind)
    elif model.word_vectors is not None:
        plan["embedding_size"] = _word_vector_size(model, given.kind)
    return plan


def _pretrained_sizes(model: SequenceEstimator, kind: str) -> dict[str, Any]:
    """What a language model that the encoder comes from decides."""
    if kind != "text":
        raise ValueError(f"expected texts with pretrained=, as a language model reads them, got {kind}")
    if model.bidirectional is True:
        raise ValueError("expected bidirectional=False with pretrained=: a language model reads in one direction")
    if model.word_vectors is not None:
        raise ValueError("expected word_vectors= or pretrained=, got both: a language model has vectors of its own")
    config = transfer.language_model(model.pretrained).network_.encoder.config()
    return {
        "embedding_size": config["embedding_size"],
        "hidden_size": config["hidden_sizes"][-1],
        "hidden_sizes": config["hidden_sizes"],
        "bidirectional": False,
        # The head's; the layers below learn at lower ones.
        "learning_rate": 5e-3 if model.learning_rate == "auto" else model.learning_rate,
    }


def fit_codec(model: SequenceEstimator, given: SequenceInput, plan: dict[str, Any]) -> Any:
    """What makes tensors of the sequences, learned from these."""
    if given.kind == "numbers":
        return SequenceCodec().fit(given.sequences)
    if given.kind == "symbols":
        from memorycell.data.symbols.symbol_codec import SymbolCodec

        return SymbolCodec(separator=model.separator).fit(given.sequences)
    if model.pretrained is not None:
        codec, note = transfer.codec(transfer.language_model(model.pretrained), given.sequences, plan["min_count"])
        model.notes_ = [*(entry for entry in model.notes_ if entry["kind"] != note["kind"]), note]
        return codec
    from memorycell.data.text.text_codec import TextCodec

    codec = TextCodec(model.unit, size=model.vocabulary_size, min_count=plan["min_count"], lowercase=model.lowercase)
    return codec.fit(given.sequences)


def build(model: SequenceEstimator, codec: Any, head: dict[str, Any], plan: dict[str, Any]) -> SequenceToOne:
    """The network, its weights drawn anew but for those that come from elsewhere."""
    numbers = plan["kind"] == "numbers"
    encoder = None
    if model.pretrained is not None:
        dropouts = {name: plan.get(name, getattr(model, name)) for name in _DROPOUTS if name != "head_dropout"}
        encoder = transfer.encoder(transfer.language_model(model.pretrained), codec.size, **dropouts)
    network = SequenceToOne(
        vocabulary=None if numbers else codec.size,
        features=codec.features_ if numbers else None,
        embedding_size=plan["embedding_size"] or 1,
        hidden_sizes=(plan["hidden_size"],) * model.num_layers,
        cell=model.cell,
        bidirectional=plan["bidirectional"],
        pooling=(model.pooling,) if isinstance(model.pooling, str) else tuple(model.pooling),
        convolution=plan["convolution"],
        n_grams=plan["n_grams"],
        aligned=plan["aligned"],
        causal=model.causal,
        head_dropout=plan["head_dropout"],
        embedding_dropout=plan["embedding_dropout"],
        input_dropout=plan["input_dropout"],
        between_dropout=plan["between_dropout"],
        output_dropout=plan["output_dropout"],
        weight_dropout=model.weight_dropout,
        recurrent_dropout=model.recurrent_dropout,
        layer_norm=model.layer_norm,
        encoder=encoder,
        **head,
    )
    if model.word_vectors is not None:
        _take_word_vectors(model, network, codec)
    return network


def _word_vector_size(model: SequenceEstimator, kind: str) -> int:
    """The embedding size that the word vectors have; ValueError where they cannot be used."""
    if kind != "text" or model.unit not in ("word", "whitespace"):
        raise ValueError(f'expected texts and unit="word" with word_vectors=, got {kind} and unit={model.unit!r}')
    size = vector_size(model.word_vectors)
    if model.embedding_size not in ("auto", size):
        raise ValueError(
            f"expected word vectors of {model.embedding_size} numbers (embedding_size), got {size}: "
            'leave embedding_size="auto"'
        )
    return size


def _take_word_vectors(model: SequenceEstimator, network: SequenceToOne, codec: Any) -> None:
    """Begin with the file's vectors, scaled to the spread that drawn ones have; the others stay as they were drawn."""
    matrix, there = read_word_vectors(model.word_vectors, codec.vocabulary)
    vectors, found = torch.from_numpy(matrix), torch.from_numpy(there)
    weight = network.encoder.layer_groups()[0][0]
    spread = float(vectors[found].std()) if int(found.sum()) > 1 else 0.0
    with torch.no_grad():
        if spread > 0:
            weight[found] = vectors[found] / spread
    model.notes_ = [entry for entry in model.notes_ if entry["kind"] != "vectors"]
    model._note(
        "vectors", f"{int(found.sum()):,} of {codec.size - 3:,} words begin with vectors of {model.word_vectors}."
    )


def training(
    model: SequenceEstimator, network: SequenceToOne, plan: dict[str, Any], epochs: int, watched: bool
) -> tuple[TrainingOptions, dict[str, Any]]:
    """The options of a training, and what else `train` is told."""
    fields: dict[str, Any] = {"schedule": transfer.SCHEDULE} if model.pretrained is not None else {}
    options = model._options(
        epochs=epochs,
        learning_rate=plan["learning_rate"],
        patience=model.patience if watched else None,
        average=_AVERAGE,
        **fields,
    )
    return options, {"groups": transfer.groups(network, options.epochs)} if fields else {}


def check_parameters(model: SequenceEstimator) -> None:
    """Raise ValueError or TypeError for a parameter out of its range."""
    if model.kind not in KINDS:
        raise ValueError(f"expected kind to be {', '.join(KINDS)}, got {model.kind!r}")
    for name in ("hidden_size", "embedding_size", "epochs", "batch_size", "max_length", "min_count"):
        optional = name == "max_length"
        _count(name, getattr(model, name), auto=True, optional=optional)
    _count("num_layers", model.num_layers)
    _count("patience", model.patience, optional=True)
    _count("vocabulary_size", model.vocabulary_size, optional=True)
    for name in _DROPOUTS:
        value = getattr(model, name)
        if value != "auto" and not (_is_number(value) and 0 <= value < 1):
            raise ValueError(f"expected {name} to be at least 0 and under 1, got {value!r}")
    fraction: Any = model.validation_fraction
    if fraction != "auto" and not (_is_number(fraction) and 0 <= fraction < 1):
        raise ValueError(f'expected validation_fraction to be at least 0 and under 1, or "auto", got {fraction!r}')
    rate: Any = model.learning_rate
    if rate != "auto" and not (_is_number(rate) and 0 < rate < np.inf):
        raise ValueError(f'expected learning_rate to be a number above 0 or "auto", got {rate!r}')
    for name in ("bidirectional", "convolution", "refit"):
        if getattr(model, name) not in (True, False, "auto"):
            raise ValueError(f'expected {name} to be True, False or "auto", got {getattr(model, name)!r}')
    if model.causal and model.bidirectional is True:
        raise ValueError("expected bidirectional=False with causal=True: the backward direction looks ahead")
    if not isinstance(model.pooling, str | Sequence):
        raise TypeError(f"expected pooling to be a name or names, got {model.pooling!r}")


def check_loaded(model: SequenceEstimator) -> None:
    """Raise ValueError where what a model file says does not fit together."""
    check_parameters(model)
    known: Any = model.input_
    if not isinstance(known, dict) or set(known) != {"kind", "steps", "features", "names"}:
        raise ValueError("expected a record of the sequences that were read, got another")
    codecs = {"numbers": "SequenceCodec", "text": "TextCodec", "symbols": "SymbolCodec"}
    if known["kind"] not in codecs or type(model.codec_).__name__ != codecs[known["kind"]]:
        raise ValueError(f"expected a codec of text, numbers or symbols, got {known['kind']!r:.40}")
    for name in ("steps", "features"):
        _count(name, known[name], optional=True)
    names = known["names"]
    if names is not None and not (isinstance(names, list) and all(isinstance(each, str) for each in names)):
        raise ValueError("expected the names of columns, got others")
    encoder, numbers = model.network_.encoder, known["kind"] == "numbers"
    if (encoder.features if numbers else encoder.vocabulary) != (
        model.codec_.features_ if numbers else model.codec_.size
    ):
        raise ValueError("expected a codec of as many numbers or symbols as the network reads, got others")
    if numbers and known["features"] != model.codec_.channels_:
        raise ValueError("expected as many features as the codec reads, got others")
    if not isinstance(model.plan_, dict):
        raise ValueError("expected a plan of what was chosen, got none")
    _count("max_length", model.plan_.get("max_length"), optional=True)
    _count("n_threads_", model.n_threads_)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _count(name: str, value: Any, auto: bool = False, optional: bool = False) -> None:
    if (auto and isinstance(value, str) and value == "auto") or (optional and value is None):
        return
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        extra = (' or "auto"' if auto else "") + (" or None" if optional else "")
        raise ValueError(f"expected {name} to be a whole number of at least 1{extra}, got {value!r}")
