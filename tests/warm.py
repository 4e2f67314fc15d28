"""Python processes that begin with torch loaded: what each of them runs is as in one of its own, but seconds sooner.

`WarmPython` starts one process that loads the packages memorycell needs, though nothing of memorycell itself, and forks
for each command. Run as a program, this file is that process.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

HEAVY = (
    "torch", "numpy", "pandas", "pyarrow.csv", "narwhals", "sklearn.base", "scipy.stats", "matplotlib.figure", "typer",
    "rich", "safetensors.torch",
)  # fmt: skip


class WarmPython:
    """``with WarmPython() as python: python(["-m", "memorycell", "info"])``, in the folder and environment of now."""

    def __enter__(self) -> WarmPython:
        self.process: subprocess.Popen[str] | None = None
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self.process is not None:
            self.process.communicate()

    def __call__(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run ``python …`` with ``-c code`` or ``-m module``; returns its exit code and what it printed."""
        if not hasattr(os, "fork") or arguments[0] not in ("-c", "-m"):
            return subprocess.run([sys.executable, *arguments], check=False, capture_output=True, encoding="utf-8")
        if self.process is None:
            command = [sys.executable, __file__]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(Path.cwd()), list(arguments)]) + "\n")
        self.process.stdin.flush()
        return subprocess.CompletedProcess(list(arguments), *json.loads(self.process.stdout.readline()))


def serve() -> None:
    for name in HEAVY:
        importlib.import_module(name)
    del sys.path[0]  # the folder of this file
    for line in sys.stdin:
        print(json.dumps(run_forked(*json.loads(line))), flush=True)


def run_forked(folder: str, arguments: list[str]) -> list[Any]:
    """Exit code, stdout and stderr of ``python arguments`` in `folder`."""
    kept = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2)]
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(kept[0].fileno(), 1)
        os.dup2(kept[1].fileno(), 2)
        os.chdir(folder)
        code = 1
        with contextlib.suppress(BaseException):
            code = run_here(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    texts = []
    for file in kept:
        with file:
            file.seek(0)
            texts.append(file.read())
    return [os.waitstatus_to_exitcode(status), *texts]


def run_here(arguments: list[str]) -> int:
    kind, what, *rest = arguments
    sys.path.insert(0, "" if kind == "-c" else str(Path.cwd()))
    sys.argv = [kind if kind == "-c" else what, *rest]
    try:
        if kind == "-c":
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
        else:
            runpy.run_module(what, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve()
