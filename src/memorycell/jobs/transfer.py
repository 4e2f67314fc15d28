"""Transfer: a network begins with what a language model has learned, and learns from there (ULMFiT).

Howard & Ruder 2018 (arXiv 1801.06146): a language model is trained on much text, then on the texts of the task, then
its encoder below a new head on the labels. The layers learn at rates that fall from the head down, are unfrozen from
the head down, and each stage's rate rises quickly and falls slowly.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from memorycell.jobs.registry import load, registry
from memorycell.networks.base import Network
from memorycell.networks.encoder import Encoder
from memorycell.training import ParameterGroup

if TYPE_CHECKING:
    from memorycell.data.text.text_codec import TextCodec

LENT = "text encoder"  # what the card of a job lends, whose models others may begin with
FACTOR = 2.6  # how many times slower a layer learns than the one above it (Howard & Ruder 2018, section 3.2)
SCHEDULE = "slanted_triangular"
_UNFREEZING = 0.25  # share of the epochs at whose end all layers are unfrozen
_SPECIALS = 3


def language_model(pretrained: Any, units: Iterable[str] | None = None) -> Any:
    """The fitted language model that `pretrained` is, or that the file of this path holds.

    Parameters
    ----------
    pretrained : model of a job that lends its text encoder, or path
    units : names of units, optional
        What its tokens may be; default: any.

    Raises
    ------
    TypeError, ValueError
        If it is something else, not fitted, or of other units.
    FileNotFoundError, ModelFileError
        For a path to no such file, or a file that cannot be read.

    Example
    -------
    >>> language_model(3)
    Traceback (most recent call last):
    TypeError: expected pretrained to be a fitted LanguageModel or its file, got 3
    """
    model = load(pretrained) if isinstance(pretrained, str | os.PathLike) else pretrained
    job = getattr(type(model), "JOB", None)
    lenders = " or ".join(each.name for each in registry().jobs if LENT in each.lends)
    if job is None or LENT not in job.lends:
        got = f"{pretrained!r:.80}" if model is pretrained else f"a {type(model).__name__} in {os.fspath(pretrained)}"
        raise TypeError(f"expected pretrained to be a fitted {lenders} or its file, got {got}")
    try:
        model.check_fitted()
    except ValueError:
        raise ValueError(
            f"expected pretrained to be a fitted {lenders}, got one that is not: call its fit first"
        ) from None
    unit = model.codec_.unit
    if units is not None and unit not in units:
        raise ValueError(
            f'expected a language model of words, got one of {unit}s: train it with {job.name}(unit="word")'
        )
    return model


def extended(known: list[str], tokens: Iterable[str]) -> list[str]:
    """A language model's vocabulary, with its ids, and after it those of `tokens` that it lacks, in their order."""
    have = set(known)
    return [*known, *dict.fromkeys(token for token in tokens if token not in have)]


def codec(
    model: Any, texts: Iterable[str], min_count: int = 1, *, fixed: bool = False
) -> tuple[TextCodec, dict[str, str]]:
    """The codec of a task on `texts` that begins with `model`, and a note on how much of them the model knows.

    Its vocabulary is the model's, ids included, and after it the tokens that occur at least `min_count` times in
    `texts` alone: a word of later texts that only the model has read is known too. Subwords leave no text unknown and
    stay as they are, and so does a vocabulary that is to stay `fixed`.
    """
    from memorycell.data.text.text_codec import TextCodec

    theirs = model.codec_
    if fixed or theirs.unit == "subword":
        return theirs, _note(model, f"texts are read in its vocabulary of {theirs.size:,} {theirs.unit}s")
    own = TextCodec(theirs.unit, None, min_count, theirs.lowercase, theirs.normalization).fit(texts)
    tokens = own.vocabulary[_SPECIALS:]
    vocabulary = extended(theirs.vocabulary, tokens)
    scripts = [name for name in own.scripts if name not in theirs.scripts]
    made = TextCodec.from_json({**theirs.to_json(), "size": None, "vocabulary": vocabulary})
    made.scripts = [*made.scripts, *scripts]
    return made, vocabulary_note(model, tokens, len(vocabulary))


def vocabulary_note(model: Any, tokens: list[str], size: int) -> dict[str, str]:
    """How many of a task's tokens the model knows, as a note; `size`: of the vocabulary of both."""
    new = size - model.codec_.size
    rest = f"; the {new:,} others begin with its mean embedding" if new else ""
    return _note(model, f"it knows {len(tokens) - new:,} of {len(tokens):,} tokens of the training texts{rest}")


def _note(model: Any, what: str) -> dict[str, str]:
    sizes = " + ".join(map(str, model.network_.encoder.hidden_sizes))
    text = f"Begins with the encoder of a language model ({sizes} units, which reads in one direction): {what}."
    return {"kind": "pretrained", "text": text}


def encoder_state(model: Any, size: int) -> dict[str, Tensor]:
    """The weights of the model's encoder for a vocabulary of `size`: tokens it does not have get the mean embedding."""
    state = {name: value.detach().cpu() for name, value in model.network_.encoder.state_dict().items()}
    state["embedding.weight"] = extended_rows(state["embedding.weight"], size)
    return state


def extended_rows(rows: Tensor, size: int) -> Tensor:
    """`rows` (V, …), and after them their mean (of those that are no special tokens) until there are `size`.

    Example
    -------
    >>> extended_rows(torch.tensor([[9.0], [9.0], [9.0], [1.0], [2.0]]), 6).flatten().tolist()
    [9.0, 9.0, 9.0, 1.0, 2.0, 1.5]
    """
    mean = rows[_SPECIALS:].mean(0, keepdim=True)
    return torch.cat([rows, mean.expand(size - len(rows), *rows.shape[1:])])


def encoder(model: Any, size: int, **dropouts: float) -> Encoder:
    """An encoder with the model's weights for a vocabulary of `size`, with `dropouts` of its own (see `Encoder`)."""
    names = ("embedding_size", "hidden_sizes", "cell", "layer_norm")
    config = model.network_.encoder.config()
    made = Encoder(size, None, **{name: config[name] for name in names}, **dropouts)  # type: ignore[arg-type]
    made.load_state_dict(encoder_state(model, size))
    return made


def groups(network: Network, epochs: int, *, gradual: bool = True) -> list[ParameterGroup]:
    """Parameter groups of a network whose `encoder` is pre-trained, from the top down (Howard & Ruder 2018).

    What is above the encoder is new and learns at the full rate; each group of the encoder learns 2.6 times slower than
    the one above it, and, if `gradual`, is unfrozen later than it, all within the first quarter of `epochs`.

    Example
    -------
    >>> from memorycell.jobs.labelling.network import SequenceToOne
    >>> network = SequenceToOne(vocabulary=9, embedding_size=4, hidden_sizes=(4,), bidirectional=False)
    >>> [(round(group.rate, 2), group.unfreeze_epoch) for group in groups(network, 16)]
    [(1.0, 0), (0.38, 2), (0.15, 4)]
    """
    below: list[Any] = network.encoder.layer_groups()  # type: ignore[operator, union-attr]
    pretrained = {id(parameter) for group in below for parameter in group}
    stage = max(1, int(_UNFREEZING * epochs) // len(below)) if gradual else 0
    made = [ParameterGroup([part for part in network.parameters() if id(part) not in pretrained])]
    for depth, group in enumerate(reversed(below), 1):
        made.append(ParameterGroup(group, FACTOR**-depth, min(depth * stage, epochs - 1)))
    return made
