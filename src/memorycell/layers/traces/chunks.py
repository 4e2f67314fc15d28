"""Traces of long sequences, chunk by chunk to a file: memory that depends on the chunk alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from memorycell.kernels.reference import GATES, State
from memorycell.layers.inputs import read, read_lengths
from memorycell.layers.running import call
from memorycell.layers.stack import Stack
from memorycell.layers.traces.description import dims_of
from memorycell.layers.traces.safetensors import TraceFile
from memorycell.layers.traces.trace import Trace


@torch.no_grad()
def trace_to_file(
    layer: Stack,
    parts: Sequence[Stack],
    x: Tensor,
    state: Any,
    lengths: Any,
    embedding: Any,
    path: str | os.PathLike[str],
    chunk: int,
    *,
    force: bool = False,
) -> Trace:
    """`Recurrent.trace` into a file. Layer by layer and direction by direction, the backward one from the end.

    parts: each layer and direction of `layer` as a layer of its own, batch first.
    What a layer reads is what the one below has written; states go on from chunk to chunk.
    """
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise ValueError(f"expected chunk to be a whole number of at least 1 step, got {chunk!r}")
    if not isinstance(x, Tensor):
        raise TypeError(f"expected x to be a Tensor for a trace to a file, got {type(x).__name__}")
    if layer.training and (layer._draws or any(layer.zone)):
        raise ValueError("expected evaluation mode for a trace to a file, got a layer that draws masks: call eval()")
    initial, ends = _checked(layer, x, state, lengths, embedding)
    unbatched = x.ndim == (2 if embedding is None else 1)
    rows = x.unsqueeze(0) if unbatched else x if layer.batch_first else x.transpose(0, 1)
    batch, steps = rows.shape[:2]
    weight = layer.weights()[0].w_ih
    widths = dict.fromkeys((*GATES[layer.mode],), layer.hidden_size)
    widths |= {"hidden": layer.state_widths()[0]} | ({"cell": layer.hidden_size} if layer.mode == "LSTM" else {})
    lead = (layer.num_layers, layer.directions, batch, steps)
    shapes = {name: (*lead, width) for name, width in widths.items()}
    final: list[list[Tensor]] = []
    with TraceFile(path, shapes, weight.dtype, dims_of(unbatched), ends, force=force) as file:
        for k, part in enumerate(parts):
            number, direction = divmod(k, layer.directions)
            now: Any = tuple(value[k : k + 1] for value in initial)
            for start, stop in _chunks(steps, chunk, backwards=direction == 1):
                inside = None if ends is None else (ends - start).clamp(0, stop - start)
                values = rows[:, start:stop] if not number else _below(file, number - 1, start, stop).to(weight.device)
                if direction == 1:
                    values = _mirrored(values, inside)
                before = now if layer.mode == "LSTM" else now[0]
                traced = call(part, values, before, inside, None if number else embedding, trace=True)
                now = traced.state if isinstance(traced.state, tuple) else (traced.state,)
                for name in shapes:
                    value = traced.records[name][0, 0]
                    file.write(name, number, direction, start, _mirrored(value, inside) if direction == 1 else value)
            final.append(list(now))
    whole = tuple(torch.cat(parts) for parts in zip(*final, strict=True))
    trace = Trace.load(path)
    after = tuple(value.squeeze(1) for value in whole) if unbatched else whole
    return Trace(trace.by_name, trace.dims, None, after if len(after) == 2 else after[0], trace.lengths)


def _checked(layer: Stack, x: Tensor, state: Any, lengths: Any, embedding: Any) -> tuple[State, Tensor | None]:
    """The state at the beginning and the lengths, with the errors of `forward`.

    Of token ids, which may be a memory map and are looked up, the first step tells whether they fit.
    """
    fits = x.ndim == 2 or (x.ndim == 1 and lengths is None)
    if embedding is None or not fits or not x.numel():
        given = read(layer, x, state, lengths, embedding)
        return given.initial(), given.lengths
    time = 1 if layer.batch_first and x.ndim == 2 else 0
    ends = None if lengths is None else read_lengths(lengths, x.shape[1 - time], x.shape[time])
    first = read(layer, x.narrow(time, 0, 1), state, None if ends is None else ends.clamp(max=1), embedding)
    return first.initial(), ends


def _chunks(steps: int, size: int, *, backwards: bool) -> Iterator[tuple[int, int]]:
    starts = range(0, steps, size)
    for start in reversed(starts) if backwards else starts:
        yield start, min(steps, start + size)


def _below(file: TraceFile, layer: int, start: int, stop: int) -> Tensor:
    directions = file.shapes["hidden"][1]
    return torch.cat([file.read("hidden", layer, direction, start, stop) for direction in range(directions)], -1)


def _mirrored(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Each row, (B, t, ·) or token ids (B, t), read from its end; zero beyond it."""
    if lengths is None:
        return values.flip(1)
    places = (lengths.unsqueeze(1) - 1 - torch.arange(values.shape[1])).to(values.device)
    rows = torch.arange(len(values), device=values.device).unsqueeze(1)
    beyond = (places < 0).view(*places.shape, *(1,) * (values.ndim - 2))
    return values[rows, places.clamp(min=0)].masked_fill(beyond, 0)
