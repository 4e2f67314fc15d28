"""Keras' weights by torch's names: numbers out of HDF5, and of the configuration only what says what they compute."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from memorycell.training.files import ModelFileError

DAMAGED_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError)
HDF5_START = b"\x89HDF\r\n\x1a\n"
_MOST_CONFIG = 64 * 2**20  # bytes of JSON
_MOST_OBJECTS = 100_000
_DEEPEST = 24
_MOST_PACKED = 200  # times smaller than its content may a data set be stored
_CONTAINERS = ("model_weights", "layers", "_layer_checkpoint_dependencies")
_KINDS = ("LSTM", "GRU", "SimpleRNN")

_Tensors = dict[str, Tensor]
_Layers = dict[str, dict[str, Any]]


def read_keras(path: Path, source: Path | zipfile.ZipFile, most: int) -> tuple[_Tensors, _Layers]:
    """Tensors by torch's names, and facts by the name of the recurrent layer, of a .keras file or HDF5 weights.

    A recurrent layer ``name`` gives ``name.weight_ih_l0`` and so on, another one ``name.kernel`` (as Keras has it) and
    ``name.bias``. Facts: "reset_after" (GRU), "nonlinearity" (SimpleRNN), "refused" (why it cannot be imported).

    Raises
    ------
    ModelFileError
        For a file that is damaged, leads elsewhere, or is not worth its size.
    ImportError
        Without h5py.
    """
    try:
        import h5py
    except ImportError as error:
        hint = 'reading Keras files needs the h5py package: pip install "memorycell[keras]"'
        raise ImportError(hint) from error
    config: Any = None
    try:
        if isinstance(source, zipfile.ZipFile):
            config = _json(_unpacked(path, source, "config.json", _MOST_CONFIG))
            file: Any = io.BytesIO(_unpacked(path, source, "model.weights.h5", most))
        else:
            file = source
        with h5py.File(file, "r") as opened:
            held = file.getbuffer().nbytes if isinstance(file, io.BytesIO) else path.stat().st_size
            if config is None:
                config = _json(opened.attrs.get("model_config"))
            content = _content(path, opened, min(most, _MOST_PACKED * held))
            return _convert(path, content, *_recurrent_configs(config))
    except ModelFileError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, MemoryError, *DAMAGED_ZIP) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"{path} is damaged or truncated ({first:.100})") from None


def _unpacked(path: Path, archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    if name not in archive.namelist():
        return b""
    entry = archive.getinfo(name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ModelFileError(f"{path} is damaged: Keras does not pack {name} in such a way")
    if entry.file_size > most:
        raise ModelFileError(f"{path}: {name} would unpack to more than {most:,} bytes")
    with archive.open(name) as file:
        return file.read(most + 1)


def _json(text: Any) -> Any:
    """Parsed JSON; None if there is none, or broken: the configuration is only asked for what could contradict."""
    if not isinstance(text, str | bytes) or not text or len(text) > _MOST_CONFIG:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# The file.


@dataclass
class _Content:
    """Data sets by their place in the file, and what groups say that their layer is called."""

    datasets: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


def _content(path: Path, opened: Any, most: int) -> _Content:
    """Everything in the file; refuses what leads out of it."""
    import h5py

    found = _Content()
    total = objects = 0
    waiting: list[tuple[str, Any]] = [("", opened)]
    while waiting:
        place, group = waiting.pop()
        if isinstance(name := group.attrs.get("name"), str) and 0 < len(name) < 1000:
            found.names[place] = name
        for key in group:
            objects += 1
            here = f"{place}/{key}" if place else key
            if objects > _MOST_OBJECTS or here.count("/") > _DEEPEST:
                raise ModelFileError(f"{path} is damaged or hostile: too many groups, or too deep ones")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise ModelFileError(f"{path} is hostile: {here:.80} is a link that leads elsewhere")
            item = group[key]
            if isinstance(item, h5py.Group) and not here.startswith("optimizer"):
                waiting.append((here, item))
            elif isinstance(item, h5py.Dataset):
                if item.is_virtual or item.external:
                    raise ModelFileError(f"{path} is hostile: the numbers of {here:.80} lie in another file")
                total += (item.size or 0) * item.dtype.itemsize
                if total > most:
                    raise ModelFileError(f"{path} is hostile: {here:.80} claims more numbers than the file can hold")
                found.datasets[here] = item
    return found


def _numbers(path: Path, place: str, item: Any) -> Tensor:
    if item.dtype.kind != "f" or item.dtype.itemsize not in (2, 4, 8):
        raise ModelFileError(f"{path}: expected {place:.80} of floating-point numbers, got {item.dtype}")
    return torch.from_numpy(item[()].astype(item.dtype.newbyteorder("=").str)).clone()


# Names.


def _convert(path: Path, content: _Content, configs: _Layers, called: dict[str, str]) -> tuple[_Tensors, _Layers]:
    """Tensors by torch's names, and facts; `called`: the names of layers by Keras 3's folders."""
    folders: dict[str, dict[str, str]] = {}  # of each folder with weights: what each is, and its place
    for place in content.datasets:
        folder, _, last = place.rpartition("/")
        folders.setdefault(folder, {})[last.split(":")[0]] = place
    owners = {folder: _owner(folder, content.names, called) for folder in folders}
    order = {name: number for number, name in enumerate(configs)}
    tensors: _Tensors = {}
    facts: _Layers = {}
    for folder in sorted(folders, key=lambda folder: (order.get(owners[folder][0], len(order)), _natural(folder))):
        (name, backward), parts = owners[folder], folders[folder]
        read = {key: _numbers(path, parts[key], content.datasets[parts[key]]) for key in parts if key in _WANTED}
        if "recurrent_kernel" in read:
            cell = [read[key] for key in ("kernel", "recurrent_kernel", "bias") if key in read]
        else:
            cell = [read[key] for key in ("0", "1", "2") if key in read] if _is_cell(folder) else []
        if len(cell) >= 2:
            weights, facts[name] = _recurrent(path, name, cell, configs.get(name))
            named = {f"{name}.{key}_l0{'_reverse' if backward else ''}": value for key, value in weights.items()}
        else:
            named = {}
            for ours, theirs in (("kernel", ("kernel", "embeddings", "0")), ("bias", ("bias", "1"))):
                named |= {f"{name}.{ours}": read[key] for key in theirs if key in read}
        tensors |= {key: value for key, value in named.items() if key not in tensors}
    return tensors, facts


_WANTED = ("kernel", "recurrent_kernel", "bias", "embeddings", "0", "1", "2")


def _is_cell(folder: str) -> bool:
    """Whether the folder holds the weights of a recurrent cell in the layout of Keras 3."""
    return folder.split("/")[-2:] == ["cell", "vars"]


def _owner(folder: str, names: dict[str, str], called: dict[str, str]) -> tuple[str, bool]:
    """The name of the layer whose weights lie in `folder`, and whether they are of the backward direction."""
    parts = folder.split("/")
    if parts[-1] == "vars":
        parts.pop()
    if parts and (parts[-1] == "cell" or parts[-1].endswith("_cell")):
        parts.pop()
    backward = bool(parts) and parts[-1].startswith("backward_")
    if len(parts) > 1 and parts[-1].startswith(("backward_", "forward_")):
        parts.pop()
    if name := names.get("/".join([*parts, "vars"])):
        return name, backward
    parts = [part for part in parts if part not in _CONTAINERS]
    # Keras 2 repeats the layer's name.
    place = ".".join(part for number, part in enumerate(parts) if number == 0 or part != parts[number - 1])
    return called.get(place, place), backward


def _natural(place: str) -> list[tuple[int, str]]:
    """So that lstm_2 comes before lstm_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", place)]


# Equations.


def _recurrent(
    path: Path, name: str, cell: list[Tensor], config: dict[str, Any] | None
) -> tuple[_Tensors, dict[str, Any]]:
    """Torch's weights of one direction, and the facts about it."""
    kernel, recurrent, *rest = cell
    if kernel.dim() != 2 or recurrent.dim() != 2 or kernel.shape[1] != recurrent.shape[1] or not recurrent.shape[0]:
        raise ModelFileError(
            f"{path}: expected kernels (I, gates · H) and (H, gates · H) in {name}, "
            f"got {tuple(kernel.shape)} and {tuple(recurrent.shape)}"
        )
    hidden, rows = recurrent.shape
    facts: dict[str, Any] = {}
    if rows not in (hidden, 3 * hidden, 4 * hidden):
        raise ModelFileError(f"{path}: expected 1, 3 or 4 gates of {hidden} units in {name}, got {rows} columns")
    biases = _biases(path, name, rest[0], rows) if rest else None
    if rows == 3 * hidden:
        after = (config or {}).get("reset_after")
        facts["reset_after"] = bool(after) if isinstance(after, bool) else biases is None or rest[0].dim() == 2
        # Keras' gates are z, r, h; torch's r, z, n.
        swap = torch.cat([torch.arange(hidden, 2 * hidden), torch.arange(hidden), torch.arange(2 * hidden, rows)])
        kernel, recurrent = kernel[:, swap], recurrent[:, swap]
        biases = None if biases is None else biases[:, swap]
    facts |= _activations(config, rows // hidden)
    weights = {"weight_ih": kernel.T.contiguous(), "weight_hh": recurrent.T.contiguous()}
    if biases is not None:
        weights |= {"bias_ih": biases[0], "bias_hh": biases[1]}
    return weights, facts


def _biases(path: Path, name: str, bias: Tensor, rows: int) -> Tensor:
    """(2, rows): what is added to the product with x and to that with h; Keras has but one, or a GRU's two."""
    if tuple(bias.shape) == (rows,):
        return torch.stack([bias, torch.zeros_like(bias)])
    if tuple(bias.shape) == (2, rows) and rows % 3 == 0:
        return bias
    raise ModelFileError(f"{path}: expected a bias of shape ({rows},) in {name}, got {tuple(bias.shape)}")


def _activations(config: dict[str, Any] | None, gates: int) -> dict[str, Any]:
    if config is None:
        return {}
    facts: dict[str, Any] = {}
    activation, gate = config.get("activation", "tanh"), config.get("recurrent_activation", "sigmoid")
    if gates == 1 and activation in ("tanh", "relu"):
        facts["nonlinearity"] = activation
    elif activation != "tanh":
        facts["refused"] = f"has activation={activation!r:.40}"
    if gates > 1 and gate != "sigmoid":
        facts["refused"] = f"has recurrent_activation={gate!r:.40}"
    if config.get("go_backwards") is True:
        facts["refused"] = "reads its input backwards (go_backwards=True)"
    if config.get("merge_mode", "concat") != "concat":
        facts["refused"] = f"joins its directions by merge_mode={config['merge_mode']!r:.40}"
    return facts


# Configuration.


def _recurrent_configs(config: Any) -> tuple[_Layers, dict[str, str]]:
    """Configurations of the recurrent layers by name, in the model's order, and the names by Keras 3's folders.

    Such a folder is called after the layer's class, and its number among those of that class.
    """
    found: _Layers = {}
    called: dict[str, str] = {}
    counts: dict[str, int] = {}
    for depth, layer in _layers(config, 0):
        kind, settings = layer["class_name"], layer["config"]
        name = settings.get("name")
        if not isinstance(name, str):
            continue
        if depth == 0:
            folder = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "simple_rnn"}.get(kind, kind.lower())
            number = counts[folder] = counts.get(folder, -1) + 1
            called[f"{folder}_{number}" if number else folder] = name
        if kind == "Bidirectional" and isinstance(settings.get("layer"), dict):
            joined = settings.get("merge_mode", "concat")
            kind, settings = settings["layer"].get("class_name"), settings["layer"].get("config")
            settings = {**settings, "merge_mode": joined} if isinstance(settings, dict) else {}
        if kind in _KINDS:
            found[name] = settings
    return found, called


def _layers(config: Any, depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Depth and configuration of every layer of a model, those of models within it too."""
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers") if isinstance(inner, dict) else inner
    for layer in layers if isinstance(layers, list) and depth < _DEEPEST else ():
        if (
            isinstance(layer, dict)
            and isinstance(layer.get("class_name"), str)
            and isinstance(layer.get("config"), dict)
        ):
            yield depth, layer
            yield from _layers(layer, depth + 1)
