"""Network: the contract between the training loop, decoding and the tasks."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from torch import Tensor, nn

from memorycell.data.batch import Batch
from memorycell.layers.base import Recurrent

State = Any  # a Tensor, or nested tuples of Tensors, whose dimension -2 is the row of the batch


class Loss(NamedTuple):
    """A summed loss, how many elements it sums, and the state after the batch.

    Sum and count travel apart so that ragged batches, gradient accumulation and several processes average
    correctly: the loss of anything is Σ sum / Σ count.
    """

    sum: Tensor
    count: Tensor | float  # type: ignore[assignment]  # hides tuple.count, which nobody asks of a loss
    state: State = None


class Network(nn.Module):
    """A module that can tell its loss, and can be run one step at a time.

    Subclasses implement `loss`; those that can be decoded or streamed also `init_state` and `step`.
    """

    def loss(self, batch: Batch, state: State = None) -> Loss:
        """Loss of a batch, from `state` (None: `init_state(batch)`)."""
        raise NotImplementedError

    @property
    def trunk(self) -> tuple[Recurrent, ...]:
        """The recurrent layers that read the sequence, from the input up."""
        return tuple(module for module in self.modules() if isinstance(module, Recurrent))

    def init_state(self, batch: Batch) -> State:
        """The state before the first step of each row of `batch`."""
        raise NotImplementedError(f"{type(self).__name__} has no recurrent state to start from")

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: input x of shape (B, ...), output of shape (B, ...), and the next state."""
        raise NotImplementedError(f"{type(self).__name__} cannot be run one step at a time")

    def select_state(self, state: State, rows: Tensor) -> State:
        """The state of `rows` (int64 indices, repeats allowed: beam search)."""
        return map_state(lambda tensor: tensor.index_select(-2, rows), state)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON: with the weights, all that rebuilds this network."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The network that `config` describes, its weights drawn anew."""
        return cls(**config)


def map_state(function: Any, state: State) -> State:
    """`function` applied to every tensor of a nested state; None stays None."""
    if state is None:
        return None
    if isinstance(state, Tensor):
        return function(state)
    return tuple(map_state(function, part) for part in state)


def detach_state(state: State) -> State:
    """The same numbers, cut from the graph: where truncated backpropagation through time truncates."""
    return map_state(lambda tensor: tensor.detach(), state)
