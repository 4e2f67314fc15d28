"""Memory of units: half-lives, saturation, dead units and counters, where they are known by hand."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from memorycell.insight.memory import memory
from memorycell.insight.spans import say_steps
from memorycell.insight.tracing import trace_network
from memorycell.layers import GRU, LSTM, RNN
from memorycell.layers.traces import Trace


def logit(share: float) -> float:
    return math.log(share / (1 - share))


def silent(layer: Any) -> Any:
    """The layer with all its weights zero."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


def lstm(units: int = 3, **biases: list[float]) -> LSTM:
    """A layer that reads one number and whose gates are their biases."""
    layer = silent(LSTM(1, units, batch_first=True))
    with torch.no_grad():
        for gate, name in enumerate(("input", "forget", "candidate", "output")):
            if name in biases:
                layer.bias_ih_l0[gate * units : (gate + 1) * units] = torch.tensor(biases[name])
    return layer


def readings(rows: int = 2, steps: int = 30, features: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, steps, features, generator=torch.Generator().manual_seed(seed))


def test_a_forget_gate_of_nine_tenths_halves_in_six_and_a_half_steps() -> None:
    layer = lstm(forget=[logit(0.9), logit(0.5), logit(0.99)])
    (found,) = memory(layer.trace(readings())).layers
    assert found.half_life == pytest.approx([6.579, 1.0, 68.97], rel=1e-3)
    assert found.kept == pytest.approx([0.9, 0.5, 0.99], rel=1e-6)
    assert found.gate == "forget" and (found.rows, found.steps) == (2, 60)


def test_the_half_life_is_that_of_the_product_along_the_data() -> None:
    layer = LSTM(2, 4, batch_first=True)
    trace = layer.trace(readings(features=2))
    product = trace["forget"][0, 0].detach().double().prod(1)  # (rows, units)
    expected = math.log(0.5) / (product.log().sum(0) / 60)
    assert memory(trace).layers[0].half_life == pytest.approx(expected.numpy(), rel=1e-6)


def test_of_a_gru_the_update_gate_keeps() -> None:
    layer = silent(GRU(1, 2, batch_first=True))
    with torch.no_grad():
        layer.bias_ih_l0[2:4] = torch.tensor([logit(0.9), logit(0.75)])
    (found,) = memory(layer.trace(readings())).layers
    assert found.gate == "update" and found.half_life == pytest.approx([6.579, 2.409], rel=1e-3)


def test_of_coupled_gates_one_less_the_input_gate_keeps() -> None:
    layer = silent(LSTM(1, 2, batch_first=True, coupled=True))
    with torch.no_grad():
        layer.bias_ih_l0[:2] = torch.tensor([logit(0.1), logit(0.25)])
    (found,) = memory(layer.trace(readings())).layers
    assert found.half_life == pytest.approx([6.579, 2.409], rel=1e-3)


def test_an_rnn_has_no_gate_that_keeps_and_says_so() -> None:
    found = memory(RNN(1, 3, batch_first=True).trace(readings()))
    assert found.layers[0].gate is None and all(math.isnan(each) for each in found.layers[0].half_life)
    assert found.longest is None and not found.layers[0].gates
    assert "No gate of this network keeps" in found.sentence() and "no gate keeps" in str(found)


def test_an_open_gate_never_forgets() -> None:
    found = memory(lstm(forget=[200.0, 0.0, -200.0]).trace(readings()))
    assert found.layers[0].half_life[0] == math.inf and found.layers[0].half_life[2] < 0.01
    told = found.to_dict()
    assert told["layers"][0]["half_life"][0] is None and told["layers"][0]["kept"][0] == 1.0
    assert "more steps than can be told" in found.sentence()


def test_shares_of_saturated_gates() -> None:
    layer = lstm(input=[logit(0.05), 0.0, logit(0.95)])
    with torch.no_grad():
        layer.weight_ih_l0[6 + 3] = 10.0  # the output gate of unit 0 goes with the sign of the input
    x = torch.tensor([-1.0, 1.0, 1.0, 1.0]).view(1, 4, 1)
    gates = memory(layer.trace(x)).layers[0].gates
    assert gates["input"].shut.tolist() == [1, 0, 0] and gates["input"].open.tolist() == [0, 0, 1]
    assert gates["output"].shut.tolist() == [0.25, 0, 0] and gates["output"].open.tolist() == [0.75, 0, 0]
    assert gates["input"].mean == pytest.approx([0.05, 0.5, 0.95])
    wide = memory(layer.trace(x), shut=0.01, open=0.99).layers[0].gates
    assert not wide["input"].shut.any() and not wide["input"].open.any()
    assert set(gates) == {"input", "forget", "output"}  # the candidate is no gate


def test_a_unit_without_weights_is_dead_and_does_not_count() -> None:
    layer = LSTM(1, 4, batch_first=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.view(4, 4, -1)[:, 2] = 0.0
    (found,) = memory(layer.trace(readings())).layers
    assert found.dead.tolist() == [False, False, True, False] and found.deviation[2] == 0
    expected = layer(readings())[0].detach().double().reshape(-1, 4).std(0, correction=0)
    assert found.deviation == pytest.approx(expected.numpy(), rel=1e-6)
    assert memory(layer.trace(readings()), dead=10.0).layers[0].dead.all()


def test_a_counter_counts() -> None:
    # Gates open; the candidate is tanh(±0.1), so the cells go up and down by as much a step; the third one decays.
    layer = lstm(input=[20.0] * 3, forget=[20.0, 20.0, 0.0], candidate=[0.1, -0.1, 0.1], output=[20.0] * 3)
    (found,) = memory(layer.trace(readings(rows=4, steps=30))).layers
    assert found.counts.tolist() == [True, True, False] and found.counting.tolist() == [1, 1, 0]
    assert found.slope[:2] == pytest.approx([math.tanh(0.1), -math.tanh(0.1)], rel=1e-4)
    assert math.isnan(found.slope[2])


def test_what_goes_along_a_line_too_little_does_not_count() -> None:
    layer = lstm(input=[20.0] * 3, forget=[20.0] * 3, candidate=[0.1] * 3)
    trace = layer.trace(readings(steps=10))  # rises by 0.9
    assert not memory(trace).layers[0].counts.any() and memory(trace, rise=0.5).layers[0].counts.all()
    assert not memory(layer.trace(readings(steps=7)), rise=0.1).layers[0].counts.any()  # too short to tell


def test_a_backward_counter_counts_in_the_direction_of_reading() -> None:
    layer = silent(LSTM(1, 1, batch_first=True, bidirectional=True))
    with torch.no_grad():
        for bias in (layer.bias_ih_l0, layer.bias_ih_l0_reverse):
            bias.copy_(torch.tensor([20.0, 20.0, 0.1, 0.0]))
    forward, backward = memory(layer.trace(readings())).layers
    assert forward.counts.all() and backward.counts.all()
    assert forward.slope == pytest.approx(backward.slope, rel=1e-4) and forward.slope[0] > 0
    assert (backward.direction, backward.label) == (1, "layer, backward")


def test_steps_beyond_the_end_do_not_count() -> None:
    layer, x = LSTM(1, 4, batch_first=True, bidirectional=True), readings(rows=3, steps=20)
    padded = memory(layer.trace(x, lengths=[20, 9, 0]))
    alone = memory([layer.trace(x[:1]), layer.trace(x[1:2, :9])])
    assert (padded.layers[0].rows, padded.layers[0].steps) == (2, 29)
    for one, other in zip(padded.layers, alone.layers, strict=True):
        assert one.half_life == pytest.approx(other.half_life, rel=1e-6)
        assert one.deviation == pytest.approx(other.deviation, rel=1e-5)
        assert one.counting == pytest.approx(other.counting)


def test_pieces_of_time_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = LSTM(1, 4, batch_first=True).trace(readings(rows=3, steps=50), lengths=[50, 31, 7])
    whole = memory(trace).to_dict()
    monkeypatch.setattr("memorycell.insight.memory._CHUNK", 100)
    pieces = memory(trace).to_dict()
    for key in ("kept", "half_life", "deviation", "counting"):
        assert pieces["layers"][0][key] == pytest.approx(whole["layers"][0][key], rel=1e-9)


def test_traces_are_read_one_by_one() -> None:
    layer, alive = LSTM(1, 4, batch_first=True), []

    def traces() -> Any:
        for number in range(3):
            alive.append(number)
            yield layer.trace(readings(seed=number))

    assert memory(traces()).layers[0].steps == 180 and alive == [0, 1, 2]


def test_only_pieces_are_taken_from_a_trace_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memorycell.insight.memory._CHUNK", 64)
    trace = LSTM(1, 4, batch_first=True).trace(readings(rows=1, steps=100))
    sizes: list[int] = []

    def loaded(piece: torch.Tensor) -> torch.Tensor:
        sizes.append(piece.numel())
        return piece.detach()

    monkeypatch.setattr("memorycell.insight.memory._loaded", loaded)
    memory(trace)
    assert 0 < max(sizes) <= 64


def test_a_trace_on_disk_and_a_part_of_one(tmp_path: Path) -> None:
    trace = LSTM(1, 4, 2, batch_first=True).trace(readings(rows=3, steps=20), lengths=[20, 9, 5])
    trace.save(tmp_path / "trace.safetensors")
    assert memory(Trace.load(tmp_path / "trace.safetensors")).to_dict() == memory(trace).to_dict()
    part = memory(trace.select(layer=1, batch=1, unit=[3, 0])).layers[0]
    alone = trace["forget"][1, 0, 1, :9, [3, 0]].detach().double().log().mean(0).exp()
    assert part.kept == pytest.approx(alone.numpy(), rel=1e-6) and part.steps == 9


def test_layers_of_different_widths_lie_side_by_side() -> None:
    network = torch.nn.ModuleDict({"low": LSTM(1, 5, batch_first=True), "high": GRU(5, 3, 2, batch_first=True)})

    def run() -> torch.Tensor:
        return network["high"](network["low"](readings())[0])[0]

    found = memory(trace_network(network, run))
    assert [(each.label, len(each.kept), each.gate) for each in found.layers] == [
        ("low", 5, "forget"),
        ("high", 3, "update"),
        ("high, layer 2", 3, "update"),
    ]
    layer, unit = found.longest or pytest.fail("there are gates")
    assert layer.half_life[unit] == max(each.half_life.max() for each in found.layers)


def test_a_layer_beside_the_trunk_is_told_but_not_in_the_sentence() -> None:
    network = torch.nn.ModuleDict({"encoder": LSTM(1, 2, batch_first=True), "decoder": lstm(forget=[9.0, 9.0, 9.0])})

    def run() -> None:
        network["encoder"](readings())
        network["decoder"](readings())

    found = memory(trace_network(network, run, trunk=[network["encoder"]]))
    assert [each.trunk for each in found.layers] == [True, False]
    assert found.longest is not None and found.longest[0].name == "encoder"
    assert "(encoder)" in found.sentence() and "decoder" not in found.sentence()


def test_a_projection_has_other_units_than_its_cell() -> None:
    (found,) = memory(LSTM(1, 6, batch_first=True, proj_size=2).trace(readings())).layers
    assert len(found.kept) == len(found.deviation) == len(found.dead) == len(found.counting) == 6


@pytest.mark.parametrize("x", [readings(rows=1)[0], readings()], ids=["one sequence", "a batch"])
def test_with_and_without_a_batch(x: torch.Tensor) -> None:
    layer = LSTM(1, 4, batch_first=True)
    assert memory(layer.trace(x)).layers[0].steps == x.numel()


def test_everything_is_plain_json_and_a_table() -> None:
    found = memory(LSTM(1, 4, 2, batch_first=True).trace(readings()))
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["longest"]["unit"] == found.longest[1] and len(told["layers"][1]["half_life"]) == 4  # type: ignore[index]
    lines = str(found).splitlines()
    assert lines[0].split() == ["layer", "units", "steps", "half-life", "longest", "dead", "counting"]
    assert [each.label for each in found.layers] == ["layer", "layer 2"]
    assert (
        "layer 2  " in str(found)
        and "layer, layer" not in str(found)
        and "forget" in str(found)
        and found.sentence() in str(found)
    )


def test_the_sentence_tells_time() -> None:
    found = memory(lstm(forget=[logit(0.9), logit(0.9), logit(0.99)]).trace(readings()))
    assert found.sentence() == (
        "Half of the units forget half of what they hold within 6.6 steps; the one with the longest memory, unit 2 "
        "(layer), takes 69 steps. Of 3 units 3 never move."
    )
    assert "within 6.6 hours" in found.sentence(span=3600) and "takes 2.9 days" in found.sentence(span=3600)


@pytest.mark.parametrize(
    ("steps", "span", "said"),
    [
        (9, 86400, "9 days"),
        (216, 3600, "9 days"),
        (24, 3600, "24 hours"),
        (20, 86400, "2.9 weeks"),
        (12, 30.436875 * 86400, "12 months"),
        (2.5, 0.02, "50 milliseconds"),
        (0.3, 3600, "18 minutes"),
        (1, 1, "1 second"),
        (1234, None, "1,234 steps"),
        (0.3, None, "less than a step"),
    ],
)
def test_how_long_so_many_steps_are(steps: float, span: float | None, said: str) -> None:
    assert say_steps(steps, span) == said


@pytest.mark.parametrize(
    ("span", "error"),
    [
        (-5, ValueError),
        (0, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        ("3600", TypeError),
        (True, TypeError),
    ],
)
def test_a_span_is_above_zero(span: Any, error: type[Exception]) -> None:
    for layer in (lstm(), RNN(1, 3, batch_first=True)):
        with pytest.raises(error, match="span as the finite number of seconds of a step, above 0, or None, got"):
            memory(layer.trace(readings())).sentence(span=span)
    for steps in (3, math.nan, math.inf):
        with pytest.raises(error, match="above 0"):
            say_steps(steps, span)


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
@pytest.mark.parametrize("name", ["forget", "hidden", "cell"])
def test_what_is_no_number_is_refused_within_the_lengths(bad: float, name: str) -> None:
    trace = LSTM(1, 4, batch_first=True).trace(readings(), lengths=[30, 7])
    beyond = Trace({key: value.detach().clone() for key, value in trace.items()}, trace.dims, lengths=trace.lengths)
    beyond[name][0, 0, 1, 7:] = bad
    assert memory(beyond).to_dict() == memory(trace).to_dict()
    beyond[name][0, 0, 1, 6, 2] = bad
    with pytest.raises(ValueError, match=f"NaN or infinity in '{name}' of layer 'layer': fill the gaps"):
        memory([trace, beyond])


def test_huge_values_are_numbers() -> None:
    trace = LSTM(1, 4, batch_first=True).trace(readings())
    huge = Trace({key: value.detach().clone() for key, value in trace.items()}, trace.dims)
    huge["cell"][0, 0, :, :, 1] = 3e38
    assert memory(huge).layers[0].kept == pytest.approx(memory(trace).layers[0].kept)


@pytest.mark.parametrize("given", [5, "abc", None, [readings()]])
def test_only_traces_are_taken(given: Any) -> None:
    with pytest.raises(TypeError, match=r"expected traces, what model\.trace\(X\) or layer\.trace\(x\) returns"):
        memory(given)


@pytest.mark.parametrize(("value", "error"), [("low", TypeError), (True, TypeError), (math.nan, ValueError)])
def test_thresholds_are_numbers(value: Any, error: type[Exception]) -> None:
    for name in ("shut", "open", "dead", "straight", "rise"):
        with pytest.raises(error, match=f"expected {name} as a finite number, got"):
            memory(lstm().trace(readings()), **{name: value})


def test_no_steps_and_other_networks_are_refused() -> None:
    layer = LSTM(1, 4, batch_first=True)
    for none in ([], iter(())):
        with pytest.raises(ValueError, match="expected traces of at least one step, got none"):
            memory(none)
    with pytest.raises(ValueError, match="expected traces of at least one step"):
        memory(layer.trace(torch.zeros(2, 0, 1), lengths=[0, 0]))
    with pytest.raises(ValueError, match="expected traces of one network, got 4 and 5 units in layer 'layer'"):
        memory([layer.trace(readings()), LSTM(1, 5, batch_first=True).trace(readings())])
