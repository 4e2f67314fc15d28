"""What a file says of the trace in it, and what it may say."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from memorycell.layers.traces.places import check_names, dates_of

_DIMS = ("layer", "direction", "batch", "time", "unit")
_KIND = "memorycell trace"
CODES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.float64: "F64"}
DTYPES = {code: dtype for dtype, code in CODES.items()}


class Content(NamedTuple):
    """What a file keeps of a `Trace`."""

    by_name: dict[str, Tensor]
    dims: tuple[str, ...]
    lengths: Tensor | None
    coords: Mapping[str, Sequence[Any]]


class Damaged(ValueError):
    """What is wrong with a file, in plain words."""


def dims_of(unbatched: bool) -> tuple[str, ...]:
    """Names of the dimensions of a gate."""
    return tuple(name for name in _DIMS if not (unbatched and name == "batch"))


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
    coords = {dim: _unplain(labels) for dim, labels in json.loads(metadata["coords"]).items()}
    sizes = zip(_DIMS, next(iter(shapes.values())), strict=True)
    check_names(coords, {dim: size for dim, size in sizes if dim in dims})
    return dims, ends, coords


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
