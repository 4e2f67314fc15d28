"""The fused kernels against the reference: every variant, forms of raggedness, gradients of every kind."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recurrent_cases import excite, parts, random_state
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from memorycell.kernels.random import mask_stream
from memorycell.layers import GRU, LSTM, RNN

pytestmark = pytest.mark.library
NOISE = {"recurrent_dropout": 0.4, "weight_dropout": 0.3}
CASES = {
    "LSTM": (LSTM, {}),
    "LSTM-no-bias": (LSTM, {"bias": False}),
    "LSTM-peephole": (LSTM, {"peephole": True}),
    "LSTM-coupled": (LSTM, {"coupled": True}),
    "LSTM-layer-norm": (LSTM, {"layer_norm": True}),
    "LSTM-zoneout": (LSTM, {"zoneout": (0.3, 0.2)}),
    "LSTM-zoneout-h": (LSTM, {"zoneout": (0.0, 0.2), "peephole": True}),
    "LSTM-zoneout-c": (LSTM, {"zoneout": (0.3, 0.0), "layer_norm": True}),
    "LSTM-recurrent-dropout": (LSTM, {"recurrent_dropout": 0.4}),
    "LSTM-weight-dropout": (LSTM, {"weight_dropout": 0.4}),
    "LSTM-all": (LSTM, {"peephole": True, "coupled": True, "layer_norm": True, "zoneout": (0.3, 0.2), **NOISE}),
    "GRU": (GRU, {}),
    "GRU-no-bias": (GRU, {"bias": False}),
    "GRU-layer-norm": (GRU, {"layer_norm": True}),
    "GRU-zoneout": (GRU, {"zoneout": 0.3}),
    "GRU-recurrent-dropout": (GRU, {"recurrent_dropout": 0.4}),
    "GRU-all": (GRU, {"layer_norm": True, "zoneout": 0.3, **NOISE}),
    "RNN": (RNN, {}),
    "RNN-relu": (RNN, {"nonlinearity": "relu"}),
    "RNN-all": (RNN, {"layer_norm": True, "zoneout": 0.3, **NOISE}),
    "RNN-relu-all": (RNN, {"nonlinearity": "relu", "bias": False, "zoneout": 0.3, **NOISE}),
}
ALL = pytest.mark.parametrize("case", CASES)
TRAINING = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
SHAPES = {
    "one-layer": {},
    "deep-both-ways": {"num_layers": 2, "bidirectional": True, "dropout": 0.3, "batch_first": True},
}
FORMS = ["rectangular", "lengths", "packed", "packed-unsorted"]


def build(case, inputs=3, hidden=5, dtype=torch.float64, **kwargs):
    torch.manual_seed(0)
    layer_type, variant = CASES[case]
    return excite(layer_type(inputs, hidden, dtype=dtype, **variant, **kwargs))


def leaves(tensors):
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]


def called(layer, form, x, state, lengths, seed=0):
    """Output and final state, as plain tensors."""
    state = None if not state else tuple(state) if layer.mode == "LSTM" else state[0]
    ragged = {}
    if form == "lengths":
        ragged["lengths"] = lengths
    elif form != "rectangular":
        x = pack_padded_sequence(x, lengths, batch_first=layer.batch_first, enforce_sorted=form == "packed")
    with mask_stream(seed, 0):
        output, final = layer(x, state, **ragged)
    return [output.data if isinstance(output, PackedSequence) else output, *parts(final)]


def solved(layer, backend, *problem, threads=1):
    """Values and gradients of one backend."""
    torch.set_num_threads(threads)
    layer.backend = backend
    form, x, state, lengths = problem
    sources = leaves([x, *state])
    values = called(layer, form, sources[0], sources[1:], lengths)
    torch.manual_seed(1)
    slopes = [torch.randn(value.shape, dtype=value.dtype) for value in values]
    sources += layer.parameters()
    taped = [k for k, value in enumerate(values) if value.requires_grad]  # not the output of no steps
    picked = [values[k] for k in taped], sources, [slopes[k] for k in taped]
    gradients = torch.autograd.grad(*picked, materialize_grads=True)
    torch.set_num_threads(1)
    return values, gradients


def check(layer, *problem, tolerance=1e-10, threads=1):
    truth = solved(layer, "reference", *problem)
    for found, wanted in zip(solved(layer, "cpp", *problem, threads=threads), truth, strict=True):
        for a, b in zip(found, wanted, strict=True):
            assert a.shape == b.shape
            assert not b.numel() or (a - b).abs().max() <= tolerance * b.abs().max().clamp_min(1)


@ALL
@TRAINING
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("form", FORMS)
def test_the_reference_s_numbers(case, training, shape, form):
    layer = build(case, **shape).train(training)
    lengths = {"lengths": [4, 0, 7, 1, 7], "packed": [7, 7, 4, 2, 1], "packed-unsorted": [2, 7, 1, 7, 4]}.get(form)
    x = torch.randn((5, 7, 3) if layer.batch_first else (7, 5, 3), dtype=torch.float64)
    state = parts(random_state(layer, 5, torch.float64))
    check(layer, form, x, state, lengths)
    check(layer, form, x, (), lengths)


@pytest.mark.parametrize("threads", [1, 2])
@ALL
def test_the_reference_s_numbers_with_work_for_two_threads(case, threads):
    layer = build(case, 33, 65, bidirectional=True)
    with torch.no_grad():
        for weight in (layer.weight_hh_l0, layer.weight_hh_l0_reverse):
            weight.mul_(0.2)  # keeps the network from chaos, where every rounding would grow
    x, state = torch.randn(20, 26, 33, dtype=torch.float64), parts(random_state(layer, 26, torch.float64))
    check(layer, "lengths", x, state, torch.randint(0, 21, (26,)), threads=threads)


def differentiable(layer, form, lengths, steps=3):
    """The layer as a function of x, the state and the parameters."""
    names = [name for name, _ in layer.named_parameters()]
    state = len(layer.state_widths())

    def run(x, *tensors):
        values = dict(zip(names, tensors[state:], strict=True))
        with torch.nn.utils.stateless._reparametrize_module(layer, values):
            return tuple(called(layer, form, x, tensors[:state], lengths))

    x = torch.randn(steps, 2, layer.input_size, dtype=torch.float64)
    return run, leaves([x, *parts(random_state(layer, 2, torch.float64)), *layer.parameters()])


@ALL
@TRAINING
def test_gradcheck(case, training):
    layer = build(case, 2, 3, bidirectional=True, backend="cpp").train(training)
    for form, lengths in (("rectangular", None), ("lengths", [1, 3])):
        assert torch.autograd.gradcheck(*differentiable(layer, form, lengths), fast_mode=True)


@pytest.mark.parametrize(("case", "form"), list(zip(["LSTM", "LSTM-all", "RNN", "GRU-all"], FORMS, strict=True)))
def test_gradgradcheck(case, form):
    # Both directions have four times the pairs of inputs and outputs; with all that there is: test_backward_twice.
    layer = build(case, 2, 2, bidirectional=not case.endswith("all"), backend="cpp")
    run, inputs = differentiable(layer, form, [1, 2] if form.endswith("unsorted") else [2, 1], steps=2)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


@ALL
@pytest.mark.parametrize("form", FORMS)
def test_backward_twice(case, form):
    layer = build(case, num_layers=2, bidirectional=True, dropout=0.3, backend="cpp")
    x, state = torch.randn(6, 3, 3, dtype=torch.float64), parts(random_state(layer, 3, torch.float64))
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append((t, t.clone())) or t, lambda t: t):
        sources = leaves([x, *state])
        values = called(layer, form, sources[0], sources[1:], [2, 6, 4] if form.endswith("unsorted") else [6, 3, 2])
    sources += layer.parameters()
    runs = [torch.autograd.grad(values, sources, values, retain_graph=True) for _ in range(3)]
    assert all(torch.equal(a, b) for run in runs[1:] for a, b in zip(run, runs[0], strict=True))
    assert saved and all(torch.equal(now, before) for now, before in saved)


def test_a_changed_output_is_noticed():
    layer = LSTM(3, 5, backend="cpp")
    output, _ = layer(torch.randn(4, 2, 3))
    output.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@pytest.mark.parametrize("taped", [True, False])
@pytest.mark.parametrize("view", [torch.clone, lambda x: torch.stack([x, x], -1)[..., 0]], ids=["plain", "strided"])
@ALL
def test_traces(case, taped, view):
    layer = build(case, bidirectional=True).eval()
    x, state = view(torch.randn(6, 3, 3, dtype=torch.float64)), random_state(layer, 3, torch.float64)
    traces = []
    for backend in ("cpp", "reference"):
        layer.backend = backend
        with torch.set_grad_enabled(taped):
            traces.append(layer.trace(x, state, lengths=[6, 0, 4]))
    ours, truth = traces
    assert list(ours) == list(truth)
    torch.testing.assert_close([ours.output, *ours.values()], [truth.output, *truth.values()])


def test_rows_without_steps_have_gradients():
    for steps, batch, lengths in ((0, 2, [0, 0]), (3, 2, [0, 0]), (3, 0, []), (0, 0, [])):
        layer = build("LSTM-all", bidirectional=True, num_layers=2)
        x = torch.randn(steps, batch, 3, dtype=torch.float64)
        check(layer, "lengths", x, parts(random_state(layer, batch, torch.float64)), lengths)


@st.composite
def problems(draw):
    form, steps, batch = draw(st.sampled_from(FORMS)), draw(st.integers(1, 40)), draw(st.integers(1, 28))
    shortest = 0 if form == "lengths" else 1
    lengths = draw(st.lists(st.integers(shortest, steps), min_size=batch, max_size=batch))
    lengths = sorted(lengths, reverse=True) if form == "packed" else lengths
    sizes = {"inputs": draw(st.integers(1, 40)), "hidden": draw(st.integers(2, 70))}
    names = ("bidirectional", "batch_first")
    shape = {"num_layers": draw(st.integers(1, 3))} | {name: draw(st.booleans()) for name in names}
    flags = draw(st.booleans()), draw(st.booleans()), draw(st.sampled_from([1, 2]))
    return draw(st.sampled_from(list(CASES))), form, steps, lengths, sizes | shape, flags


def check_variant(problem):
    case, form, steps, lengths, kwargs, (training, with_state, threads) = problem
    layer = build(case, **kwargs).train(training)
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            weight.mul_(0.5 if name.startswith("weight_hh") else 1.0)
    batch = len(lengths)
    x = torch.randn((batch, steps, layer.input_size) if layer.batch_first else (steps, batch, layer.input_size))
    state = parts(random_state(layer, batch, torch.float64)) if with_state else ()
    check(layer, form, x.double(), state, lengths, tolerance=1e-7, threads=threads)


@pytest.mark.parametrize("examples", [25, pytest.param(1000, marks=pytest.mark.long)])
def test_any_variant_of_any_shape(examples):
    settings(max_examples=examples, deadline=None, derandomize=True)(given(problems())(check_variant))()
