"""Codec: what turns raw things into tensors and back, and is stored with the model as plain JSON."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

Json = dict[str, Any]
_CODECS: dict[str, Any] = {}
# Where the codecs of this package live: a module is imported when a state names its codec, not before.
_HOME = {
    "LabelCodec": "memorycell.data.labels.label_codec",
    "SequenceCodec": "memorycell.data.signals.sequence_codec",
    "SymbolCodec": "memorycell.data.symbols.symbol_codec",
    "TableCodec": "memorycell.data.tables.table_codec",
    "TextCodec": "memorycell.data.text.text_codec",
    "WordCodec": "memorycell.data.text.tagged",
}
_Class = TypeVar("_Class", bound=type)


@runtime_checkable
class Codec(Protocol):
    """`fit` learns from raw data, `encode` makes tensors of it, `decode` leads back to the raw data's units.

    All that was learned is plain JSON (`to_json`), because it travels in a model file. `from_json` trusts
    nothing: a model file may be damaged or hostile, so types, lengths and ranges are checked first.
    """

    def fit(self, raw: Any) -> Codec: ...

    def encode(self, raw: Any) -> Any: ...

    def decode(self, tensor: Any) -> Any: ...

    def to_json(self) -> Json: ...

    @classmethod
    def from_json(cls, state: Json) -> Codec: ...


def register_codec(cls: _Class) -> _Class:
    """Class decorator: makes a codec known to `codec_from_json` under its class name."""
    _CODECS[cls.__name__] = cls
    return cls


def codec_from_json(state: Json) -> Any:
    """The codec that ``to_json`` wrote: looked up by ``state["codec"]`` among the registered ones.

    Raises
    ------
    ValueError
        When the state is not a codec's, or of a codec this version does not know.

    Example
    -------
    >>> codec_from_json({"codec": "os.system"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: expected a codec of this version (...), got 'os.system'
    """
    name = state.get("codec") if isinstance(state, dict) else None
    known = _CODECS.keys() | _HOME.keys()
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"expected a codec of this version ({', '.join(sorted(known))}), got {name!r:.60}")
    if name not in _CODECS:
        importlib.import_module(_HOME[name])
    return _CODECS[name].from_json(state)


def checked(state: Any, key: str, check: Callable[[Any], bool], expected: str) -> Any:
    """``state[key]`` if it passes `check`; else a ValueError that says what was expected.

    Example
    -------
    >>> checked({"rows": 3}, "rows", is_count, "a whole number")
    3
    """
    known = isinstance(state, dict) and key in state
    value = state[key] if known else None
    if not known or not check(value):
        raise ValueError(f"the stored codec is damaged: expected {key} to be {expected}, got {value!r:.60}")
    return value


def is_count(value: Any, most: int = 2**53) -> bool:
    """A whole number from 0 to `most` (a bool is none)."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def is_number(value: Any) -> bool:
    """A finite number that a float can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_positive(value: Any) -> bool:
    """A finite number above zero."""
    return is_number(value) and value > 0


def is_name(value: Any) -> bool:
    """A text of at most 10,000 characters."""
    return isinstance(value, str) and len(value) <= 10_000


def is_list(of: Callable[[Any], bool], length: int | None = None, most: int = 10_000_000) -> Callable[[Any], bool]:
    """A check for a list whose elements pass `of`: exactly `length` of them, or at most `most`."""

    def check(value: Any) -> bool:
        if not isinstance(value, list) or len(value) > most:
            return False
        return (length is None or len(value) == length) and all(map(of, value))

    return check
