"""The contestants: a module each, whose `prepare(job, way)` gives what is timed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))


class CannotRun(Exception):
    """A contestant cannot do a job in a way; the message says why."""


class Prepared(NamedTuple):
    """A job made ready: `call` is what is timed, `results` gives what it computes as arrays by name."""

    call: Callable[[], Any]
    results: Callable[[], dict[str, Any]]
