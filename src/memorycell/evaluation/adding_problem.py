"""The adding problem: why an LSTM and not a plain RNN, at growing lags, beside what a guess would cost."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn

from memorycell import layers
from memorycell.data.bars import tracked
from memorycell.data.batch import Batch
from memorycell.data.figures import shortened
from memorycell.evaluation.result import Result
from memorycell.evaluation.tables import format_number, plain, text_table
from memorycell.kernels.drawing import Drawing
from memorycell.networks.base import Loss, Network, State
from memorycell.training import TrainingOptions, evaluate_loss, train

CHANCE = 1 / 6  # variance of the sum of two uniform numbers: the error of always saying 1
SOLVED = 0.01
_ENOUGH = 0.004  # training stops here: well below what counts as solved, so that fresh sequences agree
_EPOCH = 50  # batches between two looks at the validation sequences
_HELD_OUT = 500
_TRAIN, _VALIDATION, _TEST = range(3)


def adding_batch(lag: int, count: int, key: Sequence[int]) -> Batch:
    """Sequences of the adding problem; a pure function of `key`.

    The first channel holds numbers drawn evenly from [0, 1], the second marks two of them with 1, one in
    each half of the sequence. The target, read after the last step, is the sum of the two marked numbers
    (Hochreiter & Schmidhuber 1997, section 5.4, in the form of Le, Jaitly & Hinton 2015, section 4.1).

    Returns
    -------
    Batch
        ``"steps"`` float32 (count, lag, 2), targets float32 (count,).

    Example
    -------
    >>> batch = adding_batch(10, 4, (0, 1))
    >>> steps = batch.inputs["steps"]
    >>> torch.equal((steps[..., 0] * steps[..., 1]).sum(1), batch.targets)
    True
    """
    generator = np.random.default_rng(list(key))
    steps = np.zeros((count, lag, 2), np.float32)
    steps[..., 0] = generator.random((count, lag), np.float32)
    rows = np.arange(count)
    for low, high in ((0, lag // 2), (lag // 2, lag)):
        steps[rows, generator.integers(low, high, count), 1] = 1
    targets = (steps[..., 0] * steps[..., 1]).sum(1)
    return Batch({"steps": torch.from_numpy(steps)}, targets=torch.from_numpy(targets))


class AddingStream:
    """Fresh sequences in every batch of every epoch: nothing can be learned by heart."""

    carries_state = False

    def __init__(self, lag: int, batches: int, batch_size: int, seed: int, part: int = _TRAIN) -> None:
        self.lag, self.count, self.batch_size, self.key = lag, batches, batch_size, (seed, part, lag)

    def __len__(self) -> int:
        return self.count

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """See `BatchStream`."""
        for number in range(start, self.count):
            yield adding_batch(self.lag, self.batch_size, (*self.key, epoch, number))


class AddingNetwork(Network):
    """One recurrent layer, read by a linear unit after the last step.

    Gates start as if they knew the lag (chrono initialisation, Tallec & Ollivier 2018, eq. 16, with every
    unit at the longest time): the LSTM's forget gate and the GRU's update gate keep for about e times the
    lag, and the LSTM's input gate lets through what a memory so long can hold. A plain RNN has no gate to
    start.
    """

    def __init__(self, cell: str, hidden_size: int, lag: int) -> None:
        super().__init__()
        kind = getattr(layers, cell)
        keep = math.log(lag) + 1
        if cell == "LSTM":
            self.layer = kind(2, hidden_size, batch_first=True, forget_bias=keep)
        else:
            self.layer = kind(2, hidden_size, batch_first=True)
        with torch.no_grad():
            if cell == "LSTM":
                self.layer.bias_ih_l0[:hidden_size] = -math.log(lag)
                self.layer.bias_hh_l0[:hidden_size] = 0
            elif cell == "GRU":
                self.layer.bias_ih_l0[hidden_size : 2 * hidden_size] = keep
                self.layer.bias_hh_l0[hidden_size : 2 * hidden_size] = 0
        self.head = nn.Linear(hidden_size, 1)
        nn.init.ones_(self.head.bias)  # the best guess of one who has not seen the sequence

    def loss(self, batch: Batch, state: State = None) -> Loss:
        """Squared error of the sum."""
        output, _ = self.layer(batch.inputs["steps"])
        error = self.head(output[:, -1])[:, 0] - batch.targets
        return Loss(error.square().sum(), len(batch))


@dataclass(frozen=True)
class AddingResult:
    """One cell at one lag: `error` is the mean squared error on fresh sequences, `curve` (batches, error)
    pairs."""

    cell: str
    lag: int
    error: float
    batches: int
    seconds: float
    parameters: int
    curve: list[tuple[int, float]] = field(repr=False)

    @property
    def solved(self) -> bool:
        """Whether the error is below 0.01."""
        return self.error < SOLVED


@dataclass(frozen=True, repr=False)
class AddingProblem(Result):
    """Results of `adding_problem`: every cell at every lag."""

    results: list[AddingResult]
    chance: float = CHANCE

    def __getitem__(self, key: tuple[str, int]) -> AddingResult:
        for result in self.results:
            if (result.cell, result.lag) == key:
                return result
        raise KeyError(f"expected a cell and a lag that were run, got {key!r}")

    @property
    def subject(self) -> str:
        """Which cells, at which lags."""
        cells, lags = ({getattr(result, name): None for result in self.results} for name in ("cell", "lag"))
        return f"the adding problem, {shortened(cells)} at lags {shortened(lags)}"

    @property
    def sentence(self) -> str:
        """Up to which lag each cell solved it."""
        told = []
        for cell in dict.fromkeys(result.cell for result in self.results):
            solved = [result.lag for result in self.results if result.cell == cell and result.solved]
            told.append(f"{cell} {f'up to lag {max(solved)}' if solved else 'at none of them'}")
        return f"Solved by {'; by '.join(told)}."

    def cells(self) -> list[list[str]]:
        """Mean squared error by lag, a column a cell."""
        cells = list(dict.fromkeys(result.cell for result in self.results))
        lags = list(dict.fromkeys(result.lag for result in self.results))
        rows = [["lag", *cells, "chance"]]
        for lag in lags:
            found = [self[cell, lag] for cell in cells]
            said = [
                format_number(r.error) + (f" ({r.batches:,} batches)" if r.solved else " (not solved)") for r in found
            ]
            rows.append([str(lag), *said, format_number(self.chance)])
        return rows

    def table(self) -> list[dict[str, Any]]:
        """A row a cell and lag."""
        return [
            {
                **{name: value for name, value in vars(result).items() if name != "curve"},
                "solved": result.solved,
            }
            for result in self.results
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, learning curves included."""
        rows = [{**row, "curve": r.curve} for row, r in zip(self.table(), self.results, strict=True)]
        return plain({"chance": self.chance, "solved_below": SOLVED, "results": rows})

    def summary(self) -> str:
        """Plain text: mean squared error by lag, a column a cell."""
        return "\n".join([f"Mean squared error of the sum; solved below {SOLVED}", *text_table(self.cells())])


def adding_problem(
    lags: Sequence[int] = (50, 100, 200, 400),
    cells: Sequence[str] = ("RNN", "LSTM", "GRU"),
    *,
    hidden_size: int = 32,
    batch_size: int = 32,
    max_batches: int = 1_500,
    learning_rate: float = 0.01,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> AddingProblem:
    """Train each cell on the adding problem at each lag, until solved or out of batches.

    A guess that ignores the sequence has a mean squared error of 1/6 ≈ 0.167 (it says 1). All cells are
    trained alike, on one thread: Adam, constant learning rate, gradients clipped at norm 1.

    Parameters
    ----------
    lags : lengths of the sequences, at least 2 each
    cells : of "RNN" (tanh), "LSTM", "GRU"
    max_batches : of `batch_size` fresh sequences each; rounded up to whole fifties
    progress : called with a sentence a cell and lag

    Raises
    ------
    ValueError
        For an unknown cell or a lag below 2.

    Example
    -------
    >>> result = adding_problem(lags=(4,), cells=("GRU",), max_batches=50)
    >>> result["GRU", 4].error < result.chance
    True
    """
    unknown = [cell for cell in cells if cell not in ("RNN", "LSTM", "GRU")]
    if unknown or min(lags, default=2) < 2:
        raise ValueError(f"expected cells of RNN, LSTM, GRU and lags of 2 or more, got {cells!r} and {lags!r}")
    results = []
    each, show = list(product(lags, cells)), None if progress is None else False
    for lag, cell in tracked(each, "lags and cells", len(each), show=show):
        result = _run(cell, lag, hidden_size, batch_size, max_batches, learning_rate, seed)
        results.append(result)
        if progress is not None:
            progress(f"lag {lag}, {cell}: {format_number(result.error)} after {result.batches:,} batches")
    return AddingProblem(results)


def _run(
    cell: str, lag: int, hidden_size: int, batch_size: int, max_batches: int, learning_rate: float, seed: int
) -> AddingResult:
    with Drawing(seed):
        network = AddingNetwork(cell, hidden_size, lag)
    options = TrainingOptions(
        epochs=math.ceil(max_batches / _EPOCH),
        optimizer="adam",
        schedule="constant",
        learning_rate=learning_rate,
        patience=None,
        seed=seed,
        n_threads=1,
    )
    begun = time.perf_counter()
    trained = train(
        network,
        AddingStream(lag, _EPOCH, batch_size, seed),
        options,
        validation=AddingStream(lag, 1, _HELD_OUT, seed, _VALIDATION),
        callbacks=[lambda row: "stop" if row["val_loss"] < _ENOUGH else None],
        progress=False,
    )
    seconds = time.perf_counter() - begun
    curve = [(row["epoch"] * _EPOCH, float(row["val_loss"])) for row in trained.history]
    error = evaluate_loss(network, AddingStream(lag, 4, _HELD_OUT, seed, _TEST))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return AddingResult(cell, lag, error, len(trained.history) * _EPOCH, seconds, parameters, curve)
