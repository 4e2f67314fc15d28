import pytest
import torch

from memorycell.networks.pooling import KINDS, Pooling
from memorycell.training import using_threads

LENGTHS = torch.tensor([6, 1, 4, 0])


@pytest.fixture(autouse=True)
def one_thread():
    """So small products are only slower with a team."""
    with using_threads(1):
        yield


def features(width=10):
    """Noise also beyond the ends: pooling must not rely on zeros."""
    return torch.randn(4, 6, width, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("recording", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_each_kind_is_what_its_definition_says(bidirectional, recording):
    x, half = features(), 5 if bidirectional else 10
    pooling = Pooling(10, KINDS, bidirectional)
    with torch.set_grad_enabled(recording):
        found = dict(zip(KINDS, pooling(x, LENGTHS).detach().split(10, dim=1), strict=True))
        shares = pooling.attention(x, LENGTHS).detach()
    for row, length in enumerate(LENGTHS.tolist()):
        own = x[row, :length]
        if not length:
            assert all((value[row] == 0).all() for value in found.values())
            assert (shares[row] == 0).all()
            continue
        with torch.no_grad():
            scores = torch.tanh(own @ pooling.project.weight.T + pooling.project.bias) @ pooling.context
        expected = {
            "last": torch.cat([own[-1, :half], own[0, half:]]),
            "mean": own.mean(0),
            "max": own.amax(0),
            "attention": scores.softmax(0) @ own,
        }
        for kind in KINDS:
            torch.testing.assert_close(found[kind][row], expected[kind], msg=kind)
        torch.testing.assert_close(shares[row, :length], scores.softmax(0))
        assert (shares[row, length:] == 0).all()


def test_without_lengths_all_steps_count():
    x, pooling = features(), Pooling(10, bidirectional=True)
    torch.testing.assert_close(pooling(x), pooling(x, torch.full((4,), 6)))


@pytest.mark.parametrize("kinds", [KINDS, ("max",), ("attention", "last"), ("mean",)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_fused_pooling_and_its_gradients_are_those_of_the_plain_one(kinds, bidirectional):
    torch.manual_seed(0)
    pooling = Pooling(10, kinds, bidirectional).double()
    x = features().double().requires_grad_()
    wanted = torch.randn(4, pooling.width, dtype=torch.float64)
    given = [x, *pooling.parameters()]
    fused, plain = pooling(x, LENGTHS), pooling.plain(x, LENGTHS)
    torch.testing.assert_close(fused, plain)
    pairs = zip(*(torch.autograd.grad(pooled, given, wanted) for pooled in (fused, plain)), strict=True)
    for found, expected in pairs:
        torch.testing.assert_close(found, expected)


def test_the_gradient_of_the_greatest_goes_to_one_step():
    x = torch.tensor([[[2.0], [5.0], [5.0], [0.0]], [[0.0], [0.0], [7.0], [7.0]]], requires_grad=True)
    Pooling(1, ("max",))(x, torch.tensor([3, 2])).sum().backward()
    assert x.grad.squeeze(-1).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]


def test_gradients_stay_within_the_rows():
    x = features(4).double().requires_grad_()
    pooling = Pooling(4, bidirectional=True).double()
    (gradient,) = torch.autograd.grad(pooling(x, LENGTHS).sum(), x)
    for row, length in enumerate(LENGTHS.tolist()):
        assert (gradient[row, length:] == 0).all()
        assert not length or (gradient[row, :length] != 0).any()
    assert torch.autograd.gradcheck(lambda x: pooling(x, LENGTHS), x)


def test_a_row_has_the_same_bits_whatever_is_beside_it_and_when_it_runs_along():
    pooling = Pooling(10).eval()
    x = features()
    with torch.no_grad():
        whole = pooling(x, LENGTHS)
        for row in range(3):
            length = int(LENGTHS[row])
            own = x[row : row + 1, :length]
            assert torch.equal(pooling(own), whole[row : row + 1])
            state = pooling.init_state(1, x)
            for step in own.unbind(1):
                pooled, state = pooling.step(step, state)
            assert torch.equal(pooled, whole[row : row + 1])


def test_scores_beyond_all_measure_give_numbers():
    pooling = Pooling(4, ("attention",))
    with torch.no_grad():
        pooling.context.fill_(1e4)
        x = torch.tensor([[[1.0] * 4, [-1.0] * 4]])
        assert pooling(x).isfinite().all()
        pooling.context.fill_(-1e4)
        assert pooling(x).isfinite().all()


@pytest.mark.parametrize("kinds", [(), ("last", "last"), ("median",)])
def test_kinds_that_make_no_sense_raise(kinds):
    with pytest.raises(ValueError, match="one or more of last, mean, max, attention"):
        Pooling(4, kinds)


def test_both_directions_do_not_run_along():
    pooling = Pooling(4, bidirectional=True)
    with pytest.raises(ValueError, match="one direction"):
        pooling.step(torch.zeros(1, 4), pooling.init_state(1, torch.zeros(1)))
