"""What a tagger says of one word or step, ready to be explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from memorycell.data.lines import visible
from memorycell.insight.asking import (
    checked_row,
    class_index,
    nothing,
)
from memorycell.insight.explained import Explained
from memorycell.jobs.tagging.reading import TaggedSamples
from memorycell.networks.heads.crf import FORBIDDEN, CRFHead

_EXACT = "The decomposition of one recurrent layer with a label at each step by itself is exact."
_EXACT_CRF = (
    "The number is the marginal log-odds of the conditional random field, whose transitions take part in it; its "
    "integrated gradient stands for the weights of a linear head."
)


def explained(
    model: Any,
    samples: TaggedSamples,
    row: int = 0,
    place: int | None = None,
    output: Any = None,
    against: Any = None,
) -> Explained:
    """See `Tagger.explained`."""
    row = checked_row(row, len(samples))
    sequence, words = samples[row], samples.kind == "words"
    if not len(sequence):
        raise ValueError(f"expected a sequence with {samples.kind} to explain, got an empty one in row {row}")
    network, crf = model.network_.eval(), isinstance(model.network_.head, CRFHead)
    batch = model.dataset(samples).gather(torch.tensor([row])).to(next(network.parameters()).device)
    with torch.no_grad():
        values = network.embedded(batch)[0]
        raw = network.forward_embedded(values[None])
    place, k, j = _asked(model, samples, raw, place, output, against)
    names = model.classes_.tolist()

    def function(x: Tensor) -> Tensor:
        return _margin(network, network.forward_embedded(x), place, k, j)

    with torch.no_grad():
        number = float(function(values[None])[0])
    if crf and abs(number) > -FORBIDDEN / 2:
        never = names[k if number < 0 else j]
        raise ValueError(f"expected a label that can stand at place {place}, got {never}: the scheme forbids it")
    shown = None if words else np.asarray(sequence, np.float64).reshape(len(sequence), -1)
    what, link = ("log-odds", "against") if crf else ("score", "less that of")
    which = f"“{visible(sequence[place])}”" if words else f"step {place}"
    trunk = network.trunk
    return Explained(
        function, values, nothing(values, trunk), trunk,
        f"{what} of {names[k]} {link} {names[j]} for {which}", list(sequence) if words else list(range(len(values))),
        "words" if words else "numbers",
        features=None if words else [f"channel {c + 1}" for c in range(values.shape[1])], shown=shown,
        channels=() if shown is None else [f"channel {c + 1}" for c in range(shown.shape[1])], anchor=place,
        exact=_EXACT_CRF if crf else _EXACT, noun=samples.kind,
    )  # fmt: skip


def _asked(
    model: Any, samples: TaggedSamples, raw: Tensor, place: int | None, output: Any, against: Any
) -> tuple[int, int, int]:
    """The step that is asked about, the label that is explained there, and the one it is set against."""
    head, names = model.network_.head, model.classes_.tolist()
    with torch.no_grad():
        chances, path = head.probabilities(raw)[0].double().cpu().numpy(), head.predict(raw)[0]
    place = int(np.argmin(chances.max(1))) if place is None else checked_row(place, len(path), samples.kind, "place")
    k = int(path[place]) if output is None else class_index(names, output, "labels")
    others = np.where(np.arange(len(names)) == k, -np.inf, chances[place])
    j = int(others.argmax()) if against is None else class_index(names, against, "labels")
    if j == k:
        raise ValueError(f"expected another label than {names[k]} to set it against, got the same")
    return place, k, j


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
