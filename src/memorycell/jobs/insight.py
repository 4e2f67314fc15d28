"""Insight: what every task can tell of its inner life: traces, memory, and why an output came out."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from memorycell.data.bars import tracked
from memorycell.insight.asking import AT_ONCE, check_trace_size, checked_rows, some_rows
from memorycell.insight.tracing import ModelTrace, trace_network
from memorycell.kernels.native import flush_subnormals
from memorycell.training.threads import usable_threads, using_threads

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained
    from memorycell.insight.explanation import Explanation
    from memorycell.insight.lookback import Lookback
    from memorycell.insight.memory import Memory
    from memorycell.jobs.reasons import Reasons


class Insight:
    """What tasks share here; each says in `explained` and `trace` how its network is fed.

    A number that is explained is one number: of a class its score less that of another class, because scores alone have
    no zero.
    """

    EXPLAINS: ClassVar[str]  # the module of the room that feeds this task's network

    network_: Any
    n_threads_: int
    verbose: bool | None

    # Each task says what of its data can be asked for.
    explained: Callable[..., Explained]
    trace: Callable[..., ModelTrace]
    check_fitted: Callable[[], None]
    asked: Callable[[Any], Any]
    read: Callable[..., Any]

    def _explaining(self) -> Any:
        return importlib.import_module(self.EXPLAINS)

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
            with self.at_work():
                return explain_by(asked, method, **options)

    def why(
        self,
        X: Any = None,
        *,
        rows: Iterable[int] | None = None,
        worst: int | None = None,
        most: int = 5,
        method: str = "integrated gradients",
        keep: Any = None,
        **where: Any,
    ) -> Reasons:
        """Why answers came out, a row each, with the words or steps that counted most: a table (``to_frame()``).

        Parameters
        ----------
        X : as for `explained`
        rows : which of them, places from 0; of forecasts the last rows seen (default: all of them)
        worst : in place of `rows`, so many whose answers are furthest from the truth, which X must hold
        most : words or steps that "why" names
        method : as for `explain`
        keep : of classifiers and regressors, columns of X that come along, as for `answers`
        where : what else `explained` is told

        Raises
        ------
        ValueError
            For rows that are not there, both `rows` and `worst`, and data without a truth with `worst`.
        """
        from memorycell.jobs.reasons import Reasons, reasons

        samples, places = self.chosen(X, rows, worst)
        notes: list[str] = []
        with torch.inference_mode(False):
            found = list(reasons(self, samples, places, method=method, most=most, keep=keep, notes=notes, **where))
        return Reasons(found, notes)

    def chosen(
        self,
        X: Any,
        rows: Iterable[int] | None = None,
        worst: int | None = None,
        *,
        counted: bool = False,
        **reading: Any,
    ) -> tuple[Any, list[int]]:
        """X as it is read, and the places in it that `rows` or `worst` mean; `counted`: rows are lines of a file.

        reading : how X is read, as `read` is told
        """
        from memorycell.jobs import reasons

        self.check_fitted()
        if rows is not None and worst is not None:
            raise ValueError("expected rows= or worst=, got both")
        if worst is not None:
            if worst < 1:
                raise ValueError(f"expected worst= of at least 1, got {worst}")
            samples = self.read(X, **reading)
            return samples, reasons.worst(self, samples, worst)
        samples = self.asked(X) if X is None else self.read(X, labelled=None, **reading)
        if rows is None:
            return samples, list(range(samples.explainable))
        named = [samples.place(row) for row in rows] if counted else rows
        return samples, reasons.checked_places(samples, named)

    def beside(self, samples: Any, places: Sequence[int], keep: Any = None) -> list[dict[str, Any]]:
        """What stands beside the reasons of some samples: how their user calls them, and what else a job says."""
        numbers = None if getattr(samples, "origin", None) is None else samples.origin.numbers
        return [{"row": place if numbers is None else int(numbers[place])} for place in places]

    def memory(self, X: Any = None) -> Memory:
        """How long each unit remembers on all of X, which never move and which count. See `Memory`.

        Parameters
        ----------
        X : as for `trace`; of a forecaster windows side by side through every series, or of a carried state all of it
        """
        from memorycell.insight.memory import memory

        self.check_fitted()
        return memory(self._traces(X))

    def lookback(self, X: Any = None, **options: Any) -> Lookback:
        """How far back an input still changes what the model says, averaged over eight outputs in X. See `Lookback`.

        Parameters
        ----------
        X : as for `explained`
        options : see `memorycell.lookback`
        """
        from memorycell.insight.lookback import lookback

        self.check_fitted()
        with torch.inference_mode(False):
            cases = self.some_explained(X)
            with self.at_work():
                return lookback(cases, **{"show": self.verbose, **options})

    def _traces(self, X: Any) -> Iterable[ModelTrace]:
        """The traces of all of X, not all of them at once."""
        return self._explaining().traces(self, X)

    def some_explained(self, X: Any) -> list[Explained]:
        """Outputs here and there in X, at most eight, for what is averaged over cases."""
        return self._explaining().some_explained(self, X)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Evaluation mode, with the threads of training."""
        self.network_.eval()
        with using_threads(usable_threads(self.n_threads_)), flush_subnormals():
            yield


class InsightByRow(Insight):
    """Of tasks on many sequences: a room says `explained`, `dataset` and `step_names`."""

    dataset: Callable[[Any], Any]
    asked: Callable[[Any], Any]

    def step_names(self, samples: Any, row: int, count: int) -> Sequence[Any]:
        """What the first `count` steps of a sequence are called."""
        return range(count)

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
        samples = self.asked(X)
        places = range(len(samples)) if rows is None else checked_rows(rows, len(samples))
        return self._traced(samples, places, path, force)

    def _traces(self, X: Any) -> Iterable[ModelTrace]:
        samples = self.asked(X)
        starts = range(0, len(samples), AT_ONCE)
        for first in tracked(starts, "tracing", len(starts), show=self.verbose):
            yield self._traced(samples, range(first, min(len(samples), first + AT_ONCE)))

    def _traced(
        self,
        samples: Any,
        places: Sequence[int],
        path: str | os.PathLike[str] | None = None,
        force: bool = False,
    ) -> ModelTrace:
        dataset, network, rows = self.dataset(samples), self.network_.eval(), torch.tensor(list(places))
        lengths = dataset.lengths[rows]
        if path is None:
            check_trace_size(len(places), int(lengths.max()), network)
        batch = dataset.gather(rows).to(next(network.parameters()).device)
        names = [list(self.step_names(samples, row, n)) for row, n in zip(places, lengths.tolist(), strict=True)]
        with self.at_work():
            return trace_network(
                network, lambda: network(batch), trunk=network.trunk, labels=names, path=path, force=force
            )

    def some_explained(self, X: Any) -> list[Explained]:
        samples = self.asked(X)
        return [self.explained(samples, row=row) for row in some_rows(len(samples))]
