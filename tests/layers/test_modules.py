"""The layers as torch modules: state_dicts, copies, dtypes, replaced parameters, first values, names."""

import copy
import io
import pickle

import pytest
import torch
from recurrent_cases import PLAIN, VARIANTS, excite, parts
from torch import nn
from torch.nn.utils import parametrizations, prune

from memorycell.layers import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")
X = torch.linspace(-1, 1, 60).view(5, 4, 3)


@pytest.mark.parametrize("case", PLAIN)
def test_state_dicts_travel_both_ways(case):
    ours, theirs, variant = PLAIN[case]
    kwargs = {"num_layers": 2, "bidirectional": True, **variant}
    a, b = ours(3, 5, **kwargs), theirs(3, 5, **kwargs)
    assert list(a.state_dict()) == list(b.state_dict())
    assert {k: v.shape for k, v in a.state_dict().items()} == {k: v.shape for k, v in b.state_dict().items()}
    assert [[w.shape for w in ws] for ws in a.all_weights] == [[w.shape for w in ws] for ws in b.all_weights]
    a.load_state_dict(b.state_dict(), strict=True)
    torch.testing.assert_close(a(X)[0], b(X)[0], rtol=1e-5, atol=1e-6)
    excite(a)
    b.load_state_dict(a.state_dict(), strict=True)
    torch.testing.assert_close(a(X)[0], b(X)[0], rtol=1e-5, atol=1e-6)
    assert a.flatten_parameters() is None


@pytest.mark.parametrize("case", VARIANTS)
def test_copies_compute_the_same(case):
    layer_type, variant = VARIANTS[case]
    layer = excite(layer_type(3, 5, 2, **variant)).eval()
    wanted = layer(X)[0]
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    fresh = layer_type(3, 5, 2, **variant).eval()
    fresh.load_state_dict(layer.state_dict())
    copies = [
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)),  # noqa: S301
        torch.load(file, weights_only=False),
        fresh,
    ]
    for other in copies:
        assert torch.equal(other(X)[0], wanted)
        excite(other)
        assert not torch.equal(other(X)[0], wanted)
    assert torch.equal(layer(X)[0], wanted)


@pytest.mark.parametrize("case", VARIANTS)
def test_double_and_back(case):
    layer_type, variant = VARIANTS[case]
    layer = excite(layer_type(3, 5, **variant)).eval()
    wanted = layer(X)[0]
    output = layer.double()(X.double())[0]
    assert output.dtype is torch.float64
    torch.testing.assert_close(output.float(), wanted)
    torch.testing.assert_close(layer.float()(X)[0], wanted)
    assert layer.to("meta")(X.to("meta"))[0].shape == wanted.shape


def replace_by_functional_call(layer):
    values = {name: 2 * value for name, value in layer.named_parameters()}
    return torch.func.functional_call(layer, values, (X,))[0], values


def replace_data_by_a_flat_buffer(layer):
    flat = torch.cat([2 * p.detach().flatten() for p in layer.parameters()])
    at = 0
    for parameter in layer.parameters():
        parameter.data = flat[at : at + parameter.numel()].view(parameter.shape)
        at += parameter.numel()
    return layer(X)[0], layer.state_dict()


def replace_parameters_in_another_order(layer):
    for name, value in reversed(list(layer.named_parameters())):
        delattr(layer, name)
        setattr(layer, name, nn.Parameter(2 * value.detach()))
    return layer(X)[0], layer.state_dict()


def replace_by_plain_tensors(layer):
    values = {name: 2 * value.detach() for name, value in layer.named_parameters()}
    for name, value in values.items():
        delattr(layer, name)
        setattr(layer, name, value)
    return layer(X)[0], values


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize(
    "replace",
    [
        replace_by_functional_call,
        replace_data_by_a_flat_buffer,
        replace_parameters_in_another_order,
        replace_by_plain_tensors,
    ],
)
def test_parameters_can_be_replaced(replace, backend):
    layer, wanted = LSTM(3, 5, 2, backend=backend), nn.LSTM(3, 5, 2)
    before = layer(X)[0]
    output, values = replace(layer)
    wanted.load_state_dict(values)
    torch.testing.assert_close(output, wanted(X)[0])
    assert not torch.allclose(output, before)


def test_parametrised_and_pruned_layers_go_on():
    layer = LSTM(3, 5)
    before = layer(X)[0]
    parametrizations.weight_norm(layer, "weight_hh_l0")
    torch.testing.assert_close(layer(X)[0], before)
    with torch.no_grad():
        layer.parametrizations.weight_hh_l0.original0.zero_()
    assert not torch.allclose(layer(X)[0], before)
    pruned, wanted = GRU(3, 5), nn.GRU(3, 5)
    prune.l1_unstructured(pruned, "weight_ih_l0", amount=0.5)
    assert (pruned.weight_ih_l0 == 0).sum() == 22  # of 45
    wanted.load_state_dict({name: getattr(pruned, name) for name in wanted.state_dict()})
    torch.testing.assert_close(pruned(X)[0], wanted(X)[0], rtol=1e-5, atol=1e-6)


def test_vmap_over_an_ensemble():
    layers = [GRU(3, 5, backend="reference") for _ in range(3)]
    stacked, _ = torch.func.stack_module_state(layers)
    outputs = torch.func.vmap(lambda values: torch.func.functional_call(layers[0], values, (X,))[0])(stacked)
    torch.testing.assert_close(outputs, torch.stack([layer(X)[0] for layer in layers]))


@pytest.mark.parametrize("layer_type", [LSTM, LSTMCell])
@pytest.mark.parametrize("coupled", [False, True])
def test_the_forget_bias_is_the_total_bias(layer_type, coupled):
    layer = layer_type(3, 5, forget_bias=1.5, coupled=coupled, peephole=False)
    values = layer.state_dict()
    suffix = "_l0" if layer_type is LSTM else ""
    total = values[f"bias_ih{suffix}"] + values[f"bias_hh{suffix}"]
    gate = total[:5] if coupled else total[5:10]
    assert torch.equal(gate, torch.full((5,), -1.5 if coupled else 1.5))
    state = None
    x = torch.zeros(1, 3)
    if layer_type is LSTM:
        with torch.no_grad():
            layer.weight_hh_l0.zero_()
        forget = layer.trace(x, state)["forget"]
        torch.testing.assert_close(forget, torch.full_like(forget, 1.5).sigmoid())


@pytest.mark.parametrize("layer_type", [LSTM, GRU])
def test_variants_leave_the_first_values_of_the_others_alone(layer_type):
    torch.manual_seed(0)
    plain = layer_type(3, 5, 2)
    torch.manual_seed(0)
    varied = layer_type(3, 5, 2, layer_norm=True, **({"peephole": True} if layer_type is LSTM else {}))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, varied.state_dict()[name])
    gains = {k: v for k, v in varied.state_dict().items() if k.endswith(("gain_l0", "gain_l1"))}
    assert len(gains) == (6 if layer_type is LSTM else 4) and all(bool((v == 1).all()) for v in gains.values())


def test_reset_parameters_repeats_the_constructor():
    torch.manual_seed(0)
    layer = LSTM(3, 5, peephole=True, forget_bias=1.0)
    first = copy.deepcopy(layer.state_dict())
    excite(layer)
    torch.manual_seed(0)
    layer.reset_parameters()
    torch.testing.assert_close(layer.state_dict(), first, rtol=0, atol=0)


def test_names_and_shapes_of_the_variants_parameters():
    layer = LSTM(3, 5, peephole=True, layer_norm=True)
    shapes = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    assert shapes == {
        "weight_ih_l0": (20, 3),
        "weight_hh_l0": (20, 5),
        "bias_ih_l0": (20,),
        "bias_hh_l0": (20,),
        "weight_ch_l0": (15,),
        "norm_ih_gain_l0": (20,),
        "norm_ih_bias_l0": (20,),
        "norm_hh_gain_l0": (20,),
        "norm_hh_bias_l0": (20,),
        "norm_ch_gain_l0": (5,),
        "norm_ch_bias_l0": (5,),
    }
    coupled = LSTM(3, 5, coupled=True, peephole=True)
    assert coupled.weight_ih_l0.shape == (15, 3) and coupled.weight_ch_l0.shape == (10,)
    assert "norm_ch_gain_l0" not in GRU(3, 5, layer_norm=True).state_dict()


REPRS = [
    (lambda m: m.LSTM(3, 5), "LSTM(3, 5)"),
    (
        lambda m: m.LSTM(3, 5, 2, False, True, 0.1, True, 4),
        "LSTM(3, 5, proj_size=4, num_layers=2, bias=False, batch_first=True, dropout=0.1, bidirectional=True)",
    ),
    (lambda m: m.GRUCell(3, 5, False), "GRUCell(3, 5, bias=False)"),
]


@pytest.mark.parametrize(("make", "text"), REPRS)
def test_the_repr_is_torchs(make, text):
    import memorycell.layers

    assert repr(make(memorycell.layers)) == text == repr(make(nn))


def test_the_repr_shows_variants():
    assert repr(LSTM(3, 5, zoneout=(0.1, 0.2), coupled=True)) == "LSTM(3, 5, coupled=True, zoneout=(0.1, 0.2))"
    assert repr(GRU(3, 5, reset_after=False, zoneout=0.5)) == "GRU(3, 5, reset_after=False, zoneout=0.5)"
    assert repr(RNN(3, 5, nonlinearity="relu")) == "RNN(3, 5, nonlinearity=relu)"
    assert repr(RNNCell(3, 5, layer_norm=True)) == "RNNCell(3, 5, layer_norm=True)"
    assert repr(GRUCell(3, 5, zoneout=0.5)) == "GRUCell(3, 5, zoneout=0.5)"


def test_compiled_layers_compute_the_same():
    layer = LSTM(3, 5, backend="reference")
    compiled = torch.compile(layer, backend="eager")
    torch.testing.assert_close(parts(compiled(X))[0], layer(X)[0])


def test_no_graph_in_evaluation_without_gradients():
    layer = LSTM(3, 5)
    with torch.no_grad():
        assert layer(X)[0].grad_fn is None
    layer.eval()
    x = X.clone().requires_grad_()
    layer(x)[0].sum().backward()
    assert x.grad.any()
