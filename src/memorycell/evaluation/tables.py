"""Figures as JSON and as text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """`value` with NaN and infinities as None and NumPy numbers, arrays and dates as JSON has them.

    Example
    -------
    >>> plain({"mase": float("nan"), "steps": np.array([1, 2])})
    {'mase': None, 'steps': [1, 2]}
    """
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        if np.issubdtype(value.dtype, np.datetime64):
            return [str(part) for part in np.datetime_as_string(value, unit="s").tolist()]
        return plain(value.tolist())
    if isinstance(value, np.datetime64):
        return str(np.datetime_as_string(value, unit="s"))
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def text_table(rows: list[list[str]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return lines


def format_number(value: float) -> str:
    """Four significant digits, without an exponent where that can be read.

    Example
    -------
    >>> format_number(2.2178), format_number(12_345.6), format_number(float("nan"))
    ('2.218', '12,346', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        digits = 3 if value == 0 else max(0, 3 - math.floor(math.log10(abs(value))))
        return f"{value:,.{digits}f}"
    return f"{value:.3e}"


def significant(value: float | None, digits: int = 3) -> str:
    """A number with at least `digits` significant digits, without an exponent where that can be read.

    Example
    -------
    >>> significant(0.01234), significant(1234.5), significant(2.0), significant(1e-9), significant(None)
    ('0.0123', '1,234', '2.00', '1.00e-09', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e9:
        return signed(f"{value:.{digits - 1}e}")
    size = 0 if value == 0 else math.floor(math.log10(abs(value)))
    return signed(f"{value:,.{max(0, digits - 1 - size)}f}")


def signed(text: str) -> str:
    """The sign as a minus, and none at a zero."""
    if not text.startswith("-"):
        return text
    return "−" + text[1:] if any(c in "123456789" for c in text) else text[1:]


def percent(share: float | None, decimals: int | None = None) -> str:
    """A share as a percentage; without `decimals` as many as it needs, two at most.

    Example
    -------
    >>> percent(0.9), percent(0.975), percent(0.8812, 1), percent(None)
    ('90 %', '97.5 %', '88.1 %', '–')
    """
    if share is None or not math.isfinite(share):
        return "–"
    text = f"{round(100 * share, 2):g}" if decimals is None else f"{100 * share:.{decimals}f}"
    return f"{text} %"


def listing(names: list[str]) -> str:
    """Names as a sentence has them.

    Example
    -------
    >>> listing(["ETS"]), listing(["ETS", "ridge", "last value"])
    ('ETS', 'ETS, ridge and last value')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
