"""Files of traces: what describes them, and safetensors, written whole or piece by piece and mapped when read."""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from memorycell.layers.trace import Trace, dims_of
from memorycell.layers.trace_places import dates_of

_KIND = "memorycell trace"
CODES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64"}
DTYPES = {code: dtype for dtype, code in CODES.items()}
_STORED = {"F16": "<f2", "BF16": "<i2", "F32": "<f4", "F64": "<f8"}  # numpy has no bfloat16: its bits as integers
_LARGEST_HEADER = 100_000_000  # bytes; safetensors' own limit


class Damaged(ValueError):
    """What is wrong with a file, in plain words."""


class TraceFile:
    """A safetensors file of a trace that is filled piece by piece, whose memory does not depend on its size.

    Within ``with`` the file has a temporary name; its own when all went well.

    Parameters
    ----------
    shapes : dict of str to tuple
        Of each gate and state (L, D, B, T, ·).
    dtype : float16, bfloat16, float32 or float64
    dims, lengths, coords : of the `Trace`
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        shapes: Mapping[str, Sequence[int]],
        dtype: torch.dtype,
        dims: Sequence[str],
        lengths: Tensor | None = None,
        coords: Mapping[str, Sequence[Any]] | None = None,
        *,
        force: bool = False,
    ) -> None:
        self.path = checked_target(path, (".safetensors",), force=force)
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        self.dtype, self.stored = dtype, np.dtype(_STORED[code_of(dtype)])
        header: dict[str, Any] = {"__metadata__": metadata_of(dims, lengths, coords or {})}
        place = 0
        self.places: dict[str, int] = {}
        for name, shape in self.shapes.items():
            size = math.prod(shape) * self.stored.itemsize
            header[name] = {"dtype": CODES[dtype], "shape": list(shape), "data_offsets": [place, place + size]}
            self.places[name], place = place, place + size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self._begin, self._data, self._size = struct.pack("<Q", len(text)) + text, 8 + len(text), 8 + len(text) + place

    def __enter__(self) -> TraceFile:
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(replaced(self.path))
            self._file.write(self._begin)
            self._file.truncate(self._size)  # what no row has stays zero
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *what: Any) -> None:
        self._stack.__exit__(*what)

    def write(self, name: str, layer: int, direction: int, start: int, value: Tensor) -> None:
        """value (B, t, ·), from step `start` on."""
        value = value.detach().to("cpu", self.dtype)
        bits = value.view(torch.int16) if self.dtype is torch.bfloat16 else value
        array = np.ascontiguousarray(bits.numpy(), self.stored)
        for row, part in enumerate(array):
            self._file.seek(self._place(name, layer, direction, row, start))
            self._file.write(part.data)

    def read(self, name: str, layer: int, direction: int, start: int, stop: int) -> Tensor:
        """What was written, (B, stop - start, ·), on the CPU."""
        batch, width = self.shapes[name][2], self.shapes[name][4]
        found = np.empty((batch, stop - start, width), self.stored)
        self._file.flush()
        for row in range(batch):
            self._file.seek(self._place(name, layer, direction, row, start))
            self._file.readinto(found[row].data)  # type: ignore[attr-defined]
        return torch.from_numpy(found).view(self.dtype)

    def _place(self, name: str, layer: int, direction: int, row: int, step: int) -> int:
        _, directions, batch, steps, width = self.shapes[name]
        number = ((layer * directions + direction) * batch + row) * steps + step
        return self._data + self.places[name] + number * width * self.stored.itemsize


def checked_target(path: str | os.PathLike[str], suffixes: Sequence[str], *, force: bool) -> Path:
    """The path as one that may be written to; raise TypeError, ValueError or OSError."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"expected the path of a file for a trace, got {path!r}")
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise ValueError(f"expected a name that ends in {' or '.join(suffixes)} for a trace, got {os.fspath(path)!r}")
    if target.is_dir():
        raise IsADirectoryError(f"cannot write the trace {target}: it is a folder, give the name of a file")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write the trace {target}: there is no folder {target.parent}")
    if target.exists() and not force:
        raise FileExistsError(f"{target} exists already: choose another name or overwrite it with force=True")
    return target


@contextlib.contextmanager
def replaced(target: Path) -> Iterator[IO[bytes]]:
    """A new file with a temporary name, that takes the place of `target` when all went well and is gone otherwise."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w+b") as file:
            yield file
        temporary.replace(target)
    except OSError as error:
        if error.filename != str(temporary):
            raise
        raise type(error)(f"cannot write the trace {target}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def code_of(dtype: torch.dtype) -> str:
    """How safetensors calls a dtype of floats; raise ValueError for another."""
    if dtype not in CODES:
        raise ValueError(f"expected a trace of {', '.join(map(str, CODES))} to save, got {dtype}: convert it")
    return CODES[dtype]


def save(trace: Trace, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """See `Trace.save`."""
    target = checked_target(path, (".safetensors", ".parquet"), force=force)
    missing = [dim for dim in ("layer", "direction", "time", "unit") if dim not in trace.dims]
    if missing:
        raise ValueError(f"expected a whole trace to save, got one without {', '.join(missing)}: select with slices")
    dtype = reduce(torch.promote_types, (value.dtype for value in trace.values()))
    values = {name: value.to(dtype) for name, value in trace.to_dict().items()}
    if "batch" not in trace.dims:
        values = {name: value.unsqueeze(2) for name, value in values.items()}
    if target.suffix.lower() == ".parquet":
        from memorycell.layers.trace_parquet import save_parquet

        save_parquet(trace, values, target)
        return
    shapes = {name: tuple(value.shape) for name, value in values.items()}
    with TraceFile(target, shapes, dtype, trace.dims, trace.lengths, trace.coords, force=force) as file:
        for name, value in values.items():
            for layer, direction in np.ndindex(*value.shape[:2]):
                file.write(name, layer, direction, 0, value[layer, direction])


def load(path: str | os.PathLike[str]) -> Trace:
    """See `Trace.load`."""
    source = Path(path)
    if source.is_dir():
        raise IsADirectoryError(f"cannot read the trace {source}: it is a folder, load one of the files in it")
    if not source.exists():
        raise FileNotFoundError(f"there is no file {source}")
    if source.suffix.lower() == ".parquet":
        from memorycell.layers.trace_parquet import load_parquet as loaded
    else:
        loaded = _mapped
    try:
        return loaded(source)
    except Damaged as error:
        words = str(error)
    # Whatever its description lacks, or has in the place of what belongs there.
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError, MemoryError):
        words = "what it says of itself is not what a trace says"
    raise ValueError(f"{source} holds no trace, or is damaged or truncated: {words}")


def _mapped(source: Path) -> Trace:
    whole = source.stat().st_size
    header, start = _header(source, whole)
    metadata = header.pop("__metadata__", None)
    if not is_of_a_trace(metadata):
        raise Damaged("its metadata are not those of a trace")
    _check_places(header, whole - start)
    values = {}
    for name, entry in header.items():
        stored, shape = np.dtype(_STORED[entry["dtype"]]), tuple(entry["shape"])
        first, last = entry["data_offsets"]
        # "c": torch wants memory that may be written to, and the file must not change.
        mapped = np.memmap(source, stored, "c", start + first, shape) if last > first else np.empty(shape, stored)
        values[name] = torch.from_numpy(np.asarray(mapped)).view(DTYPES[entry["dtype"]])
    dims, lengths, coords = described(metadata, {name: tuple(value.shape) for name, value in values.items()})
    if "batch" not in dims:
        values = {name: value.squeeze(2) for name, value in values.items()}
    return Trace(values, dims, lengths=lengths, coords=coords)


def _header(source: Path, whole: int) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of itself, and where its numbers begin."""
    if whole < 8:
        raise Damaged(f"it has only {whole} bytes")
    with source.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > min(_LARGEST_HEADER, whole - 8):
            raise Damaged(f"its header would have {size:,} bytes")
        header = json.loads(file.read(size))
    if not isinstance(header, dict):
        raise Damaged("its header is not that of a safetensors file")
    return header, 8 + size


def _check_places(header: Mapping[str, Any], whole: int) -> None:
    """Raise Damaged unless the tensors fill the file, one after the other, each in the size of its shape."""
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = entry["data_offsets"]
        if entry["dtype"] not in _STORED:
            raise Damaged(f"{name!r} has numbers of another kind, {entry['dtype']}")
        size = math.prod(checked_shape(name, entry["shape"])) * np.dtype(_STORED[entry["dtype"]]).itemsize
        if last - first != size:
            raise Damaged(f"{name!r} has another size than its shape")
        if last > whole:
            raise Damaged(f"{name!r} goes beyond the end of the file")
        if first != end:
            raise Damaged(f"{name!r} overlaps another or leaves a gap")
        end = last
    if end != whole:
        raise Damaged(f"it has {whole - end:,} bytes more than it tells of")


def checked_shape(name: str, shape: Any) -> tuple[int, ...]:
    """The shape of a gate, as a file has it; raise Damaged for what is none."""
    if not isinstance(shape, list) or len(shape) != 5 or any(type(n) is not int or n < 0 for n in shape):
        raise Damaged(f"{name!r} has not the shape of a gate or state: layers, directions, batch, time, units")
    return tuple(shape)


def metadata_of(dims: Sequence[str], lengths: Tensor | None, coords: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """What a file says of its trace; raise ValueError for names that no file can keep."""
    return {
        "kind": _KIND,
        "dims": json.dumps(list(dims)),
        "lengths": json.dumps(None if lengths is None else lengths.tolist()),
        "coords": json.dumps({dim: plain(labels, dim) for dim, labels in coords.items()}),
    }


def is_of_a_trace(metadata: Any) -> bool:
    """Whether a file says that it is one of a trace."""
    return isinstance(metadata, dict) and metadata.get("kind") == _KIND


def described(
    metadata: Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[tuple[str, ...], Tensor | None, dict[str, Any]]:
    """Dims, lengths and coords, if they fit tensors of these shapes (L, D, B, T, ·); else raise Damaged."""
    if not shapes:
        raise Damaged("it has no gate and no state")
    if len({shape[:4] for shape in shapes.values()}) > 1:
        raise Damaged("its gates and states differ in their layers, directions, rows or steps")
    dims, lengths = tuple(json.loads(metadata["dims"])), json.loads(metadata["lengths"])
    batch, steps = next(iter(shapes.values()))[2:4]
    unbatched = dims == dims_of(True)
    if dims != dims_of(unbatched) or (unbatched and batch != 1):
        raise Damaged("its dimensions are not those of a trace")
    if lengths is not None:
        every = [lengths] if unbatched else lengths
        if len(every) != batch or any(type(n) is not int or not 0 <= n <= steps for n in every):
            raise Damaged(f"its lengths are not those of {batch} rows of {steps} steps")
    ends = None if lengths is None else torch.tensor(lengths, dtype=torch.int64)
    return dims, ends, {dim: _unplain(labels) for dim, labels in json.loads(metadata["coords"]).items()}


def plain(labels: Sequence[Any], dim: str) -> dict[str, Any]:
    """Names as JSON can keep them; raise ValueError for those that it cannot."""
    dates = dates_of(labels)
    if dates is not None:
        return {"dates": dates.astype("int64").tolist(), "dtype": dates.dtype.name}
    names = [each.item() if isinstance(each, np.str_ | np.bool_ | np.number) else each for each in labels]
    wrong = [each for each in names if not (each is None or isinstance(each, str | int | float))]
    if wrong:
        raise ValueError(
            f"expected names along {dim!r} that a file can keep (text, numbers, None; or all of them dates without a "
            f"time zone), got {wrong[0]!r}: give others, trace.named({dim}=…)"
        )
    return {"names": names}


def _unplain(labels: dict[str, Any]) -> Any:
    if "dates" not in labels:
        if not isinstance(labels["names"], list):
            raise Damaged("its names of places are no list")
        return labels["names"]
    dtype = np.dtype(labels["dtype"])
    if dtype.kind != "M":
        raise Damaged("its names of places are no dates")
    return np.array(labels["dates"], "int64").astype(dtype)
