"""Shown: how a task shows itself: the picture that one wants first."""

from __future__ import annotations

from typing import Any


class Shown:
    """What a notebook shows of every task."""

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
