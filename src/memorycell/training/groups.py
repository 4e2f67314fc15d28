"""Parameter groups: parts of a network that learn at rates of their own, and from an epoch of their own on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True, repr=False)
class ParameterGroup:
    """Parameters that learn at a rate of their own, from an epoch of their own on (Howard & Ruder 2018).

    Until then they are frozen: no gradient is computed for them, nothing moves them, and they count in no moment of
    the optimiser and no norm of the gradient.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
    rate : float
        Factor on the learning rate of the schedule, 0 or above.
    unfreeze_epoch : int
        Epochs to pass before they are trained; 0: from the beginning.

    Raises
    ------
    ValueError, TypeError
        For parameters that are none, a rate or an epoch out of its range.

    Example
    -------
    >>> body, head = nn.Linear(2, 4), nn.Linear(4, 1)
    >>> groups = [ParameterGroup(body.parameters(), rate=1 / 2.6, unfreeze_epoch=1), ParameterGroup(head.parameters())]
    >>> [(len(group.parameters), round(group.rate, 2)) for group in groups]
    [(2, 0.38), (2, 1.0)]
    """

    parameters: Sequence[nn.Parameter]
    rate: float = 1.0
    unfreeze_epoch: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        wrong = next((value for value in self.parameters if not isinstance(value, nn.Parameter)), None)
        if wrong is not None:
            raise TypeError(f"expected the parameters of a group to be nn.Parameter, got {type(wrong).__name__}")
        if not _number(self.rate, int | float) or not 0 <= self.rate < math.inf:
            raise ValueError(f"expected rate to be a number of at least 0, got {self.rate!r}")
        if not _number(self.unfreeze_epoch, int) or self.unfreeze_epoch < 0:
            raise ValueError(f"expected unfreeze_epoch to be a whole number of at least 0, got {self.unfreeze_epoch!r}")

    def __repr__(self) -> str:
        count = sum(each.numel() for each in self.parameters)
        return f"ParameterGroup({count:,} parameters, rate={self.rate:g}, unfreeze_epoch={self.unfreeze_epoch})"


def check_groups(groups: Sequence[ParameterGroup], trained: Sequence[nn.Parameter], epochs: int) -> None:
    """Check that `groups` divide the parameters that are trained, and that each comes to be trained.

    Parameters that are in no group form one more, of rate 1 and never frozen.

    Raises
    ------
    ValueError
        Naming the group (from 1): if it holds a parameter that is not trained or is in another group too, if it would
        only be unfrozen after the last epoch, or if at first every parameter would be frozen.

    Example
    -------
    >>> layer = nn.Linear(2, 1)
    >>> check_groups([ParameterGroup([layer.bias], unfreeze_epoch=3)], list(layer.parameters()), 3)
    Traceback (most recent call last):
    ValueError: group 1 would be unfrozen after epoch 3, but training has 3: train longer or unfreeze it earlier
    """
    owner: dict[nn.Parameter, int] = {}
    known = set(trained)
    for number, group in enumerate(groups, 1):
        for parameter in group.parameters:
            shape = tuple(parameter.shape)
            if parameter not in known:
                raise ValueError(
                    f"group {number} holds a parameter of shape {shape} that the network does not train: "
                    "expected its own parameters, with requires_grad"
                )
            if owner.setdefault(parameter, number) != number:
                raise ValueError(
                    f"groups {owner[parameter]} and {number} both hold a parameter of shape {shape}: leave it in one"
                )
        if group.parameters and group.unfreeze_epoch >= epochs:
            raise ValueError(
                f"group {number} would be unfrozen after epoch {group.unfreeze_epoch}, but training has {epochs}: "
                "train longer or unfreeze it earlier"
            )
    if known <= owner.keys() and all(group.unfreeze_epoch for group in groups if group.parameters):
        raise ValueError("expected a group with unfreeze_epoch=0, got none: nothing would be trained at first")


def describe_groups(groups: Sequence[ParameterGroup]) -> list[list[Any]]:
    """What a checkpoint must agree with: shapes, rate and epoch of each group, as plain JSON."""
    return [
        [[list(parameter.shape) for parameter in group.parameters], group.rate, group.unfreeze_epoch]
        for group in groups
    ]


def _number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
