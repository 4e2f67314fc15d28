"""Numbers with something around them: units (12 kg), magnitudes (1.2M), bounds (<0.5), marks of footnotes (12*)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.tables.arrow import as_array, as_one, as_texts, surely, to_numpy
from memorycell.data.tables.files.first_lines import is_named_like_time
from memorycell.data.tables.files.numbers import ANY_CURRENCY, BODY, CURRENCY, MINUS, Numbers, check_unit


def _split(currency: str) -> str:
    return (
        rf"^(?P<bound>[<>≤≥~≈]?=?|(?:[Cc]a?\.))\s*(?P<number>\(?[+{MINUS}]?\s*{currency}?\s*[{MINUS}]?{BODY})(?P<gap>\s*)"
        r"(?P<unit>.*)$"
    )


_SPLIT, _PARTED = re.compile(_split(CURRENCY)), _split(ANY_CURRENCY)
_BOUNDS = ("<", ">", "≤", "≥", "<=", ">=")
_MAGNITUDES = {
    "K": 1e3, "k": 1e3, "Tsd.": 1e3, "Tsd": 1e3, "тыс": 1e3, "тыс.": 1e3, "千": 1e3, "万": 1e4, "萬": 1e4, "lakh": 1e5,
    "M": 1e6, "Mn": 1e6, "mn": 1e6, "MM": 1e6, "mln": 1e6, "Mio": 1e6, "Mio.": 1e6, "million": 1e6, "millions": 1e6,
    "млн": 1e6, "млн.": 1e6, "Cr": 1e7, "crore": 1e7, "亿": 1e8, "億": 1e8, "B": 1e9, "Bn": 1e9, "bn": 1e9, "bln": 1e9,
    "Mrd": 1e9, "Mrd.": 1e9, "billion": 1e9, "billions": 1e9, "млрд": 1e9, "млрд.": 1e9, "T": 1e12, "tn": 1e12,
    "trillion": 1e12,
}  # fmt: skip
_LETTERS = frozenset("KMBT")  # with a space before them they are kelvin, molar, byte and tesla
_UNIT = re.compile(r"(?:[^\W\d_]|[°%‰″′/€£$¢])[^\d:;<>=()\[\]@]*(?:(?<=[^\W\d_])\^?-?[23](?!\d)[^\d:;<>=()\[\]@]*)?")
_FLAG = re.compile(r"[*†‡§#^]{1,3}|\[[^\]]{1,3}\]|\([^)\d]{0,20}\)|[a-z]")
_NO_CENTS = re.compile(rf"[=—{MINUS}]{{1,2}}\s*")
_ORDINALS = frozenset(("st", "nd", "rd", "th", "er", "re", "ère", "e", "ème", "º", "ª", "am", "pm", "AM", "PM", "Uhr"))
_MOST_UNITS, _LONGEST, _HEAD = 20, 20, 1000


@dataclass
class Bare:
    """A column without what stands around its numbers.

    Attributes
    ----------
    texts : Arrow column, the numbers alone
    unit : what was taken off all of them, "" for nothing or magnitudes
    factors : float64 (n,) of magnitudes, or None
    said : sentences
    """

    texts: Any
    unit: str = ""
    factors: NDArray[np.float64] | None = None
    said: list[str] = field(default_factory=list)

    def applied(self, found: Numbers) -> Numbers:
        """Numbers that were read of the bare texts, times their magnitudes."""
        if self.factors is not None:
            found.values = pc.multiply(found.values, as_array(self.factors))
        found.unit = self.unit or found.unit
        found.said = [*found.said, *self.said]
        return found


def bare_numbers(name: str, column: Any, odd: Any, learned: str = "") -> Bare | None:
    """What stands around the numbers of a column, taken off; None where that is not the same kind of thing all through.

    Parameters
    ----------
    name : of the column
    column : Arrow column of trimmed texts, null where missing
    odd : which of them are no numbers as they stand
    learned : the unit that a model knows the column in: another one is an error

    Example
    -------
    >>> column = as_texts(["12 kg", "13.5 kg", "14"])
    >>> bare = bare_numbers("y", column, pc.ends_with(column, "g"))
    >>> bare.texts.to_pylist(), bare.said
    (['12', '13.5', '14'], ["'kg' stands behind 2 of 3 values of column 'y': read without it."])
    """
    rows = np.flatnonzero(to_numpy(surely(odd)))
    if not len(rows) or is_named_like_time(name):
        return None
    given = column.take(as_array(rows))
    head = [_SPLIT.match(each) is not None for each in given.slice(0, _HEAD).to_pylist()]
    if sum(head) < 0.9 * len(head):
        return None
    fields = pc.extract_regex(given, _PARTED)
    parts = {key: pc.struct_field(fields, key) for key in ("bound", "number", "gap", "unit")}
    total = len(column) - column.null_count
    read = _Read(name, given, parts, total - len(rows), total)
    bounded = read.bounds()
    found = read.units()
    if not bounded or found is None:
        return Bare(column, said=read.said) if read.said else None
    check_unit(name, learned, found[0], given[0].as_py())
    factors = None if found[1] is None else np.ones(len(column))
    if factors is not None:
        factors[rows] = found[1]
    numbers = pc.if_else(parts["number"].is_valid(), parts["number"], given)
    texts = pc.replace_with_mask(as_one(column), as_one(surely(odd)), as_one(numbers))
    return Bare(texts, found[0], factors, read.said)


@dataclass
class _Read:
    """The odd values of a column in their parts, how many values are plain beside them, and how many there are."""

    name: str
    given: Any
    parts: dict[str, Any]
    plain: int
    total: int
    said: list[str] = field(default_factory=list)

    def bounds(self) -> bool:
        """Whether bounds, where there are any, stand among numbers; said."""
        kinds = self._kinds("bound")
        count = sum(kinds.values())
        if not count:
            return True
        first = self._first("bound", kinds)
        if any(each in _BOUNDS for each in kinds):
            if count > 0.9 * self.total:
                return False
            many = f"{count:,} values are bounds" if count > 1 else "1 value is a bound"
            self.said.append(
                f"Column {self.name!r}: {many}, such as {first!r}: the bound itself is taken; "
                f"na_values={first!r} makes it missing."
            )
        else:
            self.said.append(f"Column {self.name!r}: approximate values such as {first!r} are read as numbers.")
        return True

    def units(self) -> tuple[str, NDArray[np.float64] | None] | None:
        """The unit and the magnitudes of the odd values; None for anything else behind them."""
        kinds = self._kinds("unit")
        if not kinds:
            return "", None
        cents = {each: _NO_CENTS.sub("", each, count=1) for each in kinds if _NO_CENTS.match(each)}
        if cents and not self._end_in_marks(cents):
            return None
        names = {each: cents.get(each, each).strip() for each in kinds}
        sizes = self._magnitudes(names)
        rest = dict.fromkeys(filter(None, (sizes[each][1] for each in kinds) if sizes else names.values()))
        if len(rest) > 1 and len({_normal(each) for each in rest}) > 1:
            flags = all(_FLAG.fullmatch(each) for each in rest) and 2 * self.plain >= self.total
            if not flags:
                self._say_several(rest)
                return None
        elif rest and not self._is_unit(next(iter(rest))):
            return None
        first = self._first("unit", kinds)
        unit = next(iter(rest), "") if len({_normal(each) for each in rest}) == 1 else ""
        if rest:
            self._say_unit(list(rest), sum(kinds.values()))
        if not sizes:
            return unit, None
        known = {each: size for each, (size, _, _) in sizes.items()}
        self.said.append(
            f"Column {self.name!r}: {', '.join(dict.fromkeys(sizes[each][2] for each in kinds))} behind a number "
            f"{'is its magnitude' if len(kinds) == 1 else 'are magnitudes'}: {first!r} is read times "
            f"{known[self._behind(first, kinds)]:,.0f}."
        )
        return unit, np.array([known.get(each or "", 1.0) for each in self.parts["unit"].to_pylist()])

    def _kinds(self, key: str) -> dict[str, int]:
        counts = pc.value_counts(self.parts[key]).to_pylist()
        return {each["values"]: each["counts"] for each in counts if each["values"]}

    def _first(self, key: str, kinds: Iterable[str]) -> str:
        place = pc.index_in(self.parts[key], as_texts(list(kinds)))
        return str(self.given[int(np.flatnonzero(to_numpy(place.is_valid()))[0])].as_py())

    def _behind(self, example: str, kinds: Iterable[str]) -> str:
        return max((each for each in kinds if example.endswith(each)), key=len)

    def _end_in_marks(self, cents: Iterable[str]) -> bool:
        numbers = self.parts["number"].filter(surely(pc.is_in(self.parts["unit"], as_texts(list(cents)))))
        return bool(pc.all(pc.match_substring_regex(numbers, r"[.,]$")).as_py())

    def _magnitudes(self, names: dict[str, str]) -> dict[str, tuple[float, str, str]]:
        """What each unit multiplies by, what is left of it, and the magnitude; {} where one of them is none."""
        gaps = bool(pc.any(pc.not_equal(self.parts["gap"], "")).as_py())
        found = {}
        for given, name in names.items():
            size, _, rest = name.partition(" ")
            if size not in _MAGNITUDES or (gaps and set(names.values()) <= _LETTERS and len(names) == 1):
                return {}
            found[given] = (_MAGNITUDES[size], rest.strip(), size)
        return found

    def _is_unit(self, unit: str) -> bool:
        if self.plain and 2 * self.plain >= self.total and _FLAG.fullmatch(unit):
            return True
        if unit in _ORDINALS or len(unit) > _LONGEST or len(unit.split()) > 3:
            return False
        return _UNIT.fullmatch(unit) is not None

    def _say_unit(self, units: list[str], count: int) -> None:
        shown = ", ".join(map(repr, units[:4])) + (", …" if len(units) > 4 else "")
        if count == self.total:
            self.said.append(f"Column {self.name!r} holds numbers in {units[0]}: read without it.")
        else:
            stand = "stands" if len(units) == 1 else "stand"
            it = "it" if len(units) == 1 else "them"
            self.said.append(
                f"{shown} {stand} behind {count:,} of {self.total:,} values of column {self.name!r}: read without {it}."
            )

    def _say_several(self, units: Iterable[str]) -> None:
        """Where all of them are units, that they are not one."""
        names = list(units)
        if len(names) <= _MOST_UNITS and all(map(self._is_unit, names)):
            shown = ", ".join(map(repr, names[:4])) + (", …" if len(names) > 4 else "")
            self.said = [f"Column {self.name!r} holds several units ({shown}): read as text; bring them to one."]


def _normal(unit: str) -> str:
    """A unit without what is written now this and now that way: "Kg.", "kg"; "day", "days"."""
    name = " ".join(unit.casefold().rstrip(".").split())
    return name[:-1] if len(name) > 3 and name.endswith("s") else name
