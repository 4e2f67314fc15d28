"""The cells and variants that the tables of cases share."""

import torch
from torch import nn

from memorycell.layers import GRU, LSTM, RNN

PLAIN = {
    "LSTM": (LSTM, nn.LSTM, {}),
    "GRU": (GRU, nn.GRU, {}),
    "RNN-tanh": (RNN, nn.RNN, {"nonlinearity": "tanh"}),
    "RNN-relu": (RNN, nn.RNN, {"nonlinearity": "relu"}),
    "LSTM-projected": (LSTM, nn.LSTM, {"proj_size": 3}),
}

VARIANTS = {
    "LSTM": (LSTM, {}),
    "LSTM-no-bias": (LSTM, {"bias": False}),
    "LSTM-peephole": (LSTM, {"peephole": True}),
    "LSTM-layer-norm": (LSTM, {"layer_norm": True}),
    "LSTM-coupled": (LSTM, {"coupled": True}),
    "LSTM-projected": (LSTM, {"proj_size": 3}),
    "LSTM-zoneout": (LSTM, {"zoneout": (0.3, 0.2)}),
    "LSTM-recurrent-dropout": (LSTM, {"recurrent_dropout": 0.4}),
    "LSTM-weight-dropout": (LSTM, {"weight_dropout": 0.4}),
    "LSTM-forget-bias": (LSTM, {"forget_bias": 1.0}),
    "LSTM-all": (
        LSTM,
        {
            "peephole": True,
            "layer_norm": True,
            "coupled": True,
            "proj_size": 3,
            "zoneout": (0.3, 0.2),
            "recurrent_dropout": 0.4,
            "weight_dropout": 0.4,
            "forget_bias": 1.0,
        },
    ),
    "GRU": (GRU, {}),
    "GRU-reset-before": (GRU, {"reset_after": False}),
    "GRU-layer-norm": (GRU, {"layer_norm": True}),
    "GRU-no-bias": (GRU, {"bias": False}),
    "GRU-all": (
        GRU,
        {
            "reset_after": False,
            "layer_norm": True,
            "zoneout": 0.3,
            "recurrent_dropout": 0.4,
            "weight_dropout": 0.4,
        },
    ),
    "RNN": (RNN, {}),
    "RNN-relu": (RNN, {"nonlinearity": "relu"}),
    "RNN-all": (
        RNN,
        {"layer_norm": True, "zoneout": 0.3, "recurrent_dropout": 0.4, "weight_dropout": 0.4},
    ),
}


def parts(state):
    """The tensors of a state."""
    return state if isinstance(state, tuple) else (state,)


def random_state(layer, batch, dtype=torch.float32):
    """A state that `layer` takes, of standard normal numbers; batch None: of one sequence."""
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    shape = () if batch is None else (batch,)
    hidden = layer.proj_size or layer.hidden_size
    h = torch.randn(rows, *shape, hidden, dtype=dtype)
    return (h, torch.randn(rows, *shape, layer.hidden_size, dtype=dtype)) if isinstance(layer, LSTM | nn.LSTM) else h


def excite(layer):
    """Parameters away from their first values, so that norms and peepholes matter."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer
