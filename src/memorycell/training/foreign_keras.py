"""Keras' weights by torch's names: numbers out of HDF5, and of the configuration only what says what they compute."""

from __future__ import annotations

import importlib.util
import json
import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memorycell.training.files import ModelFileError
from memorycell.training.foreign_hdf5 import MOST_CONFIG, WANTED, Held, Refused, read_hdf5
from memorycell.training.foreign_keras_config import Cell, Description, describe

DAMAGED_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError)
HDF5_START = b"\x89HDF\r\n\x1a\n"
_MOST_PACKED = 200  # times smaller than its content may a data set be stored
_CONTAINERS = ("model_weights", "layers", "_layer_checkpoint_dependencies")

_Tensors = dict[str, Tensor]


@dataclass
class KerasWeights:
    """What a file of Keras holds.

    A recurrent layer ``name`` gives ``name.weight_ih_l0`` and so on, another one ``name.kernel`` (as Keras has it) and
    ``name.bias``; the name of a layer within another has that before it (``encoder.lstm``).
    """

    tensors: _Tensors = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)  # of recurrent layers, by name
    description: Description | None = None  # None: a file of weights alone, which has no configuration


def read_keras(path: Path, source: Path | zipfile.ZipFile, most: int) -> KerasWeights:
    """Tensors by torch's names, and facts by the name of the recurrent layer, of a .keras file or HDF5 weights.

    Facts: "reset_after" (GRU), "nonlinearity" (SimpleRNN), "refused" (why it cannot be imported): it computes something
    else, or the file has a configuration that does not say what it computes.

    Raises
    ------
    ModelFileError
        For a file that is damaged, leads elsewhere, or is not worth its size.
    ImportError
        Without h5py.
    """
    if importlib.util.find_spec("h5py") is None:
        raise ImportError('reading Keras files needs the h5py package: pip install "memorycell[keras]"')
    said: Description | None = None
    try:
        if isinstance(source, zipfile.ZipFile):
            said = describe(_json(_unpacked(path, source, "config.json", MOST_CONFIG)))
            packed = _unpacked(path, source, "model.weights.h5", most)
            held = read_hdf5(packed, min(most, _MOST_PACKED * len(packed)))
        else:
            held = read_hdf5(str(source), min(most, _MOST_PACKED * path.stat().st_size))
            said = describe(_json(held.config)) if held.config else None
    except Refused as error:
        raise ModelFileError(f"{path} {error}") from None
    except (OSError, ValueError, LookupError, RuntimeError, TypeError, MemoryError, *DAMAGED_ZIP) as error:
        if isinstance(error, ModelFileError):
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"{path} is damaged or truncated ({first:.100})") from None
    return _convert(path, held, said)


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
    """Parsed JSON; None if there is none, or broken."""
    if not isinstance(text, str | bytes) or not text or len(text) > MOST_CONFIG:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _numbers(path: Path, place: str, item: tuple[str, tuple[int, ...], Any]) -> Tensor:
    kind, shape, numbers = item
    if numbers is None:
        raise ModelFileError(f"{path}: expected {place:.80} of floating-point numbers, got {kind}")
    if kind == "bfloat16":
        return torch.from_numpy(np.frombuffer(numbers, "<i2").reshape(shape).copy()).view(torch.bfloat16)
    return torch.from_numpy(np.frombuffer(numbers, kind).reshape(shape).copy())


# Names.


def _convert(path: Path, content: Held, said: Description | None) -> KerasWeights:
    """Tensors by torch's names, and facts; `said` is None for a file that has no place for a configuration."""
    folders: dict[str, dict[str, str]] = {}  # of each folder with weights: what each is, and its place
    for place in content.datasets:
        folder, _, last = place.rpartition("/")
        folders.setdefault(folder, {})[last.split(":")[0]] = place
    found = KerasWeights(description=said)
    cells = {} if said is None else _matched(folders, content.names, said)
    order = _order(content, said)
    for folder in sorted(folders, key=lambda folder: (order(folder, cells.get(folder)), _natural(folder))):
        parts = folders[folder]
        read = {key: _numbers(path, parts[key], content.datasets[parts[key]]) for key in parts if key in WANTED}
        if "recurrent_kernel" in read:
            weights = [read[key] for key in ("kernel", "recurrent_kernel", "bias") if key in read]
        else:
            weights = [read[key] for key in ("0", "1", "2") if key in read] if _is_cell(folder) else []
        cell = cells.get(folder)
        if len(weights) >= 2 or cell is not None:
            _add_cell(path, found, folder, weights, cell, content)
            continue
        name = _owner(folder, content.names, said)[0]
        for ours, theirs in (("kernel", ("kernel", "embeddings", "0")), ("bias", ("bias", "1"))):
            found.tensors |= {f"{name}.{ours}": read[key] for key in theirs if key in read}
    _complete(found)
    return found


def _is_cell(folder: str) -> bool:
    """Whether the folder holds the weights of a recurrent cell in the layout of Keras 3."""
    parts = folder.split("/")
    return parts[-1] == "vars" and (parts[-2:-1] == ["cell"] or parts[-4:-2] == ["cell", "cells"])


def _order(content: Held, said: Description | None) -> Any:
    """Where a folder comes: in the model's order; that of the file's list of layers where nothing else tells."""
    cells = {} if said is None else {id(cell): number for number, cell in enumerate(said.cells())}
    tops = {name: number for number, name in enumerate(content.layer_names)}

    def place(folder: str, cell: Cell | None) -> tuple[int, int]:
        top = next((part for part in folder.split("/") if part not in _CONTAINERS), "")
        return cells.get(id(cell), len(cells)), tops.get(top, len(tops))

    return place


def _matched(folders: Iterable[str], names: dict[str, str], said: Description) -> dict[str, Cell]:
    """The cell of the configuration whose weights each folder holds, where that is certain."""
    cells = list(said.cells())
    places = {f"{cell.place}/vars": cell for cell in cells}
    found: dict[str, Cell] = {}
    for folder in folders:
        if folder.endswith("/vars") or folder == "vars":
            plain = folder.replace("_layer_checkpoint_dependencies/", "layers/")
            cell = places.get(plain) if _called_alike(plain, names, said) else None
        else:
            cell = _by_names(folder, cells)
        if cell is not None:
            found[folder] = cell
    claims = [id(cell) for cell in found.values()]
    return {folder: cell for folder, cell in found.items() if claims.count(id(cell)) == 1}


def _called_alike(folder: str, names: dict[str, str], said: Description) -> bool:
    """Whether the layers around `folder` are called there as the configuration calls those that should be there."""
    parts = folder.split("/")
    around = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
    return all(
        names[f"{place}/vars"] == said.called[place].rpartition(".")[2]
        for place in around
        if place in said.called and f"{place}/vars" in names
    )


def _by_names(folder: str, cells: list[Cell]) -> Cell | None:
    """The only cell that the names on the way to `folder` in an .h5 file can mean."""
    parts = [part for part in folder.split("/") if part != "model_weights"]
    likely = [cell for cell in cells if parts[0] in cell.names[0]]
    if len(likely) > 1:
        likely = [cell for cell in likely if cell.names[-1] & set(parts[-2:])] or likely
        fit = [sum(bool(names & set(parts)) for names in cell.names) for cell in likely]
        likely = [cell for cell, score in zip(likely, fit, strict=True) if score == max(fit)]
    return likely[0] if len(likely) == 1 else None


def _owner(folder: str, names: dict[str, str], said: Description | None) -> tuple[str, bool]:
    """The name of the layer whose weights lie in `folder`, and whether they are of the backward direction."""
    parts = folder.split("/")
    if parts[-1] == "vars":
        return _owner_by_place(parts[:-1], names, said)
    if parts[-1] == "cell" or parts[-1].endswith("_cell"):
        parts.pop()
    backward = bool(parts) and parts[-1].startswith("backward_")
    if len(parts) > 1 and parts[-1].startswith(("backward_", "forward_")):
        parts.pop()
    parts = [part for part in parts if part not in _CONTAINERS]
    # Keras repeats the layer's name, and puts that of a Sequential model between.
    again = max((number for number, part in enumerate(parts) if part == parts[0]), default=0)
    return ".".join(parts[again:]), backward


def _owner_by_place(parts: list[str], names: dict[str, str], said: Description | None) -> tuple[str, bool]:
    """Of the layout of Keras 3: the configuration's name, that which stands in the file, or the folder's."""
    if "cell" in parts:
        parts = parts[: parts.index("cell")]
    backward = parts[-1:] == ["backward_layer"]
    if parts[-1:] in (["backward_layer"], ["forward_layer"]):
        parts = parts[:-1]
    place = "/".join(parts)
    if said is not None and place in said.called:
        return said.called[place], backward
    called = [names.get("/".join([*parts[:depth], "vars"])) for depth in range(1, len(parts) + 1)]
    if called and called[-1]:
        return ".".join(name for name in called if name), backward
    return ".".join(part for part in parts if part not in _CONTAINERS), backward


def _natural(place: str) -> list[tuple[int, str]]:
    """So that lstm_2 comes before lstm_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", place)]


# Equations.


def _add_cell(
    path: Path, found: KerasWeights, folder: str, weights: list[Tensor], cell: Cell | None, content: Held
) -> None:
    """The weights of a cell under torch's names, and the facts about its layer, checked against each other."""
    said = found.description
    name, backward = _owner(folder, content.names, said) if cell is None else (cell.layer, cell.backward)
    number = 0 if cell is None else cell.number
    given = cell.facts if cell is not None else {"kind": ""} if said is None else _unknown(folder, said)
    facts = found.facts.setdefault(name, {})
    converted: _Tensors = {}
    try:
        converted, own = _recurrent(path, name, weights, given)
        if cell is not None and "refused" not in given:
            _check_sizes(path, cell, own, len(weights))
    except ModelFileError:
        if "refused" not in given:
            raise
        own = {}
    if "refused" in given:
        facts.setdefault("refused", given["refused"])
    for key in ("kind", "reset_after", "nonlinearity"):
        value = given.get(key) or own.get(key)
        if value is not None and facts.setdefault(key, value) != value:
            facts.setdefault("refused", f"computes with {key}={facts[key]!r} and {key}={value!r}")
    ending = f"_l{number}{'_reverse' if backward else ''}"
    named = {f"{name}.{key}{ending}": value for key, value in converted.items()}
    if twice := found.tensors.keys() & named.keys():
        facts["refused"] = f"cannot be checked: it has weights twice in the file ({min(twice):.60})"
    found.tensors |= named


def _unknown(folder: str, said: Description) -> dict[str, Any]:
    """Why nothing is known of the cell whose weights lie in `folder`."""
    parts = folder.replace("_layer_checkpoint_dependencies/", "layers/").split("/")
    places = ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
    if not folder.endswith("vars"):  # .h5: the outermost layer's name is all there is
        tops = {name: place for place, name in said.called.items()}
        places = [tops[part] for part in parts if part in tops]
    kind = next((said.classes[place] for place in places if place in said.classes), None)
    what = "the file's configuration does not describe it" if kind is None else f"it is of the class {kind:.40}"
    return {"refused": f"cannot be checked: {what}"}


def _check_sizes(path: Path, cell: Cell, own: dict[str, Any], weights: int) -> None:
    """Refuse weights that are none of the layer that the configuration describes."""
    kind, units, bias = cell.facts["kind"], cell.units, cell.facts["bias"]
    if (own["kind"], own["units"], weights == 3) != (kind, units, bias):
        raise ModelFileError(
            f"{path}: expected {cell.layer} to be {kind} of {units} units, {'with' if bias else 'without'} bias, as "
            f"its configuration says, got weights of {own['kind']} of {own['units']} units, "
            f"{'with' if weights == 3 else 'without'} bias"
        )


def _complete(found: KerasWeights) -> None:
    """Refuses layers of which cells are missing; a direction without biases has zeros where the other has some."""
    for layer in () if found.description is None else found.description.layers:
        endings = {f"_l{cell.number}{'_reverse' if cell.backward else ''}" for cell in layer.cells}
        there = {end for end in endings if f"{layer.name}.weight_hh{end}" in found.tensors}
        if there and there != endings:
            found.facts[layer.name].setdefault("refused", "has weights that are not in the file")
        biases = {end for end in there if f"{layer.name}.bias_ih{end}" in found.tensors}
        for end in there - biases if biases else ():
            like = found.tensors[f"{layer.name}.weight_hh{end}"]
            found.tensors |= {
                f"{layer.name}.bias_{which}{end}": like.new_zeros(like.shape[0]) for which in ("ih", "hh")
            }


def _recurrent(path: Path, name: str, cell: list[Tensor], given: dict[str, Any]) -> tuple[_Tensors, dict[str, Any]]:
    """Torch's weights of one direction, and what their shapes tell."""
    if len(cell) < 2:
        raise ModelFileError(f"{path}: expected the kernels of {name}, got {len(cell)} of them")
    kernel, recurrent, *rest = cell
    if kernel.dim() != 2 or recurrent.dim() != 2 or kernel.shape[1] != recurrent.shape[1] or not recurrent.shape[0]:
        raise ModelFileError(
            f"{path}: expected kernels (I, gates · H) and (H, gates · H) in {name}, "
            f"got {tuple(kernel.shape)} and {tuple(recurrent.shape)}"
        )
    hidden, rows = recurrent.shape
    if rows not in (hidden, 3 * hidden, 4 * hidden):
        raise ModelFileError(f"{path}: expected 1, 3 or 4 gates of {hidden} units in {name}, got {rows} columns")
    kind = {1: "RNN", 3: "GRU", 4: "LSTM"}[rows // hidden]
    facts: dict[str, Any] = {"kind": kind, "units": hidden}
    biases = _biases(path, name, rest[0], rows) if rest else None
    if kind == "GRU":
        two = biases is None or rest[0].dim() == 2
        facts["reset_after"] = given.get("reset_after", two)
        if biases is not None and facts["reset_after"] != two and "refused" not in given:
            raise ModelFileError(
                f"{path}: expected {'two biases' if facts['reset_after'] else 'one bias'} in {name}, as "
                f"reset_after={facts['reset_after']} has, got a bias of shape {tuple(rest[0].shape)}"
            )
        # Keras' gates are z, r, h; torch's r, z, n.
        swap = torch.cat([torch.arange(hidden, 2 * hidden), torch.arange(hidden), torch.arange(2 * hidden, rows)])
        kernel, recurrent = kernel[:, swap], recurrent[:, swap]
        biases = None if biases is None else biases[:, swap]
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
