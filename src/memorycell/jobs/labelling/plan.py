"""The choices a classifier or regressor of sequences makes where its user says "auto", and its held-out samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.text.scripts import IDEOGRAPHS, said, without_spaces
from memorycell.data.text.word_vectors import vector_size
from memorycell.jobs import transfer

if TYPE_CHECKING:
    from memorycell.jobs.labelling.reading import SequenceInput

# With fewer samples than these, or fewer of a class, nothing is held out: a tenth of them says too little about when to
# stop and how sure to be, and is missed in training. Classes bear a set number of steps better than numbers, which a
# network that is trained too long fits noise and all.
FEWEST_TO_HOLD_OUT = 1000
FEWEST_NUMBERS_TO_HOLD_OUT = 300
FEWEST_OF_A_CLASS = 10
# Below this many samples the held-out ones are worth a second training on everything.
FEW_ENOUGH_TO_REFIT = 2000
LEAST_REFIT = 0.5  # share of the planned epochs that the second training has at least
# Steps of the longest sequence that is read whole, unless its user says otherwise: a text of a million characters takes
# the memory of a thousand ordinary ones, and what it is about is said before.
LONGEST_TEXT = 1000
LONGEST_OTHER = 10_000
# What "auto" stands for, by the kind of the sequences.
_AUTO: dict[str, dict[str, Any]] = {
    "text": {
        "embedding_size": 100, "hidden_size": 128, "learning_rate": 2e-3, "embedding_dropout": 0.1,
        "input_dropout": 0.4, "between_dropout": 0.3, "output_dropout": 0.3, "head_dropout": 0.4,
    },
    "symbols": {
        "embedding_size": 16, "hidden_size": 96, "learning_rate": 2e-3, "embedding_dropout": 0.0,
        "input_dropout": 0.0, "between_dropout": 0.2, "output_dropout": 0.3, "head_dropout": 0.4,
    },
    "numbers": {
        "embedding_size": 0, "hidden_size": 64, "learning_rate": 2e-3, "embedding_dropout": 0.0,
        "input_dropout": 0.0, "between_dropout": 0.2, "output_dropout": 0.2, "head_dropout": 0.3,
    },
}  # fmt: skip
# From so many numbers a step on, whole channels can be left out in training, and there are no convolutions: on the
# joints of UTD-MHAD the two together, with label smoothing, had an accuracy of 0.87 against 0.83.
_WIDE = 16
_AUTO_WIDE = {"hidden_size": 128, "input_dropout": 0.4, "output_dropout": 0.4, "head_dropout": 0.5}
_N_GRAMS = 2  # words and pairs of words
_CLUSTERS = 4  # of scripts without spaces, a word is several tokens


# From so many classes on, n-grams have as many numbers each as words of fastText, and not one for each class: of 20,000
# the weights would take 10 GB, and as much again for each of gradient, optimiser, average and best.
_MANY_OUTPUTS = 256
_N_GRAM_RANK = 100


def choose(model: Any, given: SequenceInput, samples: int) -> None:
    """Fill the plan of a classifier or regressor: what its parameters stand for where they say "auto", and why.

    samples : that are trained on
    """
    plan = model.plan_
    kind = given.kind
    wide = kind == "numbers" and (given.features or 1) >= _WIDE
    plan.put("kind", kind, "seen from the data" if model.kind == "auto" else "given by the user")
    for name, value in {**_AUTO[kind], **(_AUTO_WIDE if wide else {})}.items():
        plan.choose(name, getattr(model, name), value, f"the default for {kind}")
    plan.choose("bidirectional", model.bidirectional, not model.causal, "both, unless it is causal")
    convolution = kind == "numbers" and not wide and (given.steps is None or given.steps >= 8)
    plan.choose("convolution", model.convolution, convolution, "for series of numbers of 8 steps and more")
    if convolution and model.convolution == "auto":
        model._note("convolution", "Numbers: a convolutional front stands beside the recurrent layers (LSTM-FCN).")
    _choose_n_grams(model, given)
    outputs = len(model.classes_) if model.classifies else 1
    if model.plan_["n_grams"] and outputs > _MANY_OUTPUTS:
        model.plan_.put(
            "n_gram_rank", _N_GRAM_RANK, f"a weight for each n-gram and class would be {outputs:,} a n-gram"
        )
    # Symbols of one length, such as the bases around a site: places mean something.
    aligned = kind == "symbols" and len({len(each) for each in given.sequences}) == 1
    plan.put("aligned", aligned, "for symbols in sequences of one length")
    longest = LONGEST_TEXT if kind == "text" else LONGEST_OTHER
    plan.choose("max_length", model.max_length, longest, f"the default for {kind}")
    plan.choose("min_count", model.min_count, 2 if samples >= 1000 else 1, "by the number of samples")
    if model.pretrained is not None:
        _begin_with_language_model(model, kind)
    elif model.word_vectors is not None:
        plan.put("embedding_size", _word_vector_size(model, kind), "that of the word vectors")
    size = plan.choose("batch_size", model.batch_size, choose_batch_size(samples), "by the number of samples")
    plan.choose(
        "epochs", model.epochs, lambda: choose_epochs(samples, size, kind, plan["convolution"]),
        "so many training steps as such data usually need",
    )  # fmt: skip


def _choose_n_grams(model: Any, given: SequenceInput) -> None:
    """How long n-grams are, and what is to be said of texts without spaces between words."""
    if given.kind != "text" or model.unit != "word":
        order, why = (_N_GRAMS if given.kind != "numbers" else 0), f"the default for {given.kind}"
        model.plan_.choose("n_grams", model.n_grams, order, why)
        return
    found = without_spaces(given.sequences)
    clusters = any(script != IDEOGRAPHS for script in found)
    why = "for words that are several clusters of characters" if clusters else "the default for text"
    model.plan_.choose("n_grams", model.n_grams, _CLUSTERS if clusters else _N_GRAMS, why)
    if found:
        model._note("script", said(found))


def _begin_with_language_model(model: Any, kind: str) -> None:
    """What a language model that the encoder comes from decides."""
    if kind != "text":
        raise ValueError(f"expected texts with pretrained=, as a language model reads them, got {kind}")
    if model.bidirectional is True:
        raise ValueError("expected bidirectional=False with pretrained=: a language model reads in one direction")
    if model.word_vectors is not None:
        raise ValueError("expected word_vectors= or pretrained=, got both: a language model has vectors of its own")
    config = transfer.language_model(model.pretrained).network_.encoder.config()
    its = "that of the language model"
    model.plan_.put("embedding_size", config["embedding_size"], its)
    model.plan_.put("hidden_size", list(config["hidden_sizes"]), its)
    model.plan_.put("bidirectional", False, "a language model reads in one direction")
    # The head's; the layers below learn at lower ones.
    model.plan_.choose("learning_rate", model.learning_rate, 5e-3, "the head's; the layers below learn at lower ones")


def _word_vector_size(model: Any, kind: str) -> int:
    """The embedding size that the word vectors have; ValueError where they cannot be used."""
    if kind != "text" or model.unit not in ("word", "whitespace"):
        raise ValueError(f'expected texts and unit="word" with word_vectors=, got {kind} and unit={model.unit!r}')
    size = vector_size(model.word_vectors)
    if model.embedding_size not in ("auto", size):
        raise ValueError(
            f"expected word vectors of {model.embedding_size} numbers (embedding_size), got {size}: "
            'leave embedding_size="auto"'
        )
    return size


def choose_batch_size(samples: int) -> int:
    """About fifty steps an epoch, between 16 and 64 samples a step."""
    return int(min(64, max(16, 2 ** round(np.log2(max(1.0, samples / 50))))))


def choose_epochs(samples: int, batch_size: int, kind: str, convolution: bool) -> int:
    """About 2,000 steps, 1,500 for texts, 1,000 with convolutions, which learn fast; 4 epochs at least.

    Early stopping ends most runs before.
    """
    steps = 1000 if convolution else 1500 if kind == "text" else 2000
    return int(np.clip(round(steps * batch_size / max(1, samples)), 4, 400))


def choose_validation(fraction: float | str, samples: int, rarest: int | None) -> tuple[float, str | None]:
    """The share of samples to hold out, and why there is none.

    rarest : samples of the rarest class; None where there are no classes.
    """
    if fraction != "auto":
        return float(fraction), None
    fewest = FEWEST_NUMBERS_TO_HOLD_OUT if rarest is None else FEWEST_TO_HOLD_OUT
    if samples < fewest:
        return 0.0, f"{samples} samples are fewer than {fewest}"
    if rarest is not None and rarest < FEWEST_OF_A_CLASS and samples < FEW_ENOUGH_TO_REFIT:
        return 0.0, f"a class has {rarest} samples, fewer than {FEWEST_OF_A_CLASS}"
    return 0.1, None


def hold_out(
    samples: int, fraction: float, seed: int, classes: NDArray[Any] | None = None, groups: NDArray[Any] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows held out, each in order: alike in classes, no group on both sides.

    A class with a single sample stays in training. With groups, whole groups are held out until the fraction is
    reached, those first that bring the classes of both sides closest.

    Raises
    ------
    ValueError
        When nothing would be left on one side.

    Example
    -------
    >>> train, held_out = hold_out(8, 0.25, seed=0, classes=np.array(list("aaaabbbb")))
    >>> len(train), len(held_out)
    (6, 2)
    """
    if fraction <= 0:
        return np.arange(samples), np.empty(0, np.int64)
    generator = np.random.default_rng((seed % (1 << 64), samples))
    if groups is not None:
        held_out = _whole_groups(fraction, generator, classes, groups)
    elif classes is None:
        held_out = generator.permutation(samples)[: max(1, round(fraction * samples))]
    else:
        held_out = _stratified(fraction, generator, classes)
    mask = np.zeros(samples, bool)
    mask[held_out] = True
    if mask.all() or not mask.any():
        what = "every sample" if mask.all() else "no sample"
        raise ValueError(
            f"a validation_fraction of {fraction} holds out {what} of {samples}: expected samples on both sides, "
            "use validation_fraction=0 to train on all"
        )
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _stratified(fraction: float, generator: np.random.Generator, classes: NDArray[Any]) -> NDArray[np.int64]:
    """Of each class the fraction, rounded so that the sum comes out right; one sample of each is left in training."""
    found, codes = np.unique(classes, return_inverse=True)
    counts = np.bincount(codes)
    exact = fraction * counts
    take = np.floor(exact).astype(np.int64)
    missing = max(1, round(fraction * len(classes))) - int(take.sum())
    take[np.argsort(take - exact, kind="stable")[: max(0, missing)]] += 1
    take = np.minimum(take, counts - 1)
    parts = [generator.permutation(np.flatnonzero(codes == code))[: take[code]] for code in range(len(found))]
    return np.concatenate(parts)


def _whole_groups(
    fraction: float, generator: np.random.Generator, classes: NDArray[Any] | None, groups: NDArray[Any]
) -> NDArray[np.int64]:
    """Groups held out one by one: of three drawn, the one that leaves the held-out classes most like all of them."""
    names, codes = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            "expected samples of at least two groups to hold one out, got one: validation_fraction=0 trains on all"
        )
    _, labels = np.unique(np.zeros(len(codes)) if classes is None else classes, return_inverse=True)
    table = np.zeros((len(names), labels.max() + 1))
    np.add.at(table, (codes, labels), 1)
    wanted = fraction * table.sum(axis=0)
    left: list[int] = generator.permutation(len(names)).tolist()
    chosen: list[int] = []
    so_far = np.zeros_like(wanted)
    while len(left) > 1 and (not chosen or so_far.sum() < 0.8 * wanted.sum()):
        best = min(left[:3], key=lambda group: float(np.square(so_far + table[group] - wanted).sum()))
        left.remove(best)
        chosen.append(best)
        so_far = so_far + table[best]
    return np.flatnonzero(np.isin(codes, chosen))


def class_weights(option: Any, classes: list[Any], counts: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """The weight of each class, in their order.

    option : None, "balanced" (samples / (classes · count), as King & Zeng 2001) or a dict by class, where those that
        are missing have 1

    Raises
    ------
    ValueError, TypeError
        For another option, an unknown class or a weight that is no number of at least 0.
    """
    if option is None:
        return None
    if isinstance(option, str) and option == "balanced":
        return counts.sum() / (len(counts) * np.maximum(counts, 1).astype(np.float64))
    if not isinstance(option, dict):
        raise TypeError(
            f'expected class_weight to be None, "balanced" or a dict of class to weight, got {option!r:.60}'
        )
    unknown = [name for name in option if name not in classes]
    if unknown:
        raise ValueError(f"class_weight names {unknown[0]!r}, which is none of the classes ({_few(classes)})")
    weights = np.array([option.get(name, 1.0) for name in classes], np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(f"expected class weights of at least 0 and one above, got {option!r:.80}")
    return weights


def _few(names: list[Any]) -> str:
    return ", ".join(map(str, names[:8])) + (", …" if len(names) > 8 else "")
