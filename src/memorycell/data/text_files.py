"""read_text: a text file as one string, compressed or not; another encoding is an error that says where."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path


def read_text(path: str | Path, encoding: str = "utf-8") -> str:
    """The text of a file (of a ``.gz`` file too), without a byte order mark and with ``\\n`` ends of line.

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
            raise ValueError(f"{path.name} cannot be read: it is damaged ({error})") from None
    plain = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
    if plain and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{path.name} is UTF-16 text, expected UTF-8: save it as UTF-8, or give encoding='utf-16'")
    try:
        text = raw.decode("utf-8-sig" if plain else encoding)
    except LookupError:
        raise ValueError(f"unknown encoding {encoding!r}: try 'utf-8', 'latin-1' or 'utf-16'") from None
    except UnicodeDecodeError as error:
        start, line = error.start, raw[: error.start].count(b"\n") + 1
        start += 3 if plain and raw.startswith(b"\xef\xbb\xbf") else 0
        raise ValueError(
            f"{path.name} is not {encoding.upper()} text: byte 0x{raw[start]:02x} at place {start:,} (line {line:,}); "
            "save it as UTF-8, or give encoding='latin-1' (Western European) or the one it was written in"
        ) from None
    if "\x00" in text:
        raise ValueError(f"{path.name} is a binary file (a zero byte at {text.index(chr(0)):,}): expected a text file")
    if not text.strip():
        raise ValueError(f"{path.name} is empty: expected lines of text")
    return text.replace("\r\n", "\n").replace("\r", "\n")
