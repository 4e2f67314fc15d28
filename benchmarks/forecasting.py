"""Forecasting on public data: accuracy, coverage and time, beside the baselines on the same origins.

    MEMORYCELL_DATA=... python benchmarks/forecasting.py [job ...] [--seeds 5] [--json out.json]

Every figure is of data that training, early stopping and calibration have not seen. Times are of one machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data import folder, m4_hourly
from memorycell import Forecaster
from memorycell.data.tables.encoded import EncodedTable, Forecasts, eligible_origins
from memorycell.data.tables.reading import read_table
from memorycell.jobs.forecasting.measures.baselines import Baseline, LastValue, NotApplicable, SeasonalNaive
from memorycell.jobs.forecasting.measures.ets import ETS
from memorycell.jobs.forecasting.measures.metrics import measure
from memorycell.jobs.forecasting.measures.ridge import Ridge

Row = dict[str, Any]


def coverage(forecasts: Forecasts) -> str:
    """Share inside the 90 % interval of all targets and its block-bootstrap band, as in ``0.897 [0.880, 0.914]``."""
    said = []
    for scores in measure(forecasts):
        for each in scores.coverage:
            if abs(each.nominal - 0.9) < 1e-9:
                said.append(f"{each.observed:.3f} [{each.low:.3f}, {each.high:.3f}]")
    return "; ".join(said)


def rmse(forecasts: Forecasts) -> float:
    return float(np.sqrt(np.nanmean(np.square(forecasts.point - forecasts.actual))))


def on_baselines(
    encoded: EncodedTable, rows: int, window: int, horizon: int, origins: np.ndarray,
    error: Callable[[Forecasts], float],
    kinds: tuple[type[Baseline], ...] = (LastValue, SeasonalNaive, ETS, Ridge),
) -> Iterator[Row]:  # fmt: skip
    for kind in kinds:
        baseline, begun = kind(), time.perf_counter()
        try:
            baseline.fit(encoded, np.array([rows]), window, horizon)
        except NotApplicable as reason:
            yield {"model": kind.name, "error": None, "note": str(reason)}
            continue
        forecasts = baseline.forecast_at(encoded, origins)
        yield {
            "model": kind.name, "error": error(forecasts), "seconds": time.perf_counter() - begun,
            "coverage of 90 %": coverage(forecasts),
        }  # fmt: skip


def melbourne(seeds: int) -> Iterator[Row]:
    """Last six days → next day, last 20 % as test, RMSE in °C."""
    for name, target in (("min", "Temp"), ("max", "Temperature")):
        table = read_table(folder() / f"series/daily-{name}-temperatures.csv")
        rows = int(0.8 * len(table))
        past = table.take(np.arange(len(table)) < rows)
        for calendar in (False, True):
            job = f"Melbourne {name}, " + ("with calendar" if calendar else "window alone")
            runs, covers, seconds = [], [], []
            for seed in range(seeds):
                begun = time.perf_counter()
                model = Forecaster(window=6, calendar=calendar, random_state=seed).fit(past, target)
                seconds.append(time.perf_counter() - begun)
                encoded = model.codec_.encode(table)
                origins = eligible_origins(encoded, 6, 1)
                origins = origins[encoded.dates[origins + 1] > model.train_end_]
                forecasts = model.forecast_at(encoded, origins)
                runs.append(rmse(forecasts))
                covers.append(coverage(forecasts))
            middle = int(np.argsort(runs)[len(runs) // 2])
            yield {
                "job": job, "model": "memorycell", "error": runs[middle], "range": [min(runs), max(runs)],
                "seconds": float(np.median(seconds)), "coverage of 90 %": covers[middle],
            }  # fmt: skip
            for row in on_baselines(encoded, int(origins[0]) + 1, 6, 1, origins, rmse):
                yield {"job": job, **row}


def etth1(seeds: int, window: int) -> Iterator[Row]:
    """Horizon 96, 12/4/4 months, standardised on training, MSE over 7 channels and every test window."""
    table = read_table(folder() / "etth1/ETTh1.csv.gz")
    everything = np.arange(len(table))
    past, whole = table.take(everything < 11_520), table.take(everything < 14_400)
    targets = [name for name in table.columns if name != "date"]
    job = f"ETTh1, 96 ahead, look-back {window}"

    def mse(forecasts: Forecasts) -> float:
        return float(np.mean(np.square((forecasts.point - forecasts.actual) / deviation)))

    for seed in range(seeds):
        begun = time.perf_counter()
        model = Forecaster(
            horizon=96, window=window, calendar=False, validation_fraction=0.125, calibration_fraction=0.125,
            refit=False, random_state=seed, loss="absolute",
        ).fit(past, targets)  # fmt: skip
        seconds = time.perf_counter() - begun
        encoded = model.codec_.encode(whole)
        deviation = encoded.scale[0]
        origins = np.arange(11_519, 14_400 - 96)
        forecasts = model.forecast_at(encoded, origins)
        yield {
            "job": job, "model": "memorycell", "error": mse(forecasts), "seconds": seconds,
            "coverage of 90 %": coverage(forecasts), "windows": len(origins), "seed": seed,
        }  # fmt: skip
    for row in on_baselines(encoded, 8_640, window, 96, origins, mse, (LastValue, SeasonalNaive, Ridge)):
        yield {"job": job, **row}


def m4(seeds: int) -> Iterator[Row]:
    """414 hourly series, 48 ahead, one global model, sMAPE of the M4 competition."""
    names, series, actual = m4_hourly()
    table = {
        "unique_id": np.repeat(names, [len(values) for values in series]),
        "step": np.concatenate([np.arange(len(values)) for values in series]),
        "y": np.concatenate(series),
    }

    def smape(point: np.ndarray) -> float:
        return float(np.mean(200 * np.abs(point - actual) / (np.abs(point) + np.abs(actual))))

    for season in (24, 168):
        naive = np.stack([np.resize(values[-season:], 48) for values in series])
        yield {"job": "M4 hourly", "model": f"seasonal naive {season}", "error": smape(naive)}
    for seed in range(seeds):
        begun = time.perf_counter()
        model = Forecaster(
            horizon=48, window=168, series="unique_id", time="step", loss="absolute", random_state=seed
        ).fit(table, "y")
        forecasts = model.forecast_end()
        order = np.argsort([names.index(forecasts.ids[s]) for s in forecasts.series])
        point, quantiles = forecasts.point[order, :, 0], forecasts.quantiles[order, :, 0]
        inside = (actual >= quantiles[..., 0]) & (actual <= quantiles[..., -1])
        draws = np.random.default_rng(0).integers(len(inside), size=(2000, len(inside)))
        low, high = np.quantile(inside.mean(1)[draws].mean(1), [0.025, 0.975])
        yield {
            "job": "M4 hourly", "model": "memorycell", "error": smape(point), "seconds": time.perf_counter() - begun,
            "coverage of 90 %": f"{inside.mean():.3f} [{low:.3f}, {high:.3f}] (bootstrap over series)", "seed": seed,
        }  # fmt: skip


def pm25(seeds: int) -> Iterator[Row]:
    """Beijing PM2.5, next hour; first 80 % train, rows without a target dropped from scoring; RMSE in µg/m³."""
    table = read_table(folder() / "series/beijing_pm25_pollution.csv.gz")
    rows = int(0.8 * len(table))
    past = table.take(np.arange(len(table)) < rows)
    for seed in range(seeds):
        begun = time.perf_counter()
        model = Forecaster(random_state=seed, exclude=["No"]).fit(past, "pm2.5")
        seconds = time.perf_counter() - begun
        encoded = model.codec_.encode(table)
        origins = eligible_origins(encoded, model.window_, 1)
        origins = origins[encoded.dates[origins + 1] > model.train_end_]
        forecasts = model.forecast_at(encoded, origins)
        yield {
            "job": "PM2.5, next hour", "model": "memorycell", "error": rmse(forecasts), "seconds": seconds,
            "coverage of 90 %": coverage(forecasts), "window": model.window_, "seed": seed,
        }  # fmt: skip
    for row in on_baselines(
        encoded, int(origins[0]) + 1, model.window_, 1, origins, rmse, (LastValue, SeasonalNaive, Ridge)
    ):
        yield {"job": "PM2.5, next hour", **row}


JOBS: dict[str, Callable[[int], Iterator[Row]]] = {
    "melbourne": melbourne,
    "etth1-96": lambda seeds: etth1(min(seeds, 1), 96),
    "etth1-336": lambda seeds: etth1(min(seeds, 1), 336),
    "etth1-720": lambda seeds: etth1(min(seeds, 1), 720),
    "m4": lambda seeds: m4(min(seeds, 1)),
    "pm25": lambda seeds: pm25(min(seeds, 3)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", default=list(JOBS), metavar="job", help=f"out of {', '.join(JOBS)}")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the short jobs (default 5)")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    rows: list[Row] = []
    print(f"{'job':34} {'model':20} {'error':>9} {'seconds':>8}  coverage of 90 % [its band]")
    for name in arguments.jobs:
        if name not in JOBS:
            parser.error(f"no job {name!r}: choose from {', '.join(JOBS)}")
        for row in JOBS[name](arguments.seeds):
            error = "–" if row["error"] is None else f"{row['error']:.4g}"
            seconds = f"{row['seconds']:.1f}" if "seconds" in row else ""
            more = row.get("coverage of 90 %") or row.get("note", "")
            print(
                f"{row['job'] if 'job' in row else name:34} {row['model']:20} {error:>9} {seconds:>8}  {more}",
                flush=True,
            )
            rows.append(row)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
