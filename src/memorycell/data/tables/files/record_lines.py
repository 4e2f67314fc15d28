"""record_lines: in which line of a text file each record begins, empty lines and line breaks in quotes counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BREAK, _RETURN, _QUOTE = 10, 13, 34


def record_lines(body: Any, first: int, *, quoted: bool = True, skip_empty: bool = True) -> NDArray[np.int64]:
    """The line of each record.

    Parameters
    ----------
    body : bytes or a buffer, from the first record on
    first : the line that it begins in
    quoted : whether a line break between quotes belongs to a value
    skip_empty : whether an empty line is no record

    Example
    -------
    >>> record_lines(b'a,1\\n\\n"b\\nc",2\\nd,3\\n', first=2).tolist()
    [2, 4, 6]
    """
    letters = np.frombuffer(body, np.uint8)
    breaks = np.flatnonzero(letters == _BREAK)
    ends = breaks
    if quoted:
        inside = np.bitwise_xor.accumulate((letters == _QUOTE).view(np.uint8))
        ends = breaks[inside[breaks] == 0]
    starts = np.concatenate([[0], ends + 1])
    stops = np.concatenate([ends, [len(letters)]])
    if starts[-1] == len(letters):
        starts, stops = starts[:-1], stops[:-1]
    if skip_empty:
        length = stops - starts
        alone = (length == 1) & (letters[np.minimum(starts, len(letters) - 1)] == _RETURN)
        starts = starts[(length > 0) & ~alone]
    return first + np.searchsorted(breaks, starts)
