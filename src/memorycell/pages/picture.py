"""Picture: a matplotlib figure that notebooks show by themselves, and that is saved as it is shown."""

from __future__ import annotations

import base64
import io
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager, get_font
from matplotlib.text import Text

from memorycell.kernels.quiet import quiet

PAPER = "#ffffff"
FORMATS = ("svg", "png", "pdf")
GLYPH_MISSING = "Glyph .* missing"  # what matplotlib's warning of a letter that a font lacks begins with
_FINE = 144  # dots an inch where there are dots: two for each pixel of a page
_FONT = "DejaVu Sans"  # comes with matplotlib
_MANY_SCRIPTS = ("noto", "unicode", "cjk", "pingfang", "hiragino", "yahei", "malgun", "nirmala", "wenquan", "segoe ui")
# No dates, and ids that are made of what they name: the same picture is the same file.
_AS_EVER: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}

_DRAWING = threading.RLock()


@contextmanager
def drawn_with(settings: Any) -> Iterator[None]:
    """Within it matplotlib's settings are these: they are those of the whole process, so one thread at a time."""
    with _DRAWING, rc_context(settings):
        yield


class Picture(Figure):
    """A figure that is shown where it is the last line of a cell, without pyplot and without ``%matplotlib``.

    Notebooks get it as SVG, whose text is text in the reader's own fonts, and as PNG for those that show no SVG. It
    stands on white paper, there and in files, so that it can be read on dark pages, too; ``transparent=True`` of
    `savefig` leaves the paper out.

    Example
    -------
    >>> picture = Picture(figsize=(2, 1), dpi=72)
    >>> sorted(picture._repr_mimebundle_()[0])
    ['image/png', 'image/svg+xml']
    >>> picture._repr_mimebundle_()[1]["image/png"]
    {'width': 144, 'height': 72}
    """

    def savefig(self, fname: Any, *, transparent: bool | None = None, **options: Any) -> None:
        """As matplotlib's: on paper unless it is to be `transparent`; by `fname`'s ending .svg, .png, .pdf or others.

        Parameters
        ----------
        options : see `matplotlib.figure.Figure.savefig`; ``dpi`` is 144 by default, twice the size in pixels
        """
        if not transparent:
            options = {"facecolor": PAPER, **options}
        kind = options.get("format") or (Path(fname).suffix[1:] if isinstance(fname, str | Path) else "")
        options = {"dpi": _FINE, "metadata": _AS_EVER.get(kind.lower()), **options}
        if kind.lower() not in ("svg", "svgz"):  # whose reader has fonts of their own
            _find_letters(self)
        with drawn_with({"svg.fonttype": "none", "svg.hashsalt": "memorycell", "pdf.fonttype": 42}):
            super().savefig(fname, transparent=transparent, **options)

    def rendered(self, kind: str) -> bytes:
        """The picture as the bytes of a file.

        Parameters
        ----------
        kind : "svg", "png" or "pdf"
        """
        buffer = io.BytesIO()
        with quiet(UserWarning, GLYPH_MISSING):  # who asks for bytes is told by `letters_missing`, once for all
            self.savefig(buffer, format=kind)
        return buffer.getvalue()

    def letters_missing(self) -> str:
        """Letters that no font of this computer has: boxes in PNG and PDF, while SVG leaves them to the reader's."""
        return "".join(sorted(_letters(self) - _covered(_fonts(frozenset(_letters(self) - _covered((_FONT,)))))))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        def wanted(kind: str) -> bool:
            return (not include or kind in include) and kind not in (exclude or ())

        data, about = {}, {}
        if wanted("image/svg+xml"):
            data["image/svg+xml"] = _for_pages(self.rendered("svg").decode())
        if wanted("image/png"):
            data["image/png"] = base64.b64encode(self.rendered("png")).decode("ascii")
            width, height = (round(inches * 72) for inches in self.get_size_inches())
            about["image/png"] = {"width": width, "height": height}
        return data, about


def _for_pages(svg: str) -> str:
    """An SVG file as the element of a page: without what stands before it, its points as pixels."""
    svg = svg[svg.index("<svg") :]
    return re.sub(r'(?<= )(width|height)="([\d.]+)pt"', r'\1="\2"', svg, count=2)


# ---------------------------------------------------------------------- letters


def _letters(figure: Figure) -> set[str]:
    found: Iterable[Any] = figure.findobj(Text)
    return {letter for text in found for letter in text.get_text() if not letter.isspace()}


def _find_letters(figure: Figure) -> None:
    """Give the texts further fonts where matplotlib's own lacks letters of theirs."""
    missing = frozenset(_letters(figure) - _covered((_FONT,)))
    if not missing:
        return
    families = list(_fonts(missing))
    for text in figure.findobj(Text):
        if set(text.get_text()) & missing:
            text.set_fontfamily([*(name for name in text.get_fontfamily() if name not in families), *families[1:]])


@cache
def _charmap(path: str) -> frozenset[str]:
    """The letters that a font file has; none where it cannot be read."""
    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


def _covered(families: tuple[str, ...]) -> frozenset[str]:
    """The letters that some fonts have together."""
    return frozenset().union(*(_charmap(findfont(name)) for name in families))


@cache
def _fonts(missing: frozenset[str]) -> tuple[str, ...]:
    """matplotlib's font, and of those that are installed as many as it takes to have the letters that it lacks."""
    chosen, left = [_FONT], set(missing)
    known = [each for each in fontManager.ttflist if each.style == "normal" and not each.name.startswith("Last Resort")]
    # Those that are made for many scripts first: to read all fonts of a computer takes seconds.
    for entry in sorted(known, key=lambda each: not any(part in each.name.lower() for part in _MANY_SCRIPTS)):
        if not left:
            break
        if entry.name not in chosen and (have := left & _charmap(entry.fname)):
            chosen.append(entry.name)
            left -= have
    return tuple(chosen)
