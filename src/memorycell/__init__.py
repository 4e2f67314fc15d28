"""memorycell: LSTM networks for sequences, trained properly, measured honestly, understood and put to work.

Names are loaded when first used, so that importing the package (and ``memorycell --help``) loads no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

from memorycell.jobs.card import resolved
from memorycell.jobs.registry import own

_HOME = {
    "Comparison": "memorycell.jobs.forecasting.measures.compare",
    "Corpus": "memorycell.data.text.corpus",
    "CrossValidation": "memorycell.evaluation.result",
    "DivergedError": "memorycell.training",
    "Evaluation": "memorycell.jobs.forecasting.measures.result",
    "Explained": "memorycell.insight.explained",
    "Explanation": "memorycell.insight.explanation",
    "GRU": "memorycell.layers",
    "GRUCell": "memorycell.layers",
    "LSTM": "memorycell.layers",
    "LSTMCell": "memorycell.layers",
    "LearningCurve": "memorycell.evaluation.learning_curve",
    "ModelFileError": "memorycell.training",
    "ModelTrace": "memorycell.insight.tracing",
    "ParameterGroup": "memorycell.training",
    "RNN": "memorycell.layers",
    "RNNCell": "memorycell.layers",
    "States": "memorycell.insight.states",
    "TextCodec": "memorycell.data.text.text_codec",
    "Trace": "memorycell.layers",
    "TrainingOptions": "memorycell.training",
    "accelerate": "memorycell.layers",
    "active_units": "memorycell.insight.patterns",
    "adding_problem": "memorycell.evaluation.adding_problem",
    "backtest": "memorycell.jobs.forecasting.measures.backtest",
    "compare_cells": "memorycell.jobs.forecasting.measures.compare",
    "cross_validate": "memorycell.evaluation.cross_validation",
    "evaluate_fitted": "memorycell.jobs.forecasting.measures.backtest",
    "evaluate_held_out": "memorycell.evaluation.cross_validation",
    "explain_by": "memorycell.insight.methods",
    "find_pattern": "memorycell.insight.patterns",
    "gradient_flow": "memorycell.insight.gradient_flow",
    "import_weights": "memorycell.training.foreign",
    "learning_curve": "memorycell.evaluation.learning_curve",
    "linear_probe": "memorycell.insight.probes",
    "load": "memorycell.jobs.registry",
    "lookback": "memorycell.insight.lookback",
    "memory": "memorycell.insight.memory",
    "nearest_states": "memorycell.insight.neighbours",
    "project": "memorycell.insight.projection",
    "read_labelled": "memorycell.data.labels.reading",
    "read_table": "memorycell.data.tables.reading",
    "read_tagged": "memorycell.data.text.tagged_files",
    "trace_network": "memorycell.insight.tracing",
    "train": "memorycell.training",
    "write_explanation": "memorycell.pages.explain",
    "write_report": "memorycell.pages.report",
}

# The tasks: a row each room in the registry.
_TASKS = {job.name: job.task for job in own().jobs}

_MODULES = {"checks": "memorycell.checks", "plot": "memorycell.plot"}

__all__ = sorted([*_HOME, *_TASKS, *_MODULES])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _MODULES:
        value = importlib.import_module(_MODULES[name])
    elif name in _TASKS:
        value = resolved(_TASKS[name])
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'memorycell' has no attribute {name!r}")
    globals()[name] = value
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("memorycell")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
