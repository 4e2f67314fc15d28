"""memorycell fit: a model from a file, one command a job."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.fitting import FileOptions, FitRun
from memorycell.cli.options import with_options
from memorycell.cli.pipes import local
from memorycell.jobs.card import Job, resolved
from memorycell.jobs.parameters import TrainingParameters, options


def fit_command(job: Job) -> Callable[..., None]:
    """The command that trains models of a job."""
    own = job.of("fit")
    parameters = [*options(resolved(job.parameters)), *options(TrainingParameters)]
    names = {option.name for option in parameters}
    data_help = job.reads

    @with_options([*own, *parameters])
    def command(
        context: typer.Context,
        data: Annotated[Path, typer.Argument(metavar=job.data, callback=local, help=data_help)],
        validation: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE", callback=local, help="Data that decide when to stop, instead of some held out."
            ),
        ] = None,
        output: FileOptions.output = None,
        checkpoint: FileOptions.checkpoint = None,
        resume: FileOptions.resume = False,
        log: FileOptions.log = None,
        report: FileOptions.report = None,
        force: FileOptions.force = False,
        as_json: FileOptions.as_json = False,
        quiet: FileOptions.quiet = False,
        **given: Any,
    ) -> None:
        run = FitRun(context, output, checkpoint, resume, log, report, force, as_json, quiet)
        run.check(data, validation)
        task = job.look_up(job.task)
        chosen = {name: value for name, value in given.items() if name in names}
        more = {name: value for name, value in given.items() if name not in names}
        run.fit(task(**chosen, verbose=False if quiet else None), data, validation, more)

    command.__doc__ = f"{job.summary}\n\n{job.example}"
    return command
