"""Conformal adjustment of quantile forecasts, on a block that training has not seen and on what came after it."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Steps of the horizon share their scores with neighbours until there are this many for a quantile's estimate.
ENOUGH_SCORES = 500
# Scores kept, origins × steps × targets × levels: more would make model files large and tell little, since the errors
# of neighbouring origins are nearly the same.
MOST_SCORES = 1_000_000
# Calls that forecast from many origins renew the shifts this often at most.
MOST_RENEWALS = 24


def conformal_scores(actual: NDArray[np.float64], quantiles: NDArray[np.float64]) -> NDArray[np.float32]:
    """How far what came lay above each quantile, in widths of the forecast's own interval: (n, H, K, Q).

    Parameters
    ----------
    actual : (n, H, K), NaN where unknown
    quantiles : (n, H, K, Q), non-decreasing along Q
    """
    return ((actual[..., None] - quantiles) / _width(quantiles)).astype(np.float32)


def conformal_shifts(scores: NDArray[np.float32], levels: tuple[float, ...]) -> NDArray[np.float64]:
    """How far to move each quantile, in widths of the forecast's own interval: (H, K, Q).

    Split conformal prediction of central intervals (Romano, Patterson & Candès 2019, conformalised quantile regression,
    eq. 6 and 7), with scores divided by the interval's width so that uncertain forecasts move more (Lei et al. 2018,
    sec. 5.2): the two quantiles of levels τ and 1 − τ move apart, or together, by the same score, of n the
    ceil((n + 1)(1 − 2τ))-th smallest. Where there are not as many, the largest is widened, see `widening`. The median
    stays where the network put it. A level without its opposite is adjusted alone; 0 where no score is known.

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(400, 1, 1))
    >>> narrow = np.broadcast_to([-0.5, 0.0, 0.5], (400, 1, 1, 3))
    >>> shifts = conformal_shifts(conformal_scores(y, narrow), (0.05, 0.5, 0.95))
    >>> apply_shifts(narrow, shifts)[0, 0, 0].round(1)
    array([-1.5,  0. ,  1.5])
    """
    count, horizon = scores.shape[:2]
    shifts = np.zeros(scores.shape[1:])
    if count == 0:
        return shifts
    reach = max(0, int(np.ceil((ENOUGH_SCORES / count - 1) / 2)))
    for j, level in enumerate(levels):
        opposite = next((k for k, other in enumerate(levels) if abs(level + other - 1) < 1e-9), None)
        if opposite == j or (opposite is not None and opposite < j):
            continue
        if opposite is None:
            misses, share, half = scores[..., j], level, None
        else:
            misses, share = np.maximum(-scores[..., j], scores[..., opposite]), 1 - 2 * level
            half = (scores[..., j] - scores[..., opposite]) / 2  # from the middle to either quantile
        for step in range(horizon):
            steps = slice(max(0, step - reach), step + reach + 1)
            known = np.isfinite(misses[:, steps]).sum(axis=(0, 1))
            near: Any = misses[:, steps]
            if half is not None and (known.min() + 1) * share - 1e-9 > known.min():
                wider = np.array([widening(int(count), share) for count in known])
                near = near + (wider - 1) * (near + half[:, steps])
            near = np.sort(near.swapaxes(0, 1).reshape(-1, misses.shape[2]), axis=0)  # NaN last
            rank = np.clip(np.ceil((known + 1) * share - 1e-9), 1, np.maximum(known, 1)).astype(np.int64) - 1
            moved = np.where(known > 0, np.take_along_axis(near, rank[None], axis=0)[0], 0.0)
            if opposite is None:
                shifts[step, :, j] = moved
            else:
                shifts[step, :, j], shifts[step, :, opposite] = -moved, moved
    return shifts


def few_scores(levels: tuple[float, ...]) -> int:
    """The number of scores from which the order of them says enough for the widest interval.

    Example
    -------
    >>> few_scores((0.05, 0.5, 0.95)), few_scores((0.9,))
    (9, 0)
    """
    shares = [abs(1 - 2 * a) for a in levels if any(abs(a + b - 1) < 1e-9 for b in levels if b != a)]
    return int(np.ceil(max(shares) / (1 - max(shares)) - 1e-9)) if shares else 0


@functools.cache
def widening(count: int, share: float) -> float:
    """By how much to widen the largest of `count` errors, so that it covers another one with probability `share`.

    It is 1 where the order of the errors says enough, and else that of errors of a normal distribution around 0: then
    P(|e| ≤ k · max |e_i|) = share.

    Example
    -------
    >>> [round(widening(count, 0.9), 2) for count in (1, 2, 4, 8, 9)]
    [6.31, 2.32, 1.4, 1.04, 1.0]
    """
    if count == 0 or (count + 1) * share - 1e-9 <= count:
        return 1.0
    normal = statistics.NormalDist()
    places = (np.arange(400) + 0.5) / 400
    largest = [normal.inv_cdf((1 + place ** (1 / count)) / 2) for place in places]
    low, high = 1.0, 1e4
    while high / low > 1.001:
        middle = (low * high) ** 0.5
        covered = float(np.mean([2 * normal.cdf(middle * value) - 1 for value in largest]))
        low, high = (middle, high) if covered < share else (low, middle)
    return high


def apply_shifts(quantiles: NDArray[np.float64], shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quantiles moved by `conformal_shifts`, put back in order where they crossed."""
    return np.sort(quantiles + shifts * _width(quantiles), axis=-1)


@dataclass
class Calibration:
    """The scores of the calibration block, the oldest of which give way as outcomes of new forecasts become known.

    That keeps intervals honest when the noise changes after training (conformal prediction on a sliding window of
    residuals; Gibbs & Candès 2021 and Xu & Xie 2021 study such schemes).

    Attributes
    ----------
    scores : float32 (n, H, K, Q), in order of time
    levels : the Q quantile levels
    stride : int
        Every stride-th origin was kept.
    """

    scores: NDArray[np.float32]
    levels: tuple[float, ...]
    stride: int = 1

    @classmethod
    def of(
        cls,
        actual: NDArray[np.float64],
        quantiles: NDArray[np.float64],
        when: NDArray,
        levels: tuple[float, ...],
    ) -> Calibration:
        """From forecasts (n, H, K, Q) of origins at `when` (n,) and what came (n, H, K)."""
        stride = max(1, -(-quantiles.size // MOST_SCORES))
        order = np.argsort(when, kind="stable")[::-1][::stride][::-1]
        return cls(conformal_scores(actual[order], quantiles[order]), levels, stride)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The scores and the stride as arrays of finite numbers; a mask, "known", says which are."""
        known = np.asarray(np.isfinite(self.scores).all(axis=-1))
        scores = np.where(known[..., None], self.scores, np.float32(0))
        return {"scores": scores, "known": known, "stride": np.array([self.stride])}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], shape: tuple[int, int], levels: tuple[float, ...]
    ) -> Calibration:
        """What `to_arrays` gave, of forecasts of shape (H, K).

        Raises
        ------
        ValueError
            Where it does not fit.
        """
        if set(arrays) != {"scores", "known", "stride"}:
            raise ValueError(f"expected scores of a calibration, got {', '.join(sorted(arrays)) or 'nothing'}")
        scores, known, stride = (arrays[name] for name in ("scores", "known", "stride"))
        expected = (len(scores), *shape, len(levels))
        kinds = scores.dtype == np.float32 and known.dtype == bool and stride.dtype == np.int64
        if not kinds or scores.shape != expected or known.shape != expected[:-1] or stride.shape != (1,):
            raise ValueError(f"expected calibration scores of shape {expected}, got {scores.shape}")
        if stride[0] < 1:
            raise ValueError(f"expected a stride of at least 1, got {stride[0]}")
        return cls(np.where(known[..., None], scores, np.float32(np.nan)), levels, int(stride[0]))

    def adjust(
        self,
        quantiles: NDArray[np.float64],
        when: NDArray,
        later: NDArray[np.float64] | None = None,
        outcomes: NDArray[np.float64] | None = None,
        known_from: NDArray | None = None,
    ) -> NDArray[np.float64]:
        """Calibrated quantiles (n, H, K, Q) of forecasts made at `when` (n,).

        Parameters
        ----------
        later, outcomes, known_from : (m, H, K, Q), (m, H, K), (m,)
            Forecasts made after training, what came, and when the last of it was known. A forecast is adjusted only
            by outcomes that were known when it was made.
        """
        if later is None or outcomes is None or known_from is None or not len(later) or not len(self.scores):
            return apply_shifts(quantiles, conformal_shifts(self.scores, self.levels))
        order = np.argsort(known_from, kind="stable")[:: self.stride]
        fresh, known_from = conformal_scores(outcomes[order], later[order]), known_from[order]
        moved = np.empty_like(quantiles)
        # Only outcomes known at the first forecast of a group are used for the group.
        for group in np.array_split(np.argsort(when, kind="stable"), min(MOST_RENEWALS, len(when))):
            count = int(np.searchsorted(known_from, when[group[0]], side="right"))
            recent = np.concatenate([self.scores, fresh[:count]])[-len(self.scores) :]
            moved[group] = apply_shifts(quantiles[group], conformal_shifts(recent, self.levels))
        return moved


def _width(quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    if quantiles.shape[-1] == 1:
        return np.ones_like(quantiles)
    return np.maximum(quantiles[..., -1:] - quantiles[..., :1], 1e-12)
