"""What a model file keeps of a task beside its weights: as JSON, and read back with nothing taken on trust."""

from __future__ import annotations

import datetime
import json
import os
from typing import Any

import numpy as np

from memorycell.data.forms import (
    AMOUNT,
    ANY,
    COUNT,
    TEXT,
    WHOLE,
    Form,
    is_flat,
    mapping,
    one_of,
    several,
    shown,
)
from memorycell.jobs.plan import Plan
from memorycell.training.intact import HISTORY, THREADS

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
        pairs = value[_PAIRS]
        if not isinstance(pairs, list) or not all(
            isinstance(pair, list) and len(pair) == 2 and not isinstance(pair[0], list | dict) for pair in pairs
        ):
            raise ValueError(f"expected pairs of a key and a value, got {shown(pairs)}")
        return {key: unplain(item) for key, item in pairs}
    return value


_SOURCE = mapping(
    {"rows": COUNT, "source": TEXT},
    "",
    others=Form(lambda value: is_flat(value, 2), "texts and numbers"),
)
# What every training leaves behind.
TRAINED: dict[str, Form] = {
    "history_": HISTORY,
    "best_epoch_": COUNT,
    "train_seconds_": AMOUNT,
    "stopped_": one_of("finished", "early", "interrupted"),
    "n_threads_": THREADS,
    "n_parameters_": COUNT,
    "notes_": several(
        mapping({"kind": TEXT, "text": TEXT}, "", others=ANY), "a list of notes, each with its kind and its text"
    ),
    "seed_": WHOLE,
    "trained_on_": Form(
        lambda value: value == {} or _SOURCE.fits(value), "what it was trained on: rows, source and more"
    ),
}


def checked_plan(stored: Any) -> Plan:
    """The plan of a file."""
    plan = Plan.from_json(stored)
    for choice in plan:
        if not is_flat([choice.name, choice.value, choice.reason], 3):
            raise ValueError(
                f"expected the choice {choice.name!r:.40} of the plan to be texts and numbers, got another"
            )
    return plan
