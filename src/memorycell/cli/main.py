"""The command line: which commands there are, and what surrounds them all."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from memorycell.cli.errors import guarded
from memorycell.jobs.registry import registry

_ORDER = ("demo", "fit", "predict", "evaluate", "report", "plot", "explain", "info")


class _Grouped(TyperCommand):
    """Plain help with its options in groups: rich would draw them nicely, but takes longer than all the rest."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                fallback = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or fallback, []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


class _Lazy(TyperGroup):
    """Commands that are made when they are asked for: each knows the options of every job."""

    def list_commands(self, ctx: Any) -> list[str]:
        own = [name for job in registry().jobs for name in job.commands]
        place = _ORDER.index("evaluate")
        return [*_ORDER[:place], *own, *_ORDER[place:]]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name == "fit":
            return _made(_fit_group, cls=_Fits, name="fit")
        function = _function_of(cmd_name)
        return None if function is None else _made(function, name=cmd_name)


class _Fits(TyperGroup):
    """``memorycell fit``: a command for each job."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [job.verb for job in registry().jobs]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from memorycell.cli.fit import fit_command

        job = next((job for job in registry().jobs if job.verb == cmd_name), None)
        return None if job is None else _made(fit_command(job), name=cmd_name)


def _function_of(name: str) -> Callable[..., None] | None:
    """The function of a command: one that all jobs have, or one of a job's own."""
    from memorycell.cli import demo, explain, info, measure, own, plot, predict

    makers: dict[str, Callable[[], Callable[..., None]]] = {
        "demo": demo.command, "predict": predict.command, "evaluate": measure.evaluate_command,
        "report": measure.report_command, "plot": plot.command, "explain": explain.command, "info": lambda: info.info,
    }  # fmt: skip
    if name in makers:
        return makers[name]()
    for job in registry().jobs:
        if name in job.commands:
            return own.command(job, name)
    return None


def _made(function: Callable[..., None], *, name: str, cls: Any = None) -> Any:
    """A command, or with `cls` a group, as typer makes it."""
    made: Any
    app = typer.Typer(**_OPTIONS)
    if cls is not None:
        app = typer.Typer(cls=cls, **_OPTIONS)
        app.callback(invoke_without_command=True)(function)
        made = typer.main.get_group(app)
    else:
        app.command(name, cls=_Grouped)(function)
        made = typer.main.get_command(app)
    made.name = name
    return made


_OPTIONS: dict[str, Any] = {
    "rich_markup_mode": None, "context_settings": {"max_content_width": 100}, "add_completion": False,
}  # fmt: skip


def _show_version(wanted: bool) -> None:
    if wanted:
        from memorycell import __version__

        typer.echo(f"memorycell {__version__}")
        raise typer.Exit


def _top(
    ctx: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; works after a command too.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """LSTM networks for sequences: trained properly, measured honestly, put to work.

    Begin with: memorycell demo
    """
    _help_if_alone(ctx)


def _fit_group(ctx: typer.Context) -> None:
    """Train a model and save it to one file."""
    _help_if_alone(ctx)


def _help_if_alone(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit


def commands() -> Any:
    """The program as a group of commands; each is made when it is asked for."""
    return _made(_top, name="memorycell", cls=_Lazy)


def main(argv: Sequence[str]) -> int:
    """Run the command with these arguments and return its exit code.

    Codes: 0 done; 2 something the user can mend, said in one line; 130 interrupted; 1 a fault of ours.

    Example
    -------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    memorycell ...
    0
    """
    arguments = list(argv)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    debug = "--debug" in arguments[:end]
    arguments = [text for text in arguments[:end] if text != "--debug"] + arguments[end:]

    def work() -> int:
        code = commands().main(arguments, prog_name="memorycell", standalone_mode=False, obj=arguments)
        return code if isinstance(code, int) else 0

    return guarded(work, debug=debug)


def run() -> None:
    """The entry point of the program."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if not sys.warnoptions and "--debug" not in sys.argv:
        # What users need to know is said in notes; the libraries' own warnings speak to programmers.
        warnings.simplefilter("ignore")
    sys.exit(main(sys.argv[1:]))
