"""How a Forecaster trains: its choices made, its network built, its windows or tracks put in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.streams import CarriedStream, SampleStream
from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.steps import StepDataset
from memorycell.data.tables.windows import WindowDataset
from memorycell.jobs.forecasting import plan
from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.jobs.forecasting.network import NETWORKS, ForecastNetwork, TableShape
from memorycell.training import TrainingOptions

if TYPE_CHECKING:
    from memorycell.jobs.forecasting.task import Forecaster

INFERENCE_BATCH = 512
MOST_REGRESSED = 20_000  # windows
TRACKS = 16  # series, or stretches of one, that a carried state is trained on side by side


def check_parameters(model: Forecaster) -> None:
    """Raise ValueError for a parameter that cannot be used."""
    if not isinstance(model.horizon, int | np.integer) or model.horizon < 1:
        raise ValueError(f"expected horizon to be an integer >= 1 (steps ahead), got {model.horizon!r}")
    if model.window != "auto" and (not isinstance(model.window, int | np.integer) or model.window < 1):
        raise ValueError(
            f'expected window to be an integer >= 1 (steps looked back on) or "auto", got {model.window!r}'
        )
    if model.network not in ("auto", *NETWORKS):
        raise ValueError(f"expected network to be auto, {', '.join(NETWORKS)}, got {model.network!r}")
    if model.state not in ("window", "carried"):
        raise ValueError(f'expected state to be "window" or "carried", got {model.state!r}')
    for name in ("dropout", "recurrent_dropout"):
        value = getattr(model, name)
        if value != "auto" and (not isinstance(value, int | float) or not 0 <= value < 1):
            raise ValueError(f"expected {name} to be at least 0 and under 1, got {value!r}")
    if model.device not in ("auto", "cpu") and not torch.cuda.is_available():
        raise ValueError(f'device {model.device!r} was asked for, but torch finds no GPU here: use device="auto"')
    for name in ("validation_fraction", "calibration_fraction"):
        if not 0 <= getattr(model, name) < 0.5:
            raise ValueError(f"expected {name} to be at least 0 and under 0.5, got {getattr(model, name)!r}")


def choose(model: Forecaster, encoded: EncodedTable) -> dict[str, Any]:
    """The choices that decide which windows there are."""
    window = plan.choose_window(encoded, model.horizon) if model.window == "auto" else int(model.window)
    network = plan.choose_network(model.horizon) if model.network == "auto" else model.network
    segment = model.segment
    if network == "segment" and segment == "auto":
        segment = plan.choose_segment(window, model.horizon)
    wide = network == "segment" and model.state == "window"
    return {
        "window": window,
        "network": network,
        "segment": segment if wide else None,
        "hidden_size": (192 if wide else 32) if model.hidden_size == "auto" else model.hidden_size,
        "dropout": (0.3 if wide else 0.1) if model.dropout == "auto" else model.dropout,
        "learning_rate": (1e-3 if wide else 2e-3) if model.learning_rate == "auto" else model.learning_rate,
    }


def choose_for_training(
    model: Forecaster,
    choices: dict[str, Any],
    encoded: EncodedTable,
    origins: NDArray[np.int64],
    held_out: NDArray[np.int64],
) -> str | None:
    """Add the choices that look at the training windows; returns why windows are normalised as they are."""
    reason = None
    choices["normalize"] = model.normalize
    if model.normalize == "auto":
        choices["normalize"], why = plan.choose_normalize(encoded, choices["window"], model.horizon, origins, held_out)
        if model.state == "carried" and choices["normalize"] == "scale":
            choices["normalize"], why = (
                "level",
                "many series with a carried state: differences from the value before",
            )
        reason = f'Windows are normalised by "{choices["normalize"]}": {why}.'
    samples = len(origins)
    choices["linear"] = (
        plan.choose_linear(choices["network"], choices["normalize"], samples)
        if model.linear == "auto"
        else model.linear
    )
    choices["batch_size"] = plan.choose_batch_size(samples) if model.batch_size == "auto" else model.batch_size
    choices["epochs"] = model.epochs
    if model.epochs == "auto":
        per_step = choices["batch_size"] if model.state == "window" else TRACKS * choices["window"]
        choices["epochs"] = plan.choose_epochs(samples, per_step)
    return reason


def options(model: Forecaster, choices: dict[str, Any], epochs: int, patience: int | None) -> TrainingOptions:
    fields = {
        "epochs": epochs, "learning_rate": choices["learning_rate"], "patience": patience, "average": 0.99,
        "seed": model.seed, "n_threads": model.n_threads,
    }  # fmt: skip
    return TrainingOptions(**{**fields, **(model.training or {})})


def fit_linear(
    network: ForecastNetwork, training: CarriedStream | SampleStream, watched: Any, choices: dict[str, Any]
) -> None:
    """Solve the network's ridge regression; its penalty is chosen on the held-out windows, once."""
    if not isinstance(training, SampleStream) or not len(training):
        return
    # Every so-many-th window, evenly spread over the training part, is enough for a regression.
    every = torch.arange(0, len(training.dataset), -(-len(training.dataset) // MOST_REGRESSED))
    batches = (training.dataset.gather(rows) for rows in every.split(INFERENCE_BATCH))
    if "penalty" in choices:
        network.fit_linear(batches, penalties=[choices["penalty"]])
    else:
        penalty = network.fit_linear(batches, watched.batches(0) if watched is not None else ())
        if penalty is not None:
            choices["penalty"] = penalty


def build(model: Forecaster, shape: TableShape, choices: dict[str, Any]) -> ForecastNetwork:
    options = {
        "levels": tuple(model.quantiles), "point": model.loss, "cell": model.cell, "num_layers": model.num_layers,
        "recurrent_dropout": model.recurrent_dropout, "linear": choices["linear"],
        **{name: choices[name] for name in ("hidden_size", "dropout", "normalize")},
    }  # fmt: skip
    if model.state == "carried":
        return CarriedForecaster(shape, choices["window"], model.horizon, **options)
    if choices["segment"] is not None:
        options["segment"] = choices["segment"]
    return NETWORKS[choices["network"]](shape, choices["window"], model.horizon, **options)


def adopt(model: Forecaster, choices: dict[str, Any], begin: Any) -> str | None:
    """Where parameters say "auto", what `begin` chose: its weights fit no other. Returns a note, None without it."""
    if begin is None:
        return None
    if not hasattr(begin, "network_"):
        raise TypeError(f"expected init_from to be a fitted Forecaster or its file, got {begin!r:.60}")
    for name in ("window", "network", "segment", "hidden_size", "normalize", "linear"):
        if name in choices and getattr(model, name) == "auto":
            choices[name] = begin.plan_[name]
    return f"Begins with another forecaster's weights, and its choices, such as windows of {choices['window']} steps."


def take_weights(network: ForecastNetwork, begin: Any) -> None:
    """Give `network` the weights of the fitted forecaster `begin`; ValueError says how its network differs."""
    ours, theirs = network.state_dict(), begin.network_.state_dict()
    differing = [
        f"{name} is {value!r}, there {there.get(name)!r}"
        for there in [_described(begin.network_)]
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


def stream(
    model: Forecaster,
    encoded: EncodedTable,
    origins: NDArray[np.int64],
    choices: dict[str, Any],
    shuffle: bool = True,
) -> CarriedStream | SampleStream:
    if model.state == "carried":
        last = np.zeros(len(encoded.ids), np.int64)
        np.maximum.at(last, np.searchsorted(encoded.offsets, origins, side="right") - 1, origins + 1)
        spans = [(int(a), int(b)) for a, b in zip(encoded.offsets[:-1], last, strict=True) if b > a]
        return CarriedStream(
            StepDataset(encoded, model.horizon, origins), spans, TRACKS, choices["window"],
            cut=shuffle, shuffle=shuffle, seed=model.seed,
        )  # fmt: skip
    dataset = WindowDataset(encoded, choices["window"], model.horizon, origins)
    size = choices["batch_size"] if shuffle else INFERENCE_BATCH
    return SampleStream(dataset, size, shuffle=shuffle, seed=model.seed)


def column_names(role: str, names: str | Sequence[str]) -> tuple[str, ...]:
    """The names given for `role`: one alone is a list of one."""
    if isinstance(names, str):
        return (names,)
    given = tuple(names) if isinstance(names, Iterable) else (names,)
    if not all(isinstance(name, str) for name in given):
        kind = type(names).__name__
        raise TypeError(f"expected {role} to be the name of a column or a list of names, got {kind}: give names only")
    return given
