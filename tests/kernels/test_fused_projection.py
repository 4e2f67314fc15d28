"""The fused kernels' projected LSTM against the reference and torch.nn."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nested_cases import (
    FORMS,
    NOISE,
    SHAPES,
    build,
    called,
    check_company,
    check_tokens,
    check_traces,
    differentiable,
    errors,
    leaves,
    problem_of,
    slopes_for,
    solved,
)
from torch import nn

from memorycell.kernels import native
from memorycell.layers import LSTM

pytestmark = pytest.mark.library
ALL = {"peephole": True, "coupled": True, "layer_norm": True, "zoneout": (0.3, 0.2), **NOISE}
CASES = {
    name: (LSTM, {"proj_size": 3, **variant})
    for name, variant in {
        "plain": {},
        "no-bias": {"bias": False},
        "one-unit": {"proj_size": 1},
        "peephole": {"peephole": True},
        "coupled": {"coupled": True},
        "layer-norm": {"layer_norm": True},
        "zoneout": {"zoneout": (0.3, 0.2)},
        "zoneout-h": {"zoneout": (0.0, 0.2), "peephole": True},
        "zoneout-c": {"zoneout": (0.3, 0.0), "layer_norm": True},
        "recurrent-dropout": {"recurrent_dropout": 0.4},
        "dropout-zoneout": {"recurrent_dropout": 0.4, "zoneout": (0.0, 0.2)},
        "all": ALL,
    }.items()
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
FORMED = pytest.mark.parametrize("form", FORMS)
THREADS = pytest.mark.parametrize("threads", [1, 2], ids=["1-thread", "2-threads"])
NARROW = {2: 1, 17: 16, 32: 16, 33: 32, 65: 17, 130: 129, 330: 31}  # proj_size by hidden


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@EACH
@FORMED
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_reference_s_numbers(case, form, training):
    layer = build(case, num_layers=2, bidirectional=True, dropout=0.3).train(training)
    x, state, lengths = problem_of(layer, form, 7, 5)
    assert max(errors(layer, form, x, state, lengths)) < 1e-10
    assert max(errors(layer, form, x, (), lengths)) < 1e-10


@pytest.mark.parametrize("level", native.levels() or ["none"])
@THREADS
@pytest.mark.parametrize("variant", [{}, ALL], ids=["plain", "all"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_shapes(shape, variant, threads, level, monkeypatch):
    monkeypatch.setenv("MEMORYCELL_ISA", level)
    native.level.cache_clear()
    torch.set_num_threads(threads)
    steps, batch, inputs, hidden, kwargs = shape
    case = LSTM, {"proj_size": NARROW[hidden], **variant}
    layer = build(case, inputs, hidden, **kwargs)
    assert max(errors(layer, "lengths", *problem_of(layer, "lengths", steps, batch))) < 1e-10
    if hidden > 2 or not variant:  # two units, normalised, are either 1 and -1 or -1 and 1: no bound holds
        layer = build(case, inputs, hidden, torch.float32, **kwargs)
        values, gradients = errors(layer, "rectangular", *problem_of(layer, "rectangular", steps, batch))
        assert values < 1e-5 and gradients < 1e-4
    native.level.cache_clear()


@EACH
def test_gradcheck(case):
    layer = build(case, 2, 4, bidirectional=True, backend="cpp")
    for form, lengths in (("rectangular", None), ("lengths", [1, 3])):
        assert torch.autograd.gradcheck(*differentiable(layer, form, lengths), fast_mode=True)


@pytest.mark.parametrize("case", ["plain", "all"])
@FORMED
def test_gradgradcheck(case, form):
    # Both directions have four times the pairs of inputs and outputs: in one form.
    layer = build(CASES[case], 2, 4, bidirectional=form == "lengths", backend="cpp")
    lengths = [1, 2] if form.endswith("unsorted") else [2, 1]
    assert torch.autograd.gradgradcheck(*differentiable(layer, form, lengths, steps=2), fast_mode=True)


@EACH
def test_traces(case):
    check_traces(build(case, bidirectional=True, num_layers=2).eval())


@pytest.mark.parametrize("case", ["plain", "all"])
def test_tokens(case):
    check_tokens(build(CASES[case], bidirectional=True))


@pytest.mark.parametrize("variant", [{}, ALL], ids=["plain", "all"])
def test_a_row_in_every_company(variant):
    case = LSTM, {"proj_size": 33, **variant}
    check_company(build(case, 33, 65, torch.float32, num_layers=2, bidirectional=True), 30, 26)


@FORMED
def test_the_numbers_of_torch(form):
    layer = build(CASES["plain"], num_layers=2, bidirectional=True)
    theirs = nn.LSTM(3, 5, 2, bidirectional=True, proj_size=3, dtype=torch.float64)
    theirs.load_state_dict(layer.state_dict())
    x, state, lengths = problem_of(layer, form, 6, 4)
    values, gradients = solved(layer, "cpp", form, x, state, lengths)
    layer.backend = "torch"
    torch.testing.assert_close((values, gradients), solved(layer, "torch", form, x, state, lengths))
    if form == "rectangular":
        output, final = theirs(x, tuple(state))
        torch.testing.assert_close(values, [output, *final])


def test_a_projection_of_zeros_still_learns():
    """Every gate gradient of the step is zero then, and that of the projection is not."""
    layer = build(CASES["plain"])
    with torch.no_grad():
        layer.weight_hr_l0.zero_()
    x, state, _ = problem_of(layer, "rectangular", 4, 2)
    layer.backend = "cpp"
    output, _ = layer(x, tuple(state))
    output.sum().backward()
    assert layer.weight_hr_l0.grad.abs().min() > 0
    assert max(errors(layer, "rectangular", x, state, None)) < 1e-10


def test_gradients_of_some_alone():
    layer = build(CASES["all"], backend="cpp")
    x, state, _ = problem_of(layer, "rectangular", 4, 2)
    _, whole = solved(layer, "cpp", "rectangular", x, state, None)
    for first, count in ((0, 1), (1, 2), (3, len(whole) - 3)):
        inputs = leaves([x, *state])
        sources = [*inputs, *layer.parameters()]
        for k, source in enumerate(sources):
            source.requires_grad_(first <= k < first + count)
        values = called(layer, "rectangular", inputs[0], inputs[1:], None)
        found = torch.autograd.grad(values, sources[first : first + count], slopes_for(values))
        assert all(torch.equal(a, b) for a, b in zip(found, whole[first : first + count], strict=True))


def test_wrong_shapes_are_refused():
    layer = build(CASES["plain"], backend="cpp")
    layer.weight_hr_l0 = nn.Parameter(torch.zeros(3, 4, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"w_hr of layer 0 of shape \(3, 5\)"):
        layer(torch.zeros(2, 1, 3, dtype=torch.float64))


def test_streams_step_as_forward_does():
    layer = build(CASES["all"], num_layers=2, backend="cpp").eval()
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    stream = layer.stream(batch_size=2)
    torch.testing.assert_close(torch.stack([stream.step(now) for now in x]), layer(x)[0])


@st.composite
def problems(draw):
    hidden, flag = draw(st.integers(3, 70)), st.booleans()
    variant = {name: draw(flag) for name in ("peephole", "coupled", "layer_norm", "bias")}
    variant |= {"proj_size": draw(st.integers(1, hidden - 1)), "recurrent_dropout": draw(st.sampled_from([0.0, 0.4]))}
    variant["zoneout"] = draw(st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.3, 0.2)]))
    shape = {"num_layers": draw(st.integers(1, 2)), "bidirectional": draw(flag), "batch_first": draw(flag)}
    sizes = draw(st.integers(1, 20)), draw(st.integers(1, 28)), draw(st.integers(1, 40)), hidden
    return variant, shape, sizes, draw(st.sampled_from(FORMS)), draw(flag), draw(st.sampled_from([1, 2]))


def check_variant(problem):
    variant, shape, (steps, batch, inputs, hidden), form, training, threads = problem
    torch.set_num_threads(threads)
    layer = build((LSTM, variant), inputs, hidden, **shape).train(training)
    assert max(errors(layer, form, *problem_of(layer, form, steps, batch))) < 1e-7


@pytest.mark.parametrize("examples", [25, pytest.param(1000, marks=pytest.mark.long)])
def test_any_variant_of_any_shape(examples):
    settings(max_examples=examples, deadline=None, derandomize=True)(given(problems())(check_variant))()
