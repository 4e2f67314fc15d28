"""What the fused kernels refuse: they read raw memory, where a wrong shape would be no error but somebody's bytes."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from memorycell.kernels.spec import Spec

_DTYPES = (torch.float32, torch.float64)


def check(spec: Spec, x: Tensor, initial: Sequence[Tensor], parameters: Sequence[Tensor]) -> None:
    """Raise ValueError unless x, the initial state and the parameters are what `spec` says."""
    # At every call: what follows is written for the interpreter's sake, and names are looked up for an error alone.
    dtype, widths = x.dtype, spec.widths(parameters)
    *outer, inputs = x.shape
    wanted = [spec.rows] if spec.packed else [spec.steps, spec.batch]
    if (outer != wanted and not spec.tokens) or dtype not in _DTYPES or not x.is_cpu:
        raise ValueError(f"expected x of shape {(*wanted, inputs)} in {_DTYPES} on the CPU, got {_described(x)}")
    shapes = _shapes(spec[:7] + spec[14:], inputs, *widths)
    for tensor, shape in zip(parameters, shapes, strict=True):
        if tensor.shape != shape or tensor.dtype is not dtype or not tensor.is_cpu:
            raise ValueError(_wrong(spec, x, parameters, tensor, shape))
    for tensor, units in zip(initial, widths, strict=False):
        shape = (spec.layers * spec.directions, spec.batch, units)
        if tensor.shape != shape or tensor.dtype is not dtype or not tensor.is_cpu:
            raise ValueError(f"expected an initial state of {_like(shape, x)}, got {_described(tensor)}")


@functools.cache
def _shapes(kind: tuple[int, ...], inputs: int, units: int, hidden: int) -> tuple[tuple[int, ...], ...]:
    """Of all parameters, by layer, direction and name; `kind`: the numbers of a Spec that belong to the layers."""
    spec = Spec(*kind[:7], *[0] * 7, *kind[7:])
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
