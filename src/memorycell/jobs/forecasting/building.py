"""The network of a forecaster: built by its plan, or begun with another's weights; and what it is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.streams import CarriedStream, SampleStream
from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.steps import StepDataset
from memorycell.data.tables.windows import WindowDataset
from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.jobs.forecasting.network import NETWORKS, ForecastNetwork, TableShape
from memorycell.jobs.forecasting.parameters import Forecasting
from memorycell.jobs.forecasting.plan import TRACKS, n_layers
from memorycell.jobs.forecasting.running import INFERENCE_BATCH
from memorycell.jobs.plan import Plan

MOST_REGRESSED = 20_000  # windows


def build(given: Forecasting, plan: Plan, shape: TableShape) -> ForecastNetwork:
    """The network of a plan, its weights drawn anew."""
    options = {
        "levels": tuple(given.quantiles), "point": given.loss, "cell": given.cell,
        "num_layers": n_layers(given.hidden_size, given.num_layers),
        "recurrent_dropout": given.recurrent_dropout, "linear": plan["linear"],
        **{name: plan[name] for name in ("hidden_size", "dropout", "normalize")},
    }  # fmt: skip
    if given.state == "carried":
        return CarriedForecaster(shape, plan["window"], given.horizon, **options)
    if plan["segment"] is not None:
        options["segment"] = plan["segment"]
    return NETWORKS[plan["network"]](shape, plan["window"], given.horizon, **options)


def stream(
    given: Forecasting,
    plan: Plan,
    encoded: EncodedTable,
    origins: NDArray[np.int64],
    seed: int,
    *,
    shuffle: bool = True,
) -> CarriedStream | SampleStream:
    """The windows that end at `origins`, or of a carried state the steps up to them."""
    if given.state == "carried":
        last = np.zeros(len(encoded.ids), np.int64)
        np.maximum.at(last, np.searchsorted(encoded.offsets, origins, side="right") - 1, origins + 1)
        spans = [(int(a), int(b)) for a, b in zip(encoded.offsets[:-1], last, strict=True) if b > a]
        return CarriedStream(
            StepDataset(encoded, given.horizon, origins), spans, TRACKS, plan["window"],
            cut=shuffle, shuffle=shuffle, seed=seed,
        )  # fmt: skip
    dataset = WindowDataset(encoded, plan["window"], given.horizon, origins)
    return SampleStream(dataset, plan["batch_size"] if shuffle else INFERENCE_BATCH, shuffle=shuffle, seed=seed)


def fit_linear(network: ForecastNetwork, plan: Plan, training: CarriedStream | SampleStream, watched: Any) -> None:
    """Solve the network's ridge regression; its penalty is chosen on the held-out windows, once."""
    if not isinstance(training, SampleStream) or not len(training):
        return
    # Every so-many-th window, evenly spread over the training part, is enough for a regression.
    every = torch.arange(0, len(training.dataset), -(-len(training.dataset) // MOST_REGRESSED))
    batches = (training.dataset.gather(rows) for rows in every.split(INFERENCE_BATCH))
    if "penalty" in plan:
        network.fit_linear(batches, penalties=[plan["penalty"]])
        return
    penalty = network.fit_linear(batches, watched.batches(0) if watched is not None else ())
    if penalty is not None:
        chosen = "the best on the held-out windows"
        plan.put("penalty", penalty, chosen if watched is not None else "in the middle: nothing was held out")


def take_weights(network: ForecastNetwork, begin: ForecastNetwork) -> None:
    """Give `network` the weights of `begin`; ValueError says how the two differ."""
    ours, theirs = network.state_dict(), begin.state_dict()
    there = _described(begin)
    differing = [
        f"{name} is {value!r}, there {there.get(name)!r}"
        for name, value in _described(network).items()
        if value != there.get(name)
    ]
    shapes = [
        f"{name} is {tuple(ours[name].shape) if name in ours else 'missing'}, "
        f"there {tuple(theirs[name].shape) if name in theirs else 'missing'}"
        for name in sorted(ours.keys() | theirs.keys())
        if name not in ours or name not in theirs or ours[name].shape != theirs[name].shape
    ]
    if differing or shapes:
        raise ValueError(
            f"cannot begin with the weights of that forecaster: {'; '.join((differing or shapes)[:4])}: "
            "fit this one with the other's sizes and columns of the same kinds"
        )
    network.load_state_dict(theirs)


def _described(network: ForecastNetwork) -> dict[str, Any]:
    """What two networks must agree on for the weights of one to mean the same in the other."""
    config = network.config()
    shape = config.pop("shape")
    free = ("dropout", "recurrent_dropout", "levels", "point")
    kept = {name: value for name, value in config.items() if name not in free}
    return {"network": type(network).__name__, **kept, **{f"columns ({name})": value for name, value in shape.items()}}
