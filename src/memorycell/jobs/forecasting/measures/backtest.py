"""Rolling-origin evaluation: a forecaster and the baselines, fitted on the past, asked at the same origins."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from memorycell.data.lines import counted
from memorycell.data.log import logger
from memorycell.data.tables.encoded import EncodedTable, Forecasts, eligible_origins
from memorycell.data.tables.table import listing
from memorycell.data.tables.table_codec import TableCodec
from memorycell.data.tables.times.calendar import say_date
from memorycell.evaluation.parts import each_fold, wanted
from memorycell.evaluation.significance import judge
from memorycell.jobs.forecasting.measures.baselines import Baseline, LastValue, NotApplicable, SeasonalNaive
from memorycell.jobs.forecasting.measures.ets import ETS
from memorycell.jobs.forecasting.measures.metrics import Array, mase_scales, measure
from memorycell.jobs.forecasting.measures.result import Evaluation, Fold, ModelResult, join_forecasts
from memorycell.jobs.forecasting.measures.ridge import Ridge
from memorycell.jobs.forecasting.measures.seasons import main_season
from memorycell.jobs.forecasting.measures.splits import Rows, block_origins, blocks_of_time, cut_table, rows_seen

_LOG = logger(__name__)

BASELINES: dict[str, type[Baseline]] = {kind.name: kind for kind in (LastValue, SeasonalNaive, ETS, Ridge)}
Progress = Callable[[str], None]


@dataclass
class _FoldRun:
    """What one fold leaves behind: forecasts of each model on the same origins, and the scales of its training part."""

    fold: Fold
    forecasts: dict[str, Forecasts]
    seconds: dict[str, float]
    parameters: int | None
    deviation: Array  # (n, K) training standard deviation, of each origin's series
    naive: Array  # (n, K) what MASE divides by
    notes: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def backtest(
    forecaster: Any,
    table: Any,
    target: str | Sequence[str] | None = None,
    *,
    folds: int = 3,
    step: int = 1,
    test_fraction: float = 0.2,
    baselines: Sequence[str] = tuple(BASELINES),
    refit: bool = True,
    season: int | None = None,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Evaluation:
    """Rolling-origin backtest (Tashman 2000) of an unfitted forecaster beside naive baselines.

    The last `test_fraction` of the time range is cut into `folds` blocks. For each block a clone of the
    forecaster is fitted on the rows before it, and so are the baselines; then all forecast from every
    `step`-th origin, from the last training row on, whose targets lie in the block.

    Parameters
    ----------
    forecaster : estimator with ``clone``-able parameters, ``fit``, ``origins`` and ``forecast_at``
    table, target : as for its ``fit``, or the table as its ``read`` returned it
    baselines : names, of "last value", "seasonal naive", "ETS", "ridge"
    refit : bool
        False fits once, on the rows before the first block, and tests on all blocks as one.
    season : int or None
        Rows of the season that MASE is scaled by; None: by the frequency.
    progress : called with a sentence at each stage; None: a bar, where the forecaster shows bars
    jobs : int
        Folds fitted at once, in processes of their own (`progress` must then be picklable).

    Raises
    ------
    ValueError
        When blocks are shorter than the horizon, or a fold has too few rows to fit.

    Example
    -------
    >>> from memorycell import Forecaster
    >>> readings = np.sin(np.arange(120) / 2)
    >>> forecaster = Forecaster(window=8, epochs=1, verbose=False)
    >>> result = backtest(forecaster, readings, folds=2, baselines=("last value",))
    >>> [model.name for model in result.models], [fold.origins for fold in result.folds]
    (['LSTM', 'last value'], [12, 12])
    """
    from sklearn.base import clone

    _check(step, baselines)
    table = forecaster.read(table).given
    codec = _codec(forecaster, target).fit(table)  # only to lay the rows on their grid: each fold fits its own
    whole = codec.encode(table)
    blocks = blocks_of_time(whole, folds if refit else 1, test_fraction, forecaster.horizon)

    def run(number: int) -> _FoldRun | None:
        start = blocks[number]
        stop = np.where(start > 0, blocks[number + 1], 0)  # a series without a past is not asked for
        _say(progress, f"fold {number + 1} of {len(blocks) - 1}: fitting {name_of(forecaster)}")
        fitted, begun = clone(forecaster), time.perf_counter()
        try:
            fitted.fit(cut_table(table, codec, whole, start), target)
        except ValueError as error:
            raise ValueError(f"fold {number + 1} of {len(blocks) - 1} could not be fitted: {error}") from error
        seconds = time.perf_counter() - begun
        encoded = fitted.codec_.encode(table)
        try:
            return _run_fold(fitted, encoded, start, stop, step, baselines, season, seconds, progress)
        except _NothingToMeasure:
            if len(blocks) == 2:
                raise
            return None

    found = each_fold(run, len(blocks) - 1, jobs, wanted(forecaster, progress))
    runs = [each for each in found if each is not None]
    if not runs:
        raise _NothingToMeasure(forecaster.horizon, "any")
    result = _gather(name_of(forecaster), runs, step, refitted=True)
    empty = [str(number + 1) for number, each in enumerate(found) if each is None]
    if empty:
        result.notes.append(
            f"{'Folds' if len(empty) > 1 else 'Fold'} {', '.join(empty)} of {len(found)} left out: no target has a "
            "value there after an origin"
        )
    return result


def evaluate_fitted(
    forecaster: Any,
    table: Any,
    *,
    step: int = 1,
    baselines: Sequence[str] = tuple(BASELINES),
    season: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """How a fitted forecaster does on the rows after its training data, beside baselines fitted on the rows before.

    Parameters
    ----------
    forecaster : fitted; ``train_end_`` is the last date (or step number) it has seen, or a mapping from series to it
    table : holds the rows after that, and before them those that the window and the baselines need; or what
        ``read`` returned of it
    step, baselines, season, progress : as for `backtest`

    Raises
    ------
    ValueError
        When no origin is left: the table ends before the horizon after the training data does.

    Example
    -------
    >>> from memorycell import Forecaster
    >>> readings = np.sin(np.arange(120) / 2)
    >>> forecaster = Forecaster(window=8, epochs=1, verbose=False).fit(readings[:90])
    >>> len(evaluate_fitted(forecaster, readings, baselines=()).fold)
    30
    """
    _check(step, baselines)
    encoded = forecaster.read(table).observed(forecaster.codec_, forecaster.horizon)
    seen = rows_seen(encoded, forecaster.train_end_)
    after = encoded.observed_rows - seen
    if after.max() < forecaster.horizon:
        end = forecaster.train_end_
        said = "" if isinstance(end, dict) else f", which end at {say_date(encoded.wall(np.array([end]))[0])}"
        rows = "1 row" if forecaster.horizon == 1 else f"{forecaster.horizon} rows"
        raise ValueError(
            f"expected at least {rows} (the horizon) after the training data{said}, got "
            f"{max(0, int(after.max()))}: give newer rows, or backtest (--folds), which refits on the way"
        )
    seconds = float(getattr(forecaster, "train_seconds_", 0.0))
    run = _run_fold(forecaster, encoded, seen, encoded.observed_rows, step, baselines, season, seconds, progress)
    return _gather(name_of(forecaster), [run], step)


def _say(progress: Progress | None, text: str) -> None:
    _LOG.info(text)
    if progress is not None:
        progress(text)


def name_of(forecaster: Any) -> str:
    """What a forecaster is called in tables: its cell, else its class."""
    return str(getattr(forecaster, "cell", type(forecaster).__name__))


def _codec(forecaster: Any, target: str | Sequence[str] | None) -> TableCodec:
    """A codec with those of the forecaster's parameters that are a codec's too."""
    known = inspect.signature(TableCodec).parameters
    return TableCodec(target, **{name: value for name, value in forecaster.get_params().items() if name in known})


def _check(step: int, baselines: Sequence[str]) -> None:
    if step < 1:
        raise ValueError(f"expected step >= 1 (rows from one origin to the next), got {step!r}")
    unknown = [name for name in baselines if name not in BASELINES]
    if isinstance(baselines, str) or unknown:
        raise ValueError(f"expected baselines out of {', '.join(BASELINES)}, got {baselines!r}")


class _NothingToMeasure(ValueError):
    """A block without an origin to forecast from that has something to compare with."""

    def __init__(self, horizon: int, which: str) -> None:
        super().__init__(
            f"no origin of {which} block has the rows the model looks back on and {horizon} rows with a target "
            "after it: use more rows, fewer folds or a shorter window"
        )


def _run_fold(
    fitted: Any,
    encoded: EncodedTable,
    start: Rows,
    stop: Rows,
    step: int,
    baselines: Sequence[str],
    season: int | None,
    seconds: float,
    progress: Progress | None,
) -> _FoldRun:
    """All models' forecasts from the origins of one block; `start` and `stop` count rows of each series."""
    horizon = fitted.horizon
    allowed = eligible_origins(encoded, int(getattr(fitted, "window_", 1)), 0)  # a carried state needs none: ridge does
    allowed = allowed[np.isin(allowed, fitted.origins(encoded))]
    origins = block_origins(encoded, start, stop, horizon, step, allowed)
    if not len(origins):
        raise _NothingToMeasure(horizon, "this")
    forecasts = fitted.forecast_at(encoded, origins)
    name = name_of(fitted)
    train_stop = encoded.offsets[:-1] + start
    scales = mase_scales(encoded, train_stop, season or main_season(encoded.dates[encoded.longest], encoded.frequency))
    trained = train_stop[start > 0] - 1
    ahead = origins[:, None] + np.arange(1, horizon + 1)
    fold = Fold(
        encoded.wall(encoded.dates[trained]).max() if len(trained) else None,
        encoded.wall(encoded.dates[ahead]).min(),
        encoded.wall(encoded.dates[ahead]).max(),
        len(origins),
    )
    run = _FoldRun(
        fold,
        {name: forecasts},
        {name: seconds},
        getattr(fitted, "n_parameters_", None),
        encoded.scale[forecasts.series],
        scales[forecasts.series],
    )
    for kind in baselines:
        _say(progress, f"{kind} on {counted(len(origins), 'origin')}")
        baseline, begun = BASELINES[kind](forecasts.levels), time.perf_counter()
        try:
            baseline.fit(encoded, train_stop, int(getattr(fitted, "window_", 1)), horizon)
        except NotApplicable as reason:
            run.missing[kind] = str(reason)
            continue
        run.seconds[kind] = time.perf_counter() - begun
        run.forecasts[kind] = baseline.forecast_at(encoded, origins)
        run.notes[kind] = baseline.notes
    return run


def _gather(name: str, runs: list[_FoldRun], step: int, refitted: bool = False) -> Evaluation:
    """Folds put together, scored and judged."""
    missing = {kind: why for run in reversed(runs) for kind, why in run.missing.items()}
    names = [kind for kind in runs[0].forecasts if kind not in missing]
    order = np.argsort(np.concatenate([run.forecasts[name].origins for run in runs]), kind="stable")
    fold = np.repeat(np.arange(len(runs)), [run.fold.origins for run in runs])[order]
    naive, deviation = (np.concatenate([getattr(run, part) for run in runs])[order] for part in ("naive", "deviation"))
    joined = {kind: join_forecasts([run.forecasts[kind] for run in runs]) for kind in names}
    ours = joined[name]
    what, unit = _common_measure(ours, naive)
    losses = {kind: _losses(forecasts, what, deviation, naive) for kind, forecasts in joined.items()}
    models = [
        ModelResult(
            kind,
            joined[kind],
            measure(joined[kind], naive),
            _error(losses[kind], what),
            [_error(losses[kind][fold == f], what) for f in range(len(runs))],
            sum(run.seconds[kind] for run in runs),
            runs[-1].parameters if kind == name else None,
            list(dict.fromkeys(text for run in runs for text in run.notes.get(kind, []))),
        )
        for kind in names
    ]
    verdicts = judge(
        losses[name],
        {kind: losses[kind] for kind in names if kind != name},
        series=ours.series,
        when=ours.origin_dates,
        spacing=step,
        measure=what,
    )
    notes = [f"{kind} left out: {why}" for kind, why in missing.items()]
    measured = set(ours.series.tolist())
    others = [name for s, name in enumerate(ours.ids) if s not in measured]
    if others:
        notes.append(
            f"{len(others):,} of {len(ours.ids):,} series were not measured ({listing(others)}): no origin has the "
            "rows of the window before it and rows to compare with after it"
        )
    horizon = ours.point.shape[1]
    folds = [run.fold for run in runs]
    return Evaluation(models, what, unit, verdicts, folds, fold, horizon, step, notes, refitted)


def _common_measure(forecasts: Forecasts, naive: Array) -> tuple[str, str]:
    """What one number can rank the models by, and its unit: free of scale where scales differ."""
    if len(forecasts.ids) > 1 and np.isfinite(naive).any():
        return "MASE", ""
    if len(forecasts.target_names) == 1 and len(forecasts.ids) == 1:
        return "RMSE", f"units of {forecasts.target_names[0]}"
    return "standardised RMSE", ""


def _losses(forecasts: Forecasts, what: str, deviation: Array, naive: Array) -> Array:
    """(n, H), the mean over targets; NaN where no target is known."""
    error = forecasts.actual - forecasts.point
    if what == "MASE":
        each = np.abs(error) / naive[:, None]
    else:
        each = np.square(error if what == "RMSE" else error / deviation[:, None])
    known = np.isfinite(each)
    count = known.sum(2)
    total = np.where(known, each, 0.0).sum(2)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _error(losses: Array, what: str) -> float:
    known = losses[np.isfinite(losses)]
    mean = float(known.mean()) if known.size else float("nan")
    return mean if what == "MASE" else float(np.sqrt(mean))
