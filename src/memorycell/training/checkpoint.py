"""Checkpoints: one file, replaced atomically, from which a training goes on with the same bits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from memorycell.data.batch import BatchStream
from memorycell.data.content import Holding
from memorycell.data.content import fingerprint as content_fingerprint
from memorycell.data.log import logger, note
from memorycell.networks.base import State
from memorycell.training.files import ModelFileError, read_tensors, reading, remove_leftovers, write_tensors
from memorycell.training.groups import ParameterGroup, describe_groups
from memorycell.training.intact import checked_position, checked_state, checksum
from memorycell.training.options import TrainingOptions, TrainingResult

_LOG = logger(__name__)

_KEY = "memorycell_checkpoint"
_VERSION = 1
CONTENT = "content of the "  # fields of the fingerprint that begin so say what data hold; files of 0.1 lack them
_NEWER = {"average_epoch", "averaged", "log_bytes"}  # fields of the position that files of release 0.1 lack
_UNKNOWN = (
    "The checkpoint {path} was written by an older release, which did not note what its data hold: only their sizes "
    "were compared with those of the data given now."
)


@dataclass
class Position:
    """Where a training stands: everything about it that is a number, the history included."""

    epoch: int = 0  # epochs done
    batch: int = 0  # batches done in this one
    step: int = 0  # optimiser steps done in all
    loss_sum: float = 0.0  # since the epoch began, as all down to train_seconds
    count: float = 0.0
    norm_sum: float = 0.0
    norms: int = 0
    examples: int = 0
    seconds: float = 0.0
    train_seconds: float = 0.0  # without validation
    learning_rate: float = 0.0
    best_epoch: int = 0
    best_loss: float | None = None
    lowest: float | None = None  # lowest loss judged by, and epochs since
    epochs_since: int = 0
    plateau: float = 1.0  # factor on the learning rate, and epochs since it could have changed
    plateau_since: int = 0
    n_threads: int = 1
    total_examples: int = 0  # of the epochs done
    total_train_seconds: float = 0.0
    average_epoch: int | None = None  # after which averaging began (`average_after`), and weights averaged since
    averaged: int = 0
    log_bytes: int | None = None  # of the log file
    stopped: str | None = None  # "finished" or "early"; None: to be continued
    history: list[dict[str, Any]] = field(default_factory=list)

    def row(self, validation_loss: float | None) -> dict[str, Any]:
        """The history's row of the epoch that has just been trained."""
        return {
            "epoch": self.epoch + 1,
            "loss": self.loss_sum / self.count,
            "val_loss": validation_loss,
            "lr": self.learning_rate,
            "grad_norm": self.norm_sum / max(1, self.norms),
            "seconds": self.seconds,
            "examples_per_second": self.examples / max(self.train_seconds, 1e-9),
        }

    def result(self, stopped: Any) -> TrainingResult:
        """What `train` returns when it ends here."""
        return TrainingResult(
            history=self.history,
            best_epoch=self.best_epoch,
            best_loss=self.best_loss,
            stopped=stopped,
            n_threads=self.n_threads,
            seconds=sum(row["seconds"] for row in self.history) + self.seconds,
            examples_per_second=(self.total_examples + self.examples)
            / max(self.total_train_seconds + self.train_seconds, 1e-9),
            average_epoch=self.average_epoch,
        )

    def begin_epoch(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1
        self.batch = self.norms = self.examples = 0
        self.loss_sum = self.count = self.norm_sum = self.seconds = self.train_seconds = 0.0


def describe(
    network: nn.Module,
    stream: BatchStream,
    validation: BatchStream | None,
    options: TrainingOptions,
    extra: Mapping[str, Any] | None,
    groups: Sequence[ParameterGroup] = (),
) -> dict[str, Any]:
    """What makes a training the same one: options, sizes of the data, parameters, groups, what the caller adds."""
    described: dict[str, Any] = {f"option {name}": value for name, value in asdict(options).items()}
    del described["option checkpoint_seconds"]
    described["batches an epoch"] = len(stream)
    described["stream"] = type(stream).__name__
    for name in ("batch_size", "seed", "length"):
        value = getattr(stream, name, None)
        if isinstance(value, int):
            described[f"stream {name}"] = value
    described["validation batches"] = None if validation is None else len(validation)
    for name, parameter in network.named_parameters():
        trained = "" if parameter.requires_grad else ", frozen"
        described[f"parameter {name}"] = f"{tuple(parameter.shape)} {parameter.dtype}{trained}"
    if groups:
        described["groups"] = describe_groups(groups)
    for name, value in (extra or {}).items():
        described[name] = value
    return json.loads(json.dumps(described))


def describe_content(stream: BatchStream, validation: BatchStream | None) -> dict[str, str]:
    """Fingerprints of what the data hold, every byte of them, as far as they tell."""
    described: dict[str, str] = {}
    for name, data in (("training data", stream), ("validation data", validation)):
        held = data.content() if isinstance(data, Holding) else None
        if held is not None:
            described[CONTENT + name] = content_fingerprint(held)
    return described


def save_checkpoint(
    path: Path, position: Position, tensors: Mapping[str, Tensor], fingerprint: dict[str, Any], state: State
) -> None:
    """Write the checkpoint; `state` is the carried state of the batch stream.

    Raises
    ------
    OSError
        If it cannot be written; the checkpoint that was there is then unchanged.
    """
    parts: list[Tensor] = []
    shape = _take_apart(state, parts)
    carried = {f"state.{number}": part for number, part in enumerate(parts)}
    content = {"version": _VERSION, "position": asdict(position), "fingerprint": fingerprint, "state": shape}
    content["checksum"] = checksum({**tensors, **carried}, content)
    write_tensors(path, {**tensors, **carried}, {_KEY: json.dumps(content)})
    _LOG.debug("checkpoint %s, step %d", path, position.step)


class Resumed(NamedTuple):
    """What a checkpoint holds, and what the user is to know about it."""

    position: Position
    tensors: dict[str, Tensor]
    state: State
    notes: list[dict[str, Any]]


def load_checkpoint(path: Path, fingerprint: dict[str, Any]) -> Resumed | None:
    """Read a checkpoint: position, tensors, carried state. None if there is none yet.

    Raises
    ------
    ValueError
        If the file belongs to another training, naming the field that differs, or (`ModelFileError`) is not a
        checkpoint or damaged.
    FileNotFoundError
        If its folder does not exist.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write the checkpoint {path}: there is no folder {path.parent}")
    remove_leftovers(path)
    if not path.exists():
        return None
    header, tensors = read_tensors(path)
    if _KEY not in header:
        raise ModelFileError(f"{path} is not a checkpoint: name a file of its own for checkpoint=")
    content = _content(path, header[_KEY], tensors)
    kept = content["fingerprint"]
    _compare(path, kept, fingerprint)
    try:
        with reading("a position and a state"):
            position = checked_position(content["position"], Position, _NEWER)
            state = checked_state(content.get("state"), tensors)
    except ValueError as error:
        raise ModelFileError(f"{path} is damaged or was altered: {error}: remove it to start afresh") from None
    _LOG.info("going on from the checkpoint %s, after %d epochs", path, len(position.history))
    notes = []
    if any(name.startswith(CONTENT) and name not in kept for name in fingerprint):
        notes.append(note("resume", _UNKNOWN.format(path=path)))
    return Resumed(position, tensors, state, notes)


def _content(path: Path, text: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What a checkpoint says of itself, if it is one that nobody changed."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    content = content if isinstance(content, dict) else {}
    there = isinstance(content.get("position"), dict) and isinstance(content.get("fingerprint"), dict)
    if content.get("version") != _VERSION or not there:
        raise ModelFileError(f"{path} is not a checkpoint that this release can read: remove it to start afresh")
    # Of older releases it has none.
    if "checksum" in content and content["checksum"] != checksum(tensors, content):
        raise ModelFileError(
            f"{path} is damaged or was altered: what it holds is not what was written: remove it to start afresh"
        )
    return content


def _compare(path: Path, kept: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with another training than the checkpoint's."""
    # Sizes and options first: they say more than that something differs.
    for name in sorted([*now, *kept], key=lambda name: name.startswith(CONTENT)):
        if now.get(name) == kept.get(name):
            continue
        if not name.startswith(CONTENT) and name != "weights":  # which are a fingerprint, too
            raise ValueError(
                f"the checkpoint {path} belongs to another training: {name} was {kept.get(name)!r}, "
                f"now it is {now.get(name)!r}: go on as it began, or name another file"
            )
        if name not in kept:
            continue  # an older release wrote it: `load_checkpoint` notes that
        what = name.removeprefix(CONTENT)
        raise ValueError(
            f"the checkpoint {path} belongs to a training on other data: of the same size, but the {what} differ: "
            "give the data that it began with, or name another file for checkpoint="
        )


def _take_apart(state: State, parts: list[Tensor]) -> Any:
    """A nested state as JSON of places in `parts`, which receives its tensors."""
    if state is None:
        return None
    if isinstance(state, Tensor):
        parts.append(state)
        return len(parts) - 1
    return [_take_apart(part, parts) for part in state]
