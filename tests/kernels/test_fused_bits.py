"""A row's numbers do not depend on its company: the same bits alone, in any batch, with any number of threads."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from memorycell.kernels import native
from memorycell.layers import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

pytestmark = pytest.mark.library
CASES = {
    "LSTM": (LSTM, {}),
    "LSTM-no-bias": (LSTM, {"bias": False}),
    "LSTM-peephole": (LSTM, {"peephole": True}),
    "LSTM-coupled": (LSTM, {"coupled": True, "peephole": True}),
    "LSTM-layer-norm": (LSTM, {"layer_norm": True}),
    "LSTM-zoneout": (LSTM, {"zoneout": (0.2, 0.1)}),
    "GRU": (GRU, {}),
    "GRU-layer-norm": (GRU, {"layer_norm": True, "zoneout": 0.1}),
    "RNN": (RNN, {}),
    "RNN-relu": (RNN, {"nonlinearity": "relu", "layer_norm": True}),
}
ALL = pytest.mark.parametrize("case", CASES)
LEVELS = pytest.mark.parametrize("level", native.levels() or ["none"], indirect=True)
SHAPES = {  # steps, batch, inputs, hidden: work enough for two threads, shared by rows or by units
    "by-rows": (30, 26, 33, 65),
    "by-units": (50, 5, 9, 130),
}
SHAPED = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def level(request, monkeypatch):
    monkeypatch.setenv("MEMORYCELL_ISA", request.param)
    native.level.cache_clear()
    yield request.param
    native.level.cache_clear()


def build(case, inputs, hidden, **kwargs):
    torch.manual_seed(0)
    layer_type, variant = CASES[case]
    layer = layer_type(inputs, hidden, backend="cpp", **variant, **kwargs).eval()
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if not name.startswith("weight_ih") and not name.startswith("weight_hh"):
                parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def random_state(layer, batch):
    state = tuple(torch.randn(layer.cells, batch, layer.hidden_size, dtype=layer.weight_ih_l0.dtype) for _ in "hc")
    return state if layer.mode == "LSTM" else state[0]


def rows_of(state, rows):
    taken = tuple(part[:, rows] for part in parts(state))
    return taken if isinstance(state, tuple) else taken[0]


def same(found, wanted):
    return all(torch.equal(a, b) for a, b in zip(parts(found), parts(wanted), strict=True))


def check_rows(layer, x, state, lengths, batches):
    """Each row alone gives what it gives in the whole and in the smaller batches, forward as well as final."""
    with torch.no_grad():
        torch.set_num_threads(1)
        alone = []
        for row, length in enumerate(lengths):
            before = rows_of(state, slice(row, row + 1))
            alone.append(layer(x[:length, row : row + 1], before) if length else (x.new_zeros(0), before))
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for rows in batches:
                taken = [lengths[row] for row in rows]
                ragged = {"lengths": taken} if min(taken) < len(x) else {}
                output, final = layer(x[:, rows], rows_of(state, rows), **ragged)
                for place, row in enumerate(rows):
                    wanted, last = alone[row]
                    assert not taken[place] or torch.equal(output[: taken[place], place : place + 1], wanted)
                    assert same(rows_of(final, slice(place, place + 1)), last)


@LEVELS
@SHAPED
@ALL
def test_a_row_alone_and_in_every_company(case, shape, level):
    steps, batch, inputs, hidden = shape
    layer = build(case, inputs, hidden)
    x, state = torch.randn(steps, batch, inputs), random_state(layer, batch)
    batches = [list(range(batch)), list(range(batch))[::-1], [1, 0, 2], [4, 3], torch.randperm(batch).tolist()[1:]]
    check_rows(layer, x, state, [steps] * batch, batches)


@SHAPED
@ALL
def test_a_row_among_longer_and_shorter_ones(case, shape):
    steps, batch, inputs, hidden = shape
    layer = build(case, inputs, hidden, num_layers=2, bidirectional=True)
    x, state = torch.randn(steps, batch, inputs), random_state(layer, batch)
    lengths = [0, steps, *torch.randint(1, steps, (batch - 2,)).tolist()]
    check_rows(layer, x, state, lengths, [list(range(batch)), list(range(batch))[::-1], [1, 3, 2]])


@ALL
def test_packed_rows(case):
    steps, batch, inputs, hidden = SHAPES["by-rows"]
    layer = build(case, inputs, hidden, bidirectional=True)
    x, state = torch.randn(steps, batch, inputs), random_state(layer, batch)
    lengths = torch.randint(1, steps + 1, (batch,))
    torch.set_num_threads(2)
    with torch.no_grad():
        wanted, last = layer(x, state, lengths=lengths)
        for order in (torch.arange(batch), lengths.argsort(descending=True)):
            is_sorted = not torch.equal(order, torch.arange(batch))
            packed = pack_padded_sequence(x[:, order], lengths[order], enforce_sorted=is_sorted)
            output, final = layer(packed, rows_of(state, order))
            padded, _ = pad_packed_sequence(output, total_length=steps)
            assert torch.equal(padded, wanted[:, order]) and same(final, rows_of(last, order))


@LEVELS
@ALL
def test_step_by_step(case, level):
    layer = build(case, 40, 130, num_layers=2)
    x, state = torch.randn(6, 64, 40), random_state(layer, 64)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        wanted, last = layer(x, state)
        with torch.no_grad():
            untaped, final = layer(x, state)
        assert torch.equal(untaped, wanted) and same(final, last)
        for rows in (slice(None), slice(7, 8), slice(20, 33)):
            carried = rows_of(state, rows)
            for t, now in enumerate(x):
                y, carried = layer.step(now[rows], carried)
                assert torch.equal(y, wanted[t, rows])
            assert same(carried, rows_of(last, rows))


@pytest.mark.parametrize("taped", [True, False])
@ALL
def test_cells(case, taped):
    layer = build(case, 40, 130)
    layer_type, variant = CASES[case]
    cell = {LSTM: LSTMCell, GRU: GRUCell, RNN: RNNCell}[layer_type](40, 130, backend="cpp", **variant).eval()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x = torch.randn(6, 64, 40)
    wanted, last = layer(x)
    with torch.set_grad_enabled(taped):
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for rows in (slice(None), slice(5, 6), slice(20, 33)):
                state = None
                for t, now in enumerate(x):
                    state = cell(now[rows], state)
                    assert torch.equal(parts(state)[0], wanted[t, rows])
                assert same(state, tuple(part[0] for part in parts(rows_of(last, rows))))
            one = cell(x[0, 3])
            assert torch.equal(parts(one)[0], wanted[0, 3])


@SHAPED
@ALL
def test_training_repeats(case, shape):
    steps, batch, inputs, hidden = shape
    torch.set_num_threads(2)
    layer = build(case, inputs, hidden, num_layers=2, bidirectional=True)
    x = torch.randn(steps, batch, inputs, requires_grad=True)
    lengths = torch.randint(0, steps + 1, (batch,))
    slope = torch.randn(steps, batch, 2 * hidden)
    sources, runs = [x, *layer.parameters()], []
    for _ in range(3):
        output, _ = layer(x, lengths=lengths)
        runs.append(torch.autograd.grad(output, sources, slope))
    assert all(torch.equal(a, b) for run in runs[1:] for a, b in zip(run, runs[0], strict=True))


@st.composite
def problems(draw):
    steps, batch = draw(st.integers(1, 12)), draw(st.integers(1, 30))
    lengths = draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    sizes = draw(st.integers(1, 70)), draw(st.integers(1, 140))
    shape = {"num_layers": draw(st.integers(1, 2)), "bidirectional": draw(st.booleans())}
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    return draw(st.sampled_from(list(CASES))), steps, lengths, sizes, shape | {"dtype": dtype}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(problems())
def test_any_shape_and_any_lengths(problem):
    case, steps, lengths, sizes, kwargs = problem
    layer, batch = build(case, *sizes, **kwargs), len(lengths)
    x = torch.randn(steps, batch, sizes[0], dtype=kwargs["dtype"])
    batches = [list(range(batch)), torch.randperm(batch).tolist()[: batch // 2 + 1]]
    check_rows(layer, x, random_state(layer, batch), lengths, batches)
