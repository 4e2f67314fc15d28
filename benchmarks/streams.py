"""One step at a time: how long a step takes, and what narrow weights cost a real model.

    [MEMORYCELL_DATA=...] python benchmarks/streams.py [--rounds 15] [--batches 1500] [--json out.json]

Times are of one thread and include the call from Python; the contestants run in turn, round by round, so that a
busy moment meets them all. With MEMORYCELL_DATA two models are trained and then fed their test data step by step,
with the weights as they are, in bfloat16 and in int8: tomorrow's temperature in Melbourne (the last fifth of the
days), and the next character of Shakespeare (the last tenth of the text, its first 20,000 characters).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from data import folder
from memorycell import LSTM

PRECISIONS = (None, "bfloat16", "int8")
SIZES = ((64, 128), (128, 512))
Row = dict[str, Any]


def contestants(input_size: int, hidden_size: int) -> dict[str, Callable[[], object]]:
    """Each takes one step of one row, the state carried on."""
    x = torch.randn(1, input_size)
    sequence, array, out = x.unsqueeze(0), x.numpy(), torch.empty(1, hidden_size)
    ours, theirs = LSTM(input_size, hidden_size), nn.LSTM(input_size, hidden_size)
    cell = nn.LSTMCell(input_size, hidden_size)
    zeros = torch.zeros(1, hidden_size)
    carried: dict[str, Any] = {"cell": (zeros, zeros), "layer": None, "step": None}

    def by_layer() -> None:
        _, carried["layer"] = theirs(sequence, carried["layer"])

    def by_cell() -> None:
        carried["cell"] = cell(x, carried["cell"])

    def by_step() -> None:
        _, carried["step"] = ours.step(x, carried["step"])

    found: dict[str, Callable[[], object]] = {}
    for precision in PRECISIONS:
        stream = ours.stream(weights=precision)
        found[f"stream, {precision or 'float32'}"] = lambda stream=stream: stream.step(x)
    stream = ours.stream()
    found["stream, float32, out="] = lambda: stream.step(x, out)
    found["stream, float32, arrays"] = lambda: stream.step(array)
    return found | {"LSTM.step": by_step, "nn.LSTMCell": by_cell, "nn.LSTM": by_layer}


@torch.no_grad()
def times(rounds: int) -> list[Row]:
    """Median time of a step of each contestant, in µs."""
    rows = []
    for sizes in SIZES:
        steps = contestants(*sizes)
        found: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                begun, n = time.perf_counter(), 0
                while (elapsed := time.perf_counter() - begun) < 0.01:
                    for _ in range(50):
                        step()
                    n += 50
                found[name].append(elapsed / n * 1e6)
        rows += [
            {"input": sizes[0], "hidden": sizes[1], "contestant": name, "µs": statistics.median(values)}
            for name, values in found.items()
        ]
    return rows


class Model(nn.Module):
    """An LSTM layer and a linear one on its outputs."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.rnn, self.head = LSTM(inputs, hidden), nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        y, state = self.rnn(x, state)
        return self.head(y), state

    @torch.no_grad()
    def streamed(self, x: Tensor, precision: str | None) -> Tensor:
        """Outputs (T, outputs) for x (T, inputs), fed step by step."""
        stream = self.rnn.stream(weights=precision)
        return self.head(torch.stack([stream.step(step) for step in x]))


def fit(model: Model, batches: int, draw: Callable[[], tuple[Tensor, Tensor]], loss: Callable[..., Tensor]) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, batches)
    for _ in range(batches):
        x, target = draw()
        optimizer.zero_grad()
        loss(model(x)[0].flatten(0, -2), target.flatten(0, 1)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def temperatures(batches: int) -> list[Row]:
    """Tomorrow's minimum temperature, °C: an LSTM of 64 units trained on windows of 100 days."""
    with (folder() / "series/daily-min-temperatures.csv").open(encoding="utf-8") as file:
        values = torch.tensor([float(row[1]) for row in list(csv.reader(file))[1:]]).unsqueeze(-1)
    n = int(0.8 * len(values))
    mean, deviation = values[:n].mean(), values[:n].std()
    scaled = (values - mean) / deviation
    model = Model(1, 64, 1)

    def draw() -> tuple[Tensor, Tensor]:
        days = torch.randint(n - 101, (32,)) + torch.arange(101).unsqueeze(-1)
        return scaled[days[:-1]], scaled[days[1:]]

    fit(model, batches, draw, nn.functional.mse_loss)

    def rmse(forecasts: Tensor) -> float:
        return float((forecasts[n - 1 :] - values[n:]).square().mean().sqrt())

    rows = [
        {"weights": precision or "float32", "metric": "RMSE, °C",
         "value": rmse(model.streamed(scaled[:-1], precision) * deviation + mean)}
        for precision in PRECISIONS
    ]  # fmt: skip
    return [*rows, {"weights": "(last value)", "metric": "RMSE, °C", "value": rmse(values[:-1])}]


def characters(batches: int) -> list[Row]:
    """The next character, nats: an LSTM of 256 units on 65 symbols, trained on pieces of 64 characters."""
    text = (folder() / "tinyshakespeare/input.txt").read_text(encoding="utf-8")
    symbols = {symbol: i for i, symbol in enumerate(sorted(set(text)))}
    codes = torch.tensor([symbols[symbol] for symbol in text])
    n = int(0.9 * len(codes))
    one_hot = torch.eye(len(symbols))
    model = Model(len(symbols), 256, len(symbols))

    def draw() -> tuple[Tensor, Tensor]:
        places = torch.randint(n - 65, (32,)) + torch.arange(65).unsqueeze(-1)
        return one_hot[codes[places[:-1]]], codes[places[1:]]

    fit(model, batches, draw, nn.functional.cross_entropy)
    test = codes[n : n + 20001]
    return [
        {"weights": precision or "float32", "metric": "nats a character",
         "value": float(nn.functional.cross_entropy(model.streamed(one_hot[test[:-1]], precision), test[1:]))}
        for precision in PRECISIONS
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batches", type=int, default=1500, help="to train each model on")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    measured = times(arguments.rounds)
    torch.set_num_threads(threads)
    for row in measured:
        print(f"{row['input']:4d} → {row['hidden']:4d}  {row['contestant']:24s} {row['µs']:8.2f} µs a step", flush=True)
    if os.environ.get("MEMORYCELL_DATA"):
        for model in (temperatures, characters):
            rows = model(arguments.batches)
            measured += [{"model": model.__name__} | row for row in rows]
            for row in rows:
                print(f"{model.__name__:13s} {row['weights']:13s} {row['value']:.5f} {row['metric']}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
