"""For sktime: `LSTMForecaster`, a forecaster in its manners. It needs the extra ``[sktime]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from memorycell.jobs.forecasting.task import Forecaster

try:
    from sktime.forecasting.base import BaseForecaster
except ImportError as error:
    raise ImportError('memorycell.sktime needs the sktime package: pip install "memorycell[sktime]"') from error

__all__ = ["LSTMForecaster"]

_TIME = "time"


class LSTMForecaster(BaseForecaster):
    """A memorycell Forecaster that sktime fits, tunes, composes and evaluates like its own.

    All steps up to the furthest of `fh` are learned at once, so `fh` is wanted by `fit`. Several columns are forecast
    by one network; of panels sktime fits one a series. After ``update(y, update_params=False)`` the same weights
    forecast from the new end. Dates keep their calendar; `X` is not read.

    Parameters
    ----------
    window : int or "auto"
        Steps looked back on.
    network : "auto", "lstm", "encoder-decoder" or "segment"
    cell : "LSTM", "GRU" or "RNN"
    hidden_size : int or "auto"
    num_layers : int
    epochs : int or "auto"
    quantiles : sequence of float
        Learned; quantiles and intervals between the first and the last are interpolated, others refused.
    random_state : int
    options : mapping or None
        Any further parameter of `memorycell.Forecaster` by its name.

    Attributes
    ----------
    forecaster_ : Forecaster
        What was fitted, with all that it explains, evaluates and saves.

    Raises
    ------
    ValueError
        By `fit`, for what `memorycell.Forecaster` refuses; by `predict_quantiles` and `predict_interval` for levels
        outside of `quantiles`.

    Example: ``LSTMForecaster(window=24).fit(load_airline(), fh=[1, 2, 3]).predict_interval(coverage=0.9)``.
    """

    _tags = {  # noqa: RUF012 - sktime's way to say it
        "authors": ["memorycell"],
        "maintainers": ["memorycell"],
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "capability:multivariate": True,
        "capability:exogenous": False,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:missing_values": True,
        "capability:update": True,
        "capability:random_state": True,
        "property:randomness": "deterministic",
        "requires-fh-in-fit": True,
        "python_dependencies": ["memorycell"],
    }

    def __init__(
        self,
        window: int | str = "auto",
        network: str = "auto",
        cell: str = "LSTM",
        hidden_size: int | str = "auto",
        num_layers: int = 1,
        epochs: int | str = "auto",
        quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
        random_state: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.window = window
        self.network = network
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.epochs = epochs
        self.quantiles = quantiles
        self.random_state = random_state
        self.options = options
        super().__init__()

    def _fit(self, y: pd.DataFrame, X: Any, fh: Any) -> LSTMForecaster:
        self._seen = y
        given = self.get_params(deep=False)
        more = dict(given.pop("options") or {})
        table, freq = _table(y)
        if _TIME in table:
            more = {"time": _TIME, "freq": freq, **more}
        furthest = int(max(fh.to_relative(self.cutoff)))
        self.forecaster_ = Forecaster(horizon=furthest, **{"verbose": False, **given, **more})
        self.forecaster_.fit(table, target=[str(number) for number in range(y.shape[1])])
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> LSTMForecaster:
        seen = y.combine_first(self._seen)
        if isinstance(seen.index, pd.DatetimeIndex) and seen.index.freq is None:
            seen.index.freq = getattr(self._seen.index, "freq", None)
        if update_params:
            return self._fit(seen, X, self.fh)
        self._seen = seen
        return self

    def _ahead(self) -> Any:
        """Forecasts from the last row that was seen, `update` included."""
        return self.forecaster_.forecast_end(_table(self._seen)[0])

    def _rows(self, fh: Any) -> np.ndarray:
        return np.asarray(fh.to_relative(self.cutoff), dtype=np.int64) - 1

    def _predict(self, fh: Any, X: Any) -> pd.DataFrame:
        points = np.asarray(self._ahead().point)[0]
        index = fh.to_absolute_index(self.cutoff)
        return pd.DataFrame(points[self._rows(fh)], index=index, columns=self._seen.columns)

    def _predict_quantiles(self, fh: Any, X: Any, alpha: list[float]) -> pd.DataFrame:
        known = np.sort(np.asarray(self.quantiles, dtype=float))
        # A level made of a coverage, such as 0.5 - 0.9 / 2, is as near to one that was learned as floats are.
        outside = [level for level in alpha if not known[0] - 1e-9 <= level <= known[-1] + 1e-9]
        if outside:
            raise ValueError(
                f"expected quantiles between {known[0]:g} and {known[-1]:g}, which were learned, got {outside[0]:g}: "
                "build the forecaster with quantiles= that reach as far"
            )
        found = np.asarray(self._ahead().quantiles)[0][self._rows(fh)]  # (steps, targets, quantiles)
        names = self._get_varnames()
        columns = {
            (name, level): [float(np.interp(level, known, np.sort(row))) for row in found[:, number]]
            for number, name in enumerate(names)
            for level in alpha
        }
        answer = pd.DataFrame(columns, index=fh.to_absolute_index(self.cutoff))
        answer.columns = pd.MultiIndex.from_product([names, alpha])
        return answer

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Parameters that sktime's own tests build a forecaster with."""
        small = {"window": 3, "hidden_size": 2, "epochs": 1}
        return [small, {**small, "cell": "GRU", "options": {"linear": False, "batch_size": 8}}]


def _table(y: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
    """The table of a series of sktime, its columns called by their numbers, and the frequency where it has dates."""
    table = pd.DataFrame(y.to_numpy(dtype=float), columns=[str(number) for number in range(y.shape[1])])
    index = y.index
    if not isinstance(index, pd.PeriodIndex | pd.DatetimeIndex):
        return table, None
    stamps = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    table.insert(0, _TIME, stamps)
    return table, stamps.freq
