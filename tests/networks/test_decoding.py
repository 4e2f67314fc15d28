"""Decoding against enumeration of every sequence."""

import itertools

import pytest
import torch

from memorycell.networks.base import Network
from memorycell.networks.decoding import beam_search, greedy, sample

VOCABULARY, END = 4, 3


class Markov(Network):
    """Scores that depend on the last two symbols, kept in a state of two parts: enough to go wrong if mixed up."""

    def __init__(self, seed: int = 3) -> None:
        super().__init__()
        self.register_buffer(
            "table", 2 * torch.randn(5, VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(seed))
        )
        self.calls = 0

    def step(self, x, state):
        self.calls += 1
        before, row = state
        scores = self.table[before[:, 0].long() + (row[:, 0] > 0), x]
        return scores, (x.unsqueeze(-1).float(), row)


def start(rows: int):
    return torch.zeros(rows, dtype=torch.int64), (
        torch.zeros(rows, 1),
        torch.arange(rows).float().unsqueeze(-1),
    )


def enumerate_all(network: Markov, row: int, steps: int) -> dict[tuple[int, ...], float]:
    """Log probability of every sequence that ends, or that fills all steps without ending."""
    result = {}
    for length in range(steps + 1):
        for symbols in itertools.product(range(END), repeat=length):
            total, before, symbol = 0.0, 0, 0
            path = [*symbols, END] if length < steps else list(symbols)
            for following in path:
                scores = network.table[before + (row > 0), symbol].log_softmax(-1)
                total += float(scores[following])
                before, symbol = symbol, following
            result[symbols] = total
    return result


def ranked(expected: dict[tuple[int, ...], float], penalty: float) -> list[tuple[int, ...]]:
    """The sequences, best first."""
    return sorted(expected, key=lambda symbols: -expected[symbols] / max(1, len(symbols)) ** penalty)


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.7, 1.0, 3.0])
@pytest.mark.parametrize(("rows", "beam"), [(1, 121), (3, 121), (3, 81)])
def test_a_beam_of_all_prefixes_finds_the_best_of_enumeration(rows, beam, penalty):
    for seed in range(4):
        network = Markov(seed)
        symbols, state = start(rows)
        found = beam_search(network, state, symbols, beam=beam, steps=4, end=END, length_penalty=penalty)
        for row in range(rows):
            expected = enumerate_all(network, row, 4)
            told = {tuple(h.symbols): h.log_probability for h in found[row]}
            assert len(told) == len(found[row]) == min(beam, len(expected))
            assert told == pytest.approx({symbols: expected[symbols] for symbols in told}, abs=1e-5)
            # By their values, as some are equally probable.
            wanted = [expected[symbols] for symbols in ranked(expected, penalty)[:beam]]
            assert list(told.values()) == pytest.approx(wanted, abs=1e-5)


class Chain(Network):
    """One symbol, 0, again and again, with odds of its own to end at each step: there is one prefix of each length."""

    def __init__(self, odds: torch.Tensor) -> None:
        super().__init__()
        self.odds, self.calls = odds, 0

    def step(self, x, state):
        odds = self.odds[:, self.calls].repeat_interleave(len(x) // len(self.odds))
        self.calls += 1
        return torch.stack([torch.zeros_like(odds), odds], -1), state

    def expected(self, row: int) -> dict[tuple[int, ...], float]:
        ends, steps = torch.nn.functional.logsigmoid(self.odds[row].double()), self.odds.shape[1]
        on = torch.cat([torch.zeros(1), torch.nn.functional.logsigmoid(-self.odds[row].double()).cumsum(0)])
        return {(0,) * n: float(on[n] + (ends[n] if n < steps else 0.0)) for n in range(steps + 1)}


@pytest.mark.parametrize("penalty", [-0.5, 0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("beam", [1, 2, 3])
def test_a_search_that_ends_early_has_found_the_best(beam, penalty):
    """Any beam holds all prefixes of a chain. What comes later can rank higher, the more the longer the better."""
    spared, steps = 0, 12
    for seed in range(60):
        odds = 2 * torch.randn(1, steps, generator=torch.Generator().manual_seed(seed)) + 1
        network = Chain(odds)
        (found,) = beam_search(
            network, None, torch.zeros(1, dtype=torch.int64), beam=beam, steps=steps, end=1, length_penalty=penalty
        )
        expected = network.expected(0)
        assert [tuple(h.symbols) for h in found] == ranked(expected, penalty)[:beam]
        spared += steps - network.calls
    assert spared > 0


def test_the_search_ends_as_soon_as_the_kept_are_safe():
    network = Chain(torch.tensor([[-1.0, 3.0, 0.0, 0.0, 0.0, 0.0]]))
    expected = network.expected(0)
    (found,) = beam_search(network, None, torch.zeros(1, dtype=torch.int64), beam=2, steps=6, end=1)
    # After two steps two have ended, and going on (log probability -0.31 - 3.05) is less likely than the worse (-1.31).
    assert network.calls == 2 and [len(h.symbols) for h in found] == [1, 0]
    assert [h.log_probability for h in found] == pytest.approx([expected[(0,)], expected[()]])


def test_a_row_that_has_ended_waits_for_the_others_unchanged():
    odds = torch.stack([torch.full((9,), 50.0), torch.full((9,), -50.0)])
    alone, both = Chain(odds[:1]), Chain(odds)
    first, two = (
        beam_search(network, None, torch.zeros(n, dtype=torch.int64), beam=1, steps=9, end=1)
        for n, network in ((1, alone), (2, both))
    )
    assert (alone.calls, both.calls) == (1, 9)
    assert two[0] == first[0] and [h.symbols for h in two[1]] == [[0] * 9]


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_at_most_as_many_as_the_beam_come_back_best_first(beam):
    network = Markov()
    symbols, state = start(3)
    for penalty in (0.0, 1.0):
        found = beam_search(network, state, symbols, beam=beam, steps=5, end=END, length_penalty=penalty)
        for row in found:
            ranks = [h.log_probability / max(1, len(h.symbols)) ** penalty for h in row]
            assert len(row) == beam and ranks == sorted(ranks, reverse=True)


def test_what_cannot_be_reached_is_no_hypothesis():
    network = Markov()
    network.table[:, :, :END] = -torch.inf  # nothing can follow but the end
    symbols, state = start(2)
    found = beam_search(network, state, symbols, beam=4, steps=7, end=END)
    assert [[h.symbols for h in row] for row in found] == [[[]], [[]]] and network.calls == 1


def test_the_search_stays_on_the_device_of_start():
    """What is made without a word on its device would be made elsewhere here, and could not be computed with."""
    network = Markov()
    symbols, state = start(2)
    wanted = beam_search(network, state, symbols, beam=3, steps=5, end=END, length_penalty=1.0)
    with torch.device("meta"):
        assert torch.zeros(1).is_meta
        assert beam_search(network, state, symbols, beam=3, steps=5, end=END, length_penalty=1.0) == wanted


def test_greedy_is_the_best_symbol_of_each_step():
    network = Markov()
    symbols, state = start(2)
    steps = torch.stack(list(greedy(network, state, symbols, steps=5)))
    x, s = symbols, state
    for chosen in steps:
        scores, s = network.step(x, s)
        assert (chosen == scores.argmax(-1)).all()
        x = chosen


def test_samples_follow_the_distribution_and_the_generator():
    network = Markov()
    rows = 20_000
    symbols, _ = start(rows)
    state = (torch.zeros(rows, 1), torch.zeros(rows, 1))
    draws = [
        next(iter(sample(network, state, symbols, steps=1, generator=torch.Generator().manual_seed(7))))
        for _ in range(2)
    ]
    assert (draws[0] == draws[1]).all()
    expected = network.table[0, 0].softmax(-1)
    assert torch.allclose(torch.bincount(draws[0], minlength=VOCABULARY) / rows, expected, atol=0.02)


@pytest.mark.parametrize(("options", "allowed"), [({"top_k": 2}, 2), ({"top_p": 1e-6}, 1), ({"top_k": 1}, 1)])
def test_top_k_and_top_p_restrict_what_is_drawn(options, allowed):
    network = Markov()
    rows = 500
    symbols, _ = start(rows)
    drawn = next(iter(sample(network, (torch.zeros(rows, 1), torch.zeros(rows, 1)), symbols, steps=1, **options)))
    best = network.table[0, 0].topk(allowed).indices
    assert torch.isin(drawn, best).all()


def test_rows_that_have_ended_stay_ended_and_sampling_stops():
    network = Markov()
    network.table[:, :, END] = 50.0
    symbols, state = start(3)
    assert [step.tolist() for step in sample(network, state, symbols, steps=9, end=END)] == [[END] * 3]


@pytest.mark.parametrize("options", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_impossible_options_raise(options):
    symbols, state = start(1)
    with pytest.raises(ValueError, match="expected"):
        next(iter(sample(Markov(), state, symbols, steps=1, **options)))


def test_an_impossible_beam_raises():
    symbols, state = start(1)
    with pytest.raises(ValueError, match="beam >= 1"):
        beam_search(Markov(), state, symbols, beam=0, steps=1, end=END)
