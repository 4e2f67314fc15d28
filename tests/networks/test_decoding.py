"""Decoding against enumeration of every sequence."""

import itertools

import pytest
import torch

from memorycell.networks.base import Network
from memorycell.networks.decoding import beam_search, greedy, sample

VOCABULARY, END = 4, 3


class Markov(Network):
    """Scores that depend on the last two symbols, kept in a state of two parts: enough to go wrong if mixed up."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer(
            "table", 2 * torch.randn(5, VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(3))
        )

    def step(self, x, state):
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


@pytest.mark.parametrize("rows", [1, 3])
def test_a_wide_beam_finds_what_enumeration_finds(rows):
    network = Markov()
    symbols, state = start(rows)
    found = beam_search(network, state, symbols, beam=100, steps=4, end=END)
    for row in range(rows):
        expected = enumerate_all(network, row, 4)
        assert {tuple(h.symbols) for h in found[row]} == set(expected)
        for hypothesis in found[row]:
            assert hypothesis.log_probability == pytest.approx(expected[tuple(hypothesis.symbols)], abs=1e-5)
        assert tuple(found[row][0].symbols) == max(expected, key=expected.get)


def test_length_penalty_prefers_longer_hypotheses():
    network = Markov()
    symbols, state = start(1)
    plain, rewarded = (
        beam_search(network, state, symbols, beam=100, steps=4, end=END, length_penalty=p)[0][0] for p in (0.0, 3.0)
    )
    assert len(rewarded.symbols) >= len(plain.symbols)


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
