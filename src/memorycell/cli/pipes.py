"""Data that come through a pipe, kept in a temporary file while a command works: they may be read more than once."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

_STDIN = ("-", "/dev/stdin")
_copies: dict[Path, str] = {}


def local(path: Path | None) -> Path | None:
    """The file, or a copy of what comes through a pipe: `-`, /dev/stdin, or <(…) of the shell.

    Raises
    ------
    ValueError
        Where nothing is piped in.
    """
    if path is None or (str(path) not in _STDIN and not _is_pipe(path)):
        return path
    if str(path) in _STDIN and sys.stdin is not None and sys.stdin.isatty():
        raise ValueError(f"expected data through a pipe, as {str(path)!r} says, got none: give a file, or pipe one in")
    folder = Path(tempfile.mkdtemp(prefix="memorycell-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = folder / "stdin"
    with copy.open("wb") as file:
        if str(path) in _STDIN:
            shutil.copyfileobj(sys.stdin.buffer, file)
        else:
            with path.open("rb") as pipe:
                shutil.copyfileobj(pipe, file)
    if not copy.stat().st_size:
        raise ValueError(f"nothing came through the pipe {str(path)!r}: expected a file's content")
    _copies[copy] = str(path)
    return copy


def called(path: Path) -> str:
    """What the user called a file: of a copy the pipe, of a path the address that it was."""
    from memorycell.data.tables.files.raw import url_of

    return _copies.get(path) or url_of(str(path)) or str(path)


def _is_pipe(path: Path) -> bool:
    return path.is_fifo() or (path.exists() and not path.is_file() and not path.is_dir())


# The argument of the commands that use a model.
Data = Annotated[
    Path, typer.Argument(metavar="DATA", callback=local, help="File of the kind that fit was given; - is a pipe.")
]
