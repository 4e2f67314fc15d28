"""Plain words: numbers with as many digits as their use needs, dates, and what a report says first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memorycell.data.calendar import say_date
from memorycell.data.encoded import Forecasts
from memorycell.data.frequency import Frequency
from memorycell.evaluation.metrics import central_levels
from memorycell.evaluation.result import Evaluation

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MOST_TARGETS = 2


def significant(value: float | None, digits: int = 3) -> str:
    """A number with at least `digits` significant digits, without an exponent where that can be read.

    Example
    -------
    >>> significant(0.01234), significant(1234.5), significant(2.0), significant(1e-9), significant(None)
    ('0.0123', '1,234', '2.00', '1.00e-09', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e9:
        return _signed(f"{value:.{digits - 1}e}")
    size = 0 if value == 0 else math.floor(math.log10(abs(value)))
    return _signed(f"{value:,.{max(0, digits - 1 - size)}f}")


def decimals_for(values: ArrayLike, spread: float) -> int:
    """Decimals that show a twentieth of the `spread` of `values`, or up to ten times less, and no more.

    Example
    -------
    >>> decimals_for([12.3456], 6.9), decimals_for([1234.0, 1250.0], 400.0), decimals_for([0.5], float("nan"))
    (1, 0, 1)
    """
    if not (math.isfinite(spread) and spread > 0):
        known = np.abs(np.asarray(values, float))
        known = known[np.isfinite(known) & (known > 0)]
        spread = float(np.median(known)) if known.size else 1.0
        spread *= 0.1 if spread >= 1 else 10
    return int(np.clip(1 - math.floor(math.log10(spread / 2)), 0, 8))


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals; a dash where it is missing.

    Example
    -------
    >>> fixed(-1234.56, 1), fixed(float("nan"), 2)
    ('−1,234.6', '–')
    """
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1e12:
        return f"{value:.3e}"
    return _signed(f"{value:,.{decimals}f}")


def _signed(text: str) -> str:
    """The sign as a minus, and none at a zero."""
    if not text.startswith("-"):
        return text
    return "−" + text[1:] if any(c in "123456789" for c in text) else text[1:]


def percent(share: float | None, decimals: int | None = None) -> str:
    """A share as a percentage; without `decimals` as many as it needs, two at most.

    Example
    -------
    >>> percent(0.9), percent(0.975), percent(0.8812, 1), percent(None)
    ('90 %', '97.5 %', '88.1 %', '–')
    """
    if share is None or not math.isfinite(share):
        return "–"
    text = f"{round(100 * share, 2):g}" if decimals is None else f"{100 * share:.{decimals}f}"
    return f"{text} %"


def listing(names: list[str]) -> str:
    """Names as a sentence has them.

    Example
    -------
    >>> listing(["ETS"]), listing(["ETS", "ridge", "last value"])
    ('ETS', 'ETS, ridge and last value')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(count: int, noun: str) -> str:
    """A number and what it counts.

    Example
    -------
    >>> counted(1, "origin"), counted(1200, "origin"), counted(3, "series")
    ('1 origin', '1,200 origins', '3 series')
    """
    return f"{count:,} {noun}" if count == 1 or noun.endswith("s") else f"{count:,} {noun}s"


def say_when(date: Any, frequency: Frequency | None = None) -> str:
    """A date as precise as the grid it lies on.

    Example
    -------
    >>> say_when(np.datetime64("2011-01-01"), Frequency.parse("MS")), say_when(np.datetime64("2011-01-01T06"))
    ('January 2011', '2011-01-01 06:00')
    >>> say_when(17)
    'step 17'
    """
    if not isinstance(date, np.datetime64):
        return f"step {date}"
    if frequency is None or frequency.kind != "month":
        return say_date(date)
    year, month = divmod(int(date.astype("datetime64[M]").astype(int)), 12)
    return str(1970 + year) if frequency.step % 12 == 0 else f"{_MONTHS[month]} {1970 + year}"


def forecast_decimals(forecasts: Forecasts, k: int) -> int:
    """Decimals for a target's forecasts, by the width of their widest interval."""
    values = forecasts.point[:, :, k]
    shares = central_levels(forecasts.levels)
    spread = math.nan
    if shares:
        _, low, high = shares[0]
        spread = float(np.nanmedian(forecasts.quantiles[:, :, k, high] - forecasts.quantiles[:, :, k, low]))
    return decimals_for(values, spread)


def say_interval(values: NDArray[np.float64], levels: tuple[float, ...], decimals: int) -> str:
    """The widest central interval of one forecast's quantiles (Q,); "" where there is none.

    Example
    -------
    >>> say_interval(np.array([8.9, 12.0, 15.8]), (0.05, 0.5, 0.95), 1)
    '90 % between 8.9 and 15.8'
    """
    for share, low, high in central_levels(levels)[:1]:
        ends = [fixed(float(values[i]), decimals) for i in (low, high)]
        return f"{percent(share)} between {ends[0]} and {ends[1]}"
    return ""


def forecast_sentence(forecasts: Forecasts, frequency: Frequency | None = None, unit: str | None = None) -> str:
    """What comes next, of one series: the first step, and of a single target the last one too.

    Of many series only how many there are is said.
    """
    after = f" {unit}" if unit else ""
    horizon = forecasts.point.shape[1]
    word = str(frequency or "step")
    single = word.split()[-1] if word[0].isdigit() else word
    if len(forecasts.point) != 1:
        steps = counted(horizon, word) if word == single else f"{counted(horizon, 'step')} of {word}"
        steps = f"the next {word if horizon == 1 else steps}"
        return f"{counted(len(forecasts.point), 'series')} forecast over {steps}."
    first = f"Next {single}" if word == single else f"In {word}"
    parts = [f"{first} ({say_when(forecasts.dates[0, 0], frequency)}): {_say_step(forecasts, 0, after)}"]
    if horizon > 1 and len(forecasts.target_names) == 1:
        last = say_when(forecasts.dates[0, -1], frequency)
        ahead = counted(horizon, single if word == single else "step")
        parts.append(f"{ahead} ahead ({last}): {_say_step(forecasts, horizon - 1, after)}")
    return "; ".join(parts) + "."


def _say_step(forecasts: Forecasts, step: int, unit: str) -> str:
    said = []
    for k, name in enumerate(forecasts.target_names[:_MOST_TARGETS]):
        decimals = forecast_decimals(forecasts, k)
        interval = say_interval(forecasts.quantiles[0, step, k], forecasts.levels, decimals)
        value = fixed(float(forecasts.point[0, step, k]), decimals)
        said.append(f"{name} {value}{unit}{f', {interval}' if interval else ''}")
    more = len(forecasts.target_names) - _MOST_TARGETS
    return "; ".join(said) + (f" (and {counted(more, 'more target')})" if more > 0 else "")


def verdict_sentence(evaluation: Evaluation) -> str:
    """Whether the forecaster is worth more than its baselines; says so when it is not."""
    if not evaluation.verdicts or evaluation.best is not evaluation.models[0]:
        return evaluation.outcome
    groups: dict[str, list[str]] = {}
    for verdict in evaluation.verdicts:
        size = f" by {percent(verdict.improvement, 0)}" if math.isfinite(verdict.improvement) else ""
        groups.setdefault(verdict.outcome, []).append(
            verdict.baseline + (size if verdict.outcome in ("better", "worse") else "")
        )
    origins = counted(len(evaluation.fold), "origin")
    said = []
    if "better" in groups:
        said.append(f"better than {listing(groups['better'])} ({evaluation.measure})")
    if "no difference" in groups:
        said.append(f"no difference from {listing(groups['no difference'])} that {origins} could show")
    if "too few" in groups:
        said.append(f"too few origins ({len(evaluation.fold):,}) to tell it from {listing(groups['too few'])}")
    if "worse" in groups:
        said.append(f"worse than {listing(groups['worse'])}")
    text = "; ".join(said) + "."
    return text[0].upper() + text[1:]
