"""Names, shapes and first values of the parameters of one layer and direction; checks of arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.kernels.reference import Cell, Mode, Norm, Weights

TORCH_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


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
def initialise(groups: list[dict[str, nn.Parameter]], cell: Cell, hidden_size: int, forget_bias: float | None) -> None:
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


def size(name: str, value: Any, least: int = 1) -> int:
    """`value`, if it is an integer of at least `least`; else TypeError or ValueError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected {name} to be an int, got {value!r} ({type(value).__name__})")
    if value < least:
        raise ValueError(f"expected {name} of at least {least}, got {value}")
    return value


def flag(name: str, value: Any) -> bool:
    """`value`, if it is True or False; else TypeError."""
    if not isinstance(value, bool):
        raise TypeError(f"expected {name} to be True or False, got {value!r} ({type(value).__name__})")
    return value


def probability(name: str, value: Any) -> float:
    """`value` as a float, if it is a number from 0 to 1; else TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected {name} to be a number from 0 to 1, got {value!r} ({type(value).__name__})")
    if not 0 <= value <= 1:
        raise ValueError(f"expected {name} from 0 to 1, got {value}")
    return float(value)


def zone(zoneout: Any) -> tuple[float, float]:
    """(p_c, p_h), if `zoneout` is a pair of probabilities; else TypeError or ValueError."""
    if not isinstance(zoneout, (tuple, list)) or len(zoneout) != 2:
        raise TypeError(f"expected zoneout to be a pair (p_c, p_h), for c and for h, got {zoneout!r}")
    return probability("zoneout's p_c", zoneout[0]), probability("zoneout's p_h", zoneout[1])


def activation(nonlinearity: Any) -> Mode:
    """The mode of an RNN, if `nonlinearity` is "tanh" or "relu"; else ValueError."""
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f'expected nonlinearity "tanh" or "relu", got {nonlinearity!r}')
    return "RNN_TANH" if nonlinearity == "tanh" else "RNN_RELU"


def optional_forget_bias(forget_bias: Any, bias: bool) -> float | None:
    """`forget_bias` as a float or None; ValueError if there is no bias to hold it."""
    if forget_bias is None:
        return None
    if not bias:
        raise ValueError(f"expected bias=True with forget_bias={forget_bias}, got bias=False")
    return float(forget_bias)


_DEFAULTS: dict[str, Any] = {
    "proj_size": 0,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
    "nonlinearity": "tanh",
    "peephole": False,
    "layer_norm": False,
    "coupled": False,
    "reset_after": True,
    "recurrent_dropout": 0.0,
    "weight_dropout": 0.0,
    "forget_bias": None,
    "backend": "auto",
}


def described(layer: Any, zoned: bool) -> str:
    """The layer's sizes, and whatever differs from its default, as in torch.nn's repr."""
    values = {name: getattr(layer, name, default) for name, default in _DEFAULTS.items()}
    parts = [f"{name}={value}" for name, value in values.items() if value != _DEFAULTS[name]]
    if zoned:
        parts.append(f"zoneout={layer.zoneout}")
    return ", ".join([str(layer.input_size), str(layer.hidden_size), *parts])
