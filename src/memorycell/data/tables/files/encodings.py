"""Text of any encoding as UTF-8, with line ends that readers know."""

from __future__ import annotations

import codecs
import io
import re

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
_SPOILED = "\ufeff".encode("utf-8").decode("cp1252").encode()  # a mark that was taken for three letters
# Letters of Western Europe, with capitals; those that cp1252 has beside them (š, ž, ý, ð, þ) are more often letters of
# another encoding, and so are signs within a word (³ for ł of cp1250, „ for ä of cp850) and two letters in turn but for
# some.
_LETTERS = "äöüßàáâãåæçèéêëìíîïñòóôõøùúûœ"
_QUOTES = "“”„‚’‘«»–—…"
_WESTERN = frozenset(_LETTERS + _LETTERS.upper() + _QUOTES + "ÿ°€§µ²³£¥¢©®™•·±×÷½¼¾¿¡ºª´\xa0")
_STRANGE = re.compile(
    rf"[^\W\d_][^\w\s\x00-\x7f’´·][^\W\d_]|[^\W\d_][²³½¼¾]\w|\w[‚„]|[¥£¢±×÷½¼¾][^\W\d_]|[ÃÂ][^\x00-\x7f]|õ(?!e)|"
    rf"(?!(?i:[äöüâ]ß|ç[ãõ]|éé|ää|öö)|[{_QUOTES}]|.[{_QUOTES}\xa0])[^\x00-\x7f\xa0][^\x00-\x7f]"
)
_ASCII = frozenset(map(chr, range(128)))
_PART = 1 << 20


def as_utf8(raw: Raw, encoding: str | None, notes: list[dict], said: bool = True) -> pa.Buffer:
    """The bytes of a text file as UTF-8 without byte order mark, lone carriage returns as line ends.

    UTF-16 is known by its byte order mark or its zero bytes, cp1252 where nothing but the letters of Western Europe
    stands beside ASCII; any other encoding has to be said. Where it was said of an earlier file (`said` False), text
    that can only be UTF-8 is that.

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
    if plain and encoding is None and not mark and (wide := _wide(raw.head(4000))):
        encoding, plain = wide, False
        notes.append(note("read", f"{raw.name} is UTF-16 text, as its zero bytes say."))
    data = raw.data
    if not plain:
        data = pa.py_buffer(_recoded(raw, str(encoding)))
    for spoiled in (codecs.BOM_UTF8, codecs.BOM_UTF8, _SPOILED):  # files put together have several
        if data.slice(0, min(len(spoiled), data.size)).to_pybytes() == spoiled:
            data = data.slice(len(spoiled))
    if plain and encoding is None and (western := _western(data)) is not None:
        data, example = western
        words = f"{raw.name} is not UTF-8 text: read as cp1252 (Windows, Western Europe), such as {example!r}"
        notes.append(note("read", f"{words}; encoding= names another."))
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


def _wide(head: bytes) -> str:
    """UTF-16 without a byte order mark: zero bytes in every other place alone, and no control characters; else ""."""
    head = head[: len(head) // 2 * 2]
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros = head[first::2].count(0)
        if len(head) < 8 or head[1 - first :: 2].count(0) or 8 * zeros < len(head) // 2:
            continue
        text = head.decode(encoding, "replace")
        if all(each.isprintable() or each in "\t\r\n" for each in text[:-1]):
            return encoding
    return ""


def _western(data: pa.Buffer) -> tuple[pa.Buffer, str] | None:
    """Bytes that are no UTF-8 as cp1252, where all beyond ASCII is what Western Europe writes; and the first of it."""
    content = data.to_pybytes() if not _starts_in_utf8(data) else b""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        return None
    lines = [line for line in text.splitlines() if not line.isascii()]
    if not lines or any(not set(line) - _ASCII <= _WESTERN or _STRANGE.search(line) for line in lines):
        return None
    first = re.search(r"[^,;\t|\"]*[^\x00-\x7f][^,;\t|\"]*", lines[0])
    return pa.py_buffer(text.encode()), (first[0].strip() if first else lines[0])[:40]


def _starts_in_utf8(data: pa.Buffer) -> bool:
    """Whether a file is UTF-8 all through, as far as need be known; looked at in parts, for memory."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, len(view), _PART):
            part = bytes(view[start : start + _PART])
            if not part.isascii() or decoder.getstate()[0]:
                decoder.decode(part, final=start + _PART >= len(view))
    except UnicodeDecodeError:
        return False
    return True


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
    mixed = False
    for line, part in enumerate(io.BytesIO(data), first_line):
        try:
            part.decode()
        except UnicodeDecodeError as error:
            raise _wrong_encoding(name, part[error.start], line, "utf-8", part, mixed) from None
        mixed = mixed or not part.isascii()


def _wrong_encoding(
    name: str, byte: int, line: int, encoding: str, part: bytes = b"", mixed: bool = False
) -> ValueError:
    shown = part.decode("cp1252", "replace").strip()
    remedy = "lines before it are, so that it was put together of files in several encodings: save them as UTF-8 first"
    if not mixed:
        remedy = (
            "save it as UTF-8, or give the encoding it was written in: encoding='cp1252' (Windows, Western Europe), "
            "'latin-1', 'cp1250' (Central Europe), 'cp1251' (Cyrillic), 'gb18030' (Chinese), 'shift_jis' (Japanese), "
            "'cp949' (Korean), …"
        )
    example = f" (as cp1252 that line is {shown!r:.60})" if shown else ""
    return ValueError(f"{name} is not {encoding.upper()} text: byte 0x{byte:02x} in line {line:,}; {remedy}{example}")
