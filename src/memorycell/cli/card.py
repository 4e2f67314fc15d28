"""A model's text and its model card (Mitchell et al. 2019), from what its file holds."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from memorycell.cli.describe import (
    best_epoch,
    date_text,
    epochs_text,
    listing,
    network_text,
    steps,
    threads,
    train_end_text,
)


def model_text(forecaster: Any, path: Path) -> str:
    """What a model is, in a few aligned lines."""
    rows = [
        ("model", f"{path} ({_size(path)})"),
        ("forecasts", f"{listing(forecaster.target_names_)}, {steps(forecaster.horizon)} ahead"),
        ("looks back on", _looks_back(forecaster)),
        ("series", _series(forecaster)),
        ("network", network_text(forecaster)),
        ("intervals", _intervals(forecaster)),
        ("trained on", f"rows up to {train_end_text(forecaster)}; {epochs_text(forecaster)}"),
        ("time", f"{forecaster.train_seconds_:.1f} s on {threads(forecaster.n_threads_)}, seed {forecaster.seed}"),
    ]
    return "\n".join(f"{name:<14} {value}" for name, value in rows)


def model_card(forecaster: Any, path: Path) -> str:
    """The model card, in Markdown."""
    best = best_epoch(forecaster)
    parts = [
        f"# {_md(path.stem)}",
        f"Forecasts {_md(listing(forecaster.target_names_))}, {steps(forecaster.horizon)} ahead.",
        "## Model",
        _bullets(
            f"Network: {network_text(forecaster)}",
            f"Looks back on: {_looks_back(forecaster)}",
            f"Intervals: {_intervals(forecaster)}",
            f"Size: {_size(path)}",
        ),
        "## Data",
        _bullets(
            f"Series: {_md(_series(forecaster))}",
            f"Last row seen: {train_end_text(forecaster)}",
            *(f"{name.capitalize()}: targets from {_span(span)}" for name, span in forecaster.splits_.items()),
            *(_md(note["text"]) for note in forecaster.notes_),
        ),
        "## Training",
        _bullets(
            f"{epochs_text(forecaster)}, {forecaster.train_seconds_:.1f} s on {threads(forecaster.n_threads_)}",
            f"Settings: `{forecaster!r}`".replace("\n", " "),
            *([f"Validation loss: {best['val_loss']:.4g}"] if best.get("val_loss") is not None else []),
        ),
        "## Use",
        f"```sh\nmemorycell predict {shlex.quote(str(path))} data.csv -o forecast.csv\n```",
        "## Limits",
        _bullets(
            "It knows the past of its table and nothing else: what never happened there it cannot foresee.",
            "The validation loss above chose when to stop, so it flatters. `memorycell evaluate` measures honestly, "
            "on later rows or by a backtest, beside simple baselines.",
            "Its intervals assume that the near future errs as the recent past did.",
        ),
    ]
    return "\n\n".join(parts)


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


def _size(path: Path) -> str:
    size = float(path.stat().st_size)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _md(text: str) -> str:
    """Text that Markdown takes as it is."""
    return "".join("\\" + char if char in "\\`*_{}[]<>#|" else char for char in text)


def _bullets(*texts: str) -> str:
    return "\n".join(f"- {text}" for text in texts)
