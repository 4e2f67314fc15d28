"""Sentences of words for tagging: word ids, the characters of each form, and batches that hold each form once."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.data.codec import Json, checked, is_count, is_list, is_name, register_codec
from memorycell.data.content import Contents
from memorycell.data.ragged import Ragged
from memorycell.data.sequences import SequenceDataset

SPECIALS = ("<pad>", "<unk>", "<end>")
UNKNOWN = 1


class EncodedWords(NamedTuple):
    """Sentences as ids.

    Attributes
    ----------
    tokens : Ragged
        int64: the id of each word, 1 where it is unknown.
    forms : Ragged
        int64: which form of `characters` each word is.
    characters : Ragged
        int64: the character ids of each distinct form, as spelt.
    """

    tokens: Ragged
    forms: Ragged
    characters: Ragged

    def take(self, rows: Tensor) -> EncodedWords:
        """The sentences `rows` (int64), as they are encoded alone: forms are numbered in the order of their words.

        Example
        -------
        >>> codec, sentences = WordCodec(min_count=1).fit([["a", "b"]]), [["c", "b"], ["b", "a", "b"]]
        >>> part = codec.encode(sentences).take(torch.tensor([1]))
        >>> part.forms.values.tolist(), part.characters.values.equal(codec.encode(sentences[1:]).characters.values)
        ([0, 1, 0], True)
        """
        tokens, forms = self.tokens.take(rows), self.forms.take(rows)
        distinct, places = torch.unique(forms.values, return_inverse=True)
        first = torch.full_like(distinct, len(places)).scatter_reduce(0, places, torch.arange(len(places)), "amin")
        order = first.argsort()
        number = torch.empty_like(order)
        number[order] = torch.arange(len(order))
        return EncodedWords(tokens, Ragged(number[places], forms.offsets), self.characters.take(distinct[order]))


@register_codec
class WordCodec:
    """Words and their characters as ids. Ids 0, 1 and 2 are ``<pad>``, ``<unk>`` and ``<end>`` in both vocabularies.

    Words are looked up in Unicode's form NFC and in lower case; their characters keep the case.

    Parameters
    ----------
    min_count : int, default 2
        Words that were seen less often are unknown.
    lowercase : bool, default True
    longest : int, default 30
        Characters read of a word; of a longer one the first and last halves, as both ends tell most.

    Raises
    ------
    ValueError
        For a `min_count` or `longest` below 1 or 2.

    Example
    -------
    >>> codec = WordCodec(min_count=1).fit([["Time", "flies"], ["time", "flew"]])
    >>> codec.vocabulary, codec.encode([["Time", "stops"]]).tokens.values.tolist()
    (['<pad>', '<unk>', '<end>', 'time', 'flies', 'flew'], [3, 1])
    """

    def __init__(self, min_count: int = 2, lowercase: bool = True, longest: int = 30) -> None:
        if min_count < 1:
            raise ValueError(f"expected min_count of at least 1, got {min_count}")
        if longest < 2:
            raise ValueError(f"expected longest of at least 2 characters, got {longest}")
        self.min_count, self.lowercase, self.longest = min_count, lowercase, longest
        self._set([], [])

    def _set(self, words: Iterable[str], characters: Iterable[str]) -> None:
        self.vocabulary, self.characters = [*SPECIALS, *words], [*SPECIALS, *characters]
        self._words = {word: number for number, word in enumerate(self.vocabulary) if number >= len(SPECIALS)}
        self._characters = {each: number for number, each in enumerate(self.characters) if number >= len(SPECIALS)}

    @property
    def size(self) -> int:
        """Number of word ids, with the special ones."""
        return len(self.vocabulary)

    def fit(self, sentences: Iterable[Sequence[str]], vocabulary: Sequence[str] | None = None) -> Self:
        """Learn the words, the most frequent first, and the characters of `sentences`.

        Parameters
        ----------
        sentences : sequences of words
        vocabulary : words to know instead, by id from 0, the three special ones first: a language model's
        """
        counts: Counter[str] = Counter(word for sentence in sentences for word in sentence)
        words: Counter[str] = Counter()
        characters: Counter[str] = Counter()
        for word, count in counts.items():
            words[self.normal(word)] += count
            # Each once, in an order that is the same in every process: a set's is not.
            for each in dict.fromkeys(unicodedata.normalize("NFC", word)):
                characters[each] += count
        known = [word for word, count in words.most_common() if count >= self.min_count]
        self._set(
            known if vocabulary is None else vocabulary[len(SPECIALS) :], (c for c, _ in characters.most_common())
        )
        return self

    def normal(self, word: str) -> str:
        """The word as it is looked up."""
        word = unicodedata.normalize("NFC", word)
        return word.lower() if self.lowercase else word

    def knows(self, word: str) -> bool:
        """Whether the word has an id of its own."""
        return self.normal(word) in self._words

    def encode(self, sentences: Iterable[Sequence[str]]) -> EncodedWords:
        """Ids of words, of forms, and of each form's characters."""
        places: dict[str, int] = {}
        forms = [torch.tensor([places.setdefault(word, len(places)) for word in words]).long() for words in sentences]
        where = Ragged.of(forms, dtype=torch.int64)
        ids = torch.tensor([self._words.get(self.normal(form), UNKNOWN) for form in places], dtype=torch.int64)
        spelt = (torch.tensor(self._spell(form), dtype=torch.int64) for form in places)
        tokens = ids[where.values] if len(ids) else where.values
        return EncodedWords(Ragged(tokens, where.offsets), where, Ragged.of(spelt, dtype=torch.int64))

    def _spell(self, form: str) -> list[int]:
        form = unicodedata.normalize("NFC", form)
        if len(form) > self.longest:
            form = form[: self.longest // 2] + form[-(self.longest - self.longest // 2) :]
        return [self._characters.get(each, UNKNOWN) for each in form]

    def decode(self, ids: Tensor) -> list[str]:
        """The words of ids (n,), as they are looked up."""
        return [self.vocabulary[number] for number in ids.tolist()]

    def to_json(self) -> Json:
        """All that was learned, as plain JSON."""
        return {
            "codec": type(self).__name__,
            "min_count": self.min_count,
            "lowercase": self.lowercase,
            "longest": self.longest,
            "words": self.vocabulary[len(SPECIALS) :],
            "characters": self.characters[len(SPECIALS) :],
        }

    @classmethod
    def from_json(cls, state: Json) -> Self:
        """The codec that `to_json` wrote; ValueError for anything else."""
        codec = cls(
            checked(state, "min_count", lambda value: is_count(value) and value >= 1, "a whole number from 1"),
            checked(state, "lowercase", lambda value: isinstance(value, bool), "true or false"),
            checked(state, "longest", lambda value: is_count(value) and value >= 2, "a whole number from 2"),
        )
        names: Any = is_list(is_name)
        codec._set(checked(state, "words", names, "texts"), checked(state, "characters", names, "texts"))
        return codec


class TaggedDataset(SequenceDataset):
    """Sentences with a label a word. A batch holds the characters of each distinct form once.

    Beside ``"tokens"`` (B, T) its batches have ``"forms"`` (B, T), the number of each word's form within the batch,
    and ``"characters"`` (W, C) with lengths, the characters of those W forms.

    Parameters
    ----------
    words : EncodedWords
    targets : Ragged, optional
        int64, a label a word.
    weights : Ragged, optional
        A weight a word.
    typical : float, optional
        See `SequenceDataset`.

    Example
    -------
    >>> words = WordCodec(min_count=1).fit([["a", "ab", "a"]]).encode([["a", "ab", "a"], ["ab"]])
    >>> batch = TaggedDataset(words).gather(torch.tensor([0, 1]))
    >>> batch.inputs["forms"].tolist(), batch.lengths["characters"].tolist()
    ([[0, 1, 0], [1, 0, 0]], [1, 2])
    """

    def __init__(
        self,
        words: EncodedWords,
        targets: Ragged | None = None,
        weights: Ragged | None = None,
        typical: float | None = None,
    ) -> None:
        super().__init__({"tokens": words.tokens, "forms": words.forms}, targets, weights, typical)
        self.characters = words.characters

    def take(self, rows: Tensor) -> TaggedDataset:
        """The samples `rows` (int64) as a data set of their own."""
        part = super().take(rows)
        words = EncodedWords(part.inputs["tokens"], part.inputs["forms"], self.characters)
        targets: Any = part.targets  # ragged, as they were given
        weights: Any = part.weights
        return TaggedDataset(words, targets, weights, self.typical)

    def content(self) -> Contents:
        """All that it holds, by name: see `memorycell.data.content`."""
        return [*super().content(), ("characters", self.characters)]

    def gather(self, rows: Tensor) -> Batch:
        """The batch of the samples `rows` (int64, (B,))."""
        batch = super().gather(rows)
        inside = torch.arange(batch.inputs["tokens"].shape[1]) < batch.lengths["tokens"].unsqueeze(1)
        # Beyond the end stands the first form of the batch, which is there anyway; its features are never read.
        distinct, places = torch.unique(batch.inputs["forms"][inside], return_inverse=True)
        local = torch.zeros_like(batch.inputs["forms"])
        local[inside] = places
        if not len(distinct):
            distinct = torch.zeros(1, dtype=torch.int64)
        batch.inputs["forms"] = local
        del batch.lengths["forms"]
        if len(self.characters):
            batch.inputs["characters"], batch.lengths["characters"] = self.characters.padded(distinct)
        else:
            batch.inputs["characters"] = torch.zeros(1, 1, dtype=torch.int64)
            batch.lengths["characters"] = torch.zeros(1, dtype=torch.int64)
        return batch
