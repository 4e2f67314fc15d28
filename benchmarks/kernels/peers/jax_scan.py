"""JAX: the cell in `lax.scan`, compiled, with the product of the inputs before the scan."""

from __future__ import annotations

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kernels import values
from kernels.jobs import Job
from kernels.peers import CannotRun, Prepared

VERSION = jax.__version__


def only_with_affinity() -> None:
    """JAX takes as many threads as the process may use processors: that is how they are limited."""
    if not hasattr(os, "sched_setaffinity"):
        raise CannotRun("the number of its threads cannot be limited on this system")


def _lstm(state: Any, gx: Any, w: Any, b: Any) -> Any:
    h, c = state
    i, f, g, o = jnp.split(gx + h @ w.T + b, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def _gru(state: Any, gx: Any, w: Any, b: Any) -> Any:
    (h,) = state
    x_r, x_z, x_n = jnp.split(gx, 3, axis=-1)
    h_r, h_z, h_n = jnp.split(h @ w.T + b, 3, axis=-1)
    z = jax.nn.sigmoid(x_z + h_z)
    h = (1 - z) * jnp.tanh(x_n + jax.nn.sigmoid(x_r + h_r) * h_n) + z * h
    return (h,), h


def _rnn(state: Any, gx: Any, w: Any, b: Any) -> Any:
    (h,) = state
    h = jnp.tanh(gx + h @ w.T + b)
    return (h,), h


CELLS = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}


def _initial(job: Job, x: Any) -> Any:
    return (jnp.zeros((x.shape[1], job.shape.hidden)),) * (2 if job.cell == "LSTM" else 1)


def _run(job: Job, x: Any, p: dict[str, Any], state: Any = None) -> tuple[Any, Any]:
    for k in range(job.shape.layers):
        gx = x @ p[f"weight_ih_l{k}"].T + p[f"bias_ih_l{k}"]
        w, b = p[f"weight_hh_l{k}"], p[f"bias_hh_l{k}"]
        first = _initial(job, x) if state is None else state

        def step(state: Any, gx: Any, w: Any = w, b: Any = b) -> Any:
            return CELLS[job.cell](state, gx, w, b)

        final, x = jax.lax.scan(step, first, gx)
    return x, final


def prepare(job: Job, way: str) -> Prepared:
    x = jnp.asarray(values.inputs(job))
    p = {name: jnp.asarray(value) for name, value in values.parameters(job).items()}
    if job.family == "one step":
        return _one_step(job, x, p)
    if job.kind == "forward":
        forward = jax.jit(lambda x, p: _run(job, x, p)[0])
        return Prepared(lambda: jax.block_until_ready(forward(x, p)), lambda: {"output": np.asarray(forward(x, p))})
    dy = jnp.asarray(values.output_gradient(job))

    def loss(x: Any, p: Any) -> Any:
        y = _run(job, x, p)[0]
        return (y * dy).sum(), y

    training = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))

    def results() -> dict[str, Any]:
        (dx, dp), y = training(x, p)
        return {name: np.asarray(value) for name, value in {"output": y, "x": dx, **dp}.items()}

    return Prepared(lambda: jax.block_until_ready(training(x, p)), results)


def _one_step(job: Job, x: Any, p: dict[str, Any]) -> Prepared:
    # The weights are constants of the program: a stream never changes them.
    step = jax.jit(lambda x, state: _run(job, x, p, state))
    state = _initial(job, x)
    first = x[:1]

    def call() -> Any:
        nonlocal state
        y, state = jax.block_until_ready(step(first, state))
        return y

    def results() -> dict[str, Any]:
        inner, outputs = _initial(job, x), []
        for t in range(len(x)):
            y, inner = step(x[t : t + 1], inner)
            outputs.append(np.asarray(y)[0])
        return {"output": np.stack(outputs)}

    return Prepared(call, results)
