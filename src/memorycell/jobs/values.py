"""What a parameter may be: how a value is checked, how the command reads it, and how its help shows it.

Loads nothing but the standard library, so that ``memorycell fit … --help`` is quick.
"""

from __future__ import annotations

import datetime
import json
import math
import numbers
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

AUTO, NONE = "auto", "none"


class Value:
    """One kind of value. `check` refuses what is none; `parse` reads one from the command line.

    Attributes
    ----------
    repeated : bool
        Whether the option may be given several times, each with one of the values.
    switch : bool
        Whether it is an option without a value: ``--name`` or ``--no-name``.
    """

    repeated = False
    switch = False

    @property
    def shape(self) -> str:
        """What help shows in the value's place: ``N|auto``."""
        return "TEXT"

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError or TypeError for a value that the parameter `name` cannot be."""

    def parse(self, text: str) -> Any:
        """The value that `text` stands for; raise ValueError where it stands for none."""
        return text

    def joined(self, values: list[Any]) -> Any:
        """What an option means that was given several times; raise ValueError for what cannot go together."""
        return values

    def said(self, value: Any) -> str:
        """A default as help shows it; "" for one that needs no words."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, tuple | list):
            return ",".join(self.said(each) for each in value)
        return f"{value:g}" if isinstance(value, float) else str(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def either(first: str, words: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``; an empty `first` is left out."""
    choices = [*([first] if first else []), *words]
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _words(auto: bool, optional: bool) -> tuple[str, ...]:
    return (*((AUTO,) if auto else ()), *((NONE,) if optional else ()))


@dataclass(frozen=True)
class Whole(Value):
    """A whole number of at least `least`, and at most `most`; or "auto"; or None, which the command calls none.

    Example
    -------
    >>> Whole(auto=True).check("window", 0)
    Traceback (most recent call last):
    ValueError: expected window to be a whole number of at least 1 or "auto", got 0
    >>> Whole(auto=True).parse("12"), Whole(auto=True).shape
    (12, 'N|auto')
    """

    least: int | None = 1
    auto: bool = False
    optional: bool = False
    most: int | None = None

    @property
    def shape(self) -> str:
        return "|".join(("N", *_words(self.auto, self.optional)))

    def check(self, name: str, value: Any) -> None:
        if (self.auto and isinstance(value, str) and value == AUTO) or (self.optional and value is None):
            return
        fits = _is_whole(value) and (self.least is None or value >= self.least)
        if not fits or (self.most is not None and value > self.most):
            raise ValueError(f"expected {name} to be {self._what()}, got {value!r}")

    def _what(self) -> str:
        what = "a whole number" + ("" if self.least is None else f" of at least {self.least}")
        what += "" if self.most is None else f" and at most {self.most}"
        return what + (' or "auto"' if self.auto else "") + (" or None" if self.optional else "")

    def parse(self, text: str) -> Any:
        words = _words(self.auto, self.optional)
        if text in words:
            return None if text == NONE else text
        if not re.fullmatch(r"[+-]?[0-9]+", text):  # int() takes more: other scripts' digits, 1_0
            raise ValueError(f"expected {either('a whole number', words)}, got {text!r}")
        return int(text)


@dataclass(frozen=True)
class Sizes(Value):
    """Units of the layers: one size for all of them, or a size for each; or "auto".

    Example
    -------
    >>> Sizes().parse("400,300"), Sizes().parse("64"), Sizes().shape
    ((400, 300), 64, 'N|N,N,…|auto')
    """

    @property
    def shape(self) -> str:
        return "N|N,N,…|auto"

    def check(self, name: str, value: Any) -> None:
        sizes = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
        sizes = list(sizes)
        if value == AUTO if isinstance(value, str) else sizes and all(_is_whole(each) and each >= 1 for each in sizes):
            return
        raise ValueError(
            f'expected {name} to be a whole number of at least 1, several of them, or "auto", got {value!r}'
        )

    def parse(self, text: str) -> Any:
        if text == AUTO:
            return text
        try:
            found = tuple(int(part) for part in text.split(","))
        except ValueError:
            raise ValueError(f"expected auto, or whole numbers such as 200 or 400,400, got {text!r}") from None
        return found if len(found) > 1 else found[0]


@dataclass(frozen=True)
class Real(Value):
    """A finite number from `least` on (above it with ``open=True``) and under `below`; or "auto"; or None.

    Example
    -------
    >>> share = Real(0, below=1, auto=True, letter="P")
    >>> share.check("dropout", 1.5)
    Traceback (most recent call last):
    ValueError: expected dropout to be at least 0 and under 1, or "auto", got 1.5
    """

    least: float | None = None
    below: float | None = None
    open: bool = False
    auto: bool = False
    optional: bool = False
    letter: str = "X"

    @property
    def shape(self) -> str:
        return "|".join((self.letter, *_words(self.auto, self.optional)))

    def check(self, name: str, value: Any) -> None:
        if (self.auto and isinstance(value, str) and value == AUTO) or (self.optional and value is None):
            return
        fits = _is_real(value) and math.isfinite(value)
        fits = fits and (self.least is None or (value > self.least if self.open else value >= self.least))
        if not (fits and (self.below is None or value < self.below)):
            raise ValueError(f"expected {name} to be {self._what()}, got {value!r}")

    def _what(self) -> str:
        lower = "" if self.least is None else f"above {self.least:g}" if self.open else f"at least {self.least:g}"
        upper = "" if self.below is None else f"under {self.below:g}"
        said = " and ".join(part for part in (lower, upper) if part)
        if not said or not self.below:
            said = f"a number {said}".strip()
        return said + (', or "auto"' if self.auto else "") + (", or None" if self.optional else "")

    def parse(self, text: str) -> Any:
        words = _words(self.auto, self.optional)
        if text in words:
            return None if text == NONE else text
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"expected {either('a number', words)}, got {text!r}") from None


SHARE = Real(0, below=1, letter="P")
SHARE_OR_AUTO = Real(0, below=1, auto=True, letter="P")


class OneOf(Value):
    """One of some words, on the command line in upper or lower case.

    Parameters
    ----------
    words : str
    optional : bool
        Or None.

    Example
    -------
    >>> OneOf("LSTM", "GRU").parse("gru"), OneOf("LSTM", "GRU").shape
    ('GRU', 'LSTM|GRU')
    """

    def __init__(self, *words: str, optional: bool = False) -> None:
        self.words, self.optional = words, optional

    @property
    def shape(self) -> str:
        return "|".join((*self.words, *_words(False, self.optional)))

    def check(self, name: str, value: Any) -> None:
        if self.optional and value is None:
            return
        if not isinstance(value, str) or value not in self.words:
            none = " or None" if self.optional else ""
            raise ValueError(f"expected {name} to be {', '.join(self.words)}{none}, got {value!r}")

    def parse(self, text: str) -> Any:
        if self.optional and text.lower() == NONE:
            return None
        for word in self.words:
            if text.lower() == word.lower():
                return word
        raise ValueError(f"expected {either('', (*self.words, *_words(False, self.optional)))}, got {text!r}")


@dataclass(frozen=True)
class SomeOf(Value):
    """One or several of some words, with commas between on the command line."""

    words: tuple[str, ...]

    @property
    def shape(self) -> str:
        return "NAME,NAME,…"

    def check(self, name: str, value: Any) -> None:
        given = (value,) if isinstance(value, str) else value
        if not isinstance(given, Iterable):
            raise TypeError(f"expected {name} to be a name or names, got {value!r}")
        given = tuple(given)
        wrong = [each for each in given if each not in self.words]
        if wrong or not given:
            raise ValueError(f"expected {name} of {', '.join(self.words)}, got {wrong[0] if wrong else value!r}")

    def parse(self, text: str) -> Any:
        names = tuple(part.strip() for part in text.split(","))
        for name in names:
            if name not in self.words:
                raise ValueError(f"expected some of {', '.join(self.words)}, got {name!r}")
        return names


@dataclass(frozen=True)
class YesNo(Value):
    """True, False or "auto"; on the command line yes, no or auto."""

    @property
    def shape(self) -> str:
        return "yes|no|auto"

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bool) and not (isinstance(value, str) and value == AUTO):
            raise ValueError(f'expected {name} to be True, False or "auto", got {value!r}')

    def parse(self, text: str) -> Any:
        if text == AUTO:
            return text
        if text.lower() not in ("yes", "no"):
            raise ValueError(f"expected yes, no or auto, got {text!r}")
        return text.lower() == "yes"


@dataclass(frozen=True)
class Switch(Value):
    """True or False: an option without a value.

    Attributes
    ----------
    off : str
        The option that says no, where it is not ``--no-name``.
    """

    off: str = ""
    switch = True

    @property
    def shape(self) -> str:
        return ""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bool):
            raise ValueError(f"expected {name} to be True or False, got {value!r}")

    def said(self, value: Any) -> str:
        return "on" if value else "off"


@dataclass(frozen=True)
class Name(Value):
    """The name of a column or a file, or any other text; or None. With `place` also a column's place, from 0.

    Example
    -------
    >>> Name(place=True).parse("-1"), Name().parse("-1")
    (-1, '-1')
    """

    letter: str = "COLUMN"
    place: bool = False
    optional: bool = True

    @property
    def shape(self) -> str:
        return self.letter

    def check(self, name: str, value: Any) -> None:
        if (self.optional and value is None) or isinstance(value, str) or (self.place and _is_whole(value)):
            return
        what = "a name or a place from 0" if self.place else "a name"
        raise TypeError(f"expected {name} to be {what}{' or None' if self.optional else ''}, got {value!r:.60}")

    def parse(self, text: str) -> Any:
        return int(text) if self.place and text.lstrip("-").isdigit() else text


@dataclass(frozen=True)
class Names(Value):
    """Names of columns: one, or several; on the command line an option that may be repeated."""

    letter: str = "COLUMN"
    optional: bool = False
    repeated = True

    @property
    def shape(self) -> str:
        return self.letter

    def check(self, name: str, value: Any) -> None:
        if (self.optional and value is None) or isinstance(value, str):
            return
        if not isinstance(value, Iterable) or not all(isinstance(each, str) for each in value):
            kind = type(value).__name__
            raise TypeError(
                f"expected {name} to be the name of a column or a list of names, got {kind}: give names only"
            )


@dataclass(frozen=True)
class Step(Value):
    """The step of a grid of times: an alias such as "h", an offset of pandas, a span of time, or None."""

    @property
    def shape(self) -> str:
        return "FREQ"

    def check(self, name: str, value: Any) -> None:
        if value is None or isinstance(value, str | datetime.timedelta) or hasattr(value, "freqstr"):
            return
        if not hasattr(value, "grid"):
            raise TypeError(f"expected {name} to be an alias such as 'h' or an offset of pandas, got {value!r:.60}")


@dataclass(frozen=True)
class Days(Value):
    """Dates, or names of files of dates; on the command line an option that may be repeated."""

    repeated = True

    @property
    def shape(self) -> str:
        return "DATE|FILE"

    def check(self, name: str, value: Any) -> None:
        if isinstance(value, str | os.PathLike | datetime.date) or hasattr(value, "tolist"):
            return
        if not isinstance(value, Iterable) or isinstance(value, Mapping | bytes):
            raise TypeError(f"expected {name} to be dates or the name of a file of dates, got {value!r:.60}")


@dataclass(frozen=True)
class Bounds(Value):
    """A finite number, None or "auto" for all columns, or a mapping from columns to these.

    On the command line ``N``, or ``COLUMN=N``, which may be repeated.

    Example
    -------
    >>> Bounds(auto=True).parse("0"), Bounds().parse("sales=none"), Bounds(auto=True).shape
    (0.0, ('sales', None), 'N|auto|none|COLUMN=N')
    >>> Bounds().check("upper", "auto")
    Traceback (most recent call last):
    ValueError: expected upper to be a number or None, or a mapping from columns to these, got 'auto'
    """

    auto: bool = False
    repeated = True

    @property
    def shape(self) -> str:
        return "|".join(("N", *_words(self.auto, True), "COLUMN=N"))

    def check(self, name: str, value: Any) -> None:
        of_columns = isinstance(value, Mapping)
        for each in value.values() if of_columns else [value]:
            known = each is None or (self.auto and isinstance(each, str) and each == AUTO)
            if not known and not (_is_real(each) and math.isfinite(each)):
                what = "a number" + (', "auto"' if self.auto else "") + " or None"
                raise ValueError(f"expected {name} to be {what}, or a mapping from columns to these, got {value!r:.80}")
        if of_columns and not all(isinstance(column, str) for column in value):
            raise TypeError(f"expected {name} to be a mapping from names of columns, got {value!r:.80}")

    def parse(self, text: str) -> Any:
        column, equals, number = text.rpartition("=")
        bound = Real(auto=self.auto, optional=True).parse(number)
        return (column, bound) if equals else bound

    def joined(self, values: list[Any]) -> Any:
        """What several options say together: one bound for all, or a mapping."""
        if all(isinstance(value, tuple) for value in values):
            return dict(values)
        if len(values) > 1:
            raise ValueError("expected one bound for all columns, or COLUMN=N for each: got both, or several for all")
        return values[0]


@dataclass(frozen=True)
class File(Value):
    """The path of a file, or None; with `model` also a fitted model, which other code checks."""

    letter: str = "FILE"
    model: bool = False

    @property
    def shape(self) -> str:
        return self.letter

    def check(self, name: str, value: Any) -> None:
        if not (self.model or value is None or isinstance(value, str | os.PathLike)):
            raise TypeError(f"expected {name} to be the path of a file or None, got {type(value).__name__}")


@dataclass(frozen=True)
class Levels(Value):
    """Increasing numbers between 0 and 1."""

    @property
    def shape(self) -> str:
        return "Q,Q,…"

    def check(self, name: str, value: Any) -> None:
        levels = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
        fits = all(_is_real(level) and 0 < level < 1 for level in levels)
        if not levels or not fits or levels != sorted(set(levels)):
            raise ValueError(f"expected {name} to be increasing numbers between 0 and 1, got {value!r}")

    def parse(self, text: str) -> Any:
        try:
            return tuple(float(part) for part in text.split(","))
        except ValueError:
            raise ValueError(f"expected numbers with commas between, such as 0.05,0.5,0.95, got {text!r}") from None


@dataclass(frozen=True)
class Fields(Value):
    """Names and values, or None: on the command line ``NAME=VALUE``, which may be repeated."""

    repeated = True

    @property
    def shape(self) -> str:
        return "NAME=VALUE"

    def check(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(f"expected {name} to be a mapping of names to values or None, got {type(value).__name__}")

    def parse(self, text: str) -> Any:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"expected NAME=VALUE, got {text!r}")
        try:
            return name, json.loads(value)
        except json.JSONDecodeError:
            return name, value

    def joined(self, values: list[Any]) -> Any:
        return dict(values)


@dataclass(frozen=True)
class Seed(Value):
    """What scikit-learn takes for a random state: a whole number, None (another one each time) or a generator."""

    @property
    def shape(self) -> str:
        return "N"

    def check(self, name: str, value: Any) -> None:
        if value is None or _is_whole(value) or hasattr(value, "randint") or hasattr(value, "integers"):
            return
        raise ValueError(f"expected {name} to be a whole number, a generator of numpy's or None, got {value!r:.60}")

    def parse(self, text: str) -> Any:
        return Whole(least=None).parse(text)


@dataclass(frozen=True)
class Device(Value):
    """ "auto", or a device of torch's; whether it is there can be said only once torch is loaded."""

    @property
    def shape(self) -> str:
        return "auto|cpu|cuda|mps|…"

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise TypeError(f'expected {name} to be a name such as "cpu", "cuda:1" or "auto", got {value!r:.60}')
        try:
            self.parse(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def parse(self, text: str) -> Any:
        if re.fullmatch(r"[a-z]+(:\d+)?", text) is None:
            raise ValueError(f"expected auto, or a device such as cpu, cuda, cuda:1, mps or xpu, got {text!r}")
        return text
