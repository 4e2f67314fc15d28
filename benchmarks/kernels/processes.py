"""The processes of the contestants, as the runner sees them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from kernels.contestants import RESTRICTING, Contestant
from kernels.jobs import Job

FOLDER = Path(__file__).parents[1]  # of the package `kernels`
PATIENCE = 600.0  # seconds that one answer may take


class Player:
    """A contestant with a number of threads; its process starts when it is first asked, and again after it died."""

    def __init__(self, contestant: Contestant, threads: int) -> None:
        self.contestant, self.threads = contestant, threads
        self.version = ""
        self.absent: str | None = None
        self._process: Any = None  # subprocess.Popen with pipes
        self._errors: IO[str] | None = None

    def __enter__(self) -> Player:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def start(self) -> bool:
        """Start the process, if it is not running; False if the contestant is absent, and why is in `absent`."""
        if self._process is None and self.absent is None:
            paths = [str(FOLDER), os.environ.get("PYTHONPATH", "")]
            count = str(self.threads)
            # What restricts some contestants must not restrict the others.
            free = {name: value for name, value in os.environ.items() if name not in RESTRICTING}
            environment = free | {
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
                "OMP_NUM_THREADS": count,
                "MKL_NUM_THREADS": count,
                **self.contestant.environment,
            }
            command = [sys.executable, "-m", "kernels.worker", self.contestant.module, self.contestant.setup]
            self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
            self._process = subprocess.Popen(
                list(filter(None, command)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                env=environment,
            )
            hello = self._read()
            self.version = hello.get("version", self.version)
            self.absent = hello.get("absent", hello.get("cannot"))
            if self.absent is not None:
                self.close()
        return self.absent is None

    def ask(self, do: str, job: Job | None = None, **more: Any) -> dict[str, Any]:
        """The answer to a request; {"cannot": why} also if the process dies over it."""
        if not self.start():
            return {"cannot": self.absent}
        request = {"do": do, **({"job": job.to_dict()} if job else {}), **more}
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died, and reading says so
        return self._read()

    def _read(self) -> dict[str, Any]:
        process = self._process
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        line = process.stdout.readline()
        timer.cancel()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = process.wait()
        said = ""
        if self._errors is not None:
            self._errors.seek(0)
            said = "".join(self._errors.readlines()[-1:]).strip()
        self.close()
        return {"cannot": f"its process ended with code {code}" + (f": {said}" if said else ""), "failed": True}

    def close(self) -> None:
        """End the process: its input ends."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(BrokenPipeError):  # of a request that a dead process has not read
                process.stdin.close()
            process.stdout.close()
            process.wait()
        if self._errors is not None:
            self._errors.close()
            self._errors = None
