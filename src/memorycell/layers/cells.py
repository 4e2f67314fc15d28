"""RNNCell, LSTMCell and GRUCell: one step of one layer, as torch.nn's, and the variants torch lacks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from memorycell.kernels import fused
from memorycell.kernels.random import bernoulli
from memorycell.kernels.reference import Cell, Noise, State, Weights
from memorycell.kernels.spec import MODES, Spec
from memorycell.layers import parameters as rules
from memorycell.layers.backends import Backends, torch_lacks
from memorycell.layers.counterparts import torch_s_own
from memorycell.layers.inputs import check_dtype, check_parts, check_state_dtype
from memorycell.layers.leaf import as_leaf
from memorycell.layers.running import masks_of
from memorycell.layers.stepping import step_cell


class RecurrentCell(nn.Module):
    """What the three cells share. Build an `RNNCell`, `LSTMCell` or `GRUCell`."""

    input_size: int
    hidden_size: int
    bias: bool

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        bias: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        *,
        peephole: bool = False,
        layer_norm: bool = False,
        forget_bias: float | None = None,
        zoneout: tuple[float, float] = (0.0, 0.0),
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.cell = cell
        self.input_size = rules.size("input_size", input_size)
        self.hidden_size = rules.size("hidden_size", hidden_size)
        self.bias = rules.flag("bias", bias)
        self.peephole = rules.flag("peephole", peephole)
        self.layer_norm = rules.flag("layer_norm", layer_norm)
        self.forget_bias = rules.optional_forget_bias(forget_bias, bias)
        self.zone = rules.zone(zoneout)
        self.backend = backend
        shapes = rules.parameter_shapes(
            cell, input_size, hidden_size, bias=bias, peephole=peephole, layer_norm=layer_norm
        )
        self._names = list(shapes)
        self._parts = ("h", "c") if cell.mode == "LSTM" else ("h",)
        flags = int(bias), int(peephole), int(layer_norm)
        self._fused_spec = (MODES.index(cell.mode), int(cell.coupled), 1, 1, *flags)
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        if not bias:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    @property
    def backend(self) -> str:
        """What computes: "cpp" (the fused kernels), "torch" (its operators), "reference", or "auto"."""
        return self.backends.name

    @backend.setter
    def backend(self, backend: str) -> None:
        lacks = torch_lacks(self.cell, peephole=self.peephole, layer_norm=self.layer_norm, zoneout=any(self.zone))
        self.backends = Backends(backend, lacks)

    def reset_parameters(self) -> None:
        """Draw all parameters anew from torch's default generator, as torch.nn does: U(-1/√H, 1/√H)."""
        group = {name: getattr(self, name) for name in self._names}
        rules.initialise([group], self.cell, self.hidden_size, self.forget_bias)

    def weights(self) -> Weights:
        """The kernels' view of the parameters."""
        return rules.as_weights({name: getattr(self, name) for name in self._names})

    def forward(self, x: Tensor, state: Any = None, *, hx: Any = None) -> Any:
        """One step.

        x is (B, I) or (I,); the state h is (B, H) or (H,), of an LSTMCell (h, c); None: zeros. `hx` is
        torch.nn's name for it. Returns the next state in the same form.

        Raises TypeError or ValueError if x or the state are of another type, shape, dtype or device.
        """
        if isinstance(x, fx.Proxy):
            return as_leaf(self, x, state=state, hx=hx)
        if state is None:
            state = hx
        elif hx is not None:
            raise TypeError("expected the state once, got both state and hx, torch's name for it")
        name = type(self).__name__
        if not isinstance(x, Tensor):
            raise TypeError(f"expected x to be a Tensor, got {type(x).__name__}")
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"expected x of shape (batch, {self.input_size}), got {tuple(x.shape)}: "
                f"this {name} was built with input_size={self.input_size}"
            )
        check_dtype(x, self.weight_ih, name)
        unbatched = x.ndim == 1
        before = None if state is None else self._read_state(state, x)
        if unbatched:
            x = x.unsqueeze(0)
            before = None if before is None else tuple(part.unsqueeze(0) for part in before)
        after = self._step(x, before)
        if unbatched:
            after = tuple(part.squeeze(0) for part in after)
        return after if len(after) == 2 else after[0]

    def _step(self, x: Tensor, before: State | None) -> State:
        """The next state from x (B, I) and the state (None: zeros) by whatever can compute it."""
        values = self._parameters
        try:
            flat: list[Any] = [values[name] for name in self._names]
        except KeyError:  # a parametrisation, pruning or another hand put something else in its place
            flat = [getattr(self, name) for name in self._names]
        noise = self._draw(x)
        if not self.backends.fused(x, flat[0]):
            before = (x.new_zeros(x.shape[0], self.hidden_size),) * len(self._parts) if before is None else before
            return step_cell(self.cell, x, before, self.weights(), noise, self.backends.torch())
        kinds, masks, rates = masks_of([_over_time(noise)], ()) if any(self.zone) else (0, [], (0.0, 0.0))
        batch, dtype = x.shape[0], flat[0].dtype
        spec = Spec(*self._fused_spec, kinds, 0, 0, 1, batch, batch, reset_before=int(not self.cell.reset_after))
        initial = () if before is None else [part.unsqueeze(0).to(dtype) for part in before]
        _, after = fused.run(spec, rates, x.unsqueeze(0).to(dtype), initial, (), flat, masks)
        return tuple(part.squeeze(0) for part in after)

    def _read_state(self, state: Any, x: Tensor) -> State:
        expected = (*x.shape[:-1], self.hidden_size)
        parts = check_parts(state, self._parts, type(self).__name__)
        for name, part in zip(self._parts, parts, strict=True):
            if part.shape != expected:
                raise ValueError(
                    f"expected state {name} of shape {expected}, got {tuple(part.shape)}: "
                    f"this {type(self).__name__} was built with hidden_size={self.hidden_size}"
                )
            check_state_dtype(name, part, x)
        return parts

    def _draw(self, x: Tensor) -> Noise:
        zone_c, zone_h = self.zone
        if not self.training:
            return Noise(None, zone_h or None, zone_c or None)
        drawn = [
            bernoulli(x.shape[0], self.hidden_size, p, device=x.device, dtype=x.dtype) if p else None
            for p in (zone_h, zone_c)
        ]
        return Noise(None, *drawn)

    def __prepare_scriptable__(self) -> nn.Module:
        """What `torch.jit.script` compiles in this cell's place: torch's own, with the same parameters."""
        return torch_s_own(self)

    def extra_repr(self) -> str:
        """As torch.nn's, with what differs from its defaults."""
        return rules.described(self, any(self.zone))


def _over_time(noise: Noise) -> Noise:
    """The same noise with a time of one step."""
    return Noise(None, *(zone.unsqueeze(0) if isinstance(zone, Tensor) else zone for zone in noise[1:]))


class RNNCell(RecurrentCell):
    """One step of an `RNN`: `torch.nn.RNNCell`, with `layer_norm`, `zoneout` and `backend` as `RNN` has them.

    Example
    -------
    >>> RNNCell(3, 8)(torch.zeros(2, 3)).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        layer_norm: bool = False,
        zoneout: float = 0.0,
        backend: str = "auto",
    ) -> None:
        zoneout = rules.probability("zoneout", zoneout)
        cell = Cell(rules.activation(nonlinearity))
        kind: dict[str, Any] = {"layer_norm": layer_norm, "zoneout": (0.0, zoneout), "backend": backend}
        super().__init__(cell, input_size, hidden_size, bias, device, dtype, **kind)
        self.nonlinearity, self.zoneout = nonlinearity, zoneout


class LSTMCell(RecurrentCell):
    """One step of an `LSTM`: `torch.nn.LSTMCell`, with the variants that need no more than a step.

    `peephole`, `layer_norm`, `coupled`, `forget_bias`, `zoneout` (p_c, p_h) and `backend` as `LSTM` has them;
    their parameters have the same names without the layer's suffix.

    Example
    -------
    >>> h, c = LSTMCell(3, 8, peephole=True)(torch.zeros(2, 3))
    >>> h.shape, c.shape
    (torch.Size([2, 8]), torch.Size([2, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        peephole: bool = False,
        layer_norm: bool = False,
        coupled: bool = False,
        forget_bias: float | None = None,
        zoneout: tuple[float, float] = (0.0, 0.0),
        backend: str = "auto",
    ) -> None:
        super().__init__(
            Cell("LSTM", coupled=rules.flag("coupled", coupled)),
            input_size,
            hidden_size,
            bias,
            device,
            dtype,
            peephole=peephole,
            layer_norm=layer_norm,
            forget_bias=forget_bias,
            zoneout=zoneout,
            backend=backend,
        )
        self.coupled, self.zoneout = coupled, self.zone


class GRUCell(RecurrentCell):
    """One step of a `GRU`: `torch.nn.GRUCell`, with `reset_after`, `layer_norm`, `zoneout` and `backend`.

    Example
    -------
    >>> GRUCell(3, 8, reset_after=False)(torch.zeros(2, 3)).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset_after: bool = True,
        layer_norm: bool = False,
        zoneout: float = 0.0,
        backend: str = "auto",
    ) -> None:
        zoneout = rules.probability("zoneout", zoneout)
        kind: dict[str, Any] = {"layer_norm": layer_norm, "zoneout": (0.0, zoneout), "backend": backend}
        cell = Cell("GRU", reset_after=rules.flag("reset_after", reset_after))
        super().__init__(cell, input_size, hidden_size, bias, device, dtype, **kind)
        self.reset_after, self.zoneout = reset_after, zoneout
