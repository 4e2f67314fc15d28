"""write_explanation: one answer of a fitted task, taken apart, as one HTML file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memorycell.kernels.quiet import quiet
from memorycell.pages.page_file import check_page_path
from memorycell.pages.report import job_of
from memorycell.training.files import write_atomically

METHODS = ("integrated gradients", "occlusion", "decomposition", "contextual decomposition")


def write_explanation(
    path: str | os.PathLike[str],
    model: Any,
    data: Any,
    *,
    method: str = "integrated gradients",
    command: str | None = None,
    force: bool = False,
    **where: Any,
) -> Path:
    """Write a page that explains one answer: one HTML file, alive with a small script of its own, that loads nothing.

    It shows the input and the answer, which steps or words made it, and the recurrent cell with its equations and the
    real numbers of every step in them, stepped through with a slider; what the gates did, and how long the model
    remembers. Without JavaScript the pictures stand as they are. Returns the path.

    Parameters
    ----------
    path : where to: ``something.html``
    model : a fitted task of this library
    data : what its ``explained`` takes: a table, sequences, a text, or a file of them
    method : "integrated gradients", "occlusion", "decomposition", or, of at most 300 steps, "contextual decomposition"
        The last of them takes every single step for a phrase of its own.
    command : the command line that led here, to be shown
    force : replace an existing file
    where : what is explained, as its ``explained`` is told: ``row``, ``place``, ``output`` and ``against`` of sequences
        and texts; ``at``, ``series``, ``target``, ``step`` and ``future`` of forecasts, where ``row`` says ``at``

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
    write_page(path, model, data, asked(job_of(model), where), method, command, force=force)
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
    counted: bool = False,
) -> str:
    """Write the page of `write_explanation`, and return what was not read of the data: "" where all of it was.

    What is explained, `where`, is as `asked` returns it; `counted`: its row is a line of the user's file.
    """
    from memorycell.pages.explaining.material import gather
    from memorycell.pages.explaining.page import page

    path = check_page_path(path, data, where.get("future"), force=force)
    with _warned_once():
        material = gather(model, data, where, method_of(method), command, counted=counted)
        text = page(material)
    write_atomically(path, text.encode("utf-8", "replace"))
    return material.unread


@contextmanager
def _warned_once() -> Iterator[None]:
    """Within it the same data are read several times: what is to be said of them is said once, afterwards."""
    with quiet(UserWarning) as said:
        yield
    for text in dict.fromkeys(said):
        warnings.warn(text, UserWarning, stacklevel=5)


def explained_as_json(
    model: Any, data: Any, where: Mapping[str, Any], method: str, *, counted: bool = False
) -> tuple[dict[str, Any], str]:
    """What each step adds, as plain JSON, and what was not read of the data; see `write_page`."""
    from memorycell.pages.explaining.material import explained_by, read

    samples, asked = read(model, data, where, counted)
    explained = model.explained(samples, **asked)
    with model.at_work():
        found = explained_by(explained, method).to_dict()
    unread = model.unread(samples, explained, asked)
    return found | {"note": " ".join(filter(None, (found["note"], unread)))}, unread


def asked(
    job: Any, given: Mapping[str, Any], name_of: Callable[[str], str] = str, command: str = "explain"
) -> dict[str, Any]:
    """The arguments that were given to a command, if it knows them of such a model.

    Raises
    ------
    ValueError
        If one of them is not for this job; `name_of` says what the user calls it.
    """
    known = {name: value for name, value in given.items() if value is not None}
    options = {option.name: option.value for option in job.of(command)}
    for name, value in known.items():
        if name not in options:
            names = ", ".join(name_of(each) for each in options)
            does = f"they know {names}" if names else "leave it out"
            raise ValueError(f"{name_of(name)} is not for models of this kind: {does}")
        if isinstance(value, str):  # jobs may mean different things by a name: text is read as this one does
            try:
                known[name] = options[name].parse(value)
            except ValueError as error:
                raise ValueError(f"{name_of(name)}: {error}") from None
            options[name].check(name_of(name), known[name])
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
