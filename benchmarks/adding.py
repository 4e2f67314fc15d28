"""The adding problem (Hochreiter & Schmidhuber 1997): RNN, LSTM and GRU at growing lags, beside a guess.

    python benchmarks/adding.py [--lags 50 100 200 400] [--seeds 1] [--json out.json]

One thread; times are of one machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from memorycell import adding_problem


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lags", type=int, nargs="+", default=[50, 100, 200, 400])
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each cell at each lag")
    parser.add_argument("--json", type=Path, help="write the results, with their learning curves, here")
    arguments = parser.parse_args()
    runs = []
    for seed in range(arguments.seeds):
        run = adding_problem(arguments.lags, seed=seed, progress=lambda text: print(text, flush=True))
        print(f"\nSeed {seed}. {run.summary()}\n")
        seconds = sum(result.seconds for result in run.results)
        print(f"{seconds:.0f} s\n")
        runs.append({"seed": seed, **run.to_dict()})
    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
