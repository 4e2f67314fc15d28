"""write_report: what a fitted task learned and is worth, as one HTML file."""

from __future__ import annotations

import copy
import inspect
import os
from pathlib import Path
from typing import Any

from memorycell.pages.page_file import check_page_path
from memorycell.training.files import write_atomically


def write_report(
    path: str | os.PathLike[str],
    model: Any,
    data: Any,
    *,
    evaluation: Any = None,
    train: Any = None,
    unit: str | None = None,
    seen: bool | None = None,
    command: str | None = None,
    force: bool = False,
    **options: Any,
) -> Path:
    """Write a report on a fitted task: one HTML file for screens, phones and paper, that loads nothing.

    How good it is, is shown with an `evaluation`. Returns the path.

    Parameters
    ----------
    path : where to: ``something.html``
    model : a fitted task of this library
    data : what its `read` takes, with what is to be answered; or what that returned
        Of a forecaster the table to forecast from; of the others samples with their labels: a file or a frame, or
        ``(X, y)``; of a language model a text.
    evaluation : of ``model.measured``, ``model.evaluate``, `cross_validate` or `evaluate_held_out`
    train : what the model was trained on: baselines learn from it, and are shown beside the model on `data`
        In place of an `evaluation`; not of a forecaster, whose table holds the rows before those that are forecast.
    unit : of the targets, for example "°C"
    seen : whether the model was trained on `data`; None: as its file tells, where it does
        What it does on data that it may have seen is no measure of it, and is not shown as one.
    command : the command line that led here, to be shown beside the lines of Python
    force : replace an existing file
    options : what else such a page is told; of a forecaster ``backtest``, an evaluation that refitted on the way and is
        shown in full, and ``future``, the known-future columns of the steps to come

    Raises
    ------
    FileExistsError, OSError
        When there is a file and no `force`, or it cannot be written: what was there stays as it was.
    TypeError
        For a model that there is no report on, or an option that its page does not know.
    ValueError
        When the model is not fitted or the data do not fit it, for a `path` that is not .html or .htm, that is the file
        of the data, or that is there and is no regular file.

    Example
    -------
    >>> import tempfile
    >>> import numpy as np
    >>> from memorycell import Forecaster
    >>> readings = 20 + 5 * np.sin(np.arange(120) / 3)
    >>> forecaster = Forecaster(window=6, epochs=1, verbose=False).fit(readings)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = write_report(Path(folder, "report.html"), forecaster, readings).read_text(encoding="utf-8")
    >>> "<h1>Forecast of y</h1>" in text
    True
    """
    path = check_page_path(path, data, options.get("future"), force=force)
    job = job_of(model)
    reading = {option.name: options.pop(option.name, None) for option in job.of("report") if option.reading}
    page = job.look_up(job.page)
    known = inspect.signature(page).parameters
    wrong = next((name for name in options if name not in known), None)
    if wrong is not None:
        raise TypeError(f"{wrong}= is not for the report on a {job.name}: leave it out")
    model = copied(model)
    samples = read_pair(model, data, **{name: value for name, value in reading.items() if value is not None})
    if seen is None:
        seen = model.was_trained_on(samples)
    if train is not None:
        evaluation = measured_beside(model, samples, train, evaluation)
    made = page(model, samples, evaluation=evaluation, seen=seen, unit=unit, command=command, **options)
    write_atomically(path, made.text().encode("utf-8", "replace"))
    return path


def measured_beside(model: Any, samples: Any, train: Any, evaluation: Any = None) -> Any:
    """An evaluation of a model on samples beside baselines that learn from its training data.

    Raises
    ------
    ValueError, TypeError
        With an evaluation already, of a model that needs no such data, and without anything to measure by.
    """
    if evaluation is not None:
        raise ValueError("expected evaluation= or train=, got both: an evaluation has its baselines already")
    if not any(option.name == "train" for option in job_of(model).of("report")):
        raise TypeError(f"train= is not for the report on a {job_of(model).name}: leave it out")
    return model.measured(samples, train=read_pair(model, train))


def job_of(model: Any) -> Any:
    """The card of a model's job.

    Raises
    ------
    TypeError
        For anything else than a task of this library, or of one that brings jobs.
    """
    job = getattr(type(model), "JOB", None)
    if job is None:
        raise TypeError(
            f"expected a fitted task, such as a SequenceClassifier or a Forecaster, got {type(model).__name__}"
        )
    return job


def copied(model: Any) -> Any:
    """The model, so that notes taken while a page is made stay with the page."""
    model.check_fitted()
    model = copy.copy(model)
    model.notes_ = list(model.notes_)
    return model


def read_pair(model: Any, data: Any, **reading: Any) -> Any:
    """What a model reads of data; of ``(X, y)`` both."""
    if isinstance(data, tuple) and len(data) == 2:
        return model.read(*data, **reading)
    return model.read(data, **reading)
