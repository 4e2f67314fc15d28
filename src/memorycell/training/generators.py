"""torch's own generators, lent to networks and data that draw from them while they are trained."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.data.batch import BatchStream

# What torch builds networks of that draws nothing when it runs. Of this package nothing does: its masks are functions
# of the seed and the step.
_DRAW_NOTHING = (
    nn.Linear, nn.Bilinear, nn.Embedding, nn.LayerNorm, nn.Identity, nn.Sequential, nn.ModuleList, nn.ModuleDict,
    nn.ParameterList, nn.ParameterDict, nn.Conv1d, nn.Tanh, nn.Sigmoid, nn.ReLU, nn.GELU, nn.Softmax,
)  # fmt: skip


def may_draw(network: nn.Module, *streams: BatchStream | None) -> bool:
    """Whether something in a training may draw from torch's generators: what others wrote may."""
    parts: list[Any] = [each for each in streams if each is not None]
    parts += [each.dataset for each in parts if hasattr(each, "dataset")]
    return not all(_ours(type(each)) for each in (*network.modules(), *parts))


def _ours(kind: type) -> bool:
    return kind in _DRAW_NOTHING or kind.__module__.partition(".")[0] == "memorycell"


_TURN = 2e-4  # seconds that whoever waits needs to take its turn


class _Loan:
    """Whose turn it is: torch has one generator for all threads."""

    def __init__(self) -> None:
        self.lock, self.waiting = threading.RLock(), 0

    def take(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.waiting += 1
            try:
                self.lock.acquire()
            finally:
                self.waiting -= 1


_LOAN = _Loan()
if hasattr(os, "register_at_fork"):
    # Whoever had it is not there in a forked process.
    os.register_at_fork(after_in_child=_LOAN.__init__)  # type: ignore[misc]


class Generators:
    """The random numbers of one training, for what draws them through torch's own generators.

    Parameters
    ----------
    seed : int
    device : of the network
    needed : whether anything draws; if not, torch's generators are left alone
    """

    def __init__(self, seed: int, device: torch.device, needed: bool) -> None:
        self.needed, self.device = needed, device
        self.cpu = torch.Generator("cpu").manual_seed(seed % (1 << 64)).get_state()
        self.cuda: Tensor | None = None
        if device.type == "cuda":
            self.cuda = torch.Generator(device).manual_seed(seed % (1 << 64)).get_state()

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Within it torch's generators draw these numbers; the caller's are put back. Other trainings wait."""
        if not self.needed:
            yield
            return
        self._swap_in()
        try:
            yield
        finally:
            self._swap_out()

    def make_way(self) -> None:
        """Within `lent`, between two steps: let another training that waits have its turn."""
        if self.needed and _LOAN.waiting:
            self._swap_out()
            time.sleep(_TURN)
            self._swap_in()

    def state(self) -> dict[str, Tensor]:
        """Where they stand, for a checkpoint; for `load_state`."""
        lent = hasattr(self, "_theirs")
        found = {"random.cpu": torch.get_rng_state() if lent else self.cpu}
        if self.cuda is not None:
            found["random.cuda"] = torch.cuda.get_rng_state(self.device) if lent else self.cuda
        return found

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from where `state` stood."""
        self.cpu = tensors["random.cpu"]
        if self.cuda is not None:
            self.cuda = tensors.get("random.cuda", self.cuda)

    def _swap_in(self) -> None:
        _LOAN.take()
        self._theirs = torch.get_rng_state(), self._cuda_state()
        self._set(self.cpu, self.cuda)

    def _swap_out(self) -> None:
        self.cpu, self.cuda = torch.get_rng_state(), self._cuda_state()
        self._set(*self._theirs)
        del self._theirs
        _LOAN.lock.release()

    def _cuda_state(self) -> Tensor | None:
        return None if self.cuda is None else torch.cuda.get_rng_state(self.device)

    def _set(self, cpu: Tensor, cuda: Tensor | None) -> None:
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, self.device)
