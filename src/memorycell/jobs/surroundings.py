"""What a caller has set for torch and numpy must not change an answer: tasks compute in surroundings of their own."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils._device import DeviceContext

from memorycell.training.threads import usable_threads, using_threads

_DEVICES = ("cpu", "cuda", "mps", "xpu")  # that autocast can be on for
_ERRORS: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}  # numpy's defaults
_here = threading.local()
_Step = TypeVar("_Step")


@contextmanager
def own_surroundings() -> Iterator[None]:
    """Within it this thread has torch's and numpy's defaults, whatever its caller has set; afterwards the caller's.

    Gradients are recorded, nothing is cast, tensors are made on the CPU, numpy warns of what it warns of by default.
    Only this thread sees it. In a forked process torch computes with one thread: those of the parent are not there, and
    it would wait for them forever. The default type is one for all threads, so it is not changed: nothing here asks for
    it.

    Example
    -------
    >>> with torch.inference_mode(), torch.device("meta"), own_surroundings():
    ...     torch.zeros(1, requires_grad=True).exp().device, torch.is_grad_enabled()
    (device(type='cpu'), True)
    """
    if getattr(_here, "stack", None) is not None:
        yield
        return
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        if torch._C._is_any_autocast_enabled():
            for kind in _DEVICES:
                if torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(_made_on_the_cpu())
        stack.enter_context(np.errstate(**_ERRORS))
        threads = torch.get_num_threads()
        stack.enter_context(using_threads(min(threads, usable_threads(threads))))
        _here.stack = stack
        try:
            yield
        finally:
            _here.stack = None


@contextmanager
def _made_on_the_cpu() -> Iterator[None]:
    """Within it tensors are made on the CPU. The mode of another default device is taken off, not covered by another:

    with any mode in place layers compute through torch's dispatcher, slower and with the last digits rounded otherwise.
    """
    taken = []
    while _top_is_a_device():
        taken.append(torch._C._pop_torch_function_stack())
    try:
        if torch.get_default_device().type == "cpu":
            yield
        else:  # below a mode of the user's own
            with torch.device("cpu"):
                yield
    finally:
        for mode in reversed(taken):
            torch._C._push_on_torch_function_stack(mode)


def _top_is_a_device() -> bool:
    count = torch._C._len_torch_function_stack()
    return count > 0 and isinstance(torch._C._get_function_stack_at(count - 1), DeviceContext)


def ended_with_the_call(generator: Generator[_Step, None, None]) -> Generator[_Step, None, None]:
    """The generator, closed when the surroundings end: after an error it would leave torch as it is set within it."""
    if (stack := getattr(_here, "stack", None)) is not None:
        stack.callback(generator.close)
    return generator


def sheltered(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, run in surroundings of its own; of a generator, which runs later, every step."""

    @functools.wraps(method)
    def run(*args: Any, **options: Any) -> Any:
        with own_surroundings():
            result = method(*args, **options)
        return _steps(result) if inspect.isgenerator(result) else result

    run._sheltered = True  # type: ignore[attr-defined]
    return run


def _steps(generator: Iterator[Any]) -> Iterator[Any]:
    while True:
        with own_surroundings():
            try:
                step = next(generator)
            except StopIteration:
                return
        yield step


def shelter(cls: type) -> None:
    """Shelter all public methods that a class has, or inherits from this package."""
    for each in cls.__mro__:
        if each is not cls and each.__module__.partition(".")[0] != "memorycell":
            continue
        for name, found in list(vars(each).items()):
            kind = type(found) if isinstance(found, classmethod | staticmethod) else None
            function = found.__func__ if kind else found
            if name.startswith("_") or not inspect.isfunction(function) or hasattr(function, "_sheltered"):
                continue
            wrapped = sheltered(function)
            setattr(each, name, kind(wrapped) if kind else wrapped)
