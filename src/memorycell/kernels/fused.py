"""The fused kernels of the native library as torch operators, and their gradients.

`memorycell::forward` runs a stack of layers, `memorycell::backward` goes back through it; both are opaque to
torch, so that `torch.compile` and `torch.export` keep batch and time dynamic. `run` is the differentiable whole.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from memorycell.kernels import batched, native, onlookers, twice
from memorycell.kernels.fused_check import check, check_backward, check_devices
from memorycell.kernels.reference import GATES, Gates
from memorycell.kernels.spec import MODES, ZONEOUT_C, Spec, grouped, parameters_of, split_masks

_RUN = struct.Struct("=45q2d6q")  # mc_run
_GRADIENTS = struct.Struct("=23q")  # mc_gradients
_NOWHERE = (0, 0, 0)  # a null pointer and its distances


# Where each parameter stands in mc_run; the gradients follow the same order.
_PLACES = {name: place for place, name in enumerate(parameters_of(1, 1, 1, True, 1))}


def address(tensor: Tensor) -> int:
    """Where a tensor's numbers stand; raises ValueError if they stand nowhere."""
    found = tensor.data_ptr()
    if not found and tensor.numel():
        raise ValueError(
            f"expected tensors whose numbers are in memory, got one of shape {tuple(tensor.shape)} without any: "
            "its storage has been freed (resize_(0)), or it stands for zeros that were never made"
        )
    return found


def _pointers(spec: Spec, tensors: Sequence[Tensor | None]) -> list[int]:
    """Addresses of one cell's parameters, or of their gradients."""
    pointers = [0] * len(_PLACES)
    for name, tensor in zip(spec.parameters, tensors, strict=True):
        if tensor is not None:
            pointers[_PLACES[name]] = address(tensor)
    return pointers


def _rows(spec: Spec, tensor: Tensor) -> tuple[int, int, int]:
    """Address, and distances between steps and rows, of (T, B, ·), or packed of (Σ lengths, ·)."""
    if spec.packed:
        return address(tensor), 0, tensor.stride(0)
    return address(tensor), tensor.stride(0), tensor.stride(1)


def _input_rows(spec: Spec, layer: int, tensor: Tensor) -> tuple[int, int, int]:
    """`_rows` of what a layer reads; the first one's is a vocabulary if there are tokens."""
    return _rows(spec, tensor) if layer or not spec.tokens else (address(tensor), 0, tensor.stride(0))


def _mask_rows(mask: Tensor) -> tuple[int, int, int]:
    return address(mask), mask.stride(0), mask.stride(1)


def _describe(
    spec: Spec,
    rates: Sequence[float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    outputs: Sequence[Tensor],
    final: Sequence[Tensor],
    reserve: Tensor | None,
) -> bytes:
    """mc_run of each cell, layer by layer."""
    # Straight on: small layers take no longer than this function does.
    n, size, (units, hidden) = len(spec.parameters), x.element_size(), spec.widths(parameters)
    h_bytes, c_bytes = spec.batch * units * size, spec.batch * hidden * size
    tokens = _tokens_of(spec, ragged)
    lengths = ragged[: len(ragged) - spec.tokens]
    active = address(lengths[0]) if lengths else 0
    order = address(lengths[1]) if len(lengths) == 2 else 0
    h_0, c_0 = [address(part) for part in initial] + [0] * (2 - len(initial))
    h_n, c_n = [address(part) for part in final] + [0] * (2 - len(final))
    kept, kept_bytes = (0, 0) if reserve is None else (address(reserve), reserve.stride(0) * size)
    by_kind = split_masks(spec, masks)
    keep, zones_h, zones_c, dropped = by_kind.values()
    head = (native.level(), size, spec.mode, spec.coupled, spec.reset_before)
    projected = units if spec.projected else 0
    described = []
    for k in range(spec.cells):
        layer, direction = divmod(k, spec.directions)
        source = outputs[layer - 1] if layer else x
        begin, time, row = _rows(spec, outputs[layer])
        described.append(
            _RUN.pack(
                *head,
                direction,
                *(spec.steps, spec.batch, source.shape[-1], hidden, projected),
                *(active, order, spec.packed),
                *_input_rows(spec, layer, source),
                *((*_rows(spec, tokens), x.shape[0]) if tokens is not None and not layer else (0, 0, 0, 0)),
                *(_mask_rows(dropped[layer - 1]) if layer and dropped else _NOWHERE),
                *(h_0 and h_0 + k * h_bytes, c_0 and c_0 + k * c_bytes),
                *_pointers(spec, parameters[k * n : (k + 1) * n]),
                address(keep[k]) if keep else 0,
                *(_mask_rows(zones_h[k]) if zones_h else _NOWHERE),
                *(_mask_rows(zones_c[k]) if zones_c else _NOWHERE),
                *(0.0 if zones_h else rates[0], 0.0 if zones_c else rates[1]),
                *(begin + direction * units * size, time, row),
                *(h_n and h_n + k * h_bytes, c_n and c_n + k * c_bytes),
                kept and kept + k * kept_bytes,
            )
        )
    return b"".join(described)


def _tokens_of(spec: Spec, ragged: Sequence[Tensor]) -> Tensor | None:
    return ragged[-1].unsqueeze(-1) if spec.tokens else None


@functools.cache
def _reserve_width(head: tuple[int, ...], hidden: int, norm: int, zone_c: bool) -> int:
    """Numbers that a step of a row takes in the reserve of one cell: the library knows. head: as mc_run begins."""
    library = native.library()
    assert library is not None  # noqa: S101 - whoever calls has looked
    fields: list[Any] = [0] * 53
    fields[:10] = *head, 0, 1, 1, 1, hidden
    fields[32] = norm  # norm_ih_gain: only whether it is null
    fields[45:47] = 0.0, 1.0 if zone_c else 0.0
    return int(library.mc_reserve_bytes(_RUN.pack(*fields))) // head[1]


def _empty_rows(spec: Spec, like: Tensor, width: int) -> Tensor:
    """An output (T, B, width), or packed (Σ lengths, width). What no row's step is written to is zero."""
    if spec.packed:
        return like.new_empty(spec.rows, width)
    empty = like.new_empty if spec.rows == spec.steps * spec.batch else like.new_zeros
    if spec.batch_first:
        return empty(spec.batch, spec.steps, width).transpose(0, 1)
    return empty(spec.steps, spec.batch, width)


def _allocate(
    spec: Spec, rates: Sequence[float], x: Tensor, parameters: Sequence[Tensor], save: bool
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Outputs of all layers, the final state, and the reserve (cells, Σ lengths · width)."""
    widths = spec.widths(parameters)
    outputs = [_empty_rows(spec, x, spec.directions * widths[0]) for _ in range(spec.layers)]
    final = [x.new_empty(spec.cells, spec.batch, units) for units in widths[: 2 if spec.mode == 0 else 1]]
    width = _width_of(spec, rates, x, parameters) if save else 0
    return outputs, final, x.new_empty(spec.cells, spec.rows * width)


def _width_of(spec: Spec, rates: Sequence[float], x: Tensor, parameters: Sequence[Tensor]) -> int:
    """`_reserve_width` of a run."""
    zoned = bool(spec.masks & ZONEOUT_C or rates[1])
    head = (native.level(), x.element_size(), spec.mode, spec.coupled, spec.reset_before)
    return _reserve_width(head, int(spec.widths(parameters)[1]), spec.norm, spec.mode == 0 and zoned)


_STATUS = {
    3: "expected numbers of rows that have a step from 0 to the batch's, never rising from one step to the next",
    4: "expected where the sorted rows stand as each place of the batch once",
    5: "expected tokens from 0 to the vocabulary's number less one",
}


def _check(status: int) -> None:
    if status == 1:
        raise MemoryError("the fused kernels could not get memory for their packed weights and buffers")
    if status in _STATUS:
        raise ValueError(_STATUS[status])
    if status:
        raise RuntimeError(f"the fused kernels could not run this layer (status {status})")


# ---- Operators ----

_LIBRARY = torch.library.Library("memorycell", "DEF")
_INPUTS = (
    "SymInt[] spec, float[] rates, Tensor x, Tensor[] initial, Tensor[] ragged, Tensor[] parameters, Tensor[] masks"
)
_LIBRARY.define(f"forward({_INPUTS}, bool save) -> Tensor[]")
_LIBRARY.define(
    f"backward({_INPUTS}, Tensor[] outputs, Tensor reserve, Tensor?[] gradients, bool[] wanted) -> Tensor[]"
)


def _forward(
    spec: Sequence[int],
    rates: Sequence[float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    save: bool,
) -> list[Tensor]:
    s = Spec(*spec)
    x, initial, parameters = _in_line(x, initial, parameters)
    check(s, x, initial, ragged, parameters, masks)
    outputs, final, reserve = _allocate(s, rates, x, parameters, save)
    library = native.library()
    runs = _describe(s, rates, x, initial, ragged, parameters, masks, outputs, final, reserve if save else None)
    _check(library.mc_forward(runs, s.cells, torch.get_num_threads()))  # type: ignore[union-attr]
    return [*outputs, *final, reserve]


def _forward_shapes(
    spec: Sequence[int],
    rates: Sequence[float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    save: bool,
) -> list[Tensor]:
    check_devices(x, initial, parameters, masks)
    outputs, final, reserve = _allocate(Spec(*spec), rates, x, parameters, save)
    return [*outputs, *final, reserve]


def _gradients_like(
    s: Spec, x: Tensor, initial: Sequence[Tensor], parameters: Sequence[Tensor], wanted: Sequence[bool]
) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
    dx = None
    if wanted[0]:
        dx = x.new_empty(x.shape) if s.tokens else _empty_rows(s, x, x.shape[-1])
    state = [torch.empty_like(part) for part in initial] if wanted[1] else []
    weights = [torch.empty_like(part) for part in parameters] if wanted[2] else []
    return dx, state, weights


def _backward(
    spec: Sequence[int],
    rates: Sequence[float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    outputs: Sequence[Tensor],
    reserve: Tensor,
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor]:
    s = Spec(*spec)
    x, initial, parameters = _in_line(x, initial, parameters)
    dx, dinitial, dparameters = _gradients_like(s, x, initial, parameters, wanted)
    size, n, widths = x.element_size(), len(s.parameters), s.widths(parameters)
    state = [s.batch * units * size for units in widths]  # bytes
    doutputs: list[Tensor | None] = [_empty_rows(s, x, out.shape[-1]) for out in outputs[:-1]]
    doutputs.append(None if gradients[0] is None else _contiguous_features(gradients[0]))
    dfinal = [None if part is None else part.contiguous() for part in gradients[1:]]
    described = []
    for k in range(s.cells):
        layer, direction = divmod(k, s.directions)
        dout, source = doutputs[layer], doutputs[layer - 1] if layer else dx
        to = _NOWHERE if source is None else _input_rows(s, layer, source)
        begin, time, row = _NOWHERE if dout is None else _rows(s, dout)
        described.append(
            _GRADIENTS.pack(
                *(begin and begin + direction * widths[0] * size, time, row),
                *[address(part) + k * state[i] if (part := _at(dfinal, i)) is not None else 0 for i in (0, 1)],
                *to,
                # The other direction comes first: backwards goes from the last run to the first.
                direction < s.directions - 1,
                *[address(part) + k * state[i] if (part := _at(dinitial, i)) is not None else 0 for i in (0, 1)],
                *(_pointers(s, dparameters[k * n : (k + 1) * n]) if dparameters else [0] * len(_PLACES)),
            )
        )
    runs = _describe(s, rates, x, initial, ragged, parameters, masks, outputs, (), reserve)
    library = native.library()
    _check(library.mc_backward(runs, b"".join(described), s.cells, torch.get_num_threads()))  # type: ignore[union-attr]
    return [*([] if dx is None else [dx]), *dinitial, *dparameters]


def _at(tensors: Sequence[Tensor | None], i: int) -> Tensor | None:
    return tensors[i] if i < len(tensors) else None


def _in_line(
    x: Tensor, initial: Sequence[Tensor], parameters: Sequence[Tensor]
) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """The same as the kernels read them. Here, and not before: dispatch may make tensors of other strides."""
    return _contiguous_features(x), _contiguous(initial), _contiguous(parameters)


def _contiguous_features(x: Tensor) -> Tensor:
    """The kernels step through time and batch as they like, but read the numbers of a row one after the other."""
    return x if x.stride(-1) == 1 or x.shape[-1] == 1 else x.contiguous()


def _contiguous(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    return [tensor if tensor.is_contiguous() else tensor.contiguous() for tensor in tensors]


def _backward_shapes(
    spec: Sequence[int],
    rates: Sequence[float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
    outputs: Sequence[Tensor],
    reserve: Tensor,
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor]:
    check_devices(x, initial, parameters, masks)
    dx, dinitial, dparameters = _gradients_like(Spec(*spec), x, initial, parameters, wanted)
    return [*([] if dx is None else [dx]), *dinitial, *dparameters]


def _checked_backward(*arguments: Any) -> list[Tensor]:
    """`_backward` for whoever calls the operator: autograd gives back what `_forward` made, others may not."""
    spec, rates, x, initial, ragged, parameters, masks, outputs, reserve, gradients, _ = arguments
    s = Spec(*spec)
    check(s, x, initial, ragged, parameters, masks)
    check_backward(s, x, parameters, outputs, reserve, gradients, _width_of(s, rates, x, parameters))
    return _backward(*arguments)


_LIBRARY.impl("forward", _forward, "CPU")
_LIBRARY.impl("backward", _checked_backward, "CPU")
torch.library.register_fake("memorycell::forward", _forward_shapes, lib=_LIBRARY)
torch.library.register_fake("memorycell::backward", _backward_shapes, lib=_LIBRARY)

for _operator in (torch.ops.memorycell.forward, torch.ops.memorycell.backward):
    _name = _operator._qualified_op_name
    torch.library.register_vmap(_name, functools.partial(batched.one_by_one, _operator), lib=_LIBRARY)
    _LIBRARY.impl(_name, functools.partial(batched.legacy, _operator), "Batched")


class _Recurrent(torch.autograd.Function):
    """The operators, with each other as gradient; twice differentiable through the reference."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        spec: Spec, rates: tuple[float, float], counts: tuple[int, int, int], x: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        initial, ragged, parameters, masks = grouped(counts, tensors)
        return tuple(torch.ops.memorycell.forward(spec, rates, x, initial, ragged, parameters, masks, True))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.spec, ctx.rates, ctx.counts, x, *tensors = inputs
        layers = ctx.spec.layers
        ctx.save_for_backward(x, *tensors, *output[:layers], output[-1])
        ctx.mark_non_differentiable(*output[: layers - 1], output[-1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        spec, layers = ctx.spec, ctx.spec.layers
        x, *rest = ctx.saved_tensors
        tensors, outputs, reserve = rest[: -layers - 1], rest[-layers - 1 : -1], rest[-1]
        initial, ragged, parameters, masks = grouped(ctx.counts, tensors)
        given = [None if slope is None else onlookers.plain(slope) for slope in gradients[layers - 1 : -1]]
        if all(slope is None for slope in given):
            return (None,) * (4 + len(tensors))
        first = len(initial)
        needs = ctx.needs_input_grad[3:]
        wanted = [needs[0], any(needs[1 : 1 + first]), any(needs[1 + first + len(ragged) :])]
        if torch.is_grad_enabled():
            results = (*outputs, reserve, *given)
            arguments = (spec, ctx.rates, ctx.counts, tuple(wanted), x, *tensors, *results)
            once = batched.is_legacy(arguments)
            found = batched.legacy(twice.Gradients.apply, *arguments) if once else twice.Gradients.apply(*arguments)
        else:
            call = _backward if onlookers.none((x, *given), tensors) else torch.ops.memorycell.backward
            found = call(spec, ctx.rates, x, initial, ragged, parameters, masks, outputs, reserve, given, wanted)
        parts = iter(found)
        dx = next(parts) if wanted[0] else None
        dinitial = [next(parts) if wanted[1] else None for _ in initial]
        dparameters = [next(parts) if wanted[2] else None for _ in parameters]
        return None, None, None, dx, *dinitial, *[None] * len(ragged), *dparameters, *[None] * len(masks)


class _EagerRecurrent(_Recurrent):
    """The same, for when nobody looks on: torch inspects the signature of a Function with a context of its own
    at every call, for 30 µs."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, ...]:
        spec, rates, counts, x, *tensors = inputs
        initial, ragged, parameters, masks = grouped(counts, tensors)
        results = tuple(_forward(spec, rates, x, initial, ragged, parameters, masks, True))
        _Recurrent.setup_context(ctx, inputs, results)
        return results

    setup_context = torch.autograd.Function.setup_context


def run(
    spec: Spec,
    rates: tuple[float, float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor] = (),
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A stack of layers over a batch of sequences, differentiable.

    Parameters
    ----------
    spec : Spec
        What the tensors mean.
    rates : (float, float)
        Share of the previous h and c that stays at every step (zoneout's expectation); 0 where masks say it.
    x : Tensor
        (T, B, I), any strides but contiguous features; or packed (Σ lengths, I); or with `spec.tokens` the rows
        that steps take, (vocabulary, I).
    initial : sequence of Tensor
        h (L·D, B, P) and of an LSTM c (L·D, B, H), contiguous; empty: zeros.
    ragged : sequence of Tensor
        int64 on the CPU: rows that have a step t (T,), never rising, and where sorted row b stands (B,); or only
        the first, if rows are sorted by falling length; or nothing, if all rows have T steps. Then with
        `spec.tokens` the row of x that each step takes, (T, B) or packed (Σ lengths,), from 0 to vocabulary - 1.
    parameters : sequence of Tensor
        By layer, direction, then name as in `spec.parameters`; contiguous.
    masks : sequence of Tensor
        Of recurrent dropout (B, P), contiguous, zoneout of h (T, B, P) and of c (T, B, H), by cell; then dropout
        between layers (T, B, D·P).

    Returns
    -------
    output (T, B, D·P) or packed (Σ lengths, D·P), and the final state, shaped as `initial`.

    Raises
    ------
    MemoryError
        If there is no memory for the packed weights.
    ValueError
        If a tensor is of another shape, dtype or device.
    """
    tensors = (*initial, *ragged, *parameters, *masks)
    eager = onlookers.none((x, *initial), (*ragged, *parameters, *masks))
    if not eager and onlookers.composed():
        return twice.again(spec, rates, x, initial, ragged, parameters, masks)
    if torch.is_grad_enabled() and (x.requires_grad or any(t.requires_grad for t in tensors)):
        counts = (len(initial), len(ragged), len(parameters))
        arguments = (spec, rates, counts, x, *tensors)
        if eager:
            results = _EagerRecurrent.apply(*arguments)
        elif batched.is_legacy(arguments):
            results = batched.legacy(_Recurrent.apply, *arguments)
        else:
            results = _Recurrent.apply(*arguments)
    else:
        call = _forward if eager else torch.ops.memorycell.forward
        results = call(spec, rates, x, initial, ragged, parameters, masks, False)
    return results[spec.layers - 1], tuple(results[spec.layers : -1])


def trace(
    spec: Spec,
    rates: tuple[float, float],
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor] = (),
) -> tuple[Tensor, tuple[Tensor, ...], Gates]:
    """`run` without gradients on unpacked x, and what every gate did.

    Arguments as for `run`. Of each gate and state (L, D, B, T, ·), zero beyond a row's length: the gates and the cell
    as lines of one block, which the kernels write in place.
    """
    x, initial, parameters = _in_line(x, initial, parameters)
    results = torch.ops.memorycell.forward(spec, rates, x, initial, ragged, parameters, masks, True)
    outputs, final, reserve = results[: spec.layers], results[spec.layers : -1], results[-1]
    runs = _describe(spec, rates, x, initial, ragged, parameters, masks, outputs, final, reserve)
    _, hidden = spec.widths(parameters)
    names = (*GATES[MODES[spec.mode]], *(("cell",) if spec.mode == 0 else ()))
    fill = x.new_empty if spec.rows == spec.steps * spec.batch else x.new_zeros
    values = fill(len(names), spec.layers, spec.directions, spec.batch, spec.steps, hidden)
    library, threads = native.library(), torch.get_num_threads()
    for k, each in enumerate(values.flatten(1, 2).unbind(1) if names else ()):
        pointers = struct.pack(f"={len(names)}q", *(value.data_ptr() for value in each))
        run = runs[k * _RUN.size : (k + 1) * _RUN.size]
        _check(library.mc_trace(run, pointers, hidden, spec.steps * hidden, threads))  # type: ignore[union-attr]
    by_layer = [out.unflatten(-1, (spec.directions, -1)).permute(2, 1, 0, 3) for out in outputs]
    record = dict(zip(names, values.unbind(0), strict=True))
    cell = {"cell": record.pop("cell")} if "cell" in record else {}
    states = by_layer[0].unsqueeze(0) if spec.layers == 1 else torch.stack(by_layer)
    return outputs[-1], tuple(final), record | {"hidden": states} | cell
