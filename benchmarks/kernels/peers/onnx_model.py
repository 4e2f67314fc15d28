"""A job as an ONNX model, for the runtimes that read one."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kernels import values
from kernels.jobs import Job

# Where the blocks of rows of torch's weights stand in ONNX: i, o, f, c of i, f, g, o; z, r, h of r, z, n.
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


def _reordered(job: Job, value: values.Array) -> values.Array:
    blocks = np.split(value, len(ORDER[job.cell]))
    return np.concatenate([blocks[k] for k in ORDER[job.cell]])


def state_names(job: Job) -> list[str]:
    """The state's parts; the model of one step has them as inputs and, with "next_" before, as outputs."""
    return ["h", "c"] if job.cell == "LSTM" else ["h"]


def model(job: Job) -> bytes:
    """The serialised model: "x" (T, B, I) to "y" (T, B, H); of one step also the state, each (1, B, H)."""
    one_step = job.family == "one step"
    batch, steps, width, hidden, layers = job.shape
    weights = {name: _reordered(job, value) for name, value in values.parameters(job).items()}
    nodes, constants, last = [], [numpy_helper.from_array(np.array([1]), "direction")], "x"
    states = state_names(job) if one_step else []
    for k in range(layers):
        parts = {
            f"w{k}": weights[f"weight_ih_l{k}"],
            f"r{k}": weights[f"weight_hh_l{k}"],
            f"b{k}": np.concatenate([weights[f"bias_ih_l{k}"], weights[f"bias_hh_l{k}"]]),
        }
        constants += [numpy_helper.from_array(value[None], name) for name, value in parts.items()]
        options = {"linear_before_reset": 1} if job.cell == "GRU" else {}
        read = [last, *parts, *(["", *states] if states else [])]
        written = [f"y{k}", *(f"next_{name}" for name in states)]
        nodes.append(helper.make_node(job.cell, read, written, hidden_size=hidden, **options))
        last = "y" if k == layers - 1 else f"x{k + 1}"
        nodes.append(helper.make_node("Squeeze", [f"y{k}", "direction"], [last]))

    def described(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes,
        "job",
        [described("x", steps, batch, width), *(described(name, 1, batch, hidden) for name in states)],
        [described("y", steps, batch, hidden), *(described(f"next_{name}", 1, batch, hidden) for name in states)],
        constants,
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(whole)
    serialised: bytes = whole.SerializeToString()
    return serialised
