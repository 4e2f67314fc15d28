"""Shown: how a task shows itself: a table of what it is, and the picture that one wants first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from memorycell.data.figures import figure, html_table, text_in_html
from memorycell.data.lines import counted

if TYPE_CHECKING:
    from memorycell.jobs.plan import Plan


class Shown:
    """What a notebook shows of every task."""

    plan_: Plan
    notes_: list[dict[str, str]]
    trained_on_: dict[str, Any]
    history_: list[dict[str, Any]]
    train_seconds_: float
    n_parameters_: int
    stopped_: str
    rows: Callable[[], list[tuple[str, str]]]
    best_epoch_row: Callable[[], dict[str, Any]]

    def _repr_html_(self) -> str:
        """What kind of model it is, whether it is fitted, on what, how large, and what was chosen and why."""
        name, told = type(self).__name__, repr(self)
        if not hasattr(self, "network_"):
            rows: list[list[str]] = [[], ["not fitted yet", "call fit, or load a saved one"]]
            return html_table(told, rows, words=2)
        training = [["trained on", self._trained_on()], ["training", self._training()]]
        rows = [[], *([*row] for row in self.rows()), *training]
        notes = "".join(f"<li>{text_in_html(note['text'])}</li>" for note in self.notes_)
        folded = _folded("What was chosen, and why", self.plan_._repr_html_())
        folded += _folded("Notes", f"<ul>{notes}</ul>") if notes else ""
        given = "" if told == f"{name}()" else told
        return html_table(f"{name}, fitted", rows, given, words=2, most=len(rows)) + folded

    def _trained_on(self) -> str:
        known = self.trained_on_
        if not known:
            return "not recorded"  # in files of release 0.1
        return f"{known['rows']:,} {known.get('noun', 'rows')} of {known['source']}"

    def _training(self) -> str:
        best = self.best_epoch_row()
        validation = best.get("val_loss")
        told = f"{counted(len(self.history_), 'epoch')} in {self.train_seconds_:.3g} s"
        told += f", best {best['epoch']}" if best else ""
        told += "" if validation is None else f", validation loss {figure(float(validation))}"
        return told + {"early": "; stopped early", "interrupted": "; interrupted"}.get(self.stopped_, "")

    def plot(self, data: Any = None, *, unit: str | None = None, width: float = 720, **where: Any) -> Any:
        """The picture that one wants first of such a model, drawn of `data`: a `matplotlib.figure.Figure`.

        It is shown where it is the last line of a notebook's cell, without ``%matplotlib`` and without pyplot, and
        ``savefig("picture.svg")`` keeps it. Which picture that is, ``memorycell plot --help`` says of each job; all
        others are in `memorycell.plot`.

        Parameters
        ----------
        data : as for `read`, with what is to be answered where the picture sets answers beside it; or ``(X, y)``
            Left out, the table that a forecaster was just fitted on: other models keep none of their data.
        unit : of the numbers that are answered, for example "°C"
        width : in pixels
        where : what else the picture can be told: of a forecast ``at``, ``series``, ``target`` and ``future``, of a
            text ``row``

        Raises
        ------
        TypeError, ValueError
            When the model is not fitted, the data do not fit it or lack what is drawn, and for options that its picture
            does not know.
        """
        from memorycell.pages.first_picture import first_picture

        return first_picture(self, data, where, unit=unit, width=width)


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{text_in_html(title)}</summary>{content}</details>"
