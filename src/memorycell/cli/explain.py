"""memorycell explain: why this answer, as a page that lets one look into the cell."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import say
from memorycell.cli.fitting import command_line
from memorycell.cli.options import of_all, with_options
from memorycell.cli.output import PAGE, check_output, print_json, print_notes, silent
from memorycell.cli.pipes import Data
from memorycell.jobs.registry import registry

_METHODS = "integrated gradients, occlusion, decomposition or, of at most 300 steps, contextual decomposition."
_OUTPUT = "HTML file, .csv or .json of --rows and --worst. [default: MODEL's name -explain.html; a table is printed]"
_Output = Annotated[Path | None, typer.Option("--output", "--out", "-o", metavar="FILE", help=_OUTPUT)]


def command() -> Callable[..., None]:
    """The command, with the options of all jobs."""
    options = of_all(registry().jobs, "explain")
    flags = {option.name: option.first for option in options}

    @with_options(options)
    def explain(
        context: typer.Context,
        model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit wrote.")],
        data: Data,
        method: Annotated[str, typer.Option(metavar="NAME", help=_METHODS)] = "integrated gradients",
        page: _Output = None,
        rows: Annotated[
            str | None,
            typer.Option(metavar="N,N", help="A table of these rows, each with what spoke for its answer; 3-7 too."),
        ] = None,
        worst: Annotated[
            int | None, typer.Option(metavar="N", min=1, help="A table of the N answers furthest from the truth.")
        ] = None,
        most: Annotated[int, typer.Option(metavar="N", min=1, help="Words or steps that the table names.")] = 5,
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

        With --rows or --worst: a table (CSV) of those rows, their answers and the words or steps that counted most.
        """
        if rows is not None or worst is not None:
            return _table(model, data, page, (rows, worst, most, method), (force, as_json, quiet), given, flags)
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
            unread = write_page(page, fitted, data, where, by, command_line(context), force=force, counted=True)
            print(page)
        print_notes([unread] if unread else [], quiet=quiet)
        if not (as_json or quiet):
            say("open it in a browser: the slider steps through the cell")

    return explain


def _table(
    model: Path,
    data: Path,
    output: Path | None,
    asked_for: tuple[str | None, int | None, int, str],
    how: tuple[bool, bool, bool],
    given: dict[str, Any],
    flags: dict[str, str],
) -> None:
    """The table of `--rows` or `--worst`."""
    from memorycell.cli.reasons import TABLE, parsed_rows, write_reasons

    rows, worst, most, method = asked_for
    force, as_json, quiet = how
    if output is not None:
        check_output(output, TABLE, force=force, inputs=(model, data))

    from memorycell.jobs.registry import load
    from memorycell.pages.explain import asked, method_of

    fitted = silent(load(model), quiet)
    where = asked(type(fitted).JOB, given, lambda name: flags.get(name, name))
    if where.pop("row", None) is not None:
        raise ValueError("--row is for the page of one answer: give it, or --rows")
    chosen = {"rows": parsed_rows(rows), "worst": worst}
    by = method_of(method.replace("-", " ").lower())
    count = write_reasons(
        output, fitted, data, chosen, where, method=by, most=most, keep="auto", as_json=as_json, quiet=quiet
    )
    if output is not None and not quiet:
        say(f"wrote {output} ({count:,} {'row' if count == 1 else 'rows'})")
