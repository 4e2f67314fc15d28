"""What a language model answered: the beginning of the page that explains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from memorycell.jobs.language.explained import NextToken, token_text
from memorycell.jobs.language.text import TextSamples
from memorycell.pages.explaining.answers import MOST_CHOICES, Answer, choices, spoken
from memorycell.pages.highlight import shortened
from memorycell.pages.wording import percent


def continued(model: Any, samples: TextSamples, explained: NextToken, where: Mapping[str, Any]) -> Answer:
    """See `Job.answer`."""
    text, stop = explained.text or "", (explained.spans or [(0, 0)])[-1][1]
    order = np.argsort(-explained.shares, kind="stable")[:MOST_CHOICES]
    named = [(spoken(token_text(model.codec_, int(c))), float(explained.shares[c])) for c in order]
    given = where.get("output")
    chosen = spoken(explained.token if given is None else str(given))
    before = shortened("…" + text[max(0, stop - 60) : stop] if stop > 60 else text[:stop])
    first, second = (f"{name} ({percent(share, 1)})" for name, share in named[:2])
    said = f"After “{before}” the likeliest are {first} and {second}."
    cards = {"likeliest": named[0][0], "its probability": percent(named[0][1], 1)}
    cards |= {"tokens read": f"{len(explained):,}"}
    title = f"Why “{chosen}”?" if where.get("place") is None else f"Why “{chosen}” there?"
    return Answer(title, said, cards, [choices(named, chosen)])
