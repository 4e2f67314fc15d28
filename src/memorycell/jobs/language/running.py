"""The log probability of each token of a text, with carried state: plain, with a cache, or adapting on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from memorycell.data.bars import tracked
from memorycell.data.text.language_stream import as_ids
from memorycell.jobs.language.network import LanguageNetwork
from memorycell.networks.base import State, detach_state

_CHUNK = 512  # tokens at a time where nothing is learned on the way


@dataclass(frozen=True)
class Cache:
    """Continuous cache (Grave, Joulin & Usunier 2017, arXiv 1612.04426, eq. 3–6).

    The last `window` outputs of the network and the tokens that followed them: a token that followed an output like
    the present one is likely again. p = (1 − weight) p_network + weight p_cache, with p_cache(w) ∝ Σ exp(theta h·h_i)
    over the tokens i that are w. The defaults were good ones on the validation text of WikiText-2.
    """

    window: int = 2000
    theta: float = 0.6
    weight: float = 0.2

    def __post_init__(self) -> None:
        if not isinstance(self.window, int) or self.window < 1:
            raise ValueError(f"expected a cache's window of at least 1, got {self.window!r}")
        if not 0 <= self.weight < 1:
            raise ValueError(f"expected a cache's weight of at least 0 and under 1, got {self.weight!r}")

    def __str__(self) -> str:
        return f"continuous cache (window {self.window}, theta {self.theta:g}, weight {self.weight:g})"


@dataclass(frozen=True)
class Dynamic:
    """Dynamic evaluation (Krause, Kahembwe, Murray & Renals 2018, arXiv 1709.07432, eq. 3 and 5, plain gradients).

    After each `segment` tokens, once they have been scored, the weights take a step of gradient descent on them,
    θ ← θ − rate · ∇ mean loss + decay · (θ_trained − θ). The network has its trained weights again afterwards. The
    defaults were good ones on the validation text of WikiText-2.
    """

    rate: float = 0.5
    decay: float = 0.001
    segment: int = 20

    def __post_init__(self) -> None:
        if not isinstance(self.segment, int) or self.segment < 1:
            raise ValueError(f"expected dynamic evaluation in segments of at least 1, got {self.segment!r}")
        if not self.rate > 0 or not 0 <= self.decay < 1:
            raise ValueError(f"expected rate > 0 and 0 <= decay < 1, got {self.rate!r} and {self.decay!r}")

    def __str__(self) -> str:
        return f"dynamic evaluation (rate {self.rate:g}, decay {self.decay:g}, segments of {self.segment})"


def option(kind: type[Any], given: Any) -> Any:
    """A `Cache` or `Dynamic` from True (its defaults), a mapping of fields, one of it, or None and False."""
    if given is None or given is False:
        return None
    if isinstance(given, kind):
        return given
    try:
        return kind(**({} if given is True else dict(given)))
    except TypeError:
        fields = ", ".join(asdict(kind()))
        raise ValueError(f"expected True or a mapping of {fields}, got {given!r}") from None


def log_probabilities(
    network: LanguageNetwork,
    ids: Any,
    cache: Cache | None = None,
    dynamic: Dynamic | None = None,
    show: bool | None = False,
) -> Iterator[Tensor]:
    """Natural logarithm of the probability of each token but the first, given all before it: chunk by chunk, (n,).

    ids : int64 (n,), or anything with `len` and slices that are; the network is in evaluation mode and given back
    with the weights it had.
    show : whether a bar is shown where it takes long; see `memorycell.data.bars.Bar`
    """
    size = _CHUNK if dynamic is None else dynamic.segment
    device = next(network.parameters()).device
    history: tuple[Tensor, Tensor] | None = None
    state: State = None
    network.eval()
    with _adapting(network, dynamic) as adapt, torch.set_grad_enabled(dynamic is not None):
        starts = range(0, len(ids) - 1, size)
        for first in tracked(starts, "scoring", len(starts), show=show):
            part = as_ids(ids[first : first + size + 1]).to(device)
            features, state = network.run(part[None, :-1], detach_state(state))
            plain = network.log_probabilities(features[0].detach(), part[1:])
            if cache is None:
                yield plain.cpu()
            else:
                mixed, history = _with_cache(plain, features[0].detach(), part[1:], history, cache)
                yield mixed.cpu()
            adapt(network, features[0], part[1:])


def _with_cache(
    plain: Tensor, features: Tensor, targets: Tensor, history: tuple[Tensor, Tensor] | None, cache: Cache
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Log probabilities mixed with the cache's, and the cache after them."""
    before = 0 if history is None else len(history[1])
    keys = features if history is None else torch.cat([history[0], features])
    words = targets if history is None else torch.cat([history[1], targets])
    here = torch.arange(before, before + len(targets), device=features.device).unsqueeze(1)
    there = torch.arange(len(words), device=features.device)
    inside = (there < here) & (there >= here - cache.window)
    scores = (cache.theta * features @ keys.t()).masked_fill(~inside, -torch.inf)
    # Where nothing has been seen yet the row is all −∞, its softmax NaN: the network speaks alone.
    weights = scores.softmax(1).nan_to_num(0.0)
    found = (weights * (words == targets.unsqueeze(1))).sum(1)
    share = torch.where(inside.any(1), cache.weight, 0.0)
    mixed = torch.log((1 - share) * plain.exp() + share * found)
    # A probability too small for its exponential keeps its logarithm.
    mixed = torch.where(mixed.isfinite(), mixed, plain + torch.log1p(-share))
    return mixed, (keys[-cache.window :], words[-cache.window :])


@contextmanager
def _adapting(network: LanguageNetwork, dynamic: Dynamic | None) -> Iterator[Any]:
    """Within it the weights learn from what has been scored; afterwards they are as they were."""
    if dynamic is None:
        yield lambda network, features, targets: None
        return
    parameters = list(network.parameters())
    trained = [parameter.detach().clone() for parameter in parameters]
    wanted = [parameter.requires_grad for parameter in parameters]
    for parameter in parameters:
        parameter.requires_grad_(True)

    def adapt(network: LanguageNetwork, features: Tensor, targets: Tensor) -> None:
        loss = network.nats(features, targets) / len(targets)
        grads = torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for parameter, start, grad in zip(parameters, trained, grads, strict=True):
                parameter.lerp_(start, dynamic.decay)
                if grad is not None:
                    parameter.sub_(grad, alpha=dynamic.rate)

    try:
        yield adapt
    finally:
        with torch.no_grad():
            for parameter, start, want in zip(parameters, trained, wanted, strict=True):
                parameter.copy_(start)
                parameter.requires_grad_(want)
