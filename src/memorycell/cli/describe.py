"""A fitted model in words, whatever its task: after training, as `info` shows it, and as a model card."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

from memorycell.cli import describe_forecast, describe_learner
from memorycell.cli.words import best_epoch, bullets, epochs_text, markdown, size, threads, training_text


def _of(model: Any) -> ModuleType:
    """The module that knows the words for this task: `facts`, `headline`, `network_text`, `rows`, `card`."""
    return describe_forecast if type(model).__name__ == "Forecaster" else describe_learner


def facts(model: Any) -> dict[str, Any]:
    """What a model is and learned, as plain JSON."""
    return _of(model).facts(model)


def fit_summary(model: Any, output: Path, data: Path, report: Path | None) -> str:
    """What a person wants to know after a training, and what to do next."""
    words = _of(model)
    lines = [f"{output}: {words.headline(model)}", f"  {words.network_text(model)}", f"  {training_text(model)}"]
    if report is not None:
        lines.append(f"  report: {report}")
    commands = words.next_commands(shlex.quote(str(output)), shlex.quote(str(data)))
    return "\n".join([*lines, "Next:", *(f"  {command}" for command in commands)])


def model_text(model: Any, path: Path) -> str:
    """What a model is, in a few aligned lines."""
    rows = [
        ("model", f"{path} ({size(path)})"),
        *_of(model).rows(model),
        ("training", epochs_text(model)),
        ("time", f"{model.train_seconds_:.1f} s on {threads(model.n_threads_)}, seed {model.seed}"),
    ]
    return "\n".join(f"{name:<14} {value}" for name, value in rows)


def model_card(model: Any, path: Path) -> str:
    """The model card (Mitchell et al. 2019), in Markdown."""
    best, own = best_epoch(model), _of(model).card(model)
    use = own["use"].format(model=shlex.quote(str(path)))
    parts = [
        f"# {markdown(path.stem)}",
        own["purpose"],
        f"## Model\n\n{own['model']}\n{bullets(f'Size: {size(path)}')}",
        f"## Data\n\n{own['data']}",
        "## Training",
        bullets(
            f"{epochs_text(model)}, {model.train_seconds_:.1f} s on {threads(model.n_threads_)}",
            f"Settings: `{model!r}`".replace("\n", " "),
            *([f"Validation loss: {best['val_loss']:.4g}"] if best.get("val_loss") is not None else []),
        ),
        f"## Use\n\n```sh\n{use}\n```",
        f"## Limits\n\n{own['limits']}",
    ]
    return "\n\n".join(parts)
