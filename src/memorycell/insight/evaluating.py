"""Running the function that is explained: what it is asked for, and how much of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from math import isfinite
from typing import Concatenate, ParamSpec

import torch
from torch import Tensor

from memorycell.insight.explained import Explained
from memorycell.insight.explanation import Explanation

_STEPS_AT_ONCE = 20_000  # of all rows together: variants run so many at a time
_Options = ParamSpec("_Options")


def method(
    function: Callable[Concatenate[Explained, _Options], Explanation],
) -> Callable[Concatenate[Explained, _Options], Explanation]:
    """Make a method of a function: it is given only what can be explained, and what it gives is finite, or an error."""

    @wraps(function)
    def explain(explained: Explained, *options: _Options.args, **more: _Options.kwargs) -> Explanation:
        check(explained)
        with differentiable():
            found = function(own(explained), *options, **more)
        parts = {"score": found.scores.tolist(), **{f"{name!r} term": [term] for name, term in found.terms.items()}}
        broken = [name for name, part in parts.items() if not all(map(isfinite, part))]
        if broken:
            raise ValueError(
                f"expected finite parts of {found.output!r} by {found.method}, got a {broken[0]} that is NaN or "
                "infinite, as the network's states overflow: take another method or baseline"
            )
        return found

    return explain


@contextmanager
def differentiable() -> Iterator[None]:
    """Gradients can be taken within it, whatever the caller has switched off.

    Raises
    ------
    ValueError
        Where the model itself is of inference mode, whose tensors never have gradients.
    """
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    except RuntimeError as error:
        if "nference tensor" not in str(error):
            raise
        raise ValueError(
            "expected a model and data made outside of torch.inference_mode() to explain, got tensors made within it: "
            "load the model and call explained() outside"
        ) from error


def own(explained: Explained) -> Explained:
    """The same with values of which gradients can be taken, if they were made in inference mode."""
    values, baseline = (
        part.clone() if part.is_inference() else part.detach() for part in (explained.values, explained.baseline)
    )
    return replace(explained, values=values, baseline=baseline)


def check(explained: Explained) -> None:
    """Raise ValueError for what cannot be explained.

    That is a sequence without steps, values that are no numbers, a baseline of another shape, or layers that draw
    masks.
    """
    values, baseline = explained.values, explained.baseline
    if values.ndim != 2 or not len(values):
        raise ValueError(
            f"expected a sequence of at least one step to explain, got values of shape {tuple(values.shape)}"
        )
    if baseline.shape != values.shape:
        raise ValueError(
            f"expected a baseline of shape {tuple(values.shape)}, as the values, got {tuple(baseline.shape)}"
        )
    broken = torch.nonzero(~torch.isfinite(values).all(1)).flatten().tolist()
    if broken:
        raise ValueError(
            f"expected values that are numbers to explain, got NaN or infinity at step {broken[0]}: fill the gaps first"
        )
    if any(layer.training and (layer._draws or any(layer.zone)) for layer in explained.trunk):
        raise ValueError("expected evaluation mode to explain, got a layer that draws masks: call eval()")


def value_of(explained: Explained) -> float:
    """The number that is explained. Raises ValueError if it is none."""
    with torch.no_grad():
        value = float(explained.function(explained.values.unsqueeze(0))[0])
    if not isfinite(value):
        raise ValueError(f"expected {explained.output!r} to be a number to explain, got {value}: train the model again")
    return value


def finite(explained: Explained, numbers: Tensor, where: str) -> Tensor:
    """The numbers (N,) that `explained.function` gave, detached, float64, on the CPU.

    Raises
    ------
    ValueError
        If one of them is not finite: `where` says of what they are.
    """
    found = numbers.detach().double().cpu()
    if not bool(found.isfinite().all()):
        raise ValueError(
            f"expected {explained.output!r} to be finite {where}, got {float(found[~found.isfinite()][0])}: "
            "take another method or baseline"
        )
    return found


def slope_of(explained: Explained, numbers: Tensor, at: Tensor) -> Tensor:
    """The gradient of numbers that `explained.function` gave; as `slopes_of`."""
    return slopes_of(explained, numbers, [at])[0]


def slopes_of(explained: Explained, numbers: Tensor, at: Sequence[Tensor]) -> list[Tensor]:
    """Their gradients in several tensors, float64 on the CPU.

    Raises
    ------
    ValueError
        If there are none, or one is not finite, as the number itself may be.
    """
    finite(explained, numbers, "where its gradient is taken")
    if not numbers.requires_grad:
        raise ValueError(
            f"expected {explained.output!r} to have a gradient, got a number without one, as argmax, rounding and "
            "detach() give: use 'occlusion', or a score"
        )
    slopes = [slope.double().cpu() for slope in torch.autograd.grad(numbers.sum(), at, materialize_grads=True)]
    if not all(bool(slope.isfinite().all()) for slope in slopes):
        raise ValueError(
            f"expected a finite gradient of {explained.output!r}, got NaN or infinity: use 'occlusion', or another "
            "baseline"
        )
    return slopes


def chunks(rows: int, steps: int, at_once: int = _STEPS_AT_ONCE) -> Iterator[slice]:
    """Stretches of `rows` rows of `steps` steps that are run at once."""
    size = max(1, at_once // max(1, steps))
    yield from (slice(start, min(start + size, rows)) for start in range(0, rows, size))
