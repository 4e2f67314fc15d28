"""The network that a model file describes, no larger than the file bears out."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from memorycell.jobs.card import Job
from memorycell.kernels.drawing import Drawing
from memorycell.networks.base import Network
from memorycell.training.files import ModelFileError


def build_network(job: Job, config: dict[str, Any], tensors: Mapping[str, Tensor]) -> Network:
    """The network that a file's configuration describes, its weights not yet those of the file.

    Raises
    ------
    ModelFileError
        If it is none of the job's, or would be larger than `tensors`, the file's own, bear out: nothing of that size is
        allocated.
    """
    config = dict(config)
    name = config.pop("network")
    homes = {reference.rpartition(":")[2]: reference.partition(":")[0] for reference in job.networks}
    if name not in homes:
        raise ModelFileError(f"expected a network of this version ({', '.join(homes)}), got {name!r:.60}")
    kind = getattr(importlib.import_module(homes[name]), name)
    held = sum(tensor.numel() for tensor in tensors.values())
    # The weights that follow overwrite these: drawing them must not move the user's generator.
    with Drawing(0), _Budget(2 * held + 100_000):
        return kind.from_config(config)


class _Budget(TorchFunctionMode):
    """Within it torch makes new tensors of at most so many elements in all."""

    def __init__(self, elements: int) -> None:
        super().__init__()
        self.left = elements

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _FACTORIES:
            size = kwargs.get("size", args[0] if args and not isinstance(args[0], int) else args)
            self.left -= math.prod(size)
            if self.left < 0:
                raise ModelFileError("its configuration tells of a larger network than the file holds weights for")
        return func(*args, **kwargs)


_FACTORIES = frozenset({torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full})
