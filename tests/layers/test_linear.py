import pytest
import torch
from torch import nn

from memorycell.kernels import native
from memorycell.layers.linear import Linear, row_stable_product
from memorycell.training import using_threads


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(7, 1), (100, 3), (64, 9), (300, 20), (33, 300)])
def test_a_row_has_the_same_bits_alone_and_in_any_batch(shape, dtype):
    torch.manual_seed(0)
    layer = Linear(*shape, dtype=dtype)
    x = torch.randn(130, shape[0], dtype=dtype)
    with torch.no_grad(), using_threads(1):
        whole = layer(x)
        for first, count in [(0, 1), (5, 1), (3, 2), (1, 17), (64, 66), (129, 1)]:
            assert torch.equal(layer(x[first : first + count]), whole[first : first + count])
    with torch.no_grad(), using_threads(2):
        assert torch.equal(layer(x), whole)
    torch.testing.assert_close(whole, layer(x).detach())  # with gradients it is torch's product


def test_without_kernels_rows_are_the_same_too(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)
    x, weight = torch.randn(40, 50), torch.randn(30, 50)
    whole = row_stable_product(x, weight)
    torch.testing.assert_close(whole, x @ weight.T)
    assert torch.equal(row_stable_product(x[3:4], weight), whole[3:4])


def test_other_shapes_and_values():
    layer = Linear(5, 12)
    with torch.no_grad():
        assert layer(torch.zeros(0, 5)).shape == (0, 12)
        assert torch.equal(layer(torch.zeros(2, 3, 5)), layer.bias.expand(2, 3, 12))
        assert layer(torch.full((1, 5), torch.nan)).isnan().all()
        assert layer(torch.ones(5)).shape == (12,)


def test_state_and_first_values_are_those_of_torch():
    torch.manual_seed(1)
    ours = Linear(4, 3)
    torch.manual_seed(1)
    theirs = nn.Linear(4, 3)
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True))
