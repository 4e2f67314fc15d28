"""write_explanation: one answer of a fitted task, taken apart, as one HTML file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memorycell.pages.page_file import check_page_path
from memorycell.training.files import write_atomically

METHODS = ("integrated gradients", "occlusion", "decomposition", "contextual decomposition")

# What can be asked of each task: see its `explained`.
ASKED: dict[str, tuple[str, ...]] = {
    "Forecaster": ("at", "series", "target", "step", "future"),
    "LanguageModel": ("row", "place", "output", "against"),
    "SequenceClassifier": ("row", "output", "against"),
    "SequenceRegressor": ("row", "output"),
    "Tagger": ("row", "place", "output", "against"),
}


def write_explanation(
    path: str | os.PathLike[str],
    model: Any,
    data: Any,
    *,
    at: Any = None,
    row: int | None = None,
    place: int | None = None,
    output: Any = None,
    against: Any = None,
    series: Any = None,
    target: str | None = None,
    step: int | None = None,
    future: Any = None,
    method: str = "integrated gradients",
    command: str | None = None,
    force: bool = False,
) -> Path:
    """Write a page that explains one answer: one HTML file, alive with a small script of its own, that loads nothing.

    It shows the input and the answer, which steps or words made it, and the recurrent cell with its equations and the
    real numbers of every step in them, stepped through with a slider; what the gates did, and how long the model
    remembers. Without JavaScript the pictures stand as they are. Returns the path.

    Parameters
    ----------
    path : where to: ``something.html``
    model : a fitted `Forecaster`, `SequenceClassifier`, `SequenceRegressor`, `Tagger` or `LanguageModel`
    data : what its ``explained`` takes: a table, sequences, a text, or a file of them
    at, series, target, step, future : which forecast: date of the last step seen, and so on; see `Forecaster.explained`
    row : which sequence or text, from 0; of a forecaster the row of the last step seen
    place : which word of it, of a tagger; which token, of a language model
    output, against : the class, label or token explained, and the one it is set against
    method : "integrated gradients", "occlusion", "decomposition", or, of at most 300 steps, "contextual decomposition"
        The last of them takes every single step for a phrase of its own.
    command : the command line that led here, to be shown
    force : replace an existing file

    Raises
    ------
    FileExistsError, OSError
        When there is a file and no `force`, or it cannot be written: what was there stays as it was.
    TypeError
        For a model that cannot be explained.
    ValueError
        When an argument does not belong to such a model, or names what is not there; for a `path` that is not .html or
        .htm, that is the file of the data, or that is there and is no regular file.

    Example
    -------
    >>> import tempfile
    >>> from memorycell import SequenceClassifier
    >>> texts, labels = ["good film", "bad film", "so good", "so bad"] * 5, ["+", "-", "+", "-"] * 5
    >>> model = SequenceClassifier(hidden_size=4, epochs=1, verbose=False).fit(texts, labels)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = write_explanation(Path(folder, "why.html"), model, texts, row=1).read_text(encoding="utf-8")
    >>> "Inside the cell" in text
    True
    """
    given = {
        "at": at, "row": row, "place": place, "output": output, "against": against, "series": series,
        "target": target, "step": step, "future": future,
    }  # fmt: skip
    write_page(path, model, data, asked(task_of(model), given), method, command, force=force)
    return Path(path)


def write_page(
    path: str | os.PathLike[str],
    model: Any,
    data: Any,
    where: dict[str, Any],
    method: str,
    command: str | None = None,
    *,
    force: bool = False,
) -> str:
    """Write the page of `write_explanation`, and return what was not read of the data: "" where all of it was.

    What is explained, `where`, is as `asked` returns it.
    """
    from memorycell.pages.explaining.material import gather
    from memorycell.pages.explaining.page import page

    path = check_page_path(path, data, where.get("future"), force=force)
    with _warned_once():
        material = gather(task_of(model), model, data, where, method_of(method), command)
        text = page(material)
    write_atomically(path, text.encode("utf-8", "replace"))
    return material.unread


@contextmanager
def _warned_once() -> Iterator[None]:
    """Within it the same data are read several times: what is to be said of them is said once, afterwards."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for category, text in dict.fromkeys((each.category, str(each.message)) for each in caught):
        warnings.warn(text, category, stacklevel=5)


def task_of(model: Any) -> str:
    """The task that a model is of.

    Raises
    ------
    TypeError
        For anything else.
    """
    task = next((kind.__name__ for kind in type(model).__mro__ if kind.__name__ in ASKED), None)
    if task is None:
        raise TypeError(f"expected a fitted {', '.join(ASKED)}, got {type(model).__name__}")
    return task


def asked(task: str, given: dict[str, Any], name_of: Callable[[str], str] = str) -> dict[str, Any]:
    """The arguments that were given; `row` of a forecaster is another way to say `at`.

    Raises
    ------
    ValueError
        If one of them is not for this task; `name_of` says what the user calls it.

    Example
    -------
    >>> asked("Tagger", {"row": 3, "at": None}), asked("Forecaster", {"row": 3})
    ({'row': 3}, {'at': 3})
    """
    known = {name: value for name, value in given.items() if value is not None}
    if task == "Forecaster" and "row" in known:
        if "at" in known:
            raise ValueError(f"expected {name_of('at')} or {name_of('row')}, got both: they name the same thing")
        known["at"] = known.pop("row")
    for name in known:
        if name not in ASKED[task]:
            options = ", ".join(name_of(each) for each in ASKED[task])
            raise ValueError(f"{name_of(name)} is not for models of this kind: they know {options}")
    return known


def method_of(name: str) -> str:
    """A method of which there are pages.

    Raises
    ------
    ValueError
        For any other.
    """
    if name not in METHODS:
        raise ValueError(f"expected a method of {', '.join(map(repr, METHODS))}, got {name!r}")
    return name
