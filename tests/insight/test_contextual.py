"""Contextual decomposition: β and γ as the paper's equations have them, through every cell and stack."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import CASES, FEATURES, HIDDEN, Reader, case, explained, forecaster, values_of

from memorycell.insight.contextual import contextual_decomposition
from memorycell.insight.explained import Explained
from memorycell.layers import LSTM, RNN

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]  # of the phrase, of all else, of the bias


@pytest.mark.parametrize("name", CASES)
def test_terms_sum_to_the_number(name: str) -> None:
    one = case(name)
    with torch.no_grad():
        number = float(one.function(one.values.unsqueeze(0))[0])
    for found in (contextual_decomposition(one, [0]), contextual_decomposition(one)):
        allowed = 1e-4 * max(1.0, abs(number))
        assert abs(found.scores.sum() + sum(found.terms.values()) - number) <= allowed
        assert abs(found.terms["residual"]) <= allowed


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def split(f: Callable[[np.ndarray], np.ndarray], own: np.ndarray, other: np.ndarray, bias: np.ndarray) -> Parts:
    """The average over the orders bias, own, other and bias, other, own."""
    first = (f(own + bias) - f(bias), f(own + other + bias) - f(own + bias))
    second = (f(own + other + bias) - f(other + bias), f(other + bias) - f(bias))
    return (first[0] + second[0]) / 2, (first[1] + second[1]) / 2, f(bias)


def times(a: Parts, b: Parts) -> tuple[np.ndarray, np.ndarray]:
    """All nine products: those without the rest are the phrase's, but that of the biases."""
    own = a[0] * b[0] + a[0] * b[2] + a[2] * b[0]
    other = a[1] * (b[0] + b[1] + b[2]) + (a[0] + a[2]) * b[1] + a[2] * b[2]
    return own, other


def lstm_by_hand(x: np.ndarray, phrase: list[int], layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """β and γ of the last hidden state (Murdoch, Liu & Yu 2018)."""
    w_ih, w_hh, b = weights_of(layer)
    beta = gamma = beta_c = gamma_c = np.zeros(HIDDEN)
    for t, step in enumerate(x):
        own, other = w_hh @ beta, w_hh @ gamma
        if t in phrase:
            own = own + w_ih @ step
        else:
            other = other + w_ih @ step
        gates = list(zip(np.split(own, 4), np.split(other, 4), np.split(b, 4), strict=True))
        i, f = (split(sigmoid, *gates[k]) for k in (0, 1))
        written = times(i, split(np.tanh, *gates[2]))
        kept = times(f, (beta_c, gamma_c, 0 * gamma_c))
        beta_c, gamma_c = written[0] + kept[0], written[1] + kept[1]
        o = sigmoid(sum(gates[3]))
        first, second, _ = split(np.tanh, beta_c, gamma_c, 0 * beta_c)
        beta, gamma = o * first, o * second
    return beta, gamma


def gru_by_hand(x: np.ndarray, phrase: list[int], layer: Any) -> tuple[np.ndarray, np.ndarray]:
    w = layer.weights()[0]
    w_ih, w_hh, b_ih, b_hh = (part.detach().double().numpy() for part in w[:4])
    beta = gamma = np.zeros(HIDDEN)
    for t, step in enumerate(x):
        own_x, other_x = (w_ih @ step * inside for inside in (t in phrase, t not in phrase))
        own_h, other_h = w_hh @ beta, w_hh @ gamma
        parts = [np.split(part, 3) for part in (own_x + own_h, other_x + other_h, b_ih + b_hh)]
        r, z = (split(sigmoid, *(part[k] for part in parts)) for k in (0, 1))
        inner = (np.split(own_h, 3)[2], np.split(other_h, 3)[2], np.split(b_hh, 3)[2])
        own, other = times(r, inner)
        both = r[2] * inner[2]  # of biases alone: a bias
        bias = np.split(b_ih, 3)[2] + both
        n = split(np.tanh, np.split(own_x, 3)[2] + own, np.split(other_x, 3)[2] + other - both, bias)
        new = times((-z[0], -z[1], 1 - z[2]), n)
        kept = times(z, (beta, gamma, 0 * beta))
        beta, gamma = new[0] + kept[0], new[1] + kept[1]
    return beta, gamma


def rnn_by_hand(x: np.ndarray, phrase: list[int], layer: Any) -> tuple[np.ndarray, np.ndarray]:
    w_ih, w_hh, b = weights_of(layer)
    beta = gamma = np.zeros(HIDDEN)
    for t, step in enumerate(x):
        own, other = w_hh @ beta + w_ih @ step * (t in phrase), w_hh @ gamma + w_ih @ step * (t not in phrase)
        beta, rest, bias = split(np.tanh, own, other, b)
        gamma = rest + bias
    return beta, gamma


def weights_of(layer: Any) -> list[np.ndarray]:
    w = layer.weights()[0]
    return [part.detach().double().numpy() for part in (w.w_ih, w.w_hh, w.b_ih + w.b_hh)]


@pytest.mark.parametrize("phrase", [[0], [2, 3, 4], [6], [0, 5]])
@pytest.mark.parametrize(("cell", "by_hand"), [("LSTM", lstm_by_hand), ("GRU", gru_by_hand), ("RNN", rnn_by_hand)])
def test_of_one_layer_it_is_what_the_equations_say(cell: str, by_hand: Any, phrase: list[int]) -> None:
    network = Reader(cell=cell)
    one = explained(network)
    beta, gamma = by_hand(one.values.double().numpy(), phrase, network.layers[0])
    with torch.no_grad():
        hidden = network.layers[0](one.values.unsqueeze(0))[0][0, -1].double().numpy()
    assert np.allclose(beta + gamma, hidden, atol=1e-6)  # the equations here are those of the network
    head = network.head.weight.detach().double().numpy()[0]  # type: ignore[union-attr, operator]
    found = contextual_decomposition(one, phrase)
    assert found.terms["phrase"] == pytest.approx(head @ beta, abs=1e-6)
    assert found.terms["rest"] == pytest.approx(head @ gamma, abs=1e-5)
    assert not found.scores.any()


@pytest.mark.parametrize(
    "choices",
    [
        {"num_layers": 2, "bidirectional": True, "pooling": ("mean",)},
        {"modules": 2, "bidirectional": True, "pooling": ("last", "max")},
        {"peephole": True},
        {"coupled": True, "proj_size": 3},
        {"zoneout": (0.2, 0.3), "pooling": ("mean",)},
        {"cell": "GRU", "num_layers": 2},
        {"cell": "GRU", "reset_after": False, "bidirectional": True},
        {"cell": "GRU", "zoneout": 0.3},
        {"cell": "RNN", "num_layers": 2},
    ],
)
def test_without_biases_and_with_all_steps_nothing_is_the_rests(choices: dict[str, Any]) -> None:
    one = explained(bias=False, **choices)
    found = contextual_decomposition(one, range(len(one)))
    if not choices.get("coupled"):  # 1 - σ(0) is a bias
        assert found.terms["rest"] == pytest.approx(0.0, abs=1e-6)
    assert found.terms["phrase"] + found.terms["rest"] == pytest.approx(found.value - found.terms["bias"], abs=1e-5)


def test_of_layer_norm_without_biases_nothing_is_the_rests() -> None:
    for cell in ("LSTM", "GRU", "RNN"):
        found = contextual_decomposition(explained(cell=cell, layer_norm=True, bias=False), range(7))
        if cell != "LSTM":  # its norm of c has a bias in these cases
            # Norms magnify the roundings of float32: 1.05e-6 for an RNN, summed as without AVX.
            assert found.terms["rest"] == pytest.approx(0.0, abs=5e-6)
        assert abs(found.terms["residual"]) < 1e-5


@pytest.mark.parametrize(
    "name", ["LSTM, two modules, both directions", "GRU with a state, mean", "forecaster, segments"]
)
def test_a_step_by_itself_is_a_phrase_of_one(name: str) -> None:
    one = case(name)
    scores = contextual_decomposition(one).scores
    for step in (0, 2, len(one) - 1):
        share = contextual_decomposition(one, [step]).terms["phrase"]
        per = 3 if one.rows_of_step and step else 1  # rows of a stretch share what the stretch says
        assert scores[step] == pytest.approx(share / per, abs=1e-9)
    together = contextual_decomposition(one)
    assert together.total == pytest.approx(together.value) and np.array_equal(together.scores, scores)


def test_phrases_are_taken_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = contextual_decomposition(case("LSTM, two layers")).scores
    monkeypatch.setattr("memorycell.insight.contextual._NUMBERS", 300)
    assert np.allclose(contextual_decomposition(case("LSTM, two layers")).scores, whole, atol=1e-12)


def test_what_comes_after_is_not_heard_in_one_direction() -> None:
    layer = RNN(FEATURES, 4, batch_first=True).eval()
    values = values_of()
    one = Explained(lambda x: layer(x)[0][:, 3].sum(1), values, 0 * values, (layer,), "units", range(7), "numbers")
    assert contextual_decomposition(one, [4, 5, 6]).terms["phrase"] == 0
    assert contextual_decomposition(one, [3]).terms["phrase"] != 0


def test_what_stands_beside_goes_with_its_steps() -> None:
    one, bare = case("something beside"), explained(pooling=("mean",))
    parts = one.parts["ridge regression"].numpy()
    found, alone = (contextual_decomposition(each, [1, 2]) for each in (one, bare))
    assert found.terms["phrase"] - alone.terms["phrase"] == pytest.approx(parts[1:3].sum(), abs=1e-5)
    rest = parts.sum() - parts[1:3].sum()
    assert found.terms["rest"] - alone.terms["rest"] == pytest.approx(rest, abs=1e-5)
    assert found.total == pytest.approx(found.value) and found.terms["level"] == 3.0


def test_a_stretch_is_in_the_phrase_when_a_row_of_it_is() -> None:
    one = forecaster("segment")
    assert contextual_decomposition(one, [4]).terms == contextual_decomposition(one, [3, 4, 5]).terms
    assert contextual_decomposition(one, [4]).terms != contextual_decomposition(one, [2]).terms


@pytest.mark.parametrize(("backend", "cell"), [("reference", "LSTM"), ("torch", "LSTM"), ("reference", "GRU")])
def test_every_backend_gives_the_same_parts(backend: str, cell: str) -> None:
    usual, other = (explained(cell=cell, backend=each, num_layers=2, bidirectional=True) for each in ("auto", backend))
    assert np.allclose(contextual_decomposition(usual).scores, contextual_decomposition(other).scores, atol=1e-4)


@pytest.mark.parametrize(
    ("steps", "got"),
    [([7], "7"), ([-1], "-1"), ([], "none"), ([0, 1.5], "1.5"), (["word"], "'word'"), ([True], "True")],
)
def test_a_phrase_is_of_steps_that_are_there(steps: list[Any], got: str) -> None:
    with pytest.raises(ValueError, match=f"expected steps of the phrase from 0 to 6, got {got}"):
        contextual_decomposition(explained(), steps)


def test_what_lies_between_layers_cannot_be_followed() -> None:
    below, above = LSTM(FEATURES, 4, batch_first=True).eval(), LSTM(4, 4, batch_first=True).eval()
    values = values_of()
    one = Explained(
        lambda x: above(torch.tanh(below(x)[0]))[0][:, -1].sum(1), values, 0 * values, (below, above), "units",
        range(7), "numbers",
    )  # fmt: skip
    with pytest.raises(ValueError, match="expected recurrent layers of which each reads the output of the one below"):
        contextual_decomposition(one, [0])


def test_layers_that_read_other_steps_are_refused() -> None:
    one = replace(explained(), rows_of_step=(2, 2))
    for steps in ([5], None):
        with pytest.raises(ValueError, match="expected recurrent layers that read 2 steps, got layers that read 7"):
            contextual_decomposition(one, steps)
