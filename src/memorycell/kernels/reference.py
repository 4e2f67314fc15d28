"""The equations of the recurrent cells in plain torch: the truth that every faster path is tested against.

Names are the papers': x input, h hidden, c cell, w_ih and w_hh weights, i, f, g, o the gates of the LSTM and
r, z, n those of the GRU. Shapes: T time, B batch, I input, H hidden, P = H or `proj_size`; time comes first.
A step gets gx, the part of the pre-activations that depends on x alone, because `run` computes it for all
steps in one product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Mode = Literal["LSTM", "GRU", "RNN_TANH", "RNN_RELU"]
State = tuple[Tensor, ...]  # (h, c) of an LSTM, (h,) of the others: (B, P) and (B, H)
Gates = dict[str, Tensor]  # by name, each (B, H); over time (T, B, H)

GATES: dict[str, tuple[str, ...]] = {
    "LSTM": ("input", "forget", "candidate", "output"),
    "GRU": ("reset", "update", "new"),
    "RNN_TANH": (),
    "RNN_RELU": (),
}


class Cell(NamedTuple):
    """Which equations: the kind of cell and the variants that its weights do not tell."""

    mode: Mode
    coupled: bool = False  # LSTM: f = 1 - i (Greff et al. 2015)
    reset_after: bool = True  # GRU: r gates the product (torch, cuDNN); False: it gates h (Cho et al. 2014)

    @property
    def rows(self) -> int:
        """Blocks of H rows in the weights: i, f, g, o; coupled i, g, o; r, z, n; 1."""
        return {"LSTM": 3 if self.coupled else 4, "GRU": 3}.get(self.mode, 1)


class Norm(NamedTuple):
    """Gain and bias of a layer normalisation."""

    gain: Tensor
    bias: Tensor


class Weights(NamedTuple):
    """Weights of one layer and direction; G = `Cell.rows`. None leaves a term of the equations out."""

    w_ih: Tensor  # (G·H, I)
    w_hh: Tensor  # (G·H, P)
    b_ih: Tensor | None = None  # (G·H,)
    b_hh: Tensor | None = None  # (G·H,)
    w_hr: Tensor | None = None  # (P, H): projection of h (Sak et al. 2014)
    w_ch: Tensor | None = None  # (3·H,) i, f, o; coupled (2·H,) i, o: peepholes
    norm_ih: Norm | None = None  # (G·H,) each
    norm_hh: Norm | None = None  # (G·H,) each
    norm_ch: Norm | None = None  # (H,) each


class Noise(NamedTuple):
    """The masks of one layer and direction; for `run`, those of zoneout have the time in front.

    keep_h multiplies h_{t-1} where it enters w_hh, the same at every step (Gal & Ghahramani 2016). zone_h and
    zone_c hold the share of the previous value that stays: 1 or 0 in training, its expectation, a float, in
    evaluation (Krueger et al. 2017).
    """

    keep_h: Tensor | None = None  # (B, P)
    zone_h: Tensor | float | None = None  # (T, B, P)
    zone_c: Tensor | float | None = None  # (T, B, H)


QUIET = Noise()


def _normalised(y: Tensor, norm: Norm) -> Tensor:
    return F.layer_norm(y, y.shape[-1:], norm.gain, norm.bias)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, norm: Norm | None) -> Tensor:
    """x W^T + b, or LN(x W^T) + b (Ba et al. 2016, eq. 20)."""
    if norm is None:
        return F.linear(x, weight, bias)
    y = _normalised(F.linear(x, weight), norm)
    return y if bias is None else y + bias


def _split(w: Tensor | None, hidden: int) -> tuple[Tensor | None, Tensor | None]:
    """The rows of a GRU's gates r, z, and those of its candidate n."""
    return (None, None) if w is None else (w[: 2 * hidden], w[2 * hidden :])


def _split_norm(norm: Norm | None, hidden: int) -> tuple[Norm | None, Norm | None]:
    if norm is None:
        return None, None
    return Norm(norm.gain[: 2 * hidden], norm.bias[: 2 * hidden]), Norm(
        norm.gain[2 * hidden :], norm.bias[2 * hidden :]
    )


def _gru_products(x: Tensor, w: Tensor, b: Tensor | None, norm: Norm | None) -> tuple[Tensor, Tensor]:
    """The products for r, z and for n: each is normalised for itself (Ba et al. 2016, supplement)."""
    hidden = w.shape[0] // 3
    if norm is None:
        y = F.linear(x, w, b)
        return y[..., : 2 * hidden], y[..., 2 * hidden :]
    b_rz, b_n = _split(b, hidden)
    norm_rz, norm_n = _split_norm(norm, hidden)
    return _product(x, w[: 2 * hidden], b_rz, norm_rz), _product(x, w[2 * hidden :], b_n, norm_n)


def _zoned(new: Tensor, old: Tensor, zone: Tensor | float | None) -> Tensor:
    """z · old + (1 - z) · new (Krueger et al. 2017, eq. 5), exact where z is 0 or 1."""
    return new if zone is None else torch.lerp(new, old, zone)


def lstm_step(gx: Tensor, state: State, w: Weights, cell: Cell, noise: Noise = QUIET) -> tuple[State, Gates]:
    """One step of the LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    i = σ(W_ii x + W_hi h + p_i c + b_i), f likewise or 1 - i, g = tanh(W_ig x + W_hg h + b_g),
    c' = f c + i g, o = σ(W_io x + W_ho h + p_o c' + b_o), h' = W_hr (o tanh(c')); peepholes p: Graves 2013,
    eq. 7–10. Zoneout reads the c' before it was zoned out, as in the paper.

    gx: (B, 4H) or coupled (B, 3H); state: h (B, P), c (B, H). Returns the next state and the gates by name.
    """
    h, c = state
    if noise.keep_h is not None:
        h = h * noise.keep_h
    i, *forget, g, o = (gx + _product(h, w.w_hh, w.b_hh, w.norm_hh)).chunk(cell.rows, -1)
    peepholes = None if w.w_ch is None else w.w_ch.chunk(2 if cell.coupled else 3)
    if peepholes is not None:
        i = i + peepholes[0] * c
        forget = [f + peepholes[1] * c for f in forget]
    i = torch.sigmoid(i)
    f = 1 - i if cell.coupled else torch.sigmoid(forget[0])
    g = torch.tanh(g)
    c_new = f * c + i * g
    if peepholes is not None:
        o = o + peepholes[-1] * c_new
    o = torch.sigmoid(o)
    h_new = o * torch.tanh(c_new if w.norm_ch is None else _normalised(c_new, w.norm_ch))
    if w.w_hr is not None:
        h_new = F.linear(h_new, w.w_hr)
    zoned = _zoned(h_new, state[0], noise.zone_h), _zoned(c_new, c, noise.zone_c)
    return zoned, {"input": i, "forget": f, "candidate": g, "output": o}


def gru_step(gx: Tensor, state: State, w: Weights, cell: Cell, noise: Noise = QUIET) -> tuple[State, Gates]:
    """One step of the GRU (Cho et al. 2014).

    r = σ(W_ir x + W_hr h + b_r), z likewise, h' = (1 - z) n + z h with
    n = tanh(W_in x + b_in + r (W_hn h + b_hn)), or reset before the product:
    n = tanh(W_in x + b_in + W_hn (r h) + b_hn).

    gx: (B, 3H); state: h (B, H). Returns the next state and the gates by name.
    """
    (h,) = state
    seen = h if noise.keep_h is None else h * noise.keep_h
    hidden = h.shape[-1]
    x_rz, x_n = gx[..., : 2 * hidden], gx[..., 2 * hidden :]
    if cell.reset_after:
        h_rz, h_n = _gru_products(seen, w.w_hh, w.b_hh, w.norm_hh)
        r, z = torch.sigmoid(x_rz + h_rz).chunk(2, -1)
        n = torch.tanh(x_n + r * h_n)
    else:
        b_rz, b_n = _split(w.b_hh, hidden)
        norm_rz, norm_n = _split_norm(w.norm_hh, hidden)
        r, z = torch.sigmoid(x_rz + _product(seen, w.w_hh[: 2 * hidden], b_rz, norm_rz)).chunk(2, -1)
        n = torch.tanh(x_n + _product(r * seen, w.w_hh[2 * hidden :], b_n, norm_n))
    h_new = _zoned((1 - z) * n + z * h, h, noise.zone_h)
    return (h_new,), {"reset": r, "update": z, "new": n}


def rnn_step(gx: Tensor, state: State, w: Weights, cell: Cell, noise: Noise = QUIET) -> tuple[State, Gates]:
    """One step of the simple recurrent network (Elman 1990): h' = φ(W_ih x + W_hh h + b), φ = tanh or relu.

    gx: (B, H); state: h (B, H). Returns the next state, and no gates.
    """
    (h,) = state
    seen = h if noise.keep_h is None else h * noise.keep_h
    pre = gx + _product(seen, w.w_hh, w.b_hh, w.norm_hh)
    h_new = torch.tanh(pre) if cell.mode == "RNN_TANH" else torch.relu(pre)
    return (_zoned(h_new, h, noise.zone_h),), {}


STEPS: dict[str, Callable[[Tensor, State, Weights, Cell, Noise], tuple[State, Gates]]] = {
    "LSTM": lstm_step,
    "GRU": gru_step,
    "RNN_TANH": rnn_step,
    "RNN_RELU": rnn_step,
}


def project(x: Tensor, w: Weights, cell: Cell) -> Tensor:
    """gx = W_ih x + b_ih, or LN(W_ih x) + b_ih, for x of shape (..., I): (..., G·H)."""
    if cell.mode == "GRU" and w.norm_ih is not None:
        return torch.cat(_gru_products(x, w.w_ih, w.b_ih, w.norm_ih), -1)
    return _product(x, w.w_ih, w.b_ih, w.norm_ih)


def run(
    cell: Cell,
    x: Tensor,
    state: State,
    w: Weights,
    *,
    lengths: Tensor | None = None,
    noise: Noise = QUIET,
    reverse: bool = False,
    trace: bool = False,
) -> tuple[Tensor, State, Gates]:
    """One layer in one direction over a batch of sequences.

    Parameters
    ----------
    x
        (T, B, I). What stands beyond a row's length is never read.
    state
        Before the first step: h (B, P), of an LSTM also c (B, H).
    lengths : Tensor or None
        int64 (B,), 0 to T; None: every row has T steps. A row's output is zero from its length on, its final
        state that of its last step; length 0 leaves the initial state.
    reverse : bool
        From each row's last step to its first; outputs stay where their inputs stand.

    Returns
    -------
    outputs (T, B, P), final state, and with `trace` the gates by name, "hidden" and of an LSTM "cell", all
    (T, B, ·) and zero beyond a row's length; else an empty dict.

    Example
    -------
    >>> w = Weights(torch.ones(1, 1), torch.ones(1, 1))
    >>> x = torch.tensor([[1.0], [2.0], [3.0]]).unsqueeze(1)
    >>> run(Cell("RNN_RELU"), x, (torch.zeros(1, 1),), w)[0].flatten()  # sums so far
    tensor([1., 3., 6.])
    """
    steps, shortest = x.shape[0], x.shape[0]
    if lengths is not None and lengths.numel():
        shortest = int(lengths.min())
        beyond = (torch.arange(steps).unsqueeze(1) >= lengths.cpu()).unsqueeze(-1).to(x.device)
        # 0 · NaN is NaN in a backward pass: whatever pads the rows must not reach the products.
        x, ended = x.masked_fill(beyond, 0.0), beyond.unbind(0)
    step = STEPS[cell.mode]
    # unbind, not gx[t]: its backward stacks T gradients once, where T slices would each add a whole tensor.
    gx = project(x, w, cell).unbind(0)
    records: list[Gates] = [{}] * steps
    varies = isinstance(noise.zone_h, Tensor) or isinstance(noise.zone_c, Tensor)
    for t in reversed(range(steps)) if reverse else range(steps):
        new, gates = step(gx[t], state, w, cell, at(noise, t) if varies else noise)
        record = {"hidden": new[0]}
        if trace:
            record = gates | dict(zip(("hidden", "cell"), new, strict=False))
        if t >= shortest:
            record = {name: value.masked_fill(ended[t], 0.0) for name, value in record.items()}
            new = tuple(torch.where(ended[t], a, b) for a, b in zip(state, new, strict=True))
        state, records[t] = new, record
    records = records or [_nothing(cell, state)]
    stacked = {name: torch.stack([record[name] for record in records])[:steps] for name in records[0]}
    return stacked["hidden"], state, stacked if trace else {}


def run_stack(
    cell: Cell,
    x: Tensor,
    initial: Sequence[State],
    weights: Sequence[Weights],
    *,
    directions: int = 1,
    lengths: Tensor | None = None,
    noise: Sequence[Noise] = (),
    between: Sequence[Tensor | None] = (),
    trace: bool = False,
) -> tuple[Tensor, list[State], list[list[Gates]]]:
    """`run` layer upon layer, in one direction or two.

    Parameters
    ----------
    x
        (T, B, I).
    initial, weights, noise
        By layer, then direction; no noise: none.
    between
        What multiplies the output (T, B, D·P) of each layer but the last; None: nothing does.

    Returns
    -------
    output (T, B, D·P), final states by layer and direction, and with `trace` the records by layer, then direction.

    Example
    -------
    >>> w = Weights(torch.ones(1, 1), torch.ones(1, 1))
    >>> zero = (torch.zeros(1, 1),)
    >>> x = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
    >>> run_stack(Cell("RNN_RELU"), x, [zero, zero], [w, w])[0].flatten()  # sums of sums so far
    tensor([ 1.,  4., 10.])
    """
    finals, records = [], []
    for layer in range(len(weights) // directions):
        outputs, gates = [], []
        for direction in range(directions):
            k = layer * directions + direction
            output, final, record = run(
                cell,
                x,
                initial[k],
                weights[k],
                lengths=lengths,
                noise=noise[k] if noise else QUIET,
                reverse=direction == 1,
                trace=trace,
            )
            outputs.append(output)
            finals.append(final)
            gates.append(record)
        records.append(gates)
        x = outputs[0] if directions == 1 else torch.cat(outputs, -1)
        mask = between[layer] if layer < len(between) else None
        x = x if mask is None else x * mask
    return x, finals, records


def _nothing(cell: Cell, state: State) -> Gates:
    """A record of a step that never was: it only has shapes."""
    values = dict.fromkeys(GATES[cell.mode], state[-1]) | dict(zip(("hidden", "cell"), state, strict=False))
    return {name: torch.zeros_like(value) for name, value in values.items()}


def at(noise: Noise, t: int) -> Noise:
    """The noise of step t."""
    zone_h, zone_c = noise.zone_h, noise.zone_c
    return Noise(
        noise.keep_h,
        zone_h[t] if isinstance(zone_h, Tensor) else zone_h,
        zone_c[t] if isinstance(zone_c, Tensor) else zone_c,
    )
