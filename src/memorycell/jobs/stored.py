"""What a model file keeps of a task beside its weights: as JSON, and read back with nothing taken on trust."""

from __future__ import annotations

import datetime
import json
import os
from typing import Any

import numpy as np

_PAIRS = "pairs"  # a dict whose keys are no texts, as JSON


def plain(value: Any) -> Any:
    """The value as JSON can hold it; what it cannot hold (a model, a generator) becomes None."""
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: plain(item) for key, item in value.items()}
        return {_PAIRS: [[plain(key), plain(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime.date | np.datetime64) or (isinstance(value, np.ndarray) and value.dtype.kind == "M"):
        return np.datetime_as_string(value).tolist() if isinstance(value, np.ndarray) else str(value)
    if hasattr(value, "freqstr") or isinstance(value, datetime.timedelta):
        # Imported here: other tasks have no steps of time.
        from memorycell.data.tables.times.frequency import Frequency

        return json.dumps(Frequency.parse(value).to_json())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value if value is None or isinstance(value, str | int | float | bool) else None


def unplain(value: Any) -> Any:
    """A parameter as it was given: a list was most likely a tuple."""
    if isinstance(value, list):
        return tuple(unplain(item) for item in value)
    if isinstance(value, dict) and set(value) == {_PAIRS}:
        return {unplain(key): unplain(item) for key, item in value[_PAIRS]}
    return value


def check_trained(learner: Any) -> None:
    """Raise ValueError where what every training leaves behind is not of its kind."""
    kinds = {
        "history_": list, "notes_": list, "trained_on_": dict, "stopped_": str, "best_epoch_": int, "n_threads_": int,
        "n_parameters_": int, "seed_": int,
    }  # fmt: skip
    for name, kind in kinds.items():
        if not isinstance(getattr(learner, name), kind):
            raise ValueError(f"expected {name} to be of type {kind.__name__}, got {getattr(learner, name)!r:.60}")
    if learner.n_threads_ < 1:
        raise ValueError(f"expected n_threads_ of at least 1, got {learner.n_threads_}")
    if not all(isinstance(note, dict) and isinstance(note.get("text"), str) for note in learner.notes_):
        raise ValueError("expected notes with a text each, got others")
    if not all(isinstance(row, dict) and isinstance(row.get("epoch"), int) for row in learner.history_):
        raise ValueError("expected a history with an epoch in each row, got another")
