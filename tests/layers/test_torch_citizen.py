"""The fused kernels within torch: compilers, transforms, modes, copies, and parts that want no gradient."""

import copy
import pickle

import pytest
import torch
from recurrent_cases import excite, parts
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.checkpoint import checkpoint

from memorycell.kernels.random import mask_stream
from memorycell.layers import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

CASES = {
    "LSTM": (LSTM, {"num_layers": 2, "bidirectional": True}),
    "LSTM-all": (LSTM, {"peephole": True, "coupled": True, "layer_norm": True, "zoneout": (0.1, 0.2), "proj_size": 2}),
    "GRU": (GRU, {"layer_norm": True, "batch_first": True}),
    "GRU-reset-before": (GRU, {"reset_after": False}),
    "RNN": (RNN, {"nonlinearity": "relu", "bias": False}),
}
pytestmark = [
    pytest.mark.library,
    # What torch.compile says to itself while it traces an autograd function.
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]
ALL = pytest.mark.parametrize("case", CASES)
X = torch.linspace(-1, 1, 24).view(4, 2, 3)


def build(case, **kwargs):
    torch.manual_seed(0)
    layer_type, variant = CASES[case]
    return excite(layer_type(3, 5, backend="cpp", **variant, **kwargs)).eval()


def gradients(layer, run, x):
    x = x.clone().requires_grad_()
    values = run(x)
    slopes = [torch.linspace(-1, 1, value.numel(), dtype=x.dtype).view(value.shape) for value in values]
    return [*values, *torch.autograd.grad(values, [x, *layer.parameters()], slopes)]


def flat(result):
    return [result[0], *parts(result[1])]


def same(found, wanted):
    return len(found) == len(wanted) and all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@ALL
def test_compile_is_one_graph_of_any_shape(case):
    torch._dynamo.reset()
    layer = build(case)
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend="aot_eager")
    for shape in ((4, 2, 3), (6, 5, 3), (9, 7, 3)):
        x = torch.randn(shape)
        found = gradients(layer, lambda x: flat(compiled(x)), x)
        assert same(found, gradients(layer, lambda x: flat(layer(x)), x))


@pytest.mark.parametrize("cell_type", [LSTMCell, GRUCell, RNNCell])
def test_compiled_steps(cell_type):
    torch._dynamo.reset()
    cell = cell_type(3, 5, backend="cpp")
    compiled = torch.compile(cell, fullgraph=True, backend="aot_eager")
    found = gradients(cell, lambda x: parts(compiled(x[0], compiled(x[1]))), X)
    assert same(found, gradients(cell, lambda x: parts(cell(x[0], cell(x[1]))), X))
    layer = LSTM(3, 5, backend="cpp")
    step = torch.compile(layer.step, fullgraph=True, backend="aot_eager")
    assert same(flat(step(X[0])), flat(layer.step(X[0])))


def test_compile_goes_round_what_depends_on_the_lengths():
    torch._dynamo.reset()
    layer = build("LSTM")
    compiled = torch.compile(lambda x, lengths: layer(x, lengths=lengths), backend="aot_eager")
    for lengths in ([4, 2], [0, 3]):
        found = gradients(layer, lambda x, n=lengths: flat(compiled(x, torch.tensor(n))), X)
        assert same(found, gradients(layer, lambda x, n=lengths: flat(layer(x, lengths=n)), X))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@ALL
def test_export_with_any_batch_and_time(case):
    layer = build(case)
    dims = {axis: torch.export.Dim(name, min=2, max=64) for axis, name in enumerate(("first", "second"))}
    program = torch.export.export(layer, (X,), dynamic_shapes={"x": dims})
    for shape in ((4, 2, 3), (7, 9, 3), (2, 2, 3)):
        x = torch.randn(shape)
        assert same(flat(program.module()(x)), flat(layer(x)))
    with pytest.raises(Exception, match="3"):
        program.module()(torch.randn(4, 2, 8))


class Seen(TorchDispatchMode):
    """The calls of our operators."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "memorycell":
            self.calls.append((func, args))
        return func(*args, **(kwargs or {}))


@ALL
def test_the_operators_are_what_torch_expects(case):
    layer = build(case)
    layer.recurrent_dropout = 0.3
    for training, lengths in ((False, None), (True, [4, 1])):
        layer.train(training)
        x = torch.randn(2, 4, 3) if layer.batch_first else torch.randn(4, 2, 3)
        with Seen() as seen:
            gradients(layer, lambda x, n=lengths: flat(layer(x, lengths=n)), x)
        assert [func._opname for func, _ in seen.calls] == ["forward", "backward"]
        for func, args in seen.calls:
            args = tree_map_only(torch.Tensor, torch.Tensor.detach, args)
            assert set(torch.library.opcheck(func, args).values()) == {"SUCCESS"}


def values_of(layer):
    return {name: value.detach() for name, value in layer.named_parameters()}


@ALL
def test_gradients_of_each_sample_by_vmap(case):
    layer, xs = build(case), torch.randn(3, 4, 2, 3)

    def loss(values, x):
        return sum(value.square().sum() for value in flat(torch.func.functional_call(layer, values, (x,))))

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(values_of(layer), xs)
    for k, x in enumerate(xs):
        layer.zero_grad()
        loss(dict(layer.named_parameters()), x).backward()
        for name, parameter in layer.named_parameters():
            assert torch.equal(found[name][k], parameter.grad)


@ALL
def test_an_ensemble_by_vmap(case):
    layers = [build(case) for _ in range(3)]
    for layer in layers:
        excite(layer)
    values, _ = torch.func.stack_module_state(layers)
    found = torch.func.vmap(lambda one: torch.func.functional_call(layers[0], one, (X,))[0])(values)
    assert torch.equal(found, torch.stack([layer(X)[0] for layer in layers]))


@ALL
def test_second_derivatives(case):
    layer = build(case, dtype=torch.float64)
    truth = copy.deepcopy(layer)
    truth.backend = "reference"

    def penalty(layer):
        return lambda x: torch.func.grad(lambda x: layer(x)[0].square().sum())(x).square().sum()

    def output(layer):
        return lambda x: layer(x)[0]

    for derive in (
        lambda layer: torch.func.grad(penalty(layer)),
        lambda layer: torch.func.jacrev(output(layer)),
        lambda layer: lambda x: torch.autograd.functional.jacobian(output(layer), x),
        lambda layer: lambda x: torch.autograd.functional.hessian(lambda x: layer(x)[0].sum(), x),
    ):
        torch.testing.assert_close(derive(layer)(X.double()), derive(truth)(X.double()))


def test_higher_derivatives_of_layers_that_share_weights():
    layer, found = GRU(3, 3, dtype=torch.float64), []
    x = X.double().requires_grad_()
    for layer.backend in ("cpp", "reference"):
        sources = [x, *layer.parameters()]
        first = torch.autograd.grad(layer(*layer(x))[0].square().sum(), sources, create_graph=True)
        second = torch.autograd.grad(sum(slope.square().sum() for slope in first), sources, create_graph=True)
        found.append([*first, *second, *torch.autograd.grad(second[0].square().sum(), sources)])
    torch.testing.assert_close(*found)


@ALL
def test_a_graph_of_the_gradients_changes_no_bit_of_them(case):
    layer = build(case)
    x = X.clone().requires_grad_()
    sources = [x, *layer.parameters()]
    graphs = (torch.autograd.grad(layer(x)[0].square().sum(), sources, create_graph=keep) for keep in (True, False))
    assert same(*graphs)


@ALL
def test_autocast_leaves_the_arithmetic_alone(case):
    layer = build(case)
    with torch.autocast("cpu", torch.bfloat16):
        output, state = layer(X)
        from_half, _ = layer(X.bfloat16())
        output.sum().backward()
    assert output.dtype is torch.float32 and same([output, *parts(state)], flat(layer(X)))
    assert torch.equal(from_half, layer(X.bfloat16().float())[0])
    assert all(p.grad.dtype is torch.float32 for p in layer.parameters())


@ALL
def test_inference_mode(case):
    layer = build(case)
    with torch.inference_mode():
        output, state = layer(X)
    assert output.is_inference() and same([output, *parts(state)], flat(layer(X)))


@ALL
def test_copies_and_checkpoints(case):
    layer = build(case)
    wanted = gradients(layer, lambda x: flat(layer(x)), X)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301
        assert other.backend == "cpp" and same(gradients(other, lambda x, f=other: flat(f(x)), X), wanted)
    again = gradients(layer, lambda x: flat(checkpoint(layer, x, use_reentrant=False)), X)
    assert same(again, wanted)
    with torch.autograd.graph.save_on_cpu():
        assert same(gradients(layer, lambda x: flat(layer(x)), X), wanted)


@pytest.mark.parametrize("wanted", ["x", "h", "c", "weight_ih_l0", "bias_hh_l1_reverse", "nothing"])
def test_only_some_want_a_gradient(wanted):
    layer = build("LSTM").requires_grad_(False)
    x, state = X.clone(), tuple(torch.linspace(-1, 1, 40).view(4, 2, 5) * k for k in (1, -1))
    sources = {"x": x, "h": state[0], "c": state[1], **dict(layer.named_parameters())}
    whole = {name: source.detach().clone().requires_grad_() for name, source in sources.items()}
    values = {name: whole[name] for name, _ in layer.named_parameters()}
    torch.func.functional_call(layer, values, (whole["x"], (whole["h"], whole["c"])))[0].sum().backward()
    if wanted != "nothing":
        sources[wanted].requires_grad_()
    output, _ = layer(x, state)
    assert output.requires_grad == (wanted != "nothing")
    if output.requires_grad:
        output.sum().backward()
    for name, source in sources.items():
        assert (source.grad is not None) == (name == wanted)
        assert source.grad is None or torch.equal(source.grad, whole[name].grad)


def test_hooks_see_the_gradients():
    layer, seen = build("LSTM"), []
    layer.weight_hh_l0.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone()))
    output, _ = layer(X)
    output.register_hook(lambda slope: 2 * slope)
    output.sum().backward()
    doubled = layer.weight_hh_l0.grad
    layer.zero_grad()
    layer(X)[0].sum().backward()
    assert torch.equal(seen[0], doubled) and torch.equal(doubled, 2 * layer.weight_hh_l0.grad)


def test_a_conjugate_s_imaginary_part():
    """A lazily negated view, going in and coming back."""
    layer, z = GRU(3, 3, backend="cpp"), torch.randn(4, 2, 3, dtype=torch.complex64)
    x = z.conj().imag
    assert x.is_neg() and torch.equal(layer(x)[0], layer(x.clone())[0])
    output, _ = layer(X)
    layer.zero_grad()
    output.backward(x, retain_graph=True)
    found = layer.weight_hh_l0.grad.clone()
    layer.zero_grad()
    output.backward(x.resolve_neg())
    assert torch.equal(found, layer.weight_hh_l0.grad)


def test_shapes_without_numbers():
    layer = LSTM(3, 5, 2, bidirectional=True, device="meta")
    output, (h, c) = layer(X.to("meta"))
    assert output.shape == (4, 2, 10) and h.shape == c.shape == (4, 2, 5)
    with torch._subclasses.FakeTensorMode():
        fake = LSTM(3, 5, backend="cpp")
        output, _ = fake(torch.randn(4, 2, 3))
        output.sum().backward()
    assert output.shape == (4, 2, 5) and fake.weight_hh_l0.grad.shape == (20, 5)


def test_masks_are_the_stream_s_within_checkpoints():
    layer = LSTM(3, 5, recurrent_dropout=0.5, backend="cpp")
    with mask_stream(3, 4):
        wanted = layer(X)[0]
    with mask_stream(3, 4):
        assert torch.equal(layer(X)[0], wanted)
    assert not torch.equal(layer(X)[0], wanted)
