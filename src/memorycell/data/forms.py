"""What the fields of a file may be: checked before any of them is used, and refused in a sentence."""

from __future__ import annotations

import dis
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from memorycell.data.codec import is_count, is_list, is_number


class Form(NamedTuple):
    """What a stored value may be, and what a refusal calls that."""

    fits: Callable[[Any], bool]
    said: str


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64


def one_of(*values: Any) -> Form:
    """One of these texts, numbers or truth values, and of the same type."""
    said = " or ".join(json.dumps(value) for value in values)
    return Form(lambda value: any(type(value) is type(each) and value == each for each in values), said)


def optional(form: Form) -> Form:
    """That, or null."""
    return Form(lambda value: value is None or form.fits(value), f"{form.said} or null")


def several(form: Form, said: str) -> Form:
    """A list of those."""
    return Form(lambda value: is_list(form.fits)(value), said)


def mapping(forms: Mapping[str, Form], said: str, *, others: Form | None = None) -> Form:
    """A JSON object with all these fields; and with `others`, where there may be some."""

    def fits(value: Any) -> bool:
        if not isinstance(value, dict) or any(name not in value for name in forms):
            return False
        return all((forms.get(name) or others or _NONE).fits(each) for name, each in value.items())

    return Form(fits, said)


_NONE = Form(lambda value: False, "nothing")
ANY = Form(lambda value: True, "anything")
FLAG = Form(lambda value: isinstance(value, bool), "true or false")
COUNT = Form(is_count, "a whole number from 0")
WHOLE = Form(_is_whole, "a whole number")
AMOUNT = Form(lambda value: is_number(value) and value >= 0, "a number from 0")
NUMBER = Form(is_number, "a finite number")
TEXT = Form(lambda value: isinstance(value, str) and not is_torn(value), "a text")
TEXTS = several(TEXT, "a list of texts")
SIZE = Form(lambda value: is_count(value) and value > 0, "a whole number from 1")
FLAT = Form(lambda value: is_flat(value, 1), "texts and numbers")
_SCALAR = Form(lambda value: value is None or isinstance(value, bool | str) or is_number(value), "a text or a number")


def is_torn(text: str) -> bool:
    """Whether there is half a character in it, which cannot be written anywhere."""
    return any("\ud800" <= each <= "\udfff" for each in text)


def is_flat(value: Any, depth: int) -> bool:
    """Texts, numbers, truth values, and lists and objects of them, not deeper than that."""
    if isinstance(value, dict):
        return depth > 0 and all(not is_torn(key) and is_flat(each, depth - 1) for key, each in value.items())
    if isinstance(value, list):
        return depth > 0 and all(is_flat(each, depth - 1) for each in value)
    return _SCALAR.fits(value) and not (isinstance(value, str) and is_torn(value))


def fitting(value: Any, form: Form, where: str) -> Any:
    """The value if it is of that form.

    Raises
    ------
    ValueError
        If it is not: where it stands, what was expected and what is there.

    Example
    -------
    >>> fitting("x", COUNT, "learned.best_epoch_")
    Traceback (most recent call last):
    ValueError: expected learned.best_epoch_ to be a whole number from 0, got 'x'
    """
    if not form.fits(value):
        raise ValueError(f"expected {where} to be {form.said}, got {shown(value)}")
    return value


def field(section: Any, name: str, form: Form, where: str) -> Any:
    """``section[name]``, which must be there and of that form."""
    if not isinstance(section, dict) or name not in section:
        raise ValueError(f"expected {where} to have {name}, got none")
    return fitting(section[name], form, f"{where}.{name}")


def ours(error: BaseException) -> bool:
    """Whether a sentence of this package says what was wrong: raised by it, not by Python or a library within it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] != "memorycell":
        return False
    return dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"


def shown(value: Any) -> str:
    """A value as a refusal shows it: of what is long, the beginning."""
    return f"{value!r:.60}"
