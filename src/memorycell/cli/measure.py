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
_Data = Annotated[Path, typer.Argument(metavar="DATA", help="File of the kind that fit was given.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
_FORECASTS, _LABELS = "Forecasts", "Labels and language"
_Step = Annotated[
    int, typer.Option(metavar="N", min=1, help="Rows from one origin to the next.", rich_help_panel=_FORECASTS)
]
_Share = Annotated[
    float,
    typer.Option(metavar="X", help="Share of the time range that folds test on.", rich_help_panel=_FORECASTS),
]
_Jobs = Annotated[int, typer.Option(metavar="N", min=1, help="Folds fitted at once, each in its own process.")]


def evaluate(
    model: _Model,
    data: _Data,
    folds: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Train afresh for each of N test parts of DATA.")
    ] = None,
    jobs: _Jobs = 1,
    train: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What the model was trained on: baselines are trained on it too.",
            rich_help_panel=_LABELS,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Folds keep its groups whole: speakers, users, subjects.", rich_help_panel=_LABELS
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Folds train on what is earlier there, and test on what follows.",
            rich_help_panel=_LABELS,
        ),
    ] = None,
    curve: Annotated[
        bool,
        typer.Option(
            "--learning-curve", help="Train on growing parts of DATA: is more data worth it?", rich_help_panel=_LABELS
        ),
    ] = False,
    step: _Step = 1,
    test_fraction: _Share = 0.2,
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> None:
    """Measure a model beside simple baselines.

    Of forecasts: last value, seasonal naive, ETS and ridge regression. Of texts: the most frequent class, and logistic
    regression on TF-IDF; of series, on summary statistics. Of tags: each word's most frequent one. Of language:
    Kneser-Ney n-grams.

    Without --folds: this model, on DATA that it has not seen (a forecaster: on the rows after those it was trained on).
    With --folds: the model's settings, trained again on a part of DATA for each of N test parts.
    """
    from memorycell.training.files import read_kind

    result: Any
    if read_kind(model) == "forecaster":
        _refuse(("--train", train), ("--group", group), ("--order", order), ("--learning-curve", curve))
        from memorycell.jobs.forecasting.task import Forecaster

        forecaster = Forecaster.load(model)
        if folds is None:
            result = forecaster.evaluate(data, step=step, progress=_progress(quiet))
        else:
            result = _backtest(forecaster, data, folds, step, test_fraction, jobs, quiet)
    else:
        _refuse(("--step", step != 1), ("--test-fraction", test_fraction != 0.2))
        from memorycell.cli.measure_learner import evaluate_learner
        from memorycell.jobs.registry import load

        result = evaluate_learner(
            load(model), data, folds=folds, train=train, group=group, order=order, curve=curve, jobs=jobs,
            progress=_progress(quiet),
        )  # fmt: skip
    if as_json:
        print_json(result.to_dict())
    else:
        print(result)


def _refuse(*options: tuple[str, Any]) -> None:
    """A ValueError for an option that was given and that models of this kind do not know."""
    for name, value in options:
        if value:
            raise ValueError(f"{name} is not for models of this kind: leave it out")


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
    from memorycell.jobs.forecasting.measures.compare import compare as compare_cells
    from memorycell.jobs.forecasting.task import Forecaster

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

    from memorycell.jobs.registry import load
    from memorycell.pages.report import write_report

    fitted = load(model)
    measured = _measured(fitted, data, folds, step, test_fraction, jobs, quiet)
    write_report(output, fitted, data, **measured, unit=unit, command=command_line(context), force=force)
    print(output)


def _measured(
    model: Any, data: Path, folds: int | None, step: int, test_fraction: float, jobs: int, quiet: bool
) -> dict[str, Any]:
    """What the report shows of how good the model is: `backtest` or `evaluation`, or nothing."""
    forecasts = type(model).__name__ == "Forecaster"
    if folds is not None and forecasts:
        return {"backtest": _backtest(model, data, folds, step, test_fraction, jobs, quiet)}
    try:
        if forecasts:
            return {"evaluation": model.evaluate(data, step=step, progress=_progress(quiet))}
        from memorycell.cli.measure_learner import evaluate_learner

        options: dict[str, Any] = {"train": None, "group": None, "order": None, "curve": False, "jobs": jobs}
        return {"evaluation": evaluate_learner(model, data, folds=folds, progress=_progress(quiet), **options)}
    except ValueError as reason:  # nothing to measure by: a page without errors is still a page
        if folds is not None:
            raise
        if not quiet:
            say(f"the page has no section on accuracy: {reason}")
        return {}


def _backtest(forecaster: Any, data: Path, folds: int, step: int, test_fraction: float, jobs: int, quiet: bool) -> Any:
    from memorycell.jobs.forecasting.measures.backtest import backtest

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
