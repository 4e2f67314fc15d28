"""trace_network: what every gate of every recurrent layer did while a model ran."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.layers.base import Recurrent
from memorycell.layers.traces import Trace


@dataclass(frozen=True, eq=False)
class ModelTrace(Mapping[str, Tensor]):
    """Gates and states of a whole model: of all layers that read the sequence, one on top of the other, by name.

    ``trace["forget"]`` is (layers, directions, batch, time, units) where those layers are alike. Each by itself is in
    `layers`, together with what else there is: a decoder, a speller.

    Attributes
    ----------
    layers : dict of str to Trace
        By the module's name in the network, in the order in which they ran; a module that ran again is "rnn (2)".
    trunk : tuple of str
        Which of them read the sequence, from the input up.
    inputs : dict of str to Tensor
        What each of them was given: (batch, time, features), or token ids (batch, time).
    output : what the model returned
    labels : sequence of sequences or None
        What the steps of each row are called: tokens, or dates. Of a single row the layers' traces have them as the
        names of their time, too.

    Example
    -------
    >>> from memorycell.layers import LSTM
    >>> model = torch.nn.Sequential(LSTM(3, 8, batch_first=True))
    >>> trace = trace_network(model, lambda: model(torch.zeros(2, 5, 3)))
    >>> list(trace.layers), trace["cell"].shape
    (['0'], torch.Size([1, 1, 2, 5, 8]))
    """

    layers: dict[str, Trace]
    trunk: tuple[str, ...]
    inputs: dict[str, Tensor]
    output: Any
    labels: Sequence[Any] | None = None

    def __getitem__(self, name: str) -> Tensor:
        """The gate or state `name` of the layers of the trunk, stacked.

        Raises
        ------
        KeyError
            For a gate that they have not.
        ValueError
            Where they differ in their units or directions: take one of `layers`.
        """
        traces = [self.layers[layer] for layer in self.trunk]
        if len(traces) == 1:
            return traces[0][name]
        values = [trace[name] for trace in traces]
        if len({value.shape[1:] for value in values}) > 1:
            sizes = ", ".join(f"{key}: {tuple(v.shape)}" for key, v in zip(self.trunk, values, strict=True))
            raise ValueError(f"expected layers of one size to stack, got {sizes}: take one, trace.layers[name]")
        return torch.cat(values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers[self.trunk[0]])

    def __len__(self) -> int:
        return len(self.layers[self.trunk[0]])

    @property
    def top(self) -> Trace:
        """The last layer of the trunk."""
        return self.layers[self.trunk[-1]]

    def save(self, folder: str | os.PathLike[str], suffix: str = ".safetensors", *, force: bool = False) -> None:
        """Write each layer to a file of its own in a folder, which is made; see `Trace.save`, and `Trace.load`.

        Parameters
        ----------
        suffix : ".safetensors" or ".parquet"

        Raises
        ------
        ValueError, FileExistsError, OSError
            As `Trace.save`.
        """
        made = Path(folder)
        made.mkdir(parents=True, exist_ok=True)
        for name, trace in self.layers.items():
            trace.save(_file(made, name, suffix), force=force)

    def __repr__(self) -> str:
        return f"ModelTrace({', '.join(f'{name}: {trace!r}' for name, trace in self.layers.items())})"


def recurrent_layers(network: nn.Module) -> dict[str, Recurrent]:
    """The recurrent layers in a model, by name.

    Raises
    ------
    ValueError
        If there are none; layers of torch.nn are no help, `memorycell.accelerate` makes ours of them.
    """
    found = {name: module for name, module in network.named_modules() if isinstance(module, Recurrent)}
    if found:
        return found
    theirs = [type(module).__name__ for module in network.modules() if isinstance(module, nn.RNNBase)]
    if theirs:
        raise ValueError(
            f"expected a model with recurrent layers of memorycell, got torch.nn.{theirs[0]}, which does not tell what "
            "its gates do: swap it with memorycell.accelerate(model)"
        )
    raise ValueError(f"expected a model with a recurrent layer to trace, got a {type(network).__name__} without one")


def trace_network(
    network: nn.Module,
    run: Callable[[], Any],
    *,
    trunk: Iterable[nn.Module] | None = None,
    labels: Sequence[Any] | None = None,
    path: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> ModelTrace:
    """Run a model and keep what the gates of its recurrent layers did, in one pass and without gradients.

    Parameters
    ----------
    network : torch.nn.Module
    run : called once; runs `network`
    trunk : those of its layers that read the sequence; default: all that ran
    labels : see `ModelTrace`
    path : a folder, which is made: each layer goes to a file of its own in it, a few thousand steps at a time
        The traces are then mapped into memory, so that only what is used is read.
    force : overwrite such files

    Raises
    ------
    ValueError
        If the model has no recurrent layer, or none of them ran.
    FileExistsError
        If there is a file of that name already.
    """
    layers = recurrent_layers(network)
    folder = None if path is None else _folder(path, layers, force=force)
    traces: dict[str, Trace] = {}
    inputs: dict[str, Tensor] = {}
    own: dict[str, Recurrent] = {}

    def record(name: str, layer: Recurrent) -> Callable[..., Any]:
        def forward(
            x: Any, state: Any = None, *, lengths: Any = None, embedding: Any = None, hx: Any = None
        ) -> tuple[Any, Any]:
            count = sum(layer is each for each in own.values())
            key = name if not count else f"{name} ({count + 1})"
            target = None if folder is None else _file(folder, key, ".safetensors")
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            trace = layer.trace(x, hx if state is None else state, lengths, embedding, path=target, force=force)
            traces[key], inputs[key], own[key] = _named(trace, labels), x, layer
            return _output(layer, trace) if trace.output is None else trace.output, trace.state

        return forward

    with torch.no_grad(), replaced_forward({layer: record(name, layer) for name, layer in layers.items()}):
        output = run()
    if not traces:
        raise ValueError(f"expected a run of the model, got one in which none of {', '.join(layers)} ran")
    wanted = list(layers.values()) if trunk is None else list(trunk)
    seen = tuple(key for key, layer in own.items() if any(layer is each for each in wanted) and key in layers)
    return ModelTrace(traces, seen, inputs, output, labels)


def _file(folder: Path, name: str, suffix: str) -> Path:
    return folder / f"{name.replace('/', '.') or 'layer'}{suffix}"


def _folder(path: str | os.PathLike[str], layers: Iterable[str], *, force: bool) -> Path:
    """The folder that traces are to go to, once it is sure that none would take the place of another file."""
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"expected a folder for the traces, got the file {folder}: give another name")
    there = [_file(folder, name, ".safetensors") for name in layers]
    if not force and (taken := next((file for file in there if file.exists()), None)):
        raise FileExistsError(f"{taken} exists already: choose another folder or overwrite it with force=True")
    return folder


def _named(trace: Trace, labels: Sequence[Any] | None) -> Trace:
    """The trace with the names of its steps, where it is of one row that they fit."""
    sizes = trace.sizes
    fits = labels is not None and sizes.get("batch", 1) == len(labels) == 1 and len(labels[0]) == sizes["time"]
    return trace.named(time=labels[0]) if fits and labels is not None else trace


def _output(layer: Recurrent, trace: Trace) -> Tensor:
    """What `forward` returns, of a trace that has it only as hidden states."""
    hidden = trace["hidden"][-1].to(next(layer.parameters()).device)  # (D, B, T, P)
    if "batch" not in trace.dims:
        return torch.cat(list(hidden), dim=-1)
    output = torch.cat(list(hidden), dim=-1) if layer.bidirectional else hidden[0]
    return output if layer.batch_first else output.transpose(0, 1)


@contextmanager
def replaced_forward(replacements: Mapping[Recurrent, Callable[..., Any]]) -> Iterator[None]:
    """Within it the layers compute something else when this thread calls them; other threads see nothing of it.

    Compiled models run uncompiled meanwhile.
    """
    thread = threading.get_ident()
    with _UNCOMPILED:
        with _LOCK:
            for layer, forward in replacements.items():
                switch = vars(layer).get("forward")
                if not isinstance(switch, _Switch):
                    switch = vars(layer)["forward"] = _Switch(layer)
                switch.by_thread.setdefault(thread, []).append(forward)
        try:
            yield
        finally:
            with _LOCK:
                for layer in replacements:
                    vars(layer)["forward"].leave(layer, thread)


_LOCK = threading.Lock()


class _Switch:
    """Stands in the place of a layer's `forward`: each thread gets what it has put there, or the layer's own."""

    def __init__(self, layer: Recurrent) -> None:
        self.given = vars(layer).get("forward")  # a user's own, put there by hand
        self.own = layer.forward
        self.by_thread: dict[int, list[Callable[..., Any]]] = {}

    def __call__(self, *args: Any, **options: Any) -> Any:
        mine = self.by_thread.get(threading.get_ident())
        return (mine[-1] if mine else self.own)(*args, **options)

    def leave(self, layer: Recurrent, thread: int) -> None:
        """Take back what this thread put last; the last of all puts the layer's own `forward` back."""
        self.by_thread[thread].pop()
        if not self.by_thread[thread]:
            del self.by_thread[thread]
        if self.by_thread:
            return
        if self.given is None:
            del vars(layer)["forward"]
        else:
            vars(layer)["forward"] = self.given


class _Uncompiled:
    """Within it no compiled model runs: torch has one stance for all threads, so the last one out gives it back."""

    def __init__(self) -> None:
        self.inside = 0
        self.stance: Any = None

    def __enter__(self) -> None:
        with _LOCK:
            self.inside += 1
            # Importing dynamo takes a second: where nobody has, nothing is compiled.
            if self.stance is None and "torch._dynamo" in sys.modules:
                self.stance = torch.compiler.set_stance("force_eager")

    def __exit__(self, *error: object) -> None:
        with _LOCK:
            self.inside -= 1
            if not self.inside and self.stance is not None:
                self.stance.__exit__(*error)
                self.stance = None


_UNCOMPILED = _Uncompiled()
