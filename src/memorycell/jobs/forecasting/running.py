"""Running a trained network over many origins, and what it says in the units of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.bars import tracked
from memorycell.data.tables.encoded import EncodedTable, Forecasts, eligible_origins, gather_actual
from memorycell.data.tables.steps import StepDataset
from memorycell.data.tables.windows import WindowDataset
from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.jobs.forecasting.conformal import Calibration
from memorycell.jobs.forecasting.measures.splits import rows_seen
from memorycell.jobs.forecasting.network import ForecastNetwork
from memorycell.kernels.native import flush_subnormals
from memorycell.training.threads import usable_threads, using_threads

INFERENCE_BATCH = 512
Origins = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Runner:
    """A trained network and the calibration of its intervals, to be asked from rows of an encoded table.

    Attributes
    ----------
    network : ForecastNetwork
    calibration : Calibration
    train_end : date or step number of the last row that training has seen, or a mapping from the series' names to it
    n_threads : int
    show : bool or None
        Whether a bar is shown where it takes long; see `memorycell.data.bars.Bar`.
    """

    network: ForecastNetwork
    calibration: Calibration
    train_end: Any
    n_threads: int
    show: bool | None = False

    @property
    def horizon(self) -> int:
        """Steps ahead."""
        return self.network.horizon

    @property
    def least_rows(self) -> int:
        """Rows that there must be up to an origin."""
        return 1 if isinstance(self.network, CarriedForecaster) else self.network.window

    def forecast_at(self, encoded: EncodedTable, origins: Origins) -> Forecasts:
        """See `Forecaster.forecast_at`."""
        later = self.later_origins(encoded, origins)
        rows = np.union1d(origins, later)
        found = run_network(self.network, encoded, rows, self.n_threads, self.show)
        point, quantiles = (part.double().numpy() for part in found)
        at, since = np.searchsorted(rows, origins), np.searchsorted(rows, later)
        return self.calibrated(encoded, origins, point[at], quantiles[at], later, quantiles[since])

    def calibrated(
        self,
        encoded: EncodedTable,
        origins: Origins,
        point: Numbers,
        quantiles: Numbers,
        later: Origins,
        later_quantiles: Numbers,
    ) -> Forecasts:
        """Forecasts in units from the network's point (n, H, K) and quantiles (n, H, K, Q), and its later ones."""
        moved = self.calibration.adjust(
            quantiles, encoded.dates[origins], later_quantiles,
            scaled_outcomes(encoded, later, self.horizon), encoded.dates[later + self.horizon],
        )  # fmt: skip
        if self.calibration.levels[0] < 0.5 < self.calibration.levels[-1]:
            # Intervals that were moved may leave behind what the network, trained on little, took for the mean.
            point = point.clip(moved[..., 0], moved[..., -1])
        return in_units(encoded, origins, point, moved, self.calibration.levels)

    def later_origins(self, encoded: EncodedTable, origins: Origins) -> Origins:
        """Origins since the end of training whose outcomes adjust the intervals of forecasts from `origins`."""
        if not len(origins):
            return np.empty(0, np.int64)
        # A series that has only begun says nothing of how the others err, even where a carried state can forecast it.
        later = eligible_origins(encoded, self.network.window, self.horizon)
        # Row numbers count from 0 in each series, so its last row seen is the first origin whose outcome is news.
        seen = encoded.offsets[:-1] + rows_seen(encoded, self.train_end)
        owner = np.searchsorted(encoded.offsets, later, side="right") - 1
        later = later[(later >= seen[owner] - 1) & self._heard(encoded)[owner]]
        known = encoded.dates[later + self.horizon]
        asked = encoded.dates[origins]
        later, known = later[known <= asked.max()], known[known <= asked.max()]
        # No more are used at the first of the origins than there are scores of the calibration block.
        order = np.argsort(known, kind="stable")
        before = int(np.searchsorted(known[order], asked.min(), side="right"))
        keep = len(self.calibration.scores) * self.calibration.stride
        return later[order[max(0, before - keep) :]]

    def _heard(self, encoded: EncodedTable) -> NDArray[np.bool_]:
        """bool (S,): series whose outcomes adjust intervals; new ones take nothing from those that were trained on."""
        if not isinstance(self.train_end, Mapping):
            return np.ones(len(encoded.ids), bool)
        known = np.array([name in self.train_end for name in encoded.ids])
        return known if known.any() else ~known


def scaled_outcomes(encoded: EncodedTable, origins: Origins, horizon: int) -> Numbers:
    """What came after each origin, (n, H, K) in the scaled units of the table, NaN where missing."""
    rows = torch.from_numpy(origins[:, None] + np.arange(1, horizon + 1))
    return encoded.target[rows].double().numpy()


def in_units(
    encoded: EncodedTable, origins: Origins, point: Numbers, quantiles: Numbers, levels: tuple[float, ...]
) -> Forecasts:
    """Scaled point (n, H, K) and quantiles (n, H, K, Q) as forecasts in the targets' units."""
    horizon = point.shape[1]
    series = np.searchsorted(encoded.offsets, origins, side="right") - 1
    scale, center = encoded.scale[series][:, None], encoded.center[series][:, None]
    rows = np.minimum(origins[:, None] + np.arange(1, horizon + 1), len(encoded.dates) - 1)
    point, quantiles = within(encoded, point * scale + center, quantiles * scale[..., None] + center[..., None])
    return Forecasts(
        point=point,
        quantiles=quantiles,
        levels=levels,
        actual=gather_actual(encoded, origins, horizon),
        origins=origins,
        series=series,
        dates=encoded.dates[rows],
        origin_dates=encoded.dates[origins],
        target_names=list(encoded.target_names),
        ids=list(encoded.ids),
        notes=encoded.notes,
        frequency=encoded.frequency,
    )


def within(encoded: EncodedTable, point: Numbers, quantiles: Numbers) -> tuple[Numbers, Numbers]:
    """Point (…, K) and quantiles (…, K, Q) in units, held within what the targets can be.

    Quantiles stay in order, and cover what they covered, as nothing comes beyond the bounds.
    """
    if encoded.limits is None:
        return point, quantiles
    low, high = encoded.limits
    return point.clip(low, high), quantiles.clip(low[:, None], high[:, None])


@torch.inference_mode()
def run_network(
    network: ForecastNetwork,
    encoded: EncodedTable,
    origins: NDArray[np.int64],
    n_threads: int,
    show: bool | None = False,
) -> tuple[Tensor, Tensor]:
    """Point (n, H, K) and quantiles (n, H, K, Q) from each of n origins, in the scaled units of the table."""
    network.eval()
    if not len(origins):
        shape = (0, network.horizon, encoded.target.shape[1])
        return _unanswered(shape, len(network.head.levels))
    with using_threads(usable_threads(n_threads)), flush_subnormals():
        if isinstance(network, CarriedForecaster):
            return _run_carried(network, encoded, origins)
        device = next(network.parameters()).device
        dataset = WindowDataset(encoded, network.window, network.horizon, origins)
        batches = torch.arange(len(origins)).split(INFERENCE_BATCH)
        some = tracked(batches, "forecasting", len(batches), show=show)
        parts = [network(dataset.gather(rows).to(device)) for rows in some]
    return torch.cat([point for point, _ in parts]).cpu(), torch.cat([spread for _, spread in parts]).cpu()


def _unanswered(shape: tuple[int, ...], levels: int) -> tuple[Tensor, Tensor]:
    return torch.empty(shape, dtype=torch.float32), torch.empty((*shape, levels), dtype=torch.float32)


def _run_carried(
    network: CarriedForecaster, encoded: EncodedTable, origins: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """One pass along each series from its first row; the forecasts at `origins` are picked out on the way."""
    device = next(network.parameters()).device
    dataset = StepDataset(encoded, network.horizon, origins)
    shape = (len(origins), network.horizon, encoded.target.shape[1])
    point, quantiles = _unanswered(shape, len(network.head.levels))
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
