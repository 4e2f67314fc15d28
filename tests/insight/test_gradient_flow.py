"""Gradient flow: factors known by hand, vanishing and exploding gradients, and the carousel."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import CASES, case

from memorycell.insight.evaluating import value_of
from memorycell.insight.gradient_flow import Flow, _scaled, gradient_flow, gradient_flow_of
from memorycell.layers import GRU, LSTM, RNN


def readings(rows: int = 3, steps: int = 40, features: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, steps, features, generator=torch.Generator().manual_seed(seed))


def linear(factor: float, units: int = 4) -> RNN:
    """An RNN that multiplies its state by a number, and reads nothing below zero."""
    layer = RNN(2, units, nonlinearity="relu")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0.fill_(1.0)  # above zero relu is the identity
        layer.weight_hh_l0.copy_(factor * torch.eye(units))
    return layer


def lstm(forget: float, units: int = 4) -> LSTM:
    """An LSTM whose gates are their biases, and that is not told of its own output."""
    layer = LSTM(2, units)
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
        layer.weight_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
        layer.bias_ih_l0.copy_(torch.cat([torch.full((units,), value) for value in (0.0, forget, 0.0, 0.0)]))
    return layer


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.1])
def test_a_linear_rnn_multiplies_the_gradient_by_its_weight_each_step(factor: float) -> None:
    flow = gradient_flow(readings(), (), layers={"linear": linear(factor)}, seeds=2)["linear"]
    expected = float(np.float32(factor)) ** np.arange(40)
    assert flow.norms.shape == (6, 40) and flow.norms == pytest.approx(np.tile(expected, (6, 1)), rel=1e-9)
    assert flow.factor == pytest.approx(factor, rel=1e-6) and flow.factors == pytest.approx([factor] * 6, rel=1e-6)


def test_a_cell_whose_forget_gate_is_open_carries_the_gradient_as_it_is() -> None:
    flow = gradient_flow(readings(steps=200), (), layers={"open": lstm(50.0), "half": lstm(0.0)})
    carousel = flow["open", "cell"]
    # o (1 - tanh² c) with o = ½ and c = 0, at every step
    assert carousel.norms == pytest.approx(np.full((9, 200), 0.5), rel=1e-12)
    assert carousel.factor == pytest.approx(1.0, abs=1e-12)
    assert flow["half", "cell"].factor == pytest.approx(0.5, rel=1e-9)
    assert flow["half", "cell"].norms[:, -1] == pytest.approx([0.5**200] * 9, rel=1e-9)  # float32 has no such number
    assert not flow["open"].norms[:, 1:].any() and np.isnan(flow["open"].factor)  # h goes nowhere


def test_a_gru_keeps_what_its_update_gate_keeps() -> None:
    layer = GRU(2, 4)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0[4:8] = float(np.log(9))
    flow = gradient_flow(readings(), (), layers={"GRU": layer})["GRU"]
    assert flow.factor == pytest.approx(0.9, rel=1e-6)


@pytest.mark.parametrize(("cell", "part"), [("RNN", "hidden"), ("LSTM", "hidden"), ("LSTM", "cell"), ("GRU", "hidden")])
@torch.no_grad()
def test_the_gradients_are_those_of_differences(cell: str, part: str) -> None:
    x = readings(rows=1, steps=6).double()
    found = gradient_flow(x, (cell,), hidden_size=5, seeds=1, seed=3)[cell, part]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layer: Any = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}[cell](2, 5).double()
    vector = torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    trace = layer.trace(x[0, :4])

    def after(unit: int, change: float) -> float:
        """What the rest makes of the state after step 3, one unit of it changed; a cell is also in its h."""
        hidden, cells = (trace[name][0, 0, -1:].clone() if name in trace else None for name in ("hidden", "cell"))
        (hidden if part == "hidden" else cells)[0, unit] += change
        if part == "cell":
            hidden = trace["output"][0, 0, -1:] * torch.tanh(cells)
        final = layer(x[0, 4:], hidden if cells is None else (hidden, cells))[1]
        return float((final if cells is None else final[0])[0] @ vector / vector.norm())

    slopes = [(after(unit, 1e-6) - after(unit, -1e-6)) / 2e-6 for unit in range(5)]
    assert found.norms[0, 2] == pytest.approx(np.linalg.norm(slopes), rel=1e-6)


def test_the_gradient_of_the_cell_is_that_of_backpropagation_through_time() -> None:
    # One unit by hand: dL/dc_t = dL/dh_t · o (1 - tanh² c) + dL/dc_(t+1) · f, where h_t leads nowhere but to the end.
    layer = lstm(1.0, units=1)
    with torch.no_grad():
        layer.bias_ih_l0[2] = 1.0
    flow = gradient_flow(readings(rows=1, steps=5), (), layers={"one": layer}, seeds=1)["one", "cell"]
    forget, cells = 1 / (1 + np.exp(-1.0)), 0.0
    for _ in range(5):
        cells = forget * cells + 0.5 * np.tanh(1.0)
    assert flow.norms[0] == pytest.approx(0.5 * (1 - np.tanh(cells) ** 2) * forget ** np.arange(5), rel=1e-6)


def test_gradients_vanish_below_a_radius_of_one_and_explode_well_above() -> None:
    flow = gradient_flow(readings(steps=100), (), radii=(0.5, 4.0), hidden_size=32)
    small, large = flow["RNN of radius 0.5"], flow["RNN of radius 4"]
    assert small.factor < 0.6 and small.median[-1] < 1e-20
    assert large.factor > 1.1 and large.median[-1] > 1e5
    assert "vanishes, halved every" in flow.sentence() and "explodes, doubled every" in flow.sentence()


@pytest.mark.parametrize("radius", [0.5, 1.0, 3.0])
def test_the_radius_is_that_of_the_weights(radius: float) -> None:
    weight = _scaled(2, 16, radius).get_parameter("weight_hh_l0").detach()
    assert np.abs(np.linalg.eigvals(weight.numpy())).max() == pytest.approx(radius)


def test_cells_side_by_side_on_the_same_data() -> None:
    flow = gradient_flow(readings(steps=60), forget_bias=3.0)
    assert [each.label for each in flow.flows] == ["RNN, hidden", "LSTM, hidden", "LSTM, cell", "GRU, hidden"]
    assert flow["LSTM", "cell"].factor > 0.9 > 0.8 > flow["RNN"].factor
    assert all(each.norms.shape == (9, 60) and each.norms[:, 0].max() <= 1 + 1e-12 for each in flow.flows)
    assert (flow.seeds, flow.sequences, flow.hidden_size) == (3, 3, 64)


def test_trained_layers_stand_beside_new_ones_and_are_left_alone() -> None:
    layer = LSTM(2, 6, num_layers=2, forget_bias=5.0)
    layer.train()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    flow = gradient_flow(readings(), ("LSTM",), layers={"LSTM": layer, "mine": layer}, seeds=1)
    assert [each.label for each in flow.flows] == [
        *("LSTM, hidden", "LSTM, cell", "LSTM, trained, hidden", "LSTM, trained, cell", "mine, hidden", "mine, cell")
    ]
    assert flow["LSTM, trained"].norms == pytest.approx(flow["mine"].norms)
    assert layer.training and all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in layer.parameters())


def test_sequences_of_different_lengths_are_counted_from_their_ends() -> None:
    sequences = [readings(1, steps, seed=steps)[0].numpy() for steps in (10, 25, 10)]
    flow = gradient_flow(sequences, ("GRU",), seeds=2)["GRU"]
    assert flow.norms.shape == (6, 25) and np.isnan(flow.norms[:, 10:]).all(1).sum() == 4
    alone = gradient_flow(sequences[1:2], ("GRU",), seeds=1)["GRU"]
    assert any(run == pytest.approx(alone.norms[0]) for run in flow.norms)
    assert np.isfinite(flow.median).all() and np.isfinite(flow.factors).all()


def test_the_same_seed_gives_the_same_bits_and_the_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    one, again, other = (gradient_flow(readings(), radii=(1.5,), seed=seed, seeds=1) for seed in (0, 0, 1))
    assert one.to_dict() == again.to_dict() != other.to_dict()
    assert torch.equal(before, torch.get_rng_state())


def test_the_spread_lies_around_the_median() -> None:
    flow = Flow("a", "hidden", np.array([[1.0, 0.1], [1.0, 0.2], [1.0, 0.4]]))
    low, high = flow.spread(1.0)
    assert (low[1], flow.median[1], high[1]) == (0.1, 0.2, 0.4) and np.isnan(flow.factor)


def test_everything_is_plain_json_and_a_table() -> None:
    flow = gradient_flow([readings(1, 5)[0], readings(1, 1)[0]], ("RNN", "LSTM"), seeds=1)
    told = json.loads(json.dumps(flow.to_dict(), allow_nan=False))
    assert told["flows"][0]["name"] == "RNN" and None in told["flows"][0]["factors"]
    lines = str(flow).splitlines()
    assert len(lines) == 4 and lines[0].split()[-4:] == ["1", "4", "a", "step"]
    with pytest.raises(KeyError, match="expected one of RNN, hidden; LSTM, hidden; LSTM, cell, got GRU, hidden"):
        _ = flow["GRU"]


@pytest.mark.parametrize(
    ("sequences", "options", "error", "message"),
    [
        ([], {}, ValueError, "sequences of one width, got none"),
        (torch.zeros(4, 3), {}, ValueError, r"finite numbers \(steps, features\), got one of shape \(3,\)"),
        (torch.zeros(2, 0, 3), {}, ValueError, "finite numbers"),
        (torch.full((1, 4, 2), torch.nan), {}, ValueError, "fill their gaps first"),
        ([torch.zeros(4, 2), torch.zeros(4, 3)], {}, ValueError, r"one width, got \[2, 3\]"),
        (readings(), {"cells": ("LTSM",)}, ValueError, r"cells of RNN, LSTM, GRU.*\['LTSM'\]"),
        (readings(), {"cells": ()}, ValueError, "expected cells of RNN, LSTM, GRU"),
        (readings(), {"seeds": 0}, ValueError, "seeds=0"),
        (readings(), {"layers": {"mine": LSTM(3, 4)}}, ValueError, "sequences of 3 features, as 'mine' reads, got 2"),
        (readings(), {"layers": {"mine": LSTM(2, 4, bidirectional=True)}}, ValueError, "it has no last step"),
        (readings(), {"layers": {"mine": torch.nn.LSTM(2, 4)}}, TypeError, r"got LSTM: see accelerate\(\)"),
    ],
)
def test_what_has_no_flow_is_refused(sequences: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        gradient_flow(sequences, **options)


# ---- of a trained model


@pytest.mark.parametrize("name", CASES)
def test_stepping_through_a_network_leaves_its_number_as_it_is(name: str) -> None:
    explained = case(name)
    numbers: list[float] = []
    function = explained.function

    def watched(values: torch.Tensor) -> torch.Tensor:
        number = function(values)
        numbers.append(float(number.detach()))
        return number

    found = gradient_flow_of(replace(explained, function=watched))
    assert numbers[0] == pytest.approx(value_of(explained), rel=1e-4, abs=1e-5)
    runs = 2 if "segments" in name else 1  # there the same layer goes on over the horizon
    assert len(found) == runs * sum(layer.cells for layer in explained.trunk) and found[-1].call == runs - 1
    for each in found:
        assert np.isfinite(each.hidden).all() and each.hidden.any()
        assert (each.cell is not None) is (explained.trunk[each.module].mode == "LSTM")
    assert all("forward" not in vars(layer) for layer in explained.trunk)


def test_the_gradient_of_an_output_in_the_states_before_it() -> None:
    explained = case("LSTM")
    (found,) = gradient_flow_of(explained)
    head: Any = explained.function
    assert found.hidden[-1] == pytest.approx(head.head.weight.norm().item(), rel=1e-5)
    assert (found.module, found.layer, found.direction) == (0, 0, 0) and len(found.hidden) == 7
    # a difference of the state in the middle
    layer: Any = explained.trunk[0]
    state = layer(explained.values[:4].unsqueeze(0))[1]
    slopes = []
    for unit in range(layer.hidden_size):
        ends = []
        for sign in (1e-2, -1e-2):
            moved = state[0].clone()
            moved[0, 0, unit] += sign
            last = layer(explained.values[4:].unsqueeze(0), (moved, state[1]))[0][:, -1]
            ends.append(head.head(last).item())
        slopes.append((ends[0] - ends[1]) / 2e-2)
    assert found.hidden[3] == pytest.approx(np.linalg.norm(slopes), rel=1e-2)


def test_places_of_layers_and_directions() -> None:
    found = gradient_flow_of(case("LSTM, two modules, both directions"))
    assert [(each.module, each.layer, each.direction) for each in found] == [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)]
    json.dumps([each.to_dict() for each in found], allow_nan=False)


def test_nothing_flows_to_steps_after_the_output() -> None:
    explained = case("LSTM")
    layer: Any = explained.trunk[0]
    early = replace(explained, function=lambda values: layer(values)[0][:, 3, 0])
    (found,) = gradient_flow_of(early)
    assert found.hidden[:4].all() and not found.hidden[4:].any() and found.hidden[3] == 1.0
