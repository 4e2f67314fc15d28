"""The command line: which commands there are, and what surrounds them all."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from memorycell.cli.demo import demo
from memorycell.cli.errors import guarded
from memorycell.cli.explain import explain
from memorycell.cli.fit import fit_classify, fit_forecast, fit_language, fit_regress, fit_tag
from memorycell.cli.generate import generate
from memorycell.cli.info import info
from memorycell.cli.measure import compare, evaluate, report
from memorycell.cli.predict import predict

_COMMANDS = {
    "demo": demo, "fit": None, "predict": predict, "generate": generate, "evaluate": evaluate, "compare": compare,
    "report": report, "explain": explain, "info": info,
}  # fmt: skip

_FITS = {
    "forecast": fit_forecast, "classify": fit_classify, "regress": fit_regress, "tag": fit_tag,
    "language": fit_language,
}  # fmt: skip


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


class _InOrder(TyperGroup):
    """Commands in the order in which one needs them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)


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


def _fit(ctx: typer.Context) -> None:
    """Train a model and save it to one file."""
    _help_if_alone(ctx)


def _help_if_alone(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit


def _build() -> typer.Typer:
    options: dict[str, Any] = {"rich_markup_mode": None, "context_settings": {"max_content_width": 100}}
    app = typer.Typer(cls=_InOrder, **options)
    app.callback(invoke_without_command=True)(_top)
    fit = typer.Typer(**options)
    fit.callback(invoke_without_command=True)(_fit)
    for name, function in _FITS.items():
        fit.command(name, cls=_Grouped)(function)
    app.add_typer(fit, name="fit")
    for name, command in _COMMANDS.items():
        if command is not None:
            app.command(name, cls=_Grouped)(command)
    return app


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
        command = typer.main.get_command(_build())
        code = command.main(arguments, prog_name="memorycell", standalone_mode=False, obj=arguments)
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
