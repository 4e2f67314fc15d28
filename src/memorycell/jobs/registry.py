"""load: the right estimator for any model file."""

from __future__ import annotations

import importlib
import os
from typing import Any

from memorycell.training.files import ModelFileError, read_kind

# Kinds of model files and the modules of their classes.
_CLASSES = {
    "forecaster": ("memorycell.jobs.forecasting.task", "Forecaster"),
    "LanguageModel": ("memorycell.jobs.language.task", "LanguageModel"),
    "SequenceClassifier": ("memorycell.jobs.labelling.classifier", "SequenceClassifier"),
    "SequenceRegressor": ("memorycell.jobs.labelling.regressor", "SequenceRegressor"),
    "Tagger": ("memorycell.jobs.tagging.task", "Tagger"),
}


def load(path: str | os.PathLike[str]) -> Any:
    """The fitted estimator of a model file, whatever task it is of.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is empty, truncated, foreign, of a newer release or tampered with.

    Example
    -------
    >>> load("nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: no model file at nowhere.safetensors
    """
    kind = read_kind(os.fspath(path))
    if kind not in _CLASSES:
        raise ModelFileError(f"{os.fspath(path)} holds a {kind!r:.60}, which this release does not know")
    module, name = _CLASSES[kind]
    return getattr(importlib.import_module(module), name).load(path)
