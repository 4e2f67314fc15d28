"""What a tagger says of one word or step, ready to be explained."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memorycell.insight.explained import Explained
from memorycell.insight.tracing import ModelTrace, trace_network
from memorycell.jobs.insight import (
    AT_ONCE,
    check_trace_size,
    checked_row,
    checked_rows,
    class_index,
    nothing,
    some_rows,
)
from memorycell.networks.heads.crf import FORBIDDEN, CRFHead

_EXACT = "The decomposition of one recurrent layer with a label at each step by itself is exact."
_EXACT_CRF = (
    "The number is the marginal log-odds of the conditional random field, whose transitions take part in it; its "
    "integrated gradient stands for the weights of a linear head."
)


def explained(
    model: Any, X: Any, row: int = 0, place: int | None = None, output: Any = None, against: Any = None
) -> Explained:
    """See `Tagger.explained`."""
    given = model._asked(X).sequences
    row = checked_row(row, len(given))
    sequence = given[row]
    if not len(sequence):
        raise ValueError(f"expected a sequence with steps to explain, got an empty one (row {row})")
    network = model.network_.eval()
    dataset = model._dataset([sequence])
    batch = dataset.gather(torch.zeros(1, dtype=torch.int64)).to(next(network.parameters()).device)
    with torch.no_grad():
        values = network.embedded(batch)[0]
        raw = network.raw_embedded(values[None])
        chances = network.probabilities(raw)[0].double().cpu().numpy()
        path = network.labels(raw)[0]
    if place is None:
        place = int(np.argmin(chances.max(1)))
    place = checked_row(place, len(values), "words" if model.input_ == "words" else "steps", "place")
    names = model.classes_.tolist()
    k = int(path[place]) if output is None else class_index(names, output, "labels")
    others = np.where(np.arange(len(names)) == k, -np.inf, chances[place])
    j = int(others.argmax()) if against is None else class_index(names, against, "labels")
    if j == k:
        raise ValueError(f"expected another label than {names[k]} to set it against, got the same")

    def function(x: Tensor) -> Tensor:
        return _margin(network, network.raw_embedded(x), place, k, j)

    with torch.no_grad():
        number = float(function(values[None])[0])
    if isinstance(network.head, CRFHead) and abs(number) > -FORBIDDEN / 2:
        never = names[k if number < 0 else j]
        raise ValueError(f"expected a label that can stand at place {place}, got {never}: the scheme forbids it")

    words = model.input_ == "words"
    shown = None if words else np.asarray(sequence, np.float64).reshape(len(sequence), -1)
    crf = isinstance(network.head, CRFHead)
    what = "log-odds" if crf else "score"
    link = "against" if crf else "less that of"
    which = repr(sequence[place]) if words else f"step {place}"
    trunk = (*network.encoder.layers, *([] if network.above is None else network.above.layers))
    return Explained(
        function, values, nothing(values, trunk), trunk,
        f"{what} of {names[k]} {link} {names[j]} for {which}", list(sequence) if words else list(range(len(values))),
        "words" if words else "numbers",
        features=None if words else [f"channel {c + 1}" for c in range(values.shape[1])], shown=shown,
        channels=() if shown is None else [f"channel {c + 1}" for c in range(shown.shape[1])], anchor=place,
        exact=_EXACT_CRF if crf else _EXACT,
    )  # fmt: skip


def trace(
    model: Any,
    X: Any,
    rows: Sequence[int] | None = None,
    path: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> ModelTrace:
    """See `Tagger.trace`."""
    given = model._asked(X).sequences
    chosen = given if rows is None else [given[row] for row in checked_rows(rows, len(given))]
    return _traced(model, chosen, path, force)


def traces(model: Any, X: Any) -> Iterator[ModelTrace]:
    """Traces of all of X, some rows at a time."""
    given = model._asked(X).sequences
    for first in range(0, len(given), AT_ONCE):
        yield _traced(model, given[first : first + AT_ONCE])


def _traced(
    model: Any, chosen: Sequence[Any], path: str | os.PathLike[str] | None = None, force: bool = False
) -> ModelTrace:
    dataset = model._dataset(chosen)
    network = model.network_.eval()
    if path is None:
        check_trace_size(len(chosen), int(dataset.lengths.max()), network)
    batch = dataset.gather(torch.arange(len(chosen))).to(next(network.parameters()).device)
    labels = [list(each) if model.input_ == "words" else list(range(len(each))) for each in chosen]
    trunk = [*network.encoder.layers, *([] if network.above is None else network.above.layers)]
    with model._at_work():
        return trace_network(network, lambda: network.raw(batch)[0], trunk=trunk, labels=labels, path=path, force=force)


def some_explained(model: Any, X: Any) -> list[Explained]:
    """See `Insight._some_explained`."""
    given = model._asked(X).sequences
    return [explained(model, [given[row]]) for row in some_rows(len(given)) if len(given[row])]


def _margin(network: Any, raw: Tensor, place: int, k: int, j: int) -> Tensor:
    """(B,): by how much label k is ahead of label j at a step; with a CRF in log-odds, all paths weighed."""
    if not isinstance(network.head, CRFHead):
        return raw[:, place, k] - raw[:, place, j]

    def through(label: int) -> Tensor:
        kept = torch.full_like(raw[:, place], FORBIDDEN)
        kept[:, label] = raw[:, place, label]
        fixed = torch.cat([raw[:, :place], kept.unsqueeze(1), raw[:, place + 1 :]], dim=1)
        return network.head.plain_log_partition(fixed, constrained=True)

    return through(k) - through(j)
