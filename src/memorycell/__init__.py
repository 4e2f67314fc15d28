"""memorycell: LSTM networks for sequences, trained properly, measured honestly, understood and put to work.

Names are loaded when first used, so that importing the package (and ``memorycell --help``) loads no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Comparison": "memorycell.evaluation.compare",
    "DivergedError": "memorycell.training",
    "Evaluation": "memorycell.evaluation.result",
    "Forecaster": "memorycell.tasks.forecaster",
    "GRU": "memorycell.layers",
    "GRUCell": "memorycell.layers",
    "LSTM": "memorycell.layers",
    "LSTMCell": "memorycell.layers",
    "ModelFileError": "memorycell.training",
    "RNN": "memorycell.layers",
    "RNNCell": "memorycell.layers",
    "Trace": "memorycell.layers",
    "TrainingOptions": "memorycell.training",
    "accelerate": "memorycell.layers",
    "adding_problem": "memorycell.evaluation.adding_problem",
    "backtest": "memorycell.evaluation.backtest",
    "compare": "memorycell.evaluation.compare",
    "evaluate_fitted": "memorycell.evaluation.backtest",
    "load": "memorycell.tasks.loading",
    "read_table": "memorycell.data.tables",
    "train": "memorycell.training",
    "write_report": "memorycell.interfaces.report",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOME:
        raise AttributeError(f"module 'memorycell' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
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
