"""memorycell evaluate, compare and report: how good it is, beside what else one would try."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import say
from memorycell.cli.fitting import command_line
from memorycell.cli.output import PAGE, check_output, print_json
from memorycell.cli.settings import given, with_settings
from memorycell.cli.settings_forecast import FORECAST

_Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit wrote.")]
_Data = Annotated[Path, typer.Argument(metavar="DATA", help="CSV or Parquet file.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
_Step = Annotated[int, typer.Option(metavar="N", min=1, help="Rows from one origin to the next.")]
_Share = Annotated[float, typer.Option(metavar="X", help="Share of the time range that folds test on.")]
_Jobs = Annotated[int, typer.Option(metavar="N", min=1, help="Folds fitted at once, each in its own process.")]


def evaluate(
    model: _Model,
    data: _Data,
    folds: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Train again on the past of each of N test blocks.")
    ] = None,
    step: _Step = 1,
    test_fraction: _Share = 0.2,
    jobs: _Jobs = 1,
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> None:
    """Measure a model beside simple baselines.

    They are: last value, seasonal naive, ETS and ridge regression.

    Without --folds: this model, on the rows of DATA that come after those it was trained on.
    With --folds: the model's settings, trained again before each of N blocks at the end of DATA (a backtest).
    """
    from memorycell.tasks.forecaster import Forecaster

    forecaster = Forecaster.load(model)
    if folds is None:
        evaluation = forecaster.evaluate(data, step=step, progress=_progress(quiet))
    else:
        evaluation = _backtest(forecaster, data, folds, step, test_fraction, jobs, quiet)
    if as_json:
        print_json(evaluation.to_dict())
    else:
        print(evaluation.summary())


@with_settings(FORECAST, without=("cell", "seed"))
def compare(
    data: _Data,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column to forecast; may be repeated. [default: the only numeric one]"),
    ] = None,
    cell: Annotated[
        list[str] | None, typer.Option(metavar="CELL", help="RNN, LSTM or GRU; may be repeated. [default: all three]")
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Trainings a cell and fold.")] = 3,
    folds: Annotated[int, typer.Option(metavar="N", min=1, help="Test blocks at the end of DATA.")] = 3,
    step: _Step = 1,
    test_fraction: _Share = 0.2,
    jobs: _Jobs = 1,
    as_json: _Json = False,
    quiet: _Quiet = False,
    **settings: Any,
) -> None:
    """Train RNN, LSTM and GRU on the same folds.

    Shows parameters, time, error and its spread over seeds and folds.
    """
    from memorycell.evaluation.compare import compare as compare_cells
    from memorycell.tasks.forecaster import Forecaster

    comparison = compare_cells(
        Forecaster(**given(settings), verbose=False),
        str(data),
        target or None,
        _cells(cell),
        seeds=seeds,
        folds=folds,
        step=step,
        test_fraction=test_fraction,
        progress=_progress(quiet),
        jobs=jobs,
    )
    if as_json:
        print_json(comparison.to_dict())
    else:
        print(comparison.summary())


def report(
    context: typer.Context,
    model: _Model,
    data: _Data,
    output: Annotated[
        Path | None,
        typer.Option("--output", "--out", "-o", metavar="FILE", help="HTML file. [default: MODEL's name .html]"),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Add a backtest of N folds; trains N times.")
    ] = None,
    step: _Step = 1,
    test_fraction: _Share = 0.2,
    jobs: _Jobs = 1,
    unit: Annotated[str | None, typer.Option(metavar="TEXT", help="Unit of the target, such as °C.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    quiet: _Quiet = False,
) -> None:
    """Write a page that shows data, forecast and errors.

    One HTML file: forecast, data, baselines, errors, calibration, learning curve, and what the gates did.
    """
    output = output or Path(model.stem + ".html")
    check_output(output, PAGE, force=force, inputs=(model, data))

    from memorycell.interfaces.report import write_report
    from memorycell.tasks.forecaster import Forecaster

    forecaster = Forecaster.load(model)
    evaluation = backtest = None
    if folds is not None:
        backtest = _backtest(forecaster, data, folds, step, test_fraction, jobs, quiet)
    else:
        try:
            evaluation = forecaster.evaluate(data, step=step, progress=_progress(quiet))
        except ValueError as reason:  # no rows after the training data: a page without errors is still a page
            if not quiet:
                say(f"the page has no section on accuracy: {reason}")
    write_report(
        output, forecaster, data, evaluation=evaluation, backtest=backtest, unit=unit,
        command=command_line(context), force=force,
    )  # fmt: skip
    print(output)


def _backtest(forecaster: Any, data: Path, folds: int, step: int, test_fraction: float, jobs: int, quiet: bool) -> Any:
    from memorycell.evaluation.backtest import backtest

    return backtest(
        forecaster, str(data), list(forecaster.target_names_), folds=folds, step=step, test_fraction=test_fraction,
        progress=_progress(quiet), jobs=jobs,
    )  # fmt: skip


def _progress(quiet: bool) -> Callable[[str], None] | None:
    return None if quiet else say


def _cells(names: list[str] | None) -> tuple[str, ...]:
    known = ("RNN", "LSTM", "GRU")
    chosen = tuple(name.upper() for name in names or known)
    for name in chosen:
        if name not in known:
            raise typer.BadParameter(f"expected --cell to be RNN, LSTM or GRU, got {name!r}")
    return chosen
