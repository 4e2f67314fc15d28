"""The fused kernels against the reference and torch.nn, over a table of shapes, levels, threads and strides."""

import functools
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import torch
from torch import nn

from memorycell.kernels import fused, native, reference
from memorycell.kernels.reference import Weights
from memorycell.kernels.spec import MODES as KINDS
from memorycell.kernels.spec import Spec

pytestmark = pytest.mark.library
THEIRS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN_TANH": nn.RNN, "RNN_RELU": nn.RNN}
MODES = pytest.mark.parametrize("mode", KINDS)
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
THREADS = pytest.mark.parametrize("threads", [1, 2], ids=["1-thread", "2-threads"], indirect=True)
LEVELS = pytest.mark.parametrize("level", native.levels() or ["none"], indirect=True)


class Shape(NamedTuple):
    steps: int
    batch: int
    inputs: int
    hidden: int
    layers: int = 1
    directions: int = 1
    state: bool = True  # whether there is an initial one


SHAPES = {
    "one-of-all": Shape(1, 1, 1, 1),
    "one-unit": Shape(4, 3, 2, 1, 2, 2),
    "five": Shape(7, 2, 3, 5, 2, 2, state=False),
    "whole-vectors": Shape(6, 12, 16, 32),
    "seventeen": Shape(9, 13, 5, 17, 1, 2),
    "one-row": Shape(12, 1, 8, 65, 2),
    "two-rows": Shape(40, 2, 33, 130),
    "one-step": Shape(1, 33, 20, 33, 2, 2),
    "many-rows": Shape(20, 40, 7, 65, 2, state=False),
    "long": Shape(300, 2, 3, 16),
    "wide": Shape(4, 5, 10, 330, 1, 2),
    "widest": Shape(3, 7, 65, 650, state=False),
}
SHAPED = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


@pytest.fixture(autouse=True)
def poisoned():
    """Memory that torch hands out is NaN, so that what a kernel forgets to write shows."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


@contextmanager
def n_threads(n):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def threads(request):
    with n_threads(request.param):
        yield request.param


@pytest.fixture
def level(request, monkeypatch):
    monkeypatch.setenv("MEMORYCELL_ISA", request.param)
    native.level.cache_clear()
    yield request.param
    native.level.cache_clear()


class Problem(NamedTuple):
    x: torch.Tensor
    initial: list[torch.Tensor]
    parameters: list[torch.Tensor]
    slopes: list[torch.Tensor]  # gradients of the output and the final state

    def to(self, dtype):
        """A copy, whose tensors are leaves."""
        tensors = ([t.to(dtype, copy=True).requires_grad_() for t in part] for part in self[1:])
        return Problem(self.x.to(dtype, copy=True).requires_grad_(), *tensors)

    def sources(self):
        return [self.x, *self.initial, *self.parameters]


class Result(NamedTuple):
    values: list[torch.Tensor]
    gradients: list[torch.Tensor]


def theirs(mode, shape):
    kwargs = {"nonlinearity": mode[4:].lower()} if mode.startswith("RNN") else {}
    kwargs |= {"num_layers": shape.layers, "bidirectional": shape.directions == 2}
    return THEIRS[mode](shape.inputs, shape.hidden, **kwargs)


def state_of(mode, shape, make):
    size = (shape.layers * shape.directions, shape.batch, shape.hidden)
    return [make(size) for _ in range(2 if mode == "LSTM" else 1)]


@functools.cache
def problem(mode, shape):
    torch.manual_seed(1)
    parameters = [p.detach() for p in theirs(mode, shape).parameters()]
    x = torch.randn(shape.steps, shape.batch, shape.inputs)
    initial = state_of(mode, shape, torch.randn) if shape.state else []
    output = torch.randn(shape.steps, shape.batch, shape.directions * shape.hidden)
    return Problem(x, initial, parameters, [output, *state_of(mode, shape, torch.randn)])


def solved(given, output, final):
    values = [output, *final]
    gradients = torch.autograd.grad(values, given.sources(), given.slopes)
    return Result([value.detach() for value in values], list(gradients))


def spec_of(mode, shape):
    sizes = (shape.layers, shape.directions, 1, 0, 0, 0, 0, 0, shape.steps, shape.batch, shape.steps * shape.batch)
    return Spec(KINDS.index(mode), 0, *sizes)


def by_fused(mode, shape, dtype):
    given = problem(mode, shape).to(dtype)
    run = fused.run(spec_of(mode, shape), (0.0, 0.0), given.x, given.initial, (), given.parameters)
    return solved(given, *run)


@functools.cache
@n_threads(1)
def by_reference(mode, shape):
    """In float64: the truth."""
    given = problem(mode, shape).to(torch.float64)
    initial = given.initial or state_of(mode, shape, functools.partial(torch.zeros, dtype=torch.float64))
    weights = [Weights(*given.parameters[k : k + 4]) for k in range(0, len(given.parameters), 4)]
    states = list(zip(*(part.unbind(0) for part in initial), strict=True))
    cell = spec_of(mode, shape).cell
    output, finals, _ = reference.run_stack(cell, given.x, states, weights, directions=shape.directions)
    return solved(given, output, [torch.stack(part) for part in zip(*finals, strict=True)])


@functools.cache
@n_threads(1)
def by_torch(mode, shape):
    given = problem(mode, shape).to(torch.float32)
    layer = theirs(mode, shape)
    values = {name: value for (name, _), value in zip(layer.named_parameters(), given.parameters, strict=True)}
    state = None if not given.initial else tuple(given.initial) if mode == "LSTM" else given.initial[0]
    output, final = torch.func.functional_call(layer, values, (given.x, state))
    return solved(given, output, final if mode == "LSTM" else [final])


def errors(found, wanted):
    """The largest error of each tensor, relative to its largest number."""
    return [
        ((a.double() - b).abs().max() / b.abs().max().clamp_min(1e-30)).item()
        for a, b in zip(found, wanted, strict=True)
    ]


@LEVELS
@THREADS
@SHAPED
@MODES
def test_float32(mode, shape, threads, level):
    """Within a few roundings of the truth in float64: the most that was seen is 6.2 for values and 8.7 for gradients.

    torch.nn is near the truth, too, by up to 40 roundings: in which order it sums depends on the processor.
    """
    eps = torch.finfo(torch.float32).eps
    results = zip(by_fused(mode, shape, torch.float32), by_torch(mode, shape), by_reference(mode, shape), strict=True)
    for (ours, torchs, truth), roundings in zip(results, (12, 24), strict=True):
        assert max(errors(ours, truth)) < roundings * eps
        assert max(errors(torchs, truth)) < 1e-4


@LEVELS
@THREADS
@SHAPED
@MODES
def test_float64(mode, shape, threads, level):
    for ours, truth in zip(by_fused(mode, shape, torch.float64), by_reference(mode, shape), strict=True):
        assert max(errors(ours, truth)) < 1e-12


def within_a_larger(x):
    larger = x.new_full([2 * size + 3 for size in x.shape[:-1]] + [x.shape[-1] + 5], float("nan"))
    view = larger[..., 2:-3]
    for axis in range(x.ndim - 1):
        view = view.narrow(axis, 2, 2 * x.shape[axis])
    view = view[tuple(slice(None, None, 2) for _ in x.shape[:-1])]
    return view.copy_(x)


VIEWS = {
    "within-a-larger": within_a_larger,
    "time-last": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "batch-first": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "features-apart": lambda x: torch.stack([x, x * float("nan")], -1)[..., 0],
    "one-for-all": lambda x: x[:1, :1, :1].expand_as(x),
    "one-step-for-all": lambda x: x[:1].expand_as(x),
    "one-row-for-all": lambda x: x[:, :1].expand_as(x),
    "negated": lambda x: torch._neg_view(-x),
}
STRIDED = Shape(5, 6, 7, 17, 2, 2)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("place", ["x", "initial", "parameters", "slopes"])
@pytest.mark.parametrize("mode", ["LSTM", "GRU"])
def test_strides(mode, place, view):
    given = problem(mode, STRIDED)

    def viewed(t):
        missing = 3 - t.ndim
        return view(t[(None,) * missing])[(0,) * missing].requires_grad_()

    def plain(t):
        return viewed(t).detach().resolve_neg().clone(memory_format=torch.contiguous_format).requires_grad_()

    results = []
    for change in (viewed, plain):
        now, kept = given.to(torch.float32), getattr(given, place)
        now = now._replace(**{place: change(kept) if place == "x" else [change(t) for t in kept]})
        run = fused.run(spec_of(mode, STRIDED), (0.0, 0.0), now.x, now.initial, (), now.parameters)
        results.append(solved(now, *run))
    assert all(torch.equal(a, b) for pair in zip(*results, strict=True) for a, b in zip(*pair, strict=True))


@MODES
def test_gradients_that_nobody_sends_count_as_zero(mode):
    given = problem(mode, STRIDED).to(torch.float32)
    output, final = fused.run(spec_of(mode, STRIDED), (0.0, 0.0), given.x, given.initial, (), given.parameters)
    for k, value in enumerate([output, *final]):
        alone = torch.autograd.grad(value, given.sources(), given.slopes[k], retain_graph=True)
        slopes = [slope if i == k else torch.zeros_like(slope) for i, slope in enumerate(given.slopes)]
        wanted = torch.autograd.grad([output, *final], given.sources(), slopes, retain_graph=True)
        assert all(torch.equal(a, b) for a, b in zip(alone, wanted, strict=True))


@pytest.mark.parametrize("wanted", ["x", "initial", "parameters"])
@MODES
def test_gradients_of_some_alone(mode, wanted):
    whole = by_fused(mode, STRIDED, torch.float32).gradients
    given = problem(mode, STRIDED).to(torch.float32)
    sources = [given.x] if wanted == "x" else getattr(given, wanted)
    for source in given.sources():
        source.requires_grad_(any(source is one for one in sources))
    output, final = fused.run(spec_of(mode, STRIDED), (0.0, 0.0), given.x, given.initial, (), given.parameters)
    found = torch.autograd.grad([output, *final], sources, given.slopes)
    first = {"x": 0, "initial": 1, "parameters": 1 + len(given.initial)}[wanted]
    assert all(torch.equal(gradient, whole[first + k]) for k, gradient in enumerate(found))


def subnormal_products():
    """How many of the elements that two threads compute are not flushed to zero."""
    return int(((torch.full((1 << 18,), 1e-30) * 1e-10).view(torch.int32) != 0).sum())


@pytest.mark.parametrize("flushed", [False, True])
def test_the_mode_of_each_thread_is_left_as_it_was(flushed):
    with n_threads(2):
        assert subnormal_products() == 1 << 18  # and both threads are there: new ones would inherit the mode
        torch.set_flush_denormal(flushed)  # in this thread, which computes one half
        try:
            before = subnormal_products()
            by_fused("LSTM", SHAPES["many-rows"], torch.float32)
            after = subnormal_products()
        finally:
            torch.set_flush_denormal(False)
    assert before == after == 1 << (17 if flushed else 18)


@THREADS
@MODES
def test_a_gradient_that_vanishes_is_zero_and_costs_no_accuracy(mode, threads):
    shape = Shape(300, 8, 3, 33)
    given = problem(mode, shape)
    given = given._replace(parameters=[0.3 * p for p in given.parameters], slopes=[given.slopes[0][-1]])
    now = given.to(torch.float32)
    output, _ = fused.run(spec_of(mode, shape), (0.0, 0.0), now.x, now.initial, (), now.parameters)
    dx, *ours = torch.autograd.grad(output[-1], now.sources(), now.slopes)
    with n_threads(1):
        now = given.to(torch.float64)
        states = tuple(part[0] for part in now.initial)
        output, _, _ = reference.run(spec_of(mode, shape).cell, now.x, states, Weights(*now.parameters))
        wanted_dx, *wanted = torch.autograd.grad(output[-1], now.sources(), now.slopes)
    assert dx.isfinite().all() and not dx[:100].any()
    normal = wanted_dx.abs().amax((1, 2)) > 1e-33
    assert normal[-20:].all() and not normal[:100].any()
    assert max(errors(dx[normal], wanted_dx[normal])) < 1e-4
    first = len(given.initial)
    assert not any(gradient.any() for gradient in ours[:first])
    assert max(errors(ours[first:], wanted[first:])) < 1e-4
