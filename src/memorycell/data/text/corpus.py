"""Corpus: long texts as one line of token ids, in memory or in a memory-mapped file, for language models."""

from __future__ import annotations

import io
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.data.codec import Json
from memorycell.data.content import Contents
from memorycell.data.ragged import Ragged
from memorycell.data.text.corpus_cache import cache_stamp, read_cache, writing_cache
from memorycell.data.text.text_codec import END, UNK, check_text
from memorycell.data.text.text_file import TextFile, text_pieces

_IN_MEMORY = 1 << 26  # bytes of a file up to which its ids are kept in memory
_GROUP = 1_000_000  # characters that are encoded at a time


class CorpusCodec(Protocol):
    """What a corpus asks of its codec: `TextCodec` has it."""

    unit: str

    @property
    def size(self) -> int: ...

    def encode(self, texts: Any, end: bool = False) -> Ragged: ...

    def to_json(self) -> Json: ...


@dataclass
class CorpusCounts:
    """What the corpus was made of, counted in the text as it was read, before any normalisation.

    Attributes
    ----------
    documents, lines, words, characters : int
        Words stand between spaces; line ends count as characters (``\\r\\n`` as one).
    bytes : int
        Of the text in UTF-8.
    tokens : int
        All that is predicted: the tokens of the texts and each ``<end>``.
    unknown : int
        Those among them that are ``<unk>``.
    """

    documents: int = 0
    lines: int = 0
    words: int = 0
    characters: int = 0
    bytes: int = 0
    tokens: int = 0
    unknown: int = 0

    def add_text(self, text: str) -> None:
        self.lines += text.count("\n")
        self.words += len(text.split())
        self.characters += len(text)
        self.bytes += len(text.encode("utf-8"))


class Corpus:
    """Token ids of one or several documents, one after the other, each followed by ``<end>``.

    The first id is an ``<end>`` too: it stands before the first document, so that every token of the text is
    predicted, also the first. With words, each line ends in ``<end>`` (as in the usual figures on WikiText); with
    characters and subwords the line break is itself a token. A corpus is a `StepDataset`: row i has token i as
    input and token i + 1 as its target.

    Attributes
    ----------
    ids : array (N + 1,)
        uint16 where the vocabulary allows it, else int32; may be a memory-mapped file.
    offsets : int64 array (documents + 1,)
        Document d is predicted by rows ``offsets[d]`` to ``offsets[d + 1] - 1``.
    counts : CorpusCounts
        For perplexity, and bits per character, word or byte: ``bits = nats / log(2) / counts.characters``.

    Example
    -------
    >>> from memorycell.data.streams import CarriedStream
    >>> from memorycell.data.text.text_codec import TextCodec
    >>> codec = TextCodec("character").fit(["abab"])
    >>> corpus = Corpus.from_texts(["abba"], codec)
    >>> corpus.ids.tolist(), corpus.ranges, corpus.counts.characters
    ([2, 3, 4, 4, 3, 2], [(0, 5)], 4)
    >>> batch = next(CarriedStream(corpus, corpus.ranges, batch_size=1, length=3).batches(epoch=0))
    >>> batch.inputs["tokens"].tolist(), batch.targets.tolist()
    ([[2, 3, 4]], [[3, 4, 4]])
    """

    def __init__(self, ids: NDArray, offsets: NDArray, counts: CorpusCounts, size: int) -> None:
        self.ids, self.offsets, self.counts, self.size = ids, offsets, counts, size

    def __repr__(self) -> str:
        documents = len(self.offsets) - 1
        texts = "text" if documents == 1 else "texts"
        return f"Corpus({len(self):,} tokens of {documents:,} {texts}, vocabulary of {self.size:,})"

    @classmethod
    def from_texts(cls, texts: str | Iterable[str], codec: CorpusCodec) -> Corpus:
        """Of texts in memory, each of them a document; a single text is one document.

        Raises
        ------
        ValueError
            When there is no text, or nothing in them.
        TypeError
            For elements that are no texts.
        """
        return cls._in_memory(([text] for text in ([texts] if isinstance(texts, str) else texts)), codec)

    @classmethod
    def from_file(
        cls,
        path: str | Path | TextFile,
        codec: CorpusCodec,
        *,
        lines: bool = False,
        cache: str | Path | None = None,
        encoding: str = "utf-8",
    ) -> Corpus:
        """Of a text file, gzipped or not, read in pieces, so that it may be larger than memory.

        Parameters
        ----------
        path : path or TextFile
            A `TextFile` may be a part of a file: ``TextFile(path).split(0.9)``.
        codec : TextCodec
            Fitted.
        lines : bool
            Each line that is not blank is a document; else the file is one.
        cache : path, optional
            File for the ids. It is used again as long as the bytes of the text, the codec and these choices are
            the same, and else replaced in one step. Default: none; the ids of a large file lie in a temporary one.
        encoding : str
            Of the file at a path.

        Raises
        ------
        FileNotFoundError, ValueError
            As `TextFile`; for a file with no text; for a `cache` that is some other file.
        """
        source = path if isinstance(path, TextFile) else TextFile(path, encoding)
        documents = _line_documents(source) if lines else [source]
        if cache is not None:
            stamp = cache_stamp(source, codec.to_json(), lines)
            found = read_cache(Path(cache), stamp, codec.size)
            if found is None:
                with writing_cache(Path(cache)) as out:
                    out.finish(stamp, *_write(documents, codec, out), dtype=_dtype(codec))
                found = read_cache(Path(cache), stamp, codec.size)
            if found is None:
                raise OSError(f"{cache}: expected the ids just written, got others: something else writes to this file")
            ids, offsets, counts = found
            return cls(ids, offsets, CorpusCounts(**counts), codec.size)
        if source.path.stat().st_size <= _IN_MEMORY:
            return cls._in_memory(documents, codec)
        # The file has no name: what is mapped of it keeps it, and it goes with the corpus.
        with tempfile.TemporaryFile() as file:
            offsets, counted = _write(documents, codec, file)
            file.flush()
            return cls(np.memmap(file, _dtype(codec), "r"), offsets, counted, codec.size)

    @classmethod
    def _in_memory(cls, documents: Iterable[Iterable[str]], codec: CorpusCodec) -> Corpus:
        out = io.BytesIO()
        offsets, counts = _write(documents, codec, out)
        return cls(np.frombuffer(out.getvalue(), _dtype(codec)), offsets, counts, codec.size)

    def __len__(self) -> int:
        """Rows: tokens that are predicted."""
        return len(self.ids) - 1

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Rows (start, stop) of each document, for `CarriedStream`."""
        return list(zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True))

    def gather_steps(self, rows: Tensor, lengths: Tensor) -> Batch:
        """Tokens and the next tokens of `rows` (B, T), of which row b counts the first `lengths[b]`."""
        where = rows.numpy()
        tokens = torch.from_numpy(self.ids[where].astype(np.int64))
        targets = torch.from_numpy(self.ids[where + 1].astype(np.int64))
        weights = (torch.arange(rows.shape[1]) < lengths.unsqueeze(1)).to(torch.float32)
        return Batch({"tokens": tokens}, {"tokens": lengths}, targets, weights)

    def content(self) -> Contents:
        """All that it holds, by name: see `memorycell.data.content`."""
        return [("ids", self.ids), ("offsets", self.offsets)]

    def frequencies(self) -> Tensor:
        """How often each token of the vocabulary is predicted, int64 (V,)."""
        counts = np.zeros(self.size, np.int64)
        for start in range(1, len(self.ids), _GROUP):
            counts += np.bincount(self.ids[start : start + _GROUP], minlength=self.size)
        return torch.from_numpy(counts)


def _line_documents(source: TextFile) -> Iterator[Iterable[str]]:
    held = ""
    for piece in source:
        *lines, held = (held + piece).split("\n")
        yield from ([line] for line in lines if line.strip())
    if held.strip():
        yield [held]


def _dtype(codec: CorpusCodec) -> Any:
    return np.dtype("<u2" if codec.size <= 1 << 16 else "<i4")


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch of text that is encoded in one, whether ``<end>`` follows, and whether it closes its document."""

    text: str
    end: bool = False
    closes: bool = False


def _runs(documents: Iterable[Iterable[str]], by_line: bool, counts: CorpusCounts) -> Iterator[_Run]:
    for number, document in enumerate(documents):
        is_open, last = True, "\n"
        for piece in text_pieces(check_text(piece, f"document {number}") for piece in document):
            counts.add_text(piece)
            last = piece[-1]
            if not by_line:
                yield _Run(piece)
                continue
            *lines, rest = piece.split("\n")
            for line in lines:
                yield _Run(line, end=True)
            is_open = bool(rest)
            if rest:
                yield _Run(rest)
        counts.documents += 1
        counts.lines += last != "\n"
        yield _Run("", end=is_open, closes=True)


def _grouped(runs: Iterable[_Run]) -> Iterator[list[_Run]]:
    group: list[_Run] = []
    characters = 0
    for run in runs:
        group.append(run)
        characters += len(run.text) + 1
        if characters >= _GROUP:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _write(documents: Iterable[Iterable[str]], codec: CorpusCodec, out: Any) -> tuple[NDArray, CorpusCounts]:
    """Writes the ids of all documents; their offsets and the counts."""
    dtype, counts = _dtype(codec), CorpusCounts()
    offsets = array("q", [0])
    out.write(np.array([END], dtype).tobytes())
    known = 0
    for group in _grouped(_runs(documents, codec.unit in ("word", "whitespace"), counts)):
        ragged = codec.encode([run.text for run in group])
        values = ragged.values.numpy()
        ends = np.array([run.end for run in group])
        stops = ragged.offsets[1:].numpy()
        out.write(np.insert(values, stops[ends], END).astype(dtype).tobytes())
        # What has been written up to each run: its tokens, each <end>, and those of the groups before.
        written = stops + ends.cumsum() + counts.tokens
        offsets.extend(written[[run.closes for run in group]].tolist())
        counts.tokens += len(values) + int(ends.sum())
        counts.unknown += int((values == UNK).sum())
        known += len(values)
    if not known:
        raise ValueError(f"expected a text with at least one {codec.unit}, got {counts.characters} characters without")
    return np.array(offsets, np.int64), counts
