"""The adding problem: its sequences, its chance level, and that short lags are learned."""

from __future__ import annotations

import json

import pytest
import torch

from memorycell.evaluation.adding_problem import (
    CHANCE,
    AddingNetwork,
    AddingProblem,
    AddingResult,
    AddingStream,
    adding_batch,
    adding_problem,
)


def test_two_marks_one_in_each_half_and_their_sum():
    batch = adding_batch(11, 200, (1, 2))
    steps, marks = batch.inputs["steps"], batch.inputs["steps"][..., 1]
    assert set(marks.unique().tolist()) == {0.0, 1.0}
    assert (marks[:, :5].sum(1) == 1).all()
    assert (marks[:, 5:].sum(1) == 1).all()
    assert steps[..., 0].min() >= 0
    assert steps[..., 0].max() <= 1
    assert torch.allclose((steps[..., 0] * marks).sum(1), batch.targets)


def test_saying_one_costs_a_sixth():
    assert (adding_batch(20, 20_000, (0,)).targets - 1).square().mean().item() == pytest.approx(CHANCE, abs=0.005)


def test_batches_are_fresh_and_a_function_of_seed_and_epoch():
    stream = AddingStream(8, 3, 4, seed=5)
    first, again, other = (list(stream.batches(epoch)) for epoch in (0, 0, 1))
    assert len(first) == len(stream) == 3
    assert all(torch.equal(a.targets, b.targets) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0].targets, first[1].targets)
    assert not torch.equal(first[0].targets, other[0].targets)
    (last,) = stream.batches(0, start=2)
    assert torch.equal(last.targets, first[2].targets)
    assert not torch.equal(next(AddingStream(8, 3, 4, seed=6).batches(0)).targets, first[0].targets)


def test_gates_start_with_the_lag_in_mind():
    layer = AddingNetwork("LSTM", 5, 100).layer
    total = (layer.bias_ih_l0 + layer.bias_hh_l0).detach()
    assert torch.sigmoid(total[5:10]) == pytest.approx(torch.full((5,), 1 - 1 / (100 * 2.718)), abs=1e-3)
    assert torch.sigmoid(total[:5]) == pytest.approx(torch.full((5,), 1 / 101), abs=1e-3)


def test_short_lags_are_learned_and_repeat():
    state = torch.random.get_rng_state()
    options = {"lags": (6,), "cells": ("LSTM",), "hidden_size": 16, "max_batches": 300}
    said = []
    one, two = (adding_problem(progress=said.append, **options) for _ in range(2))
    assert one["LSTM", 6].error < 0.03
    assert one["LSTM", 6].error == two["LSTM", 6].error
    assert one["LSTM", 6].curve[0][0] == 50
    assert torch.equal(torch.random.get_rng_state(), state)
    assert said[0].startswith("lag 6, LSTM: 0.0")


def test_results_read_well():
    rows = [
        AddingResult("RNN", 50, 0.17, 100, 1.0, 10, [(50, 0.2)]),
        AddingResult("LSTM", 50, 0.001, 50, 2.0, 40, []),
    ]
    problem = AddingProblem(rows)
    assert "0.1700 (not solved)" in problem.summary()
    assert "0.001000 (50 batches)" in problem.summary()
    assert json.loads(json.dumps(problem.to_dict()))["results"][0]["solved"] is False
    with pytest.raises(KeyError, match="GRU"):
        problem["GRU", 50]


def test_refusals():
    with pytest.raises(ValueError, match="RNN, LSTM, GRU"):
        adding_problem(cells=("Transformer",))
    with pytest.raises(ValueError, match="lags of 2 or more"):
        adding_problem(lags=(1,))
