"""Whoever looks on (tracers, transforms, modes, lazy tensors) gets the operator or torch's own, or a sentence.

The short way to the kernels is for nobody's eyes; each of those below would be silently told nothing by it.
"""

import io

import pytest
import torch
from recurrent_cases import excite, parts
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.autograd.functional import jacobian
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from memorycell.layers import GRU, LSTM, RNN, Dropout, GRUCell, LSTMCell, to_torch
from memorycell.layers.linear import Linear

pytestmark = [
    pytest.mark.library,
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),  # pytest forgets the filter that the package sets
    pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*is not supported in Python 3.14:DeprecationWarning"),
]
LAYERS = {
    "LSTM": lambda **kind: LSTM(3, 5, 2, bidirectional=True, batch_first=True, **kind),
    "GRU": lambda **kind: GRU(3, 5, batch_first=True, **kind),
    "RNN": lambda **kind: RNN(3, 5, batch_first=True, **kind),
    "LSTM-variant": lambda **kind: LSTM(3, 5, batch_first=True, peephole=True, layer_norm=True, proj_size=2, **kind),
}
X = torch.linspace(-1, 1, 24).view(2, 4, 3)
ANY = pytest.mark.parametrize("kind", LAYERS)
TORCH_HAS = pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])


def build(kind, **more):
    torch.manual_seed(0)
    return excite(LAYERS[kind](**more)).eval()


def values(result):
    return [result[0], *parts(result[1])]


def close(found, wanted):
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=2e-6, rtol=2e-5)


class Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen = [*getattr(self, "seen", []), str(func)]
        return func(*args, **(kwargs or {}))


class Called(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen = [*getattr(self, "seen", []), str(func)]
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("grad", [False, True])
@TORCH_HAS
def test_torch_jit_trace(kind, grad):
    layer = build(kind)
    with torch.set_grad_enabled(grad):
        traced = torch.jit.trace(layer, (X,), check_trace=False)
    kept = io.BytesIO()
    torch.jit.save(traced, kept)
    kept.seek(0)
    other = torch.linspace(1, -2, 3 * 7 * 3).view(3, 7, 3)  # another batch, and more steps
    for each in (traced, torch.jit.load(kept)):
        close(values(each(other)), values(layer(other)))


def test_torch_jit_trace_refuses_what_it_would_freeze():
    with pytest.raises(ValueError, match=r"peepholes.*torch\.export"):
        torch.jit.trace(build("LSTM-variant"), (X,), check_trace=False)
    layer = build("LSTM")
    with pytest.raises(ValueError, match=r"lengths.*torch\.export"):
        torch.jit.trace(lambda x: layer(x, lengths=[4, 2])[0], (X,), check_trace=False)
    for written_out in (GRU(3, 5, backend="reference"), GRU(3, 5, recurrent_dropout=0.5)):
        with pytest.raises(ValueError, match=r"write out the loop.*torch\.export"):
            torch.jit.trace(written_out, (X,), check_trace=False)
    with pytest.raises(ValueError, match="stream"):
        torch.jit.trace(GRU(3, 5).stream(2).step, (X[:, 0],), check_trace=False)


def test_torch_jit_trace_draws_anew():
    traced = torch.jit.trace(Dropout(0.5), (torch.ones(8, 64),), check_trace=False)
    first, second = traced(torch.ones(8, 64)), traced(torch.ones(8, 64))
    assert set(first.unique().tolist()) == {0.0, 2.0} and not torch.equal(first, second)


@TORCH_HAS
def test_torch_jit_script_compiles_torch_s_own(kind):
    model = torch.nn.ModuleDict({"layer": build(kind)})
    wanted = values(model["layer"](X))
    layer = to_torch(model)["layer"]
    assert type(layer).__module__ == "torch.nn.modules.rnn" and layer is model["layer"]
    close(values(layer(X)), wanted)
    scripted = torch.jit.script(Holder(build(kind)))
    close([scripted(X)], wanted[:1])


class Holder(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.layer(x)
        return y


def test_torch_jit_script_says_what_torch_has_not():
    with pytest.raises(ValueError, match="peepholes"):
        torch.jit.script(Holder(build("LSTM-variant")))


@ANY
def test_fx_takes_a_layer_for_a_leaf(kind):
    model = Holder(build(kind))
    graph = torch.fx.symbolic_trace(model)
    assert [node.target for node in graph.graph.nodes if node.op == "call_module"] == ["layer"]
    torch.testing.assert_close(graph(X), model(X))
    with pytest.raises(TypeError, match="trace the model"):
        torch.fx.symbolic_trace(model.layer)


@ANY
def test_make_fx(kind):
    layer = build(kind)
    with torch.no_grad():
        graph = make_fx(lambda x: layer(x)[0])(X)
        torch.testing.assert_close(graph(X + 1), layer(X + 1)[0])


@pytest.mark.parametrize("mode", [Dispatched, Called])
@ANY
def test_modes_see_the_operator(kind, mode):
    layer = build(kind)
    wanted = values(layer(X))
    with torch.no_grad(), mode() as seen:
        found = values(layer(X))
    close(found, wanted)
    assert any("memorycell" in name or "forward" in name for name in seen.seen)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_device_for_all_that_is_made_changes_nothing(device):
    layer = build("LSTM")
    with torch.no_grad(), torch.device(device):
        close(values(layer(X)), values(layer(X.clone())))


@ANY
def test_fake_and_meta_tensors(kind):
    layer = build(kind)
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True) as mode:
        found = values(layer(mode.from_tensor(X)))
        dropped = Dropout(0.5)(mode.from_tensor(X))
    wanted = values(layer(X))
    assert [each.shape for each in found] == [each.shape for each in wanted] and dropped.shape == X.shape
    on_meta = values(layer.to("meta")(X.to("meta")))
    assert [(each.shape, each.device.type) for each in on_meta] == [(each.shape, "meta") for each in wanted]


def test_a_stream_under_a_mode_says_so():
    stream = LSTM(3, 5).stream()
    with FakeTensorMode(allow_non_fake_inputs=True), pytest.raises(ValueError, match="stream"):
        stream.step(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="stream"):
        torch.vmap(stream.step)(torch.zeros(2, 1, 3))


@pytest.mark.parametrize("make", [
    lambda: torch._efficientzerotensor(X.shape),
    lambda: torch._neg_view(X),
    lambda: torch.view_as_complex(torch.stack([X, X], -1)).conj().imag,
    lambda: X.as_subclass(type("Sub", (torch.Tensor,), {})),
    lambda: X.transpose(1, 2).contiguous().transpose(1, 2),
    lambda: X[:1].expand(2, -1, -1),
], ids=["zeros", "negative", "conjugate", "subclass", "strides", "expanded"])  # fmt: skip
@pytest.mark.parametrize("grad", [False, True])
def test_lazy_and_strange_tensors(make, grad):
    layer, x = build("LSTM"), make()
    with torch.set_grad_enabled(grad):
        plain = torch.zeros(X.shape) if x._is_zerotensor() else torch.tensor(x.tolist())
        close(values(layer(x)), values(layer(plain)))


def test_zeros_that_were_never_made_as_state_and_gradient():
    layer = build("GRU")
    state = torch._efficientzerotensor((1, 2, 5))
    close(values(layer(X, state)), values(layer(X)))
    x = X.clone().requires_grad_()
    found = torch.autograd.grad(layer(x)[0], [x, *layer.parameters()], torch._efficientzerotensor((2, 4, 5)))
    assert not any(each.abs().any() for each in found)


def test_numbers_that_are_nowhere():
    layer = build("LSTM")
    layer.weight_hh_l0.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match=r"numbers are in memory.*freed"):
        layer(X)
    empty = torch.empty_like(X)
    empty.untyped_storage().resize_(0)
    for layer in (GRU(3, 5), RNN(3, 5)):
        with pytest.raises(ValueError, match="numbers are in memory"), torch.no_grad():
            layer(empty)
    with pytest.raises(ValueError, match="numbers are in memory"):
        GRU(3, 5).stream(8).step(empty.flatten(0, 1))


def reference_of(kind):
    layer = build(kind, backend="reference")
    return layer, build(kind)


@ANY
def test_forward_mode(kind):
    """No derivative of the kernels: the reference, which torch differentiates in any direction."""
    by_torch, layer = reference_of(kind)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            wanted = torch.func.jvp(lambda x: by_torch(x)[0], (X,), (X * 2,))
            close(torch.func.jvp(lambda x: layer(x)[0], (X,), (X * 2,)), wanted)
            with forward_ad.dual_level():
                close(forward_ad.unpack_dual(layer(forward_ad.make_dual(X, X * 2))[0]), wanted)


def test_a_record_of_the_gates_keeps_its_derivative():
    layer, by_torch = build("GRU"), build("GRU", backend="reference")
    with torch.no_grad():
        found = torch.func.jvp(lambda x: layer.trace(x)["hidden"], (X,), (X * 2,))
        close(found, torch.func.jvp(lambda x: by_torch.trace(x)["hidden"], (X,), (X * 2,)))


@ANY
def test_jacobians_and_hessians(kind):
    by_torch, layer = reference_of(kind)
    x = X[:1, :2]

    def summed(of):
        return lambda x: of(x)[0].sum((0, 1))

    wanted = torch.func.jacrev(summed(by_torch))(x)
    close([torch.func.jacfwd(summed(layer))(x), torch.func.jacrev(summed(layer))(x)], [wanted] * 2)
    for strategy in ("reverse-mode", "forward-mode"):
        close([jacobian(summed(layer), x, vectorize=True, strategy=strategy)], [wanted])
    hessian = torch.func.hessian(lambda x: by_torch(x)[0].square().sum())(x)
    close([torch.func.hessian(lambda x: layer(x)[0].square().sum())(x)], [hessian])


@ANY
def test_batched_gradients(kind):
    """`is_grads_batched` uses the older of torch's two vmaps."""
    by_torch, layer = reference_of(kind)
    found = []
    for each in (by_torch, layer):
        x = X.clone().requires_grad_()
        y = each(x)[0]
        several = torch.stack([torch.ones_like(y), y.detach()])
        slopes = torch.autograd.grad(y, [x, *each.parameters()], several, is_grads_batched=True, create_graph=True)
        again = torch.autograd.grad(slopes[0].sum(0), x, torch.stack([X, X + 1]), is_grads_batched=True)
        found.append([*slopes, *again])
    close(found[1], found[0])


@pytest.mark.parametrize("cell_type", [LSTMCell, GRUCell])
def test_cells_too(cell_type):
    torch.manual_seed(0)
    cell = cell_type(3, 5)
    by_torch = cell_type(3, 5, backend="reference")
    by_torch.load_state_dict(cell.state_dict())
    x = X[0]
    wanted = torch.func.jacfwd(lambda x: parts(by_torch(x))[0])(x)
    close([torch.func.jacfwd(lambda x: parts(cell(x))[0])(x)], [wanted])
    close([jacobian(lambda x: parts(cell(x))[0], x, vectorize=True)], [wanted])
    with torch.no_grad():
        close(parts(torch.jit.trace(cell, (x,), check_trace=False)(x + 1)), parts(cell(x + 1)))


@ANY
def test_both_vmaps_and_functionalize(kind):
    layer = build(kind)
    several = torch.stack([X, X * 2, X - 1])
    wanted = torch.stack([layer(x)[0] for x in several])
    torch.testing.assert_close(torch.vmap(lambda x: layer(x)[0])(several), wanted)
    with torch.no_grad():
        torch.testing.assert_close(torch._vmap_internals._vmap(lambda x: layer(x)[0])(several), wanted)
    close([torch.func.functionalize(lambda x: layer(x)[0])(X)], [layer(X)[0]])
    slope = torch.func.grad(torch.func.functionalize(lambda x: layer(x)[0].sum()))(X)
    close([slope], [torch.func.grad(lambda x: layer(x)[0].sum())(X)])


def test_nested_levels_of_the_older_vmap():
    layer = build("GRU")
    several = torch.linspace(-1, 1, 3 * 2 * X.numel()).view(3, 2, *X.shape)
    vmap = torch._vmap_internals._vmap
    with torch.no_grad():
        found = vmap(vmap(lambda x: layer(x)[0]))(several)
        beside = vmap(lambda x: vmap(lambda h: layer(x, h)[0])(torch.ones(4, 1, 2, 5)))(several[:, 0])
        wanted = torch.stack([torch.stack([layer(x)[0] for x in row]) for row in several])
    torch.testing.assert_close(found, wanted)
    assert beside.shape == (3, 4, 2, 4, 5)
    torch.testing.assert_close(beside[1, 2], layer(several[1, 0], torch.ones(1, 2, 5))[0].detach())


def test_our_linear_layer_keeps_its_derivative():
    layer, x = Linear(3, 20), X[0]
    with torch.no_grad():
        _, slope = torch.func.jvp(layer, (x,), (torch.ones_like(x),))
    torch.testing.assert_close(slope, torch.ones_like(x) @ layer.weight.T)
