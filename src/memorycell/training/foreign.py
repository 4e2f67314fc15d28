"""Weights of other programs: checkpoints of torch and of Keras, read without running anything that is in them."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.data.lines import listing
from memorycell.data.log import logger
from memorycell.kernels.quiet import quiet
from memorycell.layers import GRU, LSTM, RNN
from memorycell.networks.encoder import Encoder
from memorycell.training.files import ModelFileError, read_tensors
from memorycell.training.foreign_keras import DAMAGED_ZIP, HDF5_START, KerasWeights, read_keras
from memorycell.training.foreign_keras_config import gap
from memorycell.training.foreign_names import dropped, plain_names, state_dict, stripped

MOST_BYTES = 4 * 2**30  # of a file, and of all that it unpacks to
_MOST_PICKLED = 50 * 2**20  # of a torch checkpoint's structure, without its numbers
_LOG = logger(__name__)
_RECURRENT: tuple[type[nn.Module], ...] = (LSTM, GRU, RNN, nn.RNNBase)
_KEY = re.compile(r"(?:(?P<name>.*)\.)?(?P<kind>weight_ih)_l(?P<layer>\d+)(?P<reverse>_reverse)?")


@dataclass
class Weights:
    """What a file holds: tensors by torch's names, and of recurrent layers what these do not tell."""

    tensors: dict[str, Tensor]
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    keras: KerasWeights | None = None
    sources: dict[str, str] = field(default_factory=dict)  # names in the file, where wrappers made others of them

    @classmethod
    def of_torch(cls, tensors: dict[str, Tensor]) -> Weights:
        """A state dict without what wrappers added to its names."""
        sources = plain_names(tensors)
        return cls({name: tensors[source] for name, source in sources.items()}, sources=sources)

    @classmethod
    def of_keras(cls, read: KerasWeights) -> Weights:
        """The tensors of a file of Keras."""
        return cls(read.tensors, read.facts, read)


@dataclass(frozen=True)
class Stack:
    """Recurrent layers of a file that have one name."""

    name: str
    mode: str  # "LSTM", "GRU" or "RNN"
    input_size: int
    hidden_size: int
    num_layers: int
    bidirectional: bool

    def __str__(self) -> str:
        layers = "" if self.num_layers == 1 else f", {self.num_layers} layers"
        both = ", bidirectional" if self.bidirectional else ""
        return f"{self.name or '(no name)'} ({self.mode} {self.input_size} → {self.hidden_size}{layers}{both})"


def import_weights(path: str | Path, into: nn.Module, prefix: str | None = None) -> dict[str, str]:
    """Copy weights from a checkpoint of torch or Keras into a module; nothing else of the file is used.

    Reads ``.safetensors``; ``.pt`` and ``.pth`` as torch 1.6 and later save them (tensors and plain containers only, a
    state dict also under "state_dict", "model" and the like, and beside an optimiser's); ``.keras``, ``.weights.h5``
    and ``.h5`` of Keras 2 and 3. What a file is, its content says, not its name.

    The gates of Keras' LSTM have torch's order (i, f, c, o); its GRU's (z, r, h) become r, z, n; kernels are
    transposed; one bias becomes ``bias_ih`` beside a zero ``bias_hh``. A GRU with ``reset_after=False`` needs a
    memorycell GRU built with the same. A recurrent layer of Keras is checked against the file's configuration;
    ``.weights.h5`` has none, and a warning says so.

    Names lose what DataParallel (``module.``) and torch.compile (``_orig_mod.``) put before them. Where weights were
    dropped in training (AWD-LSTM, fastai) the parameters are ``weight_hh_l0_raw``, and these are taken, not the
    dropped-out copies beside them; what is returned, and the log, say so.

    Parameters
    ----------
    path : str or Path
    into : nn.Module
        A recurrent layer, memorycell's or torch's: gets the recurrent layers of the file, several one-layer ones of
        Keras as a stack. An nn.Embedding or nn.Linear: gets that named `prefix`. Any other module: gets all of its
        tensors where the file has all of their names (below `prefix`), else its recurrent layers, in order, get the
        file's.
    prefix : str, optional
        Where in the file: the name of a layer, or what its names begin with. Needed where there is a choice.

    Returns
    -------
    dict of str to str
        The name in the file of each tensor of `into` that was replaced.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is truncated, hostile, of no known format, larger than 4 GiB, or holds NaN or infinite weights.
    ValueError
        If what is in it does not fit `into`, with the sizes, or several layers do; if a layer of Keras computes
        something else, or cannot be checked. `into` is then unchanged.
    ImportError
        For a Keras file without h5py.

    Example
    -------
    >>> import tempfile
    >>> theirs, ours = nn.LSTM(3, 4), LSTM(3, 4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = folder + "/model.pt"
    ...     torch.save({"epoch": 7, "state_dict": nn.ModuleDict({"rnn": theirs}).state_dict()}, path)
    ...     import_weights(path, ours)["bias_hh_l0"]
    'rnn.bias_hh_l0'
    >>> torch.equal(ours.weight_hh_l0, theirs.weight_hh_l0)
    True
    """
    path = Path(path)
    weights, into = _read(path), getattr(into, "_orig_mod", into)
    prefix = prefix if prefix is None or prefix in weights.tensors else _known_prefix(path, weights, prefix)
    if isinstance(into, nn.Embedding | nn.Linear):
        pairs = _named(path, weights, into, prefix)
    elif isinstance(into, _RECURRENT):
        pairs = _recurrent(path, weights, into, prefix)
    else:
        pairs = _all_names(path, weights, into, prefix) or _recurrent(path, weights, into, prefix)
    own = dict(into.named_parameters()) | dict(into.named_buffers())
    for name, (source, value) in pairs.items():
        if value.shape != own[name].shape:
            raise ValueError(
                f"{path}: expected {source} of shape {tuple(own[name].shape)} for {name}, got {tuple(value.shape)}: "
                "build the module with the file's sizes"
            )
        if own[name].is_floating_point() and not value.is_floating_point():
            raise ModelFileError(f"{path}: expected {source} of floating-point numbers, got {value.dtype}")
        if value.is_floating_point() and not bool(torch.isfinite(value.float()).all()):
            raise ModelFileError(f"{path}: {source} holds NaN or infinite values, so the weights are of no use")
    with torch.no_grad():
        for name, (_, value) in pairs.items():
            own[name].copy_(value)
    found = {name: weights.sources.get(source, source) for name, (source, _) in pairs.items()}
    if raw := dropped(found):
        _LOG.info("%s was trained with weight drop: taken are the raw weights, %s", path, listing(raw, 3))
    return found


def _known_prefix(path: Path, weights: Weights, prefix: str) -> str:
    """A prefix as the names have it here; given so, as it stands in the file, or as a layer of Keras is called."""
    if any(name.startswith(f"{prefix}.") for name in weights.tensors):
        return prefix
    if weights.keras is None:
        return stripped(f"{prefix}.").rstrip(".")
    owners = {name.rpartition(".")[0] for name in weights.tensors} | weights.facts.keys()
    within = sorted(owner for owner in owners if owner.endswith(f".{prefix}"))
    if len(within) > 1:
        raise ValueError(f"expected prefix= to name one layer of {path}, got {prefix!r}: it has {', '.join(within)}")
    return within[0] if within else prefix


# Reading.


def _read(path: Path) -> Weights:
    if not path.is_file():
        what = "a folder, not a file of weights," if path.is_dir() else "no file of weights"
        raise FileNotFoundError(f"{what} at {path}")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ModelFileError(f"{path} has {size:,} bytes, more than the {MOST_BYTES:,} that are read")
    with path.open("rb") as file:
        start = file.read(8)
    if start[:2] == b"PK":
        return _read_zip(path)
    if start == HDF5_START:
        return Weights.of_keras(read_keras(path, path, MOST_BYTES))
    if start[:1] == b"\x80":
        raise ModelFileError(
            f"{path} is a pickle, which can hold code: save its state dict with torch 1.6 or later, or as .safetensors"
        )
    return Weights.of_torch(read_tensors(path)[1])


def _read_zip(path: Path) -> Weights:
    """A .keras file or a torch checkpoint, once its table of contents has been found harmless."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            odd = next((name for name in names if _leads_out(name)), None)
            if odd is not None:
                raise ModelFileError(f"{path} is hostile: it holds a file named {odd!r:.60}, outside of its folder")
            if len(set(names)) < len(names):
                raise ModelFileError(f"{path} is damaged or hostile: it holds two files of one name")
            unpacked = sum(entry.file_size for entry in entries)
            if unpacked > MOST_BYTES:
                raise ModelFileError(f"{path} would unpack to {unpacked:,} bytes, more than {MOST_BYTES:,}")
            if "model.weights.h5" in names:
                return Weights.of_keras(read_keras(path, archive, MOST_BYTES))
            pickled = [entry for entry in entries if entry.filename.split("/")[-1] == "data.pkl"]
            if len(pickled) != 1:
                raise ModelFileError(f"{path} is a zip file, but neither a torch checkpoint nor a .keras file")
            if pickled[0].file_size > _MOST_PICKLED or any(entry.compress_type for entry in entries):
                raise ModelFileError(f"{path} is no checkpoint as torch writes it: damaged or hostile")
    except DAMAGED_ZIP as error:
        raise ModelFileError(f"{path} is damaged or truncated ({error})") from None
    return Weights.of_torch(_torch_tensors(path))


def _leads_out(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name)


def _torch_tensors(path: Path) -> dict[str, Tensor]:
    try:
        with quiet():  # of what the file is to torch, one error is told
            # First without memory: a view may claim to be far larger than what it looks at.
            shapes = _state_dict(path, torch.load(path, map_location="meta", weights_only=True))
            claimed = sum(tensor.numel() * tensor.element_size() for tensor in shapes.values())
            if claimed > path.stat().st_size:
                raise ModelFileError(
                    f"{path} claims {claimed:,} bytes of tensors, more than it holds: damaged or hostile"
                )
            return _state_dict(path, torch.load(path, map_location="cpu", weights_only=True))
    except ModelFileError:
        raise
    except pickle.UnpicklingError:
        raise ModelFileError(
            f"{path} holds more than tensors (code or objects of classes), which is not run: save the state dict "
            "alone, torch.save(model.state_dict(), path)"
        ) from None
    except Exception as error:  # whatever a hostile file can make torch's reader say
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"{path} is damaged or truncated ({first:.100})") from None


def _state_dict(path: Path, content: Any) -> dict[str, Tensor]:
    """The tensors by name, wherever programs are wont to put them."""
    if found := state_dict(content):
        return found
    raise ModelFileError(f"{path} holds no state dict: expected names and tensors, or such a dict as 'state_dict'")


# Matching. Pairs: the name in `into` → (name in the file, tensor).

_Pairs = dict[str, tuple[str, Tensor]]


def _named(path: Path, weights: Weights, into: nn.Embedding | nn.Linear, prefix: str | None) -> _Pairs:
    tensors = weights.tensors
    if prefix is None:
        known = sorted({name.rpartition(".")[0] for name in tensors if name.endswith((".weight", ".kernel"))})
        raise ValueError(f"expected prefix= to name the layer in {path}, got None: it has {', '.join(known) or 'none'}")
    kernel = tensors.get(f"{prefix}.kernel")
    if kernel is not None:
        tensors = {**tensors, f"{prefix}.weight": kernel.T if isinstance(into, nn.Linear) else kernel}
    pairs = {}
    for name, _ in into.named_parameters():
        source = f"{prefix}.{name}"
        if source not in tensors:
            raise ValueError(f"{path} has no {source}: expected the name of a layer, for example {_some(tensors)}")
        pairs[name] = (source, tensors[source])
    if f"{prefix}.bias" in tensors and "bias" not in pairs:
        raise ValueError(f"{path}: {prefix} has a bias, the layer has none: build it with bias=True")
    return pairs


def _all_names(path: Path, weights: Weights, into: nn.Module, prefix: str | None) -> _Pairs | None:
    """Every tensor of `into` by its own name; None where the file does not have them all."""
    wanted = list(into.state_dict())
    if not wanted:
        raise ValueError(f"expected a module with weights to import into, got {type(into).__name__} without any")
    heads = [name[: -len(wanted[0])] for name in weights.tensors if ("." + name).endswith("." + wanted[0])]
    if prefix is not None:
        heads = [head for head in heads if head == "" or head == prefix + "." or head.startswith(prefix + ".")]
    heads = [head for head in heads if all(head + name in weights.tensors for name in wanted)]
    if len(heads) > 1:
        found = ", ".join(head.rstrip(".") or "(no prefix)" for head in heads)
        raise ValueError(f"{path} has the module's names under {found}: choose one of them with prefix=")
    if not heads:
        return None
    if weights.keras is not None:  # a name says nothing of the equations
        stacks = {stack.name: stack for stack in _stacks(weights)}
        for name, module in into.named_modules():
            if isinstance(module, _RECURRENT) and (stack := stacks.get(heads[0] + name)):
                _check_equations(path, module, stack, weights.facts.get(stack.name, {}))
        _tell(path, weights)
    return {name: (heads[0] + name, weights.tensors[heads[0] + name]) for name in wanted}


def _recurrent(path: Path, weights: Weights, into: nn.Module, prefix: str | None) -> _Pairs:
    """The recurrent layers of `into`, in order, with those of the file."""
    modules = {name: module for name, module in into.named_modules() if isinstance(module, _RECURRENT)}
    if not modules:
        raise ValueError(
            f"expected a module with recurrent layers, or whose names {path} has, got {type(into).__name__}: "
            f"it has {_some(weights.tensors)}"
        )
    stacks = _stacks(weights)
    unread = {name: said["refused"] for name, said in weights.facts.items() if "refused" in said}
    unread = {name: why for name, why in unread.items() if not any(stack.name == name for stack in stacks)}
    listed = "; ".join([*map(str, stacks), *unread]) or f"none, but {_some(weights.tensors)}"
    mode = _mode(next(iter(modules.values())))
    fitting = [stack for stack in stacks if stack.mode == mode]
    if prefix is not None:
        fitting = [stack for stack in fitting if stack.name == prefix or stack.name.startswith(prefix + ".")]
    if not fitting:
        for name, why in unread.items():
            if prefix is None or name == prefix or name.startswith(prefix + "."):
                raise ValueError(f"{path}: {name} {_refusal(why)}")
        where = "" if prefix is None else f" under {prefix!r}"
        raise ValueError(f"expected {mode} layers{where} in {path}, got none; recurrent layers there: {listed}")
    layers = [(name, module, k) for name, module in modules.items() for k in range(module.num_layers)]  # type: ignore[arg-type]
    sources = [(stack, k) for stack in fitting for k in range(stack.num_layers)]
    apart = len(fitting) > 1 and not weights.keras and len(fitting) != len(modules)
    if len(sources) != len(layers) or apart:
        choice = "choose with prefix=" if len(fitting) > 1 else "build as many layers as the file has"
        wanted = "1 recurrent layer" if len(layers) == 1 else f"{len(layers)} recurrent layers"
        raise ValueError(f"expected {wanted} in {path}, got: {listed}: {choice}")
    pairs: _Pairs = {}
    _check_order(path, weights, into, layers, sources)
    for (name, module, k), (stack, number) in zip(layers, sources, strict=True):
        _check_equations(path, module, stack, weights.facts.get(stack.name, {}))
        start = f"{name}." if name else ""
        pairs |= {start + own: pair for own, pair in _layer(path, weights, module, k, stack, number).items()}
    return pairs


def _check_order(path: Path, weights: Weights, into: nn.Module, layers: list[Any], sources: list[Any]) -> None:
    """Refuse as one stack what the model of Keras does not apply one after the other."""
    if weights.keras is None:
        return
    _tell(path, weights)
    chains = {part: encoder for encoder in into.modules() if isinstance(encoder, Encoder) for part in encoder.modules()}
    described = weights.keras.description
    known = {} if described is None else {layer.name: layer for layer in described.layers}
    for (_, upper, _), (_, lower, _), (above, _), (below, _) in zip(
        layers, layers[1:], sources, sources[1:], strict=False
    ):
        together = upper is lower or (upper in chains and chains[upper] is chains.get(lower))
        if not together or above is below or above.name not in known or below.name not in known:
            continue
        if why := gap(known[above.name], known[below.name]):
            raise ValueError(
                f"{path}: expected layers that read each other's steps for one stack, got {above.name} and "
                f"{below.name}: {why}; import each into a layer of its own, with prefix="
            )


def _tell(path: Path, weights: Weights) -> None:
    """Says what nobody could check."""
    if weights.keras is not None and weights.keras.description is None:
        warnings.warn(
            f"{path} holds weights without a configuration: that its layers compute what the module's do (tanh and "
            "sigmoid, forwards, in this order) was not checked; a whole model, saved as .keras, is checked",
            stacklevel=5,
        )


def _layer(path: Path, weights: Weights, module: nn.Module, k: int, stack: Stack, number: int) -> _Pairs:
    """Layer `k` of `module` with layer `number` of `stack`."""
    own = {name for name, _ in module.named_parameters() if re.search(rf"_l{k}(_reverse)?$", name)}
    start = f"{stack.name}." if stack.name else ""
    pattern = re.compile(rf"{re.escape(start)}(\w+)_l{number}(_reverse)?")
    matched = {name: match for name in weights.tensors if (match := pattern.fullmatch(name))}
    theirs = {f"{match[1]}_l{k}{match[2] or ''}": name for name, match in matched.items()}
    if not any("bias" in name for name in theirs):  # a layer without biases is one whose biases are zero
        parameters = dict(module.named_parameters())
        zeros = {name: torch.zeros_like(parameters[name]) for name in own if name.startswith("bias_")}
    else:
        zeros = {}
    if own - zeros.keys() != theirs.keys():
        wrong = sorted((own - zeros.keys()) ^ theirs.keys())[0]
        which = "the file has it, the module does not" if wrong in theirs else "the module has it, the file does not"
        raise ValueError(
            f"{path}: {stack} differs from the module in {wrong}: {which}; build the module like the file's"
        )
    pairs = {name: (theirs[name], weights.tensors[theirs[name]]) for name in theirs}
    return pairs | {name: (f"{start}(no bias)", value) for name, value in zeros.items()}


def _check_equations(path: Path, module: Any, stack: Stack, facts: dict[str, Any]) -> None:
    """Refuse a layer that computes something else with the same shapes."""
    if "refused" in facts:
        raise ValueError(f"{path}: {stack} {_refusal(facts['refused'])}")
    for name, default in (("reset_after", True), ("nonlinearity", None)):
        own = getattr(module, name, default)
        if name in facts and own is not None and facts[name] != own:
            raise ValueError(
                f"{path}: {stack} was trained with {name}={facts[name]!r}, the module has {name}={own!r}: "
                f"build it with {name}={facts[name]!r}"
            )


def _refusal(why: str) -> str:
    if not why.startswith("cannot be checked"):
        return f"{why}, which these layers do not compute"
    return f"{why}; if it computes what the module does, import what model.save_weights('….weights.h5') saves"


def _mode(module: nn.Module) -> str:
    mode = getattr(module, "mode", type(module).__name__)
    return str(mode).split("_")[0]


def _stacks(weights: Weights) -> list[Stack]:
    """The recurrent layers of the file, in its order."""
    layers: dict[str, set[int]] = {}
    both: set[str] = set()
    for key in weights.tensors:
        if match := _KEY.fullmatch(key):
            name = match["name"] or ""
            layers.setdefault(name, set()).add(int(match["layer"]))
            if match["reverse"]:
                both.add(name)
    stacks = []
    for name, numbers in layers.items():
        start = f"{name}." if name else ""
        w_ih, w_hh = (weights.tensors.get(f"{start}weight_{which}_l0") for which in ("ih", "hh"))
        if w_ih is None or w_hh is None or w_ih.dim() != 2 or w_hh.dim() != 2 or not w_hh.shape[1]:
            continue
        projected = weights.tensors.get(f"{start}weight_hr_l0")
        mode = {4: "LSTM", 3: "GRU", 1: "RNN"}.get(w_ih.shape[0] // w_hh.shape[1], "unknown")
        mode = mode if projected is None else "LSTM"
        hidden = w_hh.shape[1] if projected is None or projected.dim() != 2 else projected.shape[1]
        stacks.append(Stack(name, mode, w_ih.shape[1], hidden, len(numbers), name in both))
    return stacks


def _some(tensors: Mapping[str, Tensor]) -> str:
    names = [f"{name} {tuple(value.shape)}" for name, value in list(tensors.items())[:4]]
    return ", ".join(names) + (", …" if len(tensors) > 4 else "") if names else "no tensors"
