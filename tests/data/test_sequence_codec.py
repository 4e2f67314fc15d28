"""SequenceCodec: statistics, missing values, shapes taken and refused, JSON."""

import json

import numpy as np
import pytest
import torch

from memorycell.data.codec import codec_from_json
from memorycell.data.ragged import Ragged
from memorycell.data.signals.sequence_codec import SequenceCodec, read_sequences

NAN = float("nan")


def walks(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal([5.0, -300.0, 0.0], [0.1, 40.0, 1.0], (n, 3)) for n in (4, 1, 9)]


def test_steps_have_mean_0_and_deviation_1_and_come_back() -> None:
    raw = walks()
    codec = SequenceCodec().fit(raw)
    steps = codec.encode(raw)
    assert steps.values.dtype == torch.float32
    assert steps.lengths.tolist() == [4, 1, 9]
    assert codec.features_ == codec.channels_ == 3
    np.testing.assert_allclose(steps.values.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(steps.values.std(0, correction=0), 1, atol=1e-6)
    for back, own in zip(codec.decode(steps), raw, strict=True):
        np.testing.assert_allclose(back, own, rtol=1e-5, atol=1e-5)


def test_statistics_are_those_of_training() -> None:
    codec = SequenceCodec().fit([[0.0, 2.0], [4.0]])
    assert codec.center_.tolist() == [2.0]
    np.testing.assert_allclose(codec.encode([[6.0]]).values, (6 - 2) / np.sqrt(8 / 3))


def test_constant_channels_keep_their_unit() -> None:
    codec = SequenceCodec().fit(np.stack([np.full((2, 5), 0.1), np.arange(10).reshape(2, 5)], axis=2))
    assert codec.scale_[0] == 1
    assert codec.encode([[[0.1, 0.0], [2.1, 0.0]]]).values[:, 0].tolist() == pytest.approx([0, 2])


@pytest.mark.parametrize("standardise", [True, False])
def test_missing_values_take_the_mean_and_are_marked(standardise: bool) -> None:
    codec = SequenceCodec(standardise).fit([[[1.0, NAN], [3.0, 10.0]], [[2.0, 30.0]]])
    assert (codec.channels_, codec.features_, codec.masked_) == (2, 3, [1])
    steps = codec.encode([[[2.0, NAN], [NAN, 20.0]]])
    middle = [0.0, 0.0] if standardise else [2.0, 20.0]
    assert steps.values.tolist() == [[*middle, 1.0], [*middle, 0.0]]  # channel 0 was whole in training: filled, no mark
    back = codec.decode(steps)[0]
    np.testing.assert_array_equal(back, [[2.0, NAN], [2.0, 20.0]])
    assert codec.decode(torch.zeros(5, 2, 2)).shape == (5, 2, 2)  # without the marks


def test_a_channel_without_any_value() -> None:
    codec = SequenceCodec().fit([[[1.0, NAN], [2.0, NAN]]])
    assert codec.encode([[[1.5, 7.0]]]).values.tolist() == [[0.0, 7.0, 0.0]]


GOOD = {
    "list of lists": ([[1, 2, 3], [4]], [3, 1], 1),
    "list of (T, F)": ([np.ones((2, 4)), np.ones((5, 4), int)], [2, 5], 4),
    "tensors": ([torch.ones(3, 2, requires_grad=True), torch.ones(1, 2).bfloat16()], [3, 1], 2),
    "3-D": (np.zeros((2, 5, 3)), [5, 5], 3),
    "2-D": (np.zeros((2, 5)), [5, 5], 1),
    "3-D tensor": (torch.zeros(2, 5, 3), [5, 5], 3),
    "array of arrays": (np.array([np.ones(2), np.ones(3)], dtype=object).tolist(), [2, 3], 1),
    "truth values": ([[True, False]], [2], 1),
    "None is missing": ([[1.0, None]], [2], 1),
    "tuple": (([1.0], [2.0]), [1, 1], 1),
}


@pytest.mark.parametrize("case", GOOD)
def test_taken(case: str) -> None:
    raw, lengths, width = GOOD[case]
    values, offsets = read_sequences(raw)
    assert np.diff(offsets).tolist() == lengths
    assert values.shape == (sum(lengths), width)


def test_frames_are_fixed_lengths() -> None:
    import pandas as pd

    assert read_sequences(pd.DataFrame(np.zeros((4, 6))))[0].shape == (24, 1)


BAD = {
    "nothing": ([], ValueError, "at least one sequence, got none"),
    "text": ("abc", TypeError, "list of sequences or an array, got str"),
    "a number": (3, TypeError, "got int"),
    "one sequence": (
        [1.0, 2.0],
        ValueError,
        r"sequence 0 of shape .*, got shape \(\): a single sequence goes in a list",
    ),
    "1-D": (np.ones(3), ValueError, r"got shape \(3,\): a single sequence goes in a list"),
    "no steps": ([[1.0], []], ValueError, "sequence 1 has no steps: leave it out"),
    "no values": ([np.ones((2, 0))], ValueError, "sequence 0 has no values"),
    "empty 3-D": (np.ones((2, 0, 3)), ValueError, r"got shape \(2, 0, 3\)"),
    "other width": (
        [np.ones((2, 3)), np.ones((2, 4))],
        ValueError,
        "3 values a step as in sequence 0, got 4 in seq.* 1",
    ),
    "turned": ([np.ones((9, 3)), np.ones((3, 7))], ValueError, r"its shape is \(3, 7\), expected \(steps, values\)"),
    "ragged rows": ([[[1.0, 2.0], [3.0]]], ValueError, "sequence 0: expected steps of equally many values"),
    "words": ([["a", "b"]], TypeError, "sequence 0: expected numbers, got text"),
    "mixed": ([[1.0, {}]], TypeError, "sequence 0: expected numbers, got"),
    "complex": ([np.ones(2, complex)], TypeError, "expected numbers, got complex128"),
    "4-D": ([np.ones((2, 2, 2))], ValueError, r"got shape \(2, 2, 2\)"),
    "infinite": ([[1.0], [2.0, np.inf]], ValueError, r"sequence 1, step 1, channel 0 is infinite \(1 such"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case: str) -> None:
    raw, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        SequenceCodec().fit(raw)


def test_refused_when_encoding() -> None:
    codec = SequenceCodec().fit(walks())
    with pytest.raises(ValueError, match="expected sequences of 3 values a step, as in training, got 1"):
        codec.encode([[1.0, 2.0]])
    with pytest.raises(ValueError, match="sequence 0, step 0, channel 2 is infinite"):
        codec.encode([[[1.0, 1.0, -np.inf]]])
    with pytest.raises(ValueError, match=r"channel 0 is 1e\+300, too far from the training values"):
        codec.encode([[[1e300, 1.0, 1.0]]])
    with pytest.raises(ValueError, match="expected steps of 3 values on the last axis"):
        codec.decode(torch.zeros(2, 4))


def test_raw_data_stay_as_they_are() -> None:
    raw = [np.array([[1.0, NAN]], np.float32), np.array([[3.0, 4.0]], np.float32)]
    before = [part.copy() for part in raw]
    SequenceCodec().fit(raw).encode(raw)
    for now, then in zip(raw, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_json_and_back() -> None:
    raw = [*walks(), np.array([[1.0, NAN, 2.0]])]
    codec = SequenceCodec(standardise=False).fit(raw)
    again = codec_from_json(json.loads(json.dumps(codec.to_json())))
    assert isinstance(again, SequenceCodec)
    assert (again.features_, again.channels_, again.standardise) == (4, 3, False)
    first, second = codec.encode(raw), again.encode(raw)
    assert isinstance(second, Ragged)
    assert torch.equal(first.values, second.values)


@pytest.mark.parametrize(
    "change",
    [
        {"center": []},
        {"center": [0.0, NAN]},
        {"center": "no"},
        {"scale": [1.0]},
        {"scale": [1.0, 0.0]},
        {"fill": [1.0, None]},
        {"masked": [2]},
        {"masked": [1, 0]},
        {"masked": [0, 0]},
        {"masked": [True]},
        {"standardise": 1},
    ],
    ids=str,
)
def test_damaged_state(change: dict) -> None:
    state = SequenceCodec().fit([[[1.0, 2.0]]]).to_json()
    with pytest.raises(ValueError, match="the stored codec is damaged"):
        SequenceCodec.from_json({**state, **change})
