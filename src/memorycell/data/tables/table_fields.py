"""TableFields: what a TableCodec was told and has learned, for the modules that it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.tables.bounds import Bound
from memorycell.data.tables.columns import Coded, Number
from memorycell.data.tables.times.date_reading import DateReading
from memorycell.data.tables.times.frequency import Frequency


class TableFields:
    """Options and learned attributes of a `TableCodec`, which says what they are."""

    target: list[str] | None
    time: list[str] | None
    series: list[str] | None
    known_future: list[str]
    static: list[str]
    categorical: list[str]
    exclude: list[str]
    calendar: bool
    fill: str
    lower: Any
    upper: Any
    freq: Frequency | None
    reading: DateReading
    aggregate: str
    holidays: list[str]

    target_names_: list[str]
    ids_: list[str]
    as_read_: dict[str, Any]
    series_: list[str]
    series_text_: list[str]
    short_: list[str]
    bounds_: list[Bound]
    time_: list[str]
    dated_: bool
    frequency_: Frequency
    reading_: DateReading
    calendar_: list[str]
    center_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    pooled_: list[tuple[float, float]]
    targets_: list[Number]
    past_: list[Number]
    known_: list[Number]
    static_: list[Number]
    codes_: list[Coded]
    static_codes_: list[Coded]
    notes_: list[dict]
