"""Decoding: from a network that tells the next symbol's scores to whole sequences.

Nothing here knows what a network is made of: only `init_state`, `step` and `select_state`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from memorycell.networks.base import Network, State


@dataclass
class Hypothesis:
    """A decoded sequence: its symbols without the end symbol, and the sum of their log probabilities."""

    symbols: list[int]
    log_probability: float


@torch.no_grad()
def sample(
    network: Network,
    state: State,
    start: Tensor,
    *,
    steps: int,
    end: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Symbols drawn one after the other, each int64 (B,), in constant memory.

    Parameters
    ----------
    network : Network
        Its step maps symbols int64 (B,) to scores (B, V), unnormalised log probabilities.
    state, start : the state and the first symbols (B,) to feed
    steps : at most so many symbols; fewer when every row has produced `end`
    temperature : scores are divided by it; 0 takes the best symbol (greedy)
    top_k, top_p : keep the k best symbols; keep the fewest symbols whose probability reaches p (Holtzman et al. 2020)

    Raises
    ------
    ValueError
        When temperature is negative, top_k < 1 or top_p is not in (0, 1].
    """
    if temperature < 0:
        raise ValueError(f"expected temperature >= 0, got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"expected top_k >= 1, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"expected 0 < top_p <= 1, got {top_p}")
    symbols, done = start, torch.zeros_like(start, dtype=torch.bool)
    for _ in range(steps):
        scores, state = network.step(symbols, state)
        if temperature == 0:
            symbols = scores.argmax(dim=-1)
        else:
            kept = _restrict(scores / temperature, top_k, top_p)
            symbols = torch.multinomial(kept.softmax(dim=-1), 1, generator=generator).squeeze(-1)
        if end is not None:
            symbols = torch.where(done, end, symbols)
            done |= symbols == end
        yield symbols
        if end is not None and bool(done.all()):
            return


def greedy(network: Network, state: State, start: Tensor, *, steps: int, end: int | None = None) -> Iterator[Tensor]:
    """The best symbol at every step: `sample` at temperature 0."""
    return sample(network, state, start, steps=steps, end=end, temperature=0.0)


@torch.no_grad()
def beam_search(
    network: Network,
    state: State,
    start: Tensor,
    *,
    beam: int,
    steps: int,
    end: int,
    length_penalty: float = 0.0,
) -> list[list[Hypothesis]]:
    """For each row the finished hypotheses found, best first.

    A hypothesis ranks by log probability / length ** length_penalty; those that do not reach `end` in `steps` symbols
    compete as they are. With ``beam`` at least the number of prefixes the search is exact.

    Parameters
    ----------
    state, start : of B rows, as for `sample`
    beam : hypotheses kept a row

    Raises
    ------
    ValueError
        When beam < 1 or steps < 1.
    """
    if beam < 1 or steps < 1:
        raise ValueError(f"expected beam >= 1 and steps >= 1, got beam={beam}, steps={steps}")
    rows = len(start)
    state = network.select_state(state, torch.arange(rows).repeat_interleave(beam))
    symbols = start.repeat_interleave(beam)
    # At first all beams of a row are alike: only the first may branch.
    total = torch.full((rows, beam), -torch.inf)
    total[:, 0] = 0.0
    prefixes = torch.empty(rows, beam, 0, dtype=torch.int64)
    found: list[list[Hypothesis]] = [[] for _ in range(rows)]
    for _ in range(steps):
        scores, state = network.step(symbols, state)
        size = scores.shape[-1]
        candidates = total.unsqueeze(-1) + scores.log_softmax(dim=-1).view(rows, beam, size)
        for row, ended in enumerate(candidates[:, :, end].tolist()):
            kept = (prefixes[row, k].tolist() for k in range(beam))
            found[row] += [Hypothesis(p, v) for p, v in zip(kept, ended, strict=True) if v > -torch.inf]
        candidates[:, :, end] = -torch.inf
        total, best = candidates.flatten(1).topk(min(beam, beam * size), dim=-1)
        parent, symbol = best // size, best % size
        prefixes = torch.cat(
            [
                prefixes.gather(1, parent.unsqueeze(-1).expand(-1, -1, prefixes.shape[2])),
                symbol.unsqueeze(-1),
            ],
            -1,
        )
        flat = (parent + beam * torch.arange(rows).unsqueeze(-1)).flatten()
        state, symbols = network.select_state(state, flat), symbol.flatten()
    for row in range(rows):
        found[row] += [
            Hypothesis(prefixes[row, k].tolist(), value)
            for k, value in enumerate(total[row].tolist())
            if value > -torch.inf
        ]
        found[row].sort(key=lambda h: -h.log_probability / max(1, len(h.symbols)) ** length_penalty)
    return found


def _restrict(scores: Tensor, top_k: int | None, top_p: float | None) -> Tensor:
    """Scores with everything outside the k best, and outside the nucleus of mass p, at −∞."""
    if top_k is not None and top_k < scores.shape[-1]:
        threshold = scores.topk(top_k, dim=-1).values[..., -1:]
        scores = scores.masked_fill(scores < threshold, -torch.inf)
    if top_p is not None and top_p < 1:
        ordered, order = scores.sort(dim=-1, descending=True)
        mass = ordered.softmax(dim=-1)
        outside = mass.cumsum(dim=-1) - mass >= top_p
        scores = scores.masked_fill(torch.zeros_like(outside).scatter(-1, order, outside), -torch.inf)
    return scores
