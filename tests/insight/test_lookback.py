"""Look-back: delays, decays and windows whose reach is known by hand."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import case

from memorycell.insight.explained import Explained
from memorycell.insight.lookback import lookback
from memorycell.layers import LSTM, RNN

Function = Callable[[torch.Tensor], torch.Tensor]


def read_by(function: Function, steps: int = 30, features: int = 1, seed: int = 0, **known: Any) -> Explained:
    """A number read at the last step of readings."""
    values = torch.randn(steps, features, generator=torch.Generator().manual_seed(seed))
    known = {"kind": "numbers", "anchor": steps - 1} | known
    return Explained(function, values, 0 * values, (), "a number", range(steps), **known)


def delayed(distance: int) -> Function:
    return lambda values: values[:, -1 - distance, 0]


def decaying(factor: float) -> Function:
    def function(values: torch.Tensor) -> torch.Tensor:
        weights = factor ** torch.arange(values.shape[1] - 1, -1, -1.0)
        return values[:, :, 0] @ weights

    return function


@pytest.mark.parametrize("distance", [0, 1, 7, 20])
def test_a_delay_line_looks_back_exactly_its_delay(distance: int) -> None:
    found = lookback(read_by(delayed(distance)))
    assert (found.reach, found.reach_by_gradient) == (distance, distance)
    assert np.flatnonzero(found.gradient).tolist() == np.flatnonzero(found.perturbation).tolist() == [distance]
    assert not found.cut and not found.cut_by_gradient


def test_a_delay_line_of_an_rnn_looks_back_its_units() -> None:
    layer = RNN(1, 5, nonlinearity="relu", bias=False, batch_first=True)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.eye(5)[:, :1])
        layer.weight_hh_l0.copy_(torch.diag(torch.ones(4), -1))
    output = read_by(lambda values: layer(values.abs())[0][:, -1, 4])
    assert (lookback(output).reach, lookback(output).reach_by_gradient) == (4, 4)


def test_of_a_decay_the_gradient_is_its_weights_times_the_deviation() -> None:
    output = read_by(decaying(0.5))
    found = lookback(output)
    expected = 0.5 ** np.arange(30) * float(output.values.std(correction=0))
    assert found.gradient == pytest.approx(expected, rel=1e-5)
    assert found.reach_by_gradient == 4  # 1 - 0.5^5 = 0.97
    assert lookback(output, share=0.5).reach_by_gradient == 0 and lookback(output, share=0.99).reach_by_gradient == 6


def test_exchanging_inputs_changes_the_output_by_their_difference() -> None:
    outputs = [read_by(decaying(0.8), seed=seed) for seed in range(20)]
    found = lookback(outputs, draws=50)
    # Of two independent draws the mean squared difference is twice the variance.
    assert found.perturbation == pytest.approx(np.sqrt(2) * found.gradient, rel=0.2)
    assert found.sequences == 20 and found.reach == found.reach_by_gradient


@pytest.mark.parametrize(("factor", "cut"), [(0.5, False), (0.8, False), (0.95, True), (1.0, True), (1.1, True)])
def test_a_window_that_ends_before_the_influence_does_is_told(factor: float, cut: bool) -> None:
    # 0.8^30 = 0.001 of the influence lies beyond; 0.95^30 = 0.21.
    found = lookback([read_by(decaying(factor), seed=seed) for seed in range(4)])
    assert found.cut is cut and found.cut_by_gradient is cut
    assert ("at least over the window of 30 steps" in found.sentence()) is cut


def test_inputs_are_measured_in_units_of_their_own_deviation() -> None:
    small = read_by(lambda values: values[:, -1, 0] * 100 + values[:, -4, 1], features=2)
    values = small.values * torch.tensor([0.01, 1.0])
    found = lookback(replace(small, values=values))
    assert found.gradient[0] == pytest.approx(float(small.values[:, 0].std(correction=0)), rel=1e-4)
    assert found.gradient[3] == pytest.approx(float(values[:, 1].std(correction=0)), rel=1e-4)


def test_what_does_not_vary_has_no_influence() -> None:
    output = read_by(lambda values: values.sum((1, 2)))
    found = lookback(replace(output, values=torch.ones(30, 1)))
    assert found.reach is None and found.reach_by_gradient is None
    assert found.sentence() == "It takes no notice of any input."


def test_a_shut_gate_has_no_gradient_but_still_changes_the_output() -> None:
    found = lookback(read_by(lambda values: (values[:, -6, 0] > 0).float() + 0 * values.sum((1, 2))))
    assert found.reach == 5 and found.reach_by_gradient is None and "by gradient: none at all" in found.sentence()


def test_sequences_may_end_at_different_steps() -> None:
    outputs = [read_by(delayed(3), steps=steps) for steps in (5, 9, 14)]
    found = lookback(outputs)
    assert found.window == 14 and found.reach == found.reach_by_gradient == 3


def test_steps_after_the_anchor_are_told_apart() -> None:
    found = lookback(read_by(lambda values: values[:, 10, 0] + values[:, 12, 0], anchor=10))
    assert found.window == 11 and found.reach == 0 and found.ahead == pytest.approx(0.5)
    assert "50 % of the gradient is that of steps that follow" in found.sentence()


def test_long_windows_are_cut_into_stretches() -> None:
    found = lookback([read_by(decaying(0.98), steps=1000, seed=seed) for seed in range(3)])
    assert len(found.distances) <= 40 and found.distances[0] == 0 and found.distances[-1] < 999
    assert found.filled.shape == found.gradient.shape == (1000,)
    assert found.reach_by_gradient == pytest.approx(148, abs=1) and found.reach == pytest.approx(148, rel=0.3)
    assert len(lookback(read_by(decaying(0.98), steps=200)).distances) == 200
    assert 5 <= len(lookback(read_by(decaying(0.98), steps=200), distances=10).distances) <= 10


@pytest.mark.parametrize("distance", [150, 300, 707])
def test_in_a_long_window_nothing_between_is_missed(distance: int) -> None:
    found = lookback(read_by(delayed(distance), steps=1000))
    assert (found.reach, found.reach_by_gradient) == (distance, distance)
    assert f"looks back about {distance} steps" in found.sentence()
    # a gate that is shut has no gradient to tell where the influence is
    shut = lookback(read_by(lambda v: (v[:, -1 - distance, 0] > 0).float() + 0 * v.sum((1, 2)), steps=1000))
    assert shut.reach_by_gradient is None and shut.reach == pytest.approx(distance, rel=0.25)


def test_a_stretch_changes_what_its_inputs_change() -> None:
    outputs = [read_by(decaying(0.99), steps=400, seed=seed) for seed in range(4)]
    cut, single = lookback(outputs, draws=100), lookback(outputs, draws=100, distances=400)
    assert len(cut.distances) <= 40 and len(single.distances) == 400
    assert cut.filled.mean() == pytest.approx(single.filled.mean(), rel=0.1)
    assert cut.reach == pytest.approx(single.reach, rel=0.1)


def test_a_number_that_only_small_changes_move_does_not_look_unmoved() -> None:
    found = replace(lookback(read_by(delayed(3))), perturbation=np.zeros(30))
    assert found.reach is None and "(reach by gradient: 3 steps)" in found.sentence()


def test_the_time_of_a_step_is_that_of_the_first_case_that_has_one() -> None:
    short = replace(read_by(delayed(0), steps=1), span=None)
    assert lookback([short, read_by(delayed(2), span=3600.0)]).span == 3600.0
    assert lookback([short, short]).span is None


def test_where_the_output_has_no_step_the_top_layer_is_looked_at() -> None:
    layer = RNN(1, 5, nonlinearity="relu", bias=False, batch_first=True)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.eye(5)[:, :1])
        layer.weight_hh_l0.copy_(torch.diag(torch.ones(4), -1))
    pooled = read_by(lambda values: layer(values.abs())[0].sum((1, 2)), anchor=None)
    found = lookback(replace(pooled, trunk=(layer,)))
    assert found.of == "hidden state" and found.sentence().startswith("The top layer looks back about 4 steps")
    assert found.gradient[:6] == pytest.approx([*[float(pooled.values.std(correction=0))] * 5, 0.0], rel=1e-4)
    assert "forward" not in vars(layer)


def test_rows_of_a_step_are_counted_as_rows() -> None:
    layer = RNN(3, 1, nonlinearity="relu", bias=False, batch_first=True)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1.0)
        layer.weight_hh_l0.zero_()
    pooled = read_by(lambda values: layer(values.abs().view(-1, 10, 3))[0].sum((1, 2)), anchor=None)
    found = lookback(replace(pooled, trunk=(layer,), rows_of_step=(3,) * 10))
    assert np.flatnonzero(found.gradient).tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["LSTM, both directions", "forecaster, segments", "forecaster, encoder and decoder"])
def test_networks_of_every_kind(name: str) -> None:
    found = lookback(case(name))
    assert found.reach is not None and np.isfinite(found.gradient).all() and (found.perturbation >= 0).all()
    assert (found.ahead > 0) is ("both" in name)


@pytest.mark.parametrize(
    ("kind", "span", "said"),
    [
        ("numbers", 3600.0, "looks back about 20 hours"),
        ("numbers", 86400.0, "looks back about 2.9 weeks"),
        ("numbers", None, "looks back about 20 steps"),
        ("words", None, "looks back about 20 words"),
        ("text", None, "looks back about 20 tokens"),
    ],
)
def test_the_sentence_speaks_of_what_the_steps_are(kind: str, span: float | None, said: str) -> None:
    found = lookback(read_by(delayed(20), kind=kind, span=span))
    assert said in found.sentence() and found.sentence("This forecaster").startswith(f"This forecaster {said}")


def test_sentences_at_the_ends() -> None:
    assert "looks at the newest step alone" in lookback(read_by(delayed(0))).sentence()
    told = lookback(read_by(delayed(29), span=3600.0)).sentence()
    assert "at least over the window of 30 steps (30 hours)" in told and "by gradient: all of it" in told
    assert "at least over the longest sequence, 30 words" in lookback(read_by(delayed(29), kind="words")).sentence()
    assert lookback(read_by(delayed(0), steps=1)).sentence() == "It has nothing to look back over: there is one step."


def test_the_same_seed_gives_the_same_numbers_and_global_generators_are_left_alone() -> None:
    explained = case("LSTM")
    before, state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one, again, other = (lookback(explained, seed=seed).to_dict() for seed in (0, 0, 1))
    assert one == again and one != other
    assert torch.equal(before, torch.get_rng_state())
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_parameters_get_no_gradients() -> None:
    layer = LSTM(1, 3, batch_first=True)
    lookback(read_by(lambda values: layer(values)[0][:, -1, 0]))
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_everything_is_plain_json_and_a_table() -> None:
    found = lookback(read_by(decaying(0.9), span=60.0))
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["reach"] == found.reach and len(told["gradient"]) == 30 and told["sentence"] in str(found)


@pytest.mark.parametrize(
    ("outputs", "options", "message"),
    [
        ([], {}, "at least one sequence to look back over, got none"),
        ([read_by(delayed(0)), read_by(delayed(0), features=2)], {}, "some with 1 and some with 2 features"),
        ([read_by(delayed(0)), read_by(delayed(0), anchor=None)], {}, "all read at a step, or none of them"),
        (read_by(delayed(0), anchor=None), {}, "or a network with recurrent layers, got neither"),
        (read_by(delayed(0)), {"share": 1.0}, "share between 0 and 1, got 1.0"),
        (read_by(delayed(0)), {"distances": 1}, "at least 2 distances and 1 draw, got 1"),
        (read_by(delayed(0)), {"draws": 0}, "at least 2 distances and 1 draw"),
        (replace(read_by(delayed(0)), values=torch.full((30, 1), torch.nan)), {}, "got NaN or infinity at step 0"),
    ],
)
def test_what_cannot_be_looked_back_over_is_refused(outputs: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lookback(outputs, **options)
