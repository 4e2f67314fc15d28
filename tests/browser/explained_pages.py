"""Pages that explain small models, and the hostile text in one of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from memorycell import Forecaster, LanguageModel, SequenceClassifier, Tagger, write_explanation

HOSTILE = "</script><script>window.hacked=1</script><img/src=x/onerror=window.hacked=1>\u202egnp"
QUICK: dict[str, Any] = {"epochs": 1, "verbose": False, "n_threads": 1, "random_state": 3}


def waves(count: int = 16) -> tuple[list[np.ndarray], list[str]]:
    """Slow and fast waves of 30 to 40 steps, two channels."""
    series = [
        np.stack([np.sin(np.arange(30 + k % 11) * (0.2 if k % 2 else 0.7) + k), np.cos(np.arange(30 + k % 11) / 9)], 1)
        for k in range(count)
    ]
    return series, ["slow" if k % 2 else "fast" for k in range(count)]


def forecast(path: Path) -> Any:
    days = np.arange(160)
    table = {
        "date": np.datetime64("2024-01-01") + days,
        "temp": 12 + 8 * np.sin(days / 9) + np.random.default_rng(0).normal(0, 1, 160),
    }
    model = Forecaster(window=24, hidden_size=6, **QUICK).fit(table, target="temp")
    write_explanation(path, model, table)
    return model, table, {}


def classified(path: Path) -> Any:
    texts = [f"{'good' if k % 2 else 'bad'} film {HOSTILE if k == 3 else 'seen'} twice on a day" for k in range(12)]
    model = SequenceClassifier(hidden_size=5, embedding_size=4, min_count=1, **QUICK).fit(
        texts, [HOSTILE if k % 2 else "bad" for k in range(12)]
    )
    write_explanation(path, model, texts, row=3)
    return model, texts, {"row": 3}


def numbers(cell: str) -> Callable[[Path], Any]:
    def write(path: Path) -> Any:
        series, kinds = waves()
        model = SequenceClassifier(cell=cell, hidden_size=5, bidirectional=True, pooling="mean", **QUICK)
        model.fit(series, kinds)
        write_explanation(path, model, series, row=2)
        return model, series, {"row": 2}

    return write


def language(path: Path) -> Any:
    text = "the cat sat on the mat and the dog sat on the log\n" * 20
    model = LanguageModel("character", hidden_size=8, embedding_size=4, batch_size=2, **QUICK).fit(text)
    write_explanation(path, model, "the cat sat on <b>the</b> m")
    return model, "the cat sat on <b>the</b> m", {}


def tagged(path: Path) -> Any:
    words = [["the", "dog", "barks"], ["a", "small", "cat", "sleeps"]] * 8
    tags = [["DET", "NOUN", "VERB"], ["DET", "ADJ", "NOUN", "VERB"]] * 8
    model = Tagger(hidden_size=4, embedding_size=4, **QUICK).fit(words, tags)
    write_explanation(path, model, words, row=1, place=2)
    return model, words, {"row": 1, "place": 2}


PAGES: dict[str, Callable[[Path], Any]] = {
    "forecast": forecast, "text": classified, "GRU": numbers("GRU"), "RNN": numbers("RNN"), "language": language,
    "tags": tagged,
}  # fmt: skip
