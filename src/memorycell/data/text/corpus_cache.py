"""The file of a corpus's token ids: written in one step, and read only if it is of the same text and codec."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from memorycell.data.codec import Json, checked, is_count, is_name
from memorycell.data.text.text_file import TextFile

# Token ids, zeros up to a multiple of 8, offsets (int64), a description in JSON, its length (uint64), and this:
_MAGIC = b"mcell-i1"
_TAIL = struct.Struct("<Q8s")
_MOST = 1 << 16  # bytes of the description
_CHUNK = 1 << 22
_COUNTS = ("documents", "lines", "words", "characters", "bytes", "tokens", "unknown")


def cache_stamp(source: TextFile, codec: Json, lines: bool) -> str:
    """What the ids depend on, as a fingerprint: the bytes of the text, the codec and the library behind it."""
    try:
        library = version("tokenizers")
    except PackageNotFoundError:
        library = ""
    parts = [source.digest(), source.encoding, codec, lines, library]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class CacheWriter:
    """Takes the ids as bytes, then `finish` what describes them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._crc, self._size = file, 0, 0

    def write(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._file.write(data)

    def finish(self, stamp: str, offsets: NDArray, counts: Any, dtype: np.dtype) -> None:
        ids = self._size // dtype.itemsize
        self.write(bytes(-self._size % 8))
        self.write(offsets.astype("<i8").tobytes())
        text = {"stamp": stamp, "dtype": dtype.str, "ids": ids, "documents": len(offsets) - 1, "crc": self._crc}
        described = json.dumps({**text, "counts": asdict(counts)}).encode()
        self._file.write(described + _TAIL.pack(len(described), _MAGIC))


@contextmanager
def writing_cache(path: Path) -> Iterator[CacheWriter]:
    """Writes beside `path` and puts the file in place once it is whole; nothing is left of one that is not."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            yield CacheWriter(file)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def read_cache(path: Path, stamp: str, size: int) -> tuple[NDArray, NDArray, dict[str, int]] | None:
    """Ids, offsets and counts; None if there is no such file, or it is of another text or codec, or damaged.

    Raises
    ------
    ValueError
        When the file is none that this module wrote: it must not be replaced.
    """
    if not path.exists():
        return None
    described, start = _description(path)
    try:
        if described is None or checked(described, "stamp", is_name, "a fingerprint") != stamp:
            return None
        kind = checked(described, "dtype", lambda value: value in ("<u2", "<i4"), "<u2 or <i4")
        count = checked(described, "ids", lambda value: is_count(value) and value > 1, "a whole number")
        documents = checked(described, "documents", lambda value: is_count(value) and value > 0, "a whole number")
        counts = checked(described, "counts", lambda value: isinstance(value, dict), "counts")
        counts = {name: checked(counts, name, is_count, "a whole number") for name in _COUNTS}
    except ValueError:
        return None
    ids_size = -(-count * np.dtype(kind).itemsize // 8) * 8
    if start != ids_size + 8 * (documents + 1) or _crc(path, start) != described.get("crc"):
        return None
    ids = np.memmap(path, kind, "r", shape=(count,))
    offsets = np.fromfile(path, "<i8", documents + 1, offset=ids_size).astype(np.int64)
    fine = offsets[0] == 0 and offsets[-1] == count - 1 and bool((np.diff(offsets) > 0).all())
    inside = all(0 <= part.min() and part.max() < size for part in np.array_split(ids, -(-count // _CHUNK)))
    return (ids, offsets, counts) if fine and inside else None


def _description(path: Path) -> tuple[Any, int]:
    """What the end of the file says, None if that cannot be read, and where ids and offsets end."""
    total = path.stat().st_size if path.is_file() else 0
    if total >= _TAIL.size:
        with path.open("rb") as file:
            file.seek(total - _TAIL.size)
            length, magic = _TAIL.unpack(file.read(_TAIL.size))
            start = total - _TAIL.size - length
            if magic == _MAGIC:
                if length > _MOST or start < 0:
                    return None, 0
                file.seek(start)
                try:
                    return json.loads(file.read(length)), start
                except (ValueError, RecursionError):
                    return None, 0
    raise ValueError(f"{path}: expected a file of token ids or none, got some other file: name another cache")


def _crc(path: Path, stop: int) -> int:
    crc = 0
    with path.open("rb") as file:
        while stop > 0:
            part = file.read(min(_CHUNK, stop))
            if not part:
                break
            crc, stop = zlib.crc32(part, crc), stop - len(part)
    return crc
