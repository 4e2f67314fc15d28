"""A Forecaster's model file: configuration and learned facts as JSON, weights and calibration scores as tensors."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import numpy as np
import torch

from memorycell.data.tables.table_codec import TableCodec
from memorycell.jobs.forecasting import training as forecast_training
from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.jobs.forecasting.conformal import Calibration
from memorycell.jobs.forecasting.network import NETWORKS, ForecastNetwork, TableShape
from memorycell.training.files import ModelFileError, check_tensors, load_model, save_model

KIND = "forecaster"
_LEARNED = (
    "window_", "plan_", "target_names_", "history_", "best_epoch_", "n_threads_", "n_parameters_", "train_seconds_",
    "stopped_", "splits_", "notes_",
)  # fmt: skip

Model = TypeVar("Model")


def save(forecaster: Any, path: str | os.PathLike[str], *, force: bool) -> None:
    parameters = forecaster.get_params()
    parameters["verbose"] = None
    config = {
        "parameters": {name: _plain(value) for name, value in parameters.items()},
        "codec": forecaster.codec_.to_json(),
        "network": {"network": forecaster.plan_["network"], **_plain(forecaster.network_.config())},
        "learned": {name: _plain(getattr(forecaster, name)) for name in _LEARNED},
        "train_end": _map(str, forecaster.train_end_),
        "calibration_stride": forecaster.calibration_.stride,
    }
    tensors = {f"network.{name}": value for name, value in forecaster.network_.state_dict().items()}
    tensors["calibration"] = torch.from_numpy(forecaster.calibration_.scores)
    save_model(os.fspath(path), KIND, config, tensors, force=force)


def load(cls: type[Model], path: str | os.PathLike[str]) -> Model:
    file = load_model(os.fspath(path))
    if file.kind != KIND:
        raise ModelFileError(f"{os.fspath(path)} holds a {file.kind}, expected a {KIND}")
    try:
        parameters = {name: tuple(v) if isinstance(v, list) else v for name, v in file.config["parameters"].items()}
        if str(parameters.get("device")).startswith("cuda") and not torch.cuda.is_available():
            parameters["device"] = "auto"  # trained on a GPU, used where there is none
        forecaster: Any = cls(**parameters)
        forecast_training.check_parameters(forecaster)
        forecaster.codec_ = TableCodec.from_json(file.config["codec"])
        for name in _LEARNED:
            setattr(forecaster, name, file.config["learned"][name])
        forecaster.train_end_ = _map(_stamp, file.config["train_end"])
        _check_sizes(file.config["network"], file.tensors)
        network = _network(forecaster.state, file.config["network"])
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)} is damaged or was tampered with: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelFileError(
            f"{os.fspath(path)} is damaged or was tampered with: its configuration cannot be used ({error})"
        ) from error
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    scores = file.tensors.get("calibration", torch.empty(0))
    expected = (len(scores), forecaster.horizon, len(forecaster.target_names_), len(forecaster.quantiles))
    check_tensors(file.tensors, {**weights, "calibration": torch.empty(1).expand(expected)}, os.fspath(path))
    network.load_state_dict({name: file.tensors[f"network.{name}"] for name in network.state_dict()})
    forecaster.network_ = network.to(forecaster._device())
    stride = max(1, int(file.config.get("calibration_stride", 1)))
    forecaster.calibration_ = Calibration(scores.numpy(), tuple(forecaster.quantiles), stride)
    return forecaster


def _check_sizes(config: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Refuse sizes that the file's own tensors do not bear out, before anything of such a size is allocated.

    Each product is that of a tensor that the network would hold. (Building it without memory, on torch's meta device,
    would say the same, but takes torch two seconds to load.)
    """
    shape, held = config["shape"], sum(tensor.numel() for tensor in tensors.values())
    hidden, horizon = config["hidden_size"], config["horizon"]
    inputs = shape["past"] + shape["static"] + shape["known"] + shape["targets"]
    categories = sum(shape["code_sizes"]) + sum(shape["static_code_sizes"])
    products = [hidden * hidden, hidden * shape["past"], hidden * config.get("segment", 1), horizon, inputs, categories]
    if config["linear"]:
        products.append(horizon * (config["window"] + shape["known"]))
    if max(products) > held or config["num_layers"] > len(tensors):
        raise ModelFileError("its configuration tells of a larger network than the file holds weights for")


def _network(state: str, config: dict[str, Any]) -> ForecastNetwork:
    config = dict(config)
    shape = dict(config.pop("shape"))
    shape["code_sizes"] = tuple(shape["code_sizes"])
    shape["static_code_sizes"] = tuple(shape["static_code_sizes"])
    name = config.pop("network")
    kind = CarriedForecaster if state == "carried" else NETWORKS[name]
    # The weights that follow overwrite these: drawing them must not move the user's generator.
    with torch.random.fork_rng(devices=[]):
        return kind(TableShape(**shape), config.pop("window"), config.pop("horizon"), **config)


def _map(function: Any, ends: Any) -> Any:
    """`function` of the one end of training, or of that of each series."""
    return {name: function(end) for name, end in ends.items()} if isinstance(ends, dict) else function(ends)


def _stamp(text: str) -> int | np.datetime64:
    return int(text) if text.lstrip("-").isdigit() else np.datetime64(text)


def _plain(value: Any) -> Any:
    """The value as JSON would give it back."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value
