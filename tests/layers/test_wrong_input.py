"""What a user can get wrong: each error says what was expected, what came, and what to do."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from memorycell.layers import (
    GRU,
    LSTM,
    RNN,
    Dropout,
    GRUCell,
    LSTMCell,
    RNNCell,
    VariationalDropout,
    accelerate,
)

X = torch.zeros(2, 5, 8)
H = torch.zeros(1, 2, 6)

CONSTRUCTORS = {
    "float-size": (lambda: LSTM(8, 6.0), TypeError, "expected hidden_size to be an int, got 6.0 (float)"),
    "bool-size": (lambda: LSTM(True, 6), TypeError, "expected input_size to be an int, got True (bool)"),
    "no-size": (lambda: GRU(0, 6), ValueError, "expected input_size of at least 1, got 0"),
    "no-hidden": (lambda: LSTM(8, -1), ValueError, "expected hidden_size of at least 1, got -1"),
    "no-layers": (lambda: RNN(8, 6, 0), ValueError, "expected num_layers of at least 1, got 0"),
    "bias": (lambda: LSTM(8, 6, bias=1), TypeError, "expected bias to be True or False, got 1 (int)"),
    "batch-first": (
        lambda: GRU(8, 6, batch_first="yes"),
        TypeError,
        "expected batch_first to be True or False",
    ),
    "dropout": (lambda: LSTM(8, 6, 2, dropout=1.5), ValueError, "expected dropout from 0 to 1, got 1.5"),
    "dropout-type": (
        lambda: LSTM(8, 6, 2, dropout="a"),
        TypeError,
        "expected dropout to be a number from 0 to 1",
    ),
    "dropout-bool": (
        lambda: LSTM(8, 6, 2, dropout=True),
        TypeError,
        "expected dropout to be a number from 0 to 1",
    ),
    "projection": (
        lambda: LSTM(8, 6, proj_size=6),
        ValueError,
        "expected proj_size smaller than hidden_size=6",
    ),
    "zoneout-float": (lambda: LSTM(8, 6, zoneout=0.1), TypeError, "expected zoneout to be a pair (p_c, p_h)"),
    "zoneout-range": (
        lambda: LSTM(8, 6, zoneout=(0.1, 2)),
        ValueError,
        "expected zoneout's p_h from 0 to 1, got 2",
    ),
    "zoneout-gru": (
        lambda: GRU(8, 6, zoneout=(0.1, 0.1)),
        TypeError,
        "expected zoneout to be a number from 0 to 1",
    ),
    "forget-bias": (
        lambda: LSTM(8, 6, bias=False, forget_bias=1),
        ValueError,
        "expected bias=True with forget_bias=1",
    ),
    "nonlinearity": (
        lambda: RNN(8, 6, nonlinearity="gelu"),
        ValueError,
        'expected nonlinearity "tanh" or "relu"',
    ),
    "peephole": (lambda: LSTM(8, 6, peephole=1), TypeError, "expected peephole to be True or False"),
    "reset-after": (
        lambda: GRU(8, 6, reset_after=None),
        TypeError,
        "expected reset_after to be True or False",
    ),
    "backend": (
        lambda: LSTM(8, 6, backend="cudnn"),
        ValueError,
        "one of 'auto', 'cpp', 'reference', 'torch', got 'cudnn'",
    ),
    "cell-size": (lambda: LSTMCell(8, 0), ValueError, "expected hidden_size of at least 1, got 0"),
    "cell-activation": (lambda: RNNCell(8, 6, nonlinearity=1), ValueError, "expected nonlinearity"),
    "dropout-module": (lambda: Dropout(-1), ValueError, "expected p from 0 to 1, got -1"),
    "accelerate": (lambda: accelerate("model"), TypeError, "expected a torch.nn.Module, got str"),
}

FORCED = {
    "peephole": (LSTM, {"peephole": True}, "peepholes"),
    "layer-norm": (RNN, {"layer_norm": True}, "layer normalisation"),
    "coupled": (LSTM, {"coupled": True}, "coupled gates"),
    "reset": (GRU, {"reset_after": False}, "reset before the product"),
    "zoneout": (GRU, {"zoneout": 0.1}, "zoneout"),
    "recurrent": (LSTM, {"recurrent_dropout": 0.1}, "recurrent_dropout"),
    "cell": (LSTMCell, {"peephole": True}, "peepholes"),
}


def layer(**kwargs):
    return LSTM(8, 6, batch_first=True, **kwargs)


WRONG_CALLS = {
    "features": (
        lambda: layer()(torch.zeros(2, 5, 4)),
        ValueError,
        "expected x of shape (batch, time, 8), got (2, 5, 4): this LSTM was built with input_size=8",
    ),
    "time-first": (
        lambda: GRU(8, 6)(torch.zeros(2, 5, 4)),
        ValueError,
        "expected x of shape (time, batch, 8), got",
    ),
    "one-sequence": (
        lambda: layer()(torch.zeros(5, 4)),
        ValueError,
        "expected x of shape (time, 8), got (5, 4)",
    ),
    "4-d": (
        lambda: layer()(torch.zeros(1, 2, 5, 8)),
        ValueError,
        "expected x of shape (batch, time, 8), got",
    ),
    "1-d": (lambda: layer()(torch.zeros(8)), ValueError, "expected x of shape (batch, time, 8), got (8,)"),
    "packed": (
        lambda: layer()(pack_sequence([torch.zeros(2, 4)])),
        ValueError,
        "expected x of shape (Σ lengths, 8), got (2, 4)",
    ),
    "list": (lambda: layer()([1.0]), TypeError, "expected x to be a Tensor or a PackedSequence, got list"),
    "dtype": (
        lambda: layer()(X.double()),
        ValueError,
        "expected x of torch.float32 like the weights of this LSTM, got torch.float64: convert x with",
    ),
    "integers": (lambda: layer()(X.long()), ValueError, "expected x of torch.float32 like the weights"),
    "device": (
        lambda: layer(device="meta").trace(X),
        ValueError,
        "expected x on meta like the weights of this LSTM",
    ),
    "no-steps": (lambda: layer()(X[:, :0]), ValueError, "expected at least one step, got x of shape"),
    "no-steps-packed-kind": (lambda: GRU(8, 6)(torch.zeros(0, 8)), ValueError, "expected at least one step"),
    "h-alone": (
        lambda: layer()(X, H),
        TypeError,
        "expected the state of this LSTM to be Tensors (h, c), got Tensor",
    ),
    "three": (lambda: layer()(X, (H, H, H)), TypeError, "to be Tensors (h, c), got a tuple of 3"),
    "none-in-pair": (
        lambda: layer()(X, (H, None)),
        TypeError,
        "expected the state of this LSTM to be Tensors (h, c)",
    ),
    "pair": (
        lambda: GRU(8, 6)(X, (H, H)),
        TypeError,
        "expected the state of this GRU to be a Tensor h, got a tuple",
    ),
    "batch": (
        lambda: layer()(X, (H[:, :1], H)),
        ValueError,
        "expected state h of shape (1, 2, 6) (layers × directions",
    ),
    "cell": (lambda: layer()(X, (H, H[..., :3])), ValueError, "expected state c of shape (1, 2, 6)"),
    "directions": (
        lambda: layer(bidirectional=True)(X, (H, H)),
        ValueError,
        "expected state h of shape (2, 2, 6)",
    ),
    "unbatched-state": (
        lambda: layer()(X[0], (H, H)),
        ValueError,
        "expected state h of shape (1, 6) (layers × dir",
    ),
    "state-dtype": (
        lambda: layer()(X, (H.double(), H)),
        ValueError,
        "expected state h of torch.float32 like x, got",
    ),
    "both-names": (
        lambda: layer()(X, (H, H), hx=(H, H)),
        TypeError,
        "expected the state once, got both state and hx",
    ),
    "lengths-count": (
        lambda: layer()(X, lengths=[1, 2, 3]),
        ValueError,
        "expected lengths of shape (2,), one for each row of x, got (3,)",
    ),
    "lengths-2-d": (lambda: layer()(X, lengths=[[1, 2]]), ValueError, "expected lengths of shape (2,)"),
    "lengths-float": (
        lambda: layer()(X, lengths=[1.0, 2.0]),
        TypeError,
        "expected lengths to be integers, got torch.f",
    ),
    "lengths-dict": (lambda: layer()(X, lengths={1: 2}), TypeError, "expected lengths to be integers, got {1: 2}"),
    "lengths-bool": (
        lambda: layer()(X, lengths=[True, True]),
        TypeError,
        "expected lengths to be integers, got torch.b",
    ),
    "lengths-long": (
        lambda: layer()(X, lengths=[5, 6]),
        ValueError,
        "expected lengths from 0 to 5, the steps of x, got 6 in row 1",
    ),
    "lengths-negative": (
        lambda: layer()(X, lengths=[-1, 5]),
        ValueError,
        "from 0 to 5, the steps of x, got -1 in row 0",
    ),
    "lengths-unbatched": (
        lambda: layer()(X[0], lengths=[5]),
        ValueError,
        "expected a batch with lengths, got one",
    ),
    "lengths-packed": (
        lambda: layer()(pack_sequence([X[0]]), lengths=[5]),
        ValueError,
        "expected no lengths beside a PackedSequence",
    ),
    "step-both-ways": (
        lambda: layer(bidirectional=True).step(X[:, 0]),
        ValueError,
        "expected a layer of one direction",
    ),
    "stream-both-ways": (
        lambda: layer(bidirectional=True).stream(),
        ValueError,
        "expected a layer of one direction",
    ),
    "step-shape": (lambda: layer().step(X), ValueError, "expected x of shape (batch, 8), got (2, 5, 8)"),
    "step-features": (lambda: layer().step(X[:, 0, :3]), ValueError, "built with input_size=8"),
    "step-recurrent": (
        lambda: layer(recurrent_dropout=0.1).step(X[:, 0]),
        ValueError,
        "expected evaluation mode, got training with recurrent_dropout=0.1",
    ),
    "stream-rows": (
        lambda: layer().stream(3).step(X[:, 0]),
        ValueError,
        "expected x of shape (3, 8), got (2, 8)",
    ),
    "stream-size": (lambda: layer().stream(0), ValueError, "expected batch_size of at least 1, got 0"),
    "stream-state": (
        lambda: setattr(layer().stream(2), "state", (H, H[:, :1])),
        ValueError,
        "expected state c of shape (1, 2, 6) (layers, batch, units), got (1, 1, 6)",
    ),
    "cell-x": (lambda: LSTMCell(8, 6)(X), ValueError, "expected x of shape (batch, 8), got (2, 5, 8)"),
    "cell-list": (lambda: LSTMCell(8, 6)([1]), TypeError, "expected x to be a Tensor, got list"),
    "cell-state": (
        lambda: GRUCell(8, 6)(X[:, 0], H),
        ValueError,
        "expected state h of shape (2, 6), got (1, 2, 6)",
    ),
    "cell-pair": (
        lambda: LSTMCell(8, 6)(X[:, 0], H[0]),
        TypeError,
        "expected the state of this LSTMCell to be Tensors",
    ),
    "cell-dtype": (
        lambda: RNNCell(8, 6)(X[:, 0].double()),
        ValueError,
        "expected x of torch.float32 like the weights",
    ),
    "cell-names": (lambda: RNNCell(8, 6)(X[:, 0], H[0], hx=H[0]), TypeError, "expected the state once"),
    "variational": (
        lambda: VariationalDropout()(X[0]),
        ValueError,
        "expected x of shape (batch, time, features)",
    ),
    "dropout-scalar": (lambda: Dropout()(torch.tensor(1.0)), ValueError, "expected x of shape (batch, ...)"),
}


@pytest.mark.parametrize("case", [*CONSTRUCTORS, *WRONG_CALLS])
def test_the_error_says_what_was_expected(case):
    call, error, message = (CONSTRUCTORS | WRONG_CALLS)[case]
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize("case", FORCED)
def test_a_forced_backend_that_cannot_run_says_why(case):
    layer_type, variant, why = FORCED[case]
    with pytest.raises(ValueError, match=rf"backend='torch' cannot run this layer: torch's operators have no {why}"):
        layer_type(3, 4, backend="torch", **variant)
    built = layer_type(3, 4, **variant)
    with pytest.raises(ValueError, match="cannot run this layer"):
        built.backend = "torch"
    assert built.backend == "auto"


def test_dropout_between_one_layer_warns_as_torch_does():
    for layer_type in (LSTM, nn.LSTM):
        with pytest.warns(UserWarning, match="num_layers=1"):
            layer_type(3, 4, dropout=0.5)


@pytest.mark.parametrize("variant", ["peephole", "coupled", "proj_size", "forget_bias"])
@pytest.mark.parametrize("layer_type", [RNN, GRU])
def test_variants_of_the_lstm_are_unknown_to_others(layer_type, variant):
    with pytest.raises(TypeError, match=variant):
        layer_type(3, 4, **{variant: 1})
