"""read_ts: labelled sequences of the UCR and UEA archives (`.ts` files)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memorycell.data.labels.labelled import Labelled
from memorycell.data.text.text_file import read_text

_FLAGS = {"timestamps", "missing", "univariate", "equallength"}


@dataclass
class _Header:
    """What the lines before @data say."""

    name: str = ""
    flags: dict[str, bool] = field(default_factory=dict)
    dimensions: int | None = None
    length: int | None = None
    labels: str = ""  # "", "class" or "target"
    classes: list[str] = field(default_factory=list)


def read_ts(path: str | Path, encoding: str = "utf-8") -> Labelled:
    """Read a `.ts` (or `.ts.gz`) file: one sequence a line, channels separated by colons, the label last.

    The header's keys are those of the format of sktime and aeon (https://www.aeon-toolkit.org, "The .ts file
    format"): @problemName, @timeStamps, @missing, @univariate, @dimensions, @equalLength, @seriesLength,
    @classLabel or @targetLabel, @data. Unknown keys are left aside; a missing value is ``?`` or ``NaN``.

    Returns
    -------
    Labelled
        `x`: list of float32 arrays (T_i, F), NaN where missing; `y`: class names as text, or float64 numbers with
        @targetLabel, or None.

    Raises
    ------
    ValueError
        Not such a file; a line with another number of channels than the others or the header says, with channels
        of different lengths, with an unknown class, with text in the place of a number: each with its line. Files with
        time stamps.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.ts"
    >>> _ = path.write_text("@univariate false\\n@classLabel true a b\\n@data\\n1,2,3:4,5,6:a\\n7,8:9,0:b\\n")
    >>> data = read_ts(path)
    >>> [sequence.shape for sequence in data.x], data.y.tolist()
    ([(3, 2), (2, 2)], ['a', 'b'])
    """
    path = Path(path)
    lines = read_text(path, encoding).split("\n")
    header, first = _read_header(path.name, lines)
    sequences: list[NDArray] = []
    labels: list[str] = []
    for number, line in enumerate(lines[first:], first + 1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{path.name}, line {number:,}"
        parts = line.split(":")
        if header.labels:
            labels.append(_label(where, header, parts))
        sequences.append(_sequence(where, header, parts))
    if not sequences:
        raise ValueError(f"{path.name} has a header but no sequences below @data")
    y = _targets(path.name, labels) if header.labels == "target" else np.array(labels) if labels else None
    return Labelled(
        x=sequences,
        y=y,
        names=[f"x{j}" for j in range(sequences[0].shape[1])],
        source=header.name or path.name,
        rows=np.arange(len(sequences)),
    )


def _read_header(name: str, lines: list[str]) -> tuple[_Header, int]:
    """The header, and how many lines it takes."""
    header = _Header()
    for number, line in enumerate(lines):
        line = line.strip()
        if not line or line.startswith(("#", "%")):
            continue
        if not line.startswith("@"):
            raise ValueError(f"{name}, line {number + 1:,}: expected a header line (@...) or @data, got {line!r:.60}")
        key, *values = line[1:].split()
        key = key.lower()
        if key == "data":
            if header.flags.get("timestamps"):
                raise ValueError(
                    f"{name} has time stamps (@timeStamps true), which are not read: write the values alone, one a step"
                )
            return header, number + 1
        _take(header, key, values, f"{name}, line {number + 1:,}")
    raise ValueError(f"{name} has no line @data: expected a .ts file (a header of lines with @, @data, then sequences)")


def _take(header: _Header, key: str, values: list[str], where: str) -> None:
    """One line of the header."""

    def flag() -> bool:
        if not values or values[0].lower() not in ("true", "false"):
            raise ValueError(f"{where}: expected true or false after @{key}, got {' '.join(values)!r:.40}")
        return values[0].lower() == "true"

    def count() -> int:
        if not values or not values[0].isdecimal() or len(values[0]) > 9 or not int(values[0]):
            raise ValueError(f"{where}: expected a whole number after @{key}, got {' '.join(values)!r:.40}")
        return int(values[0])

    if key in _FLAGS:
        header.flags[key] = flag()
    elif key in ("dimension", "dimensions"):
        header.dimensions = count()
    elif key == "serieslength":
        header.length = count()
    elif key == "problemname":
        header.name = " ".join(values)
    elif key in ("classlabel", "targetlabel"):
        header.labels = key[: -len("label")] if flag() else header.labels
        header.classes = values[1:] if key == "classlabel" else []


def _label(where: str, header: _Header, parts: list[str]) -> str:
    """The label of a line, taken off its parts."""
    if len(parts) < 2:
        raise ValueError(f"{where}: expected a label after the last colon, got none (is the file cut off?)")
    label = parts.pop().strip()
    if not label:
        raise ValueError(f"{where}: the label is empty")
    if header.classes and label not in header.classes:
        listed = ", ".join(header.classes[:8])
        raise ValueError(f"{where}: expected one of the classes of the header ({listed}), got {label!r:.40}")
    return label


def _sequence(where: str, header: _Header, parts: list[str]) -> NDArray[np.float32]:
    """The values of one line, (T, F); also checks that they agree with the header and the lines before."""
    if header.flags.get("univariate"):
        header.dimensions = 1
    if header.dimensions is None:
        header.dimensions = len(parts)
    if len(parts) != header.dimensions:
        raise ValueError(f"{where}: expected {header.dimensions} channels (parts between colons), got {len(parts)}")
    channels = [_values(where, part) for part in parts]
    lengths = [len(channel) for channel in channels]
    if min(lengths) != max(lengths):
        shortest = lengths.index(min(lengths))
        raise ValueError(
            f"{where}: expected channels of equal length, got {max(lengths)} steps, but {min(lengths)} in channel "
            f"{shortest}: sample them alike"
        )
    if header.flags.get("equallength"):
        header.length = lengths[0] if header.length is None else header.length
        if lengths[0] != header.length:
            raise ValueError(
                f"{where}: expected {header.length} steps (the header says @equalLength true), got {lengths[0]}"
            )
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite: whoever encodes the steps refuses it
        return np.array(channels, np.float32).T.copy()


def _values(where: str, part: str) -> list[float]:
    texts = part.split(",")
    try:
        return list(map(float, texts))
    except ValueError:
        pass
    try:
        return [float("nan") if text.strip() == "?" else float(text) for text in texts]
    except ValueError:
        wrong = next(text for text in texts if text.strip() != "?" and not _is_number(text))
        what = f"{wrong.strip()!r:.40}" if wrong.strip() else "nothing"
        raise ValueError(f"{where}: expected numbers separated by commas, got {what} among them") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _targets(name: str, labels: list[str]) -> NDArray[np.float64]:
    try:
        return np.array(labels, np.float64)
    except ValueError:
        wrong = next(label for label in labels if not _is_number(label))
        raise ValueError(f"{name}: expected numbers as labels (@targetLabel true), got {wrong!r:.40}") from None
