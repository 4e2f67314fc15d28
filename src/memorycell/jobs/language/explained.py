"""What a language model says of the next token, ready to be explained."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from memorycell.data.text.corpus import Corpus
from memorycell.data.text.language_stream import as_ids
from memorycell.data.text.text_codec import SPECIALS
from memorycell.insight.explained import Explained
from memorycell.insight.tracing import ModelTrace, trace_network
from memorycell.jobs.insight import check_trace_size, checked_row, nothing, repeated, some_rows
from memorycell.jobs.language.text import corpus_of, source_of, spans
from memorycell.networks.base import State

_CONTEXT = 256  # tokens explained; what came before them is in the state
_FEED = 4096
_START = "(start)"
_EXACT = "The decomposition of one recurrent layer is exact where the softmax is full: scores are linear in its output."


def explained(
    model: Any, X: Any, row: int | None = None, place: int | None = None, output: Any = None, against: Any = None
) -> Explained:
    """See `LanguageModel.explained`."""
    model._check_fitted()
    text = text_of(X, row)
    network, codec = model.network_.eval(), model.codec_
    corpus = Corpus.from_texts([text], codec)
    found = list(spans(codec, text))
    what = f"{codec.unit}s, the last of them the end"
    place = len(found) - 1 if place is None else checked_row(place, len(found), what, "place")
    device = next(network.parameters()).device
    ids = as_ids(corpus.ids[: place + 2]).to(device)
    before, seen = ids[:-1][:-_CONTEXT], ids[:-1][-_CONTEXT:]
    with torch.no_grad():
        state: State = None
        for part in before.split(_FEED):
            if len(part):
                _, state = network(part[None], state)
        scores = network.scores(network(seen[None], state)[0][:, -1])[0]
        values = network.encoder.embed(seen)
    written = int(ids[-1]) if place < len(found) - 1 else None
    k, j = _pair(codec, scores, written, output, against)

    def function(x: Tensor) -> Tensor:
        features, _ = network.encoder.forward_embedded(x, state=repeated(state, len(x)))
        both = network.scores(features[:, -1])
        return both[:, k] - both[:, j]

    # The token before the first is the end of what came before.
    stands = [(0, 0), *((start, stop) for _, start, stop in found)][place + 1 - len(seen) : place + 1]
    labels = [text[a:b] if b > a else _START for a, b in stands]
    trunk = tuple(network.encoder.layers)
    said = f"score of {token_text(codec, k)!r} less that of {token_text(codec, j)!r} after {_tail(text, stands)}"
    return Explained(
        function, values, nothing(values, trunk), trunk, said, labels, "text", text=text,
        spans=stands, anchor=len(seen) - 1, exact=_EXACT,
    )  # fmt: skip


def trace(
    model: Any, X: Any, row: int | None = None, path: str | os.PathLike[str] | None = None, force: bool = False
) -> ModelTrace:
    """See `LanguageModel.trace`."""
    model._check_fitted()
    network = model.network_.eval()
    labels = None
    if isinstance(X, Corpus):
        ids = corpus_of(X, model.codec_).ids
    else:
        text = text_of(X, row)
        ids = Corpus.from_texts([text], model.codec_).ids
        labels = [[_START, *(text[a:b] if b > a else _START for _, a, b in spans(model.codec_, text))][: len(ids) - 1]]
    tokens = as_ids(ids[:-1])[None]
    if path is None:
        check_trace_size(1, tokens.shape[1], network)
    with model._at_work():
        return trace_network(
            network,
            lambda: network.encoder(tokens.to(next(network.parameters()).device)),
            trunk=network.encoder.layers,
            labels=labels,
            path=path,
            force=force,
        )


def traces(model: Any, X: Any) -> Iterator[ModelTrace]:
    """The trace of a text, its state carried from part to part."""
    network = model.network_.eval()
    device = next(network.parameters()).device
    corpus = (
        corpus_of(X, model.codec_) if isinstance(X, Corpus) else Corpus.from_texts([text_of(X, None)], model.codec_)
    )
    state: State = None
    for first in range(0, len(corpus.ids) - 1, _FEED):
        tokens = as_ids(corpus.ids[first : min(len(corpus.ids) - 1, first + _FEED)])[None].to(device)
        with model._at_work():
            trace = trace_network(network, partial(network.encoder, tokens, state=state), trunk=network.encoder.layers)
        _, state = trace.output
        yield trace


def some_explained(model: Any, X: Any) -> list[Explained]:
    """See `Insight._some_explained`: the next token here and there in the text."""
    text = text_of(X, None)[:20_000]
    count = sum(1 for _ in spans(model.codec_, text))
    # The first ones have nothing behind them to look back on.
    first = min(count - 1, _CONTEXT)
    return [explained(model, text, place=first + place) for place in some_rows(count - first)]


def text_of(X: Any, row: int | None) -> str:
    """The text of what was given: a text, a file, documents; with `row` one line of it that is not empty.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        For an empty text, no text, a line that is not there.
    """
    empty = isinstance(X, str) and not X.strip()
    pieces: Any = [] if empty else source_of(X)
    text = "\n".join(pieces) if isinstance(pieces, list) else "".join(pieces)
    if not text.strip():
        raise ValueError("expected a text to explain, got an empty one")
    if row is None:
        return text
    lines = [line for line in text.split("\n") if line.strip()]
    return lines[checked_row(row, len(lines), "lines that are not empty", "line")]


def _pair(codec: Any, scores: Tensor, written: int | None, output: Any, against: Any) -> tuple[int, int]:
    """The token explained, and the one it is set against."""
    best = scores.clone()
    best[: len(SPECIALS) - 1] = -torch.inf  # <pad> and <unk> are never written
    k = _token(codec, output) if output is not None else int(best.argmax()) if written is None else written
    best[k] = -torch.inf
    j = int(best.argmax()) if against is None else _token(codec, against)
    if j == k:
        raise ValueError(f"expected another token than {token_text(codec, k)!r} to set it against, got the same")
    return k, j


def _token(codec: Any, given: Any) -> int:
    text = str(given)
    if text in codec.vocabulary:
        return codec.vocabulary.index(text)
    for written in (text, f" {text}") if codec.unit == "subword" and text else ():
        ids = codec.encode([written]).values.tolist()
        if len(ids) == 1:
            return ids[0]
    raise ValueError(f"expected a token of the vocabulary of {codec.size:,} {codec.unit}s, got {given!r}")


def token_text(codec: Any, token: int) -> str:
    """A token as it is written: of subwords without the marks of their vocabulary."""
    name = codec.vocabulary[token]
    if codec.unit != "subword" or token < len(SPECIALS):
        return name
    return codec.decode([token]) or name


def _tail(text: str, stands: list[tuple[int, int]]) -> str:
    shown = " ".join(text[max(0, stands[-1][1] - 40) : stands[-1][1]].split())
    return f"“{shown}”" if shown else "the start"
