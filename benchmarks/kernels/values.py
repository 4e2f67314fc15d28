"""The numbers of a job: the same in every process, because all come from one seed through numpy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kernels.jobs import GATES, Job

Array = NDArray[np.float32]
STEPS_CHECKED = 8  # of a stream, whose first step alone would not show the recurrent weights


def _normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def inputs(job: Job) -> Array:
    """x (T, B, I); of a stream STEPS_CHECKED steps."""
    steps = STEPS_CHECKED if job.family == "one step" else job.shape.steps
    return _normal(1, steps, job.shape.batch, job.shape.inputs)


def output_gradient(job: Job) -> Array:
    """(T, B, H), contiguous."""
    return _normal(2, job.shape.steps, job.shape.batch, job.shape.hidden)


def lengths(job: Job) -> NDArray[np.int64]:
    """int64 (B,): evenly from T/10 to T, in no order."""
    batch, steps = job.shape[:2]
    if job.family != "ragged":
        return np.full(batch, steps, dtype=np.int64)
    even = np.linspace(max(1, steps // 10), steps, batch).round().astype(np.int64)
    return np.random.default_rng(3).permutation(even)


def operations(job: Job) -> float:
    """Floating-point operations of the job; of a ragged batch those on its real steps."""
    return job.operations(float(lengths(job).sum()))


def parameters(job: Job) -> dict[str, Array]:
    """By torch's names and in torch's order, drawn as torch draws them; a variant's own by memorycell's names."""
    _, _, width, hidden, layers = job.shape
    rows = GATES[job.cell] * hidden
    random, bound = np.random.default_rng(4), 1 / math.sqrt(hidden)

    def uniform(*shape: int) -> Array:
        return (random.random(shape, dtype=np.float32) * 2 - 1) * np.float32(bound)

    found: dict[str, Array] = {}
    for layer in range(layers):
        columns = {"ih": hidden if layer else width, "hh": hidden}
        found |= {f"weight_{part}_l{layer}": uniform(rows, columns[part]) for part in columns}
        found |= {f"bias_{part}_l{layer}": uniform(rows) for part in columns}
    if job.variant == "peephole":
        found["weight_ch_l0"] = uniform(3 * hidden)
    if job.variant == "layer norm":
        # A recurrent gain of 1 makes random weights chaotic: after 100 steps the last bit's rounding, in whatever
        # order of sums, has grown to 6e-4.
        for part, units, gain in (("ih", rows, 1.0), ("hh", rows, 0.5), ("ch", hidden, 1.0)):
            found[f"norm_{part}_gain_l0"] = np.float32(gain) + uniform(units)
            found[f"norm_{part}_bias_l0"] = uniform(units)
    return found
