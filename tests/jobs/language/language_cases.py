"""A small text and small models that the tests of language models share."""

import functools

import numpy as np

from memorycell.jobs.language.task import LanguageModel

SENTENCES = ["the cat sat on the mat", "a dog lay on the log", "the bird sang in a tree", "it was cold"]


def a_text(lines=120, seed=0):
    """Lines out of four sentences, in an order that nothing tells."""
    return "".join(f"{line}\n" for line in np.random.default_rng(seed).choice(SENTENCES, lines))


def small(unit="word", **options):
    given = {"hidden_size": (24,), "epochs": 5, "batch_size": 2, "bptt": 20, "verbose": False, "n_threads": 1}
    return LanguageModel(unit, **{**given, "learning_rate": 2e-2, "dropout": 0.1, **options})


@functools.cache
def fitted(unit="word"):
    """A model of `a_text()`; tests leave it as it is."""
    return small(unit, epochs=8, batch_size=2 if unit != "character" else 5).fit(a_text())
