"""The parameters of Forecaster. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from memorycell.jobs.options import READING, Reading
from memorycell.jobs.parameters import declared
from memorycell.jobs.values import (
    SHARE,
    SHARE_OR_AUTO,
    Bounds,
    Days,
    Levels,
    Name,
    Names,
    OneOf,
    Real,
    Sizes,
    Step,
    Switch,
    Whole,
    YesNo,
)

CELLS = ("LSTM", "GRU", "RNN")
_FORECAST, _COLUMNS, _NETWORK, _TRAINING = "Forecast", "Columns", "Network", "Training"
_BLOCK = Real(0, below=0.5, letter="P")


@dataclass(eq=False, repr=False)
class Forecasting:
    """What a forecaster is told."""

    horizon: int = declared(1, Whole(), _FORECAST, "Steps ahead.", "All are forecast at once (direct multi-step).")
    window: int | str = declared(
        "auto", Whole(auto=True), _FORECAST, "Steps looked back on.",
        '"auto": two of the longest season that the data show many times.')  # fmt: skip
    _: KW_ONLY
    network: str = declared(
        "auto", OneOf("auto", "lstm", "encoder-decoder", "segment"), _NETWORK, "Kind of network.",
        '"lstm": stacked layers read at the end of the window; "encoder-decoder": an encoder, and a decoder over the '
        'horizon; "segment": whole segments as steps (SegRNN, arXiv 2308.11200). "auto": "segment" for horizons of 24 '
        'and more, else "lstm".')  # fmt: skip
    cell: str = declared("LSTM", OneOf(*CELLS), _NETWORK, "Kind of cell.")
    hidden_size: int | Sequence[int] | str = declared(
        "auto", Sizes(), _NETWORK, "Units per layer.", 'All layers are of one size. "auto": 32; 192 for "segment".'
    )
    num_layers: int = declared(
        1, Whole(), _NETWORK, "Recurrent layers on top of each other.",
        "Where `hidden_size` is a sequence, that says how many there are.")  # fmt: skip
    dropout: float | str = declared(
        "auto", SHARE_OR_AUTO, _NETWORK, "Between layers and before the head.", '"auto": 0.1; 0.3 for "segment".'
    )
    recurrent_dropout: float = declared(
        0.0, SHARE, _NETWORK, "On the hidden state, one mask per window.", "Gal & Ghahramani 2016."
    )
    normalize: str = declared(
        "auto", OneOf("auto", "none", "level", "scale"), _NETWORK, "What is taken out of each window and put back.",
        'Nothing, its last value, or its last value and its spread. "auto" lets a ridge regression on the held-out '
        'block decide; many series: "scale".')  # fmt: skip
    linear: bool | str = declared(
        "auto", YesNo(), _NETWORK, "A ridge regression beside the network, which learns what it leaves.",
        '`LinearPath`. "auto": where windows are normalised or few.')  # fmt: skip
    segment: int | str = declared(
        "auto", Whole(auto=True), _NETWORK, "Steps per segment of the segment network.",
        '"auto": the divisor of the horizon nearest to half of it.')  # fmt: skip
    state: str = declared(
        "window", OneOf("window", "carried"), _NETWORK,
        "Each window from a state of zero, or one state carried through the series.",
        "A carried state is trained by truncated backpropagation through time over `window` steps, and served step by "
        "step by `stream`.")  # fmt: skip
    loss: str = declared(
        "squared", OneOf("squared", "absolute"), _FORECAST, "Whether the point forecast is the mean or the median."
    )
    quantiles: Sequence[float] = declared(
        (0.05, 0.25, 0.5, 0.75, 0.95), Levels(), _FORECAST, "Quantiles beside the point forecast."
    )
    lower: float | Mapping[str, Any] | str | None = declared(
        "auto", Bounds(auto=True), _FORECAST, "What forecasts do not fall below; may be repeated for several targets.",
        'One for all targets, or a mapping from their names. "auto": 0 for targets that are never negative and stand '
        "on zero or crowd above it, such as counts.")  # fmt: skip
    upper: float | Mapping[str, Any] | None = declared(
        None, Bounds(), _FORECAST, "What forecasts do not rise above; may be repeated for several targets."
    )
    time: str | Sequence[str] | None = declared(
        None, Names(optional=True), _COLUMNS, "Column of dates or step numbers; may be repeated.",
        'Several columns make one date. "rows": rows are steps, whatever dates there are; "irregular": readings are '
        "steps, and the time since the last one is an input.", said="found by itself")  # fmt: skip
    dayfirst: bool | str = declared(
        "auto", YesNo(), _COLUMNS, "Whether 01/02/2024 is in February.",
        '"auto": the order whose dates keep a calendar\'s step best.')  # fmt: skip
    date_format: str | None = declared(
        None, Name("FORMAT"), _COLUMNS, "How dates are written, such as %d.%m.%Y.",
        "As `datetime.strptime` has it; of numbers also \"days since 1970-01-01\" (weeks to nanoseconds).",
        said="found by itself")  # fmt: skip
    timezone: str | None = declared(
        None,
        Name("ZONE"),
        _COLUMNS,
        "Zone of times that are written without one, such as Europe/Berlin.",
        "Steps are days and hours of its clocks, and forecasts are dated in it. Times that have a zone keep theirs.",
    )
    series: str | Sequence[str] | None = declared(
        None, Names(optional=True), _COLUMNS, "Column that says which series a row belongs to; may be repeated.",
        "Several name one together. `unique_id` is found by itself, and so are levels of an index.")  # fmt: skip
    known_future: Sequence[str] = declared((), Names(), _COLUMNS, "Column known ahead of time; may be repeated.")
    static: Sequence[str] = declared((), Names(), _COLUMNS, "Column constant within a series; may be repeated.")
    categorical: Sequence[str] = declared((), Names(), _COLUMNS, "Column to treat as categories; may be repeated.")
    exclude: Sequence[str] = declared((), Names(), _COLUMNS, "Column to leave out; may be repeated.")
    reading: Mapping[str, Any] | None = declared(
        None, Reading(READING), _COLUMNS, "How files are read: arguments of `memorycell.read_table`.",
        "delimiter, decimal, thousands, encoding, header, skip_rows, na_values, sheet. Later files are read in the "
        "same way.")  # fmt: skip
    calendar: bool = declared(
        True, Switch(), _COLUMNS, "Add time of day, day of week and time of year.", "Where the grid resolves them."
    )
    freq: Any = declared(
        None, Step(), _COLUMNS, "Step of the grid: h, 15min, D, MS, 4W, SMS, WOM-3FRI, …",
        "Any offset of pandas, as its alias or itself. None infers it, and leaves out hours and weekdays at which "
        "readings never come.", said="found by itself")  # fmt: skip
    aggregate: str = declared(
        "none", OneOf("none", "mean", "sum", "min", "max", "first", "last"), _COLUMNS,
        "How the rows of one step are put together.",
        "Several rows of a date, or readings at irregular times with `freq`.")  # fmt: skip
    holidays: Sequence[Any] = declared(
        (), Days(), _COLUMNS, "Day that is closed, or a file of such days; may be repeated.",
        "Dates in any form; they have no steps.")  # fmt: skip
    fill: str = declared(
        "auto", OneOf("auto", "forward", "median", "error"), _COLUMNS, "How missing inputs are filled.",
        "See `TableCodec`.")  # fmt: skip
    validation_fraction: float = declared(
        0.1, _BLOCK, _TRAINING, "Share of each series that decides when to stop.",
        "Before its end, and before what calibrates.")  # fmt: skip
    calibration_fraction: float = declared(
        0.1, _BLOCK, _TRAINING, "Most recent share, which adjusts the intervals.", "Conformally."
    )
    refit: bool = declared(
        True, Switch(), _TRAINING, "Train once more on all rows at the end.",
        "For as long as was best. Without it the most recent fifth of the data only ever serves to stop and to "
        "calibrate. Not done when `fit` is given a validation table.")  # fmt: skip
    epochs: int | str = declared(
        "auto", Whole(auto=True), _TRAINING, "At most so many passes over the data.",
        '"auto": about 2,500 steps.')  # fmt: skip
    batch_size: int | str = declared(
        "auto", Whole(auto=True), _TRAINING, "Windows per step.", '"auto": about a hundred steps per epoch.'
    )
    learning_rate: float | str = declared(
        "auto", Real(0, open=True, auto=True), _TRAINING, "Highest learning rate.",
        '"auto": 0.002; 0.001 for "segment".')  # fmt: skip
    patience: int | None = declared(
        6, Whole(optional=True), _TRAINING, "Epochs without improvement before training stops.",
        "On the validation block.")  # fmt: skip
