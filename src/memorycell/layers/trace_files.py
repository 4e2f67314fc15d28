"""Files of traces: safetensors, written whole or piece by piece and mapped when read; and Parquet."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memorycell.layers.trace import Trace

_KIND = "memorycell trace"
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_LARGEST_HEADER = 100_000_000  # bytes; safetensors' own limit


class TraceFile:
    """A safetensors file of a trace that is filled piece by piece, whose memory does not depend on its size.

    Within ``with`` the file has a temporary name; its own when all went well.

    Parameters
    ----------
    shapes : dict of str to tuple
        Of each gate and state (L, D, B, T, ·).
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
        self.dtype = _DTYPES["F64" if dtype == torch.float64 else "F32"]
        header: dict[str, Any] = {"__metadata__": _metadata(dims, lengths, coords or {})}
        place = 0
        self.places: dict[str, int] = {}
        for name, shape in self.shapes.items():
            size = int(np.prod(shape)) * self.dtype.itemsize
            code = next(code for code, dtype in _DTYPES.items() if dtype == self.dtype)
            header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [place, place + size]}
            self.places[name], place = place, place + size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self._begin, self._data, self._size = struct.pack("<Q", len(text)) + text, 8 + len(text), 8 + len(text) + place

    def __enter__(self) -> TraceFile:
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        self._file = self._temporary.open("w+b")
        self._file.write(self._begin)
        self._file.truncate(self._size)  # what no row has stays zero
        return self

    def __exit__(self, kind: Any, *rest: Any) -> None:
        try:
            self._file.close()
            if kind is None:
                self._temporary.replace(self.path)
        finally:
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def write(self, name: str, layer: int, direction: int, start: int, value: Tensor) -> None:
        """value (B, t, ·), from step `start` on."""
        array = np.ascontiguousarray(value.detach().cpu().numpy(), self.dtype)
        for row, part in enumerate(array):
            self._file.seek(self._place(name, layer, direction, row, start))
            self._file.write(part.data)

    def read(self, name: str, layer: int, direction: int, start: int, stop: int) -> Tensor:
        """What was written, (B, stop - start, ·)."""
        batch, width = self.shapes[name][2], self.shapes[name][4]
        found = np.empty((batch, stop - start, width), self.dtype)
        self._file.flush()
        for row in range(batch):
            self._file.seek(self._place(name, layer, direction, row, start))
            self._file.readinto(found[row].data)
        return torch.from_numpy(found)

    def _place(self, name: str, layer: int, direction: int, row: int, step: int) -> int:
        _, directions, batch, steps, width = self.shapes[name]
        number = ((layer * directions + direction) * batch + row) * steps + step
        return self._data + self.places[name] + number * width * self.dtype.itemsize


def checked_target(path: str | os.PathLike[str], suffixes: Sequence[str], *, force: bool) -> Path:
    """The path as one that may be written to; raise ValueError or FileExistsError."""
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise ValueError(f"expected a name that ends in {' or '.join(suffixes)} for a trace, got {os.fspath(path)!r}")
    if target.exists() and not force:
        raise FileExistsError(f"{target} exists already: choose another name or overwrite it with force=True")
    return target


def save(trace: Trace, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """See `Trace.save`."""
    target = checked_target(path, (".safetensors", ".parquet"), force=force)
    missing = [dim for dim in ("layer", "direction", "time", "unit") if dim not in trace.dims]
    if missing:
        raise ValueError(f"expected a whole trace to save, got one without {', '.join(missing)}: select with slices")
    values = {name: value if "batch" in trace.dims else value.unsqueeze(2) for name, value in trace.to_dict().items()}
    if target.suffix.lower() == ".parquet":
        _save_parquet(trace, values, target)
        return
    dtype = next(iter(values.values())).dtype
    shapes = {name: tuple(value.shape) for name, value in values.items()}
    with TraceFile(target, shapes, dtype, trace.dims, trace.lengths, trace.coords, force=force) as file:
        for name, value in values.items():
            for layer, direction in np.ndindex(*value.shape[:2]):
                file.write(name, layer, direction, 0, value[layer, direction])


def load(path: str | os.PathLike[str]) -> Trace:
    """See `Trace.load`."""
    source = Path(path)
    if not source.exists():
        raise FileNotFoundError(f"there is no file {source}")
    if source.suffix.lower() == ".parquet":
        return _load_parquet(source)
    try:
        return _mapped(source)
    except (KeyError, TypeError, ValueError, struct.error, IndexError, OverflowError) as error:
        raise ValueError(f"{source} holds no trace, or is damaged or truncated: {error}") from None


def _mapped(source: Path) -> Trace:
    whole = source.stat().st_size
    with source.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > min(_LARGEST_HEADER, whole):
            raise ValueError(f"its header would have {size:,} bytes")
        header = json.loads(file.read(size))
    metadata = header.pop("__metadata__")
    if metadata.get("kind") != _KIND:
        raise ValueError("its metadata are not those of a trace")
    values = {}
    for name, entry in header.items():
        dtype, shape = _DTYPES[entry["dtype"]], tuple(int(n) for n in entry["shape"])
        first, last = entry["data_offsets"]
        if min(shape, default=0) < 0 or last - first != int(np.prod(shape, dtype=object)) * dtype.itemsize:
            raise ValueError(f"{name!r} has another size than its shape")
        if first < 0 or 8 + size + last > whole:
            raise ValueError(f"{name!r} goes beyond the end of the file")
        # "c": torch wants memory that may be written to, and the file must not change.
        mapped = np.memmap(source, dtype, "c", 8 + size + first, shape) if last > first else np.empty(shape, dtype)
        values[name] = torch.from_numpy(np.asarray(mapped))
    dims = tuple(json.loads(metadata["dims"]))
    lengths = json.loads(metadata["lengths"])
    coords = {dim: _unplain(labels) for dim, labels in json.loads(metadata["coords"]).items()}
    if "batch" not in dims:
        values = {name: value.squeeze(2) for name, value in values.items()}
    return Trace(values, dims, lengths=None if lengths is None else torch.tensor(lengths), coords=coords)


def _metadata(dims: Sequence[str], lengths: Tensor | None, coords: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    return {
        "kind": _KIND,
        "dims": json.dumps(list(dims)),
        "lengths": json.dumps(None if lengths is None else lengths.tolist()),
        "coords": json.dumps({dim: _plain(labels) for dim, labels in coords.items()}),
    }


def _plain(labels: Sequence[Any]) -> dict[str, Any]:
    array = np.asarray(labels)
    if array.dtype.kind == "M":
        return {"dates": array.astype("datetime64[ns]").astype("int64").tolist()}
    return {"names": [each if isinstance(each, str | int | float) else str(each) for each in array.tolist()]}


def _unplain(labels: dict[str, Any]) -> Any:
    if "dates" in labels:
        return np.array(labels["dates"], "int64").astype("datetime64[ns]")
    return labels["names"]


def _steps(trace: Trace, values: Mapping[str, Tensor]) -> Iterator[tuple[int, int, int, int]]:
    """Layer, direction, row and number of steps of each sequence."""
    layers, directions, batch, steps, _ = next(iter(values.values())).shape
    for layer, direction, row in np.ndindex(layers, directions, batch):
        yield layer, direction, row, steps if trace.lengths is None else int(trace.lengths.reshape(-1)[row])


def _save_parquet(trace: Trace, values: Mapping[str, Tensor], target: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    times = trace.coords.get("time")
    schema = {**_metadata(trace.dims, trace.lengths, trace.coords)}
    schema["sizes"] = json.dumps({name: list(value.shape) for name, value in values.items()})
    writer = None
    try:
        for layer, direction, row, count in _steps(trace, values):
            columns: dict[str, Any] = {
                "layer": pyarrow.array(np.full(count, layer, np.int32)),
                "direction": pyarrow.array(np.full(count, direction, np.int32)),
                "batch": pyarrow.array(np.full(count, row, np.int64)),
                "time": pyarrow.array(np.arange(count) if times is None else np.asarray(times)[:count]),
            }
            for name, value in values.items():
                flat = pyarrow.array(value[layer, direction, row, :count].contiguous().numpy().ravel())
                columns[name] = pyarrow.FixedSizeListArray.from_arrays(flat, value.shape[-1])
            table = pyarrow.table(columns).replace_schema_metadata(schema)
            writer = writer or parquet.ParquetWriter(temporary, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
            temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _load_parquet(source: Path) -> Trace:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(source)
        metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if metadata.get("kind") != _KIND:
            raise ValueError("its metadata are not those of a trace")
        sizes = {name: tuple(size) for name, size in json.loads(metadata["sizes"]).items()}
        if any(len(table) > np.prod(size[:4]) for size in sizes.values()):
            raise ValueError("it has more steps than its sizes tell of")
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        raise ValueError(f"{source} holds no trace, or is damaged or truncated: {error}") from None
    dims, lengths = tuple(json.loads(metadata["dims"])), json.loads(metadata["lengths"])
    ends = None if lengths is None else torch.tensor(lengths)
    values = {}
    for name, size in sizes.items():
        flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, size[-1])
        whole = torch.zeros(size, dtype=torch.float64 if flat.dtype == np.float64 else torch.float32)
        place = 0
        for layer, direction, row in np.ndindex(*size[:3]):
            count = size[3] if ends is None else int(ends[row])
            whole[layer, direction, row, :count] = torch.from_numpy(np.array(flat[place : place + count]))
            place += count
        values[name] = whole if "batch" in dims else whole.squeeze(2)
    coords = {dim: _unplain(labels) for dim, labels in json.loads(metadata["coords"]).items()}
    return Trace(values, dims, lengths=ends, coords=coords)
