"""What the runtimes of ONNX models share: a job around a function from named arrays to named arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import values
from kernels.jobs import Job
from kernels.peers import Prepared
from kernels.peers.onnx_model import state_names

Arrays = dict[str, Any]


def prepared(job: Job, infer: Callable[[Arrays], Arrays]) -> Prepared:
    x = values.inputs(job)
    if job.family != "one step":
        return Prepared(lambda: infer({"x": x}), lambda: {"output": infer({"x": x})["y"]})
    names, zeros = state_names(job), np.zeros((1, job.shape.batch, job.shape.hidden), np.float32)
    state = dict.fromkeys(names, zeros)
    first = x[:1]

    def call() -> Any:
        nonlocal state
        found = infer({"x": first, **state})
        state = {name: found[f"next_{name}"] for name in names}
        return found["y"]

    def results() -> Arrays:
        inner, outputs = dict.fromkeys(names, zeros), []
        for t in range(len(x)):
            found = infer({"x": x[t : t + 1], **inner})
            inner = {name: found[f"next_{name}"] for name in names}
            outputs.append(found["y"][0])
        return {"output": np.stack(outputs)}

    return Prepared(call, results)
