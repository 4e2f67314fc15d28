"""memorycell explain: why this answer, as a page that lets one look into the cell."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import say
from memorycell.cli.fitting import command_line
from memorycell.cli.options import of_all, with_options
from memorycell.cli.output import PAGE, check_output, print_json, print_notes, silent
from memorycell.cli.pipes import local
from memorycell.jobs.registry import registry

_METHODS = "integrated gradients, occlusion, decomposition or, of at most 300 steps, contextual decomposition."


def command() -> Callable[..., None]:
    """The command, with the options of all jobs."""
    options = of_all(registry().jobs, "explain")
    flags = {option.name: option.first for option in options}

    @with_options(options)
    def explain(
        context: typer.Context,
        model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit wrote.")],
        data: Annotated[
            Path, typer.Argument(metavar="DATA", callback=local, help="File of the kind that fit was given.")
        ],
        method: Annotated[str, typer.Option(metavar="NAME", help=_METHODS)] = "integrated gradients",
        page: Annotated[
            Path | None,
            typer.Option(
                "--output", "--out", "-o", metavar="FILE", help="HTML file. [default: MODEL's name -explain.html]"
            ),
        ] = None,
        force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print what each step adds as JSON; write no page.")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes on stderr.")] = False,
        **given: Any,
    ) -> None:
        """Write a page that shows why an answer came out.

        One HTML file: which steps or words made it, and the cell with the numbers of every step in its equations,
        stepped through with a slider.
        """
        if as_json and page is not None:
            raise ValueError("--json prints, and -o writes a page: give one of them")
        page = page or Path(model.stem + "-explain.html")
        files = [Path(value) for value in given.values() if isinstance(value, str) and Path(value).is_file()]
        if not as_json:
            check_output(page, PAGE, force=force, inputs=(model, data, *files))

        from memorycell.jobs.registry import load
        from memorycell.pages.explain import asked, explained_as_json, method_of, write_page

        fitted = silent(load(model), quiet)
        where = asked(type(fitted).JOB, given, lambda name: flags.get(name, name))
        by = method_of(method.replace("-", " ").lower())
        if as_json:
            found, unread = explained_as_json(fitted, data, where, by, counted=True)
            print_json(found)
        else:
            unread = write_page(
                page, fitted, data, where, by, command_line(context), force=force, counted=True
            )
            print(page)
        print_notes([unread] if unread else [], quiet=quiet)
        if not (as_json or quiet):
            say("open it in a browser: the slider steps through the cell")

    return explain
