"""Whether memorycell computes what torch computes, and whether two contestants compute the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.jobs import Job, ways
from kernels.peers import Prepared

OUTPUT, GRADIENT = 1e-5, 1e-4  # largest difference, relative to the largest value of the array
ROUNDED = {"stream bfloat16": 2e-2, "stream int8": 5e-2}  # outputs of weights that are rounded on purpose
PEERS = 1e-3  # between the fingerprints of contestants


def errors(got: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """max |got - expected| / max |expected| of each array; infinite where shapes differ or something is no number."""
    found = {}
    for name, right in expected.items():
        value = got.get(name)
        if value is None or value.shape != right.shape or not np.isfinite(value).all():
            found[name] = float("inf")
        else:
            found[name] = float(np.abs(value - right).max() / max(np.abs(right).max(), 1e-30))
    return found


def too_large(found: Mapping[str, float], output: float = OUTPUT) -> list[str]:
    """The errors beyond their bound, in words."""
    bounds = {name: output if name == "output" else GRADIENT for name in found}
    return [
        f"{name}: relative error {error:.2g}, allowed {bounds[name]:.0e}"
        for name, error in found.items()
        if not error <= bounds[name]
    ]


def check(ours: Any, job: Job, way: str) -> dict[str, Any]:
    """Compare a way of the module `ours` with torch.nn: {"error": the largest one, "wrong": in words}.

    A variant that draws masks is compared with torch's loop as evaluated, and as trained with our own reference,
    which draws the same masks.
    """
    from kernels.peers import torch_nn

    pairs: list[tuple[Prepared, Prepared]]
    if job.draws:
        pairs = [
            (ours.prepare(job, way), ours.prepare(job, "reference")),
            (ours.prepare(job, "evaluated"), torch_nn.prepare(job, "evaluated")),
        ]
    else:
        peer = "every step" if way in ("padded", "every step") else ways(job, "torch")[0]
        pairs = [(ours.prepare(job, way), torch_nn.prepare(job, peer))]
    wrong, largest = [], 0.0
    for got, expected in pairs:
        found = errors(got.results(), expected.results())
        wrong += too_large(found, ROUNDED.get(way, OUTPUT))
        largest = max(largest, *found.values())
    return {"error": largest, "wrong": wrong}


def fingerprint(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Sequence[float]]:
    """Norm and one projection of each array: enough to see that two processes compute the same."""
    found: dict[str, Sequence[float]] = {}
    for name, value in arrays.items():
        flat = np.asarray(value, dtype=np.float64).ravel()
        found[name] = (float(np.linalg.norm(flat)), float(flat @ np.cos(np.arange(flat.size))))
    return found


def same(found: Mapping[str, Sequence[float]], expected: Mapping[str, Sequence[float]]) -> bool:
    """Whether two fingerprints are of the same numbers."""
    return found.keys() == expected.keys() and all(
        abs(a - b) <= PEERS * expected[name][0]
        for name, values in found.items()
        for a, b in zip(values, expected[name], strict=True)
    )
