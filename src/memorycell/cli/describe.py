"""A fitted forecaster in words and in plain JSON."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np


def facts(forecaster: Any) -> dict[str, Any]:
    """What a forecaster is and learned, as plain JSON."""
    best = best_epoch(forecaster)
    codec = forecaster.codec_
    return {
        "task": "forecast",
        "targets": list(forecaster.target_names_),
        "horizon": int(forecaster.horizon),
        "window": int(forecaster.window_),
        "state": forecaster.state,
        "cell": forecaster.cell,
        "network": type(forecaster.network_).__name__,
        "choices": _plain(forecaster.plan_),
        "quantiles": [float(level) for level in forecaster.quantiles],
        "parameters": int(forecaster.n_parameters_),
        "frequency": str(codec.frequency_),
        "time": _names(codec.time_),
        "series_column": codec.series_,
        "series": len(codec.ids_),
        "splits": {name: list(span) for name, span in forecaster.splits_.items()},
        "train_end": train_end_text(forecaster),
        "epochs": len(forecaster.history_),
        "best_epoch": int(forecaster.best_epoch_),
        "loss": best.get("loss"),
        "validation_loss": best.get("val_loss"),
        "stopped": forecaster.stopped_,
        "train_seconds": round(float(forecaster.train_seconds_), 3),
        "threads": int(forecaster.n_threads_),
        "seed": int(forecaster.seed),
        "settings": _plain(forecaster.get_params()),
        "notes": [note["text"] for note in forecaster.notes_],
    }


def best_epoch(forecaster: Any) -> dict[str, Any]:
    """The row of the history whose weights were best; empty when no epoch was finished."""
    rows = [row for row in forecaster.history_ if row["epoch"] == forecaster.best_epoch_]
    return rows[-1] if rows else {}


def fit_summary(forecaster: Any, output: Path, data: Path, report: Path | None) -> str:
    """What a person wants to know after a training, and what to do next."""
    best = best_epoch(forecaster)
    loss = best.get("val_loss") if best.get("val_loss") is not None else best.get("loss")
    lines = [
        f"{output}: forecasts {listing(forecaster.target_names_)} {steps(forecaster.horizon)} ahead "
        f"from the last {forecaster.window_:,}",
        f"  {network_text(forecaster)}",
        f"  {epochs_text(forecaster)} in {forecaster.train_seconds_:.1f} s on {threads(forecaster.n_threads_)}"
        + ("" if loss is None else f"; validation loss {loss:.4g}" if best.get("val_loss") is not None else ""),
    ]
    if report is not None:
        lines.append(f"  report: {report}")
    model, table = shlex.quote(str(output)), shlex.quote(str(data))
    lines += [
        "Next:",
        f"  memorycell predict {model} {table}",
        f"  memorycell evaluate {model} {table} --folds 3",
    ]
    return "\n".join(lines)


def network_text(forecaster: Any) -> str:
    """The network in one line: cells, sizes, parameters."""
    choices, layers = forecaster.plan_, int(forecaster.num_layers)
    kind = "carried" if forecaster.state == "carried" else choices["network"]
    name = "" if kind == "lstm" else f", network {kind}"
    deep = "" if layers == 1 else f", {layers} layers"
    return f"{forecaster.cell} of {choices['hidden_size']} units{deep}{name}: {forecaster.n_parameters_:,} parameters"


def epochs_text(forecaster: Any) -> str:
    """How long it was trained, and how that ended."""
    count = len(forecaster.history_)
    ending = {"early": "stopped early", "interrupted": "interrupted"}.get(forecaster.stopped_, "")
    epochs = f"{count} {'epoch' if count == 1 else 'epochs'}"
    return ", ".join(part for part in (epochs, f"best {forecaster.best_epoch_}", ending) if part)


def train_end_text(forecaster: Any) -> str:
    """Date or step of the last row that training has seen; the latest where series end on different dates."""
    end = forecaster.train_end_
    if isinstance(end, dict):
        end = max(end.values())
    return date_text(end)


def date_text(date: Any) -> str:
    """A date without the parts that are zero."""
    if not isinstance(date, np.datetime64):
        return str(date).removesuffix("T00:00:00.000000000")
    text = str(np.datetime_as_string(date, unit="s")).replace("T", " ")
    return text.removesuffix(" 00:00:00")


def steps(count: int) -> str:
    """``1 step``, ``7 steps``."""
    return f"{count:,} {'step' if count == 1 else 'steps'}"


def threads(count: int) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{count} {'thread' if count == 1 else 'threads'}"


def listing(names: Any) -> str:
    """``a, b and c``."""
    names = [str(name) for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _names(names: Any) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else [str(name) for name in names]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
