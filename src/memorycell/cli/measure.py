"""memorycell evaluate and report: how good it is, beside what else one would try."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import say
from memorycell.cli.fitting import command_line
from memorycell.cli.options import check_known, of_all, parted, with_options
from memorycell.cli.output import PAGE, check_output, print_json, silent
from memorycell.cli.pipes import Data
from memorycell.jobs.registry import registry

_Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit wrote.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
_Jobs = Annotated[int, typer.Option(metavar="N", min=1, help="Folds fitted at once, each in its own process.")]
_SEEN = "the model was asked about all of it: if it was trained on some of that, these figures flatter; see --folds"


def evaluate_command() -> Callable[..., None]:
    """The command, with the options of all jobs."""
    options = of_all(registry().jobs, "evaluate")

    @with_options(options)
    def evaluate(
        model: _Model,
        data: Data,
        folds: Annotated[
            int | None, typer.Option(metavar="N", min=1, help="Train afresh for each of N test parts of DATA.")
        ] = None,
        jobs: _Jobs = 1,
        as_json: _Json = False,
        quiet: _Quiet = False,
        **given: Any,
    ) -> None:
        from memorycell.jobs.registry import load

        fitted = silent(load(model), quiet)
        job = type(fitted).JOB
        check_known(job, "evaluate", given, options)
        reading, more = parted(job, "evaluate", given)
        samples = fitted.read(data, **reading)
        result = fitted.measured(samples, folds=folds, jobs=jobs, progress=None if quiet else say, **more)
        if as_json:
            print_json(result.to_dict())
        else:
            print(result.summary())

    beside = " ".join(job.measured for job in registry().jobs)
    evaluate.__doc__ = f"""Measure a model beside simple baselines.

        {beside}

        Without --folds: this model, on DATA that it has not seen (a forecaster: on the rows after those it was trained
        on). With --folds: the model's settings, trained again on a part of DATA for each of N test parts.
        """
    return evaluate


def report_command() -> Callable[..., None]:
    """The command, with the options of all jobs."""
    options = of_all(registry().jobs, "report")

    @with_options(options)
    def report(
        context: typer.Context,
        model: _Model,
        data: Data,
        output: Annotated[
            Path | None,
            typer.Option("--output", "--out", "-o", metavar="FILE", help="HTML file. [default: MODEL's name .html]"),
        ] = None,
        folds: Annotated[
            int | None, typer.Option(metavar="N", min=1, help="Measure it on N folds too; trains N times.")
        ] = None,
        jobs: _Jobs = 1,
        unit: Annotated[str | None, typer.Option(metavar="TEXT", help="Unit of the target, such as °C.")] = None,
        force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
        quiet: _Quiet = False,
        **given: Any,
    ) -> None:
        """Write a page that shows data, answers and errors.

        One HTML file: what the model answers, the data, baselines, errors, calibration, learning curve, memory.
        """
        output = output or Path(model.stem + ".html")
        check_output(output, PAGE, force=force, inputs=(model, data))

        from memorycell.jobs.registry import load
        from memorycell.pages.report import write_report

        fitted = silent(load(model), quiet)
        job = type(fitted).JOB
        check_known(job, "report", given, options)
        reading, more = parted(job, "report", given)
        samples = fitted.read(data, **reading)
        measured = _measured(fitted, samples, folds, jobs, quiet, more)
        write_report(output, fitted, samples, **measured, unit=unit, command=command_line(context), force=force)
        print(output)

    return report


def _measured(
    model: Any, samples: Any, folds: int | None, jobs: int, quiet: bool, more: dict[str, Any]
) -> dict[str, Any]:
    """The evaluation that the report shows, or nothing."""
    try:
        result = model.measured(samples, folds=folds, jobs=jobs, progress=None if quiet else say, **more)
    except ValueError as reason:  # nothing to measure by: a page without errors is still a page
        if folds is not None:
            raise
        if not quiet:
            say(f"the page has no section on accuracy: {reason}")
        return {}
    return {"evaluation": result}
