"""memorycell, through its public interface alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import memorycell
from kernels import values
from kernels.jobs import VARIANTS, Job
from kernels.peers import CannotRun, Prepared
from kernels.peers.differentiable import prepared, stepping, tensors
from memorycell.kernels import native


def _version() -> str:
    """With the level of the kernels in use."""
    library = native.library()
    kernels = "without its native library" if library is None else library.mc_level_name(native.level()).decode()
    return f"{memorycell.__version__} {kernels}"


VERSION = _version()


def only_with_avx2() -> None:
    """Set up the contestant that is forced to x86-64-v3."""
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        raise CannotRun("this processor has no AVX2")


def _layer(job: Job, **options: Any) -> torch.nn.Module:
    _, _, width, hidden, layers = job.shape
    options |= VARIANTS.get(job.variant, {})
    layer: torch.nn.Module = getattr(memorycell, job.cell)(width, hidden, layers, **options)
    layer.load_state_dict(tensors(job))
    return layer


def prepare(job: Job, way: str) -> Prepared:
    """Ways: those of `jobs.WAYS`, and for the check of parity "reference" and "evaluated"."""
    if job.family == "one step":
        return _one_step(job, way)
    layer = _layer(job, **({"backend": "reference"} if way == "reference" else {}))
    if way == "evaluated":
        layer.eval()
    weights = [layer.get_parameter(name) for name in values.parameters(job)]
    if way == "lengths":
        lengths = torch.from_numpy(values.lengths(job))
        return prepared(job, lambda x: layer(x, lengths=lengths)[0], weights)
    if way == "last step":
        dy = torch.from_numpy(values.output_gradient(job)[-1])
        return prepared(job, lambda x: layer(x)[1][0][-1], weights, dy)
    if way == "step":
        return prepared(job, lambda x: _steps(layer, x), weights)
    return prepared(job, lambda x: layer(x)[0], weights)


def _steps(layer: Any, x: Tensor) -> Tensor:
    outputs, state = [], None
    for step in x.unbind(0):
        y, state = layer.step(step, state)
        outputs.append(y)
    return torch.stack(outputs)


def _one_step(job: Job, way: str) -> Prepared:
    layer: Any = _layer(job).eval()
    if way == "step":
        state: Any = None

        def step(x: Tensor) -> Tensor:
            nonlocal state
            y, state = layer.step(x, state)
            return y

        def reset() -> None:
            nonlocal state
            state = None

        return stepping(job, step, reset)
    kind = way.removeprefix("stream").strip()
    try:
        stream = layer.stream(job.shape.batch, **({"weights": kind} if kind else {}))
    except TypeError as error:
        raise CannotRun(f"this version's streams have no weights in {kind}") from error
    return stepping(job, stream.step, stream.reset)
