"""plot_classes: what classifiers, regressors and taggers answer and how often they are right, as figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation
from numpy.typing import ArrayLike, NDArray

from memorycell.evaluation.class_metrics import Measures
from memorycell.evaluation.result import CrossValidation
from memorycell.pages.drawing import (
    COLOURS,
    DASHES,
    FONT,
    NARROW,
    PALETTE,
    SERIES,
    TICKS,
    WIDE,
    canvas,
    end_labels,
    far_left,
    heading,
    label,
    name_rows,
    write,
    x_label,
)
from memorycell.pages.plots.ranges import beyond, in_sight
from memorycell.pages.plots.steps import shortened, word_width
from memorycell.pages.pointer import Line, tell_cells, tell_lines, tell_notes
from memorycell.pages.wording import percent, significant

MOST_CLASSES = 30  # of a confusion matrix
MOST_CURVES = 6
_MOST_ON_PHONES = 15  # of a confusion matrix on a narrow picture
_IN_ORDER = 12  # classes up to which a confusion matrix keeps their order
_LEAST_CELL = 16.0  # pixels: its name is read beside it
_SHARES = np.linspace(0, 1, 101)  # where curves are read
FEWEST = 5  # answers of a group whose share of right ones is drawn
_LEAST_RANGE = 10.0  # percent: of the axis of scores
_STRONGEST = 0.6  # opacity of a cell that holds a whole row: text on it is still read
_MOST_POINTS = 2000  # of a scatter plot
_MOST_READ = 300  # of them that the pointer reads
_MOST_OUTPUTS = 4


def models_scored(evaluation: CrossValidation, *, width: float = WIDE) -> Figure:
    """The score of every model as a dot, best on top, with its interval.

    Example
    -------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from memorycell.evaluation.cross_validation import cross_validate
    >>> x = np.random.default_rng(0).normal(size=(60, 4))
    >>> figure = models_scored(cross_validate(DecisionTreeClassifier(random_state=0), x, x[:, 0] > 0, folds=2))
    >>> figure.axes[0].get_yticklabels()[0].get_text()
    'DecisionTreeClassifier'
    """
    ranking, measure = evaluation.ranking, evaluation.ranked_by
    figure, (ax,) = canvas(width, 62 + 34 * len(ranking))
    known = any(math.isfinite(model.intervals[measure.key].low) for model in ranking)
    band = f", line: {percent(evaluation.level)} interval" if known else ""
    far_left(figure, f"{measure.name}{' in %' if measure.in_percent else ''}{band}")
    _sideways(ax, width)
    scale = 100 if measure.in_percent else 1
    low, high = _range_of(evaluation)
    for place, model in enumerate(ranking):
        colour = PALETTE["blue"] if model is evaluation.models[0] else PALETTE["grey"]
        found, value = model.intervals[measure.key], evaluation.value_of(model)
        if value > high:
            beyond(ax, place, measure.show(value).removesuffix(" %"), colour)
            continue
        if value < low:
            write(ax, 0.012, place, f"◂ {measure.show(value)}", colour, transform=ax.get_yaxis_transform())
            continue
        if math.isfinite(found.low):
            ends = [scale * found.low, scale * found.high]
            ax.plot(ends, [place, place], color=colour, linewidth=5, alpha=0.3, solid_capstyle="butt")
        if math.isfinite(value):
            ax.plot(scale * value, place, "o", color=colour, markersize=9)
            _above(ax, measure.show(value).removesuffix(" %"), scale * value, place, colour)
    name_rows(ax, [model.name for model in ranking], 30 if width > 500 else 17, FONT)
    for tick, model in zip(ax.get_yticklabels(), ranking, strict=True):
        tick.set_color(PALETTE["blue"] if model is evaluation.models[0] else PALETTE["ink"])
    ax.set_ylim(len(ranking) - 0.5, -0.75)
    tell_notes(
        ax,
        [
            (scale * min(max(evaluation.value_of(one), low), high), place, _note(one, evaluation))
            for place, one in enumerate(ranking)
        ],
    )
    ax.margins(x=0.08)
    left, right = ax.get_xlim()
    if measure.in_percent:  # as wide as is worth looking at, and never beyond what shares can be
        wide = max(0.0, _LEAST_RANGE - (right - left)) / 2
        ax.set_xlim(max(-2, left - wide), min(102, right + wide))
    elif math.isfinite(high):  # room for the mark of those that are beyond
        ax.set_xlim(left, right + 0.16 * (right - left))
    return figure


def _note(model: Any, evaluation: CrossValidation) -> str:
    """What the pointer reads of a model."""
    measure, found = evaluation.ranked_by, model.intervals[evaluation.measure]
    said = f"{model.name}\n{measure.name} {measure.show(evaluation.value_of(model))}"
    if not math.isfinite(found.low):
        return said
    low = measure.show(found.low).removesuffix(" %")
    return f"{said}\n{percent(evaluation.level)} interval {low} to {measure.show(found.high)}"


def _range_of(evaluation: CrossValidation) -> tuple[float, float]:
    """Between which scores the axis goes: errors far beyond all others, and R² far below 0, would squash the rest."""
    measure, ours = evaluation.ranked_by, evaluation.score
    known = [value for value in map(evaluation.value_of, evaluation.models) if math.isfinite(value)]
    if measure.in_percent or len(known) < 2:
        return -math.inf, math.inf
    if measure.better == "less" and min(known) >= 0:
        last = in_sight(known, ours)
        return -math.inf, last if last < max(known) else math.inf
    low = min(known)
    return (-1.0 if measure.perfect == 1 and low < -1 < min(ours, max(known)) else -math.inf), math.inf


def _sideways(ax: Axes, width: float) -> None:
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x", color=PALETTE["grid"], linewidth=0.7)
    ax.xaxis.set_major_locator(MaxNLocator(max(3, int(width / 120)), steps=TICKS))


def _above(ax: Axes, text: str, x: float, y: float, colour: str) -> None:
    ax.annotate(
        text, (x, y), xytext=(0, 10), textcoords="offset points", ha="center", color=colour, fontsize=FONT - 1,
        parse_math=False,
    )  # fmt: skip


def most_confused(counts: NDArray[np.int64], most: int = MOST_CLASSES) -> NDArray[np.int64]:
    """Which of K classes to show where K is more than `most`: those with most rows that are, or are taken for, others.

    Example
    -------
    >>> most_confused(np.array([[9, 0, 1], [0, 9, 0], [2, 0, 7]]), 2).tolist()
    [0, 2]
    """
    if len(counts) <= most:
        return np.arange(len(counts))
    wrong = counts - np.diag(np.diag(counts))
    return np.sort(np.argsort(-(wrong.sum(0) + wrong.sum(1)), kind="stable")[:most])


def side_by_side(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """An order of K classes in which those that are taken for each other stand together.

    Classes are clustered by the shares of their rows that go from one to the other (average linkage), the leaves of the
    tree ordered so that neighbours are alike (Bar-Joseph, Gifford & Jaakkola 2001).

    Example
    -------
    >>> side_by_side(np.array([[5, 0, 5, 0], [0, 5, 0, 5], [4, 0, 6, 0], [0, 1, 0, 9]])).tolist()
    [0, 2, 3, 1]
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(counts) < 3:
        return np.arange(len(counts))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    # A root, so that a few rows taken for another count beside many.
    apart = 1 - np.sqrt(np.clip((shares + shares.T) / 2, 0, 1))
    np.fill_diagonal(apart, 0)
    return leaves_list(linkage(squareform(apart, checks=False), "average", optimal_ordering=True)).astype(np.int64)


def classes_drawn(count: int, width: float = WIDE) -> int:
    """Of how many classes a confusion matrix of this width can be read."""
    return min(count, MOST_CLASSES if width > 500 else _MOST_ON_PHONES)


def confusion(counts: NDArray[np.int64], classes: Sequence[Any], *, width: float = WIDE) -> Figure:
    """A confusion matrix: a row for each true class, a column for each answer, cells shaded by their share of the row.

    Where there is room each cell says its share in % and its count. Of more than 12 classes those that are taken for
    each other stand together; of more than 30 (15 on a narrow picture) the most confused are drawn, and a last column
    says how many answers went to the others.

    Parameters
    ----------
    counts : int64 (K, K)
    classes : K names

    Example
    -------
    >>> figure = confusion(np.array([[8, 2], [1, 9]]), ["no", "yes"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['80 %', '8', '20 %', '2', '10 %', '1', '90 %', '9']
    """
    counts = np.asarray(counts)
    rows = most_confused(counts, classes_drawn(len(counts), width))
    totals, left = counts.sum(1)[rows], len(counts) - len(rows)
    names = [classes[row] for row in rows]
    shown = counts[np.ix_(rows, rows)]
    if len(rows) > _IN_ORDER:
        order = side_by_side(shown)
        shown, totals, names = shown[np.ix_(order, order)], totals[order], [names[place] for place in order]
    if left:
        shown = np.column_stack([shown, totals - shown.sum(1)])
    wide = width > 500
    return _matrix(shown, totals, names, f"{left:,} others" if left else "", width, wide)


def in_order(count: int, width: float | None = None, noun: str = "class") -> str:
    """What a caption says of the order of classes and of those left out; without a width of both pictures of a page.

    Example
    -------
    >>> in_order(12), in_order(40, 720)
    ('', ' Classes that are taken for each other stand together. Of 40 the 30 most confused.')
    >>> in_order(20)
    ' Classes that are taken for each other stand together. On a phone the 15 most confused.'
    """
    if count <= _IN_ORDER:
        return ""
    drawn = [classes_drawn(count, each) for each in ((WIDE, NARROW) if width is None else (width,))]
    said = f" {'Classes' if noun == 'class' else f'{noun.capitalize()}s'} that are taken for each other stand together."
    if count > drawn[0]:
        phone = f" (on a phone {drawn[1]})" if len(drawn) > 1 else ""
        return f"{said} Of {count:,} the {drawn[0]} most confused{phone}."
    return said if count <= drawn[-1] else f"{said} On a phone the {drawn[-1]} most confused."


def _matrix(
    counts: NDArray[np.int64], totals: NDArray[np.int64], names: Sequence[Any], others: str, width: float, wide: bool
) -> Figure:
    """Rows of classes, columns of answers, the last of them for all `others` where there are any."""
    (k, columns), whole = counts.shape, list(names)
    named = [*(shortened(name, 14) for name in names), *([others] if others else [])]
    names = [shortened(name, 18 if wide else 11) for name in names]
    aside = min(max(word_width(name, FONT - 1) for name in names) + 40, 190 if wide else 120)
    cell = min((width - aside) / columns, 92 if wide else 64)
    high = max(min(cell, 52), _LEAST_CELL)
    upright = cell < 12 + 6.2 * max(map(len, named))
    figure, (ax,) = canvas(width, high * k + (118 if upright else 60))
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)
    for i in range(k):
        for j in range(columns):
            share = counts[i, j] / totals[i] if totals[i] else 0.0
            colour = PALETTE["blue" if i == j else "grey" if j == k else "vermilion"]
            ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, color=colour, alpha=_STRONGEST * share, linewidth=0))
            _cell_text(ax, i, j, int(counts[i, j]), share, cell, high)
    for edge in np.arange(k + 1) - 0.5:
        ax.plot([-0.5, columns - 0.5], [edge, edge], color=PALETTE["grid"], linewidth=0.7)
    for edge in np.arange(columns + 1) - 0.5:
        ax.plot([edge, edge], [-0.5, k - 0.5], color=PALETTE["grid"], linewidth=0.7)
    tell_cells(ax, counts, totals, whole, [*whole, *([others] if others else [])])
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(k - 0.5, -0.5)
    ax.set_xticks(range(columns), named, rotation=90 if upright else 0)
    ax.xaxis.tick_top()
    name_rows(ax, names, 18, FONT)
    for tick in (*ax.get_xticklabels(), *ax.get_yticklabels()):
        tick.set(parse_math=False, fontsize=FONT - 1, color=PALETTE["ink"])
    ax.set_ylabel("is", fontsize=FONT - 1, color=PALETTE["muted"], rotation=0, ha="right", va="center")
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("answered", fontsize=FONT - 1, color=PALETTE["muted"])
    return figure


def _cell_text(ax: Axes, i: int, j: int, count: int, share: float, cell: float, high: float) -> None:
    colour = PALETTE["ink"] if count else PALETTE["muted"]
    # Cells have their room: a thousand of them need no layout.
    options = {"ha": "center", "in_layout": False}
    if not count and i != j and cell < 90:
        return
    if cell >= 46 and high >= 34:
        write(ax, j, i - 0.16, percent(share, 0), colour, fontsize=FONT - 1, **options)
        write(ax, j, i + 0.2, f"{count:,}", colour, fontsize=FONT - 2, **options)
        return
    text = f"{100 * share:.0f}"
    if count and (100 * share >= 9.5 or i == j) and word_width(text, FONT - 2) <= cell:
        write(ax, j, i, text, colour, fontsize=FONT - 2, **options)


def curves(measures: Measures, *, width: float = WIDE) -> Figure:
    """ROC and precision–recall curves, each class against the rest; of two classes the second, of many the commonest.

    Parameters
    ----------
    measures : with `roc` and `precision_recall`
    """
    chosen = _curves_shown(measures)
    wide = width > 500
    figure, axes = canvas(width, 300 if wide else 560, 1 if wide else 2, ncols=2 if wide else 1)
    drawn = (("ROC", "false positive rate", measures.roc), ("precision", "recall", measures.precision_recall))
    for ax, (name, below, found) in zip(axes, drawn, strict=True):
        heading(ax, "true positive rate (ROC)" if name == "ROC" else "precision")
        x_label(ax, below)
        if name == "ROC":
            ax.plot([0, 1], [0, 1], color=PALETTE["muted"], linewidth=1, linestyle=(0, (2, 3)))
        lines = [curve for curve in found if curve["class"] in chosen]
        for place, curve in enumerate(lines):
            ax.plot(
                curve["x"], curve["y"], color=SERIES[place % len(SERIES)], linewidth=1.6,
                linestyle=DASHES[place % len(DASHES)], drawstyle="default" if name == "ROC" else "steps-pre",
            )  # fmt: skip
        _key(ax, lines, roc=name == "ROC")
        told = {
            label(each["class"], 40): _read(each, COLOURS[place % len(COLOURS)], roc=name == "ROC")
            for place, each in enumerate(lines)
        }
        tell_lines(ax, _SHARES, told, called=f"{below}:", zoom=False)
        ax.set_xlim(-0.01, 1.01)
        ax.set_ylim(-0.02, 1.04)
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    return figure


def _read(curve: dict[str, Any], colour: str, *, roc: bool) -> Line:
    """What the pointer reads of a curve: its height at each of `_SHARES`, as it is drawn."""
    x, y = np.asarray(curve["x"], float), np.asarray(curve["y"], float)
    order = np.lexsort((y if roc else -y, x))
    x, y = x[order], y[order]
    if roc:  # where it rises straight up, its upper end
        top = np.flatnonzero(np.append(np.diff(x) > 0, True))
        return Line(colour, np.interp(_SHARES, x[top], y[top]), digits=3)
    # Of as much or more found, the first: steps go back from a point to the one before.
    return Line(colour, y[np.searchsorted(x, _SHARES - 1e-9).clip(max=len(x) - 1)], digits=3)


def _key(ax: Axes, lines: Sequence[dict[str, Any]], *, roc: bool) -> None:
    """A stretch of each line, its name and area, in the corner that the curves leave free."""
    # Name and area stand apart: in a line with it an Arabic name would take the number to its other side.
    names = [label(each["class"], 14) for each in lines]
    longest = max(word_width(name, FONT - 1) for name in names)
    width = ax.get_figure(root=True).get_figwidth() * 72  # type: ignore[union-attr]
    room = width / (2.2 if width > 500 else 1.15)  # pixels of the axes, about
    start = 0.97 - (longest + 72) / room if roc else 0.03
    for place, (name, curve) in enumerate(zip(names, lines, strict=True)):
        y, colour = 0.05 + 0.075 * (len(lines) - 1 - place), SERIES[place % len(SERIES)]
        ax.plot(
            [start, start + 20 / room], [y, y], color=colour, linewidth=1.6, linestyle=DASHES[place % len(DASHES)],
            transform=ax.transAxes,
        )  # fmt: skip
        write(ax, start + 26 / room, y, name, colour, ha="left", transform=ax.transAxes)
        write(ax, start + (longest + 72) / room, y, f"{curve['area']:.3f}", colour, ha="right", transform=ax.transAxes)


def _curves_shown(measures: Measures) -> list[Any]:
    classes = [curve["class"] for curve in measures.roc]
    if len(measures.classes) == 2:
        return classes[-1:]
    if len(classes) <= MOST_CURVES:
        return classes
    support = {row["class"]: row["support"] for row in measures.per_class}
    return sorted(classes, key=lambda name: -support[name])[:MOST_CURVES]


def reliability(bins: Sequence[dict[str, float]], *, width: float = WIDE) -> Figure:
    """How often answers are right, by the probability that they were given; dots on the line are as they should be.

    Parameters
    ----------
    bins : "confidence", "accuracy" and "count" of each, see `Measures`
    """
    figure, (ax,) = canvas(width, 260)
    bins = [found for found in bins if found["count"] >= FEWEST]
    heading(ax, "share that is right")
    x_label(ax, "probability of the answer")
    ax.plot([0, 1], [0, 1], color=PALETTE["muted"], linewidth=1, linestyle=(0, (2, 3)))
    total = sum(found["count"] for found in bins)
    x, y = ([found[name] for found in bins] for name in ("confidence", "accuracy"))
    ax.plot(x, y, color=PALETTE["blue"], linewidth=1, alpha=0.5)
    sizes = [16 + 500 * found["count"] / max(total, 1) for found in bins]
    ax.scatter(x, y, s=sizes, color=PALETTE["blue"], alpha=0.8, linewidth=0)
    tell_notes(
        ax,
        [
            (a, b, f"{percent(b, 1)} right\nwith probability {percent(a, 1)}\n{bin['count']:,.0f} answers")
            for a, b, bin in zip(x, y, bins, strict=True)
        ],
    )
    ax.set_xlim(min([0.45, *x]) - 0.03, 1.02)
    ax.set_ylim(-0.04, 1.06)
    return figure


def class_counts(names: Sequence[Any], counts: Sequence[int], *, width: float = WIDE) -> Figure:
    """How many samples each class has: a bar each, most on top."""
    order = sorted(range(len(names)), key=lambda k: -counts[k])[:MOST_CLASSES]
    high = 26 if len(order) <= 12 else 18
    figure, (ax,) = canvas(width, 34 + high * len(order))
    total = max(sum(counts), 1)
    _sideways(ax, width)
    ax.barh(range(len(order)), [counts[k] for k in order], color=PALETTE["blue"], alpha=0.55, height=0.62)
    for place, k in enumerate(order):
        ax.annotate(
            f"{counts[k]:,} ({percent(counts[k] / total, 0)})", (counts[k], place), xytext=(6, 0),
            textcoords="offset points", va="center", color=PALETTE["ink"], fontsize=FONT - 1, parse_math=False,
            annotation_clip=False,
        )  # fmt: skip
    name_rows(ax, [names[k] for k in order], 24 if width > 500 else 14, FONT)
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.set_xlim(0, 1.22 * max(max(counts), 1))
    ax.set_xticks([])
    return figure


def class_scores(rows: Sequence[dict[str, Any]], noun: str = "sample", *, width: float = WIDE) -> Figure:
    """Precision, recall and F1 of each class on one line, the most frequent on top; at most 30 are drawn.

    Parameters
    ----------
    rows : "class", "precision", "recall", "f1" and "support", how many there are, of each; `Measures.per_class`
    noun : what "support" counts, in the singular

    Example
    -------
    >>> rows = [{"class": "place", "precision": 0.5, "recall": 1.0, "f1": 0.667, "support": 3}]
    >>> [text.get_text() for text in class_scores(rows, "span").axes[0].texts][0]
    '3 spans'
    """
    order = sorted(rows, key=lambda row: -row["support"])[:MOST_CLASSES]
    left_out = len(rows) - len(order)
    high = 28 if len(order) <= 16 else 20
    figure, (ax,) = canvas(width, 66 + high * len(order) + (18 if left_out else 0))
    _sideways(ax, width)
    marks = (("precision", ">", "ochre", 6), ("recall", "<", "green", 6), ("f1", "o", "blue", 7))
    for place, row in enumerate(order):
        ends = [100 * row["precision"], 100 * row["recall"]]
        ax.plot(ends, [place, place], color=PALETTE["grey"], linewidth=2.5, alpha=0.35, solid_capstyle="butt")
        for name, mark, colour, size in marks:
            ax.plot(100 * row[name], place, mark, color=PALETTE[colour], markersize=size, clip_on=False)
        many = f"{row['support']:,} {noun}" + ("" if row["support"] == 1 or noun.endswith("s") else "s")
        text = many if place == 0 and width > 500 else f"{row['support']:,}"
        write(ax, 1.02, place, text, transform=ax.get_yaxis_transform())
    name_rows(ax, [row["class"] for row in order], 26 if width > 500 else 14, FONT)
    for place, (name, mark, colour, size) in enumerate(marks):
        x = (0.0, 0.2, 0.36)[place] if width > 500 else (0.0, 0.34, 0.6)[place]
        ax.plot(
            x + 0.012, 1, mark, color=PALETTE[colour], markersize=size, clip_on=False,
            transform=ax.transAxes.__add__(_up(ax, 14)),
        )  # fmt: skip
        ax.annotate(
            f"{'F1' if name == 'f1' else name}{' in %' if name == 'f1' else ''}", (x + 0.03, 1),
            xycoords="axes fraction", xytext=(0, 14), textcoords="offset points", va="center", color=PALETTE[colour],
            fontsize=FONT - 1, annotation_clip=False,
        )  # fmt: skip
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.set_xlim(-2, 102)
    if left_out:
        x_label(ax, f"{left_out:,} rarer ones are not drawn")
    return figure


def _up(ax: Axes, pixels: float) -> Any:
    """The axes' own places, so many pixels higher."""
    return ScaledTranslation(0, pixels / 72, ax.figure.dpi_scale_trans)


def histogram(values: ArrayLike, what: str, *, width: float = WIDE, log: bool = False) -> Figure:
    """How often values occur; `log` counts logarithmically."""
    figure, (ax,) = canvas(width, 190)
    found = np.asarray(values, float)
    heading(ax, "how many, logarithmic" if log else "how many")
    x_label(ax, what)
    whole = bool(len(found)) and bool((found == found.round()).all())
    low, high = (float(found.min()), float(found.max())) if len(found) else (0.0, 1.0)
    size = max(1.0, math.ceil((high - low + 1) / 40)) if whole else max(high - low, 1e-9) / 40
    edges = np.arange(low - (0.5 if whole else 0), high + 1.01 * size, size)
    counts, ends, _ = ax.hist(found, edges.tolist(), color=PALETTE["blue"], alpha=0.55, log=log)
    said = [_stretch(a, b, whole) for a, b in pairwise(ends)]
    tell_lines(
        ax,
        (ends[:-1] + ends[1:]) / 2,
        {"": Line("blue", np.asarray(counts))},
        labels=[f"{each} {what}" for each in said],
    )
    ax.xaxis.set_major_locator(MaxNLocator(max(3, int(width / 90)), integer=whole, steps=TICKS))
    return figure


def _stretch(low: float, high: float, whole: bool) -> str:
    """The values of a bar."""
    if not whole:
        return f"{significant(low)} to {significant(high)}"
    first, last = math.ceil(low), math.floor(high)
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def predicted_and_true(true: NDArray[np.float64], predicted: NDArray[np.float64], *, width: float = WIDE) -> Figure:
    """Predicted against true numbers, and what is left (predicted less true) against the predicted.

    Parameters
    ----------
    true, predicted : (n,), or (n, K), of whose K outputs at most four are drawn; of more than 2,000 rows some are drawn

    Example
    -------
    >>> figure = predicted_and_true(np.array([1.0, 2.0]), np.array([1.5, 1.5]))
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['predicted', 'predicted less true']
    """
    true, predicted = (np.asarray(values, float).reshape(len(values), -1) for values in (true, predicted))
    outputs, wide = min(true.shape[1], _MOST_OUTPUTS), width > 500
    figure, axes = canvas(
        width, (300 if wide else 560) * outputs, outputs if wide else 2 * outputs, ncols=2 if wide else 1
    )
    for k in range(outputs):
        of = f"output {k + 1}: " if true.shape[1] > 1 else ""
        _two_views(axes[2 * k : 2 * k + 2], true[:, k], predicted[:, k], of)
    if true.shape[1] > outputs:
        figure.supxlabel(
            f"{true.shape[1] - outputs:,} more outputs are not drawn", fontsize=FONT - 1, color=PALETTE["muted"],
            x=0.02, ha="left",
        )  # fmt: skip
    return figure


def _two_views(axes: Sequence[Axes], true: NDArray[np.float64], predicted: NDArray[np.float64], of: str) -> None:
    rows = np.arange(len(true))
    if len(rows) > _MOST_POINTS:
        rows = np.random.default_rng(0).choice(rows, _MOST_POINTS, replace=False)
    some: dict[str, Any] = {
        "color": PALETTE["blue"],
        "alpha": 0.75 if len(rows) <= 150 else 0.4,
        "linewidth": 0,
        "s": 16,
    }
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes[0].plot(ends, ends, color=PALETTE["muted"], linewidth=1, linestyle=(0, (2, 3)))
    axes[0].scatter(true[rows], predicted[rows], **some)
    if len(rows) <= _MOST_READ:
        both = [(float(true[i]), float(predicted[i])) for i in rows]
        tell_notes(axes[0], [(t, p, _pair(t, p)) for t, p in both])
        tell_notes(axes[1], [(p, p - t, _pair(t, p)) for t, p in both])
    heading(axes[0], f"{of}predicted")
    x_label(axes[0], "true")
    axes[1].axhline(0, color=PALETTE["muted"], linewidth=1, linestyle=(0, (2, 3)))
    axes[1].scatter(predicted[rows], (predicted - true)[rows], **some)
    heading(axes[1], f"{of}predicted less true")
    x_label(axes[1], "predicted")
    for ax in axes:
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=False, steps=TICKS))


def _pair(true: float, predicted: float) -> str:
    return f"predicted {significant(predicted, 4)}\ntrue {significant(true, 4)}"


def surprise_through_text(nats: NDArray[np.float64], *, width: float = WIDE) -> Figure:
    """The mean surprise of stretches of a text, from its beginning to its end, and that of the whole."""
    figure, (ax,) = canvas(width, 190)
    parts = np.array_split(nats, max(1, min(60, len(nats) // 20)))
    heading(ax, "nats per token, mean over each stretch")
    x_label(ax, "token")
    places = np.cumsum([len(part) for part in parts]) - np.array([len(part) for part in parts]) / 2
    means = np.array([part.mean() for part in parts])
    ax.plot(places, means, color=PALETTE["blue"], linewidth=1.5)
    tell_lines(ax, places, {"nats": Line("blue", means)}, called="token", zoom=False)
    ax.axhline(nats.mean(), color=PALETTE["muted"], linewidth=1, linestyle=(0, (2, 3)))
    ax.set_ylim(0, None)
    ax.margins(x=0.01)
    end_labels(ax, [(float(nats.mean()), "mean", PALETTE["muted"])], 130)
    return figure
