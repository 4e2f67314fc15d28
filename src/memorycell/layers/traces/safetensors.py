"""A trace in a safetensors file, written whole or piece by piece, and mapped when it is read."""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memorycell.layers.traces.description import (
    CODES,
    DTYPES,
    Content,
    Damaged,
    checked_shape,
    checked_target,
    code_of,
    described,
    is_of_a_trace,
    metadata_of,
    replaced,
)

_STORED = {"F16": "<f2", "BF16": "<i2", "F32": "<f4", "F64": "<f8"}  # numpy has no bfloat16: its bits as integers
_LARGEST_HEADER = 100_000_000  # bytes; safetensors' own limit


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


def load_mapped(source: Path) -> Content:
    """What is in the file, mapped into memory; raise Damaged, or whatever comes of a description that is none."""
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
    return Content(values, dims, lengths, coords)


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
