"""Dropout in the layers: statistics, seeds, and independence of the batch."""

import pytest
import torch

from memorycell.kernels.random import mask_stream
from memorycell.layers import GRU, LSTM, Dropout, VariationalDropout

NOISY = {
    "between": {"num_layers": 2, "dropout": 0.5},
    "recurrent": {"recurrent_dropout": 0.5},
    "zoneout": {"zoneout": 0.5},
    "weights": {"weight_dropout": 0.5},
}


@pytest.mark.parametrize("variant", NOISY.values(), ids=NOISY)
def test_manual_seed_governs_a_layer(variant):
    layer, x = GRU(3, 8, **variant), torch.randn(6, 4, 3)
    torch.manual_seed(1)
    first, second = layer(x)[0], layer(x)[0]
    torch.manual_seed(1)
    assert torch.equal(layer(x)[0], first) and torch.equal(layer(x)[0], second)
    assert not torch.equal(first, second)
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize("variant", NOISY.values(), ids=NOISY)
def test_a_row_s_masks_do_not_depend_on_its_batch(variant):
    layer, x = GRU(3, 8, bidirectional=True, **variant), torch.randn(6, 4, 3)
    with mask_stream(0, 5):
        whole = layer(x)[0]
    with mask_stream(0, 5, row_offset=1):
        part = layer(x[:, 1:3])[0]
    with mask_stream(0, 5):
        longer = layer(torch.cat([x, torch.zeros(4, 4, 3)]), lengths=[6, 6, 6, 6])[0]
    torch.testing.assert_close(part, whole[:, 1:3])
    torch.testing.assert_close(longer[:6], whole)
    state = torch.get_rng_state()
    with mask_stream(0, 6):
        other = layer(x)[0]
    assert not torch.allclose(other, whole) and torch.equal(state, torch.get_rng_state())


def test_dropout_between_layers_has_the_right_mean():
    torch.manual_seed(0)
    layer = LSTM(1, 4, 2, dropout=0.3)
    single = LSTM(1, 4)
    single.load_state_dict({k: v for k, v in layer.state_dict().items() if "l0" in k})
    seen = []
    layer.weight_ih_l1.data.copy_(torch.eye(16, 4))
    x = torch.randn(1, 4000, 1)
    first = single(x)[0][0]
    with torch.no_grad():
        layer.weight_hh_l1.zero_()
        layer.bias_ih_l1.zero_()
        layer.bias_hh_l1.zero_()
        seen = torch.logit(layer.trace(x)["input"][1, 0, :, 0])  # the first gate sees layer 0's masked output
    ratio = (seen / first).detach()
    dropped = ratio.abs() < 1e-3
    assert dropped.float().mean().item() == pytest.approx(0.3, abs=0.02)
    torch.testing.assert_close(ratio[~dropped], torch.full_like(ratio[~dropped], 1 / 0.7), rtol=1e-2, atol=1e-2)


def test_weight_dropout_is_one_mask_a_call_and_reaches_torchs_operators():
    torch.manual_seed(0)
    auto, reference = LSTM(3, 8, weight_dropout=0.5), LSTM(3, 8, weight_dropout=0.5, backend="reference")
    reference.load_state_dict(auto.state_dict())
    x = torch.randn(5, 2, 3)
    outputs = []
    for layer in (auto, reference):
        with mask_stream(0, 0):
            outputs.append(layer(x)[0])
        outputs[-1].sum().backward()
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(auto.weight_hh_l0.grad, reference.weight_hh_l0.grad)
    assert 0.3 < (auto.weight_hh_l0.grad == 0).float().mean() < 0.7


def test_variational_dropout_shares_its_mask_over_time():
    torch.manual_seed(0)
    x = torch.ones(64, 5, 32)
    y = VariationalDropout(0.25)(x)
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert (y == 0).float().mean().item() == pytest.approx(0.25, abs=0.05)
    torch.testing.assert_close(y[y != 0].unique(), torch.tensor([1 / 0.75]))
    torch.manual_seed(0)
    assert torch.equal(VariationalDropout(0.25, batch_first=False)(x.transpose(0, 1)).transpose(0, 1), y)


@pytest.mark.parametrize("module", [Dropout(0.4), VariationalDropout(0.4)])
def test_dropout_modules(module):
    x = torch.randn(4, 6, 8)
    with mask_stream(0, 0):
        whole = module(x)
    with mask_stream(0, 0, row_offset=2):
        assert torch.equal(module(x[2:]), whole[2:])
    assert torch.equal(module.eval()(x), x)
    assert module.train()(x[:0]).shape == (0, 6, 8)
    assert not type(module)(1.0)(x).any() and torch.equal(type(module)(0.0)(x), x)
    assert repr(module) == f"{type(module).__name__}(p=0.4)"
