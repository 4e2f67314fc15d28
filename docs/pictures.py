"""Redraw the pictures of README and docs, each from a real run: ``python docs/pictures.py [name ...]``.

They are SVG files that follow a reader's light or dark scheme. All of them take about five minutes on one core,
nearly all of it for the adding problem. Those of the pages in `DRAWN_BY_PAGES` are drawn by the pages' own code.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import re
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from memorycell import Forecaster, adding_problem
from memorycell.cli.main import main as memorycell
from memorycell.data.tables.encoded import eligible_origins
from memorycell.pages.drawing import PALETTE, canvas, end_labels, heading, inline_svg
from memorycell.pages.plots.network import adding_problem as draw_adding_problem
from memorycell.pages.plots.traces import gates
from memorycell.plot import compare_attributions, forecast_fan

HERE = Path(__file__).parent
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
# The colours of the report's page: light ones first, then the dark scheme's.
_STYLE = (resources.files("memorycell.pages") / "report.css").read_text(encoding="utf-8").split("@media")
LIGHT = {**PALETTE, **dict(re.findall(r"--(\w+): (#\w+);", _STYLE[0]))}
DARK = {**LIGHT, **dict(re.findall(r"--(\w+): (#\w+);", _STYLE[1]))}


@functools.cache
def demo() -> tuple[Forecaster, Any]:
    """The forecaster of `memorycell demo`, and its table."""
    with tempfile.TemporaryDirectory() as folder:
        if memorycell(["demo", "--quiet", "--output", folder]) != 0:
            raise SystemExit("memorycell demo failed: see above")
        return Forecaster.load(Path(folder) / "elnino.safetensors"), pd.read_csv(Path(folder) / "elnino.csv")


def forecast() -> tuple[Any, str]:
    """README: what `memorycell demo` forecast for the last year of its data, and what came."""
    forecaster, table = demo()
    encoded = forecaster.encode(table)
    last = eligible_origins(encoded, forecaster.window_, forecaster.horizon)[-1:]
    figure = forecast_fan(forecaster.forecast_at(encoded, last), encoded, history=60, unit="°C")
    return figure, "Five years of sea-surface temperature, the forecast of the sixth, and what came"


def explanation() -> tuple[Any, str]:
    """Looking inside: which months made the demo's forecast of the next, by two methods."""
    forecaster, table = demo()
    found = [forecaster.explain(table, method=name) for name in ("integrated gradients", "decomposition")]
    return compare_attributions(found), "What each month of the window adds to the forecast, by two methods"


def weather() -> tuple[Any, str]:
    """Tutorial: the last two months of its simulated weather."""
    table = tutorial_weather()[-61:]
    figure, (ax,) = canvas(720, 220)
    dates = table["date"]
    days = dates.to_numpy().astype("datetime64[us]")
    ends = []
    for name, colour in (("high", PALETTE["vermilion"]), ("low", PALETTE["blue"])):
        ax.plot(days, table[name], color=colour, linewidth=1.6)
        ends.append((float(table[name].iloc[-1]), name, colour))
    ax.axvspan(days[-6], days[-1], color=PALETTE["grid"], alpha=0.6, linewidth=0)
    heading(ax, "temperature, °C; the week of the question is shaded")
    ax.set_xticks(days[::12], [f"{date.day} {date:%B}" for date in dates[::12]])
    ax.margins(x=0.01, y=0.1)
    end_labels(ax, ends, 160)
    return figure, "Highs and lows of two months: warm spells that build up over days and break in one"


def gates_over_sixty_days() -> tuple[Any, str]:
    """Tutorial: the gates of a forecaster that looks back on sixty days of the same weather."""
    table = tutorial_weather()
    forecaster = Forecaster(horizon=1, window=60, verbose=False).fit(table, target=["high", "low"])
    seen = table[-60:]
    dates, highs = seen["date"].to_numpy().astype("datetime64[s]"), seen["high"].to_numpy(np.float64)
    figure = gates(forecaster.trace(), dates=dates, values=highs, name="high, °C")
    return figure, "Forget, input and output gates and cell of 32 units through sixty days, below the day's high"


def adding() -> tuple[Any, str]:
    """Tutorial: RNN, LSTM and GRU on the adding problem."""
    problem = adding_problem(progress=lambda text: print(" ", text, flush=True))
    print(problem.summary())
    return draw_adding_problem(problem), "Error during training: RNN stays at chance, LSTM and GRU leave it"


DRAWN_BY_PAGES = ("understanding-lstm.md",)
# Of a page its code, and its pictures: what they show, and their names.
_CODE_OR_PICTURE = re.compile(
    r"```python\n(?P<code>.*?)```|!\[(?P<shows>[^\]]*)\]\(images/(?P<name>[\w-]+)\.svg\)", re.DOTALL
)


@functools.cache
def drawn_by(page: str) -> dict[str, tuple[Any, str]]:
    """The pictures of a page whose code draws them: each is the last `figure` above it."""
    space: dict[str, Any] = {}
    found = {}
    for part in _CODE_OR_PICTURE.finditer((HERE / page).read_text(encoding="utf-8")):
        if part["code"] is not None:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(part["code"], space)  # noqa: S102
        else:
            found[part["name"]] = (space["figure"], part["shows"])
    return found


def _names_in(page: str) -> list[str]:
    return [
        part["name"] for part in _CODE_OR_PICTURE.finditer((HERE / page).read_text(encoding="utf-8")) if part["name"]
    ]


PICTURES: dict[str, Callable[[], tuple[Any, str]]] = {
    "forecast": forecast,
    "explanation": explanation,
    "weather": weather,
    "gates": gates_over_sixty_days,
    "adding": adding,
    **{
        name: functools.partial(lambda page, name: drawn_by(page)[name], page, name)
        for page in DRAWN_BY_PAGES
        for name in _names_in(page)
    },
}


def tutorial_weather() -> pd.DataFrame:
    """The table that the tutorial makes, by the tutorial's own code."""
    page = (HERE / "tutorial.md").read_text(encoding="utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "to_csv" in block)
    space: dict[str, Any] = {}
    exec(re.sub(r"^(table\.to_csv|print).*$", "", code, flags=re.MULTILINE), space)  # noqa: S102
    return space["table"]


def standalone(figure: Any, name: str, description: str) -> str:
    """A figure as an SVG file with its own paper, so that it reads on any page."""
    svg = inline_svg(figure, name, description)
    box = re.search(r'viewBox="([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)"', svg)
    if box is None:
        raise ValueError("expected an <svg> with a viewBox")
    width, height = float(box[3]), float(box[4])
    pad = 12
    light, dark = ("".join(f"--{k}:{colour};" for k, colour in each.items()) for each in (LIGHT, DARK))
    style = (
        f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f"text{{font-family:{FONTS};paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}}"
    )
    outer = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 2 * pad:g}" height="{height + 2 * pad:g}" '
        f'viewBox="{-pad} {-pad} {width + 2 * pad:g} {height + 2 * pad:g}"'
    )
    paper = f'<rect x="{-pad}" y="{-pad}" width="100%" height="100%" rx="6" fill="var(--paper)"/>'
    head, _, body = svg.partition(">")
    label = re.search(r'aria-label="[^"]*"', head)
    return f'{outer} role="img" {label[0] if label else ""}><style>{style}</style>{paper}{body}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(PICTURES)}; default: all")
    (HERE / "images").mkdir(exist_ok=True)
    for name in parser.parse_args().names or PICTURES:
        path = HERE / "images" / f"{name}.svg"
        figure, description = PICTURES[name]()
        path.write_text(standalone(figure, name, description), encoding="utf-8")
        print(path.relative_to(HERE.parent), flush=True)


if __name__ == "__main__":
    main()
