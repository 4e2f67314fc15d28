"""Backends: which of the fused kernels, torch's operators and the reference can compute a layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from memorycell.kernels import native, onlookers
from memorycell.kernels.reference import Cell

BACKENDS = ("auto", "cpp", "reference", "torch")
_FUSED_DTYPES = (torch.float32, torch.float64)


def torch_lacks(cell: Cell, *, peephole: bool, layer_norm: bool, zoneout: bool) -> str | None:
    """What torch's operators lack for a cell, or None if they can compute it."""
    for wanted, what in (
        (peephole, "peepholes (peephole=True)"),
        (layer_norm, "layer normalisation (layer_norm=True)"),
        (cell.coupled, "coupled gates (coupled=True)"),
        (not cell.reset_after, "reset before the product (reset_after=False)"),
        (zoneout, "zoneout"),
    ):
        if wanted:
            return f"torch's operators have no {what}"
    return None


class Backends:
    """Which implementations can compute a layer, and which one the user has asked for.

    Raises ValueError for an unknown name, and for a forced backend that cannot run this layer.
    """

    def __init__(self, name: Any, torch_lacks: str | None) -> None:
        if name not in BACKENDS:
            raise ValueError(f"expected backend to be one of {', '.join(map(repr, BACKENDS))}, got {name!r}")
        self.name = name
        self.torch_lacks = torch_lacks
        missing = {"torch": torch_lacks, "cpp": native.why_missing()}.get(name)
        if missing:
            raise ValueError(f"backend={name!r} cannot run this layer: {missing}; use backend='auto'")

    def fused(self, x: Tensor, weight: Tensor) -> bool:
        """Whether the fused kernels compute a call on x.

        Raises ValueError if they are forced and cannot.
        """
        if self.name not in ("auto", "cpp"):
            return False
        if onlookers.traced():
            self._check_tracing()
            return False
        fits = x.device.type == "cpu" and weight.dtype in _FUSED_DTYPES
        if fits and native.available():
            return True
        if self.name == "cpp" and fits:  # a layer built where there was one
            raise ValueError(f"backend='cpp' cannot run this layer: {native.why_missing()}; use backend='auto'")
        if self.name == "cpp":
            raise ValueError(
                "expected float32 or float64 weights and input on the CPU for backend='cpp', "
                f"got {weight.dtype} on {x.device}: use backend='auto'"
            )
        return False

    def _check_tracing(self) -> None:
        """Raise unless torch's own operator can stand in a trace, where loops are written out and sizes frozen."""
        lacks = self.torch_lacks or ("backend='cpp' was asked for" if self.name == "cpp" else None)
        if lacks:
            raise ValueError(
                f"torch.jit.trace records torch's own operators, which cannot run this layer: {lacks}; "
                "use torch.export, which keeps it whole"
            )

    def torch(self) -> bool:
        """Whether torch's operators compute what is left; they have no forward-mode derivative."""
        return self.name != "reference" and self.torch_lacks is None and not onlookers.composed()
