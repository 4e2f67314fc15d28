"""ForecastStream: a forecaster that takes one row of the table at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from memorycell.data.tables.encoded import EncodedTable, Forecasts
from memorycell.data.tables.steps import StepDataset
from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.networks.base import State

if TYPE_CHECKING:
    from memorycell.jobs.forecasting.task import Forecaster


class ForecastStream:
    """The state of a carried forecaster, moved on by each new row; the numbers are those of `Forecaster.predict`.

    Each update is given the series so far; only its new rows are run: a stream is fed what a sensor
    delivers, in the time it takes to run one step.

    Raises
    ------
    ValueError
        When the forecaster was not fitted with ``state="carried"``, or the table holds several series.
    """

    def __init__(self, forecaster: Forecaster, table: Any, future: Any = None) -> None:
        if forecaster.state != "carried":
            raise ValueError('a stream needs a carried state: fit with Forecaster(state="carried")')
        if not isinstance(forecaster.network_, CarriedForecaster):
            raise TypeError(f"expected a network that carries its state, got {type(forecaster.network_).__name__}")
        self._forecaster = forecaster
        self._network = forecaster.network_.eval()
        self._state: State = None
        encoded = forecaster.encode(table, future)
        if len(encoded.ids) != 1:
            raise ValueError(f"expected one series to stream, got {len(encoded.ids)}: open a stream for each")
        self._seen = 0
        # Raw quantiles of every row taken: once their outcomes are known they keep the intervals calibrated.
        shape = (forecaster.horizon, len(encoded.target_names), len(forecaster.quantiles))
        self._quantiles = np.empty((0, *shape))
        self.forecasts = self._advance(encoded)

    def update(self, table: Any, future: Any = None) -> Forecasts:
        """Take the rows of `table` that are new, and forecast from the last of them.

        Parameters
        ----------
        table : the series so far with the new rows at its end; rows taken before are not run again
        """
        encoded = self._forecaster.encode(table, future)
        if encoded.observed_rows[0] <= self._seen:
            raise ValueError(
                f"expected rows after the {self._seen} already taken, got {int(encoded.observed_rows[0])} in all"
            )
        self.forecasts = self._advance(encoded)
        return self.forecasts

    @torch.inference_mode()
    def _advance(self, encoded: EncodedTable) -> Forecasts:
        forecaster, stop = self._forecaster, int(encoded.observed_rows[0])
        rows = torch.arange(self._seen, stop)
        batch = StepDataset(encoded, forecaster.horizon, rows.numpy()).gather_steps(rows[None])
        point, spread, self._state = self._network.forecast(batch, self._state)
        self._quantiles = np.concatenate([self._quantiles, spread[0].double().numpy()])
        self._seen = stop
        origin = np.array([stop - 1])
        later = forecaster.later_origins(encoded, origin)
        quantiles = self._quantiles
        return forecaster.calibrated(
            encoded, origin, point[:, -1].double().numpy(), quantiles[origin], later, quantiles[later]
        )
