"""Files of traces: .safetensors, which can be mapped, and .parquet, which other tools read."""

from __future__ import annotations

import os
from functools import reduce
from pathlib import Path

import numpy as np
import torch

from memorycell.layers.traces.description import Content, Damaged, checked_target
from memorycell.layers.traces.parquet import load_parquet, save_parquet
from memorycell.layers.traces.safetensors import TraceFile, load_mapped


def save(content: Content, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """See `Trace.save`."""
    target = checked_target(path, (".safetensors", ".parquet"), force=force)
    missing = [dim for dim in ("layer", "direction", "time", "unit") if dim not in content.dims]
    if missing:
        raise ValueError(f"expected a whole trace to save, got one without {', '.join(missing)}: select with slices")
    dtype = reduce(torch.promote_types, (value.dtype for value in content.by_name.values()))
    values = {name: value.to(dtype) for name, value in content.by_name.items()}
    if "batch" not in content.dims:
        values = {name: value.unsqueeze(2) for name, value in values.items()}
    if target.suffix.lower() == ".parquet":
        save_parquet(content._replace(by_name=values), target)
        return
    shapes = {name: tuple(value.shape) for name, value in values.items()}
    with TraceFile(target, shapes, dtype, *content[1:], force=force) as file:
        for name, value in values.items():
            for layer, direction in np.ndindex(*value.shape[:2]):
                file.write(name, layer, direction, 0, value[layer, direction])


def load(path: str | os.PathLike[str]) -> Content:
    """See `Trace.load`."""
    source = Path(path)
    if source.is_dir():
        raise IsADirectoryError(f"cannot read the trace {source}: it is a folder, load one of the files in it")
    if not source.exists():
        raise FileNotFoundError(f"there is no file {source}")
    try:
        return load_parquet(source) if source.suffix.lower() == ".parquet" else load_mapped(source)
    except Damaged as error:
        words = str(error)
    # Whatever its description lacks, or has in the place of what belongs there.
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError, MemoryError):
        words = "what it says of itself is not what a trace says"
    raise ValueError(f"{source} holds no trace, or is damaged or truncated: {words}")
