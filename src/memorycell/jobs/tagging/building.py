"""The network of a tagger: what "auto" becomes, and what a pre-trained language model gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from memorycell.data.labels.label_schemes import may_follow, span_scheme
from memorycell.data.signals.sequence_codec import SequenceCodec
from memorycell.data.text.tagged import SPECIALS, WordCodec
from memorycell.jobs import transfer
from memorycell.jobs.tagging.network import TaggingNetwork
from memorycell.training import TrainingOptions

if TYPE_CHECKING:
    from memorycell.jobs.tagging.task import Tagger

# Optimiser steps that a training takes at least and epochs at most, where epochs="auto".
_STEPS, _EPOCHS = 1_000, (8, 60)
# Decay of the weights' moving average, where a training takes that many steps.
_AVERAGE, _MANY = 0.998, 2_000
_LARGEST_BATCH = 16_384  # steps, padding included


def choose(tagger: Tagger, kind: str, part: Sequence[Any], labels: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """The choices left to "auto", all plain JSON, for training sequences `part`.

    `labels` are those of training and validation.
    """
    samples = len(part)
    words = kind == "words"
    hidden = tagger.hidden_sizes if tagger.hidden_sizes != "auto" else ((200,) if words else (128,))
    batch = (
        min(32, max(1, samples // 8), rows_at_once(part)) if isinstance(tagger.batch_size, str) else tagger.batch_size
    )
    epochs = min(_EPOCHS[1], max(_EPOCHS[0], -(-_STEPS * batch // samples)))
    epochs = epochs if isinstance(tagger.epochs, str) else tagger.epochs
    names = [str(label) for label in tagger.label_codec_.classes_.tolist()]
    scheme = span_scheme(names)
    crf = (scheme is not None and not tagger.causal) if tagger.crf == "auto" else bool(tagger.crf)
    broken = None
    if crf and scheme is not None:
        known = set(names)  # sequences with labels that training has not seen are left out of its loss as well
        broken = first_breach([row if known.issuperset(row) else () for row in labels], scheme)
    if broken is not None:
        row, step, first, second = broken
        tagger._note(
            "labels",
            f"Labels do not keep to {scheme} ({second!r} follows {first!r} in sequence {row}, step {step}): "
            "the tagger may predict such orders too.",
        )
    return {
        "causal": tagger.causal,
        "scheme": scheme,
        "crf": crf,
        "constrained": crf and scheme is not None and broken is None,
        "characters": words and bool(tagger.characters),
        "hidden_sizes": [hidden] if isinstance(hidden, int) else list(hidden),
        "dropout": (0.3 if words else 0.2) if tagger.dropout == "auto" else tagger.dropout,
        "batch_size": batch,
        "epochs": epochs,
        "average": _AVERAGE if epochs * samples >= _MANY * batch else 0.0,
        "learning_rate": (4e-3 if words else 2e-3) if tagger.learning_rate == "auto" else tagger.learning_rate,
    }


def rows_at_once(sequences: Sequence[Any]) -> int:
    """Rows of a batch that bound its memory, however long its sequences are."""
    return max(1, min(256, _LARGEST_BATCH // max(map(len, sequences))))


def first_breach(labels: Sequence[Sequence[Any]], scheme: str) -> tuple[int, int, str, str] | None:
    """Where labels first stand in an order that their scheme forbids: sequence, step, and the two labels.

    Example
    -------
    >>> first_breach([["O", "O"], ["O", "I-a"]], "BIO")
    (1, 1, 'O', 'I-a')
    """
    known: dict[tuple[Any, Any], bool] = {}
    for row, each in enumerate(labels):
        for step, pair in enumerate(zip([None, *each], [*each, None], strict=True)):
            if pair not in known:
                known[pair] = may_follow(*pair, scheme)
            if not known[pair]:
                return row, step, *(str(label or "the edge") for label in pair)  # type: ignore[return-value]
    return None


def fit_codec(tagger: Tagger, kind: str, sequences: Sequence[Any]) -> Any:
    """The codec of words, or of numeric steps, fitted on training sequences."""
    if kind == "steps":
        return SequenceCodec().fit(sequences)
    model = language_model(tagger.pretrained)
    if model is None:
        return WordCodec(tagger.min_count, tagger.lowercase).fit(sequences)
    own = WordCodec(tagger.min_count, model.codec_.lowercase).fit(sequences)
    words = own.vocabulary[len(SPECIALS) :]
    vocabulary = transfer.extended(model.codec_.vocabulary, words)
    tagger.notes_.append(transfer.vocabulary_note(model, words, len(vocabulary)))
    return own.fit(sequences, vocabulary=vocabulary)


def language_model(pretrained: Any) -> Any:
    """The fitted language model of words that `pretrained` is, or that its file holds; None for None."""
    return None if pretrained is None else transfer.language_model(pretrained, ("word", "whitespace"))


def build(tagger: Tagger, plan: dict[str, Any]) -> TaggingNetwork:
    """A new network; above the encoder of a language model where there is one."""
    classes, codec, p = tagger.label_codec_.classes_.tolist(), tagger.codec_, plan["dropout"]
    layers = {
        "hidden_sizes": plan["hidden_sizes"],
        "cell": tagger.cell,
        "bidirectional": not plan["causal"],
        "input_dropout": p if tagger.input_ == "words" else 0.0,
        "between_dropout": p,
        "output_dropout": p,
        "recurrent_dropout": tagger.recurrent_dropout,
    }
    more: dict[str, Any] = {
        "head": "crf" if plan["crf"] else "softmax",
        "labels": [str(label) for label in classes] if plan["constrained"] else None,
        "constrained_training": plan["constrained"],
        "label_smoothing": 0.0 if plan["crf"] else tagger.label_smoothing,
    }
    if tagger.input_ == "steps":
        return TaggingNetwork(len(classes), {"features": codec.features_, **layers}, **more)
    more |= {
        "characters": len(codec.characters) if plan["characters"] else None,
        "character_size": tagger.character_size,
        "character_hidden": tagger.character_hidden,
        "spelling_dropout": tagger.spelling_dropout,
        "word_dropout": tagger.word_dropout,
    }
    model = language_model(tagger.pretrained)
    if model is None:
        words = {"vocabulary": codec.size, "embedding_size": tagger.embedding_size, **layers}
        return TaggingNetwork(len(classes), words, **more)
    below = {**model.network_.encoder.config(), "vocabulary": codec.size}
    network = TaggingNetwork(len(classes), below, above=layers, **more)
    network.encoder.load_state_dict(transfer.encoder_state(model, codec.size))
    return network


def training(
    tagger: Tagger, network: TaggingNetwork, plan: dict[str, Any], watched: bool
) -> tuple[TrainingOptions, dict[str, Any]]:
    """The options of a training, and what else `train` is told."""
    transferred = tagger.pretrained is not None and tagger.input_ == "words"
    fields: dict[str, Any] = {"schedule": transfer.SCHEDULE} if transferred else {}
    options = tagger._options(
        epochs=plan["epochs"],
        learning_rate=plan["learning_rate"],
        patience=tagger.patience if watched else None,
        clip_norm=5.0,
        **fields,
    )
    return options, {"groups": transfer.groups(network, options.epochs)} if transferred else {}
