"""accelerate and to_torch: this package's layers in the place of torch's inside somebody's model, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import nn
from torch.nn.utils import parametrize

from memorycell.kernels.quiet import tell
from memorycell.layers.base import Recurrent
from memorycell.layers.cells import GRUCell, LSTMCell, RecurrentCell, RNNCell
from memorycell.layers.counterparts import bare, counterpart, parameters_of, torch_s_own
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
    return _swapped(model, (nn.RNNBase, nn.RNNCellBase), _ours_in_place_of)


def to_torch(model: _M) -> _M:
    """Swap every RNN, LSTM, GRU and …Cell of this package within `model` for torch.nn's, in place.

    `accelerate` backwards, for those who know torch's own classes alone: `quantize_dynamic`, converters, and
    `torch.jit.script`, which calls it itself. Parameters, hooks and state_dict keys stay, as with `accelerate`.

    Parameters
    ----------
    model : torch.nn.Module
        A model, or itself one of the layers.

    Returns
    -------
    The model; or, if it is itself one of the layers, the layer in its place.

    Raises
    ------
    ValueError
        If torch has no such layer: peepholes, layer normalisation, coupled gates, reset before the product, zoneout,
        recurrent or weight dropout; subclasses and parametrised layers. The model is as it was then.

    Example
    -------
    >>> model = nn.ModuleDict({"rnn": LSTM(3, 8), "head": nn.Linear(8, 1)})
    >>> to_torch(model)["rnn"]
    LSTM(3, 8)
    >>> type(model["rnn"]).__module__
    'torch.nn.modules.rnn'
    """
    return _swapped(model, (Recurrent, RecurrentCell), lambda layer, _: torch_s_own(layer))


def _swapped(
    model: _M,
    kinds: tuple[type[nn.Module], ...],
    in_place_of: Callable[[nn.Module, str], nn.Module | None],
) -> _M:
    """The model with another layer in the place of each of `kinds`; all are made before any is swapped."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module, got {type(model).__name__}")
    swapped: dict[int, nn.Module] = {}  # by id of the old layer: a layer used twice stays one
    kept = list(model.modules())  # alive until the end, so that no id is used again
    for name, layer in model.named_modules():
        if not isinstance(layer, kinds):
            continue
        found = in_place_of(layer, name)
        if found is not None:
            swapped[id(layer)] = found
    for module in kept:
        for name, child in module._modules.items():
            if id(child) in swapped:
                module._modules[name] = swapped[id(child)]
                if module.__dict__.get(name) is child:
                    module.__dict__[name] = swapped[id(child)]
    return swapped.get(id(model), model)  # type: ignore[return-value]


def _ours_in_place_of(layer: nn.Module, name: str) -> nn.Module | None:
    reason = _why_left(layer)
    if reason is None:
        return counterpart(layer, _OURS[type(layer)])
    tell(f"accelerate left {name or 'the layer'} as it is: {reason}")
    return None


def _why_left(layer: nn.Module) -> str | None:
    """Why one of torch's layers cannot be swapped, or None."""
    if parametrize.is_parametrized(layer):
        return "it is parametrised, and its parametrisation belongs to its class"
    if type(layer) not in _OURS:
        return f"{type(layer).__name__} is a subclass, whose own code would be lost"
    if parameters_of(layer).keys() != parameters_of(bare(layer, _OURS[type(layer)])).keys() or layer._modules:
        return "its parameters are not the usual ones (weight_norm, pruning, or another hand)"
    return None
