"""What the configuration in a Keras file says of recurrent layers: where their weights lie and what they compute.

Nothing of it is believed that is not exactly what Keras writes, and nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 24  # levels of models, layers and folders
KINDS = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}
_CELLS = {f"{keras}Cell": kind for keras, kind in KINDS.items()}
_MODULES = ("keras", "tf_keras", "tensorflow")
# What a layer reads through these is, when the model answers, what the layer before them gave.
_PASSING = ("Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "Identity")

Json = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """The weights of one cell in one direction: where they are kept, and what is computed with them."""

    layer: str  # names of the layers it is in, from the outermost, joined by dots
    place: str  # its folder in the layout of .keras files
    names: tuple[frozenset[str], ...]  # what .h5 files may call the folders on the way to it
    number: int = 0  # in a stack of cells
    backward: bool = False
    units: int = 0
    facts: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """One recurrent layer of the model, with all its cells."""

    name: str
    cells: tuple[Cell, ...]
    own: str = ""
    sequences: bool = False  # whether it gives all steps
    graph: Graph | None = None  # of the model that it is directly in


@dataclass
class Graph:
    """What the layers of one model read: their classes and sources by name."""

    classes: dict[str, str] = field(default_factory=dict)
    sources: dict[str, set[str]] = field(default_factory=dict)


@dataclass
class Description:
    """All that a configuration says: recurrent layers in the model's order; names and classes by folders."""

    layers: list[Layer] = field(default_factory=list)
    called: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)

    def cells(self) -> Iterator[Cell]:
        """The cells of all layers."""
        return (cell for layer in self.layers for cell in layer.cells)


def describe(config: Any) -> Description:
    """What `config`, parsed JSON of any kind, says.

    Example
    -------
    >>> lstm = {"name": "a", "units": 2, "activation": "relu", "recurrent_activation": "sigmoid", "use_bias": True}
    >>> model = {"class_name": "Sequential", "config": {"layers": [{"class_name": "LSTM", "config": lstm}]}}
    >>> [cell] = describe(model).cells()
    >>> cell.layer, cell.place, cell.facts["refused"]
    ('a', 'layers/lstm/cell', "has activation='relu'")
    """
    found = Description()
    _model(found, config, "", (), 0)
    return found


def gap(first: Layer, second: Layer) -> str | None:
    """Why `second` does not read exactly the steps that `first` gives; None where it does.

    Example
    -------
    >>> two = [{"class_name": "LSTM", "config": {"return_sequences": False, "name": name}} for name in "ab"]
    >>> first, second = describe({"config": {"layers": two}}).layers
    >>> gap(first, second)
    'a gives its last step alone (return_sequences=False)'
    """
    graph = first.graph
    if graph is None or graph is not second.graph:
        return f"{first.name} and {second.name} are not layers of one model"
    if not first.sequences:
        return f"{first.name} gives its last step alone (return_sequences=False)"
    here = second.own
    for _ in graph.classes:
        sources = graph.sources.get(here, set())
        if len(sources) != 1:
            return f"{second.name} does not read {first.name} alone"
        (here,) = sources
        if here == first.own:
            return None
        if graph.classes.get(here) not in _PASSING:
            return (
                f"between {first.name} and {second.name} stands {here:.40} ({graph.classes.get(here, 'unknown'):.40})"
            )
    return f"{second.name} does not read {first.name}"


# Models.


def _parts(layer: Any) -> tuple[str, Any, str] | None:
    """Class, configuration and name of a layer; None where it is none."""
    if not isinstance(layer, dict) or not isinstance(layer.get("class_name"), str):
        return None
    settings = layer.get("config")
    name = settings.get("name") if isinstance(settings, dict) else layer.get("name")
    return layer["class_name"], settings, name if isinstance(name, str) else ""


def _inner(settings: Any) -> list[Any] | None:
    """The layers of a model, of whose first ones Keras 2 made a plain list."""
    layers = settings.get("layers") if isinstance(settings, dict) else settings
    return layers if isinstance(layers, list) else None


def _model(found: Description, config: Any, place: str, names: tuple[str, ...], depth: int) -> None:
    layers = _inner(config.get("config")) if isinstance(config, dict) else None
    if layers is None or depth > DEEPEST:
        return
    folders, graph = _folders(), _graph(layers)
    for layer in layers:
        if parts := _parts(layer):
            here = f"{place}layers/{folders(parts[0])}"
            _layer(found, layer, here, (*names, parts[2]), graph, depth)


def _layer(
    found: Description, layer: Json, place: str, names: tuple[str, ...], graph: Graph | None, depth: int, odd: str = ""
) -> None:
    """Adds a layer of the model, and those within it; `odd`: why none of them computes what it says."""
    parts = _parts(layer)
    if parts is None or depth > DEEPEST:
        return
    kind, settings, own = parts
    found.called[place], found.classes[place] = ".".join(names), kind
    odd = odd or (
        "" if _keras_own(layer) else f"cannot be checked: it is of a class that is not Keras' own, {kind:.40}"
    )
    if _inner(settings) is not None:
        _model(found, layer, place + "/", names, depth + 1)
    elif not isinstance(settings, dict):
        return
    elif kind in KINDS or kind in ("RNN", "Bidirectional"):
        cells, sequences = _cells(layer, place, names, odd)
        found.layers.append(Layer(".".join(names), cells, own, sequences, graph))
    elif inner := _parts(settings.get("layer")):
        odd = odd or ("" if kind == "TimeDistributed" else f"cannot be checked: it is wrapped in {kind:.40}")
        _layer(found, settings["layer"], f"{place}/layer", (*names, inner[2]), None, depth + 1, odd)


def _keras_own(layer: Any) -> bool:
    module, registered = layer.get("module"), layer.get("registered_name")
    plain = ">" not in str(layer.get("class_name")) and registered is None
    return plain and ("module" not in layer or str(module).split(".")[0] in _MODULES)


def _folders() -> Any:
    """Names of folders as Keras 3 makes them: the class in small letters, numbered among those of that class."""
    counts: dict[str, int] = {}

    def folder(kind: str) -> str:
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", kind.split(">")[-1]).lower()
        counts[kind] = number = counts.get(kind, -1) + 1
        return f"{kind}_{number}" if number else kind

    return folder


def _graph(layers: list[Any]) -> Graph:
    graph, previous = Graph(), None
    for layer in layers:
        if (parts := _parts(layer)) is None:
            continue
        kind, _, name = parts
        graph.classes[name] = kind
        if "inbound_nodes" in layer:
            graph.sources[name] = set(_sources(layer["inbound_nodes"], 0))
        elif previous is not None:
            graph.sources[name] = {previous}
        previous = name
    return graph


def _sources(nodes: Any, depth: int) -> Iterator[str]:
    """Names of the layers that tensors come from: [name, node, number, …], however deep they are kept."""
    if depth > DEEPEST:
        return
    if isinstance(nodes, list):
        if len(nodes) >= 3 and isinstance(nodes[0], str) and isinstance(nodes[1], int) and isinstance(nodes[2], int):
            yield nodes[0]
        nodes_within: Iterable[Any] = nodes
    else:
        nodes_within = nodes.values() if isinstance(nodes, dict) else ()
    for inner in nodes_within:
        yield from _sources(inner, depth + 1)


# Recurrent layers.


def _cells(layer: Json, place: str, names: tuple[str, ...], odd: str) -> tuple[tuple[Cell, ...], bool]:
    """The cells of a recurrent layer, both directions, and whether it gives all steps."""
    settings = layer["config"]
    if layer["class_name"] != "Bidirectional":
        if settings.get("go_backwards", False) is not False:
            odd = odd or "reads its input backwards (go_backwards=True)"
        return tuple(_direction(layer, place, names, odd, None)), settings.get("return_sequences") is True
    forward, backward = settings.get("layer"), settings.get("backward_layer") or settings.get("layer")
    inner, other = _parts(forward), _parts(backward)
    if inner is None or other is None or not isinstance(inner[1], dict) or not isinstance(other[1], dict):
        return (), False
    joined = settings.get("merge_mode")
    if not _keras_own(forward) or not _keras_own(backward):
        odd = (
            odd
            or f"cannot be checked: its directions are not all of Keras' own classes, {inner[0]:.40} and {other[0]:.40}"
        )
    if joined != "concat":
        odd = odd or f"joins its directions by merge_mode={joined!r:.40}"
    given = settings.get("backward_layer") is not None
    if inner[1].get("go_backwards", False) is not False or (given and other[1].get("go_backwards") is not True):
        odd = odd or "reads its input backwards (go_backwards=True in its forward layer)"
    both = [
        *_direction(forward, f"{place}/forward_layer", names, odd, False),
        *_direction(backward, f"{place}/backward_layer", names, odd, True),
    ]
    return tuple(both), inner[1].get("return_sequences") is True


def _direction(layer: Json, place: str, names: tuple[str, ...], odd: str, backward: bool | None) -> Iterator[Cell]:
    """The cells of one direction; `backward` None: the layer has but one."""
    kind, settings, own = _parts(layer) or ("", {}, "")
    way = [frozenset({name}) for name in names]
    if backward is not None:
        plain = own.removeprefix("forward_").removeprefix("backward_")
        way.append(frozenset({own, f"backward_{plain}", f"backward_{own}"} if backward else {own, f"forward_{plain}"}))
        if backward and own.startswith("forward_"):
            way[-1] -= {own}
    if kind in KINDS:
        facts = _facts(KINDS[kind], settings, odd)
        yield Cell(".".join(names), f"{place}/cell", tuple(way), 0, bool(backward), _units(settings), facts)
        return
    given = settings.get("cell")
    cell = _parts(given)
    if kind != "RNN" or cell is None or not isinstance(cell[1], dict):
        return
    cells, places = [given], [f"{place}/cell"]
    if cell[0] == "StackedRNNCells" and isinstance(cell[1].get("cells"), list):
        odd = odd or ("" if _keras_own(given) else "cannot be checked: its cells are not of Keras' own classes")
        cells, folder = cell[1]["cells"], _folders()
        places = [f"{place}/cell/cells/{folder((_parts(inner) or ('',))[0])}" for inner in cells]
    first = None
    for number, (inner, here) in enumerate(zip(cells, places, strict=True)):
        what, its, called = _parts(inner) or ("", {}, "")
        its = its if isinstance(its, dict) else {}
        strange = what not in _CELLS or not _keras_own(inner)
        facts = _facts(
            _CELLS.get(what, ""), its, odd or (f"cannot be checked: its cells are of the class {what:.40}" * strange)
        )
        if first not in (None, (what, its.get("units"))):
            facts["refused"] = "stacks cells of several kinds or sizes"
        first = (what, its.get("units"))
        named = (*way, frozenset({called})) if called else tuple(way)
        yield Cell(".".join(names), here, named, number, bool(backward), _units(its), facts)


def _units(settings: Json) -> int:
    units = settings.get("units")
    return units if isinstance(units, int) and not isinstance(units, bool) else 0


def _facts(kind: str, settings: Json, odd: str) -> Json:
    """What the equations are, by the names of memorycell's parameters; "refused": why they are none of its."""
    facts: Json = {"kind": kind, "bias": settings.get("use_bias")}
    if odd:
        return {**facts, "refused": odd}
    activation, gate = settings.get("activation"), settings.get("recurrent_activation")
    if kind == "RNN" and activation in ("tanh", "relu"):
        facts["nonlinearity"] = activation
    elif activation != "tanh":
        facts["refused"] = f"has activation={_said(activation)}"
    if kind != "RNN" and gate != "sigmoid":
        facts["refused"] = f"has recurrent_activation={_said(gate)}"
    if kind == "GRU":
        # The first versions of Keras had no other.
        after = settings.get("reset_after", False)
        facts["reset_after"] = after
        if not isinstance(after, bool):
            facts["refused"] = f"has reset_after={_said(after)}"
    if not isinstance(settings.get("use_bias"), bool):
        facts["refused"] = f"has use_bias={_said(settings.get('use_bias'))}"
    return facts


def _said(value: Any) -> str:
    """A setting for people; objects by what they are called."""
    if isinstance(value, dict):
        value = value.get("config") if isinstance(value.get("config"), str) else value.get("class_name")
    return f"{value!r:.40}"
