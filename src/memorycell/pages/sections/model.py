"""The report's sections on any model: how it learned, how to repeat it."""

from __future__ import annotations

import datetime
import inspect
import os
import platform
from typing import Any

import numpy as np
import torch

import memorycell
from memorycell.data.samples import Source
from memorycell.kernels.native import library
from memorycell.pages.page import Html, Section, element, facts, figure, paragraph
from memorycell.pages.plots.network import learning_curve
from memorycell.pages.wording import counted, listing, significant


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
    if epochs == 1:  # one point is no curve
        losses = [("training", history[0].get("loss")), ("validation", history[0].get("val_loss"))]
        said = listing([f"{name} loss {significant(loss)}" for name, loss in losses if loss is not None])
        section.add(paragraph(f"One epoch{of}: {said}.", again), *(paragraph(remark) for remark in remarks))
        return section
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


def reproduced(task: Any, lines: str, command: str | None, source: Source) -> Section:
    """How to make a fitted task again.

    Parameters
    ----------
    lines : of Python
    command : of the shell, that wrote the page
    source : the data
    """
    section = Section("reproduce", "How to make it again")
    if command:
        section.add(paragraph("This page was written by"), element("pre", element("code", command)))
    section.add(paragraph("The model is that of"), element("pre", element("code", lines)))
    native = library() is not None
    section.add(
        facts(
            {
                "seed": str(task.seed_),
                "threads": counted(task.n_threads_, "thread"),
                "device": str(next(task.network_.parameters()).device),
                "memorycell": memorycell.__version__ + ("" if native else ", without its native library"),
                "torch": torch.__version__,
                "numpy": np.__version__,
                "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
                "data": f"{source.name}, {source.size:,} bytes" if source.file else source.name,
                "SHA-256 of the data": Html(element("code", source.sha256, class_="hash")) if source.sha256 else None,
                "trained in": f"{significant(task.train_seconds_, 2)} s",
                "report written": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            }
        ),
        paragraph("The same seed, data, versions, threads and kind of processor give the same bits."),
    )
    return section


def training_data(task: Any, source: Source, seen: bool | None = None) -> tuple[str, str]:
    """What a task was trained on, as code: a path that is there, or a name; and the line that says what it stands for.

    Parameters
    ----------
    source : the data of the page
    seen : whether they are what it was trained on; None: by the fingerprint of the file
    """
    known = task.trained_on_.get("sha256")
    if source.file is not None and (source.sha256 == known if known else seen):
        return repr(os.fspath(source.file)), ""
    what = task.trained_on_.get("source")
    said = f"the path of {what}, SHA-256 {known[:12]}…" if known else "what it was trained on"
    return "training_data", f"training_data = ...  # {said}\n"


def python_lines(task: Any, name: str, given: tuple[str, str], more: str = "") -> str:
    """The lines that fit such a task: ``name.fit(given)``; `given` is of `training_data`, `more` follows it."""
    kind = type(task)
    defaults = {parameter: each.default for parameter, each in inspect.signature(kind).parameters.items()}
    # A model file holds tuples as lists: the same arguments, so they are written the same.
    values = {
        parameter: tuple(value) if isinstance(value, list) else value
        for parameter, value in task.get_params(deep=False).items()
    }
    changed = [f"{parameter}={value!r}" for parameter, value in values.items() if value != defaults[parameter]]
    arguments = ", ".join(each for each in changed if not each.startswith("verbose="))
    data, before = given
    made = f"{name} = {kind.__name__}({arguments})\n{name}.fit({data}{more})"
    return f"from memorycell import {kind.__name__}\n\n{before}{made}"
