"""From what a user gives as text, read once, to a corpus of token ids, and what of it was unknown."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.log import note
from memorycell.data.samples import Note, Samples, Source
from memorycell.data.text.corpus import Corpus
from memorycell.data.text.scripts import said, without_spaces
from memorycell.data.text.text_codec import END, SPECIALS, UNK, TextCodec
from memorycell.data.text.text_file import TextFile, read_text, text_pieces
from memorycell.insight.asking import checked_row

_UNKNOWN = 0.5  # share of unknown words from which on something else is meant
_CODE_POINTS = 0x110000
_TEXT_FILES = (".txt", ".gz", ".tokens", ".md")
_HELD = 1 << 26  # bytes of a file up to which its text is read once and kept


class Token(NamedTuple):
    """A token of a text: what the model takes it for, where it stands, and the log probability it was given."""

    token: str
    start: int
    stop: int
    log_probability: float


class HeldText(TextFile):
    """A text file that is read once, and kept: for those that are no larger than memory.

    Its pieces are those of a `TextFile`; as a whole it is checked more closely, see `read_text`.
    """

    def __init__(self, path: str | Path, encoding: str = "utf-8") -> None:
        super().__init__(path, encoding)
        self.text = read_text(path, encoding)

    def __iter__(self) -> Iterator[str]:
        part = (self._start, self._stop) != (0, sys.maxsize)
        return super().__iter__() if part else text_pieces([self.text])


class TextSamples(Samples):
    """Texts that were read, or, of a file that is larger than memory, are read piece by piece.

    Attributes
    ----------
    given : list of str, TextFile or Corpus
        A file is one text; a corpus has forgotten how its texts were written.
    """

    given: list[str] | TextFile | Corpus
    _whole: TextSamples | None = None

    def __len__(self) -> int:
        """Texts."""
        if isinstance(self.given, Corpus):
            return len(self.given.offsets) - 1
        return 1 if isinstance(self.given, TextFile) else len(self.given)

    def __getitem__(self, row: int) -> str:
        return self.texts[row]

    @property
    def written(self) -> bool:
        """Whether it is known how the texts were written."""
        return not isinstance(self.given, Corpus)

    @property
    def pieces(self) -> Iterable[str]:
        """The texts; of a file its text piece by piece. They can be gone through again.

        Raises
        ------
        ValueError
            For a corpus.
        """
        if isinstance(self.given, Corpus):
            raise ValueError("expected texts, got token ids, which have forgotten them: give the text itself")
        return self.given

    @property
    def texts(self) -> list[str]:
        """The texts, all of them in memory."""
        pieces = self.pieces
        return pieces if isinstance(pieces, list) else ["".join(pieces)]

    def whole(self) -> TextSamples:
        """All of it as one text: documents with a line break between."""
        if len(self) == 1 or not self.written:
            return self
        if self._whole is None:
            self._whole = TextSamples(["\n".join(self.texts)], notes=self.notes, source=self.source)
        return self._whole

    @property
    def explainable(self) -> int:
        """Lines that are not empty."""
        return sum(bool(line.strip()) for line in self.whole()[0].split("\n"))

    def place(self, number: int) -> int:
        """Of a line of the file, from 1, its place among those that are not empty: see `line`."""
        if self.source.file is None or number < 0:
            return number
        lines = [i for i, line in enumerate(self.whole()[0].split("\n"), 1) if line.strip()]
        if number not in lines:
            raise ValueError(f"expected a line that is not empty, from 1 to {lines[-1]:,}, got line {number:,}")
        return lines.index(number)

    def line(self, row: int) -> TextSamples:
        """One line, of those that are not empty, from 0."""
        lines = [line for line in self.whole()[0].split("\n") if line.strip()]
        chosen = lines[checked_row(row, len(lines), "lines that are not empty", "line")]
        return TextSamples([chosen], source=self.source)

    def corpus(self, codec: TextCodec, cache: str | os.PathLike[str] | None = None) -> Corpus:
        """The token ids, made when first asked for, and kept.

        Parameters
        ----------
        cache : file for the ids of a large text, to be used again

        Raises
        ------
        ValueError
            For a corpus of another vocabulary, or texts without tokens.
        """
        if isinstance(self.given, Corpus):
            if self.given.size != codec.size:
                raise ValueError(
                    f"expected a corpus of this model's vocabulary of {codec.size} tokens, got one of "
                    f"{self.given.size}: give the text itself"
                )
            return self.given

        def encode(given: Any) -> Corpus:
            if isinstance(given, TextFile):
                return Corpus.from_file(given, codec, cache=None if cache is None else Path(cache))
            return Corpus.from_texts(given, codec)

        return self.encoded(codec, encode)

    def take(self, rows: Iterable[int]) -> TextSamples:
        """The texts `rows`, as samples of their own, which are encoded by themselves."""
        chosen = [self.texts[row] for row in np.asarray(list(rows), np.int64).tolist()]
        return type(self)(chosen, notes=self.notes, source=self.source)


def documents(corpus: Corpus) -> Iterator[NDArray[Any]]:
    """The ids of each text of a corpus, those of an ``<end>`` first."""
    for first, stop in corpus.ranges:
        yield corpus.ids[first : stop + 1]


def read_samples(given: Any, encoding: str = "utf-8") -> TextSamples:
    """Texts from whatever holds them.

    Parameters
    ----------
    given : the path of a text file, a `TextFile`, a text, a list of texts, a `Corpus`, or samples as they are
        A `str` of one line is a path where there is such a file or it is named like a text file; else it is the text.
    encoding : of a file

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        For no such file, an empty text, or something else than texts.

    Example
    -------
    >>> read_samples("To be, or not to be.").given
    ['To be, or not to be.']
    """
    if isinstance(given, TextSamples):
        return given
    if isinstance(given, Corpus):
        return TextSamples(given, source=Source("a corpus of token ids"))
    if isinstance(given, TextFile):
        return TextSamples(given, source=Source(given.path.name))  # of its file it may be a part
    if isinstance(given, os.PathLike) or (isinstance(given, str) and _is_path(given)):
        path = Path(given)
        held = path.is_file() and path.stat().st_size <= _HELD
        return TextSamples((HeldText if held else TextFile)(path, encoding), source=Source(path.name, path))
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
    return TextSamples(list(texts), source=Source(f"{len(texts):,} text{'' if len(texts) == 1 else 's'}"))


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


def doubts(codec: TextCodec, corpus: Corpus) -> list[Note]:
    """Notes on a text without spaces between words, and on one most of whose words the model does not know."""
    if codec.unit != "word":
        return []
    words = corpus.counts.tokens - corpus.counts.lines
    found = [note("script", each) for each in [said(without_spaces(codec.vocabulary[len(SPECIALS) :]))] if each]
    if words and corpus.counts.unknown > _UNKNOWN * words:
        text = (
            f"{corpus.counts.unknown / words:.0%} of the words are unknown, as they are too rare: for DNA, codes and "
            'other texts that are no words, unit="character" reads their characters.'
        )
        found.append(note("unknown", text))
    return found


def by_lines(codec: TextCodec) -> bool:
    """Whether a line ends with ``<end>``: in units that do not keep line breaks themselves."""
    return codec.unit in ("word", "whitespace")


def ids_of_piece(codec: TextCodec, text: str) -> Tensor:
    """Ids int64 (n,) of a piece of text that goes on: each line break ends a line, its end ends nothing."""
    lines = text.split("\n") if by_lines(codec) else [text]
    return torch.cat([codec.encode([line], end=n < len(lines) - 1).values for n, line in enumerate(lines)])


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


def spelling_bits(codec: TextCodec, texts: Iterable[str]) -> float:
    """Bits that spell out the unknown tokens of texts, which the model itself only calls unknown.

    A code that could be decoded: each character of an unknown word, and an end mark, costs log2 of the number of
    different characters of the vocabulary and two (the end mark and an escape); a character that the vocabulary does
    not have costs as much again as it takes to name one of Unicode's code points. A text's own ``<unk>`` is no
    unknown word but the word itself.
    """
    alphabet = set("".join(codec.vocabulary[len(SPECIALS) :]))
    step, new = math.log2(len(alphabet) + 2), math.log2(_CODE_POINTS)
    bits = 0.0
    for text in texts:
        for line in text.split("\n") if by_lines(codec) else [text]:
            if not bool((codec.encode([line]).values == UNK).any()):
                continue
            for token, start, stop in codec.tokens(line):
                written = line[start:stop]
                if token == SPECIALS[UNK] != written:
                    strange = sum(character not in alphabet for character in written)
                    bits += strange * new + (0.0 if codec.unit == "character" else (len(written) + 1) * step)
    return bits
