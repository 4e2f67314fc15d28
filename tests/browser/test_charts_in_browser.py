"""Charts in a browser: what the pointer reads is the data, a stretch can be looked at, and nothing needs the script."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator

from memorycell import Forecaster, SequenceClassifier, write_report

QUICK: dict[str, Any] = {"epochs": 2, "verbose": False, "n_threads": 1, "random_state": 3}
DAYS = 400


def table() -> pd.DataFrame:
    days = np.arange(DAYS)
    readings = 12 + 8 * np.sin(days / 9) + np.random.default_rng(0).normal(0, 1, DAYS)
    return pd.DataFrame({"date": np.datetime64("2024-01-01") + days, "temp": readings.round(2)})


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("charts") / "forecast.html"
    model = Forecaster(window=24, horizon=7, hidden_size=6, **QUICK).fit(table(), target="temp")
    return write_report(path, model, table())


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    path = tmp_path_factory.mktemp("charts") / "classes.html"
    texts = [f"word{k % 3} and word{k % 5}" for k in range(60)]
    labels = [["one\n<b>", "two", "three"][k % 3] for k in range(60)]
    model = SequenceClassifier(hidden_size=4, embedding_size=4, min_count=1, **QUICK).fit(texts, labels)
    return write_report(path, model, (texts, labels), seen=False), model


@pytest.fixture
def show(browser: Browser) -> Any:
    contexts = []

    def open_page(path: Path, width: int = 1280, **options: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.complaints, page.asked = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def chart(page: Any, section: str, place: int = 0) -> tuple[Locator, Locator]:
    """A figure of a section, and its picture in sight."""
    figure = page.locator(f"#{section} figure[data-readings]").nth(place)
    svg = figure.locator("svg.plot:visible")
    svg.scroll_into_view_if_needed()
    return figure, svg


def hover(page: Any, svg: Locator, across: float, down: float = 0.5) -> None:
    box = svg.bounding_box()
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])


def said(figure: Locator) -> tuple[str, dict[str, str]]:
    """The title of what the pointer reads, and its values by their names."""
    rows = figure.locator(".tip .reading").evaluate_all(
        "rows => rows.map(row => [row.querySelector('.named')?.textContent ?? '', row.querySelector('b')?.textContent])"
    )
    return figure.locator(".tip .where").inner_text(), dict(rows)


def drag(page: Any, svg: Locator, start: float, stop: float) -> None:
    hover(page, svg, start)
    page.mouse.down()
    hover(page, svg, (start + stop) / 2)
    hover(page, svg, stop)
    page.mouse.up()


def ends(svg: Locator) -> list[str]:
    return svg.locator(".ends text").all_text_contents()


@pytest.mark.parametrize("width", [1280, 390])
def test_what_the_pointer_reads_is_the_data(show: Callable[..., Any], report: Path, width: int) -> None:
    page, known = show(report, width), table()
    figure, svg = chart(page, "data")
    values = known.assign(date=known.date.astype(str)).set_index("date").temp
    for across in (0.2, 0.5, 0.83):
        hover(page, svg, across)
        day, read = said(figure)
        assert float(read["temp"]) == values[day]
        # The mark stands where the pointer is.
        mark, box = svg.locator(".rule").bounding_box(), svg.bounding_box()
        assert mark["x"] - box["x"] == pytest.approx(across * box["width"], abs=3)
    tip = figure.locator(".tip").bounding_box()
    assert tip["x"] >= 0 and tip["x"] + tip["width"] <= width
    page.mouse.move(0, 0)
    assert not figure.locator(".tip").is_visible()
    assert page.complaints == [] and page.asked == [report.as_uri()]


def test_panels_beside_each_other_are_each_read(show: Callable[..., Any], classes: tuple[Path, Any]) -> None:
    page = show(classes[0])
    figure, svg = chart(page, "classes", 1)
    for across, name in ((0.2, "false positive rate: "), (0.8, "recall: ")):
        hover(page, svg, across)
        place, read = said(figure)
        assert place.startswith(name) and set(read) == {"one <b>", "two", "three"}
        assert all(0 <= float(value) <= 1 for value in read.values())
    assert page.complaints == []


def test_a_map_of_gates_is_read_cell_by_cell(show: Callable[..., Any], report: Path) -> None:
    page = show(report)
    figure, svg = chart(page, "gates")
    svg.focus()
    page.keyboard.press("ArrowRight")
    first = said(figure)
    for _ in range(6):  # through the 6 units of the first gate into the next one
        page.keyboard.press("ArrowDown")
    step, read = said(figure)
    assert step == first[0] and len(read) == 1 and next(iter(read)).startswith("unit ")
    assert 0 <= float(next(iter(read.values()))) <= 1
    assert page.complaints == []


def test_a_forecast_is_read_with_its_intervals(show: Callable[..., Any], report: Path) -> None:
    page = show(report)
    figure, svg = chart(page, "forecast")
    svg.focus()
    page.keyboard.press("End")
    day, read = said(figure)
    cells = page.locator("#forecast tbody tr").last.locator("td").all_text_contents()
    assert day == cells[0] == "2025-02-10"
    assert float(read["forecast"].replace("−", "-")) == pytest.approx(float(cells[1].replace("−", "-")), abs=0.06)
    assert set(read) == {"forecast", "90 % interval", "50 % interval"}


def test_a_stretch_is_looked_at_by_dragging_and_given_back(show: Callable[..., Any], report: Path) -> None:
    page = show(report)
    figure, svg = chart(page, "data")
    hover(page, svg, 0.4)
    first, _ = said(figure)
    hover(page, svg, 0.6)
    last, _ = said(figure)
    drag(page, svg, 0.4, 0.6)
    found = ends(svg)
    assert pd.Timestamp(found[0]) >= pd.Timestamp(first) - pd.Timedelta(days=1)
    assert pd.Timestamp(found[2]) <= pd.Timestamp(last) + pd.Timedelta(days=1)
    values = table().assign(date=lambda each: each.date.astype(str)).set_index("date").temp
    for across in (0.3, 0.7):  # closer, and still the data
        hover(page, svg, across)
        day, read = said(figure)
        assert first <= day <= last and float(read["temp"]) == values[day]
    assert not svg.locator(".ticks").first.is_visible()
    figure.get_by_role("button", name="Show all of it").click()
    assert ends(svg) == [] and svg.locator(".ticks").first.is_visible()


def test_keys_and_the_wheel_zoom(show: Callable[..., Any], report: Path) -> None:
    page = show(report)
    figure, svg = chart(page, "data")
    height = page.evaluate("scrollY")
    hover(page, svg, 0.5)
    page.mouse.wheel(0, -200)  # the wheel is the page's until the chart is chosen
    page.wait_for_function("before => scrollY !== before", arg=height)
    assert ends(svg) == []
    svg.focus()
    svg.scroll_into_view_if_needed()
    hover(page, svg, 0.5)
    page.mouse.wheel(0, -200)
    page.wait_for_function("node => node.querySelectorAll('.ends text').length === 3", arg=svg.element_handle())
    wide = ends(svg)
    page.keyboard.press("+")
    assert wide[0] < ends(svg)[0] <= ends(svg)[2] < wide[2]
    page.keyboard.press("Home")
    assert said(figure)[0] >= ends(svg)[0]
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert ends(svg) == []
    for _ in range(40):
        page.keyboard.press("+")
    close = ends(svg)
    assert 5 <= (pd.Timestamp(close[2]) - pd.Timestamp(close[0])).days <= 12
    page.keyboard.press("0")
    assert ends(svg) == []


def test_fingers_read_and_pinch(show: Callable[..., Any], report: Path) -> None:
    page = show(report, 390, has_touch=True, is_mobile=True)
    figure, svg = chart(page, "data")
    box = svg.bounding_box()
    page.touchscreen.tap(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    assert figure.locator(".tip").is_visible()
    svg.evaluate(
        """(svg, [left, right, top]) => {
          const send = (type, id, x) => svg.dispatchEvent(new PointerEvent(type,
            {pointerId: id, pointerType: 'touch', clientX: x, clientY: top, bubbles: true}));
          const middle = (left + right) / 2;
          send('pointerdown', 8, middle - 20); send('pointerdown', 9, middle + 20);
          send('pointermove', 8, left + 60); send('pointermove', 9, right - 60);
          send('pointerup', 8, left + 60); send('pointerup', 9, right - 60);
        }""",
        [box["x"], box["x"] + box["width"], box["y"] + box["height"] / 2],
    )
    whole = (DAYS * 40) / (box["width"] - 120)
    found = ends(svg)
    assert (pd.Timestamp(found[2]) - pd.Timestamp(found[0])).days == pytest.approx(whole, rel=0.35)


def test_cells_of_a_matrix_are_read_and_nothing_in_them_runs(show: Callable[..., Any], classes: Any) -> None:
    path, _ = classes
    page = show(path)
    figure, svg = chart(page, "classes")
    svg.focus()
    read = []
    page.keyboard.press("ArrowRight")
    for _ in range(9):
        title, rows = said(figure)
        read.append((title, *rows))
        page.keyboard.press("ArrowRight")
    text = figure.locator(".tip").inner_text()
    assert re.search(r"\d+ of 20 \(\d+ %\)", text)
    assert {title for title, *_ in read} == {"is one⏎<b>", "is three", "is two"}
    assert page.locator(".tip b b").count() == 0 and page.complaints == []


def test_without_the_script_all_content_is_there(show: Callable[..., Any], report: Path) -> None:
    alive, still = show(report), show(report, java_script_enabled=False)
    assert still.locator("svg.plot:visible").count() == alive.locator("svg.plot:visible").count() > 3
    assert still.locator(".tip, .tools").count() == 0
    words = [page.locator("main").inner_text().replace("\n−\n+\nAll", "") for page in (alive, still)]
    assert re.sub(r"\s+", " ", words[0]).replace(" − + All", "") == re.sub(r"\s+", " ", words[1])


def test_a_table_that_goes_on_shows_it_at_its_edge(show: Callable[..., Any], report: Path) -> None:
    page = show(report, 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = page.locator(".scroll")
    for place in range(boxes.count()):
        box = boxes.nth(place)
        if box.is_visible() and box.evaluate("node => node.scrollWidth > node.clientWidth"):
            assert box.evaluate("node => getComputedStyle(node).backgroundImage.includes('radial-gradient')")
            assert box.get_attribute("tabindex") == "0" and box.get_attribute("aria-label")
