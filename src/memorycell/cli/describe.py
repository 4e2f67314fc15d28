"""A fitted model in words, whatever its task: after training, as `info` shows it, and as a model card."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from memorycell.cli.pipes import called
from memorycell.cli.words import bullets, epochs_text, markdown, size, threads, training_text


def fit_summary(model: Any, output: Path, data: Path, report: Path | None) -> str:
    """What a person wants to know after a training, and what to do next."""
    lines = [f"{output}: {model.headline()}", f"  {model.network_text()}", f"  {training_text(model)}"]
    if report is not None:
        lines.append(f"  report: {report}")
    names = {"model": shlex.quote(str(output)), "data": shlex.quote(called(data))}
    return "\n".join([*lines, "Next:", *(f"  {command.format(**names)}" for command in type(model).JOB.next)])


def model_text(model: Any, path: Path) -> str:
    """What a model is, in a few aligned lines."""
    rows = [
        ("model", f"{path} ({size(path)})"),
        *model.rows(),
        *trained_on(model),
        ("training", epochs_text(model)),
        ("time", f"{model.train_seconds_:.1f} s on {threads(model.n_threads_)}, seed {model.seed_}"),
    ]
    return "\n".join(f"{name:<14} {value}" for name, value in rows)


def model_card(model: Any, path: Path) -> str:
    """The model card (Mitchell et al. 2019), in Markdown."""
    best, job, purpose = model.best_epoch_row(), type(model).JOB, model.purpose()
    names = {"model": shlex.quote(str(path)), "data": job.file}
    use = "\n".join(command.format(**names) for command in job.use)
    data = [f"{name.capitalize()}: {value}" for name, value in [*trained_on(model), *model.data_rows()]]
    parts = [
        f"# {markdown(path.stem)}",
        f"{markdown(purpose[0].upper() + purpose[1:])}.",
        "## Model",
        bullets(*(f"{name.capitalize()}: {markdown(value)}" for name, value in model.rows()), f"Size: {size(path)}"),
        "## Data",
        bullets(*(markdown(text) for text in [*data, *(note["text"] for note in model.notes_)])) or "No remarks.",
        "## Training",
        bullets(
            f"{epochs_text(model)}, {model.train_seconds_:.1f} s on {threads(model.n_threads_)}",
            f"Settings: `{model!r}`".replace("\n", " "),
            *([f"Validation loss: {best['val_loss']:.4g}"] if best.get("val_loss") is not None else []),
        ),
        f"## Use\n\n```sh\n{use}\n```",
        "## Limits",
        bullets(*job.limits, _FLATTERS),
    ]
    return "\n\n".join(parts)


_FLATTERS = (
    "The validation loss above chose when to stop, so it flatters. `memorycell evaluate` measures on other data, "
    "or on folds, beside simple baselines."
)


def trained_on(model: Any) -> list[tuple[str, str]]:
    """What the model was trained on, as far as its file tells."""
    known = model.trained_on_
    if not known:
        return []
    said = f"{known['rows']:,} {known.get('noun', 'rows')} of {known['source']}"
    if known.get("sha256"):
        said += f" ({known['bytes']:,} bytes, SHA-256 {known['sha256'][:16]}…)"
    return [("trained on", said)]
