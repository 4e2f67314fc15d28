"""TableCodec: fitted on the training rows of a table, it turns tables into tensors on a regular grid and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.calendar import calendar_names
from memorycell.data.codec import Json, register_codec
from memorycell.data.columns import Coded, Number, Placed, place, read_values
from memorycell.data.dates import Stamps, find_time
from memorycell.data.encoded import EncodedTable
from memorycell.data.encoding import encode_placed
from memorycell.data.frequency import Frequency
from memorycell.data.roles import Roles, codes_of, decide_roles, find_series
from memorycell.data.scaling import FILLS, moments, moments_by_series, safe_scales, sample_median
from memorycell.data.table_state import codec_fields, codec_state
from memorycell.data.tables import Table, listing, note, read_table

Holdout = float | Callable[[NDArray[np.int64]], NDArray[np.int64]]


@register_codec
class TableCodec:
    """Tables of one or many series as tensors: columns find their roles, scales come from training rows only.

    Parameters
    ----------
    target : str or list of str, optional
        What to forecast; may be left out when the table has one numeric column (or is ``unique_id, ds, y``).
    time : str or list of str, optional
        The column of dates or step numbers, or several that make a date. By default found.
    series : str, optional
        The column that says which series a row belongs to. By default ``unique_id`` in ``unique_id, ds, y``.
    known_future, static, categorical, exclude : sequences of str
        Columns known ahead of time; constant within a series; to be read as categories; to be left out.
    calendar : bool, default True
        Whether to add the time of day, day of week and time of year.
    fill : {"auto", "forward", "median", "error"}
        Missing inputs take the last value before them, else the training median ("auto", "forward"); always the
        median; or are refused. Missing targets are never learned from.
    freq : str, optional
        The step of the grid ("h", "15min", "D", "MS", ...). By default found.

    Attributes
    ----------
    frequency_ : Frequency
    target_names_, ids_ : list of str
    center_, scale_ : float64 (S, K)
        Level and spread of each target in each series, over the training rows.
    notes_ : list of dict
        What was done to the data: ``{"kind", "text"}``.

    Example
    -------
    >>> codec = TableCodec("y").fit({"y": [1.0, 2.0, 3.0, 4.0, 5.0]}, holdout=0.4)
    >>> codec.center_, codec.encode({"y": [2.0, 4.0]}).target_in_units().ravel()
    (array([[2.]]), array([2., 4.]))
    """

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        time: str | Sequence[str] | None = None,
        series: str | None = None,
        known_future: Sequence[str] = (),
        static: Sequence[str] = (),
        categorical: Sequence[str] = (),
        exclude: Sequence[str] = (),
        calendar: bool = True,
        fill: str = "auto",
        freq: str | Frequency | None = None,
    ) -> None:
        if fill not in FILLS:
            raise ValueError(f"expected fill to be one of {listing(FILLS)}, got {fill!r}")
        self.target = _names(target)
        self.time = _names(time)
        self.series = series
        self.known_future = _names(known_future) or []
        self.static = _names(static) or []
        self.categorical = _names(categorical) or []
        self.exclude = _names(exclude) or []
        self.calendar = calendar
        self.fill = fill
        self.freq = None if freq is None else Frequency.parse(freq)

    def fit(self, table: Any, *, holdout: Holdout = 0.0) -> TableCodec:
        """Learn roles, frequency, categories and scales.

        Parameters
        ----------
        table : anything `read_table` takes
        holdout : float in [0, 1), or callable
            Share of each series' last rows that statistics must not see; or a function from the observed rows of
            each series (int64 (S,)) to the training rows of each.

        Raises
        ------
        ValueError
            Whatever makes the table unfit: see docs/tables.md.
        """
        table = read_table(table)
        self.series_ = find_series(table, self.series)
        taken = {self.series_, *(self.target or []), *self.known_future, *self.static, *self.categorical, *self.exclude}
        stamps = find_time(table, self.time, taken - {None})  # type: ignore[arg-type]
        notes = _time_notes(table, stamps, self.time is not None)
        self.time_ = stamps.columns if stamps else []
        # Seconds lost in a series of dates are an error, so the kind of time is part of what was learned.
        self.dated_ = bool(stamps and stamps.values.dtype.kind == "M")
        roles = decide_roles(
            table, self.target, time=self.time_, series=self.series_, known_future=self.known_future,
            static=self.static, categorical=self.categorical, exclude=self.exclude,
        )  # fmt: skip
        self.target_names_ = roles.targets
        placed = place(table, stamps, self.series_, self.freq, roles)
        self.frequency_ = placed.layout.frequency
        self.ids_ = placed.layout.ids
        notes += [*roles.notes, *placed.notes]
        training = _training_rows(placed, holdout)
        self._fit_columns(placed, roles, training, notes)
        self._fit_calendar(training)
        self.notes_ = [*table.notes, *notes]
        return self

    def encode(self, table: Any, *, horizon: int = 0, future: Any = None) -> EncodedTable:
        """Tensors of a table, with `horizon` rows of the future after each series.

        Parameters
        ----------
        table : anything `read_table` takes
            With the columns of the table that was fitted. Trailing rows without targets and past covariates are
            the future, from which known-future columns are taken.
        horizon : int
        future : anything `read_table` takes, optional
            Known-future columns (with the time and series columns) of the rows to come; these come first.

        Raises
        ------
        ValueError
            Missing columns, missing known-future values, another frequency.
        """
        if not hasattr(self, "ids_"):
            raise ValueError("this TableCodec is not fitted yet: call fit first")
        if horizon < 0:
            raise ValueError(f"expected horizon of 0 or more, got {horizon}")
        return encode_placed(self, read_table(table), horizon, None if future is None else read_table(future))

    def decode(
        self, scaled: Any, series: NDArray[np.int64] | None = None, *, encoded: EncodedTable | None = None
    ) -> NDArray[np.float64]:
        """Targets in units from scaled ones of shape (n, ..., K).

        `series` (n,) says whose each row is (default: all of the first), counted as in `encoded` when that is given
        (needed for series that were not in the fitted table), else as in `ids_`.
        """
        values = np.asarray(scaled, np.float64)
        owner = np.zeros(len(values), np.int64) if series is None else np.asarray(series)
        center = self.center_ if encoded is None else encoded.center
        scale = self.scale_ if encoded is None else encoded.scale
        shape = (len(values), *(1,) * (values.ndim - 2), values.shape[-1])
        return values * scale[owner].reshape(shape) + center[owner].reshape(shape)

    def to_json(self) -> Json:
        """All that was learned, as plain JSON."""
        return codec_state(self)

    @classmethod
    def from_json(cls, state: Json) -> TableCodec:
        """The codec that `to_json` wrote; ValueError for anything damaged, foreign or out of bounds."""
        options, learned = codec_fields(state)
        codec = cls(**options)
        for name, value in learned.items():
            setattr(codec, name, value)
        return codec

    def until(self, table: Any, date: Any) -> Table:
        """The rows of a table up to and including `date` (of its own kind: a date, or a step number)."""
        from memorycell.data.columns import stamps_of

        table = read_table(table)
        stamps = stamps_of(table, self.time_, self.series_)
        limit = np.datetime64(date, "ns") if stamps.dtype.kind == "M" else int(date)
        return table.take(stamps <= limit)

    def _fit_columns(self, placed: Placed, roles: Roles, training: NDArray[np.int64], notes: list[dict]) -> None:
        layout = placed.layout
        lengths = np.diff(layout.offsets)
        series = np.repeat(np.arange(len(lengths)), lengths)
        position = np.arange(len(layout)) - np.repeat(layout.offsets[:-1], lengths)
        seen = slice(0, int(training[0])) if len(lengths) == 1 else position < training[series]
        shown = slice(0, int(placed.observed[0])) if len(lengths) == 1 else position < placed.observed[series]
        self._fit_targets(placed, series[seen], seen, shown)
        self.past_ = self._fit_numbers(placed, roles.past, seen, shown, notes)
        self.known_ = self._fit_numbers(placed, roles.known, seen, shown, notes)
        self.codes_: list[Coded] = []
        order = layout.rows if layout.rows is not None else np.arange(len(placed.table))
        places = layout.places if layout.places is not None else np.arange(len(order))
        inside = np.zeros(len(layout), bool)
        inside[seen] = True
        rows = order[inside[places]]
        for name, known in roles.codes.items():
            categories = sorted(set(placed.table.texts(name).take(rows).drop_null().to_pylist()))
            if len(categories) > 1:
                self.codes_.append(Coded(name, categories, known))
            else:
                notes.append(note("dropped", f"Column {name!r} was left out: one category only in the training rows."))
        self._fit_static(placed, roles)

    def _fit_targets(self, placed: Placed, owner: NDArray, seen: Any, shown: Any) -> None:
        n_series = len(placed.layout.ids)
        centers, scales, self.targets_, self.pooled_ = [], [], [], []
        for name in self.target_names_:
            grid = placed.grid(name, target=True)
            values = grid[seen]
            stats = moments(values)
            if not stats.count:
                raise ValueError(f"target {name!r} has no values in the training rows: all are missing")
            if stats.low == stats.high:
                raise ValueError(
                    f"target {name!r} is constant at {stats.low:g} over the {stats.count:,} training rows: there is "
                    "nothing to learn; choose another target or more rows"
                )
            if n_series == 1:
                center, scale = np.array([stats.mean]), np.array([max(stats.std, 1e-300)])
                self.pooled_.append((stats.mean, float(scale[0])))
            else:
                try:
                    center, scale, pooled = safe_scales(*moments_by_series(values, owner, n_series))
                except ValueError:
                    center, scale, pooled = safe_scales(
                        *moments_by_series(values, owner, n_series), pooled=(stats.mean, stats.std)
                    )
                self.pooled_.append(pooled)
            centers.append(center)
            scales.append(scale)
            middle = sample_median(values if n_series > 1 else (values[:: max(1, len(values) // 100_000)]))
            if n_series > 1:
                middle = sample_median((values - center[owner]) / scale[owner])
            else:
                middle = (middle - center[0]) / scale[0]
            self.targets_.append(Number(name, 0.0, 1.0, middle, _any_missing(grid[shown])))
        self.center_, self.scale_ = np.stack(centers, axis=1), np.stack(scales, axis=1)

    def _fit_numbers(self, placed: Placed, names: list[str], seen: Any, shown: Any, notes: list[dict]) -> list[Number]:
        columns = []
        for name in names:
            grid = placed.grid(name, notes=notes)
            stats = moments(grid[seen])
            if not stats.count or stats.low == stats.high:
                what = f"constant at {stats.low:g}" if stats.count else "empty"
                notes.append(note("dropped", f"Column {name!r} was left out: it is {what} over the training rows."))
                continue
            if _counts_rows(read_values(placed.table, name)):
                notes.append(note("dropped", f"Column {name!r} was left out: it only counts the rows."))
                continue
            scale = max(stats.std, 1e-300)
            middle = (sample_median(grid[seen]) - stats.mean) / scale
            columns.append(Number(name, stats.mean, scale, middle, _any_missing(grid[shown])))
        return columns

    def _fit_static(self, placed: Placed, roles: Roles) -> None:
        self.static_ = []
        for name in roles.static:
            stats = moments(placed.per_series(name))
            scale = stats.std if stats.count and stats.std > 0 else 1.0
            self.static_.append(Number(name, stats.mean if stats.count else 0.0, scale, 0.0, False))
        self.static_codes_ = []
        for name in roles.static_codes:
            texts = placed.per_series(name)
            self.static_codes_.append(Coded(name, sorted({str(t) for t in texts if t is not None}), True))

    def _fit_calendar(self, training: NDArray[np.int64]) -> None:
        span = float(training.max(initial=0)) * self.frequency_.span
        self.calendar_ = calendar_names(self.frequency_, span) if self.calendar and self.dated_ else []


def _names(names: str | Sequence[str] | None) -> list[str] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else [str(name) for name in names]


def _time_notes(table: Table, stamps: Stamps | None, given: bool) -> list[dict]:
    if stamps is None:
        return [note("time", "No column of dates was found: rows count as steps, in their order.")]
    found = [] if given else [note("time", f"Time is taken from {listing(stamps.columns)}.")]
    return [*found, *stamps.notes]


def _training_rows(placed: Placed, holdout: Holdout) -> NDArray[np.int64]:
    observed = placed.observed
    if callable(holdout):
        training = np.asarray(holdout(observed), np.int64)
    elif 0 <= holdout < 1:
        training = np.ceil(observed * (1 - holdout) - 1e-9).astype(np.int64)
    else:
        raise ValueError(f"expected holdout of 0 or more and below 1, got {holdout}")
    if training.max(initial=0) < 2:
        raise ValueError(f"{placed.table.source} has too few rows: expected at least 2 to train on, got {training.max(initial=0)}")
    return np.minimum(training, observed)


def _any_missing(values: NDArray) -> bool:
    return values.dtype.kind == "f" and bool(np.isnan(values).any())


def _counts_rows(values: NDArray) -> bool:
    """Row numbers: every value one more than the one before, over 10 rows at least."""
    return len(values) >= 10 and bool((values[1:101] - values[:100] == 1).all() and (np.diff(values) == 1).all())
