"""A layer of torch.nn in the place of ours, and back: another class that holds the very same parameters."""

from __future__ import annotations

import weakref
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from memorycell.layers.backends import Backends

_LAYER = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "bidirectional")
_CELL = ("input_size", "hidden_size", "bias")
_MODULES = ("memorycell.layers.recurrent", "memorycell.layers.cells")


def torch_s_own(layer: nn.Module) -> nn.Module:
    """torch.nn's layer in the place of one of ours, with the same parameters; raises ValueError if it has none."""
    backends: Backends = layer.backends  # type: ignore[assignment]
    lacks = backends.torch_lacks
    dropped = [name for name in ("recurrent_dropout", "weight_dropout") if getattr(layer, name, 0)]
    if dropped:
        lacks = f"torch's layers have no {dropped[0]}"
    elif type(layer).__module__ not in _MODULES or parametrize.is_parametrized(layer):
        lacks = "it is a subclass or parametrised, whose own code would be lost"
    if lacks:
        raise ValueError(f"expected layers that torch.nn has, got {layer}: {lacks}")
    return counterpart(layer, getattr(nn, type(layer).__name__))


def parameters_of(layer: nn.Module) -> dict[str, nn.Parameter]:
    """Its own parameters by name, one that has two names twice."""
    return dict(layer.named_parameters(recurse=False, remove_duplicate=False))


def bare(layer: nn.Module, kind: type[nn.Module]) -> nn.Module:
    """A layer of `kind` with the same configuration, its parameters without memory."""
    whole = hasattr(layer, "num_layers")
    names = _LAYER if whole else _CELL
    arguments: dict[str, Any] = {name: getattr(layer, name) for name in names}
    if whole and type(layer).__name__ == "LSTM":
        arguments["proj_size"] = layer.proj_size
    if type(layer).__name__ in ("RNN", "RNNCell"):
        arguments["nonlinearity"] = layer.nonlinearity
    if whole and arguments["num_layers"] > 1:
        arguments["dropout"] = layer.dropout
    return kind(**arguments, device="meta")


def counterpart(layer: nn.Module, kind: type[nn.Module]) -> nn.Module:
    """A layer of `kind` with everything that `layer` holds: the same parameters, buffers, hooks and attributes."""
    other, own, whole = bare(layer, kind), bare(layer, type(layer)), hasattr(layer, "num_layers")
    for name, value in parameters_of(layer).items():
        other.register_parameter(name, value)
    for name, value in layer.__dict__.items():
        # The dicts of hooks themselves, so that handles can still remove what they have registered.
        if "hook" in name or name in ("_buffers", "_non_persistent_buffers_set", "training"):
            other.__dict__[name] = value
        elif name not in own.__dict__ and name not in other.__dict__:
            other.__dict__[name] = value  # what its owner has attached to it
    for hook in other._load_state_dict_pre_hooks.values():
        if getattr(hook, "with_module", False):
            hook.module = weakref.ref(other)  # type: ignore[attr-defined]
    if isinstance(other, nn.RNNBase):
        other._init_flat_weights()
    elif whole:
        other.flatten_parameters()  # type: ignore[operator]
    return other
