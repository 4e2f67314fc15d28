"""ForecastStream: a forecaster that takes one row of the table at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from memorycell.data.tables.encoded import EncodedTable, Forecasts
from memorycell.data.tables.steps import StepDataset
from memorycell.jobs.forecasting.running import Runner
from memorycell.networks.base import State


class ForecastStream:
    """The state of a carried forecaster, moved on by each new row; the numbers are those of `Forecaster.predict`.

    `Forecaster.stream` makes it. Each update is given the series so far; only its new rows are run: a stream is fed
    what a sensor delivers, in the time it takes to run one step.

    Parameters
    ----------
    runner : of a network that carries its state
    encode : from a table and its future to its tensors
    table, future : what the stream has seen

    Raises
    ------
    ValueError
        When the table holds several series.
    """

    def __init__(
        self, runner: Runner, encode: Callable[[Any, Any], EncodedTable], table: Any, future: Any = None
    ) -> None:
        self._runner, self._encode = runner, encode
        self._network: Any = runner.network.eval()
        self._state: State = None
        encoded = encode(table, future)
        if len(encoded.ids) != 1:
            raise ValueError(f"expected one series to stream, got {len(encoded.ids)}: open a stream for each")
        self._seen = 0
        # Raw quantiles of every row taken: once their outcomes are known they keep the intervals calibrated.
        shape = (runner.horizon, len(encoded.target_names), len(runner.calibration.levels))
        self._quantiles = np.empty((0, *shape))
        self.forecasts = self._advance(encoded)

    def update(self, table: Any, future: Any = None) -> Forecasts:
        """Take the rows of `table` that are new, and forecast from the last of them.

        Parameters
        ----------
        table : the series so far with the new rows at its end; rows taken before are not run again
        """
        encoded = self._encode(table, future)
        if encoded.observed_rows[0] <= self._seen:
            raise ValueError(
                f"expected rows after the {self._seen} already taken, got {int(encoded.observed_rows[0])} in all"
            )
        self.forecasts = self._advance(encoded)
        return self.forecasts

    @torch.inference_mode()
    def _advance(self, encoded: EncodedTable) -> Forecasts:
        runner, stop = self._runner, int(encoded.observed_rows[0])
        rows = torch.arange(self._seen, stop)
        batch = StepDataset(encoded, runner.horizon, rows.numpy()).gather_steps(rows[None])
        batch = batch.to(next(self._network.parameters()).device)
        point, spread, self._state = self._network.forecast(batch, self._state)
        self._quantiles = np.concatenate([self._quantiles, spread[0].double().cpu().numpy()])
        self._seen = stop
        origin = np.array([stop - 1])
        later = runner.later_origins(encoded, origin)
        quantiles = self._quantiles
        return runner.calibrated(
            encoded, origin, point[:, -1].double().cpu().numpy(), quantiles[origin], later, quantiles[later]
        )
