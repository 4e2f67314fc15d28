"""The training loop itself: what a batch of a small network costs beside a bare torch loop.

    python benchmarks/loop.py [--epochs 20] [--rounds 3]

Melbourne's daily minimum temperatures, the last six days → the next one, one LSTM layer of 64, batches of
32, Adam, 91 batches an epoch. Without MEMORYCELL_DATA numbers of the same shape take their place: the time
does not depend on them. The contestants run in turn, round by round, so that a busy moment meets them all.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import memorycell
from memorycell.data.batch import Batch
from memorycell.data.streams import SampleStream
from memorycell.networks.base import Loss, Network, State
from memorycell.training import TrainingOptions, train, using_threads

WINDOW, HIDDEN, BATCH = 6, 64, 32


def windows() -> tuple[Tensor, Tensor]:
    """Standardised windows (2912, 6, 1) and what follows each (2912, 1)."""
    folder = os.environ.get("MEMORYCELL_DATA")
    if folder:
        with (Path(folder) / "series/daily-min-temperatures.csv").open(encoding="utf-8") as file:
            readings = [float(row[1]) for row in list(csv.reader(file))[1:]]
        values = torch.tensor(readings)
    else:
        values = torch.sin(torch.arange(3650) / 58.0) + 0.5 * torch.randn(3650)
    values = values[: 2912 + WINDOW]
    values = (values - values.mean()) / values.std()
    return values[:-1].unfold(0, WINDOW, 1).unsqueeze(-1).contiguous(), values[WINDOW:].unsqueeze(-1)


class Forecast(Network):
    """An LSTM layer and a linear one on its last output."""

    def __init__(self, layer: type[nn.Module]) -> None:
        super().__init__()
        self.rnn = layer(1, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rnn(x)[0][:, -1])

    def loss(self, batch: Batch, state: State = None) -> Loss:
        error = nn.functional.mse_loss(self(batch.inputs["past"]), batch.targets, reduction="sum")
        return Loss(error, batch.targets.numel())


class Windows:
    """The windows as a data set."""

    def __init__(self, past: Tensor, target: Tensor) -> None:
        self.past, self.target = past, target

    def __len__(self) -> int:
        return len(self.past)

    def gather(self, rows: Tensor) -> Batch:
        past, target = self.past.index_select(0, rows), self.target.index_select(0, rows)
        return Batch({"past": past}, targets=target, rows=rows)


def bare_loop(past: Tensor, target: Tensor, epochs: int, *, loader: bool) -> None:
    """The loop that everybody writes, with a DataLoader or with shuffled indices."""
    network = Forecast(nn.LSTM)
    optimizer = torch.optim.Adam(network.parameters())
    batches = DataLoader(TensorDataset(past, target), batch_size=BATCH, shuffle=True)
    for _ in range(epochs):
        if loader:
            pairs = iter(batches)
        else:
            pairs = ((past[rows], target[rows]) for rows in torch.randperm(len(past)).split(BATCH))
        for x, y in pairs:
            optimizer.zero_grad()
            nn.functional.mse_loss(network(x), y).backward()
            optimizer.step()


def our_loop(past: Tensor, target: Tensor, epochs: int, layer: type[nn.Module]) -> None:
    options = TrainingOptions(epochs=epochs, optimizer="adam", schedule="constant", patience=None)
    train(Forecast(layer), SampleStream(Windows(past, target), BATCH), options, progress=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    past, target = windows()
    threads = torch.get_num_threads()

    def bare(loader: bool, n_threads: int) -> Callable[[int], None]:
        def contestant(epochs: int) -> None:
            with using_threads(n_threads):
                bare_loop(past, target, epochs, loader=loader)

        return contestant

    contestants: dict[str, Callable[[int], None]] = {
        "bare torch loop, DataLoader, as it comes": bare(True, threads),
        "bare torch loop, DataLoader, 1 thread": bare(True, 1),
        "bare torch loop, by index, 1 thread": bare(False, 1),
        "memorycell, nn.LSTM, as it comes": lambda epochs: our_loop(past, target, epochs, nn.LSTM),
        "memorycell, its own LSTM, as it comes": lambda epochs: our_loop(past, target, epochs, memorycell.LSTM),
    }
    # The processor's time of a single thread is not disturbed by neighbours; that of a waiting team would be.
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    processor: dict[str, list[float]] = {name: [] for name in contestants}
    batches = arguments.epochs * -(-len(past) // BATCH)
    for _ in range(arguments.rounds):
        for name, contestant in contestants.items():
            began = time.perf_counter(), time.process_time()
            contestant(arguments.epochs)
            wall[name].append(time.perf_counter() - began[0])
            processor[name].append(time.process_time() - began[1])
    print(
        f"{batches} batches of {BATCH} windows of {WINDOW} steps, LSTM of {HIDDEN}, torch with "
        f"{threads} threads; median of {arguments.rounds} rounds"
    )
    print(f"{'':42}{'seconds':>9}{'ms a batch':>12}{'of its peers:':>15}{'as it comes':>13}{'1 thread':>10}")
    peers = list(contestants)[:2]
    for name, times in wall.items():
        # Compared within each round: the machine's mood is then the same for both.
        ratios = [
            statistics.median(own / other for own, other in zip(times, wall[peers[0]], strict=True)),
            statistics.median(own / other for own, other in zip(processor[name], processor[peers[1]], strict=True)),
        ]
        middle = statistics.median(times)
        print(f"{name:42}{middle:9.2f}{1e3 * middle / batches:12.3f}{'':15}{ratios[0]:13.2f}{ratios[1]:10.2f}")
    print("(beside 1 thread: ratio of processor times, the others: of seconds)")


if __name__ == "__main__":
    main()
