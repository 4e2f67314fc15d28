"""DateReading: how the times of a table are written; told by the user, and learned once for every later table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.codec import checked, is_count, is_number
from memorycell.data.tables.times.zones import check_zone

Codes = Callable[[], NDArray[np.int64] | None]  # gives the series of each row, where that is asked for
ORDERS = {"dmy": "day, month, year", "mdy": "month, day, year", "ymd": "year, month, day"}


@dataclass(frozen=True)
class DateReading:
    """What is known of the way in which times are written.

    Attributes
    ----------
    dayfirst : bool or None
        What the user said of dates such as 01/02/2024.
    format : str or None
        The user's own format, as `datetime.strptime` has it.
    timezone : str or None
        The zone whose clock times without a zone show, as the user said, and in which forecasts are dated.
    learned : bool
        Whether what follows was learned from a table, which later ones must not contradict.
    zone : str or None
        The zone of the times; None where they have none.
    order : str
        Of days, months and years in numbers: "dmy", "mdy", "ymd"; "" where that was no question.
    century : int
        The first year that two digits can stand for; 0 where years have four.
    language : str
        Of the months' names, as Babel calls it; "" where there were none.
    form : str
        The way of writing, of `FORMS`; "" where times were no text.
    unit : str
        What numbers stand for; "" where times were no numbers.
    scale, origin : float
        Of numbers that count steps: what one step is, and what step 0 is.
    """

    dayfirst: bool | None = None
    format: str | None = None
    timezone: str | None = None
    learned: bool = False
    zone: str | None = None
    order: str = ""
    century: int = 0
    language: str = ""
    form: str = ""
    unit: str = ""
    scale: float = 1.0
    origin: float = 0.0

    def told(self) -> DateReading:
        """Only what the user said."""
        return DateReading(self.dayfirst, self.format, self.timezone)

    def with_(self, **changes: Any) -> DateReading:
        """The same but for some fields."""
        return replace(self, **changes)

    def learnings(self) -> dict[str, Any]:
        """What was learned, as plain JSON; only what is not as if nothing had been."""
        plain = DateReading()
        return {name: getattr(self, name) for name in _LEARNED if getattr(self, name) != getattr(plain, name)}

    @classmethod
    def from_json(cls, told: Any, learned: Any) -> DateReading:
        """Of what the user said and of `learnings`; ValueError for anything damaged."""
        plain = cls()
        told = {name: getattr(plain, name) for name in _TOLD} | (told if isinstance(told, dict) else {})
        learned = {name: getattr(plain, name) for name in _LEARNED} | (learned if isinstance(learned, dict) else {})
        found: dict[str, Any] = {
            "dayfirst": checked(told, "dayfirst", lambda v: v is None or isinstance(v, bool), "true, false or nothing"),
            "format": checked(told, "format", lambda v: v is None or _short(v), "a format of dates"),
            "learned": checked(learned, "learned", lambda v: isinstance(v, bool), "true or false"),
            "order": checked(learned, "order", lambda v: v in ("", *ORDERS), "an order of day, month and year"),
            "century": checked(learned, "century", lambda v: is_count(v, 2261), "a year"),
            "scale": float(checked(learned, "scale", lambda v: is_number(v) and v > 0, "a number above 0")),
            "origin": float(checked(learned, "origin", is_number, "a number")),
        }
        for key, state in (("timezone", told), ("zone", learned)):
            found[key] = checked(state, key, lambda v: v is None or _is_zone(v), "a time zone")
        for key in ("language", "form", "unit"):
            found[key] = checked(learned, key, _short, "a short text")
        return cls(**found)


_TOLD = ("dayfirst", "format", "timezone")
_LEARNED = ("learned", "zone", "order", "century", "language", "form", "unit", "scale", "origin")


def _short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 200


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and check_zone(value) == value
    except ValueError:
        return False
