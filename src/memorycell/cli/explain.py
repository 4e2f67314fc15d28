"""memorycell explain: why this answer, as a page that lets one look into the cell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import say
from memorycell.cli.fitting import command_line
from memorycell.cli.output import PAGE, check_output, print_json, print_notes

_FORECASTS, _LABELS = "Forecasts", "Labels and language"


def explain(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit wrote.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="File of the kind that fit was given.")],
    row: Annotated[
        int | None,
        typer.Option(metavar="N", help="Which text, series or line, from 0; of a forecast the last row seen."),
    ] = None,
    place: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Which word is tagged, or which token written, from 0.", rich_help_panel=_LABELS
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--class", metavar="LABEL", help="Explain this class, label or token.", rich_help_panel=_LABELS),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="And not that one. [default: the likeliest other]", rich_help_panel=_LABELS),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Last step seen. [default: the end of DATA]", rich_help_panel=_FORECASTS),
    ] = None,
    step: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Steps ahead. [default: 1]", rich_help_panel=_FORECASTS)
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Which target.", rich_help_panel=_FORECASTS)
    ] = None,
    series: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which series.", rich_help_panel=_FORECASTS)
    ] = None,
    future: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Known-future columns of the rows to come.", rich_help_panel=_FORECASTS),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="integrated gradients, occlusion, decomposition or, of at most 300 steps, contextual decomposition.",
        ),
    ] = "integrated gradients",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "--out", "-o", metavar="FILE", help="HTML file. [default: MODEL's name -explain.html]"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what each step adds as JSON; write no page.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes on stderr.")] = False,
) -> None:
    """Write a page that shows why an answer came out.

    One HTML file: which steps or words made it, and the cell with the numbers of every step in its equations, stepped
    through with a slider.
    """
    if as_json and output is not None:
        raise ValueError("--json prints, and -o writes a page: give one of them")
    output = output or Path(model.stem + "-explain.html")
    if not as_json:
        check_output(output, PAGE, force=force, inputs=(model, data, future))

    from memorycell.jobs.registry import load
    from memorycell.pages.explain import method_of, task_of, write_page

    fitted = load(model)
    given: dict[str, Any] = {
        "row": row, "place": place, "output": label, "against": against, "at": at, "step": step, "target": target,
        "series": series, "future": future,
    }  # fmt: skip
    where, method = _asked(task_of(fitted), given), method_of(method.replace("-", " ").lower())
    if as_json:
        found, unread = _numbers(fitted, data, where, method)
        print_json(found)
    else:
        unread = write_page(output, fitted, data, where, method, command_line(context), force=force)
        print(output)
    print_notes([unread] if unread else [], quiet=quiet)
    if not (as_json or quiet):
        say("open it in a browser: the slider steps through the cell")


def _numbers(fitted: Any, data: Path, where: dict[str, Any], method: str) -> tuple[dict[str, Any], str]:
    """What each step adds, as plain JSON, and what was not read of the data."""
    from memorycell.pages.explain import task_of
    from memorycell.pages.explaining.material import explained_by, unread_of

    explained = fitted.explained(data, **where)
    with fitted._at_work():
        found = explained_by(explained, method).to_dict()
    unread = unread_of(task_of(fitted), fitted, data, explained, where)
    return found | {"note": " ".join(filter(None, (found["note"], unread)))}, unread


def _option(name: str) -> str:
    """The option of a parameter."""
    return "--class" if name == "output" else f"--{name}"


def _asked(task: str, given: dict[str, Any]) -> dict[str, Any]:
    """What was given, if such a model knows it."""
    from memorycell.pages.explain import asked

    found = asked(task, given, _option)
    if task == "SequenceRegressor" and "output" in found:  # its outputs have numbers
        if not re.fullmatch("[0-9]{1,9}", str(found["output"])):  # int() takes more than digits
            raise ValueError(f"expected --class to be the number of an output, from 0, got {found['output']!r}")
        found["output"] = int(found["output"])
    return found
