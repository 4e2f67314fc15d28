"""What the fused kernels are given wrong: an error that says so, and never the bytes beside a tensor."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from memorycell.kernels import native
from memorycell.kernels.spec import Spec
from memorycell.layers import LSTM, LSTMCell

pytestmark = pytest.mark.library
X, H = torch.zeros(4, 2, 3), torch.zeros(1, 2, 5)
PACKED = pack_padded_sequence(X, [4, 2])


def lstm(**kwargs):
    return LSTM(3, 5, backend="cpp", **kwargs)


def with_weight(name, value):
    layer = lstm()
    setattr(layer, name, nn.Parameter(value(getattr(layer, name).detach())))
    return layer


def run_as(x=X, initial=(), **said):
    """The operator called by hand, with a spec that says something else."""
    parameters = [parameter.detach() for parameter in lstm().parameters()]
    spec = Spec(0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 4, 2, 8)._replace(**said)
    torch.ops.memorycell.forward(spec, (0.0, 0.0), x, initial, [], parameters, [], True)


WRONG = {
    "rank": (lambda: lstm()(X[None]), "expected x of shape (time, batch, 3), got (1, 4, 2, 3)"),
    "features": (lambda: lstm()(X[..., :2]), "expected x of shape (time, batch, 3), got (4, 2, 2)"),
    "dtype": (
        lambda: lstm()(X.double()),
        "expected x of torch.float32 like the weights of this LSTM, got torch.float64",
    ),
    "integers": (lambda: lstm()(X.int()), "expected x of torch.float32 like the weights"),
    "half": (
        lambda: lstm(dtype=torch.half)(X.half()),
        "float32 or float64 weights and input on the CPU for backend='cpp'",
    ),
    "device": (lambda: lstm()(X.to("meta")), "expected x on cpu like the weights of this LSTM, got meta"),
    "no-device": (lambda: lstm(device="meta")(X.to("meta")), "got torch.float32 on meta: use backend='auto'"),
    "longer": (lambda: lstm()(X, lengths=[4, 5]), "expected lengths from 0 to 4, the steps of x, got 5 in row 1"),
    "negative": (lambda: lstm()(X, lengths=[-(2**62), 4]), "the steps of x, got -4611686018427387904 in row 0"),
    "state-batch": (lambda: lstm()(X, (H[:, :1], H[:, :1])), "expected state h of shape (1, 2, 5)"),
    "state-units": (lambda: lstm()(X, (H, H[..., :4])), "expected state c of shape (1, 2, 5)"),
    "state-dtype": (lambda: lstm()(X, (H, H.double())), "expected state c of torch.float32 like x, got torch.float64"),
    "state-device": (lambda: lstm()(X, (H.to("meta"), H)), "expected state h on cpu like x, got meta"),
    "state-device-ragged": (lambda: lstm()(X, (H, H.to("meta")), lengths=[1, 2]), "expected state c on cpu like x"),
    "cell-state-device": (
        lambda: LSTMCell(3, 5, backend="cpp")(X[0], (H[0].to("meta"), H[0])),
        "expected state h on cpu like x, got meta",
    ),
    "sizes-too-many": (
        lambda: lstm()(PACKED._replace(batch_sizes=torch.tensor([2, 2, 2, 2]))),
        "expected batch_sizes that never rise and add up to the 6 rows of the PackedSequence, got [2, 2, 2, 2]",
    ),
    "sizes-rise": (lambda: lstm()(PACKED._replace(batch_sizes=torch.tensor([1, 1, 2, 2]))), "got [1, 1, 2, 2]"),
    "sizes-negative": (lambda: lstm()(PACKED._replace(batch_sizes=torch.tensor([4, 3, -1]))), "got [4, 3, -1]"),
    "weight-shape": (
        lambda: with_weight("weight_ih_l0", lambda w: w[:2])(X),
        "expected w_ih of layer 0 of shape (20, 3) in torch.float32 on the CPU, like x, got (2, 3)",
    ),
    "bias-dtype": (
        lambda: with_weight("bias_hh_l0", torch.Tensor.double)(X),
        "expected b_hh of layer 0 of shape (20,) in torch.float32 on the CPU, like x, got (20,) in torch.float64",
    ),
    "weight-device": (
        lambda: with_weight("weight_hh_l0", lambda w: w.to("meta"))(X),
        "got (20, 5) in torch.float32 on meta",
    ),
    "stream-weight": (
        lambda: with_weight("weight_hh_l0", lambda w: w[:2]).stream(),
        "of shape (20, 5) in torch.float32",
    ),
    "stream-device": (lambda: with_weight("bias_hh_l0", lambda w: w.to("meta")).stream(), "in torch.float32 on meta"),
    "operator-rank": (lambda: run_as(x=X[0]), "expected x of shape (4, 2, 3) in"),
    "operator-steps": (lambda: run_as(steps=10**6), "expected x of shape (1000000, 2, 3) in"),
    "operator-state": (lambda: run_as(initial=[H[:, :1], H]), "expected an initial state of shape (1, 2, 5)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input(case):
    call, message = WRONG[case]
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)


def test_without_a_library(monkeypatch):
    waiting = LSTM(3, 5, backend="cpp")
    monkeypatch.setattr(native, "_load", lambda: (None, "no native library at x.so: install a compiler"))
    with pytest.raises(ValueError, match=r"backend='cpp' cannot run this layer: no native library at x.so"):
        lstm()
    with pytest.raises(ValueError, match=r"backend='cpp' cannot run this layer: no native library at x.so"):
        waiting(X)
    assert LSTM(3, 5)(X)[0].shape == (4, 2, 5)
