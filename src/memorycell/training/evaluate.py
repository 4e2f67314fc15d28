"""The loss of a network over a batch stream, and how carried state enters a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from memorycell.data.batch import Batch, BatchStream
from memorycell.networks.base import Network, State


def evaluate_loss(network: Network, stream: BatchStream, *, pause: Callable[[], None] | None = None) -> float:
    """Loss of `network` over the whole of `stream`, Σ sum / Σ count, in evaluation mode and without
    gradients.

    Parameters
    ----------
    network : Network
    stream : BatchStream
        Its epoch 0; state is carried from batch to batch if the stream carries it.
    pause : function, optional
        Called after each batch; may raise to end the evaluation.

    Raises
    ------
    ValueError
        If no target has any weight.

    Example
    -------
    >>> from memorycell.data.streams import SampleStream
    >>> from memorycell.networks.base import Loss
    >>> class Zero(Network):
    ...     def loss(self, batch, state=None):
    ...         return Loss(batch.inputs["x"].square().sum(), len(batch))
    >>> class Ones:
    ...     def __len__(self):
    ...         return 3
    ...     def gather(self, rows):
    ...         return Batch({"x": torch.ones(len(rows))})
    >>> evaluate_loss(Zero(), SampleStream(Ones(), 2))
    1.0
    """
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    with keep_modes(network), torch.no_grad():
        network.eval()
        total = count = torch.zeros((), dtype=torch.float64, device=device)
        state = None
        for given in stream.batches(0):
            batch = on_device(given, device)
            loss = network.loss(batch, entering_state(network, batch, state) if stream.carries_state else None)
            state = loss.state
            total, count = total + loss.sum, count + loss.count
            if pause is not None:
                pause()
    if not count > 0:
        raise ValueError("expected targets to compute a loss from, got none with weight: every one is missing")
    return float(total / count)


def entering_state(network: Network, batch: Batch, state: State) -> State:
    """The state with which a batch begins: `state`, but the network's initial one in rows that restart."""
    if state is None or batch.restart is None or not bool(batch.restart.any()):
        return state
    if bool(batch.restart.all()):
        return None
    return _choose(batch.restart.unsqueeze(-1), network.init_state(batch), state)


def _choose(rows: Tensor, fresh: State, old: State) -> State:
    """`fresh` where `rows` (B, 1) is true, else `old`; the rows of a state are its dimension -2."""
    if old is None:
        return None
    if isinstance(old, Tensor):
        return torch.where(rows, fresh, old)
    return tuple(_choose(rows, *pair) for pair in zip(fresh, old, strict=True))


def on_device(batch: Batch, device: torch.device) -> Batch:
    """The batch where the network is."""
    return batch if device.type == "cpu" else batch.to(device)


@contextmanager
def keep_modes(network: nn.Module) -> Iterator[None]:
    """Give each module of `network` its training flag back afterwards."""
    modes = {module: module.training for module in network.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
