"""memorycell fit: a model from a file, one command a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memorycell.cli.fitting import FitRun, fit_command
from memorycell.cli.settings_forecast import FORECAST


@fit_command(FORECAST)
def fit_forecast(
    run: FitRun,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CSV or Parquet file with a row per time step.")],
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column to forecast; may be repeated. [default: the only numeric one]"),
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows that decide when to stop, instead of the last ones.")
    ] = None,
) -> None:
    """Train an LSTM to forecast columns of a table, and save it.

    memorycell fit forecast weather.csv --target temp --horizon 7 -o weather.safetensors
    """
    run.check(data, validation)
    from memorycell.tasks.forecaster import Forecaster

    forecaster = Forecaster(**run.parameters())
    run.finish(forecaster.fit(data, target or None, validation=validation, **run.training), data)
