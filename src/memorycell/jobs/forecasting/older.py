"""Model files of release 0.1, in today's layout."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.jobs.forecasting.network import NETWORKS


def of_0_1(config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and tensors of a file that holds one codec, and calls networks by the names of the parameter."""
    learned, network = dict(config["learned"]), dict(config["network"])
    name = network.pop("network")
    carried = config["parameters"].get("state") == "carried"
    # Why windows are normalised as they are was told by a note alone.
    note = next((note["text"] for note in learned["notes_"] if note.get("kind") == "normalize"), "")
    reasons = {"normalize": note.partition(": ")[2].rstrip(".")}
    scores = tensors["calibration"]
    return {
        **config,
        "codecs": {"codec_": config["codec"]},
        "network": {"network": (CarriedForecaster if carried else NETWORKS[name]).__name__, **network},
        "learned": {**learned, "ends_": config["train_end"], "plan_": {**learned["plan_"], "reasons": reasons}},
    }, {
        **{name: value for name, value in tensors.items() if name != "calibration"},
        "learned.scores": scores,
        "learned.known": torch.ones(scores.shape[:-1], dtype=torch.bool),
        "learned.stride": torch.tensor([int(config.get("calibration_stride", 1))]),
    }
