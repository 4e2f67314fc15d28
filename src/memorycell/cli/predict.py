"""memorycell predict: what comes next, which class, which tags, how likely."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from memorycell.cli.errors import say
from memorycell.cli.output import print_json, print_notes, write_forecast


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit wrote.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="File of the kind that fit was given; a forecast follows its end.")
    ],
    future: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of a forecast: known-future columns of the rows to come.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "--out",
            "-o",
            metavar="FILE",
            help="Write .csv, .parquet, .json; of a tagger .tsv, .conllu.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: a list with an object a row.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes on stderr.")] = False,
) -> None:
    """Use a model: forecast, classify, tag, or tell how likely a text is.

    A forecast is of what comes after the last row of a table. Texts and series get a label and its probabilities,
    tagged files a column of tags, a language model tells the surprise of each token.

    Without --output the answer is printed: as a table on a terminal, as CSV into a pipe.
    """
    from memorycell.cli.predict_learner import check_predictions, predict_with
    from memorycell.training.files import read_kind

    kind = read_kind(model)
    check_predictions(kind, output, force=force, inputs=(model, data, future))
    if kind == "forecaster":
        _forecast(model, data, future, output, as_json=as_json, quiet=quiet)
        return
    if future is not None:
        raise ValueError("--future is for forecasts, and this model makes none: leave it out")
    from memorycell.jobs.registry import load

    predict_with(load(model), data, output, as_json=as_json, quiet=quiet)


def _forecast(model: Path, data: Path, future: Path | None, output: Path | None, *, as_json: bool, quiet: bool) -> None:
    # Only what forecasting needs is loaded: no pandas, no scikit-learn, no statsmodels.
    from memorycell.data.records import as_csv, as_records, as_table
    from memorycell.jobs.forecasting.frames import forecast_columns
    from memorycell.jobs.forecasting.task import Forecaster

    forecaster = Forecaster.load(model)
    forecasts = forecaster.forecast_end(data, future)
    print_notes(getattr(forecasts, "notes", ()), quiet=quiet)
    columns = forecast_columns(forecasts, forecaster.codec_)
    if output is not None:
        write_forecast(output, columns)
        if not quiet:
            count = len(next(iter(columns.values())))
            say(f"wrote {output} ({count:,} {'row' if count == 1 else 'rows'})")
    if as_json:
        print_json(as_records(columns))
    elif output is None:
        sys.stdout.write(as_table(columns) + "\n" if sys.stdout.isatty() else as_csv(columns))
