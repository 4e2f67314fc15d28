"""Where to compute: what "auto" stands for, and whether a device can be used here."""

from __future__ import annotations

import torch

from memorycell.data.log import logger

_LOG = logger(__name__)


def device_of(name: str) -> torch.device:
    """The device of a name: "auto" is CUDA, else MPS or XPU where torch has them, else the CPU.

    Raises
    ------
    ValueError
        For a device that torch does not know, or cannot use on this machine: with torch's own reason.

    Example
    -------
    >>> device_of("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device(next((each for each in ("cuda", "mps", "xpu") if _is_there(each)), "cpu"))
    try:
        device = torch.device(name)
        if device.type != "cpu":
            torch.empty(1, device=device) + 1
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(
            f'device {name!r} was asked for, but torch cannot use it here ({reason:.160}): use device="auto"'
        ) from None
    return device


def _is_there(kind: str) -> bool:
    module = torch.backends.mps if kind == "mps" else getattr(torch, kind, None)
    return module is not None and bool(module.is_available())


def usable(name: str) -> str:
    """The name of a device if it can be used here, else "auto": a model trained on a GPU works where there is none."""
    try:
        device_of(name)
    except ValueError as error:
        _LOG.info("%s: %s takes its place", error, device_of("auto"))
        return "auto"
    return name
