"""The sections on the model that every page but the forecaster's has: learning, network, choices, repeating."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memorycell.data.samples import Source
from memorycell.evaluation.result import CrossValidation
from memorycell.pages.page import Section, facts, table
from memorycell.pages.sections import model as report_model
from memorycell.pages.wording import counted, listing, percent, significant

_RISEN = 0.1  # of the validation loss, from which over-fitting is said
_NAMES = {
    "alpha": "activation regularisation",
    "beta": "temporal activation regularisation",
    "bptt": "steps that gradients travel back",
    "crf": "conditional random field",
    "max_length": "longest sequence read",
    "min_count": "least count of a known word",
}


def learning(model: Any, of: str, evaluation: CrossValidation | None = None) -> Section:
    """The learning curve, and over-fitting by name: as the evaluation found it, else by the curve."""
    found = evaluation.overfitting if evaluation is not None else None
    return report_model.learning(model, of, found or rising(model))


def rising(model: Any) -> str:
    """A sentence where the validation loss rose by a tenth or more after its best while the training loss fell.

    Example
    -------
    >>> class Model:
    ...     history_ = [{"epoch": k, "loss": 1 / k, "val_loss": loss} for k, loss in enumerate([1.0, 0.5, 0.9], 1)]
    ...     best_epoch_ = 2
    >>> rising(Model()).split(":")[0]
    'Over-fitting after epoch 2'
    """
    history = [row for row in model.history_ if row.get("val_loss") is not None]
    best = next((row for row in history if row["epoch"] == model.best_epoch_), None)
    if best is None or history[-1] is best:
        return ""
    last = history[-1]
    if last["val_loss"] < (1 + _RISEN) * best["val_loss"] or last["loss"] >= best["loss"]:
        return ""
    return (
        f"Over-fitting after epoch {best['epoch']}: by epoch {last['epoch']} the validation loss had risen from "
        f"{significant(best['val_loss'])} to {significant(last['val_loss'])} while the training loss fell on (said "
        f"where it rises by {percent(_RISEN)} or more). The weights of epoch {best['epoch']} were kept."
    )


def cards(model: Any, shown: Mapping[str, str]) -> dict[str, str]:
    """The few numbers that people look for first: those `shown`, and what the training took and made."""
    return {
        **shown,
        "trained in": f"{significant(model.train_seconds_, 2)} s",
        "parameters": f"{model.n_parameters_:,}",
    }


def validation_loss(model: Any) -> float | None:
    """The validation loss of the epoch whose weights were kept, None where nothing was held out."""
    best = next((row for row in model.history_ if row["epoch"] == model.best_epoch_), None)
    return None if best is None else best.get("val_loss")


def network_section(model: Any, more: Mapping[str, Any] | None = None) -> Section:
    """The network, its size and the choices that were made."""
    section = Section("model", "The model")
    section.add(
        facts(
            {
                "network": network_text(model),
                "parameters": f"{model.n_parameters_:,}",
                "vocabulary": next((said.partition(" ")[0] for row, said in model.rows() if row == "vocabulary"), None),
                **(more or {}),
            }
        ),
        table(["choice", "value", "why"], choices(model), words=3),
    )
    return section


def network_text(model: Any) -> str:
    """The network in one line."""
    config, encoder = model.network_.config(), model.network_.encoder
    layers = counted(len(encoder.hidden_sizes), "layer")
    sizes = "-".join(map(str, encoder.hidden_sizes if len(set(encoder.hidden_sizes)) > 1 else encoder.hidden_sizes[:1]))
    extra = [" in each direction"] if encoder.bidirectional else []
    extra += [f"; pooled by {listing(config['pooling'])}"] if config.get("pooling") else []
    extra += [", convolutions beside it"] if config.get("convolution") else []
    extra += [", a conditional random field on top"] if model.plan_.get("crf") else []
    extra += [", the output tied to the embedding"] if config.get("tied") else []
    return f"{encoder.cell}, {layers} of {sizes} units{''.join(extra)}"


def choices(model: Any, names: Mapping[str, str] = _NAMES) -> list[list[str]]:
    """A row for each choice of the plan that was made: its name, its value and why."""
    rows = []
    for name, value, reason in model.plan_:
        if value is None:
            continue
        if isinstance(value, Mapping):
            said = ", ".join(
                f"{key} {each:g}" if isinstance(each, float) else f"{key} {each}" for key, each in value.items()
            )
        elif isinstance(value, Sequence) and not isinstance(value, str):
            said = ", ".join(str(each) for each in value)
        else:
            said = {True: "yes", False: "no"}[value] if isinstance(value, bool) else _number(value)
        rows.append([names.get(name, name.replace("_", " ")), said, reason])
    return rows


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def reproduction(model: Any, name: str, command: str | None, source: Source, seen: bool | None = None) -> Section:
    """How to make the model again; `name` is that of the variable, `seen` whether it learned from the data."""
    lines = report_model.python_lines(model, name, report_model.training_data(model, source, seen))
    return report_model.reproduced(model, lines, command, source)
