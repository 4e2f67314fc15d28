"""Places along the dimensions of a trace: whole numbers, masks, names and dates, and what they leave of lengths."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Place = int | slice | list[int]

_Date = datetime.date | np.datetime64  # datetime.datetime and pandas.Timestamp are dates, too
_Name = str | _Date
_ZONE = re.compile(r"[T ].*(Z|[+-][\d:]+)\s*$")


def check_names(coords: Mapping[str, Sequence[Any]], sizes: Mapping[str, int]) -> None:
    """Raise ValueError unless there is one name for each place, along dimensions that are there."""
    for dim, labels in coords.items():
        size = sizes.get(dim)
        if size is None:
            raise ValueError(f"expected coords of {', '.join(sizes)}, got those of {dim!r}")
        if len(labels) != size:
            raise ValueError(f"expected {size} names along {dim!r}, one for each place, got {len(labels)}")


def places(asked: Any, dim: str, size: int, labels: Sequence[Any] | None) -> Place:
    """What `Trace.select` was asked for, as numbers; raise ValueError for what is none of them."""
    if isinstance(asked, slice):
        return _slice(asked, dim, labels)
    if _is_number(asked):
        return int(asked)
    if isinstance(asked, _Name):
        return _Names(labels, dim).place(asked)
    many = _listed(asked, dim)
    if any(isinstance(each, bool | np.bool_) for each in many):
        return _masked(many, dim, size)
    wrong = [each for each in many if not (_is_number(each) or isinstance(each, _Name))]
    if wrong:
        raise _none_of_them(wrong[0], dim)
    names = _Names(labels, dim) if any(isinstance(each, _Name) for each in many) else None
    return [int(each) if names is None or _is_number(each) else names.place(each) for each in many]


def lengths_after(lengths: Tensor, place: slice | list[int], steps: int) -> Tensor:
    """How many of the chosen steps, which must rise, lie before each row's end."""
    if isinstance(place, slice):
        chosen = range(steps)[place]
        return (-(-(lengths - chosen.start) // chosen.step)).clamp(0, len(chosen))  # the quotient, rounded up
    wanted = torch.tensor([each % steps for each in place], dtype=torch.int64)
    if bool((wanted[1:] < wanted[:-1]).any()):
        raise ValueError(
            "expected rising places along 'time' of a trace whose rows have lengths of their own, "
            f"got {_some(place)}: sort them, or reorder the tensors"
        )
    return torch.bucketize(lengths, wanted)


def dates_of(labels: Sequence[Any]) -> np.ndarray | None:
    """The labels as datetime64, if all are dates without a time zone."""
    array = labels if isinstance(labels, np.ndarray) else None
    if array is None and hasattr(labels, "__array__"):  # an index or a column of pandas
        array = np.asarray(labels)
    if array is not None and array.dtype.kind == "M":
        return array
    every = list(labels)
    if not every or not all(isinstance(label, _Date) and not _zone(label) for label in every):
        return None
    return np.array([_as_numpy(label) for label in every])


class _Names:
    """What the places along a dimension are called: text, or dates."""

    def __init__(self, labels: Sequence[Any] | None, dim: str) -> None:
        if labels is None:
            raise ValueError(f"expected places along {dim!r}, which has no names: give whole numbers")
        self.labels, self.dim, self.dates = labels, dim, dates_of(labels)
        self.where: dict[Any, list[int]] = {}
        if self.dates is None:
            for place, label in enumerate(labels):
                if isinstance(label, _Name):
                    self.where.setdefault(label, []).append(place)

    def place(self, asked: Any) -> int:
        """The first place of that name."""
        return self._found(asked)[0]

    def end(self, asked: Any, *, last: bool) -> int:
        """Where a slice from, or to and with, a name begins or ends; dates (which rise) need not be there."""
        if self.dates is None:
            found = self._found(asked)
            return found[-1] + 1 if last else found[0]
        dates, wanted = self._compared(asked)
        inside = np.flatnonzero(dates <= wanted if last else dates >= wanted)
        if not len(inside):
            return 0 if last else len(dates)
        return int(inside[-1]) + 1 if last else int(inside[0])

    def _found(self, asked: Any) -> list[int]:
        if self.dates is None:
            found = self.where.get(asked, [])
        else:
            dates, wanted = self._compared(asked)
            found = np.flatnonzero(dates == wanted).tolist()
        if not found:
            raise ValueError(f"expected one of {_some(self.labels)} along {self.dim!r}, got {asked!r}")
        return found

    def _compared(self, asked: Any) -> tuple[np.ndarray, np.datetime64]:
        """The dates, and the one that is asked for, such that numpy compares them without an overflow."""
        wanted = _date(asked, self.dim)
        year = int(wanted.astype("datetime64[Y]").astype(int)) + 1970
        dates = np.asarray(self.dates)
        beyond = dates.dtype == "datetime64[ns]" and not 1678 <= year <= 2261
        return (dates.astype("datetime64[us]") if beyond else dates), wanted


def _date(asked: Any, dim: str) -> np.datetime64:
    if _zone(asked):
        raise ValueError(f"expected a date without a time zone along {dim!r}, whose names have none, got {asked!r}")
    try:
        date = _as_numpy(asked)
    except ValueError:
        date = np.datetime64("NaT")
    if np.isnat(date):
        raise ValueError(f"expected a date along {dim!r}, such as '2024-02-29' or '2024-02-29T12:00', got {asked!r}")
    return date


def _zone(date: Any) -> bool:
    # numpy would only warn, and move the date.
    return bool(_ZONE.search(date)) if isinstance(date, str) else getattr(date, "tzinfo", None) is not None


def _as_numpy(date: Any) -> np.datetime64:
    return date.to_datetime64() if hasattr(date, "to_datetime64") else np.datetime64(date)


def _slice(asked: slice, dim: str, labels: Sequence[Any] | None) -> slice:
    if asked.step is not None and not (_is_number(asked.step) and asked.step > 0):
        raise ValueError(
            f"expected a step of at least 1 along {dim!r}, got {asked.step!r}: turn the tensors round with flip()"
        )
    named = isinstance(asked.start, _Name) or isinstance(asked.stop, _Name)
    names = _Names(labels, dim) if named else None

    def end(value: Any, *, last: bool) -> int | None:
        if value is None or _is_number(value):
            return None if value is None else int(value)
        if names is None or not isinstance(value, _Name):
            raise _none_of_them(value, dim)
        return names.end(value, last=last)

    return slice(end(asked.start, last=False), end(asked.stop, last=True), asked.step and int(asked.step))


def _listed(asked: Any, dim: str) -> list[Any]:
    if isinstance(asked, Tensor | np.ndarray):
        if asked.ndim != 1:
            raise _none_of_them(asked, dim)
        return asked.tolist() if isinstance(asked, Tensor) else list(asked)
    if isinstance(asked, bytes) or not (isinstance(asked, Sequence) or hasattr(asked, "__array__")):
        raise _none_of_them(asked, dim)
    if hasattr(asked, "__array__") and np.ndim(asked) != 1:
        raise _none_of_them(asked, dim)
    return list(asked)


def _masked(mask: list[Any], dim: str, size: int) -> list[int]:
    if not all(isinstance(each, bool | np.bool_) for each in mask):
        raise ValueError(f"expected a list of places or a mask along {dim!r}, got a mix of both: {_some(mask)}")
    if len(mask) != size:
        raise ValueError(f"expected a mask of {size} along {dim!r}, one for each place, got one of {len(mask)}")
    return np.flatnonzero(mask).tolist()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _none_of_them(asked: Any, dim: str) -> ValueError:
    expected = f"expected a place, a name, a slice, a mask or a list of places along {dim!r}"
    if isinstance(asked, Tensor | np.ndarray):
        remedy = "take its number, .item()" if not asked.ndim else "give a list of one dimension"
        return ValueError(f"{expected}, got {type(asked).__name__} of shape {tuple(asked.shape)}: {remedy}")
    if asked is None:
        return ValueError(f"{expected}, got None: leave {dim}= away for all")
    remedy = "places are whole numbers from 0, names are text or dates"
    return ValueError(f"{expected}, got {asked!r}: {remedy}")


def _some(labels: Sequence[Any]) -> str:
    return ", ".join(str(label) for label in list(labels[:6])) + (", …" if len(labels) > 6 else "")
