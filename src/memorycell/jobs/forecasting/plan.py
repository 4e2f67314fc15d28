"""The choices a Forecaster makes where its user says "auto", each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.tables.encoded import EncodedTable
from memorycell.jobs.forecasting.measures.seasons import season_lags
from memorycell.jobs.forecasting.parameters import Forecasting
from memorycell.jobs.plan import Plan

# Forecasting many steps one by one through a recurrent layer is slow and no better: from here on, whole segments.
LONG_HORIZON = 24
# With fewer windows than these a network does not learn by itself what a regression can be told to solve.
FEW_WINDOWS = 1000
# Share of the planned epochs that the training on all rows is given at least. The epoch that was best by then is known
# only roughly, and the learning rate had not come down yet.
LEAST_REFIT = 0.4
TRACKS = 16  # series, or stretches of one, that a carried state is trained on side by side

_DEFAULT = "the default of this network"
_BEGUN = "that of the forecaster it begins with"
# What another forecaster's weights fit, and no other choice.
_OF_WEIGHTS = ("window", "network", "segment", "hidden_size", "normalize", "linear")


def choose_windows(plan: Plan, given: Forecasting, encoded: EncodedTable, begin: Plan | None = None) -> None:
    """Choose what decides which windows there are; `begin` is the plan of the forecaster whose weights are taken."""
    horizon = given.horizon
    window = plan.choose(
        "window", given.window, lambda: choose_window(encoded, horizon),
        "two of the longest season that the data show many times, and at least twice the horizon",
    )  # fmt: skip
    network = plan.choose(
        "network", given.network, choose_network(horizon),
        "whole segments as steps for horizons of 24 and more, else layers read at the window's end",
    )  # fmt: skip
    wide = network == "segment" and given.state == "window"
    plan.put("segment", None, "only the segment network has them")
    if wide:
        reason = "the divisor of the horizon nearest to half of it"
        plan.choose("segment", given.segment, lambda: choose_segment(window, horizon), reason)
    size = given.hidden_size if isinstance(given.hidden_size, str) else layer_size(given.hidden_size, given.num_layers)
    plan.choose("hidden_size", size, 192 if wide else 32, _DEFAULT)
    plan.choose("dropout", given.dropout, 0.3 if wide else 0.1, _DEFAULT)
    plan.choose("learning_rate", given.learning_rate, 1e-3 if wide else 2e-3, _DEFAULT)
    _adopt(plan, given, begin)


def choose_training(
    plan: Plan,
    given: Forecasting,
    encoded: EncodedTable,
    origins: NDArray[np.int64],
    held_out: NDArray[np.int64],
    begin: Plan | None = None,
) -> None:
    """Choose what looks at the windows to train on, at `origins`, and at those held out."""
    value, why = given.normalize, ""
    if value == "auto":
        value, why = choose_normalize(encoded, plan["window"], given.horizon, origins, held_out)
        if given.state == "carried" and value == "scale":
            value, why = "level", "many series with a carried state: differences from the value before"
    normalize = plan.choose("normalize", given.normalize, value, why)
    samples = len(origins)
    plan.choose(
        "linear", given.linear, choose_linear(plan["network"], normalize, samples),
        f"beside layers read at the window's end where levels drift, or with fewer than {FEW_WINDOWS:,} windows",
    )  # fmt: skip
    size = plan.choose(
        "batch_size", given.batch_size, choose_batch_size(samples), "about a hundred training steps per epoch"
    )
    per_step = size if given.state == "window" else TRACKS * plan["window"]
    plan.choose(
        "epochs", given.epochs, choose_epochs(samples, per_step),
        "the most allowed, about 2,500 training steps: early stopping ends most runs before",
    )  # fmt: skip
    _adopt(plan, given, begin)


def _adopt(plan: Plan, given: Forecasting, begin: Plan | None) -> None:
    """Where parameters say "auto", what the forecaster chose whose weights are taken."""
    if begin is None:
        return
    for name in _OF_WEIGHTS:
        own = getattr(given, name)
        if name in plan and isinstance(own, str) and own == "auto":
            plan.put(name, begin[name], _BEGUN)


def layer_size(hidden_size: int | Sequence[int], num_layers: int) -> int:
    """Units of each layer, of which there are `n_layers`.

    Raises
    ------
    ValueError
        For layers of different sizes, or another number of them than `num_layers` asks for.

    Example
    -------
    >>> layer_size(32, 2), layer_size((32, 32), 1), n_layers((32, 32), 1)
    (32, 32, 2)
    """
    if isinstance(hidden_size, int | np.integer):
        return int(hidden_size)
    sizes = [int(size) for size in hidden_size]
    if num_layers not in (1, len(sizes)):
        raise ValueError(f"expected hidden_size of {num_layers} layers (num_layers), got {len(sizes)} sizes")
    if len(set(sizes)) > 1:
        raise ValueError(f"expected hidden_size to be the same for all layers of a forecaster, got {sizes}")
    return sizes[0]


def n_layers(hidden_size: Any, num_layers: int) -> int:
    """How many recurrent layers there are: a sequence of sizes says so itself."""
    return num_layers if isinstance(hidden_size, int | np.integer | str) else len(list(hidden_size))


def choose_window(encoded: EncodedTable, horizon: int) -> int:
    """Steps to look back: two of the longest season that matters so near ahead, and twice the horizon at least.

    A season matters if the data show it many times and it is the shortest one, or not above eight horizons: the next
    hour is told by the last two days, the next two days by the last two weeks.

    Never more than a fifth of the median series, so that there are windows to learn from; 32 where the grid has no
    season.
    """
    observed = encoded.observed_rows
    # A few that have only begun do not shorten the window of all others.
    rows = int(np.median(observed[observed >= min(max(10, observed.max() / 50), observed.max())]))
    dated = np.issubdtype(encoded.dates.dtype, np.datetime64)
    seasons = season_lags(encoded.dates[encoded.longest], encoded.frequency) if dated else ()
    near = max(8 * horizon, min(seasons, default=0))
    fitting = [season for season in seasons if season <= min(rows / 20, near, 200)]
    wanted = max(2 * max(fitting, default=16), 2 * horizon)
    return max(1, min(wanted, rows // 5, rows - horizon - 1))


def choose_network(horizon: int) -> str:
    return "segment" if horizon >= LONG_HORIZON else "lstm"


def choose_segment(window: int, horizon: int) -> int:
    """Steps per segment: the divisor of the horizon nearest to half of it, at most 48 and at most half the window."""
    divisors = [d for d in range(1, horizon + 1) if horizon % d == 0 and d <= max(1, min(48, window // 2))]
    return min(divisors, key=lambda d: abs(d - horizon / 2))


def choose_batch_size(samples: int) -> int:
    """About a hundred steps per epoch, between 32 and 256 samples per step."""
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
    if len(np.unique(np.searchsorted(encoded.offsets, train[[0, -1]], side="right"))) > 1:
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
