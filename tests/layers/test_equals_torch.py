"""The plain layers and cells against torch.nn's: outputs, final states and all gradients."""

import pytest
import torch
from recurrent_cases import PLAIN, parts, random_state
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

from memorycell.kernels import native, torch_ops
from memorycell.layers import GRUCell, LSTMCell, RNNCell

# Torch says once a process that it runs projections without oneDNN.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")
BOTH = pytest.mark.parametrize("backend", ["auto", "reference", "torch"])
CELLS = pytest.mark.parametrize("case", PLAIN)
SHAPES = {
    "one-layer": {},
    "stacked": {"num_layers": 2},
    "bidirectional": {"num_layers": 2, "bidirectional": True},
    "no-bias": {"bias": False},
    "batch-first": {"batch_first": True, "bidirectional": True},
}


def pair(case, backend="auto", dtype=torch.float32, **kwargs):
    """Our layer and torch's, of one seed, which must give the same first values."""
    ours, theirs, variant = PLAIN[case]
    torch.manual_seed(0)
    a = ours(4, 6, **variant, **kwargs, dtype=dtype, backend=backend)
    torch.manual_seed(0)
    b = theirs(4, 6, **variant, **kwargs, dtype=dtype)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    return a, b


def data_of(output):
    return output.data if isinstance(output, PackedSequence) else output


def check(a, b, x, state=None, *, tolerance):
    """Outputs, states, and the gradients of everything that has one."""
    results = []
    for layer in (a, b):
        given = data_of(x).detach().clone().requires_grad_()
        initial = None if state is None else tuple(p.clone().requires_grad_() for p in parts(state))
        fed = x._replace(data=given) if isinstance(x, PackedSequence) else given
        before = None if initial is None else initial if isinstance(state, tuple) else initial[0]
        output, final = layer(fed, before)
        final = parts(final)
        torch.manual_seed(1)
        weighted = [torch.randn(part.shape, dtype=part.dtype) * part for part in (data_of(output), *final)]
        layer.zero_grad()
        sum(part.sum() for part in weighted).backward()
        gradients = [given.grad, *(p.grad for p in initial or ()), *(p.grad for p in layer.parameters())]
        results.append((output, [data_of(output), *final], gradients))
    (ours, values, gradients), (theirs, wanted, slopes) = results
    assert type(ours) is type(theirs)
    if isinstance(ours, PackedSequence):
        for one, other in zip(ours[1:], theirs[1:], strict=True):
            assert (one is None and other is None) or torch.equal(one, other)
    torch.testing.assert_close(values, wanted, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(gradients, slopes, rtol=10 * tolerance, atol=10 * tolerance)


@BOTH
@CELLS
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_a_batch(case, backend, shape, dtype, tolerance):
    a, b = pair(case, backend, dtype, **shape)
    x = torch.randn(3, 5, 4, dtype=dtype)
    check(a, b, x, tolerance=tolerance)
    state = random_state(a, x.shape[0 if a.batch_first else 1], dtype)
    check(a, b, x, state, tolerance=tolerance)


@BOTH
@CELLS
@pytest.mark.parametrize(
    "shape", [(7, 4), (1, 4), (1, 3, 4), (5, 0, 4)], ids=["one-sequence", "one-of-one", "one-step", "no-rows"]
)
def test_odd_shapes(case, backend, shape):
    a, b = pair(case, backend, bidirectional=True)
    state = random_state(a, shape[1] if len(shape) == 3 else None)
    for before in (None, state):
        check(a, b, torch.randn(shape), before, tolerance=1e-5)
    given, wanted = a(torch.randn(shape), state), b(torch.randn(shape), state)
    assert given[0].shape == wanted[0].shape
    assert [p.shape for p in parts(given[1])] == [p.shape for p in parts(wanted[1])]


@BOTH
@CELLS
@pytest.mark.parametrize("batch_first", [False, True])
def test_packed(case, backend, batch_first):
    a, b = pair(case, backend, num_layers=2, bidirectional=True, batch_first=batch_first)
    rows = [torch.randn(n, 4) for n in (2, 6, 1, 4)]
    state = random_state(a, 4)
    sorted_rows = sorted(rows, key=len, reverse=True)
    padded = nn.utils.rnn.pad_sequence(rows)
    for packed in (
        pack_sequence(rows, enforce_sorted=False),
        pack_sequence(sorted_rows),
        pack_padded_sequence(padded, [2, 6, 1, 4], enforce_sorted=False),
    ):
        check(a, b, packed, tolerance=1e-5)
        check(a, b, packed, state, tolerance=1e-5)


@pytest.mark.parametrize("batch_first", [False, True])
@CELLS
def test_torch_s_name_of_the_state_and_its_place(case, batch_first):
    a, b = pair(case, batch_first=batch_first)
    x = torch.randn(3, 3, 4)
    state = random_state(a, 3)
    wanted = b(x, hx=state)[0]
    for ours in (a(x, state)[0], a(x, hx=state)[0], a(x, state=state)[0]):
        torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=1e-6)


PLAIN_CELLS = {
    "LSTMCell": (LSTMCell, nn.LSTMCell, {}),
    "GRUCell": (GRUCell, nn.GRUCell, {}),
    "RNNCell-tanh": (RNNCell, nn.RNNCell, {}),
    "RNNCell-relu": (RNNCell, nn.RNNCell, {"nonlinearity": "relu"}),
}


@BOTH
@pytest.mark.parametrize("case", PLAIN_CELLS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 4), (4,), (0, 4)])
def test_cells(case, backend, bias, shape):
    ours, theirs, variant = PLAIN_CELLS[case]
    torch.manual_seed(0)
    a = ours(4, 6, bias, **variant, dtype=torch.float64, backend=backend)
    torch.manual_seed(0)
    b = theirs(4, 6, bias, **variant, dtype=torch.float64)
    assert a.state_dict().keys() == b.state_dict().keys()
    b.load_state_dict(a.state_dict())
    x = torch.randn(shape, dtype=torch.float64)
    h = torch.randn(*shape[:-1], 6, dtype=torch.float64)
    state = (h, h + 1) if theirs is nn.LSTMCell else h
    for before in (None, state):
        results = []
        for cell in (a, b):
            given = x.clone().requires_grad_()
            after = cell(given, before)
            cell.zero_grad()
            sum((part**2).sum() for part in parts(after)).backward()
            results.append([*parts(after), given.grad, *(p.grad for p in cell.parameters())])
        torch.testing.assert_close(*results)
    assert torch.equal(parts(a(x, hx=state))[0], parts(a(x, state))[0])


NARROW = pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16], ids=str)


def under_autocast(layer, x, narrow, state=None):
    """Output, final state and all gradients."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", narrow):
        output, final = layer(x, state)
    values = [data_of(output), *parts(final)]
    return values + list(torch.autograd.grad(values, [x, *layer.parameters()], [torch.ones_like(v) for v in values]))


def in_float32(layer, x, narrow, state=None):
    """The same without autocast, rounded to its dtype at the end."""
    x = x.clone().requires_grad_()
    output, final = layer(x.float(), state)
    values = [part.to(narrow) for part in (output, *parts(final))]
    return values + list(torch.autograd.grad(values, [x, *layer.parameters()], [torch.ones_like(v) for v in values]))


def same(found, wanted):
    return all(a.dtype is b.dtype and torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.fixture
def no_narrow_lstm(monkeypatch):
    """As on a processor whose oneDNN has an LSTM in float32 alone."""
    monkeypatch.setattr(torch_ops, "_ONEDNN_DTYPES", frozenset([torch.float32]))


@NARROW
@CELLS
@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16], ids=str)
def test_autocast_goes_where_torch_sends_it_if_torch_can(case, given, narrow):
    """Torch cannot always, for want of an LSTM of oneDNN: a fact of the processor, which the test asks torch for."""
    a, b = pair(case, backend="torch", num_layers=2, bidirectional=True)
    x, state = torch.randn(3, 5, 4).to(given), random_state(a, 5)
    for before in (None, state):
        try:
            wanted = under_autocast(b, x, narrow, before)
        except RuntimeError as error:
            assert "LSTM forward propagation primitive" in str(error)
            with pytest.warns(UserWarning, match=f"oneDNN has no LSTM in {narrow} on this processor, .* in float32"):
                assert same(under_autocast(a, x, narrow, before), in_float32(b, x, narrow, before))
        else:
            assert same(under_autocast(a, x, narrow, before), wanted)


@NARROW
@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_autocast_on_a_processor_without_narrow_lstms(no_narrow_lstm, monkeypatch, backend, narrow):
    monkeypatch.setattr(native, "_load", lambda: (None, "no native library here"))  # "auto" would take it
    a, b = pair("LSTM", backend, num_layers=2)
    x = torch.randn(3, 5, 4)
    with pytest.warns(UserWarning, match=f"oneDNN has no LSTM in {narrow}"):
        assert same(under_autocast(a, x, narrow), in_float32(b, x, narrow))


@NARROW
def test_autocast_that_does_not_ask_onednn_is_torch_s_own(no_narrow_lstm, narrow):
    a, b = pair("LSTM", backend="torch")
    packed = pack_sequence([torch.randn(n, 4) for n in (5, 2)])
    with torch.autocast("cpu", narrow):
        assert torch.equal(a(packed)[0].data, b(packed)[0].data)
        assert a(torch.randn(3, 0, 4))[0].dtype is b(torch.randn(3, 0, 4))[0].dtype
    x = torch.randn(3, 5, 4)
    torch._C._set_mkldnn_enabled(False)
    try:
        assert same(under_autocast(a, x, narrow), under_autocast(b, x, narrow))
    finally:
        torch._C._set_mkldnn_enabled(True)
    assert torch.equal(a(x)[0], b(x)[0])


def test_autocast_without_narrow_lstms_compiles_to_one_graph(no_narrow_lstm):
    torch._dynamo.reset()
    a, b = pair("LSTM", backend="torch")
    compiled = torch.compile(a, fullgraph=True, backend="aot_eager")
    x = torch.randn(3, 5, 4)
    found, wanted = (f(m, x, torch.bfloat16) for f, m in ((under_autocast, compiled), (in_float32, b)))
    assert same(found[:3], wanted[:3])
    # Torch compiles the way back under the caller's autocast, whatever the way there has switched off.
    torch.testing.assert_close(found[3:], wanted[3:], rtol=0.02, atol=0.02)
