"""Drawing: one palette, quiet axes, labels that keep apart, and SVG that fits a light and a dark page."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import NDArray

from memorycell.kernels.quiet import quiet
from memorycell.pages.picture import GLYPH_MISSING, Picture, drawn_with
from memorycell.pages.pointer import telling

WIDE, NARROW = 720, 340  # pixels: a page, and a phone with its margins
FONT = 12
TICKS = [1, 2, 5, 10]  # multiples that numbers along an axis step by

# The hues of Okabe & Ito (2008), which colour-blind readers tell apart, dark enough for text on white. A page
# replaces each by the CSS variable of its name, so that a dark page can have lighter ones.
PALETTE = {
    "paper": "#ffffff",
    "ink": "#1b2430",
    "muted": "#5b6672",
    "grid": "#dfe3e8",
    "blue": "#0b63b0",
    "vermilion": "#b8480f",
    "green": "#0a7558",
    "purple": "#94407a",
    "ochre": "#876200",
    "grey": "#6a7480",
}
COLOURS = ("blue", "vermilion", "green", "purple", "ochre", "grey")  # of lines beside each other, in this order
SERIES = [PALETTE[name] for name in COLOURS]
_MINUS = "\N{MINUS SIGN}"
DASHES: list[Any] = ["-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)), (0, (2, 2))]


def label(text: Any, most: int = 28) -> str:
    """A name of the user's as one short printable line.

    Example
    -------
    >>> label("two\\nlines"), label("a" * 40, 8)
    ('two lines', 'aaaaaaa…')
    """
    line = "".join(c if c.isprintable() else " " for c in str(text)).strip() or "(no name)"
    return line if len(line) <= most else line[: most - 1] + "…"


def canvas(width: float, height: float, rows: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """A picture of `width` × `height` pixels with `rows` panels below each other; see `Picture`.

    `options` go to `Figure.subplots`.
    """
    figure = _figure(width, height)
    axes = np.atleast_1d(figure.subplots(rows, **options)).ravel().tolist()
    for ax in axes:
        _quieten(ax, width)
    return figure, axes


def panels(width: float, *groups: Sequence[float], around: float = 32) -> tuple[Figure, list[list[Axes]]]:
    """A picture of panels below each other, by group: those of a group stand under each other, margins too.

    Parameters
    ----------
    width : pixels
    groups : heights of the panels of each, in pixels, without what stands `around` them: headings and ticks
    """
    tall = [sum(heights) + around * len(heights) for heights in groups]
    figure = _figure(width, sum(tall))
    figure.get_layout_engine().set(h_pad=4 / 72, hspace=0)  # type: ignore[union-attr, call-arg]
    parts = np.atleast_1d(figure.subfigures(len(groups), height_ratios=tall, hspace=0))  # type: ignore[arg-type]
    found = []
    for part, heights in zip(parts, groups, strict=True):
        part.set_facecolor("none")
        axes = np.ravel(part.subplots(len(heights), height_ratios=list(heights))).tolist()
        for ax in axes:
            _quieten(ax, width)
        found.append(axes)
    return figure, found


def checked_width(width: Any) -> float:
    """A width in pixels.

    Raises
    ------
    TypeError, ValueError
        For what is no number, and for one that is not greater than zero.
    """
    if isinstance(width, bool) or not isinstance(width, int | float | np.integer | np.floating):
        raise TypeError(f"expected a width in pixels, such as {WIDE}, got {type(width).__name__}")
    if not 0 < width < np.inf:
        raise ValueError(f"expected a width in pixels greater than 0, such as {WIDE}, got {width}")
    return float(width)


def _figure(width: float, height: float) -> Figure:
    width = checked_width(width)
    figure = Picture(figsize=(width / 72, height / 72), dpi=72, layout="constrained", facecolor="none")
    figure.get_layout_engine().set(w_pad=2 / 72, h_pad=3 / 72, hspace=0.06)  # type: ignore[union-attr, call-arg]
    return figure


def _quieten(ax: Axes, width: float) -> None:
    ax.set_facecolor("none")
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(PALETTE["grid"])
        spine.set_linewidth(1)
    ax.tick_params(colors=PALETTE["muted"], labelsize=FONT - 1, length=0, pad=5)
    ax.grid(axis="y", color=PALETTE["grid"], linewidth=0.7)
    ax.set_axisbelow(True)
    ax.yaxis.set_major_locator(MaxNLocator(5, min_n_ticks=2, steps=TICKS))
    ax.yaxis.set_major_formatter(_Grouped())
    ax.xaxis.set_major_locator(MaxNLocator(max(3, int(width / 90)), integer=True, steps=TICKS))


class _Grouped(ScalarFormatter):
    """Numbers as everywhere on a page: thousands set apart, no power of ten above the axis that is far from them."""

    def __init__(self) -> None:
        super().__init__(useOffset=False)
        self.set_powerlimits((-5, 9))

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = super().__call__(x, pos)
        whole, point, rest = text.lstrip(_MINUS).partition(".")
        if abs(x) < 10_000 or not whole.isdigit():
            return text
        return f"{_MINUS if x < 0 else ''}{int(whole):,}{point}{rest}"


def heading(ax: Axes, text: str) -> None:
    """What the axes show, with its unit, above them on the left."""
    ax.set_title(text, loc="left", fontsize=FONT, color=PALETTE["muted"], parse_math=False, pad=7)


def far_left(figure: Figure, text: str) -> None:
    """A heading at the left edge of the figure, for axes whose rows have names on their left."""
    figure.suptitle(text, x=0.005, ha="left", fontsize=FONT, color=PALETTE["muted"], parse_math=False)


def titled(figure: Figure, *texts: str) -> Figure:
    """The figure with lines above everything that it shows, broken where they are too long, and as much taller."""
    most = max(20, int(figure.get_figwidth() * 72 / (0.56 * FONT)))
    lines = [line for text in texts for line in textwrap.wrap(text, most)]
    figure.set_figheight(figure.get_figheight() + (0.4 + 1.4 * len(lines)) * FONT / 72)
    figure.suptitle("\n".join(lines), x=0.005, ha="left", fontsize=FONT, color=PALETTE["ink"], parse_math=False)
    return figure


def write(ax: Axes, x: Any, y: Any, text: str, colour: str = PALETTE["muted"], **options: Any) -> None:
    """Text at a place, without TeX (a name of the user's may hold a dollar) and never clipped."""
    options = {"fontsize": FONT - 1, "va": "center", "clip_on": False, **options}
    ax.text(x, y, text, color=colour, parse_math=False, **options)


def x_label(ax: Axes, text: str) -> None:
    ax.set_xlabel(text, fontsize=FONT - 1, color=PALETTE["muted"], parse_math=False)


def name_rows(ax: Axes, names: Sequence[Any], most: int, size: float = FONT - 1) -> None:
    """Names of the user's left of the rows 0, 1, …, each of at most `most` characters."""
    ax.set_yticks(range(len(names)), [label(name, most) for name in names])
    for tick in ax.get_yticklabels():
        tick.set(parse_math=False, fontsize=size, color=PALETTE["ink"])


def time_axis(ax: Axes, dates: NDArray, width: float) -> NDArray:
    """Ticks for dates, or for step numbers; returns what to plot `dates` as."""
    if not np.issubdtype(dates.dtype, np.datetime64):
        x_label(ax, "step")
        return dates
    locator = AutoDateLocator(minticks=2, maxticks=max(3, int(width / 85)))
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=True))
    ax.xaxis.get_offset_text().set(color=PALETTE["muted"], fontsize=FONT - 1)
    return dates.astype("datetime64[us]")


def end_labels(ax: Axes, ends: Sequence[tuple[float, str, str]], height: float, *, clear: float = 6) -> None:
    """A label (y, text, colour) at the right of the axes for each line, moved apart where they would overlap.

    `height` is about the height of the axes in pixels; limits must be final.
    """
    ends = [end for end in ends if np.isfinite(end[0])]
    if not ends:
        return
    scale = np.log10 if ax.get_yscale() == "log" else np.asarray
    low, high = scale(ax.get_ylim())
    wanted = np.array([(scale(y) - low) / (high - low) * height for y, _, _ in ends])
    order, gap = np.argsort(wanted, kind="stable"), FONT * 1.25
    placed = wanted[order]
    for _ in range(60):
        overlap = np.maximum(0, gap - np.diff(placed)) / 2
        if overlap.max(initial=0) < 0.1:
            break
        placed[:-1] -= overlap
        placed[1:] += overlap
    for place, i in zip(placed, order, strict=True):
        y, text, colour = ends[i]
        ax.annotate(
            text,
            (1, y),
            xycoords=ax.get_yaxis_transform(),
            xytext=(clear, place - wanted[i]),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=FONT - 1,
            parse_math=False,
            annotation_clip=False,
        )


def thin(x: NDArray, y: NDArray[np.float64], most: int = 1600) -> tuple[NDArray, NDArray[np.float64]]:
    """A long line as at most `most` points: the least and the greatest value of each stretch, in order.

    Gaps (NaN) stay gaps where a whole stretch is missing.
    """
    if len(y) <= most:
        return x, y
    size = -(-len(y) // (most // 2))
    padded = np.full(-(-len(y) // size) * size, np.nan)
    padded[: len(y)] = y
    parts = padded.reshape(-1, size)
    starts = np.arange(len(parts)) * size
    low = np.where(np.isnan(parts), np.inf, parts).argmin(1)
    high = np.where(np.isnan(parts), -np.inf, parts).argmax(1)
    rows = np.stack([starts + np.minimum(low, high), starts + np.maximum(low, high)], 1).ravel()
    rows = np.minimum(rows, len(y) - 1)
    return x[rows], y[rows]


def tint(values: NDArray[np.float64], colour: str, most: float = 1.0) -> NDArray[np.float64]:
    """`values` in 0 … `most` as a colour that grows opaque: (…) → RGBA (…, 4), for any background."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    rgba = np.empty((*values.shape, 4))
    rgba[..., :3] = red, green, blue
    rgba[..., 3] = np.clip(np.nan_to_num(values) / (most or 1.0), 0, 1)
    return rgba


# ---------------------------------------------------------------------- SVG

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_VARIABLES = {colour: f"var(--{name})" for name, colour in PALETTE.items()}


def inline_svg(figure: Figure, key: str, description: str) -> str:
    """A figure as an ``<svg>`` element for the body of an HTML page.

    Text stays text in the page's own font, colours of `PALETTE` become CSS variables (``var(--ink)``), the
    background is transparent, and ids start with `key`, so that many figures live in one page.

    Parameters
    ----------
    figure : drawn with `PALETTE`
    key : letters, digits and dashes, unique in the page
    description : what a reader hears who does not see the figure

    Example
    -------
    >>> svg = inline_svg(canvas(200, 100)[0], "empty", "nothing yet")
    >>> svg.startswith('<svg class="plot" role="img" aria-label="nothing yet" viewBox="0 0 200 100"')
    True
    """
    for place, ax in enumerate(telling(figure)):
        ax.set_gid(f"{_TELLS}{place}")
        ax.xaxis.set_gid(_TICKS)
    buffer = io.StringIO()
    # The page's font has the letters that matplotlib's lacks.
    with drawn_with({"svg.fonttype": "none", "svg.hashsalt": key}), quiet(UserWarning, GLYPH_MISSING):
        # Straight to the canvas: savefig draws everything twice.
        FigureCanvasSVG(figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    # matplotlib wrote this a moment ago, with all text escaped: no foreign XML.
    drawn = ElementTree.fromstring(buffer.getvalue())  # noqa: S314
    root = ElementTree.Element(
        "svg", {"class": "plot", "role": "img", "aria-label": description, "viewBox": drawn.attrib["viewBox"]}
    )
    root.extend(list(drawn))
    # matplotlib names clipping paths by where they lie in memory: numbers are the same each time.
    ids = [each.attrib["id"] for each in root.iter() if "id" in each.attrib and each.tag != f"{_SVG}g"]
    names = {f"#{name}": f"#{key}-{place}" for place, name in enumerate(ids, 1)}
    for element in root.iter():
        _adapt(element, names)
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag in ("style", "metadata")]:
            parent.remove(child)
    return ElementTree.tostring(root, encoding="unicode")


_TELLS, _TICKS = "tells-", "ticks"  # groups of a panel that the pointer reads, and of its x axis
_REFERENCE = re.compile(r"#[\w-]+")


def _adapt(element: ElementTree.Element, names: dict[str, str]) -> None:
    def renamed(text: str) -> str:
        return _REFERENCE.sub(lambda found: names.get(found[0], found[0]), text)

    element.tag = element.tag.removeprefix(_SVG)
    element.tail = None
    if element.tag not in ("text", "tspan"):
        element.text = None
    name = element.attrib.pop("id", None)
    if name is not None and element.tag != "g":
        element.set("id", names[f"#{name}"][1:])
    elif name is not None and name.startswith(_TELLS):
        element.set("data-axes", name.removeprefix(_TELLS))
    elif name == _TICKS:
        element.set("class", _TICKS)
    target = element.attrib.pop(_HREF, None)
    if target is not None:
        element.set("href", renamed(target) if target.startswith("#") else target)
    if "clip-path" in element.attrib:
        element.set("clip-path", renamed(element.attrib["clip-path"]))
    if "d" in element.attrib:
        path = " ".join(element.attrib["d"].split())
        element.set("d", re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), path))
    if "style" in element.attrib:
        element.set("style", renamed(_style(element.attrib["style"])))
    for name in ("fill", "stroke"):  # of the patterns of hatches
        if element.attrib.get(name) in _VARIABLES:
            element.set("style", f"{name}:{_VARIABLES[element.attrib.pop(name)]}")


def _style(style: str) -> str:
    """Declarations with the page's colours and without matplotlib's fonts."""
    kept = []
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":  # older releases of matplotlib write the shorthand
            sizes = re.search(r"[\d.]+px", value)
            kept += [f"font-size:{sizes[0]}"] if sizes else []
            kept += ["font-weight:bold"] if "bold" in value.split() else []
        elif name and name != "font-family":
            kept.append(f"{name}:{re.sub('#[0-9a-f]{6}', lambda m: _VARIABLES.get(m[0], m[0]), value)}")
    return ";".join(kept)
