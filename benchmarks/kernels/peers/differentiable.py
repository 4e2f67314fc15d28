"""What the contestants that are made of torch share: the forward pass or the training step around a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from kernels import values
from kernels.jobs import Job
from kernels.peers import Prepared


def tensors(job: Job) -> dict[str, Tensor]:
    """The job's parameters, by name."""
    return {name: torch.from_numpy(value) for name, value in values.parameters(job).items()}


def prepared(
    job: Job, run: Callable[[Tensor], Tensor], weights: Sequence[Tensor], dy: Tensor | None = None
) -> Prepared:
    """`run` maps x (T, B, I) to what the loss sees; `weights` in the order of the job's parameters.

    Training is the forward pass and the gradients of x and of all weights; dy is of the shape of run's result.
    """
    x = torch.from_numpy(values.inputs(job))
    names = ["output"]
    if job.kind == "forward":

        def call() -> tuple[Tensor, ...]:
            with torch.no_grad():
                return (run(x),)
    else:
        names += ["x", *values.parameters(job)]
        x.requires_grad_()
        leaves = [x, *weights]
        given = torch.from_numpy(values.output_gradient(job)) if dy is None else dy

        def call() -> tuple[Tensor, ...]:
            y = run(x)
            return y, *torch.autograd.grad(y, leaves, given)

    def results() -> dict[str, Any]:
        torch.manual_seed(0)  # of a variant's masks
        return {name: value.detach().numpy() for name, value in zip(names, call(), strict=True)}

    return Prepared(call, results)


def stepping(job: Job, step: Callable[[Tensor], Tensor], reset: Callable[[], None]) -> Prepared:
    """`step` maps x (B, I) to the output (B, H) and keeps the state; `reset` sets it to zeros."""
    steps = torch.from_numpy(values.inputs(job)).unbind(0)
    x = steps[0]

    def results() -> dict[str, Any]:
        reset()
        with torch.no_grad():
            return {"output": torch.stack([step(each) for each in steps]).numpy()}

    def call() -> Tensor:
        with torch.no_grad():
            return step(x)

    return Prepared(call, results)
