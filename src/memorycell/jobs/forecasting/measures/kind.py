"""RollingOrigins: what there is to be answered of a table, and how it is measured."""

from __future__ import annotations

from typing import Any, NoReturn

from memorycell.evaluation.kinds import Kind
from memorycell.evaluation.measures import measures_of


class RollingOrigins(Kind):
    """Forecasts, which are measured from rolling origins, not row by row.

    The rows of a table are no samples to be dealt out to folds: each goes on from those before it, what lies after it
    must not be learned from, and one row is forecast from many origins. So this kind says what forecasts are measured
    by, and `backtest` and `evaluate_fitted` do it; `cross_validate` is told so.

    Example
    -------
    >>> kind = RollingOrigins()
    >>> kind.name, [measure.name for measure in kind.shown]
    ('forecasts', ['RMSE', 'MAE', 'sMAPE', 'MASE', 'CRPS'])
    """

    name, noun, blocks = "forecasts", "origins", True
    measures_offered = measures_of("rmse", "standardised_rmse", "mase")
    measure = measures_offered[0]
    shown = measures_of("rmse", "mae", "smape", "mase", "crps")

    def __init__(self) -> None:
        self.classes = []

    def given(self, X: Any) -> NoReturn:
        """Refused: the rows of a table cannot be shuffled into folds."""
        raise ValueError(
            "forecasts are measured from rolling origins, not on folds of rows: take memorycell.backtest(forecaster, "
            "table), or of a fitted forecaster its evaluate(table)"
        )
