"""Insight: what every task can tell of its inner life: traces, memory, and why an output came out."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from memorycell.kernels.native import flush_subnormals
from memorycell.layers.base import Recurrent
from memorycell.networks.base import State, map_state
from memorycell.training.threads import using_threads

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained
    from memorycell.insight.explanation import Explanation
    from memorycell.insight.lookback import Lookback
    from memorycell.insight.memory import Memory
    from memorycell.insight.tracing import ModelTrace

LARGEST_TRACE = 4 << 30  # bytes that a trace may take in memory
AT_ONCE = 256  # sequences whose traces are in memory at the same time
_MEMORY_CASES = 8  # outputs whose look back is measured


class Insight:
    """What tasks share here; each says in `explained` and `trace` how its network is fed.

    A number that is explained is one number: of a class its score less that of another class, because scores alone have
    no zero.
    """

    EXPLAINS: ClassVar[str]  # the module of this folder that feeds this task's network

    network_: Any
    n_threads_: int

    # Each task says what of its data can be asked for.
    explained: Callable[..., Explained]
    trace: Callable[..., ModelTrace]
    _check_fitted: Callable[[], None]

    def _explaining(self) -> Any:
        return importlib.import_module(f"memorycell.jobs.{self.EXPLAINS}")

    def explain(self, X: Any = None, *, method: str = "integrated gradients", **where: Any) -> Explanation:
        """Which steps made an output.

        Parameters
        ----------
        X : as for `explained`; of a forecaster that was just fitted it may be left out
        method : "integrated gradients", "occlusion", "decomposition" or "contextual decomposition"
            The last of them of the steps named by ``steps=``, places from 0.
        where : as for `explained`, which says what can be asked for

        Raises
        ------
        ValueError
            For an unknown method, and as `explained`.
        """
        from memorycell.insight.methods import explain_by

        options = {name: where.pop(name) for name in ("steps", "width", "tolerance") if name in where}
        with torch.inference_mode(False):  # whatever the caller is in: gradients are wanted
            asked = self.explained(X, **where)
            with self._at_work():
                return explain_by(asked, method, **options)

    def memory(self, X: Any = None) -> Memory:
        """How long each unit remembers on all of X, which never move and which count. See `Memory`.

        Parameters
        ----------
        X : as for `trace`; of a forecaster windows side by side through every series, or of a carried state all of it
        """
        from memorycell.insight.memory import memory

        self._check_fitted()
        return memory(self._traces(X))

    def lookback(self, X: Any = None, **options: Any) -> Lookback:
        """How far back an input still changes what the model says, averaged over eight outputs in X. See `Lookback`.

        Parameters
        ----------
        X : as for `explained`
        options : see `memorycell.lookback`
        """
        from memorycell.insight.lookback import lookback

        self._check_fitted()
        with torch.inference_mode(False):
            cases = self._some_explained(X)
            with self._at_work():
                return lookback(cases, **options)

    def _traces(self, X: Any) -> Iterable[ModelTrace]:
        """The traces of all of X, not all of them at once."""
        return self._explaining().traces(self, X)

    def _some_explained(self, X: Any) -> list[Explained]:
        """Outputs here and there in X, at most eight, for what is averaged over cases."""
        return self._explaining().some_explained(self, X)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Evaluation mode, with the threads of training."""
        self.network_.eval()
        with using_threads(self.n_threads_), flush_subnormals():
            yield


class InsightByRow(Insight):
    """Of tasks on many sequences."""

    def trace(
        self,
        X: Any,
        *,
        rows: Sequence[int] | None = None,
        path: str | os.PathLike[str] | None = None,
        force: bool = False,
    ) -> ModelTrace:
        """What every gate did on each step of sequences. See `ModelTrace`.

        Parameters
        ----------
        X : sequences as for `predict`, or a file of them
        rows : which of them (default: all)
        path, force : a folder for traces that are too long for memory; see `memorycell.trace_network`
        """
        return self._explaining().trace(self, X, rows, path, force)


def some_rows(count: int) -> list[int]:
    """At most eight rows of `count`, spread evenly."""
    return sorted({round(i * (count - 1) / max(1, _MEMORY_CASES - 1)) for i in range(_MEMORY_CASES)}) if count else []


def nothing(values: Tensor, trunk: Iterable[Recurrent]) -> Tensor:
    """What "no input" is for values (T, F): zeros, the mean of scaled readings, which an embedding does not know.

    Layer normalisation divides by the deviation of what it is given, so that next to zeros the least input is as loud
    as any: there the mean step of the sequence takes their place.
    """
    if any(layer.layer_norm for layer in trunk):
        return values.mean(0, keepdim=True).repeat(len(values), 1)
    return torch.zeros_like(values)


def checked_rows(rows: Any, count: int) -> list[int]:
    """Places among `count`; raise TypeError or ValueError for none, or what is none."""
    if isinstance(rows, str) or not isinstance(rows, Iterable):
        raise TypeError(f"expected rows to be a list of rows, got {type(rows).__name__}")
    places = [checked_row(row, count) for row in rows]
    if not places:
        raise ValueError("expected at least one row, got an empty list")
    return places


def checked_row(row: Any, count: int, what: str = "sequences", name: str = "row") -> int:
    """A place among `count`; negative ones count from the end. `what` are counted, one of them is called `name`.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(row, bool) or not hasattr(row, "__index__"):
        raise ValueError(f"expected a {name} from 0 to {count - 1} ({count:,} {what}), got {row!r}")
    if not -count <= row < count:
        raise ValueError(f"expected a {name} from 0 to {count - 1} ({count:,} {what}), got {row}")
    return int(row) % count


def class_index(classes: Sequence[Any], given: Any, what: str = "classes") -> int:
    """Where a label stands among the classes: itself, or what it reads as.

    Raises
    ------
    ValueError
        For a label that is not among them; those there are, are named.
    """
    for place, label in enumerate(classes):
        if label == given or str(label) == str(given):
            return place
    named = ", ".join(str(label) for label in list(classes)[:12]) + (", …" if len(classes) > 12 else "")
    raise ValueError(f"expected one of the {what} {named}, got {given!r}")


def check_trace_size(rows: int, steps: int, network: Any) -> None:
    """Raise ValueError where a trace of so many padded steps would not fit into memory."""
    from memorycell.insight.tracing import recurrent_layers

    units = sum(layer.cells * layer.hidden_size * 6 for layer in recurrent_layers(network).values())
    needed = rows * steps * units * 4
    if needed > LARGEST_TRACE:
        raise ValueError(
            f"a trace of {rows:,} sequences of up to {steps:,} steps takes {needed / 2**30:.0f} GiB: "
            "trace fewer at a time (rows=), or to files (path=)"
        )


def repeated(state: State, rows: int) -> State:
    """The state of one row as that of many; its rows are the last dimension but one."""
    return map_state(lambda part: part.expand(*part.shape[:-2], rows, part.shape[-1]).contiguous(), state)
