"""Gradients of gradients of the fused kernels: through the reference, which torch differentiates as often as asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from memorycell.kernels import reference
from memorycell.kernels.reference import Noise, Norm, Weights
from memorycell.kernels.spec import DROPOUT, RECURRENT_DROPOUT, ZONEOUT_C, ZONEOUT_H, Spec, grouped, split_masks


class Gradients(torch.autograd.Function):
    """`memorycell::backward` for those who may differentiate again (torch.func says so at every call)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        spec: Spec,
        rates: tuple[float, float],
        counts: tuple[int, int, int],
        wanted: tuple[bool, bool, bool],
        x: Tensor,
        *tensors: Tensor | None,
    ) -> tuple[Tensor, ...]:
        """`tensors`: initial, ragged, parameters, masks, outputs, reserve and given, one after the other."""
        sources, outputs, given = _split(spec, tensors)
        groups = grouped(counts, sources)
        return tuple(torch.ops.memorycell.backward(spec, rates, x, *groups, outputs[:-1], outputs[-1], given, wanted))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.spec, ctx.rates, ctx.counts, ctx.wanted, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Any, ...]:
        x, *tensors = ctx.saved_tensors
        sources, outputs, given = _split(ctx.spec, tensors)
        initial, ragged, parameters, masks = grouped(ctx.counts, sources)
        places = [k for k, slope in enumerate(given) if slope is not None]
        bounds = list(accumulate((1, len(initial), len(parameters))))

        def gradients(*differentiable: Tensor) -> tuple[Tensor, ...]:
            state, weights = differentiable[bounds[0] : bounds[1]], differentiable[bounds[1] : bounds[2]]
            values = (differentiable[0], state, ragged, weights, masks)
            at_places = dict(zip(places, differentiable[bounds[2] :], strict=True))
            return _by_reference(ctx.spec, ctx.rates, *values, at_places, ctx.wanted)

        pull = torch.func.vjp(gradients, x, *initial, *parameters, *(given[k] for k in places))[1]
        found = pull(slopes)
        state, weights = found[bounds[0] : bounds[1]], found[bounds[1] : bounds[2]]
        at_places = dict(zip(places, found[bounds[2] :], strict=True))
        nothing = (*[None] * len(masks), *[None] * len(outputs))
        first = (None, None, None, None, found[0], *state, *[None] * len(ragged))
        return *first, *weights, *nothing, *(at_places.get(k) for k in range(len(given)))


def _split(spec: Spec, tensors: Sequence[Any]) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor | None]]:
    """What a run was given, its outputs with the reserve, and the gradients of output and final state."""
    results = 3 if spec.mode == 0 else 2
    run = len(tensors) - results - spec.layers - 1
    return tensors[:run], tensors[run:-results], tensors[-results:]


def _by_reference(
    spec: Spec,
    rates: tuple[float, float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    given: dict[int, Tensor],
    wanted: Sequence[bool],
) -> tuple[Tensor, ...]:
    """What `memorycell::backward` returns; `given`: by place among the output and the final state.

    The forward pass is computed again. Nothing is fused: as slow as the reference, and as general.
    """
    first, last = 1, 1 + len(initial)

    def results(*sources: Tensor) -> tuple[Tensor, ...]:
        output, final = again(spec, rates, sources[0], sources[first:last], ragged, sources[last:], masks)
        return tuple((output, *final)[k] for k in given)

    # A transform's derivative is partial, also where a source depends on another (layers that share weights).
    found = torch.func.vjp(results, x, *initial, *parameters)[1](tuple(given.values()))
    groups = found[:first], found[first:last], found[last:]
    return tuple(slope for group, asked in zip(groups, wanted, strict=True) if asked for slope in group)


def again(
    spec: Spec,
    rates: tuple[float, float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output and final state, by the reference."""
    n = len(spec.parameters)
    weights = [
        weights_of(dict(zip(spec.parameters, parameters[k * n : (k + 1) * n], strict=True))) for k in range(spec.cells)
    ]
    if not initial:
        widths = spec.widths(parameters)[: 2 if spec.mode == 0 else 1]
        initial = [x.new_zeros(spec.cells, spec.batch, units) for units in widths]
    by_kind = split_masks(spec, masks)
    keep, zones_h, zones_c = (by_kind[kind] for kind in (RECURRENT_DROPOUT, ZONEOUT_H, ZONEOUT_C))
    noise = [
        Noise(
            keep[k] if keep else None,
            zones_h[k] if zones_h else rates[0] or None,
            zones_c[k] if zones_c else rates[1] or None,
        )
        for k in range(spec.cells)
    ]
    if spec.tokens:
        x, ragged = torch.nn.functional.embedding(ragged[-1], x), ragged[:-1]
    order = ragged[1] if len(ragged) == 2 else None
    packed = _places(ragged[0], order) if spec.packed else None
    if packed is not None:
        x = x.new_zeros(spec.steps, spec.batch, x.shape[-1]).index_put(packed, x)
    lengths = None
    if ragged:
        sorted_lengths = (ragged[0].unsqueeze(0) > torch.arange(spec.batch).unsqueeze(1)).sum(1)
        lengths = (
            sorted_lengths if order is None else torch.empty_like(sorted_lengths).index_copy(0, order, sorted_lengths)
        )
    output, finals, _ = reference.run_stack(
        spec.cell,
        x,
        list(zip(*(part.unbind(0) for part in initial), strict=True)),
        weights,
        directions=spec.directions,
        lengths=lengths,
        noise=noise,
        between=by_kind[DROPOUT],
    )
    final = tuple(torch.stack(parts) for parts in zip(*finals, strict=True))
    return output if packed is None else output[packed], final


def _places(batch_sizes: Tensor, order: Tensor | None) -> tuple[Tensor, Tensor]:
    """Step and row of all that a PackedSequence holds (torch's own functions for it know no transforms)."""
    step = torch.arange(batch_sizes.numel()).repeat_interleave(batch_sizes)
    row = torch.arange(step.numel()) - (batch_sizes.cumsum(0) - batch_sizes)[step]
    return step, row if order is None else order[row]


def weights_of(values: dict[str, Tensor]) -> Weights:
    """The reference's view of one cell's parameters."""

    def norm(name: str) -> Norm | None:
        return Norm(values[f"{name}_gain"], values[f"{name}_bias"]) if f"{name}_gain" in values else None

    get = values.get
    return Weights(
        values["w_ih"],
        values["w_hh"],
        get("b_ih"),
        get("b_hh"),
        get("w_hr"),
        get("w_ch"),
        norm("norm_ih"),
        norm("norm_hh"),
        norm("norm_ch"),
    )
