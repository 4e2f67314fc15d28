"""The report's sections on the model: how it learned, what its gates did, what it is, how to repeat it."""

from __future__ import annotations

import datetime
import hashlib
import inspect
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import memorycell
from memorycell.kernels.native import library
from memorycell.pages.page import Html, Section, element, facts, figure, paragraph, table
from memorycell.pages.plots.network import learning_curve
from memorycell.pages.plots.traces import gates
from memorycell.pages.wording import counted, significant

if TYPE_CHECKING:
    from memorycell.jobs.forecasting.page.report import Material

_WHY = {
    "window": "two of the longest season that the data show many times, and at least twice the horizon",
    "network": "whole segments as steps for horizons of 24 and more, else layers read at the window's end",
    "segment": "the divisor of the horizon nearest to half of it",
    "hidden_size": "the default of this network",
    "dropout": "the default of this network",
    "learning_rate": "the default of this network",
    "batch_size": "about a hundred training steps an epoch",
    "epochs": "the most allowed, about 2,500 training steps: early stopping ends most runs before",
}
_PLAN_NAMES = {
    "window": "window (steps)",
    "segment": "segment (steps)",
    "hidden_size": "hidden size",
    "normalize": "normalisation",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
}
_ROWS = "Each row is one unit of the layer and each column one of its steps"
_READ = {
    "LSTM": (
        f"{_ROWS}: the forget gate says how much of its cell a unit keeps, the input gate how much new "
        "content it writes, the output gate how much of the cell it shows. Where a row's forget gate stays "
        "strong and its input gate faint, the unit carries something old along; where the two change places, "
        "it takes in what has just happened."
    ),
    "GRU": (
        f"{_ROWS}: the update gate says how much of its state a unit keeps, the reset gate how much of the "
        "past it lets into the new content. Where a row's update gate stays strong, the unit carries "
        "something old along; where it fades, the unit takes in what has just happened."
    ),
    "RNN": (
        f"{_ROWS}; a plain RNN has no gates, so every unit is written anew at every step. A row whose colour "
        "lasts over many columns holds on to something; one that flickers follows the last input."
    ),
}


def learning(model: Any, of: str = ", standardised", *remarks: str) -> Section:
    """The learning curve of a fitted task; `of` says what its loss is, `remarks` what else there is to say of it."""
    section = Section("learning", "How it learned")
    history = model.history_
    if not history:
        return section
    epochs, watched = len(history), any(entry.get("val_loss") is not None for entry in history)
    ended = {
        "early": "Training stopped early: the validation loss had not improved for a while.",
        "interrupted": "Training was interrupted by the user.",
        "finished": "Training ran for all the epochs it was given.",
    }
    best = f"Epoch {model.best_epoch_} did best on validation." if watched else ""
    again = next((note["text"] for note in model.notes_ if note.get("kind") == "refit"), "")
    section.add(
        paragraph(f"{counted(epochs, 'epoch')}.", ended.get(model.stopped_, ""), best, again),
        figure(
            lambda width: learning_curve(history, model.best_epoch_ if watched else None, width=width),
            "learning",
            f"Loss by epoch{of}. Dropout is on in the training loss, so it may be the higher one."
            if watched
            else f"Training loss by epoch{of}.",
        ),
        *(paragraph(remark) for remark in remarks),
    )
    return section


def gate_activity(material: Material) -> Section:
    """What the gates did on the last window."""
    section = Section("gates", "What the gates did on the last window")
    forecaster, encoded = material.forecaster, material.encoded
    if material.forecasts is None:
        return section
    trace = forecaster.trace(material.table, material.future)
    stop = int(encoded.observed_rows[0])
    start = max(0, stop - forecaster.window_)
    values = encoded.target[start:stop, 0].double().numpy() * encoded.scale[0, 0] + encoded.center[0, 0]
    of = f" of {encoded.ids[0]}" if len(encoded.ids) > 1 else ""
    section.add(
        paragraph(_READ.get(forecaster.cell, "")),
        figure(
            lambda width: gates(
                trace, dates=encoded.dates[start:stop], values=values, name=material.targets[0], width=width
            ),
            "gates",
            f"The last {counted(stop - start, 'row')}{of}, as the last recurrent layer took them. Strong "
            "colour is the upper end of the range in its heading, faint the lower; longest memory on top.",
        ),
    )
    return section


def model(material: Material) -> Section:
    """The network, its size and the choices that were made."""
    section = Section("model", "The model")
    forecaster = material.forecaster
    layers = f"{counted(forecaster.num_layers, 'layer')} of {forecaster.cell}"
    carried = forecaster.state == "carried"
    section.add(
        facts(
            {
                "network": f"{type(forecaster.network_).__name__}: {layers}",
                "parameters": f"{forecaster.n_parameters_:,}",
                "horizon": counted(forecaster.horizon, "step") + ", forecast at once",
                "state": "carried through the series" if carried else "each window from zero",
                "point forecast": "mean (squared error)" if forecaster.loss == "squared" else "median",
                "quantiles": ", ".join(f"{level:g}" for level in forecaster.quantiles),
            }
        ),
        table(["choice", "value", "why"], _choices(forecaster), words=3),
    )
    return section


def _choices(forecaster: Any) -> list[list[str]]:
    """A row a choice of the plan: its name, its value and why."""
    given, rows = forecaster.get_params(), []
    for name, value in forecaster.plan_.items():
        if value is not None:
            why = _why(name, forecaster) if given.get(name) == "auto" else "given by the user, or the default"
            said = f"{value:,}" if isinstance(value, int) else str(value)
            rows.append([_PLAN_NAMES.get(name, name), said, why])
    return rows


def _why(name: str, forecaster: Any) -> str:
    if name == "normalize":
        text = next((note["text"] for note in forecaster.notes_ if note.get("kind") == "normalize"), "")
        return text.partition(": ")[2].rstrip(".") or text
    return _WHY.get(name, "chosen from the data")


def reproduction(material: Material) -> Section:
    """Command, seed, versions and the data's fingerprint."""
    targets = material.targets[0] if len(material.targets) == 1 else material.targets
    source = repr(material.file.name) if material.file else "table"
    lines = python_lines(material.forecaster, "forecaster", f"{source}, target={targets!r}")
    return reproduced(material.forecaster, lines, material.command, material.file, material.table.source)


def reproduced(task: Any, lines: str, command: str | None, file: Path | None, source: str) -> Section:
    """How to make a fitted task again.

    Parameters
    ----------
    lines : of Python
    command : of the shell, that wrote the page
    file, source : the data's file, or what else the data are
    """
    section = Section("reproduce", "How to make it again")
    if command:
        section.add(paragraph("This page was written by"), element("pre", element("code", command)))
    section.add(paragraph("The model is that of"), element("pre", element("code", lines)))
    native = library() is not None
    size, digest = _fingerprint(file)
    section.add(
        facts(
            {
                "seed": str(task.seed),
                "threads": counted(task.n_threads_, "thread"),
                "device": str(next(task.network_.parameters()).device),
                "memorycell": memorycell.__version__ + ("" if native else ", without its native library"),
                "torch": torch.__version__,
                "numpy": np.__version__,
                "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
                "data": f"{file.name}, {size:,} bytes" if file else source,
                "SHA-256 of the data": Html(element("code", digest, class_="hash")) if digest else None,
                "trained in": f"{significant(task.train_seconds_, 2)} s",
                "report written": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            }
        ),
        paragraph("The same seed, data, versions, threads and kind of processor give the same bits."),
    )
    return section


def python_lines(task: Any, name: str, given: str) -> str:
    """The lines that fit such a task: ``name.fit(given)``."""
    kind = type(task)
    defaults = {parameter: each.default for parameter, each in inspect.signature(kind).parameters.items()}
    # A model file holds tuples as lists: the same arguments, so they are written the same.
    values = {
        parameter: tuple(value) if isinstance(value, list) else value
        for parameter, value in task.get_params(deep=False).items()
    }
    changed = [f"{parameter}={value!r}" for parameter, value in values.items() if value != defaults[parameter]]
    arguments = ", ".join(each for each in changed if not each.startswith("verbose="))
    return f"from memorycell import {kind.__name__}\n\n{name} = {kind.__name__}({arguments})\n{name}.fit({given})"


def _fingerprint(file: Path | None) -> tuple[int, str]:
    """Bytes and SHA-256 of a file; 0 and "" without one."""
    if file is None:
        return 0, ""
    with file.open("rb") as stream:
        return file.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()
