"""From what a user gives as text to a corpus of token ids, and what of it was unknown."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from memorycell.data.text.corpus import Corpus
from memorycell.data.text.text_codec import END, SPECIALS, UNK, TextCodec
from memorycell.data.text.text_file import TextFile

_CODE_POINTS = 0x110000
_TEXT_FILES = (".txt", ".gz", ".tokens", ".md")

Source = TextFile | list[str]


class Token(NamedTuple):
    """A token of a text: what the model takes it for, where it stands, and the log probability it was given."""

    token: str
    start: int
    stop: int
    log_probability: float


def source_of(given: Any) -> Source:
    """The file of a path, or the documents of a text or a list of texts.

    A `str` of one line is a path where there is such a file or it is named like a text file; else it is the text.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        For no such file, an empty text, or something else than texts.

    Example
    -------
    >>> source_of("To be, or not to be.")
    ['To be, or not to be.']
    """
    if isinstance(given, TextFile):
        return given
    if isinstance(given, os.PathLike) or (isinstance(given, str) and _is_path(given)):
        return TextFile(Path(given))
    texts = [given] if isinstance(given, str) else given.tolist() if hasattr(given, "tolist") else given
    if not isinstance(texts, list | tuple):
        raise TypeError(f"expected a path, a text or a list of texts, got {type(texts).__name__}")
    wrong = [row for row, text in enumerate(texts) if not isinstance(text, str)]
    if wrong:
        kind = type(texts[wrong[0]]).__name__
        raise TypeError(
            f"expected texts, got {len(wrong)} that are none, the first a {kind} (row {wrong[0]}): leave those rows out"
        )
    if not any(text.strip() for text in texts):
        raise ValueError("expected a text, got an empty one: give at least a few thousand words or characters")
    return list(texts)


def _is_path(text: str) -> bool:
    if "\n" in text or not text.strip() or len(text) > 1000:
        return False
    try:
        return Path(text).suffix.lower() in _TEXT_FILES or Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or with a zero byte in it
        return False


class Head:
    """The first `share` of a text, by its characters: what a vocabulary may be learned from."""

    def __init__(self, source: Iterable[str], share: float) -> None:
        self.source, self.share = source, share

    def __iter__(self) -> Iterator[str]:
        if self.share >= 1:
            yield from self.source
            return
        left = math.ceil(self.share * sum(map(len, self.source)))
        for piece in self.source:
            if len(piece) >= left:
                # No half words: up to the last space before the cut.
                stop = max(piece.rfind(" ", 0, left), piece.rfind("\n", 0, left)) + 1
                yield piece[: stop or left]
                return
            left -= len(piece)
            yield piece


def corpus_of(given: Any, codec: TextCodec, cache: str | os.PathLike[str] | None = None) -> Corpus:
    """The corpus of a text: as it is, or the text encoded by `codec`.

    Raises
    ------
    ValueError
        For a corpus of another vocabulary, or a text without tokens.
    """
    if isinstance(given, Corpus):
        if given.size != codec.size:
            raise ValueError(
                f"expected a corpus of this model's vocabulary of {codec.size} tokens, got one of {given.size}: "
                "give the text itself"
            )
        return given
    source = source_of(given)
    if isinstance(source, TextFile):
        return Corpus.from_file(source, codec, cache=None if cache is None else Path(cache))
    return Corpus.from_texts(source, codec)


def by_lines(codec: TextCodec) -> bool:
    """Whether a line ends with ``<end>``: in units that do not keep line breaks themselves."""
    return codec.unit in ("word", "whitespace")


def spans(codec: TextCodec, text: str) -> Iterator[tuple[str, int, int]]:
    """Token, start and stop of each token of a `Corpus` of this text; ``<end>`` spans the line break."""
    lines = text.split("\n") if by_lines(codec) else [text]
    if len(lines) > 1 and not lines[-1]:
        del lines[-1]  # the last line's end begins no other line
    place = 0
    for line in lines:
        for token, start, stop in codec.tokens(line):
            yield token, place + start, place + stop
        place += len(line)
        yield SPECIALS[END], place, min(place + 1, len(text))
        place += 1


def spelling_bits(codec: TextCodec, given: Any) -> float:
    """Bits that spell out the unknown tokens of a text, which the model itself only calls unknown.

    A code that could be decoded: each character of an unknown word, and an end mark, costs log2 of the number of
    different characters of the vocabulary and two (the end mark and an escape); a character that the vocabulary does
    not have costs as much again as it takes to name one of Unicode's code points. A text's own ``<unk>`` is no
    unknown word but the word itself.
    """
    alphabet = set("".join(codec.vocabulary[len(SPECIALS) :]))
    step, new = math.log2(len(alphabet) + 2), math.log2(_CODE_POINTS)
    bits = 0.0
    for text in source_of(given):
        for line in text.split("\n") if by_lines(codec) else [text]:
            if not bool((codec.encode([line]).values == UNK).any()):
                continue
            for token, start, stop in codec.tokens(line):
                written = line[start:stop]
                if token == SPECIALS[UNK] != written:
                    strange = sum(character not in alphabet for character in written)
                    bits += strange * new + (0.0 if codec.unit == "character" else (len(written) + 1) * step)
    return bits
