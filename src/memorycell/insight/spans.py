"""How long so many steps are, in words."""

from __future__ import annotations

import math

from memorycell.insight.arguments import real

_DAY = 86_400.0
# Seconds, and from how many on a stretch is told in them: "9 days", but "2 weeks"; "90 minutes", but "2 hours".
_UNITS = (
    ("year", 365.2425 * _DAY, 2.0),
    ("month", 365.2425 / 12 * _DAY, 3.0),
    ("week", 7 * _DAY, 2.0),
    ("day", _DAY, 2.0),
    ("hour", 3600.0, 2.0),
    ("minute", 60.0, 2.0),
    ("second", 1.0, 1.0),
    ("millisecond", 1e-3, 0.0),
)
_NOUNS = {"text": "token", "words": "word", "symbols": "symbol"}


def noun_of(kind: str) -> str:
    """What a step is called where the steps are of this `Explained.kind`.

    Example
    -------
    >>> noun_of("words"), noun_of("text"), noun_of("numbers")
    ('word', 'token', 'step')
    """
    return _NOUNS.get(kind, "step")


def checked_span(span: float | None) -> float | None:
    """The seconds of a step, if they are a finite number above 0, or None; else TypeError or ValueError.

    Example
    -------
    >>> checked_span(3600)
    3600.0
    """
    expected = "span as the finite number of seconds of a step, above 0, or None"
    return None if span is None else real(expected, span, lambda value: 0 < value < math.inf)


def say_steps(steps: float, span: float | None = None, noun: str = "step") -> str:
    """A number of steps in time, where a step takes `span` seconds; else in steps.

    Raises
    ------
    TypeError, ValueError
        If the span is no finite number above 0.

    Example
    -------
    >>> say_steps(216, span=3600), say_steps(12, span=30.44 * 86400), say_steps(90, span=60)
    ('9 days', '12 months', '90 minutes')
    >>> say_steps(13, noun="word"), say_steps(1), say_steps(0.2), say_steps(2.345)
    ('13 words', '1 step', 'less than a step', '2.3 steps')
    """
    span = checked_span(span)
    if math.isnan(steps):
        return f"an unknown number of {noun}s"
    if math.isinf(steps):
        return f"more {noun}s than can be told"
    if span is None:
        return f"less than a {noun}" if steps < 1 else _counted(steps, noun)
    seconds = steps * span
    name, size, _ = next((unit for unit in _UNITS if seconds >= unit[1] * unit[2]), _UNITS[-1])
    return _counted(seconds / size, name)


def _counted(count: float, noun: str) -> str:
    """Two significant digits below ten, whole numbers above."""
    shown = f"{count:,.0f}" if count >= 9.95 else f"{count:.2g}"
    return f"{shown} {noun}" if shown == "1" else f"{shown} {noun}s"
