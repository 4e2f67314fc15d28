"""The drawing of a cell: LSTM, GRU and RNN as SVG, every line as wide as the number that runs along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from memorycell.pages.drawing import NARROW, WIDE
from memorycell.pages.explaining.bound import Bound
from memorycell.pages.explaining.cell import CellRun
from memorycell.pages.page import Html

_BELT, _JOIN, _GATE, _BARS, _ROW = 78, 146, 214, 292, 23
_KNOB = 12  # radius of an operation
_SUB = {"before": "t−1", "now": "t"}
_NAMES = {
    "f": "forget",
    "i": "input",
    "g": "candidate",
    "o": "output",
    "z": "update",
    "n": "candidate",
    "r": "reset",
    "h": "tanh",
}
_SOURCES = {"x": "from-x", "h": "from-h", "r": "from-h", "b": "from-b", "w": "from-c"}


@dataclass
class Sketch:
    """An SVG in the making, `width` pixels wide."""

    width: float
    bound: Bound
    parts: list[str] = field(default_factory=list)

    @property
    def narrow(self) -> bool:
        return self.width <= NARROW

    @property
    def radius(self) -> float:
        return 25 if self.narrow else 31

    @property
    def reach(self) -> float:
        """The greatest length of a bar."""
        return 31 if self.narrow else 50

    def path(self, d: str, attributes: str) -> None:
        self.parts.append(f'<path d="{d}" {attributes}/>')

    def text(self, x: float, y: float, content: str, class_: str = "", anchor: str = "middle") -> None:
        named = f' class="{class_}"' if class_ else ""
        self.parts.append(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{named}>{content}</text>')

    def knob(self, x: float, y: float, sign: str) -> None:
        """An operation: × or +."""
        self.parts.append(f'<circle class="knob" cx="{x:g}" cy="{y:g}" r="{_KNOB}"/>')
        arm = 5.0 if sign == "+" else 3.8
        d = f"M{x - arm:g} {y:g}h{2 * arm:g}M{x:g} {y - arm:g}v{2 * arm:g}"
        if sign == "×":
            d = f"M{x - arm:g} {y - arm:g}l{2 * arm:g} {2 * arm:g}M{x - arm:g} {y + arm:g}l{2 * arm:g} {-2 * arm:g}"
        self.path(d, 'class="sign"')

    def pill(self, x: float, y: float, text: str) -> float:
        """A function with its name; returns half its width."""
        half = 4 + 4.3 * len(text)
        self.parts.append(
            f'<rect class="pill" x="{x - half:g}" y="{y - 10:g}" width="{2 * half:g}" height="20" rx="10"/>'
        )
        self.text(x, y + 4.5, text, "function")
        return half

    def head(self, x: float, y: float, key: str) -> None:
        """The head of an arrow that points right, in the colour of its number."""
        sign = " neg" if self.bound.numbers[key] < 0 else ""
        self.path(f"M{x - 10:g} {y - 9:g}l10 9l-10 9z", f'data-sign="{key}" class="head{sign}"')

    def valve(self, x: float, letter: str, *, half: bool = False) -> None:
        """A gate as a ring, its name and the sum it is made of."""
        r, bound = self.radius, self.bound
        around = f"M{x:g} {_GATE - r:g}a{r:g} {r:g} 0 1 1 -.01 0"
        self.parts.append(f'<circle class="hole" cx="{x:g}" cy="{_GATE}" r="{r:g}"/>')
        self.path(around, bound.ring(letter, half=half))
        self.text(x, _GATE - 5, symbol(letter), "symbol")
        shown = bound.number(letter, "tspan") if half else bound.percent(letter, "tspan")
        self.text(x, _GATE + 14, shown, "value")
        self.text(x, _GATE + r + 16, _NAMES[letter], "name")

    def column(self, x: float, letter: str, function: str, sources: str) -> None:
        """The bars that a gate is the sum of, and that sum."""
        inside = self.bound.number(letter + "a", "tspan")
        # Where columns stand close there is room for the sum alone.
        self.text(x, _BARS - 11, f"Σ {inside}" if self.narrow else f"{function}({inside})", "sum")
        for row, source in enumerate(sources):
            key, y = letter + source, _BARS + row * _ROW
            bar = self.bound.bar(key, x, self.reach)
            self.parts.append(f'<rect class="bar {_SOURCES[source]}" {bar} y="{y}" height="{_ROW - 5}" rx="2"/>')
            self.path(f"M{x:g} {y - 4}v4", 'class="zero"')
            self.text(x, y + 13.5, self.bound.number(key, "tspan"), "part")

    def buses(self, columns: Sequence[float], rows: int) -> float:
        """Input and memory, which reach every gate from below; returns the height of the drawing."""
        top = _BARS + rows * _ROW
        for source, y, shift, label in (("x", top + 22, -5, symbol("x")), ("h", top + 44, 5, symbol("h", "before"))):
            risers = "".join(f"M{x + shift:g} {y:g}V{top + 3:g}" for x in columns)
            self.path(f"M0 {y:g}H{columns[-1] + shift:g}{risers}", f'class="bus of-{source}"')
            words = {"x": "the input", "h": "all units' h"}[source] if not self.narrow else ""
            self.text(columns[-1] + 16, y + 5, label, f"symbol of-{source}", "start")
            self.text(columns[-1] + 56, y + 5, words, "name", "start")
        return top + 56

    def panel(self, rows: int) -> None:
        edge = 5 if self.narrow else 60
        bottom = _BARS + rows * _ROW + 4
        width, height = self.width - 2 * edge, bottom - 50
        self.parts.append(f'<rect class="panel" x="{edge}" y="50" width="{width:g}" height="{height:g}" rx="16"/>')

    def svg(self, height: float, description: str) -> Html:
        inner = "".join(self.parts)
        return Html(
            f'<svg class="cell{" small" if self.narrow else ""}" role="img" aria-label="{description}" '
            f'viewBox="0 0 {self.width:g} {height:g}">'
            f"{inner}</svg>"
        )


def symbol(letter: str, when: str = "now") -> str:
    """A letter of the equations with its time as a subscript, for SVG."""
    return f'{letter}<tspan class="sub" dy="4">{_SUB[when]}</tspan>'


def drawing(run: CellRun, bound: Bound) -> Html:
    """The cell twice, for a page and for a phone."""
    draw = {"LSTM": _lstm, "GRU": _gru}.get(run.cell.mode, _rnn)
    made = [(name, draw(run, Sketch(width, bound))) for name, width in (("wide", WIDE), ("narrow", NARROW))]
    return Html("".join(f'<div class="{name}">{svg}</div>' for name, svg in made))


def _lstm(run: CellRun, to: Sketch) -> Html:
    f, i, g, o, tap = (44, 116, 184, 253, 312) if to.narrow else (140, 290, 415, 545, 630)
    bound, plus, r, end = to.bound, (i + g) / 2, to.radius, to.width
    peephole = any(key in run.constants for key in ("ip", "op"))
    sources = "xhb" + ("w" if peephole else "")
    to.panel(len(sources))
    # The carousel: what was held, what is kept of it, what is added.
    to.path(f"M0 {_BELT}H{f:g}", bound.flow("cp"))
    to.path(f"M{f:g} {_BELT}H{plus:g}", bound.flow("fc"))
    to.path(f"M{plus:g} {_BELT}H{end - 9:g}", bound.flow("c"))
    to.head(end, _BELT, "c")
    to.path(f"M{plus:g} {_JOIN}V{_BELT}", bound.flow("ig"))
    # The valves' wires; a coupled forget gate is what the input gate leaves.
    if run.cell.coupled:
        to.path(f"M{i:g} {_GATE - r:g}V{_JOIN - 18}H{f:g}V{_BELT + _KNOB}", bound.gate("f"))
        to.text(f + 6, _JOIN - 24, f"1 − {symbol('i')}", "name", "start")
        to.text(f + 6, _JOIN - 2, bound.percent("f", "tspan"), "value", "start")
    else:
        to.path(f"M{f:g} {_GATE - r:g}V{_BELT + _KNOB}", bound.gate("f"))
    to.path(f"M{i:g} {_GATE - r:g}V{_JOIN}H{plus - _KNOB:g}", bound.gate("i"))
    to.path(f"M{g:g} {_GATE - r:g}V{_JOIN}H{plus + _KNOB:g}", 'class="wire"')
    to.path(f"M{o:g} {_GATE - r:g}V{_JOIN}H{tap - _KNOB:g}", bound.gate("o"))
    to.path(f"M{tap:g} {_BELT + 6}V{_JOIN}", 'class="wire"')
    turn = _JOIN + (24 if to.narrow else 34)
    to.path(f"M{tap:g} {_JOIN}V{turn - 10:g}q0 10 10 10H{end - 9:g}", bound.flow("h", "h"))
    to.head(end, turn, "h")
    for x, y, sign in ((f, _BELT, "×"), (plus, _BELT, "+"), (plus, _JOIN, "×"), (tap, _JOIN, "×")):
        to.knob(x, y, sign)
    half = to.pill(tap, _BELT + 33, "tanh LN" if run.normalised and not to.narrow else "tanh")
    # The numbers on the lines.
    left, right = 2, end - 2
    to.text(left, 20, symbol("c", "before"), "symbol", "start")
    to.text(left, 41, bound.number("cp", "tspan"), "state", "start")
    to.text(right, 20, symbol("c"), "symbol", "end")
    to.text(right, 41, bound.number("c", "tspan"), "state", "end")
    to.text((f + plus) / 2, _BELT + 24, bound.number("fc", "tspan"), "value")
    to.text(plus + 11, (_BELT + _JOIN) / 2 + 5, bound.number("ig", "tspan"), "value", "start")
    to.text(tap - half - 6, _BELT + 38, bound.number("tc", "tspan"), "value", "end")
    to.text(right, turn + 24, symbol("h"), "symbol", "end")
    to.text(right, turn + 44, bound.number("h", "tspan"), "state", "end")
    for x, letter in ((f, "f"), (i, "i"), (g, "g"), (o, "o")):
        if letter + "x" in run.parts:
            to.valve(x, letter, half=letter == "g")
            seen = sources if letter != "g" else "xhb"
            to.column(x, letter, "tanh" if letter == "g" else "σ", seen)
    columns = [x for x, letter in ((f, "f"), (i, "i"), (g, "g"), (o, "o")) if letter + "x" in run.parts]
    return to.svg(to.buses(columns, len(sources)), "An LSTM cell with the numbers of the chosen step")


def _gru(run: CellRun, to: Sketch) -> Html:
    z, n, r = (52, 170, 280) if to.narrow else (150, 360, 540)
    bound, radius, end = to.bound, to.radius, to.width
    to.panel(3)
    to.path(f"M0 {_BELT}H{z:g}", bound.flow("hp"))
    to.path(f"M{z:g} {_BELT}H{n:g}", bound.flow("kh"))
    to.path(f"M{n:g} {_BELT}H{end - 9:g}", bound.flow("h"))
    to.head(end, _BELT, "h")
    to.path(f"M{n:g} {_JOIN}V{_BELT}", bound.flow("un"))
    to.path(f"M{z:g} {_GATE - radius:g}V{_BELT + _KNOB}", bound.gate("z"))
    to.path(f"M{z:g} {_JOIN}H{n - _KNOB:g}", bound.gate("u"))
    to.path(f"M{n:g} {_GATE - radius:g}V{_JOIN}", 'class="wire"')
    # The reset gate acts on what the memory says to the candidate.
    row = _BARS + _ROW * 1.5 - 2.5
    lane = (n + r) / 2
    to.path(f"M{r - radius:g} {_GATE}H{lane:g}V{row:g}H{n + to.reach + 5:g}", bound.gate("r"))
    for x, y, sign in ((z, _BELT, "×"), (n, _BELT, "+"), (n, _JOIN, "×")):
        to.knob(x, y, sign)
    to.text(2, 20, symbol("h", "before"), "symbol", "start")
    to.text(2, 41, bound.number("hp", "tspan"), "state", "start")
    to.text(end - 2, 20, symbol("h"), "symbol", "end")
    to.text(end - 2, 41, bound.number("h", "tspan"), "state", "end")
    to.text((z + n) / 2, _BELT + 24, bound.number("kh", "tspan"), "value")
    to.text(n + 11, (_BELT + _JOIN) / 2 + 5, bound.number("un", "tspan"), "value", "start")
    to.text((z + n) / 2, _JOIN - 7, f"1 − {symbol('z')}", "name")
    to.text((z + n) / 2, _JOIN + 19, bound.percent("u", "tspan"), "value")
    for x, letter in ((z, "z"), (n, "n"), (r, "r")):
        to.valve(x, letter, half=letter == "n")
        to.column(x, letter, "tanh" if letter == "n" else "σ", "xrb" if letter == "n" else "xhb")
    return to.svg(to.buses([z, n, r], 3), "A GRU cell with the numbers of the chosen step")


def _rnn(run: CellRun, to: Sketch) -> Html:
    middle, bound, end = to.width / 2, to.bound, to.width
    to.panel(3)
    # What was shown comes back by way of the weights U alone.
    lane, row = 92 if to.narrow else 170, _BARS + _ROW * 1.5 - 2.5
    inner, outer = middle - to.reach - 12, middle + to.radius
    to.path(f"M0 {_BELT}H{middle - lane - 10:g}q10 0 10 10V{row - 10:g}q0 10 10 10H{inner:g}", bound.flow("hp", "h"))
    to.path(
        f"M{outer:g} {_GATE}H{middle + lane - 10:g}q10 0 10 -10V{_BELT + 10}q0 -10 10 -10H{end - 9:g}",
        bound.flow("h", "h"),
    )
    to.head(end, _BELT, "h")
    to.head(inner + 8, row, "hp")
    to.text(2, 20, symbol("h", "before"), "symbol", "start")
    to.text(2, 41, bound.number("hp", "tspan"), "state", "start")
    to.text(end - 2, 20, symbol("h"), "symbol", "end")
    to.text(end - 2, 41, bound.number("h", "tspan"), "state", "end")
    to.text(middle, _BELT + 18, "no gates: everything is", "name")
    to.text(middle, _BELT + 35, "written anew at each step", "name")
    to.valve(middle, "h", half=True)
    to.column(middle, "n", "tanh" if run.cell.mode == "RNN_TANH" else "relu", "xhb")
    return to.svg(to.buses([middle], 3), "A recurrent cell with the numbers of the chosen step")
