"""Recurrent: what RNN, LSTM and GRU share. The order of arguments and results is torch.nn's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from memorycell.kernels import reference, torch_ops
from memorycell.kernels.random import bernoulli, keep_mask
from memorycell.kernels.reference import Cell, Gates, Noise, State, Weights
from memorycell.layers import parameters as rules
from memorycell.layers.inputs import Lengths, read
from memorycell.layers.stepping import Stream, step_stack
from memorycell.layers.trace import Trace, stacked


class _Draws(NamedTuple):
    """The random masks of one call, drawn before it, so that every backend sees the same."""

    noise: list[Noise]  # by layer and direction
    weight: list[Tensor | None]  # by layer and direction, of w_hh's shape
    between: list[Tensor | None]  # after each layer but the last: (T, B, D·P)

    def masks(self, weights: list[Weights]) -> list[Weights]:
        """The weights, DropConnect's mask on w_hh (Merity et al. 2017)."""
        return [
            w if mask is None else w._replace(w_hh=w.w_hh * mask)
            for w, mask in zip(weights, self.weight, strict=True)
        ]


class Recurrent(nn.Module):
    """A stack of recurrent layers, one or both directions. Build an `RNN`, `LSTM` or `GRU`."""

    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int
    mode: str
    _cell: Cell

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        *,
        proj_size: int = 0,
        peephole: bool = False,
        layer_norm: bool = False,
        forget_bias: float | None = None,
        recurrent_dropout: float = 0.0,
        zoneout: tuple[float, float] = (0.0, 0.0),
        weight_dropout: float = 0.0,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        for name, value in (
            ("input_size", input_size),
            ("hidden_size", hidden_size),
            ("num_layers", num_layers),
        ):
            rules.check_size(name, value)
        rules.check_size("proj_size", proj_size, 0)
        if proj_size >= hidden_size:
            raise ValueError(f"expected proj_size smaller than hidden_size={hidden_size}, got {proj_size}")
        flags = {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional}
        for name, flag in {**flags, "peephole": peephole, "layer_norm": layer_norm}.items():
            rules.check_flag(name, flag)
        rules.check_forget_bias(forget_bias, bias)
        rules.check_zoneout(zoneout)
        chances = {"recurrent_dropout": recurrent_dropout, "weight_dropout": weight_dropout}
        for name, p in {"dropout": dropout, **chances}.items():
            rules.check_probability(name, p)
        if dropout and num_layers == 1:
            warnings.warn(
                f"dropout={dropout} acts between layers, and there is only one (num_layers=1)", stacklevel=3
            )
        self._cell, self.mode = cell, cell.mode
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout, self.proj_size = float(dropout), proj_size
        self.peephole, self.layer_norm, self.forget_bias = peephole, layer_norm, forget_bias
        self.recurrent_dropout, self.weight_dropout = float(recurrent_dropout), float(weight_dropout)
        self._zoneout = (float(zoneout[0]), float(zoneout[1]))
        self._draws_in_training = bool((dropout and num_layers > 1) or recurrent_dropout or weight_dropout)
        self.backend = backend
        self._register(device, dtype)
        self.reset_parameters()
        self.flatten_parameters()

    def _register(self, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        """Make the parameters: by layer, then direction, then name, as torch does."""
        directions = 2 if self.bidirectional else 1
        self._names: list[dict[str, str]] = []
        for layer in range(self.num_layers):
            width = self.input_size if layer == 0 else directions * (self.proj_size or self.hidden_size)
            shapes = rules.parameter_shapes(
                self._cell,
                width,
                self.hidden_size,
                bias=self.bias,
                proj_size=self.proj_size,
                peephole=self.peephole,
                layer_norm=self.layer_norm,
            )
            for direction in range(directions):
                suffix = f"_l{layer}{'_reverse' if direction else ''}"
                self._names.append({name: name + suffix for name in shapes})
                for name, shape in shapes.items():
                    self.register_parameter(
                        name + suffix, nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    )
        self._flat_names = [
            names[name] for names in self._names for name in rules.TORCH_NAMES if name in names
        ]

    @property
    def backend(self) -> str:
        """What computes: "auto" (torch's operators where they can, else the reference), "reference" or "torch"."""
        return self._backend

    @backend.setter
    def backend(self, backend: str) -> None:
        why_not = rules.torch_lacks(
            self._cell,
            peephole=self.peephole,
            layer_norm=self.layer_norm,
            zoneout=self._zoneout,
            recurrent_dropout=self.recurrent_dropout,
        )
        rules.check_backend(backend, why_not)
        self._backend = backend
        without = rules.torch_lacks(
            self._cell, peephole=self.peephole, layer_norm=self.layer_norm, zoneout=self._zoneout
        )
        self._fused = backend != "reference" and without is None

    def reset_parameters(self) -> None:
        """Draw all parameters anew from torch's default generator, as torch.nn does: U(-1/√H, 1/√H)."""
        groups = [{name: getattr(self, full) for name, full in names.items()} for names in self._names]
        rules.initialise(groups, self._cell, self.hidden_size, self.forget_bias)

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, full) for full in names.values()] for names in self._names]

    def flatten_parameters(self) -> None:
        """Lay the weights out as cuDNN wants them: one block. Does nothing off the GPU or for variants."""
        weights = [self._parameters.get(name) for name in self._flat_names]
        first = weights[0]
        if (
            first is None
            or not first.is_cuda
            or not self._fused
            or not torch.backends.cudnn.is_acceptable(first)
        ):
            return
        distinct = {w.data_ptr() for w in weights if w is not None and w.dtype is first.dtype and w.is_cuda}
        if len(distinct) < len(weights) or not torch._use_cudnn_rnn_flatten_weight():
            return
        # With dropout between them, layers run one by one: a block each.
        blocks = self.num_layers if self._draws_in_training and self.dropout else 1
        per_block = len(weights) // blocks
        per_cell = len(weights) // len(self._names)
        inner = (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)
        with torch.cuda.device_of(first), torch.no_grad():
            for block in range(blocks):
                torch._cudnn_rnn_flatten_weight(
                    weights[block * per_block : (block + 1) * per_block],  # type: ignore[arg-type]
                    per_cell,
                    inner if block else self.input_size,
                    torch.backends.cudnn.rnn.get_cudnn_mode(self.mode),
                    self.hidden_size,
                    self.proj_size,
                    self.num_layers // blocks,
                    self.batch_first,
                    self.bidirectional,
                )

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Recurrent:
        super()._apply(fn, recurse)
        self.flatten_parameters()  # .to() has moved them apart
        return self

    def first_weight(self) -> Tensor:
        """The first layer's w_ih: its dtype and device are the layer's."""
        return getattr(self, self._flat_names[0])

    def state_widths(self) -> tuple[int, ...]:
        """Units of each part of the state: (P, H) for the LSTM's (h, c), (H,) for the others' h."""
        hidden = self.proj_size or self.hidden_size
        return (hidden, self.hidden_size) if self.mode == "LSTM" else (hidden,)

    def weights(self) -> list[Weights]:
        """The kernels' view of the parameters, by layer and direction."""
        groups = ({name: getattr(self, full) for name, full in names.items()} for names in self._names)
        return [rules.as_weights(group) for group in groups]

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: Any = None,
        *,
        lengths: Lengths = None,
        hx: Any = None,
    ) -> tuple[Any, Any]:
        """Run over whole sequences.

        Parameters
        ----------
        x : Tensor or PackedSequence
            (T, B, I), or (B, T, I) with `batch_first`; one sequence (T, I); or packed sequences.
        state : Tensor or tuple of Tensor, optional
            State before the first step: h (L·D, B, P), of an LSTM (h, c) with c (L·D, B, H). Default: zeros.
        lengths : Tensor or sequence of int, optional
            Steps of each row, (B,), from 0 to T. A row's output is zero from its length on, its final state
            that of its last step, and the backward direction starts at its last step; length 0 gives zeros and
            the initial state. Default: all rows have T steps.
        hx
            torch.nn's name for `state`.

        Returns
        -------
        output (T, B, D·P), or (B, T, D·P), (T, D·P) or a PackedSequence, as x was given; final state, as `state`.

        Raises
        ------
        TypeError, ValueError
            If x, state or lengths are of another type, shape, dtype or device than this layer's, or x has no
            steps and no lengths.
        """
        if state is None:
            state = hx
        elif hx is not None:
            raise TypeError("expected the state once, got both state and hx, torch's name for it")
        if (
            state is None
            and lengths is None
            and self._fused
            and isinstance(x, Tensor)
            and x.ndim == 3
            and not (self._draws_in_training and (self.training or x.is_cuda))
        ):
            # The same as below, with nothing on the way: a small batch's arithmetic takes no longer than Python.
            values = self._parameters
            try:
                flat = [values[name] for name in self._flat_names]
            except (
                KeyError
            ):  # a parametrisation, or another hand, has put something else in a parameter's place
                flat = [getattr(self, name) for name in self._flat_names]
            first, (one, two, width) = flat[0], x.shape
            batch, steps = (one, two) if self.batch_first else (two, one)
            if width == self.input_size and steps and first is not None and x.dtype is first.dtype:
                rows = self.num_layers * 2 if self.bidirectional else self.num_layers
                h = x.new_zeros(rows, batch, self.proj_size or self.hidden_size)
                train = torch.is_grad_enabled()
                rest = (self.bias, self.num_layers, 0.0, train, self.bidirectional, self.batch_first)
                if self.mode == "LSTM":
                    c = x.new_zeros(rows, batch, self.hidden_size) if self.proj_size else h
                    output, h, c = torch_ops.SEQUENCE["LSTM"](x, (h, c), flat, *rest)
                    return output, (h, c)
                return torch_ops.SEQUENCE[self.mode](x, h, flat, *rest)
        output, state, _, _ = self._run(x, state, lengths, trace=False)
        return output, state

    def trace(self, x: Tensor | PackedSequence, state: Any = None, lengths: Lengths = None) -> Trace:
        """`forward`, and every gate, cell and hidden state on the way; always by the reference.

        Arguments and errors as for `forward`. Returns a `Trace`; its `output` and `state` are what `forward`
        returns.

        Example
        -------
        >>> from memorycell.layers import LSTM
        >>> trace = LSTM(3, 8, num_layers=2).trace(torch.zeros(5, 2, 3))
        >>> trace["forget"].shape  # layers, directions, batch, time, units
        torch.Size([2, 1, 2, 5, 8])
        """
        output, final, records, given = self._run(x, state, lengths, trace=True)
        values, dims = stacked(records, given.unbatched)
        return Trace(values, dims, output, final, given.lengths)

    def step(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """One functional, differentiable step.

        x (B, I) and the state as in `forward` (None: zeros) give the last layer's output (B, P) and the next
        state. In training, dropout between layers and zoneout draw anew at each step.

        Raises
        ------
        ValueError
            If the layer is bidirectional, or trains with a recurrent dropout, whose mask belongs to a whole
            sequence; and for wrong shapes, as in `forward`.

        Example
        -------
        >>> from memorycell.layers import GRU
        >>> layer = GRU(3, 8)
        >>> y, state = layer.step(torch.zeros(2, 3))
        >>> y, state = layer.step(torch.zeros(2, 3), state)
        >>> y.shape, state.shape
        (torch.Size([2, 8]), torch.Size([1, 2, 8]))
        """
        self.check_steppable()
        if self.training and self.recurrent_dropout:
            raise ValueError(
                f"expected evaluation mode, got recurrent_dropout={self.recurrent_dropout} in training: its mask "
                "belongs to a whole sequence; call eval(), or forward over the sequence"
            )
        if not isinstance(x, Tensor) or x.ndim != 2:
            got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"expected x of shape (batch, {self.input_size}), got {got}")
        given = read(self, x.unsqueeze(1 if self.batch_first else 0), state, None)
        draws = self._draw(1, given.batch, x)
        initial = list(zip(*(part.unbind(0) for part in given.state), strict=True))
        noise = [reference.at(one, 0) for one in draws.noise]
        between = [None if mask is None else mask[0] for mask in draws.between]
        weights = draws.masks(self.weights())
        fused = self._fused and not self.proj_size
        output, final = step_stack(self._cell, x, initial, weights, noise, between, fused)
        return output, given.give_back_state(tuple(torch.stack(parts) for parts in zip(*final, strict=True)))

    def stream(self, batch_size: int = 1) -> Stream:
        """A snapshot of the weights, with a state of `batch_size` rows, that is fed step by step.

        It computes as in evaluation, without a graph; later changes of the layer do not reach it.

        Raises ValueError if the layer is bidirectional.

        Example
        -------
        >>> from memorycell.layers import LSTM
        >>> stream = LSTM(3, 8).stream(batch_size=2)
        >>> stream.step(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
        """
        self.check_steppable()
        rules.check_size("batch_size", batch_size)
        zone_c, zone_h = self._zoneout
        return Stream(
            self._cell,
            self.weights(),
            self.state_widths(),
            batch_size,
            Noise(None, zone_h or None, zone_c or None),
            self._fused and not self.proj_size,
        )

    def check_steppable(self) -> None:
        """Raise if this layer cannot be run one step at a time."""
        if self.bidirectional:
            raise ValueError(
                "expected a layer of one direction, got bidirectional=True: the backward direction needs the "
                "whole sequence before its first step; call forward"
            )

    def _run(self, x: Any, state: Any, lengths: Any, trace: bool) -> tuple[Any, Any, list[list[Gates]], Any]:
        given = read(self, x, state, lengths)
        draws = self._draw(given.steps, given.batch, given.x)
        weights = draws.masks(self.weights())
        records: list[list[Gates]] = []
        if trace or not self._fused or (self.training and self.recurrent_dropout):
            padded, final, records = self._run_reference(given.padded(), given, weights, draws, trace)
            return given.give_back(padded), given.give_back_state(final), records, given
        flat = [value for w in weights for value in w[:5] if value is not None]
        by_layer = self._draws_in_training and self.dropout and (self.training or given.x.is_cuda)
        shape: dict[str, Any] = {
            "bias": self.bias,
            "num_layers": self.num_layers,
            "bidirectional": self.bidirectional,
            "between": draws.between if by_layer else None,
        }
        if given.packed is not None:
            output, final = torch_ops.run_packed(self.mode, given.packed, given.state, flat, **shape)
            return output, given.give_back_state(final), records, given
        if given.lengths is not None:
            padded, final = torch_ops.run_ragged(
                self.mode, given.x, given.lengths, given.state, flat, **shape
            )
        else:
            padded, final = torch_ops.run(self.mode, given.x, given.state, flat, **shape)
        return given.give_back(padded), given.give_back_state(final), records, given

    def _run_reference(
        self, x: Tensor, given: Any, weights: list[Weights], draws: _Draws, trace: bool
    ) -> tuple[Tensor, State, list[list[Gates]]]:
        directions = 2 if self.bidirectional else 1
        initial = list(zip(*(part.unbind(0) for part in given.state), strict=True))
        finals, records = [], []
        for layer in range(self.num_layers):
            outputs, gates = [], []
            for direction in range(directions):
                k = layer * directions + direction
                output, final, record = reference.run(
                    self._cell,
                    x,
                    initial[k],
                    weights[k],
                    lengths=given.lengths,
                    noise=draws.noise[k],
                    reverse=direction == 1,
                    trace=trace,
                )
                outputs.append(output)
                finals.append(final)
                gates.append(record)
            records.append(gates)
            x = outputs[0] if directions == 1 else torch.cat(outputs, -1)
            mask = draws.between[layer] if layer < self.num_layers - 1 else None
            x = x if mask is None else x * mask
        return x, tuple(torch.stack(parts) for parts in zip(*finals, strict=True)), records

    def _draw(self, steps: int, batch: int, like: Tensor) -> _Draws:
        """Draw the masks of one call. Element (t, unit) of a row is column t · width + unit: T does not matter."""
        cells = len(self._names)
        zone_c, zone_h = self._zoneout
        if not self.training or not (self._draws_in_training or zone_c or zone_h):
            noise = Noise(None, zone_h or None, zone_c or None)
            return _Draws([noise] * cells, [None] * cells, [None] * (self.num_layers - 1))
        kind: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
        hidden = self.proj_size or self.hidden_size

        def over_time(draw: Callable[..., Tensor], width: int, p: float) -> Tensor:
            return draw(batch, steps * width, p, **kind).view(batch, steps, width).transpose(0, 1)

        noises: list[Noise] = []
        weight: list[Tensor | None] = []
        between: list[Tensor | None] = []
        for k in range(cells):
            keep = (
                keep_mask(batch, hidden, self.recurrent_dropout, **kind) if self.recurrent_dropout else None
            )
            zoned_h = over_time(bernoulli, hidden, zone_h) if zone_h else None
            zoned_c = over_time(bernoulli, self.hidden_size, zone_c) if zone_c else None
            noises.append(Noise(keep, zoned_h, zoned_c))
            shape = (self._cell.rows * self.hidden_size, hidden)
            p = self.weight_dropout
            weight.append(keep_mask(*shape, p, shared=True, **kind) if p else None)
        for _ in range(self.num_layers - 1):
            width = hidden * (2 if self.bidirectional else 1)
            between.append(over_time(keep_mask, width, self.dropout) if self.dropout else None)
        return _Draws(noises, weight, between)

    def extra_repr(self) -> str:
        """As torch.nn's, with what differs from its defaults."""
        defaults = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
            "nonlinearity": "tanh",
            "peephole": False,
            "layer_norm": False,
            "coupled": False,
            "reset_after": True,
            "recurrent_dropout": 0.0,
            "weight_dropout": 0.0,
            "forget_bias": None,
            "backend": "auto",
        }
        tail = rules.changed(defaults, lambda name: getattr(self, name, defaults[name]))
        zoneout = getattr(self, "zoneout", 0.0)
        tail += f", zoneout={zoneout}" if any(self._zoneout) else ""
        return f"{self.input_size}, {self.hidden_size}{tail}"
