"""Sequences of different lengths, flat and side by side."""

import pytest
import torch

from memorycell.data.ragged import Ragged
from memorycell.data.sequences import SequenceDataset

WORDS = [torch.tensor([5, 6, 7]), torch.tensor([], dtype=torch.int64), torch.tensor([8])]
STEPS = [torch.randn(3, 2), torch.randn(1, 2)]


def test_sequences_come_back_as_they_went_in() -> None:
    ragged = Ragged.of(WORDS)
    assert len(ragged) == 3 and ragged.lengths.tolist() == [3, 0, 1]
    assert [ragged[i].tolist() for i in range(3)] == [[5, 6, 7], [], [8]]


def test_rows_are_taken_in_their_order_and_more_than_once() -> None:
    taken = Ragged.of(WORDS).take(torch.tensor([2, 0, 1, 2]))
    assert [taken[i].tolist() for i in range(4)] == [[8], [5, 6, 7], [], [8]]
    nothing = Ragged.of(WORDS).take(torch.tensor([], dtype=torch.int64))
    assert len(nothing) == 0 and nothing.values.shape == (0,)


def test_padding_is_zero_and_told_by_lengths_alone() -> None:
    ragged = Ragged.of(STEPS)
    values, lengths = ragged.padded(torch.tensor([1, 0]))
    assert values.shape == (2, 3, 2) and lengths.tolist() == [1, 3]
    assert torch.equal(values[0, :1], STEPS[1]) and not values[0, 1:].any()
    assert torch.equal(values[1], STEPS[0])


@pytest.mark.parametrize("rows", [[], [1], [1, 1]])
def test_padded_is_at_least_one_step_wide(rows: list[int]) -> None:
    values, lengths = Ragged.of(WORDS).padded(torch.tensor(rows, dtype=torch.int64))
    assert values.shape == (len(rows), 1) and lengths.tolist() == [0] * len(rows)


def test_padding_does_not_read_beyond_the_last_sequence() -> None:
    values, lengths = Ragged.of([torch.tensor([1, 2]), torch.tensor([3])]).padded(torch.tensor([0, 1]), width=4)
    assert values.tolist() == [[1, 2, 0, 0], [3, 0, 0, 0]] and lengths.tolist() == [2, 1]


def test_nothing_at_all() -> None:
    empty = Ragged.of([])
    assert len(empty) == 0 and empty.lengths.tolist() == []
    values, _ = Ragged.of([torch.empty(0, 2)]).padded(torch.tensor([0]))
    assert values.shape == (1, 1, 2)


def test_a_dataset_pads_ragged_targets_and_says_how_long_they_are() -> None:
    words = Ragged.of([torch.tensor([5, 6, 7]), torch.tensor([8])])
    tags = Ragged.of([torch.tensor([1, 2, 1]), torch.tensor([2])])
    batch = SequenceDataset({"tokens": words}, tags).gather(torch.tensor([1, 0]))
    assert batch.targets is not None and batch.weights is None
    assert batch.targets.tolist() == [[2, 0, 0], [1, 2, 1]]
    assert batch.lengths["targets"].tolist() == [1, 3]
    weights = batch.step_weights()
    assert weights is not None and weights.tolist() == [[1, 0, 0], [1, 1, 1]]
    of_words = SequenceDataset({"tokens": words}, torch.tensor([1, 0])).gather(torch.tensor([1, 0]))
    assert "targets" not in of_words.lengths and of_words.step_weights() is None


def test_a_part_of_a_dataset_is_a_dataset() -> None:
    words = Ragged.of([torch.tensor([5, 6, 7]), torch.tensor([8])])
    part = SequenceDataset({"tokens": words}, torch.tensor([1, 0]), torch.tensor([0.5, 2.0])).take(torch.tensor([1]))
    batch = part.gather(torch.tensor([0]))
    assert batch.inputs["tokens"].tolist() == [[8]]
    assert batch.targets is not None and batch.targets.tolist() == [0]
    assert batch.weights is not None and batch.weights.tolist() == [2.0]


def test_targets_must_fit() -> None:
    words = Ragged.of([torch.tensor([5, 6, 7]), torch.tensor([8])])
    with pytest.raises(ValueError, match="expected targets of 2 samples, got 1"):
        SequenceDataset({"tokens": words}, torch.tensor([1]))


def test_targets_of_any_length_have_weights_of_theirs() -> None:
    words = Ragged.of([torch.tensor([5, 6, 7]), torch.tensor([8])])
    spoken = Ragged.of([torch.tensor([1]), torch.tensor([1, 2])])
    batch = SequenceDataset({"tokens": words}, spoken).gather(torch.tensor([0, 1]))
    assert batch.lengths["tokens"].tolist() == [3, 1] and batch.lengths["targets"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="expected weights of the lengths of the targets, got others"):
        SequenceDataset({"tokens": words}, spoken, Ragged.of([torch.ones(3), torch.ones(1)]))
