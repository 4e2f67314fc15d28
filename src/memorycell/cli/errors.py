"""Every error as one line on stderr and an exit code; a traceback only for who asks."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import traceback
from collections.abc import Callable

import typer

from memorycell.data.lines import one_line
from memorycell.data.memory import OutOfMemory, ran_out

USER, BUG, INTERRUPTED, PIPE = 2, 1, 130, 141

# typer has its own copy of click in new releases and depends on click in old ones: this is either's ClickException.
_Usage: type[Exception] = typer.BadParameter.__mro__[2]
# Parameters of the floors below that are options here, where a message has them as a word of their own.
_NAMES = (
    "target|time|series|known_future|static|categorical|exclude|freq|fill|lower|upper|device|future|at|row|text|group|id|"
    "delimiter|decimal|thousands|encoding|skip_rows|na_values|sheet|"
    "dayfirst|date_format|timezone|aggregate|holidays|kind|unit|separator|sentence|word|tag|weight|min_count|batch_size|hidden_size"
)
_PARAMETER = re.compile(rf"(?<=[\s(])({_NAMES})=(?:(?=([\"'\d-]))|(?=[\s,;:.)]|$))")
_SWITCHES = {"header=False": "--no-header", "header=True": "--header", "dayfirst=True": "--dayfirst yes",
             "dayfirst=False": "--dayfirst no"}  # fmt: skip
# What the floors below raise for input that cannot be used, and for machines that cannot do what is asked.
_EXPECTED = (ValueError, TypeError, OSError, ImportError, MemoryError)


def guarded(work: Callable[[], int], *, debug: bool = False) -> int:
    """Run `work` and return its exit code, or that of its error after saying it in one line."""
    try:
        try:
            return work()
        finally:
            _flush_stdout()
    except BrokenPipeError:  # the reader, `head` for example, has what it wants
        return PIPE
    except SystemExit as ended:  # with 1, so typer ends when a pipe breaks; otherwise after completing a word
        return PIPE if ended.code == 1 else int(ended.code or 0)
    except (KeyboardInterrupt, typer.Abort):
        say("interrupted")
        return INTERRUPTED
    except Exception as error:
        if debug and not isinstance(error, _Usage):
            traceback.print_exc()
        text, code = _explain(error)
        say(text)
        return code


def say(text: str) -> None:
    """One line on stderr."""
    with contextlib.suppress(OSError):
        print(f"memorycell: {one_line(text)}", file=sys.stderr, flush=True)


def without_terminal() -> None:
    """Write nowhere from now on where a terminal was that has been closed: saving is not to fail because of it."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            descriptor = stream.fileno()
            try:
                os.get_terminal_size(descriptor)
            except OSError as error:
                if error.errno == errno.EIO:
                    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def as_options(text: str) -> str:
    """Parameters that a message names for Python, as the options of the command.

    Example
    -------
    >>> as_options('give freq="h", or name the column with known_future=')
    'give --freq "h", or name the column with --known-future'
    """
    text = text.replace(" to read_table", "")
    for said, option in _SWITCHES.items():
        text = text.replace(said, option)
    return re.sub(_PARAMETER, lambda found: f"--{found[1].replace('_', '-')}" + (" " if found[2] else ""), text)


def _explain(error: Exception) -> tuple[str, int]:
    if isinstance(error, _Usage):
        context = getattr(error, "ctx", None)
        hint = f" (see '{context.command_path} --help')" if context is not None else ""
        return error.format_message() + hint, USER  # type: ignore[attr-defined]
    if isinstance(error, ModuleNotFoundError):
        name = (error.name or "").partition(".")[0]
        return f"{error}: install it with pip install {name}" if name else str(error), USER
    if ran_out(error):
        said = "not enough memory: use fewer rows or columns, a shorter window or a smaller batch"
        return as_options(str(error)) if isinstance(error, OutOfMemory) else said, USER
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}", USER
    if isinstance(error, OSError):
        return error.strerror or str(error), USER
    if isinstance(error, _EXPECTED) or _is_diverged(error):
        return as_options(str(error)) or type(error).__name__, USER
    return f"{type(error).__name__}: {error} (--debug shows where; please report it)", BUG


def _is_diverged(error: Exception) -> bool:
    # Where it was raised its module is loaded; where it was not, loading it would load torch.
    training = sys.modules.get("memorycell.training")
    return training is not None and isinstance(error, getattr(training, "DivergedError", ()))


def _flush_stdout() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        # Python tries once more when it exits, and would complain in its own way.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
