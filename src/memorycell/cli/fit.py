"""memorycell fit: a model from a table."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import INTERRUPTED, say
from memorycell.cli.output import (
    LOG,
    MODEL,
    PAGE,
    check_distinct,
    check_output,
    print_json,
    print_notes,
    save_or_rescue,
)
from memorycell.cli.settings import given, with_settings


@with_settings()
def fit_forecast(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CSV or Parquet file with a row per time step.")],
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column to forecast; may be repeated. [default: the only numeric one]"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "--out", "-o", metavar="FILE", help="Model file. [default: DATA's name .safetensors]"),
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows that decide when to stop, instead of the last ones.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save progress here, to go on from with --resume.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint if it is there.")] = False,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="Append a line of JSON an epoch (.jsonl).")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report too (.html).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was learned as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")] = False,
    **settings: Any,
) -> None:
    """Train an LSTM to forecast columns of a table, and save it.

    memorycell fit forecast weather.csv --target temp --horizon 7 -o weather.safetensors
    """
    output = output or Path(Path(data.name.removesuffix(".gz")).stem + ".safetensors")
    chosen = given(settings)
    inputs = (data, validation)
    check_output(output, MODEL, force=force, inputs=inputs)
    if report is not None:
        check_output(report, PAGE, force=force, inputs=inputs)
    if log is not None:
        check_output(log, LOG, force=force or resume, inputs=inputs)
    _check_checkpoint(checkpoint, resume=resume, inputs=inputs, quiet=quiet)
    check_distinct((output, report, log, checkpoint))

    from memorycell.cli.describe import facts, fit_summary
    from memorycell.tasks.forecaster import Forecaster

    forecaster = Forecaster(**chosen, verbose=False if quiet else None)
    forecaster.fit(data, target or None, validation=validation, checkpoint=checkpoint, log=log)
    print_notes(forecaster.notes_, quiet=quiet)
    save_or_rescue(forecaster, output, force=force)
    if report is not None:
        from memorycell.interfaces.report import write_report

        try:
            write_report(report, forecaster, data, command=command_line(context), force=force)
        except OSError:
            say(f"the model was saved as {output}, its report was not:")
            raise
    if as_json:
        print_json({"model": str(output), **facts(forecaster), "history": forecaster.history_})
    else:
        print(fit_summary(forecaster, output, data, report))
    if forecaster.stopped_ == "interrupted":
        say(f"interrupted: the best model so far was saved as {output}")
        raise typer.Exit(INTERRUPTED)


def command_line(context: typer.Context) -> str:
    """The command as it was typed, for whoever wants to repeat it."""
    return shlex.join(["memorycell", *(context.find_root().obj or [])])


def _check_checkpoint(path: Path | None, *, resume: bool, inputs: tuple[Path | None, ...], quiet: bool) -> None:
    """A checkpoint is another's work until --resume says that it is to be gone on with; --force is no reason."""
    if path is None:
        if resume:
            raise ValueError("--resume needs --checkpoint FILE, the file to go on from")
        return
    check_output(path, (path.suffix.lower(),), force=True, inputs=inputs)
    stages = [path, path.with_name(path.name + ".refit")]  # the second is of the training on all rows
    found = [stage for stage in stages if stage.exists()]
    if found and not resume:
        raise FileExistsError(f"{found[0]} exists already: add --resume to go on from it, or remove it to begin afresh")
    if resume and not found and not quiet:
        say(f"no checkpoint {path} yet: beginning afresh")
