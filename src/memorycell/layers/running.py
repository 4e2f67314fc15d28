"""How a call of a layer is computed: by the fused kernels, by torch's operators or by the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from memorycell.kernels import fused, native, reference, torch_ops
from memorycell.kernels.reference import Cell, Gates, Noise, State, Weights
from memorycell.layers.draws import Draws
from memorycell.layers.inputs import Given

if TYPE_CHECKING:
    from memorycell.layers.base import Recurrent

BACKENDS = ("auto", "cpp", "reference", "torch")
_FUSED_DTYPES = (torch.float32, torch.float64)


def torch_lacks(cell: Cell, *, peephole: bool, layer_norm: bool, zoneout: bool) -> str | None:
    """What torch's operators lack for a cell, or None if they can compute it."""
    for wanted, what in (
        (peephole, "peepholes (peephole=True)"),
        (layer_norm, "layer normalisation (layer_norm=True)"),
        (cell.coupled, "coupled gates (coupled=True)"),
        (not cell.reset_after, "reset before the product (reset_after=False)"),
        (zoneout, "zoneout"),
    ):
        if wanted:
            return f"torch's operators have no {what}"
    return None


class Backends:
    """Which implementations can compute a layer, and which one the user has asked for.

    Raises ValueError for an unknown name, and for a forced backend that cannot run this layer.
    """

    def __init__(self, name: Any, torch_lacks: str | None) -> None:
        if name not in BACKENDS:
            raise ValueError(f"expected backend to be one of {', '.join(map(repr, BACKENDS))}, got {name!r}")
        self.name = name
        self.torch_lacks = torch_lacks
        missing = {"torch": torch_lacks, "cpp": native.why_missing()}.get(name)
        if missing:
            raise ValueError(f"backend={name!r} cannot run this layer: {missing}; use backend='auto'")

    def fused(self, x: Tensor, weight: Tensor) -> bool:
        """Whether the fused kernels compute a call on x.

        Raises ValueError if they are forced and cannot.
        """
        if self.name not in ("auto", "cpp"):
            return False
        fits = x.device.type == "cpu" and weight.dtype in _FUSED_DTYPES
        if fits and native.available():
            return True
        if self.name == "cpp" and fits:  # a layer built where there was one
            raise ValueError(f"backend='cpp' cannot run this layer: {native.why_missing()}; use backend='auto'")
        if self.name == "cpp":
            raise ValueError(
                "expected float32 or float64 weights and input on the CPU for backend='cpp', "
                f"got {weight.dtype} on {x.device}: use backend='auto'"
            )
        return False

    def torch(self) -> bool:
        """Whether torch's operators compute what is left."""
        return self.name != "reference" and self.torch_lacks is None


def run(layer: Recurrent, given: Given, draws: Draws, trace: bool) -> tuple[Tensor | PackedSequence, State, Gates]:
    """Output in the caller's form, final state, and of a trace each gate and state (L, D, B, T, ·), with whatever can
    compute them."""
    weights = draws.masked(layer.weights())
    if layer.backends.fused(given.x, weights[0].w_ih) and not (trace and _wants_gradients(given, weights)):
        return _run_fused(layer, given, weights, draws, trace)
    given = given.looked_up()
    dropped = layer.training and layer.recurrent_dropout
    if trace or dropped or not layer.backends.torch():
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
        (fused.RECURRENT_DROPOUT, "keep_h"),
        (fused.ZONEOUT_H, "zone_h"),
        (fused.ZONEOUT_C, "zone_c"),
    ):
        values = [getattr(one, name) for one in noise]  # torch.compile cannot trace an assignment expression here
        found = [value for value in values if isinstance(value, Tensor)]
        kinds += kind if found else 0
        masks += found
    dropped = [mask for mask in between if mask is not None]
    kinds += fused.DROPOUT if dropped else 0
    rates = [0.0 if rate is None or isinstance(rate, Tensor) else rate for rate in (noise[0].zone_h, noise[0].zone_c)]
    return kinds, masks + dropped, (rates[0], rates[1])


def _run_fused(
    layer: Recurrent, given: Given, weights: list[Weights], draws: Draws, trace: bool
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
    spec = fused.Spec(*layer.fused_spec, kinds, int(packed), int(given.batch_first), *sizes, *layer.fused_variant)
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
    layer: Recurrent, given: Given, weights: list[Weights], draws: Draws
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
