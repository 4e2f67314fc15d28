"""Optimisers over flat parameters: one fused operator a step for Adam, torch's own classes for the others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.training.flat import FlatParameters, Segment
from memorycell.training.options import TrainingOptions

_BETAS = (0.9, 0.999)  # Kingma & Ba 2015, algorithm 1
_EPS = 1e-8


class Optimizer:
    """Steps flat parameters along their gradients, each segment at its own rate and frozen ones not at all.

    Its moments travel by `state` and `load_state`.
    """

    def step(self, learning_rate: float) -> None:
        raise NotImplementedError

    def state(self) -> dict[str, Tensor]:
        raise NotImplementedError

    def expected(self, names: Collection[str]) -> dict[str, Tensor]:
        """Of a state with tensors of these names: all that must be there, each of its shape and type."""
        return self.state()

    def load_state(self, state: dict[str, Tensor]) -> None:
        raise NotImplementedError


def build_optimizer(flat: FlatParameters, options: TrainingOptions) -> Optimizer:
    """The optimiser that `options` names."""
    if options.optimizer in ("adam", "adamw"):
        return _FusedAdam(flat, options)
    return _TorchOptimizer(flat, options)


def _parts(flat: FlatParameters, weight_decay: float) -> list[tuple[Segment, Tensor, Tensor, float]]:
    """Segment, values, gradients and weight decay of each run of elements that share a decay."""
    parts = []
    for segment in flat.segments:
        border = segment.decayed if weight_decay else 0
        for here, decay in ((slice(0, border), weight_decay), (slice(border, None), 0.0)):
            if segment.values[here].numel():
                parts.append((segment, segment.values[here], segment.grads[here], decay))
    return parts


class _FusedAdam(Optimizer):
    """Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019) by torch's fused operator.

    Called without torch.optim.Adam around it, whose step costs three times as much as the operator on a small
    model.
    """

    def __init__(self, flat: FlatParameters, options: TrainingOptions) -> None:
        self._fused = torch._fused_adamw_ if options.optimizer == "adamw" else torch._fused_adam_
        self._parts = [
            # The operator counts its steps itself, in float32.
            (segment, values, grads, torch.zeros_like(values), torch.zeros_like(values), _counter(values), decay)
            for segment, values, grads, decay in _parts(flat, options.weight_decay)
        ]

    def step(self, learning_rate: float) -> None:
        for segment, values, grads, first, second, count, decay in self._parts:
            if segment.frozen:
                continue
            count.add_(1.0)
            self._fused(
                [values], [grads], [first], [second], [], [count],
                lr=learning_rate * segment.rate, beta1=_BETAS[0], beta2=_BETAS[1], weight_decay=decay, eps=_EPS,
                amsgrad=False, maximize=False,
            )  # fmt: skip

    def state(self) -> dict[str, Tensor]:
        named: dict[str, Tensor] = {}
        for number, (_, _, _, first, second, count, _) in enumerate(self._parts):
            named |= {f"{number}.exp_avg": first, f"{number}.exp_avg_sq": second, f"{number}.step": count}
        return named

    def load_state(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


def _counter(values: Tensor) -> Tensor:
    return torch.zeros((), dtype=torch.float32, device=values.device)


class _TorchOptimizer(Optimizer):
    """An optimiser of torch.optim on parameters that are views of the flat tensors."""

    def __init__(self, flat: FlatParameters, options: TrainingOptions) -> None:
        self._parts, self._views, groups = _parts(flat, options.weight_decay), [], []
        for _, values, _, decay in self._parts:
            view = nn.Parameter(values)
            self._views.append(view)
            groups.append({"params": [view], "weight_decay": decay})
        self._options = options
        self._torch = _BUILDERS[options.optimizer](groups, options)

    def step(self, learning_rate: float) -> None:
        for group, view, (segment, _, grads, _) in zip(self._torch.param_groups, self._views, self._parts, strict=True):
            group["lr"] = learning_rate * segment.rate
            view.grad = None if segment.frozen else grads  # torch's optimisers pass by what has no gradient
        self._torch.step()

    def state(self) -> dict[str, Tensor]:
        named = {}
        for number, view in enumerate(self._views):
            for name, value in self._torch.state[view].items():
                if isinstance(value, Tensor):
                    named[f"{number}.{name}"] = value
        return named

    def expected(self, names: Collection[str]) -> dict[str, Tensor]:
        # torch makes the state of a parameter at its first step: what it then is, one number tells.
        probe = nn.Parameter(torch.zeros(1, dtype=torch.float32))
        probe.grad = torch.zeros(1, dtype=torch.float32)
        optimizer = _BUILDERS[self._options.optimizer]([{"params": [probe]}], self._options)
        optimizer.step()
        kinds = {name: value for name, value in optimizer.state[probe].items() if isinstance(value, Tensor)}
        begun = {name.partition(".")[0] for name in names}
        return {
            f"{number}.{name}": view.new_empty(view.shape) if kind.dim() else kind
            for number, view in enumerate(self._views)
            for name, kind in kinds.items()
            if str(number) in begun
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        for name, value in state.items():
            number, _, key = name.partition(".")
            view = self._views[int(number)]
            device = "cpu" if key == "step" else view.device
            self._torch.state[view][key] = value.to(device).clone()


_BUILDERS: dict[str, Any] = {
    "sgd": lambda groups, options: torch.optim.SGD(
        groups, lr=options.learning_rate, momentum=options.momentum, nesterov=options.momentum > 0
    ),
    "rmsprop": lambda groups, options: torch.optim.RMSprop(
        groups, lr=options.learning_rate, momentum=options.momentum
    ),
    "nadam": lambda groups, options: torch.optim.NAdam(
        groups, lr=options.learning_rate, decoupled_weight_decay=True
    ),
    "radam": lambda groups, options: torch.optim.RAdam(
        groups, lr=options.learning_rate, decoupled_weight_decay=True
    ),
    "adagrad": lambda groups, options: torch.optim.Adagrad(groups, lr=options.learning_rate),
}  # fmt: skip
