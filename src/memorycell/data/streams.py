"""Batch streams: the order in which samples, or the chunks of long sequences, are trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.batch import Batch, Dataset
from memorycell.data.content import Contents, Holding

# Batches that are sorted by length together: little padding, and batches still differ from epoch to epoch.
_POOL = 50


def _generator(seed: int, epoch: int) -> np.random.Generator:
    """Randomness that is a pure function of (seed, epoch)."""
    return np.random.default_rng((seed % (1 << 64), epoch))


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"expected a batch_size of at least 1, got {batch_size}")


class SampleStream:
    """Independent samples in batches, in a new order each epoch.

    The order is a pure function of (seed, epoch), so training can be resumed in the middle of an epoch
    without gathering what came before. No worker processes: a data set gathers a batch with a few indexing
    operators.

    Parameters
    ----------
    dataset : Dataset
        Has `__len__` and `gather(rows) -> Batch`.
    batch_size : int
        Samples a batch; the last one of an epoch may have fewer.
    shuffle : bool
        False keeps the order of the data set, or that of the lengths, in every epoch.
    seed : int
    lengths : sequence of int, optional
        Length of each sample. Batches then hold samples of similar length, which saves padding: the shuffled
        samples are sorted within pools of 50 batches, cut, and the batches shuffled.
    drop_last : bool
        Leave out the samples that do not fill a batch (other ones in each epoch).

    Raises
    ------
    ValueError
        For a batch_size below 1 or the wrong number of lengths.

    Example
    -------
    >>> class Numbers:
    ...     def __len__(self):
    ...         return 5
    ...     def gather(self, rows):
    ...         return Batch({"x": rows.float()}, rows=rows)
    >>> stream = SampleStream(Numbers(), 2, seed=1)
    >>> len(stream), sorted(int(row) for batch in stream.batches(epoch=0) for row in batch.rows)
    (3, [0, 1, 2, 3, 4])
    """

    carries_state = False

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        lengths: Sequence[int] | NDArray | Tensor | None = None,
        drop_last: bool = False,
    ) -> None:
        _check_batch_size(batch_size)
        self.dataset, self.batch_size = dataset, batch_size
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        self.lengths = None if lengths is None else np.asarray(lengths)
        if self.lengths is not None and self.lengths.shape != (len(dataset),):
            raise ValueError(
                f"expected a length for each of the {len(dataset)} samples, got lengths of shape {self.lengths.shape}"
            )

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from number `start` on; the earlier ones are not gathered."""
        for rows in self._rows(epoch)[start:]:
            yield self.dataset.gather(rows)

    def content(self) -> Contents | None:
        """What its data set holds, for the fingerprint of a checkpoint; None where that does not say."""
        return self.dataset.content() if isinstance(self.dataset, Holding) else None

    def _rows(self, epoch: int) -> Sequence[Tensor]:
        generator = _generator(self.seed, epoch)
        count = len(self.dataset)
        order = generator.permutation(count) if self.shuffle else np.arange(count)
        if self.drop_last:
            order = order[: count - count % self.batch_size]
        if self.lengths is None:
            return torch.from_numpy(order).split(self.batch_size) if len(order) else []
        pool = _POOL * self.batch_size if self.shuffle else max(1, count)
        batches: list[Tensor] = []
        for first in range(0, len(order), pool):
            part = order[first : first + pool]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches.extend(torch.from_numpy(part).split(self.batch_size))
        if self.shuffle:
            batches = [batches[number] for number in generator.permutation(len(batches))]
        return batches


class StepDataset(Protocol):
    """Steps of long sequences, in rows one after the other."""

    def gather_steps(self, rows: Tensor, lengths: Tensor) -> Batch:
        """The steps `rows` (int64, (B, T)), of which row b counts the first `lengths[b]` (int64, (B,), may be
        0).

        Beyond its length a row repeats valid row numbers, so they can be gathered without care; the batch
        must name the lengths and give those steps no weight.
        """
        ...


class CarriedStream:
    """Long sequences in B parallel tracks, cut into chunks of T steps that continue each other.

    For truncated backpropagation through time (Williams & Peng 1990): row b of a batch goes on where row b of
    the batch before ended, and `Batch.restart` marks the rows that begin another sequence. A chunk never
    reaches over the end of a sequence: `lengths` then says how many of its steps count, and a track that has
    come to its end has length 0. Each step of each range is seen exactly once an epoch.

    Parameters
    ----------
    dataset : StepDataset
    ranges : sequence of (start, stop)
        The rows of each sequence: the series of a table, or one corpus as [(0, n)].
    batch_size : int
        Tracks B. Fewer are used if the sequences do not fill them.
    length : int
        Steps T of a chunk: how far gradients travel back.
    cut : bool
        Cut a sequence that is longer than a B-th part of all steps into pieces, each of which starts from a
        fresh state; one long corpus then fills B tracks. False keeps every sequence whole.
    shuffle : bool
        Another order of the sequences within each track in each epoch.
    seed : int

    Raises
    ------
    ValueError
        If batch_size or length is below 1, a range is empty or reversed, or there is none.

    Example
    -------
    >>> class Steps:
    ...     def gather_steps(self, rows, lengths):
    ...         return Batch({"x": rows.float().unsqueeze(-1)}, lengths={"x": lengths})
    >>> stream = CarriedStream(Steps(), [(0, 10)], batch_size=2, length=3, shuffle=False)
    >>> for batch in stream.batches(epoch=0):
    ...     x, lengths = batch.inputs["x"].squeeze(-1), batch.lengths["x"]
    ...     print(x.int().tolist(), lengths.tolist(), batch.restart.tolist())
    [[0, 1, 2], [6, 7, 8]] [3, 3] [True, True]
    [[3, 4, 5], [9, 9, 9]] [3, 1] [False, False]
    """

    carries_state = True

    def __init__(
        self,
        dataset: StepDataset,
        ranges: Sequence[tuple[int, int]],
        batch_size: int,
        length: int,
        *,
        cut: bool = True,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        _check_batch_size(batch_size)
        if length < 1:
            raise ValueError(f"expected chunks of length at least 1, got {length}")
        for start, stop in ranges:
            if not 0 <= start < stop:
                raise ValueError(f"expected ranges of rows with 0 <= start < stop, got ({start}, {stop})")
        if not len(ranges):
            raise ValueError("expected at least one range of rows, got none")
        self.dataset, self.length = dataset, length
        self.shuffle, self.seed = shuffle, seed
        self._tracks = _pack(_cut(ranges, batch_size, length) if cut else list(ranges), batch_size, length)
        self.batch_size = len(self._tracks)

    def __len__(self) -> int:
        return max(sum(_chunks(piece, self.length) for piece in track) for track in self._tracks)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from number `start` on; the earlier ones are not gathered."""
        first, lengths, restart = self._plan(epoch)
        steps = torch.arange(self.length)
        for number in range(start, len(self)):
            counted = lengths[:, number]
            rows = first[:, number, None] + torch.minimum(steps, (counted - 1).clamp(min=0)[:, None])
            batch = self.dataset.gather_steps(rows, counted)
            batch.restart = restart[:, number]
            yield batch

    def content(self) -> Contents | None:
        """What its data set holds, and where sequences begin; None where the data set does not say."""
        held = self.dataset.content() if isinstance(self.dataset, Holding) else None
        return None if held is None else [*held, ("tracks", self._tracks)]

    def _plan(self, epoch: int) -> tuple[Tensor, Tensor, Tensor]:
        """First row, steps that count and whether the state restarts, of each chunk: (B, batches) each."""
        generator = _generator(self.seed, epoch)
        shape = (self.batch_size, len(self))
        first, lengths = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        restart = np.zeros(shape, bool)
        for row, track in enumerate(self._tracks):
            order = generator.permutation(len(track)) if self.shuffle else range(len(track))
            number = 0
            for start, stop in (track[index] for index in order):
                begins = np.arange(start, stop, self.length)
                chunks = slice(number, number + len(begins))
                first[row, chunks] = begins
                lengths[row, chunks] = np.minimum(self.length, stop - begins)
                restart[row, number] = True
                number += len(begins)
            first[row, number:] = track[0][0]
        return torch.from_numpy(first), torch.from_numpy(lengths), torch.from_numpy(restart)


def _chunks(piece: tuple[int, int], length: int) -> int:
    return -(-(piece[1] - piece[0]) // length)


def _cut(ranges: Sequence[tuple[int, int]], n_tracks: int, length: int) -> list[tuple[int, int]]:
    """Ranges of at most a track's fair share of all chunks, of whole chunks but for the last one."""
    share = -(-sum(_chunks(piece, length) for piece in ranges) // n_tracks) * length
    return [(first, min(first + share, stop)) for start, stop in ranges for first in range(start, stop, share)]


def _pack(pieces: Sequence[tuple[int, int]], n_tracks: int, length: int) -> list[list[tuple[int, int]]]:
    """Pieces on tracks of about equal length: the longest first, onto the shortest track (Graham 1969)."""
    tracks: list[list[tuple[int, int]]] = [[] for _ in range(min(n_tracks, len(pieces)))]
    filled = np.zeros(len(tracks), np.int64)
    for piece in sorted(pieces, key=lambda piece: (-_chunks(piece, length), piece)):
        shortest = int(filled.argmin())
        tracks[shortest].append(piece)
        filled[shortest] += _chunks(piece, length)
    return [sorted(track) for track in tracks]
