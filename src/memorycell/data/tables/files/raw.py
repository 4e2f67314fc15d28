"""The bytes of whatever holds a table: files, packed or not, pipes, open files, paths of object stores."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import re
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

STDIN = ("-", "/dev/stdin")
# Path("s3://a") is "s3:/a". A letter and a colon is a drive of Windows.
_REMOTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(?=[^/])")
_PACKED: tuple[tuple[bytes, Callable[[Any], bytes]], ...] = (
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ\x00", lzma.decompress),
    (b"\x5d\x00\x00", lzma.decompress),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_STREAMS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
_PATIENCE = 60  # seconds without an answer
_TAR = 257  # where an archive of tar says what it is
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NO_MEMBERS = ("__MACOSX/", ".DS_Store")
_TABLES = (".csv", ".tsv", ".parquet", ".pq", ".feather", ".json", ".jsonl", ".xlsx", ".xls", ".ods")
_PACKED_ENDS = (".gz", ".bz2", ".xz", ".zst")
_WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")


@dataclass
class Raw:
    """Bytes and what messages call them; `workbook`: an .xlsx, .xls or .ods file."""

    name: str
    data: pa.Buffer
    workbook: bool = False

    def head(self, size: int) -> bytes:
        """The first bytes."""
        return self.data.slice(0, min(size, self.data.size)).to_pybytes()


def is_source(source: Any) -> bool:
    """Whether something is a path or an open file rather than a table in memory."""
    return isinstance(source, str | os.PathLike) or callable(getattr(source, "read", None))


def fetch(source: Any, member: str | int | None = None) -> Raw:
    """The bytes of a path or an open file, unpacked.

    Parameters
    ----------
    source : path, ``"-"`` for standard input, a path such as ``s3://bucket/file.csv``, or an open file
    member : the file to take of a zip archive that holds several

    Raises
    ------
    FileNotFoundError, ValueError, ModuleNotFoundError
        No such file; a folder, a damaged or empty file, an archive of several; fsspec is missing.

    Example
    -------
    >>> raw = fetch(io.BytesIO(b"a,b\\n1,2\\n"))
    >>> raw.name, raw.data.to_pybytes()
    ('the open file', b'a,b\\n1,2\\n')
    """
    if callable(getattr(source, "read", None)):
        name, data = _opened(source)
    else:
        name, data = _path(os.fspath(source))
    if not data.size:
        raise ValueError(f"{name} is empty: expected a header line and rows of values")
    return _unpacked(name, data, member)


def _opened(file: Any) -> tuple[str, pa.Buffer]:
    content = file.read()
    name = getattr(file, "name", None)
    name = Path(name).name if isinstance(name, str) and name else "the open file"
    return name, pa.py_buffer(content.encode() if isinstance(content, str) else bytes(content))


def url_of(path: str) -> str | None:
    """The address that a path is, also where it went through a `Path`, which drops a slash; None for a file here.

    Example
    -------
    >>> url_of("s3:/bucket/table.csv"), url_of("table.csv")
    ('s3://bucket/table.csv', None)
    """
    remote = _REMOTE.match(path)
    if not remote or Path(path).exists():
        return None
    rest = path[remote.end() :]
    return f"{remote[1]}://{f'/{rest}' if remote[1].lower() == 'file' else rest}"


def _path(path: str) -> tuple[str, pa.Buffer]:
    if path in STDIN:
        return "standard input", pa.py_buffer(sys.stdin.buffer.read())
    url = url_of(path)
    if url is not None:
        name = url.partition("?")[0].rstrip("/").rpartition("/")[2] or path
        return name, (_web if url.lower().startswith(("http://", "https://")) else _remote)(url)
    given = Path(path)
    if "\n" in path:
        raise ValueError(
            "expected a path, got text of several lines: for a table that is text itself give io.StringIO(text)"
        )
    if not given.exists():
        raise FileNotFoundError(f"no file {path!r}: check the path")
    if given.is_dir():
        raise ValueError(f"{path!r} is a folder: expected a CSV, Parquet or Excel file")
    name = given.name
    try:
        if not given.is_file():  # a pipe: <(…) of the shell
            return "the pipe", pa.py_buffer(given.read_bytes())
        with pa.memory_map(path) as mapped:
            return name, mapped.read_buffer()
    except PermissionError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{name} cannot be read: {error}") from None


def _web(url: str) -> pa.Buffer:
    """A file of the web, by Python's own means: fsspec needs two packages more for it."""
    import http.client
    import urllib.error
    import urllib.request

    shown = url.partition("?")[0]  # what follows may be a secret
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "memorycell"})  # noqa: S310 # http or https
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
            return pa.py_buffer(answer.read())
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise FileNotFoundError(f"no file {shown!r}: check the address") from None
        if error.code in (401, 403):
            raise PermissionError(f"{shown} may not be read: {error.code} {error.reason}") from None
        raise ValueError(f"{shown} cannot be read: {error.code} {error.reason}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ValueError(f"{shown} cannot be read: {getattr(error, 'reason', error)}") from None


def _remote(url: str) -> pa.Buffer:
    """A file that fsspec reads; it asks for the package that its protocol needs."""
    try:
        import fsspec
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"paths such as {url!r:.60} are read by fsspec, which is not installed: pip install 'memorycell[remote]'"
        ) from None
    try:
        with fsspec.open(url, "rb") as file:
            return pa.py_buffer(file.read())
    except ImportError as error:
        raise ModuleNotFoundError(f"{url} cannot be read: {error}") from None
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {url!r}: check the path") from None
    except PermissionError as error:
        raise PermissionError(f"{url} may not be read: {error}") from None
    except Exception as error:  # what the packages behind fsspec raise has no common class
        raise ValueError(f"{url} cannot be read: {type(error).__name__}: {error}") from None


def _unpacked(name: str, data: pa.Buffer, member: str | int | None) -> Raw:
    start = data.slice(0, min(8, data.size)).to_pybytes()
    try:
        for magic, unpack in _PACKED:
            if start.startswith(magic):
                return _unpacked(name, _not_empty(name, unpack(data)), member)
        for magic, how in _STREAMS.items():
            if start.startswith(magic):
                with pa.input_stream(pa.BufferReader(data), compression=how) as stream:
                    return _unpacked(name, _not_empty(name, stream.read()), member)
        if start.startswith(_ZIP):
            return _of_zip(name, data, member)
        if data.slice(0, min(_TAR + 5, data.size)).to_pybytes()[_TAR:] == b"ustar":
            return _of_tar(name, data, member)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{name} is a spreadsheet or zip archive, and damaged ({error})") from None
    except (OSError, EOFError, pa.ArrowException, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        raise ValueError(f"{name} cannot be read: it is damaged ({error})") from None
    return Raw(name, data, workbook=start == _OLE)


def _not_empty(name: str, content: bytes) -> pa.Buffer:
    if not content:
        raise ValueError(f"{name} is empty: expected a header line and rows of values")
    return pa.py_buffer(content)


def _of_zip(name: str, data: pa.Buffer, member: str | int | None) -> Raw:
    """The one table of a zip archive, or the one that is named; a workbook is an archive too, and stays as it is."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        if any(each in names for each in _WORKBOOKS):
            return Raw(name, data, workbook=True)
        chosen = _chosen(name, names, member)
        try:
            return _member(name, chosen, archive.read(chosen))
        except RuntimeError as error:  # a password
            raise ValueError(f"{name} cannot be read: {error}") from None


def _of_tar(name: str, data: pa.Buffer, member: str | int | None) -> Raw:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        chosen = _chosen(name, [each.name for each in archive.getmembers() if each.isfile()], member)
        file = archive.extractfile(chosen)
        return _member(name, chosen, file.read() if file else b"")


def _member(name: str, chosen: str, content: bytes) -> Raw:
    called = f"{chosen.rpartition('/')[2]} in {name}"
    return _unpacked(called, _not_empty(called, content), None)


def _chosen(name: str, names: list[str], member: str | int | None) -> str:
    """Which file of an archive: the one that is named, the only one, or the only table."""
    files = [n for n in names if not n.endswith("/") and not any(mark in n for mark in _NO_MEMBERS)]
    files = [n for n in files if not n.rpartition("/")[2].startswith("._")]
    if isinstance(member, str):
        chosen = [n for n in files if member in (n, n.rpartition("/")[2])]
        if not chosen and member.isdigit():
            chosen = files[int(member) : int(member) + 1]
    elif isinstance(member, int):
        chosen = files[member : member + 1] if member >= 0 else []
    else:
        tables = [n for n in files if _without_packing(n.lower()).endswith(_TABLES)]
        chosen = tables if len(tables) == 1 else files
    if len(chosen) == 1:
        return chosen[0]
    if not files:
        raise ValueError(f"{name} is an archive without files: expected one with a table")
    listed = ", ".join(map(repr, files[:6])) + (f" and {len(files) - 6:,} more" if len(files) > 6 else "")
    none = "" if member is None else f", and not one that is called {member!r}" if not chosen else ""
    raise ValueError(
        f"{name}: it holds {len(files):,} files ({listed}){none}: expected one table, choose it with sheet={files[0]!r}"
    )


def _without_packing(name: str) -> str:
    return next((name.removesuffix(end) for end in _PACKED_ENDS if name.endswith(end)), name)
