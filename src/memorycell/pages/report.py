"""write_report: what a fitted task learned and is worth, as one HTML file."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from memorycell.pages.page_file import check_page_path
from memorycell.training.files import write_atomically

# The module that makes the page of each task.
_PAGES = {
    "Forecaster": "memorycell.jobs.forecasting.page.report",
    "LanguageModel": "memorycell.jobs.language.page",
    "SequenceClassifier": "memorycell.jobs.labelling.page_classes",
    "SequenceRegressor": "memorycell.jobs.labelling.page_numbers",
    "Tagger": "memorycell.jobs.tagging.page",
}


def write_report(
    path: str | os.PathLike[str],
    model: Any,
    data: Any,
    *,
    evaluation: Any = None,
    backtest: Any = None,
    future: Any = None,
    unit: str | None = None,
    seen: bool | None = None,
    command: str | None = None,
    force: bool = False,
) -> Path:
    """Write a report on a fitted task: one HTML file for screens, phones and paper, that loads nothing.

    How good it is, is shown with an `evaluation` or a `backtest`. Returns the path.

    Parameters
    ----------
    path : where to: ``something.html``
    model : a fitted `Forecaster`, `SequenceClassifier`, `SequenceRegressor`, `Tagger` or `LanguageModel`
    data : of a forecaster the table to forecast from: anything `Forecaster.predict` takes
        Of the others, samples with their labels: a file or a frame, or ``(X, y)``; of a language model a text.
    evaluation, backtest : of `forecaster.evaluate`, `memorycell.backtest`; of both the backtest is shown in full
        Of the others `evaluation` is of `cross_validate` or `evaluate_held_out`, of a tagger or a language model also
        of its own ``evaluate``.
    future : known-future columns of the steps to come; a forecaster that needs them has no forecast without
    unit : of the targets, for example "°C"
    seen : whether the model was trained on `data`; None: it is not known
        What it does on data that it may have seen is no measure of it, and is not shown as one.
    command : the command line that led here, to be shown beside the lines of Python
    force : replace an existing file

    Raises
    ------
    FileExistsError, OSError
        When there is a file and no `force`, or it cannot be written: what was there stays as it was.
    TypeError
        For a model that there is no report on.
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
    path = check_page_path(path, data, future, force=force)
    task = next((kind.__name__ for kind in type(model).__mro__ if kind.__name__ in _PAGES), None)
    if task is None:
        raise TypeError(f"expected a fitted {', '.join(_PAGES)}, got {type(model).__name__}")
    options: dict[str, Any] = {"evaluation": evaluation, "unit": unit, "command": command}
    if task == "Forecaster":
        options |= {"backtest": backtest, "future": future}
    else:
        options |= {"seen": seen}
    # Each page has imports of its own, and its own kind of evaluation.
    page = importlib.import_module(_PAGES[task]).page
    write_atomically(path, page(model, data, **options).encode("utf-8", "replace"))
    return path
