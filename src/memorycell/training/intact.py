"""Whether a checkpoint holds what a training of its kind writes: nothing of it is used before."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from memorycell.data.forms import COUNT, NUMBER, Form, field, mapping, one_of, optional, several
from memorycell.kernels.limits import MOST_THREADS
from memorycell.networks.base import State
from memorycell.training.files import ModelFileError, check_tensors, reading

_FIGURES = ("loss", "lr", "grad_norm", "seconds", "examples_per_second")
_ROW = mapping(
    {"epoch": COUNT, "val_loss": optional(NUMBER), **dict.fromkeys(_FIGURES, NUMBER)}, "an epoch and its figures"
)
HISTORY = several(_ROW, "a list of epochs, each with its loss and other figures")
THREADS = Form(
    lambda value: COUNT.fits(value) and 1 <= value <= MOST_THREADS, f"a whole number from 1 to {MOST_THREADS}"
)
_FORMS = {"int": COUNT, "float": NUMBER, "int | None": optional(COUNT), "float | None": optional(NUMBER)}
_OWN = {"n_threads": THREADS, "history": HISTORY, "stopped": optional(one_of("finished", "early"))}
_MOST_NESTED = 8


def checksum(tensors: Mapping[str, Tensor], content: Mapping[str, Any]) -> int:
    """Of all that a checkpoint holds: who changes a byte of it has another file, not another training."""
    crc = zlib.crc32(json.dumps([content.get(name) for name in ("position", "fingerprint", "state")]).encode())
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        crc = zlib.crc32(f"{name} {value.dtype} {tuple(value.shape)}".encode(), crc)
        numbers: Any = value.reshape(-1).view(torch.uint8).numpy()
        crc = zlib.crc32(numbers, crc)
    return crc


def checked_position(told: Any, kind: Any, newer: set[str]) -> Any:
    """The position, a `kind`, of which files of release 0.1 lack what is `newer`.

    Raises
    ------
    ValueError
        If a field is missing or not what it can be, or they do not fit together.
    """
    given = {entry.name: entry for entry in dataclasses.fields(kind)}
    there = {
        name: _OWN.get(name) or _FORMS[str(entry.type)]
        for name, entry in given.items()
        if name in told or name not in newer
    }
    values = {name: field(told, name, form, "position") for name, form in there.items()}
    position = kind(**values)
    epochs = [row["epoch"] for row in position.history]
    if epochs != list(range(1, position.epoch + 1)) or position.best_epoch > position.epoch:
        raise ValueError(f"expected a history of the {position.epoch:,} epochs that are done, got another")
    if len(told) != len(there):
        raise ValueError("expected a position of this release, got one with fields that it does not know")
    return position


def checked_state(shape: Any, tensors: Mapping[str, Tensor]) -> State:
    """The carried state, from places in `tensors` and how they are nested; every one is used once."""
    left = {name for name in tensors if name.startswith("state.")}

    def made(part: Any, depth: int) -> State:
        if part is None:
            return None
        if isinstance(part, list) and depth < _MOST_NESTED:
            return tuple(made(each, depth + 1) for each in part)
        name = f"state.{part}"
        if not COUNT.fits(part) or name not in left:
            raise ValueError(f"expected the carried state to name its tensors once each, got {part!r:.40}")
        left.remove(name)
        return tensors[name]

    found = made(shape, 0)
    if left:
        raise ValueError(f"expected all tensors of the carried state to have a place, got none for {min(left)}")
    return found


def check_whole(path: Path | None, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raise ModelFileError unless the tensors are those expected, of their shapes and types, with finite numbers."""
    expected = {name: value.to("meta") for name, value in expected.items()}
    with reading("tensors"):
        check_tensors(tensors, expected, f"{path} is damaged or was altered")
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelFileError(
                f"{path} is damaged or was altered: tensor {name!r} holds NaN or infinite numbers: "
                "remove it to start afresh"
            )
    try:
        torch.Generator("cpu").set_state(tensors["random.cpu"])
    except RuntimeError:
        raise ModelFileError(f"{path} is damaged or was altered: random.cpu is no state of a generator") from None


def fits_state(given: State, like: State) -> bool:
    """Whether a state is nested as another, of tensors of the same shapes and types."""
    if isinstance(given, Tensor) and isinstance(like, Tensor):
        return given.shape == like.shape and given.dtype == like.dtype
    if isinstance(given, tuple) and isinstance(like, tuple | list):
        return len(given) == len(like) and all(map(fits_state, given, like))
    return given is None and like is None
