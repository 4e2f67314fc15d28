"""Start-up: `memorycell --help`, and one forecast in a fresh process, beside importing torch alone.

    python benchmarks/startup.py [--rounds 5]

Each round measures the three in turn; medians of the wall-clock are printed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from memorycell import Forecaster


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        days = np.arange("2020-01-01", "2021-07-01", dtype="datetime64[D]")
        values = 15 + 5 * np.sin(np.arange(len(days)) / 58) + np.random.default_rng(0).normal(size=len(days))
        table = Path(folder, "days.csv")
        table.write_text("date,temp\n" + "".join(f"{d},{v:.2f}\n" for d, v in zip(days, values, strict=True)))
        model = Path(folder, "model.safetensors")
        Forecaster(window=6, epochs=2, verbose=False).fit(table, "temp").save(model)
        command = [sys.executable, "-m", "memorycell"]
        jobs = {
            "python -c 'import torch'": [sys.executable, "-c", "import torch"],
            "memorycell --help": [*command, "--help"],
            "memorycell predict (one day ahead)": [*command, "predict", str(model), str(table)],
        }
        times: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(rounds + 1):
            for name, job in jobs.items():
                times[name].append(seconds(job))
    for name, each in times.items():
        print(f"{name:36} {statistics.median(each[1:]):.2f} s")  # the first round warms the disk's cache


if __name__ == "__main__":
    main()
