"""Columns as text: CSV, JSON records, a table to read."""

from __future__ import annotations

import csv
import datetime
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.lines import one_line

_SHOWN = 60  # rows of a table on the screen


def date_texts(dates: NDArray) -> list[str]:
    """Dates in the one form that says all of them, or step numbers as they are.

    Example
    -------
    >>> date_texts(np.array(["2024-05-01", "2024-05-02"], "datetime64[ns]"))
    ['2024-05-01', '2024-05-02']
    >>> date_texts(np.array(["2024-05-01T00:00", "2024-05-01T06:30"], "datetime64[ns]"))
    ['2024-05-01 00:00:00', '2024-05-01 06:30:00']
    """
    if dates.dtype.kind != "M":
        return [str(step) for step in dates.tolist()]
    for unit in ("D", "s", "ms", "us"):
        if (dates.astype(f"datetime64[{unit}]") == dates).all():
            break
    else:
        unit = "ns"
    return [text.replace("T", " ") for text in np.datetime_as_string(dates, unit=unit).tolist()]  # type: ignore[call-overload]


def as_csv(columns: dict[str, NDArray]) -> str:
    """The columns as CSV with a header; ten significant digits, nothing where a value is missing."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    texts = [_texts(values, lambda value: f"{value:.10g}") for values in columns.values()]
    writer.writerows(zip(*texts, strict=True))
    return out.getvalue()


def as_records(columns: dict[str, NDArray]) -> list[dict[str, Any]]:
    """A dict a row, plain JSON; None where a value is missing."""
    plain: dict[str, list[Any]] = {}
    for name, values in columns.items():
        if values.dtype.kind == "f":
            plain[name] = [float(f"{value:.10g}") if math.isfinite(value) else None for value in values.tolist()]
        else:
            plain[name] = date_texts(values) if values.dtype.kind == "M" else [_plain(each) for each in values.tolist()]
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, datetime.date) else value


def as_table(columns: dict[str, NDArray]) -> str:
    """A table to read, numbers to the digit that their spread makes worth reading."""
    count = len(next(iter(columns.values())))
    shown = count if count <= _SHOWN else _SHOWN - 10
    cells, numeric = [], []
    digits = decimals([values for values in columns.values() if values.dtype.kind == "f"])
    for name, values in columns.items():
        texts = _texts(values[:shown], lambda value: f"{value:,.{digits}f}")
        cells.append([one_line(text) for text in (name, *texts)])
        numeric.append(values.dtype.kind in "fi")
    lines = aligned(list(zip(*cells, strict=True)), numeric)
    if shown < count:
        lines.append(f"… and {count - shown:,} more rows: write them to a file with -o forecast.csv")
    return "\n".join(lines)


def decimals(groups: list[NDArray]) -> int:
    """Decimals that show three digits of the values' spread, and two where they do not spread."""
    values = np.concatenate(groups) if groups else np.empty(0)
    values = values[np.isfinite(values)]
    spread = float(np.ptp(values)) if len(values) > 1 else float(np.abs(values).max(initial=0.0))
    if not spread > 0:
        return 2
    return min(12, max(0, 2 - math.floor(math.log10(spread))))


def aligned(rows: list[tuple[str, ...]], numeric: list[bool]) -> list[str]:
    """Lines of a table: text to the left, numbers to the right; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(numeric))]
    lines = []
    for row in rows:
        parts = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return lines


def _texts(values: NDArray, number: Any) -> list[str]:
    if values.dtype.kind == "f":
        return [number(value) if math.isfinite(value) else "" for value in values.tolist()]
    return (
        date_texts(values)
        if values.dtype.kind == "M"
        else ["" if value is None else str(value) for value in values.tolist()]
    )
