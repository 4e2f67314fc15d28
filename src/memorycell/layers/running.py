"""How a call of a layer is computed: by the fused kernels, by torch's operators or by the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from memorycell.kernels import fused, onlookers, reference, torch_ops
from memorycell.kernels.reference import Gates, Noise, State, Weights
from memorycell.kernels.spec import DROPOUT, RECURRENT_DROPOUT, ZONEOUT_C, ZONEOUT_H, Spec
from memorycell.layers.draws import Draws, draw
from memorycell.layers.inputs import Given, read
from memorycell.layers.stack import Stack


class Called(NamedTuple):
    """What a call of a layer gave: output and final state in the caller's form, and of a trace all gates and states."""

    output: Any
    state: Any
    records: Gates  # each (L, D, B, T, ·)
    given: Given


def call(layer: Stack, x: Any, state: Any, lengths: Any, embedding: Any, *, trace: bool = False) -> Called:
    """Check what a caller gave, draw the masks and compute; raises as `Recurrent.forward`."""
    given = read(layer, x, state, lengths, embedding)
    draws = draw(layer, given.steps, given.batch, given.x)
    output, final, records = _run(layer, given, draws, trace)
    return Called(output, given.give_back_state(final), records, given)


def _run(layer: Stack, given: Given, draws: Draws, trace: bool) -> tuple[Tensor | PackedSequence, State, Gates]:
    """Output in the caller's form, final state, and of a trace each gate and state (L, D, B, T, ·), with whatever can
    compute them."""
    weights = draws.masked(layer.weights())
    followed = trace and (_wants_gradients(given, weights) or onlookers.composed())
    if layer.backends.fused(given.x, weights[0].w_ih) and not followed:
        return _run_fused(layer, given, weights, draws, trace)
    given = given.looked_up()
    dropped = layer.training and layer.recurrent_dropout
    if trace or dropped or not layer.backends.torch():
        if onlookers.traced():
            raise ValueError(
                "torch.jit.trace would write out the loop over these steps and keep their number for good: "
                "use torch.export, or trace in evaluation mode with backend='auto'"
            )
        padded, finals, records = reference.run_stack(
            layer.cell,
            given.padded(),
            list(zip(*(part.unbind(0) for part in given.initial()), strict=True)),
            weights,
            directions=layer.directions,
            lengths=given.lengths,
            noise=draws.noise,
            between=draws.between,
            trace=trace,
        )
        return given.give_back(padded), together(finals), _stacked(records) if trace else {}
    return *_run_torch(layer, given, weights, draws), {}


def _stacked(records: list[list[Gates]]) -> Gates:
    """Records by layer and direction, each (T, B, ·), as (L, D, B, T, ·) by name."""
    return {
        name: torch.stack([torch.stack([one[name].transpose(0, 1) for one in layer]) for layer in records])
        for name in records[0][0]
    }


def together(states: list[State]) -> State:
    """States of each layer and direction as (L·D, B, ·)."""
    return tuple(torch.stack(parts) for parts in zip(*states, strict=True))


def _wants_gradients(given: Given, weights: list[Weights]) -> bool:
    return torch.is_grad_enabled() and (given.x.requires_grad or any(w.w_ih.requires_grad for w in weights))


def parameters_of(w: Weights) -> list[Tensor]:
    """The tensors of one cell in the fused kernels' order."""
    norms = [part for norm in (w.norm_ih, w.norm_hh, w.norm_ch) if norm is not None for part in norm]
    return [part for part in (w.w_ih, w.w_hh, w.b_ih, w.b_hh, w.w_hr, w.w_ch, *norms) if part is not None]


def masks_of(noise: Sequence[Noise], between: Sequence[Tensor | None]) -> tuple[int, list[Tensor], tuple[float, float]]:
    """Which kinds of masks there are, the masks, and zoneout's rates where it has none."""
    kinds, masks = 0, []
    for kind, name in (
        (RECURRENT_DROPOUT, "keep_h"),
        (ZONEOUT_H, "zone_h"),
        (ZONEOUT_C, "zone_c"),
    ):
        values = [getattr(one, name) for one in noise]  # torch.compile cannot trace an assignment expression here
        found = [value for value in values if isinstance(value, Tensor)]
        kinds += kind if found else 0
        masks += found
    dropped = [mask for mask in between if mask is not None]
    kinds += DROPOUT if dropped else 0
    rates = [0.0 if rate is None or isinstance(rate, Tensor) else rate for rate in (noise[0].zone_h, noise[0].zone_c)]
    return kinds, masks + dropped, (rates[0], rates[1])


def _run_fused(
    layer: Stack, given: Given, weights: list[Weights], draws: Draws, trace: bool
) -> tuple[Tensor | PackedSequence, State, Gates]:
    dtype = weights[0].w_ih.dtype  # under autocast x may have another: the kernels compute in the weights'
    kinds, masks, rates = masks_of(draws.noise, draws.between)
    if trace:
        given = given.looked_up()
    packed = given.packed is not None and not trace
    x = given.x if packed or given.packed is None else given.padded()
    tokens = [] if given.tokens is None else [given.tokens]
    rows = given.steps * given.batch if given.lengths is None else int(given.lengths.sum())
    sizes = (given.steps, given.batch, rows, len(tokens))
    spec = Spec(*layer.fused_spec, kinds, int(packed), int(given.batch_first), *sizes, *layer.fused_variant)
    initial = () if given.state is None else tuple(part.to(dtype) for part in given.state)
    tensors = (initial, given.ragged() + tokens, [part for w in weights for part in parameters_of(w)], masks)
    records: Gates = {}
    if trace:
        output, final, records = fused.trace(spec, rates, x.to(dtype), *tensors)
    else:
        output, final = fused.run(spec, rates, x.to(dtype), *tensors)
    if packed:
        assert given.packed is not None  # noqa: S101 - for the type checker
        return given.packed._replace(data=output), final, records
    return given.give_back(output), final, records


def _run_torch(
    layer: Stack, given: Given, weights: list[Weights], draws: Draws
) -> tuple[Tensor | PackedSequence, State]:
    flat = [value for w in weights for value in w[:5] if value is not None]
    one_by_one = layer.dropout and (layer.training or given.x.is_cuda)
    shape: dict[str, Any] = {
        "bias": layer.bias,
        "num_layers": layer.num_layers,
        "bidirectional": layer.bidirectional,
        "between": draws.between if one_by_one else None,
    }
    if given.packed is not None:
        return torch_ops.run_packed(layer.mode, given.packed, given.initial(), flat, **shape)
    if given.lengths is None:
        output, final = torch_ops.run(layer.mode, given.x, given.initial(), flat, **shape)
    else:
        ragged = (given.x, given.lengths, given.initial())
        output, final = torch_ops.run_ragged(layer.mode, *ragged, flat, **shape)
    return given.give_back(output), final
