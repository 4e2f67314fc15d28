"""accelerate: put this package's layers in the place of torch's inside somebody's model."""

from __future__ import annotations

import warnings
import weakref
from typing import Any, TypeVar

from torch import nn
from torch.nn.utils import parametrize

from memorycell.layers.cells import GRUCell, LSTMCell, RNNCell
from memorycell.layers.recurrent import GRU, LSTM, RNN

_M = TypeVar("_M", bound=nn.Module)

_OURS: dict[type[nn.Module], type[nn.Module]] = {
    nn.RNN: RNN,
    nn.LSTM: LSTM,
    nn.GRU: GRU,
    nn.RNNCell: RNNCell,
    nn.LSTMCell: LSTMCell,
    nn.GRUCell: GRUCell,
}
_LAYER = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "bidirectional")
_CELL = ("input_size", "hidden_size", "bias")


def accelerate(model: _M) -> _M:
    """Swap every torch.nn RNN, LSTM, GRU and …Cell within `model` for this package's, in place.

    The new layers hold the *same* Parameter objects, so an optimiser made before goes on working, and keep
    hooks, dtype, device, training flag and state_dict keys; a layer used in two places stays one. Subclassed
    layers and those with a parametrisation or pruning are left as they are, with a warning.

    Parameters
    ----------
    model : torch.nn.Module
        A model, or itself one of torch's recurrent layers.

    Returns
    -------
    The model; or, if it is itself one of torch's recurrent layers, the layer in its place.

    Example
    -------
    >>> model = nn.ModuleDict({"rnn": nn.LSTM(3, 8), "head": nn.Linear(8, 1)})
    >>> type(accelerate(model)["rnn"]).__module__
    'memorycell.layers.recurrent'
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, got {type(model).__name__}")
    swapped: dict[int, nn.Module] = {}  # by id of the old layer: a layer used twice stays one
    kept = list(model.modules())  # alive until the end, so that no id is used again
    for name, layer in model.named_modules():
        if not isinstance(layer, (nn.RNNBase, nn.RNNCellBase)):
            continue
        reason = _why_left(layer)
        if reason is None:
            swapped[id(layer)] = _counterpart(layer)
        else:
            warnings.warn(f"accelerate left {name or 'the layer'} as it is: {reason}", stacklevel=2)
    for module in kept:
        for name, child in module._modules.items():
            if id(child) in swapped:
                module._modules[name] = swapped[id(child)]
                if module.__dict__.get(name) is child:
                    module.__dict__[name] = swapped[id(child)]
    return swapped.get(id(model), model)  # type: ignore[return-value]


def _why_left(layer: nn.Module) -> str | None:
    """Why a layer cannot be swapped, or None."""
    if parametrize.is_parametrized(layer):
        return "it is parametrised, and its parametrisation belongs to its class"
    if type(layer) not in _OURS:
        return f"{type(layer).__name__} is a subclass, whose own code would be lost"
    if _parameters_of(layer).keys() != _parameters_of(_bare(layer)).keys() or layer._modules:
        return "its parameters are not the usual ones (weight_norm, pruning, or another hand)"
    return None


def _parameters_of(layer: nn.Module) -> dict[str, nn.Parameter]:
    return dict(layer.named_parameters(recurse=False, remove_duplicate=False))


def _bare(layer: nn.Module) -> nn.Module:
    """Our layer of the same configuration, its parameters without memory."""
    names = _LAYER if isinstance(layer, nn.RNNBase) else _CELL
    arguments: dict[str, Any] = {name: getattr(layer, name) for name in names}
    if isinstance(layer, nn.LSTM):
        arguments["proj_size"] = layer.proj_size
    if isinstance(layer, (nn.RNN, nn.RNNCell)):
        arguments["nonlinearity"] = layer.nonlinearity
    if isinstance(layer, nn.RNNBase) and layer.num_layers > 1:
        arguments["dropout"] = layer.dropout
    return _OURS[type(layer)](**arguments, device="meta")


def _counterpart(layer: nn.Module) -> nn.Module:
    """Our layer with everything that `layer` holds: the same parameters, buffers, hooks and attributes."""
    ours = _bare(layer)
    for name, value in _parameters_of(layer).items():
        ours.register_parameter(name, value)
    for name, value in layer.__dict__.items():
        # The dicts of hooks themselves, so that handles can still remove what they have registered.
        if "hook" in name or name in ("_buffers", "_non_persistent_buffers_set", "training"):
            ours.__dict__[name] = value
        elif name not in ours.__dict__ and not name.startswith(("_flat", "_all_weights")):
            ours.__dict__[name] = value  # what its owner has attached to it
    for hook in ours._load_state_dict_pre_hooks.values():
        if getattr(hook, "with_module", False):
            hook.module = weakref.ref(ours)  # type: ignore[attr-defined]
    if isinstance(ours, (RNN, LSTM, GRU)):
        ours.flatten_parameters()
    return ours
