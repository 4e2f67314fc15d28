"""plot_cell: an LSTM, GRU or RNN cell as a drawing with its equations, and with the numbers of one unit at one step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Polygon

from memorycell.pages.drawing import FONT, PALETTE, WIDE, canvas, checked_width, write
from memorycell.pages.plots.traces import one_run
from memorycell.pages.wording import fixed

_COLOURS = {"forget": "blue", "input": "green", "candidate": "purple", "output": "vermilion"}
_COLOURS |= {"update": "blue", "reset": "green", "new": "purple"}
_LETTERS = {"forget": "f", "input": "i", "candidate": "g", "output": "o", "update": "z", "reset": "r", "new": "n"}
_NEEDED = {
    "LSTM": ("input", "forget", "candidate", "output", "cell", "hidden", "cell before", "hidden before"),
    "GRU": ("reset", "update", "new", "hidden", "hidden before"),
    "RNN": ("hidden", "hidden before"),
}
# Lines below or beside the drawing, with whether they are quiet; and the gates that are told by number.
_TEXTS: dict[str, tuple[list[tuple[str, bool]], tuple[str, ...]]] = {
    "LSTM": (
        [
            ("f, i, o = σ({sums})", False),
            ("forget, input, output: {own}", True),
            ("g = tanh({sums})", False),
            ("candidate: what could be written", True),
            ("cₜ = f · cₜ₋₁ + i · g", False),
            ("hₜ = o · tanh(cₜ)", False),
        ],
        ("forget", "input", "candidate", "output"),
    ),
    "GRU": (
        [
            ("r, z = σ({sums})", False),
            ("reset, update: {own}", True),
            ("n = tanh(W xₜ + b + r · (U hₜ₋₁ + b′))", False),
            ("new content", True),
            ("hₜ = (1 − z) · n + z · hₜ₋₁", False),
        ],
        ("reset", "update", "new"),
    ),
    "RNN": ([("hₜ = tanh({sums})", False), ("the state goes through U and tanh at every step", True)], ()),
}
_SIZE = (340.0, 280.0)  # pixels of a drawing; its places are pixels from the upper left corner
_TOP = {"LSTM": 28.0, "GRU": 28.0, "RNN": 120.0}  # where it begins
_Point = tuple[float, float]


def cell(kind: str = "LSTM", numbers: Mapping[str, float] | None = None, *, width: float = WIDE) -> Figure:
    """A drawing of the cell: what flows where, the equations, and the values of one unit at one step.

    What is carried from step to step without a matrix in between is the thick line: the cell of an LSTM (its constant
    error carousel, Hochreiter & Schmidhuber 1997; with the forget gate of Gers et al. 2000), the hidden state of a GRU
    (Cho et al. 2014, in torch's form, where the reset gate comes after the product).

    Parameters
    ----------
    kind : "LSTM", "GRU" or "RNN"
    numbers : as `cell_numbers` returns them: a number for each gate and state of the trace, and for the states before

    Raises
    ------
    ValueError
        For another kind, or numbers that are missing.

    Example
    -------
    >>> [text.get_text() for text in cell("RNN").axes[0].texts if "tanh(" in text.get_text()]
    ['hₜ = tanh(W xₜ + U hₜ₋₁ + b)']
    """
    width = checked_width(width)
    if kind not in _NEEDED:
        raise ValueError(f"expected kind to be LSTM, GRU or RNN, got {kind!r}")
    missing = [name for name in _NEEDED[kind] if numbers is not None and name not in numbers]
    if missing:
        raise ValueError(f"expected numbers with {', '.join(_NEEDED[kind])}, got none for {', '.join(missing)}")
    lines = _equations(kind, numbers)
    wide = width > 500
    right, high = _SIZE[0] + 45 if wide else 6.0, 19.0
    start = _TOP[kind]
    height = max(_SIZE[1] - start, high * len(lines)) if wide else _SIZE[1] - start + 14 + high * len(lines)
    figure, (ax,) = canvas(width, height)
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(start + height, start)
    figure.get_layout_engine().set(w_pad=0, h_pad=0, hspace=0, wspace=0)  # type: ignore[union-attr, call-arg]
    {"LSTM": _draw_lstm, "GRU": _draw_gru, "RNN": _draw_rnn}[kind](_Pen(ax, numbers))
    top = start + (height - high * len(lines)) / 2 if wide else _SIZE[1] + 8
    for place, (text, colour) in enumerate(lines):
        write(ax, right, top + high * (place + 0.5), text, PALETTE[colour], fontsize=FONT)
    return figure


def cell_numbers(
    trace: Mapping[str, Any], step: int, unit: int, *, layer: int | str = -1, direction: int = 0, row: int = 0
) -> dict[str, float]:
    """The gates and states of one unit at one step, and its states before it (zero before the first step), for `cell`.

    Parameters
    ----------
    trace, layer, direction, row : as of `gates`
    step, unit : by number from 0; below 0 from the end

    Raises
    ------
    ValueError
        For a layer, direction, row, step or unit that does not exist, and for a layer with a projection.

    Example
    -------
    >>> import torch
    >>> from memorycell.layers import RNN
    >>> sorted(cell_numbers(RNN(1, 4).trace(torch.zeros(9, 1, 1)), step=-1, unit=2))
    ['hidden', 'hidden before']
    """
    run = one_run(trace, layer, direction, row)
    if run.projected:
        raise ValueError("expected a layer whose hidden state has the units of its gates, got one with a projection")
    for name, number, count in (("step", step, run.steps), ("unit", unit, run.units)):
        if not -count <= number < count:
            raise ValueError(f"expected a {name} from 0 to {count - 1}, got {number}")
    step = step % run.steps
    found = {name: float(array[step, unit]) for name, array in run.arrays.items()}
    before = step + 1 if direction == 1 else step - 1
    for name in ("cell", "hidden"):
        if name in run.arrays:
            found[f"{name} before"] = float(run.arrays[name][before, unit]) if 0 <= before < run.steps else 0.0
    return found


# ---------------------------------------------------------------------- equations


def _equations(kind: str, numbers: Mapping[str, float] | None) -> list[tuple[str, str]]:
    """Lines of text, each with the name of its colour."""
    sums, own = "W xₜ + U hₜ₋₁ + b", "each with weights of its own"
    said, names = _TEXTS[kind]
    lines = [(line.format(sums=sums, own=own), "muted" if quiet else "ink") for line, quiet in said]
    if numbers is None:
        return lines
    told = [(f"{_LETTERS[name]} = {_of(numbers, name)}", _COLOURS[name]) for name in names]
    return [*lines, ("", "ink"), *told, *((line, "ink") for line in _worked(kind, numbers))]


def _worked(kind: str, numbers: Mapping[str, float]) -> list[str]:
    """The last equations with the numbers in them."""

    def of(name: str) -> str:
        return _of(numbers, name)

    if kind == "RNN":
        return [f"{of('hidden before')} becomes {of('hidden')}"]
    if kind == "GRU":
        z, n, before = (numbers[name] for name in ("update", "new", "hidden before"))
        holds = _holds((1 - z) * n + z * before, numbers["hidden"])
        return [f"hₜ = {fixed(1 - z, 3)} · {_factor(n)} + {of('update')} · {_factor(before)} {holds} {of('hidden')}"]
    f, before, i, g = (numbers[name] for name in ("forget", "cell before", "input", "candidate"))
    c, h = numbers["cell"], numbers["hidden"]
    written = f"{of('forget')} · {_factor(before)} + {of('input')} · {_factor(g)}"
    return [
        f"cₜ = {written} {_holds(f * before + i * g, c)} {of('cell')}",
        f"hₜ = {of('output')} · tanh({of('cell')}) {_holds(numbers['output'] * math.tanh(c), h)} {of('hidden')}",
    ]


def _holds(worked: float, found: float) -> str:
    """An arrow where a variant (layer normalisation, zoneout) has made something else of it."""
    return "→" if abs(worked - found) > 2e-3 else "="


def _factor(value: float) -> str:
    return f"({fixed(value, 3)})" if value < 0 else fixed(value, 3)


def _of(numbers: Mapping[str, float], name: str) -> str:
    return fixed(float(numbers[name]), 3)


# ---------------------------------------------------------------------- drawing


class _Pen:
    """Draws boxes, nodes and lines in pixels from the upper left corner."""

    def __init__(self, ax: Axes, numbers: Mapping[str, float] | None) -> None:
        self.ax, self.numbers = ax, numbers

    def body(self, top: float, bottom: float) -> None:
        frame = FancyBboxPatch(
            (42, top), 254, bottom - top, boxstyle="round,pad=0,rounding_size=14", facecolor=PALETTE["grid"], alpha=0.4,
            linewidth=0,
        )  # fmt: skip
        self.ax.add_patch(frame)

    def line(self, *points: _Point, colour: str = "ink", thick: float = 1.4, arrow: bool = True) -> None:
        x, y = zip(*points, strict=True)
        self.ax.plot(x, y, color=PALETTE[colour], linewidth=thick, solid_capstyle="butt", solid_joinstyle="round")
        if arrow:
            end, start = points[-1], points[-2]
            self.ax.annotate(
                "", end, xytext=start,
                arrowprops={
                    "arrowstyle": f"-|>,head_width={0.18 + 0.06 * thick},head_length={0.35 + 0.09 * thick}",
                    "color": PALETTE[colour], "linewidth": 0, "shrinkA": 0, "shrinkB": 0,
                },
            )  # fmt: skip

    def carousel(self, y: float, text: str = "") -> None:
        self.line((4, y), (326, y), colour="blue", thick=4.5, arrow=False)
        self.ax.add_patch(Polygon([(325, y - 8), (338, y), (325, y + 8)], color=PALETTE["blue"], linewidth=0))
        write(self.ax, 170, y - 36, text, PALETTE["blue"], ha="center")

    def joint(self, *points: _Point) -> None:
        for x, y in points:
            self.ax.plot(x, y, "o", color=PALETTE["ink"], markersize=4)

    def node(self, x: float, y: float, sign: str) -> None:
        self.ax.add_patch(
            Circle((x, y), 11, facecolor=PALETTE["paper"], edgecolor=PALETTE["ink"], linewidth=1.3, zorder=3)
        )
        write(self.ax, x, y, sign, PALETTE["ink"], ha="center", fontsize=FONT + (0 if len(sign) > 1 else 3), zorder=4)

    def box(self, x: float, y: float, function: str, gate: str | None = None) -> None:
        colour = PALETTE[_COLOURS[gate]] if gate else PALETTE["ink"]
        layers = ((PALETTE["paper"], 1.0, 0.0), (colour, 0.22 if gate else 0.0, 0.0), ("none", 1.0, 1.4))
        for face, alpha, edge in layers:
            style: dict[str, Any] = {"facecolor": face, "alpha": alpha, "edgecolor": colour, "linewidth": edge}
            shape = FancyBboxPatch((x - 20, y - 14), 40, 28, boxstyle="round,pad=0,rounding_size=5", zorder=3, **style)
            self.ax.add_patch(shape)
        write(self.ax, x, y, function, PALETTE["ink"], ha="center", zorder=4)

    def named(self, x: float, y: float, gate: str, side: str) -> None:
        """A gate's letter, and its number below."""
        colour = PALETTE[_COLOURS[gate]]
        y += 0 if self.numbers is not None else 10
        write(self.ax, x, y, _LETTERS[gate], colour, ha=side, fontsize=FONT + 1, fontweight="bold")
        if self.numbers is not None:
            write(self.ax, x, y + 14, fixed(float(self.numbers[gate]), 2), colour, ha=side)

    def state(self, x: float, y: float, text: str, name: str, side: str) -> None:
        said = text if self.numbers is None else f"{text} = {fixed(float(self.numbers[name]), 2)}"
        write(self.ax, x, y, said, PALETTE["ink"], ha=side, fontsize=FONT)


def _draw_lstm(pen: _Pen) -> None:
    pen.body(56, 226)
    pen.carousel(78, "constant error carousel" if pen.numbers is None else "")
    pen.line((4, 208), (228, 208), arrow=False)
    pen.line((110, 272), (110, 208), arrow=False)
    pen.joint((78, 208), (110, 208), (128, 208), (182, 208))
    for x in (78, 128, 182, 228):
        pen.line((x, 208), (x, 193))
    pen.line((78, 164), (78, 90))
    pen.line((128, 164), (128, 126), (144, 126))
    pen.line((182, 164), (182, 126), (166, 126))
    pen.line((155, 115), (155, 90))
    pen.line((228, 164), (228, 150), (256, 150))
    pen.line((268, 80), (268, 99))
    pen.line((268, 126), (268, 138))
    pen.line((268, 161), (268, 208), (337, 208))
    pen.joint((268, 78))
    for x, y, sign in ((78, 78, "×"), (155, 126, "×"), (155, 78, "+"), (268, 150, "×")):
        pen.node(x, y, sign)
    pen.box(268, 113, "tanh")
    for x, gate, function in (
        (78, "forget", "σ"),
        (128, "input", "σ"),
        (182, "candidate", "tanh"),
        (228, "output", "σ"),
    ):
        pen.box(x, 178, function, gate)
    for x, y, gate, side in (
        (72, 122, "forget", "right"), (122, 135, "input", "right"), (188, 135, "candidate", "left"),
        (219, 119, "output", "left"),
    ):  # fmt: skip
        pen.named(x, y, gate, side)
    pen.state(4, 42, "cₜ₋₁", "cell before", "left")
    pen.state(336, 42, "cₜ", "cell", "right")
    _draw_ends(pen)


def _draw_gru(pen: _Pen) -> None:
    pen.body(56, 234)
    pen.carousel(78)
    pen.line((58, 80), (58, 203), (200, 203), arrow=False)
    pen.line((110, 272), (110, 217), (236, 217), arrow=False)
    pen.line((200, 203), (200, 190))
    pen.line((236, 217), (236, 193))
    for x in (100, 162):
        pen.line((x - 9, 203), (x - 9, 193))
        pen.line((x + 9, 217), (x + 9, 193))
    pen.joint((58, 78), (91, 203), (153, 203), (110, 217), (171, 217), (100, 126))
    pen.line((100, 164), (100, 90))
    pen.line((100, 126), (155, 126))
    pen.line((179, 126), (224, 126))
    pen.line((182, 178), (188, 178), arrow=False)
    pen.line((211, 178), (216, 178), arrow=False)
    pen.line((236, 164), (236, 138))
    pen.line((236, 115), (236, 90))
    for x, y, sign in ((100, 78, "×"), (236, 78, "+"), (236, 126, "×"), (200, 178, "×"), (167, 126, "1−")):
        pen.node(x, y, sign)
    for x, gate, function in ((100, "update", "σ"), (162, "reset", "σ"), (236, "new", "tanh")):
        pen.box(x, 178, function, gate)
    for x, y, gate, side in ((94, 138, "update", "right"), (150, 141, "reset", "right"), (243, 142, "new", "left")):
        pen.named(x, y, gate, side)
    pen.state(4, 42, "hₜ₋₁", "hidden before", "left")
    pen.state(336, 42, "hₜ", "hidden", "right")
    write(pen.ax, 118, 264, "xₜ", PALETTE["ink"], fontsize=FONT)


def _draw_rnn(pen: _Pen) -> None:
    pen.body(150, 214)
    pen.line((4, 182), (148, 182))
    pen.line((190, 182), (337, 182))
    pen.line((170, 272), (170, 198))
    pen.box(170, 182, "tanh")
    pen.state(4, 135, "hₜ₋₁", "hidden before", "left")
    pen.state(336, 135, "hₜ", "hidden", "right")
    write(pen.ax, 178, 264, "xₜ", PALETTE["ink"], fontsize=FONT)


def _draw_ends(pen: _Pen) -> None:
    pen.state(4, 242, "hₜ₋₁", "hidden before", "left")
    pen.state(336, 242, "hₜ", "hidden", "right")
    write(pen.ax, 118, 264, "xₜ", PALETTE["ink"], fontsize=FONT)
