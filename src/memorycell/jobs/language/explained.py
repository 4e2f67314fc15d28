"""What a language model says of the next token, ready to be explained."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.lines import visible
from memorycell.data.text.language_stream import as_ids
from memorycell.data.text.text_codec import SPECIALS
from memorycell.insight.asking import check_trace_size, checked_row, nothing, repeated, some_rows, unit_noun
from memorycell.insight.explained import Explained
from memorycell.insight.tracing import ModelTrace, trace_network
from memorycell.jobs.language.text import TextSamples, spans
from memorycell.networks.base import State

_CONTEXT = 256  # tokens explained; what came before them is in the state
_FEED = 4096
_SOME = 20_000  # characters from whose beginning cases are taken
_START = "(start)"
_EXACT = "The decomposition of one recurrent layer is exact where the softmax is full: scores are linear in its output."


@dataclass(frozen=True, eq=False)
class NextToken(Explained):
    """What is said of the next token.

    Attributes
    ----------
    token : str
        The one that is explained.
    shares : float64 (V,)
        The probability of each.
    """

    token: str = ""
    shares: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def explained(
    model: Any,
    samples: TextSamples,
    row: int | None = None,
    place: int | None = None,
    output: Any = None,
    against: Any = None,
) -> NextToken:
    """See `LanguageModel.explained`."""
    one = samples.whole() if row is None else samples.line(row)
    text, network, codec = one[0], model.network_.eval(), model.codec_
    found = list(spans(codec, text))
    what = f"{codec.unit}s, the last of them the end"
    place = len(found) - 1 if place is None else checked_row(place, len(found), what, "place")
    ids = as_ids(one.corpus(codec).ids[: place + 2]).to(next(network.parameters()).device)
    before, seen = ids[:-1][:-_CONTEXT], ids[:-1][-_CONTEXT:]
    with torch.no_grad():
        state: State = None
        for part in before.split(_FEED):
            if len(part):
                _, state = network.run(part[None], state)
        scores = network.scores(network.run(seen[None], state)[0][:, -1])[0]
        values = network.encoder.embed(seen)
    written = int(ids[-1]) if place < len(found) - 1 else None
    k, j = _pair(codec, scores, written, output, against)

    def function(x: Tensor) -> Tensor:
        features, _ = network.encoder.forward_embedded(x, state=repeated(state, len(x)))
        both = network.scores(features[:, -1])
        return both[:, k] - both[:, j]

    # The token before the first is the end of what came before.
    stands = [(0, 0), *((start, stop) for _, start, stop in found)][place + 1 - len(seen) : place + 1]
    token, other = token_text(codec, k), token_text(codec, j)
    return NextToken(
        function, values, nothing(values, network.trunk), network.trunk,
        f"score of “{visible(token)}” less that of “{visible(other)}” after {_tail(text, stands)}",
        [text[a:b] if b > a else _START for a, b in stands], "text", text=text, spans=stands, anchor=len(seen) - 1,
        exact=_EXACT, noun=unit_noun(codec.unit), token=token, shares=scores.double().softmax(0).cpu().numpy(),
    )  # fmt: skip


def trace(
    model: Any,
    samples: TextSamples,
    row: int | None = None,
    path: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> ModelTrace:
    """See `LanguageModel.trace`."""
    network, labels = model.network_.eval(), None
    one = samples.whole() if row is None else samples.line(row)
    ids = one.corpus(model.codec_).ids
    if one.written:
        text = one[0]
        labels = [[_START, *(text[a:b] if b > a else _START for _, a, b in spans(model.codec_, text))][: len(ids) - 1]]
    tokens = as_ids(ids[:-1])[None].to(next(network.parameters()).device)
    if path is None:
        check_trace_size(1, tokens.shape[1], network)
    with model.at_work():
        return trace_network(
            network, lambda: network.encoder(tokens), trunk=network.trunk, labels=labels, path=path, force=force
        )


def traces(model: Any, X: Any) -> Iterator[ModelTrace]:
    """The trace of a text, its state carried from part to part."""
    network = model.network_.eval()
    device = next(network.parameters()).device
    ids = model.asked(X).whole().corpus(model.codec_).ids
    state: State = None
    for first in range(0, len(ids) - 1, _FEED):
        tokens = as_ids(ids[first : min(len(ids) - 1, first + _FEED)])[None].to(device)
        with model.at_work():
            trace = trace_network(network, partial(network.encoder, tokens, state=state), trunk=network.trunk)
        _, state = trace.output
        yield trace


def some_explained(model: Any, X: Any) -> list[Explained]:
    """See `Insight.some_explained`: the next token here and there in the text."""
    one = model.asked(X).whole()
    beginning = one if len(one[0]) <= _SOME else TextSamples([one[0][:_SOME]], source=one.source)
    count = sum(1 for _ in spans(model.codec_, beginning[0]))
    # The first ones have nothing behind them to look back on.
    first = min(count - 1, _CONTEXT)
    return [explained(model, beginning, place=first + place) for place in some_rows(count - first)]


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
