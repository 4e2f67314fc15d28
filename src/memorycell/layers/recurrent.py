"""RNN, LSTM and GRU: torch.nn's constructors, results and state_dicts, and the variants torch lacks."""

from __future__ import annotations

import torch

from memorycell.kernels.reference import Cell
from memorycell.layers import parameters as rules
from memorycell.layers.base import Recurrent


class RNN(Recurrent):
    """Simple recurrent network (Elman 1990): h' = φ(W_ih x + b_ih + W_hh h + b_hh).

    Parameters
    ----------
    input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional
        As for `torch.nn.RNN`; nonlinearity φ is "tanh" or "relu". So are device and dtype.
    layer_norm, recurrent_dropout, weight_dropout, backend
        As for `LSTM`.
    zoneout : float
        Probability that a unit of h keeps its previous value. Default 0.

    Shapes, errors and the other methods as for `LSTM`; the state is h (L·D, B, H) alone.

    Example
    -------
    >>> output, h = RNN(3, 8, nonlinearity="relu", batch_first=True)(torch.zeros(2, 5, 3))
    >>> output.shape, h.shape
    (torch.Size([2, 5, 8]), torch.Size([1, 2, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        layer_norm: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_dropout: float = 0.0,
        backend: str = "auto",
    ) -> None:
        zoneout = rules.probability("zoneout", zoneout)
        super().__init__(
            Cell(rules.activation(nonlinearity)),
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
            layer_norm=layer_norm,
            recurrent_dropout=recurrent_dropout,
            zoneout=(0.0, zoneout),
            weight_dropout=weight_dropout,
            backend=backend,
        )
        self.nonlinearity, self.zoneout = nonlinearity, zoneout


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), with the forget gate (Gers et al. 2000).

    i = σ(W_ii x + W_hi h + b_i), f = σ(W_if x + W_hf h + b_f), g = tanh(W_ig x + W_hg h + b_g),
    o = σ(W_io x + W_ho h + b_o), c' = f c + i g, h' = o tanh(c').

    Constructor, results, first values and state_dict are those of `torch.nn.LSTM`: weights travel both ways.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        As for `torch.nn.LSTM`. Dropout's masks come from `memorycell.kernels.random`.
    peephole : bool
        The gates see the cell: i and f see c, o sees c' (Gers & Schmidhuber 2000; Graves 2013, eq. 7–10).
        Parameter `weight_ch_l{k}` (3·H): i, f, o; coupled (2·H): i, o.
    layer_norm : bool
        LN(W_ih x) + LN(W_hh h) + b, and h' = o tanh(LN(c')) (Ba et al. 2016). Parameters
        `norm_{ih,hh,ch}_{gain,bias}_l{k}`.
    coupled : bool
        f = 1 - i; the weights have the rows i, g, o, 3·H (Greff et al. 2015).
    forget_bias : float, optional
        Initial value of the forget gate's total bias b_ih + b_hh (Jozefowicz et al. 2015). Default: torch's.
    recurrent_dropout : float
        Dropout of h where it enters W_hh, one mask a sequence (Gal & Ghahramani 2016).
    zoneout : (float, float)
        Probabilities (p_c, p_h) that a unit of c and of h keeps its previous value; in evaluation the
        expectation (Krueger et al. 2017).
    weight_dropout : float
        Dropout of W_hh itself, one mask a call (DropConnect; Merity et al. 2017).
    backend : {"auto", "cpp", "reference", "torch"}
        "auto" takes the fused kernels on the CPU, else torch's operators where they compute the same, else the
        reference in plain torch. Where torch's LSTM would fail under autocast, for want of one of oneDNN's in bfloat16
        or float16 on this processor, it computes in float32 instead, with a warning.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type or out of range, or a forced backend lacks a variant.

    Example
    -------
    >>> layer = LSTM(3, 8, batch_first=True, bidirectional=True, peephole=True)
    >>> output, (h, c) = layer(torch.zeros(2, 5, 3), lengths=[5, 2])
    >>> output.shape, h.shape
    (torch.Size([2, 5, 16]), torch.Size([2, 2, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        peephole: bool = False,
        layer_norm: bool = False,
        coupled: bool = False,
        forget_bias: float | None = None,
        recurrent_dropout: float = 0.0,
        zoneout: tuple[float, float] = (0.0, 0.0),
        weight_dropout: float = 0.0,
        backend: str = "auto",
    ) -> None:
        super().__init__(
            Cell("LSTM", coupled=rules.flag("coupled", coupled)),
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
            proj_size=proj_size,
            peephole=peephole,
            layer_norm=layer_norm,
            forget_bias=forget_bias,
            recurrent_dropout=recurrent_dropout,
            zoneout=zoneout,
            weight_dropout=weight_dropout,
            backend=backend,
        )
        self.coupled, self.zoneout = coupled, self.zone


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), in torch's form.

    r = σ(W_ir x + W_hr h + b_r), z = σ(W_iz x + W_hz h + b_z),
    n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h' = (1 - z) n + z h.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype
        As for `torch.nn.GRU`.
    reset_after : bool
        True (torch, cuDNN): r gates the product, as above. False: r gates h before it,
        n = tanh(W_in x + b_in + W_hn (r h) + b_hn) (Cho et al. 2014).
    layer_norm, recurrent_dropout, weight_dropout, backend
        As for `LSTM`; the norms of r, z and of n are separate (Ba et al. 2016, supplement).
    zoneout : float
        Probability that a unit of h keeps its previous value. Default 0.

    Shapes, errors and the other methods as for `LSTM`; the state is h (L·D, B, H) alone.

    Example
    -------
    >>> output, h = GRU(3, 8, num_layers=2)(torch.zeros(5, 2, 3))
    >>> output.shape, h.shape
    (torch.Size([5, 2, 8]), torch.Size([2, 2, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset_after: bool = True,
        layer_norm: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        weight_dropout: float = 0.0,
        backend: str = "auto",
    ) -> None:
        zoneout = rules.probability("zoneout", zoneout)
        super().__init__(
            Cell("GRU", reset_after=rules.flag("reset_after", reset_after)),
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
            layer_norm=layer_norm,
            recurrent_dropout=recurrent_dropout,
            zoneout=(0.0, zoneout),
            weight_dropout=weight_dropout,
            backend=backend,
        )
        self.reset_after, self.zoneout = reset_after, zoneout
