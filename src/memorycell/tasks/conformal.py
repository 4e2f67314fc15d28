"""Conformal adjustment of quantile forecasts on a block of data that training has not seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Steps of the horizon share their scores with neighbours until there are this many for a quantile's estimate.
ENOUGH_SCORES = 500


def conformal_shifts(
    actual: NDArray[np.float64], quantiles: NDArray[np.float64], levels: tuple[float, ...]
) -> NDArray[np.float64]:
    """How far to move each quantile, in widths of the forecast's own interval: (H, K, Q).

    Split conformal prediction one quantile at a time (Romano, Patterson & Candès 2019, conformalised quantile
    regression; the one-sided form of their eq. 8), with scores divided by the interval's width so that uncertain
    forecasts move more (Lei et al. 2018, sec. 5.2). The finite-sample rank is ceil((n + 1) τ) above the median and
    floor((n + 1) τ) below it.

    Parameters
    ----------
    actual : (n, H, K), NaN where unknown
    quantiles : (n, H, K, Q), non-decreasing along Q
    levels : Q increasing floats

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(400, 1, 1))
    >>> narrow = np.broadcast_to([-0.5, 0.0, 0.5], (400, 1, 1, 3))
    >>> moved = apply_shifts(narrow, conformal_shifts(y, narrow, (0.05, 0.5, 0.95)))
    >>> moved[0, 0, 0].round(1)
    array([-1.7, -0. ,  1.6])
    """
    count, horizon, targets, n_levels = quantiles.shape
    shifts = np.zeros((horizon, targets, n_levels))
    scores = (actual[..., None] - quantiles) / _width(quantiles)
    reach = 0 if count == 0 else min(horizon, int(np.ceil((ENOUGH_SCORES / count - 1) / 2)))
    for step in range(horizon):
        near = slice(max(0, step - max(reach, 0)), step + max(reach, 0) + 1)
        for target in range(targets):
            for j, level in enumerate(levels):
                known = scores[:, near, target, j]
                known = np.sort(known[np.isfinite(known)])
                if len(known):
                    rank = np.ceil((len(known) + 1) * level) if level > 0.5 else np.floor((len(known) + 1) * level)
                    if level == 0.5:
                        shifts[step, target, j] = np.median(known)
                        continue
                    shifts[step, target, j] = known[int(np.clip(rank, 1, len(known))) - 1]
    return shifts


def apply_shifts(quantiles: NDArray[np.float64], shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quantiles moved by `conformal_shifts`, put back in order where they crossed."""
    return np.sort(quantiles + shifts * _width(quantiles), axis=-1)


def _width(quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    if quantiles.shape[-1] == 1:
        return np.ones_like(quantiles)
    return np.maximum(quantiles[..., -1:] - quantiles[..., :1], 1e-12)
