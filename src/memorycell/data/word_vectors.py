"""Pre-trained word vectors: text files of a word and its numbers in each line (GloVe, word2vec, fastText)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_LONGEST_LINE = 1_000_000  # characters; a file without line ends is none of these
_LARGEST = 10_000  # numbers of a vector


def vector_size(path: str | os.PathLike[str]) -> int:
    """Numbers of each vector in the file, from its first line.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        For a file that holds no word vectors.
    """
    for _, _, numbers in _lines(path):
        return len(numbers)
    raise ValueError(f"{os.fspath(path)} holds no word vectors: expected lines of a word and its numbers")


def read_word_vectors(path: str | os.PathLike[str], vocabulary: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The vectors of the words of `vocabulary`.

    A word that is not in the file takes the vector of its lower-case form. Only these words' numbers are held.

    Returns
    -------
    vectors : float32 (V, D), zeros where there is none
    found : bool (V,)

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        For a line that is no word and D finite numbers, with its number; or a file without lines.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "vectors.txt")
    >>> _ = path.write_text("2 3\\ngood 1 0 0.5\\nbad -1 0 0.5\\n")
    >>> vectors, found = read_word_vectors(path, ["<pad>", "Good", "ugly"])
    >>> vectors[1].tolist(), found.tolist()
    ([1.0, 0.0, 0.5], [False, True, False])
    """
    size = vector_size(path)
    vectors, found = torch.zeros(len(vocabulary), size), torch.zeros(len(vocabulary), dtype=torch.bool)
    wanted = {word: row for row, word in enumerate(vocabulary)}
    lower: dict[str, list[int]] = {}
    for word, row in wanted.items():
        if word.lower() != word:
            lower.setdefault(word.lower(), []).append(row)
    exact = torch.zeros_like(found)
    for where, word, numbers in _lines(path, size):
        rows = [other for other in lower.get(word, ()) if not exact[other]]
        if word in wanted:
            exact[wanted[word]] = True
            rows.append(wanted[word])
        if rows:
            vectors[rows] = torch.from_numpy(_floats(where, numbers))
            found[rows] = True
    return vectors, found


def _lines(path: str | os.PathLike[str], size: int | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """Place, word and numbers (as text) of each line; a first line of two counts is left out."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file of word vectors at {path}")
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        number = 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            where = f"{path.name}, line {number:,}"
            parts = line.split() if size is None else line.rstrip().rsplit(" ", size)
            if not line.strip() or (number == 1 and len(line.split()) == 2 and _are_counts(line.split())):
                continue
            if len(parts) < 2 or not parts[0] or len(parts) - 1 > _LARGEST:
                expected = "a word and its numbers" if size is None else f"a word and {size} numbers"
                raise ValueError(f"{where}: expected {expected} between spaces, got {line.strip()!r:.60}")
            if size is not None and len(parts) - 1 != size:
                got = len(parts) - 1
                raise ValueError(f"{where}: expected a word and {size} numbers, as in the first line, got {got}")
            yield where, parts[0], parts[1:]


def _are_counts(parts: list[str]) -> bool:
    return all(part.isdecimal() for part in parts)


def _floats(where: str, numbers: list[str]) -> np.ndarray:
    try:
        values = np.array(numbers, np.float32)
    except ValueError:
        raise ValueError(f"{where}: expected {len(numbers)} numbers after the word, got {numbers[0]!r:.20} …") from None
    if not np.isfinite(values).all():
        raise ValueError(f"{where}: expected finite numbers, got {' '.join(numbers)!r:.60}")
    return values
