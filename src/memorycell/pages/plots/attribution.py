"""plot_attribution: what each step of a sequence adds to an output, as figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from memorycell.pages.drawing import (
    FONT,
    PALETTE,
    TICKS,
    WIDE,
    canvas,
    checked_width,
    heading,
    label,
    name_rows,
    panels,
    thin,
    tint,
    write,
)
from memorycell.pages.plots.steps import (
    MARGINS,
    are_words,
    bands,
    fold,
    needs,
    one_dimensional,
    say_bands,
    say_step,
    shortened,
    step_ticks,
    token,
    word_width,
)
from memorycell.pages.plots.waterfall import parts_of, waterfall
from memorycell.pages.pointer import Line, tell_lines, tell_map
from memorycell.pages.wording import significant

if TYPE_CHECKING:
    from memorycell.insight.explanation import Explanation

MOST_CHANNELS = 3
_MOST_READ = 400  # steps that the pointer reads
MOST_FEATURES = 8
MOST_WORDS = 120  # of a text that is written out
_LINE = 21.0  # pixels of a line of words
_STRONGEST, _FAINTEST = 0.5, 0.03  # opacity behind a word: it is still read, and it is seen


def attribution(
    explanation: Explanation,
    shown: ArrayLike | None = None,
    *,
    channels: Sequence[str] = (),
    width: float = WIDE,
) -> Figure:
    """One output taken apart: its steps coloured, what each adds, and how all parts sum to it.

    Blue adds, vermilion (hatched) takes away. Words are written out with colour behind them; a series is drawn over its
    colours, with a bar a step below (bands of steps where there are more than pixels: their sum). Where features have
    names a heat map says which of them it was. The last panel goes from zero to the output, part by part, with the
    bias, the initial state, the residual and whatever else belongs to no step as parts of their own.

    Parameters
    ----------
    explanation : what ``model.explain(X)`` returns
    shown : (T,) or (T, C) the series as the user knows it, in units; at most 3 columns are drawn
    channels : names of its C columns

    Raises
    ------
    ValueError
        If `shown` has not as many rows as the explanation has steps, or there are no steps.

    Example
    -------
    >>> from memorycell.insight.explanation import Explanation
    >>> parts = Explanation("occlusion", "score", 3.0, ["so", "good"], np.array([0.5, 2.0]), {"residual": 0.5})
    >>> [ax.get_title(loc="left") for ax in attribution(parts).axes]
    ['score, by occlusion', 'what adds up to 3.00']
    """
    width = checked_width(width)
    needs(explanation, "an Explanation", "scores", "terms", "labels")
    scores = one_dimensional(explanation.scores, "scores")
    words = shown is None and are_words(explanation.labels)
    parts = parts_of(explanation, words)
    sums = [(23.0 if width > 500 else 34.0) * (len(parts) + 1)]
    if words:
        spelt = _lines(explanation.labels, scores, width - 12)
        figure, (top, bottom) = panels(width, [_LINE * len(spelt)], sums)
        _write_words(top[0], spelt, scores, width - 12)
        heading(top[0], _title(explanation, width))
    else:
        series = np.empty((len(scores), 0)) if shown is None else _columns(shown, len(scores))
        features = _strongest_features(explanation)
        heights = [95.0] * min(series.shape[1], MOST_CHANNELS) + [95.0] + [17.0 * len(features)] * bool(len(features))
        figure, (top, bottom) = panels(width, heights, sums)
        _draw_series(top, explanation, series, channels, features, width)
    waterfall(bottom[0], parts, explanation, width)
    return figure


def _title(explanation: Explanation, room: float) -> str:
    return fold(f"{label(explanation.output, 70)}, by {label(explanation.method)}", room - 60)


def _draw_series(
    axes: list[Axes],
    explanation: Explanation,
    series: NDArray[np.float64],
    channels: Sequence[str],
    features: NDArray[np.int64],
    width: float,
) -> None:
    """The series over its scores, the scores as bars, and by feature."""
    scores = np.asarray(explanation.scores, float)
    names = [shortened(explanation.features[k], 24 if width > 500 else 14) for k in features]  # type: ignore[index]
    aside = max([word_width(name, FONT - 1) for name in names], default=0)
    room = width - max(0.0, aside - 40)
    rest = iter(axes)
    for column in range(min(series.shape[1], MOST_CHANNELS)):
        name = label(channels[column]) if column < len(channels) else "what it read"
        left = series.shape[1] - MOST_CHANNELS
        more = f" ({left} more not drawn)" if left > 0 and column == MOST_CHANNELS - 1 else ""
        axes_of = next(rest)
        _shade(axes_of, series[:, column], scores, name + more, width)
        if len(series) <= _MOST_READ:
            read = {name: Line("ink", series[:, column]), "adds": Line("blue", scores)}
            tell_lines(axes_of, np.arange(len(series)), read, labels=[say_step(each) for each in explanation.labels])
    _bars(next(rest), scores, _title(explanation, room), width, explanation.labels)
    if names:
        _heat(next(rest), explanation, features, names, room)
    step_ticks(axes[-1], len(scores), explanation.labels, room)


def compare_attributions(explanations: Sequence[Explanation], *, width: float = WIDE) -> Figure:
    """What several methods say of the same output, below each other on one scale.

    A band behind a step marks where methods disagree about its sign and neither is near zero (a tenth of the
    strongest score); the last line says how many there are.

    Parameters
    ----------
    explanations : of one output of one sequence

    Raises
    ------
    ValueError
        If there are none, or they are of sequences of different lengths or of different outputs.

    Example
    -------
    >>> from memorycell.insight.explanation import Explanation
    >>> one = Explanation("occlusion", "score", 2.5, ["so", "good"], np.array([0.5, 2.0]), {"residual": 0.0})
    >>> two = Explanation("decomposition", "score", 2.5, ["so", "good"], np.array([-0.5, 3.0]), {"residual": 0.0})
    >>> [ax.get_title(loc="left") for ax in compare_attributions([one, two]).axes]
    ['score, by occlusion', 'by decomposition']
    """
    width = checked_width(width)
    needs(explanations, "a list of explanations", "__len__", "__getitem__")
    for each in explanations:
        needs(each, "an Explanation", "scores", "terms", "labels")
    if not explanations:
        raise ValueError("expected at least one explanation, got none")
    first = explanations[0]
    for other in explanations[1:]:
        if len(other.scores) != len(first.scores) or other.output != first.output:
            raise ValueError(
                f"expected explanations of one output of one sequence, got {first.output!r} of {len(first.scores)} "
                f"steps and {other.output!r} of {len(other.scores)}"
            )
    scores = np.stack([one_dimensional(each.scores, "scores") for each in explanations])
    apart = _disagreement(scores)
    marked = len(apart) <= width and bool(apart.any())
    figure, axes = canvas(width, 60 + 112 * len(explanations), len(explanations))
    low, high = min(0.0, float(np.nanmin(scores, initial=0))), max(0.0, float(np.nanmax(scores, initial=0)))
    room = 0.08 * (high - low or 1.0)
    for place, (ax, each) in enumerate(zip(axes, explanations, strict=True)):
        _bars(ax, scores[place], f"by {label(each.method)}" if place else _title(each, width), width, each.labels)
        for step in np.flatnonzero(apart) if marked else []:
            ax.axvspan(step - 0.5, step + 0.5, color=PALETTE["ochre"], alpha=0.2, linewidth=0)
        ax.set_ylim(low - room, high + room)
    step_ticks(axes[-1], len(apart), first.labels, width)
    if len(explanations) > 1:
        verdict, colour = "no step has opposite signs", PALETTE["muted"]
        if apart.any():
            verdict = f"methods disagree about the sign of {int(apart.sum()):,} of {len(apart):,} steps"
            verdict, colour = verdict + (", shaded" if marked else ""), PALETTE["ochre"]
        figure.supxlabel(fold(verdict, width - 20), x=0.005, ha="left", fontsize=FONT - 1, color=colour)
    return figure


def _disagreement(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(methods, T): at which steps one says clearly plus, and another clearly minus."""
    scale = np.nanmax(np.abs(scores), axis=1, keepdims=True, initial=0)
    share = np.divide(scores, scale, out=np.zeros_like(scores), where=scale > 0)
    return (share > 0.1).any(0) & (share < -0.1).any(0)


# ---------------------------------------------------------------------- words


def _lines(
    labels: Sequence[Any], scores: NDArray[np.float64], room: float
) -> list[list[tuple[int | None, str, float, float]]]:
    """Words laid out in lines: (step, word, left, width) in pixels. Of a long text the stretch that matters most."""
    start = _start(np.nan_to_num(np.abs(scores)))
    stop = min(len(labels), start + MOST_WORDS)
    words: list[tuple[int | None, str]] = [(step, token(labels[step], 24)) for step in range(start, stop)]
    words = [(None, f"… {start:,} before")] * (start > 0) + words
    words += [(None, f"… {len(labels) - stop:,} more")] * (stop < len(labels))
    single = all(len(str(each)) <= 1 for each in labels)
    gap, pad = (1.0, 2.0) if single else (3.0, 6.0)
    lines: list[list[tuple[int | None, str, float, float]]] = [[]]
    left = 0.0
    for step, word in words:
        wide = word_width(word) + pad
        if lines[-1] and left + wide > room:
            lines.append([])
            left = 0.0
        lines[-1].append((step, word, left, wide))
        left += wide + gap
    return lines


def _start(sizes: NDArray[np.float64]) -> int:
    """Where to begin a text that is too long: where most happens, but for a little more not elsewhere than at once."""
    if len(sizes) <= MOST_WORDS:
        return 0
    sums = np.concatenate([[0.0], sizes.cumsum()])
    inside = sums[MOST_WORDS:] - sums[:-MOST_WORDS]
    return 0 if inside[0] >= 0.8 * inside.max() else int(inside.argmax())


def _write_words(
    ax: Axes, lines: list[list[tuple[int | None, str, float, float]]], scores: NDArray[np.float64], room: float
) -> None:
    ax.set_axis_off()
    most = float(np.nanmax(np.abs(scores), initial=0)) or 1.0
    for row, line in enumerate(lines):
        for step, word, left, wide in line:
            score = 0.0 if step is None else float(np.nan_to_num(scores[step]))
            colour = PALETTE["blue" if score >= 0 else "vermilion"]
            strength = _STRONGEST * abs(score) / most
            if strength > _FAINTEST:
                ax.add_patch(Rectangle((left, row + 0.08), wide, 0.84, color=colour, alpha=strength, linewidth=0))
                if score < 0:  # without colours too it is seen what takes away
                    ax.plot([left, left + wide], [row + 0.92, row + 0.92], color=colour, linewidth=1.2)
            ink = PALETTE["muted" if step is None else "ink"]
            write(ax, left + wide / 2, row + 0.5, word, ink, ha="center", fontsize=FONT)
    ax.set_xlim(0, room)
    ax.set_ylim(len(lines), 0)


# ---------------------------------------------------------------------- series


def _columns(shown: ArrayLike, steps: int) -> NDArray[np.float64]:
    series = np.asarray(shown, float)
    series = series[:, None] if series.ndim == 1 else series
    if series.ndim != 2 or len(series) != steps:
        raise ValueError(f"expected shown of shape ({steps},) or ({steps}, channels), got {np.shape(shown)}")
    return series


def _summed(scores: NDArray[np.float64], width: float) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Scores by band, no more than a bar has pixels for: where each band stands, its sum, its size."""
    means, size = bands(scores, int((width - MARGINS) / 2), strongest=False)
    starts = np.arange(len(means)) * size
    counts = np.minimum(size, len(scores) - starts)
    return starts + (counts - 1) / 2, np.nan_to_num(means) * counts, size


def _bars(ax: Axes, scores: NDArray[np.float64], title: str, width: float, called: Sequence[Any] | None = None) -> None:
    places, sums, size = _summed(scores, width)
    heading(ax, title + (f", sums of {size} steps" if size > 1 else ""))
    for chosen, colour, hatch in ((sums >= 0, "blue", None), (sums < 0, "vermilion", "////")):
        few = len(sums) <= 80
        ax.bar(
            places[chosen], sums[chosen], width=size * (0.8 if few else 1.0), color=PALETTE[colour],
            alpha=0.75, linewidth=0, hatch=hatch if few else None, edgecolor=PALETTE["grid"],
        )  # fmt: skip
    if called is not None and size == 1:
        tell_lines(
            ax, np.arange(len(scores)), {"adds": Line("blue", scores)}, labels=[say_step(each) for each in called]
        )
    ax.axhline(0, color=PALETTE["muted"], linewidth=0.8)
    ax.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2, steps=TICKS))
    ax.set_xlim(-0.5, len(scores) - 0.5)
    ax.set_xticks([])


def _shade(ax: Axes, series: NDArray[np.float64], scores: NDArray[np.float64], name: str, width: float) -> None:
    heading(ax, name)
    x, y = thin(np.arange(len(series)), series)
    ax.plot(x, y, color=PALETTE["ink"], linewidth=1.3, marker="o" if len(series) <= 40 else None, markersize=3)
    ax.margins(y=0.12)
    low, high = ax.get_ylim()
    _, sums, size = _summed(scores, width)
    most = float(np.abs(sums).max(initial=0)) / _STRONGEST
    colour = (sums < 0)[:, None]
    strip = np.where(colour, tint(-sums, PALETTE["vermilion"], most), tint(sums, PALETTE["blue"], most))
    ax.imshow(
        strip[None], aspect="auto", interpolation="none", extent=(-0.5, len(sums) * size - 0.5, low, high), zorder=0.5
    )
    ax.set_ylim(low, high)
    ax.set_xlim(-0.5, len(series) - 0.5)
    ax.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2, steps=TICKS))
    ax.set_xticks([])


def _strongest_features(explanation: Explanation) -> NDArray[np.int64]:
    """Which features to show, those that matter most on top; none where they have no names or there is but one."""
    found = explanation.by_feature
    if found is None or explanation.features is None or found.shape[1] < 2:
        return np.empty(0, int)
    return np.argsort(-np.nansum(np.abs(found), axis=0), kind="stable")[:MOST_FEATURES]


def _heat(ax: Axes, explanation: Explanation, chosen: NDArray[np.int64], names: Sequence[str], width: float) -> None:
    found = np.asarray(explanation.by_feature, float)
    array, size = bands(found[:, chosen], int(width - MARGINS), strongest=True)
    most = float(np.nanmax(np.abs(array), initial=0))
    colour = (array.T < 0)[..., None]
    picture = np.where(colour, tint(-array.T, PALETTE["vermilion"], most), tint(array.T, PALETTE["blue"], most))
    left = found.shape[1] - len(chosen)
    others = f", {left} more not drawn" if left else ""
    heading(ax, fold(f"by feature, from −{significant(most, 2)} to {significant(most, 2)}{others}", width - 50))
    ax.grid(visible=False)
    ax.imshow(
        picture, aspect="auto", interpolation="none", extent=(-0.5, len(array) * size - 0.5, len(chosen) - 0.5, -0.5)
    )
    name_rows(ax, names, 24)
    features = [explanation.features[k] for k in chosen]  # type: ignore[index]
    tell_map(ax, array.T, features, say_bands(explanation.labels, len(found), size), size=size)
    ax.set_xlim(-0.5, len(explanation.scores) - 0.5)
    ax.set_xticks([])
