"""Forecasts from the end of every series, also of those that are too short for the window or have no value yet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memorycell.data.lines import counted, listing
from memorycell.data.tables.encoded import EncodedTable, Forecasts
from memorycell.jobs.forecasting.running import Runner, within
from memorycell.jobs.forecasting.short import ShortSeries, without_values


def able_series(encoded: EncodedTable, least_rows: int) -> NDArray[np.bool_]:
    """bool (S,): series that the network can forecast from their end."""
    return (encoded.observed_rows >= least_rows) & ~without_values(encoded).all(axis=1)


def forecast_ends(
    runner: Runner, encoded: EncodedTable, short: ShortSeries, spread: NDArray[np.float64], many: bool
) -> Forecasts:
    """Forecasts from the last row of each series of a table with rows to come; see `Forecaster.forecast_end`.

    Parameters
    ----------
    short, spread : what is said of series that are too short, and their typical spread (K,)
    many : whether the table may hold several series

    Raises
    ------
    ValueError
        Where a table of one series has too few rows, or no value.
    """
    origins = encoded.offsets[:-1] + encoded.observed_rows - 1
    lacking, able = without_values(encoded), able_series(encoded, runner.least_rows)
    if not many and not able[0]:
        raise ValueError(_refused(encoded, runner.least_rows))
    ours = runner.forecast_at(encoded, origins[able])
    if not lacking.any() and able.all():
        return ours
    series = np.arange(len(able))
    rows = encoded.offsets[:-1][:, None] + encoded.observed_rows[:, None] + np.arange(runner.horizon)
    point, quantiles = (np.full((len(able), *part.shape[1:]), np.nan) for part in (ours.point, ours.quantiles))
    point[able], quantiles[able] = ours.point, ours.quantiles
    for s in series[~able]:
        seen = slice(encoded.offsets[s], encoded.offsets[s] + encoded.observed_rows[s])
        values = encoded.target[seen].double().numpy() * encoded.scale[s] + encoded.center[s]
        point[s], quantiles[s] = short.forecast(values, spread)
    point, quantiles = within(encoded, point, quantiles)
    hidden = lacking[:, None, :].repeat(runner.horizon, axis=1)
    point[hidden], quantiles[hidden] = np.nan, np.nan
    return Forecasts(
        point, quantiles, ours.levels, np.full(point.shape, np.nan), origins, series, encoded.dates[rows],
        encoded.dates[np.maximum(origins, encoded.offsets[:-1])], list(encoded.target_names), list(encoded.ids),
        notes=encoded.notes,
        frequency=encoded.frequency,
        reasons=[_reason(encoded, int(s), bool(able[s]), lacking[s], runner.least_rows) for s in series],
    )  # fmt: skip


def _refused(encoded: EncodedTable, least_rows: int) -> str:
    rows = int(encoded.observed_rows[0])
    if rows >= least_rows:
        return f"expected values of {listing(encoded.target_names)} to forecast from, got none in {rows:,} rows"
    return f"expected at least {least_rows} rows (the window) to forecast from, got {rows}: give more of the past"


def _reason(encoded: EncodedTable, s: int, able: bool, lacking: NDArray[np.bool_], least_rows: int) -> str:
    """Why the forecast of a series is not the network's; "" where it is."""
    names = [name for name, gone in zip(encoded.target_names, lacking, strict=True) if gone]
    said = [f"no value of {listing(names)} yet: no forecast"] if names else []
    if not able and not lacking.all():
        rows = int(encoded.observed_rows[s])
        said.insert(0, f"{counted(rows, 'row')}, fewer than the {least_rows:,} of the window: level of the last values")
    return "; ".join(said)


def short_note(ids: list[str], rows: NDArray[np.int64], needed: str, carried: bool) -> str:
    """That series are too short to learn from, by name, and how they are forecast."""
    counts = ["with " + counted(int(count), "row") if count else "without a value" for count in rows]
    named = [f"{name!r} {count}" for name, count in zip(ids, counts, strict=True)]
    how = "as the others are" if carried else "by the level of their last values"
    return (
        f"{counted(len(ids), 'series')} {'is' if len(ids) == 1 else 'are'} too short to learn from "
        f"({'; '.join(named[:6])}{'; …' if len(named) > 6 else ''}; {needed}): forecast {how}."
    )
