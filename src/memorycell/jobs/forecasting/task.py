"""Forecaster: from a table of readings to what comes next, with intervals that were checked on data not trained on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.forms import SIZE, TEXT, field
from memorycell.data.lines import counted, listing
from memorycell.data.samples import Answers, Samples
from memorycell.data.tables.encoded import EncodedTable, Forecasts, eligible_origins
from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.windows import split_origins, training_rows, with_targets
from memorycell.jobs.card import Job
from memorycell.jobs.forecasting import FORECAST, TARGET, building, older, plan
from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.jobs.forecasting.conformal import Calibration, few_scores
from memorycell.jobs.forecasting.ends import forecast_ends, short_note
from memorycell.jobs.forecasting.frames import forecast_columns, own_keys, to_frame
from memorycell.jobs.forecasting.network import TableShape
from memorycell.jobs.forecasting.parameters import Forecasting
from memorycell.jobs.forecasting.reading import TableSamples, read_samples
from memorycell.jobs.forecasting.running import Runner, run_network, scaled_outcomes
from memorycell.jobs.forecasting.said import Worded, date_text
from memorycell.jobs.forecasting.short import ShortSeries, usable, without_values
from memorycell.jobs.forecasting.stream import ForecastStream
from memorycell.jobs.learner import Learner, Progress
from memorycell.jobs.parameters import documented

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained
    from memorycell.insight.tracing import ModelTrace
    from memorycell.jobs.forecasting.measures.result import Evaluation

Origins = NDArray[np.int64]


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class Forecaster(Worded, Learner, Forecasting):
    """Forecasts of one or many series, with quantiles, from an LSTM network.

    Attributes
    ----------
    codec_, network_, window_, target_names_, plan_ : what was fitted and chosen
    history_ : list of dict, one per epoch; `best_epoch_`, `train_seconds_`, `n_parameters_`, `n_threads_`
    train_end_ : date or step number of the last row seen; of many series a dict by their names
    splits_ : dict of (first, last) target dates of "train", "validation" and "calibration"
    notes_ : list of dict: what was done to the data and why, in sentences
    calibration_ : scores of the calibration block, which adjust the quantiles
    short_ : what is said of series that are shorter than the window

    Examples
    --------
    >>> import numpy as np
    >>> readings = 20 + 5 * np.sin(np.arange(300) * 2 * np.pi / 12)
    >>> forecaster = Forecaster(horizon=3, window=24, epochs=3, verbose=False).fit(readings)
    >>> list(forecaster.predict().columns)
    ['step', 'y', 'y_q05', 'y_q25', 'y_q50', 'y_q75', 'y_q95']
    """

    JOB: ClassVar[Job] = FORECAST
    CODECS: ClassVar[tuple[str, ...]] = ("codec_",)
    EXPLAINS: ClassVar[str] = "memorycell.jobs.forecasting.explained"
    LEARNED: ClassVar[tuple[str, ...]] = ("splits_", "ends_")

    # ------------------------------------------------------------------ reading

    def read(self, source: Any, *, labelled: bool | None = True, future: Any = None, **reading: Any) -> TableSamples:
        """A table, read once, and the way the training's was.

        Parameters
        ----------
        source : whatever `memorycell.read_table` reads; samples as they are
        labelled : of no matter: what is forecast is a column like the others
        future : table of the known-future columns over the horizon, where there are such columns
        reading : arguments of `memorycell.read_table`, such as ``decimal=","``, where they differ from the training's

        Raises
        ------
        ValueError, TypeError, FileNotFoundError
            See `memorycell.read_table`.
        """
        return read_samples(self, source, future, vars(self).get("codec_"), reading)

    def asked(self, table: Any, future: Any = None) -> TableSamples:
        """See `Learner.asked`; without a table, that of `fit`."""
        self.check_fitted()
        table = vars(self).get("_samples") if table is None else table
        if table is None:
            raise ValueError("expected a table to forecast from: a loaded model does not hold its training data")
        return self.read(table, labelled=False, future=future)

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
        table : path to a CSV or Parquet file, pandas/polars/pyarrow frame, numpy array or dict of columns; or what
            `read` returned
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
        ValueError, TypeError
            For a parameter or a table that cannot be used; the message says what was expected and how to mend it.
        FileNotFoundError
            When `table` is a path to nothing.
        """
        self._begin()
        begin = self._beginning(init_from)
        samples = read_samples(self, table)
        checked = None if validation is None else read_samples(self, validation)
        encoded, (origins, held_out, recent) = self._prepare(samples, target, checked, begin)
        watched = None
        if len(held_out):
            other = encoded if checked is None else checked.observed(self.codec_, self.horizon)
            watched = building.stream(self, self.plan_, other, held_out, self.seed_, shuffle=False)
        self._record(samples, first=date_text(encoded.dates.min()), last=date_text(encoded.dates.max()))
        keep: dict[str, Any] = {"begin": begin, "callbacks": callbacks, "log": log}
        self._train(encoded, origins, watched, self.plan_["epochs"], checkpoint=checkpoint, **keep)
        self._calibrate(encoded, recent, held_out if checked is None else held_out[:0], origins)
        kept_back = checked is None and len(held_out) + len(recent) > 0
        if self.refit and kept_back and self.stopped_ != "interrupted":
            path = None if checkpoint is None else os.fspath(checkpoint) + ".refit"

            def train_again(epochs: int) -> None:
                self._learn_codec(samples, target, self._all_rows)
                whole = samples.observed(self.codec_, self.horizon)
                everything = with_targets(whole, eligible_origins(whole, self.window_, self.horizon), self.horizon)
                self._train(whole, everything, None, epochs, checkpoint=path, **keep)

            self._refit_with(train_again, plan.LEAST_REFIT, "rows")
        self._learn_short(samples)
        self._samples = samples
        return self

    def _usable(self, observed: Origins, known: Any, shortest: int = 1) -> NDArray[np.bool_]:
        """Which series have windows to train on."""
        return usable(observed, known, self.plan_["window"] if "window" in self.plan_ else shortest, self.horizon)

    def _all_rows(self, observed: Origins, known: Any) -> Origins:
        """All rows of the series that there is something to learn from."""
        return np.where(self._usable(observed, known), observed, 0)

    def _learn_short(self, samples: TableSamples) -> None:
        """What may be said of series that are too short."""
        shape = (self.horizon, len(self.target_names_), len(self.quantiles))
        self.short_ = ShortSeries.none(*shape)
        if self.codec_.series_ and self.state != "carried":
            encoded = samples.observed(self.codec_, self.horizon)
            self.short_ = ShortSeries.of(
                encoded, self.window_, self.horizon, tuple(self.quantiles), self._typical_spread()
            )

    def _typical_spread(self) -> NDArray[np.float64]:
        return np.array([spread for _, spread in self.codec_.pooled_])

    def _beginning(self, init_from: Any) -> Forecaster | None:
        """The fitted forecaster whose weights are to be begun with."""
        begin = type(self).load(init_from) if isinstance(init_from, str | os.PathLike) else init_from
        if begin is not None and not (isinstance(begin, Forecaster) and hasattr(begin, "network_")):
            raise TypeError(f"expected init_from to be a fitted Forecaster or its file, got {begin!r:.60}")
        return begin

    def _prepare(
        self, samples: TableSamples, target: Any, checked: TableSamples | None, begin: Forecaster | None
    ) -> tuple[EncodedTable, tuple[Origins, Origins, Origins]]:
        """The table as tensors and the rows to train, to stop and to calibrate by; learns the codec, fills the plan."""
        shares = (self.validation_fraction if checked is None else 0.0, self.calibration_fraction)
        # Whether a series is too short to hold anything out depends on the window, which "auto" does not know yet:
        # statistics then come from the shorter part, never from rows that are held out.
        shortest = 1 if self.window == "auto" else int(self.window)

        def training(observed: Origins, known: Any) -> Origins:
            rows = training_rows(observed, shortest, self.horizon, *shares, known)
            return np.where(self._usable(observed, known, shortest), rows, 0)

        self._learn_codec(samples, target, training)
        encoded = samples.observed(self.codec_, self.horizon)
        choices = None if begin is None else begin.plan_
        plan.choose_windows(self.plan_, self, encoded, choices)
        least = self.window_ + self.horizon
        if self.window == "auto" and self.codec_.series_ and (encoded.observed_rows < least).any():
            self._learn_codec(samples, target, training)  # now that it is known who is too short for the window
            encoded = samples.observed(self.codec_, self.horizon)
        self._take_notes([*self.codec_.notes_, *encoded.notes])
        if self.codec_.short_:
            values = np.where(without_values(encoded).all(axis=1), 0, encoded.observed_rows)
            rows = dict(zip(encoded.ids, values, strict=True))
            needed = f"expected {least:,}, window {self.window_:,} + horizon {self.horizon:,}, and values"
            short = self.codec_.short_
            self._note(
                "short series",
                short_note(short, np.array([rows[name] for name in short]), needed, self.state == "carried"),
            )
        parts = split_origins(encoded, self.window_, self.horizon, *shares)
        self._learn_splits(encoded, parts)
        plan.choose_training(self.plan_, self, encoded, parts[0], parts[1] if checked is None else parts[2], choices)
        self._note_plan(begin)
        if checked is None:
            return encoded, parts
        other = checked.observed(self.codec_, self.horizon)
        watched = with_targets(other, eligible_origins(other, self.window_, self.horizon), self.horizon)
        if not len(watched):
            raise ValueError(
                f"the validation table has no value of {listing(self.target_names_)} after {self.window_:,} rows (the "
                f"window) of a series: give more rows, or leave it out"
            )
        self.splits_["validation"] = (str(other.dates.min()), str(other.dates.max()))
        return encoded, (parts[0], watched, parts[2])

    def _note_plan(self, begin: Forecaster | None) -> None:
        if begin is not None:
            steps = self.window_
            text = f"Begins with another forecaster's weights, and its choices, such as windows of {steps} steps."
            self._note("begin", text)
        elif self.normalize == "auto":
            value, why = next((each.value, each.reason) for each in self.plan_ if each.name == "normalize")
            self._note("normalize", f'Windows are normalised by "{value}": {why}.')

    def _train(
        self,
        encoded: EncodedTable,
        origins: Origins,
        watched: Any,
        epochs: int,
        *,
        begin: Forecaster | None,
        **keep: Any,
    ) -> None:
        """A new network, trained on the windows that end at `origins`."""
        network: Any = self._seeded(lambda: building.build(self, self.plan_, TableShape.of(encoded)))
        if begin is not None:
            building.take_weights(network, begin.network_)
        stream = building.stream(self, self.plan_, encoded, origins, self.seed_)
        building.fit_linear(network, self.plan_, stream, watched)
        options = self._options(
            epochs=epochs,
            learning_rate=self.plan_["learning_rate"],
            patience=None if watched is None else self.patience,
            average=0.99,
        )
        fingerprint = {"rows": len(origins)}
        before = None if begin is None else begin.network_
        self._train_network(
            network, stream, options, validation=watched, fingerprint=fingerprint, begun_with=before, **keep
        )

    def _learn_codec(
        self, samples: TableSamples, target: str | Sequence[str] | None, holdout: Callable[..., Any] | float = 0.0
    ) -> None:
        TARGET.value.check("target", target)
        codec = TableCodec(
            target, time=self.time, series=self.series, known_future=self.known_future, static=self.static,
            categorical=self.categorical, exclude=self.exclude, calendar=self.calendar, fill=self.fill, freq=self.freq,
            lower=self.lower, upper=self.upper,
            dayfirst=self.dayfirst, date_format=self.date_format, timezone=self.timezone,
            aggregate=self.aggregate, holidays=self.holidays,
        )  # fmt: skip
        self.codec_: TableCodec = codec.fit(samples.given, holdout=holdout)

    def _calibrate(self, encoded: EncodedTable, recent: Origins, held_out: Origins, trained: Origins) -> None:
        """Learn how to adjust the quantiles from the rows `recent`; where they are few, from those `held_out`, too."""
        few = few_scores(self.quantiles)
        if 0 < len(recent) < few:
            recent = np.union1d(recent, held_out)
            wider = " and wider for it" if len(recent) * self.horizon < few else ""
            text = f"Intervals are adjusted on {counted(len(recent), 'forecast')} only{wider}."
            self._note("calibration", text)
        elif not len(recent) and self.calibration_fraction:
            recent = trained
            text = (
                "No block was left to adjust the intervals on: they are adjusted on forecasts that training has seen."
            )
            self._note("calibration", f"{text} What comes may lie outside of them more often.")
        elif not len(recent):
            self._note("calibration", "No block was left to adjust the intervals on: they are the network's own.")
        quantiles = run_network(self.network_, encoded, recent, self.n_threads_)[1].double().cpu().numpy()
        outcomes = scaled_outcomes(encoded, recent, self.horizon)
        gone: Any = np.isnan(outcomes).all(axis=(0, 1))
        if len(recent) and gone.any():
            names = listing(name for name, none in zip(self.target_names_, gone, strict=True) if none)
            text = f"Intervals of {names} are the network's own: no values were left to adjust them on."
            self._note("calibration", text)
        self.calibration_ = Calibration.of(outcomes, quantiles, encoded.dates[recent], tuple(self.quantiles))

    def _learn_splits(self, encoded: EncodedTable, parts: Sequence[Origins]) -> None:
        self.splits_ = {}
        for name, origins in zip(("train", "validation", "calibration"), parts, strict=True):
            if len(origins):
                dates = encoded.dates[origins + 1], encoded.dates[origins + self.horizon]
                self.splits_[name] = (str(dates[0].min()), str(dates[1].max()))
        last = encoded.offsets[:-1] + encoded.observed_rows - 1
        ends = {name: str(encoded.dates[row]) for name, row in zip(encoded.ids, last, strict=True) if row >= 0}
        gone = {name for name, rows in zip(encoded.ids, encoded.observed_rows, strict=True) if not rows}
        ends = {name: end for name, end in ends.items() if name not in gone}
        self.ends_ = next(iter(ends.values())) if len(encoded.ids) == 1 else ends

    # ------------------------------------------------------------------ forecasting

    def encode(self, table: Any, future: Any = None) -> EncodedTable:
        """The table as tensors, with `horizon` rows after the end of each series. See `EncodedTable`."""
        return self.asked(table, future).ahead(self.codec_, self.horizon)

    def origins(self, encoded: EncodedTable) -> Origins:
        """Every row that can be forecast from: it has a whole window up to it and `horizon` grid rows after it."""
        return eligible_origins(encoded, self._runner().least_rows, 0)

    def _runner(self) -> Runner:
        """The trained network with its calibration, to be asked from rows of an encoded table."""
        self.check_fitted()
        return Runner(self.network_, self.calibration_, self.train_end_, self.n_threads_, self.verbose)

    def forecast_at(self, encoded: EncodedTable, origins: Origins) -> Forecasts:
        """Forecasts from many origins at once, each from what was known then.

        Parameters
        ----------
        encoded : EncodedTable
            Of this forecaster's own codec (`encode`).
        origins : int64 (n,)
            Rows of it that are the last ones seen.
        """
        return self._runner().forecast_at(encoded, np.asarray(origins, np.int64))

    def forecast_end(self, table: Any = None, future: Any = None) -> Forecasts:
        """Forecasts from the last row of each series of `table` (None: the table of `fit`).

        Of many series those that are shorter than the window are forecast by the level of their own last values, with
        quantiles of what that errs by on pieces of the others that are as short; those without a value get none.
        `Forecasts.reasons` says so.

        Raises
        ------
        ValueError
            When a table of one series has fewer rows than the window, or no value.
        """
        samples = self.asked(table, future)
        encoded, many = samples.ahead(self.codec_, self.horizon), bool(self.codec_.series_)
        forecasts = forecast_ends(self._runner(), encoded, self.short_, self._typical_spread(), many)
        samples.note_once("short series", [(encoded.ids[s], why) for s, why in enumerate(forecasts.reasons) if why])
        return forecasts

    def predict(self, table: Any = None, future: Any = None) -> Any:
        """The next `horizon` steps of each series, as a frame of the kind that came in (pandas for files and arrays).

        Parameters
        ----------
        table : as for `fit`; None forecasts from the end of the training table
        future : table of the known-future columns over the horizon, where there are such columns

        Returns
        -------
        frame
            Series column (many series), time column, and for each target ``temp``, ``temp_q05``, … ``temp_q95``;
            where some series are too short for the window a column ``note`` that says what was done.
        """
        samples = self.asked(table, future)
        answers = self.answers(samples)
        return to_frame(answers.columns, samples.given, own_keys(answers.predictions, self.codec_, samples.given))

    def answers(self, X: Any) -> Answers:
        """What comes next: a row per series and step; the predictions are `Forecasts`, for who wants arrays.

        Parameters
        ----------
        X : a table as for `predict`, a file of one, or what `read` returned
        """
        forecasts = self.forecast_end(X)
        return Answers(forecasts, forecast_columns(forecasts, self.codec_, self.asked(X).given))

    def stream(self, table: Any, future: Any = None) -> ForecastStream:
        """A stream that has seen `table` and takes one row after the other; only with ``state="carried"``."""
        if self.state != "carried":
            raise ValueError('a stream needs a carried state: fit with Forecaster(state="carried")')
        runner = self._runner()
        return ForecastStream(runner, lambda table, future: self.encode(table, future), table, future)

    # ------------------------------------------------------------------ measuring

    def kind_of(self, samples: Samples) -> Any:
        """How forecasts are measured: by rolling origins, not row by row. See `RollingOrigins`."""
        from memorycell.jobs.forecasting.measures.kind import RollingOrigins

        return RollingOrigins()

    def score(self, table: Any, target: Any = None) -> float:
        """R² of the point forecasts over every origin of `table`, all steps and targets together; 1 is perfect."""
        encoded = self.asked(table).observed(self.codec_, self.horizon)
        forecasts = self.forecast_at(encoded, eligible_origins(encoded, self.window_, self.horizon))
        known = np.isfinite(forecasts.actual)
        actual, point = forecasts.actual[known], forecasts.point[known]
        return float(1 - np.square(actual - point).sum() / np.square(actual - actual.mean()).sum())

    def evaluate(self, table: Any, **options: Any) -> Evaluation:
        """How good the forecasts are on rows after the training data, beside the baselines.

        See `memorycell.evaluate_fitted`, which takes the same options; `memorycell.backtest` refits on the way.
        """
        # Imported here: forecasting alone does without the baselines, and a saved model should start quickly.
        from memorycell.jobs.forecasting.measures.backtest import evaluate_fitted

        return evaluate_fitted(self, self.asked(table), **options)

    def measured(  # type: ignore[override]
        self,
        data: Any,
        *,
        folds: int | None = None,
        jobs: int = 1,
        progress: Progress = None,
        step: int = 1,
        test_fraction: float = 0.2,
    ) -> Evaluation:
        """How good the forecasts are on rows after the training data, or its settings on folds, beside baselines.

        Parameters
        ----------
        data : a table, as for `predict`
        folds : train anew before each of so many blocks at the end of the table; None: the forecaster as it is
        jobs : folds fitted at once
        progress : called with a sentence at each stage
        step : rows from one origin to the next
        test_fraction : share of the time range that folds test on

        Raises
        ------
        ValueError
            See `memorycell.evaluate_fitted`, or with folds `memorycell.backtest`.
        """
        samples = self.asked(data)
        if folds is None:
            return self.evaluate(samples, step=step, progress=progress)
        from memorycell.jobs.forecasting.measures.backtest import backtest

        return backtest(
            self, samples, self.target_names_, folds=folds, step=step, test_fraction=test_fraction,
            progress=progress, jobs=jobs,
        )  # fmt: skip

    # ------------------------------------------------------------------ looking inside

    def explained(
        self,
        table: Any = None,
        *,
        at: Any = None,
        row: int | None = None,
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
        row : that row, too
        series : name of the series (default: the first)
        target : name of the target (default: the first)
        step : how many steps ahead, from 1

        Raises
        ------
        ValueError
            For a date outside of the table or without a whole window behind it, other names and steps that are not
            there, and both `at` and `row`.
        """
        samples = self.asked(table, future)
        return self._explaining().explained(self, samples, at=at, row=row, series=series, target=target, step=step)

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
        return self._explaining().trace(self, self.asked(table, future), at, series, path, force)

    # ------------------------------------------------------------------ parameters and files

    def check_parameters(self) -> None:
        """Raise ValueError or TypeError for a parameter that cannot be used."""
        super().check_parameters()
        if not isinstance(self.hidden_size, str):
            plan.layer_size(self.hidden_size, self.num_layers)

    def _tensors(self) -> dict[str, Tensor]:
        short = {f"short.{name}": value for name, value in self.short_.to_arrays().items()}
        return {name: torch.from_numpy(value) for name, value in (self.calibration_.to_arrays() | short).items()}

    def _take_tensors(self, tensors: dict[str, Tensor]) -> None:
        shape = (self.horizon, len(self.target_names_))
        arrays = {name: value.numpy() for name, value in tensors.items()}
        short = {name.removeprefix("short."): arrays.pop(name) for name in list(arrays) if name.startswith("short.")}
        self.calibration_ = Calibration.from_arrays(arrays, shape, tuple(self.quantiles))
        whole = (*shape, len(self.quantiles))
        self.short_ = ShortSeries.from_arrays(short, whole) if short else ShortSeries.none(*whole)

    @classmethod
    def _of_older(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        if "codecs" not in config:
            config, tensors = older.of_0_1(config, tensors)
        return super()._of_older(config, tensors)

    def _check_loaded(self) -> None:
        if not isinstance(self.codec_, TableCodec):
            raise ValueError("expected a codec of tables, got another")
        network, window = self.network_, field(self.plan_.values(), "window", SIZE, "the plan")
        if self.state != "carried":
            field(self.plan_.values(), "network", TEXT, "the plan")
        told = (self.horizon, window, len(self.target_names_), [float(level) for level in self.quantiles])
        held = (network.horizon, network.window, network.shape.targets, network.config()["levels"])
        if told != held or isinstance(network, CarriedForecaster) != (self.state == "carried"):
            raise ValueError("expected a network of the horizon, window, targets and quantiles of the forecaster")
        if TableShape.read_by(self.codec_) != network.shape:
            raise ValueError("expected a network of as many columns and categories as the codec reads, got another")
        spans = self.splits_.values() if isinstance(self.splits_, dict) else [None]
        if not all(isinstance(span, list) and len(span) == 2 and all(map(_is_text, span)) for span in spans):
            raise ValueError("expected first and last dates of what was trained and calibrated on, got others")
        ends = self.ends_.values() if isinstance(self.ends_, dict) else [self.ends_]
        if not all(map(_is_text, ends)) or not ends:
            raise ValueError("expected the date or step of the last row seen, got another")
        self._last_seen(), self.data_rows()  # which read the dates


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
