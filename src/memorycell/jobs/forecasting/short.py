"""Series that are too short for the window: the level of their own last values, with what that errs by elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.encoded import EncodedTable, eligible_origins

_LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
_MOST_PIECES = 2000
_OWN = 4  # values from which a piece's own spread says more than that of the other series
_LEAST = 0.1  # of the typical spread: a few equal values are no promise of more
_NAMES = {"lengths", "means", "errors"}

Numbers = NDArray[np.float64]


def usable(observed: NDArray[np.int64], known: list[NDArray[np.bool_]] | None, window: int, horizon: int) -> NDArray:
    """bool (S,): series with a window to train on; all where there is no such series.

    Example
    -------
    >>> usable(np.array([30, 4]), None, 5, 2), usable(np.array([3, 4]), None, 5, 2)
    (array([ True, False]), array([ True,  True]))
    """
    found = observed >= window + horizon
    for s, there in enumerate(known or ()):
        found[s] &= bool(there[window : observed[s]].any())
    return found if found.any() else np.ones(len(observed), bool)


def without_values(encoded: EncodedTable) -> NDArray[np.bool_]:
    """bool (S, K): targets that have no value in a series."""
    there = np.isfinite(encoded.target.numpy())
    counts = np.concatenate([np.zeros((1, there.shape[1]), np.int64), np.cumsum(there, axis=0)])
    return counts[encoded.offsets[1:]] == counts[encoded.offsets[:-1]]


@dataclass(frozen=True, eq=False)
class ShortSeries:
    """How far the level of the last few values lay from what came, learned from pieces of the other series.

    The level is the mean of the last m values known, or the last of them, whichever did better on pieces of m values of
    the series that were trained on. Its quantiles are those of the errors on these pieces, as multiples of the piece's
    spread; of fewer than 4 values of the typical spread of the series.

    Attributes
    ----------
    lengths : int64 (M,)
        The numbers m, increasing.
    means : bool (M,)
        Whether the level is the mean.
    errors : float64 (M, H, K, Q)
        Quantiles of the errors; NaN where no piece had what came after it.
    """

    lengths: NDArray[np.int64]
    means: NDArray[np.bool_]
    errors: Numbers

    @classmethod
    def of(
        cls, encoded: EncodedTable, window: int, horizon: int, levels: tuple[float, ...], spread: Numbers
    ) -> ShortSeries:
        """Learned from a table; `spread` (K,) is the typical spread of its series, in units."""
        lengths, means, errors = [], [], []
        candidates = _thinned(eligible_origins(encoded, 1, horizon), 20 * _MOST_PIECES)
        behind = candidates - encoded.offsets[np.searchsorted(encoded.offsets, candidates, side="right") - 1]
        for count in (m for m in _LENGTHS if m == 1 or m < window):
            origins = _thinned(candidates[behind >= count - 1], _MOST_PIECES)
            if not len(origins):
                break
            piece = _units(encoded, origins, np.arange(1 - count, 1))  # (n, m, K)
            came = _units(encoded, origins, np.arange(1, horizon + 1))  # (n, H, K)
            scale = _spreads(piece, spread)[:, None]
            missed = {mean: (came - _level(piece, mean)[:, None]) / scale for mean in (False, True)}
            size = {mean: _mean(np.abs(error)) for mean, error in missed.items()}
            mean = bool(size[True] < size[False])
            lengths.append(count)
            means.append(mean)
            errors.append(_quantiles(missed[mean], levels))
        none = np.zeros((0, horizon, len(encoded.target_names), len(levels)))
        return cls(np.array(lengths, np.int64), np.array(means, bool), np.stack(errors) if errors else none)

    @classmethod
    def none(cls, horizon: int, targets: int, levels: int) -> ShortSeries:
        """Of files that hold nothing of the kind: levels without quantiles."""
        return cls(np.zeros(0, np.int64), np.zeros(0, bool), np.zeros((0, horizon, targets, levels)))

    def forecast(self, values: Numbers, spread: Numbers) -> tuple[Numbers, Numbers]:
        """Point (H, K) and quantiles (H, K, Q) after the values (T, K) of a series, in units; NaN without any value."""
        point = np.full(self.errors.shape[1:3], np.nan)
        quantiles = np.full(self.errors.shape[1:], np.nan)
        for k in range(values.shape[1]):
            known = values[np.isfinite(values[:, k]), k]
            at = int(np.searchsorted(self.lengths, len(known), side="right")) - 1
            if not len(known):
                continue
            last = known[-self.lengths[at] :] if at >= 0 else known
            piece = last[None, :, None]
            level = float(_level(piece, at < 0 or bool(self.means[at]))[0, 0])
            point[:, k] = level
            if at >= 0:
                quantiles[:, k] = level + self.errors[at, :, k] * _spreads(piece, spread[k : k + 1])[0, 0]
        return point, quantiles

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays of finite numbers."""
        unknown = np.isnan(self.errors).any(-1, keepdims=True)
        return {"lengths": self.lengths, "means": self.means, "errors": np.where(unknown, _NOT, self.errors)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], shape: tuple[int, int, int]) -> ShortSeries:
        """What `to_arrays` gave, of forecasts of shape (H, K, Q); ValueError where it does not fit."""
        if set(arrays) != _NAMES:
            raise ValueError(f"expected {', '.join(sorted(_NAMES))} of short series, got {', '.join(sorted(arrays))}")
        lengths, means, errors = arrays["lengths"], arrays["means"], arrays["errors"]
        expected = (len(lengths), *shape)
        fits = lengths.dtype == np.int64 and means.dtype == bool and errors.dtype == np.float64
        if not fits or means.shape != lengths.shape or errors.shape != expected:
            raise ValueError(f"expected errors of short series of shape {expected}, got {errors.shape}")
        if (np.diff(lengths, prepend=0) < 1).any():
            raise ValueError("expected increasing lengths of short series")
        return cls(lengths, means, np.where(errors == _NOT, np.nan, errors))


_NOT = -1e300  # what stands for NaN in files


def _thinned(origins: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return origins[:: -(-len(origins) // most)] if len(origins) > most else origins


def _units(encoded: EncodedTable, origins: NDArray[np.int64], steps: NDArray[np.int64]) -> Numbers:
    """(n, steps, K): the targets that many rows after each origin, in units."""
    series = np.searchsorted(encoded.offsets, origins, side="right") - 1
    scaled = encoded.target.numpy()[origins[:, None] + steps].astype(np.float64)
    return scaled * encoded.scale[series][:, None] + encoded.center[series][:, None]


def _level(piece: Numbers, mean: bool) -> Numbers:
    """(n, K) of pieces (n, m, K)."""
    return piece.mean(axis=1) if mean else piece[:, -1]


def _spreads(piece: Numbers, spread: Numbers) -> Numbers:
    """(n, K): the spread of each piece, never far below that of the series."""
    if piece.shape[1] < _OWN:
        return np.broadcast_to(spread, (len(piece), len(spread)))
    return np.maximum(piece.std(axis=1), _LEAST * spread)


def _mean(values: Numbers) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.inf


def _quantiles(errors: Numbers, levels: tuple[float, ...]) -> Numbers:
    """(H, K, Q) of errors (n, H, K), wide enough for one more; NaN for a step without any."""
    ranked = np.sort(errors, axis=0)  # NaN last
    count = np.isfinite(errors).sum(axis=0)
    out = np.full((*count.shape, len(levels)), np.nan)
    for j, level in enumerate(levels):
        place = np.ceil((count + 1) * level) if level > 0.5 else np.floor((count + 1) * level)
        row = np.clip(place - 1, 0, np.maximum(count - 1, 0)).astype(np.int64)
        if level == 0.5:
            row = np.maximum((count - 1) // 2, 0)
        out[..., j] = np.where(count > 0, np.take_along_axis(ranked, row[None], axis=0)[0], np.nan)
    return out
