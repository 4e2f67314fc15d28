"""Recurrent: what RNN, LSTM and GRU share. The order of arguments and results is torch.nn's."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.rnn import PackedSequence

from memorycell.kernels import fused, reference, torch_ops
from memorycell.kernels.reference import Noise, State
from memorycell.kernels.spec import Spec
from memorycell.layers import parameters as rules
from memorycell.layers import running
from memorycell.layers.draws import draw
from memorycell.layers.inputs import Lengths, read
from memorycell.layers.leaf import as_leaf
from memorycell.layers.stack import Stack
from memorycell.layers.stepping import Stream, step_stack
from memorycell.layers.traces import Trace, dims_of
from memorycell.layers.traces.chunks import trace_to_file


class Recurrent(Stack):
    """A stack of recurrent layers, in one or both directions. Build an `RNN`, `LSTM` or `GRU`."""

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: Any = None,
        *,
        lengths: Lengths = None,
        embedding: nn.Embedding | Tensor | None = None,
        hx: Any = None,
    ) -> tuple[Any, Any]:
        """Run over whole sequences.

        Parameters
        ----------
        x : Tensor or PackedSequence
            (T, B, I), or (B, T, I) with `batch_first`; one sequence (T, I); or packed sequences.
        state : Tensor or tuple of Tensor, optional
            Before the first step: h (L·D, B, P), of an LSTM (h, c) with c (L·D, B, H). Default: zeros.
        lengths : Tensor or sequence of int, optional
            Steps of each row, (B,), from 0 to T. A row's output is zero from its length on, its final state
            that of its last step, and the backward direction starts at its last step; length 0 gives zeros
            and the initial state. Default: all rows have T steps.
        embedding : torch.nn.Embedding or Tensor, optional
            x then holds token ids, integers without the features' dimension, and this (vocabulary, I) their
            values. Equal tokens of a batch are multiplied by the weights once.
        hx
            torch.nn's name for `state`.

        Returns
        -------
        output (T, B, D·P), (B, T, D·P), (T, D·P) or a PackedSequence, as x was given; the final state.

        Raises
        ------
        TypeError, ValueError
            If x, state or lengths are of another type, shape, dtype or device than this layer's, or x has no
            steps and there are no lengths.
        """
        if not isinstance(x, (Tensor, PackedSequence)) and isinstance(x, fx.Proxy):
            return as_leaf(self, x, state=state, lengths=lengths, embedding=embedding, hx=hx)
        if state is None:
            state = hx
        elif hx is not None:
            raise TypeError("expected the state once, got both state and hx, torch's name for it")
        if self._plain and lengths is None and embedding is None and isinstance(x, Tensor) and x.ndim == 3:
            result = self._run_plain(x, state)
            if result is not None:
                return result
        called = running.call(self, x, state, lengths, embedding)
        return called.output, called.state

    def _run_plain(self, x: Tensor, state: Any) -> tuple[Tensor, Any] | None:
        """What `running.call` gives for a rectangular batch; None where `running.call` must look closer.

        With little on the way to the operator: a small batch's arithmetic takes no longer than Python.
        """
        if self._draws and (self.training or x.is_cuda):
            return None
        values = self._parameters
        try:
            flat: list[Any] = [values[name] for name in self._flat_names]
        except KeyError:  # a parametrisation, pruning or another hand put something else in its place
            flat = [getattr(self, name) for name in self._flat_names]
        batch, steps, width = x.shape
        if not self.batch_first:
            batch, steps = steps, batch
        if width != self.input_size or not steps or x.dtype is not flat[0].dtype or x.device != flat[0].device:
            return None
        parts = () if state is None else state if self.mode == "LSTM" else (state,)
        if state is not None:
            widths = self.state_widths()
            if type(parts) is not tuple or len(parts) != len(widths):
                return None
            for part, width in zip(parts, widths, strict=True):
                fits = isinstance(part, Tensor) and part.shape == (self.cells, batch, width)
                if not fits or part.dtype is not x.dtype or part.device != x.device:
                    return None
        if self.backends.fused(x, flat[0]):
            return self._run_plain_fused(x, parts, flat, steps, batch)
        if not self.backends.torch():
            return None
        if not parts:
            parts = tuple(x.new_zeros(self.cells, batch, width) for width in self.state_widths())
        train = torch.is_grad_enabled()
        rest = (self.bias, self.num_layers, 0.0, train, self.bidirectional, self.batch_first)
        initial = parts if self.mode == "LSTM" else parts[0]
        result = torch_ops.SEQUENCE[self.mode](x, initial, flat, *rest)
        return (result[0], result[1:]) if self.mode == "LSTM" else result

    def _run_plain_fused(
        self, x: Tensor, initial: State, flat: list[Tensor], steps: int, batch: int
    ) -> tuple[Tensor, Any] | None:
        zone_c, zone_h = self.zone
        if self.training and (zone_c or zone_h):
            return None
        rest = (0, 0, int(self.batch_first), steps, batch, steps * batch, 0)
        spec = Spec(*self.fused_spec, *rest, *self.fused_variant)
        x = x.transpose(0, 1) if self.batch_first else x
        output, final = fused.run(spec, (zone_h, zone_c), x, initial, (), flat)
        if self.batch_first:
            output = output.transpose(0, 1)
        return output, final if len(final) == 2 else final[0]

    def part(self, layer: int, direction: int = 0) -> Recurrent:
        """One layer and direction as a layer of its own, batch first, with the *same* parameters.

        Parameters
        ----------
        layer : int
            From the input up, from 0.
        direction : int
            1 reads from left to right then, too: give it what it reads from its end.

        Example
        -------
        >>> from memorycell.layers import LSTM
        >>> layer = LSTM(3, 8, num_layers=2)
        >>> layer.part(1).weight_ih_l0 is layer.weight_ih_l1
        True
        """
        names = self._names[layer * self.directions + direction]
        first = getattr(self, names["weight_ih"])
        part = Recurrent(
            self.cell, first.shape[1], self.hidden_size, 1, self.bias, True, 0.0, False, "meta", first.dtype,
            proj_size=self.proj_size, peephole=self.peephole, layer_norm=self.layer_norm, zoneout=self.zone,
            backend=self.backend,
        )  # fmt: skip
        for own, full in zip(part._flat_names, names.values(), strict=True):
            part._parameters[own] = getattr(self, full)
        return part.train(self.training)

    def trace(
        self,
        x: Tensor | PackedSequence,
        state: Any = None,
        lengths: Lengths = None,
        embedding: nn.Embedding | Tensor | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        chunk: int = 4096,
        force: bool = False,
    ) -> Trace:
        """`forward`, and every gate, cell and hidden state on the way.

        Arguments and errors as for `forward`; where gradients are recorded, the reference computes it.

        Parameters
        ----------
        path : str or path, optional
            A .safetensors file that the trace goes to, `chunk` steps at a time, in memory that does not depend on how
            long x is (which may itself be a memory map); without gradients, in evaluation mode. The trace that comes
            back is mapped into memory; its `output` is None.
        chunk : int
        force : bool
            Overwrite the file.

        Returns
        -------
        Trace, whose `output` and `state` are what `forward` returns.

        Example
        -------
        >>> from memorycell.layers import LSTM
        >>> trace = LSTM(3, 8, num_layers=2).trace(torch.zeros(5, 2, 3))
        >>> trace["forget"].shape  # layers, directions, batch, time, units
        torch.Size([2, 1, 2, 5, 8])
        """
        if path is not None:
            parts = [self.part(*divmod(k, self.directions)) for k in range(self.cells)]
            return trace_to_file(self, parts, x, state, lengths, embedding, path, chunk, force=force)  # type: ignore[arg-type]
        called = running.call(self, x, state, lengths, embedding, trace=True)
        unbatched = called.given.unbatched
        values = {name: value.squeeze(2) if unbatched else value for name, value in called.records.items()}
        return Trace(values, dims_of(unbatched), called.output, called.state, called.given.lengths)

    def step(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """One functional, differentiable step.

        x (B, I) and the state as in `forward` (None: zeros) give the last layer's output (B, P) and the next
        state. In training, dropout between layers, zoneout and weight dropout draw anew at each step.

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
        self._check_one_direction()
        if self.training and self.recurrent_dropout:
            raise ValueError(
                f"expected evaluation mode, got training with recurrent_dropout={self.recurrent_dropout}: "
                "its mask belongs to a whole sequence; call eval(), or forward over the sequence"
            )
        if not isinstance(x, Tensor) or x.ndim != 2:
            got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"expected x of shape (batch, {self.input_size}), got {got}")
        time = 1 if self.batch_first else 0
        if self.backends.fused(x, self.get_parameter("weight_ih_l0")):
            output, final = self.forward(x.unsqueeze(time), state)
            return output.squeeze(time), final
        given = read(self, x.unsqueeze(time), state, None)
        draws = draw(self, 1, given.batch, x)
        output, finals = step_stack(
            self.cell,
            x,
            list(zip(*(part.unbind(0) for part in given.initial()), strict=True)),
            draws.masked(self.weights()),
            [reference.at(noise, 0) for noise in draws.noise],
            [None if mask is None else mask[0] for mask in draws.between],
            self.backends.torch() and not self.proj_size,
        )
        return output, given.give_back_state(running.together(finals))

    def stream(self, batch_size: int = 1, weights: str | None = None) -> Stream:
        """A copy of the weights, with a state of `batch_size` rows, that is fed step by step.

        It computes as in evaluation, without a graph; later changes of the layer do not reach it.

        Parameters
        ----------
        batch_size : int
            Rows that are fed at once.
        weights : str or None
            How w_ih and w_hh are kept, where a step's time is the time to read them. None: as they are, with the
            bits of `forward`. "bfloat16": half the bytes; each weight is off by at most 2^-8 of itself. "int8": a
            quarter; by at most 1/254 of the largest weight of its row. Biases, states and sums stay float32; with
            "int8" x and h are rounded to 2^-16 of their largest value where the processor multiplies bytes
            (AVX-512 VNNI), and a value that is not finite makes its row NaN.

        Raises
        ------
        ValueError
            If the layer is bidirectional, or the fused kernels cannot keep `weights` as asked.

        Example
        -------
        >>> from memorycell.layers import LSTM
        >>> stream = LSTM(3, 8).stream(batch_size=2)
        >>> stream.step(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
        """
        self._check_one_direction()
        zone_c, zone_h = self.zone
        w = self.weights()
        return Stream(
            self.cell,
            w,
            self.state_widths(),
            rules.size("batch_size", batch_size),
            Noise(None, zone_h or None, zone_c or None),
            self.backends.torch() and not self.proj_size,
            self.backends.fused(w[0].w_ih, w[0].w_ih),
            weights,
        )

    def _check_one_direction(self) -> None:
        if self.bidirectional:
            raise ValueError(
                "expected a layer of one direction, got bidirectional=True: the backward direction needs the "
                "whole sequence before its first step; call forward"
            )
