"""What "auto" becomes in a LanguageModel, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DROPOUTS = ("embedding", "input", "between", "output", "weight")
MANY_TOKENS = 50_000  # vocabulary from which a full softmax costs far more than the recurrent layers
# Units of each layer by tokens of training text: (at most, characters or subwords, words).
_SIZES = ((100_000, (128,), (128,)), (500_000, (256, 256), (200, 200)), (5_000_000, (448, 448), (400, 400)))
_LARGEST = ((512, 512, 512), (650, 650))
_PASSES = 15_000_000  # tokens to train on in all: epochs are so many that they come to about this


def min_count(unit: str, given: int | str) -> tuple[int, str]:
    """How often a token must occur to be known, and why."""
    if given != "auto":
        return int(given), "as given"
    if unit in ("word", "whitespace"):
        return 2, "words that occur once stand for all unknown ones: the model learns what to expect of those"
    return 1, "every character that occurs is known"


def choose(params: Mapping[str, Any], tokens: int, vocabulary: int) -> dict[str, Any]:
    """The plan of a training on `tokens` tokens of `vocabulary` different ones; ``plan["reasons"]`` says why."""
    reasons: dict[str, str] = {}
    words = params["unit"] in ("word", "whitespace")

    def pick(name: str, value: Any, reason: str) -> Any:
        if params[name] != "auto":
            return params[name]
        reasons[name] = reason
        return value

    softmax = pick(
        "softmax",
        "adaptive" if vocabulary > MANY_TOKENS else "full",
        f"{vocabulary:,} tokens in the vocabulary"
        + (": rare ones in clusters, which gives up tying the embedding" if vocabulary > MANY_TOKENS else ""),
    )
    tied = pick("tied", words and softmax == "full", "words share embedding and output" if words else "few tokens")
    if tied and softmax == "adaptive":
        raise ValueError("expected tied=False with softmax='adaptive': its clusters have weights of their own")
    hidden = tuple(pick("hidden_sizes", _hidden(tokens, words), f"for {tokens:,} tokens of training text"))
    embedding = pick("embedding_size", hidden[-1] if tied else min(128, max(16, 2 * vocabulary)), "fits the layers")
    if tied and params["embedding_size"] != "auto" and params["hidden_sizes"] == "auto":
        hidden = (*hidden[:-1], embedding)
    length = pick("bptt", 35 if words else 64, "gradients travel back so far")
    batch = pick("batch_size", _batch(tokens, length), "tracks side by side that leave some hundred steps an epoch")
    epochs = pick("epochs", max(2, min(40, _PASSES // max(1, tokens))), f"about {_PASSES:,} tokens in all, at most 40")
    asgd = params["optimizer"] == "asgd"
    return {
        "softmax": softmax,
        "tied": bool(tied),
        "hidden_sizes": list(hidden),
        "embedding_size": int(embedding),
        "bptt": int(length),
        "batch_size": int(batch),
        "epochs": int(epochs),
        "warmup_steps": min(100, int(epochs) * -(-tokens // (length * batch)) // 20),
        "optimizer": params["optimizer"],
        "learning_rate": float(pick("learning_rate", 30.0 if asgd else 3e-3, "common for this optimiser")),
        **_regularisation(params, tokens, epochs, words, reasons),
        "reasons": reasons,
    }


def _hidden(tokens: int, words: bool) -> tuple[int, ...]:
    for most, characters, of_words in _SIZES:
        if tokens <= most:
            return of_words if words else characters
    return _LARGEST[words]


def _batch(tokens: int, length: int) -> int:
    """32 for long texts, fewer for short ones: an epoch of a dozen steps learns little."""
    return max(1, min(32, tokens // (length * 20)))


def _regularisation(
    params: Mapping[str, Any], tokens: int, epochs: int, words: bool, reasons: dict[str, str]
) -> dict[str, Any]:
    """Dropouts by place, α and β: strong where a text is read often, weak where each token is seen a few times."""
    strength = 0.1 if epochs <= 3 else 0.25 if epochs <= 20 else 0.4
    if params["dropout"] == "auto":
        reasons["dropout"] = f"each token is seen {epochs} times"
        given: dict[str, float] = {}
    elif isinstance(params["dropout"], Mapping):
        given = dict(params["dropout"])
        wrong = next((name for name in given if name not in DROPOUTS), None)
        if wrong is not None:
            raise ValueError(f"expected dropout for {', '.join(DROPOUTS)}, got one for {wrong!r}")
        given = {name: float(given.get(name, 0.0)) for name in DROPOUTS}
    else:
        strength, given = float(params["dropout"]), {}
    defaults = {
        "embedding": 0.25 * strength if words else 0.0,
        "input": strength if words else 0.0,
        "between": strength,
        "output": strength,
        "weight": strength,
    }
    for name, value in (defaults | given).items():
        if not 0 <= value < 1:
            raise ValueError(f"expected dropout of at least 0 and under 1, got {value} ({name})")
    strong = words and params["dropout"] == "auto" and epochs > 3
    penalties = {}
    for name, value in (("alpha", 2.0), ("beta", 1.0)):
        penalties[name] = (value if strong else 0.0) if params[name] == "auto" else float(params[name])
    if strong and "auto" in (params["alpha"], params["beta"]):
        reasons["alpha"] = "as in the AWD-LSTM"
    return {"dropouts": {**defaults, **given}, **penalties}


def options(plan: Mapping[str, Any], patience: int | None, watched: bool) -> dict[str, Any]:
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
