"""States: the right steps of the right layer, each with its place."""

from pathlib import Path

import numpy as np
import pytest
import torch

from memorycell import GRU, LSTM
from memorycell.insight.states import States
from memorycell.insight.tracing import ModelTrace, trace_network

X = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))
LENGTHS = torch.tensor([6, 0, 4])


class Two(torch.nn.Module):
    """Two recurrent modules, the lower one of two layers, and one beside them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lower = LSTM(4, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.upper = GRU(10, 3, batch_first=True)
        self.beside = GRU(4, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.beside(x[:, :2])
        return self.upper(self.lower(x, lengths=LENGTHS)[0], lengths=LENGTHS)[0]


def traced(labels: list[list[str]] | None = None) -> ModelTrace:
    model = Two()
    return trace_network(model, lambda: model(X), trunk=[model.lower, model.upper], labels=labels)


LABELS = [list("abcdef"), [], list("wxyz")]


def test_steps_within_the_rows_and_their_places() -> None:
    trace = traced(LABELS)
    states = States.of(trace)
    hidden = trace.layers["upper"]["hidden"][0, 0].numpy()
    assert np.array_equal(states.values, np.concatenate([hidden[0], hidden[2, :4]]))
    assert states.row.tolist() == [0] * 6 + [2] * 4 and states.step.tolist() == [*range(6), *range(4)]
    assert (len(states), states.rows, states.units) == (10, 3, 3)
    assert [states.place(i) for i in (5, 6)] == [(0, 5, "f"), (2, 0, "w")]
    assert states.called(2, 1, 3) == ["x", "y"] and states.index(2, 1) == 7
    assert np.concatenate([block for _, block in states.blocks()]).shape == (10, 3)


@pytest.mark.parametrize(
    ("layer", "direction", "expected"),
    [
        (0, 0, lambda trace: trace.layers["lower"]["cell"][0, 0]),
        (0, 1, lambda trace: trace.layers["lower"]["cell"][0, 1]),
        (1, None, lambda trace: torch.cat(tuple(trace.layers["lower"]["cell"][1]), -1)),
        ("lower", 0, lambda trace: trace.layers["lower"]["cell"][1, 0]),
    ],
)
def test_layers_and_directions(layer, direction, expected) -> None:
    trace = traced(LABELS)
    states = States.of(trace, "cell", layer=layer, direction=direction)
    values = expected(trace)
    assert np.array_equal(states.values, torch.cat([values[0], values[2, :4]]).numpy())
    assert states.place(9) == (2, 3, "z")


def test_a_layer_beside_the_trunk_has_no_labels() -> None:
    states = States.of(traced(LABELS), layer="beside")
    assert states.labels is None and states.called(1, 0, 2) == ["0", "1"] and len(states) == 6


def test_one_sequence_without_a_batch() -> None:
    trace = LSTM(4, 5).trace(X[0])
    states = States.of(trace, labels=[list("abcdef")])
    assert np.array_equal(states.values, trace["hidden"][0, 0].detach().numpy()) and states.rows == 1


def test_a_part_of_a_trace_with_names_along_the_time() -> None:
    whole = LSTM(4, 5, batch_first=True).trace(X, lengths=LENGTHS).named(time=list("abcdef"))
    states = States.of(whole)
    assert states.called(2, 0, 4) == list("abcd") and states.place(5) == (0, 5, "f")
    part = States.of(whole.select(layer=0, batch=2, time=slice("b", "f")))
    assert (len(part), part.rows) == (3, 1) and part.called(0, 0, 3) == list("bcd")
    assert np.array_equal(part.values, states.values[7:])


def test_many_traces_in_memory_and_in_a_file_are_the_same(tmp_path: Path) -> None:
    layer = LSTM(4, 5, batch_first=True)
    inputs = [X, X[:1, :3], X[1:]]
    whole = States.of(layer.trace(x) for x in inputs)
    path = tmp_path / "states.npy"
    mapped = States.of((layer.trace(x) for x in inputs), path=path)
    assert isinstance(mapped.values, np.memmap) and np.array_equal(whole.values, mapped.values)
    assert whole.offsets.tolist() == mapped.offsets.tolist() == [0, 6, 12, 18, 21, 27, 33]
    assert np.array_equal(np.load(path), whole.values)
    with pytest.raises(FileExistsError, match="which exists"):
        States.of(layer.trace(X), path=path)
    assert np.array_equal(np.load(path), whole.values)


def test_a_file_that_could_not_be_finished_is_not_left(tmp_path: Path) -> None:
    traces = (layer.trace(X) for layer in (LSTM(4, 5), LSTM(4, 6)))
    with pytest.raises(ValueError, match="5 units each, got one with 6"):
        States.of(traces, path=tmp_path / "states.npy")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"layer": 3}, ValueError, "a layer from 0 to 2, or -1 for the top, got 3"),
        ({"layer": "middle"}, ValueError, "one of the layers .*, got 'middle'"),
        ({"direction": 1}, ValueError, "direction 0 or None, got 1"),
        ({"name": "forget"}, KeyError, "expected one of reset, update, new, hidden, got 'forget'"),
        ({"labels": LABELS[:2]}, ValueError, "labels for each of 3 rows, got 2"),
        ({"labels": [*LABELS[:2], "wxyz!"]}, ValueError, "the 4 steps of row 2, got 5"),
    ],
)
def test_what_is_not_there(options, error, says) -> None:
    with pytest.raises(error, match=says):
        States.of(traced(), **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"layer": 1.5}, "layer as a whole number, got 1.5"),
        ({"layer": True}, "layer as a whole number, got True"),
        ({"direction": False}, "direction as a whole number, got False"),
        ({"direction": "both"}, "direction as a whole number, got 'both'"),
        ({"name": ["hidden"]}, "name as the text of a state or gate, got"),
        ({"labels": 3}, "labels as a sequence of sequences, one for each row, got int"),
        ({"labels": [1, 2, 3]}, "labels as a sequence for each row, got 1 for row 0"),
    ],
)
def test_wrong_kinds_of_options(options, says) -> None:
    with pytest.raises(TypeError, match=says):
        States.of(traced(), **options)


@pytest.mark.parametrize("given", [5, "hidden", X, [X]])
def test_only_traces_are_taken(given) -> None:
    with pytest.raises(TypeError, match=r"expected traces, what model\.trace\(X\)"):
        States.of(given)


def test_no_steps_and_names_in_a_layer() -> None:
    with pytest.raises(ValueError, match="at least one step, got none"):
        States.of([])
    with pytest.raises(ValueError, match="layer as a number"):
        States.of(LSTM(4, 5).trace(X), layer="lower")


@pytest.mark.parametrize(
    ("values", "offsets", "labels", "says"),
    [
        (np.zeros((3, 2)), [0, 3], None, "float32"),
        (np.zeros(3, np.float32), [0, 3], None, "float32"),
        (np.zeros((3, 2), np.float32), [0, 2], None, "offsets rising from 0 to the 3 steps"),
        (np.zeros((3, 2), np.float32), [0, 2, 1, 3], None, "offsets rising"),
        (np.zeros((3, 2), np.float32), [0], None, "offsets rising"),
        (np.zeros((3, 2), np.float32), np.array([0, 2, 1, 3], np.uint64), None, "offsets rising"),
        (np.zeros((3, 2), np.float32), [0, 3], "ab", "a label for each of the 3 steps, got 2"),
    ],
)
def test_shapes_that_do_not_fit(values, offsets, labels, says) -> None:
    with pytest.raises(ValueError, match=says):
        States(values, np.array(offsets), labels)


@pytest.mark.parametrize(
    ("values", "offsets", "labels", "says"),
    [
        ([[0.0]], np.array([0, 1]), None, "values as a numpy array, got list"),
        (np.zeros((3, 2), np.float32), [0, 3], None, "offsets as a numpy array, got list"),
        (np.zeros((3, 2), np.float32), np.array([0.0, 3.0]), None, "offsets as whole numbers, got float64"),
        (np.zeros((1, 2), np.float32), np.array([False, True]), None, "offsets as whole numbers, got bool"),
        (np.zeros((3, 2), np.float32), np.array([0, 3]), 7, "labels as a sequence or None, got int"),
        (np.zeros((3, 2), np.float32), np.array([0, 3]), {1, 2, 3}, "labels as a sequence or None, got set"),
    ],
)
def test_what_is_no_array(values, offsets, labels, says) -> None:
    with pytest.raises(TypeError, match=says):
        States(values, offsets, labels)


def test_offsets_of_any_whole_numbers() -> None:
    states = States(np.zeros((3, 2), np.float32), np.array([0, 2, 3], np.uint64))
    assert states.step.dtype == np.int64 and states.step.tolist() == [0, 1, 0]


def test_what_is_finite() -> None:
    values = np.zeros((6, 2), np.float32)
    values[2, 0], values[5, 1] = np.nan, -np.inf
    states = States(values, np.array([0, 4, 6]))
    assert states.finite.tolist() == [True, True, False, True, True, False]
    with pytest.raises(ValueError, match="got NaN or infinity at step 2 of row 0 and 1 more"):
        states.check_finite()
    with pytest.raises(ValueError, match="got NaN or infinity at step 1 of row 1 and 0 more"):
        states.check_finite(np.array([1, 5]))
    states.check_finite(np.array([0, 1, 3, 4]))
    states.check_finite(np.array([], np.int64))


def test_places_that_are_not_there() -> None:
    states = States.of(traced())
    assert states.place(np.int64(9)) == (2, 3, None) and states.span(np.int8(2), 0, np.int64(4)) == (6, 10)
    for index in (-1, 10):
        with pytest.raises(ValueError, match=f"an index from 0 to 9, got {index}"):
            states.place(index)
    for wrong in (0.5, True, "0"):
        for ask in (states.place, lambda row: states.index(row, 0), lambda step: states.index(0, step)):
            with pytest.raises(TypeError, match="as a whole number, got"):
                ask(wrong)
        for place in ((wrong, 0, 1), (0, wrong, 2), (0, 0, wrong)):
            with pytest.raises(TypeError, match="as a whole number, got"):
                states.span(*place)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ((3, 0, 1), "a row from 0 to 2, got 3"),
        ((-1, 0, 1), "a row from 0 to 2, got -1"),
        ((0, 2, 2), "at least one step"),
        ((0, -1, 2), "within the 6 of row 0, got -1 to 2"),
        ((0, 4, 7), "within the 6 of row 0, got 4 to 7"),
        ((1, 0, 1), "within the 0 of row 1"),
    ],
)
def test_ranges_that_are_not_there(place, says) -> None:
    with pytest.raises(ValueError, match=says):
        States.of(traced()).span(*place)
