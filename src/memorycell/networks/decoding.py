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
    """For each row the best hypotheses found, at most `beam`, best first.

    A hypothesis ranks by log probability / length ** length_penalty; those that do not reach `end` in `steps` symbols
    compete as they are. With ``beam`` at least the number of prefixes the search is exact. It ends before `steps` when
    nothing that could still be found would be among the best.

    Parameters
    ----------
    state, start : of B rows, as for `sample`; the search runs on their device
    beam : hypotheses kept a row, of those that go on and of those that have ended

    Raises
    ------
    ValueError
        When beam < 1 or steps < 1.
    """
    if beam < 1 or steps < 1:
        raise ValueError(f"expected beam >= 1 and steps >= 1, got beam={beam}, steps={steps}")
    rows = len(start)
    first = beam * torch.arange(rows, device=start.device).unsqueeze(-1)  # of each row's hypotheses, in the batch
    state = network.select_state(state, (first // beam).expand(rows, beam).flatten())
    symbols = start.repeat_interleave(beam)
    # At first all beams of a row are alike: only the first may branch.
    total = torch.full((rows, beam), -torch.inf, dtype=torch.float32, device=start.device)
    total[:, 0] = 0.0
    found = _Found(total, length_penalty)
    trail: list[Tensor] = []  # by step, for each hypothesis that goes on: which one it continues, by which symbol
    for length in range(steps):
        scores, state = network.step(symbols, state)
        size = scores.shape[-1]
        candidates = total.unsqueeze(-1) + scores.log_softmax(dim=-1).view(rows, beam, size)
        found.add(candidates[:, :, end], length)
        candidates[:, :, end] = -torch.inf
        total, best = candidates.flatten(1).topk(beam, dim=-1)
        trail.append(torch.stack([best // size, best % size], -1))
        if found.settled(total, length + 1, steps):
            break
        symbols = trail[-1][..., 1].flatten()
        state = network.select_state(state, (first + trail[-1][..., 0]).flatten())
    else:
        found.add(total, steps)
    return found.hypotheses(torch.stack(trail).tolist())


class _Found:
    """The best hypotheses of each row that go no further, best first; an equal one that came before stays before."""

    def __init__(self, total: Tensor, length_penalty: float) -> None:
        self.length_penalty = length_penalty
        self.total = self.score = torch.full_like(total, -torch.inf)  # -inf: none yet
        # How many symbols each has, and at which place the last of them stands in the trail.
        self.length = self.place = torch.zeros_like(total, dtype=torch.int64)

    def _rank(self, total: Tensor, length: int) -> Tensor:
        return total / max(1, length) ** self.length_penalty

    def add(self, total: Tensor, length: int) -> None:
        """What has ended after `length` symbols, by its place in the trail: (B, beam), -inf where nothing has."""
        beam = total.shape[-1]
        place = torch.arange(beam, device=total.device).expand_as(total)
        score = torch.cat([self.score, self._rank(total, length)], -1)
        score, order = score.sort(dim=-1, descending=True, stable=True)
        self.score, order = score[:, :beam], order[:, :beam]
        self.total = torch.cat([self.total, total], -1).gather(-1, order)
        self.length = torch.cat([self.length, torch.full_like(place, length)], -1).gather(-1, order)
        self.place = torch.cat([self.place, place], -1).gather(-1, order)

    def settled(self, total: Tensor, length: int, steps: int) -> bool:
        """Whether what goes on, with `length` symbols and log probabilities `total`, changes nothing any more.

        A log probability can only fall, and as it is negative its rank is highest at one end of the lengths to come.
        """
        best = total.amax(-1)
        bound = torch.maximum(self._rank(best, length), self._rank(best, steps))
        return bool((bound <= self.score[:, -1]).all())

    def hypotheses(self, trail: list[list[list[list[int]]]]) -> list[list[Hypothesis]]:
        """All of them, read back along the trail: [step][row][place], (the place before, the symbol)."""

        def symbols(row: int, length: int, place: int) -> list[int]:
            read = []
            for step in reversed(trail[:length]):
                place, symbol = step[row][place]
                read.append(symbol)
            return read[::-1]

        kept = zip(self.total.tolist(), self.length.tolist(), self.place.tolist(), strict=True)
        return [
            [Hypothesis(symbols(row, n, k), value) for value, n, k in zip(*of_row, strict=True) if value > -torch.inf]
            for row, of_row in enumerate(kept)
        ]


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
