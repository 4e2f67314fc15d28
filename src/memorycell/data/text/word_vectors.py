"""Pre-trained word vectors: text files of a word and its numbers in each line (GloVe, word2vec, fastText)."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_LARGEST = 65_536  # numbers of a vector
_LONGEST = 4_000_000  # bytes of a line


class WordVectors(NamedTuple):
    """Vectors of the words of a vocabulary: `matrix` float32 (V, D), zeros where not `found`, bool (V,)."""

    matrix: NDArray[np.float32]
    found: NDArray[np.bool_]


class _Line(NamedTuple):
    number: int
    parts: list[bytes]


def vector_size(path: str | os.PathLike[str]) -> int:
    """Numbers of each vector in the file, from its first lines; raises as `read_word_vectors`."""
    return _begin(Path(path))[0]


def read_word_vectors(path: str | os.PathLike[str], vocabulary: Sequence[str], encoding: str = "utf-8") -> WordVectors:
    """The vectors of the words of `vocabulary`, and which of them the file has.

    A word that is not in the file takes the vector of its lower-case form. Of a word that is there twice the first
    counts. ``.gz`` files are read too; only these words' numbers are held.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        For a line that is no word and D finite numbers, with its number; another encoding; an empty, binary or damaged
        file.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "vectors.txt")
    >>> _ = path.write_text("2 3\\ngood 1 0 0.5\\nbad -1 0 0.5\\n")
    >>> vectors = read_word_vectors(path, ["<pad>", "Good", "ugly"])
    >>> vectors.matrix[1].tolist(), vectors.found.tolist()
    ([1.0, 0.0, 0.5], [False, True, False])
    """
    path = Path(path)
    size, lines = _begin(path)
    matrix, found = np.zeros((len(vocabulary), size), np.float32), np.zeros(len(vocabulary), np.bool_)
    rows = {word: row for row, word in enumerate(vocabulary)}
    lower: dict[str, list[int]] = {}
    for word, row in rows.items():
        if word.lower() not in rows:
            lower.setdefault(word.lower(), []).append(row)
    for line in lines:
        name = b" ".join(line.parts[: len(line.parts) - size])
        extra = _are_numbers(line.parts[-size - 1 : -size]) and len(line.parts) > size + 1
        if len(line.parts) <= size or extra:
            got = len(line.parts) - 1
            raise ValueError(f"{path.name}: expected {size} numbers after the word in line {line.number:,}, got {got}")
        try:
            word = name.decode(encoding)
        except UnicodeDecodeError:
            raise ValueError(
                f"{path.name}: expected {encoding}, got the word {name[:40]!r} in line {line.number:,}: convert the "
                "file or name its encoding, such as encoding='latin-1'"
            ) from None
        places = [row for row in [*([rows[word]] if word in rows else []), *lower.get(word, ())] if not found[row]]
        if places:
            matrix[places], found[places] = _floats(path, line, size), True
    return WordVectors(matrix, found)


def _begin(path: Path) -> tuple[int, Iterator[_Line]]:
    """Numbers of each vector, and the lines with vectors: without a header of two counts."""
    lines = _lines(path)
    first, second = next(lines, None), next(lines, None)
    if first is None:
        raise ValueError(f"{path.name}: expected word vectors, got an empty file")
    counts = len(first.parts) == 2 and all(part.isdigit() for part in first.parts)
    alone = second is not None and len(second.parts) == 2 and int(first.parts[-1] if counts else 1) != 1
    if counts and not alone:  # with one number after each word, a first line of two numbers is a word and its vector
        size = int(first.parts[1])
        if second is None or not 1 <= size <= _LARGEST:
            raise ValueError(f"{path.name}: expected lines of a word and 1 to {_LARGEST} numbers after the header")
        return size, _again(second, lines)
    size = len(first.parts) - 1
    if not 1 <= size <= _LARGEST or not _are_numbers(first.parts[-1:]):
        raise ValueError(f"{path.name}: expected a word and 1 to {_LARGEST} numbers in line {first.number:,}")
    return size, _again(first, [] if second is None else [second], lines)


def _again(*parts: _Line | list[_Line] | Iterator[_Line]) -> Iterator[_Line]:
    for part in parts:
        if isinstance(part, _Line):
            yield part
        else:
            yield from part


def _lines(path: Path) -> Iterator[_Line]:
    """The lines that hold something, counted from 1."""
    if not path.is_file():
        raise FileNotFoundError(f"expected a file of word vectors, got {str(path)!r}: there is none")
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    number = 0
    with gzip.open(path, "rb") if zipped else path.open("rb") as file:
        while True:
            try:
                line = file.readline(_LONGEST)
            except (OSError, EOFError, zlib.error) as error:
                raise ValueError(f"{path.name} cannot be read: it is damaged ({error})") from None
            if not line:
                return
            number += 1
            if b"\x00" in line or len(line) == _LONGEST:
                raise ValueError(f"{path.name}: expected lines of text, got a binary file (line {number:,})")
            parts = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).split()
            if parts:
                yield _Line(number, parts)


def _are_numbers(parts: list[bytes]) -> bool:
    try:
        for part in parts:
            float(part)
    except ValueError:
        return False
    return bool(parts)


def _floats(path: Path, line: _Line, size: int) -> NDArray[np.float32]:
    numbers = line.parts[-size:]
    wrong = next((part for part in numbers if not _are_numbers([part])), None)
    if wrong is not None:
        raise ValueError(f"{path.name}: expected {size} numbers after the word in line {line.number:,}, got {wrong!r}")
    with np.errstate(over="ignore"):
        values = np.array([float(part) for part in numbers]).astype(np.float32)
    if not np.isfinite(values).all():
        bad = values[~np.isfinite(values)][0]
        raise ValueError(f"{path.name}: expected finite numbers in line {line.number:,}, got {bad}")
    return values
