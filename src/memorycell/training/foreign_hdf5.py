"""What an HDF5 file holds, read in a process of its own: its library may run for ever on a damaged file, or crash.

The process runs this file alone, which needs nothing but h5py, and answers in bytes: a line of JSON, and the numbers.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 40  # groups within each other
MOST_CONFIG = 64 * 2**20  # bytes of JSON
WANTED = ("kernel", "recurrent_kernel", "bias", "embeddings", "0", "1", "2")  # data sets whose numbers are read
_MOST_OBJECTS = 100_000
# The time that the process may compute: importing h5py takes 0.3 s of it, and a gigabyte about 2 s.
_SECONDS, _BYTES_A_SECOND = 10, 50_000_000
_ROOM = 2 << 30  # bytes of address space beside four times the file's numbers
_PATIENCE = 600  # seconds until it is ended where its time cannot be limited
_ENDLESS = "is damaged: HDF5 does not come to an end with it, or asks for more memory than it bears out"


class Refused(ValueError):
    """What a file says that nobody means, in words that follow its name."""


@dataclass
class Held:
    """Data sets by their place: type, shape and numbers (None of those that are not read); and what groups say.

    Attributes
    ----------
    datasets : dict of place to (type as numpy writes it or "bfloat16", shape, numbers)
    names : dict of place to what a group says that its layer is called
    layer_names : list of str
        Of .h5 files, in the model's order.
    config : str
        The model's configuration, "" where there is none.
    """

    datasets: dict[str, tuple[str, tuple[int, ...], Any]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    layer_names: list[str] = field(default_factory=list)
    config: str = ""


def read_hdf5(source: str | bytes, most: int) -> Held:
    """The content of a file at a path, or of these bytes, of which numbers take at most `most` bytes.

    Raises
    ------
    Refused
        For a file that is damaged, leads elsewhere, or is not worth its size.
    """
    if not sys.executable:  # a program with Python in it
        return _read(source, most)
    there = isinstance(source, str)
    command = [sys.executable, "-P", __file__, str(most), source if isinstance(source, str) else "-"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    try:
        ran = subprocess.run(  # noqa: S603
            command, input=None if there else source, stdin=subprocess.DEVNULL if there else None,
            capture_output=True, timeout=_PATIENCE, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Refused(_ENDLESS) from None
    line, _, numbers = ran.stdout.partition(b"\n")
    try:
        told = json.loads(line)
    except ValueError:
        raise Refused(_ENDLESS) from None
    if "refused" in told:
        raise Refused(told["refused"])
    held = Held(names=told["names"], layer_names=told["layer_names"], config=told["config"])
    start = 0
    for place, kind, shape, size in told["datasets"]:
        part = None if size is None else memoryview(numbers)[start : start + size]
        held.datasets[place] = (kind, tuple(shape), part)
        start += size or 0
    return held


def _read(source: str | bytes, most: int) -> Held:
    import h5py

    try:
        with h5py.File(source if isinstance(source, str) else io.BytesIO(source), "r") as opened:
            held = _content(opened, most)
            config = opened.attrs.get("model_config", "")
            if isinstance(config, str | bytes) and len(config) <= MOST_CONFIG:
                held.config = _text(config)
            return held
    except Refused:
        raise
    except (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, MemoryError) as error:
        raise Refused("is damaged or truncated: HDF5 cannot read it") from error


def _content(opened: Any, most: int) -> Held:
    """Everything in the file; refuses what leads out of it."""
    import h5py

    found = Held()
    total = objects = 0
    waiting: list[tuple[str, Any]] = [("", opened)]
    while waiting:
        place, group = waiting.pop()
        if isinstance(name := group.attrs.get("name"), str) and 0 < len(name) < 1000:
            found.names[place] = name
        if place in ("", "model_weights"):
            found.layer_names += [_text(name) for name in group.attrs.get("layer_names", ())][:_MOST_OBJECTS]
        for key in group:
            objects += 1
            here = f"{place}/{key}" if place else key
            if objects > _MOST_OBJECTS or here.count("/") > DEEPEST:
                raise Refused("is damaged or hostile: too many groups, or too deep ones")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise Refused(f"is hostile: {here:.80} is a link that leads elsewhere")
            item = group[key]
            if isinstance(item, h5py.Group) and not here.startswith("optimizer"):
                waiting.append((here, item))
            elif isinstance(item, h5py.Dataset):
                if item.is_virtual or item.external:
                    raise Refused(f"is hostile: the numbers of {here:.80} lie in another file")
                total += (item.size or 0) * item.dtype.itemsize
                if total > most:
                    raise Refused(f"is hostile: {here:.80} claims more numbers than the file can hold")
                found.datasets[here] = _numbers(key, item)
    return found


def _numbers(key: str, item: Any) -> tuple[str, tuple[int, ...], Any]:
    shape = tuple(item.shape or ())
    if item.dtype == "uint16" and _text(item.attrs.get("dtype", "")) == "bfloat16":  # HDF5 has no such type
        kind, dtype = "bfloat16", "<u2"
    elif item.dtype.kind == "f" and item.dtype.itemsize in (2, 4, 8):
        kind = dtype = f"<f{item.dtype.itemsize}"
    else:
        return str(item.dtype)[:100], shape, None
    wanted = key.split(":")[0] in WANTED and item.shape is not None
    return kind, shape, memoryview(item[()].astype(dtype).tobytes()) if wanted else None


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _limit(most: int, held: int) -> None:
    """Limit what this process may take of time and memory, where the system can."""
    try:
        import resource
    except ImportError:
        return
    seconds = _SECONDS + held // _BYTES_A_SECOND
    limits = {resource.RLIMIT_CPU: seconds, resource.RLIMIT_AS: _ROOM + 4 * most, resource.RLIMIT_CORE: 0}
    for kind, value in limits.items():
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _answer(most: int, name: str) -> None:
    source = sys.stdin.buffer.read() if name == "-" else name
    _limit(most, len(source) if isinstance(source, bytes) else os.stat(source).st_size)  # noqa: PTH116
    out = sys.stdout.buffer
    try:
        held = _read(source, most)
    except Refused as error:
        out.write(json.dumps({"refused": str(error)}).encode() + b"\n")
        return
    sizes = [
        (place, kind, shape, None if part is None else part.nbytes)
        for place, (kind, shape, part) in held.datasets.items()
    ]
    told = {"datasets": sizes, "names": held.names, "layer_names": held.layer_names, "config": held.config}
    out.write(json.dumps(told).encode() + b"\n")
    for _, _, part in held.datasets.values():
        if part is not None:
            out.write(part)


if __name__ == "__main__":
    _answer(int(sys.argv[1]), sys.argv[2])
