"""Recurrent layers: drop-in for torch.nn's, with variants, ragged batches, traces and single steps."""

from memorycell.layers.accelerate import accelerate, to_torch
from memorycell.layers.cells import GRUCell, LSTMCell, RNNCell
from memorycell.layers.dropout import Dropout, VariationalDropout
from memorycell.layers.recurrent import GRU, LSTM, RNN
from memorycell.layers.stepping import Stream
from memorycell.layers.traces import Trace

__all__ = [
    "Dropout",
    "GRU",
    "GRUCell",
    "LSTM",
    "LSTMCell",
    "RNN",
    "RNNCell",
    "Stream",
    "Trace",
    "VariationalDropout",
    "accelerate",
    "to_torch",
]
