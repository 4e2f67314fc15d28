"""LanguageStream: a long text in parallel tracks, for truncated backpropagation through time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.data.content import Contents

_SHORT = 0.05  # share of the chunks that are about half as long (Merity et al. 2017, section 5)


class LanguageStream:
    """Token ids in B tracks side by side, cut into chunks that continue each other; targets are the next tokens.

    Track b begins at the b-th of B equal parts and its last target is the next track's first token, so that every
    token but the first is a target exactly once an epoch.

    With `vary` the chunks' lengths are drawn anew in each epoch, as Merity et al. (2017, section 5) do: about
    `length`, one in twenty about half of it, with a little noise, so that no token stands always at the same place of
    a chunk, far from its past. They are then stretched to fill the track with a fixed number of chunks, which keeps
    the number of steps of an epoch the same. The lengths are a pure function of (seed, epoch).

    Parameters
    ----------
    ids : Tensor or array
        Token ids (n,), for example those of a memory-mapped `Corpus`: only the chunks at hand are read.
    batch_size : int
        Tracks B. Fewer are used where they would be shorter than a chunk.
    length : int
        Steps T of a chunk: how far gradients travel back.
    vary : bool
        Draw lengths. Default True.
    seed : int

    Raises
    ------
    ValueError
        If there are fewer than two tokens, or batch_size or length is below 1.

    Example
    -------
    >>> stream = LanguageStream(torch.arange(8), batch_size=2, length=2, vary=False)
    >>> for batch in stream.batches(epoch=0):
    ...     print(batch.inputs["tokens"].tolist(), batch.targets.tolist())
    [[0, 1], [3, 4]] [[1, 2], [4, 5]]
    [[2, 3], [5, 6]] [[3, 3], [6, 7]]
    """

    carries_state = True

    def __init__(self, ids: Any, batch_size: int, length: int, *, vary: bool = True, seed: int = 0) -> None:
        for name, value in (("batch_size", batch_size), ("length", length)):
            if value < 1:
                raise ValueError(f"expected {name} of at least 1, got {value}")
        if len(ids) < 2:
            raise ValueError(f"expected a text of at least 2 tokens to predict one from another, got {len(ids)}")
        self.ids, self.length, self.vary, self.seed = ids, length, vary, seed
        steps = len(ids) - 1
        self.batch_size = min(batch_size, max(1, steps // length))
        self._starts = np.arange(self.batch_size + 1) * steps // self.batch_size
        self.steps = int(np.diff(self._starts).max())

    def __len__(self) -> int:
        return -(-self.steps // self.length)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from number `start` on; the earlier ones are not read."""
        edges = self._edges(epoch)
        for number in range(start, len(self)):
            yield self._gather(int(edges[number]), int(edges[number + 1]), number == 0)

    def content(self) -> Contents | None:
        """Its token ids, for the fingerprint of a checkpoint; None where they are neither a tensor nor an array."""
        return [("ids", self.ids)] if isinstance(self.ids, Tensor | np.ndarray) else None

    def _edges(self, epoch: int) -> np.ndarray:
        """Where each chunk begins on its track, and the end: (chunks + 1,)."""
        count = len(self)
        if not self.vary or count < 2:
            return np.minimum(np.arange(count + 1) * self.length, self.steps)
        generator = np.random.default_rng((self.seed % (1 << 64), epoch))
        about = np.where(generator.random(count) < _SHORT, self.length / 2, self.length)
        noise = min(5.0, self.length / 7)
        lengths = np.maximum(max(1.0, self.length / 7), generator.normal(about, noise))
        ends = np.rint(np.cumsum(lengths) * self.steps / lengths.sum()).astype(np.int64)
        # Stretched and rounded, a chunk may be empty where chunks are short: it takes a step from its neighbours.
        ends = np.maximum.accumulate(ends - np.arange(count)) + np.arange(count)
        ends = np.minimum(ends, self.steps - np.arange(count)[::-1])
        return np.concatenate([[0], np.maximum(ends, np.arange(1, count + 1))])

    def _gather(self, first: int, stop: int, restart: bool) -> Batch:
        rows = []
        shorter = []
        for begin, end in zip(self._starts[:-1], self._starts[1:], strict=True):
            row = as_ids(self.ids[int(begin) + first : int(min(begin + stop, end)) + 1])
            if missing := first + len(row) - 1 < stop and stop - first - len(row) + 1:
                # Tracks differ by one step: the last is repeated, without weight.
                row = torch.cat([row, row[-1:].expand(missing)])
            rows.append(row)
            shorter.append(missing)
        tokens = torch.stack(rows)
        weights = None
        if any(shorter):
            weights = torch.ones(len(rows), stop - first, dtype=torch.float32)
            weights[torch.tensor([bool(each) for each in shorter]), -1] = 0.0
        return Batch(
            {"tokens": tokens[:, :-1].contiguous()},
            targets=tokens[:, 1:].contiguous(),
            weights=weights,
            restart=torch.full((len(rows),), restart),
        )


def as_ids(ids: Any) -> Tensor:
    """Token ids as an int64 tensor, of an array of any integers or a tensor."""
    return ids.long() if isinstance(ids, Tensor) else torch.from_numpy(np.asarray(ids).astype(np.int64))
