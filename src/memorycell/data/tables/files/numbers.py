"""Numbers written for people: which mark is the decimal's and which the thousands', decided over a whole column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from memorycell.data.tables.arrow import as_one, as_texts, nothing, surely, to_numpy

_SPACES = "\u0020\u00a0\u202f\u2009\u2007"
_APOSTROPHES = "'\u2019"
MINUS = "\u2212\u2013-"  # the last of a set, where it is no range
_GROUPS = {" ": _SPACES, "'": _APOSTROPHES}
CURRENCY = (
    r"(?:[€£¥₹₽₩₺₪₫฿₴₦₨₸₡₱]|(?:US|R|A|C|HK|NZ|NT|S|Mex)?\$|CHF|EUR|USD|GBP|JPY|SEK|NOK|DKK|PLN|CZK|HUF|INR|BRL|CAD|AUD|CNY|"
    r"HKD|SGD|NZD|MXN|ZAR|TRY|TL|KRW|THB|IDR|MYR|PHP|VND|RUB|UAH|ILS|AED|SAR|TWD|RON|BGN|ISK|CLP|COP|ARS|PEN|EGP|NGN|KES|"
    r"PKR|BDT|LKR|RMB|Fr\.|kr\.?|zł|Kč|Ft|Rs\.?|Rp\.?|RM)"
)
_SAME_CURRENCY = {
    "EUR": "€", "USD": "$", "US$": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "Rs": "₹", "Rs.": "₹", "kr.": "kr",
}  # fmt: skip
_POWER = r"(?:[eEdD][+-]?\d+)?"
BODY = rf"(?:\d(?:[\d.,{_SPACES}{_APOSTROPHES}]*\d)?[.,]?{_POWER}|[.,]\d+{_POWER})"
_SPACE = rf"[\s{_SPACES}]*"
# Any sign or letters in a currency's place: taking parts out is slow where a pattern has many alternatives.
ANY_CURRENCY = rf"(?:[^\d\s(),.+{MINUS}]*[A-Za-z]\.|[^\d\s(),.+{MINUS}]*)"


def _written(currency: str) -> str:
    """Groups: an open bracket, a sign, a currency, a sign, the digits, a unit, a closing bracket, a sign behind."""
    return (
        rf"^(?P<open>\(?){_SPACE}(?P<sign>[+{MINUS}]?){_SPACE}(?P<before>{currency}?){_SPACE}(?P<inner>[{MINUS}]?){_SPACE}"
        rf"(?P<body>{BODY}){_SPACE}(?P<after>(?:{currency}|%)?){_SPACE}(?P<close>\)?)(?P<trail>[{MINUS}]?)$"
    )


WRITTEN, _PARTED = _written(CURRENCY), _written(ANY_CURRENCY)
PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
ERRORS = (
    "#DIV/0!", "#N/A", "#N/A N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#NV", "#WERT!", "#BEZUG!",
    "#VALEUR!", "#SPILL!", "#CALC!", "-", "--", "---", "\u2013", "\u2014", "n/a", "N/A", "n.a.", "N.A.", "k.A.",
    "k. A.", "?", ".", "..", "...", "\u2026",
)  # fmt: skip
# What else stands for a missing value where all that is beside it are numbers; as a name of something it is one.
NO_VALUE = (
    "(null)", "\\N", "nil", "Nil", "NIL", "missing", "Missing", "MISSING", "unknown", "Unknown", "UNKNOWN",
    "unavailable", "Unavailable", "undefined", "N.D.", "n.d.", "ND", "nd", "N/D", "n/d", "NR", "no data", "No data",
    "No Data", "NO DATA", "NoData", "nodata", "Bad Input", "Bad", "BAD", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
    "#", "*", "**", "***", ":", "M", "(blank)", "blank", "Error", "error", "ERROR", "Err:502", "Err:504",
    "Err:508", "####", "#####", "######", "#######", "########", "n.v.", "s.d.", "S/D", "нет данных", "н/д",
)  # fmt: skip
INFINITE = r"^(?i:[+\-\x{2212}]?(?:inf|infinity|∞|1\.#INF))$"
_WORDS = {".": "a point", ",": "a comma", " ": "a space", "'": "an apostrophe"}
MARKS = (".", ",")
_HEAD = 1000
_LONG = r"^\d{17,}$"


@dataclass(frozen=True)
class Marks:
    """The decimal's mark and, "" where there is none, the one between thousands and the unit that was taken off."""

    decimal: str = "."
    thousands: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Evidence:
    """What is known of a file's numbers before a column is looked at.

    Attributes
    ----------
    decimal, thousands : str or None
        As the user gave them.
    learned : mapping of column to Marks
        As a model read them when it was fitted: what contradicts them is an error.
    seen : str
        The decimal mark that other columns of the file show, "" where none does.
    german : bool
        Semicolons between columns and points in dates.
    delimiter : str
        Of a text file.
    """

    decimal: str | None = None
    thousands: str | None = None
    learned: dict[str, Marks] = field(default_factory=dict)
    seen: str = ""
    german: bool = False
    delimiter: str = ""

    def of(self, name: str) -> Evidence:
        """What is known of one column: what a model learned counts like what is given, unless something is given."""
        marks = self.learned.get(name)
        if marks is None or self.decimal or self.thousands:
            return self
        return replace(self, decimal=marks.decimal, thousands=marks.thousands or None)


@dataclass
class Numbers:
    """A column as float64 (missing where it is no number), which rows are none, and what is to be said."""

    values: Any
    odd: Any
    marks: Marks
    said: list[str]
    unit: str = ""


def check_unit(name: str, learned: str, found: str, example: str) -> None:
    """Raise ValueError for another unit than a model learned."""
    same = {_SAME_CURRENCY.get(each, each).casefold().rstrip(".") for each in (learned, found)}
    if learned and found and len(same) > 1:
        raise ValueError(
            f"column {name!r}: {example!r:.40} is in {found!r}, and the model was fitted with this column in "
            f"{learned!r}: bring the numbers to {learned!r}"
        )


def check_marks(decimal: str | None, thousands: str | None) -> None:
    """Raise ValueError for marks that cannot be."""
    if decimal is not None and decimal not in MARKS:
        raise ValueError(f"expected decimal '.' or ',', got {decimal!r}")
    if thousands is not None and thousands not in (".", ",", " ", "'", ""):
        raise ValueError(f"expected thousands '.', ',', a space or \"'\", got {thousands!r}")
    if thousands and thousands == decimal:
        raise ValueError(f"expected thousands other than the decimal mark, got {decimal!r} for both")


def patterns(decimal: str, thousands: str | None = None) -> str:
    """What digits look like with a decimal mark; `thousands` None: with whatever else stands between thousands."""
    other = "," if decimal == "." else "."
    marks = [other, *_GROUPS] if thousands is None else [thousands] if thousands else []
    sets = [_GROUPS.get(mark, mark) for mark in marks]  # one mark in a number, not now this and now that
    grouped = [rf"[1-9]\d{{0,2}}(?:[{re.escape(each)}]\d{{3}})+" for each in sets]
    if decimal == "." and thousands in (None, ","):
        grouped.append(r"[1-9]\d?(?:,\d\d)+,\d{3}")  # 12,34,567: India
    return rf"^(?:{'|'.join([*grouped, chr(92) + 'd*'])})(?:{re.escape(decimal)}\d*)?{_POWER}$"


_POINT, _COMMA = patterns("."), patterns(",")
_EITHER = r"^[1-9]\d{0,2}[.,]\d{3}$"
_SMALL, _LARGE = r"^\d{1,3}$", r"^\d{4,}$"


@dataclass
class Seen:
    """How many values of a column can only be read with a decimal point, only with a comma, or with either."""

    point: int = 0
    comma: int = 0
    point_or_group: int = 0  # 1.234
    comma_or_group: int = 0  # 1,234
    small: int = 0
    large: int = 0

    @classmethod
    def of(cls, bodies: Any) -> Seen:
        """Of an Arrow column of digits and marks."""

        def count(mask: Any) -> int:
            return pc.sum(mask).as_py() or 0

        point, comma = pc.match_substring_regex(bodies, _POINT), pc.match_substring_regex(bodies, _COMMA)
        either = pc.match_substring_regex(bodies, _EITHER)
        dotted = pc.match_substring(bodies, ".")
        return cls(
            count(pc.and_not(point, comma)), count(pc.and_not(comma, point)), count(pc.and_(either, dotted)),
            count(pc.and_not(either, dotted)), count(pc.match_substring_regex(bodies, _SMALL)),
            count(pc.match_substring_regex(bodies, _LARGE)),
        )  # fmt: skip


def loosely(texts: Iterable[str]) -> float:
    """The share of texts that could be numbers written for people."""
    found = [re.match(WRITTEN, each) is not None for each in texts]
    return sum(found) / max(1, len(found))


def read_numbers(name: str, column: Any, evidence: Evidence) -> Numbers | None:
    """A column of trimmed texts, null where missing, as numbers; None where it holds something else.

    Example
    -------
    >>> read_numbers("y", pa.chunked_array([as_texts(["985", "2.081,66", "(3)"])]), Evidence()).values.to_pylist()
    [985.0, 2081.66, -3.0]
    """
    parts = _parts(column)
    body = parts["body"]
    money = bool(_units(parts, body.is_valid()) - {"%"})
    told = money or bool(evidence.of(name).thousands)
    if body.null_count == len(body) or _is_no_number(column, parts, told):
        return None
    seen = Seen.of(body)
    marks, doubt = _decide(seen, evidence.of(name), body, money)
    fits = surely(pc.match_substring_regex(body, patterns(marks.decimal, marks.thousands)))
    fits = pc.and_(fits, surely(_closed(parts)))
    currencies = _units(parts, fits)
    if len({_SAME_CURRENCY.get(each, each) for each in currencies - {"%"}}) > 1:
        return None
    unit = min(currencies - {"%"}, default="%" if currencies else "")
    if unit and name in evidence.learned:
        check_unit(name, evidence.learned[name].unit, unit, str(_first(column, pc.match_substring(column, unit))))
    values = _cast(body, fits, marks, parts)
    odd = pc.and_(column.is_valid(), pc.invert(fits))
    said = _sayings(name, column, parts, fits, marks, doubt, currencies)
    return Numbers(values, odd, marks, said, unit)


_KEYS = ("open", "sign", "before", "inner", "body", "after", "close", "trail")


def _parts(column: Any) -> dict[str, Any]:
    """What `WRITTEN` finds; where there is nothing but a sign before the digits, in a quicker way."""
    quick = surely(pc.match_substring_regex(column, rf"^-?{BODY}$"))
    none = pc.if_else(quick, _text(""), nothing(pa.string()))
    sign = pc.if_else(pc.starts_with(column, "-"), pc.if_else(quick, _text("-"), nothing(pa.string())), none)
    body = pc.utf8_ltrim(pc.if_else(quick, column, nothing(pa.string())), "-")
    parts = {**dict.fromkeys(_KEYS, none), "sign": sign, "body": body}
    rest = surely(pc.and_(pc.invert(quick), pc.match_substring_regex(column, WRITTEN)))
    if not pc.any(rest).as_py():
        return parts
    fields, mask = pc.extract_regex(column.filter(rest), _PARTED), as_one(rest)
    found = {key: as_one(pc.struct_field(fields, key)) for key in _KEYS}
    return {key: pc.replace_with_mask(as_one(parts[key]), mask, found[key]) for key in _KEYS}


def _closed(parts: dict[str, Any]) -> Any:
    """Where brackets come in pairs, and no sign is given twice."""
    pair = pc.equal(pc.equal(parts["open"], _text("")), pc.equal(parts["close"], _text("")))
    once = pc.not_equal(parts["open"], _text(""))
    twice = pc.and_(once, pc.invert(once))
    for key in ("sign", "inner", "trail"):
        sign = pc.not_equal(parts[key], _text(""))
        once, twice = pc.or_(once, sign), pc.or_(twice, pc.and_(once, sign))
    # 1200,- says that there are no cents.
    cents = pc.and_(pc.match_substring_regex(parts["body"], "[.,]$"), pc.not_equal(parts["trail"], _text("")))
    return pc.and_(pc.and_(pair, pc.invert(twice)), pc.invert(cents))


def _text(value: str) -> Any:
    return as_texts([value])[0]


def _is_no_number(column: Any, parts: dict[str, Any], told: bool) -> bool:
    """Identifiers that look like numbers: leading zeros, very many digits, telephone numbers, all in brackets."""
    body = parts["body"]
    if _any(body, r"^0\d+$") or _any(body, _LONG) or _any(body, rf"^0\d*[{_SPACES}{_APOSTROPHES}]"):
        return True
    count = len(body) - body.null_count
    plus = pc.and_(pc.equal(parts["sign"], _text("+")), pc.match_substring_regex(body, r"^\d[\d ]{7,}$"))
    if pc.sum(plus).as_py() == count:
        return True
    if (pc.sum(pc.not_equal(parts["open"], _text(""))).as_py() or 0) == count and not _any(body, "[.,]"):
        return True  # (1), (2): places in a list
    minus = pc.not_equal(parts["trail"], _text(""))
    if pc.any(minus).as_py() and not _any(body.filter(minus), r"[.,]|\d{3}"):
        return True  # 2-, 3-: grades
    return not told and _is_telephone(body, count)


def _is_telephone(body: Any, count: int) -> bool:
    """Groups of digits with plain spaces, all of one length of 7 digits or more: 123 456 789."""
    spaced = pc.match_substring_regex(body, r"^\d+[ ][\d ]*$")
    if pc.sum(spaced).as_py() != count:
        return False
    digits = pc.utf8_length(pc.replace_substring_regex(body, "[ ]", ""))
    low, high = pc.min(digits).as_py(), pc.max(digits).as_py()
    return low == high and low >= 7


def _any(column: Any, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())


def _decide(seen: Seen, evidence: Evidence, body: Any, money: bool) -> tuple[Marks, str]:
    """The marks of a column, and, where both readings were possible and nothing in the column says which, why these."""
    decimal, doubt = evidence.decimal, ""
    if decimal is None and evidence.thousands in MARKS:
        decimal = "," if evidence.thousands == "." else "."
    if decimal is None:
        decimal, doubt = _decimal(seen, evidence, body, money)
    if evidence.thousands is not None:
        return Marks(decimal, evidence.thousands), doubt
    other = "," if decimal == "." else "."
    for mark in (other, " ", "'"):
        if _any(body, rf"^[1-9]\d{{0,2}}[{re.escape(_GROUPS.get(mark, mark))}]\d{{2,3}}"):
            return Marks(decimal, mark), doubt
    return Marks(decimal), doubt


def _decimal(seen: Seen, evidence: Evidence, body: Any, money: bool) -> tuple[str, str]:
    if seen.point or seen.comma:
        return ("." if seen.point >= seen.comma else ","), ""
    dots, commas = seen.point_or_group, seen.comma_or_group
    if not dots and not commas:
        return (evidence.seen or "."), ""
    if dots and commas:  # 1.234 and 1,234: one of them is wrong whatever is taken
        return ("." if dots >= commas else ","), "both"
    mark, other = (".", ",") if dots else (",", ".")
    if seen.large:  # 12345 beside 1.234: no mark between thousands, unless other columns have another decimal mark
        return (other if evidence.seen == other else mark), "" if evidence.seen == mark else "ungrouped"
    if seen.small:
        grouped = money or (mark == "," and evidence.delimiter in (",", "") and evidence.seen != ",")
        decimal = other if grouped or _are_near_as_thousands(body) else mark
        return decimal, "" if evidence.seen == decimal else "small"
    if money:  # amounts have no three decimals
        return other, ""
    if evidence.seen:
        return evidence.seen, ""
    groups = evidence.german if mark == "." else evidence.delimiter != ";" and not evidence.german
    return (other if groups else mark), "nothing"


def _are_near_as_thousands(body: Any) -> bool:
    """Whether the mark in 1.004 stands between thousands, by the numbers without one: 985 is near 1004, 2 near 1.004.

    No number without a mark is 1,000 or more.
    """
    grouped = pc.match_substring_regex(body, _EITHER)
    with_mark = pc.replace_substring_regex(body.filter(grouped), "[.,]", "").cast(pa.float64())
    without = body.filter(pc.match_substring_regex(body, _SMALL)).cast(pa.float64())
    middle = [float(np.median(np.abs(to_numpy(each)))) for each in (with_mark, without)]
    return middle[1] * middle[1] * 1000 >= middle[0] * middle[0]  # nearer to it than to a thousandth, as logarithms


def _units(parts: dict[str, Any], fits: Any) -> set[str]:
    found: set[str] = set()
    for key in ("before", "after"):
        found |= set(pc.unique(parts[key].filter(fits)).to_pylist())
    return found - {"", None}


def _cast(body: Any, fits: Any, marks: Marks, parts: dict[str, Any]) -> Any:
    digits = pc.if_else(fits, body, nothing(pa.string()))
    if marks.thousands:
        digits = pc.replace_substring_regex(digits, f"[{re.escape(_GROUPS.get(marks.thousands, marks.thousands))}]", "")
    if marks.decimal == ",":
        digits = pc.replace_substring(digits, ",", ".")
    values = pc.replace_substring_regex(digits, "[dD]", "e").cast(pa.float64())
    minus = pc.or_(
        pc.or_(pc.not_equal(parts["open"], _text("")), pc.not_equal(parts["trail"], _text(""))),
        pc.or_(
            pc.match_substring_regex(parts["sign"], f"[{MINUS}]"), pc.match_substring_regex(parts["inner"], "."),
        ),
    )  # fmt: skip
    return pc.if_else(surely(minus), pc.negate(values), values)


def _sayings(
    name: str, column: Any, parts: dict[str, Any], fits: Any, marks: Marks, doubt: str, units: set[str]
) -> list[str]:
    """Sentences about a column; none where its numbers are plain."""
    said = []
    body = parts["body"]
    if marks.thousands:
        said.append(_of_thousands(name, column, body, fits, marks, doubt))
    elif doubt:
        example = _first(column, pc.match_substring_regex(body, _EITHER))
        said.append(
            f"Column {name!r}: the mark in {example!r} was read as the decimal mark; if it stands between thousands, "
            f"give thousands={marks.decimal!r}."
        )
    elif marks.decimal == "," and _any(body, ","):
        said.append(f"Column {name!r} writes numbers with a decimal comma.")
    money = sorted(units - {"%"})
    if money:
        said.append(f"Column {name!r} holds amounts in {money[0]}: read as numbers.")
    if "%" in units:
        with_sign = pc.sum(pc.and_(fits, pc.equal(parts["after"], _text("%")))).as_py()
        some = f"{with_sign:,} of its values in" if with_sign < pc.sum(fits).as_py() else ""
        said.append(
            f"Column {name!r} holds {some + ' ' if some else ''}percent: the numbers are as written, 12 % is 12."
        )
    for key, what in (("open", "brackets"), ("trail", "a minus behind them")):
        minus = pc.and_(fits, pc.not_equal(parts[key], _text("")))
        if pc.any(minus).as_py():
            said.append(f"Column {name!r}: numbers with {what} are negative, such as {_first(column, minus)!r}.")
    return said


def _of_thousands(name: str, column: Any, body: Any, fits: Any, marks: Marks, doubt: str) -> str:
    mark = _GROUPS.get(marks.thousands, marks.thousands)
    grouped = pc.and_(fits, pc.match_substring_regex(body, f"[{re.escape(mark)}]"))
    example = _first(column, grouped)
    if example is None:
        return f"Column {name!r} is read with {_WORDS[marks.thousands]} between thousands."
    value = _plain(example, marks)
    said = f"Column {name!r} writes thousands with {_WORDS[marks.thousands]}: {example!r} is read as {value}"
    if doubt:
        said += f"; if that is its decimal mark, give decimal={marks.thousands!r}"
    return said + "."


def _plain(example: str, marks: Marks) -> str:
    found = re.match(WRITTEN, example)
    body = found["body"] if found else example
    body = re.sub(f"[{re.escape(_GROUPS.get(marks.thousands, marks.thousands))}]", "", body)
    return body.replace(marks.decimal, ".")


def _first(column: Any, mask: Any) -> str | None:
    rows = np.flatnonzero(to_numpy(surely(mask)))
    return column[int(rows[0])].as_py() if len(rows) else None
