"""Numbers drawn while a network is built, from a generator of its own: torch's own is neither read nor advanced."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class Drawing(TorchFunctionMode):
    """Within it the random numbers of this thread come from `seed` alone, and new tensors are float32 on the CPU.

    Whatever draws through torch's functions draws the numbers that it would after ``torch.manual_seed(seed)``. The
    process's generators, its default type and its default device count for nothing, and other threads notice nothing.

    Example
    -------
    >>> before = torch.get_rng_state()
    >>> with Drawing(seed=0):
    ...     first = torch.nn.Linear(2, 3).weight
    >>> with Drawing(seed=0):
    ...     second = torch.nn.Linear(2, 3).weight
    >>> torch.equal(first, second), torch.equal(before, torch.get_rng_state())
    (True, True)
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator("cpu").manual_seed(seed % (1 << 64))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in _DRAWN and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        if func in _MADE:
            if kwargs.get("device") is None:
                kwargs["device"] = "cpu"
            if kwargs.get("dtype") is None and torch.get_default_dtype() != torch.float32:
                return _single(func, args, kwargs)
        return func(*args, **kwargs)


def _single(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A new tensor of numbers whose type nobody said: those with a point are float32."""
    if func in _REAL:
        return func(*args, **{**kwargs, "dtype": torch.float32})
    made = func(*args, **kwargs)
    typed = hasattr(args[0], "dtype") if args else False  # of an array or a tensor, which have a type of their own
    return made.float() if made.is_floating_point() and not typed else made


_REAL = frozenset({torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.eye, torch.linspace})
_MADE = _REAL | {torch.tensor, torch.as_tensor, torch.full, torch.arange, torch.randint, torch.randperm}
_INITIAL = {nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_}  # what torch.nn.init has as one call
_DRAWN = frozenset(
    {
        *_INITIAL, torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal, torch.bernoulli,
        torch.multinomial, Tensor.uniform_, Tensor.normal_, Tensor.random_, Tensor.bernoulli, Tensor.bernoulli_,
        Tensor.exponential_, Tensor.geometric_, Tensor.log_normal_, Tensor.cauchy_, Tensor.multinomial,
    }
)  # fmt: skip
