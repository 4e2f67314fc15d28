"""OpenVINO: its LSTM, GRU and RNN sequences, read from the ONNX model."""

from __future__ import annotations

import io

import openvino

from kernels.jobs import Job
from kernels.peers import THREADS, Prepared
from kernels.peers.onnx_call import Arrays, prepared
from kernels.peers.onnx_model import model, state_names

VERSION = openvino.__version__.split("-")[0]


def prepare(job: Job, way: str) -> Prepared:
    core = openvino.Core()
    options = {
        "INFERENCE_NUM_THREADS": THREADS,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the processor has it
    }
    request = core.compile_model(core.read_model(io.BytesIO(model(job))), "CPU", options).create_infer_request()
    names = ["y", *(f"next_{name}" for name in state_names(job))] if job.family == "one step" else ["y"]

    def infer(feeds: Arrays) -> Arrays:
        found = request.infer(feeds, share_inputs=True)
        return {name: found[name] for name in names}

    return prepared(job, infer)
