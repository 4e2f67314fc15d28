"""Running a Forecaster's network over many origins."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.steps import StepDataset
from memorycell.data.tables.windows import WindowDataset
from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.jobs.forecasting.network import ForecastNetwork
from memorycell.jobs.forecasting.training import INFERENCE_BATCH
from memorycell.kernels.native import flush_subnormals
from memorycell.training import using_threads


@torch.inference_mode()
def run_network(
    network: ForecastNetwork, encoded: EncodedTable, origins: NDArray[np.int64], n_threads: int
) -> tuple[Tensor, Tensor]:
    """Point (n, H, K) and quantiles (n, H, K, Q) from each of n origins, in the scaled units of the table."""
    network.eval()
    with using_threads(n_threads), flush_subnormals():
        if isinstance(network, CarriedForecaster):
            return _run_carried(network, encoded, origins)
        device = next(network.parameters()).device
        dataset = WindowDataset(encoded, network.window, network.horizon, origins)
        parts = [network(dataset.gather(rows).to(device)) for rows in torch.arange(len(origins)).split(INFERENCE_BATCH)]
    return torch.cat([point for point, _ in parts]).cpu(), torch.cat([spread for _, spread in parts]).cpu()


def _run_carried(
    network: CarriedForecaster, encoded: EncodedTable, origins: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """One pass along each series from its first row; the forecasts at `origins` are picked out on the way."""
    device = next(network.parameters()).device
    dataset = StepDataset(encoded, network.horizon, origins)
    shape = (len(origins), network.horizon, encoded.target.shape[1])
    point, quantiles = torch.empty(shape), torch.empty((*shape, len(network.head.levels)))
    owner = np.searchsorted(encoded.offsets, origins, side="right") - 1
    for series in np.unique(owner):
        mine = np.flatnonzero(owner == series)
        first, state = int(encoded.offsets[series]), None
        for rows in torch.arange(first, int(origins[mine].max()) + 1).split(INFERENCE_BATCH):
            each, spread, state = network.forecast(dataset.gather_steps(rows[None]).to(device), state)
            here = torch.from_numpy(mine[(origins[mine] >= int(rows[0])) & (origins[mine] <= int(rows[-1]))])
            steps = torch.from_numpy(origins)[here] - rows[0]
            point[here], quantiles[here] = each[0, steps].cpu(), spread[0, steps].cpu()
    return point, quantiles
