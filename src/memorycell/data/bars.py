"""Bars: how far long work is, on a terminal or in a notebook, and nowhere else."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from html import escape
from types import TracebackType
from typing import Any, TypeVar

_REFRESH = 0.1  # seconds between two drawings
_KEPT = 4  # lines that a cell keeps of bars that are done
_PATIENCE = 1.0  # seconds of work before a bar appears for what is often quick
_Item = TypeVar("_Item")


class Bar:
    """A line that says what is done, how far it is, and about how long it still takes.

    Where another bar is shown already, this one stands below it and goes when it is done: folds, and in each a
    training.

    Parameters
    ----------
    what : str
        "fitting"
    total : int
        Of whatever is counted.
    show : bool or None
        None: where stderr is a terminal, and in a notebook; not in processes that others have started.
    done : int
        How much of it an earlier run has done.
    after : float
        Seconds of work before it appears.

    Example
    -------
    >>> with Bar("folds", 5, show=False) as bar:
    ...     bar.update(1, "2 of 5")
    ...     bar.due()
    False
    """

    def __init__(self, what: str, total: int, *, show: bool | None = None, done: int = 0, after: float = 0.0) -> None:
        self.what, self.total, self.done, self.after = what, total, done, after
        self.place = self.text = ""
        self.begun, self._first, self._next = time.monotonic(), done, 0.0
        self._wanted = _kind(show)
        self._screen: Any = None

    def __enter__(self) -> Bar:
        self._appear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._screen is not None:
            self._screen.leave(self)
            self._screen = None
        self._wanted = ""

    def _appear(self) -> None:
        if self._wanted and self._screen is None and time.monotonic() - self.begun >= self.after:
            self._screen = _screen(self._wanted)
            self._screen.enter(self)

    def due(self) -> bool:
        """Whether it is time to draw: what is shown need not be computed otherwise."""
        self._appear()
        return self._screen is not None and time.monotonic() >= self._next

    def update(self, done: int, place: str | None = None, text: str | None = None) -> None:
        """So much is done; `place` says where that is ("epoch 3/20"), `text` what else there is to tell."""
        self.done = done
        self.place = self.place if place is None else place
        self.text = self.text if text is None else text
        if self.due():
            self._next = time.monotonic() + _REFRESH
            self._screen.draw(self)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.begun

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take, going by what is done; None where that cannot be said yet."""
        made = self.done - self._first
        return None if made <= 0 else self.seconds / made * (self.total - self.done)


def tracked(
    items: Iterable[_Item], what: str, total: int, *, show: bool | None = None, after: float = _PATIENCE
) -> Iterator[_Item]:
    """The items one by one, with a bar once that takes longer than a second; see `Bar`.

    Example
    -------
    >>> list(tracked("ab", "reading", 2, show=False))
    ['a', 'b']
    """
    with Bar(what, total, show=show, after=after) as bar:
        for number, item in enumerate(items, 1):
            yield item
            bar.update(number, f"{number:,} of {total:,}")


def in_notebook() -> bool:
    """Whether this runs in a notebook: a kernel that shows what it is given."""
    ipython = sys.modules.get("IPython")  # where it is not loaded there is no notebook
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def _kind(show: bool | None) -> str:
    """Where to show a bar: "notebook", "terminal", or "" for nowhere."""
    if show is False or (show is None and multiprocessing.parent_process() is not None):
        return ""
    if in_notebook():
        return "notebook"
    return "terminal" if show or sys.stderr.isatty() else ""


_OPEN = threading.local()  # the screen of this thread, while any bar is shown on it


def _screen(kind: str) -> Any:
    found = getattr(_OPEN, "screen", None)
    if found is None:
        found = _OPEN.screen = _notebook() if kind == "notebook" else _Terminal()
    return found


def _notebook() -> _Notebook:
    """The output of the cell that runs: one for all its bars."""
    cell, last = _cell(), getattr(_OPEN, "notebook", None)
    if last is None or cell is None or last.cell != cell:
        last = _OPEN.notebook = _Notebook(cell)
    return last


def _cell() -> Any:
    """What a notebook runs now, by the number of its message; None where that cannot be known."""
    try:
        return sys.modules["IPython"].get_ipython().kernel.get_parent()["header"]["msg_id"]
    except (AttributeError, KeyError, TypeError):  # another kernel than Jupyter's own
        return None


class _Terminal:
    """Bars drawn by rich on stderr."""

    def __init__(self) -> None:
        state = random.getstate()  # rich draws a number when it is loaded, of all people's
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        random.setstate(state)
        self._tasks: dict[int, Any] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[place]}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            auto_refresh=False,  # drawn by whoever works: a second thread would take the interpreter from it
        )

    # A terminal that was closed cannot be written to: what is shown there is no reason for work to end.

    def enter(self, bar: Bar) -> None:
        self._tasks[id(bar)] = self._progress.add_task(
            bar.what, total=bar.total, completed=bar.done, place=bar.place, text=bar.text
        )
        if len(self._tasks) == 1:
            with contextlib.suppress(OSError):
                self._progress.start()

    def draw(self, bar: Bar) -> None:
        self._progress.update(self._tasks[id(bar)], completed=bar.done, place=bar.place, text=bar.text)
        with contextlib.suppress(OSError):
            self._progress.refresh()

    def leave(self, bar: Bar) -> None:
        self.draw(bar)
        task = self._tasks.pop(id(bar))
        if self._tasks:
            self._progress.remove_task(task)
        else:
            _OPEN.screen = None
            with contextlib.suppress(OSError):
                self._progress.stop()


class _Notebook:
    """The bars of a cell, in an output of their own, which is drawn anew; of each a line of text is left at the end.

    Not rich's: that needs ipywidgets, and leaves an empty output behind.
    """

    def __init__(self, cell: Any) -> None:
        self.cell = cell
        self._bars: list[Bar] = []
        self._ended: list[tuple[str, str, str]] = []
        self._output: Any = None

    def enter(self, bar: Bar) -> None:
        self._bars.append(bar)
        self.draw(bar)

    def draw(self, bar: Bar) -> None:
        from IPython.display import display  # there is a notebook: it is loaded

        before = [(f"{len(self._ended) - _KEPT:,} more", "", "")] if len(self._ended) > _KEPT else []
        now = [_line(each, ended=False) for each in self._bars]
        lines = _Lines([*before, *self._ended[-_KEPT:], *now])
        if self._output is None:
            self._output = display(lines, display_id=True)
        else:
            self._output.update(lines)

    def leave(self, bar: Bar) -> None:
        self._bars.remove(bar)
        if not self._bars:
            self._ended.append(_line(bar, ended=True))
            _OPEN.screen = None
        self.draw(bar)


class _Lines:
    """What a notebook shows of bars: as HTML, and as text for those that show none."""

    def __init__(self, lines: list[tuple[str, str, str]]) -> None:
        self._lines = lines

    def __repr__(self) -> str:
        return "\n".join(f"{what}: {rest}" if rest else what for what, _, rest in self._lines)

    def _repr_html_(self) -> str:
        made = [
            (escape(what), f" {bar} " if bar else ": " if rest else "", escape(rest)) for what, bar, rest in self._lines
        ]
        return "".join(f"<div>{''.join(line)}</div>" for line in made)


def _line(bar: Bar, *, ended: bool) -> tuple[str, str, str]:
    """What a bar is of, its picture, and the rest in words."""
    left = None if ended else bar.left
    time_said = f"{_clock(bar.seconds)} in all" if ended else "" if left is None else f"{_clock(left)} left"
    told = ", ".join(part for part in (bar.place, bar.text, time_said) if part)
    if ended:
        return bar.what, "", told
    drawn = f'<progress value="{bar.done}" max="{max(bar.total, 1)}" style="vertical-align: middle"></progress>'
    return bar.what, drawn, told


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
