"""Text of any encoding as UTF-8, with line ends that readers know."""

from __future__ import annotations

import codecs
import io

import pyarrow as pa

from memorycell.data.log import note
from memorycell.data.tables.files.raw import Raw

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PLAIN = ("utf8", "utf8sig")
_HEAD = 1 << 18


def as_utf8(raw: Raw, encoding: str | None, notes: list[dict], said: bool = True) -> pa.Buffer:
    """The bytes of a text file as UTF-8 without byte order mark, lone carriage returns as line ends.

    UTF-16 is known by its byte order mark; any other encoding has to be said. Where it was said of an earlier file
    (`said` False), text that can only be UTF-8 is that.

    Raises
    ------
    ValueError
        An encoding that there is none of, a binary file, bytes that are not of the encoding.
    """
    start = raw.head(4)
    mark = next((name for bom, name in _MARKS if start.startswith(bom)), "")
    plain = encoding is None or encoding.lower().replace("-", "").replace("_", "") in _PLAIN
    if not plain and not said and (mark == "utf-8-sig" or _is_utf8(raw.head(_HEAD))):
        encoding, plain = None, True
    if plain and mark in ("utf-16", "utf-32"):
        notes.append(note("read", f"{raw.name} is {mark.upper()} text, as its first bytes say."))
        encoding, plain = mark, False
    if plain and encoding is None and not mark and _looks_wide(raw.head(400)):
        encoding, plain = ("utf-16-le" if raw.head(2)[1:] == b"\0" else "utf-16-be"), False
        notes.append(note("read", f"{raw.name} is UTF-16 text, as every other byte of it says."))
    data = raw.data
    if not plain:
        data = pa.py_buffer(_recoded(raw, str(encoding)))
    elif mark == "utf-8-sig":
        data = data.slice(len(codecs.BOM_UTF8))
    head = data.slice(0, min(_HEAD, data.size)).to_pybytes()
    if b"\0" in head:
        place = head.index(0)
        raise ValueError(
            f"{raw.name} is a binary file (a zero byte at {place:,}), not a CSV; expected a CSV, Parquet or Excel file"
        )
    if b"\r" in head and b"\n" not in head:  # the old Macintosh
        data = pa.py_buffer(data.to_pybytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    return data


def _is_utf8(head: bytes) -> bool:
    """Whether bytes beyond ASCII are UTF-8, which no other encoding is by chance."""
    try:
        return not head.isascii() and bool(head[: head.rfind(b"\n") + 1].decode())
    except UnicodeDecodeError:
        return False


def _looks_wide(head: bytes) -> bool:
    """Whether every other byte is zero: UTF-16 of Latin letters without a byte order mark."""
    head = head[: len(head) // 2 * 2]
    return len(head) >= 8 and any(
        head[first::2].count(0) >= 0.9 * len(head) / 2 and not head[1 - first :: 2].count(0) for first in (0, 1)
    )


def _recoded(raw: Raw, encoding: str) -> bytes:
    content = raw.data.to_pybytes()
    try:
        return content.decode(encoding).removeprefix("\ufeff").encode()
    except LookupError:
        raise ValueError(f"unknown encoding {encoding!r}: try 'utf-8', 'cp1252' or 'utf-16'") from None
    except UnicodeError as error:
        if not isinstance(error, UnicodeDecodeError):
            raise ValueError(f"{raw.name} is not {encoding.upper()} text: {error}") from None
        line = content[: error.start].count(b"\n") + 1
        raise _wrong_encoding(raw.name, content[error.start], line, encoding) from None


def refuse_encoding(name: str, data: pa.Buffer, first_line: int = 1) -> None:
    """Raise an error that names the first byte that is not UTF-8, and its line."""
    for line, part in enumerate(io.BytesIO(data), first_line):
        try:
            part.decode()
        except UnicodeDecodeError as error:
            raise _wrong_encoding(name, part[error.start], line, "utf-8", part) from None


def _wrong_encoding(name: str, byte: int, line: int, encoding: str, part: bytes = b"") -> ValueError:
    shown = part.decode("cp1252", "replace").strip()
    example = f" (as cp1252 that line is {shown!r:.60})" if shown else ""
    return ValueError(
        f"{name} is not {encoding.upper()} text: byte 0x{byte:02x} in line {line:,}; save it as UTF-8, or give "
        f"encoding='latin-1' (Western Europe), encoding='cp1252' (Windows) or the one it was written in{example}"
    )
