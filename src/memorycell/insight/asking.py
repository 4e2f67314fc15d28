"""What is asked for, checked: rows, places, classes; and what every job needs to answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from memorycell.layers.base import Recurrent
from memorycell.networks.base import State, map_state

LARGEST_TRACE = 4 << 30  # bytes that a trace may take in memory


AT_ONCE = 256  # sequences whose traces are in memory at the same time


_MEMORY_CASES = 8  # outputs whose look back is measured


def some_rows(count: int) -> list[int]:
    """At most eight rows of `count`, spread evenly."""
    return sorted({round(i * (count - 1) / max(1, _MEMORY_CASES - 1)) for i in range(_MEMORY_CASES)}) if count else []


def nothing(values: Tensor, trunk: Iterable[Recurrent]) -> Tensor:
    """What "no input" is for values (T, F): zeros, the mean of scaled readings, which an embedding does not know.

    Layer normalisation divides by the deviation of what it is given, so that next to zeros the least input is as loud
    as any: there the mean step of the sequence takes their place.
    """
    if any(layer.layer_norm for layer in trunk):
        return values.mean(0, keepdim=True).repeat(len(values), 1)
    return torch.zeros_like(values)


def checked_rows(rows: Any, count: int) -> list[int]:
    """Places among `count`; raise TypeError or ValueError for none, or what is none."""
    if isinstance(rows, str) or not isinstance(rows, Iterable):
        raise TypeError(f"expected rows to be a list of rows, got {type(rows).__name__}")
    places = [checked_row(row, count) for row in rows]
    if not places:
        raise ValueError("expected at least one row, got an empty list")
    return places


def checked_row(row: Any, count: int, what: str = "sequences", name: str = "row") -> int:
    """A place among `count`; negative ones count from the end. `what` are counted, one of them is called `name`.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(row, bool) or not hasattr(row, "__index__") or not -count <= row < count:
        article = "an" if name[0] in "aeiou" else "a"
        raise ValueError(f"expected {article} {name} from 0 to {count - 1} ({count:,} {what}), got {row!r}")
    return int(row) % count


def class_index(classes: Sequence[Any], given: Any, what: str = "classes") -> int:
    """Where a label stands among the classes: itself, or what it reads as.

    Raises
    ------
    ValueError
        For a label that is not among them; those there are, are named.
    """
    for place, label in enumerate(classes):
        if label == given or str(label) == str(given):
            return place
    named = ", ".join(str(label) for label in list(classes)[:12]) + (", …" if len(classes) > 12 else "")
    raise ValueError(f"expected one of the {what} {named}, got {given!r}")


def check_trace_size(rows: int, steps: int, network: Any) -> None:
    """Raise ValueError where a trace of so many padded steps would not fit into memory."""
    from memorycell.insight.tracing import recurrent_layers

    units = sum(layer.cells * layer.hidden_size * 6 for layer in recurrent_layers(network).values())
    needed = rows * steps * units * 4
    if needed > LARGEST_TRACE:
        raise ValueError(
            f"a trace of {rows:,} sequences of up to {steps:,} steps takes {needed / 2**30:.0f} GiB: "
            "trace fewer at a time (rows=), or to files (path=)"
        )


def repeated(state: State, rows: int) -> State:
    """The state of one row as that of many; its rows are the last dimension but one."""
    return map_state(lambda part: part.expand(*part.shape[:-2], rows, part.shape[-1]).contiguous(), state)


def unit_noun(unit: str) -> str:
    """What tokens of a text are called, in the plural, by the unit of their codec.

    Example
    -------
    >>> unit_noun("character"), unit_noun("whitespace")
    ('characters', 'words')
    """
    return {"character": "characters", "subword": "subwords"}.get(unit, "words")
