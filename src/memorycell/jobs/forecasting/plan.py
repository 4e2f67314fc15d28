"""The choices a Forecaster makes where its user says "auto", each with its reason."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.tables.encoded import EncodedTable
from memorycell.jobs.forecasting.measures.seasons import season_lags

# Forecasting many steps one by one through a recurrent layer is slow and no better: from here on, whole segments.
LONG_HORIZON = 24
# With fewer windows than these a network does not learn by itself what a regression can be told to solve.
FEW_WINDOWS = 1000
# Share of the planned epochs that the training on all rows is given at least. The epoch that was best by then is known
# only roughly, and the learning rate had not come down yet.
LEAST_REFIT = 0.4


def choose_window(encoded: EncodedTable, horizon: int) -> int:
    """Steps to look back: two of the longest season that matters so near ahead, and twice the horizon at least.

    A season matters if the data show it many times and it is the shortest one, or not above eight horizons: the next
    hour is told by the last two days, the next two days by the last two weeks.

    Never more than a fifth of the median series, so that there are windows to learn from; 32 where the grid has no
    season.
    """
    rows = int(np.median(encoded.observed_rows))
    first = slice(0, int(encoded.observed_rows[0]))
    seasons = season_lags(encoded.dates[first]) if np.issubdtype(encoded.dates.dtype, np.datetime64) else ()
    near = max(8 * horizon, min(seasons, default=0))
    fitting = [season for season in seasons if season <= min(rows / 20, near, 200)]
    wanted = max(2 * max(fitting, default=16), 2 * horizon)
    return max(1, min(wanted, rows // 5, rows - horizon - 1))


def choose_network(horizon: int) -> str:
    return "segment" if horizon >= LONG_HORIZON else "lstm"


def choose_segment(window: int, horizon: int) -> int:
    """Steps a segment: the divisor of the horizon nearest to half of it, at most 48 and at most half the window."""
    divisors = [d for d in range(1, horizon + 1) if horizon % d == 0 and d <= max(1, min(48, window // 2))]
    return min(divisors, key=lambda d: abs(d - horizon / 2))


def choose_batch_size(samples: int) -> int:
    """About a hundred steps an epoch, between 32 and 256 samples a step."""
    return int(min(256, max(32, 2 ** round(np.log2(max(1.0, samples / 100))))))


def choose_epochs(samples: int, batch_size: int) -> int:
    """About 2,500 steps: early stopping ends most runs before."""
    return int(np.clip(round(2500 * batch_size / max(1, samples)), 4, 100))


def choose_linear(network: str, normalize: str, samples: int) -> bool:
    """A ridge regression beside the network where levels drift, or where there is little to learn from.

    Not beside a network of segments, where it was seen to do harm (ETTh1, 96 ahead: MSE 0.374 with it, 0.368 without).
    """
    return network != "segment" and (normalize != "none" or samples < FEW_WINDOWS)


def choose_normalize(
    encoded: EncodedTable, window: int, horizon: int, train: NDArray[np.int64], held_out: NDArray[np.int64]
) -> tuple[str, str]:
    """The normalisation of a window, and why.

    Many series: "scale". Long horizons: "level". Otherwise a ridge regression on the window decides in a moment:
    trained on levels and on differences from the last value, whichever forecasts the held-out block better says
    whether the level may be relied upon ("none") or drifts ("level").
    """
    if len(encoded.ids) > 1:
        return "scale", "many series: each window is taken relative to its own level and spread"
    if horizon >= LONG_HORIZON:
        return "level", "far ahead levels drift: each window is taken relative to its last value"
    if len(held_out) == 0:
        return (
            "level",
            "no held-out block to judge the drift by: each window is taken relative to its last value",
        )
    plain, relative = (_ridge_error(encoded, window, horizon, train, held_out, relative) for relative in (False, True))
    if plain < relative:
        return "none", (
            f"levels forecast the held-out block better than differences from the last value "
            f"(ridge RMSE {plain:.3g} against {relative:.3g}, standardised)"
        )
    return "level", (
        f"differences from the last value forecast the held-out block at least as well as levels "
        f"(ridge RMSE {relative:.3g} against {plain:.3g}, standardised)"
    )


def _ridge_error(
    encoded: EncodedTable,
    window: int,
    horizon: int,
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    relative: bool,
) -> float:
    """RMSE on the held-out origins of a ridge on the targets' own windows, shared by the targets."""
    window = min(window, 64)
    steps = np.unique(np.linspace(1, horizon, min(horizon, 8)).round().astype(int))
    targets = encoded.target.shape[1]
    past = encoded.past[:, :targets]

    def design(origins: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = torch.from_numpy(origins)
        x = past[rows[:, None] + torch.arange(1 - window, 1)].transpose(1, 2).reshape(-1, window)
        y = past[rows[:, None] + torch.from_numpy(steps)].transpose(1, 2).reshape(-1, len(steps))
        if relative:
            x, y = x - x[:, -1:], y - x[:, -1:]
        return torch.cat([x, torch.ones(len(x), 1)], dim=1).double(), y.double()

    x, y = design(_thin(train, 4000))
    gram = x.T @ x + 0.01 * len(x) * torch.eye(window + 1, dtype=torch.float64)
    gram[-1, -1] = len(x)
    weights = torch.linalg.solve(gram, x.T @ y)
    x, y = design(_thin(held_out, 4000))
    return float((x @ weights - y).square().mean().sqrt())


def _thin(origins: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return origins[:: -(-len(origins) // most)] if len(origins) > most else origins
