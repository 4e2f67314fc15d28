"""How: what a reader of tables is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from memorycell.data.tables.files.numbers import MARKS, Marks, check_marks

# What is remembered of a reading, so that later files of the kind need not be told again.
KEPT = ("delimiter", "decimal", "thousands", "encoding", "header", "skip_rows", "na_values", "sheet")


@dataclass(frozen=True)
class How:
    """Arguments of `read_table`, checked, and what a model learned of earlier tables.

    Example
    -------
    >>> How.of(decimal=",", na_values=-999).remembered({})
    {'decimal': ',', 'na_values': [-999]}
    """

    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    header: bool | None = None
    skip_rows: int = 0
    na_values: tuple[str | float, ...] = ()
    sheet: str | int | None = None
    samples: bool = False
    text: frozenset[str] = frozenset()
    learned: Mapping[str, Marks] = field(default_factory=dict)
    encoding_said: bool = True

    @classmethod
    def of(
        cls,
        *,
        remembered: Mapping[str, Any] | None = None,
        text: Collection[str] = (),
        samples: bool = False,
        **given: Any,
    ) -> How:
        """What was given, over what is remembered of an earlier table."""
        known = dict(remembered or {})
        marks = {name: Marks(*pair) for name, pair in known.pop("marks", {}).items()}
        unknown = [name for name in (*known, *given) if name not in KEPT]
        if unknown:
            raise TypeError(f"expected reading to say {', '.join(KEPT)}, got {unknown[0]!r}")
        said = {**known, **{name: value for name, value in given.items() if value is not None and value != ()}}
        check_marks(said.get("decimal"), said.get("thousands"))
        if "na_values" in said:
            said["na_values"] = _values(said["na_values"])
        rows = said.get("skip_rows", 0)
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 0:
            raise ValueError(f"expected skip_rows of 0 or more, a whole number, got {rows!r}")
        told = "encoding" not in known or given.get("encoding") is not None
        return cls(**said, samples=samples, text=frozenset(text), learned=marks, encoding_said=told)

    def remembered(self, marks: Mapping[str, Marks]) -> dict[str, Any]:
        """What a later table of the same kind is read by, as plain JSON."""
        default = How()
        said = {name: getattr(self, name) for name in KEPT if getattr(self, name) != getattr(default, name)}
        if "na_values" in said:
            said["na_values"] = list(said["na_values"])
        found = {**self.learned, **marks}
        if found:
            said["marks"] = {
                name: [each.decimal, each.thousands, *([each.unit] if each.unit else [])]
                for name, each in found.items()
            }
        return said

    def without_file(self) -> How:
        """Without what concerns text files alone."""
        return replace(self, delimiter=None, encoding=None, header=None, skip_rows=0)


def check_remembered(state: Any) -> dict[str, Any]:
    """What a model's file says of how its tables are read; ValueError for anything damaged."""
    try:
        marks = state.get("marks", {})
        if not all(len(m) in (2, 3) and m[0] in MARKS and all(isinstance(s, str) for s in m) for m in marks.values()):
            raise ValueError("marks of numbers")
        How.of(remembered=state)
        if not all(isinstance(state.get(name, ""), str) for name in ("delimiter", "encoding")):
            raise ValueError("texts")
    except (TypeError, ValueError, AttributeError, KeyError):
        raise ValueError("the stored codec is damaged: how its tables are read") from None
    return dict(state)


def _values(given: Any) -> tuple[str | float, ...]:
    many = given if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]
    found = []
    for value in many:
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"expected na_values as texts or numbers, got {value!r:.40}")
        found.append(value)
    return tuple(found)
