"""The page that explains, in a browser: it moves, its numbers are those of the network, and nothing else runs."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from explained_pages import HOSTILE, PAGES
from playwright.sync_api import expect

from memorycell.pages.explaining.cell import CellRun
from memorycell.pages.explaining.runs import runs_of


def run_of(made: Callable[[str], Any], name: str, number: int) -> CellRun:
    _, (model, data, where) = made(name)
    return runs_of(model.explained(data, **where))[number]


def test_the_slider_moves_the_numbers_and_the_equation_adds_up(look: Any, made: Any) -> None:
    seen = look("forecast")
    run = run_of(made, "forecast", 0)
    unit = run.order()[0]
    for step in (0, 7, run.steps - 1):
        seen.go(step)
        shown, true = seen.numbers(), run.frame(unit, step)
        assert f"Step {step + 1} of {run.steps}" in seen.page.locator("#happens").inner_text()
        for name in ("f", "i", "g", "o", "cn", "m"):
            assert shown[name] == pytest.approx(true[name], abs=6e-5 + 0.5 * 10 ** -digits(seen)), name
        line = seen.page.locator(".formulas .stage:not([hidden]) .equation").nth(3).locator(".numbers").inner_text()
        products, sums, total = (side for side in line.lstrip("= ").split(" = "))
        values = [float(text.strip("() ").replace("−", "-")) for text in products.replace(" · ", " + ").split(" + ")]
        kept, held, let_in, new = values
        close = 4 * 10 ** -digits(seen)
        assert kept * held + let_in * new == pytest.approx(number(total), abs=close)
        assert sum(number(part) for part in sums.split(" + ")) == pytest.approx(number(total), abs=close)
        assert number(total) == pytest.approx(true["c"], abs=close)


def digits(seen: Any) -> int:
    return len(seen.page.locator(".formulas .stage:not([hidden]) [data-n]").first.inner_text().split(".")[1])


def number(text: str) -> float:
    return float(text.strip("() ").replace("−", "-"))


@pytest.mark.parametrize(("name", "letters"), [("GRU", "rzn"), ("RNN", "")])
def test_other_cells_and_layers_that_read_backwards(look: Any, made: Any, name: str, letters: str) -> None:
    seen = look(name)
    names = seen.page.locator("#run option").all_inner_texts()
    assert names == ["forwards", "backwards"]
    for place, text in enumerate(names):
        seen.page.locator("#run").select_option(str(place))
        run = run_of(made, name, place)
        assert text.endswith("backwards") == run.backwards
        for step in (0, run.steps // 2, run.steps - 1):
            seen.go(step)
            true = run.frame(run.order()[0], step)
            shown = seen.numbers()
            for key in (*letters, "na"):
                assert shown[key] == pytest.approx(true[key], abs=0.0051), (text, step, key)


@pytest.mark.parametrize("name", PAGES)
def test_what_stands_without_a_script_is_what_the_script_shows_first(look: Any, name: str) -> None:
    alive, still = look(name), look(name, java_script_enabled=False)
    texts = still.texts()
    assert alive.texts() == texts
    assert len(texts) > 30 or name == "RNN"


def test_without_a_script_the_pictures_stand_and_it_is_said_what_is_missing(look: Any) -> None:
    page = look("text", java_script_enabled=False).page
    assert "JavaScript is off" in page.locator(".notice").inner_text()
    assert page.locator(".stage:not([hidden]) .wide svg.cell").bounding_box()["height"] > 200
    assert page.locator("#movie .trace").first.get_attribute("d").startswith("M")
    assert page.locator("svg.plot").count() >= 6
    assert not page.locator(".transport").is_visible() and not page.locator(".pickers").is_visible()


def test_keys(look: Any) -> None:
    seen = look("forecast")
    last = seen.step
    slider = seen.page.locator("#step")
    slider.focus()
    for key, step in (("ArrowLeft", last - 1), ("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("End", last)):
        seen.page.keyboard.press(key)
        seen.settle()
        assert seen.step == step, key
    seen.page.locator("#movie").focus()
    seen.page.keyboard.press("Home")
    seen.settle()
    assert seen.step == 0
    order = []
    seen.page.locator("#unit").focus()
    for _ in range(6):
        seen.page.keyboard.press("Tab")
        order.append(seen.page.evaluate("document.activeElement.id"))
    assert order == ["start", "back", "play", "on", "end", "step"]


def test_buttons_pictures_and_words_move_it_too(look: Any) -> None:
    seen = look("language")
    last = seen.step
    for button, step in (("start", 0), ("on", 1), ("back", 0), ("end", last)):
        seen.page.locator(f"#{button}").click()
        seen.settle()
        assert seen.step == step, button
    seen.page.locator("#ribbon .token").nth(3).click()
    seen.settle()
    assert seen.step == int(seen.page.locator("#ribbon .here").get_attribute("data-step")) < last
    box = seen.page.locator("#movie .row svg").last.bounding_box()
    seen.page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    seen.settle()
    assert seen.step == 0
    assert seen.page.locator("#ribbon .here").inner_text() == "(start)"


def test_playing_goes_on_by_itself_in_silence(look: Any) -> None:
    seen = look("tags")
    seen.page.locator("#start").click()
    seen.page.locator("#play").click()
    assert seen.page.locator("#happens").get_attribute("aria-live") == "off"
    assert seen.page.locator("#play").get_attribute("aria-label") == "Pause"
    expect(seen.page.locator("#play")).to_have_attribute("title", "Play", timeout=8000)
    assert seen.step == 3
    assert seen.page.locator("#happens").get_attribute("aria-live") == "polite"


def test_another_unit_has_other_numbers(look: Any, made: Any) -> None:
    seen = look("forecast")
    run = run_of(made, "forecast", 0)
    before = seen.page.locator("#movie [data-row=c] .trace").get_attribute("d")
    seen.page.locator("#unit").select_option("2")
    seen.settle()
    assert seen.numbers()["f"] == pytest.approx(run.frame(run.order()[2], seen.step)["f"], abs=0.0051)
    assert seen.page.locator("#movie [data-row=c] .trace").get_attribute("d") != before


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_loaded_and_nothing_complains(look: Any, made: Any, name: str) -> None:
    seen = look(name, width=390)
    for part in ("on", "back", "start", "end"):
        seen.page.locator(f"#{part}").click()
    seen.settle()
    assert seen.requests == [made(name)[0].as_uri()]
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_hostile_text_is_shown_and_not_run(look: Any) -> None:
    seen = look("text")
    for step in range(12):
        seen.go(step)
    assert seen.page.evaluate("window.hacked") is None
    assert seen.page.locator("img").count() == 0
    assert seen.complaints == []
    text = seen.page.locator("body").inner_text()
    assert "</script><script>window.hacked=1" in text
    assert "\u202e" not in text
    assert HOSTILE not in seen.page.content()


CONTRAST = """() => {
  const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (colour) => {
    context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
  };
  const panel = rgb(getComputedStyle(document.querySelector('.cell .panel')).fill);
  const found = [];
  for (const [where, what] of [['p, .letters span, .numbers span, .says, #unit, .sources, .when', 'color'],
                               ['.cell text', 'fill']]) {
    for (const node of document.querySelectorAll(where)) {
      if (!node.getClientRects().length || !node.textContent.trim()) continue;
      const a = light(rgb(getComputedStyle(node)[what]));
      const b = light(what === 'fill' ? panel : behind(node));
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      found.push([ratio, node.textContent.slice(0, 40)]);
    }
  }
  return found.sort((a, b) => a[0] - b[0]).slice(0, 3);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["forecast", "text"])
def test_text_can_be_read_on_light_and_dark(look: Any, name: str, scheme: str) -> None:
    worst = look(name, color_scheme=scheme).page.evaluate(CONTRAST)
    assert worst[0][0] >= 4.5, worst


def test_shares_stay_on_one_line_at_any_width(look: Any) -> None:
    for width in (1280, 390):
        page = look("text", width=width).page
        heights = page.locator(".choices b").evaluate_all(
            "nodes => nodes.map(n => { n.style.fontWeight = 700; n.textContent = '100.0 %'; "
            "return n.getBoundingClientRect().height; })"
        )
        assert max(heights) < 30, width
        overflow = "nodes => Math.max(...nodes.map(n => n.scrollWidth - n.clientWidth))"
        assert page.locator(".choices b").evaluate_all(overflow) <= 0


@pytest.mark.parametrize("name", ["forecast", "GRU"])
def test_on_a_phone_the_sums_of_gates_keep_apart(look: Any, name: str) -> None:
    page = look(name, width=390).page
    boxes = page.locator(".picture .stage:not([hidden]) .narrow .sum").evaluate_all(
        "nodes => nodes.map(n => { n.querySelector('tspan').textContent = '−12.345'; "
        "const box = n.getBoundingClientRect(); return [box.left, box.right]; })"
    )
    assert len(boxes) >= 3
    boxes.sort()
    for (_, right), (left, _) in pairwise(boxes):
        assert left - right > 2


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_no_picture_is_cut_at_the_edge(look: Any, name: str) -> None:
    page = look(name, width=390).page
    right = page.locator("figure .narrow svg text").evaluate_all(
        "nodes => nodes.map(n => [n.getBoundingClientRect().right, n.textContent])"
    )
    assert max(right)[0] <= 390, max(right)
