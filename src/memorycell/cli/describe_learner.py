"""A fitted classifier, regressor, tagger or language model in words and in plain JSON."""

from __future__ import annotations

from typing import Any

from memorycell.cli.words import best_epoch, bullets, listing, markdown, plain

_SHOWN = 8  # labels in one line
_READS = {"text": "texts", "numbers": "series of numbers", "symbols": "symbols", "words": "words", "steps": "numbers"}
_LIMITS = {
    "SequenceClassifier": (
        "It knows the classes it was trained on and no others: whatever it is given, it names one of them.",
        "Its probabilities are those of data like the training data; where classes come in other shares, they mislead.",
    ),
    "SequenceRegressor": ("What it says beyond the range of the training data is a guess.",),
    "Tagger": ("It knows the labels it was trained on and no others.",),
    "LanguageModel": (
        "It writes what is likely in texts like its own, true or not, and repeats what those hold.",
        "Perplexities of models with different vocabularies cannot be compared; bits per character can.",
    ),
}
_FLATTERS = (
    "The validation loss above chose when to stop, so it flatters. `memorycell evaluate` measures on other data, "
    "or by cross-validation, beside simple baselines."
)


def facts(model: Any) -> dict[str, Any]:
    """What a model is and learned, as plain JSON."""
    best = best_epoch(model)
    own: dict[str, Any] = {}
    if hasattr(model, "classes_"):
        own["classes"] = plain(list(model.classes_.tolist()))
    if hasattr(model, "tokens_"):
        own["tokens"] = int(model.tokens_)
    if hasattr(model.codec_, "size"):
        own["vocabulary"] = int(model.codec_.size)
    return {
        "task": type(model).__name__,
        "reads": _reads(model),
        **own,
        "network": plain(model.network_.config()),
        "choices": plain(model.plan_),
        "parameters": int(model.n_parameters_),
        "epochs": len(model.history_),
        "best_epoch": int(model.best_epoch_),
        "loss": best.get("loss"),
        "validation_loss": best.get("val_loss"),
        "stopped": model.stopped_,
        "train_seconds": round(float(model.train_seconds_), 3),
        "threads": int(model.n_threads_),
        "seed": int(model.seed),
        "settings": _settings(model),
        "notes": [note["text"] for note in model.notes_],
    }


def headline(model: Any) -> str:
    """What it does, after its file's name."""
    if hasattr(model, "classes_"):
        named = [str(label) for label in model.classes_.tolist()]
        rest = len(named) - _SHOWN
        shown = listing(named) if rest <= 0 else f"{', '.join(named[:_SHOWN])} and {rest:,} more"
        each = "every step of " if type(model).__name__ == "Tagger" else ""
        return f"{len(named):,} labels for {each}{_reads(model)}: {shown}"
    if type(model).__name__ == "LanguageModel":
        return f"predicts a text {model.unit} by {model.unit}, from {model.tokens_:,} tokens"
    return f"a number for {_reads(model)}"


def network_text(model: Any) -> str:
    """The network in one line: cells, sizes, parameters."""
    config = model.network_.config()
    encoder = model.network_.encoder
    sizes = "-".join(str(size) for size in encoder.hidden_sizes)
    both = " in each direction" if encoder.bidirectional else ""
    extra = []
    if config.get("convolution"):
        extra.append("convolutions beside it")
    if "Crf" in str(config.get("head")) or config.get("head") == "crf":
        extra.append("a CRF on top")
    if config.get("tied"):
        extra.append("tied embedding")
    words = "".join(f", {text}" for text in extra)
    return f"{encoder.cell} of {sizes} units{both}{words}: {model.n_parameters_:,} parameters"


def next_commands(model: str, data: str) -> list[str]:
    """What to do with the model of this file next."""
    return [f"memorycell evaluate {model} {data} --folds 5", f"memorycell report {model} {data}"]


def rows(model: Any) -> list[tuple[str, str]]:
    """Names and values of what a person asks first."""
    found = [("answers", headline(model)), ("network", network_text(model))]
    if hasattr(model.codec_, "size"):
        found.append(("vocabulary", f"{model.codec_.size:,} tokens"))
    return found


def card(model: Any) -> dict[str, str]:
    """The sections of the model card that are of this task; see `memorycell.cli.describe.model_card`."""
    purpose = headline(model)
    data = {"LanguageModel": "text.txt", "Tagger": "words.tsv"}.get(type(model).__name__, "data.csv")
    commands = [f"memorycell predict {{model}} {data}"]
    if type(model).__name__ == "LanguageModel":
        commands.append('memorycell generate {model} --prompt "Once upon a time"')
    return {
        "purpose": f"{markdown(purpose[0].upper() + purpose[1:])}.",
        "model": bullets(*(f"{name.capitalize()}: {markdown(value)}" for name, value in rows(model))),
        "data": bullets(*(markdown(note["text"]) for note in model.notes_)) or "No remarks.",
        "use": "\n".join(commands),
        "limits": bullets(*_LIMITS[type(model).__name__], _FLATTERS),
    }


def _reads(model: Any) -> str:
    if type(model).__name__ == "LanguageModel":
        return "text"
    given = model.input_
    return _READS[given["kind"] if isinstance(given, dict) else given]


def _settings(model: Any) -> dict[str, Any]:
    """Parameters as JSON; a model among them by its name."""
    given = model.get_params(deep=False)
    simple = (str, int, float, bool, list, tuple, dict, type(None))
    return {name: plain(value) if isinstance(value, simple) else str(value) for name, value in given.items()}
