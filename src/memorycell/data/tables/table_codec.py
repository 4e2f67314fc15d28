"""TableCodec: fitted on training rows, it turns tables into tensors on a regular grid and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.codec import Json, register_codec
from memorycell.data.log import note
from memorycell.data.scaling import FILLS
from memorycell.data.tables.columns import Placed, place
from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.encoding import encode_placed
from memorycell.data.tables.fitting import fit_columns
from memorycell.data.tables.reading import read_table
from memorycell.data.tables.roles import decide_roles, find_series
from memorycell.data.tables.table import listing
from memorycell.data.tables.table_fields import TableFields
from memorycell.data.tables.table_state import codec_fields, codec_state
from memorycell.data.tables.times.calendar import calendar_names
from memorycell.data.tables.times.date_reading import DateReading
from memorycell.data.tables.times.frequency import Frequency
from memorycell.data.tables.times.open_times import days_of_dates
from memorycell.data.tables.times.zones import check_zone
from memorycell.data.tables.timing import AGGREGATES, find_stamps, grid_frequency, holidays_of

Holdout = float | Callable[[NDArray[np.int64], list[NDArray[np.bool_]] | None], NDArray[np.int64]]


@register_codec
class TableCodec(TableFields):
    """Tables of one or many series as tensors: columns find their roles, scales come from training rows only.

    Parameters
    ----------
    target : str or list of str, optional
        What to forecast; may be left out when the table has one numeric column (or is ``unique_id, ds, y``).
    time : str or list of str, optional
        The column of dates or step numbers, or several that make a date. By default found. "rows": rows are steps,
        whatever dates there are; "irregular": readings are steps, and the time since the last one is an input.
    series : str or list of str, optional
        The column that says which series a row belongs to, or several that do together. By default the levels of a
        frame's index beside its time, or ``unique_id``.
    known_future, static, categorical, exclude : sequences of str
        Columns known ahead of time; constant within a series; to be read as categories; to be left out.
    calendar : bool, default True
        Whether to add the time of day, day of week and time of year.
    fill : {"auto", "forward", "median", "error"}
        Missing inputs take the last value before them, else the training median ("auto", "forward"); always
        the median; or are refused. Missing targets are never learned from.
    lower, upper : number, None or "auto", or a mapping from targets to these
        What forecasts do not fall below or rise above. "auto" finds a lower bound of 0 in targets that are never
        negative and stand on zero or lean on it, such as counts.
    freq : str or offset of pandas, optional
        The step of the grid ("h", "15min", "D", "MS", "4W", "WOM-3FRI", ...). By default found, with the hours and
        weekdays at which readings never come left out.
    dayfirst : bool or "auto"
        Whether 01/02/2024 is in February. "auto": the order whose dates keep a calendar's step best.
    date_format : str, optional
        How dates are written, as `datetime.strptime` has it; of numbers also "days since 1970-01-01".
    timezone : str, optional
        Zone ("Europe/Berlin", "+01:00") of times that are written without one, and in which all are counted.
    aggregate : {"none", "mean", "sum", "min", "max", "first", "last"}
        How the rows of one step are put together: several of a date, or readings at irregular times with `freq`.
    holidays : dates, or the name of a file of dates
        Days that are closed: they have no steps.

    Attributes
    ----------
    frequency_ : Frequency
    target_names_, series_, ids_ : list of str
        Targets; columns that name a series; and the series' names.
    center_, scale_ : float64 (S, K)
        Level and spread of each target in each series, over the training rows.
    notes_ : list of dict
        What was done to the data: ``{"kind", "text"}``.

    Example
    -------
    >>> codec = TableCodec("y").fit({"y": [1.0, 2.0, 3.0, 4.0, 5.0]}, holdout=0.4)
    >>> codec.center_, codec.encode({"y": [2.0, 4.0]}).target_in_units().ravel().round(3)
    (array([[2.]]), array([2., 4.]))
    """

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        time: str | Sequence[str] | None = None,
        series: str | Sequence[str] | None = None,
        known_future: Sequence[str] = (),
        static: Sequence[str] = (),
        categorical: Sequence[str] = (),
        exclude: Sequence[str] = (),
        calendar: bool = True,
        fill: str = "auto",
        lower: Any = "auto",
        upper: Any = None,
        freq: Any = None,
        dayfirst: bool | str = "auto",
        date_format: str | None = None,
        timezone: str | None = None,
        aggregate: str = "none",
        holidays: Any = (),
    ) -> None:
        if fill not in FILLS:
            raise ValueError(f"expected fill to be one of {listing(FILLS)}, got {fill!r}")
        self.target = _names(target)
        self.time = _names(time)
        self.series = _names(series) or None
        self.known_future = _names(known_future) or []
        self.static = _names(static) or []
        self.categorical = _names(categorical) or []
        self.exclude = _names(exclude) or []
        self.calendar = calendar
        self.fill = fill
        self.lower, self.upper = lower, upper
        self.freq = None if freq is None else Frequency.parse(freq)
        zone = None if timezone is None else check_zone(timezone)
        self.reading = DateReading(None if dayfirst == "auto" else bool(dayfirst), date_format, zone)
        if aggregate not in AGGREGATES:
            raise ValueError(f"expected aggregate to be one of {listing(AGGREGATES, 9)}, got {aggregate!r}")
        self.aggregate = aggregate
        self.holidays = holidays_of(holidays)

    def fit(self, table: Any, *, holdout: Holdout = 0.0) -> TableCodec:
        """Learn roles, frequency, categories and scales.

        Parameters
        ----------
        table : anything `read_table` takes
        holdout : float in [0, 1), or callable
            Share of each series' last rows that statistics must not see; or a function from the observed rows
            of each series (int64 (S,)), and which of them have a target (None: all), to the training rows of each:
            0 for a series that nothing is to be learned from, which is scaled by its own rows then.

        Raises
        ------
        ValueError
            Whatever makes the table unfit: see docs/tables.md.
        """
        table = read_table(table, text=self.names_in_text())
        self.as_read_ = table.reading
        self.series_ = find_series(table, self.series)
        taken = {
            *self.series_,
            *(self.target or []),
            *self.known_future,
            *self.static,
            *self.categorical,
            *self.exclude,
        }
        self.reading_ = self.reading
        table, stamps, notes = find_stamps(self, table, taken)
        self.series_text_ = [name for name in self.series_ if table.is_text(name)]
        if table.keys and self.series is None:
            told = f"The index tells the series apart: {listing(self.series_)}."
            notes.append(note("series", told))
        self.time_ = stamps.columns if stamps else []
        self.dated_ = bool(stamps and stamps.values.dtype.kind == "M")
        roles = decide_roles(
            table, self.target, time=self.time_, series=self.series_, known_future=self.known_future,
            static=self.static, categorical=self.categorical, exclude=self.exclude,
        )  # fmt: skip
        self.target_names_ = roles.targets
        frequency = grid_frequency(self, stamps)
        placed = place(table, stamps, self.series_, frequency, roles, days_of_dates(self.holidays))
        self.frequency_ = placed.layout.frequency
        self.ids_ = placed.layout.ids
        notes += [*roles.notes, *placed.notes]
        training = _training_rows(placed, holdout, roles.targets)
        self.short_ = [name for name, rows in zip(self.ids_, training, strict=True) if not rows]
        fit_columns(self, placed, roles, training, notes)
        span = float(training.max(initial=0)) * self.frequency_.span
        self.calendar_ = calendar_names(self.frequency_, span) if self.calendar and self.dated_ else []
        self.notes_ = [*table.notes, *notes]
        return self

    def encode(self, table: Any, *, horizon: int = 0, future: Any = None) -> EncodedTable:
        """Tensors of a table, with `horizon` rows of the future after each series.

        Parameters
        ----------
        table : anything `read_table` takes
            With the columns of the table that was fitted. Trailing rows without targets and past covariates
            are the future, from which known-future columns are taken.
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
        how: Any = {"text": self.names_in_text(), "as_read": self.as_read_}
        ahead = None if future is None else read_table(future, **how)
        return encode_placed(self, read_table(table, **how), horizon, ahead)

    def names_in_text(self) -> list[str]:
        """Columns that are read as names rather than numbers: of series and categories."""
        return [*(self.series or []), *self.categorical]

    def decode(
        self, scaled: Any, series: NDArray[np.int64] | None = None, *, encoded: EncodedTable | None = None
    ) -> NDArray[np.float64]:
        """Targets in units from scaled ones of shape (n, ..., K).

        `series` (n,) says whose each row is (default: all of the first), counted as in `encoded` when that is
        given (needed for series that were not in the fitted table), else as in `ids_`.
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
        told = codec.reading
        codec.reading_ = codec.reading_.with_(dayfirst=told.dayfirst, format=told.format, timezone=told.timezone)
        return codec

    def in_units(self, steps: NDArray) -> NDArray:
        """Step numbers as the table has them: 0.5 s where its steps are half seconds."""
        reading = self.reading_
        plain = reading.scale == 1 and not reading.origin
        return steps if plain else np.round(steps * reading.scale + reading.origin, 9)

    @property
    def time_name(self) -> str:
        """The time's name in forecasts: its column, "date" if several make it, "step" if there is none."""
        return self.time_[0] if len(self.time_) == 1 else "date" if self.dated_ else "step"


def _names(names: str | Sequence[str] | None) -> list[str] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else [str(name) for name in names]


def _training_rows(placed: Placed, holdout: Holdout, targets: list[str]) -> NDArray[np.int64]:
    observed = placed.observed
    if callable(holdout):
        training = np.asarray(holdout(observed, placed.known(targets)), np.int64)
    elif 0 <= holdout < 1:
        training = np.ceil(observed * (1 - holdout) - 1e-9).astype(np.int64)
    else:
        raise ValueError(f"expected holdout of 0 or more and below 1, got {holdout}")
    if not placed.observed.any():
        few = f"{len(placed.table):,} row{'s' if len(placed.table) > 1 else ''}"
        raise ValueError(
            f"target {listing(targets)} of {placed.table.source} has no value: all of its {few} are missing"
        )
    if training.max(initial=0) < 2:
        raise ValueError(
            f"{placed.table.source} has too few rows: expected at least 2 to train on, got {training.max(initial=0)}"
        )
    return np.minimum(training, observed)
