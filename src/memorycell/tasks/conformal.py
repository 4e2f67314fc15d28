"""Conformal adjustment of quantile forecasts, on a block that training has not seen and on what came after it."""

from __future__ import annotations

from dataclasses import dataclass

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

    Split conformal prediction one quantile at a time (Romano, Patterson & Candès 2019, conformalised quantile
    regression; the one-sided form of their eq. 8), with scores divided by the interval's width so that uncertain
    forecasts move more (Lei et al. 2018, sec. 5.2). Of n scores the ceil((n + 1) τ)-th smallest is taken above the
    median, the floor((n + 1) τ)-th below it, their median at it; 0 where no score is known.

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(400, 1, 1))
    >>> narrow = np.broadcast_to([-0.5, 0.0, 0.5], (400, 1, 1, 3))
    >>> shifts = conformal_shifts(conformal_scores(y, narrow), (0.05, 0.5, 0.95))
    >>> apply_shifts(narrow, shifts)[0, 0, 0].round(1)
    array([-1.7, -0. ,  1.6])
    """
    count, horizon, _, n_levels = scores.shape
    shifts = np.zeros(scores.shape[1:])
    if count == 0:
        return shifts
    reach = max(0, int(np.ceil((ENOUGH_SCORES / count - 1) / 2)))
    tau = np.array(levels)
    for step in range(horizon):
        near = scores[:, max(0, step - reach) : step + reach + 1].swapaxes(1, 2)
        near = np.sort(near.swapaxes(0, 1).reshape(near.shape[1], -1, n_levels), axis=1)  # NaN last
        known = np.isfinite(near).sum(axis=1)  # (K, Q)
        exact = (known + 1) * tau
        rank = np.where(tau > 0.5, np.ceil(exact - 1e-9), np.floor(exact + 1e-9))
        rank = np.clip(rank, 1, np.maximum(known, 1)).astype(np.int64) - 1
        picked = np.take_along_axis(near, rank[:, None], axis=1)[:, 0]
        for j in np.flatnonzero(tau == 0.5):
            picked[:, j] = [np.median(row[: max(1, n)]) for row, n in zip(near[:, :, j], known[:, j], strict=True)]
        shifts[step] = np.where(known > 0, picked, 0.0)
    return shifts


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
