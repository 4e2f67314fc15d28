import pytest
import torch

from memorycell.data.batch import Batch
from memorycell.networks.heads.quantiles import QuantileHead

LEVELS = [(0.05, 0.25, 0.5, 0.75, 0.95), (0.1, 0.9), (0.5,), (0.9,), (0.01, 0.02, 0.98)]


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("point", ["squared", "absolute"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_fused_loss_and_its_gradient_are_those_of_the_plain_one(levels, point, weighted):
    generator = torch.Generator().manual_seed(1)
    head = QuantileHead(levels, point).double()
    raw = torch.randn(7, 3, 2, head.n_outputs, dtype=torch.float64, generator=generator, requires_grad=True)
    targets = torch.randn(7, 3, 2, dtype=torch.float64, generator=generator)
    weights = torch.rand(7, 3, 2, dtype=torch.float64, generator=generator) if weighted else None
    expected = head.plain_loss(raw, targets, weights).sum()
    total, count = head.loss(raw, Batch({}, targets=targets, weights=weights))
    torch.testing.assert_close(total, expected)
    assert float(count) == pytest.approx(42.0 if weights is None else float(weights.sum()))
    torch.testing.assert_close(*(torch.autograd.grad(3 * loss, raw)[0] for loss in (total, expected)))


@pytest.mark.parametrize("levels", LEVELS)
def test_quantiles_never_cross(levels):
    head = QuantileHead(levels)
    _, quantiles = head.predict(10 * torch.randn(500, head.n_outputs))
    assert quantiles.shape == (500, len(levels))
    assert (quantiles.diff(dim=-1) >= 0).all()


def test_initial_quantiles_are_those_of_a_normal():
    head = QuantileHead((0.05, 0.25, 0.5, 0.75, 0.95))
    point, quantiles = head.predict(head.initial_bias())
    torch.testing.assert_close(quantiles, 0.5 * torch.special.ndtri(head.levels), atol=1e-4, rtol=1e-4)
    assert point == 0


def test_minimising_the_loss_finds_the_mean_and_the_quantiles():
    torch.manual_seed(0)
    sample = torch.distributions.Exponential(1.0).sample((4000,))
    head = QuantileHead((0.1, 0.5, 0.9))
    raw = head.initial_bias().requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        total, count = head.loss(raw.expand(len(sample), -1), Batch({}, targets=sample))
        (total / count).backward()
        optimizer.step()
    point, quantiles = head.predict(raw.detach())
    assert point == pytest.approx(float(sample.mean()), abs=0.03)
    torch.testing.assert_close(quantiles, sample.quantile(head.levels), atol=0.06, rtol=0)


@pytest.mark.parametrize("levels", [(), (0.5, 0.1), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5)])
def test_levels_that_are_none_raise(levels):
    with pytest.raises(ValueError, match="increasing quantile levels between 0 and 1"):
        QuantileHead(levels)


def test_an_unknown_point_loss_raises():
    with pytest.raises(ValueError, match="'huber'"):
        QuantileHead((0.5,), "huber")
