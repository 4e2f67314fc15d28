"""The n-gram model against its definition, written with dictionaries."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from memorycell.data.ragged import Ragged
from memorycell.evaluation.kneser_ney import FALLBACK, KneserNey

BEGIN = -1


class Naive:
    """Interpolated, modified Kneser–Ney as Chen & Goodman (1999) write it, one n-gram at a time."""

    def __init__(self, sequences: Sequence[Sequence[int]], size: int, order: int) -> None:
        self.size, self.order = size, order
        counts: dict[int, Counter[tuple[int, ...]]] = {order: Counter()}
        for sequence in sequences:
            padded = [BEGIN] * (order - 1) + [int(word) for word in sequence]
            for i in range(order - 1, len(padded)):
                counts[order][tuple(padded[i - order + 1 : i + 1])] += 1
        for n in range(order - 1, 0, -1):  # of each shorter n-gram, how many different tokens stand before it
            counts[n] = Counter(gram[1:] for gram in counts[n + 1])
        self.counts = counts
        self.discounts = {n: self._discounts(list(counts[n].values())) for n in counts}

    def _discounts(self, values: list[int]) -> list[float]:
        n1, n2, n3, n4 = (values.count(k) for k in (1, 2, 3, 4))
        if not (n1 and n2 and n3):
            return FALLBACK.tolist()
        y = n1 / (n1 + 2 * n2)
        found = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        return found if min(found) > 0 else FALLBACK.tolist()

    def p(self, word: int, context: tuple[int, ...]) -> float:
        n = len(context) + 1
        of_context = {gram: count for gram, count in self.counts[n].items() if gram[:-1] == context}
        below = 1 / self.size if n == 1 else self.p(word, context[1:])
        total = sum(of_context.values())
        if not total:
            return below
        d = [0.0, *self.discounts[n]]
        count = of_context.get((*context, word), 0)
        gamma = sum(d[min(c, 3)] for c in of_context.values()) / total
        return (count - d[min(count, 3)]) / total + gamma * below

    def log_probabilities(self, sequences: Sequence[Sequence[int]]) -> list[float]:
        found = []
        for sequence in sequences:
            padded = [BEGIN] * (self.order - 1) + [int(word) for word in sequence]
            for i in range(self.order - 1, len(padded)):
                found.append(math.log(self.p(padded[i], tuple(padded[i - self.order + 1 : i]))))
        return found


def corpus(seed: int, lengths: Sequence[int], size: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    share = 1 / np.arange(1, size + 1)
    return [generator.choice(size, length, p=share / share.sum()) for length in lengths]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("lengths", [(120,), (30, 0, 1, 2, 50, 0)])
def test_agrees_with_the_definition(order: int, lengths: tuple[int, ...]) -> None:
    train, test = corpus(0, lengths, 8), corpus(1, (25, 0, 3), 9)
    model = KneserNey(order).fit(train, size=9)
    naive = Naive(train, 9, order)
    for n, discounts in enumerate(model.discounts_, 1):
        assert discounts.tolist() == pytest.approx(naive.discounts[n])
    assert model.n_grams_ == [len(naive.counts[n]) for n in range(1, order + 1)]
    assert model.log_probabilities(test) == pytest.approx(naive.log_probabilities(test), rel=1e-10)


@pytest.mark.parametrize("modified", [True, False])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_probabilities_sum_to_one(order: int, modified: bool) -> None:
    train = corpus(2, (400, 60), 12)
    model = KneserNey(order, modified).fit(train, size=15)
    for context in [[], *corpus(3, (1, 2, 3, 4, 5, 3, 2), 14), train[0][:3], train[0][-3:]]:
        p = model.distribution(context)
        assert p.sum() == pytest.approx(1, abs=1e-12)
        assert p.min() > 0


def test_the_distribution_is_what_tokens_are_scored_by() -> None:
    (train,) = corpus(4, (300,), 10)
    model = KneserNey(3).fit(train)
    scores = model.log_probabilities(train)
    for i in (2, 50, 299):
        assert scores[i] == pytest.approx(math.log(model.distribution(train[i - 2 : i])[train[i]]))
    assert model.perplexity(train) == pytest.approx(math.exp(-scores.mean()))


def test_beginnings_are_learned_and_borders_are_not_crossed() -> None:
    model = KneserNey(2).fit([[0, 1, 2]] * 5)
    starts = np.exp(model.log_probabilities([[0], [1], [2]]))
    assert starts[0] > 0.79 > 0.1 > starts[1]
    together, apart = model.log_probabilities([0, 1, 2, 0]), model.log_probabilities([[0, 1, 2], [0]])
    assert together[:3].tolist() == apart[:3].tolist()
    assert together[3] < apart[3]


def test_the_single_discount_is_that_of_kneser_and_ney() -> None:
    train = [0, 1, 0, 2, 0, 1, 0, 3]  # ends: 0 after begin, 1, 2; bigrams 0-1 twice, the others once but 1-0
    model = KneserNey(1, modified=False).fit(train)
    assert model.discounts_[0].tolist() == [2 / (2 + 2 * 1)] * 3  # one token four times, one twice, two once


def test_ragged_and_lists_and_arrays_are_the_same() -> None:
    parts = corpus(5, (20, 7), 6)
    expected = KneserNey(3).fit(parts).log_probabilities(parts).tolist()
    ragged = Ragged.of([torch.from_numpy(part) for part in parts])
    assert KneserNey(3).fit(ragged).log_probabilities(ragged).tolist() == expected
    lists = [part.tolist() for part in parts]
    assert KneserNey(3).fit(lists).log_probabilities(lists).tolist() == expected


def test_an_alphabet_of_one_and_tiny_texts() -> None:
    assert KneserNey(5).fit([0]).distribution([0, 0]).tolist() == [1.0]
    assert KneserNey(5).fit([0, 1]).distribution([1]).sum() == pytest.approx(1)
    assert len(KneserNey(2).fit([0, 1]).log_probabilities(np.zeros(0, np.int64))) == 0


@pytest.mark.parametrize(
    ("order", "train", "size", "message"),
    [
        (0, [0, 1], None, "from 1 to 9, got 0"),
        (10, [0, 1], None, "from 1 to 9, got 10"),
        (2.0, [0, 1], None, "from 1 to 9, got 2.0"),
        (2, [], None, "at least one token"),
        (2, [[], []], None, "at least one token"),
        (2, [0, -1], None, "from 0 to 0, got -1 to 0"),
        (2, [0, 5], 5, "from 0 to 4, got 0 to 5"),
        (2, [0.5, 1.0], None, "whole numbers"),
        (2, np.zeros((2, 2), int), None, "in one row"),
    ],
)
def test_wrong_input(order: int, train: object, size: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KneserNey(order).fit(train, size)  # type: ignore[arg-type]


def test_ids_beyond_the_vocabulary_are_refused_when_scored() -> None:
    model = KneserNey(2).fit([0, 1, 0, 1])
    with pytest.raises(ValueError, match="from 0 to 1, got 0 to 2: encode"):
        model.log_probabilities([0, 2])
    with pytest.raises(ValueError, match="from 0 to 1"):
        model.distribution([7])
