"""memorycell: LSTM networks for sequences, trained properly, measured honestly, understood and put to work.

Names are loaded when first used, so that importing the package (and ``memorycell --help``) loads no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Comparison": "memorycell.jobs.forecasting.measures.compare",
    "Corpus": "memorycell.data.text.corpus",
    "CrossValidation": "memorycell.evaluation.cross_validation_result",
    "DivergedError": "memorycell.training",
    "Evaluation": "memorycell.jobs.forecasting.measures.result",
    "Explained": "memorycell.insight.explained",
    "Explanation": "memorycell.insight.explanation",
    "Forecaster": "memorycell.jobs.forecasting.task",
    "GRU": "memorycell.layers",
    "GRUCell": "memorycell.layers",
    "LSTM": "memorycell.layers",
    "LSTMCell": "memorycell.layers",
    "LanguageModel": "memorycell.jobs.language.task",
    "LearningCurve": "memorycell.evaluation.learning_curve",
    "ModelFileError": "memorycell.training",
    "ModelTrace": "memorycell.insight.tracing",
    "ParameterGroup": "memorycell.training",
    "RNN": "memorycell.layers",
    "RNNCell": "memorycell.layers",
    "SequenceClassifier": "memorycell.jobs.labelling.classifier",
    "SequenceRegressor": "memorycell.jobs.labelling.regressor",
    "States": "memorycell.insight.states",
    "Tagger": "memorycell.jobs.tagging.task",
    "TextCodec": "memorycell.data.text.text_codec",
    "Trace": "memorycell.layers",
    "TrainingOptions": "memorycell.training",
    "accelerate": "memorycell.layers",
    "active_units": "memorycell.insight.patterns",
    "adding_problem": "memorycell.evaluation.adding_problem",
    "backtest": "memorycell.jobs.forecasting.measures.backtest",
    "compare": "memorycell.jobs.forecasting.measures.compare",
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
    "read_labelled": "memorycell.data.labels.labelled",
    "read_table": "memorycell.data.tables.table",
    "read_tagged": "memorycell.data.text.tagged_files",
    "trace_network": "memorycell.insight.tracing",
    "train": "memorycell.training",
    "write_explanation": "memorycell.pages.explain",
    "write_report": "memorycell.pages.report",
}

_MODULES = {"plot": "memorycell.plot"}

__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _MODULES:
        value = importlib.import_module(_MODULES[name])
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
