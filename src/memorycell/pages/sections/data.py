"""What the sections on data share: reading without remarks, names of sources, notes, lengths."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.labels.labelled import Labelled
from memorycell.kernels.quiet import quiet
from memorycell.pages.wording import counted


def quiet_copy(model: Any) -> Any:
    """The model, so that notes taken while a page is made stay with the page."""
    model.check_fitted()
    model = copy.copy(model)
    model.notes_ = list(model.notes_)
    return model


@contextmanager
def unwarned() -> Iterator[None]:
    """Within it the remarks of a task on its data warn of nothing: the page has them among its notes."""
    with quiet(UserWarning):
        yield


def split_data(data: Any) -> tuple[Any, Any, Path | None, str]:
    """X, y, the file and a name of whatever holds samples."""
    if isinstance(data, Labelled):
        return data.x, data.y, None, data.source or "X, y"
    if isinstance(data, str | os.PathLike):
        return data, None, Path(data), Path(data).name
    if isinstance(data, tuple) and len(data) == 2:
        return data[0], data[1], None, "X, y"
    return data, None, None, type(data).__name__


def span_of(lengths: NDArray[Any], unit: str) -> str:
    """ "12 in the middle, 3 to 40 words"."""
    if lengths.min() == lengths.max():
        return f"{counted(int(lengths.min()), unit)} each"
    return f"{np.median(lengths):g} in the middle, {lengths.min():,} to {lengths.max():,} {unit}s"


def own_notes(model: Any) -> list[dict[str, str]]:
    """The model's notes, but for those that the section on its training has."""
    return [note for note in model.notes_ if note.get("kind") != "refit"]
