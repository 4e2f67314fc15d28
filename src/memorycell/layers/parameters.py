"""The parameters of one layer and direction: names, shapes, first values; checks of a constructor's arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.kernels import torch_ops
from memorycell.kernels.reference import Cell, Norm, Weights

TORCH_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
BACKENDS = ("auto", "reference", "torch")


def parameter_shapes(
    cell: Cell,
    input_size: int,
    hidden_size: int,
    *,
    bias: bool,
    proj_size: int = 0,
    peephole: bool = False,
    layer_norm: bool = False,
) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter by its name without suffix, torch's own first and in torch's order."""
    rows = cell.rows * hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        "weight_ih": (rows, input_size),
        "weight_hh": (rows, proj_size or hidden_size),
    }
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    if proj_size:
        shapes["weight_hr"] = (proj_size, hidden_size)
    if peephole:
        shapes["weight_ch"] = ((2 if cell.coupled else 3) * hidden_size,)
    if layer_norm:
        for norm, width in {"norm_ih": rows, "norm_hh": rows, "norm_ch": hidden_size}.items():
            if norm != "norm_ch" or cell.mode == "LSTM":
                shapes |= {f"{norm}_gain": (width,), f"{norm}_bias": (width,)}
    return shapes


def as_weights(values: Mapping[str, Tensor]) -> Weights:
    """The kernels' view of parameters given by their names without suffix."""
    get = values.get

    def norm(name: str) -> Norm | None:
        gain = get(f"{name}_gain")
        return None if gain is None else Norm(gain, values[f"{name}_bias"])

    return Weights(
        values["weight_ih"],
        values["weight_hh"],
        get("bias_ih"),
        get("bias_hh"),
        get("weight_hr"),
        get("weight_ch"),
        norm("norm_ih"),
        norm("norm_hh"),
        norm("norm_ch"),
    )


@torch.no_grad()
def initialise(
    groups: list[dict[str, nn.Parameter]], cell: Cell, hidden_size: int, forget_bias: float | None
) -> None:
    """First values: torch's own from U(-1/√H, 1/√H) in torch's order, so that a seed gives torch's numbers.

    Then peepholes from the same distribution; normalisations start as the identity; `forget_bias` is the sum
    of the forget gate's two biases (Jozefowicz et al. 2015). Coupled, f = 1 - σ(a) = σ(-a): the bias is -b.
    """
    bound = 1.0 / math.sqrt(hidden_size)
    for names in (TORCH_NAMES, ("weight_ch",)):
        for group in groups:
            for name, parameter in group.items():
                if name in names:
                    nn.init.uniform_(parameter, -bound, bound)
    for group in groups:
        for name, parameter in group.items():
            if name.endswith("_gain"):
                parameter.fill_(1.0)
            elif name.startswith("norm"):
                parameter.zero_()
        if forget_bias is not None:
            gate = slice(0, hidden_size) if cell.coupled else slice(hidden_size, 2 * hidden_size)
            group["bias_ih"][gate] = -forget_bias if cell.coupled else forget_bias
            group["bias_hh"][gate] = 0.0


def check_size(name: str, value: Any, least: int = 1) -> None:
    """Raise unless `value` is an integer of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected {name} to be an int, got {value!r} ({type(value).__name__})")
    if value < least:
        raise ValueError(f"expected {name} of at least {least}, got {value}")


def check_flag(name: str, value: Any) -> None:
    """Raise unless `value` is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"expected {name} to be True or False, got {value!r} ({type(value).__name__})")


def check_probability(name: str, value: Any) -> None:
    """Raise unless `value` is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected {name} to be a number from 0 to 1, got {value!r} ({type(value).__name__})")
    if not 0 <= value <= 1:
        raise ValueError(f"expected {name} from 0 to 1, got {value}")


def check_zoneout(zoneout: Any) -> None:
    """Raise unless `zoneout` is a pair of probabilities."""
    if not isinstance(zoneout, (tuple, list)) or len(zoneout) != 2:
        raise TypeError(
            f"expected zoneout to be a pair (p_c, p_h) for cell and hidden state, got {zoneout!r}"
        )
    for part in zoneout:
        check_probability("each part of zoneout", part)


def check_nonlinearity(nonlinearity: Any) -> None:
    """Raise unless `nonlinearity` is "tanh" or "relu"."""
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f'expected nonlinearity "tanh" or "relu", got {nonlinearity!r}')


def check_forget_bias(forget_bias: float | None, bias: bool) -> None:
    """Raise if there is a forget bias but no bias to hold it."""
    if forget_bias is not None and not bias:
        raise ValueError(
            f"expected bias=True with forget_bias={forget_bias}, got bias=False: no bias could hold it"
        )


def check_backend(backend: Any, why_not: str | None) -> None:
    """Raise unless `backend` is known and, if forced, can run; `why_not`: torch's reason against it."""
    if backend not in BACKENDS:
        raise ValueError(f"expected backend to be one of {', '.join(map(repr, BACKENDS))}, got {backend!r}")
    if backend == "torch" and why_not:
        raise ValueError(f"backend='torch' cannot run this layer: {why_not}; use backend='auto'")


def torch_lacks(
    cell: Cell,
    *,
    peephole: bool = False,
    layer_norm: bool = False,
    zoneout: tuple[float, float] = (0.0, 0.0),
    recurrent_dropout: float = 0.0,
) -> str | None:
    """Why torch's operators cannot compute a layer, or None if they can."""
    if any(zoneout):
        return "torch's operators have no zoneout"
    if recurrent_dropout:
        return "torch's operators have no recurrent_dropout"
    return torch_ops.why_not(cell, peephole=peephole, layer_norm=layer_norm)


def changed(defaults: dict[str, Any], get: Callable[[str], Any]) -> str:
    """ ", name=value" for every attribute that differs from its default: the tail of a layer's repr."""
    values = {name: get(name) for name in defaults}
    return "".join(f", {name}={value}" for name, value in values.items() if value != defaults[name])
