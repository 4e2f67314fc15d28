"""Streams by the fused kernels: the bits of forward, narrow weights, copies, whatever comes in."""

import copy
import functools
import gc
import pickle
import threading

import numpy as np
import pytest
import torch
from recurrent_cases import VARIANTS, excite, parts, random_state
from torch import nn

from memorycell.kernels import fused_stream, native
from memorycell.layers import GRU, LSTM, RNN

NOT_FUSED = ("proj_size", "reset_after")
CASES = {name: case for name, case in VARIANTS.items() if not set(NOT_FUSED) & set(case[1])} | {
    "LSTM-every": (
        LSTM,
        {"peephole": True, "layer_norm": True, "coupled": True, "zoneout": (0.3, 0.2), "forget_bias": 1.0},
    ),
    "GRU-every": (GRU, {"layer_norm": True, "zoneout": 0.3}),
}
ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
# batch, input, hidden, layers
SHAPES = [(1, 1, 1, 1), (1, 5, 17, 2), (1, 64, 100, 1), (2, 3, 65, 1), (3, 33, 33, 3), (7, 2, 130, 1), (13, 300, 9, 2)]
LIBRARY = pytest.mark.library
NARROW_WEIGHTS = [pytest.param(weights, marks=LIBRARY) for weights in ("bfloat16", "int8")]
NARROW = pytest.mark.parametrize("weights", NARROW_WEIGHTS)
ANY_WEIGHTS = pytest.mark.parametrize("weights", [None, *NARROW_WEIGHTS])


def build(case, shape, dtype=torch.float32, **kwargs):
    cls, variant = case
    _, inputs, hidden, layers = shape
    torch.manual_seed(0)
    return excite(cls(inputs, hidden, num_layers=layers, dtype=dtype, **variant, **kwargs)).eval()


def fed(stream, x):
    return torch.stack([stream.step(now) for now in x])


@pytest.fixture(params=native.levels() or ["none"])
def level(request, monkeypatch):
    monkeypatch.setenv("MEMORYCELL_ISA", request.param)
    native.level.cache_clear()
    yield
    native.level.cache_clear()


@LIBRARY
def test_there_are_levels_to_test():
    assert native.levels(), native.why_missing()


@LIBRARY
@ALL
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@torch.no_grad()
def test_a_stream_has_the_bits_of_forward(case, shape, level):
    layer = build(case, shape, backend="cpp")
    x = torch.randn(5, shape[0], shape[1])
    state = random_state(layer, shape[0])
    output, final = layer(x, state)
    stream = layer.stream(shape[0])
    stream.state = state
    assert torch.equal(fed(stream, x), output)
    assert all(map(torch.equal, parts(stream.state), parts(final)))
    stream.reset()
    assert torch.equal(fed(stream, x), layer(x)[0])


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@torch.no_grad()
def test_a_stream_is_near_the_reference(case, dtype):
    shape = (3, 20, 37, 2)
    layer, reference = build(case, shape, dtype), build(case, shape, dtype, backend="reference")
    x, state = torch.randn(9, 3, 20, dtype=dtype), random_state(layer, 3, dtype)
    stream, expected = layer.stream(3), reference(x, state)[0]
    stream.state = state
    error = (fed(stream, x) - expected).abs().max() / expected.abs().max()
    assert error < {torch.float32: 1e-5, torch.float64: 1e-12}[dtype]


def rounded(layer, weights):
    """`layer` with the weights that a stream of narrow ones computes with, and their errors as shares of the bound."""
    layer, errors = copy.deepcopy(layer), []
    for name, w in layer.named_parameters():
        if not name.startswith(("weight_ih", "weight_hh")):
            continue
        if weights == "bfloat16":
            near, bound = w.to(torch.bfloat16).float(), w.abs() * 2**-8
        else:
            largest = w.abs().amax(1, keepdim=True)
            near, bound = torch.round(w / (largest / 127)) * (largest / 127), largest / 254
        errors.append(((near - w).abs() / bound).max())
        w.copy_(near)
    return layer, max(errors)


@ALL
@NARROW
@pytest.mark.parametrize("shape", SHAPES[::2], ids=str)
@torch.no_grad()
def test_narrow_weights_are_the_rounded_ones(case, shape, weights, level):
    layer = build(case, shape, backend="cpp")
    near, error = rounded(layer, weights)
    assert error <= 1.0001  # the bounds that the docstring states
    x = torch.randn(5, shape[0], shape[1])
    streamed, expected = fed(layer.stream(shape[0], weights=weights), x), near(x)[0]
    if weights == "bfloat16":
        assert torch.equal(streamed, expected)
    else:  # x and h are rounded too, or are not, and a network may make much of it later
        torch.testing.assert_close(streamed[0], expected[0], rtol=0, atol=1e-3)
    alone = fed(layer.stream(1, weights=weights), x[:, :1])
    assert torch.equal(alone, streamed[:, :1])


@NARROW
def test_narrow_weights_cost_little(weights):
    layer, x = LSTM(64, 128), torch.randn(100, 1, 64)
    error = (fed(layer.stream(weights=weights), x) - layer(x)[0]).abs().max()
    assert error < {"bfloat16": 2e-3, "int8": 1e-2}[weights]


@ANY_WEIGHTS
def test_long_sums_do_not_run_over_and_zeros_stay(weights, level):
    layer = RNN(40000, 3, bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor([[0.0], [1 / 40000], [-1 / 40000]]).expand(3, 40000))
        layer.weight_hh_l0.zero_()
    y = layer.stream(weights=weights).step(torch.full((40000,), 2.0))
    torch.testing.assert_close(y, torch.tanh(torch.tensor([0.0, 2.0, -2.0])), rtol=0, atol=1e-3)


@ANY_WEIGHTS
@pytest.mark.parametrize("case", [(LSTM, {}), (GRU, {}), (RNN, {}), (RNN, {"nonlinearity": "relu"})], ids=str)
def test_nan_passes_through_its_own_row(case, weights, level):
    stream = build(case, (3, 20, 9, 2)).stream(3, weights=weights)
    x = torch.randn(3, 20)
    x[1, 7] = torch.nan
    for _ in range(2):
        y = stream.step(x)
        assert y[1].isnan().all() and not y[[0, 2]].isnan().any()
    stream.reset()
    assert not stream.step(x.nan_to_num()).isnan().any()


@ANY_WEIGHTS
def test_a_weight_of_nan_is_not_hidden(weights):
    layer = GRU(20, 9)
    with torch.no_grad():
        layer.weight_ih_l0[20, 3] = torch.nan
    y = layer.stream(weights=weights).step(torch.randn(20))
    assert y.isnan().nonzero().flatten().tolist() == [2]


INPUTS = {
    "strided": lambda x: x.repeat_interleave(2, 1)[:, ::2],
    "turned": lambda x: x.t().contiguous().t(),
    "parameter": nn.Parameter,
    "negated": lambda x: torch.complex(torch.zeros_like(x), -x).conj().imag,
    "requires-grad": lambda x: x.clone().requires_grad_(),
}


@pytest.mark.parametrize("change", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("rows", [1, 3])
def test_any_tensor_of_the_right_numbers_will_do(change, rows):
    layer, x = GRU(8, 6), torch.randn(rows, 8)
    expected = layer.stream(rows).step(x)
    y = layer.stream(rows).step(change(x))
    # Torch's products sum in another order for other strides.
    torch.testing.assert_close(y, expected, rtol=0, atol=0 if native.available() else 1e-6)
    assert not y.requires_grad


@pytest.mark.parametrize("backend", ["auto", "torch", "reference"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_arrays_in_arrays_out(backend, dtype):
    layer = LSTM(8, 6, backend=backend, dtype=dtype)
    x = torch.randn(2, 8, dtype=dtype)
    expected = layer.stream(2).step(x).numpy()
    fused = backend == "auto" and dtype is not torch.float16 and native.available()
    near = 8 * torch.finfo(dtype).eps  # torch's products sum in another order for other strides and rows
    frozen = x.numpy().copy()
    frozen.flags.writeable = False
    for array in (x.numpy(), np.asfortranarray(x.numpy()), frozen):
        y = layer.stream(2).step(array)
        assert isinstance(y, np.ndarray) and y.dtype == expected.dtype
        assert np.allclose(y, expected, rtol=0, atol=0 if fused else near)
    out = np.empty_like(expected)
    assert layer.stream(2).step(x.numpy(), out=out) is out and np.array_equal(out, expected)
    one = layer.stream().step(x[0].numpy())
    assert one.shape == (6,) and np.allclose(one, expected[0], rtol=0, atol=near)


@pytest.mark.parametrize("backend", ["auto", "torch", "reference"])
def test_a_new_output_each_step_or_the_one_given(backend):
    layer = LSTM(8, 6, backend=backend)
    stream, x = layer.stream(), torch.randn(2, 8)
    first = stream.step(x[0])
    kept = first.clone()
    out = torch.full((6,), torch.nan)
    assert stream.step(x[1], out=out) is out and not out.isnan().any()
    assert torch.equal(first, kept) and not torch.equal(first, out)


def test_the_state_may_have_any_strides_and_dtype():
    layer = LSTM(3, 5, num_layers=2)
    stream, x = layer.stream(4), torch.randn(4, 3)
    h, c = torch.randn(5, 4, 2, dtype=torch.float64).permute(2, 1, 0), torch.randn(2, 4, 5)
    stream.state = h, c
    assert torch.equal(stream.state[0], h.float()) and torch.equal(stream.state[1], c)
    y = stream.step(x)
    again = layer.stream(4)
    again.state = [h.float().contiguous(), c]
    assert torch.equal(again.step(x), y)
    assert torch.equal(stream.state[0], h.float()) is False


@ANY_WEIGHTS
@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda s: pickle.loads(pickle.dumps(s))])  # noqa: S301
def test_a_copy_goes_on_by_itself(weights, copied):
    stream, x = LSTM(8, 6, num_layers=2).stream(2, weights=weights), torch.randn(3, 2, 8)
    stream.step(x[0])
    other = copied(stream)
    expected = fed(stream, x[1:])
    assert torch.equal(fed(other, x[1:]), expected)
    other.reset()
    assert not torch.equal(other.step(x[0]), stream.step(x[0]))


@LIBRARY
def test_a_pickled_stream_runs_where_there_is_no_library(monkeypatch):
    layer, x = GRU(8, 6), torch.randn(2, 8)
    plain, narrow = layer.stream(), layer.stream(weights="int8")
    first = plain.step(x[0])
    pickled, refused = pickle.dumps(plain), pickle.dumps(narrow)
    monkeypatch.setattr(native, "_load", lambda: (None, "no native library here"))
    stream = pickle.loads(pickled)  # noqa: S301
    torch.testing.assert_close(stream.state[0, 0], first)
    torch.testing.assert_close(stream.step(x[1]), plain.step(x[1]))
    with pytest.raises(ValueError, match="weights='int8' needs the fused kernels: no native library here"):
        pickle.loads(refused)  # noqa: S301


@LIBRARY
def test_memory_is_given_back(monkeypatch):
    functions, closed = fused_stream._functions(), []
    monkeypatch.setattr(fused_stream, "_functions", lambda: functions._replace(close=closed.append))
    stream = LSTM(8, 6).stream()
    pointer = stream._kernels.pointer
    del stream
    gc.collect()
    assert closed == [pointer]
    functions.close(pointer)


def test_two_streams_run_in_two_threads():
    layer, x = LSTM(16, 32), torch.randn(2, 200, 1, 16)
    expected, found = [fed(layer.stream(), row) for row in x], [None, None]

    def work(i):
        found[i] = fed(layer.stream(), x[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(map(torch.equal, found, expected))


@LIBRARY
def test_no_memory_is_an_error(monkeypatch):
    functions = fused_stream._functions()
    monkeypatch.setattr(fused_stream, "_functions", lambda: functions._replace(open=lambda *_: None))
    with pytest.raises(MemoryError, match="memory for its packed weights"):
        LSTM(8, 6).stream()


STREAM = functools.partial(LSTM(8, 6).stream)
X, A = torch.zeros(8), np.zeros(8, np.float32)
WRONG = {
    "list": (lambda: STREAM().step([0.0] * 8), TypeError, "a Tensor or a numpy array, got list"),
    "none": (lambda: STREAM().step(None), TypeError, "a Tensor or a numpy array, got NoneType"),
    "shape": (lambda: STREAM(2).step(X), ValueError, "expected x of shape (2, 8), got (8,)"),
    "features": (lambda: STREAM().step(X[:7]), ValueError, "expected x of shape (1, 8), got (7,)"),
    "dtype": (lambda: STREAM().step(X.double()), ValueError, "expected x of torch.float32"),
    "device": (lambda: STREAM().step(X.to("meta")), ValueError, "expected x on cpu"),
    "array-shape": (lambda: STREAM(2).step(A), ValueError, "expected x of shape (2, 8), got (8,)"),
    "array-dtype": (lambda: STREAM().step(A.astype(float)), ValueError, "expected x of float32 like the weights"),
    "array-integers": (lambda: STREAM().step(A.astype(int)), ValueError, "got int64"),
    "array-order": (lambda: STREAM().step(A.astype(">f4")), ValueError, "got >f4"),
    "out-array": (lambda: STREAM().step(X, A[:6]), TypeError, "expected out to be a Tensor like x, got ndarray"),
    "out-shape": (lambda: STREAM().step(X, X), ValueError, "expected out of shape (6,)"),
    "out-dtype": (lambda: STREAM().step(X, X[:6].double()), ValueError, "and torch.float64 on cpu"),
    "out-strides": (lambda: STREAM().step(X, torch.zeros(12)[::2]), ValueError, "contiguous out, got strides (2,)"),
    "out-device": (lambda: STREAM().step(X, X[:6].to("meta")), ValueError, "on meta"),
    "array-bfloat16": (
        lambda: LSTM(8, 6, dtype=torch.bfloat16).stream().step(A),
        TypeError,
        "expected x to be a Tensor of torch.bfloat16, which numpy does not have, got an array",
    ),
    "array-out": (lambda: STREAM().step(A, A), ValueError, "a contiguous, writable array of float32 and shape (6,)"),
    "array-out-strides": (lambda: STREAM().step(A, np.zeros(12, np.float32)[::2]), ValueError, "contiguous, writable"),
    "array-out-tensor": (lambda: STREAM().step(A, X[:6]), ValueError, "contiguous, writable array"),
    "state-parts": (lambda: setattr(STREAM(), "state", X), TypeError, "to be Tensors (h, c)"),
    "weights": (
        lambda: STREAM(weights="int4"),
        ValueError,
        'expected weights to be None, "bfloat16" or "int8", got \'int4\'',
    ),
    "weights-float64": (
        lambda: LSTM(8, 6, dtype=torch.float64).stream(weights="int8"),
        ValueError,
        "weights='int8' needs the fused kernels: they need float32 weights on the CPU, these are torch.float64",
    ),
    "weights-backend": (
        lambda: LSTM(8, 6, backend="reference").stream(weights="bfloat16"),
        ValueError,
        "the layer has another backend; leave weights=None" if native.available() else native.why_missing(),
    ),
    "weights-projected": (
        lambda: LSTM(8, 6, proj_size=2).stream(weights="bfloat16"),
        ValueError,
        "the fused kernels have no projection",
    ),
    "weights-reset": (
        lambda: GRU(8, 6, reset_after=False).stream(weights="bfloat16"),
        ValueError,
        "the fused kernels have no reset before the product",
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(wrong):
    act, error, message = wrong
    with pytest.raises(error) as found:
        act()
    assert message in str(found.value)


def test_narrow_weights_without_a_library_say_why(monkeypatch):
    monkeypatch.setattr(native, "_load", lambda: (None, "no compiler was found"))
    with pytest.raises(ValueError, match="weights='int8' needs the fused kernels: no compiler was found"):
        LSTM(8, 6).stream(weights="int8")
    assert LSTM(8, 6).stream().step(X).shape == (6,)
