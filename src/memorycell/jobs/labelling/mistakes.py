"""Worst mistakes and surest successes, with what in each sequence spoke for the answer (integrated gradients)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from memorycell.insight.attribution import integrated_gradients
from memorycell.jobs.labelling.judged import Judged
from memorycell.jobs.labelling.reading import SequenceSamples
from memorycell.pages.highlight import MOST_CHANNELS, Span, highlighted, legend, quotation, strip
from memorycell.pages.page import Html, Section, element, escaped, paragraph
from memorycell.pages.wording import percent, significant

WRONG, RIGHT = 8, 4
_STEPS = {"text": "word", "numbers": "step", "symbols": "symbol"}


class Case(NamedTuple):
    """A sample to be shown: its row, the output that is explained, against which other, and what is said of it."""

    row: int
    output: Any
    said: Html
    against: Any = None


def explain(model: Any, samples: SequenceSamples, cases: list[Case]) -> list[NDArray[np.float64]]:
    """What each step of the cases adds to the number explained, by integrated gradients; nothing where they fail."""
    found = []
    with model.at_work():
        for case in cases:
            asked = model.explained(samples, row=case.row, output=case.output, against=case.against)
            try:
                found.append(integrated_gradients(asked).scores)
            except ValueError:  # a function too rough for them: the case is shown without colours
                found.append(np.zeros(len(asked)))
    return found


def shown(model: Any, samples: SequenceSamples, cases: list[Case]) -> Html:
    """The cases as a list, their sequences coloured."""
    parts = []
    for case, weights in zip(cases, explain(model, samples, cases), strict=True):
        sequence = samples[case.row]
        if samples.given.kind == "numbers":
            picture = strip(np.asarray(sequence, float)[: len(weights)], weights)
        else:
            picture = quotation(_text(model, sequence, weights))
        parts.append(element("li", Html(f"<p>{case.said}</p>{picture}")))
    return Html(f'<ul class="cases">{"".join(parts)}</ul>')


def _text(model: Any, sequence: Any, weights: NDArray[np.float64]) -> Html:
    if isinstance(sequence, str):
        spans = [(start, stop) for _, start, stop in model.codec_.tokens(sequence)]
        text = sequence
    else:
        pieces = [str(symbol) for symbol in sequence]
        ends = np.cumsum([len(piece) + 1 for piece in pieces]).tolist()
        text = " ".join(pieces)
        spans = [(end - 1 - len(piece), end - 1) for end, piece in zip(ends, pieces, strict=True)]
    # Steps beyond the longest that is read have no weight.
    return highlighted(text, [Span(*span, weight) for span, weight in zip(spans, weights.tolist(), strict=False)])


def mistakes(model: Any, samples: SequenceSamples, judged: Judged | None) -> Section:
    """The wrong answers that were surest, and some right ones."""
    section = Section("mistakes", "Its worst mistakes, and what spoke for them")
    if judged is None:
        return section
    several = judged.kind.name == "labels"
    wrong, right = (_several if several else _single)(model, judged)
    if not wrong and not right:
        return section
    step = _STEPS[samples.given.kind]
    whose = "" if judged.own else (
        " Answers are those of models that had not learned from the sample; colours are of the model of this page."
    )  # fmt: skip
    if (samples.given.features or 1) > MOST_CHANNELS:
        whose += f" Of {samples.given.features} numbers a step the {MOST_CHANNELS} that vary most are drawn."
    aside = "" if several else ", set against the right one (of right answers, against the likeliest other)"
    first = "Wrong answers with the highest probability first."
    if not wrong:
        section.title, first = "What spoke for its answers", f"None of the {len(judged.rows):,} answers is wrong."
    section.add(
        paragraph(
            f"{first} Colours show how much each {step} spoke for the answer "
            f"or against it{aside}, by integrated gradients (Sundararajan et al. 2017).{whose}"
        ),
        legend("for the answer", "against it"),
    )
    if wrong:
        section.add(shown(model, samples, wrong))
    if right:
        section.add(element("h3", "Right answers") if wrong else Html(), shown(model, samples, right))
    return section


def _single(model: Any, judged: Judged) -> tuple[list[Case], list[Case]]:
    true, answered = judged.true, judged.answers["labels"]
    chances = judged.answers.get("probabilities")
    if chances is None:  # of many classes
        sure, own = judged.answers["confidence"], judged.answers["own"]
    else:
        sure, own = chances[np.arange(len(true)), answered], chances[np.arange(len(true)), true]
    outputs = set(model.classes_.tolist())
    names = judged.kind.classes

    def case(i: int) -> Case:
        answer, truth = names[answered[i]], names[true[i]]
        said, other = f"{_strong(answer)}, {percent(float(sure[i]), 0)}", None
        if answered[i] != true[i]:
            other = truth if truth in outputs else None
            said = f"{said}; it is {_strong(truth)}, {percent(float(own[i]), 0)}"
        return Case(int(judged.rows[i]), answer, _numbered(said, judged, i), other)

    known = np.array([name in outputs for name in names])[answered]
    order = np.argsort(-sure, kind="stable")
    wrong = [i for i in order if answered[i] != true[i] and known[i]][:WRONG]
    right: list[int] = []
    for i in order:  # the surest of each class
        if answered[i] == true[i] and known[i] and all(answered[j] != answered[i] for j in right):
            right.append(i)
            if len(right) == RIGHT:
                break
    return [case(i) for i in wrong], [case(i) for i in right]


def _strong(name: Any) -> Html:
    text = str(name)
    return element("strong", text if len(text) <= 60 else f"{text[:59]}…")


def _numbered(said: str, judged: Judged, i: int) -> Html:
    number = element("span", judged.where(i), class_="muted")
    return Html(f"{escaped(Html(said))} · {number}")


def _several(model: Any, judged: Judged) -> tuple[list[Case], list[Case]]:
    """Of several labels: those whose probability is furthest from what is."""
    true, chances = np.asarray(judged.true, bool), judged.answers.get("probabilities")
    names = judged.kind.classes
    if chances is None or list(names) != model.classes_.tolist():
        return [], []
    error = np.abs(chances - true)
    worst, place = error.max(1), error.argmax(1)

    def case(i: int, k: int) -> Case:
        verdict = "it is there" if true[i, k] else "it is not there"
        return Case(
            int(judged.rows[i]),
            names[k],
            _numbered(f"{_strong(names[k])}, {percent(chances[i, k], 0)}; {verdict}", judged, i),
        )

    order = np.argsort(-worst, kind="stable")
    wrong = [case(int(i), int(place[i])) for i in order if worst[i] > 0.5][:WRONG]
    right: list[Case] = []
    for i in order[::-1]:
        if worst[i] <= 0.5 and true[i].any() and len(right) < RIGHT:
            k = int(np.where(true[i], chances[i], -1).argmax())
            right.append(case(int(i), k))
    return wrong, right


def largest_errors(model: Any, samples: SequenceSamples, judged: Judged | None, unit: str) -> Section:
    """Of a regressor: the predictions that are furthest off, and what in the sequence moved them."""
    section = Section("mistakes", "Where it is furthest off, and what moved it")
    if judged is None:
        return section
    true, predicted = np.asarray(judged.true, float), np.asarray(judged.answers["numbers"], float)
    spread = true.std(0)
    error = np.abs(predicted - true) / np.where(spread > 0, spread, 1)
    order = np.argsort(-error.max(1), kind="stable")

    def case(i: int) -> Case:
        k = int(error[i].argmax())
        which = f" (output {k + 1})" if true.shape[1] > 1 else ""
        said = (
            f"predicted {_strong(significant(predicted[i, k]))}, it is {_strong(significant(true[i, k]))}{unit}{which}"
        )
        return Case(int(judged.rows[i]), k, _numbered(said, judged, i))

    section.add(
        paragraph(
            f"The largest errors first. Colours show which {_STEPS[samples.given.kind]}s raise this model's number and "
            "which lower it (integrated gradients, Sundararajan et al. 2017)."
        ),
        legend("raises it", "lowers it"),
        shown(model, samples, [case(int(i)) for i in order[:WRONG]]),
        element("h3", "Where it is nearest"),
        shown(model, samples, [case(int(i)) for i in order[::-1][:RIGHT]]),
    )
    return section
