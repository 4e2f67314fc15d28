"""The page on a tagger: label by label, by entities, for known and unknown words, and its worst sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memorycell.data.lines import visible
from memorycell.evaluation.result import CrossValidation
from memorycell.jobs.tagging.measures import TagScores
from memorycell.jobs.tagging.reading import TaggedSamples
from memorycell.pages.page import Html, Page, Section, bullets, element, facts, figure, paragraph, table
from memorycell.pages.plots.classes import class_counts, histogram
from memorycell.pages.sections.data import own_notes, span_of
from memorycell.pages.sections.learner import cards, learning, network_section, reproduction, validation_loss
from memorycell.pages.sections.memory import AT_MOST, remembering
from memorycell.pages.sections.scores import (
    FOOTER,
    MEASURE,
    UNKNOWN,
    accuracy,
    confusions,
    headline,
    is_new,
    measured,
    per_class,
    trained_on,
)
from memorycell.pages.wording import counted, percent, significant

_WORST, _BEST = 8, 2
_MOST_STEPS = 50  # of a sequence that is shown


@dataclass
class Judged:
    """Samples with their labels, and what was predicted for them."""

    samples: TaggedSamples
    labels: list[list[Any]]
    predicted: list[list[Any]]
    scores: TagScores
    honest: bool
    own: bool  # whether the predictions are this very model's

    @property
    def noun(self) -> str:
        return self.samples.noun


def page(
    model: Any,
    samples: TaggedSamples,
    *,
    evaluation: CrossValidation | TagScores | None = None,
    seen: bool | None = None,
    unit: str | None = None,
    command: str | None = None,
) -> Page:
    """See `memorycell.write_report`."""
    compared = evaluation if isinstance(evaluation, CrossValidation) else None
    judged = judge(model, samples, evaluation, seen)
    new = is_new(evaluation, seen)
    known = judged.scores if judged.honest or (evaluation is not None and new is None) else None
    setting = _caveat(judged, seen) if known is not None else ""
    sections = [
        accuracy(compared, MEASURE, known.measures if known else None, setting, new), _labels(judged, seen),
        _sentences(judged), _data(model, judged),
        learning(model, "", compared),
        remembering(model, samples.take(range(min(len(samples), AT_MOST))), "This tagger"),
        network_section(model, {"labels": model.plan_.get("scheme")}),
        reproduction(model, "tagger", command, samples.source, seen),
    ]  # fmt: skip
    title = f"{len(model.classes_):,} labels for {judged.noun}s"
    cards = _cards(model, None if new is False else compared, known)
    return Page(title, _lead(model, judged, compared, known, new), cards, sections, FOOTER)


def judge(model: Any, samples: TaggedSamples, evaluation: Any, seen: bool | None) -> Judged:
    """The answers to the samples: those of the evaluation where it is of these samples, else the model's own."""
    labels = samples.labels
    predicted = _of_evaluation(evaluation, labels)
    own = predicted is None or evaluation.split == "held out"
    if predicted is None:
        predicted = model.predicted(samples)
    scores = evaluation if isinstance(evaluation, TagScores) else model.scores_of(samples, predicted)
    return Judged(samples, labels, predicted, scores, is_new(evaluation, seen) is True, own)


def _of_evaluation(evaluation: Any, labels: list[list[Any]]) -> list[list[Any]] | None:
    """The labels that an evaluation's models predicted for all these sequences; None where it is not of these."""
    if not isinstance(evaluation, CrossValidation) or evaluation.kind != "tags":
        return None
    if evaluation.rows.tolist() != list(range(len(labels))):
        return None
    names = evaluation.classes
    if any([names[k] for k in row] != own for row, own in zip(evaluation.targets, labels, strict=True)):
        return None
    return [[names[k] for k in row] for row in evaluation.models[0].answers["tags"]]


def _caveat(judged: Judged, seen: bool | None) -> str:
    these = f"{counted(len(judged.samples), 'sequence')} ({counted(sum(map(len, judged.labels)), judged.noun)})"
    if judged.honest:
        by = "by this model" if judged.own else "by models, each asked only about those it was not trained on"
        return f"{these} that were not trained on, labelled {by}."
    return trained_on(these, seen)


def _lead(
    model: Any, judged: Judged, compared: CrossValidation | None, known: TagScores | None, new: bool | None
) -> str:
    if compared is not None and new is not False:
        said = headline(compared, None, judged.noun, new)
        return f"{said} {compared.outcome}" if len(compared.models) > 1 else said
    if known is not None:
        entities = "" if known.entities is None else f" Entity F1 is {percent(known.entities.total.f1, 1)}."
        steps = counted(known.measures.count, judged.noun) + (" that it had not seen" if new else "")
        return f"The right label for {percent(known.accuracy, 1)} of {steps}.{entities} " + (
            "It was not compared with anything simpler." if new else UNKNOWN
        )
    loss = validation_loss(model)
    watched = "" if loss is None else f" Its loss on sequences held out from training came down to {significant(loss)}."
    return f"How often its labels are right in new sequences was not measured here.{watched}"


def _cards(model: Any, compared: CrossValidation | None, known: TagScores | None) -> dict[str, str]:
    values = compared.models[0].measures.values if compared is not None else known.measures.values if known else {}
    entities = known.entities if known is not None else None
    shown = {} if entities is None else {"entity F1": percent(entities.total.f1, 1)}
    shown |= measured(values, ("accuracy", "macro_f1") if entities is None else ("accuracy",))
    return cards(model, shown or {"labels": f"{len(model.classes_):,}"})


def _labels(judged: Judged, seen: bool | None) -> Section:
    """Label by label, what is taken for what, words that training knew or did not, whole entities."""
    section = Section("labels", "Label by label")
    scores = judged.scores
    section.add(paragraph(_caveat(judged, seen)))
    if scores.words:
        rows = [[f"{name} words", f"{part['count']:,.0f}", percent(part["accuracy"], 1)]
                for name, part in scores.words.items()]  # fmt: skip
        section.add(table(["", "there are", "right"], rows))
    if scores.unseen:
        shown = ", ".join(f"{label} ({count:,})" for label, count in list(scores.unseen.items())[:8])
        section.add(paragraph(f"Labels that training has not seen, so that no answer can be right: {shown}."))
    if scores.entities is not None:
        section.add(element("h3", "Whole entities"), _entities(scores))
    section.add(element("h3", "Each label"), per_class(scores.measures, "label"))
    section.add(*confusions(scores.measures, "label"))
    return section


def _entities(scores: TagScores) -> Html:
    if scores.entities is None:
        return Html()
    kinds = sorted(scores.entities.kinds.items(), key=lambda item: -item[1].true)
    rows = [
        [name, *(percent(value, 1) for value in (each.precision, each.recall, each.f1)), f"{each.true:,}",
         f"{each.predicted:,}"]
        for name, each in [("all", scores.entities.total), *kinds]
    ]  # fmt: skip
    made = table(["entity", "precision", "recall", "F1", "there are", "predicted"], rows, strong=(0,), shown=12)
    return Html(made + paragraph("One counts as found where its type, its beginning and its end are right."))


def _sentences(judged: Judged) -> Section:
    """The sequences with most wrong labels, the wrong ones marked, and some long ones that are all right."""
    section = Section("mistakes", "Its worst sequences, wrong labels marked")
    wrong = [
        sum(a != b for a, b in zip(*pair, strict=True)) for pair in zip(judged.labels, judged.predicted, strict=True)
    ]
    lengths = [len(labels) for labels in judged.labels]
    order = sorted(range(len(wrong)), key=lambda i: (-wrong[i], lengths[i]))
    worst = [i for i in order if wrong[i]][:_WORST]
    best = sorted((i for i in order if not wrong[i]), key=lambda i: -lengths[i])[:_BEST]
    if not sum(lengths):
        return section
    if worst:
        section.add(
            paragraph(f"Below each {judged.noun} stands the label that was predicted; where it is wrong, it is struck "
                      "out before the true one."),
            _cases(judged, worst, wrong),
        )  # fmt: skip
    else:
        section.add(paragraph("No label is wrong."))
    if best:
        section.add(element("h3", "All right"), _cases(judged, best, wrong))
    return section


def _cases(judged: Judged, rows: Sequence[int], wrong: Sequence[int]) -> Html:
    parts = []
    for i in rows:
        total = len(judged.labels[i])
        what = counted(total, judged.noun)
        said = f"{wrong[i]:,} of {what} wrong" if wrong[i] else f"{what}, all right"
        number = element("span", f"sequence {i + 1:,}", class_="muted")
        shown = _words(judged, i) if judged.samples.kind == "words" else _runs(judged, i)
        parts.append(element("li", Html(f"<p>{said} · {number}</p>{shown}")))
    return Html(f'<ul class="cases">{"".join(parts)}</ul>')


def _words(judged: Judged, i: int) -> Html:
    truth, found = judged.labels[i], judged.predicted[i]
    start = 0
    if len(truth) > _MOST_STEPS:
        missed = np.cumsum([0, *(a != b for a, b in zip(truth, found, strict=True))])
        sums = missed[_MOST_STEPS:] - missed[:-_MOST_STEPS]
        start = int(sums.argmax())
    parts = ["… "] if start else []
    steps = list(zip(judged.samples[i], truth, found, strict=True))
    for word, label, answer in steps[start : start + _MOST_STEPS]:
        right = label == answer
        below = element("small", str(answer)) if right else Html(
            f"<small><s>{element('span', str(answer))}</s> {element('span', str(label))}</small>"
        )  # fmt: skip
        shown = visible(word)
        parts.append(
            element("span", Html(element("span", shown) + below), class_="tagged" if right else "tagged wrong")
        )
    rest = len(truth) - start - _MOST_STEPS
    parts.append(f"… ({rest:,} more)" if rest > 0 else "")
    return Html(f'<blockquote dir="auto" class="sentence">{"".join(parts)}</blockquote>')


def _runs(judged: Judged, i: int) -> Html:
    """Stretches of steps with the same true and predicted label, those that are wrong."""
    truth, found = judged.labels[i], judged.predicted[i]
    rows, start = [], 0
    for t in range(1, len(truth) + 1):
        if t == len(truth) or (truth[t], found[t]) != (truth[start], found[start]):
            if truth[start] != found[start]:
                rows.append([f"{start:,} to {t - 1:,}" if t - 1 > start else f"{start:,}", found[start], truth[start]])
            start = t
    return table(["steps", "predicted", "is"], rows, words=3, shown=6) if rows else Html()


def _data(model: Any, judged: Judged) -> Section:
    section = Section("data", "The data, and what was done to it")
    lengths = np.array([len(labels) for labels in judged.labels])
    flat = [label for labels in judged.labels for label in labels]
    counts: dict[Any, int] = {}
    for label in flat:
        counts[label] = counts.get(label, 0) + 1
    unknown = judged.scores.words.get("unknown", {}).get("count", 0) if judged.scores.words else None
    section.add(
        facts(
            {
                "data": judged.samples.source.name,
                "sequences": f"{len(lengths):,}",
                f"{judged.noun}s": f"{lengths.sum():,}",
                "length": span_of(lengths, judged.noun),
                "unknown words": None if unknown is None else percent(unknown / max(len(flat), 1)),
            }
        ),
        figure(
            lambda width: class_counts(list(counts), list(counts.values()), width=width),
            "labels-counted",
            "How often each label occurs."
            + (f" {len(counts) - 30:,} rarer ones are not drawn." if len(counts) > 30 else ""),
        ),
    )
    if lengths.min() != lengths.max():
        section.add(
            figure(
                lambda width: histogram(lengths, f"{judged.noun}s", width=width),
                "lengths",
                "How long the sequences are.",
            )
        )
    section.add(bullets(dict.fromkeys(note["text"] for note in [*judged.samples.notes, *own_notes(model)])))
    return section
