"""What the fused kernels refuse: they read raw memory, where a wrong shape would be no error but somebody's bytes."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from memorycell.kernels.spec import DROPOUT, MODES, RECURRENT_DROPOUT, ZONEOUT_C, ZONEOUT_H, Spec, split_masks

_DTYPES = (torch.float32, torch.float64)


def check(
    spec: Spec,
    x: Tensor,
    initial: Sequence[Tensor],
    ragged: Sequence[Tensor],
    parameters: Sequence[Tensor],
    masks: Sequence[Tensor],
) -> None:
    """Raise ValueError unless all tensors are what `spec` says; what integers say is checked by the library itself."""
    # At every call: what follows is written for the interpreter's sake, and names are looked up for an error alone.
    dtype, widths = x.dtype, spec.widths(parameters)
    *outer, inputs = x.shape
    wanted = [spec.rows] if spec.packed else [spec.steps, spec.batch]
    if (outer != wanted and not spec.tokens) or dtype not in _DTYPES or not x.is_cpu:
        raise ValueError(f"expected x of shape {(*wanted, inputs)} in {_DTYPES} on the CPU, got {_described(x)}")
    shapes = _shapes(spec[:7] + spec[14:], inputs, *widths, len(parameters))
    if spec.rows != spec.steps * spec.batch and not ragged:
        raise ValueError(f"expected {spec.steps * spec.batch} steps of all rows, got {spec.rows}")
    for tensor, shape in zip(parameters, shapes, strict=True):
        if tensor.shape != shape or tensor.dtype is not dtype or not tensor.is_cpu:
            raise ValueError(_wrong(spec, x, parameters, tensor, shape))
    for tensor, units in zip(initial, widths, strict=False):
        shape = (spec.layers * spec.directions, spec.batch, units)
        if tensor.shape != shape or tensor.dtype is not dtype or not tensor.is_cpu:
            raise ValueError(f"expected an initial state of {_like(shape, x)}, got {_described(tensor)}")
    if ragged:
        _check_ragged(spec, ragged)
    if masks or spec.masks:
        _check_masks(spec, x, masks, widths)


def _check_ragged(spec: Spec, ragged: Sequence[Tensor]) -> None:
    lengths = ragged[: len(ragged) - spec.tokens]
    if len(lengths) > 2 or (spec.packed and not lengths):
        raise ValueError(f"expected the rows that have each step, and their order, got {len(lengths)} tensors")
    shapes: list[tuple[int, ...]] = [(spec.steps,), (spec.batch,)]
    del shapes[len(lengths) :]
    shapes.append((spec.rows,) if spec.packed else (spec.steps, spec.batch))
    for place, (tensor, shape) in enumerate(zip(ragged, shapes, strict=False)):
        line = place >= len(lengths) or tensor.is_contiguous()
        if tensor.shape != shape or tensor.dtype is not torch.int64 or not tensor.is_cpu or not line:
            raise ValueError(f"expected int64 of shape {shape} on the CPU, without gaps, got {_described(tensor)}")
    if lengths and int(lengths[0].sum()) != spec.rows:
        raise ValueError(f"expected {spec.rows} steps of all rows, got {int(lengths[0].sum())}")


def _check_masks(spec: Spec, x: Tensor, masks: Sequence[Tensor], widths: tuple[int, int]) -> None:
    units, hidden = widths
    outer = (spec.steps, spec.batch)
    shapes = {
        RECURRENT_DROPOUT: (spec.batch, units),
        ZONEOUT_H: (*outer, units),
        ZONEOUT_C: (*outer, hidden),
        DROPOUT: (*outer, spec.directions * units),
    }
    for kind, found in split_masks(spec, masks).items():
        if len(found) != spec.count(kind):
            raise ValueError(f"expected {spec.count(kind)} masks of a kind, got {len(found)}")
        for mask in found:
            line = mask.is_contiguous() if kind == RECURRENT_DROPOUT else mask.stride(-1) == 1 or mask.shape[-1] == 1
            if mask.shape != shapes[kind] or mask.dtype is not x.dtype or not mask.is_cpu or not line:
                raise ValueError(f"expected a mask of {_like(shapes[kind], x)}, without gaps, got {_described(mask)}")


def check_devices(x: Tensor, *groups: Sequence[Tensor]) -> None:
    """Raise ValueError unless all are where x is: one tensor without numbers (meta) makes the others' be overlooked."""
    for tensor in (tensor for group in groups for tensor in group):
        if tensor.device != x.device:
            raise ValueError(f"expected all tensors on {x.device} like x, got {_described(tensor)}")


def check_backward(
    spec: Spec,
    x: Tensor,
    parameters: Sequence[Tensor],
    outputs: Sequence[Tensor],
    reserve: Tensor,
    gradients: Sequence[Tensor | None],
    width: int,
) -> None:
    """Raise ValueError unless the results of a run, and the gradients that came for them, are what `spec` says.

    `width`: numbers that a step of a row takes in the reserve of a cell.
    """
    units, hidden = spec.widths(parameters)
    outer = (spec.rows,) if spec.packed else (spec.steps, spec.batch)
    results = [(*outer, spec.directions * units)] * spec.layers
    states = [(spec.cells, spec.batch, each) for each in (units, hidden)][: 2 if spec.mode == 0 else 1]
    wanted = [*results, (spec.cells, spec.rows * width), results[-1], *states]
    found = [*outputs, reserve, *gradients]
    if len(wanted) != len(found) or len(outputs) != spec.layers:
        raise ValueError(f"expected {len(wanted)} results and gradients, got {len(found)}")
    for tensor, shape in zip(found, wanted, strict=True):
        if tensor is not None and (tensor.shape != shape or tensor.dtype is not x.dtype or not tensor.is_cpu):
            raise ValueError(f"expected a result or gradient of {_like(shape, x)}, got {_described(tensor)}")
    for tensor in (*outputs, reserve):
        if tensor.numel() and tensor.stride(-1) != 1 and tensor.shape[-1] != 1:
            raise ValueError(f"expected results without gaps between the numbers of a row, got {_described(tensor)}")
    if not reserve.is_contiguous():
        raise ValueError("expected the reserve as forward gave it, got one with gaps")


@functools.cache
def _shapes(kind: tuple[int, ...], inputs: int, units: int, hidden: int, count: int) -> tuple[tuple[int, ...], ...]:
    """Of all `count` parameters, by layer, direction and name; `kind`: the numbers of a Spec that belong to layers."""
    spec = Spec(*kind[:7], *[0] * 7, *kind[7:])
    flags = (spec.coupled, spec.bias, spec.peephole, spec.norm, spec.projected, spec.reset_before)
    known = 0 <= spec.mode < len(MODES) and spec.layers > 0 and spec.directions in (1, 2) and {*flags} <= {0, 1}
    if not known or spec.cells * len(spec.parameters) != count:
        raise ValueError(f"expected the parameters of a stack of layers, got {count} for {spec}")
    rows, shapes = spec.cell.rows, []
    for layer in range(spec.layers):
        of = {
            "w_ih": (rows * hidden, spec.directions * units if layer else inputs),
            "w_hh": (rows * hidden, units),
            "w_hr": (units, hidden),
            "w_ch": ((rows - 1) * hidden,),
            "norm_ch_gain": (hidden,),
            "norm_ch_bias": (hidden,),
        }
        shapes += [of.get(name, (rows * hidden,)) for name in spec.parameters] * spec.directions
    return tuple(shapes)


def _wrong(spec: Spec, x: Tensor, parameters: Sequence[Tensor], tensor: Tensor, shape: tuple[int, ...]) -> str:
    place = next(k for k, parameter in enumerate(parameters) if parameter is tensor)
    layer, name = divmod(place, len(spec.parameters) * spec.directions)
    return (
        f"expected {spec.parameters[name % len(spec.parameters)]} of layer {layer} of {_like(shape, x)}, got "
        f"{_described(tensor)}; w_hh of layer 0 has {parameters[1].shape[-1]} columns"
    )


def _like(shape: tuple[int, ...], x: Tensor) -> str:
    return f"shape {shape} in {x.dtype} on the CPU, like x"


def _described(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} in {tensor.dtype} on {tensor.device}"
