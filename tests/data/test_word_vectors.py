"""Word vectors from text files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from memorycell.data.text.word_vectors import read_word_vectors

VOCABULARY = ["<pad>", "cat", "été", "the"]
GLOVE = "the 0.5 1 2\ncat 2 -3 1e-2\n. . . 7 8 9\nété 1 1 1\nother 4 4 4\n"
EXPECTED = [[0, 0, 0], [2, -3, 0.01], [1, 1, 1], [0.5, 1, 2]]


@pytest.mark.parametrize(
    "text",
    [
        GLOVE,
        "5 3\n" + GLOVE,
        GLOVE.replace("\n", " \r\n"),
        "\ufeff" + GLOVE,
        GLOVE.replace(". . .", "...").replace(" ", "\t"),
        GLOVE + "\n\nthe 9 9 9\n",
    ],
    ids=["glove", "header", "trailing spaces", "mark", "tabs", "twice"],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_formats(text: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    vectors = read_word_vectors(path, VOCABULARY)
    assert vectors.matrix.dtype == np.float32
    np.testing.assert_allclose(vectors.matrix, np.array(EXPECTED, np.float32))
    assert vectors.found.tolist() == [False, True, True, True]


def test_vectors_of_one_number(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    for text, expected in (("2 1\ncat 5\n7 6\n", [5, 6, 0]), ("7 6\ncat 5\n", [5, 6, 0]), ("2 3\n7 6\n", [0, 6, 3])):
        path.write_text(text)
        assert read_word_vectors(path, ["cat", "7", "2"]).matrix[:, 0].tolist() == expected


def test_words_that_are_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_text(GLOVE, encoding="utf-8")
    vectors = read_word_vectors(path, ["nothing"])
    assert not vectors.found.any()
    assert vectors.matrix.tolist() == [[0, 0, 0]]


def test_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(GLOVE.encode("latin-1"))
    assert read_word_vectors(path, VOCABULARY, encoding="latin-1").found[2]
    with pytest.raises(ValueError, match=r"expected utf-8, got the word .* in line 4: convert the file or name its"):
        read_word_vectors(path, VOCABULARY)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"\n \n", "an empty file"),
        (b"cat 1 2\nthe 1\n", "expected 2 numbers after the word in line 2, got 1"),
        (b"cat 1 2\nthe 1 2 3\n", "expected 2 numbers after the word in line 2, got 3"),
        (b"2 3\ncat 1 2\n", "expected 3 numbers after the word in line 2, got 2"),
        (b"cat 1 2\nthe 1 nan\n", "finite numbers in line 2, got nan"),
        (b"cat 1 2\nthe 1 1e99\n", "finite numbers in line 2, got inf"),
        (b"cat 1 2\nthe x 2\n", "numbers after the word in line 2, got b'x'"),
        (b"just some words\n", "a word and 1 to 65536 numbers in line 1"),
        (b"1000 99999999\ncat 1 2\n", "1 to 65536 numbers after the header"),
        (b"3 2\n", "after the header"),
        (b"2 2\ncat \x00\x00\x80\x3f", "binary file"),
        (b"\x1f\x8b\x08broken", "damaged"),
    ],
)
def test_files_that_are_no_vectors(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_word_vectors(path, ["the", "cat"])
    with pytest.raises(FileNotFoundError, match="there is none"):
        read_word_vectors(tmp_path / "no", ["the"])
