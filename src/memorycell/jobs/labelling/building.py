"""The codec and the network of a classifier or regressor of sequences, and how they are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from memorycell.data.forms import FLAT, SIZE, field, fitting, mapping, optional
from memorycell.data.signals.sequence_codec import SequenceCodec
from memorycell.data.text.word_vectors import read_word_vectors
from memorycell.jobs import transfer
from memorycell.jobs.labelling.network import SequenceToOne
from memorycell.jobs.plan import layer_sizes
from memorycell.jobs.values import Whole
from memorycell.training import TrainingOptions

if TYPE_CHECKING:
    from memorycell.jobs.labelling.reading import SequenceInput

_DROPOUTS = (
    "embedding_dropout", "input_dropout", "between_dropout", "output_dropout", "weight_dropout", "recurrent_dropout",
    "head_dropout",
)  # fmt: skip
_AVERAGE = 0.99


def fit_codec(model: Any, given: SequenceInput) -> Any:
    """What makes tensors of the sequences, learned from these."""
    if given.kind == "numbers":
        return SequenceCodec().fit(given.sequences)
    if given.kind == "symbols":
        from memorycell.data.symbols.symbol_codec import SymbolCodec

        return SymbolCodec(separator=model.separator).fit(given.sequences)
    if model.pretrained is not None:
        codec, note = transfer.codec(
            transfer.language_model(model.pretrained), given.sequences, model.plan_["min_count"]
        )
        model.notes_ = [*(entry for entry in model.notes_ if entry["kind"] != note["kind"]), note]
        return codec
    from memorycell.data.text.text_codec import TextCodec

    codec = TextCodec(
        model.unit, size=model.vocabulary_size, min_count=model.plan_["min_count"], lowercase=model.lowercase
    )
    return codec.fit(given.sequences)


def build(model: Any, codec: Any, head: dict[str, Any]) -> SequenceToOne:
    """The network, its weights drawn anew but for those that come from elsewhere."""
    plan = model.plan_
    numbers = plan["kind"] == "numbers"
    encoder = None
    if model.pretrained is not None:
        dropouts = {name: plan.get(name, getattr(model, name)) for name in _DROPOUTS if name != "head_dropout"}
        encoder = transfer.encoder(transfer.language_model(model.pretrained), codec.size, **dropouts)
    network = SequenceToOne(
        vocabulary=None if numbers else codec.size,
        features=codec.features_ if numbers else None,
        embedding_size=plan["embedding_size"] or 1,
        hidden_sizes=layer_sizes(plan["hidden_size"], model.num_layers) or (),
        cell=model.cell,
        bidirectional=plan["bidirectional"],
        pooling=(model.pooling,) if isinstance(model.pooling, str) else tuple(model.pooling),
        convolution=plan["convolution"],
        n_grams=plan["n_grams"],
        aligned=plan["aligned"],
        n_gram_rank=plan.get("n_gram_rank"),
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


def _take_word_vectors(model: Any, network: SequenceToOne, codec: Any) -> None:
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


def training(model: Any, network: SequenceToOne, epochs: int, watched: bool) -> tuple[TrainingOptions, dict[str, Any]]:
    """The options of a training, and what else `train` is told."""
    fields: dict[str, Any] = {"schedule": transfer.SCHEDULE} if model.pretrained is not None else {}
    options = model._options(
        epochs=epochs,
        learning_rate=model.plan_["learning_rate"],
        patience=model.patience if watched else None,
        average=_AVERAGE,
        **fields,
    )
    return options, {"groups": transfer.groups(network, options.epochs)} if fields else {}


def check_loaded(model: Any) -> None:
    """Raise ValueError where what a model file says does not fit together."""
    known: Any = model.input_
    if not isinstance(known, dict) or set(known) != {"kind", "steps", "features", "names"}:
        raise ValueError("expected a record of the sequences that were read, got another")
    codecs = {"numbers": "SequenceCodec", "text": "TextCodec", "symbols": "SymbolCodec"}
    if known["kind"] not in codecs or type(model.codec_).__name__ != codecs[known["kind"]]:
        raise ValueError(f"expected a codec of text, numbers or symbols, got {known['kind']!r:.40}")
    for name in ("steps", "features"):
        Whole(optional=True).check(name, known[name])
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
    field(model.plan_.values(), "max_length", optional(SIZE), "the plan")
    fitting(model.columns_, mapping({}, "the names of columns", others=FLAT), "columns_")
