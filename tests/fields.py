"""Files with one field changed: what somebody who knows the format could write."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Iterator
from typing import Any

Place = tuple[Any, ...]

# fmt: off
HOSTILE: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 0.5, -0.0, 1e308, 5e-324, 10**9, -10**9, 2**31, 2**53, 2**63, -2**63, 2**64,
    10**30, float("nan"), float("inf"), -float("inf"), "", " ", "auto", "x", "LSTM", "GRU", "none", "nan", "cuda:7",
    "0", "\0", "\ud800", "é", "a" * 5000, "9" * 5000, [], {}, [[]], [None], [1], [0.5], ["a"], [1, 2], {"a": 1},
    {"codec": "TextCodec"}, {"": None}, [[[[[[[[[[1]]]]]]]]]], {"pairs": [[1, 2]]}, {"pairs": 3}, {"pairs": [[[], 2]]},
    [0] * 1000, ["a"] * 1000,
]
DTYPES = ["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL", "F8_E4M3", "C64", "F128", "", None, 3]
SHAPES: list[Any] = [[], [0], [1], [-1], [2**31], [2**40, 2**40], [2**63], [1] * 5, ["1"], None, 3, [1.5], [True]]
BROKEN = [None, "", "{", "[]", "null", "3", '"x"', "[" * 100_000 + "]" * 100_000, "[" * 70 + "]" * 70, "{}", "NaN"]
WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}
WILD = [float("nan"), float("inf"), -1e38, 1e38, -1.0, 0.0, 1e-45]
# fmt: on


def places(value: Any, where: Place = ()) -> Iterator[Place]:
    """Every place in JSON, from the whole down."""
    yield where
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*where, key))
    elif isinstance(value, list):
        for number, each in enumerate(value[:20]):
            yield from places(each, (*where, number))


def changed(value: Any, chance: random.Random) -> tuple[Any, str]:
    """JSON with something in it changed, and what."""
    value = copy.deepcopy(value)
    everywhere = list(places(value))
    where = chance.choice(everywhere[1:] or everywhere)
    if not where:
        return chance.choice(HOSTILE), "all"
    above = value
    for key in where[:-1]:
        above = above[key]
    key, old = where[-1], above[where[-1]]
    what = chance.randrange(9)
    if what == 0:
        del above[key]
        new: Any = "(removed)"
    elif what == 1 and isinstance(above, dict):
        new = chance.choice(["", "x", "__class__", "épars", str(key) + "_"])
        above[new] = above.pop(key)
    elif what == 2 and isinstance(above, dict):
        new = "(another beside it)"
        above[f"{key}x"] = old
    elif what == 3:
        new = above[key] = [old] if chance.random() < 0.5 else {"a": old}
    elif what == 4 and isinstance(old, int | float):
        new = above[key] = chance.choice(
            [-old, old + 1, old - 1, old * 1000, float(old), str(old), old / 3, old * 10**12]
        )
    elif what == 5 and isinstance(old, list | str) and old:
        new = above[key] = chance.choice([old[:-1], old + old, old[::-1], old[:1], old * 100])
    elif what == 6:
        other: Any = value
        for part in chance.choice(everywhere):
            other = other[part]
        new = above[key] = copy.deepcopy(other)
    else:
        new = above[key] = chance.choice(HOSTILE)
    return value, f"{'.'.join(map(str, where))} = {new!r:.80}"


def apart(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and numbers of a safetensors file."""
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def together(header: Any, numbers: bytes) -> bytes:
    """A safetensors file of a header, which need not be one."""
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + numbers


def described(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    """A safetensors file whose metadata are changed: JSON within JSON, field by field."""
    header, numbers = apart(content)
    metadata = header["__metadata__"]
    key = chance.choice(sorted(metadata))
    try:
        told = json.loads(metadata[key])
    except ValueError:
        told = None
    kind = chance.randrange(20)
    if kind == 0 or not isinstance(told, dict | list) or not told:
        new = chance.choice([*BROKEN, metadata[key][:-5]])
        if new is None:
            del metadata[key]
        else:
            metadata[key] = new
        return together(header, numbers), f"metadata {key} = {new!r:.40}"
    told, what = changed(told, chance)
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        if isinstance(told, dict | list) and told:
            told, more = changed(told, chance)
            what += f", {more}"
    metadata[key] = json.dumps(told)
    return together(header, numbers), f"{key}: {what}"


def tensored(content: bytes, chance: random.Random) -> tuple[bytes, str]:
    """A safetensors file of which a tensor is another: its type, shape, place, name or numbers."""
    header, numbers = apart(content)
    names = [name for name in header if name != "__metadata__"]
    name, data = chance.choice(names), bytearray(numbers)
    entry, what = header[name], chance.randrange(9)
    first, last = entry["data_offsets"]
    if what == 0:
        entry["dtype"] = chance.choice(DTYPES)
    elif what == 1:
        entry["shape"] = chance.choice([*SHAPES, entry["shape"][::-1], [1, *entry["shape"]], [*entry["shape"], 1]])
    elif what == 2:
        entry["data_offsets"] = chance.choice(
            [[0, 0], [last, first], [first, last + 8], [-1, 7], [0, 2**63], [], None, ["0", "4"]]
        )
    elif what == 3:
        del header[name]
    elif what == 4:
        new = chance.choice(["", "x", name + "_", name.rpartition(".")[0] + ".0", "network." + name, "learned.x"])
        header[new] = header.pop(name)
    elif what == 5:  # left out, with its numbers: the file is whole
        del header[name], data[first:last]
        for each in names:
            if each != name and header[each]["data_offsets"][0] >= last:
                header[each]["data_offsets"] = [place - (last - first) for place in header[each]["data_offsets"]]
    elif what == 6:  # of another type and shape, and of the size that this has
        size = last - first
        kind, width = chance.choice(sorted(WIDTHS.items()))
        entry.update(dtype=kind, shape=chance.choice([[size // width], [size // width, 1]]))
    elif last > first:
        data[first:last] = struct.pack("<f", chance.choice(WILD)) * ((last - first) // 4) + bytes((last - first) % 4)
    return together(header, bytes(data)), f"tensor {name}, {what}: {header.get(name)!r:.80}"
