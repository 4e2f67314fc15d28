"""Bars: on a terminal, in a notebook, and nowhere else."""

import io
import sys
import threading
import types

import pytest

from memorycell import SequenceClassifier
from memorycell.data.bars import Bar, in_notebook, tracked
from memorycell.evaluation.parts import each_fold, wanted
from memorycell.training.progress import ProgressBar

cells: list = []  # of the notebook


class Handle:
    def __init__(self, shown: list) -> None:
        self.shown = shown

    def update(self, lines) -> None:
        self.shown[-1].append((repr(lines), lines._repr_html_()))


@pytest.fixture
def notebook(monkeypatch) -> list:
    """The outputs of a notebook's cell, each with all that was ever shown in it."""
    shown: list = []
    cells.append(None)  # each test is a cell of its own

    def display(lines, display_id):
        shown.append([])
        handle = Handle(shown)
        handle.update(lines)
        return handle

    ipython = types.ModuleType("IPython")
    kernel = types.SimpleNamespace(get_parent=lambda: {"header": {"msg_id": len(cells)}})
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=kernel)
    shows = types.ModuleType("IPython.display")
    shows.display = display
    ipython.display = shows
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shows)
    return shown


def terminal(monkeypatch) -> io.StringIO:
    """A terminal as stderr; not a fixture, as pytest takes stderr again when the test begins."""
    err = io.StringIO()
    err.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    return err


def test_nowhere_else_is_anything_shown(capsys) -> None:
    assert not in_notebook()
    with Bar("fitting", 3) as bar:
        bar.update(2, "epoch 2/3")
        assert not bar.due()
    assert list(tracked("abc", "answering", 3, after=0)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")


def test_a_notebook_gets_one_output_and_keeps_a_line(notebook, capsys) -> None:
    threads = threading.active_count()
    with Bar("<b>", 4) as bar:
        bar._next = 0.0
        bar.update(2, "epoch 2/4", "loss 1")
        assert threading.active_count() == threads
    (states,) = notebook
    assert "<progress" in states[0][1] and 'value="2"' in states[1][1]
    text, html = states[-1]
    assert text == "<b>: epoch 2/4, loss 1, 0:00 in all"
    assert "<progress" not in html and "&lt;b&gt;" in html
    assert capsys.readouterr() == ("", "")


def test_a_bar_within_a_bar_stands_below_it_and_goes(notebook) -> None:
    with Bar("folds", 2) as folds:
        for number in range(2):
            with Bar("fitting", 5) as bar:
                bar.update(5)
            folds.update(number + 1, f"{number + 1} of 2")
    (states,) = notebook
    assert max(html.count("<div>") for _, html in states) == 2
    assert states[-1][1].count("<div>") == 1 and "fitting" not in states[-1][1]


def test_a_terminal_gets_what_it_is_and_how_far(monkeypatch) -> None:
    shown = terminal(monkeypatch)
    with Bar("folds", 2) as folds:
        with ProgressBar(None, 3, 4, what="refitting on all rows") as bar:
            bar.epoch({"epoch": 3, "loss": 0.5, "val_loss": 0.25, "examples_per_second": 1234.0})
        folds.update(1, "1 of 2")
    text = shown.getvalue()
    for part in ("folds", "refitting on all rows", "epoch 3/3", "loss 0.5 · validation 0.25 · 1,234 samples/s"):
        assert part in text


def test_an_error_closes_the_bar(notebook) -> None:
    with pytest.raises(KeyError), Bar("fitting", 4):
        raise KeyError("x")
    with Bar("again", 1):
        pass
    assert len(notebook) == 1 and notebook[0][-1][0].splitlines()[-1].startswith("again: ")
    cells.append(None)
    with Bar("another cell", 1):
        pass
    assert len(notebook) == 2 and "again" not in notebook[1][-1][0]


def test_of_many_bars_the_last_are_kept(notebook) -> None:
    for number in range(7):
        with Bar(f"fit {number}", 1):
            pass
    lines = [line.partition(":")[0] for line in notebook[0][-1][0].splitlines()]
    assert len(notebook) == 1 and lines == ["3 more", "fit 3", "fit 4", "fit 5", "fit 6"]


def test_a_kernel_that_does_not_say_which_cell_it_runs_gets_an_output_for_each(notebook, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: types.SimpleNamespace(kernel=object()))
    for _ in range(2):
        with Bar("fitting", 1):
            pass
    assert len(notebook) == 2


def test_what_is_quick_shows_nothing(notebook) -> None:
    assert list(tracked(range(5), "answering", 5)) == [0, 1, 2, 3, 4]
    assert notebook == []
    assert list(tracked(range(5), "answering", 5, after=0)) and len(notebook) == 1


def test_other_processes_show_nothing(notebook, monkeypatch) -> None:
    monkeypatch.setattr("multiprocessing.parent_process", object)
    with Bar("fitting", 4):
        pass
    assert notebook == []


@pytest.mark.parametrize(("verbose", "progress", "expected"), [(None, None, None), (False, None, False),
    (True, None, True), (0, None, None), (None, print, False)])  # fmt: skip
def test_folds_show_bars_as_their_task_does(verbose, progress, expected) -> None:
    assert wanted(types.SimpleNamespace(verbose=verbose), progress) is expected


def test_folds_are_counted(notebook) -> None:
    assert each_fold(abs, 3, 1, None) == [0, 1, 2]
    assert "3 of 3" in notebook[0][-1][0]


def test_a_training_says_what_it_is(notebook) -> None:
    waves = [[float(k % 3), 1.0, 0.0] for k in range(20)]
    model = SequenceClassifier(hidden_size=4, epochs=2, refit=True, validation_fraction=0.2, n_threads=1)
    model.fit(waves, [k % 3 for k in range(20)])
    (states,) = notebook
    assert [line.partition(":")[0] for line in states[-1][0].splitlines()] == ["fitting", "refitting on all samples"]
    before = len(states)
    SequenceClassifier(hidden_size=4, epochs=1, verbose=False, n_threads=1).fit(waves, [k % 3 for k in range(20)])
    assert len(states) == before
