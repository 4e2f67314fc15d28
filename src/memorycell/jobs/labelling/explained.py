"""What a classifier or regressor says of one sequence, ready to be explained."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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
from memorycell.jobs.labelling import building as sequence_network
from memorycell.jobs.labelling.reading import SequenceInput

_EXACT = (
    "The decomposition of one recurrent layer is exact; where pooling is not linear (attention, the greatest), its "
    "integrated gradient stands for its weights."
)


def explained(model: Any, X: Any, row: int = 0, output: Any = None, against: Any = None) -> Explained:
    """See `SequenceEstimator.explained`."""
    model._check_fitted()
    given = read(model, X)
    part = _rows(given, [checked_row(row, len(given))])
    dataset = model._dataset(part)
    network = model.network_.eval()
    batch = dataset.gather(torch.zeros(1, dtype=torch.int64)).to(next(network.parameters()).device)
    tokens = given.kind != "numbers"
    if not int(dataset.lengths[0]):
        raise ValueError(f"expected a sequence with steps to explain, got an empty one (row {row})")
    with torch.no_grad():
        values, grams = network.embedded(batch)[0], None
        if network.n_grams is not None:
            # What n-grams add is no function of embedded tokens: it comes in along one more number a step.
            grams = network.n_grams.parts(batch.inputs["tokens"], batch.lengths["tokens"])[0]
            values = torch.cat([values, values.new_ones(len(values), 1)], dim=-1)
        raw = network(batch)
    weights, shift, said = _number(model, raw, output, against)

    def function(x: Tensor) -> Tensor:
        own = x if grams is None else x[..., :-1].contiguous()
        scores = network.forward_embedded(own)
        if grams is not None:
            scores = scores + torch.einsum("bt,tk->bk", x[..., -1], grams)
        return scores @ weights + shift

    labels, more = _steps(model, part, len(values))
    last = network.pooling.kinds == ("last",) and not network.encoder.bidirectional
    baseline = nothing(values, network.encoder.layers)
    if grams is not None:
        baseline[:, -1] = 0
    return Explained(
        function, values, baseline, tuple(network.encoder.layers), said, labels, given.kind,
        features=None if tokens else _features(model, values.shape[1]),
        parts={} if grams is None else {"n-grams": grams @ weights},
        constants=_beside(network, batch, weights), anchor=len(values) - 1 if last else None, exact=_EXACT,
        **more,
    )  # fmt: skip


def read(model: Any, X: Any) -> SequenceInput:
    """Sequences as the model was trained on, from a file, a frame or what they are."""
    return model._read(sequence_network.from_source(model, X).x)


def attention(model: Any, X: Any, row: int = 0) -> NDArray[np.float64]:
    """See `SequenceEstimator.attention`."""
    model._check_fitted()
    given = read(model, X)
    dataset = model._dataset(_rows(given, [checked_row(row, len(given))]))
    for _, batch in model._batches(dataset):
        found = model.network_.attention(batch)[0]
    return found.double().cpu().numpy()


def trace(
    model: Any,
    X: Any,
    rows: Sequence[int] | None = None,
    path: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> ModelTrace:
    """See `SequenceEstimator.trace`."""
    model._check_fitted()
    given = read(model, X)
    places = list(range(len(given))) if rows is None else checked_rows(rows, len(given))
    return _traced(model, _rows(given, places), path, force)


def traces(model: Any, X: Any) -> Iterator[ModelTrace]:
    """Traces of all of X, some rows at a time."""
    model._check_fitted()
    given = read(model, X)
    for first in range(0, len(given), AT_ONCE):
        yield _traced(model, _rows(given, list(range(first, min(len(given), first + AT_ONCE)))))


def _traced(
    model: Any, part: SequenceInput, path: str | os.PathLike[str] | None = None, force: bool = False
) -> ModelTrace:
    dataset = model._dataset(part)
    network = model.network_.eval()
    if path is None:
        check_trace_size(len(part), int(dataset.lengths.max()), network.encoder)
    batch = dataset.gather(torch.arange(len(part))).to(next(network.parameters()).device)
    labels = [_steps(model, _rows(part, [i]), int(n))[0] for i, n in enumerate(dataset.lengths)]
    with model._at_work():
        return trace_network(
            network, lambda: network(batch), trunk=network.encoder.layers, labels=labels, path=path, force=force
        )


def some_explained(model: Any, X: Any) -> list[Explained]:
    """See `Insight._some_explained`."""
    given = read(model, X)
    return [explained(model, given.take([row]), row=0) for row in some_rows(len(given))]


def _rows(given: SequenceInput, places: list[int]) -> SequenceInput:
    return SequenceInput(given.take(places), given.kind, given.steps, given.features, given.names)


def _number(model: Any, raw: Tensor, output: Any, against: Any) -> tuple[Tensor, float, str]:
    """The number explained as weights of the raw scores (K,) and what is added; what it is."""
    if not hasattr(model, "calibration_"):
        return _regressed(model, raw, output, against)
    calibration, names = model.calibration_, model.classes_.tolist()
    scores = calibration.scores(raw.double().cpu().numpy())[0]
    k = int(scores.argmax()) if output is None else class_index(names, output)
    weights = np.zeros(len(scores))
    weights[k] = 1
    if calibration.several:
        if against is not None:
            raise ValueError("expected no against= with several labels a sample: each is explained by itself")
        said, j = f"log-odds of {names[k]}", None
    else:
        others = np.where(np.arange(len(scores)) == k, -np.inf, scores)
        j = int(others.argmax()) if against is None else class_index(names, against)
        if j == k:
            raise ValueError(f"expected another class than {names[k]} to set it against, got the same")
        weights[j] = -1
        said = f"score of {names[k]} less that of {names[j]}"
    slope, bias = np.broadcast_to(calibration.slope, weights.shape), np.broadcast_to(calibration.bias, weights.shape)
    return _tensor(weights * slope, raw), float(weights @ bias), said


def _regressed(model: Any, raw: Tensor, output: Any, against: Any) -> tuple[Tensor, float, str]:
    if against is not None:
        raise ValueError("expected no against= for a number, got one: only classes are set against each other")
    count = raw.shape[1]
    k = 0 if output is None else checked_row(output, count, "outputs", "output")
    weights = np.zeros(count)
    weights[k] = model.scale_["scale"][k]
    said = "prediction" if count == 1 else f"prediction {k}"
    return _tensor(weights, raw), float(model.scale_["center"][k]), said


def _tensor(values: Any, like: Tensor) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=like.dtype, device=like.device)


def _beside(network: Any, batch: Any, weights: Tensor) -> dict[str, float]:
    """What convolutions beside the recurrent layers add."""
    if network.convolution is None:
        return {}
    values = network.embedded(batch)
    with torch.no_grad():
        shapes = network.convolution(values)
        scores = shapes @ network.out.weight[:, network.pooling.width :].T
    return {"convolutions": float(scores[0] @ weights)}


def _features(model: Any, width: int) -> list[str]:
    codec = model.codec_
    own = ["value"] if codec.channels_ == 1 else [f"channel {c + 1}" for c in range(codec.channels_)]
    return [*own, *(f"{own[c]} is missing" for c in codec.masked_)][:width]


def _steps(model: Any, part: SequenceInput, count: int) -> tuple[list[Any], dict[str, Any]]:
    """What the first `count` steps of the one sequence are called, and how it is shown."""
    sequence = part.take([0])[0]
    if part.kind == "numbers":
        shown = np.asarray(sequence, np.float64)
        shown = shown.reshape(len(shown), -1)[:count]
        names = part.names if part.names is not None and len(part.names) >= count else None
        channels = ["value"] if shown.shape[1] == 1 else [f"channel {c + 1}" for c in range(shown.shape[1])]
        return list(range(count)) if names is None else names[:count], {"shown": shown, "channels": channels}
    if isinstance(sequence, str):
        found = model.codec_.tokens(sequence)[:count]
        spans = [(start, stop) for _, start, stop in found]
        return [sequence[a:b] for a, b in spans], {"text": sequence, "spans": spans}
    pieces = [str(symbol) for symbol in sequence][:count]
    starts = np.cumsum([0, *(len(piece) + 1 for piece in pieces)]).tolist()
    spans = [(a, a + len(piece)) for a, piece in zip(starts, pieces, strict=False)]
    return pieces, {"text": " ".join(pieces), "spans": spans}
