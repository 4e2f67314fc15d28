"""torch.nn: its layers (the LSTM goes through oneDNN), its cells, packed sequences, and loops for the variants."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from kernels import values
from kernels.jobs import VARIANTS, Job
from kernels.peers import Prepared, torch_loops
from kernels.peers.differentiable import prepared, stepping, tensors

VERSION = torch.__version__


def without_onednn() -> None:
    """Set up the contestant that runs torch's own kernels."""
    torch.backends.mkldnn.set_flags(False)


def flushing_subnormals() -> None:
    """Set up the contestant that counts subnormal numbers as zero, in every thread that it will start."""
    torch.set_flush_denormal(True)


def prepare(job: Job, way: str) -> Prepared:
    """Ways: those of `jobs.WAYS`, and for the check of parity "evaluated"."""
    if job.family == "one step":
        return _one_step(job, way)
    if way == "cell":
        return _cell_loop(job)
    if job.family == "variant":
        return _variant(job, training=way != "evaluated")
    layer = _layer(job)
    weights = list(layer.parameters())
    if way == "packed":
        lengths = torch.from_numpy(values.lengths(job))

        def ragged(x: Tensor) -> Tensor:
            output, _ = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
            return pad_packed_sequence(output, total_length=job.shape.steps)[0]

        return prepared(job, ragged, weights)
    if way == "last step":
        dy = torch.from_numpy(values.output_gradient(job)[-1])
        return prepared(job, lambda x: layer(x)[1][0][-1], weights, dy)
    return prepared(job, lambda x: layer(x)[0], weights)


def _layer(job: Job) -> nn.Module:
    _, _, width, hidden, layers = job.shape
    layer: nn.Module = getattr(nn, job.cell)(width, hidden, layers)
    layer.load_state_dict(tensors(job))
    return layer


def _cell(job: Job) -> nn.Module:
    cell: nn.Module = getattr(nn, f"{job.cell}Cell")(job.shape.inputs, job.shape.hidden)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in tensors(job).items()})
    return cell


def _cell_loop(job: Job) -> Prepared:
    cell = _cell(job)

    def run(x: Tensor) -> Tensor:
        outputs, state = [], None
        for step in x.unbind(0):
            state = cell(step, state)
            outputs.append(state[0] if job.cell == "LSTM" else state)
        return torch.stack(outputs)

    return prepared(job, run, list(cell.parameters()))


def _one_step(job: Job, way: str) -> Prepared:
    model = _layer(job).eval() if way == "layer" else _cell(job).eval()
    state: Any = None

    def step(x: Tensor) -> Tensor:
        nonlocal state
        if way == "layer":
            y, state = model(x.unsqueeze(0), state)
            return y.squeeze(0)
        state = model(x, state)
        return state[0] if job.cell == "LSTM" else state

    def reset() -> None:
        nonlocal state
        state = None

    return stepping(job, step, reset)


def _variant(job: Job, training: bool) -> Prepared:
    loop = torch_loops.LOOPS[job.variant]
    weights = [value.requires_grad_() for value in tensors(job).values()]
    options = VARIANTS[job.variant] | {"training": training} if job.draws else {}
    return prepared(job, lambda x: loop(x, *weights, **options), weights)
