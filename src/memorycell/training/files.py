"""Files that are whole or not there: atomic writing, and the model file of every task."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from memorycell import __version__
from memorycell.data.forms import ours
from memorycell.data.log import logger

_LOG = logger(__name__)

FORMAT_VERSION = 1
_KEY = "memorycell"  # the entry of the safetensors metadata that holds our JSON
_MAX_HEADER = 100_000_000  # bytes; safetensors' own limit
_MAX_TENSORS = 100_000
_MAX_DEPTH = 64
_UNREADABLE = "what its header says of names, types, shapes and places of tensors does not fit what follows it"


class ModelFileError(ValueError):
    """A file that cannot be read as a memorycell model, or tensors that do not fit their configuration."""


# What may go wrong while a configuration is read that does not say what it should. A missing package, memory or device
# is not the file's fault.
WRONG = (LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError)


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Within it errors that are no sentences of this package become one: that `what` is not what a file says."""
    try:
        yield
    except WRONG as error:
        if ours(error):
            raise
        raise ModelFileError(f"expected {what} as a model file has them, got something else") from error


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds.

    Attributes
    ----------
    kind : str
        Name of the class that reads the rest, for example ``"Forecaster"``.
    config : dict
        Its whole configuration, plain JSON.
    tensors : dict of str to Tensor
    format_version : int
        Version of the file's layout.
    memorycell_version : str
        The release that wrote it.
    """

    kind: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    format_version: int
    memorycell_version: str


def save_model(
    path: str | Path, kind: str, config: dict[str, Any], tensors: Mapping[str, Tensor], *, force: bool = False
) -> None:
    """Write a model file: tensors as safetensors, and the configuration as JSON in its metadata.

    The file appears whole or not at all: it is written under a temporary name in the same folder, synced to
    disk and renamed. No pickle.

    Parameters
    ----------
    path : str or Path
        Conventionally ``something.safetensors``.
    kind : str
        Name of the class that can read the configuration.
    config : dict
        Plain JSON: str, int, finite float, bool, None, lists and dicts with str keys.
    tensors : mapping of str to Tensor
        Finite values.
    force : bool
        Replace an existing file.

    Raises
    ------
    FileExistsError
        If the file exists and `force` is False.
    ValueError, TypeError
        If the configuration is not plain JSON or a tensor holds NaN or infinite values.
    OSError
        If the file cannot be written (folder missing, not writable, disk full); an older file then survives.

    Example
    -------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.safetensors")
    ...     save_model(path, "Mean", {"window": 6}, {"mean": torch.ones(2)})
    ...     model = load_model(path)
    >>> model.kind, model.config, model.tensors["mean"].tolist()
    ('Mean', {'window': 6}, [1.0, 1.0])
    """
    path = Path(path)
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists already: choose another name or overwrite it with force=True")
    for name, tensor in tensors.items():
        if not _finite(tensor):
            raise ValueError(f"tensor {name!r} holds NaN or infinite values: such a model is of no use, train it again")
    try:
        text = json.dumps(
            {
                "format_version": FORMAT_VERSION,
                "memorycell_version": __version__,
                "kind": kind,
                "config": config,
            },
            allow_nan=False,
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise type(error)(
            f"expected a configuration of plain JSON with finite numbers, got one where {error}"
        ) from None
    write_tensors(path, tensors, {_KEY: text})
    _LOG.info("%s was written to %s", kind, path)


def load_model(path: str | Path) -> ModelFile:
    """Read a model file, trusting nothing in it.

    Sizes are checked against the file's length before anything is allocated; whether the tensors fit the
    configuration is for the reader of `kind` to check, with `check_tensors`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is empty, truncated, not safetensors, not ours, of a newer format, or its metadata is broken or
        hostile.

    Example
    -------
    >>> load_model("nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: no model file at nowhere.safetensors
    """
    path = _existing(path)
    header, tensors = read_tensors(path)
    fields = _our_fields(path, header)
    for name, tensor in tensors.items():
        if tensor.is_complex() or tensor.is_quantized:
            raise ModelFileError(f"{path}: expected tensor {name!r} of real numbers, got {tensor.dtype}")
        if not _finite(tensor):
            raise ModelFileError(f"{path}: tensor {name!r} holds NaN or infinite values, so the model is of no use")
    _LOG.info("%s was read from %s", fields["kind"], path)
    return ModelFile(tensors=tensors, **fields)


def read_header(path: str | Path) -> tuple[str, str]:
    """The kind of model that a file holds and the release that wrote it; raises as `load_model`, reads no weights."""
    path = _existing(path)
    _check_header(path)
    try:
        with safetensors.safe_open(path, "pt") as file:
            header = dict(file.metadata() or {})
    except (safetensors.SafetensorError, ValueError, TypeError, RuntimeError) as error:
        raise ModelFileError(f"{path} is damaged or truncated: {_UNREADABLE}") from error
    fields = _our_fields(path, header)
    return fields["kind"], fields["memorycell_version"]


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        what = "a folder, not a model file," if path.is_dir() else "no model file"
        raise FileNotFoundError(f"{what} at {path}")
    return path


def _our_fields(path: Path, header: Mapping[str, str]) -> dict[str, Any]:
    """What a model file says about itself, checked."""
    if _KEY not in header:
        raise ModelFileError(
            f"{path} is a safetensors file, but not one of memorycell's: it has no memorycell metadata"
        )
    try:
        content = json.loads(header[_KEY], parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ModelFileError(
            f"{path} has broken metadata (not JSON): the file is damaged or was tampered with"
        ) from None
    return _checked_fields(path, content)


def check_tensors(
    tensors: Mapping[str, Tensor],
    expected: Mapping[str, Tensor | Sequence[int]],
    source: str | Path = "model file",
) -> None:
    """Check that `tensors` are just those `expected`, each of its shape, and of its dtype where a tensor is
    given.

    Build the expectation without memory: ``with torch.device("meta"): expected =
    Net(**config).state_dict()``.

    Raises
    ------
    ModelFileError
        Naming the first tensor that is missing, left over, or of another shape or dtype.

    Example
    -------
    >>> check_tensors({"weight": torch.zeros(2, 3)}, {"weight": (2, 4)})
    Traceback (most recent call last):
    memorycell.training.files.ModelFileError: model file: expected tensor 'weight' of shape (2, 4), got (2, 3)
    """
    for name, wanted in expected.items():
        if name not in tensors:
            raise ModelFileError(f"{source}: tensor {name!r} is missing")
        shape, got = tuple(wanted.shape if isinstance(wanted, Tensor) else wanted), tensors[name]
        if tuple(got.shape) != shape:
            raise ModelFileError(f"{source}: expected tensor {name!r} of shape {shape}, got {tuple(got.shape)}")
        if isinstance(wanted, Tensor) and got.dtype != wanted.dtype:
            raise ModelFileError(f"{source}: expected tensor {name!r} of {wanted.dtype}, got {got.dtype}")
    extra = next((name for name in tensors if name not in expected), None)
    if extra is not None:
        raise ModelFileError(f"{source}: tensor {extra!r} does not belong to this configuration")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    """Write one safetensors file atomically; see `write_atomically`."""
    # Tensors that share memory are refused by safetensors: each becomes one of its own.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_atomically(path, safetensors.torch.save(own, header))


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file; ModelFileError if it is not a whole and sane one."""
    _check_header(path)
    try:
        with safetensors.safe_open(path, "pt") as file:
            header, names = dict(file.metadata() or {}), list(file.keys())
            if len(names) > _MAX_TENSORS:
                raise ModelFileError(f"{path} claims {len(names):,} tensors, more than any model has")
            # Copied out of the mapped file, so that the file can be replaced or removed while they live.
            return header, {name: file.get_tensor(name).clone() for name in names}
    except ModelFileError:
        raise
    except (safetensors.SafetensorError, ValueError, TypeError, RuntimeError, KeyError) as error:
        raise ModelFileError(f"{path} is damaged or truncated: {_UNREADABLE}") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that at every moment, and after a crash, `path` is the old file or the whole new one.

    Raises
    ------
    OSError
        If it cannot be written, of the subclass that the system gave; the old file is then untouched and
        nothing else is left behind.
    """
    target = path.resolve()  # a link stays one
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        kept = "; the file that was there is unchanged" if target.exists() else ""
        raise type(error)(error.errno, f"cannot write {path}: {error.strerror or error}{kept}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed processes left behind while writing `path`."""
    target = path.resolve()
    for leftover in target.parent.iterdir():
        if leftover.name.startswith(f".{target.name}.") and leftover.suffix == ".tmp":
            with contextlib.suppress(OSError):
                leftover.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a renaming in `folder` survive a loss of power."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_header(path: Path) -> None:
    size = path.stat().st_size
    if size == 0:
        raise ModelFileError(f"{path} is empty")
    with path.open("rb") as file:
        start = file.read(9)
    length = struct.unpack("<Q", start[:8])[0] if len(start) == 9 else 0
    if start[8:] != b"{" or not 2 <= length <= _MAX_HEADER:
        raise ModelFileError(f"{path} is not a model file (not in safetensors format)")
    if length + 8 > size:
        raise ModelFileError(f"{path} is truncated: it has {size} bytes, its header alone claims {length + 8}")


def _checked_fields(path: Path, content: Any) -> dict[str, Any]:
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is int and version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format version {version}, this release reads up to {FORMAT_VERSION}: upgrade memorycell"
        )
    types = {"format_version": int, "memorycell_version": str, "kind": str, "config": dict}
    for name, wanted in types.items():
        value = content.get(name) if isinstance(content, dict) else None
        if type(value) is not wanted:
            got = type(value).__name__
            raise ModelFileError(f"{path} has broken metadata: expected {name!r} to be {wanted.__name__}, got {got}")
    if content["format_version"] < 1:
        raise ModelFileError(f"{path} has broken metadata: format version {content['format_version']}")
    if _deeper_than(_MAX_DEPTH, [content["config"]]):
        raise ModelFileError(f"{path} has broken metadata: a configuration nested more than {_MAX_DEPTH} deep")
    return {name: content[name] for name in types}


def _deeper_than(limit: int, values: Iterable[Any]) -> bool:
    """Whether JSON is nested more than `limit` deep; level by level, so that it cannot overflow the stack."""
    for _ in range(limit + 1):
        below = [value for value in values if isinstance(value, dict | list)]
        if not below:
            return False
        values = [child for value in below for child in (value.values() if isinstance(value, dict) else value)]
    return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(
        torch.isfinite(tensor.to(torch.float32) if tensor.itemsize == 1 else tensor).all()
    )
