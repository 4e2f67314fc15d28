"""Where the benchmarks find their data: the folder that the environment variable MEMORYCELL_DATA names."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def folder() -> Path:
    """The data folder; ends the program with a hint where there is none."""
    name = os.environ.get("MEMORYCELL_DATA")
    if not name or not Path(name).is_dir():
        raise SystemExit(
            "set MEMORYCELL_DATA to the folder of the data sets: it holds series/daily-min-temperatures.csv, "
            "series/daily-max-temperatures.csv, series/beijing_pm25_pollution.csv.gz, etth1/ETTh1.csv.gz and "
            "m4/Hourly-train.csv.gz, m4/Hourly-test.csv.gz"
        )
    return Path(name)


def m4_hourly() -> tuple[list[str], list[NDArray[np.float64]], NDArray[np.float64]]:
    """Names, training series and the 48 test hours of M4's 414 hourly series."""

    def read(part: str) -> list[list[str]]:
        with gzip.open(folder() / f"m4/Hourly-{part}.csv.gz", "rt", encoding="utf-8") as file:
            return list(csv.reader(file))[1:]

    train, test = read("train"), read("test")
    values = [np.array([float(v) for v in row[1:] if v]) for row in train]
    return [row[0] for row in train], values, np.array([[float(v) for v in row[1:49]] for row in test])
