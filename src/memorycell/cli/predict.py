"""memorycell predict: what comes next, which class, which tags, how likely."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import say
from memorycell.cli.options import check_known, of_all, parted, with_options
from memorycell.cli.output import check_output, print_json, print_notes, silent, write_columns
from memorycell.cli.pipes import local
from memorycell.jobs.registry import registry


def command() -> Callable[..., None]:
    """The command, with the options of all jobs."""
    options = of_all(registry().jobs, "predict")
    suffixes = "; ".join(dict.fromkeys(", ".join(job.writes) for job in registry().jobs))

    @with_options(options)
    def predict(
        model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit wrote.")],
        data: Annotated[
            Path,
            typer.Argument(
                metavar="DATA", callback=local, help="File of the kind that fit was given; a forecast follows its end."
            ),
        ],
        output: Annotated[
            Path | None, typer.Option("--output", "--out", "-o", metavar="FILE", help=f"Write {suffixes}, by the job.")
        ] = None,
        force: Annotated[bool, typer.Option("--force", help="Overwrite the output file.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON: a list with an object per row.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes on stderr.")] = False,
        **given: Any,
    ) -> None:
        """Use a model: forecast, classify, tag, or tell how likely a text is.

        A forecast is of what comes after the last row of a table. Texts and series get a label and its probabilities,
        tagged files a column of tags, a language model tells the surprise of each token.

        Without --output the answer is printed: as a table on a terminal, as CSV into a pipe.
        """
        from memorycell.jobs.registry import job_of

        job = job_of(model)
        check_known(job, "predict", given, options)
        reading, more = parted(job, "predict", given)
        if output is not None:
            check_output(output, job.writes, force=force, inputs=(model, data, *_files(given)))
        fitted = silent(job.look_up(job.task).load(model), quiet)
        samples = fitted.read(data, labelled=False, **reading)
        usual = {option.name: option.default for option in job.of("predict") if option.default is not None}
        answers = fitted.answers(samples, **{**usual, **more})
        print_notes(samples.notes, quiet=quiet)
        if output is not None:
            _write(output, answers)
            if not quiet:
                said(output, answers)
        if as_json:
            print_json(answers.records())
        elif output is None:
            _show(answers)

    return predict


def _files(given: dict[str, Any]) -> list[Path]:
    return [Path(value) for value in given.values() if isinstance(value, str | Path)]


def _write(output: Path, answers: Any) -> None:
    if answers.text is None:
        write_columns(output, answers.columns)
        return
    from memorycell.training.files import write_atomically

    write_atomically(output, answers.text.encode())


def said(output: Path, answers: Any) -> None:
    """One line on what was written."""
    count = len(answers)
    say(f"wrote {output} ({count:,} {answers.noun if count == 1 else answers.noun + 's'})")


def _show(answers: Any) -> None:
    from memorycell.data.records import as_csv, as_table

    if answers.text is not None:
        sys.stdout.write(answers.text)
    else:
        columns = answers.columns
        sys.stdout.write(as_table(columns) + "\n" if sys.stdout.isatty() else as_csv(columns))
