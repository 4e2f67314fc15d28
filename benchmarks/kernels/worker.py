"""The process of one contestant: reads requests from its input, a line of JSON each, and answers in the same way.

    python -m kernels.worker MODULE [SETUP]

Requests, by their "do": "prepare" a job in a way and give its fingerprint; "run" it some times and give the seconds of
a call; "forget" all jobs; "check" the parity of memorycell; "memory" of one call; the machine's "ceiling".
Between requests the process sleeps.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kernels import parity
from kernels.jobs import Job
from kernels.peers import THREADS, CannotRun, Prepared

Reply = dict[str, Any]


class Worker:
    """Answers requests with the module of a contestant."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self._jobs: dict[tuple[Job, str], Prepared] = {}

    def answer(self, request: dict[str, Any]) -> Reply:
        """The reply to one request; {"cannot": why} where the contestant cannot do it."""
        do = request["do"]
        try:
            if do == "ceiling":
                return ceiling(request["times"])
            if do == "forget":
                self._jobs.clear()
                return {}
            job, way = Job.from_dict(request["job"]), request["way"]
            if do == "check":
                return parity.check(self.module, job, way)
            if do == "memory":
                return {"bytes": self._memory(job, way)}
            if do == "prepare":
                return self._prepare(job, way)
            return {"seconds": timed(self._jobs[job, way].call, request["times"], request["calls"])}
        except CannotRun as reason:
            return {"cannot": str(reason)}
        except Exception as error:
            message = str(error).strip().splitlines() or [""]
            return {"cannot": f"{type(error).__name__}: {message[0]}", "failed": True}

    def _prepare(self, job: Job, way: str) -> Reply:
        ready = self._jobs[job, way] = self.module.prepare(job, way)
        begun = time.perf_counter()
        prints = parity.fingerprint(ready.results())
        seconds = time.perf_counter() - begun
        if seconds < 1.0:  # the first call of all compiles and fills caches; a long one is a time already
            ready.call()
            seconds = timed(ready.call, 1, 1)[0]
        # Of random masks nobody else draws the same.
        return {"seconds": seconds, "prints": {} if job.draws else prints}

    def _memory(self, job: Job, way: str) -> int:
        """The bytes by which one call raises the process's memory at its highest."""
        ready = self.module.prepare(job, way)
        warm = Job.from_dict(job.to_dict() | {"shape": job.shape._replace(batch=2, steps=2)})
        self.module.prepare(warm, way).call()  # loads what is loaded once
        status = Path("/proc/self/status")
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the highest mark starts anew
            before = _kilobytes(status.read_text(), "VmRSS")
        except OSError as error:
            raise CannotRun(f"the highest mark of memory cannot be reset here ({error.strerror})") from error
        ready.call()
        # The kernel counts in pages: a small step may fit into those that are there.
        return max(1024 * (_kilobytes(status.read_text(), "VmHWM") - before), mmap.PAGESIZE)


def _kilobytes(status: str, name: str) -> int:
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:"))


def timed(call: Callable[[], object], times: int, calls: int) -> list[float]:
    """Seconds a call, `times` times; each the mean of `calls` calls, for short ones are below what a clock can tell."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        for _ in range(calls):
            call()
        found.append((time.perf_counter() - begun) / calls)
    return found


def ceiling(times: int) -> Reply:
    """GFLOP/s that this machine reaches at best: a product of large matrices, and multiply-adds in registers alone."""
    import torch

    from memorycell.kernels import native

    size = 2048
    a, b = torch.rand(size, size), torch.rand(size, size)
    out = torch.empty(size, size)
    best = min(timed(lambda: torch.mm(a, b, out=out), times, 1))
    found = {"sgemm": 2 * size**3 / best / 1e9}
    library = native.library()
    if library is not None:
        found["fma"] = max(library.mc_peak(native.level(), THREADS) for _ in range(times))
    return found


def main() -> None:
    # Libraries may print: the replies get a way of their own, and all else goes to the errors.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[-THREADS:])
    hello: Reply = {}
    try:
        module = importlib.import_module(sys.argv[1])
        for setup in sys.argv[2:]:
            getattr(module, setup)()
        hello = {"version": getattr(module, "VERSION", "")}
    except ImportError as error:
        hello = {"absent": f"no module {error.name!r}"}
    except CannotRun as reason:
        hello = {"absent": str(reason)}
    print(json.dumps(hello), file=replies, flush=True)
    if "absent" in hello:
        return
    worker = Worker(module)
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    main()
