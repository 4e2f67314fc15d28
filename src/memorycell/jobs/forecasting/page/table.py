"""The report's sections on the table: what comes next, and what the data are and what was done to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from memorycell.data.tables.encoded import EncodedTable, Forecasts
from memorycell.data.tables.times.frequency import Frequency
from memorycell.jobs.forecasting.measures.metrics import central_levels
from memorycell.jobs.forecasting.page.material import Material
from memorycell.jobs.forecasting.page.plots import MOST_PANELS, forecast_fan, overview
from memorycell.jobs.forecasting.page.words import forecast_decimals
from memorycell.pages.page import Html, Section, bullets, element, facts, figure, folded, paragraph, table
from memorycell.pages.wording import counted, fixed, listing, percent, say_when, significant

_MOST_NAMES = 12
_SPLITS = {"train": "trained on", "validation": "validated on", "calibration": "calibrated on"}


def outlook(material: Material) -> Section:
    """The forecast: figure and table of the next steps."""
    section = Section("forecast", "The forecast")
    forecasts = material.forecasts
    if forecasts is None:
        section.add(paragraph(f"There is none: {material.why_not}."))
        return section
    frequency = material.forecaster.codec_.frequency_
    shares = [percent(share) for share, _, _ in central_levels(forecasts.levels)]
    bands = f" The bands are to hold {listing(shares[:3])} of what comes." if shares else ""
    origin = say_when(forecasts.origin_dates.max(), frequency)
    section.add(
        figure(
            lambda width: forecast_fan(forecasts, material.encoded, unit=material.unit, width=width),
            "forecast",
            f"The past in black up to {origin}, the forecast in blue.{bands}",
        )
    )
    panels = [(row, k) for row in range(len(forecasts.point)) for k in range(len(forecasts.target_names))]
    if forecasts.point.shape[1] == 1 and len(panels) > 1:
        section.add(_one_step_table(forecasts, panels, frequency))
    else:
        section.add(*(_panel(forecasts, row, k, frequency, alone=len(panels) == 1) for row, k in panels[:MOST_PANELS]))
    if len(panels) > MOST_PANELS:
        section.add(
            paragraph(f"{counted(len(panels) - MOST_PANELS, 'more forecast')} not shown: predict gives them all.")
        )
    return section


def _panel(forecasts: Forecasts, row: int, k: int, frequency: Frequency, *, alone: bool) -> Html:
    """The steps of one target of one series; of several each folded away, or why there is none."""
    reason = forecasts.reasons[row] if forecasts.reasons else ""
    said = paragraph(f"{reason[:1].upper()}{reason[1:]}.") if reason else Html()
    if np.isnan(forecasts.point[row, :, k]).all():
        return Html(("" if alone else element("h3", _panel_name(forecasts, row, k))) + said)
    made = Html(said + _steps_table(forecasts, row, k, frequency, shown=12 if alone else 0))
    return made if alone else folded(_panel_name(forecasts, row, k), made)


def _panel_name(forecasts: Forecasts, row: int, k: int) -> str:
    name = forecasts.target_names[k]
    return f"{forecasts.ids[forecasts.series[row]]}: {name}" if len(forecasts.ids) > 1 else name


def _headings(forecasts: Forecasts) -> list[str]:
    return [f"{percent(share)} interval" for share, _, _ in central_levels(forecasts.levels)] or [
        f"{percent(level)} quantile" for level in forecasts.levels
    ]


def _cells(forecasts: Forecasts, row: int, step: int, k: int) -> list[str]:
    """The point and the intervals (or, without intervals, the quantiles) of one step."""
    decimals = forecast_decimals(forecasts, k)
    values = [fixed(float(value), decimals) for value in forecasts.quantiles[row, step, k]]
    ends = [(values[low], values[high]) for _, low, high in central_levels(forecasts.levels)]
    spans = [low if low == high == "–" else f"{low} to {high}" for low, high in ends]
    return [fixed(float(forecasts.point[row, step, k]), decimals), *(spans or values)]


def _steps_table(forecasts: Forecasts, row: int, k: int, frequency: Frequency, shown: int) -> Html:
    rows = [
        [say_when(forecasts.dates[row, step], frequency), *_cells(forecasts, row, step, k)]
        for step in range(forecasts.point.shape[1])
    ]
    return table([_when(frequency), forecasts.target_names[k], *_headings(forecasts)], rows, shown=shown)


def _one_step_table(forecasts: Forecasts, panels: Sequence[tuple[int, int]], frequency: Frequency) -> Html:
    rows = [
        [
            _panel_name(forecasts, row, k),
            say_when(forecasts.dates[row, 0], frequency),
            *_cells(forecasts, row, 0, k),
        ]
        for row, k in panels[: 5 * MOST_PANELS]
    ]
    return table(["", _when(frequency), "forecast", *_headings(forecasts)], rows, words=2, shown=12)


def _when(frequency: Frequency) -> str:
    """The heading of dates, with the zone whose clocks they are of."""
    return "when" if frequency.zone is None else f"when ({frequency.zone})"


def data(material: Material) -> Section:
    """The data: what was given, what was done to it, how it was split."""
    section = Section("data", "The data, and what was done to it")
    encoded, forecaster = material.encoded, material.forecaster
    frequency = forecaster.codec_.frequency_
    first, ends = encoded.offsets[:-1], encoded.offsets[:-1] + encoded.observed_rows - 1
    start, stop = encoded.dates[first].min(), encoded.dates[ends].max()
    section.add(
        facts(
            {
                "table": material.samples.source.name,
                "rows": f"{len(material.samples):,} in {counted(len(material.samples.given.columns), 'column')}",
                "series": f"{len(encoded.ids):,}" if len(encoded.ids) > 1 else None,
                "from … to": f"{say_when(start, frequency)} to {say_when(stop, frequency)}",
                "one row a": str(frequency),
                "forecast": _names(material.targets),
                "seen by the model": _names(_in_words(_seen(encoded))),
                "and known ahead": _names(_in_words(encoded.known_names)),
                "of each series": _names(encoded.static_names + encoded.static_code_names),
                **{_SPLITS[name]: _span(span, frequency) for name, span in forecaster.splits_.items()},
            }
        ),
        _ranges(material),
    )
    # A backtest fits anew before each block: the blocks of this model would only confuse the picture.
    splits = _tested(material) if material.refitted else {**forecaster.splits_, **_tested(material)}
    section.add(
        figure(
            lambda width: overview(encoded, splits=splits, unit=material.unit, width=width),
            "data",
            _split_caption(splits),
        )
    )
    # What is said of this table holds; the same kind of note from the training rows would only contradict it.
    said = {note.get("kind") for note in encoded.notes} | {"normalize", "refit"}
    notes = [*encoded.notes, *(note for note in forecaster.notes_ if note.get("kind") not in said)]
    section.add(bullets(dict.fromkeys(note["text"] for note in notes)))
    return section


def _span(span: Sequence[Any], frequency: Frequency) -> str:
    """First and last, of dates or step numbers that a model file holds as text."""
    dated = frequency.kind != "step"
    first, last = (np.datetime64(end, "ns") if dated else int(end) for end in span)
    return f"{say_when(first, frequency)} to {say_when(last, frequency)}"


def _seen(encoded: EncodedTable) -> list[str]:
    """What the model sees up to the origin, without what it knows ahead as well."""
    return [name for name in encoded.past_names + encoded.code_names if name not in encoded.known_names]


def _in_words(names: Sequence[str]) -> list[str]:
    """What features are called: both parts of a season by its name, once, and marks of what was missing.

    Example
    -------
    >>> _in_words(["temp", "temp was missing", "day of week sin", "day of week cos", "day of week sin 2"])
    ['temp', 'whether temp was missing', 'day of week']
    """
    said = (re.sub(r"^(.* of (?:day|week|month|year)) (?:sin|cos)(?: \d+)?$", r"\1", name) for name in names)
    return list(dict.fromkeys(re.sub(r"^(.*) was missing$", r"whether \1 was missing", name) for name in said))


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _ranges(material: Material) -> Html:
    """Range and gaps of each target, over all series."""
    values = material.encoded.target_in_units()
    observed = np.zeros(len(values), bool)
    for first, count in zip(material.encoded.offsets[:-1], material.encoded.observed_rows, strict=True):
        observed[first : first + count] = True
    rows = []
    for k, name in enumerate(material.targets[:_MOST_NAMES]):
        column = values[observed, k]
        known = column[np.isfinite(column)]
        numbers = [known.min(), known.mean(), known.max(), known.std()] if len(known) else [np.nan] * 4
        # Scaled to float32 and back, a zero is only nearly one.
        numbers = [0.0 if abs(number) < 1e-6 * np.abs(known).max(initial=0.0) else number for number in numbers]
        rows.append([name, *(significant(float(number)) for number in numbers), f"{len(column) - len(known):,}"])
    unit = f" ({material.unit})" if material.unit else ""
    return table([f"target{unit}", "least", "mean", "greatest", "std", "missing"], rows)


def _tested(material: Material) -> dict[str, tuple[Any, Any]]:
    if material.evaluation is None:
        return {}
    folds = material.evaluation.folds
    return {"test": (min(fold.first for fold in folds), max(fold.last for fold in folds))}


def _split_caption(splits: dict[str, Any]) -> str:
    said = {
        "validation": "validation decides when training stops",
        "calibration": "calibration sets the width of the intervals",
        "test": "test is what the errors below are of",
    }
    parts = [text for name, text in said.items() if name in splits]
    return (
        f"Every target over its whole length. Shaded: {'; '.join(parts)}."
        if parts
        else "Every target over its whole length."
    )
