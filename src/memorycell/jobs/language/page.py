"""The page on a language model: how well it predicts, what surprises it, and what it writes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.lines import visible
from memorycell.data.text.text_codec import SPECIALS, UNK
from memorycell.evaluation.result import CrossValidation
from memorycell.jobs.language.measures import LanguageEvaluation
from memorycell.jobs.language.text import TextSamples, Token
from memorycell.pages.highlight import Span, legend, surprises
from memorycell.pages.page import Html, Page, Section, bullets, element, facts, figure, paragraph, table
from memorycell.pages.plots.classes import histogram, surprise_through_text
from memorycell.pages.sections.data import own_notes
from memorycell.pages.sections.learner import cards, learning, network_section, reproduction, validation_loss
from memorycell.pages.sections.memory import remembering
from memorycell.pages.sections.scores import OLD, UNKNOWN, accuracy, is_new
from memorycell.pages.wording import counted, percent, significant

MEASURE = Html(
    "Let it score a text that it has not seen, beside n-grams: <code>memorycell evaluate MODEL NEW_TEXT</code>. "
    "Perplexities of models with different vocabularies cannot be compared; bits per character can."
)
FOOTER = "A language model writes what is likely in texts like its own, true or not, and may repeat what those hold."
_SCORED = 20_000  # characters, of which a passage is shown
_SHOWN = 1_000
_LISTED = 12
_WRITTEN = {"character": 300, "subword": 90, "word": 60, "whitespace": 60}  # tokens of a sample
_TEMPERATURES = (0.5, 1.0)


@dataclass
class Passage:
    """A stretch of text and what the model thinks of each of its tokens."""

    samples: TextSamples  # of this one text
    tokens: list[Token]
    held_out: bool  # whether it is the end of the training text, which decided when to stop

    @property
    def text(self) -> str:
        return self.samples[0]

    @property
    def nats(self) -> NDArray[np.float64]:
        """The surprise of each token."""
        return -np.array([token.log_probability for token in self.tokens])


def page(
    model: Any,
    samples: TextSamples,
    *,
    evaluation: LanguageEvaluation | CrossValidation | None = None,
    seen: bool | None = None,
    unit: str | None = None,
    command: str | None = None,
) -> Page:
    """See `memorycell.write_report`."""
    compared = evaluation if isinstance(evaluation, CrossValidation) else None
    measured = evaluation if isinstance(evaluation, LanguageEvaluation) else None
    if evaluation is None and seen is False:
        measured = model.evaluate(samples)
    passage, new = passage_of(model, samples, seen), is_new(evaluation, seen)
    sections = [
        _accuracy(compared, measured, new), _surprise(passage, new),
        _samples(model), _data(model, passage, samples),
        learning(model, ": nats per token", compared),
        *([] if passage is None else [remembering(model, passage.samples, "This model")]),
        network_section(model), reproduction(model, "model", command, samples.source, seen),
    ]  # fmt: skip
    title = {"character": "Language model of characters", "subword": "Language model of subwords"}.get(
        model.codec_.unit, "Language model of words"
    )
    shown = _cards(model, compared, None if new is False else measured)
    return Page(title, _lead(model, compared, measured, new), shown, sections, FOOTER)


def passage_of(model: Any, samples: TextSamples, seen: bool | None) -> Passage | None:
    """Some of the text with its scores: of a text that was trained on the end, which was held out."""
    if not samples.written:
        return None  # a corpus has forgotten how its tokens were written
    fraction, total = model.validation_fraction, 0
    held_out, pieces = bool(seen) and fraction > 0, []
    for piece in samples.pieces:
        total += len(piece)
        pieces.append(piece)
        if held_out:
            while sum(map(len, pieces[1:])) >= _SCORED:
                del pieces[0]
        elif total >= _SCORED:
            break
    text = ("\n" if isinstance(samples.given, list) else "").join(pieces)
    # A little less than what was held out by tokens, which are not spread evenly over the characters.
    text = text[-min(_SCORED, max(1, int(0.95 * fraction * total))) :] if held_out else text[:_SCORED]
    cut = text.find("\n") + 1 if held_out and "\n" in text[:2000] else 0
    part = TextSamples([text[cut:]], source=samples.source) if len(text) - cut < total else samples.whole()
    return Passage(part, model.scored(part), held_out) if part[0].strip() else None


def _accuracy(compared: CrossValidation | None, measured: LanguageEvaluation | None, new: bool | None) -> Section:
    if measured is None:
        return accuracy(compared, MEASURE, new=new)
    section = Section("accuracy", "How well it predicts")
    headings, *rows = measured.cells()
    section.add(
        paragraph(measured.text, {True: "", False: OLD, None: UNKNOWN}[new]),
        table(headings, rows, strong=(0,)),
        paragraph(
            "Perplexity 10 means that it is as unsure, on average, as if it had to guess among ten tokens, all equally "
            "likely. Every token of the text counts, line ends too; the state is carried through the text."
        ),
    )
    if measured.baseline is None:
        section.add(paragraph("It was not compared with n-grams: give the training text (train=) to do so."))
    return section


def _lead(model: Any, compared: CrossValidation | None, measured: LanguageEvaluation | None, new: bool | None) -> str:
    if measured is not None and new is not False:
        of = f"{counted(measured.tokens, 'token')}{' that it had not seen' if new else ''}"
        bits = f"{measured.bits_per_character:.2f} bits per character"
        said = f"Perplexity {significant(measured.perplexity)} on {of}, {bits}."
        verdict = {
            "better": f" Better than {measured.baseline}.",
            "worse": f" A baseline wins: {measured.baseline}, perplexity {significant(measured.baseline_perplexity)}.",
            "too few to tell": f" Too few tokens to tell it from {measured.baseline}.",
        }
        return said + verdict.get(measured.outcome or "", "") + ("" if new else f" {UNKNOWN}")
    if compared is not None and new is not False:
        said = (
            f"Perplexity {significant(compared.score)} on {len(compared.rows):,} {compared.noun} that it had not seen."
        )
        return f"{said} {compared.outcome}"
    loss = validation_loss(model)
    told = "" if loss is None else (
        f" On the text held out from training, which decided when to stop, perplexity came down to "
        f"{significant(math.exp(min(loss, 700)))}."
    )  # fmt: skip
    return f"How well it predicts new text was not measured here.{told}"


def _cards(model: Any, compared: CrossValidation | None, measured: LanguageEvaluation | None) -> dict[str, str]:
    shown = {}
    loss = validation_loss(model)
    if measured is not None:
        shown["perplexity"] = significant(measured.perplexity)
        shown["bits per character"] = f"{measured.bits_per_character:.3f}"
        if measured.unknown:
            shown["unknown tokens"] = percent(measured.unknown)
    elif compared is not None:
        shown["perplexity"] = significant(compared.score)
    elif loss is not None:
        shown["validation perplexity"] = significant(math.exp(min(loss, 700)))
    return cards(model, shown)


def _surprise(passage: Passage | None, new: bool | None) -> Section:
    """A passage shaded token by token, the most surprising tokens, and how surprise is spread."""
    section = Section("surprise", "What surprises it")
    if passage is None:
        return section
    nats = passage.nats
    if passage.held_out:
        what = "The end of the text, which was held out from training and decided when to stop."
    elif new is False:
        what = "Text that it was trained on: new text surprises it more."
    elif new:
        what = "Text that it had not seen."
    else:
        what = "Whether it was trained on this text is not recorded: new text may surprise it more."
    most = float(np.quantile(nats, 0.98))
    first = start_of(passage)
    last = next(
        (i for i, token in enumerate(passage.tokens) if token.stop > passage.tokens[first].start + _SHOWN), len(nats)
    )
    begin, end = passage.tokens[first].start, passage.tokens[last - 1].stop
    spans = [
        Span(token.start - begin, token.stop - begin, -token.log_probability) for token in passage.tokens[first:last]
    ]
    shown = surprises(passage.text[begin:end], spans, most)
    section.add(
        paragraph(
            what,
            f"Surprise is the negative natural logarithm of the probability that a token was given; its mean over "
            f"{counted(len(nats), 'token')} is {nats.mean():.2f} nats.",
        ),
        legend(weak=f"from 0 to {most:.1f} nats and more"),
        Html(f'<blockquote dir="auto" class="surprise">{"… " if begin else ""}{shown}'
             f"{' …' if end < len(passage.text) else ''}</blockquote>"),
        element("h3", "The most surprising tokens"),
        _listed(passage),
        figure(
            lambda width: histogram(nats, "nats", width=width),
            "surprise",
            "How many tokens surprised it how much.",
        ),
    )  # fmt: skip
    if len(nats) >= 400:
        section.add(
            figure(
                lambda width: surprise_through_text(nats, width=width),
                "through",
                "Surprise from the beginning of the passage to its end; at the beginning it knows nothing of what came "
                "before.",
            )
        )
    return section


def start_of(passage: Passage) -> int:
    """The token from which the passage is shown: past the first fifth of a long one, after a line's end."""
    if len(passage.text) < 2 * _SHOWN:
        return 0
    after = len(passage.text) // 5
    line = passage.text.find("\n", after, after + 400)
    begin = line + 1 if line >= 0 else after
    return next((i for i, token in enumerate(passage.tokens) if token.start >= begin), 0)


def _listed(passage: Passage) -> Html:
    nats = passage.nats
    rows = []
    for place in np.argsort(-nats, kind="stable")[:_LISTED].tolist():
        token = passage.tokens[place]
        before = " ".join(passage.text[max(0, token.start - 34) : token.start].split())
        written = passage.text[token.start : token.stop]
        name = visible(written, 24) if written else "end of line"
        note = element("small", "unknown word") if token.token == SPECIALS[UNK] else ""
        shown = Html(f"{element('span', name)}{note}")
        rows.append([Html(f"<bdi>…{element('span', before)}</bdi>"), shown, f"{nats[place]:.2f}",
                     f"{significant(100 * math.exp(-nats[place]), 2)} %"])  # fmt: skip
    return table(["after", "came", "nats", "probability"], rows, words=2)


def _samples(model: Any) -> Section:
    """What it writes, at two temperatures."""
    section = Section("samples", "What it writes")
    length = _WRITTEN.get(model.codec_.unit, 60)
    section.add(
        paragraph(
            f"Drawn token by token from nothing, with seed {model.seed_}. At a temperature below 1 it keeps to what it "
            "finds likely; at 1 it draws as it has learned."
        )
    )
    for temperature in _TEMPERATURES:
        text = model.generate("", length, temperature=temperature, seed=model.seed_)
        section.add(
            element("h3", f"Temperature {temperature:g}"),
            element("blockquote", text.strip("\n") or "(nothing but line ends)", dir="auto"),
        )
    return section


def _data(model: Any, passage: Passage | None, samples: TextSamples) -> Section:
    section = Section("data", "The data, and what was done to it")
    unknown = None
    if passage is not None:
        unknown = sum(token.token == SPECIALS[UNK] for token in passage.tokens) / len(passage.tokens)
    section.add(
        facts(
            {
                "data": samples.source.name,
                "trained on": f"{model.tokens_:,} tokens",
                "held out": percent(model.validation_fraction) if model.validation_fraction else None,
                "token": model.codec_.unit,
                "vocabulary": f"{model.codec_.size:,}",
                "unknown in the passage": None if unknown is None else percent(unknown),
            }
        ),
        bullets(dict.fromkeys(note["text"] for note in [*samples.notes, *own_notes(model)])),
    )
    return section
