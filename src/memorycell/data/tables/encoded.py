"""EncodedTable: a table as tensors; Forecasts: what comes back out of a forecaster, in the units of the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.content import Contents
from memorycell.data.figures import Figures, shortened
from memorycell.data.lines import counted
from memorycell.data.tables.times.frequency import Frequency


@dataclass(repr=False)
class EncodedTable:
    """Series on a regular time grid, one after the other, N rows in all (S series, K targets).

    Row indices are global: series s owns rows ``offsets[s] : offsets[s + 1]``, of which the first
    ``observed_rows[s]`` were observed and the rest lie in the future (only `known`, `codes` and `dates` are filled).

    Attributes
    ----------
    past : float32 (N, F)
        What a model sees up to the origin, scaled: the K targets first (missing values filled), the other numeric
        columns, the known ones, then one 0/1 column "was missing" for each column that had missing values when fitted.
    known : float32 (N, P)
        What is known ahead too, scaled: calendar features and the declared known-future columns. P may be 0.
    codes : int64 (N, C)
        Categorical columns as codes; 0 is "unknown or missing". C may be 0.
    static, static_codes : float32 (S, A), int64 (S, E)
        Columns that are constant within a series.
    target : float32 (N, K)
        The scaled targets; NaN where missing or in the future.
    center, scale : float64 (S, K)
        target in units = target * scale + center, for each series.
    """

    past: Tensor
    known: Tensor
    codes: Tensor
    static: Tensor
    static_codes: Tensor
    target: Tensor
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    offsets: NDArray[np.int64]
    observed_rows: NDArray[np.int64]
    dates: NDArray  # (N,) datetime64[ns], or int64 step numbers when the table has no dates
    ids: list[str]
    past_names: list[str]
    known_names: list[str]
    code_names: list[str]
    code_sizes: list[int]  # number of codes of each categorical column, the unknown code 0 included
    code_known: list[bool]  # which categorical columns are known ahead
    static_names: list[str]
    static_code_names: list[str]
    static_code_sizes: list[int]
    target_names: list[str]
    notes: list[dict] = field(default_factory=list)  # what was done to the data: {"kind", "text", ...}
    limits: NDArray[np.float64] | None = None  # (2, K) what forecasts do not fall below or rise above; None: nothing
    frequency: Frequency | None = None  # of the grid, with the zone in which its dates (in UTC then) are shown

    def __repr__(self) -> str:
        what = f"{len(self.dates):,} rows of {len(self.ids):,} series, targets {shortened(self.target_names)}"
        return f"EncodedTable({what}; {self.past.shape[1] + self.known.shape[1] + self.codes.shape[1]:,} columns)"

    def content(self) -> Contents:
        """All that a network is given of it, by name: see `memorycell.data.content`."""
        names = ("past", "known", "codes", "static", "static_codes", "target", "offsets")
        return [(name, getattr(self, name)) for name in names]

    def wall(self, dates: NDArray) -> NDArray:
        """Dates as the clocks of their zone show them; as they are where they have none."""
        return dates if self.frequency is None else self.frequency.local(dates)

    @property
    def series_of_row(self) -> NDArray[np.int64]:
        """int64 (N,): the series of each row."""
        return np.repeat(np.arange(len(self.ids)), np.diff(self.offsets))

    @property
    def longest(self) -> slice:
        """The observed rows of the longest series."""
        s = int(self.observed_rows.argmax())
        return slice(int(self.offsets[s]), int(self.offsets[s] + self.observed_rows[s]))

    def target_in_units(self) -> NDArray[np.float64]:
        """float64 (N, K): the targets in their own units, NaN where missing."""
        series = self.series_of_row
        return self.target.double().numpy() * self.scale[series] + self.center[series]


@dataclass(repr=False)
class Forecasts(Figures):
    """Forecasts from n origins, H steps ahead, of K targets, in the targets' units.

    Attributes
    ----------
    point : float64 (n, H, K)
    quantiles : float64 (n, H, K, Q)
        Non-decreasing along Q.
    levels : tuple of Q floats
    actual : float64 (n, H, K)
        What came; NaN where not known.
    origins : int64 (n,)
        Row of the `EncodedTable` that is the last one seen.
    series : int64 (n,)
    dates : (n, H)
    origin_dates : (n,)
    reasons : list of n str
        Why a forecast is not the network's, or is missing: "" where it is the network's. Empty where all are.
    """

    point: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    levels: tuple[float, ...]
    actual: NDArray[np.float64]
    origins: NDArray[np.int64]
    series: NDArray[np.int64]
    dates: NDArray
    origin_dates: NDArray
    target_names: list[str]
    ids: list[str]
    notes: list[dict] = field(default_factory=list)  # of the table they were made from
    frequency: Frequency | None = None  # of the grid

    def wall(self, dates: NDArray) -> NDArray:
        """Dates as the clocks of their zone show them; as they are where they have none."""
        return dates if self.frequency is None else self.frequency.local(dates)

    reasons: list[str] = field(default_factory=list)

    def _said(self) -> tuple[str, str]:
        origins, steps = self.point.shape[:2]
        return f"{shortened(self.target_names)} from {counted(origins, 'origin')}, {counted(steps, 'step')} ahead", ""

    def table(self) -> list[dict[str, Any]]:
        """A row per origin, step ahead and target: what is forecast, its quantiles, and what came."""
        names = [f"q{100 * level:02g}" for level in self.levels]
        dates, origins = self.wall(self.dates), self.wall(self.origin_dates)
        return [
            {
                "series": self.ids[self.series[row]], "origin": origins[row], "date": dates[row, step],
                "step": step + 1, "target": target, "forecast": self.point[row, step, k],
                **dict(zip(names, self.quantiles[row, step, k], strict=True)), "actual": self.actual[row, step, k],
            }
            for row in range(len(self.point))
            for step in range(self.point.shape[1])
            for k, target in enumerate(self.target_names)
        ]  # fmt: skip


def eligible_origins(encoded: EncodedTable, window: int, horizon: int) -> NDArray[np.int64]:
    """Rows that have `window` rows of their series up to and including themselves and `horizon` observed rows after.

    `horizon=0` admits the last observed row: an origin to forecast the unknown from.
    """
    parts = []
    for first, count in zip(encoded.offsets[:-1], encoded.observed_rows, strict=True):
        parts.append(np.arange(first + window - 1, first + count - horizon, dtype=np.int64))
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def gather_actual(encoded: EncodedTable, origins: NDArray[np.int64], horizon: int) -> NDArray[np.float64]:
    """float64 (n, horizon, K): the targets after each origin in units, NaN beyond what was observed."""
    rows = origins[:, None] + np.arange(1, horizon + 1)
    series = np.searchsorted(encoded.offsets, origins, side="right") - 1
    inside = rows < encoded.offsets[series + 1][:, None]
    clipped = np.where(inside, rows, origins[:, None])
    scaled = encoded.target[torch.from_numpy(clipped)].double().numpy()
    scale = encoded.scale[series][:, None]
    values = scaled * scale + encoded.center[series][:, None]
    for bound in () if encoded.limits is None else encoded.limits:  # what lay on a bound does so after rounding, too
        values = np.where(np.abs(values - bound) <= 1e-6 * scale, bound, values)
    values[~inside] = np.nan
    return values
