"""The fused kernels' GRU that resets before the product, against the reference."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nested_cases import (
    FORMS,
    NOISE,
    SHAPES,
    build,
    check_company,
    check_tokens,
    check_traces,
    differentiable,
    errors,
    problem_of,
)

from memorycell.kernels import native
from memorycell.layers import GRU, GRUCell

pytestmark = pytest.mark.library
ALL = {"layer_norm": True, "zoneout": 0.3, **NOISE}
CASES = {
    name: (GRU, {"reset_after": False, **variant})
    for name, variant in {
        "plain": {},
        "no-bias": {"bias": False},
        "layer-norm": {"layer_norm": True},
        "layer-norm-no-bias": {"layer_norm": True, "bias": False},
        "zoneout": {"zoneout": 0.3},
        "recurrent-dropout": {"recurrent_dropout": 0.4},
        "dropout-zoneout": {"recurrent_dropout": 0.4, "zoneout": 0.3},
        "all": ALL,
    }.items()
}
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
FORMED = pytest.mark.parametrize("form", FORMS)
THREADS = pytest.mark.parametrize("threads", [1, 2], ids=["1-thread", "2-threads"])


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
    case = GRU, {"reset_after": False, **variant}
    layer = build(case, inputs, hidden, **kwargs)
    assert max(errors(layer, "lengths", *problem_of(layer, "lengths", steps, batch))) < 1e-10
    if hidden > 2 or not variant:  # two units, normalised, are either 1 and -1 or -1 and 1: no bound holds
        layer = build(case, inputs, hidden, torch.float32, **kwargs)
        values, gradients = errors(layer, "rectangular", *problem_of(layer, "rectangular", steps, batch))
        assert values < 1e-5 and gradients < 1e-4
    native.level.cache_clear()


@EACH
def test_gradcheck(case):
    layer = build(case, 2, 3, bidirectional=True, backend="cpp")
    for form, lengths in (("rectangular", None), ("lengths", [1, 3])):
        assert torch.autograd.gradcheck(*differentiable(layer, form, lengths), fast_mode=True)


@pytest.mark.parametrize("case", ["plain", "all"])
@FORMED
def test_gradgradcheck(case, form):
    # Both directions have four times the pairs of inputs and outputs: in one form.
    layer = build(CASES[case], 2, 3, bidirectional=form == "lengths", backend="cpp")
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
    case = GRU, {"reset_after": False, **variant}
    check_company(build(case, 33, 65, torch.float32, num_layers=2, bidirectional=True), 30, 26)


@pytest.mark.parametrize("variant", [{}, {"layer_norm": True, "zoneout": 0.3}], ids=["plain", "all"])
def test_cells(variant):
    torch.manual_seed(0)
    cell = GRUCell(3, 5, dtype=torch.float64, reset_after=False, **variant).eval()
    x, h = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 5, dtype=torch.float64)
    results = []
    for backend in ("cpp", "reference"):
        cell.backend = backend
        next_h = cell(x, h)
        results.append([next_h, *torch.autograd.grad(next_h.pow(2).sum(), list(cell.parameters()))])
    torch.testing.assert_close(*results)


def test_streams_step_as_forward_does():
    layer = build(CASES["all"], num_layers=2, backend="cpp").eval()
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    stream = layer.stream(batch_size=2)
    torch.testing.assert_close(torch.stack([stream.step(now) for now in x]), layer(x)[0])


@st.composite
def problems(draw):
    flag = st.booleans()
    variant = {"reset_after": False, "layer_norm": draw(flag), "bias": draw(flag)}
    variant |= {"recurrent_dropout": draw(st.sampled_from([0.0, 0.4])), "zoneout": draw(st.sampled_from([0.0, 0.3]))}
    shape = {"num_layers": draw(st.integers(1, 2)), "bidirectional": draw(flag), "batch_first": draw(flag)}
    sizes = draw(st.integers(1, 20)), draw(st.integers(1, 28)), draw(st.integers(1, 40)), draw(st.integers(3, 70))
    return variant, shape, sizes, draw(st.sampled_from(FORMS)), draw(flag), draw(st.sampled_from([1, 2]))


def check_variant(problem):
    variant, shape, (steps, batch, inputs, hidden), form, training, threads = problem
    torch.set_num_threads(threads)
    layer = build((GRU, variant), inputs, hidden, **shape).train(training)
    assert max(errors(layer, form, *problem_of(layer, form, steps, batch))) < 1e-7


@pytest.mark.parametrize("examples", [25, pytest.param(1000, marks=pytest.mark.long)])
def test_any_variant_of_any_shape(examples):
    settings(max_examples=examples, deadline=None, derandomize=True)(given(problems())(check_variant))()
