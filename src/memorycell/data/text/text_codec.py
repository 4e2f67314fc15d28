"""TextCodec: texts to token ids and back, by characters, words or subwords, on the `tokenizers` library."""

from __future__ import annotations

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain, pairwise
from typing import Any

import numpy as np
import torch

from memorycell.data.codec import Json, checked, is_count, is_list, is_name, register_codec
from memorycell.data.ragged import Ragged
from memorycell.data.text.scripts import CLUSTERED, clustered_in, clusters, letters_of, together

PAD, UNK, END = 0, 1, 2
SPECIALS = ["<pad>", "<unk>", "<end>"]

_UNITS = ("word", "character", "subword", "whitespace")
_FORMS = ("NFC", "NFKC", None)
_SUBWORDS = 8000  # vocabulary of subwords where no size is asked for
_BYTES = 256
_MOST = 4_000_000  # tokens of a vocabulary that a stored state may have
_Pieces = Callable[[], Iterator[str]]
_ALL_SCRIPTS = [script.name for script in CLUSTERED]
_GROUP = 2_000_000  # characters that are encoded at a time: bounds the memory of what comes between text and ids

# Chinese and Japanese are written without spaces: each of their characters is a word.
_IDEOGRAM = r"[\p{Han}\p{Hiragana}\p{Katakana}ー]"
# What a reader sees as one thing, tried in this order at every place; what no line matches is space between words.
_FIRST = [
    r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)\]}'’”…]",
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    r"[#@]\w+",
    r"&(?:#\d+|\w+);",
    r"[:;=][-'^o]?[()\[\]{}DPpOo/\\|*]+(?![\w/])|</?3+(?!\w)|\^[_.-]*\^|-_+-",
    r"\d+(?:[.,:/]\d+)+",
    r"(?:\p{L}\.){2,}",
    r"(?<=\w)['’]s(?!\w)",
    _IDEOGRAM,
]


def _words_pattern(scripts: list[str]) -> str:
    """What a word is, where texts in `scripts` are split into clusters."""
    cluster = clusters(scripts)
    letter = rf"[\w&&[^\p{{Han}}\p{{Hiragana}}\p{{Katakana}}ー{letters_of(scripts)}]]"
    words = rf"{letter}+(?:['’]{letter}+)*"
    return "|".join([*_FIRST, words, *([] if cluster is None else [cluster]), r"\.{2,}", r"(?!\s)\X"])


def words_of(text: str) -> list[str]:
    """The words of a text as ``TextCodec("word")`` finds them in training, in the case that they have.

    Example
    -------
    >>> words_of("It's so good! 天气 สวัสดี")
    ["It's", 'so', 'good', '!', '天', '气', 'ส', 'วั', 'ส', 'ดี']
    """
    return [word for word, _ in words_at(unicodedata.normalize("NFC", text))]


def words_at(text: str) -> list[tuple[str, tuple[int, int]]]:
    """The words of a text as it is, each with its start and stop in it.

    Example
    -------
    >>> words_at("Oh, 天气")
    [('Oh', (0, 2)), (',', (2, 3)), ('天', (4, 5)), ('气', (5, 6))]
    """
    return _splitter().pre_tokenize_str(text)


@cache
def _splitter() -> Any:
    library = _library()
    return library.pre_tokenizers.Split(library.Regex(_words_pattern(_ALL_SCRIPTS)), "removed", invert=True)


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        hint = 'reading text needs the tokenizers package: pip install "memorycell[text]"'
        raise ImportError(hint) from error
    return tokenizers


@contextmanager
def _one_thread() -> Iterator[None]:
    """Unless the user's environment says otherwise, no threads: a process forked later would warn of them."""
    name = "TOKENIZERS_PARALLELISM"
    if name in os.environ:
        yield
        return
    os.environ[name] = "false"
    try:
        yield
    finally:
        os.environ.pop(name, None)


def checked_texts(texts: Iterable[Any]) -> list[str]:
    """The texts as a list, each of them a text that can be written as UTF-8.

    Raises
    ------
    TypeError
        For a single text, or elements that are no texts (None, NaN, numbers): with how many and the first row.
    ValueError
        For a text with half of a surrogate pair.

    Example
    -------
    >>> checked_texts(("one", "two"))
    ['one', 'two']
    """
    if isinstance(texts, str | bytes):
        raise TypeError("expected a list of texts, got a single one: put it in a list, [text]")
    texts = texts.tolist() if hasattr(texts, "tolist") else list(texts)
    wrong = [row for row, text in enumerate(texts) if not isinstance(text, str)]
    if wrong:
        what = _kind(texts[wrong[0]])
        count = sum(_kind(texts[row]) == what for row in wrong)
        values = "value" if count == 1 else "values"
        raise TypeError(f"expected texts, got {count} {what} {values} (first: row {wrong[0]}): leave those rows out")
    return [check_text(text, f"row {row}") for row, text in enumerate(texts)]


def _kind(value: Any) -> str:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return "None"
    return "NaN" if isinstance(value, float) and value != value else type(value).__name__


def check_text(value: Any, where: str) -> str:
    """The text itself, if it is one that can be written as UTF-8; `where` names its place in the error.

    Example
    -------
    >>> check_text(None, "row 5")
    Traceback (most recent call last):
        ...
    TypeError: expected texts, got None (row 5): leave it out
    """
    if not isinstance(value, str):
        raise TypeError(f"expected texts, got {_kind(value)} ({where}): leave it out")
    try:
        if not value.isascii():
            value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"expected Unicode text, got half of a surrogate pair at character {error.start} ({where}): "
            'repair it, for example with text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")'
        ) from None
    return value


def _groups(texts: Iterable[str]) -> Iterator[list[str]]:
    group: list[str] = []
    characters = 0
    for text in texts:
        if group and characters + len(text) > _GROUP:
            yield group
            group, characters = [], 0
        group.append(text)
        characters += len(text)
    if group:
        yield group


@register_codec
class TextCodec:
    """Texts to token ids and back.

    Ids 0, 1 and 2 are ``<pad>``, ``<unk>`` and ``<end>``; the others follow by their frequency in the training texts,
    the most frequent first, equals in the order of their code points.

    Parameters
    ----------
    unit : str
        ``"word"``: what a reader sees as one: words (also with an apostrophe inside), numbers, each punctuation mark,
        #hashtags, @mentions, web and e-mail addresses, emoticons, emoji; hyphenated words come apart. Of scripts that
        put no spaces between words, each Chinese and Japanese character is a token, and in Thai, Lao, Khmer, Burmese
        and others of South-East Asia each cluster of a consonant and its vowels and marks. ``"whitespace"``: whatever
        stands between spaces, for texts that are already split. ``"character"``: each Unicode code point, line breaks
        too. ``"subword"``: byte pair encoding (Sennrich et al. 2016) of UTF-8 bytes, so that no text is unknown; in the
        vocabulary a space is written ``Ġ``.
    size : int, optional
        Most tokens of the vocabulary, the three above included: the rarest are left out. Default: all that
        occur; for subwords 8000.
    min_count : int
        Tokens that occur less often in training are unknown; for subwords: pieces are not joined (at least 2).
    lowercase : bool
    normalization : "NFC", "NFKC" or None
        Unicode normalisation of every text before anything else: in NFC, é is one character however it was typed.

    Raises
    ------
    ValueError
        For parameters out of range.
    ImportError
        When texts are read and the `tokenizers` package is missing.

    Notes
    -----
    A text may itself contain ``<pad>``, ``<unk>`` or ``<end>``. Words, characters and subwords never make one token
    of these. With ``"whitespace"`` each of the three is read as an unknown word, id 1 (as WikiText means its
    ``<unk>``), and so counted among the unknown. The library uses one thread, unless the environment variable
    TOKENIZERS_PARALLELISM is ``true``.

    Example
    -------
    >>> codec = TextCodec("word").fit(["the cat sat", "the dog sat :)"])
    >>> codec.vocabulary
    ['<pad>', '<unk>', '<end>', 'sat', 'the', ':)', 'cat', 'dog']
    >>> codec.encode(["the bird sat"], end=True)[0].tolist()
    [4, 1, 3, 2]
    >>> codec.tokens("the bird")
    [('the', 0, 3), ('<unk>', 4, 8)]

    Attributes
    ----------
    scripts : list of str
        Of words: the scripts of South-East Asia that training texts were written in, which are split into clusters.
    """

    def __init__(
        self,
        unit: str = "word",
        size: int | None = None,
        min_count: int = 1,
        lowercase: bool = False,
        normalization: str | None = "NFC",
    ) -> None:
        if unit not in _UNITS:
            raise ValueError(f"expected unit to be one of {', '.join(_UNITS)}, got {unit!r}")
        least = len(SPECIALS) + (_BYTES if unit == "subword" else 1)
        if size is not None and (not is_count(size) or size < least):
            raise ValueError(f"expected a size of at least {least} for unit={unit!r}, got {size!r}")
        if not is_count(min_count) or min_count < 1:
            raise ValueError(f"expected a min_count of at least 1, got {min_count!r}")
        if normalization not in _FORMS:
            raise ValueError(f"expected normalization to be 'NFC', 'NFKC' or None, got {normalization!r}")
        self.unit, self.most, self.min_count = unit, size, min_count
        self.lowercase, self.normalization = bool(lowercase), normalization
        self.scripts: list[str] = []
        self._vocabulary: list[str] = []
        self._merges: list[tuple[int, int]] = []
        self._tokenizer: Any = None

    @property
    def vocabulary(self) -> list[str]:
        """The tokens by id."""
        if not self._vocabulary:
            raise ValueError("expected a fitted TextCodec, got one that has seen no text: call fit(texts) first")
        return self._vocabulary

    def __repr__(self) -> str:
        fitted = f"{len(self._vocabulary):,} tokens" if self._vocabulary else "not fitted"
        return f"TextCodec({self.unit}, {fitted})"

    @property
    def size(self) -> int:
        """Tokens of the vocabulary, ``<pad>``, ``<unk>`` and ``<end>`` included."""
        return len(self.vocabulary)

    def fit(self, texts: Iterable[str]) -> TextCodec:
        """Learns the vocabulary from training texts.

        Besides lists, arrays and columns it takes anything that can be gone through more than once and has no
        length, such as `TextFile`: that is read piece by piece.

        Raises
        ------
        TypeError, ValueError
            For what `checked_texts` refuses, no text at all, or texts without a single token.
        """
        streamed = not hasattr(texts, "__len__") and not isinstance(texts, Iterator)
        if not streamed:
            texts = checked_texts(texts)
            if not texts:
                raise ValueError("expected at least one text, got none")

        def pieces() -> Iterator[str]:
            return (check_text(text, f"piece {number}") for number, text in enumerate(texts))

        learn = {"character": self._characters, "subword": self._subwords}.get(self.unit, self._words)
        self.scripts = _ALL_SCRIPTS if self.unit == "word" else []
        with _one_thread():
            tokens = learn(pieces)
        self.scripts = clustered_in(tokens) if self.unit == "word" else []
        if not tokens:
            raise ValueError(
                f"expected texts with at least one {self.unit} that occurs {self.min_count} times, got none: "
                "give more text or a smaller min_count"
                + (', or unit="character" for texts that are no words' if self.unit == "word" else "")
            )
        self._vocabulary, self._tokenizer = SPECIALS + tokens, None
        return self

    def _characters(self, pieces: _Pieces) -> list[str]:
        counts: Counter[str] = Counter()
        normalizer = self._normalizer()
        for piece in pieces():
            counts.update(piece if normalizer is None else normalizer.normalize_str(piece))
        order = sorted(counts, key=lambda token: (-counts[token], token))
        kept = [token for token in order if counts[token] >= self.min_count]
        return kept[: None if self.most is None else self.most - len(SPECIALS)]

    def _words(self, pieces: _Pieces) -> list[str]:
        library = _library()
        tokenizer = self._bare(library.models.WordLevel(unk_token=SPECIALS[UNK]))
        # The trainer sorts by frequency, then by code points: that is the order wanted.
        room = _MOST if self.most is None else self.most
        trainer = library.trainers.WordLevelTrainer(
            vocab_size=room, min_frequency=self.min_count, special_tokens=[], show_progress=False
        )
        tokenizer.train_from_iterator(pieces(), trainer)
        found = tokenizer.get_vocab()
        kept = [token for token in sorted(found, key=found.__getitem__) if token not in SPECIALS]
        return kept[: room - len(SPECIALS)]

    def _subwords(self, pieces: _Pieces) -> list[str]:
        library = _library()
        tokenizer = self._bare(library.models.BPE())
        trainer = library.trainers.BpeTrainer(
            vocab_size=(self.most or _SUBWORDS) - len(SPECIALS),
            min_frequency=max(2, self.min_count),
            special_tokens=[],
            initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(pieces(), trainer)
        found = tokenizer.get_vocab()
        counts = np.zeros(len(found), np.int64)
        for group in _groups(pieces()):
            ids = chain.from_iterable(encoding.ids for encoding in tokenizer.encode_batch_fast(group))
            counts += np.bincount(np.fromiter(ids, np.int64), minlength=len(counts))
        if not counts.any():
            return []
        tokens = sorted(found, key=lambda token: (-counts[found[token]], token))
        place = {token: number for number, token in enumerate(tokens, len(SPECIALS))}
        merges = json.loads(tokenizer.to_str())["model"]["merges"]
        self._merges = [(place[first], place[second]) for first, second in merges]
        return tokens

    def encode(self, texts: Iterable[str], end: bool = False) -> Ragged:
        """Token ids of each text, int64; with `end`, each is followed by that of ``<end>``. An empty text has none.

        Raises
        ------
        TypeError, ValueError
            For what `checked_texts` refuses, or a codec that is not fitted.
        """
        tokenizer, texts = self._fitted(), checked_texts(texts)
        parts: list[np.ndarray] = []
        lengths = [0]
        with _one_thread():
            for group in _groups(texts):
                ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(group)]
                if end:
                    for sequence in ids:
                        sequence.append(END)
                lengths.extend(map(len, ids))
                parts.append(np.fromiter(chain.from_iterable(ids), np.int64))
        values = np.concatenate(parts) if parts else np.empty(0, np.int64)
        return Ragged(torch.from_numpy(values), torch.from_numpy(np.cumsum(lengths)))

    def tokens(self, text: str) -> list[tuple[str, int, int]]:
        """Token, start and stop of each token of `text`, in characters of the text as it was given.

        The token is that of the vocabulary, ``<unk>`` for an unknown one; ``text[start:stop]`` is what was written.
        """
        tokenizer = self._fitted()
        encoding = tokenizer.encode(checked_texts([text])[0])
        spans = encoding.offsets
        nexts = [*(start for start, _ in spans), len(text)][1:]
        found = []
        for i, (start, stop), following in zip(encoding.ids, spans, nexts, strict=True):
            # A mark that normalisation joined with its letter belongs to the letter's span.
            while stop < following and unicodedata.combining(text[stop]):
                stop += 1
            found.append((self._vocabulary[i], start, stop))
        return found

    def decode(self, ids: Any) -> str:
        """The text of token ids (a tensor, an array or a list of whole numbers).

        Characters and subwords: exactly the normalised text that was encoded. Words stand between spaces, but for
        those of scripts without them.
        ``<pad>`` is left out; ``<end>`` breaks the line between words and is left out otherwise; an unknown
        character becomes ``�``, an unknown word ``<unk>``.

        Raises
        ------
        ValueError
            For ids outside of the vocabulary.
        """
        ids = np.asarray(ids).reshape(-1)
        if ids.size and (ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= self.size):
            raise ValueError(f"expected token ids from 0 to {self.size - 1}, got {ids[:10].tolist()}")
        if self.unit in ("word", "whitespace"):
            return "\n".join(self._joined(line) for line in _lines(ids[ids != PAD]))
        ids = ids[(ids != PAD) & (ids != END)]
        tokens = ["�" if i == UNK else self._vocabulary[i] for i in ids]
        return "".join(tokens) if self.unit == "character" else _library().decoders.ByteLevel().decode(tokens)

    def _joined(self, ids: np.ndarray) -> str:
        words = [self._vocabulary[i] for i in ids]
        return "".join(self.gap(before, word) + word for before, word in pairwise(["", *words]))

    def gap(self, before: str, word: str) -> str:
        """What stands between two tokens of a text: a space between words, nothing in scripts without spaces."""
        if not before or self.unit not in ("word", "whitespace"):
            return ""
        return "" if self.unit == "word" and together(before, word) else " "

    def to_json(self) -> Json:
        # What earlier versions would split otherwise says so; all else they read.
        scripts = {"scripts": self.scripts} if self.scripts else {}
        return {
            "codec": "TextCodec",
            "version": 2 if scripts else 1,
            **scripts,
            "unit": self.unit,
            "size": self.most,
            "min_count": self.min_count,
            "lowercase": self.lowercase,
            "normalization": self.normalization,
            "vocabulary": self.vocabulary,
            "merges": [list(pair) for pair in self._merges],
        }

    @classmethod
    def from_json(cls, state: Json) -> TextCodec:
        """The codec that `to_json` wrote; ValueError when the state is damaged."""
        version = checked(state, "version", lambda value: value in (1, 2), "1 or 2 (a newer version wrote this file)")
        unit = checked(state, "unit", _UNITS.__contains__, f"one of {', '.join(_UNITS)}")
        codec = cls(
            unit,
            checked(state, "size", lambda value: value is None or is_count(value), "a whole number or null"),
            checked(state, "min_count", is_count, "a whole number"),
            checked(state, "lowercase", lambda value: isinstance(value, bool), "true or false"),
            checked(state, "normalization", lambda value: value in _FORMS, "NFC, NFKC or null"),
        )
        if version == 2:
            known = is_list(lambda name: name in _ALL_SCRIPTS, most=len(_ALL_SCRIPTS))
            codec.scripts = checked(state, "scripts", known, f"some of {', '.join(_ALL_SCRIPTS)}")
        expected = f"the tokens {', '.join(SPECIALS)}, then others, each of them once"
        codec._vocabulary = checked(state, "vocabulary", lambda value: _is_vocabulary(value, unit), expected)
        count = len(codec._vocabulary)
        pairs = checked(state, "merges", is_list(lambda pair: _is_pair(pair, count), most=count), "pairs of token ids")
        tokens = set(codec._vocabulary[len(SPECIALS) :])
        codec._merges = [(first, second) for first, second in pairs]
        joined = {codec._vocabulary[first] + codec._vocabulary[second] for first, second in codec._merges}
        if joined - tokens or (unit != "subword" and joined):
            raise ValueError(f"the stored codec is damaged: expected merges of {unit} tokens that make known tokens")
        return codec

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tokenizer": None}

    def _fitted(self) -> Any:
        """The library's tokenizer, built when first needed."""
        if self._tokenizer is None:
            ids = {token: number for number, token in enumerate(self.vocabulary)}
            models = _library().models
            # <pad> and <end> are never met in a text, as they are not in the library's vocabulary.
            del ids[SPECIALS[PAD]], ids[SPECIALS[END]]
            unknown = SPECIALS[UNK]
            if self.unit in ("word", "whitespace"):
                model = models.WordLevel(ids, unk_token=unknown)
            else:
                pairs = [(self._vocabulary[first], self._vocabulary[second]) for first, second in self._merges]
                model = models.BPE(ids, pairs, unk_token=unknown)
            self._tokenizer = self._bare(model)
        return self._tokenizer

    def _normalizer(self) -> Any:
        normalizers = _library().normalizers
        steps = [] if self.normalization is None else [getattr(normalizers, self.normalization)()]
        steps += [normalizers.Lowercase()] if self.lowercase else []
        return normalizers.Sequence(steps) if steps else None

    def _bare(self, model: Any) -> Any:
        """A tokenizer of the library that normalises and splits as this codec does, around `model`."""
        library = _library()
        split = library.pre_tokenizers
        tokenizer = library.Tokenizer(model)
        normalizer = self._normalizer()
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        # Characters need no splitting: byte pair encoding without merges gives them one by one, and faster.
        if self.unit == "word":
            tokenizer.pre_tokenizer = split.Split(library.Regex(_words_pattern(self.scripts)), "removed", invert=True)
        elif self.unit == "whitespace":
            tokenizer.pre_tokenizer = split.WhitespaceSplit()
        elif self.unit == "subword":
            tokenizer.pre_tokenizer = split.ByteLevel(add_prefix_space=False)
        return tokenizer


def _lines(ids: np.ndarray) -> list[np.ndarray]:
    """Cut after each ``<end>``, which is left out; the last one leads to no line of its own."""
    ends = np.flatnonzero(ids == END)
    parts = np.split(ids, ends + 1)
    if len(ends) and not len(parts[-1]):
        parts.pop()
    return [part[part != END] for part in parts]


def _is_vocabulary(value: Any, unit: str) -> bool:
    if not is_list(is_name, most=_MOST)(value) or value[: len(SPECIALS)] != SPECIALS or len(value) <= len(SPECIALS):
        return False
    tokens = value[len(SPECIALS) :]
    if len(set(value)) != len(value) or not all(tokens) or not _is_unicode("".join(tokens)):
        return False
    if unit == "character":
        return max(map(len, tokens)) == 1
    if unit == "subword":
        letters = set(_library().pre_tokenizers.ByteLevel.alphabet())
        return letters <= set(tokens) and letters.issuperset("".join(tokens))
    return True


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_pair(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(is_count(number, count - 1) and number >= len(SPECIALS) for number in value)
    )
