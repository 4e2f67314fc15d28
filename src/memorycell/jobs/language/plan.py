"""What "auto" becomes in a LanguageModel, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memorycell.jobs.language.parameters import DROPOUTS
from memorycell.jobs.plan import GIVEN, Plan, layer_sizes

MANY_TOKENS = 50_000  # vocabulary from which a full softmax costs far more than the recurrent layers
# Units of each layer by tokens of training text: (at most, characters or subwords, words).
_SIZES = ((100_000, (128,), (128,)), (500_000, (256, 256), (200, 200)), (5_000_000, (448, 448), (400, 400)))
_LARGEST = ((512, 512, 512), (650, 650))
_PASSES = 15_000_000  # tokens to train on in all: epochs are so many that they come to about this
_ITS = "that of the model that it begins with"


def min_count(unit: str, given: int | str) -> tuple[int, str]:
    """How often a token must occur to be known, and why."""
    if given != "auto":
        return int(given), "as given"
    if unit in ("word", "whitespace"):
        return 2, "words that occur once stand for all unknown ones: the model learns what to expect of those"
    return 1, "every character that occurs is known"


def choose(params: Mapping[str, Any], tokens: int, vocabulary: int, inherited: Mapping[str, Any] | None = None) -> Plan:
    """The plan of a training on `tokens` tokens of `vocabulary` different ones.

    Parameters
    ----------
    params : of the model, by name
    inherited : those that a model which it begins with has decided; they go before

    Raises
    ------
    ValueError
        For a tied softmax that cannot be, and sizes of another number of layers than asked for.
    """
    plan, inherited = Plan(), inherited or {}
    words = inherited.get("unit", params["unit"]) in ("word", "whitespace")

    def pick(name: str, kind: Any, automatic: Any, reason: str) -> Any:
        if name in inherited:
            return plan.put(name, inherited[name], _ITS)
        auto = _is_auto(params[name])
        return plan.put(name, kind(automatic if auto else params[name]), reason if auto else GIVEN)

    many = vocabulary > MANY_TOKENS
    clusters = ": rare ones in clusters, which gives up tying the embedding" if many else ""
    softmax = pick("softmax", str, "adaptive" if many else "full", f"{vocabulary:,} tokens in the vocabulary{clusters}")
    tied = pick(
        "tied", bool, words and softmax == "full", "words share embedding and output" if words else "few tokens"
    )
    if tied and softmax == "adaptive":
        raise ValueError("expected tied=False with softmax='adaptive': its clusters have weights of their own")
    hidden = inherited.get("hidden_size") or _hidden(params, tokens, words, tied)
    why = f"for {tokens:,} tokens of training text" if _is_auto(params["hidden_size"]) else GIVEN
    plan.put("hidden_size", hidden, _ITS if "hidden_size" in inherited else why)
    embedding = pick(
        "embedding_size", int, hidden[-1] if tied else min(128, max(16, 2 * vocabulary)), "fits the layers"
    )
    if tied and embedding != hidden[-1]:
        raise ValueError(
            f"expected the last of hidden_size to be the embedding's {embedding} in a tied network, got {hidden[-1]}: "
            "make them alike, or tied=False"
        )
    length = pick("bptt", int, 35 if words else 64, "gradients travel back so far")
    batch = pick(
        "batch_size", int, _batch(tokens, length), "tracks side by side that leave some hundred steps an epoch"
    )
    usual = max(2, min(40, _PASSES // max(1, tokens)))
    epochs = pick("epochs", int, usual, f"about {_PASSES:,} tokens in all, at most 40")
    warmup = min(100, epochs * -(-tokens // (length * batch)) // 20)
    plan.put("warmup_steps", warmup, "a twentieth of the steps, at most 100")
    plan.put("optimizer", params["optimizer"])
    rate = 30.0 if params["optimizer"] == "asgd" else 3e-3
    pick("learning_rate", float, rate, "common for this optimiser")
    _regularise(plan, params, epochs, words)
    plan.put("cell", inherited.get("cell", params["cell"]), _ITS if "cell" in inherited else GIVEN)
    return plan


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _hidden(params: Mapping[str, Any], tokens: int, words: bool, tied: bool) -> list[int]:
    """Units of each layer."""
    size, layers, embedding = params["hidden_size"], params["num_layers"], params["embedding_size"]
    if not _is_auto(size):
        return layer_sizes(size, 1 if _is_auto(layers) else layers) or []
    found = list(next((pair for most, *pair in _SIZES if tokens <= most), _LARGEST)[words])
    if not _is_auto(layers):
        found = [found[-1]] * layers
    return [*found[:-1], int(embedding)] if tied and not _is_auto(embedding) else found


def _batch(tokens: int, length: int) -> int:
    """32 for long texts, fewer for short ones: an epoch of a dozen steps learns little."""
    return max(1, min(32, tokens // (length * 20)))


def _regularise(plan: Plan, params: Mapping[str, Any], epochs: int, words: bool) -> None:
    """Dropouts by place, α and β: strong where a text is read often, weak where each token is seen a few times."""
    given = params["dropout"]
    strength = 0.1 if epochs <= 3 else 0.25 if epochs <= 20 else 0.4
    if not _is_auto(given) and not isinstance(given, Mapping):
        strength = float(given)
    dropouts = {
        "embedding": 0.25 * strength if words else 0.0,
        "input": strength if words else 0.0,
        "between": strength,
        "output": strength,
        "weight": strength,
    }
    if isinstance(given, Mapping):
        dropouts = {place: float(given.get(place, 0.0)) for place in DROPOUTS}
    plan.choose("dropout", "auto" if _is_auto(given) else dropouts, dropouts, f"each token is seen {epochs} times")
    strong = words and _is_auto(given) and epochs > 3
    why = "as in the AWD-LSTM" if strong else "for words that are read more than three times, with automatic dropout"
    for name, value in (("alpha", 2.0), ("beta", 1.0)):
        auto = _is_auto(params[name])
        plan.put(name, (value if strong else 0.0) if auto else float(params[name]), why if auto else GIVEN)


def options(plan: Plan, patience: int | None, watched: bool) -> dict[str, Any]:
    """The fields of TrainingOptions that follow from a plan."""
    fields: dict[str, Any] = {
        "epochs": plan["epochs"],
        "learning_rate": plan["learning_rate"],
        "patience": patience if watched else None,
    }
    if plan["optimizer"] == "asgd":
        # Merity et al. 2017, algorithm 1: plain gradient descent, averaged once validation no longer improves.
        after = {"average_after": 5} if watched else {}
        return {**fields, "optimizer": "sgd", "momentum": 0.0, "schedule": "constant", "clip_norm": 0.25, **after}
    decay = {"weight_decay": 0.02} if plan["optimizer"] == "adamw" else {}
    return {
        **fields,
        "optimizer": plan["optimizer"],
        "schedule": "cosine",
        "warmup_steps": plan["warmup_steps"],
        **decay,
    }
