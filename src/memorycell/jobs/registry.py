"""The jobs there are: those of this package, one row each room, and those that other packages bring."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from memorycell.jobs.card import Job, resolved

ROOMS = (
    "memorycell.jobs.forecasting",
    "memorycell.jobs.labelling",
    "memorycell.jobs.tagging",
    "memorycell.jobs.language",
)
ENTRY_POINTS = "memorycell.jobs"


class RegistryError(RuntimeError):
    """Two jobs that cannot both be there, or a card that is none."""


@dataclass
class Registry:
    """Cards of jobs.

    Attributes
    ----------
    jobs : list of Job, in the order of their rooms
    failures : list of str
        Rooms of other packages that could not be loaded, each with the reason; the others work all the same.
    """

    jobs: list[Job] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, room: Any, source: str) -> None:
        """Add the cards of a room, its ``JOBS``.

        Raises
        ------
        RegistryError
            For a room without cards, and for a card whose verb, class or command another job has already.
        """
        cards = getattr(room, "JOBS", None)
        if not isinstance(cards, tuple | list) or not cards or not all(isinstance(card, Job) for card in cards):
            raise RegistryError(f"expected {source} to have JOBS, a tuple of cards of jobs, got {cards!r:.80}")
        for card in cards:
            for other in self.jobs:
                for what, own in (("verb", {card.verb}), ("class", {card.name}), ("command", set(card.commands))):
                    theirs = {"verb": {other.verb}, "class": {other.name}, "command": set(other.commands)}[what]
                    for name in own & theirs:
                        raise RegistryError(f"two jobs with the {what} {name!r}: {other.task} and {card.task}")
        self.jobs += cards

    def named(self, name: str) -> Job | None:
        """The job of an estimator's class name, or of the kind of a model file, old ones included."""
        return next((job for job in self.jobs if name in (job.name, *job.formerly)), None)


@cache
def own() -> Registry:
    """The jobs of this package."""
    found = Registry()
    for room in ROOMS:
        found.add(importlib.import_module(room), room)
    return found


@cache
def registry() -> Registry:
    """All jobs: also those that installed packages bring, under the entry point ``memorycell.jobs``."""
    from importlib.metadata import entry_points

    found = Registry(list(own().jobs))
    for point in entry_points(group=ENTRY_POINTS):
        try:
            found.add(point.load(), point.value)
        except Exception as error:  # whatever another package does must not take down this one
            found.failures.append(
                f"the job {point.name!r} ({point.value}) was left out: {type(error).__name__}: {error}"
            )
    return found


def load(path: str | os.PathLike[str]) -> Any:
    """The fitted model in a file, whatever job it is of.

    Raises
    ------
    FileNotFoundError, ModelFileError
        When there is no such file, or it is truncated, foreign or of a job that this version does not know.

    Example
    -------
    >>> load("nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: no model file at nowhere.safetensors
    """
    return resolved(job_of(path).task).load(path)


def job_of(path: str | os.PathLike[str]) -> Job:
    """The card of the job that a model file is of; reads no weights, and raises as `load`."""
    from memorycell.training.files import ModelFileError, read_header

    kind, version = read_header(os.fspath(path))
    job = registry().named(kind)
    if job is None:
        known = ", ".join(job.name for job in registry().jobs)
        failed = "".join(f"; {text}" for text in registry().failures)
        raise ModelFileError(
            f"{os.fspath(path)} holds a {kind:.60}, written by memorycell {version:.40}, but this version knows "
            f"{known}: "
            f"upgrade memorycell, or install the package that brings this job{failed}"
        )
    return job
