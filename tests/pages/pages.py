"""A page as a browser and an attacker see it."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from memorycell import write_report
from memorycell.pages.page import asset

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
REVERSED = "\u202egnp\u0007"  # a mark that turns the direction of writing, and a control character
VOID = {"meta", "br", "img", "link", "input", "hr"}


def without_charts(text: str) -> str:
    """A page without the script of its charts, which is ours to the letter and named by the page's policy."""
    script = f"\n<script>{asset('charts.js')}</script>\n"
    if script in text:
        digest = base64.b64encode(hashlib.sha256(asset("charts.js").encode()).digest()).decode()
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
        assert policy is not None and "default-src 'none'" in policy[1] and f"'sha256-{digest}'" in policy[1]
        assert "unsafe" not in policy[1].partition("script-src")[2]
    return text.replace(script, "")


class Page(HTMLParser):
    """Checks that tags nest, and collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.links, self.words, self.sections = [], [], [], [], [], []
        self.marks = []
        self.feed(without_charts(text))
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("href", "src", "xlink:href", "action", "data") if name in given]
        assert not [name for name in given if name.startswith("on")], given
        if tag == "section":
            self.sections.append(given["id"])
        if tag == "mark":
            self.marks.append(given["class"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split()).replace("\xa0", " ")

    def check_safe(self) -> None:
        """Nothing runs, nothing comes from elsewhere, nothing turns the page's writing around."""
        assert not {"script", "link", "iframe", "object", "embed", "img", "base"} & set(self.tags)
        assert all(link.startswith(("#", "data:image/png;base64,")) for link in self.links)
        assert len(self.ids) == len(set(self.ids))
        assert "\u202e" not in self.text and "\u0007" not in self.text


def page_of(folder, *args, drawn=False, phone=False, **options) -> Page:
    """The report as a page that was checked; its figures are made, but put into it only if they are to be `drawn`, and
    made as wide as for a phone, too, only if it is to be one for a `phone`."""
    with pytest.MonkeyPatch.context() as patch:
        if not phone:
            patch.setattr("memorycell.pages.page.WIDTHS", {"wide": 720})
        if not drawn:
            patch.setattr("memorycell.pages.page.inline_svg", lambda figure, key, caption: "<svg></svg>")
        path = write_report(folder / "r.html", *args, force=True, **options)
    page = Page(path.read_text(encoding="utf-8"))
    page.check_safe()
    return page
