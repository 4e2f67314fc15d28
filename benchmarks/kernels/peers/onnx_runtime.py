"""ONNX Runtime: its LSTM, GRU and RNN operators."""

from __future__ import annotations

import onnxruntime

from kernels.jobs import Job
from kernels.peers import THREADS, Prepared
from kernels.peers.onnx_call import Arrays, prepared
from kernels.peers.onnx_model import model, state_names

VERSION = onnxruntime.__version__


def prepare(job: Job, way: str) -> Prepared:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    # Threads that spin after a call would slow the contestant whose turn is next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(model(job), options, providers=["CPUExecutionProvider"])
    names = ["y", *(f"next_{name}" for name in state_names(job))] if job.family == "one step" else ["y"]

    def infer(feeds: Arrays) -> Arrays:
        return dict(zip(names, session.run(names, feeds), strict=True))

    return prepared(job, infer)
