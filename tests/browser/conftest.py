"""A browser, and the pages it looks at."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from explained_pages import PAGES
from playwright.sync_api import Browser, Page, sync_playwright


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Any]]:
    """The page of a name, written once, and the model, data and arguments it explains."""
    folder, known = tmp_path_factory.mktemp("pages"), {}

    def get(name: str) -> tuple[Path, Any]:
        if name not in known:
            path = folder / f"{name}.html"
            known[name] = path, PAGES[name](path)
        return known[name]

    return get


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


class Seen:
    """A page in the browser: what it asked for, what it complained of, and ways to read it."""

    def __init__(self, page: Page) -> None:
        self.page, self.requests, self.complaints = page, [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))

    def settle(self) -> None:
        """Two frames: whatever was to be drawn is drawn."""
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def go(self, step: int) -> None:
        self.page.locator("#step").evaluate(
            "(slider, step) => { slider.value = step; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            step,
        )
        self.settle()

    @property
    def step(self) -> int:
        return int(self.page.locator("#step").input_value())

    def numbers(self) -> dict[str, float]:
        """The numbers of the equations in sight, by their names."""
        return self.page.evaluate(
            """() => Object.fromEntries([...document.querySelectorAll('.formulas .stage:not([hidden]) [data-n]')]
                 .map(node => [node.dataset.n, +node.textContent.replace('−', '-').replace(/,/g, '')]))"""
        )

    def texts(self) -> list[str]:
        """All text of the drawing, the equations and the story; also where scripts are off."""
        stage = ".stage:not([hidden])"
        where = f"{stage} [data-n], {stage} [data-p], {stage} [data-pc], .happens, .ribbon"
        return self.page.locator(where).all_text_contents()


@pytest.fixture
def look(browser: Browser, made: Callable[[str], tuple[Path, Any]]) -> Iterator[Callable[..., Seen]]:
    """Opens the page of a name; more arguments are of the browser's context."""
    contexts = []

    def open_page(name: str, width: int = 1280, **options: Any) -> Seen:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.goto(made(name)[0].as_uri())
        if options.get("java_script_enabled", True):
            seen.settle()
        return seen

    yield open_page
    for context in contexts:
        context.close()
