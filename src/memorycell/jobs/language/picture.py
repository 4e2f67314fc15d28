"""The picture that one wants first of a language model: what of a text surprised it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from memorycell.data.text.text_codec import SPECIALS, UNK
from memorycell.jobs.language.page import passage_of, start_of
from memorycell.jobs.language.text import TextSamples
from memorycell.pages.drawing import WIDE, titled
from memorycell.pages.highlight import Span
from memorycell.pages.plots.surprise import surprise_by_token, tokens_drawn
from memorycell.pages.wording import counted, significant, trained_on


def surprise(
    model: Any,
    samples: TextSamples,
    *,
    seen: bool | None = None,
    unit: str | None = None,
    width: float = WIDE,
    row: int | None = None,
) -> Figure:
    """See `Job.plot`: a text as it is read, with the surprise of each token above it, in nats.

    Of a long text the beginning of what the report has of it: of one that was trained on, the end that was held out.

    Parameters
    ----------
    row : one line of the text, of those that are not empty, from 0; None: all of it

    Raises
    ------
    ValueError
        For a `Corpus`, which has forgotten how its text was written, and a line that is not there.
    """
    if not samples.written:
        raise ValueError("expected a text to write the surprise above, got a Corpus, which has only ids: give the text")
    passage = passage_of(model, samples if row is None else samples.line(row), None if row is not None else seen)
    if passage is None:
        raise ValueError("expected a text with letters in it, got blanks alone")
    spans = [Span(each.start, each.stop, -each.log_probability) for each in passage.tokens]
    unknown = {each.start for each in passage.tokens if each.token == SPECIALS[UNK]}
    shown = spans[start_of(passage) :]
    figure = surprise_by_token(passage.text, shown, unknown=unknown, width=width)
    drawn = tokens_drawn(passage.text, shown, width=width)
    mean = float(passage.nats.mean())
    said = f"{mean:.2f} nats per token on average (perplexity {significant(float(np.exp(mean)))}), "
    said += f"{counted(len(spans), 'token')}"
    if drawn < len(spans):
        said += f", of which {drawn:,} are shown"
    worth = ", held out from training" if passage.held_out else trained_on(seen)
    return titled(figure, said + worth)
