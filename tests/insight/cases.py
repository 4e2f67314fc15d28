"""Small networks of every kind with one number to explain: what the tests of explanations run over.

``explained(**choices)`` builds one; ``case(name)`` one of `CASES`, which cover the cells, their variants, stacks, both
directions, initial states, pooling, read-outs and forecasters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.data.batch import Batch
from memorycell.insight.explained import Explained
from memorycell.jobs.forecasting.network import NETWORKS, TableShape
from memorycell.layers import GRU, LSTM, RNN
from memorycell.networks.pooling import Pooling

CELLS: dict[str, Any] = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}
STEPS, FEATURES, HIDDEN = 7, 3, 5


class Reader(nn.Module):
    """Recurrent layers, one module each or one for all, pooled; a read-out to one number."""

    def __init__(
        self,
        cell: str = "LSTM",
        modules: int = 1,
        bidirectional: bool = False,
        pooling: Sequence[str] = ("last",),
        head: str = "linear",
        state: bool = False,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        width, layers = FEATURES, []
        for _ in range(modules):
            layer = CELLS[cell](width, HIDDEN, batch_first=True, bidirectional=bidirectional, **options)
            width = layer.directions * (layer.proj_size or layer.hidden_size)
            layers.append(layer)
        self.layers, self.state = nn.ModuleList(layers), state
        self.pooling = Pooling(width, pooling, bidirectional)
        pooled = self.pooling.width
        self.head: nn.Module = {
            "linear": lambda: nn.Linear(pooled, 1),
            "gelu": lambda: nn.Sequential(nn.Linear(pooled, 6), nn.GELU(), nn.Linear(6, 1)),
            "relu": lambda: nn.Sequential(nn.Linear(pooled, 6), nn.ReLU(), nn.Linear(6, 1)),
            "log-probability": lambda: nn.Sequential(nn.Linear(pooled, 4), nn.LogSoftmax(dim=-1)),
        }[head]()
        with torch.no_grad():  # of a size that trained weights have: small ones make every cell all but linear
            for name, parameter in self.named_parameters():
                if name.endswith("norm_ch_bias_l0") or "weight_ch" in name:
                    parameter.normal_(std=0.5)
                elif "norm" not in name:
                    parameter.mul_(2.0)

    def initial(self, rows: int) -> Any:
        """A state that is not zero, where there is to be one."""
        if not self.state:
            return None
        layer: Any = self.layers[0]
        parts = [torch.linspace(-0.9, 0.8, layer.cells * width).view(-1, 1, width) for width in layer.state_widths()]
        parts = [part.expand(-1, rows, -1).contiguous() for part in parts]
        return tuple(parts) if len(parts) > 1 else parts[0]

    def forward(self, values: Tensor) -> Tensor:
        x, state = values, self.initial(len(values))
        for layer in self.layers:
            x, _ = layer(x, state)
            state = None
        return self.head(self.pooling(x))[:, 0]


def values_of(steps: int = STEPS, features: int = FEATURES, seed: int = 1) -> Tensor:
    """Readings (steps, features)."""
    return torch.randn(steps, features, generator=torch.Generator().manual_seed(seed))


def explained(network: nn.Module | None = None, steps: int = STEPS, **choices: Any) -> Explained:
    """One number of a `Reader` (built from `choices`), as tasks hand it over."""
    network = (Reader(**choices) if network is None else network).eval()
    values = values_of(steps)
    return Explained(
        function=network,
        values=values,
        baseline=torch.zeros_like(values),
        trunk=tuple(network.layers),  # type: ignore[arg-type]
        output="the number",
        labels=list(range(steps)),
        kind="numbers",
        features=[f"feature {number}" for number in range(FEATURES)],
        exact="exact for one layer and a linear read-out",
    )


def beside() -> Explained:
    """A network with a sum over steps beside it, and a constant that has a name."""
    base = explained(pooling=("mean",))
    parts = base.values[:, 0] * 0.5
    return Explained(
        function=lambda values: base.function(values) + 0.5 * values[:, :, 0].sum(1) + 3.0,
        values=base.values,
        baseline=base.baseline,
        trunk=base.trunk,
        output="the number",
        labels=base.labels,
        kind="numbers",
        parts={"ridge regression": parts},
        constants={"level": 3.0},
    )


def forecaster(kind: str, cell: str = "LSTM", window: int = 12, horizon: int = 5, **options: Any) -> Explained:
    """The third step ahead of a forecasting network; of "segment" the encoder's steps are three rows each."""
    torch.manual_seed(0)
    shape = TableShape(targets=2, past=2)
    segments = {"segment": 3} if kind == "segment" else {}
    sizes = {"hidden_size": 6, "levels": [0.1, 0.9], "cell": cell, "num_layers": options.pop("num_layers", 1)}
    network: Any = NETWORKS[kind](shape, window, horizon, **segments, **sizes, **options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
        network.out.weight.normal_()

    def function(values: Tensor) -> Tensor:
        return network(Batch({"past": values}))[0][:, 2, 1]

    values = values_of(window, 2)
    return Explained(
        function=function,
        values=values,
        baseline=torch.zeros_like(values),
        trunk=(network.rnn, network.decoder) if kind == "encoder-decoder" else (network.rnn,),
        output="the second series 3 steps ahead",
        labels=list(range(window)),
        kind="numbers",
        features=["first", "second"],
        anchor=window - 1,
        rows_of_step=(3,) * (window // 3) if kind == "segment" else None,
    )


CASES: dict[str, Callable[[], Explained]] = {
    "LSTM": lambda: explained(),
    "LSTM with a state": lambda: explained(state=True),
    "LSTM without bias": lambda: explained(bias=False),
    "LSTM with peepholes": lambda: explained(peephole=True, state=True),
    "LSTM with coupled gates": lambda: explained(coupled=True, state=True),
    "LSTM with projection": lambda: explained(proj_size=3, state=True, pooling=("mean",)),
    "LSTM with layer norm": lambda: explained(layer_norm=True, state=True, pooling=("mean",)),
    "LSTM with zoneout": lambda: explained(zoneout=(0.2, 0.3), state=True, pooling=("mean",)),
    "LSTM with everything": lambda: explained(
        layer_norm=True, peephole=True, coupled=True, proj_size=3, zoneout=(0.2, 0.3), bidirectional=True, state=True
    ),
    "LSTM, both directions": lambda: explained(bidirectional=True, state=True),
    "LSTM, two layers": lambda: explained(num_layers=2, state=True),
    "LSTM, two modules, both directions": lambda: explained(modules=2, bidirectional=True),
    "LSTM, mean": lambda: explained(pooling=("mean",)),
    "LSTM, max": lambda: explained(pooling=("max",)),
    "LSTM, attention": lambda: explained(pooling=("attention",)),
    "LSTM, all pooling, gelu": lambda: explained(
        pooling=("last", "mean", "max", "attention"), head="gelu", bidirectional=True
    ),
    "LSTM, relu": lambda: explained(head="relu", pooling=("mean",)),
    "LSTM, log-probability": lambda: explained(head="log-probability"),
    "GRU": lambda: explained(cell="GRU"),
    "GRU with a state, mean": lambda: explained(cell="GRU", state=True, pooling=("mean",)),
    "GRU, reset before": lambda: explained(cell="GRU", reset_after=False, state=True),
    "GRU with layer norm": lambda: explained(cell="GRU", layer_norm=True, state=True),
    "GRU, reset before, layer norm": lambda: explained(cell="GRU", reset_after=False, layer_norm=True),
    "GRU with zoneout": lambda: explained(cell="GRU", zoneout=0.3, state=True),
    "GRU, two layers, both directions, gelu": lambda: explained(
        cell="GRU", num_layers=2, bidirectional=True, head="gelu"
    ),
    "RNN": lambda: explained(cell="RNN"),
    "RNN with a state, mean": lambda: explained(cell="RNN", state=True, pooling=("mean",)),
    "RNN with relu": lambda: explained(cell="RNN", nonlinearity="relu", state=True),
    "RNN with layer norm, zoneout": lambda: explained(cell="RNN", layer_norm=True, zoneout=0.2, state=True),
    "RNN, two layers, both directions": lambda: explained(cell="RNN", num_layers=2, bidirectional=True),
    "one step": lambda: explained(steps=1, pooling=("mean",)),
    "something beside": beside,
    "forecaster": lambda: forecaster("lstm"),
    "forecaster, encoder and decoder": lambda: forecaster("encoder-decoder"),
    "forecaster, encoder and decoder, GRU, two layers": lambda: forecaster("encoder-decoder", "GRU", num_layers=2),
    "forecaster, encoder and decoder, RNN": lambda: forecaster("encoder-decoder", "RNN"),
    "forecaster, segments": lambda: forecaster("segment", window=13),
    "forecaster, segments, GRU": lambda: forecaster("segment", "GRU"),
}


def case(name: str) -> Explained:
    """One of `CASES`, built anew."""
    return CASES[name]()
