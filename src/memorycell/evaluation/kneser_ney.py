"""Interpolated, modified Kneser–Ney n-grams: the counts that a language model has to beat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memorycell.data.ragged import Ragged

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
FALLBACK = np.array([0.5, 1.0, 1.5])  # KenLM's, where a corpus is too small for its counts to say


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order. A context is the place of its (n−1)-gram in the order below.

    `keys` are context · (V + 1) + word, sorted, so that the words of a context stand together.
    """

    keys: Ids
    alpha: Floats  # (types,) discounted count over the context's sum
    gamma: Floats  # (contexts,) the share that the order below gets
    discounts: Floats  # (3,) of counts 1, 2, and 3 or more
    seen: int  # different n-grams that end in a token


class KneserNey:
    """Interpolated Kneser–Ney n-gram model of token ids, with modified discounts, exact.

    p(w | u) = (a(u w) − D(a)) / Σ a(u ·) + γ(u) p(w | u without its first token), down to single tokens, which
    are mixed with 1 / V. The highest order takes a = how often u w occurs, lower orders the number of different
    tokens seen before it (Kneser & Ney 1995; Chen & Goodman 1999). D(1), D(2) and D(3 or more) follow from the counts
    of counts of each order, as in the latter's modified smoothing; where these do not give discounts above 0, they
    are 0.5, 1 and 1.5. Each sequence begins with order − 1 begin symbols, which are never predicted; no context
    reaches over the border of two sequences.

    Parameters
    ----------
    order : int
        Tokens of the longest n-gram, 1 to 9.
    modified : bool
        False takes the one discount n1 / (n1 + 2 n2) of Kneser & Ney for all counts.

    Attributes
    ----------
    size_ : int, V
    discounts_ : list of (3,) arrays, from single tokens up
    n_grams_ : list of int, different n-grams of each order

    Example
    -------
    >>> model = KneserNey(order=2).fit([0, 1, 0, 1, 0, 2])
    >>> p = model.distribution([0])
    >>> p.argmax().item(), round(p.sum(), 12).item()
    (1, 1.0)
    >>> round(model.perplexity([0, 1, 0, 1]), 2)
    1.72
    """

    def __init__(self, order: int = 5, modified: bool = True):
        self.order = order
        self.modified = modified

    def fit(self, ids: ArrayLike | Ragged | Sequence[ArrayLike], size: int | None = None) -> KneserNey:
        """Count the n-grams of one sequence of ids, or of several (a list of sequences, or a `Ragged`).

        `size` is the number of tokens of the vocabulary, of which some may not occur; None: the largest id + 1.

        Raises
        ------
        ValueError
            For an order outside of 1 … 9, no token at all, ids below 0 or not below `size`.
        """
        if not isinstance(self.order, int) or not 1 <= self.order <= 9:
            raise ValueError(f"expected an order (tokens of the longest n-gram) from 1 to 9, got {self.order!r}")
        flat, starts = _flatten(ids)
        if not len(flat):
            raise ValueError("expected at least one token to count, got none")
        self.size_ = int(flat.max()) + 1 if size is None else int(size)
        words, real = self._padded(flat, starts)
        grams = [words]  # of each order: the place, among its sorted types, of the n-gram that ends at a token
        keys = [np.arange(self.size_ + 1)]
        firsts = [np.zeros(0, np.int64)]  # a place in the text of each type
        for _ in range(1, self.order):
            key = self._keys(grams[-1], words, real)
            types, first, place = np.unique(key, return_index=True, return_inverse=True)
            keys.append(types)
            firsts.append(first)
            grams.append(place)
        self._orders = [self._estimate(n, grams, keys, firsts, real) for n in range(self.order)]
        self.discounts_ = [order.discounts for order in self._orders]
        self.n_grams_ = [order.seen for order in self._orders]
        return self

    def log_probabilities(self, ids: ArrayLike | Ragged | Sequence[ArrayLike]) -> Floats:
        """Natural logarithm of each token's probability after the tokens before it, (N,): sequences one after
        the other.

        Raises
        ------
        ValueError
            For ids below 0 or not below `size_`.
        """
        words, real = self._padded(*_flatten(ids))
        base = self._orders[0]
        p = base.alpha[words] + base.gamma[0] / self.size_
        gram = words
        for order in self._orders[1:]:
            context = self._contexts(gram, real)
            key = np.where(context < 0, -1, context * (self.size_ + 1) + words)
            place = np.minimum(np.searchsorted(order.keys, key), len(order.keys) - 1)
            seen = order.keys[place] == key
            p = np.where(context < 0, 1.0, order.gamma[context]) * p + np.where(seen, order.alpha[place], 0.0)
            gram = np.where(seen, place, -1)
        return np.log(p[real])

    def distribution(self, context: ArrayLike) -> Floats:
        """The probability of each token of the vocabulary after the tokens `context`, (V,).

        The context is one inside of a sequence; give fewer tokens than order − 1 and the lower orders answer.
        """
        width = self.size_ + 1
        base = self._orders[0]
        p = base.alpha[: self.size_] + base.gamma[0] / self.size_
        tokens = _checked(np.asarray(context, np.int64).reshape(-1), self.size_)
        for n, order in enumerate(self._orders[1:], 1):
            if n > len(tokens):
                break
            place = self._place(tokens[len(tokens) - n :])
            if place < 0:
                break  # then no longer context was seen either
            start, stop = np.searchsorted(order.keys, [place * width, place * width + self.size_])
            p = order.gamma[place] * p
            p[order.keys[start:stop] - place * width] += order.alpha[start:stop]
        return p

    def perplexity(self, ids: ArrayLike | Ragged | Sequence[ArrayLike]) -> float:
        """exp of the mean negative log probability of a token."""
        return math.exp(-float(self.log_probabilities(ids).mean()))

    def _padded(self, flat: Ids, starts: Ids) -> tuple[Ids, NDArray[np.bool_]]:
        """The tokens with one begin symbol (id V) before each sequence, and which of them are tokens."""
        _checked(flat, self.size_)
        places = np.arange(len(flat)) + np.searchsorted(starts, np.arange(len(flat)), side="right")
        words = np.full(len(flat) + len(starts), self.size_, np.int64)
        words[places] = flat
        real = np.zeros(len(words), np.bool_)
        real[places] = True
        return words, real

    def _contexts(self, gram: Ids, real: NDArray[np.bool_]) -> Ids:
        """What stands before each place: the n-gram that ends one earlier; before a begin symbol only such."""
        before = np.concatenate([gram[:1], gram[:-1]])
        return np.where(real, before, gram[0])

    def _keys(self, gram: Ids, words: Ids, real: NDArray[np.bool_]) -> Ids:
        return self._contexts(gram, real) * (self.size_ + 1) + words

    def _estimate(self, n: int, grams: list[Ids], keys: list[Ids], firsts: list[Ids], real: NDArray) -> _Order:
        """Counts, discounts and shares of the n-grams of n + 1 tokens."""
        if n == self.order - 1:
            ends = grams[n][real]
        else:  # every different n-gram one longer is a different token before this one
            longer = firsts[n + 1]
            ends = grams[n][longer[real[longer]]]
        counts = np.bincount(ends, minlength=len(keys[n]))
        discounts = _discounts(counts, self.modified)
        taken = np.concatenate([[0.0], discounts])[np.minimum(counts, 3)]
        contexts = keys[n] // (self.size_ + 1) if n else np.zeros(len(keys[0]), np.int64)
        below = len(keys[n - 1]) if n else 1
        total = np.bincount(contexts, counts, below)
        left = np.bincount(contexts, taken, below)
        gamma = np.divide(left, total, out=np.ones(below), where=total > 0)
        alpha = (counts - taken) / np.maximum(total, 1)[contexts]
        return _Order(keys[n], alpha, gamma, discounts, int((counts > 0).sum()))

    def _place(self, tokens: Ids) -> int:
        """Where the n-gram `tokens` stands among those of its order, −1 where it was not seen."""
        place = int(tokens[0])
        for order, token in zip(self._orders[1:], tokens[1:], strict=False):
            key = place * (self.size_ + 1) + int(token)
            place = int(np.searchsorted(order.keys, key))
            if place == len(order.keys) or order.keys[place] != key:
                return -1
        return place


def _discounts(counts: Ids, modified: bool) -> Floats:
    """What is taken from counts of 1, 2, and 3 or more (Chen & Goodman 1999, modified Kneser–Ney smoothing)."""
    n1, n2, n3, n4 = (float(number) for number in np.bincount(np.minimum(counts, 5), minlength=6)[1:5])
    if not n1 + n2:
        return FALLBACK
    share = n1 / (n1 + 2 * n2)
    if not modified:
        return np.full(3, share) if share > 0 else np.full(3, FALLBACK[0])
    if not (n1 and n2 and n3):
        return FALLBACK
    found = np.array([1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3])
    return found if np.all(found > 0) else FALLBACK


def _flatten(ids: Any) -> tuple[Ids, Ids]:
    """All tokens one after the other, and where each sequence begins."""
    if isinstance(ids, Ragged):
        return ids.values.numpy().astype(np.int64), ids.offsets[:-1].numpy()
    if isinstance(ids, (list, tuple)) and len(ids) and np.ndim(ids[0]) == 1:
        parts = [_whole(np.asarray(part)) for part in ids]
        return np.concatenate(parts), np.cumsum([0, *(len(part) for part in parts[:-1])])
    flat = _whole(np.asarray(ids))
    return flat, np.zeros(1, np.int64)


def _whole(ids: NDArray[Any]) -> Ids:
    if ids.ndim != 1 or (len(ids) and ids.dtype.kind not in "iu"):
        raise ValueError(f"expected token ids as whole numbers in one row, got {ids.dtype} of shape {ids.shape}")
    return ids.astype(np.int64)


def _checked(ids: Ids, size: int) -> Ids:
    if len(ids) and (ids.min() < 0 or ids.max() >= size):
        found = f"{ids.min()} to {ids.max()}"
        raise ValueError(f"expected token ids from 0 to {size - 1}, got {found}: encode what is unknown as <unk>")
    return ids
