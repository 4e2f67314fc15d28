"""TextFile: a text file of any size, read in pieces; `read_text`: one that is to be had whole."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

_WIDE = (b"\xff\xfe", b"\xfe\xff")  # the byte order marks of UTF-16
_READ = 1 << 20  # bytes that are read at a time
_PIECE = 1_000_000  # characters of a piece, at most


class TextFile:
    """A text file, gzipped or not, read in pieces that end at the end of a line where there is one.

    It can be gone through more than once, so ``TextCodec().fit(TextFile(path))`` needs no memory for the text.
    A byte order mark at its beginning is left out, and one of UTF-16 believed; line ends are read as ``\\n``.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        While reading: bytes that are not of this encoding, with the place of the first; a damaged gzip file.

    Example
    -------
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "book.txt"
    >>> _ = path.write_text("one line\\nand another\\n")
    >>> list(TextFile(path))
    ['one line\\nand another\\n']
    """

    def __init__(self, path: str | Path, encoding: str = "utf-8") -> None:
        self.path, self.encoding = Path(path), encoding
        self._start, self._stop = 0, sys.maxsize
        if not self.path.is_file():
            raise FileNotFoundError(f"expected a text file, got {str(self.path)!r}: there is none")
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise ValueError(f"unknown encoding {encoding!r}: try 'utf-8', 'cp1252' or 'utf-16'") from None
        if _is_plain(encoding):
            with self._open() as file, contextlib.suppress(EOFError, OSError, zlib.error):  # said when it is read
                self.encoding = "utf-16" if file.read(2) in _WIDE else encoding

    def __iter__(self) -> Iterator[str]:
        return text_pieces(self._own())

    def split(self, fraction: float) -> tuple[TextFile, TextFile]:
        """The first `fraction` of the characters, up to the end of a line if there is one, and the rest.

        Raises
        ------
        ValueError
            For a fraction that is not between 0 and 1.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"expected a fraction between 0 and 1, got {fraction}")
        total = sum(map(len, self._own()))
        target, place, cut = int(fraction * total), 0, 0
        for text in self._own():
            if place + len(text) > target:
                found = text.find("\n", max(0, target - place))
                if found >= 0:
                    cut = place + found + 1
                    break
            place += len(text)
        first, rest = copy(self), copy(self)
        first._stop = rest._start = self._start + (cut if 0 < cut < total else target)
        return first, rest

    def _own(self) -> Iterator[str]:
        """The text of this part of the file."""
        place = 0
        for text in self._decoded():
            own = text[max(0, self._start - place) : max(0, self._stop - place)]
            if own:
                yield own
            place += len(text)
            if place >= self._stop:
                return

    def _decoded(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding)()
        newlines = io.IncrementalNewlineDecoder(None, translate=True)
        before = 0
        with self._open() as file:
            while True:
                try:
                    part = file.read(_READ)
                except (EOFError, OSError, zlib.error) as error:
                    raise _damaged(self.path, error) from None
                pending = len(decoder.getstate()[0])
                try:
                    text = decoder.decode(part, final=not part)
                except UnicodeDecodeError as error:
                    wrong = error.object[error.start]
                    raise _undecodable(self.path, self.encoding, wrong, before - pending + error.start) from None
                if before == 0:
                    text = text.removeprefix("\ufeff")
                before += len(part)
                yield newlines.decode(text, final=not part)
                if not part:
                    return

    def _open(self) -> Any:
        with self.path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        return gzip.open(self.path, "rb") if zipped else self.path.open("rb")

    def digest(self) -> str:
        """A fingerprint of the file's bytes and the part of them."""
        with self.path.open("rb") as file:
            return f"{hashlib.file_digest(file, 'blake2b').hexdigest()} {self._start} {self._stop}"


def text_pieces(texts: Iterable[str]) -> Iterator[str]:
    """The same text in pieces that depend on nothing but the text: they end after a line, else before a space."""
    held = ""
    for text in texts:
        held += text
        start = 0
        while len(held) - start > _PIECE:
            stop = held.rfind("\n", start, start + _PIECE) + 1
            stop = stop if stop > start else held.rfind(" ", start + 1, start + _PIECE)
            stop = stop if stop > start else start + _PIECE
            yield held[start:stop]
            start = stop
        held = held[start:]
    if held:
        yield held


def read_text(path: str | Path, encoding: str = "utf-8") -> str:
    """The text of a file (of a ``.gz`` file too), without a byte order mark and with ``\\n`` ends of line.

    A byte order mark of UTF-16 is believed.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        A folder, a damaged or empty file, a binary one, another encoding (with the first wrong byte, its place and
        its line).

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "words.txt"
    >>> _ = path.write_bytes(b"two words\\r\\n")
    >>> read_text(path)
    'two words\\n'
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no file {str(path)!r}: check the path")
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder: expected a text file")
    raw = path.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(path, error) from None
    plain = _is_plain(encoding)
    if plain and raw.startswith(_WIDE):
        encoding, plain = "utf-16", False
    try:
        text = raw.decode("utf-8-sig" if plain else encoding)
    except LookupError:
        raise ValueError(f"unknown encoding {encoding!r}: try 'utf-8', 'cp1252' or 'utf-16'") from None
    except UnicodeDecodeError as error:
        start, line = error.start, raw[: error.start].count(b"\n") + 1
        start += 3 if plain and raw.startswith(b"\xef\xbb\xbf") else 0
        raise _undecodable(path, encoding, raw[start], start, line) from None
    if "\x00" in text:
        head = raw[:400]
        if len(head) > 3 and 4 * head.count(0) >= len(head):
            raise ValueError(f"{path.name} looks like UTF-16 text: give encoding='utf-16-le', or save it as UTF-8")
        place = text.index("\x00")
        raise ValueError(
            f"{path.name} is a binary file (a zero byte at {place:,}, line {text[:place].count(chr(10)) + 1:,}): "
            "expected a text file; if it is one, take its zero bytes out"
        )
    if not text.strip():
        raise ValueError(f"{path.name} is empty: expected lines of text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_plain(encoding: str) -> bool:
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8")


def _undecodable(path: Path, encoding: str, byte: int, place: int, line: int | None = None) -> ValueError:
    where = f"place {place:,}" + ("" if line is None else f" (line {line:,})")
    return ValueError(
        f"{path.name} is not {encoding.upper()} text: byte 0x{byte:02x} at {where}; "
        "save it as UTF-8, or give encoding='cp1252' or 'latin-1' (Western European), 'gb18030' (Chinese), 'shift_jis' "
        "(Japanese), 'cp1251' (Russian) or the one it was written in"
    )


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path.name} cannot be read: it is damaged ({error})")
