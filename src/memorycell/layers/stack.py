"""Stack: the sizes, the variant and the parameters of RNN, LSTM and GRU. The order of arguments is torch.nn's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.backends.cudnn.rnn import get_cudnn_mode

from memorycell.kernels.reference import Cell, Weights
from memorycell.kernels.spec import MODES
from memorycell.layers import parameters as rules
from memorycell.layers.backends import Backends, torch_lacks
from memorycell.layers.counterparts import torch_s_own


class Stack(nn.Module):
    """What a stack of recurrent layers is: sizes, variant, parameters. `Recurrent` runs it."""

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
        self.cell, self.mode = cell, cell.mode
        self.input_size = rules.size("input_size", input_size)
        self.hidden_size = rules.size("hidden_size", hidden_size)
        self.num_layers = rules.size("num_layers", num_layers)
        self.proj_size = rules.size("proj_size", proj_size, 0)
        if proj_size >= hidden_size:
            raise ValueError(f"expected proj_size smaller than hidden_size={hidden_size}, got {proj_size}")
        self.bias = rules.flag("bias", bias)
        self.batch_first = rules.flag("batch_first", batch_first)
        self.bidirectional = rules.flag("bidirectional", bidirectional)
        self.peephole = rules.flag("peephole", peephole)
        self.layer_norm = rules.flag("layer_norm", layer_norm)
        self.forget_bias = rules.optional_forget_bias(forget_bias, bias)
        self.dropout = rules.probability("dropout", dropout)
        self.recurrent_dropout = rules.probability("recurrent_dropout", recurrent_dropout)
        self.weight_dropout = rules.probability("weight_dropout", weight_dropout)
        self.zone = rules.zone(zoneout)
        if dropout and num_layers == 1:
            warnings.warn(f"dropout={dropout} acts between layers, and there is only one: num_layers=1", stacklevel=3)
        # Whether training draws masks that the plain path below does not know.
        self._draws = bool((dropout and num_layers > 1) or recurrent_dropout or weight_dropout)
        self.backend = backend
        flags = int(self.bias), int(self.peephole), int(self.layer_norm)
        # The parts of `Spec` that calls do not change.
        self.fused_spec = (MODES.index(self.mode), int(cell.coupled), num_layers, self.directions, *flags)
        self.fused_variant = (int(proj_size > 0), int(not cell.reset_after))
        self._plain = backend != "reference"
        self._register(device, dtype)
        self.reset_parameters()
        self.flatten_parameters()

    def _register(self, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        """Make the parameters: by layer, then direction, then name, as torch does."""
        directions = 2 if self.bidirectional else 1
        self._names: list[dict[str, str]] = []
        for layer in range(self.num_layers):
            shapes = rules.parameter_shapes(
                self.cell,
                self.input_size if layer == 0 else directions * (self.proj_size or self.hidden_size),
                self.hidden_size,
                bias=self.bias,
                proj_size=self.proj_size,
                peephole=self.peephole,
                layer_norm=self.layer_norm,
            )
            for suffix in (f"_l{layer}", f"_l{layer}_reverse")[:directions]:
                self._names.append({name: name + suffix for name in shapes})
                for name, shape in shapes.items():
                    value = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(name + suffix, value)
        # Torch's own order; what torch does not know follows, in the order of the fused kernels.
        self._flat_names = [full for names in self._names for full in names.values()]

    @property
    def backend(self) -> str:
        """What computes: "cpp" (the fused kernels), "torch" (its operators), "reference", or "auto"."""
        return self.backends.name

    @backend.setter
    def backend(self, backend: str) -> None:
        lacks = torch_lacks(self.cell, peephole=self.peephole, layer_norm=self.layer_norm, zoneout=any(self.zone))
        if lacks is None and backend == "torch" and self.recurrent_dropout:
            lacks = "torch's operators have no recurrent_dropout"
        self.backends = Backends(backend, lacks)

    @property
    def directions(self) -> int:
        """2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def cells(self) -> int:
        """Layers times directions: L·D."""
        return self.num_layers * self.directions

    def reset_parameters(self) -> None:
        """Draw all parameters anew from torch's default generator, as torch.nn does: U(-1/√H, 1/√H)."""
        rules.initialise(self._groups(), self.cell, self.hidden_size, self.forget_bias)

    def _groups(self) -> list[dict[str, nn.Parameter]]:
        return [{name: getattr(self, full) for name, full in names.items()} for names in self._names]

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters of each layer and direction."""
        return [list(group.values()) for group in self._groups()]

    def weights(self) -> list[Weights]:
        """The parameters as the kernels see them, by layer and direction."""
        return [rules.as_weights(group) for group in self._groups()]

    def state_widths(self) -> tuple[int, ...]:
        """Units of each part of the state: (P, H) of an LSTM's (h, c), (H,) of the others' h."""
        hidden = self.proj_size or self.hidden_size
        return (hidden, self.hidden_size) if self.mode == "LSTM" else (hidden,)

    def flatten_parameters(self) -> None:
        """Lay the weights out as cuDNN wants them: in one block. Does nothing off the GPU or for variants."""
        weights = [self._parameters.get(name) for name in self._flat_names]
        first = weights[0]
        if first is None or not (first.is_cuda and self.backends.torch() and torch.backends.cudnn.is_acceptable(first)):
            return
        alike = {w.data_ptr() for w in weights if w is not None and w.is_cuda and w.dtype is first.dtype}
        if len(alike) < len(weights) or not torch._use_cudnn_rnn_flatten_weight():
            return
        # With dropout between them, layers run one by one, and each wants a block.
        blocks = self.num_layers if self.dropout else 1
        per_block, per_cell = len(weights) // blocks, len(weights) // len(self._names)
        inner = (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)
        with torch.cuda.device_of(first), torch.no_grad():
            for block in range(blocks):
                torch._cudnn_rnn_flatten_weight(
                    weights[block * per_block : (block + 1) * per_block],  # type: ignore[arg-type]
                    per_cell,
                    inner if block else self.input_size,
                    get_cudnn_mode(self.mode),
                    self.hidden_size,
                    self.proj_size,
                    self.num_layers // blocks,
                    self.batch_first,
                    self.bidirectional,
                )

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Stack:
        super()._apply(fn, recurse)
        self.flatten_parameters()  # .to() has moved them apart
        return self

    def __prepare_scriptable__(self) -> nn.Module:
        """What `torch.jit.script` compiles in this layer's place: torch's own, with the same parameters."""
        return torch_s_own(self)

    def extra_repr(self) -> str:
        """As torch.nn's, with whatever differs from its default."""
        return rules.described(self, any(self.zone))
