"""What every `memorycell fit …` does around its training: file options, checks before, saving and telling after."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import INTERRUPTED, say, without_terminal
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


class FileOptions:
    """Where things go: options that every `fit` has."""

    output = Annotated[
        Path | None,
        typer.Option("--output", "--out", "-o", metavar="FILE", help="Model file. [default: DATA's name .safetensors]"),
    ]
    checkpoint = Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save progress here, to go on from with --resume.")
    ]
    resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint if it is there.")]
    log = Annotated[Path | None, typer.Option(metavar="FILE", help="Append a line of JSON per epoch (.jsonl).")]
    report = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report too (.html).")]
    force = Annotated[bool, typer.Option("--force", help="Overwrite the output files.")]
    as_json = Annotated[bool, typer.Option("--json", help="Print what was learned as JSON.")]
    quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]


@dataclass
class FitRun:
    """One call of a fit command, and where things go."""

    context: typer.Context
    output: Path | None
    checkpoint: Path | None
    resume: bool
    log: Path | None
    report: Path | None
    force: bool
    as_json: bool
    quiet: bool

    def check(self, data: Path, *further: Path | None) -> FitRun:
        """Make sure that everything can be written and nothing is lost, before long work on `data`."""
        inputs = (data, *further)
        self.output = self.output or Path(Path(data.name.removesuffix(".gz")).stem + ".safetensors")
        check_output(self.output, MODEL, force=self.force, inputs=inputs)
        if self.report is not None:
            check_output(self.report, PAGE, force=self.force, inputs=inputs)
        if self.log is not None:
            check_output(self.log, LOG, force=self.force or self.resume, inputs=inputs)
        _check_checkpoint(self.checkpoint, resume=self.resume, inputs=inputs, quiet=self.quiet)
        check_distinct((self.output, self.report, self.log, self.checkpoint))
        return self

    def fit(self, task: Any, data: Path, validation: Path | None, more: Mapping[str, Any]) -> None:
        """Read the data, once, train on them, and finish."""
        task.check_parameters()
        samples = task.read(data)
        watched = None if validation is None else task.read(validation)
        # Imported here: help loads no torch.
        from memorycell.training.signals import asked_to_end

        with asked_to_end() as asked:
            task.fit(samples, validation=watched, checkpoint=self.checkpoint, log=self.log, **more)
        if asked:
            without_terminal()
        self.finish(task, data, samples, asked[0] if asked else None)

    def finish(self, model: Any, data: Path, samples: Any, signal: int | None = None) -> None:
        """Save the fitted model, write its report, and say what it learned and what to do next.

        `signal` is what the process was asked to end by: it does, with that as its exit code.
        """
        from memorycell.cli.describe import fit_summary

        output = self.output
        if output is None:
            raise ValueError("expected check() before finish()")
        print_notes(model.notes_, quiet=self.quiet)
        save_or_rescue(model, output, force=self.force)
        if self.report is not None:
            from memorycell.pages.report import write_report

            try:
                write_report(
                    self.report, model, samples, seen=True, command=command_line(self.context), force=self.force
                )
            except OSError:
                say(f"the model was saved as {output}, its report was not:")
                raise
        if self.as_json:
            print_json({"model": str(output), **model.facts(), "history": model.history_})
        else:
            print(fit_summary(model, output, data, self.report))
        if model.stopped_ == "interrupted":
            say(f"interrupted: the best model so far was saved as {output}")
        if model.stopped_ == "interrupted" or signal is not None:
            raise typer.Exit(INTERRUPTED if signal is None else 128 + signal)


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
