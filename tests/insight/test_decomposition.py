"""Decomposition: sums to the number in every case, and is what the equations say, written as slow loops."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import CASES, FEATURES, HIDDEN, Reader, case, explained, forecaster, values_of

from memorycell.insight import survival
from memorycell.insight.contextual import contextual_decomposition
from memorycell.insight.decomposition import decomposition
from memorycell.insight.explained import Explained
from memorycell.layers import LSTM, RNN


@pytest.mark.parametrize("name", CASES)
def test_scores_and_terms_sum_to_the_number(name: str) -> None:
    found = decomposition(case(name))
    with torch.no_grad():
        one = case(name)
        number = float(one.function(one.values.unsqueeze(0))[0])
    allowed = 1e-4 * max(1.0, abs(number))
    assert abs(found.scores.sum() + sum(found.terms.values()) - number) <= allowed
    assert abs(found.terms["residual"]) <= allowed
    assert np.isfinite(found.scores).all() and len(found.scores) == len(one)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def weights_of(layer: Any, direction: int = 0) -> list[np.ndarray]:
    w = layer.weights()[(layer.num_layers - 1) * layer.directions + direction]
    return [part.detach().double().numpy() for part in (w.w_ih, w.w_hh, w.b_ih + w.b_hh)]


def lstm_by_hand(x: np.ndarray, layer: Any, h: np.ndarray, c: np.ndarray, v: np.ndarray, direction: int) -> np.ndarray:
    """Σ_t v_t · β_{s,t} of every step s (Murdoch & Szlam 2017), the initial state in front."""
    w_ih, w_hh, b = weights_of(layer, direction)
    cells, forgets, outputs = [c], [], []
    for step in x:
        i, f, g, o = np.split(w_ih @ step + w_hh @ h + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        cells.append(c)
        forgets.append(sigmoid(f))
        outputs.append(sigmoid(o))
    scores = np.zeros(len(x) + 1)
    for t in range(1, len(x) + 1):
        for s in range(t + 1):
            left = np.prod(forgets[s:t], axis=0) * cells[s]
            before = np.prod(forgets[s - 1 : t], axis=0) * cells[s - 1] if s else 0 * c
            scores[s] += v[t - 1] @ (outputs[t - 1] * (np.tanh(left) - np.tanh(before)))
    return scores


def gru_by_hand(x: np.ndarray, layer: Any, h: np.ndarray, v: np.ndarray) -> np.ndarray:
    w = layer.weights()[0]
    w_ih, w_hh, b_ih, b_hh = (part.detach().double().numpy() for part in w[:4])
    written, updates = [h], []
    for step in x:
        r_x, z_x, n_x = np.split(w_ih @ step + b_ih, 3)
        r_h, z_h, n_h = np.split(w_hh @ h + b_hh, 3)
        z, n = sigmoid(z_x + z_h), np.tanh(n_x + sigmoid(r_x + r_h) * n_h)
        h = (1 - z) * n + z * h
        written.append((1 - z) * n)
        updates.append(z)
    return np.array(
        [
            sum(v[t - 1] @ (np.prod(updates[s:t], axis=0) * written[s]) for t in range(max(s, 1), len(x) + 1))
            for s in range(len(x) + 1)
        ]
    )


def rnn_by_hand(x: np.ndarray, layer: Any, h: np.ndarray, v: np.ndarray) -> np.ndarray:
    w_ih, w_hh, b = weights_of(layer)
    shares = [h]  # of h, by what they come of
    scores = np.zeros(len(x) + 1)
    for t, step in enumerate(x):
        a = w_ih @ step + w_hh @ h + b
        h = np.tanh(a)
        shares = [h / a * (w_hh @ share) for share in shares] + [h / a * (w_ih @ step)]
        scores[: t + 2] += [v[t] @ share for share in shares]
    return scores


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_of_one_lstm_and_a_linear_read_out_it_is_the_papers(pooling: str, bidirectional: bool) -> None:
    network = Reader(pooling=(pooling,), bidirectional=bidirectional, state=True)
    one = explained(network)
    h, c = (part.detach().double().numpy()[:, 0] for part in network.initial(1))
    head = network.head.weight.detach().double().numpy()[0]  # type: ignore[union-attr, operator]
    scores, initial = np.zeros(len(one)), 0.0
    for direction in range(1 + bidirectional):
        v = np.zeros((len(one), HIDDEN))
        v[-1 if pooling == "last" else slice(None)] = head[direction * HIDDEN : (direction + 1) * HIDDEN]
        x = one.values.double().numpy()[:: -1 if direction else 1]
        v = v if pooling == "last" else v / len(one)
        parts = lstm_by_hand(x, network.layers[0], h[direction], c[direction], v, direction)
        scores += parts[1:][:: -1 if direction else 1]
        initial += parts[0]
    found = decomposition(one)
    assert np.allclose(found.scores, scores, atol=1e-6)
    assert found.terms["initial state"] == pytest.approx(initial, abs=1e-6)
    assert found.terms["bias"] == pytest.approx(network.head.bias.item(), abs=1e-6)  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(("cell", "by_hand"), [("GRU", gru_by_hand), ("RNN", rnn_by_hand)])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_of_one_gru_or_rnn_it_is_what_the_gates_keep(cell: str, by_hand: Any, pooling: str) -> None:
    network = Reader(cell=cell, pooling=(pooling,), state=True)
    one = explained(network)
    v = np.zeros((len(one), HIDDEN))
    v[-1 if pooling == "last" else slice(None)] = network.head.weight.detach().double().numpy()[0]  # type: ignore[union-attr, operator]
    v = v if pooling == "last" else v / len(one)
    parts = by_hand(
        one.values.double().numpy(), network.layers[0], network.initial(1)[0, 0].detach().double().numpy(), v
    )
    found = decomposition(one)
    assert np.allclose(found.scores, parts[1:], atol=1e-6)
    assert found.terms["initial state"] == pytest.approx(parts[0], abs=1e-6)


@pytest.mark.parametrize("kind", ["encoder-decoder", "segment"])
def test_a_decoders_state_is_followed_into_its_encoder(kind: str) -> None:
    """Scores of an encoder are what its steps wrote into the one memory that goes on through the decoder."""
    one = forecaster(kind)
    found = decomposition(one)
    assert set(found.terms) == {"bias", "initial state", "decoder", "residual"} and found.terms["initial state"] == 0
    read = survival_by_hand(kind, one)
    per_row = 3 if kind == "segment" else 1
    assert np.allclose(found.scores.reshape(-1, per_row).sum(1), read[0], atol=1e-5)
    assert found.terms["decoder"] == pytest.approx(read[1], abs=1e-5)


def survival_by_hand(kind: str, one: Explained) -> tuple[np.ndarray, float]:
    """What is left of the encoder's steps, and the decoder's, from the calls of the layers as they come."""
    seen: list[Any] = []
    handles = [
        layer.register_forward_hook(
            lambda layer, inputs, output: seen.append((layer, layer.trace(*inputs))), prepend=False
        )
        for layer in one.trunk
    ]
    with torch.no_grad():
        one.function(one.values.unsqueeze(0))
    for handle in handles:
        handle.remove()
    (_, encoder), (_, decoder) = seen
    if kind == "segment":  # the third step ahead of the second series: its first segment, two segments a series
        rows, read = (1, 2), 0
    else:
        rows, read = (0, 0), 2
    names = ("forget", "cell", "output")
    f, c, o = (
        np.concatenate(
            [part[name][0, 0, row].double().numpy() for part, row in zip((encoder, decoder), rows, strict=True)]
        )
        for name in names
    )
    inside = len(encoder["cell"][0, 0, 0])
    t = inside + read
    hidden = torch.zeros(decoder.output.shape)
    basis = []
    for unit in range(hidden.shape[2]):  # the read-out is linear: its weights, unit by unit
        hidden.zero_()[rows[1], read, unit] = 1
        basis.append(read_from(one, hidden) - read_from(one, 0 * hidden))
    shares = []
    for s in range(t + 1):
        left = np.prod(f[s + 1 : t + 1], axis=0) * c[s]
        before = np.prod(f[s : t + 1], axis=0) * c[s - 1] if s else 0 * c[0]
        shares.append(np.array(basis) @ (o[t] * (np.tanh(left) - np.tanh(before))))
    return np.array(shares[:inside]), float(sum(shares[inside:]))


def read_from(one: Explained, hidden: torch.Tensor) -> float:
    """The number where the last call of the layers gives `hidden`."""
    top, calls = one.trunk[-1], []
    count = 2 if len(one.trunk) == 1 else 1

    def override(layer: Any, inputs: Any, output: Any) -> Any:
        calls.append(layer)
        return (hidden, output[1]) if len(calls) == count else None

    handle = top.register_forward_hook(override)
    with torch.no_grad():
        number = float(one.function(one.values.unsqueeze(0))[0])
    handle.remove()
    return number


@pytest.mark.parametrize("name", ["LSTM, mean", "LSTM with everything", "forecaster, encoder and decoder"])
def test_the_past_may_be_taken_in_stretches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decomposition(case(name))
    monkeypatch.setattr(survival, "_BLOCK", 1)
    assert np.allclose(decomposition(case(name)).scores, whole.scores, atol=1e-12)


def test_what_is_forgotten_has_no_part() -> None:
    network = Reader()
    with torch.no_grad():
        network.layers[0].bias_ih_l0[HIDDEN : 2 * HIDDEN] = -200.0  # type: ignore[index, union-attr]
    found = decomposition(explained(network))
    assert not found.scores[:-1].any() and abs(found.scores[-1]) > 0.01
    assert abs(found.terms["residual"]) < 1e-6


@pytest.mark.parametrize(
    ("backend", "cell"), [("reference", "LSTM"), ("torch", "LSTM"), ("reference", "GRU"), ("torch", "RNN")]
)
def test_every_backend_gives_the_same_parts(backend: str, cell: str) -> None:
    usual, other = (explained(cell=cell, backend=each, num_layers=2, bidirectional=True) for each in ("auto", backend))
    assert np.allclose(decomposition(usual).scores, decomposition(other).scores, atol=1e-4)


def test_layers_may_be_read_by_their_final_state_and_have_the_time_first() -> None:
    torch.manual_seed(0)
    layer = LSTM(FEATURES, 4, num_layers=2, bidirectional=True).eval()
    values = values_of()

    def function(x: torch.Tensor) -> torch.Tensor:
        _, (h, _) = layer(x.transpose(0, 1))
        return 1.0 + h[-2].sum(1) - h[-1].sum(1)

    one = Explained(function, values, 0 * values, (layer,), "units", range(len(values)), "numbers")
    found = decomposition(one)
    assert found.terms["bias"] == pytest.approx(1.0) and abs(found.terms["residual"]) < 1e-5
    assert np.abs(found.scores).min() > 0


PAST = "past the last layer's output"


def read_by(function: Any, *trunk: Any) -> Explained:
    values = values_of()
    return Explained(function, values, 0 * values, trunk, "units", range(len(values)), "numbers")


@pytest.mark.parametrize(
    "other",
    [
        lambda x, low, state: state[1][-1].sum(1),  # the final cell
        lambda x, low, state: low[:, -1].sum(1),  # the layer below
        lambda x, low, state: x[:, 2].sum(1),  # the values
    ],
)
def test_what_is_read_past_the_output_is_no_bias(other: Any) -> None:
    torch.manual_seed(0)
    below, above = LSTM(FEATURES, 4, batch_first=True).eval(), LSTM(4, 4, batch_first=True).eval()
    seen = []

    def function(x: torch.Tensor, share: float = 1.0) -> torch.Tensor:
        low, _ = below(x)
        high, state = above(low)
        seen.append(other(x, low, state))
        return 1.0 + high[:, -1].sum(1) + share * seen[-1]

    plain = decomposition(read_by(lambda x: function(x, 0.0), below, above))
    assert PAST not in plain.terms and plain.terms["bias"] == pytest.approx(1.0)
    seen.clear()
    found = decomposition(read_by(function, below, above))
    assert found.terms[PAST] == pytest.approx(float(seen[0]), abs=1e-5)
    assert found.terms["bias"] == pytest.approx(1.0, abs=1e-5)
    assert np.allclose(found.scores, plain.scores, atol=1e-6) and found.total == pytest.approx(found.value)


def test_a_final_cell_alone_is_past_the_output() -> None:
    layer = LSTM(FEATURES, 4, batch_first=True).eval()
    found = decomposition(read_by(lambda x: 2.0 + layer(x)[1][1][-1].sum(1), layer))
    assert found.terms["bias"] == pytest.approx(2.0) and not found.scores.any()
    assert found.terms[PAST] == pytest.approx(found.value - 2.0) and abs(found.terms["residual"]) < 1e-6


@pytest.mark.parametrize("kind", ["encoder-decoder", "segment"])
@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
def test_an_encoder_that_ends_in_zeros_has_its_decoder_all_the_same(kind: str, cell: str) -> None:
    one = forecaster(kind, cell)
    with torch.no_grad():
        for parameter in one.trunk[0].parameters():
            parameter.zero_()
    for found in (decomposition(one), contextual_decomposition(one), contextual_decomposition(one, [0])):
        assert not found.scores.any() and found.total == pytest.approx(found.value)
    terms = decomposition(one).terms
    assert terms["decoder"] + terms["bias"] == pytest.approx(found.value, abs=1e-5)


def test_a_state_that_is_handed_on_tells_a_decoder_even_where_all_else_looks_like_a_stack() -> None:
    encoder, decoder = RNN(FEATURES, 4, batch_first=True).eval(), RNN(4, 4, batch_first=True).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.zero_()

    def function(x: torch.Tensor) -> torch.Tensor:
        _, state = encoder(x)
        return decoder(torch.zeros(len(x), x.shape[1], 4), state)[0].sum((1, 2))

    found = decomposition(read_by(function, encoder, decoder))
    assert "decoder" in found.terms and found.total == pytest.approx(found.value)


def test_a_layer_above_another_that_starts_from_zeros_is_no_decoder() -> None:
    below, above = RNN(FEATURES, 4, batch_first=True).eval(), RNN(4, 4, batch_first=True).eval()
    with torch.no_grad():
        for parameter in below.parameters():
            parameter.zero_()

    def function(x: torch.Tensor) -> torch.Tensor:
        return above(below(x)[0], torch.zeros(1, len(x), 4))[0][:, -1].sum(1)

    found = decomposition(read_by(function, below, above))
    assert set(found.terms) == {"bias", "initial state", "residual"} and abs(found.terms["residual"]) < 1e-6


def test_a_read_out_that_hears_one_direction_only() -> None:
    layer = LSTM(FEATURES, 4, bidirectional=True, batch_first=True).eval()
    values = values_of()
    one = Explained(
        lambda x: layer(x)[0][:, 2, :4].sum(1), values, 0 * values, (layer,), "units", range(len(values)), "numbers"
    )
    found = decomposition(one)
    assert found.scores[:3].all() and not found.scores[3:].any() and abs(found.terms["residual"]) < 1e-6


def test_what_stands_beside_is_a_part_of_its_step_or_a_term() -> None:
    one = case("something beside")
    bare = decomposition(explained(pooling=("mean",)))
    found = decomposition(one)
    assert np.allclose(found.scores - one.parts["ridge regression"].numpy(), bare.scores, atol=1e-6)
    assert found.terms["level"] == 3.0 and found.terms["bias"] == pytest.approx(bare.terms["bias"], abs=1e-5)


def test_without_gates_a_past_that_has_no_bounds_is_left_out_and_said_to_be() -> None:
    torch.manual_seed(0)
    layer = RNN(FEATURES, 32, batch_first=True).eval()
    with torch.no_grad():
        layer.weight_hh_l0.mul_(4)
    values = values_of(400)
    one = Explained(lambda x: layer(x)[0][:, -1].sum(1), values, 0 * values, (layer,), "units", range(400), "numbers")
    found = decomposition(one)
    assert np.isfinite(found.scores).all() and "it is cut off" in found.note
    assert found.total == pytest.approx(found.value) and not found.scores[:300].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows_of_step": (2, 2)}, "expected recurrent layers that read 2 steps, got layers that read 7"),
        ({"rows_of_step": (2,) * 7}, "rows_of_step tells how many rows"),
        ({"trunk": ()}, "expected a trunk of recurrent layers that the function runs, got none that ran"),
    ],
)
def test_layers_that_read_other_steps_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decomposition(replace(explained(), **change))
