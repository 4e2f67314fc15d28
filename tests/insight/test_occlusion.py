"""Occlusion: what is lost without a step, counted one run at a time."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import CASES, case, explained

from memorycell.insight.explained import Explained
from memorycell.insight.occlusion import occlusion


@pytest.mark.parametrize("name", CASES)
def test_a_score_is_what_the_number_loses(name: str) -> None:
    one = case(name)
    found = occlusion(one)
    assert found.total == pytest.approx(found.value, abs=1e-9)
    with torch.no_grad():
        for step in (0, len(one) - 1):
            without = one.values.clone()
            without[step] = one.baseline[step]
            lost = found.value - float(one.function(without.unsqueeze(0))[0])
            assert found.scores[step] == pytest.approx(lost, abs=1e-5)
        nothing = float(one.function(one.baseline.unsqueeze(0))[0])
    assert found.terms["baseline"] == pytest.approx(nothing, abs=1e-6)


def test_a_window_shares_what_it_loses() -> None:
    one = explained(steps=7)
    found = occlusion(one, width=3)
    without = one.values.clone()
    without[3:6] = 0
    with torch.no_grad():
        lost = found.value - float(one.function(without.unsqueeze(0))[0])
    assert found.scores[3:6] == pytest.approx([lost / 3] * 3, abs=1e-6)
    assert "Windows of 3 steps replaced" in found.note and found.total == pytest.approx(found.value)


def test_another_baseline_takes_the_place_of_a_step() -> None:
    one = explained()
    same = replace(one, baseline=one.values)
    found = occlusion(same)
    assert np.allclose(found.scores, 0, atol=1e-6) and found.terms["baseline"] == pytest.approx(found.value)


def test_of_a_long_sequence_windows_are_wider() -> None:
    runs = []

    def function(values: torch.Tensor) -> torch.Tensor:
        runs.append(len(values))
        return values.sum((1, 2))

    values = torch.ones(1700, 1)
    found = occlusion(Explained(function, values, 0 * values, (), "sum", range(1700), "numbers"))
    assert sum(runs) <= 502 and "Windows of 4 steps, so that there are at most 500" in found.note
    assert np.allclose(found.scores, 1.0)


@pytest.mark.parametrize("width", [0, -1, 1.5, True, "two", float("nan")])
def test_a_width_is_a_step_at_least(width: Any) -> None:
    with pytest.raises(ValueError, match=f"expected a width of at least 1 step, a whole number, got {width!r}"):
        occlusion(explained(), width=width)


def test_a_number_that_breaks_without_a_step_is_told() -> None:
    values = torch.ones(3, 1)
    one = Explained(lambda v: 1 / v[:, 1, 0], values, 0 * values, (), "an inverse", range(3), "numbers")
    with pytest.raises(ValueError, match="expected 'an inverse' to be finite where steps are replaced, got inf"):
        occlusion(one)
