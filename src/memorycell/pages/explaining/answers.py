"""What a model answered, and what it was asked: the beginning of the page that explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from memorycell.data.lines import visible
from memorycell.pages.page import Html, element
from memorycell.pages.wording import percent

MOST_CHOICES = 6


@dataclass(frozen=True)
class Answer:
    """An answer in words and pictures.

    Attributes
    ----------
    title, lead : str
    cards : dict of str to str
    parts : what is shown of it
    """

    title: str
    lead: str
    cards: dict[str, str] = field(default_factory=dict)
    parts: Sequence[Html] = ()


def choices(shares: Sequence[tuple[str, float]], chosen: str) -> Html:
    """Names and probabilities as bars, the chosen one set off.

    Example
    -------
    >>> choices([("good", 0.9), ("bad", 0.1)], "good").count("<li")
    2
    """
    rows = []
    for name, share in shares:
        bar = f'<span class="share" style="width:{100 * max(0.0, min(1.0, share)):.1f}%"></span>'
        class_ = ' class="chosen"' if name == chosen else ""
        said = (
            f'{element("span", name, class_="name")}<span class="track">{bar}</span>{element("b", percent(share, 1))}'
        )
        rows.append(f"<li{class_}>{said}</li>")
    return Html(f'<ul class="choices">{"".join(rows)}</ul>')


def spoken(token: str) -> str:
    """A token as it can be seen and said.

    Example
    -------
    >>> spoken(" "), spoken("word"), spoken("\\n")
    ('space', 'word', 'line break')
    """
    return visible(token, 24)
