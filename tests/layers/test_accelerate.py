"""accelerate: somebody's model keeps its parameters, optimiser, hooks, ties and flags."""

import copy
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from memorycell.layers import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell, accelerate

SWAPS = {
    "LSTM": (nn.LSTM(3, 4, 2, dropout=0.2, bidirectional=True, batch_first=True, proj_size=2), LSTM),
    "GRU": (nn.GRU(3, 4, bias=False), GRU),
    "RNN": (nn.RNN(3, 4, nonlinearity="relu"), RNN),
    "LSTMCell": (nn.LSTMCell(3, 4), LSTMCell),
    "GRUCell": (nn.GRUCell(3, 4, bias=False), GRUCell),
    "RNNCell": (nn.RNNCell(3, 4, nonlinearity="relu"), RNNCell),
}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
        self.rnn = nn.LSTM(3, 4, batch_first=True)
        self.cells = nn.ModuleList([nn.GRUCell(4, 4)])
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        h = self.rnn(self.body(x))[0][:, -1]
        return self.head(self.cells[0](h))


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("case", SWAPS)
def test_a_layer_itself(case):
    theirs, kind = SWAPS[case]
    theirs = copy.deepcopy(theirs).double().eval()
    named = dict(theirs.named_parameters())
    named["weight_hh_l0" if "weight_hh_l0" in named else "weight_hh"].requires_grad_(False)
    generator = torch.get_rng_state()
    ours = accelerate(theirs)
    assert type(ours) is kind and not ours.training
    assert repr(ours) == repr(theirs) or kind is RNN  # torch's does not show its nonlinearity
    assert all(value is named[name] for name, value in ours.named_parameters()) and len(named) > 0
    assert torch.equal(generator, torch.get_rng_state())
    x = torch.randn(2, 3, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x))


def test_an_optimiser_goes_on():
    torch.manual_seed(0)
    plain = Model()
    swapped = copy.deepcopy(plain)
    x, y = torch.randn(8, 5, 3), torch.randn(8, 1)
    optimisers = [torch.optim.Adam(model.parameters(), lr=0.01) for model in (plain, swapped)]
    for step in range(6):
        if step == 3:
            assert accelerate(swapped) is swapped
            assert type(swapped.rnn) is LSTM and type(swapped.cells[0]) is GRUCell
        for model, optimiser in zip((plain, swapped), optimisers, strict=True):
            optimiser.zero_grad()
            ((model(x) - y) ** 2).mean().backward()
            optimiser.step()
    torch.testing.assert_close(swapped.state_dict(), plain.state_dict())
    plain.load_state_dict(swapped.state_dict(), strict=True)


def test_ties_stay_ties():
    layer = nn.GRU(3, 3)
    model = nn.ModuleDict({"a": layer, "b": layer, "c": nn.GRU(3, 3), "d": nn.Sequential(layer)})
    model["c"].weight_ih_l0 = layer.weight_ih_l0
    accelerate(model)
    assert model["a"] is model["b"] is model["d"][0] and type(model["a"]) is GRU
    assert model["c"].weight_ih_l0 is model["a"].weight_ih_l0
    assert len(list(model.parameters())) == 7


def test_hooks_buffers_and_attributes_come_along():
    layer, seen = nn.LSTM(3, 4), []
    forward = layer.register_forward_hook(lambda m, args, out: seen.append(("forward", m)))
    before = layer.register_forward_pre_hook(
        lambda m, args, kwargs: seen.append(("before", kwargs)) and None, with_kwargs=True
    )
    layer.register_full_backward_hook(lambda m, gi, go: seen.append(("backward", m)) and None)
    layer.register_load_state_dict_pre_hook(lambda m, *rest: seen.append(("load", m)))
    layer.register_buffer("mean", torch.ones(3))
    layer.note = "mine"
    model = accelerate(nn.Sequential(layer))
    ours, gone = model[0], weakref.ref(layer)
    del layer
    assert gone() is None, "the old layer is kept alive"
    ours(torch.randn(2, 1, 3, requires_grad=True), hx=None)[0].sum().backward()
    ours.load_state_dict(ours.state_dict())
    assert [name for name, _ in seen] == ["before", "forward", "backward", "load"]
    assert all(what is ours for name, what in seen if name != "before") and seen[0][1] == {"hx": None}
    assert "mean" in ours.state_dict() and ours.note == "mine"
    forward.remove()
    before.remove()
    ours(torch.randn(2, 1, 3))
    assert len(seen) == 4


class Own(nn.LSTM):
    pass


def weight_normed():
    return parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")


def pruned():
    return prune.l1_unstructured(nn.LSTM(3, 4), "weight_hh_l0", amount=0.5)


LEFT = {
    "subclass": (lambda: Own(3, 4), "Own is a subclass"),
    "parametrised": (weight_normed, "it is parametrised"),
    "pruned": (pruned, "its parameters are not the usual ones"),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_cannot_be_swapped_is_left_with_a_warning(case):
    make, why = LEFT[case]
    model = nn.Sequential(make(), nn.GRU(4, 4))
    layer = model[0]
    with pytest.warns(UserWarning, match=rf"accelerate left 0 as it is: {why}"):
        accelerate(model)
    assert model[0] is layer and type(model[1]) is GRU
    with pytest.warns(UserWarning, match="accelerate left the layer as it is"):
        assert accelerate(layer) is layer


def test_a_model_without_recurrent_layers_and_one_accelerated_twice():
    model = nn.Linear(2, 2)
    assert accelerate(model) is model
    model = accelerate(nn.Sequential(nn.LSTM(3, 4)))
    ours = model[0]
    assert accelerate(model)[0] is ours
