"""Parquet files of traces: a row for each step, for those who read them with other tools."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memorycell.layers.traces.description import (
    DTYPES,
    Content,
    Damaged,
    checked_shape,
    code_of,
    described,
    is_of_a_trace,
    metadata_of,
    plain,
    replaced,
)
from memorycell.layers.traces.places import dates_of

_UNITS = ("D", "s", "ms", "us", "ns")  # of the dates that Arrow knows


def save_parquet(content: Content, target: Path) -> None:
    """Write tensors (L, D, B, T, ·) as rows (layer, direction, batch, time, a list for each gate and state)."""
    from pyarrow import parquet

    values = content.by_name
    empty = [name for name, value in values.items() if not value.shape[-1]]
    if empty:
        raise ValueError(f"expected at least one unit for Parquet, got none of {empty[0]!r}: save it as .safetensors")
    schema: dict[str, str] = metadata_of(*content[1:])
    schema["sizes"] = json.dumps({name: list(value.shape) for name, value in values.items()})
    dtype = next(iter(values.values())).dtype
    schema["dtype"] = code_of(dtype)
    if dtype in (torch.float16, torch.bfloat16):
        values = {name: value.to(torch.float32) for name, value in values.items()}
    _, _, _, steps, _ = next(iter(values.values())).shape
    times = _times(content.coords.get("time"), steps)
    none = {name: value.new_zeros(0, value.shape[-1]) for name, value in values.items()}
    head = _table((0, 0, 0), times[:0], none).replace_schema_metadata(schema)
    with replaced(target) as file, parquet.ParquetWriter(file, head.schema) as writer:
        for where, count in _sequences(values, content.lengths):
            parts = {name: value[where][:count] for name, value in values.items()}
            writer.write_table(_table(where, times[:count], parts).replace_schema_metadata(schema))


def load_parquet(source: Path) -> Content:
    """The trace that `save_parquet` wrote; raise Damaged, or whatever comes of a description that is none."""
    import pyarrow
    from pyarrow import parquet

    with source.open("rb") as file:
        try:
            table = parquet.ParquetFile(file).read()
        except (pyarrow.ArrowException, OSError):
            raise Damaged("it is no Parquet file that can be read") from None
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if not is_of_a_trace(metadata):
        raise Damaged("its metadata are not those of a trace")
    shapes = {name: checked_shape(name, shape) for name, shape in json.loads(metadata["sizes"]).items()}
    dims, lengths, coords = described(metadata, shapes)
    layers, directions, batch, steps, _ = next(iter(shapes.values()))
    count = layers * directions * (batch * steps if lengths is None else int(lengths.sum()))
    if len(table) != count:
        raise Damaged(f"it has {len(table):,} rows, not the {count:,} steps that it tells of")
    values = {name: _filled(table, name, shape, lengths, metadata["dtype"]) for name, shape in shapes.items()}
    if "batch" not in dims:
        values = {name: value.squeeze(2) for name, value in values.items()}
    return Content(values, dims, lengths, coords)


def _sequences(values: Mapping[str, Tensor], lengths: Tensor | None) -> Iterator[tuple[tuple[int, int, int], int]]:
    """Layer, direction and row of each sequence that has steps, and how many."""
    layers, directions, batch, steps, _ = next(iter(values.values())).shape
    for layer, direction, row in np.ndindex(layers, directions, batch):
        count = steps if lengths is None else int(lengths.reshape(-1)[row])
        if count:
            yield (layer, direction, row), count


def _table(where: tuple[int, int, int], times: Any, parts: Mapping[str, Tensor]) -> Any:
    """Rows of the steps of one sequence, parts (t, ·)."""
    import pyarrow

    count, (layer, direction, row) = len(times), where
    columns: dict[str, Any] = {
        "layer": pyarrow.array(np.full(count, layer, np.int32)),
        "direction": pyarrow.array(np.full(count, direction, np.int32)),
        "batch": pyarrow.array(np.full(count, row, np.int64)),
        "time": times,
    }
    for name, part in parts.items():
        flat = pyarrow.array(part.contiguous().numpy().ravel())
        columns[name] = pyarrow.FixedSizeListArray.from_arrays(flat, part.shape[-1])
    return pyarrow.table(columns)


def _times(labels: Sequence[Any] | None, steps: int) -> Any:
    """The column of the steps' names; the metadata have them as they are."""
    import pyarrow

    if labels is None:
        return pyarrow.array(np.arange(steps))
    dates = dates_of(labels)
    if dates is not None:
        known = any(dates.dtype == f"datetime64[{unit}]" for unit in _UNITS)
        return pyarrow.array(dates if known else dates.astype("datetime64[s]"))
    names = plain(labels, "time")["names"]
    try:
        return pyarrow.array(names)
    except (pyarrow.ArrowException, ValueError, TypeError, OverflowError):  # of mixed kinds, or too large a number
        texts = [None if each is None else str(each).encode(errors="replace").decode() for each in names]
        return pyarrow.array(texts, pyarrow.string())


def _filled(table: Any, name: str, shape: tuple[int, ...], lengths: Tensor | None, code: str) -> Tensor:
    """The steps of a column, each row's from its place on and zero beyond its end."""
    layers, directions, _, steps, width = shape
    flat = torch.from_numpy(np.array(table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)))
    if lengths is None:
        return flat.reshape(shape).to(DTYPES[code])
    try:
        whole = torch.zeros(shape, dtype=DTYPES[code])
    except (RuntimeError, MemoryError):
        raise Damaged(f"{name!r}, of shape {shape}, needs more memory than there is") from None
    inside = torch.arange(steps) < lengths.reshape(-1, 1)
    whole[:, :, inside] = flat.reshape(layers, directions, int(lengths.sum()), width).to(whole.dtype)
    return whole
