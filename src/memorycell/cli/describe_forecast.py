"""A fitted forecaster in words and in plain JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from memorycell.cli.words import best_epoch, bullets, listing, markdown, plain, steps


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
        "choices": plain(forecaster.plan_),
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
        "settings": plain(forecaster.get_params()),
        "notes": [note["text"] for note in forecaster.notes_],
    }


def headline(forecaster: Any) -> str:
    """What it does, after its file's name."""
    ahead = steps(forecaster.horizon)
    return f"forecasts {listing(forecaster.target_names_)} {ahead} ahead from the last {forecaster.window_:,}"


def next_commands(model: str, data: str) -> list[str]:
    """What to do with the model of this file next."""
    return [f"memorycell predict {model} {data}", f"memorycell evaluate {model} {data} --folds 3"]


def network_text(forecaster: Any) -> str:
    """The network in one line: cells, sizes, parameters."""
    choices, layers = forecaster.plan_, int(forecaster.num_layers)
    kind = "carried" if forecaster.state == "carried" else choices["network"]
    name = "" if kind == "lstm" else f", network {kind}"
    deep = "" if layers == 1 else f", {layers} layers"
    return f"{forecaster.cell} of {choices['hidden_size']} units{deep}{name}: {forecaster.n_parameters_:,} parameters"


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


def _names(names: Any) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else [str(name) for name in names]


def rows(forecaster: Any) -> list[tuple[str, str]]:
    """Names and values of what a person asks first."""
    return [
        ("forecasts", f"{listing(forecaster.target_names_)}, {steps(forecaster.horizon)} ahead"),
        ("looks back on", _looks_back(forecaster)),
        ("series", _series(forecaster)),
        ("network", network_text(forecaster)),
        ("intervals", _intervals(forecaster)),
        ("trained on", f"rows up to {train_end_text(forecaster)}"),
    ]


def card(forecaster: Any) -> dict[str, str]:
    """The sections of the model card that are of this task; see `memorycell.cli.describe.model_card`."""
    return {
        "purpose": f"Forecasts {markdown(listing(forecaster.target_names_))}, {steps(forecaster.horizon)} ahead.",
        "model": bullets(
            f"Network: {network_text(forecaster)}",
            f"Looks back on: {_looks_back(forecaster)}",
            f"Intervals: {_intervals(forecaster)}",
        ),
        "data": bullets(
            f"Series: {markdown(_series(forecaster))}",
            f"Last row seen: {train_end_text(forecaster)}",
            *(f"{name.capitalize()}: targets from {_span(span)}" for name, span in forecaster.splits_.items()),
            *(markdown(note["text"]) for note in forecaster.notes_),
        ),
        "use": "memorycell predict {model} data.csv -o forecast.csv",
        "limits": bullets(
            "It knows the past of its table and nothing else: what never happened there it cannot foresee.",
            "The validation loss above chose when to stop, so it flatters. `memorycell evaluate` measures honestly, "
            "on later rows or by a backtest, beside simple baselines.",
            "Its intervals assume that the near future errs as the recent past did.",
        ),
    }


def _looks_back(forecaster: Any) -> str:
    if forecaster.state == "carried":
        return f"all rows so far (trained on {steps(forecaster.window_)} at a time)"
    return f"{steps(forecaster.window_)} of {forecaster.codec_.frequency_}"


def _series(forecaster: Any) -> str:
    codec = forecaster.codec_
    return "one" if codec.series_ is None else f"{len(codec.ids_):,}, told apart by column {codec.series_}"


def _intervals(forecaster: Any) -> str:
    levels = ", ".join(f"{level * 100:g} %" for level in forecaster.quantiles)
    return f"quantiles at {levels}, adjusted on rows that training had not seen"


def _span(span: Any) -> str:
    return " to ".join(date_text(date) for date in span)
