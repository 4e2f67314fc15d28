"""plot_forecasts: forecasts, errors and intervals as matplotlib figures, made without pyplot and its global state.

Each function returns a `matplotlib.figure.Figure`, `width` pixels wide at 72 dots an inch; `inline_svg` of
`memorycell.pages.drawing` turns it into a part of a web page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from memorycell.data.tables.encoded import EncodedTable, Forecasts
from memorycell.jobs.forecasting.measures.metrics import Coverage, central_levels
from memorycell.jobs.forecasting.measures.result import Evaluation
from memorycell.jobs.forecasting.page.told import at_places, colour_name, note, tell_fan, thinned
from memorycell.pages.drawing import (
    DASHES,
    FONT,
    PALETTE,
    SERIES,
    TICKS,
    WIDE,
    canvas,
    end_labels,
    far_left,
    heading,
    label,
    thin,
    time_axis,
    write,
    x_label,
)
from memorycell.pages.plots.ranges import above, beyond, in_sight
from memorycell.pages.pointer import Line, tell_lines, tell_notes
from memorycell.pages.wording import percent, significant

MOST_PANELS = 6
_SPLIT_COLOURS = {"validation": "ochre", "calibration": "green", "test": "vermilion"}


def forecast_fan(
    forecasts: Forecasts,
    encoded: EncodedTable | None = None,
    *,
    rows: Sequence[int] | None = None,
    targets: Sequence[int] | None = None,
    history: int | None = None,
    unit: str | None = None,
    width: float = WIDE,
) -> Figure:
    """The past, the forecast with its central intervals, and what came where that is known.

    Parameters
    ----------
    forecasts : n origins, H steps, K targets; at most 6 panels of a series and a target are drawn
    encoded : the table forecast from; None draws no history
    rows, targets : which of the n origins and K targets; None: the last origin of each series, all targets
    history : steps before the origin; None is four times the horizon and at least 48
    unit : of the targets

    Example
    -------
    >>> day, y, zero = np.arange(3)[None], np.ones((1, 3, 1)), np.zeros(1, int)
    >>> ahead = Forecasts(y, y[..., None], (0.5,), y * np.nan, zero, zero, day, day[:, 0], ["y"], ["a"])
    >>> len(forecast_fan(ahead).axes)
    1
    """
    if rows is None:
        found, last = np.unique(forecasts.series[::-1], return_index=True)
        rows = (len(forecasts.series) - 1 - last)[np.argsort(found)].tolist()
    panels = [(row, k) for row in rows for k in targets or range(len(forecasts.target_names))]
    # What has no forecast is not drawn, where there is anything else.
    panels = [panel for panel in panels if np.isfinite(forecasts.point[panel[0], :, panel[1]]).any()] or panels[:1]
    figure, axes = canvas(width, _panel_height(len(panels), 240), min(len(panels), MOST_PANELS))
    before = history or max(4 * forecasts.point.shape[1], 48)
    for ax, (row, k) in zip(axes, panels, strict=False):
        series = f"{label(forecasts.ids[forecasts.series[row]])}: " if len(forecasts.ids) > 1 else ""
        by_level = ", level of its last values" if forecasts.reasons and forecasts.reasons[row] else ""
        heading(ax, f"{series}{label(forecasts.target_names[k])}{_in_unit(unit)}{by_level}")
        past = _past(encoded, forecasts, row, k, before)
        _draw_fan(ax, forecasts, row, k, past, width, 180 if len(panels) == 1 else 95)
    _left_out(figure, len(panels), "forecasts")
    return figure


def _past(
    encoded: EncodedTable | None, forecasts: Forecasts, row: int, k: int, before: int
) -> tuple[NDArray, NDArray[np.float64]]:
    """Dates and values of a target up to an origin."""
    if encoded is None:
        return forecasts.origin_dates[:0], np.empty(0)
    # By name and date: the forecasts may be of another encoding of the table, with other rows.
    series = encoded.ids.index(forecasts.ids[forecasts.series[row]])
    first, end = int(encoded.offsets[series]), int(encoded.offsets[series + 1])
    origin = forecasts.origin_dates[row]
    stop = first + int(np.searchsorted(encoded.dates[first:end], origin, side="right"))
    start = max(first, stop - before)
    return encoded.wall(encoded.dates[start:stop]), _values(encoded, start, stop, series, k)


def _values(encoded: EncodedTable, start: int, stop: int, series: int, k: int) -> NDArray[np.float64]:
    scaled = encoded.target[start:stop, k].double().numpy()
    return scaled * encoded.scale[series, k] + encoded.center[series, k]


def _draw_fan(
    ax: Axes,
    forecasts: Forecasts,
    row: int,
    k: int,
    past: tuple[NDArray, NDArray[np.float64]],
    width: float,
    height: float,
) -> None:
    dates, seen = past
    x = time_axis(ax, np.concatenate([dates, forecasts.wall(forecasts.dates[row])]), width)
    ahead = x[len(dates) :]
    point, actual = forecasts.point[row, :, k], forecasts.actual[row, :, k]
    ax.plot(x[: len(dates)], seen, color=PALETTE["ink"], linewidth=1.3)
    joined = len(seen) > 0 and np.isfinite(seen[-1])
    start = x[len(dates) - 1 : len(dates)] if joined else ahead[:0]

    def with_start(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([seen[-1:], values]) if joined else values

    ends: list[tuple[float, str, str]] = [(float(point[-1]), "forecast", PALETTE["blue"])]
    shares = central_levels(forecasts.levels)[:3]
    for shade, (share, low, high) in zip((0.16, 0.24, 0.3), shares, strict=False):
        lower, upper = forecasts.quantiles[row, :, k, low], forecasts.quantiles[row, :, k, high]
        if len(ahead) == 1:
            thick = 7 if shade == 0.16 else 13
            ax.vlines(ahead, lower, upper, color=PALETTE["blue"], alpha=2 * shade, linewidth=thick)
        else:
            band = with_start(lower), with_start(upper)
            ax.fill_between(np.concatenate([start, ahead]), *band, color=PALETTE["blue"], alpha=shade, linewidth=0)
        if width > 500:
            ends.append((float(upper[-1]), f"{percent(share)} interval", PALETTE["muted"]))
    if shares and width <= 500:  # one name: in a small picture several would stand among other lines' names
        top = float(forecasts.quantiles[row, -1, k, shares[0][2]])
        ends.append((top, ", ".join(percent(share) for share, _, _ in shares), PALETTE["muted"]))
    mark = "o" if len(ahead) == 1 else None
    ax.plot(
        np.concatenate([start, ahead]),
        with_start(point),
        color=PALETTE["blue"],
        linewidth=1.8,
        marker=mark,
        markersize=6,
    )
    tell_fan(ax, forecasts, row, k, x, seen)
    if np.isfinite(actual).any():
        ax.plot(ahead, actual, color=PALETTE["ink"], linewidth=1.3, marker="o", markersize=3)
        ends.append((float(actual[np.isfinite(actual)][-1]), "what came", PALETTE["ink"]))
    ax.margins(x=0.01)
    end_labels(ax, ends, height, clear=12 if len(ahead) == 1 else 6)


def overview(
    encoded: EncodedTable,
    *,
    splits: Mapping[str, tuple[Any, Any]] | None = None,
    unit: str | None = None,
    width: float = WIDE,
) -> Figure:
    """Every target over its whole length, the parts it was split into shaded and missing values marked below.

    Parameters
    ----------
    splits : first and last date (or step number) of "validation", "calibration" and "test"; others stay white
    """
    panels = _with_values(encoded)
    figure, axes = canvas(width, _panel_height(len(panels), 200), min(len(panels), MOST_PANELS))
    for place, (ax, (series, k)) in enumerate(zip(axes, panels, strict=False)):
        first = int(encoded.offsets[series])
        stop = first + int(encoded.observed_rows[series])
        x = time_axis(ax, encoded.wall(encoded.dates[first:stop]), width)
        values = _values(encoded, first, stop, series, k)
        missing = np.flatnonzero(~np.isfinite(values))
        name = f"{label(encoded.ids[series])}: " if len(encoded.ids) > 1 else ""
        marks = f", {len(missing):,} missing (marked below)" if len(missing) else ""
        heading(ax, f"{name}{label(encoded.target_names[k])}{_in_unit(unit)}{marks}")
        ax.plot(*thin(x, values), color=PALETTE["ink"], linewidth=0.9)
        tell_lines(ax, *thinned(x, values, label(encoded.target_names[k])), called="step")
        if len(missing):
            shown = missing[:: -(-len(missing) // 400)]
            ax.plot(
                x[shown],
                np.full(len(shown), 0.02),
                "|",
                color=PALETTE["vermilion"],
                markersize=7,
                transform=ax.get_xaxis_transform(),
            )
        ax.margins(x=0.01)
        _shade_splits(ax, splits or {}, x, width, named=place == 0)
    _left_out(figure, len(panels), "series")
    return figure


def _with_values(encoded: EncodedTable) -> list[tuple[int, int]]:
    """Series and target of each panel: those that have no value leave their place to others."""
    panels = [(s, k) for s in range(len(encoded.ids)) for k in range(len(encoded.target_names))]
    values = encoded.target_in_units()
    known = [np.isfinite(values[encoded.offsets[s] :][: encoded.observed_rows[s], k]).any() for s, k in panels]
    return [panel for panel, any_known in zip(panels, known, strict=True) if any_known] or panels


def _shade_splits(ax: Axes, splits: Mapping[str, Any], x: NDArray, width: float, *, named: bool) -> None:
    known = [(name, _stamp(pair[0], x), _stamp(pair[1], x)) for name, pair in splits.items() if name in _SPLIT_COLOURS]
    if not known or not len(x):
        return
    if named:
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.34 * (high - low))
    limits = ax.get_xlim()
    used, level = -math.inf, 0
    for name, start, stop in sorted(known, key=lambda part: part[1]):
        colour = PALETTE[_SPLIT_COLOURS[name]]
        ax.axvspan(start, stop, color=colour, alpha=0.13, linewidth=0)
        middle = ax.convert_xunits(start + (stop - start) / 2)
        place, half = (middle - limits[0]) / (limits[1] - limits[0]) * 0.92 * width, 3.6 * len(name)
        place = min(place, 0.92 * width - half)
        level = level + 1 if place - half < used else 0  # a name that would touch the one before goes below it
        used = place + half
        if named:
            write(
                ax,
                place / (0.92 * width),
                0.97 - 0.12 * level,
                name,
                colour,
                va="top",
                ha="center",
                transform=ax.transAxes,
            )
    ax.set_xlim(limits)


def _stamp(value: Any, x: NDArray) -> Any:
    return np.datetime64(value, "us") if np.issubdtype(x.dtype, np.datetime64) else int(value)


def model_colours(evaluation: Evaluation) -> dict[str, tuple[str, Any]]:
    """Colour and dashes of each model, the same in every figure; the forecaster is solid blue."""
    return {model.name: (SERIES[i % len(SERIES)], DASHES[i % len(DASHES)]) for i, model in enumerate(evaluation.models)}


def errors_by_horizon(evaluation: Evaluation, *, target: int = 0, metric: str = "rmse", width: float = WIDE) -> Figure:
    """The error at each step ahead, of the model and of the baselines.

    Parameters
    ----------
    target : which of the K targets
    metric : one of the `per_step` metrics of `Scores`
    """
    figure, (ax,) = canvas(width, 240)
    scores = evaluation.models[0].scores[target]
    unit = {"smape": "%", "mase": ""}.get(metric, scores.unit)
    heading(ax, f"{metric.upper()} of {label(scores.target)}{_in_unit(unit)}")
    x_label(ax, "steps ahead")
    steps, drawn = np.arange(1, evaluation.horizon + 1), []
    for model, (colour, dashes) in reversed(
        list(zip(evaluation.models, model_colours(evaluation).values(), strict=True))
    ):
        ours = model is evaluation.models[0]
        errors = np.array(model.scores[target].per_step.get(metric, np.full(len(steps), np.nan)), float)
        mark = "o" if np.isfinite(errors).sum() <= 12 else None
        ax.plot(
            steps,
            errors,
            color=colour,
            linestyle="-" if ours else dashes,
            linewidth=2 if ours else 1.3,
            marker=mark,
            markersize=4,
        )
        known = errors[np.isfinite(errors)]
        drawn.append((label(model.name, 16), colour, known))
    _within_sight(ax, drawn, 170)
    colours = {name: colour_name(colour) for name, (colour, _) in model_colours(evaluation).items()}
    lines = {
        model.name: Line(colours[model.name], found)
        for model in evaluation.models
        if len(found := np.array(model.scores[target].per_step.get(metric, []), float)) == len(steps)
    }
    tell_lines(ax, steps, lines, called="step ahead", zoom=False)
    ax.margins(x=0.02)
    return figure


def _within_sight(ax: Axes, drawn: Sequence[tuple[str, str, NDArray[np.float64]]], height: float) -> None:
    """The range of errors that has all lines (name, colour, errors) but those that would squash the others.

    Ours is the last of them. Lines in sight are named where they end, the others at the top, with how far they go.
    """
    most = [float(errors.max()) if len(errors) else math.nan for _, _, errors in drawn]
    last = in_sight(most, most[-1] if math.isfinite(most[-1]) else 0.0)
    ax.set_ylim(0, (1.08 * last) or 1.0)
    kept = [(name, colour, errors) for (name, colour, errors), top in zip(drawn, most, strict=True) if not top > last]
    ends = [(float(errors[-1]) if len(errors) else math.nan, name, colour) for name, colour, errors in kept]
    out = [(name, colour, errors) for (name, colour, errors), top in zip(drawn, most, strict=True) if top > last]
    if out:
        ax.set_ylim(0, (1.08 + 0.1 * len(out)) * last)
    above(
        ax,
        [
            (f"{name} ↑ {significant(float(errors.min()))} to {significant(float(errors.max()))}", colour)
            for name, colour, errors in out
        ],
    )
    end_labels(ax, ends, height)


def errors_through_time(evaluation: Evaluation, *, target: int = 0, width: float = WIDE) -> Figure:
    """The mean absolute error over the horizon from each origin in time, smoothed where there are many."""
    figure, (ax,) = canvas(width, 240)
    first = evaluation.models[0]
    dates = len(np.unique(first.forecasts.origin_dates))
    size = max(1, dates // 25) if dates >= 50 else 1
    smooth = f", mean of {size} origins" if size > 1 else ""
    unit = first.scores[target].unit
    heading(ax, f"MAE of {label(first.scores[target].target)}{_in_unit(unit)}{smooth}")
    time_axis(ax, first.forecasts.wall(first.forecasts.origin_dates), width)
    drawn = []
    read: dict[str, Any] = {}
    for model, (colour, dashes) in reversed(
        list(zip(evaluation.models, model_colours(evaluation).values(), strict=True))
    ):
        ours, found, places = model is first, [np.empty(0)], [first.forecasts.origin_dates[:0]]
        for fold in range(len(evaluation.folds)):
            when, errors = _errors_by_date(model.forecasts, evaluation.fold == fold, target)
            errors = np.convolve(errors, np.full(size, 1 / size), "valid") if len(errors) >= size else errors[:0]
            ax.plot(
                when[len(when) - len(errors) :],
                errors,
                color=colour,
                linestyle="-" if ours else dashes,
                linewidth=1.8 if ours else 1.1,
                marker="o" if len(errors) == 1 else None,
            )
            found.append(errors)
            places.append(when[len(when) - len(errors) :])
        read[model.name] = np.concatenate(places), np.concatenate(found), colour_name(colour)
        drawn.append((label(model.name, 16), colour, np.concatenate(found)))
    _within_sight(ax, drawn, 170)
    when = np.unique(np.concatenate([each for each, _, _ in read.values()]))
    tell_lines(
        ax,
        when,
        {name: Line(of, at_places(when, *known)) for name, (*known, of) in reversed(read.items())},
        called="step",
    )
    ax.margins(x=0.01)
    return figure


def _errors_by_date(forecasts: Forecasts, chosen: NDArray[np.bool_], k: int) -> tuple[NDArray, NDArray[np.float64]]:
    """Dates of the `chosen` origins that have an outcome, and the mean |error| of each date."""
    error = np.abs(forecasts.actual[chosen, :, k] - forecasts.point[chosen, :, k])
    when, place = np.unique(forecasts.wall(forecasts.origin_dates[chosen]), return_inverse=True)
    place = np.repeat(place, error.shape[1])
    known = np.isfinite(error.ravel())
    total = np.bincount(place[known], error.ravel()[known], len(when))
    count = np.bincount(place[known], minlength=len(when))
    return when[count > 0], total[count > 0] / count[count > 0]


def forecasts_through_time(
    forecasts: Forecasts,
    *,
    target: int = 0,
    step: int = 1,
    most: int = 160,
    unit: str | None = None,
    width: float = WIDE,
) -> Figure:
    """What was forecast `step` steps ahead, with the widest interval, and what came, of one series.

    At most the last `most` origins are drawn.
    """
    figure, (ax,) = canvas(width, 240)
    rows = np.flatnonzero(forecasts.series == forecasts.series[0])[-most:]
    x = time_axis(ax, forecasts.wall(forecasts.dates[rows, step - 1]), width)
    breaks = _breaks(forecasts.origins[rows])
    name = label(forecasts.target_names[target])
    ahead = "next step" if step == 1 else f"{step} steps ahead"
    series = f"{label(forecasts.ids[forecasts.series[0]])}: " if len(forecasts.ids) > 1 else ""
    heading(ax, f"{series}{name}{_in_unit(unit)}, {ahead}")
    point, actual = forecasts.point[rows, step - 1, target], forecasts.actual[rows, step - 1, target]
    ends = [(float(point[-1]), "forecast", PALETTE["blue"])]
    for share, low, high in central_levels(forecasts.levels)[:1]:
        band = forecasts.quantiles[rows, step - 1, target]
        ax.fill_between(
            _apart(x, breaks),
            _apart(band[:, low], breaks),
            _apart(band[:, high], breaks),
            color=PALETTE["blue"],
            alpha=0.16,
            linewidth=0,
        )
        ends.append((float(band[-1, high]), percent(share), PALETTE["muted"]))
    ax.plot(_apart(x, breaks), _apart(point, breaks), color=PALETTE["blue"], linewidth=1.8)
    ax.plot(x, actual, "o", color=PALETTE["ink"], markersize=2.6)
    bands = {
        f"{percent(share)} interval": Line(
            "blue",
            forecasts.quantiles[rows, step - 1, target, low],
            forecasts.quantiles[rows, step - 1, target, high],
        )
        for share, low, high in central_levels(forecasts.levels)[:1]
    }
    tell_lines(ax, x, {"forecast": Line("blue", point), **bands, "what came": Line("ink", actual)}, called="step")
    if np.isfinite(actual).any():
        ends.append((float(actual[np.isfinite(actual)][-1]), "what came", PALETTE["ink"]))
    ax.margins(x=0.02)
    end_labels(ax, ends, 170)
    return figure


def _breaks(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where a line through origins at these rows must not be drawn on: between folds."""
    gaps = np.diff(rows)
    return np.flatnonzero(gaps > np.median(gaps)) + 1 if len(gaps) else gaps


def _apart(values: NDArray, breaks: NDArray[np.int64]) -> NDArray:
    """`values` with a gap (NaN, or a repeated date) at each break."""
    fill = math.nan if np.issubdtype(values.dtype, np.floating) else values[breaks]
    return np.insert(values, breaks, fill)


def models_compared(evaluation: Evaluation, *, width: float = WIDE) -> Figure:
    """The error of every model as a dot, least on top, with a line from its best to its worst fold."""
    ranking = evaluation.ranking
    figure, (ax,) = canvas(width, 62 + 30 * len(ranking))
    spread = max(len(model.fold_errors) for model in ranking) > 1
    far_left(
        figure,
        f"{evaluation.measure}{_in_unit(evaluation.unit)}{', line: range over the folds' if spread else ''}",
    )
    colours = model_colours(evaluation)
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x", color=PALETTE["grid"], linewidth=0.7)
    ax.xaxis.set_major_locator(MaxNLocator(max(3, int(width / 120)), steps=TICKS))
    last = in_sight([model.error for model in ranking], evaluation.models[0].error)
    for place, model in enumerate(ranking):
        colour = colours[model.name][0]
        folds = [error for error in model.fold_errors if math.isfinite(error)]
        if len(folds) > 1 and model.error <= last:
            ax.plot(
                [min(folds), max(folds)],
                [place, place],
                color=colour,
                linewidth=4,
                alpha=0.3,
                solid_capstyle="butt",
            )
        if not math.isfinite(model.error):
            continue
        if model.error > last:
            beyond(ax, place, significant(model.error), colour)
            continue
        ax.plot(model.error, place, "o", color=colour, markersize=9)
        ax.annotate(
            significant(model.error),
            (model.error, place),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontsize=FONT - 1,
        )
    ax.set_yticks(range(len(ranking)), [label(model.name, 24 if width > 500 else 16) for model in ranking])
    for tick, model in zip(ax.get_yticklabels(), ranking, strict=True):
        tick.set(parse_math=False, color=colours[model.name][0], fontsize=FONT)
    ax.set_ylim(len(ranking) - 0.5, -0.7)
    tell_notes(ax, [(min(one.error, last), place, note(one, evaluation)) for place, one in enumerate(ranking)])
    ax.margins(x=0.08)
    if any(model.error > last for model in ranking):  # room for their marks
        left, right = ax.get_xlim()
        ax.set_xlim(left, right + 0.16 * (right - left))
    return figure


def calibration(evaluation: Evaluation, *, width: float = WIDE) -> Figure:
    """How often each interval of the forecaster held what came, beside how often it should have.

    A tick stands where the share should be, a dot where it was, a bar for the block-bootstrap band around it.
    Without central intervals: the share of outcomes below each quantile.
    """
    rows = _calibration_rows(evaluation)
    shown = rows[: 2 * MOST_PANELS]
    figure, (ax,) = canvas(width, 66 + 34 * len(shown))
    far_left(figure, "share of outcomes held; tick: as it should be")
    ax.set_xticks(range(0, 101, 25), [f"{share} %" for share in range(0, 101, 25)])
    ax.grid(visible=False, axis="y")
    for place, (_, share) in enumerate(shown):
        if share.agrees is not None:
            ax.plot(
                [100 * share.low, 100 * share.high],
                [place, place],
                color=PALETTE["blue"],
                linewidth=8,
                alpha=0.22,
                solid_capstyle="butt",
            )
        ax.plot(100 * share.nominal, place, "|", color=PALETTE["ink"], markersize=20, markeredgewidth=1.6)
        ax.plot(100 * share.observed, place, "o", color=PALETTE["blue"], markersize=8)
        ax.annotate(
            percent(share.observed, 1),
            (100 * share.observed, place),
            xytext=(0, 12),
            textcoords="offset points",
            ha="center",
            color=PALETTE["blue"],
            fontsize=FONT - 1,
        )
    ax.set_yticks(range(len(shown)), [name for name, _ in shown])
    for tick in ax.get_yticklabels():
        tick.set(parse_math=False, fontsize=FONT, color=PALETTE["ink"])
    tell_notes(
        ax,
        [
            (100 * one.observed, place, f"{name}\nheld {percent(one.observed, 1)}, as it should {percent(one.nominal)}")
            for place, (name, one) in enumerate(shown)
        ],
    )
    ax.set_ylim(len(shown) - 0.5, -0.8)
    ax.set_xlim(-2, 102)
    _left_out(figure, len(rows), "intervals", len(shown))
    return figure


def _calibration_rows(evaluation: Evaluation) -> list[tuple[str, Coverage]]:
    model = evaluation.models[0]
    rows = []
    for k, scores in enumerate(model.scores):
        prefix = f"{label(scores.target, 14)}, " if len(model.scores) > 1 else ""
        rows += [(f"{prefix}{percent(share.nominal)}", share) for share in scores.coverage]
        if not scores.coverage:
            actual = model.forecasts.actual[:, :, k]
            for j, level in enumerate(model.forecasts.levels):
                below = (actual <= model.forecasts.quantiles[:, :, k, j])[np.isfinite(actual)]
                if below.size:
                    share = Coverage(level, float(below.mean()), math.nan, math.nan, math.nan)
                    rows.append((f"{prefix}below q{100 * level:g}", share))
    return rows


def _in_unit(unit: str | None) -> str:
    # "units of temp" says nothing that the name beside it does not say.
    return "" if not unit or unit.startswith("units of ") else f" ({label(unit, 20)})"


def _panel_height(panels: int, alone: int) -> float:
    return alone if panels <= 1 else 150 * min(panels, MOST_PANELS) + 20


def _left_out(figure: Figure, count: int, what: str, shown: int = MOST_PANELS) -> None:
    if count > shown:
        figure.supxlabel(
            f"{count - shown:,} more {what} are not drawn",
            fontsize=FONT - 1,
            color=PALETTE["muted"],
            x=0.02,
            ha="left",
        )
