"""memorycell compare: RNN, LSTM and GRU on the same folds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer


def compare(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="File of the kind that fit was given.")],
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column to forecast; may be repeated. [default: the only numeric one]"),
    ] = None,
    cell: Annotated[
        list[str] | None, typer.Option(metavar="CELL", help="RNN, LSTM or GRU; may be repeated. [default: all three]")
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Trainings per cell and fold.")] = 3,
    folds: Annotated[int, typer.Option(metavar="N", min=1, help="Test blocks at the end of DATA.")] = 3,
    step: Annotated[int, typer.Option(metavar="N", min=1, help="Rows from one origin to the next.")] = 1,
    test_fraction: Annotated[
        float, typer.Option(metavar="X", help="Share of the time range that folds test on.")
    ] = 0.2,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Folds fitted at once, each in its own process.")] = 1,
    progress: Callable[[str], None] | None = None,
    **settings: Any,
) -> Any:
    """Train RNN, LSTM and GRU on the same folds.

    Shows parameters, time, error and its spread over seeds and folds.
    """
    from memorycell.jobs.forecasting.measures.compare import compare_cells
    from memorycell.jobs.forecasting.task import Forecaster

    return compare_cells(
        Forecaster(**settings, verbose=False), str(data), target or None, _cells(cell), seeds=seeds, folds=folds,
        step=step, test_fraction=test_fraction, progress=progress, jobs=jobs,
    )  # fmt: skip


def _cells(names: list[str] | None) -> tuple[str, ...]:
    known = ("RNN", "LSTM", "GRU")
    chosen = tuple(name.upper() for name in names or known)
    for name in chosen:
        if name not in known:
            raise typer.BadParameter(f"expected --cell to be RNN, LSTM or GRU, got {name!r}")
    return chosen
