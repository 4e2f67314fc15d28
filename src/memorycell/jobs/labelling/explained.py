"""What a classifier or regressor says of one sequence, ready to be explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.insight.asking import (
    checked_row,
    class_index,
    nothing,
    unit_noun,
)
from memorycell.insight.explained import Explained
from memorycell.jobs.labelling.reading import SequenceInput, SequenceSamples

_EXACT = (
    "The decomposition of one recurrent layer is exact; where pooling is not linear (attention, the greatest), its "
    "integrated gradient stands for its weights."
)


def explained(model: Any, samples: SequenceSamples, row: int = 0, output: Any = None, against: Any = None) -> Explained:
    """See `SequenceEstimator.explained`."""
    row = checked_row(row, len(samples))
    dataset = model.dataset(samples)
    network = model.network_.eval()
    batch = dataset.gather(torch.tensor([row])).to(next(network.parameters()).device)
    tokens = samples.given.kind != "numbers"
    if not int(dataset.lengths[row]):
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

    labels, more = steps(model, samples.given, row, len(values))
    last = network.pooling.kinds == ("last",) and not network.encoder.bidirectional
    baseline = nothing(values, network.encoder.layers)
    if grams is not None:
        baseline[:, -1] = 0
    return Explained(
        function, values, baseline, tuple(network.encoder.layers), said, labels, samples.given.kind,
        features=None if tokens else _features(model, values.shape[1]),
        parts={} if grams is None else {"n-grams": grams @ weights},
        constants=_beside(network, batch, weights), anchor=len(values) - 1 if last else None, exact=_EXACT,
        noun=noun(model), **more,
    )  # fmt: skip


def noun(model: Any) -> str:
    """What steps are called, in the plural."""
    kind = model.input_["kind"]
    return {"numbers": "steps", "symbols": "symbols"}.get(kind) or unit_noun(model.codec_.unit)


def attention(model: Any, samples: SequenceSamples, row: int = 0) -> NDArray[np.float64]:
    """See `SequenceEstimator.attention`."""
    dataset = model.dataset(samples)
    for _, batch in model._batches(dataset.take(torch.tensor([checked_row(row, len(samples))]))):
        found = model.network_.attention(batch)[0]
    return found.double().cpu().numpy()


def _number(model: Any, raw: Tensor, output: Any, against: Any) -> tuple[Tensor, float, str]:
    """The number explained as weights of the raw scores (K,) and what is added; what it is."""
    if not model.classifies:
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


def steps(model: Any, part: SequenceInput, row: int, count: int) -> tuple[list[Any], dict[str, Any]]:
    """What the first `count` steps of a sequence are called, and how it is shown."""
    sequence = part[row]
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
