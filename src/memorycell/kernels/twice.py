"""Gradients of gradients of the fused kernels: through the reference, which torch differentiates as often as asked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from memorycell.kernels import reference, torch_ops
from memorycell.kernels.fused import DROPOUT, RECURRENT_DROPOUT, ZONEOUT_C, ZONEOUT_H, Spec, split_masks
from memorycell.kernels.reference import Noise, Norm, Weights


def gradients_by_reference(
    spec: Spec,
    rates: tuple[float, float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    given: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor]:
    """What `memorycell::backward` returns, itself differentiable; arguments as its.

    The forward pass is computed again. Nothing is fused: as slow as the reference, and as general.
    """
    with torch.enable_grad():
        output, final = _again(spec, rates, x, initial, ragged, parameters, masks)
        sources = [
            *([x] if wanted[0] else []),
            *(initial if wanted[1] else ()),
            *(parameters if wanted[2] else ()),
        ]
        pairs = [(result, slope) for result, slope in zip((output, *final), given, strict=True) if slope is not None]
        asked = [source for source in sources if source.requires_grad]
        found = iter(
            torch.autograd.grad(
                [result for result, _ in pairs],
                asked,
                [slope for _, slope in pairs],
                create_graph=True,
                allow_unused=True,
            )
        )
        slopes = [next(found) if source.requires_grad else None for source in sources]
    return [torch.zeros_like(source) if slope is None else slope for source, slope in zip(sources, slopes, strict=True)]


def _again(
    spec: Spec,
    rates: tuple[float, float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output and final state, by the reference."""
    n, hidden = len(spec.parameters), parameters[1].shape[1]
    weights = [
        weights_of(dict(zip(spec.parameters, parameters[k * n : (k + 1) * n], strict=True))) for k in range(spec.cells)
    ]
    if not initial:
        initial = [x.new_zeros(spec.cells, spec.batch, hidden)] * (2 if spec.mode == 0 else 1)
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
    packed = PackedSequence(x, ragged[0], order, None if order is None else order.argsort()) if spec.packed else None
    lengths = None
    if ragged:
        sorted_lengths = (ragged[0].unsqueeze(0) > torch.arange(spec.batch).unsqueeze(1)).sum(1)
        lengths = (
            sorted_lengths if order is None else torch.empty_like(sorted_lengths).index_copy(0, order, sorted_lengths)
        )
    output, finals, _ = reference.run_stack(
        spec.cell,
        x if packed is None else pad_packed_sequence(packed)[0],
        list(zip(*(part.unbind(0) for part in initial), strict=True)),
        weights,
        directions=spec.directions,
        lengths=lengths,
        noise=noise,
        between=by_kind[DROPOUT],
    )
    final = tuple(torch.stack(parts) for parts in zip(*finals, strict=True))
    return output if packed is None else torch_ops.repack(output, packed).data, final


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
        None,
        get("w_ch"),
        norm("norm_ih"),
        norm("norm_hh"),
        norm("norm_ch"),
    )
