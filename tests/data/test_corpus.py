"""Corpus: texts as one line of token ids, and the files they come from."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memorycell.data.streams import CarriedStream
from memorycell.data.text import corpus as corpus_module
from memorycell.data.text import text_file as text_file_module
from memorycell.data.text.corpus import Corpus
from memorycell.data.text.text_codec import TextCodec
from memorycell.data.text.text_file import TextFile, text_pieces

TEXT = "the cat sat\n\nthe <unk> dog é sat\n" * 30
WORDS = TextCodec("whitespace").fit([TEXT])
LETTERS = TextCodec("character").fit([TEXT])
SUBWORDS = TextCodec("subword", size=280).fit([TEXT])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file_module, "_READ", 7)
    monkeypatch.setattr(text_file_module, "_PIECE", 50)
    monkeypatch.setattr(corpus_module, "_GROUP", 120)


def test_lines_of_words_end_as_wikitext_counts_them() -> None:
    corpus = Corpus.from_texts(TEXT, WORDS)
    lines = [WORDS.encode([line], end=True)[0] for line in TEXT.split("\n")[:-1]]
    assert corpus.ids.tolist() == [2, *torch.cat(lines).tolist()]
    assert corpus.ids.dtype == np.uint16
    counts = corpus.counts
    assert (counts.documents, counts.lines, counts.unknown) == (1, 90, 30)
    assert counts.words == len(TEXT.split())
    assert counts.tokens == len(corpus) == counts.words + counts.lines
    assert counts.characters == len(TEXT)
    assert counts.bytes == len(TEXT.encode()) == len(TEXT) + 30
    assert corpus.frequencies().tolist() == np.bincount(corpus.ids[1:], minlength=WORDS.size).tolist()


@pytest.mark.parametrize("codec", [LETTERS, SUBWORDS])
def test_other_units_keep_the_line_breaks(codec: TextCodec) -> None:
    corpus = Corpus.from_texts(TEXT, codec)
    assert corpus.ids[0] == corpus.ids[-1] == 2
    assert codec.decode(corpus.ids) == TEXT
    assert corpus.counts.tokens == len(corpus)


def test_several_documents() -> None:
    corpus = Corpus.from_texts(["ab", "", "b\na", "a\n"], TextCodec("word").fit(["a b ab"]))
    assert corpus.ids.tolist() == [2, 4, 2, 2, 5, 2, 3, 2, 3, 2]
    assert corpus.ranges == [(0, 2), (2, 3), (3, 7), (7, 9)]
    assert (corpus.ids[corpus.offsets] == 2).all()
    assert corpus.counts.lines == 4


def test_what_a_stream_reads_is_every_token_once() -> None:
    corpus = Corpus.from_texts([TEXT[:200], "a short one", TEXT[200:]], LETTERS)
    seen: list[tuple[int, int]] = []
    for batch in CarriedStream(corpus, corpus.ranges, batch_size=3, length=16, seed=1).batches(epoch=0):
        assert batch.inputs["tokens"].dtype == batch.targets.dtype == torch.int64
        counted = torch.arange(16) < batch.lengths["tokens"].unsqueeze(1)
        assert batch.weights.equal(counted.float())
        assert batch.inputs["tokens"][:, 1:][counted[:, 1:]].equal(batch.targets[:, :-1][counted[:, 1:]])
        seen += zip(batch.inputs["tokens"][counted].tolist(), batch.targets[counted].tolist(), strict=True)
    assert sorted(seen) == sorted(zip(corpus.ids[:-1].tolist(), corpus.ids[1:].tolist(), strict=True))


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("codec", [WORDS, LETTERS], ids=["words", "letters"])
@pytest.mark.parametrize("zipped", [False, True])
def test_files_of_any_size_are_as_texts_in_memory(
    codec: TextCodec, zipped: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Corpus.from_texts(TEXT, codec)
    if zipped:
        path.write_bytes(gzip.compress(TEXT.encode()))
    cached = Corpus.from_file(path, codec, cache=path.with_suffix(".ids"))
    in_memory = Corpus.from_file(path, codec)
    monkeypatch.setattr(corpus_module, "_IN_MEMORY", 10)
    mapped = Corpus.from_file(path, codec)
    assert isinstance(cached.ids, np.memmap)
    assert isinstance(mapped.ids, np.memmap)
    for corpus in (cached, in_memory, mapped):
        assert corpus.ids.tolist() == expected.ids.tolist()
        assert corpus.ranges == expected.ranges
        assert corpus.counts == expected.counts


@pytest.mark.usefixtures("small_pieces")
def test_lines_as_documents(path: Path) -> None:
    corpus = Corpus.from_file(path, LETTERS, lines=True)
    expected = Corpus.from_texts([line for line in TEXT.split("\n") if line], LETTERS)
    assert corpus.ids.tolist() == expected.ids.tolist()
    assert corpus.ranges == expected.ranges
    assert corpus.counts.documents == 60


@pytest.mark.usefixtures("small_pieces")
@settings(max_examples=60, deadline=None)
@given(st.text("ab \n", max_size=300), st.integers(1, 40))
def test_pieces_depend_on_the_text_alone(text: str, width: int) -> None:
    whole = list(text_pieces([text]))
    assert "".join(whole) == text
    assert all(0 < len(piece) <= text_file_module._PIECE for piece in whole)
    assert list(text_pieces(text[at : at + width] for at in range(0, len(text), width))) == whole


def test_large_vocabularies_take_four_bytes() -> None:
    codec = TextCodec("whitespace").fit([" ".join(map(str, range(70_000)))])
    corpus = Corpus.from_texts("69999 0", codec)
    assert corpus.ids.dtype == np.int32
    assert codec.decode(corpus.ids) == "\n69999 0"


def test_a_cache_is_used_again_and_only_for_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = path.with_suffix(".ids")
    Corpus.from_file(path, LETTERS, cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(corpus_module, "_write", lambda *_: pytest.fail("encoded again"))
        times = path.stat()
        os.utime(path, (times.st_atime, times.st_mtime + 100))
        Corpus.from_file(path, LETTERS, cache=cache)
    changed = TEXT.replace("cat", "tac")
    times = path.stat()
    path.write_text(changed, encoding="utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert LETTERS.decode(Corpus.from_file(path, LETTERS, cache=cache).ids) == changed
    assert Corpus.from_file(path, WORDS, cache=cache).ids.tolist() == Corpus.from_texts(changed, WORDS).ids.tolist()
    assert len(Corpus.from_file(path, WORDS, cache=cache, lines=True).ranges) == 60
    assert sorted(file.name for file in path.parent.iterdir()) == ["text.ids", "text.txt"]


def damage(cache: Path, how: str) -> None:
    data = cache.read_bytes()
    length = int.from_bytes(data[-16:-8], "little")
    start = len(data) - 16 - length
    if how == "ids":
        data = data[:10] + b"\xff" + data[11:]
    elif how == "json":
        data = data[:start] + b"[" * length + data[-16:]
    elif how == "length":
        data = data[:-16] + (1 << 60).to_bytes(8, "little") + data[-8:]
    elif how == "shorter":
        data = data[:2] + data[10:]
    else:
        state = json.loads(data[start:-16])
        state[how] = -1
        text = json.dumps(state).encode()
        data = data[:start] + text + len(text).to_bytes(8, "little") + data[-8:]
    cache.write_bytes(data)


@pytest.mark.parametrize("how", ["ids", "json", "length", "shorter", "dtype", "documents", "counts", "crc", "stamp"])
def test_a_damaged_cache_is_made_again(path: Path, how: str) -> None:
    cache = path.with_suffix(".ids")
    expected = Corpus.from_file(path, LETTERS, cache=cache).ids.tolist()
    damage(cache, how)
    assert Corpus.from_file(path, LETTERS, cache=cache).ids.tolist() == expected


def test_nothing_is_left_of_a_cache_that_fails(path: Path) -> None:
    cache = path.with_suffix(".ids")
    Corpus.from_file(path, LETTERS, cache=cache)
    before = cache.read_bytes()
    path.write_bytes(TEXT.encode() + b"\xff")
    with pytest.raises(ValueError, match="at place"):
        Corpus.from_file(path, LETTERS, cache=cache)
    assert cache.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 2


def test_another_file_is_no_cache(path: Path) -> None:
    for other in (path, path.parent):
        with pytest.raises(ValueError, match="some other file: name another cache"):
            Corpus.from_file(path, LETTERS, cache=other)
    assert path.read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize("read", [1, 3, 1 << 20])
@pytest.mark.parametrize(
    ("data", "place"),
    [(b"ab\xe9 cd", 2), ("é".encode() * 5 + b"\xff", 10), (b"abc\xc3", 3), (b"\xef\xbb\xbfab\xff", 5)],
)
def test_bytes_that_are_no_utf8_are_named(
    data: bytes, place: int, read: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_file_module, "_READ", read)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"byte 0x\w\w at place {place:,}; save it as UTF-8"):
        list(TextFile(path))


def test_encodings_line_ends_and_marks(path: Path) -> None:
    path.write_bytes("été\r\nb\rc".encode("latin-1"))
    assert list(TextFile(path, "latin-1")) == ["été\nb\nc"]
    path.write_bytes("été\r\n".encode("utf-8-sig"))
    file = TextFile(path)
    assert list(file) == list(file) == ["été\n"]
    path.write_bytes("été".encode("utf-16"))
    assert list(TextFile(path, "utf-16")) == ["été"]
    assert list(TextFile(path)) == ["été"]
    path.write_bytes("été".encode("utf-16-le")[:-1] + b"\xff")
    with pytest.raises(ValueError, match="is not UTF-8 text: byte 0xe9 at place 0"):
        list(TextFile(path))


def test_a_codec_learns_from_a_file(path: Path) -> None:
    for unit in ("word", "character", "subword"):
        assert TextCodec(unit).fit(TextFile(path)).vocabulary == TextCodec(unit).fit([TEXT]).vocabulary


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.9])
def test_a_file_in_two_parts(path: Path, fraction: float) -> None:
    first, rest = TextFile(path).split(fraction)
    texts = ["".join(first), "".join(rest)]
    assert "".join(texts) == TEXT
    assert texts[0].endswith("\n")
    assert 0 <= len(texts[0]) - fraction * len(TEXT) <= 30
    cache = path.with_suffix(".ids")
    for part, text in ((first, texts[0]), (rest, texts[1])):
        assert LETTERS.decode(Corpus.from_file(part, LETTERS, cache=cache).ids) == text
    path.write_text("no line ends")
    assert ["".join(part) for part in TextFile(path).split(0.5)] == ["no lin", "e ends"]
    with pytest.raises(ValueError, match="between 0 and 1, got 1"):
        TextFile(path).split(1)


def test_files_and_texts_with_nothing(path: Path) -> None:
    path.write_bytes(gzip.compress(TEXT.encode())[:-20])
    with pytest.raises(ValueError, match="it is damaged"):
        Corpus.from_file(path, LETTERS)
    path.write_text(" \n")
    with pytest.raises(ValueError, match="at least one whitespace, got 2 characters without"):
        Corpus.from_file(path, WORDS)
    path.write_text("")
    for wrong, error, message in (
        (lambda: Corpus.from_file(path, LETTERS), ValueError, "at least one character, got 0"),
        (lambda: Corpus.from_file(path.parent / "no.txt", LETTERS), FileNotFoundError, "there is none"),
        (lambda: Corpus.from_texts([], LETTERS), ValueError, "at least one"),
        (lambda: Corpus.from_texts("", LETTERS), ValueError, "at least one"),
        (lambda: Corpus.from_texts(["a", None], LETTERS), TypeError, r"got None \(document 1\)"),
        (lambda: Corpus.from_texts(["\ud800"], LETTERS), ValueError, r"surrogate .* \(document 0\)"),
        (lambda: TextFile(path, "no-such"), ValueError, "unknown encoding"),
    ):
        call: Any = wrong
        with pytest.raises(error, match=message):
            call()
