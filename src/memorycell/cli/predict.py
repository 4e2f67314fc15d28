"""memorycell predict: what comes next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from memorycell.cli.errors import say
from memorycell.cli.output import FORECAST, check_output, print_json, print_notes, write_forecast


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit wrote.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="CSV or Parquet file; the forecast follows its last row.")
    ],
    future: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Known-future columns of the rows to come.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "--out", "-o", metavar="FILE", help="Write .csv, .parquet or .json.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: a list with an object a row.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes on stderr.")] = False,
) -> None:
    """Forecast what comes after the last row of a table.

    Without --output the forecast is printed: as a table on a terminal, as CSV into a pipe.
    """
    if output is not None:
        check_output(output, FORECAST, force=force, inputs=(model, data, future))
    # Only what forecasting needs is loaded: no pandas, no scikit-learn, no statsmodels.
    from memorycell.cli.records import as_csv, as_records, as_table
    from memorycell.tasks.forecast_frames import forecast_columns
    from memorycell.tasks.forecaster import Forecaster

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
