"""page: one self-contained HTML page from headings, paragraphs, tables and figures, with all text escaped."""

from __future__ import annotations

import base64
import contextlib
import gc
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from matplotlib.figure import Figure

from memorycell.pages.drawing import NARROW, PALETTE, WIDE, inline_svg
from memorycell.pages.pointer import readings

WIDTHS = {"wide": WIDE, "narrow": NARROW}  # of each figure's drawings, in pixels, by the class in the style sheet


class Html(str):
    """Text that is markup already; everything else is escaped on its way into the page."""

    __slots__ = ()


def escaped(content: Any) -> Html:
    """`content` as markup: as it is when it is `Html`, else as text.

    Example
    -------
    >>> escaped("<b>"), escaped(Html("<b>"))
    ('&lt;b&gt;', '<b>')
    """
    if isinstance(content, Html):
        return content
    return Html(html.escape(re.sub(r"(?<=\d) (?=[%°])", "\N{NO-BREAK SPACE}", _printable(str(content)))))


def _printable(text: str) -> str:
    # Control characters and marks that turn the direction of writing would reach beyond their name. Joiners stay: emoji
    # and several scripts are written with them.
    kept = "\n\t\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
    return "".join(c if c.isprintable() or c in kept else "\N{REPLACEMENT CHARACTER}" for c in text)


def element(tag: str, content: Any, **attributes: str) -> Html:
    """An element with escaped content and attributes (``class_`` for ``class``).

    Example
    -------
    >>> element("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    given = "".join(f' {name.rstrip("_")}="{html.escape(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{given}>{escaped(content)}</{tag}>")


def paragraph(*sentences: str) -> Html:
    """A paragraph of the sentences that are not empty; nothing when all are."""
    kept = [escaped(sentence) for sentence in sentences if sentence]
    return element("p", Html(" ".join(kept))) if kept else Html()


def bullets(items: Iterable[Any]) -> Html:
    """A list; nothing when there are no items."""
    made = "".join(element("li", item) for item in items)
    return Html(f"<ul>{made}</ul>") if made else Html()


def facts(pairs: Mapping[str, Any], class_: str = "facts") -> Html:
    """Names and values; pairs whose value is None or "" are left out."""
    rows = "".join(
        f"<div>{element('dt', name)}{element('dd', value)}</div>"
        for name, value in pairs.items()
        if value is not None and value != ""
    )
    return Html(f'<dl class="{class_}">{rows}</dl>') if rows else Html()


def table(
    headings: Sequence[Any],
    rows: Sequence[Sequence[Any]],
    *,
    strong: Sequence[int] = (),
    words: int = 1,
    shown: int = 0,
) -> Html:
    """A table that scrolls sideways where it is wider than the page.

    Parameters
    ----------
    strong : rows to set off
    words : columns from the left that hold words, aligned left; the others hold numbers
    shown : rows in sight, the others folded away; 0 shows all

    Example
    -------
    >>> table(["model", "RMSE"], [["LSTM", "2.2"]]).count("<td")
    2
    """

    def cells(tag: str, row: Sequence[Any]) -> str:
        return "".join(element(tag, cell, class_="w" if i < words else "n") for i, cell in enumerate(row))

    def body(numbered: Iterable[tuple[int, Sequence[Any]]]) -> Html:
        classes = {i: ' class="strong"' for i in strong}
        made = "".join(f"<tr{classes.get(i, '')}>{cells('td', row)}</tr>" for i, row in numbered)
        head = f"<thead><tr>{cells('th', headings)}</tr></thead>"
        named = html.escape(_printable(", ".join(filter(None, map(str, headings)))[:80]))
        return Html(
            f'<div class="scroll" role="region" aria-label="Table: {named}" tabindex="0"><table>{head}'
            f"<tbody>{made}</tbody></table></div>"
        )

    numbered = list(enumerate(rows))
    if not shown or len(rows) <= shown + 3:
        return body(numbered)
    return Html(body(numbered[:shown]) + folded(f"{len(rows) - shown:,} more rows", body(numbered[shown:])))


def folded(summary: str, content: Html) -> Html:
    """What is folded away behind a line that opens it; on paper it stands open.

    Example
    -------
    >>> folded("more", paragraph("There is more."))
    '<details><summary>more</summary><p>There is more.</p></details>'
    """
    return element("details", Html(element("summary", summary) + content))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """A figure is made of tens of thousands of objects: looking for garbage among them took a quarter of its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def figure(draw: Callable[[float], Figure], key: str, caption: str) -> Html:
    """A figure drawn twice, for a page and for a phone; the style sheet shows the one that fits.

    Parameters
    ----------
    draw : from a width in pixels to the figure
    key : letters, digits and dashes, unique in the page
    caption : one or two sentences, which are also what a screen reader reads
    """
    with _uncollected():
        pictures = {name: draw(width) for name, width in WIDTHS.items()}
        drawings = "".join(
            f'<div class="{name}">{inline_svg(picture, f"{key}-{name[0]}", caption)}</div>'
            for name, picture in pictures.items()
        )
        told = readings(**pictures)
    telling = f" data-readings='{told}'" if told else ""
    return Html(f"<figure{telling}>{drawings}{element('figcaption', caption)}</figure>")


@dataclass
class Section:
    """A part of the page with a heading; without content it is left out.

    Example
    -------
    >>> section = Section("data", "The data")
    >>> section.add(paragraph("1,000 rows."))
    >>> section.html()
    '<section id="data"><h2>The data</h2><p>1,000 rows.</p></section>'
    """

    id: str
    title: str
    parts: list[Html] = field(default_factory=list)

    def add(self, *parts: Html) -> None:
        """Append content; empty parts are dropped."""
        self.parts += [part for part in parts if part]

    def html(self) -> Html:
        """The section's markup, or nothing."""
        if not self.parts:
            return Html()
        return element("section", Html(element("h2", self.title) + "".join(self.parts)), id=self.id)


@dataclass
class Page:
    """A report: what its header says, its sections, and its last words.

    Attributes
    ----------
    title, lead : str
    cards : dict of str to str
        The few numbers that people look for first.
    sections : list of Section
    footer : str
    """

    title: str
    lead: str
    cards: Mapping[str, str]
    sections: Sequence[Section]
    footer: str

    def text(self) -> str:
        """The whole page."""
        header = Html(
            element("p", "memorycell report", class_="eyebrow")
            + element("h1", self.title)
            + element("p", self.lead, class_="lead")
            + facts(self.cards, "cards")
        )
        return document(self.title, header, self.sections, element("p", self.footer))


def asset(name: str) -> str:
    """A style sheet or script of this folder, as text."""
    return resources.files("memorycell.pages").joinpath(name).read_text(encoding="utf-8")


def json_block(id: str, content: Any) -> Html:
    """Data for a script, as JSON that no text in it can end or turn into markup.

    Example
    -------
    >>> json_block("d", ["</script>"])
    '<script type="application/json" id="d">["\\\\u003c/script\\\\u003e"]</script>'
    """
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="{id}">{text}</script>')


def document(
    title: str,
    header: Html,
    sections: Sequence[Section],
    footer: Html,
    *,
    style: str = "",
    data: str = "",
    script: str = "",
) -> str:
    """The whole page as text: it asks for nothing from outside, and runs no script but its own.

    Parameters
    ----------
    style : rules beside those of every page
    data : what `json_block` made for the script
    script : JavaScript, beside that of the charts; the page's policy names the hash of each, so that no other runs
    """
    style = asset("report.css") + style
    light = ";".join(f"--{name}:{colour}" for name, colour in PALETTE.items())
    kept = [section for section in sections if section.parts]
    links = "".join(element("a", section.id.capitalize(), href=f"#{section.id}") for section in kept)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    body = "\n".join(section.html() for section in kept)
    scripts = [script] * bool(script)
    scripts += [asset("charts.js")] * (" data-readings=" in body or " data-readings=" in header)
    if scripts:
        hashes = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts)
        policy += "; script-src " + " ".join(f"'sha256-{each}'" for each in hashes)
        data += "".join(f"\n<script>{each}</script>\n" for each in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"{element('title', title)}\n<style>\n:root{{{light}}}\n{style}</style>\n</head>\n<body>\n"
        f'<header>{header}<nav aria-label="Sections">{links}</nav></header>\n<main>\n'
        + body
        + f"\n</main>\n<footer>{footer}</footer>\n{data}</body>\n</html>\n"
    )
