"""A forecaster that carries its state: one step of the table in, the whole horizon out, at every step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from memorycell.data.batch import Batch
from memorycell.jobs.forecasting.network import ForecastNetwork, TableShape
from memorycell.networks.base import Loss, State, map_state


class CarriedForecaster(ForecastNetwork):
    """Recurrent layers along a whole series; every step forecasts the horizon after it.

    Trained by truncated backpropagation through time and run from the first row of a series on, so that it may
    remember longer than any window. Everything it does is causal: ``normalize="level"`` feeds differences from the
    value before and adds the forecast to the current value, which needs no look ahead.

    The state is (the recurrent layers' state, the last targets (B, K)).

    Inputs of a batch: ``past`` (B, T, F); ``ahead`` (B, T, H, P), what is known of the steps after each step, when
    P > 0; ``codes`` (B, T, C), ``static``, ``static_codes``. Targets and weights: (B, T, H, K).
    """

    def __init__(self, shape: TableShape, window: int, horizon: int, **options: Any) -> None:
        super().__init__(shape, window, horizon, **{**options, "linear": False})
        if self.normalize == "scale":
            raise ValueError(
                "expected normalize='none' or 'level' for a carried state: the scale of a window is not causal"
            )
        self.rnn = self.recurrent(self.past_width)
        self.read = nn.Linear(self.hidden_size, self.hidden_size)
        self.ahead = nn.Linear(shape.known, self.hidden_size, bias=False) if shape.known else None
        self.position = nn.Parameter(0.1 * torch.randn(horizon, self.hidden_size)) if horizon > 1 else None
        self.out = self.output(self.hidden_size, shape.targets)

    def loss(self, batch: Batch, state: State = None) -> Loss:
        raw, level, state = self.run(batch, state)
        targets = batch.truth if level is None else batch.truth - level.unsqueeze(2)
        return Loss(*self.head.loss(raw, replace(batch, targets=targets)), state)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.forecast(batch)[:2]

    def forecast(self, batch: Batch, state: State = None) -> tuple[Tensor, Tensor, State]:
        """Point (B, T, H, K), quantiles (B, T, H, K, Q) in the scaled units of the table, and the state after."""
        raw, level, state = self.run(batch, state)
        point, quantiles = self.head.predict(raw)
        if level is not None:
            point, quantiles = point + level.unsqueeze(2), quantiles + level[:, :, None, :, None]
        return point, quantiles, state

    def run(self, batch: Batch, state: State = None) -> tuple[Tensor, Tensor | None, State]:
        """What the head reads (B, T, H, K, 1 + Q), the level (B, T, K) or None, and the state after the last step."""
        past = batch.inputs["past"]
        fresh = self.init_state(batch)
        if state is None:
            state = fresh
        elif batch.restart is not None:
            keep = ~batch.restart.unsqueeze(-1)
            state = (map_state(lambda tensor: tensor * keep, state[0]), torch.where(keep, state[1], fresh[1]))
        recurrent, last = state
        targets = past[..., : self.shape.targets]
        level = None
        if self.normalize == "level":
            level = targets
            before = torch.cat([last.unsqueeze(1), targets[:, :-1]], dim=1)
            past = torch.cat([targets - before, past[..., self.shape.targets :]], dim=-1)
        output, recurrent = self.rnn(self._step_features(batch, past, level), recurrent)
        hidden = self.read(self.drop(output)).unsqueeze(2)
        if self.position is not None:
            hidden = hidden + self.position
        if self.ahead is not None:
            hidden = hidden + self.ahead(batch.inputs["ahead"])
        raw = self.out(functional.gelu(hidden))
        raw = raw.view(*past.shape[:2], self.horizon, self.shape.targets, self.head.n_outputs)
        return raw, level, (recurrent, targets[:, -1])

    def init_state(self, batch: Batch) -> State:
        past = batch.inputs["past"]
        zeros = past.new_zeros(self.num_layers, len(past), self.hidden_size)
        recurrent = (zeros, zeros) if self.cell == "LSTM" else zeros
        # Before the first step there is no difference yet: the first value stands for the one before it.
        return recurrent, past[:, 0, : self.shape.targets]

    def _step_features(self, batch: Batch, past: Tensor, level: Tensor | None) -> Tensor:
        parts = [past]
        if level is not None:
            parts.append(level.clamp(-2.0, 2.0))
        if self.embed is not None:
            parts.append(self.embed(batch.inputs["codes"]))
        static = self._static(batch)
        if static is not None:
            parts.append(static.unsqueeze(1).expand(-1, past.shape[1], -1))
        return torch.cat(parts, dim=-1) if len(parts) > 1 else past
