"""TextCodec: texts to token ids and back."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memorycell.data.codec import Codec, codec_from_json
from memorycell.data.text.text_codec import SPECIALS, TextCodec, checked_texts

TEXTS = [
    "It's fine, isn't it? #travel @air http://t.co/x1",
    "Delayed AGAIN... 3.50 at 10:30 :( 😢",
    "été à Zürich\nsecond line",
    "the the the cat cat",
]
UNITS = ("word", "character", "subword", "whitespace")
LETTERS = st.text(st.characters(codec="utf-8"), max_size=40)


def words(text: str) -> list[str]:
    codec = TextCodec("word").fit([text])
    return [text[start:stop] for _, start, stop in codec.tokens(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't, they’re", ["I", "don't", ",", "they’re"]),
        ("guests' bags", ["guests", "'", "bags"]),
        ("@you's day", ["@you", "'s", "day"]),
        ("#fail! @a_b.", ["#fail", "!", "@a_b", "."]),
        ("see http://t.co/a?b=1, www.x.org.", ["see", "http://t.co/a?b=1", ",", "www.x.org", "."]),
        ("mail a.b@c.org now", ["mail", "a.b@c.org", "now"]),
        ("ok :) :-( <3 ;D", ["ok", ":)", ":-(", "<3", ";D"]),
        ("Note:Dog a:b", ["Note", ":", "Dog", "a", ":", "b"]),
        ("3.50 10:30 2/24/2015 50%", ["3.50", "10:30", "2/24/2015", "50", "%"]),
        ("U.S. e.g. end.", ["U.S.", "e.g.", "end", "."]),
        ("no... wow!!", ["no", "...", "wow", "!", "!"]),
        ("on-time", ["on", "-", "time"]),
        ("fish &amp; chips", ["fish", "&amp;", "chips"]),
        ("😢😢 👩‍👩‍👧 🇩🇪", ["😢", "😢", "👩‍👩‍👧", "🇩🇪"]),
        ("你好 ok かな", ["你", "好", "ok", "か", "な"]),
        ("नमस्ते", ["नमस्ते"]),
        ("<unk> <pad>", ["<", "unk", ">", "<", "pad", ">"]),
        ("a\n\tb\u00a0c", ["a", "b", "c"]),
    ],
)
def test_words_are_what_a_reader_sees(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("unit", UNITS)
def test_the_vocabulary_falls_in_frequency(unit: str) -> None:
    codec = TextCodec(unit).fit(TEXTS)
    assert isinstance(codec, Codec)
    assert codec.vocabulary[:3] == SPECIALS
    assert codec.size == len(codec.vocabulary) == len(set(codec.vocabulary))
    counts = torch.bincount(codec.encode(TEXTS).values, minlength=codec.size)
    assert counts[:3].sum() == 0
    assert (counts[3:].diff() <= 0).all()
    for first in range(3, codec.size - 1):
        if counts[first] == counts[first + 1]:
            assert codec.vocabulary[first] < codec.vocabulary[first + 1]


def test_whitespace_counts_as_a_counter_would() -> None:
    counts = Counter(" ".join(TEXTS).split())
    expected = sorted(counts, key=lambda token: (-counts[token], token))
    assert TextCodec("whitespace").fit(TEXTS).vocabulary[3:] == expected
    assert TextCodec("whitespace", size=6).fit(TEXTS).vocabulary[3:] == expected[:3]
    frequent = [token for token in expected if counts[token] >= 2]
    assert TextCodec("whitespace", min_count=2).fit(TEXTS).vocabulary[3:] == frequent


def test_size_and_min_count_of_the_other_units() -> None:
    assert TextCodec("character", size=8).fit(TEXTS).size == 8
    assert TextCodec("character", min_count=3).fit(["aaabbc"]).vocabulary[3:] == ["a"]
    assert TextCodec("word", size=5).fit(TEXTS).size == 5
    assert TextCodec("subword", size=270).fit(TEXTS * 3).size == 270
    assert TextCodec("subword").fit(["ab"]).size == 259


@pytest.mark.parametrize("unit", UNITS)
def test_what_a_text_says_of_special_tokens_is_only_text(unit: str) -> None:
    text = "a <pad> b <unk> <end> a"
    codec = TextCodec(unit).fit([text, "a <pad> <pad>"])
    ids = codec.encode([text])[0]
    assert not ((ids == 0) | (ids == 2)).any()
    assert int((ids == 1).sum()) == (3 if unit == "whitespace" else 0)
    assert codec.size == len(set(codec.vocabulary))


def test_end_and_unknown() -> None:
    codec = TextCodec("word").fit(["a b", "b"])
    ragged = codec.encode(["b x", "", "a"], end=True)
    assert [ragged[i].tolist() for i in range(3)] == [[3, 1, 2], [2], [4, 2]]
    assert codec.decode([3, 1, 2, 4, 2]) == "b <unk>\na"
    assert codec.decode([2, 2, 3, 0]) == "\n\nb"
    assert len(codec.encode([])) == 0
    letters = TextCodec("character").fit(["ab"])
    assert letters.decode(letters.encode(["axb"], end=True)[0]) == "a�b"


@settings(max_examples=40, deadline=None)
@given(LETTERS)
def test_characters_and_subwords_round_trip(text: str) -> None:
    for codec in (TextCodec("character").fit([text + "."]), SUBWORDS):
        assert codec.decode(codec.encode([text])[0]) == unicodedata.normalize("NFC", text)
        spans = [(start, stop) for _, start, stop in codec.tokens(text)]
        assert len(spans) == len(codec.encode([text])[0])
        assert all(0 <= start <= stop <= len(text) for start, stop in spans)


SUBWORDS = TextCodec("subword", size=300).fit(TEXTS)
EXACT = TextCodec("subword", size=300, normalization=None).fit(TEXTS)


@settings(max_examples=40, deadline=None)
@given(LETTERS)
def test_without_normalisation_nothing_changes(text: str) -> None:
    assert EXACT.decode(EXACT.encode([text])[0]) == text
    # Every character is within some token, so a reader can be shown the whole text.
    covered = {place for _, start, stop in EXACT.tokens(text) for place in range(start, stop)}
    assert covered == set(range(len(text)))


@settings(max_examples=40, deadline=None)
@given(LETTERS)
def test_words_cover_all_but_space(text: str) -> None:
    codec = TextCodec("word", normalization=None).fit([text + " a"])
    spans = [(start, stop) for _, start, stop in codec.tokens(text)]
    assert all(stop <= start for (_, stop), (start, _) in pairwise(spans))
    left_out = set(range(len(text))) - {place for start, stop in spans for place in range(start, stop)}
    assert all(text[place].isspace() for place in left_out)
    assert 1 not in codec.encode([text])[0]


def test_normalisation_and_case() -> None:
    composed, decomposed = "été", "e\u0301te\u0301"
    codec = TextCodec("word").fit([composed])
    assert codec.encode([composed])[0].tolist() == codec.encode([decomposed])[0].tolist() == [3]
    assert codec.tokens(decomposed) == [("été", 0, 5)]
    assert TextCodec("word", normalization=None).fit([composed]).encode([decomposed])[0].tolist() == [1]
    assert TextCodec("word", normalization="NFKC").fit(["ﬁne"]).vocabulary[3:] == ["fine"]
    lower = TextCodec("word", lowercase=True).fit(["The THE Été"])
    assert lower.vocabulary[3:] == ["the", "été"]
    assert lower.tokens("THE") == [("the", 0, 3)]


@pytest.mark.parametrize("unit", UNITS)
def test_state_is_json_and_gives_the_same_codec(unit: str) -> None:
    codec = TextCodec(unit, min_count=1, lowercase=True).fit(TEXTS)
    again = codec_from_json(json.loads(json.dumps(codec.to_json())))
    assert again.to_json() == codec.to_json()
    for other in (again, copy.deepcopy(codec), pickle.loads(pickle.dumps(codec))):  # noqa: S301
        assert other.encode(TEXTS).values.tolist() == codec.encode(TEXTS).values.tolist()


def test_another_process_learns_the_same_and_may_fork() -> None:
    code = (
        "import os, json; from memorycell.data.text.text_codec import TextCodec\n"
        "texts = [chr(97 + i % 26) + chr(97 + i % 7) + 'x y' + str(i % 50) for i in range(500)]\n"
        "codecs = [TextCodec(unit, size=400).fit(texts) for unit in ('word', 'subword', 'character')]\n"
        "for codec in codecs: codec.encode(texts)\n"
        "pid = os.fork()\n"
        "for codec in codecs: codec.encode(texts)\n"
        "if pid: os.waitpid(pid, 0); print(json.dumps([codec.to_json() for codec in codecs]))\n"
        "assert 'TOKENIZERS_PARALLELISM' not in os.environ\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=False)
    assert run.stderr == b""
    texts = [chr(97 + i % 26) + chr(97 + i % 7) + "x y" + str(i % 50) for i in range(500)]
    states = [TextCodec(unit, size=400).fit(texts).to_json() for unit in ("word", "subword", "character")]
    assert json.loads(run.stdout) == states


def test_a_text_of_a_million_characters() -> None:
    text = "word, " * 170_000
    for unit, count in (("word", 340_000), ("character", len(text))):
        assert TextCodec(unit).fit([text]).encode([text, "word"]).lengths[0] == count


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("one text", TypeError, "got a single one: put it in a list"),
        ([], ValueError, "at least one text, got none"),
        (["a", None, "b", None], TypeError, r"got 2 None values \(first: row 1\): leave those rows out"),
        (["a", float("nan")], TypeError, r"got 1 NaN value \(first: row 1\)"),
        (np.array(["a", 3], object), TypeError, r"got 1 int value \(first: row 1\)"),
        (["a", "b\ud83d"], ValueError, r"surrogate pair at character 1 \(row 1\)"),
        (["", "  \n"], ValueError, "at least one word"),
    ],
)
def test_texts_that_are_none(texts: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TextCodec("word").fit(texts)


def test_columns_and_arrays_are_lists_of_texts() -> None:
    assert checked_texts(np.array(["a", "b"])) == ["a", "b"]
    assert checked_texts(pandas.Series(["a", "b"], index=[5, 7])) == ["a", "b"]
    assert checked_texts(iter(["a"])) == ["a"]
    with pytest.raises(TypeError, match="got 1 None value"):
        checked_texts(pandas.Series(["a", pandas.NA], dtype="string"))


@pytest.mark.parametrize(
    "parameters",
    [{"unit": "letters"}, {"size": 3}, {"size": 100, "unit": "subword"}, {"min_count": 0}, {"normalization": "NFD"}],
)
def test_parameters_out_of_range(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        TextCodec(**parameters)


def test_misuse_of_a_codec() -> None:
    for use in (lambda codec: codec.encode(["a"]), lambda codec: codec.size, lambda codec: codec.to_json()):
        with pytest.raises(ValueError, match="call fit"):
            use(TextCodec())
    codec = TextCodec().fit(["a"])
    for ids in ([4], [-1], [0.5]):
        with pytest.raises(ValueError, match="token ids from 0 to 3"):
            codec.decode(ids)
    with pytest.raises(ValueError, match="character that occurs 5 times"):
        TextCodec("character", min_count=5).fit(["abc"])


def test_without_the_library_one_line_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r'pip install "memorycell\[text\]"'):
        TextCodec().fit(["a"])


HOSTILE: list[tuple[str, str, Any]] = [
    ("word", "version", 2),
    ("word", "unit", "letters"),
    ("word", "unit", ["word"]),
    ("word", "size", -1),
    ("word", "size", "many"),
    ("word", "min_count", 0),
    ("word", "lowercase", 1),
    ("word", "normalization", "NFX"),
    ("word", "vocabulary", SPECIALS),
    ("word", "vocabulary", ["<unk>", "<pad>", "<end>", "a"]),
    ("word", "vocabulary", [*SPECIALS, "a", "a"]),
    ("word", "vocabulary", [*SPECIALS, "<unk>"]),
    ("word", "vocabulary", [*SPECIALS, ""]),
    ("word", "vocabulary", [*SPECIALS, 5]),
    ("word", "vocabulary", [*SPECIALS, "\ud83d"]),
    ("word", "vocabulary", {"a": 1}),
    ("word", "merges", [[3, 4]]),
    ("character", "vocabulary", [*SPECIALS, "ab"]),
    ("subword", "vocabulary", [*SPECIALS, "a"]),
    ("subword", "merges", [[3, 100_000]]),
    ("subword", "merges", [[0, 3]]),
    ("subword", "merges", [[3]]),
    ("subword", "merges", [[3, 3.0]]),
    ("subword", "merges", [[3, 4]] * 10_000),
    ("subword", "merges", "none"),
]


@pytest.mark.parametrize(("unit", "key", "value"), HOSTILE)
def test_hostile_state(unit: str, key: str, value: Any) -> None:
    state = {"word": TextCodec().fit(["a b"]), "character": TextCodec("character").fit(["ab"]), "subword": SUBWORDS}[
        unit
    ].to_json()
    codec_from_json(state)
    with pytest.raises(ValueError, match=r"damaged|expected"):
        codec_from_json({**state, key: value})
    with pytest.raises(ValueError, match=r"damaged|expected"):
        codec_from_json({name: part for name, part in state.items() if name != key})


def test_the_registry_imports_what_a_state_names() -> None:
    code = (
        "import sys; from memorycell.data.codec import codec_from_json\n"
        "assert not any(name.endswith('_codec') for name in sys.modules if name.startswith('memorycell.data'))\n"
        "codec_from_json({'codec': 'SymbolCodec', 'version': 1, 'separator': None, 'from_text': True,"
        " 'symbols': ['A']})\n"
        "assert 'memorycell.data.tables.table_codec' not in sys.modules and 'tokenizers' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
