"""All parameters of a network, and all their gradients, as views into a few flat tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from memorycell.training.groups import ParameterGroup

_ALIGNMENT = 16  # elements: 64 bytes of float32, a cache line, so that products read the weights aligned


@dataclass
class Segment:
    """Parameters of one group, device and dtype in a row; the first `decayed` elements take weight decay."""

    parameters: list[nn.Parameter]
    values: Tensor
    grads: Tensor
    decayed: int
    rate: float = 1.0  # factor on the learning rate
    unfreeze_epoch: int = 0  # epochs before it is trained
    frozen: bool = False


class FlatParameters:
    """Moves parameters into flat tensors, so that zeroing, clipping, stepping, averaging and copying are one
    operator each.

    The Parameter objects stay the same: only what they point to changes, so layers, hooks and ties go on
    working. Gradients are views too, and autograd adds into them in place. `release` gives every parameter
    memory of its own. The gaps that align the parameters hold zeros.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        Those to train; tied ones may appear twice.
    groups : sequence of ParameterGroup
        Each becomes segments of its own; what is in none comes first.

    Example
    -------
    >>> layer = nn.Linear(2, 1)
    >>> flat = FlatParameters(layer.parameters())
    >>> layer(torch.ones(1, 2)).sum().backward()
    >>> flat.segments[0].grads.sum().item()
    3.0
    >>> flat.release()
    """

    def __init__(self, parameters: Iterable[nn.Parameter], groups: Sequence[ParameterGroup] = ()) -> None:
        number = {parameter: place for place, group in enumerate(groups, 1) for parameter in group.parameters}
        kinds: dict[tuple[int, torch.device, torch.dtype], list[nn.Parameter]] = {}
        for parameter in dict.fromkeys(parameters):
            kinds.setdefault((number.get(parameter, 0), parameter.device, parameter.dtype), []).append(parameter)
        chosen = [ParameterGroup(()), *groups]
        self.segments = [_segment(members, chosen[kind[0]]) for kind, members in kinds.items()]
        self.active = self.segments  # those not frozen

    def freeze(self, epoch: int) -> None:
        """Freeze what is not to be trained in `epoch` (from 0), and nothing else."""
        for segment in self.segments:
            segment.frozen = epoch < segment.unfreeze_epoch
            for parameter in segment.parameters:
                parameter.requires_grad_(not segment.frozen)
        self.active = [segment for segment in self.segments if not segment.frozen]

    def zero_grads(self) -> None:
        for segment in self.active:
            segment.grads.zero_()

    def scale_grads(self, factor: float | Tensor) -> None:
        for segment in self.active:
            segment.grads.mul_(factor)

    def grad_norm(self) -> Tensor:
        """Euclidean norm of the whole gradient."""
        norms = [torch.linalg.vector_norm(segment.grads) for segment in self.active]
        if len(norms) == 1:
            return norms[0]
        return torch.linalg.vector_norm(torch.stack([norm.to(norms[0]) for norm in norms]))

    def values(self) -> list[Tensor]:
        """The flat values themselves, one tensor a segment."""
        return [segment.values for segment in self.segments]

    def snapshot(self) -> list[Tensor]:
        """A copy of the values."""
        return [segment.values.clone() for segment in self.segments]

    def restore(self, snapshot: list[Tensor]) -> None:
        for segment, values in zip(self.segments, snapshot, strict=True):
            segment.values.copy_(values)

    @contextmanager
    def holding(self, snapshot: list[Tensor] | None) -> Iterator[None]:
        """Within the block the parameters have the values of `snapshot`; None changes nothing."""
        if snapshot is None:
            yield
            return
        own = self.snapshot()
        self.restore(snapshot)
        try:
            yield
        finally:
            self.restore(own)

    def release(self) -> None:
        """Give every parameter memory of its own again, no gradient, and freeze none."""
        for segment in self.segments:
            for parameter in segment.parameters:
                parameter.data = parameter.data.clone()
                parameter.grad = None
                parameter.requires_grad_(True)


def _segment(parameters: list[nn.Parameter], group: ParameterGroup) -> Segment:
    # Biases and norm gains are vectors: to pull them to zero regularises nothing.
    ordered = sorted(parameters, key=lambda parameter: parameter.dim() < 2)
    room = [-(-parameter.numel() // _ALIGNMENT) * _ALIGNMENT for parameter in ordered]
    values = torch.zeros(sum(room), dtype=ordered[0].dtype, device=ordered[0].device)
    grads = torch.zeros_like(values)
    start = decayed = 0
    for parameter, size in zip(ordered, room, strict=True):
        here = slice(start, start + parameter.numel())
        values[here].copy_(parameter.data.reshape(-1))
        parameter.data = values[here].view(parameter.shape)
        parameter.grad = grads[here].view(parameter.shape)
        start += size
        decayed += size if parameter.dim() >= 2 else 0
    return Segment(ordered, values, grads, decayed, group.rate, group.unfreeze_epoch)
