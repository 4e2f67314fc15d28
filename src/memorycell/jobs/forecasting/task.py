"""Forecaster: from a table of readings to what comes next, with intervals that were checked on data not trained on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.tables.encoded import EncodedTable, Forecasts, eligible_origins, gather_actual
from memorycell.data.tables.table import read_table
from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.windows import split_origins, training_rows
from memorycell.jobs.estimator import Estimator
from memorycell.jobs.forecasting import files as forecast_files
from memorycell.jobs.forecasting import plan
from memorycell.jobs.forecasting import training as forecast_training
from memorycell.jobs.forecasting.conformal import Calibration
from memorycell.jobs.forecasting.frames import forecast_columns, to_frame
from memorycell.jobs.forecasting.measures.result import Evaluation
from memorycell.jobs.forecasting.measures.splits import rows_seen
from memorycell.jobs.forecasting.network import ForecastNetwork, TableShape
from memorycell.jobs.forecasting.running import run_network
from memorycell.jobs.forecasting.stream import ForecastStream
from memorycell.jobs.insight import Insight
from memorycell.training import TrainingResult, train

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained
    from memorycell.insight.tracing import ModelTrace


class Forecaster(Estimator, Insight):
    """Forecasts of one or many series, with quantiles, from an LSTM network.

    Parameters
    ----------
    horizon : int, default 1
        Steps ahead, all forecast at once (direct multi-step).
    window : int or "auto"
        Steps looked back on; "auto": two of the longest season that the data show many times.
    network : "auto", "lstm", "encoder-decoder" or "segment"
        Stacked layers read at the end of the window; an encoder and a decoder over the horizon; whole segments as steps
        (SegRNN, arXiv 2308.11200). "auto": "segment" for horizons of 24 and more, else "lstm".
    cell : "LSTM", "GRU" or "RNN"
    hidden_size : int or "auto" (32; 192 for "segment")
    num_layers : int, default 1
    dropout : float or "auto" (0.1; 0.3 for "segment")
    recurrent_dropout : float, default 0
        On h_{t-1}, one mask a window (Gal & Ghahramani 2016).
    normalize : "auto", "none", "level" or "scale"
        What is taken out of each window and put back: nothing, its last value, or its last value and its spread.
        "auto" lets a ridge regression on the held-out block decide; many series: "scale".
    linear : bool or "auto"
        Put a ridge regression beside the recurrent network, which then learns what it leaves (`LinearPath`). "auto":
        where windows are normalised or few.
    segment : int or "auto"
        Steps of a segment of the "segment" network.
    state : "window" or "carried"
        Each window from a state of zero; or one state carried through the whole series, trained by truncated
        backpropagation through time over `window` steps and served step by step by `stream()`.
    loss : "squared" or "absolute"
        Whether the point forecast is the mean or the median.
    quantiles : increasing floats in (0, 1)
    time, series : str (time: or several columns that make a date) or None
        Columns of the dates and of the series' names; found by themselves where possible.
    known_future, static, categorical, exclude : sequences of str
        Columns known ahead of time; constant within a series; to be treated as categories; to be left out.
    calendar : bool, default True
        Add time of day, day of week and time of year where the grid resolves them.
    freq : str or None
        Frequency of the grid ("h", "D", "MS", …); None infers it.
    fill : "auto" or a rule of `TableCodec`
    validation_fraction, calibration_fraction : float, default 0.1 each
        Shares of each series, before its end: the older block decides when to stop, the most recent one adjusts the
        quantiles conformally.
    refit : bool, default True
        Train once more on all rows, for as long as was best, before `fit` returns. Without it the most recent fifth of
        the data only ever serves to stop and to calibrate. Not done when `fit` is given a validation table.
    epochs, batch_size, learning_rate : number or "auto"
    patience : int or None
        Epochs without improvement on the validation block before training stops.
    training : mapping or None
        Further fields of `memorycell.TrainingOptions`, such as ``{"optimizer": "sgd", "weight_decay": 0.01}``.
    seed : int, default 0
        Of everything random; the global generators are left alone.
    device : str, default "auto"
    n_threads : int or None
        None: a rule of the shapes; the choice is `n_threads_`.
    verbose : bool or None
        Progress bar; None: where stderr is a terminal.

    Attributes
    ----------
    codec_, network_, window_, plan_ : what was fitted and chosen
    history_ : list of dict, one an epoch; `best_epoch_`, `train_seconds_`, `n_parameters_`, `n_threads_`
    train_end_ : date or step number of the last row seen; of many series a dict by their names
    splits_ : dict of (first, last) target dates of "train", "validation" and "calibration"
    notes_ : list of dict: what was done to the data and why, in sentences
    calibration_ : scores of the calibration block, which adjust the quantiles

    Examples
    --------
    >>> import numpy as np
    >>> readings = 20 + 5 * np.sin(np.arange(300) * 2 * np.pi / 12)
    >>> forecaster = Forecaster(horizon=3, window=24, epochs=3, verbose=False).fit(readings)
    >>> list(forecaster.predict().columns)
    ['step', 'y', 'y_q05', 'y_q25', 'y_q50', 'y_q75', 'y_q95']
    """

    EXPLAINS: ClassVar[str] = "forecasting.explained"

    codec_: TableCodec
    network_: ForecastNetwork

    def __init__(
        self,
        horizon: int = 1,
        window: int | str = "auto",
        *,
        network: str = "auto",
        cell: str = "LSTM",
        hidden_size: int | str = "auto",
        num_layers: int = 1,
        dropout: float | str = "auto",
        recurrent_dropout: float = 0.0,
        normalize: str = "auto",
        linear: bool | str = "auto",
        segment: int | str = "auto",
        state: str = "window",
        loss: str = "squared",
        quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
        time: str | Sequence[str] | None = None,
        series: str | None = None,
        known_future: Sequence[str] = (),
        static: Sequence[str] = (),
        categorical: Sequence[str] = (),
        exclude: Sequence[str] = (),
        calendar: bool = True,
        freq: str | None = None,
        fill: str = "auto",
        validation_fraction: float = 0.1,
        calibration_fraction: float = 0.1,
        refit: bool = True,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        patience: int | None = 6,
        training: Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str = "auto",
        n_threads: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.horizon = horizon
        self.window = window
        self.network = network
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.normalize = normalize
        self.linear = linear
        self.segment = segment
        self.state = state
        self.loss = loss
        self.quantiles = quantiles
        self.time = time
        self.series = series
        self.known_future = known_future
        self.static = static
        self.categorical = categorical
        self.exclude = exclude
        self.calendar = calendar
        self.freq = freq
        self.fill = fill
        self.validation_fraction = validation_fraction
        self.calibration_fraction = calibration_fraction
        self.refit = refit
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.training = training
        self.seed = seed
        self.device = device
        self.n_threads = n_threads
        self.verbose = verbose

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        table: Any,
        target: str | Sequence[str] | None = None,
        *,
        validation: Any = None,
        init_from: Self | str | os.PathLike[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        log: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn to forecast `target` from `table`.

        Parameters
        ----------
        table : path to a CSV or Parquet file, pandas/polars/pyarrow frame, numpy array or dict of columns
        target : column(s) to forecast; None: the only numeric one
        validation : table like `table`, or None: the validation block is cut from the end of each series
        init_from : fitted Forecaster or its file, to begin with its weights instead of random ones, and with its
            choices where parameters say "auto"; its network must be of the same kind and sizes. Scales and the ridge
            regression are learned from `table` all the same.
        checkpoint : file to resume from if it exists and to save progress to; ``checkpoint + ".refit"`` is the second
            stage's
        callbacks, log : see `memorycell.train`

        Raises
        ------
        ValueError
            For a parameter or a table that cannot be used; the message says what was expected and how to mend it.
        FileNotFoundError
            When `table` is a path to nothing.
        """
        forecast_training.check_parameters(self)
        begin = self.load(init_from) if isinstance(init_from, str | os.PathLike) else init_from
        kind, table = type(table), read_table(table)
        shares = (self.validation_fraction if validation is None else 0.0, self.calibration_fraction)
        # Whether a series is too short to hold anything out depends on the window, which "auto" does not know yet:
        # statistics then come from the shorter part, never from rows that are held out.
        shortest = 1 if self.window == "auto" else int(self.window)
        codec = self._codec(target).fit(
            table, holdout=lambda observed: training_rows(observed, shortest, self.horizon, *shares)
        )
        encoded = codec.encode(table)
        self.notes_ = [*codec.notes_, *(each for each in encoded.notes if each not in codec.notes_)]
        self.plan_ = forecast_training.choose(self, encoded)
        forecast_training.adopt(self, self.plan_, begin)
        self.window_, self.target_names_ = self.plan_["window"], list(encoded.target_names)
        parts = split_origins(encoded, self.window_, self.horizon, *shares)
        origins, held_out, recent = parts
        checked = encoded if validation is None else codec.encode(validation)
        if validation is not None:
            held_out = eligible_origins(checked, self.window_, self.horizon)
        reason = forecast_training.choose_for_training(
            self, self.plan_, encoded, origins, held_out if validation is None else recent
        )
        reason = forecast_training.adopt(self, self.plan_, begin) or reason
        if reason is not None:
            self._note("normalize", reason)
        train_on = partial(self._train, begin=begin, checkpoint=checkpoint, callbacks=callbacks, log=log)
        watched = (
            forecast_training.stream(self, checked, held_out, self.plan_, shuffle=False) if len(held_out) else None
        )
        self.network_, result = train_on(encoded, origins, watched, self.plan_["epochs"])
        self.codec_, self.n_threads_ = codec, result.n_threads
        self.history_, self.best_epoch_ = result.history, result.best_epoch
        self.train_seconds_, self.stopped_ = result.seconds, result.stopped
        self._calibrate(encoded, recent)
        self._note_splits(encoded, parts, checked if validation is not None else None)
        if self.refit and validation is None and len(origins) < sum(map(len, parts)):
            self._refit(table, target, train_on)
        self.n_parameters_ = sum(p.numel() for p in self.network_.parameters())
        self._last_table, self._last_kind = table, kind
        return self

    def _train(
        self,
        encoded: EncodedTable,
        origins: NDArray[np.int64],
        watched: Any,
        epochs: int,
        *,
        begin: Self | None,
        checkpoint: str | os.PathLike[str] | None,
        callbacks: Sequence[Callable[..., Any]],
        log: str | os.PathLike[str] | None,
        suffix: str = "",
    ) -> tuple[ForecastNetwork, TrainingResult]:
        """A new network, trained on the windows that end at `origins`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = forecast_training.build(self, TableShape.of(encoded), self.plan_).to(self._device())
        if begin is not None:
            forecast_training.take_weights(network, begin)
        stream = forecast_training.stream(self, encoded, origins, self.plan_)
        forecast_training.fit_linear(network, stream, watched, self.plan_)
        result = train(
            network,
            stream,
            forecast_training.options(self, self.plan_, epochs, None if watched is None else self.patience),
            validation=watched,
            checkpoint=None if checkpoint is None else os.fspath(checkpoint) + suffix,
            callbacks=callbacks,
            log=None if log is None else os.fspath(log),
            progress=self.verbose,
            fingerprint={"task": "forecaster", "network": network.config(), "rows": len(origins)},
        )
        return network, result

    def _refit(self, table: Any, target: str | Sequence[str] | None, train_on: Callable[..., Any]) -> None:
        """Train once more on all rows, for as long as was best; interrupted, the first model stays."""
        if self.stopped_ == "interrupted":
            return
        codec = self._codec(target).fit(table)
        encoded = codec.encode(table)
        everything = eligible_origins(encoded, self.window_, self.horizon)
        epochs = max(self.best_epoch_, round(plan.LEAST_REFIT * self.plan_["epochs"]), 1)
        network, result = train_on(encoded, everything, None, epochs, suffix=".refit")
        self.train_seconds_ += result.seconds
        if result.stopped == "interrupted":
            self.stopped_ = "interrupted"
            self._note("refit", "Training on all rows was interrupted: this is the model of the training part alone.")
            return
        self.network_, self.codec_ = network, codec
        self._note(
            "refit",
            f"Trained once more on all rows for {epochs} {'epoch' if epochs == 1 else 'epochs'} "
            f"(epoch {self.best_epoch_} was best on validation).",
        )

    def _codec(self, target: str | Sequence[str] | None) -> TableCodec:
        targets = None if target is None else list(forecast_training.column_names("target", target))
        known, static, categorical, exclude = (
            forecast_training.column_names(name, getattr(self, name))
            for name in ("known_future", "static", "categorical", "exclude")
        )
        return TableCodec(
            targets, time=self.time, series=self.series, known_future=known, static=static, categorical=categorical,
            exclude=exclude, calendar=self.calendar, fill=self.fill, freq=self.freq,
        )  # fmt: skip

    def _calibrate(self, encoded: EncodedTable, recent: NDArray[np.int64]) -> None:
        if len(recent) == 0:
            self._note("calibration", "No block was left to adjust the intervals on: they are the network's own.")
            quantiles = np.empty((0, self.horizon, encoded.target.shape[1], len(self.quantiles)))
        else:
            quantiles = run_network(self.network_, encoded, recent, self.n_threads_)[1].double().cpu().numpy()
        outcomes = self._scaled_outcomes(encoded, recent)
        self.calibration_ = Calibration.of(outcomes, quantiles, encoded.dates[recent], tuple(self.quantiles))

    def _note(self, kind: str, text: str) -> None:
        self.notes_.append({"kind": kind, "text": text})

    def _note_splits(
        self, encoded: EncodedTable, parts: Sequence[NDArray[np.int64]], validation: EncodedTable | None
    ) -> None:
        self.splits_ = {}
        for name, origins in zip(("train", "validation", "calibration"), parts, strict=True):
            if len(origins):
                dates = encoded.dates[origins + 1], encoded.dates[origins + self.horizon]
                self.splits_[name] = (str(dates[0].min()), str(dates[1].max()))
        if validation is not None:
            self.splits_["validation"] = (str(validation.dates.min()), str(validation.dates.max()))
        ends = encoded.dates[encoded.offsets[:-1] + encoded.observed_rows - 1]
        self.train_end_ = ends[0] if len(ends) == 1 else dict(zip(encoded.ids, ends, strict=True))

    # ------------------------------------------------------------------ forecasting

    def encode(self, table: Any, future: Any = None) -> EncodedTable:
        """The table as tensors, with `horizon` rows after the end of each series. See `EncodedTable`."""
        self._check_fitted()
        return self.codec_.encode(table, horizon=self.horizon, future=future)

    def origins(self, encoded: EncodedTable) -> NDArray[np.int64]:
        """Every row that can be forecast from: it has a whole window up to it and `horizon` grid rows after it."""
        return eligible_origins(encoded, 1 if self.state == "carried" else self.window_, 0)

    def forecast_at(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> Forecasts:
        """Forecasts from many origins at once, each from what was known then.

        Parameters
        ----------
        encoded : EncodedTable
            Of this forecaster's own codec (`encode`).
        origins : int64 (n,)
            Rows of it that are the last ones seen.
        """
        origins = np.asarray(origins, np.int64)
        later = self.later_origins(encoded, origins)
        rows = np.union1d(origins, later)
        point, quantiles = (
            part.double().cpu().numpy() for part in run_network(self.network_, encoded, rows, self.n_threads_)
        )
        at, since = np.searchsorted(rows, origins), np.searchsorted(rows, later)
        return self.calibrated(encoded, origins, point[at], quantiles[at], later, quantiles[since])

    def calibrated(
        self,
        encoded: EncodedTable,
        origins: NDArray[np.int64],
        point: NDArray[np.float64],
        quantiles: NDArray[np.float64],
        later: NDArray[np.int64],
        later_quantiles: NDArray[np.float64],
    ) -> Forecasts:
        """Forecasts in units from the network's point (n, H, K) and quantiles (n, H, K, Q), and its later ones."""
        moved = self.calibration_.adjust(
            quantiles, encoded.dates[origins], later_quantiles,
            self._scaled_outcomes(encoded, later), encoded.dates[later + self.horizon],
        )  # fmt: skip
        return self.in_units(encoded, origins, point, moved)

    def later_origins(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> NDArray[np.int64]:
        """Origins since the end of training whose outcomes adjust the intervals of forecasts from `origins`."""
        if not len(origins):
            return np.empty(0, np.int64)
        later = eligible_origins(encoded, 1 if self.state == "carried" else self.window_, self.horizon)
        # Row numbers count from 0 in each series, so its last row seen is the first origin whose outcome is news.
        seen = encoded.offsets[:-1] + rows_seen(encoded, self.train_end_)
        later = later[later >= seen[np.searchsorted(encoded.offsets, later, side="right") - 1] - 1]
        known = encoded.dates[later + self.horizon]
        asked = encoded.dates[origins]
        later, known = later[known <= asked.max()], known[known <= asked.max()]
        # No more are used at the first of the origins than there are scores of the calibration block.
        order = np.argsort(known, kind="stable")
        before = int(np.searchsorted(known[order], asked.min(), side="right"))
        keep = len(self.calibration_.scores) * self.calibration_.stride
        return later[order[max(0, before - keep) :]]

    def _scaled_outcomes(self, encoded: EncodedTable, origins: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, H, K) in the scaled units of the table, NaN where missing."""
        rows = torch.from_numpy(origins[:, None] + np.arange(1, self.horizon + 1))
        return encoded.target[rows].double().numpy()

    def in_units(
        self,
        encoded: EncodedTable,
        origins: NDArray[np.int64],
        point: NDArray[np.float64],
        quantiles: NDArray[np.float64],
    ) -> Forecasts:
        """Scaled point (n, H, K) and quantiles (n, H, K, Q) as forecasts in the targets' units."""
        series = np.searchsorted(encoded.offsets, origins, side="right") - 1
        scale, center = encoded.scale[series][:, None], encoded.center[series][:, None]
        rows = np.minimum(origins[:, None] + np.arange(1, self.horizon + 1), len(encoded.dates) - 1)
        return Forecasts(
            point=point * scale + center,
            quantiles=quantiles * scale[..., None] + center[..., None],
            levels=tuple(self.quantiles),
            actual=gather_actual(encoded, origins, self.horizon),
            origins=origins,
            series=series,
            dates=encoded.dates[rows],
            origin_dates=encoded.dates[origins],
            target_names=list(encoded.target_names),
            ids=list(encoded.ids),
            notes=encoded.notes,
        )

    def forecast_end(self, table: Any = None, future: Any = None) -> Forecasts:
        """Forecasts from the last row of each series of `table` (None: the table of `fit`).

        Raises
        ------
        ValueError
            When a series has fewer rows than the window.
        """
        encoded = self.encode(self._table(table), future)
        origins = encoded.offsets[:-1] + encoded.observed_rows - 1
        short = encoded.observed_rows < (1 if self.state == "carried" else self.window_)
        if short.any():
            name, rows = encoded.ids[int(short.argmax())], int(encoded.observed_rows[short.argmax()])
            raise ValueError(
                f"expected at least {self.window_} rows (the window) to forecast from, got {rows}"
                + (f" in series {name!r}" if len(encoded.ids) > 1 else "")
                + ": give more of the past"
            )
        return self.forecast_at(encoded, origins)

    def predict(self, table: Any = None, future: Any = None) -> Any:
        """The next `horizon` steps of each series, as a frame of the kind that came in (pandas for files and arrays).

        Parameters
        ----------
        table : as for `fit`; None forecasts from the end of the training table
        future : table of the known-future columns over the horizon, where there are such columns

        Returns
        -------
        frame
            Series column (many series), time column, and for each target ``temp``, ``temp_q05``, … ``temp_q95``.
        """
        forecasts = self.forecast_end(table, future)
        kind = getattr(self, "_last_kind", None) if table is None else type(table)
        return to_frame(forecast_columns(forecasts, self.codec_), kind)

    def score(self, table: Any, target: Any = None) -> float:
        """R² of the point forecasts over every origin of `table`, all steps and targets together; 1 is perfect."""
        encoded = self.encode(table)
        forecasts = self.forecast_at(encoded, eligible_origins(encoded, self.window_, self.horizon))
        known = np.isfinite(forecasts.actual)
        actual, point = forecasts.actual[known], forecasts.point[known]
        return float(1 - np.square(actual - point).sum() / np.square(actual - actual.mean()).sum())

    def evaluate(self, table: Any, **options: Any) -> Evaluation:
        """How good the forecasts are on rows after the training data, beside the baselines.

        See `memorycell.evaluate_fitted`, which takes the same options; `memorycell.backtest` refits on the way.
        """
        self._check_fitted()
        # Imported here: forecasting alone does without the baselines, and a saved model should start quickly.
        from memorycell.jobs.forecasting.measures.backtest import evaluate_fitted

        return evaluate_fitted(self, table, **options)

    # ------------------------------------------------------------------ looking inside

    def explained(
        self,
        table: Any = None,
        *,
        at: Any = None,
        series: Any = None,
        target: str | None = None,
        step: int = 1,
        future: Any = None,
    ) -> Explained:
        """One forecast as a function of the window behind it. See `Explained`, and `explain`.

        Parameters
        ----------
        table : as for `predict`
        at : date or row (from 0, of its series) of the last step seen (default: the end); a date between two steps
            means the first of them
        series : name of the series (default: the first)
        target : name of the target (default: the first)
        step : how many steps ahead, from 1

        Raises
        ------
        ValueError
            For a date outside of the table or without a whole window behind it, and other names and steps that are not
            there.
        """
        return self._explaining().explained(self, self._table(table), at, series, target, step, future)

    def trace(
        self,
        table: Any = None,
        future: Any = None,
        *,
        at: Any = None,
        series: Any = None,
        path: str | os.PathLike[str] | None = None,
        force: bool = False,
    ) -> ModelTrace:
        """What every gate did at each step of the window behind a forecast. See `ModelTrace`, and `explained` for `at`.

        Parameters
        ----------
        path, force : a folder for the trace; of a carried state it is then that of the whole series
        """
        return self._explaining().trace(self, self._table(table), future, at, series, path, force)

    def _table(self, table: Any) -> Any:
        """The table given, or that of `fit`."""
        self._check_fitted()
        if table is None:
            table = getattr(self, "_last_table", None)
        if table is None:
            raise ValueError("expected a table to forecast from: a loaded model does not hold its training data")
        return table

    def stream(self, table: Any, future: Any = None) -> ForecastStream:
        """A stream that has seen `table` and takes one row after the other; only with ``state="carried"``."""
        self._check_fitted()
        return ForecastStream(self, table, future)

    # ------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the fitted forecaster to one safetensors file. Refuses to overwrite without `force`."""
        self._check_fitted()
        forecast_files.save(self, path, force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The forecaster that `save` wrote.

        Raises
        ------
        FileNotFoundError, ModelFileError
            When there is no such file, or it is truncated, foreign, of a newer version or tampered with.
        """
        return forecast_files.load(cls, path)

    def _check_fitted(self) -> None:
        if not hasattr(self, "network_"):
            raise ValueError(
                "this Forecaster is not fitted yet: call fit(table, target=...) first, or load a saved one"
            )

    def _device(self) -> str:
        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"
