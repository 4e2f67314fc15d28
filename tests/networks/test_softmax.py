import pytest
import torch
from torch.nn import functional

from memorycell.networks.heads import softmax
from memorycell.networks.heads.softmax import linear_cross_entropy, linear_log_softmax


@pytest.fixture(params=[35, 8_000_000], ids=["in chunks", "at once"])
def room(request, monkeypatch):
    """Scores that are held at a time: of 11 classes, 3 rows or all."""
    monkeypatch.setattr(softmax, "_SCORES", request.param)


def problem(dtype=torch.float64, rows=13, width=5, classes=11, bias=True, scale=1.0):
    generator = torch.Generator().manual_seed(3)
    shapes = [(rows, width), (classes, width), *([(classes,)] if bias else [])]
    values = [scale * torch.randn(*shape, dtype=dtype, generator=generator) for shape in shapes]
    targets = torch.randint(0, classes, (rows,), generator=generator)
    weights = torch.rand(rows, dtype=dtype, generator=generator)
    return [value.requires_grad_() for value in values] + ([] if bias else [None]), targets, weights


def plain(x, weight, bias, targets, weights=None):
    losses = functional.cross_entropy(functional.linear(x, weight, bias), targets, reduction="none")
    return (losses if weights is None else losses * weights).sum()


def gradients(loss, inputs):
    return torch.autograd.grad(loss, [value for value in inputs if value is not None])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_loss_and_gradients_are_those_of_linear_and_cross_entropy(room, bias, weighted):
    inputs, targets, weights = problem(bias=bias)
    weights = weights if weighted else None
    ours, theirs = (function(*inputs, targets, weights) for function in (linear_cross_entropy, plain))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradients(3 * ours, inputs), gradients(3 * theirs, inputs))


def test_gradcheck(room):
    inputs, targets, weights = problem(rows=7)
    assert torch.autograd.gradcheck(lambda *given: linear_cross_entropy(*given, targets, weights), inputs)


def test_blocks_of_classes_and_chunks_of_rows_meet(monkeypatch):
    monkeypatch.setattr(softmax, "_BLOCK", 4)
    monkeypatch.setattr(softmax, "_SCORES", 30)
    inputs, targets, _ = problem()
    pairs = [gradients(function(*inputs, targets), inputs) for function in (linear_cross_entropy, plain)]
    torch.testing.assert_close(*pairs)


def test_scores_beyond_the_reach_of_exp_give_a_finite_loss_and_gradient():
    inputs, targets, _ = problem(torch.float32, scale=100.0)
    ours, theirs = linear_cross_entropy(*inputs, targets), plain(*inputs, targets)
    torch.testing.assert_close(ours, theirs)
    assert all(torch.isfinite(grad).all() for grad in gradients(ours, inputs))


def test_bfloat16_products_are_near_and_masters_stay_float32(room):
    inputs, targets, _ = problem(torch.float32, rows=40, width=64)
    ours = linear_cross_entropy(*inputs, targets, precision="bfloat16")
    theirs = plain(*inputs, targets)
    torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0)
    for own, other in zip(gradients(ours, inputs), gradients(theirs, inputs), strict=True):
        assert own.dtype == torch.float32
        assert (own - other).norm() < 0.03 * other.norm()


def test_what_is_frozen_gets_no_gradient():
    (x, weight, bias), targets, _ = problem()
    weight.requires_grad_(False)
    linear_cross_entropy(x, weight, bias, targets).backward()
    assert weight.grad is None
    torch.testing.assert_close(x.grad, gradients(plain(x, weight, None, targets), [x])[0], rtol=10, atol=10)
    assert bias.grad is not None


def test_gradients_survive_their_use_and_a_second_backward():
    inputs, targets, _ = problem()
    loss = linear_cross_entropy(*inputs, targets)
    loss.backward(retain_graph=True)
    once = [value.grad.clone() for value in inputs]
    for value in inputs:
        value.grad.mul_(7)
        value.grad = None
    loss.backward()
    torch.testing.assert_close([value.grad for value in inputs], once)


def test_no_rows_cost_nothing():
    (_, weight, bias), _, _ = problem()
    x = torch.empty(0, 5, dtype=torch.float64, requires_grad=True)
    loss = linear_cross_entropy(x, weight, bias, torch.empty(0, dtype=torch.int64))
    loss.backward()
    assert loss == 0
    assert not weight.grad.any()


def test_log_softmax_of_the_targets(room):
    inputs, targets, _ = problem()
    scores = functional.linear(*inputs).log_softmax(1)
    torch.testing.assert_close(
        linear_log_softmax(*inputs, targets), scores.gather(1, targets[:, None]).squeeze(1).detach()
    )


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([(3, 4), (7, 5), (3,)], r"got \(3, 4\), \(7, 5\) and \(3,\)"),
        ([(3, 4, 1), (7, 4), (3,)], r"expected x \(N, H\)"),
        ([(3, 4), (7, 4), (2,)], r"targets \(N,\)"),
        ([(3, 4), (7, 4), (3,), (2,)], r"expected weights of shape \(3,\)"),
    ],
)
def test_shapes_that_do_not_fit_raise(shapes, said):
    x, weight, targets, *weights = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match=said):
        linear_cross_entropy(x, weight, None, targets.long(), *weights)


def test_an_unknown_precision_raises():
    inputs, targets, _ = problem()
    with pytest.raises(ValueError, match="'float8'"):
        linear_cross_entropy(*inputs, targets, precision="float8")
