"""Looking inside: what a trace costs beside a plain forward pass, and how long explanations take.

    python benchmarks/tracing.py [--rounds 40] [--threads 1 2] [--steps 1000000] [--json out.json]

`layer.trace` and `layer(x)` run in turn, round by round, under `torch.inference_mode`; what is quoted is the median of
the ratios. Beside them what users of torch have: a loop that computes the gates by torch's operators and keeps them,
and nn.LSTM itself, which keeps nothing. Then a trace of a long sequence to a file, with the peak of memory; and the
methods of explanation on a network of one layer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memorycell import GRU, LSTM, RNN, Explained, explain_by

BATCH, STEPS, UNITS = 32, 100, 128
Row = dict[str, Any]

LAYERS: dict[str, Callable[[], Any]] = {
    "LSTM": lambda: LSTM(UNITS, UNITS, batch_first=True),
    "LSTM, time first": lambda: LSTM(UNITS, UNITS),
    "LSTM, 2 layers": lambda: LSTM(UNITS, UNITS, num_layers=2, batch_first=True),
    "LSTM, both directions": lambda: LSTM(UNITS, UNITS, bidirectional=True, batch_first=True),
    "LSTM, peephole, layer norm": lambda: LSTM(UNITS, UNITS, peephole=True, layer_norm=True, batch_first=True),
    "LSTM, 32 units": lambda: LSTM(32, 32, batch_first=True),
    "LSTM, 512 units": lambda: LSTM(512, 512, batch_first=True),
    "GRU": lambda: GRU(UNITS, UNITS, batch_first=True),
    "RNN": lambda: RNN(UNITS, UNITS, batch_first=True),
}


def looped(layer: Any) -> Callable[[Tensor], Tensor]:
    """An LSTM as one writes it in torch to see its gates: a loop that keeps them."""
    w_ih, w_hh = layer.weight_ih_l0, layer.weight_hh_l0
    bias = layer.bias_ih_l0 + layer.bias_hh_l0

    def run(x: Tensor) -> Tensor:
        h = c = x.new_zeros(len(x), layer.hidden_size)
        kept = []
        for now in nn.functional.linear(x, w_ih, bias).unbind(1):
            i, f, g, o = (now + h @ w_hh.T).chunk(4, 1)
            i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
            c = f * c + i * g
            h = o * c.tanh()
            kept.append(torch.stack([i, f, g, o, h, c]))
        return torch.stack(kept, 2)

    return run


def in_turn(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run, round by round."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 3):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            if number >= 3:
                found[name].append(time.perf_counter() - begun)
    return found


def traces(rounds: int, threads: list[int]) -> list[Row]:
    rows = []
    for count in threads:
        torch.set_num_threads(count)
        for name, build in LAYERS.items():
            torch.manual_seed(0)
            layer = build().eval()
            x = torch.randn(*((BATCH, STEPS) if layer.batch_first else (STEPS, BATCH)), layer.input_size)
            with torch.inference_mode():
                # bound now: the loop's variables change
                runs = {
                    "plain": lambda layer=layer, x=x: layer(x),
                    "trace": lambda layer=layer, x=x: layer.trace(x),
                }
                if name == "LSTM":
                    theirs, loop = nn.LSTM(UNITS, UNITS, batch_first=True).eval(), looped(layer)
                    runs |= {"nn.LSTM": lambda: theirs(x), "loop in torch": lambda: loop(x)}  # noqa: B023
                found = in_turn(runs, rounds)
            plain = found.pop("plain")
            for what, seconds in found.items():
                ratio = statistics.median(a / b for a, b in zip(seconds, plain, strict=True))
                milliseconds = statistics.median(seconds) * 1e3
                rows.append({"threads": count, "layer": name, "run": what, "ms": milliseconds, "of plain": ratio})
    return rows


def long_trace(steps: int) -> Row:
    """A trace of one long sequence to a file, in a process of its own: seconds, and its peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", folder, "--steps", str(steps)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak() -> float:
    """The most MiB that this process has had in memory; mapped files included."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would tell of the parent, too, from before the program was started
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(folder: Path, steps: int) -> None:
    torch.set_num_threads(1)
    features = 8
    rng = np.random.default_rng(0)
    with (folder / "x").open("wb") as file:
        for _ in range(0, steps, 10_000):
            file.write(rng.standard_normal((min(steps, 10_000), features), np.float32).tobytes())
    layer = LSTM(features, UNITS).eval()
    x = torch.from_file(str(folder / "x"), size=steps * features).view(steps, features)
    before, begun = peak(), time.perf_counter()
    layer.trace(x, path=folder / "trace.safetensors")
    seconds, size = time.perf_counter() - begun, (folder / "trace.safetensors").stat().st_size
    row = {"steps": steps, "s": seconds, "file MiB": size / 2**20, "MiB before": before, "peak MiB": peak()}
    print(json.dumps(row))


def explanations(rounds: int) -> list[Row]:
    """Seconds that each method takes for one number of an LSTM of 128 units with a linear read-out."""
    torch.set_num_threads(1)
    rows = []
    for steps in (100, 1000):
        torch.manual_seed(0)
        layer, out = LSTM(32, UNITS, batch_first=True).eval(), torch.randn(UNITS)
        x = torch.randn(steps, 32)
        case = Explained(lambda v: layer(v)[0][:, -1] @ out, x, 0 * x, (layer,), "y", range(steps), "numbers")  # noqa: B023
        runs = {
            "integrated gradients": lambda: explain_by(case, "integrated gradients"),  # noqa: B023
            "occlusion": lambda: explain_by(case, "occlusion"),  # noqa: B023
            "decomposition": lambda: explain_by(case, "decomposition"),  # noqa: B023
            "contextual decomposition": lambda: explain_by(case, "contextual decomposition", steps=range(10)),  # noqa: B023
        }
        for name, seconds in in_turn(runs, max(1, rounds // 10)).items():
            rows.append({"steps": steps, "method": name, "s": statistics.median(seconds)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, nargs="+", default=list(range(1, (os.cpu_count() or 1) + 1))[:2])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.steps)
        return
    found = {"traces": traces(arguments.rounds, arguments.threads)}
    for row in found["traces"]:
        print("{threads} thread(s)  {layer:<28} {run:<14} {ms:8.2f} ms  {of plain:6.2f} x plain".format_map(row))
    found["long"] = [long_trace(arguments.steps)]
    line = (
        "{steps:,} steps to {file MiB:,.0f} MiB on disk in {s:.1f} s; peak {peak MiB:.0f} MiB, {MiB before:.0f} before"
    )
    print(line.format_map(found["long"][0]))
    found["explanations"] = explanations(arguments.rounds)
    for row in found["explanations"]:
        print("{steps:5} steps  {method:<26} {s:7.3f} s".format_map(row))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
