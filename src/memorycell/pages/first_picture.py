"""The picture that one wants first of a model: which one that is, the card of its job says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memorycell.pages.drawing import WIDE
from memorycell.pages.explain import asked
from memorycell.pages.picture import Picture
from memorycell.pages.report import copied, job_of, read_pair


def first_picture(
    model: Any,
    data: Any = None,
    where: Mapping[str, Any] | None = None,
    *,
    unit: str | None = None,
    width: float = WIDE,
) -> Picture:
    """See `Learner.plot`; `where` is what else its picture can be told, by the names of the options of `plot`.

    Raises
    ------
    TypeError, ValueError
        For a model that is not fitted, data that it cannot read or that lack what is drawn, and options that its
        picture does not know.
    """
    job = job_of(model)
    model = copied(model)
    chosen = asked(job, where or {}, command="plot")
    reading = {
        option.name: chosen.pop(option.name) for option in job.of("plot") if option.reading and option.name in chosen
    }
    samples = model.asked(None, **reading) if data is None else read_pair(model, data, **reading)
    draw = job.look_up(job.plot)
    return draw(model, samples, seen=model.was_trained_on(samples), unit=unit, width=width, **chosen)
